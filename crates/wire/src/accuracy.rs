//! Body of the running score.

use schemars::JsonSchema;
use serde::Serialize;

/// `GET /v1/accuracy`: how well the map of each hour said where positions were liquidated in it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AccuracyBody {
    /// Of which symbol.
    pub symbol: String,
    /// Market time of the answer, RFC 3339.
    pub as_of: String,
    /// Length of a graded window, seconds.
    pub window_s: u32,
    /// Whether this server grades its map. One that serves stored data does not: `liqheat backtest` does.
    pub is_graded: bool,
    /// Each venue by itself.
    pub venues: Vec<VenueAccuracy>,
}

/// One venue.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct VenueAccuracy {
    /// Its name.
    pub venue: &'static str,
    /// What its feed of liquidations tells.
    pub feed: &'static str,
    /// The feed leaves out liquidations of busy moments, so dollars are too low and some hits are missing.
    pub is_throttled: bool,
    /// Fingerprint of the graded model's parameters. Other parameters begin a new score.
    pub parameters: String,
    /// The last 1, 7 and 30 days.
    pub periods: Vec<AccuracyPeriod>,
}

/// One length of time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AccuracyPeriod {
    /// Length in days.
    pub days: u32,
    /// Start of the first graded hour in it, RFC 3339; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Hours graded.
    pub hours: u64,
    /// Of them, those with a liquidation.
    pub hours_with_events: u64,
    /// Hours since the first graded one that could not be graded.
    pub hours_lost: u64,
    /// Liquidations in the graded hours.
    pub events: u64,
    /// Fewest liquidations from which the figures mean something.
    pub events_needed: u64,
    /// Why there are no figures; absent when there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Cells of ten basis points that the price crossed completely.
    pub cells: u64,
    /// Of them, those in which something was liquidated.
    pub cells_hit: u64,
    /// What the intervals are drawn from: `days`, or `hours` with fewer than five days. Intervals over hours are too
    /// narrow, because hours of one day are alike.
    pub interval_over: &'static str,
    /// The map and the predictors that it is compared with; empty with too few liquidations.
    pub predictors: Vec<PredictorAccuracy>,
}

/// One predictor. A figure that cannot be computed is absent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PredictorAccuracy {
    /// `map`, `distance`, `path`, `yesterdays_map` or `candle_colour`.
    pub predictor: &'static str,
    /// For people.
    pub title: &'static str,
    /// Headline: rank correlation with USD liquidated after distance is removed, ranks taken inside each hour and side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_hour_partial: Option<f64>,
    /// Its 95 % interval: lower and upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_hour_partial_interval: Option<(f64, f64)>,
    /// Spearman's rank correlation with USD liquidated, all touched cells together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_correlation: Option<f64>,
    /// USD liquidated in the tenth of the cells with the highest predictions, over the mean cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_tenth_lift: Option<f64>,
    /// Chance that a cell with a liquidation has a higher prediction than one without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area_under_curve: Option<f64>,
}
