//! Margin tiers as a venue's public interface tells them: in dollars, or in coins where positions are counted so.

use liqheat_market::{Price, TierError, TierTable, UnixMs};

/// What the bounds of tiers are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierUnit {
    /// Dollars of notional.
    Usd,
    /// Coins; a price turns them into dollars.
    Coins,
}

/// One tier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedTier {
    /// Size from which it holds, in the unit of [`TierRows`].
    pub floor: f64,
    /// Maintenance margin rate, a fraction.
    pub rate: f64,
    /// Largest leverage allowed.
    pub leverage_max: f64,
}

/// The tiers of one contract, smallest first.
#[derive(Debug, Clone, PartialEq)]
pub struct TierRows {
    /// What the floors are counted in.
    pub unit: TierUnit,
    /// The tiers.
    pub rows: Vec<PublishedTier>,
}

impl TierRows {
    /// As a table of `as_of`; `price` is that of a coin.
    ///
    /// # Errors
    /// When floors do not rise from zero or rates are out of range.
    pub fn table(&self, as_of: UnixMs, price: Price) -> Result<TierTable, TierError> {
        let usd = match self.unit {
            TierUnit::Usd => 1.0,
            TierUnit::Coins => price.to_f64(),
        };
        let rows: Vec<(f64, f64, f64)> =
            self.rows.iter().map(|row| ((row.floor * usd).round(), row.rate, row.leverage_max)).collect();
        TierTable::new(as_of, &rows)
    }

    /// From (size up to which it holds, rate, largest leverage) rows, smallest first: a tier begins where the one before
    /// ends.
    pub(super) fn from_ceilings(unit: TierUnit, rows: &[(f64, f64, f64)]) -> Self {
        let floors = std::iter::once(0.0).chain(rows.iter().map(|row| row.0));
        let rows = rows
            .iter()
            .zip(floors)
            .map(|(&(_, rate, leverage_max), floor)| PublishedTier { floor, rate, leverage_max })
            .collect();
        Self { unit, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_become_dollars_at_a_price() {
        let rows = TierRows::from_ceilings(TierUnit::Coins, &[(10.0, 0.004, 100.0), (50.0, 0.005, 50.0)]);
        let table = rows.table(UnixMs(0), Price::parse("80000").unwrap()).unwrap();
        assert_eq!(table.tiers()[1].floor_usd, 800_000.0);
        assert!((table.tiers()[1].cumulative_usd - 800.0).abs() < 1e-6);
        let dollars = TierRows { unit: TierUnit::Usd, ..rows };
        assert_eq!(
            dollars.table(UnixMs(0), Price::parse("80000").unwrap()).unwrap().tiers()[1].floor_usd,
            10.0
        );
    }
}
