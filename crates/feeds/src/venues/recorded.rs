//! Frames and answers that others recorded or that a venue documents, one of every kind that is read, and what is made of
//! each. `fixtures/recorded.jsonl` has them with their source; `fixtures/recorded.expected` says in the same order what
//! they mean. After a change on purpose: `LIQHEAT_BLESS=1 cargo test -p liqheat-feeds recorded`, and read the difference.

use std::fmt::Write;
use std::path::Path;

use liqheat_market::{Event, Qty, Symbol, Taker, UnixMs};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Contract, ContractTable, Exchange, Page, RestQuery, Signal, VenueFrameReader, exchanges};

/// When all of it is received: after everything that is in it.
const RECEIVED: UnixMs = UnixMs(1_800_000_000_000);

#[derive(Deserialize)]
struct Fixture<'a> {
    kind: String,
    source: String,
    /// The question that an answer belongs to; frames have none.
    query: Option<String>,
    /// Frames that are read by one reader, one after the other.
    session: Option<String>,
    /// Symbol, venue's name, size.
    #[serde(default)]
    contracts: Vec<(String, String, String)>,
    #[serde(default)]
    accounts: Vec<String>,
    /// Frames that come before.
    #[serde(borrow, default)]
    before: Vec<&'a RawValue>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

impl Fixture<'_> {
    fn table(&self) -> ContractTable {
        let contract = |(symbol, name, size): &(String, String, String)| Contract {
            symbol: Symbol::new(symbol).unwrap(),
            name: name.clone(),
            size: Qty::parse(size).unwrap(),
        };
        let accounts = self.accounts.iter().map(|account| account.parse().unwrap()).collect();
        ContractTable::new(self.contracts.iter().map(contract).collect()).with_accounts(accounts)
    }
}

/// A text that is no JSON (`pong`) stands as a JSON string.
fn bytes(payload: &RawValue) -> Vec<u8> {
    serde_json::from_str::<String>(payload.get()).unwrap_or_else(|_| payload.get().to_owned()).into_bytes()
}

fn meanings(exchange: &Exchange, fixtures: &str) -> String {
    let mut text = String::new();
    let mut session: Option<(String, Box<dyn VenueFrameReader>, ContractTable)> = None;
    for line in fixtures.lines() {
        let fixture: Fixture<'_> = serde_json::from_str(line).unwrap();
        writeln!(text, "{} ({})", fixture.kind, fixture.source).unwrap();
        let table = fixture.table();
        if let Some(query) = &fixture.query {
            let query: RestQuery = query.parse().unwrap();
            let bitcoin = || super::contract(exchange, &Symbol::new("BTCUSDT").unwrap()).unwrap();
            let contract = table.contracts().first().cloned().unwrap_or_else(bitcoin);
            match exchange.answer(&contract, &query, &bytes(fixture.payload), RECEIVED) {
                Ok(page) => page_text(&page, &mut text),
                Err(error) => writeln!(text, "  error: {error}").unwrap(),
            }
            continue;
        }
        let is_new = match (&session, &fixture.session) {
            (Some((known, ..)), Some(named)) => known != named,
            _ => true,
        };
        if is_new {
            let name = fixture.session.clone().unwrap_or_default();
            session = Some((name, exchange.reader(&table, UnixMs(0)), table));
        }
        let (_, reader, table) = session.as_mut().unwrap();
        for before in &fixture.before {
            reader.read(&bytes(before), RECEIVED, &mut Vec::new()).unwrap();
        }
        let mut signals = Vec::new();
        if let Err(error) = reader.read(&bytes(fixture.payload), RECEIVED, &mut signals) {
            writeln!(text, "  error: {error}").unwrap();
        }
        for signal in signals {
            writeln!(text, "  {}", signal_text(&signal, table)).unwrap();
        }
    }
    text
}

