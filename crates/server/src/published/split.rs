//! The leverage split of a published state.
//!
//! A state carries dollars by level, not by leverage, because every server of a cluster publishes the producer's
//! levels. The split comes from the local ledgers, scaled level by level so that the classes of a level sum to the
//! published dollars exactly. Where the local ledgers computed the state themselves the scale is 1.

use std::collections::BTreeMap;

use liqheat_market::Price;
use liqheat_market::convert::approx_f64;
use liqheat_model::LeverageLevel;
use liqheat_wire::Cell;

/// One side's dollars of one level or leverage class.
type SideUsd = fn(&LeverageLevel) -> f64;

/// Splits published levels by leverage in the proportions of `local`: lowest leverage first, prices ascending within
/// it. A level that no local ledger has is split like its whole side. Empty where the local ledgers have nothing.
pub(crate) fn split(cells: &[Cell], local: &[LeverageLevel]) -> Vec<LeverageLevel> {
    let mut leverages: Vec<f64> = local.iter().map(|level| level.leverage).collect();
    leverages.sort_by(f64::total_cmp);
    leverages.dedup();
    let long = SideSplit::new(&leverages, local, |level| level.long_usd);
    let short = SideSplit::new(&leverages, local, |level| level.short_usd);
    let mut classes: Vec<Vec<LeverageLevel>> = vec![Vec::with_capacity(cells.len()); leverages.len()];
    for cell in cells {
        let parts = long.of(cell.price, cell.long_usd).into_iter().zip(short.of(cell.price, cell.short_usd));
        for ((class, leverage), (long_usd, short_usd)) in classes.iter_mut().zip(&leverages).zip(parts) {
            if long_usd > 0.0 || short_usd > 0.0 {
                class.push(LeverageLevel { leverage: *leverage, price: cell.price, long_usd, short_usd });
            }
        }
    }
    classes.concat()
}

/// Weights of the leverage classes on one side, by level and for the whole side.
struct SideSplit {
    by_price: BTreeMap<Price, Vec<f64>>,
    whole: Vec<f64>,
}

impl SideSplit {
    fn new(leverages: &[f64], local: &[LeverageLevel], usd: SideUsd) -> Self {
        let mut by_price: BTreeMap<Price, Vec<f64>> = BTreeMap::new();
        let mut whole = vec![0.0; leverages.len()];
        for level in local {
            let Some(class) = leverages.iter().position(|one| one.total_cmp(&level.leverage).is_eq()) else {
                continue;
            };
            by_price.entry(level.price).or_insert_with(|| vec![0.0; leverages.len()])[class] += usd(level);
            whole[class] += usd(level);
        }
        Self { by_price, whole }
    }

    /// Dollars by class that sum to `usd`.
    fn of(&self, price: Price, usd: u64) -> Vec<f64> {
        let has_mass = |weights: &&Vec<f64>| weights.iter().sum::<f64>() > 0.0;
        let weights = self.by_price.get(&price).filter(has_mass).unwrap_or(&self.whole);
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            return vec![0.0; weights.len()];
        }
        let usd = approx_f64(usd);
        weights.iter().map(|weight| usd * weight / sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level(leverage: f64, units: i64, long_usd: f64, short_usd: f64) -> LeverageLevel {
        LeverageLevel { leverage, price: Price::from_units(units), long_usd, short_usd }
    }

    fn cell(units: i64, long_usd: u64, short_usd: u64) -> Cell {
        Cell { price: Price::from_units(units), long_usd, short_usd }
    }

    #[test]
    fn a_level_is_split_like_the_local_one_and_an_unknown_level_like_its_side() {
        let local = [level(10.0, 1, 30.0, 0.0), level(50.0, 1, 10.0, 0.0), level(50.0, 2, 40.0, 5.0)];
        let split = split(&[cell(1, 80, 0), cell(2, 7, 9), cell(3, 160, 0)], &local);
        let expected = [
            level(10.0, 1, 60.0, 0.0),
            level(10.0, 3, 60.0, 0.0),
            level(50.0, 1, 20.0, 0.0),
            level(50.0, 2, 7.0, 9.0),
            level(50.0, 3, 100.0, 0.0),
        ];
        assert_eq!(split, expected);
    }

    proptest! {
        /// Whatever the local ledgers hold, the classes of a level sum to what was published.
        #[test]
        fn the_classes_of_a_level_sum_to_it(
            cells in prop::collection::btree_map(0i64..40, (0u64..1_000_000, 0u64..1_000_000), 0..30),
            local in prop::collection::vec((0usize..3, 0i64..40, 0.0..1e6f64, 0.0..1e6f64), 1..60),
        ) {
            let cells: Vec<Cell> = cells.iter().map(|(price, (long, short))| cell(*price, *long, *short)).collect();
            let mut local: Vec<LeverageLevel> =
                local.iter().map(|(class, at, long, short)| level([5.0, 25.0, 100.0][*class], *at, *long, *short)).collect();
            local.push(level(5.0, 50, 1.0, 1.0));
            let split = split(&cells, &local);
            for cell in &cells {
                let at = || split.iter().filter(|level| level.price == cell.price);
                let (long, short) = (at().map(|level| level.long_usd).sum::<f64>(), at().map(|level| level.short_usd).sum::<f64>());
                prop_assert!((long - cell.long_usd as f64).abs() < 1e-6 * (1.0 + cell.long_usd as f64));
                prop_assert!((short - cell.short_usd as f64).abs() < 1e-6 * (1.0 + cell.short_usd as f64));
            }
            prop_assert!(split.is_sorted_by_key(|level| (level.leverage.to_bits(), level.price)));
        }
    }
}
