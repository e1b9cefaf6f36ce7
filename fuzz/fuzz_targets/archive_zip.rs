//! Any bytes as a zip of the archive.

#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::archive::{ReadOptions, read_source};

fuzz_target!(|data: &[u8]| {
    let name = Path::new("klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip");
    let mut rows = 0;
    let report = read_source(name, Cursor::new(data), &ReadOptions::default(), &mut |batch| {
        rows += batch.rows.len() as u64;
        ControlFlow::Continue(())
    });
    assert_eq!(report.rows_ok, rows);
});
