//! Symbols are written at Bybit as they are inside.

use liqheat_market::Symbol;

use crate::venues::names::candidates;

/// Packs that differ from those of other venues: the coin, and how it is written here.
const PACKS: [(&str, &str); 4] = [
    ("SHIB", "SHIB1000"),
    ("SATS", "10000SATS"),
    ("CHEEMS", "1000000CHEEMS"),
    ("BABYDOGE", "1000000BABYDOGE"),
];

pub(super) fn names_of(symbol: &Symbol) -> Vec<String> {
    candidates(symbol, &PACKS)
}

pub(super) fn symbol_of(name: &str) -> Option<Symbol> {
    Symbol::new(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_of_this_venue_come_first() {
        for (symbol, name) in
            [("1000SHIBUSDT", "SHIB1000USDT"), ("1000PEPEUSDT", "1000PEPEUSDT"), ("BTCUSDT", "BTCUSDT")]
        {
            assert_eq!(names_of(&Symbol::new(symbol).unwrap())[0], name);
            assert_eq!(symbol_of(name).unwrap().as_str(), name);
        }
    }
}
