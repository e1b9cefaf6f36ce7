//! Coins, pairs and exchanges as other services write them.

use std::collections::BTreeSet;
use std::sync::Arc;

use liqheat_feeds::venues::display_name;
use liqheat_market::Venue;

use crate::catalog::{Catalog, ServedSymbol};
use crate::http::Refusal;

/// Quote currencies, in the order in which a bare coin is looked for.
const QUOTES: [&str; 8] = ["USDT", "USDC", "FDUSD", "BUSD", "USD", "BTC", "ETH", "EUR"];
/// A name that is this much longer than a quote currency is a pair: `WBTC` and `STETH` are coins.
const COIN_CHARS_MIN: usize = 3;
/// Most names in the text of a refusal.
const NAMED_MAX: usize = 12;

/// A pair as coin and quote currency; a name that ends with no known currency is a coin without one.
pub(super) fn split(pair: &str) -> (&str, &str) {
    let split = |quote: &&str| {
        let coin = pair.strip_suffix(*quote)?;
        let is_dollar = quote.contains("USD");
        let is_pair = coin.chars().count() >= if is_dollar { 1 } else { COIN_CHARS_MIN };
        is_pair.then(|| pair.split_at(coin.len()))
    };
    QUOTES.iter().find_map(split).unwrap_or((pair, ""))
}

/// The symbols that are markets: every symbol once, without venues.
pub(super) fn markets(catalog: &Catalog) -> impl Iterator<Item = &Arc<ServedSymbol>> {
    catalog.listed().filter(|symbol| !symbol.name.contains('@'))
}

/// The market that a coin (`BTC`) or a pair (`BTCUSDT`) names: the sum of its venues.
///
/// # Errors
/// 400 with the coins that are served.
pub(super) fn market<'a>(catalog: &'a Catalog, text: &str) -> Result<&'a Arc<ServedSymbol>, Refusal> {
    let is_market = |symbol: &&Arc<ServedSymbol>| !symbol.name.contains('@');
    let pair = catalog.symbol(text).filter(is_market);
    let of_coin = || QUOTES.iter().find_map(|quote| catalog.symbol(&format!("{text}{quote}")));
    pair.or_else(of_coin).ok_or_else(|| {
        let coins = markets(catalog).map(|market| split(&market.name).0.to_owned());
        let text: String = text.chars().take(40).collect();
        Refusal::bad(format!("parameter 'symbol': '{text}' is not served here; symbols: {}", listed(coins)))
    })
}

/// A market at one exchange.
///
/// # Errors
/// 400 with the exchanges that have the market.
pub(super) fn at_exchange<'a>(
    catalog: &'a Catalog,
    market: &'a Arc<ServedSymbol>,
    exchange: &str,
) -> Result<&'a Arc<ServedSymbol>, Refusal> {
    let here = market.venues().into_iter().find(|venue| display_name(*venue).eq_ignore_ascii_case(exchange));
    let name = here.map(|venue| format!("{}@{}", market.name, venue.name()));
    name.and_then(|name| catalog.symbol(&name)).ok_or_else(|| {
        let exchange: String = exchange.chars().take(40).collect();
        let here = listed(market.venues().into_iter().map(|venue| display_name(venue).to_owned()));
        Refusal::bad(format!(
            "parameter 'exchange': '{exchange}' has no {} here; exchanges that have it: {here}",
            market.name
        ))
    })
}

/// A venue that has at least one market.
///
/// # Errors
/// 400 with the exchanges that are served.
pub(super) fn venue(catalog: &Catalog, exchange: &str) -> Result<Venue, Refusal> {
    let venues = venues(catalog);
    let found = venues.iter().copied().find(|venue| display_name(*venue).eq_ignore_ascii_case(exchange));
    found.ok_or_else(|| {
        let exchange: String = exchange.chars().take(40).collect();
        let known = listed(venues.into_iter().map(|venue| display_name(venue).to_owned()));
        Refusal::bad(format!("parameter 'exchange': '{exchange}' is not served here; exchanges: {known}"))
    })
}

/// Every venue that has a market.
pub(super) fn venues(catalog: &Catalog) -> BTreeSet<Venue> {
    markets(catalog).flat_map(|market| market.venues()).collect()
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: BTreeSet<String> = names.collect();
    let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    match names.len().saturating_sub(NAMED_MAX) {
        _ if names.is_empty() => "none yet".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_at_the_quote_currency() {
        for (pair, coin, quote) in [
            ("BTCUSDT", "BTC", "USDT"),
            ("ETHBTC", "ETH", "BTC"),
            ("1000PEPEUSDC", "1000PEPE", "USDC"),
            ("BTCFDUSD", "BTC", "FDUSD"),
            ("WBTC", "WBTC", ""),
            ("STETH", "STETH", ""),
            ("SUSDT", "S", "USDT"),
            ("USDT", "USDT", ""),
            ("币安人生USDT", "币安人生", "USDT"),
            ("BTC", "BTC", ""),
        ] {
            assert_eq!(split(pair), (coin, quote), "{pair}");
        }
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names = |count: usize| listed((0..count).map(|number| format!("C{number:02}")));
        assert_eq!(names(0), "none yet");
        assert_eq!(names(2), "C00, C01");
        assert!(names(14).ends_with("C11 and 2 more"), "{}", names(14));
    }
}
