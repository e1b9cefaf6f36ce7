//! Three real years of BTCUSDT five-minute klines, read in place.

use std::num::NonZeroUsize;

use liqheat_market::{Interval, KlineKind, UnixMs};
use liqheat_store::baseline::Baseline;
use liqheat_store::{Location, Settings, Store};

use liqheat_testkit::recorded;

use crate::world::{FOREVER, M5, Place, btc, in_memory};

const BARS: usize = 315_648;

#[test]
fn three_years_go_in_and_come_back() {
    let Some(parquet) = recorded("klines/binance-um-BTCUSDT-5m-2023-2025.parquet") else { return };
    let place = Place::new();
    let baseline = Baseline::create(&place.file(), &Settings::default()).unwrap();
    assert_eq!(baseline.load_klines_parquet(&parquet, &btc(), Interval::M5).unwrap().rows, BARS as u64);
    drop(baseline);

    let source = Store::open(Location::File(place.file()), Settings::default()).unwrap();
    let span = source.instruments().blocking().unwrap().remove(0);
    assert_eq!(
        (span.bars, span.last.since(span.first)),
        (BARS as u64, BARS as i64 * M5),
        "no bar is missing"
    );
    let rows = source.klines(&btc(), KlineKind::Last, Interval::M5, UnixMs(0), FOREVER).blocking().unwrap();

    let store = in_memory();
    // Overlapping parts, the last one first.
    let parts: Vec<_> = rows.chunks(100_000).rev().map(<[_]>::to_vec).collect();
    for part in &parts {
        store.append(&btc(), part.clone()).blocking().unwrap();
    }
    let again = store.append(&btc(), rows[90_000..210_000].to_vec()).blocking().unwrap();
    assert_eq!((again.inserted, again.already_there), (0, 120_000));
    let back = store.klines(&btc(), KlineKind::Last, Interval::M5, UnixMs(0), FOREVER).blocking().unwrap();
    assert!(back == rows, "the same rows in the same order");

    let day = Interval::from_name("1d").unwrap();
    let days = store.candles(&btc(), day, FOREVER, NonZeroUsize::MAX).blocking().unwrap();
    assert_eq!(days.len(), BARS / 288);
    for (day, bars) in days.iter().zip(rows.chunks(288)) {
        assert_eq!(day.open_time, bars[0].open_time);
        assert_eq!((day.open, day.close), (bars[0].open, bars[287].close));
        assert_eq!(Some(day.high), bars.iter().map(|bar| bar.high).max());
        assert_eq!(Some(day.low), bars.iter().map(|bar| bar.low).min());
    }
}
