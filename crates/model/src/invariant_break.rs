//! How an invariant of the ledger can be broken.

use liqheat_market::Side;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvariantBreak {
    /// I1: a side does not sum to the open interest.
    #[error("invariant 1: {} mass {mass} is not the open interest {open_interest}", side.name())]
    Balance {
        /// Which side.
        side: Side,
        /// Its mass in coins.
        mass: f64,
        /// Open interest in coins.
        open_interest: f64,
    },
    /// I2: mass is negative or not a number.
    #[error("invariant 2: {} mass of {mass} coins", side.name())]
    Negative {
        /// Which side.
        side: Side,
        /// What was found, coins.
        mass: f64,
    },
    /// I3: a level stands on the wrong side of the price.
    #[error("invariant 3: {} levels reach across the price", side.name())]
    Beyond {
        /// Which side.
        side: Side,
    },
}
