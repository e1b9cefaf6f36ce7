//! The score card as data: what is printed, in the order in which it is printed.

use liqheat_market::UnixMs;
use serde::Serialize;

use crate::{ConfidenceInterval, ExpectedModel};

/// Everything that a backtest found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// What was graded.
    pub coverage: Coverage,
    /// I1 to I5 over the whole run.
    pub invariants: InvariantNumbers,
    /// Comparisons among touched cells, by length of window.
    pub given_touch: Vec<HorizonGivenTouch>,
    /// Comparisons among all cells, by length of window.
    pub without_touch: Vec<HorizonWithoutTouch>,
    /// USD consumed over USD liquidated.
    pub calibration: Calibration,
    /// Each leverage class alone, in windows of [`Card::leverage_window_ms`].
    pub leverage: Vec<LeverageSkill>,
    /// Length of the windows that the leverage classes and the reduced inputs are graded in.
    pub leverage_window_ms: i64,
    /// Score of the map without one of its inputs.
    pub reduced: Vec<Ablation>,
    /// The expected view, fitted on all windows of this run; absent with too few.
    pub fitted: Option<ExpectedModel>,
}

/// What was graded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// First bar of the warm-up, ms.
    #[serde(serialize_with = "ms")]
    pub first_bar: UnixMs,
    /// Start of the graded period, ms.
    #[serde(serialize_with = "ms")]
    pub from: UnixMs,
    /// End of the graded period, exclusive, ms.
    #[serde(serialize_with = "ms")]
    pub to: UnixMs,
    /// Bars applied, warm-up included.
    pub bars: usize,
    /// Length of a bar, ms.
    pub bar_ms: i64,
    /// Bars that were refused or are missing between the first and the last.
    pub bars_missing: usize,
    /// Liquidations in the graded period.
    pub liquidations: usize,
    /// Their USD.
    pub liquidated_usd: f64,
    /// Share of them whose liquidation price lies inside the range of the bar in which they happened.
    pub inside_bar_share: Option<f64>,
    /// Share of bars that were consumed by the mark price; the last price stood in for the others.
    pub mark_price_share: f64,
    /// Share of bars with a known open interest.
    pub open_interest_known_share: f64,
    /// Constant open interest in coins, where none is known at all.
    pub open_interest_assumed: Option<f64>,
    /// Share of mass that was seen opening when the graded period began.
    pub seen_share_at_start: f64,
    /// Names the model's parameters.
    pub params_fingerprint: String,
    /// Names the coefficients of the expected view that is graded.
    pub expected_fingerprint: String,
}

/// The invariants as numbers; see the documentation of the model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InvariantNumbers {
    /// I1: largest relative distance of a side's mass from the open interest.
    pub balance_error_max: f64,
    /// I2: smallest mass found in any cell, coins.
    pub mass_min: f64,
    /// I3: mass on the wrong side of the price, coins.
    pub mass_beyond_price: f64,
    /// I4: replays whose final state differs by a bit: one from the start, one from a checkpoint.
    pub replays_that_differ: u32,
    /// I5: relative change of the total mass with cells of twice the width.
    pub total_by_cell_width: f64,
    /// The same for consumed coins, which are taken by whole cells.
    pub consumed_by_cell_width: f64,
    /// Bars after which the running check found something broken.
    pub bars_broken: usize,
}

/// What a map is compared with, and the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Predictor {
    /// Distance from the price, fitted on the windows before.
    Distance,
    /// Distance, extremes of the last hour and day, and age, fitted on the windows before.
    Path,
    /// The map of a day ago, moved with the price.
    YesterdaysMap,
    /// The one-sided model by the colour of candles.
    CandleColour,
    /// This map.
    Map,
}

impl Predictor {
    /// All, baselines first.
    pub const ALL: [Self; 5] =
        [Self::Distance, Self::Path, Self::YesterdaysMap, Self::CandleColour, Self::Map];

    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Distance => "distance",
            Self::Path => "path",
            Self::YesterdaysMap => "yesterdays_map",
            Self::CandleColour => "candle_colour",
            Self::Map => "map",
        }
    }

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Distance => "distance, fitted on the past",
            Self::Path => "price path, fitted on the past",
            Self::YesterdaysMap => "yesterday's map, moved with the price",
            Self::CandleColour => "candle-colour model, one-sided",
            Self::Map => "this map",
        }
    }
}

