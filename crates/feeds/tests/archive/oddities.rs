//! What is known to be odd in published files. Rows are made up in the documented format unless said.

use liqheat_feeds::archive::{Family, FileError, Note, ReadOptions};
use liqheat_market::UnixMs;

use crate::support::{KLINES_HEADER, METRICS_HEADER, made_up_klines, read_text, read_text_with};

const KLINE_FILE: &str = "klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv";

/// One kline row with one field replaced.
fn kline_with(column: usize, value: &str) -> String {
    let row = made_up_klines(1);
    let mut fields: Vec<&str> = row.trim().split(',').collect();
    fields[column] = value;
    fields.join(",") + "\n"
}

#[track_caller]
fn refused_as(path: &str, text: &str, reason: &str) {
    let read = read_text(path, text);
    assert_eq!(read.refusals(), [(reason.to_owned(), 1)], "{text}");
    assert_eq!(read.report.rows_ok, 0);
}

#[test]
fn headers_or_none_or_in_the_middle() {
    let rows = made_up_klines(288);
    let bare = read_text(KLINE_FILE, &rows).clean();
    let headed = read_text(KLINE_FILE, [KLINES_HEADER, &rows].concat()).clean();
    assert_eq!(bare.klines(), headed.klines());
    let (first, second) = rows.split_at(made_up_klines(100).len());
    let glued = read_text(KLINE_FILE, [first, KLINES_HEADER, second].concat()).clean();
    assert_eq!(glued.klines(), bare.klines());
    assert_eq!(glued.report.notes, [Note::RepeatedHeaders(1)]);
}

#[test]
fn an_unknown_header_stops_the_file() {
    let rows = made_up_klines(3);
    let swapped = KLINES_HEADER.replace("high,low", "low,high");
    let read = read_text(KLINE_FILE, [rows.as_str(), &swapped, &rows].concat());
    assert_eq!(read.report.rows_ok, 3, "rows before it are kept");
    assert!(matches!(read.report.errors[..], [FileError::HeaderUnknown { line: 4, .. }]));
    let read = read_text(KLINE_FILE, [METRICS_HEADER, &rows].concat());
    assert!(matches!(read.report.errors[..], [FileError::HeaderDisagrees { header: "metrics", .. }]));
}

#[test]
fn stamps_in_microseconds() {
    let millis = made_up_klines(2);
    let micros: String = millis
        .lines()
        .map(|line| {
            let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
            fields[0] += "000";
            fields[6] += "999";
            fields.join(",") + "\n"
        })
        .collect();
    assert_eq!(
        read_text(KLINE_FILE, micros).clean().klines(),
        read_text(KLINE_FILE, millis).clean().klines()
    );
    let trades =
        read_text("BTCUSDT-aggTrades-2025-01-01.csv", "1,100.5,1,1,1,1735689600004123,true\n").clean();
    assert_eq!(trades.trades()[0].time, UnixMs(1_735_689_600_004));
}

#[test]
fn line_ends_blank_lines_and_byte_order_marks() {
    let rows = made_up_klines(3);
    let expected = read_text(KLINE_FILE, &rows).clean().klines();
    let windows = ["\u{feff}", KLINES_HEADER, &rows, "\n  \n"].concat().replace('\n', "\r\n");
    assert_eq!(read_text(KLINE_FILE, windows).clean().klines(), expected);
    let unfinished = ["\u{feff}", rows.trim_end()].concat();
    assert_eq!(read_text(KLINE_FILE, unfinished).clean().klines(), expected);
}

#[test]
fn rows_twice_come_out_once() {
    let rows = made_up_klines(10);
    let read = read_text(KLINE_FILE, [rows.as_str(), &rows].concat()).clean();
    assert_eq!((read.report.rows_ok, read.report.rows_repeated), (10, 10));
    let other_close = kline_with(4, "100001.00");
    let read = read_text(KLINE_FILE, [rows.as_str(), &other_close].concat());
    assert_eq!(
        read.refusals(),
        [("the same key as an earlier row of the file with other values".to_owned(), 1)]
    );
    assert_eq!(read.klines().len(), 10);
}

