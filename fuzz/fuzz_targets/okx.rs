//! Any bytes as frames and answers of OKX.

#![no_main]

#[path = "shared/venue.rs"]
mod venue;

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::venues::okx::EXCHANGE;

fuzz_target!(|bytes: &[u8]| venue::read(&EXCHANGE, bytes));
