//! The write-ahead log beside the database file: whether it is whole, and what can be kept of a damaged one.
//!
//! The log is a header and a sequence of entries, each with its length, a checksum and its content. DuckDB replays it
//! when it opens the database. An entry that ends early is normal after a kill: DuckDB replays what precedes it. An
//! entry whose content does not fit its checksum makes DuckDB refuse the database; a damaged header makes it drop the
//! whole log without a word, which is noticed here.

#![expect(clippy::disallowed_methods, reason = "sets a damaged log aside")]

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How every log begins: the first fields of an entry with the version of the format.
const HEADER: [u8; 5] = [0x64, 0x00, 0x62, 0x65, 0x00];
/// Length and checksum before the content of an entry.
const ENTRY_HEAD_BYTES: u64 = 16;

/// What a log looks like, by the lengths of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogShape {
    /// Not there, empty, or made of whole entries.
    Whole,
    /// It ends within an entry, which begins here.
    Torn { from: u64, bytes: u64 },
    /// It does not begin like a log.
    BadHeader,
}

/// DuckDB keeps its log at the file's name with `.wal` after it.
pub(crate) fn log_of(database: &Path) -> PathBuf {
    with_suffix(database, ".wal")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Looks at the log of a database.
pub(crate) fn inspect(database: &Path) -> io::Result<LogShape> {
    match File::open(log_of(database)) {
        Ok(file) => {
            let bytes = file.metadata()?.len();
            shape(&mut BufReader::new(file), bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(LogShape::Whole),
        Err(error) => Err(error),
    }
}

fn shape(log: &mut (impl Read + Seek), bytes: u64) -> io::Result<LogShape> {
    /// The first entry has neither length nor checksum; it ends with this, within this number of bytes.
    const END: [u8; 2] = [0xFF, 0xFF];
    const FIRST_BYTES_MAX: usize = 256;
    if bytes < HEADER.len() as u64 {
        return Ok(if bytes == 0 { LogShape::Whole } else { LogShape::Torn { from: 0, bytes } });
    }
    let mut first = vec![0; FIRST_BYTES_MAX.min(usize::try_from(bytes).unwrap_or(FIRST_BYTES_MAX))];
    log.read_exact(&mut first)?;
    if !first.starts_with(&HEADER) {
        return Ok(LogShape::BadHeader);
    }
    // Entries follow behind one of the end marks: the one from which most lengths lead to another entry.
    let mut best: Option<(u64, u64)> = None;
    for end in (HEADER.len()..first.len()).filter(|at| first[..=*at].ends_with(&END)) {
        let (whole, last) = walk(log, end as u64 + 1, bytes)?;
        if best.is_none_or(|(most, _)| whole > most) {
            best = Some((whole, last));
        }
    }
    Ok(match best {
        Some((_, last)) if last == bytes => LogShape::Whole,
        best => LogShape::Torn { from: best.map_or(0, |(_, last)| last), bytes },
    })
}

/// Follows the lengths of entries: how many are whole, and where the last of them ends.
fn walk(log: &mut (impl Read + Seek), from: u64, bytes: u64) -> io::Result<(u64, u64)> {
    let (mut whole, mut at) = (0, from);
    while at + ENTRY_HEAD_BYTES <= bytes {
        log.seek(SeekFrom::Start(at))?;
        let mut length = [0; 8];
        log.read_exact(&mut length)?;
        let next = at.saturating_add(ENTRY_HEAD_BYTES).saturating_add(u64::from_le_bytes(length));
        if next > bytes {
            break;
        }
        (whole, at) = (whole + 1, next);
    }
    Ok((whole, at))
}

/// Keeps the first bytes of a log and puts a copy of all of it aside; returns where the copy is.
pub(crate) fn cut(database: &Path, keep_bytes: u64) -> io::Result<PathBuf> {
    let log = log_of(database);
    let aside = (1..)
        .map(|number| with_suffix(&log, &format!(".damaged-{number}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| with_suffix(&log, ".damaged"));
    std::fs::copy(&log, &aside)?;
    File::open(&aside)?.sync_all()?;
    let file = OpenOptions::new().write(true).open(&log)?;
    file.set_len(keep_bytes)?;
    file.sync_all()?;
    Ok(aside)
}

/// Where DuckDB says that a log is damaged: `.. Corrupt WAL file: entry at byte position 1998609 computed ..`. `None` for
/// other texts; 0 where it names no position.
pub(crate) fn damaged_at(text: &str) -> Option<u64> {
    if !text.contains("WAL file") {
        return None;
    }
    let position = text.split_once("at byte position ").map_or("", |(_, rest)| rest);
    let digits: String = position.chars().take_while(char::is_ascii_digit).collect();
    Some(digits.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn log(contents: &[usize]) -> Vec<u8> {
        let mut log = HEADER.to_vec();
        log.extend([0x02, 0xFF, 0xFF]);
        for length in contents {
            log.extend((*length as u64).to_le_bytes());
            log.extend([7; 8]);
            log.extend(vec![0xFF; *length]);
        }
        log
    }

    fn shape_of(log: &[u8]) -> LogShape {
        shape(&mut Cursor::new(log), log.len() as u64).unwrap()
    }

    #[test]
    fn every_cut_is_whole_or_torn() {
        let entries = [5, 300, 0, 17];
        let log = log(&entries);
        let mut ends = vec![8];
        for length in entries {
            ends.push(ends.last().unwrap() + 16 + length);
        }
        for bytes in 0..=log.len() {
            let found = shape_of(&log[..bytes]);
            if bytes == 0 || ends.contains(&bytes) {
                assert_eq!(found, LogShape::Whole, "{bytes}");
            } else {
                assert!(matches!(found, LogShape::Torn { .. }), "{bytes}: {found:?}");
            }
            if let LogShape::Torn { from, .. } = found
                && bytes > 8
            {
                let whole = ends.iter().filter(|end| **end <= bytes).max().unwrap();
                assert_eq!(from, *whole as u64, "{bytes}");
            }
        }
    }

    #[test]
    fn another_beginning_is_no_log() {
        let mut log = log(&[5, 300]);
        log[..64].fill(0xAB);
        assert_eq!(shape_of(&log), LogShape::BadHeader);
    }

    #[test]
    fn the_position_is_read_from_the_message() {
        let text = "IO Error: Failure while replaying WAL file \"/d/w.duckdb.wal\": Corrupt WAL file: entry at byte position 66 computed checksum 1 does not match stored checksum 2";
        assert_eq!(damaged_at(text), Some(66));
        assert_eq!(damaged_at("Failure while replaying WAL file \"w\": Serialization Error"), Some(0));
        assert_eq!(damaged_at("IO Error: No such file or directory"), None);
    }
}
