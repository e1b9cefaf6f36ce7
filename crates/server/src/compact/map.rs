//! The liquidation map: both sides by price and leverage, with the dollars that a move of the price to each level
//! would liquidate.

use std::collections::BTreeMap;

use liqheat_market::Price;

use super::mass::SideMass;
use super::whole_parts;

/// One price of the map, in whole dollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapLevel {
    /// Lower edge of the bin.
    pub(crate) price: Price,
    pub(crate) long: MapSide,
    pub(crate) short: MapSide,
}

/// One side of a price.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MapSide {
    pub(crate) usd: u64,
    /// By leverage class; sums to `usd`.
    pub(crate) by_class: Vec<u64>,
    /// Dollars of this side in this bin and in all that are nearer to the price.
    pub(crate) cumulative: u64,
}

/// The map of two sides in bins of one height, ascending in price.
pub(crate) fn map(long: &SideMass, short: &SideMass) -> Vec<MapLevel> {
    let classes = long.leverages.len();
    let empty = || MapSide { by_class: vec![0; classes], ..MapSide::default() };
    let mut levels: BTreeMap<Price, MapLevel> = BTreeMap::new();
    let new = |price| MapLevel { price, long: empty(), short: empty() };
    for bin in &long.bins {
        levels.entry(bin.low).or_insert_with(|| new(bin.low)).long = side(&bin.by_class);
    }
    for bin in &short.bins {
        levels.entry(bin.low).or_insert_with(|| new(bin.low)).short = side(&bin.by_class);
    }
    let mut levels: Vec<MapLevel> = levels.into_values().collect();
    // Longs are liquidated on the way down, shorts on the way up.
    let mut sum = 0u64;
    for level in levels.iter_mut().rev() {
        sum = sum.saturating_add(level.long.usd);
        level.long.cumulative = sum;
    }
    sum = 0;
    for level in &mut levels {
        sum = sum.saturating_add(level.short.usd);
        level.short.cumulative = sum;
    }
    levels
}

fn side(by_class: &[f64]) -> MapSide {
    let by_class = whole_parts(by_class);
    MapSide { usd: by_class.iter().sum(), by_class, cumulative: 0 }
}

#[cfg(test)]
mod tests {
    use liqheat_market::Side;
    use liqheat_model::LeverageLevel;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn curves_run_away_from_the_price() {
        let level = |leverage, units, long_usd, short_usd| LeverageLevel {
            leverage,
            price: Price::from_units(units),
            long_usd,
            short_usd,
        };
        let levels = [
            level(10.0, 80, 5.0, 0.0),
            level(50.0, 80, 2.5, 0.0),
            level(50.0, 90, 2.5, 0.0),
            level(10.0, 110, 0.0, 3.0),
            level(10.0, 120, 0.0, 4.0),
        ];
        let of = |side| SideMass::new(side, &levels, Price::from_units(10), &[10.0, 50.0]);
        let map = map(&of(Side::Long), &of(Side::Short));
        let row = |level: &MapLevel| (level.price.units(), level.long.cumulative, level.short.cumulative);
        assert_eq!(
            map.iter().map(row).collect::<Vec<_>>(),
            [(80, 11, 0), (90, 3, 0), (110, 0, 3), (120, 0, 7)]
        );
        assert_eq!((map[0].long.usd, &map[0].long.by_class), (8, &vec![5, 3]));
    }

    proptest! {
        #[test]
        fn the_ends_of_the_curves_are_the_sums_of_the_sides(
            levels in prop::collection::vec((0usize..3, 0i64..40, 0u32..1_000_000, 0u32..1_000_000), 0..80),
        ) {
            let levels: Vec<LeverageLevel> = levels.iter().map(|(class, at, long, short)| LeverageLevel {
                leverage: [5.0, 25.0, 100.0][*class],
                price: Price::from_units(at * 10),
                long_usd: f64::from(*long),
                short_usd: f64::from(*short),
            }).collect();
            let of = |side| SideMass::new(side, &levels, Price::from_units(10), &[5.0, 25.0, 100.0]);
            let (long, short) = (of(Side::Long), of(Side::Short));
            let map = map(&long, &short);
            prop_assert_eq!(map.first().map_or(0, |level| level.long.cumulative), long.usd() as u64);
            prop_assert_eq!(map.last().map_or(0, |level| level.short.cumulative), short.usd() as u64);
            for level in &map {
                prop_assert_eq!(level.long.by_class.iter().sum::<u64>(), level.long.usd);
                prop_assert_eq!(level.short.by_class.iter().sum::<u64>(), level.short.usd);
            }
        }
    }
}
