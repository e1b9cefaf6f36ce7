//! Symbols are written at Binance as they are inside.

use liqheat_market::Symbol;

use crate::venues::names::candidates;

/// Packs that differ from those of other venues: the coin, and how it is written here.
const PACKS: [(&str, &str); 4] =
    [("SHIB", "1000SHIB"), ("SATS", "1000SATS"), ("CHEEMS", "1000CHEEMS"), ("BABYDOGE", "1MBABYDOGE")];

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
        for (symbol, name) in [
            ("SHIB1000USDT", "1000SHIBUSDT"),
            ("10000SATSUSDT", "1000SATSUSDT"),
            ("1000000BABYDOGEUSDT", "1MBABYDOGEUSDT"),
            ("BTCUSDT", "BTCUSDT"),
        ] {
            assert_eq!(names_of(&Symbol::new(symbol).unwrap())[0], name);
            assert_eq!(symbol_of(name).unwrap().as_str(), name);
        }
    }
}
