//! The exact price at which a linear contract is liquidated.
//!
//! Side `s` (+1 long, -1 short), entry `E`, quantity `q` (coins), margin `M` (isolated: `qE/L`). A venue asks
//! for a maintenance margin of `q P m_k - c_k` at price `P`, with `k` the tier that holds the notional `q P`.
//! Liquidation is where margin plus unrealised profit falls to it:
//!
//! ```text
//! M + s q (P - E) = q P m_k - c_k      =>      P* = (M + c_k - s q E) / (q (m_k - s))
//! ```
//!
//! The shortcut `E (1 - s/L + s m/L)` is not used: the distance it gives is off by 24 % at 50x.

use liqheat_market::{Side, Tier, TierTable};

/// Why a position has no liquidation price.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoLevel {
    /// Entry, quantity or leverage is not a positive, finite number, or the margin is negative.
    #[error("not a position: entry, quantity and leverage must be positive and margin not negative")]
    NotAPosition,
    /// The margin does not even cover the maintenance margin at the entry price.
    #[error("margin is below the maintenance margin at entry; the leverage is too high for this tier")]
    UnderMargined,
    /// Not even a price of zero would liquidate it.
    #[error("the margin covers any loss")]
    Unreachable,
}

/// Liquidation price of an isolated position with margin `entry * qty / leverage`, in quote units.
///
/// # Errors
/// [`NoLevel`], when there is no such price.
///
/// ```
/// use liqheat_market::{Side, TierTable, UnixMs};
/// let tiers = TierTable::flat(UnixMs(0), 0.004).unwrap();
/// let price = liqheat_model::liquidation_price(Side::Long, 100_000.0, 0.4, 25.0, &tiers).unwrap();
/// assert_eq!(price.round(), 96_386.0);
/// ```
pub fn liquidation_price(
    side: Side,
    entry: f64,
    qty: f64,
    leverage: f64,
    tiers: &TierTable,
) -> Result<f64, NoLevel> {
    if !(leverage > 0.0 && leverage.is_finite()) {
        return Err(NoLevel::NotAPosition);
    }
    liquidation_price_with_margin(side, entry, qty, entry * qty / leverage, tiers)
}

/// Liquidation price of a position backed by `margin` USD: the margin of an isolated position after additions,
/// or the whole wallet of an account in cross mode that holds nothing else.
///
/// # Errors
/// [`NoLevel`], when there is no such price.
pub fn liquidation_price_with_margin(
    side: Side,
    entry: f64,
    qty: f64,
    margin: f64,
    tiers: &TierTable,
) -> Result<f64, NoLevel> {
    let positive = |x: f64| x > 0.0 && x.is_finite();
    let is_position = positive(entry) && positive(qty) && margin >= 0.0 && margin.is_finite();
    if !is_position {
        return Err(NoLevel::NotAPosition);
    }
    if margin <= maintenance_margin(entry * qty, tiers) {
        return Err(NoLevel::UnderMargined);
    }
    // The maintenance margin is continuous and grows slower than the notional, so the balance crosses it
    // once. The crossing lies in the first tier whose own solution stays below the tier's ceiling.
    let rows = tiers.tiers();
    let mut price = f64::NAN;
    for (index, tier) in rows.iter().enumerate() {
        price = liquidation_price_in_tier(side, entry, qty, margin, tier);
        let ceiling_usd = rows.get(index + 1).map_or(f64::INFINITY, |next| next.floor_usd);
        if qty * price < ceiling_usd {
            break;
        }
    }
    if price > 0.0 { Ok(price) } else { Err(NoLevel::Unreachable) }
}

/// The formula for one given tier, whether or not that tier holds the notional at the result.
#[must_use]
pub fn liquidation_price_in_tier(side: Side, entry: f64, qty: f64, margin: f64, tier: &Tier) -> f64 {
    let sign = side.sign();
    (margin + tier.cumulative_usd - sign * qty * entry) / (qty * (tier.rate - sign))
}

