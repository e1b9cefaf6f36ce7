//! One spelling inside: the coin and the currency it is quoted in, `BTCUSDT`. Coins that cost a tiny part of a cent are
//! traded by the thousand at some venues, and the number stands before the coin: `1000PEPEUSDT`.
//!
//! Venues write the same as `BTC-USDT-SWAP` or `BTC`: `names.rs` of each. Here is what they share.

use liqheat_market::Symbol;

/// Packs in which cheap coins are traded somewhere, and how they are written before a coin.
pub(super) const PACKS: [(&str, u64); 4] =
    [("1000000", 1_000_000), ("10000", 10_000), ("1000", 1_000), ("1M", 1_000_000)];

/// Coin and quote currency of a symbol such as `BTCUSDT`.
pub(super) fn parts(symbol: &str) -> Option<(&str, &str)> {
    const QUOTES: [&str; 2] = ["USDT", "USDC"];
    QUOTES.iter().find_map(|quote| {
        let coin = symbol.strip_suffix(quote)?;
        let is_coin = !coin.is_empty() && coin.chars().all(char::is_alphanumeric);
        is_coin.then_some((coin, *quote))
    })
}

/// How many coins one of `coin` stands for (`1000` in `1000PEPE`, `1MBABYDOGE`, `SHIB1000`), and the coin itself.
pub(super) fn pack_of(coin: &str) -> (u64, &str) {
    let before = PACKS.iter().find_map(|(written, pack)| {
        let single = coin.strip_prefix(written)?;
        // A coin may begin with a digit itself, such as 1INCH.
        let is_coin = single.len() >= 2 && single.starts_with(|first: char| first.is_alphabetic());
        is_coin.then_some((*pack, single))
    });
    let behind = || {
        PACKS.iter().find_map(|(written, pack)| {
            let single = coin.strip_suffix(written)?;
            let is_coin = single.len() >= 2 && single.ends_with(|last: char| last.is_alphabetic());
            (is_coin && written.starts_with("1000")).then_some((*pack, single))
        })
    };
    before.or_else(behind).unwrap_or((1, coin))
}

/// How many coins one of a symbol stands for: `1000` of `1000PEPEUSDT`.
pub(super) fn pack_of_symbol(symbol: &str) -> u64 {
    pack_of(parts(symbol).map_or(symbol, |(coin, _)| coin)).0
}

/// The same of a venue's name: `1000PEPEUSDT`, `SHIB1000USDT`, `PEPE-USDT-SWAP`, `kPEPE`.
pub(super) fn pack_of_name(name: &str) -> u64 {
    if let Some((coin, _)) = name.split_once('-') {
        return pack_of(coin).0;
    }
    match kilo(name) {
        Some(_) => 1_000,
        None => pack_of_symbol(name),
    }
}

/// `PEPE` of Hyperliquid's `kPEPE`.
pub(super) fn kilo(name: &str) -> Option<&str> {
    name.strip_prefix('k').filter(|single| single.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// Names that a contract of this symbol may have where names are written as symbols are: the one that is known to be listed
/// (`known`), the symbol itself, and packs of another size of the same coin, before the coin or behind it. Contracts that are
/// not priced in dollars have none. A symbol without a pack has one name: what is listed as
/// `1000CAT` need not be the coin that is `CAT` elsewhere, and prices of single coins have more digits than are held.
pub(super) fn candidates(symbol: &Symbol, known: &[(&str, &str)]) -> Vec<String> {
    if symbol.foreign_quote().is_some() {
        return Vec::new();
    }
    let own = symbol.as_str().to_owned();
    let Some((coin, quote)) = parts(symbol.as_str()) else { return vec![own] };
    let (pack, single) = pack_of(coin);
    if pack == 1 {
        return vec![own];
    }
    let listed = known.iter().find(|(coin, _)| *coin == single);
    let mut names: Vec<String> = listed.map(|(_, written)| format!("{written}{quote}")).into_iter().collect();
    names.push(own);
    // The same pack first.
    let mut packs: Vec<&(&str, u64)> = PACKS.iter().collect();
    packs.sort_by_key(|(_, other)| *other != pack);
    for (written, _) in packs {
        names.push(format!("{written}{single}{quote}"));
        if written.starts_with("1000") {
            names.push(format!("{single}{written}{quote}"));
        }
    }
    names.push(format!("{single}{quote}"));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::new(text).unwrap()
    }

    #[test]
    fn packs_are_distinct_from_names_that_begin_with_digits() {
        assert_eq!(pack_of("1000PEPE"), (1_000, "PEPE"));
        assert_eq!(pack_of("1000000MOG"), (1_000_000, "MOG"));
        assert_eq!(pack_of("10000SATS"), (10_000, "SATS"));
        assert_eq!(pack_of("1INCH"), (1, "1INCH"));
        assert_eq!(pack_of("BTC"), (1, "BTC"));
        assert_eq!(pack_of("1000"), (1, "1000"));
        assert_eq!(pack_of("1MBABYDOGE"), (1_000_000, "BABYDOGE"));
        assert_eq!(pack_of("SHIB1000"), (1_000, "SHIB"));
        assert_eq!(pack_of("SPX6900"), (1, "SPX6900"));
        assert_eq!(pack_of("币安人生"), (1, "币安人生"));
        for (name, pack) in [
            ("SHIB1000USDT", 1_000),
            ("10000SATSUSDT", 10_000),
            ("1000BONK-USDT-SWAP", 1_000),
            ("kBONK", 1_000),
            ("BTC", 1),
            ("k", 1),
        ] {
            assert_eq!(pack_of_name(name), pack, "{name}");
        }
    }

    #[test]
    fn packs_of_another_size_are_the_same_coin() {
        let names = candidates(&symbol("1000SHIBUSDT"), &[("SHIB", "SHIB1000")]);
        assert_eq!(names[..2], ["SHIB1000USDT", "1000SHIBUSDT"]);
        assert!(names.contains(&"10000SHIBUSDT".to_owned()) && names.contains(&"SHIBUSDT".to_owned()));
        assert_eq!(candidates(&symbol("BTCUSDT"), &[("SHIB", "SHIB1000")]), ["BTCUSDT"]);
        assert_eq!(candidates(&symbol("ETHBTC"), &[]), [""; 0]);
    }
}
