//! Selects which markets are served, and under which names.

use std::collections::BTreeMap;
use std::sync::Arc;

use liqheat_feeds::tiers::TierBook;
use liqheat_market::{Instrument, Interval, Symbol, UnixMs, Venue};
use liqheat_model::ParamBook;
use liqheat_store::InstrumentSpan;
use tracing::warn;

use super::{LedgerSpec, Market, MarketIndex, ServedSymbol, VenueLedger};

/// An instrument that could be served.
#[derive(Debug, Clone)]
pub(crate) struct InstrumentCandidate {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    /// Opening time of the first stored bar.
    pub(crate) first_bar: Option<UnixMs>,
    /// Latency from venue to database, milliseconds.
    pub(crate) late_ms: i64,
}

impl From<&InstrumentSpan> for InstrumentCandidate {
    fn from(span: &InstrumentSpan) -> Self {
        Self {
            instrument: span.instrument.clone(),
            interval: span.interval,
            first_bar: Some(span.first),
            late_ms: 0,
        }
    }
}

/// What of the stored instruments can be served. A database of an older version, or one that another program filled, may
/// hold contracts that are priced in another currency than dollars: they keep their rows and are named in the log.
pub(crate) fn stored(spans: &[InstrumentSpan]) -> Vec<InstrumentCandidate> {
    let is_in_dollars = |span: &&InstrumentSpan| {
        let quote = span.instrument.symbol.foreign_quote();
        if let Some(quote) = quote {
            let instrument = &span.instrument;
            warn!(%instrument, quote, "not served: the contract is priced in another currency than dollars");
        }
        quote.is_none()
    };
    spans.iter().filter(is_in_dollars).map(InstrumentCandidate::from).collect()
}

/// A requested name that no instrument has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownName(pub(crate) String);

/// The markets of these instruments. `names` are those to serve (`BTCUSDT` is every venue, `BTCUSDT@okx` one); an empty
/// list means all. A simulated market is never summed with real ones.
///
/// # Errors
/// With the first name that no instrument has.
pub(crate) fn markets(
    instruments: Vec<InstrumentCandidate>,
    names: &[String],
    tiers: &TierBook,
    model: &ParamBook,
) -> Result<Vec<Arc<Market>>, UnknownName> {
    let mut by_symbol: BTreeMap<(Symbol, bool), Vec<InstrumentCandidate>> = BTreeMap::new();
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
    let books = Books { tiers, model };
    let mut markets = Vec::new();
    for ((symbol, beside_real), instruments) in by_symbol {
        let index = MarketIndex(markets.len());
        if let Some(market) = market(&symbol, beside_real, instruments, names, books, index) {
            markets.push(Arc::new(market));
        }
    }
    let known =
        |name: &String| markets.iter().any(|market| market.symbols.iter().any(|symbol| symbol.name == *name));
    match names.iter().find(|name| !known(name)) {
        Some(unknown) => Err(UnknownName(unknown.clone())),
        None => Ok(markets),
    }
}

/// What ledgers are made with.
#[derive(Clone, Copy)]
struct Books<'a> {
    tiers: &'a TierBook,
    model: &'a ParamBook,
}

/// `None` where none of its names is served.
fn market(
    symbol: &Symbol,
    beside_real: bool,
    mut instruments: Vec<InstrumentCandidate>,
    names: &[String],
    books: Books<'_>,
    index: MarketIndex,
) -> Option<Market> {
    let asked = |name: &str| names.iter().any(|one| one == name);
    let all = names.is_empty() || (asked(symbol.as_str()) && !beside_real);
    instruments.retain(|one| all || asked(&one.instrument.to_string()));
    instruments.sort_by(|a, b| a.instrument.cmp(&b.instrument));
    let ledger = |one: InstrumentCandidate| {
        let table = books.tiers.table(&one.instrument);
        let params = books.model.of(&one.instrument);
        let spec = LedgerSpec::new(one.instrument, one.interval, params, one.late_ms);
        Arc::new(VenueLedger::new(spec, one.first_bar, table))
    };
    let ledgers: Vec<Arc<VenueLedger>> = instruments.into_iter().map(ledger).collect();
    if ledgers.is_empty() {
        return None;
    }
    let symbol_of = |name: String, listed: bool, ledgers: Vec<Arc<VenueLedger>>| {
        Arc::new(ServedSymbol { name, listed, ledgers, market: index })
    };
    let mut symbols = Vec::new();
    let has_plain_name = all && !beside_real;
    if has_plain_name {
        symbols.push(symbol_of(symbol.to_string(), true, ledgers.clone()));
    }
    // A list shows venues beside their sum, but not a single venue beside the plain name that means the same.
    let listed = ledgers.len() > 1 || !has_plain_name;
    for ledger in &ledgers {
        symbols.push(symbol_of(ledger.instrument().to_string(), listed, vec![Arc::clone(ledger)]));
    }
    Some(Market { ledgers, symbols })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(names: &[&str]) -> Vec<InstrumentCandidate> {
        let one = |name: &&str| {
            let (symbol, venue) = name.split_once('@').unwrap();
            let instrument = Instrument::new(Venue::from_name(venue).unwrap(), Symbol::new(symbol).unwrap());
            InstrumentCandidate { instrument, interval: Interval::M1, first_bar: None, late_ms: 0 }
        };
        names.iter().map(one).collect()
    }

    #[test]
    fn stored_contracts_priced_in_a_coin_are_not_served() {
        let span = |symbol: &str| InstrumentSpan {
            instrument: Instrument::new(Venue::Binance, Symbol::new(symbol).unwrap()),
            interval: Interval::M1,
            first: UnixMs(0),
            last: UnixMs(60_000),
            bars: 1,
        };
        let wanted = stored(&[span("BTCUSDT"), span("ETHBTC"), span("ETHBTC_251226"), span("WBTCUSDT")]);
        let names: Vec<String> = wanted.iter().map(|one| one.instrument.symbol.to_string()).collect();
        assert_eq!(names, ["BTCUSDT", "WBTCUSDT"]);
    }

    /// Every name, those that are not listed in brackets, with its venues.
    fn names(stored: &[&str], asked: &[&str]) -> Result<Vec<String>, String> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let markets = markets(wanted(stored), &asked, &TierBook::embedded(), &ParamBook::default())
            .map_err(|unknown| unknown.0)?;
        let name = |symbol: &Arc<ServedSymbol>| {
            let venues: Vec<&str> = symbol.venues().into_iter().map(Venue::name).collect();
            let text = format!("{}={}", symbol.name, venues.join("+"));
            if symbol.listed { text } else { format!("({text})") }
        };
        for (index, market) in markets.iter().enumerate() {
            assert!(market.symbols.iter().all(|symbol| symbol.market == MarketIndex(index)));
            let widths: Vec<usize> = market.parts_before_sum().map(|symbol| symbol.ledgers.len()).collect();
            assert!(widths.is_sorted(), "a sum is published after its venues: {widths:?}");
            let plain = market.parts_before_sum().position(|symbol| !symbol.name.contains('@'));
            assert!(plain.is_none_or(|at| at + 1 == widths.len()), "a sum is published last: {plain:?}");
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
