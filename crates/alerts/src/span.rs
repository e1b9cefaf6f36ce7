//! A wall as rules see it.

use liqheat_market::{Price, Side};
use liqheat_wire::SideJson;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::serial;

/// A stretch of price in which one side's estimated liquidations lie densely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WallSpan {
    /// Whose positions are liquidated there.
    #[serde(with = "serial::side")]
    #[schemars(with = "SideJson")]
    pub side: Side,
    /// Lower edge.
    #[serde(with = "serial::price")]
    #[schemars(with = "f64")]
    pub low: Price,
    /// Upper edge, exclusive.
    #[serde(with = "serial::price")]
    #[schemars(with = "f64")]
    pub high: Price,
    /// Where it is densest.
    #[serde(with = "serial::price")]
    #[schemars(with = "f64")]
    pub peak: Price,
    /// Estimated USD in it.
    pub usd: u64,
}

impl WallSpan {
    /// Whether both are of one side and share a price.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.side == other.side && self.low < other.high && other.low < self.high
    }

    /// Distance from a price to the nearest edge, per cent, signed: negative below the price, 0 inside.
    pub(crate) fn distance_pct(&self, price: Price) -> f64 {
        let edge = if price < self.low {
            self.low
        } else if price > self.high {
            self.high
        } else {
            return 0.0;
        };
        if price.is_positive() { (edge.to_f64() / price.to_f64() - 1.0) * 100.0 } else { f64::INFINITY }
    }

    /// Whether prices from `low` to `high` reach it from the side on which the price is before it is liquidated.
    pub(crate) fn is_touched(&self, low: Price, high: Price) -> bool {
        match self.side {
            Side::Long => low < self.high,
            Side::Short => high >= self.low,
        }
    }

    /// Whether prices from `low` to `high` go through all of it.
    pub(crate) fn is_passed(&self, low: Price, high: Price) -> bool {
        match self.side {
            Side::Long => low <= self.low,
            Side::Short => high >= self.high,
        }
    }
}
