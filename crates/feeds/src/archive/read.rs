//! Reading one file: checksum, zip members, gzip, tables.

#![expect(clippy::disallowed_methods, reason = "reads archive files")]

use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use zip::read::{ZipReadOptions, read_zipfile_from_stream_with_options};
use zip::result::ZipError;

use super::checksum;
use super::name::{Clues, FamilyClue};
use super::options::ReadOptions;
use super::stream::{Outlet, read_table};
use super::{Family, FileError, FileReport, Note, RowBatch};

/// Members of one zip that are looked at. Archive zips have one.
const MEMBERS_MAX: usize = 1000;

/// Reads a file and hands its rows to the sink in batches; the sink may break off.
///
/// A CHECKSUM file beside it is verified before the first row is handed out. Everything else that is wrong
/// with the file is in the report, and the good rows before and around it are handed out.
pub fn read(
    path: &Path,
    options: &ReadOptions,
    sink: &mut dyn FnMut(RowBatch) -> ControlFlow<()>,
) -> FileReport {
    let mut report = FileReport { path: path.to_path_buf(), ..FileReport::default() };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            report.fail(FileError::Open(error.to_string()));
            return report;
        }
    };
    match checksum::verify(path, &mut file) {
        Ok(verified) => report.checksum_verified = verified,
        Err(error) => {
            report.fail(error);
            return report;
        }
    }
    if let Err(error) = file.rewind() {
        report.fail(FileError::Read { line: 0, cause: error.to_string() });
        return report;
    }
    read_into(&mut report, file, options, sink);
    report
}

/// The same from any source, as if it were a file of that path; no checksum is looked for.
pub fn read_source<S: Read + Seek>(
    path: &Path,
    source: S,
    options: &ReadOptions,
    sink: &mut dyn FnMut(RowBatch) -> ControlFlow<()>,
) -> FileReport {
    let mut report = FileReport { path: path.to_path_buf(), ..FileReport::default() };
    read_into(&mut report, source, options, sink);
    report
}

/// Compares a file with the CHECKSUM file beside it, for files that are read elsewhere. `Ok(false)`: there is none.
///
/// # Errors
/// When it is another content, or one of the two cannot be read.
pub fn verify_checksum(path: &Path) -> Result<bool, FileError> {
    let mut file = File::open(path).map_err(|error| FileError::Open(error.to_string()))?;
    checksum::verify(path, &mut file)
}

/// The family that the name of a file says, folders included; `None` where it says none.
#[must_use]
pub fn named_family(path: &Path) -> Option<Family> {
    match Clues::of_path(path).family {
        Some(FamilyClue::Known(family)) => Some(family),
        _ => None,
    }
}

/// Whether a name ends like this, in any case.
pub(super) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// A table compressed by gzip: `NAME.csv.gz`.
pub(super) fn is_gzipped_table(path: &Path) -> bool {
    has_ending(path, "gz") && has_ending(&path.with_extension(""), "csv")
}

/// macOS keeps attributes of `NAME` in `._NAME` where a disk or an archive has no place for them.
pub(super) fn is_apple_double(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("._"))
}

fn read_into<S: Read + Seek>(
    report: &mut FileReport,
    source: S,
    options: &ReadOptions,
    sink: &mut dyn FnMut(RowBatch) -> ControlFlow<()>,
) {
    let bytes_read = Cell::new(0);
    let mut source = CountingReader { source, bytes_read: &bytes_read };
    let file_bytes_read = || bytes_read.get();
    let mut outlet = Outlet { sink, file_bytes_read: &file_bytes_read };
    let clues = Clues::of_path(&report.path);
    if has_ending(&report.path, "zip") {
        read_zip(&mut source, &clues, options, &mut outlet, report);
        return;
    }
    let outcome = if is_gzipped_table(&report.path) {
        let mut table = flate2::read::MultiGzDecoder::new(&mut source);
        read_table(&mut table, clues, options, &mut outlet, report)
    } else {
        read_table(&mut source, clues, options, &mut outlet, report)
    };
    if let Err(error) = outcome {
        report.fail(error);
    }
}

