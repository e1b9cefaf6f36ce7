//! Any text as a table of the archive: the first byte chooses the family, the rest is the file.

#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::archive::{ReadOptions, read_source};

const NAMES: [&str; 7] = [
    "klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv",
    "markPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv",
    "BTCUSDT-metrics-2026-06-25.csv",
    "BTCUSDT-aggTrades-2024-08-08.csv",
    "BTCUSDT-fundingRate-2025-01.csv",
    "BTCUSDT-liquidationSnapshot-2023-06-25.csv",
    "BTCUSDT.csv",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let options = ReadOptions { batch_rows: 7, ..ReadOptions::default() };
    let mut rows = 0;
    let report = read_source(Path::new(name), Cursor::new(text), &options, &mut |batch| {
        rows += batch.rows.len() as u64;
        ControlFlow::Continue(())
    });
    assert_eq!(report.rows_ok, rows);
    // A byte or two for each row at the least: nothing is counted twice.
    assert!(report.rows_ok + report.rows_repeated + report.rows_refused() <= text.len() as u64);
});
