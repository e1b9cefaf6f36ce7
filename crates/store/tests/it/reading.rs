//! What queries answer, and up to when.

use std::future::IntoFuture;
use std::num::NonZeroUsize;

use liqheat_market::{Interval, Kline, KlineKind, Liquidation, Price, Side, UnixMs};
use liqheat_store::{InstrumentSpan, LiquidationTotals, MarkRange, Profile};

use crate::world::{
    FOREVER, M5, T0, btc, coins, eth, events, in_memory, kline, kline_of, klines, liquidation, mark,
    open_interest, trade, usd,
};

const M1: i64 = 60_000;

fn limit(rows: usize) -> NonZeroUsize {
    NonZeroUsize::new(rows).unwrap()
}

#[test]
fn klines_are_those_wholly_inside_the_time() {
    let store = in_memory();
    store.append(&btc(), klines(0..10)).blocking().unwrap();
    let read = |from: i64, to: i64| {
        let (from, to) = (UnixMs(T0 + from), UnixMs(T0 + to));
        store.klines(&btc(), KlineKind::Last, Interval::M5, from, to).blocking().unwrap()
    };
    assert_eq!(read(2 * M5, 5 * M5), klines(2..5));
    assert_eq!(read(2 * M5 + 1, 5 * M5 - 1), klines(3..4), "bars that stick out are skipped");
    assert_eq!(read(5 * M5, 5 * M5), []);
    assert_eq!(read(5 * M5, 2 * M5), []);
}

#[test]
fn klines_of_another_kind_interval_or_instrument_stay_apart() {
    let store = in_memory();
    let mark_kline = kline_of(KlineKind::Mark, Interval::M5, 0);
    let minute = kline_of(KlineKind::Last, Interval::M1, 0);
    store.append(&btc(), vec![minute, kline(0), mark_kline]).blocking().unwrap();
    store.append(&eth(), vec![kline(1)]).blocking().unwrap();
    let read = |kind, interval| store.klines(&btc(), kind, interval, UnixMs(0), FOREVER).blocking().unwrap();
    assert_eq!(read(KlineKind::Last, Interval::M5), [kline(0)]);
    assert_eq!(read(KlineKind::Mark, Interval::M5), [mark_kline]);
    assert_eq!(read(KlineKind::Last, Interval::M1), [minute]);
    assert_eq!(read(KlineKind::Mark, Interval::M1), []);
}

#[test]
fn instruments_have_their_finest_interval_and_span() {
    let store = in_memory();
    assert_eq!(store.instruments().blocking().unwrap(), []);
    store.append(&eth(), klines(3..9)).blocking().unwrap();
    store.append(&btc(), klines(0..4)).blocking().unwrap();
    let minutes: Vec<Kline> = (10..13).map(|i| kline_of(KlineKind::Last, Interval::M1, i)).collect();
    store.append(&btc(), minutes).blocking().unwrap();
    store.append(&eth(), vec![kline_of(KlineKind::Mark, Interval::M1, 0)]).blocking().unwrap();
    let expected = [
        InstrumentSpan {
            instrument: btc(),
            interval: Interval::M1,
            first: UnixMs(T0 + 10 * M1),
            last: UnixMs(T0 + 13 * M1),
            bars: 3,
        },
        InstrumentSpan {
            instrument: eth(),
            interval: Interval::M5,
            first: UnixMs(T0 + 3 * M5),
            last: UnixMs(T0 + 9 * M5),
            bars: 6,
        },
    ];
    assert_eq!(store.instruments().blocking().unwrap(), expected);
}

#[test]
fn candles_sum_up_the_finest_klines() {
    let store = in_memory();
    store.append(&btc(), klines(0..26)).blocking().unwrap();
    let hour = Interval::from_name("1h").unwrap();
    let candles =
        |as_of: i64, rows| store.candles(&btc(), hour, UnixMs(T0 + as_of), limit(rows)).blocking().unwrap();
    let all = candles(26 * M5, 10);
    assert_eq!(all.len(), 3);
    let (first, growing) = (all[0], all[2]);
    assert_eq!((first.kind, first.interval, first.open_time), (KlineKind::Last, hour, UnixMs(T0)));
    assert_eq!((first.open, first.close), (kline(0).open, kline(11).close));
    assert_eq!((first.high, first.low), (kline(11).high, kline(0).low));
    assert_eq!(first.volume, Some(coins(18.0)));
    assert_eq!(first.taker_buy_volume, Some(coins(6.0)));
    assert_eq!(first.trades, Some(84));
    assert_eq!((growing.open_time, growing.close), (UnixMs(T0 + 24 * M5), kline(25).close));
    assert_eq!(growing.volume, Some(coins(3.0)));
    assert_eq!(candles(26 * M5, 2), all[1..], "the newest ones");
    let earlier = candles(24 * M5 - 1, 10);
    assert_eq!(earlier.len(), 2);
    assert_eq!(earlier[1].close, kline(22).close, "the bar that closes after is not known yet");
}

