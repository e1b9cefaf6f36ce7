//! docs/acceptance.md names a test, a command or a file for every criterion; this holds it to naming ones that exist.

use std::path::{Path, PathBuf};

const ACCEPTANCE: &str = include_str!("../../../docs/acceptance.md");
const MAKEFILE: &str = include_str!("../../../Makefile");
const BENCH: &str = include_str!("../../bench/src/cli.rs");

fn root() -> PathBuf {
    Path::new("../..").to_owned()
}

/// The text of all files below a folder whose names end so.
fn sources(folder: &Path, ends: &[&str], found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().unwrap().is_dir() {
            if !["target", "node_modules", "dist"].contains(&name.as_str()) {
                sources(&path, ends, found);
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The cells of a row of a table, without its frame.
fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// What stands between backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_criterion_names_a_test_or_command_that_exists() {
    let (mut rust, mut scripts) = (Vec::new(), Vec::new());
    sources(&root().join("crates"), &[".rs"], &mut rust);
    sources(&root().join("web"), &[".test.ts", ".e2e.ts"], &mut scripts);
    let exists = |name: &str| {
        if let Some((file, words)) = name.split_once(".ts: ") {
            let file = format!("{file}.ts");
            let is_test = |text: &str| text.contains(&format!("test('{words}"));
            return scripts.iter().any(|(path, text)| path.ends_with(&file) && is_test(text));
        }
        if let Some(target) = name.strip_prefix("make ") {
            return MAKEFILE.lines().any(|line| line.starts_with(&format!("{target}:")));
        }
        if let Some(part) = name.strip_prefix("liqheat-bench ") {
            let part = part.strip_prefix("contract ").unwrap_or(part).split(' ').next().unwrap_or_default();
            let variant = part[..1].to_uppercase() + &part[1..];
            return BENCH.lines().any(|line| line.trim() == format!("{variant},"));
        }
        if name.contains('/') || name.starts_with('.') || name.ends_with(".md") {
            return root().join(name).exists();
        }
        rust.iter().any(|(_, text)| text.contains(&format!("fn {name}(")))
    };
    let rows: Vec<Vec<&str>> = ACCEPTANCE
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|-"))
        .map(cells)
        .collect();
    assert!(rows.len() > 50, "{}", rows.len());
    for row in rows.iter().filter(|row| row.last() != Some(&"shown by")) {
        let shown_by = row.last().unwrap();
        assert!(spans(shown_by).next().is_some(), "nothing shows {row:?}");
        for name in spans(shown_by) {
            assert!(exists(name), "docs/acceptance.md names `{name}`, which does not exist");
        }
    }
    assert!(!exists("no_such_test") && !exists("make nothing") && !exists("liqheat-bench dance"));
}
