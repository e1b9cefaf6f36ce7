//! Which markets are served, and under which names.

use std::collections::BTreeMap;
use std::sync::Arc;

use liqheat_feeds::tiers::TierBook;
use liqheat_market::{Instrument, Interval, Symbol, UnixMs, Venue};
use liqheat_model::Params;
use liqheat_store::InstrumentSpan;

use crate::symbol::{Market, Part, ServedSymbol};

/// An instrument to serve, and what is stored of it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) first_bar: Option<UnixMs>,
    /// How much later than they happened events arrive.
    pub(crate) late_ms: i64,
}

impl From<&InstrumentSpan> for Wanted {
    fn from(span: &InstrumentSpan) -> Self {
        Self {
            instrument: span.instrument.clone(),
            interval: span.interval,
            first_bar: Some(span.first),
            late_ms: 0,
        }
    }
}

/// A name that is asked for but names nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown(pub(crate) String);

/// The markets of these instruments. `names` are those asked for (`BTCUSDT` is every venue, `BTCUSDT@okx` one);
/// none are all there are. A made-up market is never added up with real ones.
pub(crate) fn markets(
    instruments: Vec<Wanted>,
    names: &[String],
    tiers: &TierBook,
) -> Result<Vec<Arc<Market>>, Unknown> {
    let mut by_symbol: BTreeMap<(Symbol, bool), Vec<Wanted>> = BTreeMap::new();
    let real: Vec<Symbol> = instruments
        .iter()
        .filter(|one| one.instrument.venue != Venue::Sim)
        .map(|one| one.instrument.symbol.clone())
        .collect();
    for wanted in instruments {
        let symbol = wanted.instrument.symbol.clone();
        let beside_real = wanted.instrument.venue == Venue::Sim && real.contains(&symbol);
        by_symbol.entry((symbol, beside_real)).or_default().push(wanted);
    }
    let mut markets = Vec::new();
    for ((symbol, beside_real), instruments) in by_symbol {
        let index = markets.len();
        if let Some(market) = market(&symbol, beside_real, instruments, names, tiers, index) {
            markets.push(Arc::new(market));
        }
    }
    let known =
        |name: &String| markets.iter().any(|market| market.symbols.iter().any(|symbol| symbol.name == *name));
    match names.iter().find(|name| !known(name)) {
        Some(unknown) => Err(Unknown(unknown.clone())),
        None => Ok(markets),
    }
}

/// `None` where nothing of it is asked for.
fn market(
    symbol: &Symbol,
    beside_real: bool,
    mut instruments: Vec<Wanted>,
    names: &[String],
    tiers: &TierBook,
    index: usize,
) -> Option<Market> {
    let asked = |name: &str| names.iter().any(|one| one == name);
    let all = names.is_empty() || (asked(symbol.as_str()) && !beside_real);
    instruments.retain(|one| all || asked(&one.instrument.to_string()));
    instruments.sort_by(|a, b| a.instrument.cmp(&b.instrument));
    let part = |one: Wanted| {
        let table = tiers.table(&one.instrument);
        let part = Part::new(one.instrument, one.interval, one.first_bar, table, Params::default());
        Arc::new(part.arriving_late_by(one.late_ms))
    };
    let parts: Vec<Arc<Part>> = instruments.into_iter().map(part).collect();
    if parts.is_empty() {
        return None;
    }
    let mut symbols = Vec::new();
    let has_plain_name = all && !beside_real;
    if has_plain_name {
        symbols.push(ServedSymbol::new(symbol.to_string(), true, parts.clone(), index));
    }
    // Beside the sum every venue is worth a line; beside its own plain name it is not.
    let listed = parts.len() > 1 || !has_plain_name;
    for part in &parts {
        symbols.push(ServedSymbol::new(part.instrument.to_string(), listed, vec![Arc::clone(part)], index));
    }
    Some(Market { parts, symbols: symbols.into_iter().map(Arc::new).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(names: &[&str]) -> Vec<Wanted> {
        let one = |name: &&str| {
            let (symbol, venue) = name.split_once('@').unwrap();
            let instrument = Instrument::new(Venue::from_name(venue).unwrap(), Symbol::new(symbol).unwrap());
            Wanted { instrument, interval: Interval::M1, first_bar: None, late_ms: 0 }
        };
        names.iter().map(one).collect()
    }

    /// Every name, those that are not listed in brackets, with its venues.
    fn names(stored: &[&str], asked: &[&str]) -> Result<Vec<String>, String> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let markets = markets(wanted(stored), &asked, &TierBook::embedded()).map_err(|unknown| unknown.0)?;
        let name = |symbol: &Arc<ServedSymbol>| {
            let venues: Vec<&str> = symbol.venues().into_iter().map(Venue::name).collect();
            let text = format!("{}={}", symbol.name, venues.join("+"));
            if symbol.listed { text } else { format!("({text})") }
        };
        for (index, market) in markets.iter().enumerate() {
            assert!(market.symbols.iter().all(|symbol| symbol.market == index));
        }
        Ok(markets.iter().flat_map(|market| market.symbols.iter().map(name)).collect())
    }

    #[test]
    fn one_venue_has_two_names_and_several_have_a_sum() {
        let stored = ["BTCUSDT@okx", "BTCUSDT@binance", "ETHUSDT@bybit"];
        let expected = [
            "BTCUSDT=binance+okx",
            "BTCUSDT@binance=binance",
            "BTCUSDT@okx=okx",
            "ETHUSDT=bybit",
            "(ETHUSDT@bybit=bybit)",
        ];
        assert_eq!(names(&stored, &[]).unwrap(), expected);
        assert_eq!(names(&stored, &["BTCUSDT"]).unwrap(), expected[..3]);
        assert_eq!(names(&stored, &["BTCUSDT@okx"]).unwrap(), ["BTCUSDT@okx=okx"]);
        assert_eq!(
            names(&stored, &["BTCUSDT@okx", "ETHUSDT"]).unwrap(),
            ["BTCUSDT@okx=okx", "ETHUSDT=bybit", "(ETHUSDT@bybit=bybit)"]
        );
        assert_eq!(names(&stored, &["BTCUSDT", "XRPUSDT"]), Err("XRPUSDT".to_owned()));
        assert_eq!(names(&stored, &["ETHUSDT@okx"]), Err("ETHUSDT@okx".to_owned()));
    }

    #[test]
    fn a_simulated_market_is_never_in_a_sum() {
        assert_eq!(names(&["BTCUSDT@sim"], &[]).unwrap(), ["BTCUSDT=sim", "(BTCUSDT@sim=sim)"]);
        assert_eq!(
            names(&["BTCUSDT@sim", "BTCUSDT@binance"], &[]).unwrap(),
            ["BTCUSDT=binance", "(BTCUSDT@binance=binance)", "BTCUSDT@sim=sim"]
        );
        assert_eq!(
            names(&["BTCUSDT@sim", "BTCUSDT@binance"], &["BTCUSDT"]).unwrap(),
            ["BTCUSDT=binance", "(BTCUSDT@binance=binance)"]
        );
    }
}
