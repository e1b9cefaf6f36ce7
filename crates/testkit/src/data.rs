//! Where recorded market data is.

use std::io::Write;
use std::path::PathBuf;

/// The root of the repository in which a test runs. Not the one in which it was built: clones may share a target folder.
///
/// # Panics
/// When the test does not run inside the repository; Cargo runs it in the folder of its package.
#[must_use]
pub fn repository() -> PathBuf {
    let here = std::env::current_dir().expect("the folder that the test runs in");
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    root.unwrap_or_else(|| panic!("no Cargo.lock above {}", here.display())).to_owned()
}

/// A path in the folder of recorded data (`../shared/data` beside the repository, or `LIQHEAT_SHARED_DATA`). Where it
/// is absent, prints that the test is skipped and returns `None`.
///
/// # Panics
/// Where it is absent and `LIQHEAT_REQUIRE_RECORDED=1` is set, as in continuous integration, so that no gate is
/// green because its data was missing.
#[must_use]
pub fn recorded(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("LIQHEAT_SHARED_DATA")
        .map_or_else(|| repository().join("../shared/data"), PathBuf::from);
    let found = folder.join(path);
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
