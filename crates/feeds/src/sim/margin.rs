//! The simulated venue's margin rules: its table of tiers, and where a position is liquidated.
//!
//! This is the venue's own reckoning, on purpose apart from the model's: the market is the oracle the model
//! is tested against, and an oracle that asked the model where its levels lie would share its mistakes. A
//! test holds the two to each other.

use liqheat_market::{Side, TierError, TierTable, UnixMs};

/// (floor in USD, maintenance rate, largest leverage) by notional at the liquidation price; the shape and
/// size of a large venue's table for its most traded contract.
const TIERS: [(f64, f64, f64); 8] = [
    (0.0, 0.004, 125.0),
    (300_000.0, 0.005, 100.0),
    (800_000.0, 0.0065, 75.0),
    (3_000_000.0, 0.01, 50.0),
    (12_000_000.0, 0.02, 25.0),
    (70_000_000.0, 0.025, 20.0),
    (100_000_000.0, 0.05, 10.0),
    (230_000_000.0, 0.1, 5.0),
];

pub(super) fn tier_table(as_of: UnixMs) -> Result<TierTable, TierError> {
    TierTable::new(as_of, &TIERS)
}

/// The price at which an isolated position has only its maintenance margin left: the root of
///
/// ```text
/// entry * qty / leverage + sign * qty * (P - entry) = rate_k * qty * P - cumulative_k
/// ```
///
/// with `k` the tier that holds `qty * P`. The left side minus the right is monotone and continuous in `P`
/// (the table's cumulative amounts see to it), so exactly one tier agrees with its own root.
pub(super) fn level(side: Side, entry: f64, qty: f64, leverage: f64, tiers: &TierTable) -> f64 {
    let sign = side.sign();
    let margin_per_coin = entry / leverage;
    let root =
        |rate: f64, cumulative: f64| (margin_per_coin + cumulative / qty - sign * entry) / (rate - sign);
    // Starting from the tier of the entry, one or two steps settle it; the bound is against a flip-flop by
    // rounding exactly on a floor, where both tiers give the same price.
    let mut price = entry;
    for _ in 0..tiers.tiers().len() {
        let tier = tiers.tier_of(qty * price);
        let next = root(tier.rate, tier.cumulative_usd);
        if next == price {
            break;
        }
        price = next;
    }
    price
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_positions_have_the_textbook_levels() {
        let tiers = tier_table(UnixMs(0)).unwrap();
        for (leverage, long, short) in
            [(10.0, 90_361.0, 109_562.0), (25.0, 96_386.0, 103_586.0), (125.0, 99_598.0, 100_398.0)]
        {
            assert_eq!(level(Side::Long, 100_000.0, 0.4, leverage, &tiers).round(), long);
            assert_eq!(level(Side::Short, 100_000.0, 0.4, leverage, &tiers).round(), short);
        }
    }

    #[test]
    fn the_margin_left_at_the_level_is_the_maintenance_margin() {
        let tiers = tier_table(UnixMs(0)).unwrap();
        for side in Side::BOTH {
            for qty in [0.001, 2.9, 3.0, 3.1, 8.0, 35.0, 130.0, 800.0, 5_000.0] {
                for leverage in [3.0, 5.0, 10.0, 50.0] {
                    let entry = 100_000.0;
                    let price = level(side, entry, qty, leverage, &tiers);
                    let tier = tiers.tier_of(qty * price);
                    let left = qty * entry / leverage + side.sign() * qty * (price - entry);
                    let needed = tier.rate * qty * price - tier.cumulative_usd;
                    assert!(
                        (left - needed).abs() < 1e-6 * qty * entry,
                        "{side:?} {qty} {leverage}: {left} {needed}"
                    );
                }
            }
        }
    }
}
