use std::io::Read;
use std::ops::ControlFlow;

use liqheat_market::{Instrument, Liquidation, Price, PriceKind, Qty, Side, UnixMs};

use super::{LiquidationFileError, LiquidationReport, RowRefusal, read_source};

/// Rows in all and by instrument, and the report.
fn read_all(
    source: impl Read,
    batch_rows: usize,
) -> Result<(Vec<(Instrument, Liquidation)>, LiquidationReport), LiquidationFileError> {
    let mut rows = Vec::new();
    let report = read_source(source, batch_rows, &mut |instrument, batch| {
        rows.extend(batch.into_iter().map(|row| (instrument.clone(), row)));
        ControlFlow::Continue(())
    })?;
    assert_eq!(report.rows_ok, rows.len() as u64);
    Ok((rows, report))
}

fn of(text: &str) -> (Vec<(Instrument, Liquidation)>, LiquidationReport) {
    read_all(text.as_bytes(), 2).unwrap()
}

fn only(text: &str) -> (Instrument, Liquidation) {
    let (mut rows, report) = of(text);
    assert_eq!((report.refused, rows.len()), (0, 1), "{:?}", report.reasons);
    rows.remove(0)
}

#[test]
fn every_venue_has_its_columns_and_sides() {
    let (bybit, row) = only("ts_ms,symbol,side,qty,price\n1707756333999,BTCUSDT,Buy,1.496,49306.3\n");
    assert_eq!(bybit.to_string(), "BTCUSDT@bybit");
    assert_eq!((row.side, row.price_kind), (Side::Long, PriceKind::Bankruptcy));
    assert_eq!(row.time, UnixMs(1_707_756_333_999));
    let (binance, row) = only(
        "symbol,side,order_type,time_in_force,orig_qty,price,avg_price,status,last_qty,filled_qty,trade_time_ms\n\
         1000PEPEUSDT,SELL,LIMIT,IOC,43942.0,0.0107751,0.0109313,FILLED,43942.0,43942.0,1718901133106\n",
    );
    assert_eq!(binance.to_string(), "1000PEPEUSDT@binance");
    assert_eq!((row.side, row.price_kind), (Side::Long, PriceKind::Fill));
    assert_eq!(row.price, Price::parse("0.0109313").unwrap());
    // A report without a fill price: the order is at the bankruptcy price.
    let (_, row) = only(
        "symbol,side,order_type,time_in_force,orig_qty,price,avg_price,status,last_qty,filled_qty,trade_time_ms\n\
         BCHUSDT,SELL,LIMIT,IOC,21.61,451.35,,FILLED,0.644,21.61,1750712378119\n",
    );
    assert_eq!((row.price, row.price_kind), (Price::parse("451.35").unwrap(), PriceKind::Bankruptcy));
    let (okx, row) = only(
        "ts,instId,posSide,side,sz,bkPx,ctVal\r\n1723038122631,BTC-USDT-SWAP,long,sell,10000,57102.9,0.01\r\n",
    );
    assert_eq!(okx.to_string(), "BTCUSDT@okx");
    assert_eq!((row.side, row.qty), (Side::Long, Qty::parse("100").unwrap()));
    let (_, row) =
        only("ts,instId,side,sz,bkPx,ctVal\n1723038122631,BTC-USDT-SWAP,sell,10000,57102.9,0.01\n");
    assert_eq!(row.side, Side::Long, "a sell order closes a long");
}

