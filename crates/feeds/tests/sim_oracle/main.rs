//! The simulated market as oracle: how well does the model, fed with nothing but public data, find the levels
//! that really exist?
//!
//! The model sees klines, mark klines, open interest and volume at price, minute by minute, and its default
//! parameters; it is not told this market's leverages, lives of positions or habits, and they are not what it
//! assumes. Every figure stands beside what simpler maps reach on the same bins: the estimate shuffled, the
//! volume profile moved by one over the leverage, and the best map that knows the distance from the price
//! only, fitted on the TRUE levels of the other seeds, which no real map could do. Print the figures with
//!
//! ```text
//! cargo test -p liqheat-feeds --test sim_oracle -- --nocapture
//! ```
//!
//! What this does not show: that the model is right about real markets. The oracle shares its idea of how
//! levels come about (isolated margin, entries at traded prices) with the model.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

mod maps;
mod observer;
mod score;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use liqheat_market::{Event, Kline, KlineKind, Side, UnixMs};
use liqheat_model::liquidation_price;

use maps::DistanceMap;
use observer::{MINUTE, Observer, Run};
use score::Score;

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const HOURS: i64 = 5 * 24;
/// Until then much of the true mass is older than the first bar.
const WARM_HOURS: i64 = 48;

static RUNS: LazyLock<Vec<Run>> =
    LazyLock::new(|| SEEDS.map(|seed| Run::new(seed, WARM_HOURS, HOURS)).into());

/// Distance maps by seed, each fitted on the other seeds.
static DISTANCE: LazyLock<Vec<DistanceMap>> = LazyLock::new(|| {
    let others = |left_out: usize| {
        let runs = RUNS.iter().enumerate().filter(move |(index, _)| *index != left_out);
        runs.flat_map(|(_, run)| &run.looks)
    };
    (0..RUNS.len()).map(|index| DistanceMap::fit(others(index))).collect()
});

/// On all bins within 15 % of the price that hold true or estimated mass, every six hours.
#[test]
fn the_estimate_finds_the_true_levels() {
    const EVERY_HOURS: usize = 6;
    let mut all = Score::default();
    for (index, run) in RUNS.iter().enumerate() {
        for side in Side::BOTH {
            let mut score = Score::default();
            for look in run.looks.iter().filter(|look| look.side == side).step_by(EVERY_HOURS) {
                let holding = |&bin: &usize| look.truth[bin] > 0.0 || look.estimate[bin] > 0.0;
                let bins: Vec<usize> = (0..look.truth.len()).filter(holding).collect();
                let distance = DISTANCE[index].map(look);
                score.add(look, &look.truth, &distance, &bins);
                all.add(look, &look.truth, &distance, &bins);
            }
            let score = score.mean();
            score.print(&format!("levels, seed {} {}", SEEDS[index], side.name()));
            assert!(score.model > score.distance && score.model > score.volume, "{score:?}");
        }
    }
    let all = all.mean();
    all.print("levels, all");
    assert!(all.model > 0.45, "{all:?}");
    assert!(all.model > all.distance + 0.12, "{all:?}");
    assert!(all.model > all.volume + 0.15, "{all:?}");
    assert!(all.model_beyond_distance > 0.35, "{all:?}");
    assert!(all.model_pearson > all.distance_pearson + 0.05, "{all:?}");
    // The yardstick itself: a map without knowledge must score nothing, the truth everything.
    assert!(all.shuffled.abs() < 0.1 && all.truth > 0.999, "{all:?}");
}

/// Frozen at the full hour, on the bins that the price reached in the hour after it: was more liquidated
/// where the map has more? Ranks are taken inside each hour, so wild hours do not help.
#[test]
fn more_is_liquidated_where_the_model_has_more() {
    const TOUCHED_LEAST: usize = 5;
    let mut all = Score::default();
    for (index, run) in RUNS.iter().enumerate() {
        let mut score = Score::default();
        for look in run.looks.iter().filter(|look| look.touched >= TOUCHED_LEAST) {
            let bins: Vec<usize> = (0..look.touched).collect();
            let distance = DISTANCE[index].map(look);
            score.add(look, &look.liquidated, &distance, &bins);
            all.add(look, &look.liquidated, &distance, &bins);
        }
        let score = score.mean();
        score.print(&format!("touched, seed {}", SEEDS[index]));
        assert!(score.model > score.distance && score.model > score.volume, "{score:?}");
        assert!(score.model < score.truth, "{score:?}");
    }
    let all = all.mean();
    all.print("touched, all");
    assert!(all.model > 0.55, "{all:?}");
    assert!(all.model > all.distance + 0.04, "{all:?}");
    assert!(all.model_beyond_distance > 0.35, "{all:?}");
}

/// As much is consumed as is liquidated, roughly: neither was fitted to the other.
#[test]
fn the_model_consumes_about_what_is_liquidated() {
    for (seed, run) in SEEDS.iter().zip(RUNS.iter()) {
        let ratio = run.consumed / run.liquidated;
        println!(
            "calibration, seed {seed}: {:.0} million USD consumed, {:.0} liquidated: {ratio:.2}",
            run.consumed / 1e6,
            run.liquidated / 1e6
        );
        assert!((0.4..2.5).contains(&ratio), "seed {seed}: {ratio}");
    }
}

/// The venue's margin engine and the model's formula are written apart; they must agree on every position.
#[test]
fn the_venue_and_the_model_agree_where_a_position_is_liquidated() {
    let mut observer = Observer::new(6);
    for _ in 0..3 {
        observer.events();
    }
    let levels = observer.sim.true_levels();
    assert!(levels.len() > 1_000);
    for level in levels {
        let (entry, qty) = (level.entry.to_f64(), level.qty.to_f64());
        let price = liquidation_price(level.side, entry, qty, level.leverage, observer.sim.tiers()).unwrap();
        assert!((price - level.price.to_f64()).abs() < 1e-6, "{level:?}: {price}");
    }
}

/// Fills lie on the tape, and the mark's range of their minute holds them but for the basis.
#[test]
fn liquidations_happen_inside_their_bar() {
    const BASIS_MOST: f64 = 0.002;
    let mut observer = Observer::new(7);
    let mut seen = 0;
    for _ in 0..60 {
        let events = observer.events();
        let mut bars: BTreeMap<UnixMs, [Option<Kline>; 2]> = BTreeMap::new();
        for event in &events {
            if let Event::Kline(kline) = event {
                let of_mark = usize::from(kline.kind == KlineKind::Mark);
                bars.entry(kline.open_time).or_default()[of_mark] = Some(*kline);
            }
        }
        for event in &events {
            let Event::Liquidation(forced) = event else { continue };
            let Some([Some(last), Some(mark)]) = bars.get(&forced.time.floor_to(MINUTE)) else {
                panic!("{forced:?} has no bar");
            };
            assert!((last.low..=last.high).contains(&forced.price), "{forced:?} {last:?}");
            let price = forced.price.to_f64();
            let low = mark.low.to_f64() * (1.0 - BASIS_MOST);
            let high = mark.high.to_f64() * (1.0 + BASIS_MOST);
            assert!((low..=high).contains(&price), "{forced:?} {mark:?}");
            seen += 1;
        }
    }
    assert!(seen > 1_000, "only {seen} liquidations in 60 hours");
}
