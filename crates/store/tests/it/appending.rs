//! Each row once, whole batches or nothing, whatever the order.

use liqheat_market::{Event, Interval, Kline, KlineKind, PriceKind, Side, UnixMs};
use liqheat_store::{AppendResult, BATCH_ROWS_MAX, Batch, DirtyRange, Store, StoreError};
use proptest::prelude::*;

use crate::world::{
    FOREVER, M5, Place, T0, btc, coins, eth, events, in_memory, kline, klines, liquidation, open_interest,
};

/// New rows, and rows that were there.
fn counts(appended: Result<AppendResult, StoreError>) -> (u64, u64) {
    let appended = appended.unwrap();
    assert_eq!(appended.checkpoints_dropped, 0);
    (appended.inserted, appended.already_there)
}

/// Everything stored of an instrument.
fn contents(store: &Store) -> Batch {
    let start = UnixMs(0);
    let series =
        [(KlineKind::Last, Interval::M1), (KlineKind::Last, Interval::M5), (KlineKind::Mark, Interval::M5)];
    let klines: Vec<Kline> = series
        .into_iter()
        .flat_map(|(kind, interval)| store.klines(&btc(), kind, interval, start, FOREVER).blocking().unwrap())
        .collect();
    Batch {
        klines,
        open_interest: store.open_interest(&btc(), start, FOREVER).blocking().unwrap(),
        liquidations: store
            .liquidations(&btc(), start, FOREVER, 0, 1_000_000.try_into().unwrap())
            .blocking()
            .unwrap(),
        ..Batch::default()
    }
}

#[test]
fn a_batch_comes_back_as_it_went_in() {
    let store = in_memory();
    let rows = klines(0..5_000);
    assert_eq!(counts(store.append(&btc(), rows.clone()).blocking()), (5_000, 0));
    let read = store.klines(&btc(), KlineKind::Last, Interval::M5, UnixMs(T0), FOREVER).blocking().unwrap();
    assert_eq!(read, rows);
}

#[test]
fn unknown_stays_unknown() {
    let store = in_memory();
    let row = Kline { volume: None, taker_buy_volume: None, trades: None, ..kline(0) };
    store.append(&btc(), vec![row]).blocking().unwrap();
    let read = store.klines(&btc(), KlineKind::Last, Interval::M5, UnixMs(T0), FOREVER).blocking().unwrap();
    assert_eq!(read, [row]);
}

#[test]
fn storing_twice_changes_nothing() {
    let store = in_memory();
    let all = events(300);
    let count = all.len() as u64;
    assert_eq!(counts(store.append(&btc(), all.clone()).blocking()), (count, 0));
    let before = (store.stats().blocking().unwrap(), contents(&store));
    assert_eq!(counts(store.append(&btc(), all.clone()).blocking()), (0, count));
    assert_eq!((store.stats().blocking().unwrap(), contents(&store)), before);
    // Another instrument with the same events has its own rows.
    assert_eq!(counts(store.append(&eth(), all).blocking()), (count, 0));
    assert_eq!(contents(&store), before.1);
}

#[test]
fn doubles_inside_a_batch_go() {
    let store = in_memory();
    let long = liquidation(T0, Side::Long, 99_000.0);
    let short = liquidation(T0, Side::Short, 99_000.0);
    let batch = Batch { liquidations: vec![long, short, long, long], ..Batch::default() };
    assert_eq!(counts(store.append(&btc(), batch).blocking()), (2, 2));
    assert_eq!(contents(&store).liquidations, [long, short]);
}

#[test]
fn of_two_rows_under_one_key_the_better_known_wins_in_any_order() {
    let known = kline(0);
    let vague = Kline { volume: None, ..known };
    let other_kind = liquidation(T0, Side::Long, 1.0);
    for rows in [vec![known, vague], vec![vague, known]] {
        let store = in_memory();
        assert_eq!(counts(store.append(&btc(), rows).blocking()), (1, 1));
        assert_eq!(contents(&store).klines, [known]);
    }
    for kinds in [[PriceKind::Fill, PriceKind::Bankruptcy], [PriceKind::Bankruptcy, PriceKind::Fill]] {
        let store = in_memory();
        let rows: Vec<_> = kinds
            .into_iter()
            .map(|price_kind| liqheat_market::Liquidation { price_kind, ..other_kind })
            .collect();
        store.append(&btc(), rows).blocking().unwrap();
        assert_eq!(contents(&store).liquidations[0].price_kind, PriceKind::Bankruptcy);
    }
}

