//! Contracts that a venue lists.

use liqheat_market::{Qty, UNIT_SCALE};

/// What a contract is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Underlying {
    /// A coin.
    Coin,
    /// A stock, a commodity, an index: never summed with a coin that has the same ticker at another venue.
    Other,
}

/// A contract in a venue's list that can be traded now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedContract {
    /// The venue's name.
    pub name: String,
    /// Coins in one contract; 1 where the venue counts in coins. Venues change it: compare it with the one in use.
    pub size: Qty,
    /// What it is on.
    pub underlying: Underlying,
}

impl ListedContract {
    /// A contract on a coin that is counted in coins.
    pub(super) fn of_one_coin(name: &str) -> Self {
        Self { name: name.to_owned(), size: Qty::from_units(UNIT_SCALE), underlying: Underlying::Coin }
    }
}
