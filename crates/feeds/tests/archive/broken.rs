//! Files that are damaged, cut short, vanish or attack: named, and the rest is kept.

use std::fs;
use std::io::{self, Cursor, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use liqheat_feeds::archive::{FileError, Note, ReadOptions, RefusedRows, read, read_source};

use crate::support::{KLINES_HEADER, made_up_klines, read_file, read_text, zip_of};

const ZIP: &str = "klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip";
const CSV: &str = "klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv";
const MEMBER: &str = "BTCUSDT-5m-2025-08-25.csv";

#[test]
fn a_zip_is_as_good_as_its_content() {
    let rows = made_up_klines(288);
    let plain = read_text(CSV, &rows).clean();
    let zipped = read_text(ZIP, zip_of(&[(MEMBER, rows.as_bytes())])).clean();
    assert_eq!(zipped.klines(), plain.klines());
    assert!(zipped.batches.iter().all(|batch| batch.file_bytes_read > 0));
}

#[test]
fn a_zip_cut_short_keeps_the_rows_before_the_cut() {
    let rows = made_up_klines(5000);
    let whole = zip_of(&[(MEMBER, rows.as_bytes())]);
    let good = read_text(CSV, &rows).clean().klines();
    let cut = read_text(ZIP, &whole[..whole.len() / 2]);
    let kept = cut.klines();
    assert!(kept.len() > 1000 && kept.len() < 4000, "{}", kept.len());
    assert_eq!(kept, good[..kept.len()], "half a row is no row");
    assert!(matches!(cut.report.errors[0], FileError::Zip(_)), "{:?}", cut.report.errors);
    for length in [0, 3, 10, 30, 60, 100] {
        let read = read_text(ZIP, &whole[..length]);
        assert!(read.report.has_trouble() && read.report.rows_ok == 0, "{length}");
    }
}

#[test]
fn a_damaged_stream_keeps_the_rows_before_the_damage() {
    let rows = made_up_klines(5000);
    let mut zip = zip_of(&[(MEMBER, rows.as_bytes())]);
    let middle = zip.len() / 2;
    zip[middle..middle + 40].fill(0xff);
    let read = read_text(ZIP, &zip);
    assert!(read.report.rows_ok > 1000, "{:?}", read.report);
    assert!(
        matches!(read.report.errors[..], [FileError::Read { line, .. }] if line > 1000),
        "{:?}",
        read.report.errors
    );
}

#[test]
fn several_members_are_read_and_others_noted() {
    let rows = made_up_klines(288);
    let (first, second) = rows.split_at(made_up_klines(100).len());
    let zip = zip_of(&[
        ("a/BTCUSDT-5m-2025-08-25.csv", first.as_bytes()),
        ("__MACOSX/a/._BTCUSDT-5m-2025-08-25.csv", b"\0\0\0"),
        ("README.txt", b"hello"),
        ("b/BTCUSDT-metrics-2025-08-25.csv", b"2025-08-25 00:05:00,BTCUSDT,nothing,1,,,,\n"),
        ("empty.csv", b""),
        ("c/BTCUSDT-5m-2025-08-25.csv", second.as_bytes()),
    ]);
    let read = read_text("bundle.zip", zip);
    assert_eq!(read.report.rows_ok, 288);
    assert_eq!(read.klines().len(), 288);
    assert_eq!(read.report.rows_refused(), 1);
    assert!(read.report.notes.contains(&Note::MembersIgnored(2)), "{:?}", read.report.notes);
    assert!(
        matches!(&read.report.errors[..], [FileError::Member { member, .. }] if member == "empty.csv"),
        "{:?}",
        read.report.errors
    );

    let none = read_text(ZIP, zip_of(&[("README.txt", b"hello")]));
    assert_eq!(none.report.errors, [FileError::NoMembers]);
}

#[test]
fn empty_files_are_named() {
    for text in ["", KLINES_HEADER, "\n\n", "\u{feff}"] {
        assert_eq!(read_text(CSV, text).report.errors, [FileError::Empty], "{text:?}");
    }
    assert_eq!(read_text(ZIP, zip_of(&[(MEMBER, b"")])).report.errors, [FileError::Empty]);
}

#[test]
fn checksums_are_verified_when_present() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("klines").join(MEMBER);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, made_up_klines(3)).unwrap();
    assert!(!read_file(&path).clean().report.checksum_verified);

    let beside = path.with_extension("csv.CHECKSUM");
    let zeros = "0".repeat(64);
    fs::write(&beside, format!("{zeros}  {MEMBER}\n")).unwrap();
    let read = read_file(&path);
    let [FileError::ChecksumMismatch { found, .. }] = &read.report.errors[..] else {
        panic!("{:?}", read.report.errors);
    };
    assert_eq!(read.report.rows_ok, 0, "nothing of a refused file is loaded");

    fs::write(&beside, format!("{found}  {MEMBER}\n")).unwrap();
    let read = read_file(&path).clean();
    assert!(read.report.checksum_verified && read.report.rows_ok == 3);

    fs::write(&beside, format!("{found}  other.csv\n")).unwrap();
    assert!(matches!(read_file(&path).report.errors[..], [FileError::Checksum(_)]));
}

