//! Live venues against the stand-in exchange: whatever goes wrong there, what comes out is the script, each
//! event once, or a gap that says what is missing.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod faults;
mod flow;
mod outage;
mod recorded;
mod support;
mod week;
