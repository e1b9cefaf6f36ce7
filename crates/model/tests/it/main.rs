//! Tests of the model through its public interface.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "what must not fail in a test may stop it")]

mod assemble;
mod cells;
mod checkpoint;
mod classes;
mod history;
mod invariants;
mod recorded;
mod reference;
mod steps;
mod support;
