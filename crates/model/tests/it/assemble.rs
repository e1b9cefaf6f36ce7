//! The join of klines, mark klines and open interest into bars.

use liqheat_market::{Interval, Kline, KlineKind, OpenInterest, Price, Qty, UnixMs};
use liqheat_model::assemble;
use proptest::prelude::*;

const M5: i64 = 300_000;

fn price(value: f64) -> Price {
    Price::from_f64(value).unwrap()
}

fn qty(value: f64) -> Qty {
    Qty::from_f64(value).unwrap()
}

fn kline(kind: KlineKind, index: i64, at: f64) -> Kline {
    Kline {
        kind,
        interval: Interval::M5,
        open_time: UnixMs(index * M5),
        open: price(at),
        high: price(at + 2.0),
        low: price(at - 2.0),
        close: price(at + 1.0),
        volume: Some(qty(10.0)),
        taker_buy_volume: Some(qty(4.0)),
        trades: None,
    }
}

fn last(index: i64) -> Kline {
    kline(KlineKind::Last, index, 100.0 + index as f64)
}

fn mark(index: i64) -> Kline {
    kline(KlineKind::Mark, index, 100.5 + index as f64)
}

fn oi(ms: i64, coins: f64) -> OpenInterest {
    OpenInterest { time: UnixMs(ms), qty: qty(coins) }
}

fn stocks(klines: &[Kline], ois: &[OpenInterest]) -> Vec<Option<f64>> {
    assemble(klines, &[], ois).iter().map(|bar| bar.open_interest.map(Qty::to_f64)).collect()
}

#[test]
fn everything_in_its_place() {
    let bars = assemble(&[last(0), last(1)], &[mark(0), mark(1)], &[oi(M5, 50.0), oi(2 * M5, 60.0)]);
    assert_eq!(bars.len(), 2);
    assert_eq!((bars[1].open_time, bars[1].close_time), (UnixMs(M5), UnixMs(2 * M5)));
    assert_eq!((bars[1].open, bars[1].close), (price(101.0), price(102.0)));
    assert_eq!(bars[1].mark, Some((price(99.5), price(103.5), price(102.5))));
    assert_eq!((bars[1].volume, bars[1].taker_buy_volume), (Some(qty(10.0)), Some(qty(4.0))));
    assert_eq!(bars.iter().map(|b| b.open_interest).collect::<Vec<_>>(), [Some(qty(50.0)), Some(qty(60.0))]);
}

#[test]
fn samples_a_few_seconds_off_the_grid_count() {
    let klines = [last(0), last(1), last(2)];
    let late = [oi(M5 + 3_000, 50.0), oi(2 * M5 + 5_000, 60.0), oi(3 * M5 + 2_000, 70.0)];
    assert_eq!(stocks(&klines, &late), [Some(50.0), Some(60.0), Some(70.0)]);
    let early = [oi(M5 - 2_000, 50.0), oi(2 * M5 - 5_000, 60.0), oi(3 * M5 - 1, 70.0)];
    assert_eq!(stocks(&klines, &early), [Some(50.0), Some(60.0), Some(70.0)]);
    // A late sample belongs to the bar before only, not once more to the next.
    assert_eq!(stocks(&klines, &[oi(M5 + 3_000, 50.0)]), [Some(50.0), None, None]);
    // Thirty seconds late is the last moment that counts for the bar.
    assert_eq!(stocks(&klines, &[oi(M5 + 30_000, 50.0)]), [Some(50.0), None, None]);
    assert_eq!(stocks(&klines, &[oi(M5 + 30_001, 50.0)]), [None, Some(50.0), None]);
}

#[test]
fn the_latest_of_several_samples_counts() {
    let samples = [oi(M5 - 60_000, 1.0), oi(M5, 3.0), oi(M5 - 5_000, 2.0)];
    assert_eq!(stocks(&[last(0)], &samples), [Some(3.0)]);
}

