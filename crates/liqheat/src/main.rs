//! The binary `liqheat`.
fn main() {}