#[test]
fn impossible_klines_are_refused() {
    for (column, value, reason) in [
        (0, "", "open_time is empty"),
        (0, "1756080001000", "close_time does not fit open_time and the interval"),
        (0, "17560800", "open_time is absurd"),
        (1, "0", "open is zero"),
        (1, "0.00000", "open is zero"),
        (2, "99999", "high below or low above the other prices"),
        (3, "100001", "high below or low above the other prices"),
        (3, "-1", "low is negative"),
        (4, "", "close is empty"),
        (4, "NaN", "close is not a number"),
        (4, "1e5x", "close is not a number"),
        (3, "1.5e-9", "low has more than eight decimals, which cannot be held"),
        (2, "5000000000", "high is absurd"),
        (2, "99999999999999999999", "high is absurd"),
        (6, "1756080300000", "close_time does not fit open_time and the interval"),
    ] {
        refused_as(KLINE_FILE, &kline_with(column, value), reason);
    }
    let off_grid = "1756080001000,1,2,0.5,1,12,1756080300999,,,,,0\n";
    refused_as(KLINE_FILE, off_grid, "open_time is not on the grid of the interval");
    refused_as(KLINE_FILE, "1756080000000,1,2,0.5,1,12,1756080299999,,,,0\n", "11 columns where 12 belong");
    refused_as(
        KLINE_FILE,
        "1756080000000,1,2,0.5,1,12,1756080059999,,,,,0\n",
        "close_time does not fit open_time and the interval",
    );
}

/// A field that the row can do without costs itself: the row is there, the field unknown, and the report says so.
#[test]
fn a_fault_in_a_field_loses_that_field() {
    let whole = read_text(KLINE_FILE, kline_with(11, "0")).clean().klines()[0];
    for (column, value, reason) in [
        (5, "-1", "volume is negative"),
        (5, "1e60", "volume is absurd"),
        (6, "", "close_time is empty"),
        (8, "12.5", "count is not a number"),
        (9, "12.346", "taker_buy_volume is larger than volume"),
        (9, "x", "taker_buy_volume is not a number"),
    ] {
        let read = read_text(KLINE_FILE, kline_with(column, value));
        assert_eq!(read.refusals(), [], "{value}");
        let lost: Vec<_> = read.report.fields_lost.iter().map(|lost| lost.reason.to_string()).collect();
        assert_eq!(lost, [reason]);
        assert!(read.report.has_trouble());
        let kline = read.klines()[0];
        assert_eq!(kline.volume, if column == 5 { None } else { whole.volume });
        assert_eq!(kline.taker_buy_volume, if column == 9 { None } else { whole.taker_buy_volume });
        assert_eq!(kline.trades, if column == 8 { None } else { whole.trades });
        assert_eq!((kline.open, kline.close, kline.interval), (whole.open, whole.close, whole.interval));
    }
    let funding = read_text("BTCUSDT-fundingRate-2025-01.csv", "1735689600004,800,0.0001\n");
    assert_eq!((funding.report.rows_ok, funding.report.fields_lost.len()), (1, 1));
}

#[test]
fn numbers_that_went_through_floats_are_read() {
    let row = "1756080000000,8.12e-06,8.2E-6,8.1e-06,8.15e-06,1.5e+9,1756080299999,,,,,0\n";
    let kline = read_text("SHIBUSDT-5m-2025-08-25.csv", row).clean().klines()[0];
    let units = [kline.open, kline.high, kline.low, kline.close].map(liqheat_market::Price::units);
    assert_eq!(units, [812, 820, 810, 815]);
    assert_eq!(kline.volume.map(|volume| volume.to_string()).as_deref(), Some("1500000000"));
}

#[test]
fn symbols_of_any_script_are_loaded() {
    let file = "klines/币安人生USDT/5m/币安人生USDT-5m-2025-08-25.csv";
    let read = read_text(file, made_up_klines(3)).clean();
    assert_eq!(read.report.instruments[0].symbol.as_str(), "币安人生USDT");
    let metrics = [METRICS_HEADER, "2025-08-25 00:05:00,币安人生USDT,5578.5,1,,,,\n"].concat();
    let read = read_text("币安人生USDT-metrics-2025-08-25.csv", metrics);
    assert_eq!((read.report.rows_ok, read.refusals()), (1, vec![]));
}

