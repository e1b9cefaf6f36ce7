//! Bybit, OKX and Hyperliquid followed live, from a stand-in that speaks like them and misbehaves: whatever goes wrong, what
//! comes out is what happened at the exchange, or a gap is stated.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod accounts;
mod listing;
mod support;
mod tiers;
mod trouble;
mod whole;