#[test]
fn a_candle_with_an_unknown_part_has_an_unknown_volume() {
    let store = in_memory();
    let mut rows = klines(0..24);
    rows[5].volume = None;
    store.append(&btc(), rows).blocking().unwrap();
    let hour = Interval::from_name("1h").unwrap();
    let candles = store.candles(&btc(), hour, FOREVER, limit(5)).blocking().unwrap();
    assert_eq!(candles[0].volume, None);
    assert_eq!(candles[0].taker_buy_volume, Some(coins(6.0)));
    assert_eq!(candles[1].volume, Some(coins(18.0)));
}

#[test]
fn candles_shorter_than_the_klines_do_not_exist() {
    let store = in_memory();
    store.append(&btc(), klines(0..24)).blocking().unwrap();
    let candles = |name: &str| {
        let interval = Interval::from_name(name).unwrap();
        store.candles(&btc(), interval, FOREVER, limit(50)).blocking().unwrap()
    };
    assert_eq!(candles("1m"), []);
    assert_eq!(candles("5m"), klines(0..24));
    assert_eq!(candles("15m").len(), 8);
    assert_eq!(store.candles(&eth(), Interval::M5, FOREVER, limit(5)).blocking().unwrap(), []);
}

#[test]
fn points_are_bounded_on_both_ends_inclusively() {
    let store = in_memory();
    let samples: Vec<_> = (0..5).map(|i| open_interest(T0 + i, 10.0 + i as f64)).collect();
    store.append(&btc(), samples.clone()).blocking().unwrap();
    let read = store.open_interest(&btc(), UnixMs(T0 + 1), UnixMs(T0 + 3)).blocking().unwrap();
    assert_eq!(read, samples[1..4]);
}

#[test]
fn the_mark_price_has_a_range() {
    let store = in_memory();
    let ticks =
        vec![mark(T0, 1.0), mark(T0 + 1, 5.0), mark(T0 + 2, 2.0), mark(T0 + 3, 3.0), mark(T0 + 4, 9.0)];
    store.append(&btc(), ticks).blocking().unwrap();
    let range =
        |from: i64, to: i64| store.mark_range(&btc(), UnixMs(T0 + from), UnixMs(T0 + to)).blocking().unwrap();
    let expected = MarkRange { low: usd(2.0), high: usd(5.0), last: usd(3.0), last_time: UnixMs(T0 + 3) };
    assert_eq!(range(1, 3), Some(expected));
    assert_eq!(range(5, 90), None);
}

#[test]
fn profiles_sum_trades_by_bar_and_cell() {
    let store = in_memory();
    let trades = vec![
        trade(1, T0, 101.0, 1.0),
        trade(2, T0 + 10, 109.99, 2.0),
        trade(3, T0 + M1 - 1, 110.0, 4.0),
        trade(4, T0 + 2 * M1, 99.0, 8.0),
        trade(5, T0 + 3 * M1, 50.0, 16.0),
    ];
    store.append(&btc(), trades).blocking().unwrap();
    let profiles = |cell: Price, from: i64, to: i64| {
        store.profiles(&btc(), Interval::M1, cell, UnixMs(T0 + from), UnixMs(T0 + to)).blocking().unwrap()
    };
    let first =
        Profile { open_time: UnixMs(T0), volume: vec![(usd(100.0), coins(3.0)), (usd(110.0), coins(4.0))] };
    let second = Profile { open_time: UnixMs(T0 + 2 * M1), volume: vec![(usd(90.0), coins(8.0))] };
    assert_eq!(profiles(usd(10.0), 0, 4 * M1 - 1), [first.clone(), second.clone()]);
    assert_eq!(profiles(usd(10.0), 1, 3 * M1), [second], "a bar that began before is skipped");
    assert_eq!(profiles(usd(10.0), 0, M1), [first]);
    assert_eq!(profiles(Price::from_units(0), 0, M1)[0].volume.len(), 3, "no cell: every price by itself");
    let everything =
        store.profiles(&btc(), Interval::M1, usd(10.0), UnixMs(i64::MIN), FOREVER).blocking().unwrap();
    assert_eq!(everything.len(), 3);
}

#[test]
fn liquidations_are_the_newest_in_order() {
    let store = in_memory();
    let rows: Vec<_> = (0..6).map(|i| liquidation(T0 + i, Side::Short, 100.0)).collect();
    store.append(&btc(), rows.clone()).blocking().unwrap();
    let read = store.liquidations(&btc(), UnixMs(T0 + 1), UnixMs(T0 + 4), 0, limit(3)).blocking().unwrap();
    assert_eq!(read, rows[2..5]);
}

