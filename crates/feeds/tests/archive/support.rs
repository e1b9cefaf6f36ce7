//! Files made for a test, and what comes out of them.

use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use liqheat_feeds::archive::{FileReport, ReadOptions, RowBatch, Rows, read, read_source};
use liqheat_market::{Funding, Kline, Liquidation, OpenInterest, Symbol, Trade};

pub(crate) const KLINES_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
pub(crate) const METRICS_HEADER: &str = "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n";

/// Result of reading a file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ReadResult {
    pub(crate) batches: Vec<RowBatch>,
    pub(crate) report: FileReport,
}

macro_rules! rows_of {
    ($name:ident, $variant:ident, $row:ty) => {
        pub(crate) fn $name(&self) -> Vec<$row> {
            self.batches
                .iter()
                .flat_map(|batch| match &batch.rows {
                    Rows::$variant(rows) => rows.clone(),
                    other => panic!("unexpected {other:?}"),
                })
                .collect()
        }
    };
}

impl ReadResult {
    rows_of!(trades, Trades, Trade);
    rows_of!(klines, Klines, Kline);
    rows_of!(open_interest, OpenInterest, OpenInterest);
    rows_of!(funding, Funding, Funding);
    rows_of!(liquidations, Liquidations, Liquidation);

    /// The reasons of refusals, as printed, with their counts.
    pub(crate) fn refusals(&self) -> Vec<(String, u64)> {
        self.report.refused.iter().map(|refused| (refused.reason.to_string(), refused.rows)).collect()
    }

    /// Nothing refused, nothing broken.
    #[track_caller]
    pub(crate) fn clean(self) -> Self {
        assert!(self.report.refused.is_empty() && self.report.errors.is_empty(), "{:#?}", self.report);
        self
    }
}

/// Reads a text as if it were a file of that name.
pub(crate) fn read_text(path: &str, text: impl AsRef<[u8]>) -> ReadResult {
    read_text_with(path, text, &ReadOptions::default())
}

pub(crate) fn read_text_with(path: &str, text: impl AsRef<[u8]>, options: &ReadOptions) -> ReadResult {
    let mut batches = Vec::new();
    let report = read_source(Path::new(path), Cursor::new(text.as_ref()), options, &mut |batch| {
        batches.push(batch);
        ControlFlow::Continue(())
    });
    ReadResult { batches, report }
}

/// Reads a file on disk.
pub(crate) fn read_file(path: &Path) -> ReadResult {
    let mut batches = Vec::new();
    let report = read(path, &ReadOptions::default(), &mut |batch| {
        batches.push(batch);
        ControlFlow::Continue(())
    });
    ReadResult { batches, report }
}

pub(crate) fn for_symbol(symbol: &str) -> ReadOptions {
    ReadOptions { assume_symbol: Some(Symbol::new(symbol).unwrap()), ..ReadOptions::default() }
}

/// A zip file of members with their contents.
pub(crate) fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, content) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A made-up day of 5-minute klines from 2025-08-25 on, in the documented format.
pub(crate) fn made_up_klines(rows: usize) -> String {
    (0..rows)
        .map(|index| {
            let open_time = 1_756_080_000_000 + index as i64 * 300_000;
            let price = 100_000 + (index as i64 * 7919) % 1000;
            format!(
                "{open_time},{price}.10,{}.00,{}.50,{price}.90,12.345,{},1234500.1,321,6.1,610000.5,0\n",
                price + 5,
                price - 5,
                open_time + 299_999
            )
        })
        .collect()
}

/// The folder of recorded data; see [`liqheat_testkit::recorded`].
pub(crate) fn shared_data() -> Option<PathBuf> {
    liqheat_testkit::recorded("")
}
