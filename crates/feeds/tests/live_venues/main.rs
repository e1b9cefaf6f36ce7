//! Bybit, OKX and Hyperliquid followed live, from a stand-in that speaks like them and misbehaves: whatever goes wrong, what
//! comes out is what happened at the exchange, or a gap is stated.

mod support;
mod tiers;
mod trouble;
mod whole;
