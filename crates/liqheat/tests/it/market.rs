//! A made-up market in the archive's format: whole-number arithmetic only, so that expected counts can be
//! written down. It waves for a day and a half, falls by six per cent within an hour, and waves on.

use std::fmt::Write;

use liqheat_market::UnixMs;
use liqheat_testkit::Folder;

/// 2025-08-25 00:00 UTC.
pub(crate) const START: i64 = 1_756_080_000_000;
pub(crate) const BAR_MS: i64 = 300_000;
pub(crate) const BARS_A_DAY: i64 = 288;
/// The bars of the fall.
pub(crate) const FALL: std::ops::Range<i64> = 430..442;

const KLINES_HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
const METRICS_HEADER: &str = "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n";

fn triangle(index: i64, period: i64, height: i64) -> i64 {
    let phase = index.rem_euclid(period) * 2;
    height * (if phase < period { phase } else { 2 * period - phase }) / period
}

/// The price at the opening of a bar, whole dollars.
fn price(index: i64) -> i64 {
    let fallen = (index.clamp(FALL.start, FALL.end) - FALL.start) * 500;
    100_000 + triangle(index, 144, 1_500) + triangle(index, 31, 300) - fallen
}

/// (open, high, low, close) of a bar.
pub(crate) fn bar(index: i64) -> (i64, i64, i64, i64) {
    let (open, close) = (price(index), price(index + 1));
    (open, open.max(close) + 40, open.min(close) - 40, close)
}

/// The klines of one day. Takers' volume is unknown on every other day, as it is in some published files.
pub(crate) fn klines(day: i64) -> String {
    let mut text = String::new();
    for index in day * BARS_A_DAY..(day + 1) * BARS_A_DAY {
        let (open, high, low, close) = bar(index);
        let opens = START + index * BAR_MS;
        let volume = 300 + index * 37 % 400;
        let taker = if day % 2 == 0 { (volume / 2 + index % 50).to_string() } else { String::new() };
        let closes = opens + BAR_MS - 1;
        writeln!(text, "{opens},{open}.10,{high}.00,{low}.50,{close}.10,{volume}.5,{closes},,,{taker},,0")
            .unwrap();
    }
    text
}

/// The open interest of one day, counted at the end of each bar.
pub(crate) fn metrics(day: i64) -> String {
    let mut text = METRICS_HEADER.to_owned();
    for index in day * BARS_A_DAY..(day + 1) * BARS_A_DAY {
        let stock = 80_000 + triangle(index, 97, 2_500);
        let time = civil(START + (index + 1) * BAR_MS);
        writeln!(text, "{time},BTCUSDT,{stock}.0000000000000000,1.0,,,,").unwrap();
    }
    text
}

/// `2025-08-25 00:05:00`.
pub(crate) fn civil(ms: i64) -> String {
    liqheat_wire::format_time(UnixMs(ms)).replace('T', " ").trim_end_matches('Z').to_owned()
}

/// `2025-08-25`.
pub(crate) fn date(day: i64) -> String {
    civil(START + day * BARS_A_DAY * BAR_MS)[..10].to_owned()
}

/// A folder with klines and metrics of some days: zips with CHECKSUM and plain files in turn, with and without
/// header line.
pub(crate) fn folder(days: i64) -> Folder {
    let folder = Folder::new();
    for day in 0..days {
        let (klines_at, metrics_at) = (
            format!("archive/klines/BTCUSDT/5m/BTCUSDT-5m-{}", date(day)),
            format!("archive/metrics/BTCUSDT/BTCUSDT-metrics-{}", date(day)),
        );
        if day % 2 == 0 {
            folder.put_checksum(&folder.put_zip(&klines_at, &(KLINES_HEADER.to_owned() + &klines(day))));
            folder.put(&(metrics_at + ".csv"), metrics(day));
        } else {
            folder.put(&(klines_at + ".csv"), klines(day));
            folder.put_checksum(&folder.put_zip(&metrics_at, &metrics(day)));
        }
    }
    folder
}