/// The price at which the margin of an isolated position is gone: `E (1 - s/L)`.
#[must_use]
pub fn bankruptcy_price(side: Side, entry: f64, leverage: f64) -> f64 {
    entry * (1.0 - side.sign() / leverage)
}

/// The liquidation price of a position whose bankruptcy price is known, as venues report it:
/// `(P_b - s c/q) / (1 - s m)`.
#[must_use]
pub fn liquidation_price_of_bankruptcy(side: Side, bankruptcy: f64, qty: f64, tiers: &TierTable) -> f64 {
    let sign = side.sign();
    let rows = tiers.tiers();
    let mut price = bankruptcy;
    for (index, tier) in rows.iter().enumerate() {
        price = (bankruptcy - sign * tier.cumulative_usd / qty) / (1.0 - sign * tier.rate);
        let ceiling_usd = rows.get(index + 1).map_or(f64::INFINITY, |next| next.floor_usd);
        if qty * price < ceiling_usd {
            break;
        }
    }
    price
}

/// The way back: the bankruptcy price of a position liquidated at a known price.
#[must_use]
pub fn bankruptcy_price_of_liquidation(side: Side, liquidation: f64, qty: f64, tiers: &TierTable) -> f64 {
    let tier = tiers.tier_of(liquidation * qty);
    liquidation * (1.0 - side.sign() * tier.rate) + side.sign() * tier.cumulative_usd / qty
}