#[test]
fn gzip_is_a_table_too() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(made_up_klines(3).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let read = read_text(&format!("{KLINE_FILE}.gz"), &packed).clean();
    assert_eq!(read.report.rows_ok, 3);
    let cut = read_text(&format!("{KLINE_FILE}.gz"), &packed[..packed.len() / 2]);
    assert!(!cut.report.errors.is_empty());
}

#[test]
fn fills_of_one_order_count_once() {
    let file = "BTCUSDT-liquidationSnapshot-2023-06-25.csv";
    let rows = "1687656471926,BUY,LIMIT,IOC,1,30741.3,30631.6,PARTIALLY_FILLED,0.4,0.4\n\
                1687656471926,BUY,LIMIT,IOC,1,30741.3,30631.6,PARTIALLY_FILLED,0.4,0.4\n\
                1687656472500,BUY,LIMIT,IOC,1,30741.3,30632.0,FILLED,0.6,1\n\
                1687656472500,BUY,LIMIT,IOC,1,30741.3,30632.0,FILLED,0.6,1\n";
    let read = read_text(file, rows).clean();
    let sizes: Vec<String> = read.liquidations().iter().map(|one| one.qty.to_string()).collect();
    assert_eq!(sizes, ["0.4", "0.6"]);
}

#[test]
fn a_quiet_kline_is_fine() {
    // Of 2025-08-29 06:20, when the exchange was down.
    let read = read_text(
        KLINE_FILE,
        "1756448400000,110966.40,110966.40,110966.40,110966.40,0.000,1756448699999,,,,,0\n",
    )
    .clean();
    assert!(read.klines()[0].volume.is_some_and(|volume| volume.units() == 0));
    let unknown = read_text(KLINE_FILE, kline_with(5, "")).clean();
    assert_eq!(unknown.klines()[0].volume, None, "empty is unknown, not zero");
}

#[test]
fn bytes_that_are_no_text_cost_their_row_only() {
    let mut bytes = made_up_klines(2).into_bytes();
    let second = made_up_klines(1).len() + 20;
    bytes[second] = 0xff;
    let read = read_text(KLINE_FILE, bytes);
    assert_eq!(read.refusals(), [("not UTF-8 text".to_owned(), 1)]);
    assert_eq!(read.report.rows_ok, 1);
    let noise = ["<html>nothing, here</html>\n", &made_up_klines(1)].concat();
    let read = read_text(KLINE_FILE, ["1\n", &noise].concat());
    assert_eq!((read.report.rows_ok, read.report.rows_refused()), (1, 2));
}

#[test]
fn holes_in_trade_ids_are_noted() {
    let row = |id: i64| format!("{id},100.5,1,1,1,1621400000000,true\n");
    let text: String = [1, 2, 3, 7, 8, 20].map(row).concat();
    let read = read_text("BTCUSDT-aggTrades-2021-05-19.csv", &text).clean();
    assert_eq!(read.report.notes, [Note::TradeIdGaps { gaps: 2, missing: 14, first_after: 3 }]);
    let twice = [text.as_str(), &row(7), &row(4)].concat();
    let read = read_text("BTCUSDT-aggTrades-2021-05-19.csv", twice).clean();
    assert_eq!((read.report.rows_ok, read.report.rows_repeated), (7, 1));
}