/// Touched cells of windows of one length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HorizonGivenTouch {
    /// Length of a window, ms.
    pub window_ms: i64,
    /// The comparison.
    #[serde(flatten)]
    pub given_touch: GivenTouch,
}

/// A comparison among touched cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GivenTouch {
    /// Windows graded.
    pub windows: usize,
    /// Windows in which something was liquidated.
    pub windows_with_events: usize,
    /// Touched cells.
    pub cells: usize,
    /// Of them, those in which something was liquidated.
    pub cells_hit: usize,
    /// One for each predictor.
    pub scores: Vec<Score>,
}

impl GivenTouch {
    /// The score of a predictor.
    #[must_use]
    pub fn score(&self, predictor: Predictor) -> Option<&Score> {
        self.scores.iter().find(|score| score.predictor == predictor)
    }
}

/// How one predictor did among touched cells. A figure that cannot be computed is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Whose.
    pub predictor: Predictor,
    /// Spearman's rank correlation with USD liquidated, all cells pooled.
    pub spearman: Option<f64>,
    /// USD liquidated in the tenth of the cells with the highest scores, over the mean cell.
    pub top_tenth_lift: Option<f64>,
    /// Area under the ROC curve of "something was liquidated".
    pub area_under_curve: Option<f64>,
    /// Headline: rank correlation with USD liquidated after distance is removed, ranks taken inside each window and
    /// side. Absent for distance itself.
    pub in_hour_partial: Option<f64>,
    /// Its interval over days.
    pub in_hour_partial_interval: Option<ConfidenceInterval>,
}

/// All cells of windows of one length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HorizonWithoutTouch {
    /// Length of a window, ms.
    pub window_ms: i64,
    /// Log distance from the price up to which cells are compared.
    pub reach: f64,
    /// The comparison; absent with too few days to fit anything on.
    #[serde(flatten)]
    pub without_touch: Option<WithoutTouch>,
}

/// A comparison among all cells near the price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WithoutTouch {
    /// Cells scored; those of the first week only fit.
    pub cells: usize,
    /// Of them, those in which something was liquidated.
    pub cells_hit: usize,
    /// The chance of a touch alone.
    pub touch_chance: ModelScore,
    /// A logistic model of distance and volatility.
    pub distance_and_volatility: ModelScore,
    /// The same with the map.
    pub with_map: ModelScore,
    /// The expected view with the given coefficients; absent for horizons that it is not offered for.
    pub expected: Option<ModelScore>,
    /// What the map adds to the area under the curve.
    pub area_gain: Option<f64>,
    /// Its interval over days.
    pub area_gain_interval: Option<ConfidenceInterval>,
    /// What the map adds to the precision of the top tenth.
    pub precision_gain: Option<f64>,
    /// Its interval over days.
    pub precision_gain_interval: Option<ConfidenceInterval>,
    /// The interval of the gain in area lies above zero.
    pub is_gain: bool,
    /// The same of the gain in precision.
    pub is_precision_gain: bool,
}

/// How one model did among all cells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ModelScore {
    /// Area under the ROC curve.
    pub area_under_curve: Option<f64>,
    /// Share of hits in the tenth of the cells with the highest scores.
    pub top_tenth_precision: Option<f64>,
}

/// USD consumed in a day over USD liquidated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calibration {
    /// Days with both.
    pub days: usize,
    /// The ratio.
    pub consumed_over_liquidated: Option<Quartiles>,
    /// Slope of log consumed over log liquidated, by day; 1 when wild days are as wild in the model.
    pub log_slope: Option<f64>,
}

/// The middle half.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quartiles {
    /// A quarter lies below.
    pub lower: f64,
    /// Half lies below.
    pub median: f64,
    /// A quarter lies above.
    pub upper: f64,
}

/// The headline of one leverage class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LeverageSkill {
    /// Leverage of the class.
    pub leverage: f64,
    /// As [`Score::in_hour_partial`].
    pub in_hour_partial: Option<f64>,
    /// Its interval over days.
    pub interval: Option<ConfidenceInterval>,
    /// The interval does not hold zero.
    pub is_identified: bool,
}

/// This map with less input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ablation {
    /// What was held constant.
    pub without: &'static str,
    /// The map's scores; absent when the input was constant anyway.
    pub score: Option<Score>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn ms<S: serde::Serializer>(time: &UnixMs, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.0)
}