/// Margin in USD that a venue wants for a notional in USD.
#[must_use]
pub fn maintenance_margin(notional_usd: f64, tiers: &TierTable) -> f64 {
    let tier = tiers.tier_of(notional_usd);
    notional_usd * tier.rate - tier.cumulative_usd
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::UnixMs;
    use proptest::prelude::*;

    /// The venue's brackets of the time of the published examples; their cumulative amounts come out as
    /// published (135,365 and 16,300).
    fn eth_tiers() -> TierTable {
        let rows = [
            (0.0, 0.005, 100.0),
            (10_000.0, 0.0065, 75.0),
            (100_000.0, 0.01, 50.0),
            (500_000.0, 0.02, 25.0),
            (1_000_000.0, 0.05, 10.0),
            (2_000_000.0, 0.1, 5.0),
            (5_000_000.0, 0.125, 4.0),
        ];
        TierTable::new(UnixMs(0), &rows).unwrap()
    }

    fn btc_tiers() -> TierTable {
        let rows = [
            (0.0, 0.004, 125.0),
            (50_000.0, 0.005, 100.0),
            (250_000.0, 0.01, 50.0),
            (1_000_000.0, 0.025, 20.0),
            (5_000_000.0, 0.05, 10.0),
        ];
        TierTable::new(UnixMs(0), &rows).unwrap()
    }

    fn assert_cents(found: f64, published: f64) {
        assert_eq!((found * 100.0).round(), (published * 100.0).round(), "{found} is not {published}");
    }

    #[test]
    fn published_wallet_examples_to_the_cent() {
        let wallet = 1_535_443.01;
        let eth = liquidation_price_with_margin(Side::Long, 1456.84, 3683.979, wallet, &eth_tiers()).unwrap();
        assert_cents(eth, 1114.78);
        assert_eq!(eth_tiers().tier_of(eth * 3683.979).cumulative_usd.round(), 135_365.0);
        let btc =
            liquidation_price_with_margin(Side::Long, 32_481.98, 109.488, wallet, &btc_tiers()).unwrap();
        assert_cents(btc, 18_778.73);
        assert_eq!(btc_tiers().tier_of(btc * 109.488).cumulative_usd.round(), 16_300.0);
    }

    #[test]
    fn published_isolated_examples_to_the_dollar() {
        for (leverage, long, short) in [
            (10.0, 90_361.0, 109_562.0),
            (25.0, 96_386.0, 103_586.0),
            (50.0, 98_394.0, 101_594.0),
            (100.0, 99_398.0, 100_598.0),
            (125.0, 99_598.0, 100_398.0),
        ] {
            for (side, published) in [(Side::Long, long), (Side::Short, short)] {
                let price = liquidation_price(side, 100_000.0, 0.4, leverage, &btc_tiers()).unwrap();
                assert_eq!(price.round(), published, "{side:?} {leverage}x");
            }
        }
    }

    #[test]
    fn the_shortcut_is_as_wrong_as_stated() {
        let tiers = TierTable::flat(UnixMs(0), 0.004).unwrap();
        for (leverage, off) in [(10.0, 0.03), (50.0, 0.24), (100.0, 0.65)] {
            let exact = 1.0 - liquidation_price(Side::Long, 1.0, 1.0, leverage, &tiers).unwrap();
            let shortcut = 1.0 / leverage - 0.004 / leverage;
            assert!((shortcut / exact - 1.0 - off).abs() < 0.011, "{leverage}x {}", shortcut / exact - 1.0);
        }
    }

    #[test]
    fn what_has_no_level_says_why() {
        let tiers = btc_tiers();
        let price = |entry, qty, leverage| liquidation_price(Side::Long, entry, qty, leverage, &tiers);
        assert_eq!(price(0.0, 1.0, 10.0), Err(NoLevel::NotAPosition));
        assert_eq!(price(1.0, f64::NAN, 10.0), Err(NoLevel::NotAPosition));
        assert_eq!(price(1.0, 1.0, 0.0), Err(NoLevel::NotAPosition));
        assert_eq!(price(100_000.0, 100.0, 125.0), Err(NoLevel::UnderMargined));
        assert_eq!(price(1.0, 1.0, 1.0), Err(NoLevel::Unreachable));
        assert!(liquidation_price(Side::Short, 1.0, 1.0, 1.0, &tiers).unwrap() > 1.9);
    }

    proptest! {
        #[test]
        fn equity_equals_maintenance_at_the_level(
            long in any::<bool>(),
            entry in 0.01f64..200_000.0,
            notional in 1.0f64..2e7,
            leverage in 1.5f64..125.0,
        ) {
            let tiers = btc_tiers();
            let side = if long { Side::Long } else { Side::Short };
            let qty = notional / entry;
            match liquidation_price(side, entry, qty, leverage, &tiers) {
                Ok(price) => {
                    let equity = notional / leverage + side.sign() * qty * (price - entry);
                    let wanted = maintenance_margin(qty * price, &tiers);
                    prop_assert!((equity - wanted).abs() < 1e-9 * notional, "{equity} {wanted}");
                    prop_assert!(side.sign() * (entry - price) > 0.0);
                    let bankruptcy = bankruptcy_price(side, entry, leverage);
                    prop_assert!(side.sign() * (price - bankruptcy) > 0.0);
                    let again = liquidation_price_of_bankruptcy(side, bankruptcy, qty, &tiers);
                    prop_assert!((again / price - 1.0).abs() < 1e-12);
                    let back = bankruptcy_price_of_liquidation(side, price, qty, &tiers);
                    prop_assert!((back / bankruptcy - 1.0).abs() < 1e-9);
                }
                Err(reason) => {
                    prop_assert_eq!(reason, NoLevel::UnderMargined);
                    prop_assert!(notional / leverage <= maintenance_margin(notional, &tiers));
                }
            }
        }

        #[test]
        fn more_leverage_is_a_nearer_level(
            long in any::<bool>(),
            notional in 1.0f64..40_000.0,
            leverage in 1.5f64..100.0,
        ) {
            let side = if long { Side::Long } else { Side::Short };
            let distance = |l: f64| (liquidation_price(side, 1.0, notional, l, &btc_tiers()).unwrap() - 1.0).abs();
            prop_assert!(distance(leverage * 1.1) < distance(leverage));
        }
    }
}
