//! Finding archive files under paths that somebody typed.

#![expect(clippy::disallowed_methods, reason = "looks for archive files in folders")]

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use liqheat_market::Symbol;

use super::Family;
use super::checksum;
use super::name::{Clues, FamilyClue, ForeignMarket};
use super::read::{has_ending, is_apple_double, is_gzipped_table};

/// Deeper than any archive; a wrong path should not walk a whole disk.
const DEPTH_MAX: usize = 32;

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Where.
    pub path: PathBuf,
    /// Its size on disk.
    pub bytes: u64,
    /// As far as its name tells.
    pub family: Option<Family>,
    /// As far as its name tells.
    pub symbol: Option<Symbol>,
}

/// Why a file in a folder is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// Neither `.csv`, `.csv.gz` nor `.zip`.
    Ending,
    /// What macOS keeps beside a file on other disks (`._NAME`): no content of its own.
    AppleDouble,
    /// A family that is not used: its name and why.
    Unused(&'static str, &'static str),
    /// In a folder of coin-margined futures.
    CoinMargined,
    /// In a folder of the spot market.
    Spot,
    /// A CHECKSUM file whose file is not there.
    ChecksumAlone,
    /// Neither a file nor a folder.
    NotAFile,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ending => f.write_str("neither .csv, .csv.gz nor .zip"),
            Self::AppleDouble => f.write_str("a macOS attribute file (._), not a table"),
            Self::Unused(family, why) => write!(f, "{family} files are not loaded: {why}"),
            Self::CoinMargined => f.write_str("coin-margined futures count in contracts, not coins"),
            Self::Spot => f.write_str("of the spot market, not of futures"),
            Self::ChecksumAlone => f.write_str("a CHECKSUM file without its file"),
            Self::NotAFile => f.write_str("neither a file nor a folder"),
        }
    }
}

/// A file that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedPath {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub reason: SkipReason,
}

/// A path that cannot be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {cause}", path = path.display())]
pub struct PathProblem {
    /// Which.
    pub path: PathBuf,
    /// What is wrong and what to try.
    pub cause: String,
}

/// What was found. Each list is in the order of the paths given, folders sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// Files to read, each once.
    pub files: Vec<ArchiveFile>,
    /// Files left alone.
    pub skipped: Vec<SkippedPath>,
    /// Paths that do not exist or cannot be read.
    pub problems: Vec<PathProblem>,
}

/// Looks for archive files: folders are walked, a file named directly is taken if it can be read at all.
#[must_use]
pub fn discover(paths: &[PathBuf]) -> Discovery {
    let mut walk = Walk::default();
    for path in paths {
        walk.visit(path, 0);
    }
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Discovery,
    /// Real paths seen, so that overlapping paths and links in circles do no harm.
    seen: BTreeSet<PathBuf>,
}

