//! The binary `liqheat`.

fn main() -> std::process::ExitCode {
    liqheat::main()
}
