//! The mass of one side by price and leverage class.

use std::collections::BTreeMap;

use liqheat_market::convert::approx_f64;
use liqheat_market::{Price, Side};
use liqheat_model::LeverageLevel;

use super::distance_pct;

/// The class of mass whose leverage is not known. Answers do not list it.
pub(crate) const UNCLASSED: f64 = 0.0;

/// A price bin with mass.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bin {
    pub(crate) low: Price,
    /// Upper edge, exclusive.
    pub(crate) high: Price,
    /// USD by leverage class, in the order of [`SideMass::leverages`].
    pub(crate) by_class: Vec<f64>,
}

impl Bin {
    pub(crate) fn usd(&self) -> f64 {
        self.by_class.iter().sum()
    }

    pub(crate) fn width(&self) -> f64 {
        approx_f64(self.high.units() - self.low.units())
    }
}

/// All mass of one side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SideMass {
    pub(crate) side: Side,
    /// Leverage classes, lowest first.
    pub(crate) leverages: Vec<f64>,
    /// Bins with mass, ascending; they do not overlap.
    pub(crate) bins: Vec<Bin>,
}

impl SideMass {
    /// One side of levels in bins of one height. `leverages` are the classes to tell apart, lowest first.
    pub(crate) fn new(side: Side, levels: &[LeverageLevel], bin: Price, leverages: &[f64]) -> Self {
        let mut by_price: BTreeMap<Price, Vec<f64>> = BTreeMap::new();
        for level in levels {
            let usd = match side {
                Side::Long => level.long_usd,
                Side::Short => level.short_usd,
            };
            let class = leverages.iter().position(|one| one.total_cmp(&level.leverage).is_eq());
            let Some(class) = class.filter(|_| usd > 0.0) else { continue };
            if let Some(sum) =
                by_price.entry(level.price).or_insert_with(|| vec![0.0; leverages.len()]).get_mut(class)
            {
                *sum += usd;
            }
        }
        let bins = by_price.into_iter().map(|(low, by_class)| {
            let high = Price::from_units(low.units().saturating_add(bin.units()));
            Bin { low, high, by_class }
        });
        Self { side, leverages: leverages.to_vec(), bins: bins.collect() }
    }

    /// All dollars of the side.
    pub(crate) fn usd(&self) -> f64 {
        self.bins.iter().map(Bin::usd).sum()
    }

    /// The bin with the most dollars among those within this distance of the price, per cent; of equal ones the nearest.
    pub(crate) fn largest(&self, price: Price, range_pct: f64) -> Option<&Bin> {
        let away = |bin: &Bin| (bin.low.units() - price.units()).abs();
        let within = |bin: &&Bin| distance_pct(bin.low, bin.high, price).abs() <= range_pct;
        self.bins
            .iter()
            .filter(within)
            .max_by(|a, b| a.usd().total_cmp(&b.usd()).then_with(|| away(b).cmp(&away(a))))
    }
}

/// The leverage classes of some levels, lowest first.
pub(crate) fn leverages_of(levels: &[LeverageLevel]) -> Vec<f64> {
    let mut leverages: Vec<f64> = levels.iter().map(|level| level.leverage).collect();
    leverages.sort_by(f64::total_cmp);
    leverages.dedup();
    leverages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(leverage: f64, units: i64, long_usd: f64, short_usd: f64) -> LeverageLevel {
        LeverageLevel { leverage, price: Price::from_units(units), long_usd, short_usd }
    }

    #[test]
    fn classes_of_a_bin_stay_apart_and_empty_bins_are_absent() {
        let levels = [level(50.0, 20, 5.0, 0.0), level(10.0, 20, 3.0, 1.0), level(10.0, 10, 0.0, 7.0)];
        let leverages = leverages_of(&levels);
        assert_eq!(leverages, [10.0, 50.0]);
        let long = SideMass::new(Side::Long, &levels, Price::from_units(10), &leverages);
        assert_eq!(long.bins.len(), 1);
        assert_eq!((long.bins[0].low.units(), long.bins[0].high.units()), (20, 30));
        assert_eq!(long.bins[0].by_class, [3.0, 5.0]);
        let short = SideMass::new(Side::Short, &levels, Price::from_units(10), &leverages);
        assert_eq!((short.usd(), short.bins.len()), (8.0, 2));
        assert_eq!(short.largest(Price::from_units(1), f64::INFINITY).unwrap().low.units(), 10);
    }

    #[test]
    fn of_equal_levels_the_nearest_is_the_largest() {
        let levels = [level(10.0, 10, 4.0, 0.0), level(10.0, 30, 4.0, 0.0), level(10.0, 20, 4.0, 0.0)];
        let long = SideMass::new(Side::Long, &levels, Price::from_units(10), &[10.0]);
        assert_eq!(long.largest(Price::from_units(40), f64::INFINITY).unwrap().low.units(), 30);
    }

    #[test]
    fn the_largest_level_is_one_within_reach() {
        let levels = [level(3.0, 500, 900.0, 0.0), level(50.0, 950, 4.0, 0.0), level(100.0, 980, 3.0, 0.0)];
        let long = SideMass::new(Side::Long, &levels, Price::from_units(10), &[3.0, 50.0, 100.0]);
        let largest =
            |range_pct| long.largest(Price::from_units(1_000), range_pct).map(|bin| bin.low.units());
        assert_eq!([100.0, 10.0, 3.0, 0.5].map(largest), [Some(500), Some(950), Some(980), None]);
    }
}
