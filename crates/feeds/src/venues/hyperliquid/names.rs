//! Contracts are written at Hyperliquid as their coin: `BTC`, and a thousand of a cheap one as `kPEPE`.

use liqheat_market::Symbol;

use crate::venues::names::{kilo, pack_of, parts};

/// `BTCUSDT` to `BTC`, `1000PEPEUSDT` to `kPEPE`, or else to single coins.
pub(super) fn names_of(symbol: &Symbol) -> Vec<String> {
    let Some((coin, _)) = parts(symbol.as_str()) else { return Vec::new() };
    match pack_of(coin) {
        (1, coin) => vec![coin.to_owned()],
        (_, coin) => vec![format!("k{coin}"), coin.to_owned()],
    }
}

/// `BTC` to `BTCUSDT`, `kPEPE` to `1000PEPEUSDT`: quoted in USD and margined in USDC, it stands beside the contracts in
/// USDT of the other venues.
pub(super) fn symbol_of(name: &str) -> Option<Symbol> {
    let coin = kilo(name).map_or_else(|| name.to_owned(), |single| format!("1000{single}"));
    let is_coin = !coin.is_empty() && coin.chars().all(char::is_alphanumeric);
    if is_coin { Symbol::new(&format!("{coin}USDT")).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::new(text).unwrap()
    }

    #[test]
    fn hyperliquid_writes_coins() {
        for (ours, theirs) in [("BTCUSDT", "BTC"), ("HYPEUSDT", "HYPE"), ("1000PEPEUSDT", "kPEPE")] {
            assert_eq!(names_of(&symbol(ours)).first().map(String::as_str), Some(theirs));
            assert_eq!(symbol_of(theirs), Some(symbol(ours)));
        }
        assert_eq!(names_of(&symbol("BTCUSDC")), ["BTC"]);
        assert_eq!(names_of(&symbol("1000000MOGUSDT")), ["kMOG", "MOG"]);
        // Contracts of builders, spot pairs.
        assert_eq!(symbol_of("xyz:AAPL"), None);
        assert_eq!(symbol_of("@107"), None);
    }
}