#[test]
fn missing_is_unknown() {
    assert_eq!(stocks(&[last(0), last(1)], &[]), [None, None]);
    assert_eq!(stocks(&[last(0)], &[oi(M5, 0.0)]), [None], "a stock of zero is a fault of the venue");
    assert_eq!(stocks(&[last(0)], &[oi(M5 - 9_000, 8.0), oi(M5, 0.0)]), [Some(8.0)]);
    let bars = assemble(&[last(0), last(1), last(2)], &[mark(1)], &[]);
    let known: Vec<bool> = bars.iter().map(|bar| bar.mark.is_some()).collect();
    assert_eq!(known, [false, true, false]);
    let absurd = Kline { low: price(0.0), ..mark(0) };
    assert_eq!(assemble(&[last(0)], &[absurd], &[])[0].mark, None);
    let quiet = Kline { volume: None, taker_buy_volume: None, ..last(0) };
    assert_eq!(assemble(&[quiet], &[], &[])[0].volume, None);
    assert!(assemble(&[], &[mark(0)], &[oi(M5, 1.0)]).is_empty());
}

#[test]
fn holes_stay_holes() {
    let bars = assemble(&[last(0), last(5)], &[], &[oi(M5, 50.0), oi(3 * M5, 55.0), oi(6 * M5, 60.0)]);
    let times: Vec<i64> = bars.iter().map(|bar| bar.open_time.0 / M5).collect();
    assert_eq!(times, [0, 5]);
    assert_eq!(bars[1].open_interest, Some(qty(60.0)));
}

#[test]
fn the_shortest_interval_makes_the_bars() {
    let hour = Kline { interval: Interval::from_name("1h").unwrap(), ..last(0) };
    let bars = assemble(&[hour, last(0), last(1)], &[], &[]);
    assert_eq!(bars.len(), 2);
    assert_eq!(assemble(&[hour], &[], &[oi(3_600_000 + 4_000, 5.0)])[0].open_interest, Some(qty(5.0)));
}

#[test]
fn the_fuller_of_two_klines_stays() {
    let unfinished = Kline { volume: Some(qty(3.0)), ..last(0) };
    for klines in [[unfinished, last(0)], [last(0), unfinished]] {
        let bars = assemble(&klines, &[], &[]);
        assert_eq!((bars.len(), bars[0].volume), (1, Some(qty(10.0))));
    }
}

proptest! {
    #[test]
    fn order_and_duplicates_do_not_matter(
        present in prop::collection::vec((any::<bool>(), any::<bool>(), prop::option::of(-5_000i64..5_000)), 1..40),
        seed in any::<u64>(),
    ) {
        let (mut klines, mut marks, mut ois) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (has_kline, has_mark, late)) in present.iter().enumerate() {
            let index = index as i64;
            klines.extend(has_kline.then(|| last(index)));
            marks.extend(has_mark.then(|| mark(index)));
            ois.extend(late.map(|late| oi((index + 1) * M5 + late, 10.0 + index as f64)));
        }
        let expected = assemble(&klines, &marks, &ois);
        prop_assert_eq!(expected.len(), klines.len());
        prop_assert!(expected.windows(2).all(|pair| pair[0].close_time <= pair[1].open_time));
        for bar in &expected {
            let place = &present[(bar.open_time.0 / M5) as usize];
            prop_assert_eq!(bar.mark.is_some(), place.1);
            prop_assert_eq!(bar.open_interest.is_some(), place.2.is_some());
        }
        shuffle(&mut klines, seed);
        shuffle(&mut marks, seed);
        shuffle(&mut ois, seed);
        prop_assert_eq!(assemble(&klines, &marks, &ois), expected.clone());
        // Cut into two batches anywhere, the bars are the same.
        let cut = UnixMs((present.len() as i64 / 2) * M5);
        let (early, late): (Vec<Kline>, Vec<Kline>) = klines.iter().partition(|kline| kline.open_time < cut);
        let mut parts = assemble(&early, &marks, &ois);
        parts.extend(assemble(&late, &marks, &ois));
        prop_assert_eq!(parts, expected);
    }
}

/// Doubles every third element and puts all in another order.
fn shuffle<T: Copy>(items: &mut Vec<T>, mut seed: u64) {
    let doubled: Vec<T> = items.iter().copied().step_by(3).collect();
    items.extend(doubled);
    for index in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        items.swap(index, (seed >> 33) as usize % (index + 1));
    }
}
