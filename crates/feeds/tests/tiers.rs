//! The whole published tables, read in place.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

use std::io::Read;

use liqheat_feeds::tiers::TierBook;

#[test]
fn whole_published_tables_are_accepted() {
    let Some(tables) = liqheat_testkit::recorded("margin-tiers") else { return };
    for (name, symbols) in [("binance-um-2024-10.json.gz", 318), ("binance-um-2026-09.json.gz", 858)] {
        let file = std::fs::File::open(tables.join(name)).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let book = TierBook::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(book.instruments().count() + book.left_out().len(), symbols, "{name}");
        assert!(book.left_out().len() < 10, "{name}: {:?}", book.left_out());
    }
}
