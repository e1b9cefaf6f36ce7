//! Any bytes as frames and answers of Hyperliquid.

#![no_main]

#[path = "shared/venue.rs"]
mod venue;

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::venues::hyperliquid::EXCHANGE;

fuzz_target!(|bytes: &[u8]| venue::read(&EXCHANGE, bytes));