/// A quarter of a coin each, so 25, 50, .. 150 dollars; every second one a short.
#[test]
fn liquidations_are_picked_by_their_dollars_and_totalled_by_side() {
    let store = in_memory();
    let side = |i| if i % 2 == 0 { Side::Long } else { Side::Short };
    let rows: Vec<_> = (1..=6).map(|i| liquidation(T0 + i, side(i), 100.0 * i as f64)).collect();
    store.append(&btc(), rows.clone()).blocking().unwrap();
    let read =
        |min_usd| store.liquidations(&btc(), UnixMs(T0), FOREVER, min_usd, limit(10)).blocking().unwrap();
    assert_eq!(read(100), rows[3..]);
    assert_eq!(read(101), rows[4..]);
    let sums = store.liquidation_sums(&btc(), Interval::M1, UnixMs(T0), FOREVER, 125, limit(10));
    let sums = sums.blocking().unwrap();
    assert_eq!(
        sums.iter().map(|sum| (sum.side, sum.qty)).collect::<Vec<_>>(),
        [(Side::Long, coins(0.25)), (Side::Short, coins(0.25))]
    );
    // After the beginning, up to the end.
    let totals = store.liquidation_totals(&btc(), UnixMs(T0 + 1), UnixMs(T0 + 5)).blocking().unwrap();
    let expected =
        LiquidationTotals { long_usd: 50 + 100, short_usd: 75 + 125, long_count: 2, short_count: 2 };
    assert_eq!(totals, expected);
    let none = store.liquidation_totals(&eth(), UnixMs(T0), FOREVER).blocking().unwrap();
    assert_eq!(none, LiquidationTotals::default());
}

#[test]
fn liquidations_are_summed_by_side_and_interval() {
    let store = in_memory();
    let at = |offset: i64, side: Side, price: f64, qty: f64| Liquidation {
        qty: coins(qty),
        ..liquidation(T0 + offset, side, price)
    };
    let rows = vec![
        at(0, Side::Long, 100.0, 1.0),
        at(M1 - 1, Side::Long, 104.0, 3.0),
        at(5, Side::Short, 110.0, 2.0),
        at(M1, Side::Long, 90.0, 1.0),
    ];
    store.append(&btc(), rows).blocking().unwrap();
    let sums = |from: i64, most: usize| {
        let ask = store.liquidation_sums(&btc(), Interval::M1, UnixMs(T0 + from), FOREVER, 0, limit(most));
        ask.blocking().unwrap()
    };
    let expected =
        [at(0, Side::Long, 103.0, 4.0), at(0, Side::Short, 110.0, 2.0), at(M1, Side::Long, 90.0, 1.0)];
    assert_eq!(sums(0, 10), expected);
    assert_eq!(sums(0, 1), expected[2..], "the newest");
    assert_eq!(sums(M1, 10), expected[2..]);
}

#[test]
fn the_watermark_is_when_the_newest_row_became_known() {
    let store = in_memory();
    let newest = |as_of: UnixMs| store.newest(&btc(), as_of).blocking().unwrap();
    assert_eq!(newest(FOREVER), None);
    store.append(&btc(), klines(0..2)).blocking().unwrap();
    assert_eq!(newest(FOREVER), Some(UnixMs(T0 + 2 * M5)), "a kline is known at its close");
    assert_eq!(newest(UnixMs(T0 + 2 * M5 - 1)), Some(UnixMs(T0 + M5)));
    assert_eq!(newest(UnixMs(T0 + M5 - 1)), None);
    store.append(&btc(), vec![open_interest(T0 + 3 * M5, 1.0)]).blocking().unwrap();
    assert_eq!(newest(FOREVER), Some(UnixMs(T0 + 3 * M5)));
    // Every kind counts.
    let all = in_memory();
    all.append(&btc(), events(20)).blocking().unwrap();
    let known: Vec<_> = events(20).iter().map(liqheat_market::Event::known_at).collect();
    for as_of in [T0 + 3, T0 + 12_345, T0 + 28_800_000, i64::MAX].map(UnixMs) {
        let expected = known.iter().copied().filter(|time| *time <= as_of).max();
        assert_eq!(all.newest(&btc(), as_of).blocking().unwrap(), expected, "{as_of:?}");
    }
}

#[tokio::test]
async fn the_same_questions_can_be_awaited() {
    let store = tokio::task::spawn_blocking(in_memory).await.unwrap();
    let appended = store.append(&btc(), events(10)).await.unwrap();
    assert_eq!(appended.inserted, 80);
    // Answers come in order, so this one sees the rows of an append that nobody waited for yet.
    let (_, spans) = tokio::join!(store.append(&eth(), klines(0..3)).into_future(), async {
        store.instruments().await.unwrap()
    });
    assert_eq!(spans.len(), 2);
    store.close().await.unwrap();
    assert!(store.instruments().await.is_err());
}
