//! Body of `GET /v1/measured`: positions of real accounts.

use liqheat_market::Side;
use schemars::JsonSchema;
use serde::Serialize;

use crate::codes::SideJson;
use crate::{Decimal, FeedState};

/// `GET /v1/measured`: where positions of real accounts would be liquidated.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MeasuredBody {
    /// The name of the layer, such as `BTCUSDT@hyperliquid:measured`.
    pub symbol: String,
    /// Time of the marks it was computed with, RFC 3339.
    pub as_of: String,
    /// How its data stands.
    pub state: FeedState,
    /// Mark price of the venue.
    pub current_price: Decimal,
    /// Height of a level.
    pub bin: Decimal,
    /// Addresses that are known at the venue.
    pub addresses: usize,
    /// Accounts whose next look is due and waits for the request budget.
    pub accounts_late: usize,
    /// Measured longs over the open interest of the side, 0 to 1; absent while that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_long: Option<f64>,
    /// Measured shorts over the open interest of the side, 0 to 1; absent while that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_short: Option<f64>,
    /// All measured longs.
    pub long: MeasuredSideBody,
    /// All measured shorts.
    pub short: MeasuredSideBody,
    /// Levels with positions, ascending in price.
    pub levels: Vec<MeasuredLevel>,
    /// The positions nearest to their liquidation, nearest first.
    pub closest: Vec<MeasuredPosition>,
}

/// Measured positions of one side.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MeasuredSideBody {
    /// Whole USD at the mark price.
    pub usd: u64,
    /// Accounts with a position.
    pub accounts: usize,
    /// Share of the size that no price liquidates, 0 to 1.
    pub share_without_level: f64,
    /// Share of the size that was looked at more than 5 minutes ago, 0 to 1.
    pub share_older_than_5m: f64,
    /// Share of the size that was looked at more than 60 minutes ago, 0 to 1.
    pub share_older_than_60m: f64,
}

/// Positions that would be liquidated within one bin.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MeasuredLevel {
    /// Lower edge of the bin.
    pub price: Decimal,
    /// Whole USD of longs at their liquidation prices.
    pub long_usd: u64,
    /// Whole USD of shorts at their liquidation prices.
    pub short_usd: u64,
    /// Accounts of longs.
    pub long_accounts: usize,
    /// Accounts of shorts.
    pub short_accounts: usize,
    /// Seconds since the oldest look at one of them.
    pub age_s: u64,
}

/// One position.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MeasuredPosition {
    /// `long` or `short`.
    #[serde(with = "SideJson")]
    pub side: Side,
    /// Where it would be liquidated.
    pub liquidation_price: Decimal,
    /// Distance from the mark price in per cent, signed.
    pub distance_pct: f64,
    /// Whole USD at the liquidation price.
    pub usd: u64,
    /// Seconds since the look at the account.
    pub age_s: u64,
    /// The account; only with `--show-addresses`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
