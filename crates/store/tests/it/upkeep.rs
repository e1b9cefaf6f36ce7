//! Checkpoints, retention, counts.

use std::time::Duration;

use liqheat_market::{Interval, KlineKind, UnixMs};
use liqheat_store::{AccuracyHour, AccuracyState, Checkpoint, Retention, Store};

use crate::world::{
    FOREVER, M5, Place, T0, btc, eth, events, in_memory, kline_of, klines, mark, open_interest, trade,
};

const FINGERPRINT: u64 = u64::MAX - 7;

fn checkpoint(bar: i64) -> Checkpoint {
    let state = (0..=255).cycle().take(5_000 + bar as usize).collect();
    Checkpoint { time: UnixMs(T0 + bar * M5), fingerprint: FINGERPRINT, state }
}

fn put(store: &Store, bar: i64) {
    store.put_checkpoint(&btc(), Interval::M5, checkpoint(bar)).blocking().unwrap();
}

fn latest(store: &Store, not_after: UnixMs) -> Option<i64> {
    let found = store.latest_checkpoint(&btc(), Interval::M5, FINGERPRINT, not_after).blocking().unwrap()?;
    Some((found.time.0 - T0) / M5)
}

#[test]
fn the_latest_fitting_checkpoint_is_found() {
    let store = in_memory();
    assert_eq!(latest(&store, FOREVER), None);
    for bar in [5, 9, 7] {
        put(&store, bar);
    }
    let found = store.latest_checkpoint(&btc(), Interval::M5, FINGERPRINT, FOREVER).blocking().unwrap();
    assert_eq!(found, Some(checkpoint(9)));
    assert_eq!(latest(&store, UnixMs(T0 + 9 * M5 - 1)), Some(7));
    assert_eq!(latest(&store, UnixMs(T0)), None);
    let other = |interval, fingerprint| {
        store.latest_checkpoint(&btc(), interval, fingerprint, FOREVER).blocking().unwrap()
    };
    assert_eq!(other(Interval::M1, FINGERPRINT), None);
    assert_eq!(other(Interval::M5, 1), None);
    assert_eq!(store.latest_checkpoint(&eth(), Interval::M5, FINGERPRINT, FOREVER).blocking(), Ok(None));
}

#[test]
fn a_checkpoint_of_the_same_time_is_replaced() {
    let store = in_memory();
    put(&store, 5);
    let newer = Checkpoint { state: vec![1, 2, 3], ..checkpoint(5) };
    store.put_checkpoint(&btc(), Interval::M5, newer.clone()).blocking().unwrap();
    let found = store.latest_checkpoint(&btc(), Interval::M5, FINGERPRINT, FOREVER).blocking().unwrap();
    assert_eq!(found, Some(newer));
    assert_eq!(store.stats().blocking().unwrap().rows["checkpoints"], 1);
}

#[test]
fn only_the_newest_checkpoints_are_kept() {
    let store = in_memory();
    (1..=6).for_each(|bar| put(&store, bar));
    store.put_checkpoint(&eth(), Interval::M5, checkpoint(1)).blocking().unwrap();
    assert_eq!(store.prune_checkpoints(&btc(), 2).blocking(), Ok(4));
    assert_eq!(store.prune_checkpoints(&btc(), 2).blocking(), Ok(0));
    assert_eq!(latest(&store, UnixMs(T0 + 5 * M5)), Some(5));
    assert_eq!(latest(&store, UnixMs(T0 + 4 * M5)), None);
    assert_eq!(store.stats().blocking().unwrap().rows["checkpoints"], 3, "of the other instrument too");
}

#[test]
fn a_checkpoint_that_missed_rows_is_deleted() {
    let store = in_memory();
    let dropped = |batch: liqheat_store::Batch| {
        (1..=10).for_each(|bar| put(&store, bar));
        let appended = store.append(&btc(), batch).blocking().unwrap();
        (appended.checkpoints_dropped, latest(&store, FOREVER))
    };
    // The bar that closes at 5 is in the checkpoints from 5 on.
    assert_eq!(dropped(klines(4..5).into()), (6, Some(4)));
    assert_eq!(dropped(klines(4..5).into()), (0, Some(10)), "nothing new, nothing dropped");
    assert_eq!(dropped(klines(4..11).into()), (5, Some(5)), "only what is new counts");
    // A trade at the moment of a close belongs to the next bar.
    assert_eq!(dropped(vec![trade(1, T0 + 7 * M5, 1.0, 1.0)].into()), (3, Some(7)));
    // A sample a tenth of the interval after a close still counts for that bar.
    assert_eq!(dropped(vec![open_interest(T0 + 7 * M5 + M5 / 10, 1.0)].into()), (4, Some(6)));
    assert_eq!(dropped(vec![open_interest(T0 + 7 * M5 + M5 / 10 + 1, 1.0)].into()), (3, Some(7)));
    // Ticks of the mark price and klines of another length do not concern it.
    assert_eq!(dropped(vec![mark(T0, 1.0)].into()), (0, Some(10)));
    assert_eq!(dropped(vec![kline_of(KlineKind::Last, Interval::M1, 0)].into()), (0, Some(10)));
    assert_eq!(dropped(klines(11..14).into()), (0, Some(10)), "what comes after does not concern it");
}

