//! Whether the database file is still the one that was opened.
//!
//! A file that is deleted or replaced while it is open goes on to exist for this process only: rows are stored and read
//! as if nothing had happened, and are gone when it ends.

#![expect(clippy::disallowed_methods, reason = "asks which file a path leads to")]

use std::path::Path;

/// What became of the file since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileState {
    /// It is where it was, or the database is in memory.
    #[default]
    InPlace,
    /// Nothing is at its path.
    Deleted,
    /// Another file is at its path.
    Replaced,
}

impl FileState {
    /// What is wrong, in a word; `None` when nothing is.
    #[must_use]
    pub const fn problem(self) -> Option<&'static str> {
        match self {
            Self::InPlace => None,
            Self::Deleted => Some("deleted"),
            Self::Replaced => Some("replaced"),
        }
    }
}

/// What the file system calls a file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// Of the file at a path; `None` where there is none, or where the platform does not tell.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_: &Path) -> Option<Self> {
        None
    }

    /// What became of this file at a path.
    pub(crate) fn state(self, path: &Path) -> FileState {
        match Self::of(path) {
            Some(found) if found == self => FileState::InPlace,
            Some(_) => FileState::Replaced,
            None => FileState::Deleted,
        }
    }
}
