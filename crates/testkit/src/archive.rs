//! A temporary folder, and files in it as an archive publishes them: plain or zipped, with a CHECKSUM beside.

use std::fmt::Write as _;
use std::fs::{create_dir_all, read, write};
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A folder that goes with the test.
#[derive(Debug)]
pub struct Folder {
    dir: TempDir,
}

impl Folder {
    /// An empty one.
    ///
    /// # Panics
    /// When the system has no place for it.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "making it does something")]
    pub fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// The folder itself, or a path in it.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// Writes a file, with the folders above it.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn put(&self, inside: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(inside);
        create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, content).unwrap();
        path
    }

    /// Writes `{stem}.zip` with the member `{stem}.csv`.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn put_zip(&self, stem: &str, content: &str) -> PathBuf {
        let member = Path::new(stem).file_name().unwrap().to_string_lossy().into_owned() + ".csv";
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(member, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
        self.put(&format!("{stem}.zip"), zip.finish().unwrap().into_inner())
    }

    /// Writes the CHECKSUM file that belongs beside a file.
    ///
    /// # Panics
    /// When it cannot be written.
    #[track_caller]
    pub fn put_checksum(&self, of: &Path) {
        let digest = Sha256::digest(read(of).unwrap());
        let mut text = String::new();
        for byte in digest {
            write!(text, "{byte:02x}").unwrap();
        }
        let name = of.file_name().unwrap().to_string_lossy();
        write(of.with_file_name(format!("{name}.CHECKSUM")), format!("{text}  {name}\n")).unwrap();
    }
}