#[test]
fn trades_that_cannot_be_are_refused() {
    let file = "BTCUSDT-aggTrades-2024-08-08.csv";
    for (row, reason) in [
        ("1,100.5,1,1,1,1723161256322,true,true\n", "8 columns: a trade of the spot market, not of futures"),
        ("1,0,1,1,1,1723161256322,true\n", "price is zero"),
        ("1,100.5,0,1,1,1723161256322,true\n", "quantity is zero"),
        ("1,100.5,-2,1,1,1723161256322,true\n", "quantity is negative"),
        ("1,100.5,1,1,1,1723161256322,maybe\n", "is_buyer_maker is neither true nor false"),
        ("1,100.5,1,1,1,,true\n", "transact_time is empty"),
        ("-1,100.5,1,1,1,1723161256322,true\n", "agg_trade_id is negative"),
        ("1,100.5,1,1,1723161256322,true\n", "6 columns where 7 belong"),
    ] {
        refused_as(file, row, reason);
    }
    let spot = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker,is_best_match\n";
    assert!(matches!(read_text(file, spot).report.errors[..], [FileError::HeaderDisagrees { .. }]));
}

#[test]
fn zero_open_interest_is_unknown() {
    let file = "BTCUSDT-metrics-2022-03-07.csv";
    let text =
        "2022-03-07 10:00:00,BTCUSDT,0.0000000000000000,0,,,,\n2022-03-07 10:05:00,BTCUSDT,100,1,,,,\n";
    let read = read_text(file, text);
    assert_eq!(read.refusals(), [("open interest 0: unknown, not zero".to_owned(), 1)]);
    assert!(!read.report.has_trouble(), "a known gap is no trouble");
    assert_eq!(read.open_interest().len(), 1);
    refused_as(file, "2022-03-07 10:00:00,BTCUSDT,,1,,,,\n", "sum_open_interest is empty");
    refused_as(file, "2022-03-07 10:00:00,BTCUSDT,-5,1,,,,\n", "sum_open_interest is negative");
    refused_as(file, "2022-03-07 25:00:00,BTCUSDT,5,1,,,,\n", "create_time is not a time");
    refused_as(file, "2022-03-07 10:00:00,ETHUSDT,5,1,,,,\n", "of another symbol than the file's name says");
    refused_as(
        file,
        "2022-03-01 10:00:00,BTCUSDT,5,1,,,,\n",
        "create_time is outside of the date in the file's name",
    );
}

#[test]
fn days_with_missing_rows_are_fine_and_counted() {
    let rows: String = (0..163)
        .map(|index| {
            format!("2024-02-16 {:02}:{:02}:00,BTCUSDT,{},1,,,,\n", index / 12, index % 12 * 5, 1000 + index)
        })
        .collect();
    let read = read_text("BTCUSDT-metrics-2024-02-16.csv", [METRICS_HEADER, &rows].concat()).clean();
    assert_eq!(read.report.rows_ok, 163);
    assert_eq!(read.report.notes, [Note::MissingRows { expected: 288, found: 163 }]);
}

#[test]
fn the_label_that_stands_in_two_files_means_two_moments() {
    const MIDNIGHT: UnixMs = UnixMs(1_782_345_600_000);
    let row = "2026-06-25 00:00:00,BTCUSDT,100,1,,,,\n";
    let time = |file: &str, row: &str| read_text(file, row).clean().open_interest()[0].time;
    assert_eq!(time("BTCUSDT-metrics-2026-06-24.csv", row), MIDNIGHT);
    assert_eq!(time("BTCUSDT-metrics-2026-06-25.csv", row), MIDNIGHT.plus(300_000));
    // Rows of 2026-07-20 as published: labelled 00:00, counted at 00:05.
    let july = "2026-07-20 00:00:00,BTCUSDT,102397.9520000000000000,6616155263.1900450000000000,1.54973923,1.47833900,1.39157631,1.29907400\n";
    let counted = UnixMs(1_784_505_600_000 + 300_000);
    assert_eq!(time("BTCUSDT-metrics-2026-07-20.csv", july), counted);
    assert_eq!(time("BTCUSDT-metrics.csv", july), counted, "without a date the label tells");
    let june = "2026-06-24 23:55:00,BTCUSDT,100,1,,,,\n";
    assert_eq!(time("BTCUSDT-metrics.csv", june), MIDNIGHT.plus(-300_000));
    for undated in ["BTCUSDT-metrics.csv", "BTCUSDT-metrics-2026-06.csv"] {
        refused_as(
            undated,
            row,
            "create_time 2026-06-25 00:00 means two moments, and the file's name has no date to tell which",
        );
    }
}