#[test]
fn a_file_that_is_gone_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let gone = read_file(&dir.path().join(MEMBER));
    assert!(matches!(gone.report.errors[..], [FileError::Open(_)]));
    let folder = read_file(dir.path());
    assert!(folder.report.has_trouble());
}

/// A disk that fails after this many bytes.
struct FailingDisk(Cursor<Vec<u8>>, u64);

impl io::Read for FailingDisk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.1.saturating_sub(self.0.position());
        if left == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        let room = buffer.len().min(left as usize);
        self.0.read(&mut buffer[..room])
    }
}

impl Seek for FailingDisk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_file_that_vanishes_on_the_way_keeps_what_was_read() {
    let rows = made_up_klines(5000);
    let mut count = 0;
    let source = FailingDisk(Cursor::new(rows.clone().into_bytes()), rows.len() as u64 / 2);
    let report = read_source(Path::new(CSV), source, &ReadOptions::default(), &mut |batch| {
        count += batch.rows.len();
        ControlFlow::Continue(())
    });
    assert!((2400..2600).contains(&count), "{count}");
    assert_eq!(report.rows_ok, count as u64);
    let [FileError::Read { line, cause }] = &report.errors[..] else { panic!("{:?}", report.errors) };
    assert_eq!(*line, count as u64);
    assert!(cause.contains("the disk is gone"));

    let at_once = FailingDisk(Cursor::new(rows.into_bytes()), 0);
    let report =
        read_source(Path::new(CSV), at_once, &ReadOptions::default(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(report.errors[..], [FileError::Read { line: 0, .. }]));
}

#[test]
fn the_sink_may_stop_the_file() {
    let options = ReadOptions { batch_rows: 10, ..ReadOptions::default() };
    let mut batches = 0;
    let source = Cursor::new(made_up_klines(100).into_bytes());
    let report = read_source(Path::new(CSV), source, &options, &mut |batch| {
        assert_eq!(batch.rows.len(), 10);
        batches += 1;
        if batches == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(report.stopped && report.errors.is_empty());
    assert_eq!(batches, 3);
}

#[test]
fn bombs_are_bounded() {
    // 64 MiB of zeros in a zip of 64 KiB: left after a mebibyte.
    let zeros = vec![0_u8; 64 * 1024 * 1024];
    let read = read_text(ZIP, zip_of(&[(MEMBER, &zeros)]));
    assert!(matches!(read.report.errors[..], [FileError::NotText { .. }]), "{:?}", read.report.errors);
    // Lines without end: left after a million.
    let lines = b"1\n".repeat(1_200_000);
    let read = read_text(ZIP, zip_of(&[(MEMBER, &lines)]));
    assert!(matches!(read.report.errors[..], [FileError::TooManyRefused { refused: 1_000_000, .. }]));
    // A long line costs itself.
    let long = [made_up_klines(1), "9".repeat(10_000), "\n".to_owned(), made_up_klines(2)].concat();
    let read = read_text(CSV, long);
    assert_eq!(read.report.refused[0].reason, RefusedRows::LineTooLong);
    assert_eq!(read.report.refused[0].first_line, 2);
    assert_eq!(read.report.rows_ok, 2);
    // Thousands of members.
    let names: Vec<String> = (0..1200).map(|index| format!("{index}.csv")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let read = read_text(ZIP, zip_of(&members));
    assert!(read.report.errors.len() <= 64 && read.report.has_trouble());
}

#[test]
fn batches_are_bounded_and_complete() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(MEMBER);
    fs::write(&path, made_up_klines(50_000)).unwrap();
    let mut sizes = Vec::new();
    let report = read(&path, &ReadOptions::default(), &mut |batch| {
        sizes.push(batch.rows.len());
        ControlFlow::Continue(())
    });
    assert_eq!(sizes, [20_000, 20_000, 10_000]);
    assert_eq!(report.rows_ok, 50_000);
}
