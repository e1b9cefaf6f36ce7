//! Binance USD-M futures.
//!
//! Market streams live under `/market` only; on the old root a subscription is acknowledged and nothing ever
//! comes. Open interest has no stream and is polled. Ids of aggregate trades are consecutive.

mod frame;
mod parse;
mod rest;
mod subscribe;

use std::time::Duration;

use liqheat_market::{Symbol, UnixMs, Venue};

use crate::venues::{
    ConnectionOpening, Contract, ContractTable, Exchange, FrameError, HistoryDepth, HistoryDepths, Page,
    RateLimit, ReportedUsage, Request, RequestRefusal, RestQuery, StreamKind, TradeIds, VenueFrameReader,
    VenueLimits, names,
};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// The venue.
#[derive(Debug, Clone, Copy)]
pub struct Binance;

impl Exchange for Binance {
    fn venue(&self) -> Venue {
        Venue::Binance
    }

    fn socket_base(&self) -> &'static str {
        "wss://fstream.binance.com"
    }

    fn rest_base(&self) -> &'static str {
        "https://fapi.binance.com"
    }

    fn limits(&self) -> VenueLimits {
        VenueLimits {
            // Ten a second are allowed.
            message_spacing: Duration::from_millis(150),
            // 1024 streams a connection, four a contract; and not all eggs in one basket.
            contracts_per_connection: 100,
            ping: None,
            connection_life: Duration::from_secs(23 * 3600),
            mark_silence: Duration::from_secs(5),
            // They come every second.
            mark_pause: Duration::from_millis(1_800),
            silence,
            trade_ids: TradeIds::Consecutive,
            poll_open_interest: Some(Duration::from_secs(5)),
            poll_open_interest_max: Duration::from_secs(60),
            weight_per_minute: 2_400,
            connections_max: None,
            // 300 in five minutes.
            new_connections: Some(RateLimit { name: "connections", requests: 300, per: FIVE_MINUTES }),
            history: HistoryDepths {
                // Refused as soon as it begins more than 30 days ago.
                open_interest: HistoryDepth::Age(Duration::from_secs(29 * 86_400)),
                trades: HistoryDepth::Age(Duration::from_secs(86_400)),
                ..HistoryDepths::FULL
            },
        }
    }

    fn names_of(&self, symbol: &Symbol) -> Vec<String> {
        names::candidates(symbol, &names::BINANCE_PACKS)
    }

    fn symbol_of(&self, name: &str) -> Option<Symbol> {
        Symbol::new(name).ok()
    }

    fn opening(&self, table: &ContractTable) -> ConnectionOpening {
        subscribe::opening(table)
    }

    fn reader(&self, table: &ContractTable, _opened: UnixMs) -> Box<dyn VenueFrameReader> {
        Box::new(parse::Reader::new(table.clone()))
    }

    fn request(&self, contract: &Contract, query: &RestQuery, _now: UnixMs) -> Option<Request> {
        rest::request(contract, query)
    }

    fn answer(
        &self,
        contract: &Contract,
        query: &RestQuery,
        body: &[u8],
        received: UnixMs,
    ) -> Result<Page, FrameError> {
        rest::answer(contract, query, body, received)
    }

    fn refusal(&self, query: &RestQuery, status: u16, body: &[u8]) -> Option<RequestRefusal> {
        rest::refusal(query, status, body)
    }

    fn reported_usage(&self, header: &dyn Fn(&str) -> Option<String>) -> ReportedUsage {
        ReportedUsage {
            used_weight: header("x-mbx-used-weight-1m").and_then(|text| text.trim().parse().ok()),
        }
    }
}

/// Liquidations are rare, small contracts trade seldom; the mark price never rests.
fn silence(stream: StreamKind) -> Option<Duration> {
    match stream {
        StreamKind::Mark => Some(Duration::from_secs(5)),
        StreamKind::Klines => Some(Duration::from_secs(150)),
        StreamKind::Trades => Some(Duration::from_secs(120)),
        StreamKind::OpenInterest => Some(Duration::from_secs(180)),
        StreamKind::Liquidations | StreamKind::Funding => None,
    }
}
