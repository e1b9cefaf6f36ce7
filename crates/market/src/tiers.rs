//! Maintenance margin tiers: the larger the position, the higher the rate.
//!
//! Maintenance margin of a position of notional `n` in tier `k` is `n m_k - c_k`. The cumulative amounts
//! `c_k` make the margin continuous: `c_1 = 0`, `c_k = c_(k-1) + floor_k (m_k - m_(k-1))`.

use crate::UnixMs;

/// One row of a venue's table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tier {
    /// Notional in USD from which the tier holds (inclusive).
    pub floor_usd: f64,
    /// Maintenance margin rate, a fraction of notional.
    pub rate: f64,
    /// Cumulative amount in USD.
    pub cumulative_usd: f64,
    /// Largest leverage the venue allows here.
    pub leverage_max: f64,
}

/// Why a table is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TierError {
    /// There must be at least one row.
    #[error("the tier table has no rows")]
    Empty,
    /// The first floor must be zero and floors must rise.
    #[error("tier {row}: floor {floor} must be {expected}")]
    Floor {
        /// Row, counted from 1.
        row: usize,
        /// What was found.
        floor: f64,
        /// What was expected, in words.
        expected: &'static str,
    },
    /// Rates must lie in (0, 1) and not fall.
    #[error("tier {row}: maintenance rate {rate} must lie between 0 and 1 and not fall from tier to tier")]
    Rate {
        /// Row, counted from 1.
        row: usize,
        /// What was found.
        rate: f64,
    },
}

/// A venue's tiers for one symbol on one date, checked: floors rise from zero, rates do not fall, cumulative
/// amounts are recomputed so that the maintenance margin is continuous.
#[derive(Debug, Clone, PartialEq)]
pub struct TierTable {
    as_of: UnixMs,
    tiers: Vec<Tier>,
}

impl TierTable {
    /// Builds a table from (floor in USD, maintenance rate, largest leverage) rows.
    ///
    /// # Errors
    /// When there is no row, floors do not rise from zero, or a rate is out of range or falls.
    pub fn new(as_of: UnixMs, rows: &[(f64, f64, f64)]) -> Result<Self, TierError> {
        if rows.is_empty() {
            return Err(TierError::Empty);
        }
        let mut tiers: Vec<Tier> = Vec::with_capacity(rows.len());
        for (index, &(floor_usd, rate, leverage_max)) in rows.iter().enumerate() {
            let row = index + 1;
            let rate_fits = rate > 0.0 && rate < 1.0;
            let cumulative_usd = match tiers.last() {
                None if floor_usd != 0.0 => {
                    return Err(TierError::Floor { row, floor: floor_usd, expected: "0" });
                }
                None => 0.0,
                Some(below) if floor_usd.is_nan() || floor_usd <= below.floor_usd => {
                    return Err(TierError::Floor {
                        row,
                        floor: floor_usd,
                        expected: "above the tier before",
                    });
                }
                Some(below) if rate < below.rate => return Err(TierError::Rate { row, rate }),
                Some(below) => below.cumulative_usd + floor_usd * (rate - below.rate),
            };
            if !rate_fits {
                return Err(TierError::Rate { row, rate });
            }
            tiers.push(Tier { floor_usd, rate, cumulative_usd, leverage_max });
        }
        Ok(Self { as_of, tiers })
    }

    /// One flat rate, for venues and symbols without a table.
    ///
    /// # Errors
    /// When the rate does not lie between 0 and 1.
    pub fn flat(as_of: UnixMs, rate: f64) -> Result<Self, TierError> {
        Self::new(as_of, &[(0.0, rate, 125.0)])
    }

    /// The date of the table.
    #[must_use]
    pub const fn as_of(&self) -> UnixMs {
        self.as_of
    }

    /// All rows, smallest notional first; never empty.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// The row that holds for a notional; the first for anything below it, the last for anything above.
    #[must_use]
    pub fn tier_of(&self, notional_usd: f64) -> &Tier {
        let above = self.tiers.partition_point(|tier| tier.floor_usd <= notional_usd);
        &self.tiers[above.saturating_sub(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TierTable {
        TierTable::new(UnixMs(0), &[(0.0, 0.004, 125.0), (50_000.0, 0.005, 100.0), (250_000.0, 0.01, 50.0)])
            .unwrap()
    }

    #[test]
    fn cumulative_amounts_make_margin_continuous() {
        let table = table();
        let amounts: Vec<f64> = table.tiers().iter().map(|tier| tier.cumulative_usd).collect();
        assert_eq!(amounts[0], 0.0);
        assert!((amounts[1] - 50.0).abs() < 1e-9);
        assert!((amounts[2] - 1_300.0).abs() < 1e-9);
    }

    #[test]
    fn a_notional_finds_its_tier() {
        let table = table();
        for (notional, rate) in
            [(-1.0, 0.004), (0.0, 0.004), (49_999.9, 0.004), (50_000.0, 0.005), (1e12, 0.01)]
        {
            assert_eq!(table.tier_of(notional).rate, rate, "{notional}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(TierTable::new(UnixMs(0), &[]), Err(TierError::Empty));
        for rows in [
            vec![(1.0, 0.01, 10.0)],
            vec![(0.0, 0.0, 10.0)],
            vec![(0.0, 1.0, 10.0)],
            vec![(0.0, f64::NAN, 10.0)],
            vec![(0.0, 0.01, 10.0), (0.0, 0.02, 5.0)],
            vec![(0.0, 0.01, 10.0), (f64::NAN, 0.02, 5.0)],
            vec![(0.0, 0.02, 10.0), (10.0, 0.01, 5.0)],
        ] {
            assert!(TierTable::new(UnixMs(0), &rows).is_err(), "{rows:?}");
        }
    }
}
