//! Layers of measured positions: what is stored comes back, one a moment, for as long as it is kept.

use std::time::Duration;

use liqheat_market::{Price, UnixMs};
use liqheat_store::{LayerReach, Retention, Store, StoredLayer, StoredLayerLevel, StoredLayerSide};

use crate::world::{FOREVER, M5, Place, T0, btc, eth, in_memory, usd};

/// Layer number `index` since T0.
fn layer(index: i64) -> StoredLayer {
    let level = |number: i64| StoredLayerLevel {
        price: usd(100.0 * number as f64),
        long_usd: number as u64 * 1_000_000_007,
        short_usd: if number % 2 == 0 { 0 } else { 5 },
        long_accounts: number as usize,
        short_accounts: 1,
        age_s: 17,
    };
    let long = StoredLayerSide {
        usd: 421_000_000,
        accounts: 812,
        coverage: Some(0.512),
        share_without_level: 0.31,
        share_older_than_5m: 0.62,
        share_older_than_60m: 0.02,
    };
    StoredLayer {
        time: UnixMs(T0 + index * M5),
        mark: usd(100_000.0 + index as f64),
        bin: usd(100.0),
        addresses: 31_204,
        late: 3,
        long,
        short: StoredLayerSide { coverage: None, accounts: 0, ..long },
        levels: (900..900 + index).map(level).collect(),
    }
}

fn put(store: &Store, layer: StoredLayer) {
    store.put_measured_layer(&btc(), layer).blocking().unwrap();
}

fn times(store: &Store, from: i64, to: i64, every: i64) -> Vec<i64> {
    let at = |index: i64| UnixMs(T0 + index * M5);
    let found = store.measured_layers(&btc(), at(from), at(to), every * M5).blocking().unwrap();
    found.iter().map(|layer| (layer.time.0 - T0) / M5).collect()
}

#[test]
fn a_layer_comes_back_as_it_was_stored() {
    let place = Place::new();
    let store = place.open();
    // None, one, and as many levels as accounts may have.
    for index in [0, 1, 4_000] {
        put(&store, layer(index));
    }
    store.close_blocking().unwrap();
    let store = place.open();
    for index in [0, 1, 4_000] {
        let at = layer(index).time;
        let found = store.latest_measured_layer(&btc(), at.plus(-1), at).blocking().unwrap();
        assert_eq!(found, Some(layer(index)));
    }
    assert_eq!(store.latest_measured_layer(&eth(), UnixMs(0), FOREVER).blocking(), Ok(None));
    // Another one of the same moment takes its place.
    let other = StoredLayer { mark: usd(7.0), ..layer(1) };
    put(&store, other.clone());
    let found = store.latest_measured_layer(&btc(), UnixMs(0), layer(1).time).blocking().unwrap();
    assert_eq!(found, Some(other));
    assert_eq!(store.stats().blocking().unwrap().rows["measured_layers"], 3);
}

#[test]
fn the_last_layer_of_every_stretch_is_read() {
    let store = in_memory();
    (1..=12).filter(|index| *index != 5 && *index != 6).for_each(|index| put(&store, layer(index)));
    assert_eq!(times(&store, 0, 12, 3), [3, 4, 9, 12], "4, because 5 and 6 are missing");
    assert_eq!(times(&store, 0, 12, 1), [1, 2, 3, 4, 7, 8, 9, 10, 11, 12]);
    assert_eq!(times(&store, 2, 8, 2), [4, 8], "the beginning is exclusive, the end is not");
    assert_eq!(times(&store, 12, 20, 1), [0i64; 0]);
    let latest = |from: i64, to: i64| {
        let at = |index: i64| UnixMs(T0 + index * M5);
        let found = store.latest_measured_layer(&btc(), at(from), at(to)).blocking().unwrap();
        found.map(|layer| (layer.time.0 - T0) / M5)
    };
    assert_eq!((latest(0, 6), latest(4, 6), latest(0, 99)), (Some(4), None, Some(12)));
}

#[test]
fn the_reach_has_the_marks_of_the_time_that_is_asked_about() {
    let store = in_memory();
    let reach = |from: i64, to: i64| {
        store.measured_reach(&btc(), UnixMs(T0 + from * M5), UnixMs(T0 + to * M5)).blocking().unwrap()
    };
    assert_eq!(reach(0, 9), None);
    (1..=4).for_each(|index| put(&store, layer(index)));
    put(&store, StoredLayer { bin: usd(50.0), ..layer(5) });
    let marks = |marks: Option<(f64, f64)>| LayerReach {
        first: UnixMs(T0 + M5),
        last: UnixMs(T0 + 5 * M5),
        bin: usd(50.0),
        mark: usd(100_005.0),
        marks: marks.map(|(low, high): (f64, f64)| -> (Price, Price) { (usd(low), usd(high)) }),
    };
    assert_eq!(reach(1, 3), Some(marks(Some((100_002.0, 100_003.0)))));
    assert_eq!(reach(5, 9), Some(marks(None)));
}

#[test]
fn layers_are_deleted_when_they_are_too_old() {
    let store = in_memory();
    (0..24).for_each(|index| put(&store, layer(index)));
    store.put_measured_layer(&eth(), layer(0)).blocking().unwrap();
    let now = UnixMs(T0 + 24 * M5);
    assert!(store.retain(&btc(), now, Retention::default()).blocking().unwrap().is_empty());
    let retention = Retention { measured: Some(Duration::from_secs(3_600)), ..Retention::default() };
    let deleted = store.retain(&btc(), now, retention).blocking().unwrap();
    assert_eq!(deleted.into_iter().collect::<Vec<_>>(), [("measured_layers", 12)]);
    assert_eq!(times(&store, -1, 99, 1), (12..24).collect::<Vec<_>>());
    assert_eq!(store.stats().blocking().unwrap().rows["measured_layers"], 13, "of the other symbol too");
}
