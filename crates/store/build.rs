//! Tells the linker where the running program finds libduckdb: beside itself, or where it was when it was
//! built. The crates `server` and `liqheat` have the same lines, because such arguments reach only the
//! package whose build script prints them.

#![allow(clippy::disallowed_methods, reason = "a build script works on files")]

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    if std::env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    let macos = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "macos");
    let beside = if macos { "@loader_path" } else { "$ORIGIN" };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{beside}");
    let Ok(folder) = std::env::var("DUCKDB_LIB_DIR") else {
        return; // A libduckdb of the system, found by the linker and the loader on their own.
    };
    println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    let library = Path::new(&folder).join(if macos { "libduckdb.dylib" } else { "libduckdb.so" });
    println!("cargo::rerun-if-changed={}", library.display());
    if !library.exists() {
        println!(
            "cargo::error={} is missing: run scripts/setup-duckdb.sh (or `make setup`), or build with --features bundled",
            library.display()
        );
    }
}
