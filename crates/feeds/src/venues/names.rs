//! One spelling inside: the coin and the currency it is quoted in, `BTCUSDT`. Coins that cost a tiny part of a cent are
//! traded by the thousand at some venues, and the number stands before the coin: `1000PEPEUSDT`.
//!
//! Venues write the same as `BTC-USDT-SWAP` or `BTC`. Each of these pairs of functions is its own way back.

use liqheat_market::Symbol;

/// Coin and quote currency of a symbol such as `BTCUSDT`.
fn parts(symbol: &str) -> Option<(&str, &str)> {
    const QUOTES: [&str; 2] = ["USDT", "USDC"];
    QUOTES.iter().find_map(|quote| {
        let coin = symbol.strip_suffix(quote)?;
        let is_coin = !coin.is_empty() && coin.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_coin.then_some((coin, *quote))
    })
}

/// How many coins one of a symbol stands for (`1000` in `1000PEPE`), and the coin itself.
pub(super) fn pack_of(coin: &str) -> (i64, &str) {
    const PACKS: [(&str, i64); 3] = [("1000000", 1_000_000), ("10000", 10_000), ("1000", 1_000)];
    PACKS
        .iter()
        .find_map(|(digits, pack)| {
            let single = coin.strip_prefix(digits)?;
            // A coin may begin with a digit itself, such as 1INCH.
            single.starts_with(|first: char| first.is_ascii_alphabetic()).then_some((*pack, single))
        })
        .unwrap_or((1, coin))
}

/// `BTCUSDT` to `BTC-USDT-SWAP`; `1000PEPEUSDT` to `PEPE-USDT-SWAP`, which is counted in single coins there.
pub(super) fn to_okx(symbol: &Symbol) -> Option<String> {
    let (coin, quote) = parts(symbol.as_str())?;
    let (_, single) = pack_of(coin);
    Some(format!("{single}-{quote}-SWAP"))
}

/// `BTC-USDT-SWAP` to `BTCUSDT`. Coins counted by the thousand elsewhere come back as single ones.
pub(super) fn from_okx(name: &str) -> Option<Symbol> {
    let (coin, quote) = name.strip_suffix("-SWAP")?.split_once('-')?;
    let joined = format!("{coin}{quote}");
    parts(&joined)?;
    Symbol::new(&joined).ok()
}

/// `BTCUSDT` to `BTC`, `1000PEPEUSDT` to `kPEPE`.
pub(super) fn to_hyperliquid(symbol: &Symbol) -> Option<String> {
    let (coin, _) = parts(symbol.as_str())?;
    match pack_of(coin) {
        (1, coin) => Some(coin.to_owned()),
        (1_000, coin) => Some(format!("k{coin}")),
        // Only thousands are listed.
        _ => None,
    }
}

/// `BTC` to `BTCUSDT`, `kPEPE` to `1000PEPEUSDT`: quoted in USD and margined in USDC, it stands beside the contracts in
/// USDT of the other venues.
pub(super) fn from_hyperliquid(name: &str) -> Option<Symbol> {
    let coin = match name.strip_prefix('k') {
        Some(single) if single.starts_with(|first: char| first.is_ascii_uppercase()) => {
            format!("1000{single}")
        }
        _ => name.to_owned(),
    };
    let is_coin = !coin.is_empty() && coin.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_coin { Symbol::new(&format!("{coin}USDT")).ok() } else { None }
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
            assert_eq!(to_okx(&symbol(ours)).as_deref(), Some(theirs));
            assert_eq!(from_okx(theirs), Some(symbol(ours)));
        }
        assert_eq!(to_okx(&symbol("1000PEPEUSDT")).as_deref(), Some("PEPE-USDT-SWAP"));
        // Settled in coins: not a market that is followed.
        assert_eq!(to_okx(&symbol("BTCUSD")), None);
        assert_eq!(from_okx("BTC-USD-SWAP"), None);
        assert_eq!(from_okx("BTC-USDT"), None);
        assert_eq!(from_okx("BTC-USD-220527"), None);
    }

    #[test]
    fn hyperliquid_writes_coins() {
        for (ours, theirs) in [("BTCUSDT", "BTC"), ("HYPEUSDT", "HYPE"), ("1000PEPEUSDT", "kPEPE")] {
            assert_eq!(to_hyperliquid(&symbol(ours)).as_deref(), Some(theirs));
            assert_eq!(from_hyperliquid(theirs), Some(symbol(ours)));
        }
        assert_eq!(to_hyperliquid(&symbol("BTCUSDC")).as_deref(), Some("BTC"));
        assert_eq!(to_hyperliquid(&symbol("1000000MOGUSDT")), None);
        // Contracts of builders, spot pairs.
        assert_eq!(from_hyperliquid("xyz:AAPL"), None);
        assert_eq!(from_hyperliquid("@107"), None);
    }

    #[test]
    fn packs_are_told_from_names_that_begin_with_digits() {
        assert_eq!(pack_of("1000PEPE"), (1_000, "PEPE"));
        assert_eq!(pack_of("1000000MOG"), (1_000_000, "MOG"));
        assert_eq!(pack_of("10000SATS"), (10_000, "SATS"));
        assert_eq!(pack_of("1INCH"), (1, "1INCH"));
        assert_eq!(pack_of("BTC"), (1, "BTC"));
        assert_eq!(pack_of("1000"), (1, "1000"));
    }
}
