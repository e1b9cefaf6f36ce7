//! Bybit, OKX and Hyperliquid followed live, from a stand-in that speaks like them and misbehaves: whatever goes wrong, what
//! comes out is what happened at the exchange, or a gap is stated.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod accounts;
mod listing;
mod support;
mod tiers;
mod trouble;
mod whole;