fn signal_text(signal: &Signal, table: &ContractTable) -> String {
    let symbol = |at: usize| table.contracts()[at].symbol.as_str().to_owned();
    match signal {
        Signal::Event { contract, event, sent } => {
            let sent = sent.map_or_else(String::new, |sent| format!(", sent {}", sent.0));
            format!("{} {}{sent}", symbol(*contract), event_text(event))
        }
        Signal::Order { contract, report, sent } => {
            let sent = sent.map_or_else(String::new, |sent| format!(", sent {}", sent.0));
            let so_far = event_text(&Event::Liquidation(report.so_far()));
            format!("{} {so_far} of an order of {}{sent}", symbol(*contract), report.size)
        }
        Signal::Alive { contract, stream, .. } => format!("{} {} lives", symbol(*contract), stream.name()),
        Signal::Traders(addresses) => format!("{} accounts traded", addresses.len()),
        Signal::Rejected(row) => {
            let symbol = row.contract.map_or_else(|| "?".to_owned(), symbol);
            format!("{symbol} {} rejected: {}", row.stream.name(), row.error)
        }
        Signal::Refused(words) => format!("refused: {words}"),
        Signal::Leaving(words) => format!("leaving: {words}"),
        Signal::Acknowledged => "acknowledged".to_owned(),
        Signal::Pong => "pong".to_owned(),
    }
}

fn event_text(event: &Event) -> String {
    let known = |qty: Option<Qty>| qty.map_or_else(|| "?".to_owned(), |qty| qty.to_string());
    match event {
        Event::Trade(trade) => {
            let taker = if trade.taker == Taker::Buy { "bought" } else { "sold" };
            format!("trade {} at {}: {taker} {} at {}", trade.id, trade.time.0, trade.qty, trade.price)
        }
        Event::Kline(kline) => format!(
            "{:?} kline {} at {}: {} {} {} {}, volume {} of which bought {}, {:?} trades",
            kline.kind,
            kline.interval,
            kline.open_time.0,
            kline.open,
            kline.high,
            kline.low,
            kline.close,
            known(kline.volume),
            known(kline.taker_buy_volume),
            kline.trades,
        ),
        Event::MarkPrice(mark) => format!("mark {} at {}", mark.price, mark.time.0),
        Event::OpenInterest(sample) => format!("open interest {} at {}", sample.qty, sample.time.0),
        Event::Funding(funding) => {
            format!("funding {} at {}, every {:?} h", funding.rate, funding.time.0, funding.interval_hours)
        }
        Event::Liquidation(liquidation) => format!(
            "{} liquidated at {}: {} at {} ({:?})",
            liquidation.side.name(),
            liquidation.time.0,
            liquidation.qty,
            liquidation.price,
            liquidation.price_kind,
        ),
    }
}

fn page_text(page: &Page, text: &mut String) {
    for event in &page.events {
        writeln!(text, "  {}", event_text(event)).unwrap();
    }
    for row in &page.rejected {
        writeln!(text, "  rejected {:?}: {}", row.subject, row.error).unwrap();
    }
    for listed in &page.contracts {
        writeln!(text, "  listed {} of {} ({:?})", listed.name, listed.size, listed.underlying).unwrap();
    }
    for tier in page.tiers.iter().flat_map(|tiers| &tiers.rows) {
        let unit = page.tiers.as_ref().unwrap().unit;
        writeln!(text, "  from {} {unit:?}: rate {}, leverage {}", tier.floor, tier.rate, tier.leverage_max)
            .unwrap();
    }
    if let Some(time) = page.time {
        writeln!(text, "  clock {}", time.0).unwrap();
    }
    if let Some(next) = page.next {
        writeln!(text, "  then {next}").unwrap();
    }
}

/// Compares what is made of a venue's fixtures with the file beside them.
fn check(exchange: &Exchange) {
    let venue = exchange.venue;
    let folder = Path::new("src/venues").join(venue.name()).join("fixtures");
    let fixtures = std::fs::read_to_string(folder.join("recorded.jsonl")).unwrap();
    let found = meanings(exchange, &fixtures);
    let expected = folder.join("recorded.expected");
    if std::env::var_os("LIQHEAT_BLESS").is_some() {
        std::fs::write(&expected, &found).unwrap();
    }
    let expected = std::fs::read_to_string(expected).unwrap();
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "{venue} line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{venue}");
}

#[test]
fn recorded_frames_are_read_right() {
    exchanges().for_each(check);
}
