//! Maps of one side at one moment, and the two simple maps that the model has to beat.

use std::collections::BTreeMap;

use liqheat_market::{Price, Side, UNIT_SCALE};

/// Bins of about a tenth of a per cent, as in public.
pub(crate) const BIN_USD: f64 = 100.0;
/// How far a map reaches, as a share of the price.
const REACH: f64 = 0.15;
/// Width of the steps of the distance-only map, as a share of the price.
const DISTANCE_STEP: f64 = 0.0025;
const DISTANCE_STEPS: usize = (REACH / DISTANCE_STEP) as usize + 1;

/// USD by bin, the nearest to the price first.
pub(crate) type Map = Vec<f64>;

/// Maps of one side at one full hour.
pub(crate) struct SideAtHour {
    pub(crate) side: Side,
    pub(crate) price: f64,
    pub(crate) truth: Map,
    pub(crate) estimate: Map,
    pub(crate) volume: Map,
    /// USD liquidated in the hour that follows; only the first `touched` bins were reached.
    pub(crate) liquidated: Map,
    pub(crate) touched: usize,
}

/// How many bins a side has.
pub(crate) fn bins(price: f64) -> usize {
    (price * REACH / BIN_USD) as usize
}

/// The bin of a level, counted away from the price.
pub(crate) fn bin_of(side: Side, price: f64, level: f64) -> Option<usize> {
    let away = ((price / BIN_USD).floor() - (level / BIN_USD).floor()) * side.sign();
    (away >= 0.0 && away < bins(price) as f64).then_some(away as usize)
}

/// The simple map known from many charts: all volume so far, moved by one over the leverage, wherever the
/// price has been since.
pub(crate) fn moved_volume(side: Side, price: f64, traded: &BTreeMap<Price, i128>) -> Map {
    const LEVERAGES: [f64; 4] = [10.0, 25.0, 50.0, 100.0];
    let mut map = vec![0.0; bins(price)];
    for (entry, units) in traded {
        for leverage in LEVERAGES {
            let level = entry.to_f64() * (1.0 - side.sign() / leverage);
            if let Some(bin) = bin_of(side, price, level) {
                map[bin] += level * *units as f64 / UNIT_SCALE as f64;
            }
        }
    }
    map
}

/// The best map by distance alone: mean true USD at each distance, over all looks it is fitted on.
pub(crate) struct DistanceMap([Vec<f64>; 2]);

impl DistanceMap {
    pub(crate) fn fit<'a>(looks: impl Iterator<Item = &'a SideAtHour>) -> Self {
        let mut sums = [vec![0.0; DISTANCE_STEPS], vec![0.0; DISTANCE_STEPS]];
        for look in looks {
            for (bin, usd) in look.truth.iter().enumerate() {
                sums[Self::side(look)][Self::step(look, bin)] += usd;
            }
        }
        Self(sums)
    }

    pub(crate) fn map(&self, look: &SideAtHour) -> Map {
        let by_step = &self.0[Self::side(look)];
        (0..look.truth.len()).map(|bin| by_step[Self::step(look, bin)]).collect()
    }

    fn side(look: &SideAtHour) -> usize {
        usize::from(look.side == Side::Short)
    }

    fn step(look: &SideAtHour, bin: usize) -> usize {
        ((bin as f64 * BIN_USD / look.price / DISTANCE_STEP) as usize).min(DISTANCE_STEPS - 1)
    }
}
