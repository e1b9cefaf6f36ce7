//! The join: klines of trades, klines of the mark price and samples of open interest become bars.
//!
//! What belongs to a bar is a function of the events alone, never of how they were cut into batches: each
//! sample of open interest belongs to exactly one bar length. Venues count it a few seconds off the
//! grid, so a bar takes the latest sample in `(close - 0.9 interval, close + 0.1 interval]`. No such sample,
//! or a sample of zero (a known fault of venues, never true of a live market), means unknown.

use liqheat_market::{Bar, Kline, KlineKind, OpenInterest, Price};

/// Joins events of one instrument, in any order and with duplicates, into bars in order of time. Klines of
/// trades make the bars (the shortest interval present; longer ones are ignored), the rest is looked up.
#[must_use]
pub fn assemble(klines: &[Kline], marks: &[Kline], ois: &[OpenInterest]) -> Vec<Bar> {
    let klines = in_order(klines, KlineKind::Last);
    let marks = in_order(marks, KlineKind::Mark);
    let mut ois: Vec<&OpenInterest> = ois.iter().filter(|oi| oi.qty.is_positive()).collect();
    ois.sort_by_key(|oi| (oi.time, oi.qty));
    let shortest = klines.iter().map(|kline| kline.interval).min();
    klines
        .iter()
        .filter(|kline| Some(kline.interval) == shortest)
        .map(|kline| Bar {
            open_time: kline.open_time,
            close_time: kline.close_time(),
            open: kline.open,
            high: kline.high,
            low: kline.low,
            close: kline.close,
            mark: mark_of(kline, &marks),
            volume: kline.volume,
            taker_buy_volume: kline.taker_buy_volume,
            open_interest: open_interest_of(kline, &ois).map(|oi| oi.qty),
        })
        .collect()
}

/// Sorted by time, one per time and interval. Of several the one with the most volume stays: it was taken
/// latest. The rest of the key only makes the choice independent of the order of the input.
fn in_order(klines: &[Kline], kind: KlineKind) -> Vec<&Kline> {
    let mut sorted: Vec<&Kline> = klines.iter().filter(|kline| kline.kind == kind).collect();
    sorted.sort_by_key(|k| {
        let latest = (k.volume, k.high, k.low, k.close, k.open, k.taker_buy_volume);
        (k.open_time, k.interval, std::cmp::Reverse(latest))
    });
    sorted.dedup_by_key(|kline| (kline.open_time, kline.interval));
    sorted
}

fn mark_of(kline: &Kline, marks: &[&Kline]) -> Option<(Price, Price, Price)> {
    let key = (kline.open_time, kline.interval);
    let found = marks.binary_search_by_key(&key, |mark| (mark.open_time, mark.interval)).ok()?;
    let mark = marks[found];
    let sound = mark.low.is_positive() && mark.low <= mark.close && mark.close <= mark.high;
    sound.then_some((mark.low, mark.high, mark.close))
}

fn open_interest_of<'a>(kline: &Kline, ois: &[&'a OpenInterest]) -> Option<&'a OpenInterest> {
    let tolerance_ms = kline.interval.ms() / 10;
    let latest = kline.close_time().plus(tolerance_ms);
    let after = kline.open_time.plus(tolerance_ms);
    let found = ois.partition_point(|oi| oi.time <= latest).checked_sub(1)?;
    Some(ois[found]).filter(|oi| oi.time > after)
}
