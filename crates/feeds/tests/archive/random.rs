//! Whatever the bytes: no panic. Whatever the order of rows and the size of reads and batches: the same rows.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;

use liqheat_feeds::archive::{Family, FileReport, ReadOptions, Rows, read_source};
use liqheat_market::{Kline, Symbol};
use proptest::prelude::*;

use crate::support::{made_up_klines, read_text, zip_of};

/// Hands out a few bytes at a time.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(self.1);
        self.0.read(&mut buffer[..room])
    }
}

impl Seek for Trickle {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

fn klines(text: String, step: usize, batch_rows: usize) -> (Vec<Kline>, FileReport) {
    let options = ReadOptions { batch_rows, ..ReadOptions::default() };
    let mut rows = Vec::new();
    let source = Trickle(Cursor::new(text.into_bytes()), step);
    let report = read_source(Path::new("klines/BTCUSDT-5m-2025-08-25.csv"), source, &options, &mut |batch| {
        assert!((1..=batch_rows).contains(&batch.rows.len()));
        if let Rows::Klines(batch) = batch.rows {
            rows.extend(batch);
        }
        ControlFlow::Continue(())
    });
    rows.sort_by_key(|row| row.open_time);
    (rows, report)
}

fn read_all_ways(bytes: &[u8]) {
    for name in ["x.csv", "x.zip"] {
        for family in Family::ALL {
            let options = ReadOptions {
                assume_family: Some(family),
                assume_symbol: Symbol::new("BTCUSDT").ok(),
                batch_rows: 3,
            };
            let mut rows = 0;
            let report = read_source(Path::new(name), Cursor::new(bytes), &options, &mut |batch| {
                assert!(!batch.rows.is_empty());
                rows += batch.rows.len() as u64;
                ControlFlow::Continue(())
            });
            assert_eq!(report.rows_ok, rows);
        }
    }
}

/// Text made of what rows are made of, which gets further than noise.
fn rowish() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        Just(String::new()),
        Just("BTCUSDT".to_owned()),
        Just("BUY".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        Just("1756080000000".to_owned()),
        Just("1756080299999".to_owned()),
        Just("2026-06-25 00:00:00".to_owned()),
        "-?[0-9]{1,22}(\\.[0-9]{0,20})?(e-?[0-9]{1,4})?",
        "\\PC{0,6}",
    ];
    let row = proptest::collection::vec(field, 1..14).prop_map(|fields| fields.join(","));
    proptest::collection::vec(row, 0..12).prop_map(|rows| rows.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_all_ways(&bytes);
    }

    #[test]
    fn no_rows_panic(text in rowish()) {
        read_all_ways(text.as_bytes());
    }

    #[test]
    fn no_damaged_zip_panics(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut zip = zip_of(&[("BTCUSDT-5m-2025-08-25.csv", made_up_klines(50).as_bytes())]);
        for (at, value) in damage {
            let index = at.index(zip.len());
            zip[index] = value;
        }
        read_text("klines/BTCUSDT-5m-2025-08-25.zip", &zip);
        read_text("klines/BTCUSDT-5m-2025-08-25.zip", &zip[..cut.index(zip.len())]);
    }

    #[test]
    fn order_and_chunks_do_not_matter(
        order in Just((0..120_usize).collect::<Vec<_>>()).prop_shuffle(),
        repeated in proptest::collection::vec(0..120_usize, 0..10),
        step in 1..5000_usize,
        batch_rows in 1..200_usize,
    ) {
        let text = made_up_klines(120);
        let lines: Vec<&str> = text.lines().collect();
        let shuffled: String =
            order.iter().chain(&repeated).map(|&index| format!("{}\n", lines[index])).collect();
        let (expected, _) = klines(text.clone(), usize::MAX, 20_000);
        let (found, report) = klines(shuffled, step, batch_rows);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(report.rows_repeated, repeated.len() as u64);
        prop_assert!(!report.has_trouble());
    }
}
