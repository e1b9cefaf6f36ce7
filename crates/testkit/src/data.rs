//! Where recorded market data is.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A path in the folder of recorded data (`../shared/data` beside the repository, or `LIQHEAT_SHARED_DATA`);
/// `None`, said aloud, where it is absent.
#[must_use]
pub fn recorded(path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = std::env::var_os("LIQHEAT_SHARED_DATA").map_or(beside, PathBuf::from).join(path);
    if found.exists() {
        return Some(found);
    }
    // Not `eprintln!`, which a passing test keeps to itself.
    let _ = writeln!(std::io::stderr(), "skipped: needs ../shared/data");
    None
}