#[test]
fn the_change_of_labels_leaves_neither_gap_nor_overlap() {
    // The day before (labels 00:05 to 24:00) and the day after the change (00:00 to 23:55).
    let rows = |first: i64| -> String {
        (0..288_i64)
            .map(|index| {
                let minutes = first + index * 5;
                let day = if minutes < 1440 { 24 } else { 25 };
                let (hour, minute) = (minutes % 1440 / 60, minutes % 60);
                format!("2026-06-{day} {hour:02}:{minute:02}:00,BTCUSDT,{},1,,,,\n", 1000 + index)
            })
            .collect()
    };
    let before = read_text("BTCUSDT-metrics-2026-06-24.csv", rows(5)).clean();
    let after = read_text("BTCUSDT-metrics-2026-06-25.csv", rows(0).replace("06-24", "06-25")).clean();
    let times: Vec<i64> =
        before.open_interest().iter().chain(&after.open_interest()).map(|row| row.time.0).collect();
    assert_eq!(times.len(), 576);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 300_000));
}

#[test]
fn coin_margined_rows_are_refused() {
    // Rows as published.
    let text = [
        METRICS_HEADER,
        "2023-06-25 00:00:00,BTCUSD_PERP,5578700.00000000,18265.00911826,\"\",\"\",\"\",0.00855776\n",
        "2025-01-21 00:05:00,ACEUSDT,2310973.7900000000000000,3669133.0863830000000000,4.24734982,2.26803000,2.72141015,0.69236000\n",
    ]
    .concat();
    let read = read_text("binance-archive-metrics-rows.csv", &text);
    assert_eq!(read.report.rows_ok, 1);
    assert_eq!(
        read.refusals(),
        [("a coin-margined contract: its quantities are contracts, not coins".to_owned(), 1)]
    );
    let whole = read_text("BTCUSD_PERP-metrics-2023-06-25.csv", &text);
    assert_eq!(whole.report.errors, [FileError::CoinMargined]);
}

#[test]
fn impossible_liquidations_and_funding_are_refused() {
    let file = "BTCUSDT-liquidationSnapshot-2023-06-25.csv";
    for (row, reason) in [
        ("1687656471926,HOLD,LIMIT,IOC,7,30741.3,30631.6,FILLED,6,7\n", "side is neither BUY nor SELL"),
        ("1687656471926,BUY,LIMIT,IOC,7,30741.3,30631.6,NEW,0,0\n", "the order was not filled"),
        ("1687656471926,BUY,LIMIT,IOC,7,30741.3,0,FILLED,6,7\n", "average_price is zero"),
        ("1687656471926,BUY,LIMIT,IOC,7\n", "5 columns where 10 or 11 belong"),
    ] {
        refused_as(file, row, reason);
    }
    let file = "BTCUSDT-fundingRate-2025-01.csv";
    for (row, reason) in [
        ("1735689600004,8,\n", "last_funding_rate is empty"),
        ("1735689600004,8,2\n", "funding rate is absurd"),
        ("1735689600004,8,abc\n", "last_funding_rate is not a number"),
        ("1735689600004,8,0.1,0\n", "4 columns where 3 or 2 belong"),
    ] {
        refused_as(file, row, reason);
    }
}

#[test]
fn klines_of_either_price_need_a_folder_or_a_word() {
    let mark = "1756080000000,113446.2,113471.0,113350.2,113419.9,0,1756080299999,0,300,0,0,0\n";
    let read = read_text("BTCUSDT-5m-2025-08-25.csv", mark);
    assert_eq!(read.report.errors, [FileError::KlinesOfWhich]);
    let options = ReadOptions { assume_family: Some(Family::MarkPriceKlines), ..ReadOptions::default() };
    assert_eq!(read_text_with("BTCUSDT-5m-2025-08-25.csv", mark, &options).clean().report.rows_ok, 1);
    let index = read_text("indexPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv", mark);
    assert!(matches!(index.report.errors[..], [FileError::FamilyUnused { family: "indexPriceKlines", .. }]));
}
