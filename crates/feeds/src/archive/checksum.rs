//! `.CHECKSUM` files: `<sha256 in hex>  <file name>`, as `sha256sum` prints them.

#![expect(clippy::disallowed_methods, reason = "reads the checksum beside an archive file")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::FileError;

/// The ending added to the name of the file that is vouched for.
pub(super) const ENDING: &str = ".CHECKSUM";
/// A line or a few; anything longer is something else.
const BYTES_MAX: u64 = 64 * 1024;
const HEX_CHARS: usize = 64;

/// Where the checksum of a file would be.
pub(super) fn path_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ENDING);
    PathBuf::from(name)
}

/// Compares the content with the CHECKSUM file beside it. `Ok(false)`: there is none.
pub(super) fn verify(path: &Path, content: &mut impl Read) -> Result<bool, FileError> {
    let beside = path_beside(path);
    let mut text = String::new();
    let read = std::fs::File::open(&beside).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(FileError::Checksum(error.to_string())),
        Ok(_) => {}
    }
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let expected = expected_of(&text, &name)?;
    let found = sha256(content).map_err(|error| FileError::Read { line: 0, cause: error.to_string() })?;
    if found == expected { Ok(true) } else { Err(FileError::ChecksumMismatch { expected, found }) }
}

fn expected_of(text: &str, file_name: &str) -> Result<String, FileError> {
    let mut other_name = None;
    for line in text.lines() {
        let Some((hex, name)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        if hex.len() != HEX_CHARS || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        // `*` marks files read in binary mode.
        let name = name.trim().trim_start_matches('*');
        if name == file_name {
            return Ok(hex.to_ascii_lowercase());
        }
        other_name = Some(name.to_owned());
    }
    Err(FileError::Checksum(match other_name {
        Some(other) => format!("it is of {}", other.chars().take(80).collect::<String>()),
        None => "it holds no sha256".to_owned(),
    }))
}

fn sha256(content: &mut impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => hasher.update(&buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finalize().iter().fold(String::with_capacity(HEX_CHARS), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn sha256_is_sha256() {
        assert_eq!(sha256(&mut &b"abc"[..]).unwrap(), OF_ABC);
    }

    #[test]
    fn the_line_of_the_file_counts() {
        let other = "0".repeat(64);
        let text = format!("{other}  b.zip\n{}  *a.zip\n", OF_ABC.to_uppercase());
        assert_eq!(expected_of(&text, "a.zip"), Ok(OF_ABC.to_owned()));
        let error = expected_of(&format!("{other}  b.zip"), "a.zip").unwrap_err().to_string();
        assert!(error.contains("b.zip"), "{error}");
        for text in ["", "abc  a.zip", "<html>", &"x".repeat(64)] {
            assert!(matches!(expected_of(text, "a.zip"), Err(FileError::Checksum(_))), "{text}");
        }
    }
}
