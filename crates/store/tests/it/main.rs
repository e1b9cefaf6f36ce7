//! The store on real DuckDB files, as one test binary.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod alerts;
mod amounts;
mod appending;
mod gaps;
mod layers;
mod library;
mod reading;
mod real;
mod trouble;
mod upkeep;
mod world;
