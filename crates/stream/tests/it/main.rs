//! Sessions over real sockets, seen from the client's side.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod channels;
mod churn;
mod conformance;
mod events;
mod forms;
mod limits;
mod session;
mod world;