impl Walk {
    fn visit(&mut self, path: &Path, depth: usize) {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.problem(path, "does not exist; give a folder or a .csv, .csv.gz or .zip file");
            }
            Err(error) => return self.problem(path, &error.to_string()),
        };
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if !self.seen.insert(real) {
            return;
        }
        if metadata.is_dir() {
            self.visit_folder(path, depth);
        } else if metadata.is_file() {
            self.visit_file(path, metadata.len(), depth);
        } else if depth == 0 {
            self.problem(path, "neither a file nor a folder");
        } else {
            self.skip(path, SkipReason::NotAFile);
        }
    }

    fn visit_folder(&mut self, path: &Path, depth: usize) {
        if depth >= DEPTH_MAX {
            return self.problem(path, "too many folders inside each other");
        }
        let entries = fs::read_dir(path).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        match entries {
            Ok(mut entries) => {
                entries.sort();
                for entry in entries {
                    self.visit(&entry, depth + 1);
                }
            }
            Err(error) => self.problem(path, &error.to_string()),
        }
    }

    fn visit_file(&mut self, path: &Path, bytes: u64, depth: usize) {
        if has_ending(path, &checksum::ENDING[1..]) {
            let vouched_for = path.with_extension("");
            if !vouched_for.exists() {
                self.skip(path, SkipReason::ChecksumAlone);
            }
            return;
        }
        if is_apple_double(path) {
            return self.skip(path, SkipReason::AppleDouble);
        }
        if !has_ending(path, "csv") && !has_ending(path, "zip") && !is_gzipped_table(path) {
            if depth == 0 {
                return self.problem(path, "neither .csv, .csv.gz nor .zip");
            }
            return self.skip(path, SkipReason::Ending);
        }
        let clues = Clues::of_path(path);
        let reason = match (clues.foreign, clues.family) {
            (Some(ForeignMarket::CoinMargined), _) => Some(SkipReason::CoinMargined),
            (Some(ForeignMarket::Spot), _) => Some(SkipReason::Spot),
            (None, Some(FamilyClue::Unused(family, why))) => Some(SkipReason::Unused(family, why)),
            _ => None,
        };
        if let Some(reason) = reason {
            return self.skip(path, reason);
        }
        let family = match clues.family {
            Some(FamilyClue::Known(family)) => Some(family),
            _ => None,
        };
        self.found.files.push(ArchiveFile { path: path.to_path_buf(), bytes, family, symbol: clues.symbol });
    }

    fn skip(&mut self, path: &Path, reason: SkipReason) {
        self.found.skipped.push(SkippedPath { path: path.to_path_buf(), reason });
    }

    fn problem(&mut self, path: &Path, cause: &str) {
        self.found.problems.push(PathProblem { path: path.to_path_buf(), cause: cause.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    #[test]
    fn folders_are_walked_in_order_and_the_rest_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in [
            "um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-01-02.zip",
            "um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-01-01.zip",
            "um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-01-01.zip.CHECKSUM",
            "um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2024-12-31.zip.CHECKSUM",
            "um/daily/indexPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-01-01.zip",
            "cm/daily/klines/BTCUSD_PERP/5m/BTCUSD_PERP-5m-2025-01-01.zip",
            "um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2025-01-01.CSV",
            "um/daily/metrics/BTCUSDT/._BTCUSDT-metrics-2025-01-01.CSV",
            "um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2025-01-02.csv.gz",
            "um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2025-01-03.csv.zip",
            "notes.txt",
        ] {
            touch(&root.join(name));
        }
        let missing = root.join("nowhere");
        let notes = root.join("notes.txt");
        let again = root.join("um/daily/metrics");
        let found = discover(&[root.to_path_buf(), missing.clone(), again, notes.clone()]);

        let names: Vec<_> =
            found.files.iter().map(|f| f.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "BTCUSDT-5m-2025-01-01.zip",
                "BTCUSDT-5m-2025-01-02.zip",
                "BTCUSDT-metrics-2025-01-01.CSV",
                "BTCUSDT-metrics-2025-01-02.csv.gz",
                "BTCUSDT-metrics-2025-01-03.csv.zip",
            ]
        );
        assert_eq!(found.files[0].family, Some(Family::Klines));
        assert_eq!(found.files[2].family, Some(Family::Metrics));
        let reasons: Vec<_> = found.skipped.iter().map(|s| s.reason.clone()).collect();
        assert!(
            matches!(
                reasons[..],
                [
                    SkipReason::CoinMargined,
                    SkipReason::Ending,
                    SkipReason::Unused(..),
                    SkipReason::ChecksumAlone,
                    SkipReason::AppleDouble
                ]
            ),
            "{reasons:?}"
        );
        assert_eq!(found.problems.len(), 1);
        assert_eq!(found.problems[0].path, missing);
        let direct = discover(&[notes]);
        assert_eq!(direct.problems.len(), 1, "a file named directly is not skipped silently");
    }

    #[cfg(unix)]
    #[test]
    fn links_in_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        touch(&dir.path().join("a/BTCUSDT-metrics-2025-01-01.csv"));
        std::os::unix::fs::symlink(dir.path(), dir.path().join("a/back")).unwrap();
        let found = discover(&[dir.path().to_path_buf()]);
        assert_eq!((found.files.len(), found.problems.len()), (1, 0));
    }
}
