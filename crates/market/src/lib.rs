//! The vocabulary of the market: what every other crate speaks, with no I/O and no serialisation.
//!
//! Prices, quantities and times are whole numbers in fixed units ([`Price`], [`Qty`], [`UnixMs`]); floats
//! appear only at the edges and in the mass of the model. One convention holds everywhere inside: quantities
//! are in coins, open interest is single-sided, and the side of a liquidation is the side of the position
//! that was closed. Venues that count otherwise are converted where their data comes in.

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

mod backoff;
pub mod convert;
mod event;
mod instrument;
mod source_state;
mod tiers;
mod time;
mod units;

pub use backoff::{Backoff, BackoffError};
pub use event::{
    Bar, Event, Funding, Kline, KlineKind, Liquidation, MarkPrice, OpenInterest, PriceKind, Side, Taker,
    Trade,
};
pub use instrument::{Instrument, InstrumentError, Symbol, Venue};
pub use source_state::SourceState;
pub use tiers::{Tier, TierError, TierTable};
pub use time::{Interval, UnixMs};
pub use units::{DecimalError, Price, Qty, Rate, Ratio, UNIT_SCALE};
