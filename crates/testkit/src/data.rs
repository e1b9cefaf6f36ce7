//! Where recorded market data is.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A path in the folder of recorded data (`../shared/data` beside the repository, or `LIQHEAT_SHARED_DATA`). Where it
/// is absent, prints that the test is skipped and returns `None`.
///
/// # Panics
/// Where it is absent and `LIQHEAT_REQUIRE_RECORDED=1` is set, as in continuous integration, so that no gate is
/// green because its data was missing.
#[must_use]
pub fn recorded(path: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = std::env::var_os("LIQHEAT_SHARED_DATA").map_or(beside, PathBuf::from).join(path);
    if found.exists() {
        return Some(found);
    }
    assert!(
        std::env::var_os("LIQHEAT_REQUIRE_RECORDED").is_none_or(|value| value != "1"),
        "LIQHEAT_REQUIRE_RECORDED=1, but there is no {}",
        found.display()
    );
    // Not `eprintln!`, which a passing test keeps to itself.
    let _ = writeln!(std::io::stderr(), "skipped: needs {}", found.display());
    None
}
