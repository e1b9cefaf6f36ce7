//! Swaps are written at OKX as coin, quote currency and kind, and cheap coins as single ones: `PEPE-USDT-SWAP`.

use liqheat_market::Symbol;

use crate::venues::names::{PACKS, pack_of, parts};

/// `BTCUSDT` to `BTC-USDT-SWAP`; `1000PEPEUSDT` to `PEPE-USDT-SWAP`, which is counted in single coins there, or else to
/// packs.
pub(super) fn names_of(symbol: &Symbol) -> Vec<String> {
    let Some((coin, quote)) = parts(symbol.as_str()) else { return Vec::new() };
    let (pack, single) = pack_of(coin);
    let mut names = vec![format!("{single}-{quote}-SWAP")];
    if pack != 1 {
        names.extend(PACKS.iter().map(|(written, _)| format!("{written}{single}-{quote}-SWAP")));
    }
    names
}

/// `BTC-USDT-SWAP` to `BTCUSDT`. Coins counted by the thousand elsewhere come back as single ones.
pub(super) fn symbol_of(name: &str) -> Option<Symbol> {
    let (coin, quote) = name.strip_suffix("-SWAP")?.split_once('-')?;
    let joined = format!("{coin}{quote}");
    parts(&joined)?;
    Symbol::new(&joined).ok()
}

/// The same of files of liquidations, which are read for swaps in USDT only.
pub(super) fn symbol_in_usdt(name: &str) -> Option<Symbol> {
    Symbol::new(&format!("{}USDT", name.strip_suffix("-USDT-SWAP")?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::new(text).unwrap()
    }

    #[test]
    fn okx_writes_dashes_and_single_coins() {
        for (ours, theirs) in
            [("BTCUSDT", "BTC-USDT-SWAP"), ("ETHUSDC", "ETH-USDC-SWAP"), ("1INCHUSDT", "1INCH-USDT-SWAP")]
        {
            assert_eq!(names_of(&symbol(ours)), [theirs]);
            assert_eq!(symbol_of(theirs), Some(symbol(ours)));
        }
        assert_eq!(names_of(&symbol("1000PEPEUSDT"))[..2], ["PEPE-USDT-SWAP", "1000000PEPE-USDT-SWAP"]);
        // Settled in coins: not a market that is followed.
        assert_eq!(names_of(&symbol("BTCUSD")), [""; 0]);
        assert_eq!(symbol_of("BTC-USD-SWAP"), None);
        assert_eq!(symbol_of("BTC-USDT"), None);
        assert_eq!(symbol_of("BTC-USD-220527"), None);
    }
}