/// Counts what goes through, for progress.
struct CountingReader<'a, S> {
    source: S,
    bytes_read: &'a Cell<u64>,
}

impl<S: Read> Read for CountingReader<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        self.bytes_read.set(self.bytes_read.get().saturating_add(bytes as u64));
        Ok(bytes)
    }
}

impl<S: Seek> Seek for CountingReader<'_, S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

fn read_zip<S: Read + Seek>(
    source: &mut CountingReader<'_, S>,
    clues: &Clues,
    options: &ReadOptions,
    outlet: &mut Outlet<'_>,
    report: &mut FileReport,
) {
    let mut archive = match zip::ZipArchive::new(&mut *source) {
        Ok(archive) => archive,
        Err(error) => {
            report.fail(FileError::Zip(error.to_string()));
            salvage(source, clues, options, outlet, report);
            return;
        }
    };
    let members = archive.len();
    let (mut tables, mut ignored) = (0, 0);
    for index in 0..members.min(MEMBERS_MAX) {
        let name = archive.name_for_index(index).and_then(Result::ok).unwrap_or_default().into_owned();
        if !is_table(&name) {
            ignored += 1;
            continue;
        }
        tables += 1;
        let outcome = match archive.by_index(index) {
            Ok(mut member) => read_member(&mut member, &name, clues, options, outlet, report),
            Err(error) => Err(zip_error(&error)),
        };
        if let Err(error) = outcome {
            report.fail(in_member(error, &name, members));
        }
        if report.stopped {
            return;
        }
    }
    if members > MEMBERS_MAX {
        report.fail(FileError::TooManyMembers(MEMBERS_MAX));
    }
    if tables == 0 {
        report.fail(FileError::NoMembers);
    } else if ignored > 0 {
        report.notes.push(Note::MembersIgnored(ignored));
    }
}

/// A zip cut short has lost the directory at its end, but its members stand at the front, one after the
/// other: whatever can still be unpacked is read. That the file is broken has been reported.
fn salvage<S: Read + Seek>(
    source: &mut CountingReader<'_, S>,
    clues: &Clues,
    options: &ReadOptions,
    outlet: &mut Outlet<'_>,
    report: &mut FileReport,
) {
    let Ok(length) = source.seek(SeekFrom::End(0)) else { return };
    if source.rewind().is_err() {
        return;
    }
    source.bytes_read.set(0);
    for _ in 0..MEMBERS_MAX {
        // Sizes may stand behind the data, that is, in the part that is lost.
        let rest = length.saturating_sub(source.bytes_read.get());
        let read_options = ZipReadOptions::default().override_compressed_size(rest).ignore_crc32(true);
        let Ok(Some(mut member)) = read_zipfile_from_stream_with_options(source, read_options) else {
            return;
        };
        let name = member.name().map(Cow::into_owned).unwrap_or_default();
        if is_table(&name) {
            let outcome = read_member(&mut member, &name, clues, options, outlet, report);
            if let Err(error) = outcome {
                report.fail(in_member(error, &name, 1));
            }
        }
        if report.stopped {
            return;
        }
    }
}

fn read_member(
    member: &mut dyn Read,
    name: &str,
    clues: &Clues,
    options: &ReadOptions,
    outlet: &mut Outlet<'_>,
    report: &mut FileReport,
) -> Result<(), FileError> {
    let mut member_clues = Clues::of_path(Path::new(name));
    member_clues.fill_from(clues.clone());
    read_table(member, member_clues, options, outlet, report)
}

/// macOS adds a `__MACOSX` folder of files with the same names that are no text.
fn is_table(member: &str) -> bool {
    let path = Path::new(member);
    has_ending(path, "csv") && !member.starts_with("__MACOSX") && !is_apple_double(path)
}

fn in_member(error: FileError, name: &str, members: usize) -> FileError {
    if members == 1 {
        return error;
    }
    FileError::Member { member: name.chars().take(120).collect(), error: Box::new(error) }
}

fn zip_error(error: &ZipError) -> FileError {
    FileError::Zip(error.to_string())
}
