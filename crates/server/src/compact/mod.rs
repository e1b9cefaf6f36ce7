//! Compact answers about a state: walls, a map with cumulative curves, the largest level of each side.
//!
//! Pure functions of levels by leverage and a price. They keep sums: whatever is grouped, the dollars of a group are
//! those of its bins, and the dollars of its leverage classes are those of the group.

mod answers;
mod expected;
mod freshness;
mod map;
mod mass;
mod walls;

pub(crate) use answers::{WallLevels, WallSelection, liquidation_row, rounded, walls_body};
pub(crate) use expected::{Outlook, VOLATILITY_CANDLES, expected, expected_cells, hourly_volatility};
pub(crate) use freshness::{AGES_H, fresh_levels};
pub(crate) use map::{MapLevel, map};
pub(crate) use mass::{SideMass, UNCLASSED, leverages_of};
pub(crate) use walls::{Wall, walls};

use liqheat_market::Price;
use liqheat_market::convert::{round_u64, trunc_u64};

/// Distance from the price to the nearest edge of a span, per cent, signed: negative below, 0 inside.
pub(crate) fn distance_pct(low: Price, high: Price, price: Price) -> f64 {
    let edge = if price < low {
        low
    } else if price > high {
        high
    } else {
        return 0.0;
    };
    (edge.to_f64() / price.to_f64() - 1.0) * 100.0
}

/// Whole dollars that sum to the whole of `parts`: each is rounded down, and the dollars that are missing go to those
/// that lost most.
pub(crate) fn whole_parts(parts: &[f64]) -> Vec<u64> {
    let whole = round_u64(parts.iter().sum::<f64>());
    let mut usd: Vec<u64> = parts.iter().map(|part| trunc_u64(*part)).collect();
    let missing = whole.saturating_sub(usd.iter().sum());
    let mut by_loss: Vec<usize> = (0..parts.len()).collect();
    let loss = |index: usize| parts.get(index).map_or(0.0, |part| part.max(0.0).fract());
    by_loss.sort_by(|a, b| loss(*b).total_cmp(&loss(*a)));
    for index in by_loss.into_iter().cycle().take(usize::try_from(missing).unwrap_or(0).min(parts.len())) {
        if let Some(part) = usd.get_mut(index) {
            *part += 1;
        }
    }
    usd
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn distance_is_to_the_nearest_edge_and_signed() {
        let at =
            |price| distance_pct(Price::from_units(90), Price::from_units(110), Price::from_units(price));
        assert_eq!((at(90), at(100), at(110)), (0.0, 0.0, 0.0));
        assert!((at(100 * 2) + 45.0).abs() < 1e-9);
        assert!((at(45) - 100.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn whole_parts_sum_to_the_whole(parts in prop::collection::vec(0.0..1e9f64, 0..8)) {
            let usd = whole_parts(&parts);
            prop_assert_eq!(usd.iter().sum::<u64>(), parts.iter().sum::<f64>().round() as u64);
            for (usd, part) in usd.iter().zip(&parts) {
                prop_assert!((*usd as f64 - part).abs() <= 1.0);
            }
        }
    }
}