#[test]
fn bad_rows_are_counted_and_the_good_ones_kept() {
    let (rows, report) = of("ts_ms,symbol,side,qty,price\n\
         1707756333999,BTCUSDT,Buy,1,49306.3\n\
         1707756333,BTCUSDT,Buy,1,49306.3\n\
         1707756333999,BTC USDT,Buy,1,49306.3\n\
         1707756333999,BTCUSDT,Both,1,49306.3\n\
         1707756333999,BTCUSDT,Buy,0,49306.3\n\
         1707756333999,BTCUSDT,Buy,1,-1\n\
         1707756333999,BTCUSDT\n\
         \n\
         1707756333999,BTCUSDT,Sell,1,49306.3");
    assert_eq!((rows.len(), report.refused), (2, 6));
    let lines: Vec<(RowRefusal, u64)> =
        report.reasons.iter().map(|(reason, (_, line))| (*reason, *line)).collect();
    let expected = [
        (RowRefusal::Columns, 8),
        (RowRefusal::Time, 3),
        (RowRefusal::Symbol, 4),
        (RowRefusal::Side, 5),
        (RowRefusal::Quantity, 6),
        (RowRefusal::Price, 7),
    ];
    assert_eq!(lines, expected);
    let (rows, report) = of("symbol,side,price,avg_price,filled_qty,trade_time_ms\n\
         BTCUSDT,SELL,90000,-1,1,1750712378119\n\
         BTCUSDT,SELL,,,1,1750712378119\n\
         BTCUSDT,SELL,0,,1,1750712378119");
    assert_eq!(
        (rows.len(), report.reasons[&RowRefusal::Price]),
        (0, (3, 2)),
        "a wrong price is not replaced"
    );
}

#[test]
fn long_lines_are_skipped_whole() {
    let long = "x".repeat(20_000);
    let (rows, report) =
        of(&format!("ts_ms,symbol,side,qty,price\n{long}\n1707756333999,BTCUSDT,Buy,1,49306.3\n"));
    assert_eq!((rows.len(), report.refused), (1, 1));
    assert_eq!(
        report.remarks(),
        ["refused 1 row: longer than 4096 bytes or not UTF-8 text, first in line 2"]
    );
}

#[test]
fn what_was_read_of_a_damaged_file_is_kept() {
    let mut packed = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
    let row = "1707756333999,BTCUSDT,Buy,1,49306.3\n";
    std::io::Write::write_all(&mut encoder, b"ts_ms,symbol,side,qty,price\n").unwrap();
    for _ in 0..20_000 {
        std::io::Write::write_all(&mut encoder, row.as_bytes()).unwrap();
    }
    encoder.finish().unwrap();
    packed.truncate(packed.len() / 2);
    let (rows, report) = read_all(flate2::read::MultiGzDecoder::new(packed.as_slice()), 100).unwrap();
    assert!(rows.len() > 1_000 && report.broke_off.is_some(), "{} {:?}", rows.len(), report.broke_off);
}

#[test]
fn other_files_are_refused_with_the_known_headers() {
    for text in ["", "open_time,open,high\n1,2,3\n", "ts,instId,posSide,sz,bkPx\n"] {
        let error = read_all(text.as_bytes(), 2).unwrap_err().to_string();
        assert!(error.contains("Bybit: ts_ms"), "{error}");
    }
    // What is no text says so in a few characters, none of which a terminal obeys.
    let junk = [b"PAR1\x1b[31m\x07\0\xff".as_slice(), &[b'x'; 200]].concat();
    let error = read_all(junk.as_slice(), 2).unwrap_err().to_string();
    assert!(!error.chars().any(char::is_control) && error.contains("'PAR1\\u{1b}[31m"), "{error}");
    assert!(error.ends_with("xxx..'") && error.len() < 350, "{error}");
}

#[test]
fn rows_come_in_batches_and_the_sink_may_break_off() {
    let row = |n: i64| {
        let symbol = if n % 2 == 0 { "BTCUSDT" } else { "ETHUSDT" };
        format!("{},{symbol},Buy,1,49306.3\n", 1_707_756_333_999_i64 + n)
    };
    let text = format!("ts_ms,symbol,side,qty,price\n{}", (0..10).map(row).collect::<String>());
    let mut batches = Vec::new();
    let report = read_source(text.as_bytes(), 4, &mut |instrument, rows| {
        batches.push((instrument.symbol.to_string(), rows.len()));
        if batches.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    let expected = [("BTCUSDT", 2), ("ETHUSDT", 2), ("BTCUSDT", 2)];
    assert_eq!(batches, expected.map(|(symbol, rows)| (symbol.to_owned(), rows)));
    assert!(report.stopped);
    assert_eq!(report.rows_ok, 6);
}
