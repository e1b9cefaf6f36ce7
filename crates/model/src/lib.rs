//! The model: from closed bars of market data to an estimate of where open positions would be liquidated.
//!
//! Pure arithmetic: no clock, database, network or serialisation framework. Bars go in ([`Ledger::apply`]),
//! what changed comes out ([`Step`]), and the state can be read at any moment as levels in USD
//! ([`Ledger::levels`]) or as a time x price grid ([`history`]).
//!
//! The same bars give the same bits on every machine: sums run in a fixed order, logarithms and exponentials
//! come from `libm`, and nothing depends on hashing order. A checkpoint ([`Ledger::encode`]) plus the later
//! bars therefore equals the whole replay, which [`Ledger::state_hash`] makes testable.
//!
//! What the model holds at all times (see [`Invariants`]): both sides sum to the open interest, no mass is
//! negative, and no level stands on the wrong side of the price. What it does not do: funding is not charged
//! to margins, positions never add margin, and nothing about single accounts is known.

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

mod liquidation;

mod param_book;
mod params;
mod weights;

mod grid;
mod kernel;
mod opening;

mod invariant_break;
mod ledger;
mod open_interest;
mod position_bins;
mod step;

mod codec;
mod hash;
mod history;
mod invariants;
mod levels;

mod assemble;

pub use assemble::assemble;
pub use codec::CheckpointError;
pub use hash::Fnv64;
pub use history::{GridError, GridPainter, GridSpec, HistoryGrid, NO_PROFILE, history};
pub use invariant_break::InvariantBreak;
pub use invariants::Invariants;
pub use ledger::Ledger;
pub use levels::{LevelUsd, LeverageLevel, Tip};
pub use liquidation::{
    NoLevel, bankruptcy_price, bankruptcy_price_of_liquidation, liquidation_price, liquidation_price_in_tier,
    liquidation_price_of_bankruptcy, liquidation_price_with_margin, maintenance_margin,
};
pub use open_interest::{OpenInterestFilter, SampleVerdict};
pub use param_book::{ParamBook, ParamSection};
pub use params::{ClassDetail, LeverageClass, ParamValues, Params, ParamsError};
pub use step::{BarFault, Consumption, PriceSource, Step, StepOutcome};
pub use weights::{LeverageWeights, WeightsError};