#[test]
fn what_was_stored_first_stays() {
    let store = in_memory();
    store.append(&btc(), vec![open_interest(T0, 5.0)]).blocking().unwrap();
    let later = vec![open_interest(T0, 6.0), open_interest(T0 + M5, 7.0)];
    assert_eq!(counts(store.append(&btc(), later).blocking()), (1, 1));
    let quantities: Vec<_> = contents(&store).open_interest.iter().map(|sample| sample.qty).collect();
    assert_eq!(quantities, [coins(5.0), coins(7.0)]);
}

#[test]
fn an_empty_batch_is_nothing() {
    assert_eq!(in_memory().append(&btc(), Batch::default()).blocking(), Ok(AppendResult::default()));
}

#[test]
fn the_earliest_new_row_of_each_kind_is_returned() {
    let store = in_memory();
    let touched = |batch: Batch| store.append(&btc(), batch).blocking().unwrap().dirty;
    let bars = |range| Batch { klines: klines(range), ..Batch::default() };
    assert_eq!(touched(bars(10..20)).klines, Some(UnixMs(T0 + 10 * M5)));
    assert_eq!(touched(bars(10..20)), DirtyRange::default(), "what is there changes nothing");
    assert_eq!(touched(bars(15..25)).klines, Some(UnixMs(T0 + 20 * M5)), "not the earliest of the batch");
    assert_eq!(touched(bars(8..30)).klines, Some(UnixMs(T0 + 8 * M5)));

    let samples = Batch {
        open_interest: vec![open_interest(T0 + 2 * M5, 1.0), open_interest(T0 + M5, 2.0)],
        liquidations: vec![liquidation(T0, Side::Long, 1.0)],
        ..Batch::default()
    };
    let of_samples = DirtyRange { open_interest: Some(UnixMs(T0 + M5)), ..DirtyRange::default() };
    assert_eq!(touched(samples), of_samples, "no ledger is made of liquidations");

    let all = events(300);
    let trades = all.iter().filter_map(|event| match event {
        Event::Trade(trade) => Some(trade.time),
        _ => None,
    });
    let first = trades.min().unwrap();
    let of_all = store.append(&eth(), all).blocking().unwrap().dirty;
    assert_eq!((of_all.klines, of_all.trades), (Some(UnixMs(T0)), Some(first)));
}

#[test]
fn a_batch_over_the_limit_is_refused_whole() {
    let store = in_memory();
    let rows = klines(0..BATCH_ROWS_MAX as i64 + 1);
    let error = store.append(&btc(), rows).blocking().unwrap_err();
    assert_eq!(error, StoreError::BatchTooLarge { rows: BATCH_ROWS_MAX + 1, limit: BATCH_ROWS_MAX });
    assert_eq!(store.stats().blocking().unwrap().rows["klines"], 0);
    assert_eq!(store.counters().failures, 1);
}

#[test]
fn rows_outlive_the_store() {
    let place = Place::new();
    let store = place.open();
    store.append(&btc(), events(100)).blocking().unwrap();
    let before = contents(&store);
    store.close_blocking().unwrap();
    assert_eq!(contents(&place.open()), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However a set of events is cut into batches, shuffled and repeated, the tables end up the same.
    #[test]
    fn batches_commute(
        picks in prop::collection::vec(prop::collection::vec(0..320_usize, 0..120), 1..6),
        rest in Just((0..320_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let all: Vec<Event> = events(40);
        prop_assert_eq!(all.len(), 320);
        let expected = {
            let store = in_memory();
            store.append(&btc(), all.clone()).blocking().unwrap();
            (store.stats().blocking().unwrap(), contents(&store))
        };
        let store = in_memory();
        let mut new_rows = 0;
        for pick in picks.iter().chain([&rest]) {
            let batch: Batch = pick.iter().map(|&index| all[index]).collect();
            let appended = store.append(&btc(), batch).blocking().unwrap();
            prop_assert_eq!(appended.inserted + appended.already_there, pick.len() as u64);
            new_rows += appended.inserted;
        }
        prop_assert_eq!(new_rows, 320);
        prop_assert_eq!((store.stats().blocking().unwrap(), contents(&store)), expected);
    }
}
