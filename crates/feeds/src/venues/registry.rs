//! What belongs to each venue is there, and the tables of the documentation that are written from the descriptions.
//! `LIQHEAT_BLESS=1 cargo test --workspace --lib -- registry` writes those again.

use liqheat_market::{Instrument, Symbol, UnixMs, Venue};
use liqheat_testkit::exchange::protocol;
use liqheat_testkit::repository;

use super::{ContractTable, Exchange, contract, exchange, exchanges};
use crate::tiers::TierBook;

fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn bitcoin() -> Symbol {
    Symbol::new("BTCUSDT").unwrap()
}

#[test]
fn every_venue_is_complete() {
    const FILES: [&str; 8] = [
        "mod.rs",
        "frame.rs",
        "parse.rs",
        "subscribe.rs",
        "rest.rs",
        "names.rs",
        "fixtures/recorded.jsonl",
        "fixtures/recorded.expected",
    ];
    let mut missing = Vec::new();
    for venue in Venue::ALL.into_iter().filter(|venue| *venue != Venue::Sim) {
        let Some(exchange) = exchange(venue) else {
            missing.push(format!("{venue}: its line in `exchange` of venues/mod.rs"));
            continue;
        };
        let mut need = |is_there: bool, what: &str| {
            if !is_there {
                missing.push(format!("{venue}: {what}"));
            }
        };
        for file in FILES {
            let path = format!("crates/feeds/src/venues/{venue}/{file}");
            need(repository().join(&path).exists(), &path);
        }
        need(exchange.venue == venue, "`exchange` returns that of another venue");
        need(protocol(venue).is_some(), "a stand-in: its line in `protocol` of testkit's exchange/mod.rs");
        let target = format!("fuzz_targets/{venue}.rs");
        need(repository().join("fuzz").join(&target).exists(), &format!("fuzz/{target}"));
        need(text("fuzz/Cargo.toml").contains(&target), &format!("{target} in fuzz/Cargo.toml"));
        let tiers = TierBook::parse(exchange.tier_table).map_err(|error| error.to_string());
        let has_bitcoin =
            tiers.as_ref().is_ok_and(|book| book.own_table(&Instrument::new(venue, bitcoin())).is_some());
        need(has_bitcoin, &format!("margin tiers of BTCUSDT at this venue ({:?})", tiers.err()));
        let name = exchange.name_of(&bitcoin());
        let is_known = name.is_some_and(|name| exchange.symbol_of(&name) == Some(bitcoin()));
        need(is_known, "a name of BTCUSDT, and the symbol of that name");
    }
    assert!(missing.is_empty(), "missing of a venue:\n{}", missing.join("\n"));
}

/// The table of venues in `docs/sources.md`.
fn table() -> String {
    let row = |exchange: &Exchange| {
        let Exchange { venue, market, socket_base, rest_base, limits, liquidation_feed, .. } = exchange;
        let table = ContractTable::new(vec![contract(exchange, &bitcoin()).unwrap()]);
        let path = exchange.opening(&table).path;
        let path = path.split('?').next().unwrap_or_default();
        let name = exchange.name_of(&bitcoin()).unwrap();
        format!(
            "| `{venue}` | {market} | `{socket_base}{path}` | `{rest_base}` | `{name}` | {} | {} s |\n",
            liquidation_feed.description,
            limits.mark_silence.as_secs(),
        )
    };
    let head = "| venue | market | socket | requests | symbol `BTCUSDT` is | liquidations | silence of the mark price that closes a connection |\n\
                |---|---|---|---|---|---|---|\n";
    exchanges().map(row).fold(head.to_owned(), |table, row| table + &row)
}

#[test]
fn the_documentation_lists_every_venue() {
    const BEGIN: &str = "<!-- venues: written by a test of crates/feeds/src/venues/registry.rs -->\n";
    const END: &str = "<!-- /venues -->";
    let document = text("docs/sources.md");
    let (before, rest) = document.split_once(BEGIN).expect("docs/sources.md marks its table of venues");
    let (_, after) = rest.split_once(END).expect("docs/sources.md marks the end of its table of venues");
    let written = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(repository().join("docs/sources.md"), &written).unwrap();
        return;
    }
    assert!(
        document == written,
        "the table of venues in docs/sources.md is out of date; run with LIQHEAT_BLESS=1"
    );
}

#[test]
fn every_reader_takes_an_empty_frame_without_an_event() {
    for exchange in exchanges() {
        let table = ContractTable::new(vec![contract(exchange, &bitcoin()).unwrap()]);
        let mut signals = Vec::new();
        // An error or nothing: never an event.
        let _ = exchange.reader(&table, UnixMs(0)).read(b"", UnixMs(0), &mut signals);
        assert!(signals.is_empty(), "{}", exchange.venue);
    }
}
