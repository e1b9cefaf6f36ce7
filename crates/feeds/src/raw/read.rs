//! Reading files of raw frames: in order, up to where one is damaged.

#![expect(clippy::disallowed_methods, reason = "reads recordings")]

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::line::{MAGIC, RawRecord, RawRecordError};

/// How a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFile {
    /// Which one.
    pub path: PathBuf,
    /// Records in it.
    pub records: u64,
    /// What ended it too early, if something did.
    pub damage: Option<Damage>,
}

/// Why a file is not read to its end. Everything before is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// The stream stops in the middle: whoever wrote it was killed, or it is being written.
    Cut,
    /// Something is wrong at a line.
    Line {
        /// Counted from 1.
        number: u64,
        /// What is wrong.
        why: RawRecordError,
    },
    /// The compressed bytes are damaged, or the file cannot be read.
    Bytes(String),
    /// It is not a file of raw frames at all.
    Foreign,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("it ends in the middle (whoever wrote it was killed, or still writes)"),
            Self::Line { number, why } => write!(f, "line {number}: {why}"),
            Self::Bytes(why) => write!(f, "damaged: {why}"),
            Self::Foreign => write!(f, "not a file of raw frames (its first line is not '{MAGIC}')"),
        }
    }
}

/// Longest line that is read: an answer with thousands of rows is far below.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Reads a file, calling `each` with every record; `false` ends it.
pub fn read(path: &Path, mut each: impl FnMut(RawRecord) -> bool) -> RawFile {
    let mut done = RawFile { path: path.to_path_buf(), records: 0, damage: None };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            done.damage = Some(Damage::Bytes(error.to_string()));
            return done;
        }
    };
    let mut lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file)));
    for number in 1.. {
        let mut line = Vec::new();
        let read = std::io::Read::take(&mut lines, LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let complete = line.pop_if(|last| *last == b'\n').is_some();
        let text = String::from_utf8(line);
        done.damage = match (read, text) {
            (Err(error), _) if error.kind() == ErrorKind::UnexpectedEof => Some(Damage::Cut),
            (Err(error), _) => Some(Damage::Bytes(error.to_string())),
            (Ok(0), _) => None,
            (Ok(_), Ok(text)) if number == 1 && text == MAGIC => continue,
            (Ok(_), _) if number == 1 => Some(Damage::Foreign),
            (Ok(_), _) if !complete => Some(Damage::Cut),
            (Ok(_), Err(_)) => Some(Damage::Bytes(format!("line {number} is no text"))),
            (Ok(_), Ok(text)) => match RawRecord::parse(&text) {
                Ok(record) => {
                    done.records += 1;
                    if each(record) {
                        continue;
                    }
                    None
                }
                Err(why) => Some(Damage::Line { number, why }),
            },
        };
        break;
    }
    done
}

/// The files of raw frames under some paths (folders are looked into, not deeper), in the order in which they were
/// recorded.
///
/// # Errors
/// When a path cannot be read.
pub fn sorted(paths: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            path.metadata()?;
            files.push(path.clone());
            continue;
        }
        for entry in path.read_dir()? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("raw-") && name.ends_with(".gz") {
                files.push(path);
            }
        }
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    files.dedup();
    Ok(files)
}
