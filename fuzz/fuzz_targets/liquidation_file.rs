//! Any text as a file of liquidations: the first byte chooses the header, the rest is the rows.

#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::liquidation_file::{has_known_header, read_source};

const HEADERS: [&str; 4] = [
    "ts_ms,symbol,side,qty,price\n",
    "symbol,side,avg_price,filled_qty,trade_time_ms\n",
    "ts,instId,posSide,sz,bkPx,ctVal\n",
    "",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let header = HEADERS[usize::from(*choice) % HEADERS.len()];
    let file = [header.as_bytes(), text].concat();
    let mut rows = 0;
    let report = read_source(file.as_slice(), 3, &mut |_, batch| {
        rows += batch.len() as u64;
        ControlFlow::Continue(())
    });
    match report {
        Ok(report) => {
            assert!(has_known_header(file.as_slice()));
            assert_eq!(report.rows_ok, rows);
            assert_eq!(report.refused, report.reasons.values().map(|(rows, _)| rows).sum::<u64>());
            assert!(report.rows_ok + report.refused <= text.len() as u64);
        }
        Err(_) => assert_eq!(rows, 0),
    }
});
