//! Any text as a table of margin tiers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_feeds::tiers::TierBook;

fuzz_target!(|text: &str| {
    if let Ok(book) = TierBook::parse(text) {
        for instrument in book.instruments() {
            assert!(!book.table(instrument).tiers().is_empty());
        }
    }
});
