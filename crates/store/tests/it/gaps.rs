//! Where to go on fetching: before the first gap, not after the newest row.

use liqheat_market::{Interval, Kline, KlineKind, Trade, UnixMs};
use liqheat_store::{Fetchable, Reach, Store};

use crate::world::{T0, btc, in_memory, kline_of, open_interest, trade};

const MINUTE: i64 = 60_000;

fn minutes(indexes: impl IntoIterator<Item = i64>) -> Vec<Kline> {
    indexes.into_iter().map(|index| kline_of(KlineKind::Last, Interval::M1, index)).collect()
}

fn reach(store: &Store, since: i64, trades: Option<u64>) -> Reach {
    let since = UnixMs(T0 + since * MINUTE);
    let fetchable = Fetchable { klines: since, open_interest: since, trades };
    store.whole_reach(&btc(), Interval::M1, fetchable).blocking().unwrap()
}

fn at(index: i64) -> Option<UnixMs> {
    Some(UnixMs(T0 + index * MINUTE))
}

#[test]
fn klines_reach_to_the_first_gap_that_can_still_be_filled() {
    // Stretches of minutes as (first, end).
    type Case = (&'static [(i64, i64)], i64, Option<UnixMs>);
    let cases: [Case; 8] = [
        (&[], 0, None),
        (&[(0, 10)], 0, at(9)),
        // Killed while the past was fetched: minutes 4 to 99 are missing.
        (&[(0, 4), (100, 120)], 0, at(3)),
        // Nothing of the past came at all.
        (&[(100, 120)], 0, None),
        // It began before what is asked for, without a gap.
        (&[(0, 120)], 50, at(119)),
        // The gap is too old to be filled, so it no longer counts.
        (&[(0, 4), (10, 120)], 50, at(119)),
        // Away for long: the newest row is older than anything that is asked for.
        (&[(0, 4)], 50, at(3)),
        // Away for long, and killed before the past came.
        (&[(0, 4), (100, 120)], 50, at(3)),
    ];
    for (stored, since, expected) in cases {
        let store = in_memory();
        for (first, end) in stored {
            store.append(&btc(), minutes(*first..*end)).blocking().unwrap();
        }
        assert_eq!(reach(&store, since, None).kline, expected, "{stored:?} since {since}");
    }
}

#[test]
fn trades_reach_to_the_first_missing_id_where_ids_are_consecutive() {
    let store = in_memory();
    let ids = (1..=5).chain(9..=12).map(|id| trade(id, T0 + id, 100.0, 1.0));
    store.append(&btc(), ids.collect::<Vec<Trade>>()).blocking().unwrap();
    assert_eq!(reach(&store, 0, Some(100)).trade, Some((5, UnixMs(T0 + 5))));
    assert_eq!(reach(&store, 0, Some(4)).trade, Some((12, UnixMs(T0 + 12))), "older ones cannot be fetched");
    assert_eq!(reach(&store, 0, None).trade, Some((12, UnixMs(T0 + 12))), "elsewhere ids say nothing");
    assert_eq!(reach(&in_memory(), 0, Some(4)).trade, None);
}

#[test]
fn open_interest_may_come_in_steps_of_five_minutes() {
    let store = in_memory();
    let samples = [0, 5, 10, 15, 120, 121].map(|minute| open_interest(T0 + minute * MINUTE, 1.0));
    store.append(&btc(), samples.to_vec()).blocking().unwrap();
    assert_eq!(reach(&store, 0, None).open_interest, at(15));
    assert_eq!(reach(&store, 119, None).open_interest, at(121));
}
