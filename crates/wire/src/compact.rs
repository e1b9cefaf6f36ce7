//! Bodies of the compact answers: walls, map, largest levels, sums of realised liquidations.

use liqheat_market::Side;
use schemars::JsonSchema;
use serde::Serialize;

use crate::codes::SideJson;
use crate::{Decimal, FeedState};

/// Which state an answer is about.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StateReference {
    /// Of which symbol.
    pub symbol: String,
    /// Time of the newest market event in it, RFC 3339.
    pub as_of: String,
    /// Epoch of the live state; absent for a state of the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Position of the live state in its epoch; absent for a state of the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Health of the data now.
    pub state: FeedState,
    /// Price of the state.
    pub current_price: Decimal,
    /// `1h` or `4h` where dollars are what is expected to be liquidated within that time; absent where they are the size
    /// of levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_within: Option<&'static str>,
}

/// `GET /v1/walls`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WallsBody {
    /// The state.
    #[serde(flatten)]
    pub reference: StateReference,
    /// Whole USD of all long levels, in walls or not.
    pub long_usd: u64,
    /// Whole USD of all short levels.
    pub short_usd: u64,
    /// Those with the most dollars first.
    pub walls: Vec<WallRow>,
}

/// A stretch of price in which the levels of one side are denser than around it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WallRow {
    /// `long` or `short`: the positions that would be liquidated.
    #[serde(with = "SideJson")]
    pub side: Side,
    /// Lower edge.
    pub low: Decimal,
    /// Upper edge.
    pub high: Decimal,
    /// Middle of its densest stretch.
    pub peak_price: Decimal,
    /// Whole USD.
    pub usd: u64,
    /// Of all dollars of its side, 0 to 1.
    pub share: f64,
    /// From the price to its nearest edge, per cent; negative below the price, 0 inside.
    pub distance_pct: f64,
    /// Whole USD expected to be liquidated in it within an hour; absent for states of the past and with `view=expected`, and
    /// while the volatility is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_usd_1h: Option<u64>,
    /// Mean of 2^(-age / 8 h) over its dollars, 0 to 1; only with `freshness=true`, for the live state's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<f64>,
    /// Whole USD of the same side between the price and the wall.
    pub usd_on_the_way: u64,
    /// Its dollars by leverage class, lowest class first; classes without any are absent.
    pub leverages: Vec<LeverageUsd>,
}

/// Dollars of a leverage class.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LeverageUsd {
    /// The class.
    pub leverage: Decimal,
    /// Whole USD.
    pub usd: u64,
}

/// `GET /v1/max-pain`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MaxPainBody {
    /// The state.
    #[serde(flatten)]
    pub reference: StateReference,
    /// How far from the price levels were compared, per cent.
    pub range_pct: f64,
    /// The level at which the most longs would be liquidated; `null` where there is none within the range.
    pub long: Option<PainLevel>,
    /// The level at which the most shorts would be liquidated.
    pub short: Option<PainLevel>,
}

/// The largest level of a side.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PainLevel {
    /// Lower edge of the bin.
    pub price: Decimal,
    /// Whole USD.
    pub usd: u64,
    /// Of all dollars of its side, 0 to 1.
    pub share: f64,
    /// From the price to the bin's nearest edge, per cent; negative below the price, 0 inside.
    pub distance_pct: f64,
}

/// `GET /v1/map`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MapBody {
    /// The state.
    #[serde(flatten)]
    pub reference: StateReference,
    /// Height of a bin.
    pub bin: Decimal,
    /// Leverage classes, lowest first.
    pub leverages: Vec<Decimal>,
    /// Whole USD of all long levels, shown or not.
    pub long_usd: u64,
    /// Whole USD of all short levels.
    pub short_usd: u64,
    /// Ascending in price.
    pub levels: Vec<MapRow>,
}

/// One bin of the map; whole USD.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MapRow {
    /// Lower edge of the bin.
    pub price: Decimal,
    /// Longs that would be liquidated in it.
    pub long_usd: u64,
    /// Shorts that would be liquidated in it.
    pub short_usd: u64,
    /// Longs in it and in all bins above: what a fall of the price to it would liquidate.
    pub long_cumulative_usd: u64,
    /// Shorts in it and in all bins below: what a rise to it would liquidate.
    pub short_cumulative_usd: u64,
    /// `long_usd` by leverage class, in the order of `leverages`.
    pub long_by_leverage: Vec<u64>,
    /// `short_usd` by leverage class.
    pub short_by_leverage: Vec<u64>,
}

/// `GET /v1/liquidations/summary`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LiquidationSummaryBody {
    /// Of which symbol.
    pub symbol: String,
    /// Market time at which all windows end, RFC 3339.
    pub end_time: String,
    /// Shortest first.
    pub windows: Vec<LiquidationWindow>,
}

/// What was liquidated within a time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LiquidationWindow {
    /// `1h`, `4h`, `12h` or `24h`.
    pub window: &'static str,
    /// When it begins, RFC 3339.
    pub start_time: String,
    /// All venues.
    #[serde(flatten)]
    pub total: LiquidationTotal,
    /// Each venue behind the symbol, also those without any.
    pub venues: Vec<VenueLiquidations>,
}

/// Sums of realised liquidations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LiquidationTotal {
    /// Whole USD of longs.
    pub long_usd: u64,
    /// Whole USD of shorts.
    pub short_usd: u64,
    /// How many longs.
    pub long_count: u64,
    /// How many shorts.
    pub short_count: u64,
}

/// What a venue liquidated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VenueLiquidations {
    /// Which one.
    pub venue: &'static str,
    /// Its sums.
    #[serde(flatten)]
    pub total: LiquidationTotal,
}