#[test]
fn rows_too_old_are_deleted_and_no_others() {
    let store = in_memory();
    store.append(&btc(), events(100)).blocking().unwrap();
    store.append(&eth(), events(100)).blocking().unwrap();
    let now = UnixMs(T0 + 100 * M5);
    assert!(store.retain(&btc(), now, Retention::default()).blocking().unwrap().is_empty());
    let hour = Some(Duration::from_secs(3_600));
    let retention = Retention { open_interest: hour, klines: hour, ..Retention::default() };
    let deleted = store.retain(&btc(), now, retention).blocking().unwrap();
    // Samples at bars 0..99: those from 88 (an hour before bar 100) stay. Klines count by their close; the one-minute
    // ones all closed earlier.
    assert_eq!(deleted["open_interest"], 88);
    assert_eq!(deleted["klines"], 87 * 2 + 100);
    assert_eq!(deleted.len(), 2);
    let left = store.klines(&btc(), KlineKind::Last, Interval::M5, UnixMs(0), FOREVER).blocking().unwrap();
    assert_eq!(left, klines(87..100));
    assert_eq!(store.stats().blocking().unwrap().rows["open_interest"], 112);
    assert!(store.retain(&btc(), now, retention).blocking().unwrap().is_empty());
}

#[test]
fn stats_count_rows_and_bytes() {
    let place = Place::new();
    let store = place.open();
    store.append(&btc(), events(10)).blocking().unwrap();
    let stats = store.stats().blocking().unwrap();
    assert_eq!(stats.rows["klines"], 30);
    assert_eq!(stats.rows["trades"], 10);
    assert!(stats.log_bytes > 0, "{stats:?}");
    store.flush().blocking().unwrap();
    let flushed = store.stats().blocking().unwrap();
    assert_eq!(flushed.log_bytes, 0);
    assert!(flushed.file_bytes > stats.file_bytes.min(1), "{flushed:?}");
}

#[test]
fn counters_tell_what_was_done() {
    let store = in_memory();
    store.append(&btc(), klines(0..10)).blocking().unwrap();
    store.append(&btc(), klines(5..15)).blocking().unwrap();
    let counters = store.counters();
    assert_eq!((counters.commands, counters.failures, counters.panics), (2, 0, 0));
    assert_eq!((counters.rows_appended, counters.rows_already_there), (15, 5));
    assert!(counters.longest_command > Duration::ZERO && counters.busy >= counters.longest_command);
    assert_eq!(counters.waiting, 0);
}

#[test]
fn hours_of_the_running_score_are_replaced_and_pass_away() {
    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;
    let store = in_memory();
    let start = UnixMs(1_000 * DAY_MS);
    let hour = |start: UnixMs, fingerprint: u64, state: AccuracyState| AccuracyHour {
        start,
        fingerprint,
        prediction: Some(vec![1, 2, 3]),
        state,
    };
    let put = |hour: AccuracyHour| store.put_accuracy_hour(&btc(), hour).blocking().unwrap();
    let stored =
        |fingerprint: u64| store.accuracy_hours(&btc(), fingerprint, UnixMs(0), FOREVER).blocking().unwrap();
    put(hour(start, 7, AccuracyState::Frozen));
    put(hour(start, 8, AccuracyState::Frozen));
    assert_eq!(stored(7), [hour(start, 7, AccuracyState::Frozen)]);
    let graded = hour(start, 7, AccuracyState::Graded(vec![9]));
    put(graded.clone());
    assert_eq!((stored(7), stored(8).len()), (vec![graded.clone()], 1), "of the same parameters only");
    // Two days later nobody compares with it any more; 60 days later it is not in any period.
    let lost = hour(start.plus(2 * DAY_MS + HOUR_MS), 7, AccuracyState::Lost("a break".to_owned()));
    put(lost.clone());
    let without = AccuracyHour { prediction: None, ..graded };
    assert_eq!(stored(7), [without, lost.clone()]);
    put(hour(start.plus(60 * DAY_MS + HOUR_MS), 7, AccuracyState::Frozen));
    assert_eq!(stored(7)[0].state, lost.state);
    assert_eq!((stored(7).len(), stored(8).len()), (2, 0));
}
