//! The score card: how well frozen maps said where positions were liquidated, beside simpler predictors.
//!
//! Pure arithmetic over bars and realised liquidations ([`backtest`]): no clock, file, database or network. The same
//! input and options give the same card, intervals included (the bootstrap has a fixed seed).
//!
//! Every prediction is made from what was known when its window began. The bars of a window and its liquidations
//! are used to grade it, and to fit predictors of windows that begin after it ended.
//!
//! A *cell* is ten basis points of log distance from the price at the start of the window, on one side. A cell is
//! *touched* when the price crosses it completely within the window. *Given touch*, only touched cells are compared,
//! so no predictor is rewarded for guessing where the price goes.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files"))]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

mod expected;
mod fit;
mod rank;
mod resample;
mod separation;

mod candle_colour;
mod frozen;
mod path;
mod realised;
mod volume_at_price;
mod windows;

mod calibration;
mod card;
mod given_touch;
mod hourly;
mod replays;
mod run;
mod without_touch;

#[cfg(test)]
mod tests;

pub use card::{
    Ablation, Calibration, Card, Coverage, GivenTouch, HorizonGivenTouch, HorizonWithoutTouch,
    InvariantNumbers, LeverageSkill, ModelScore, Predictor, Quartiles, Score, WithoutTouch,
};
pub use expected::{ExpectedHorizon, ExpectedModel, Horizon, TouchCoefficients, typical_usd};
pub use frozen::{FrozenMoment, MarketContext};
pub use hourly::{GradedHour, HOUR_MS, RunningScore, Ungradable, grade_hour, running_score};
pub use rank::{partial_correlation, pearson, ranks, spearman};
pub use resample::ConfidenceInterval;
pub use run::{BacktestError, Input, Options, Progress, backtest};
pub use separation::{area_under_curve, top_tenth_lift, top_tenth_precision};
pub use volume_at_price::{NoVolumeAtPrice, VolumeAtPrice};

/// Width of a cell in log price: ten basis points.
pub const CELL_WIDTH: f64 = 0.001;
/// Cells on each side in which maps are compared given touch: up to 2.5 % from the price. Beyond it lie the few wild
/// hours of a month, which would decide the whole comparison.
pub const CELLS_GIVEN_TOUCH: usize = 25;
/// Most cells on each side in which maps are compared without knowing what is touched: up to 5 % from the price, which
/// is about what the price may reach in a day.
pub const CELLS_WITHOUT_TOUCH: usize = 50;
