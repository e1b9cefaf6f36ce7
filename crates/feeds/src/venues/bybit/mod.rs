//! Bybit linear perpetuals.
//!
//! Tickers bring the mark price and the open interest: a snapshot, then what changed. Every liquidation is reported, with the
//! side of the position and its bankruptcy price.

mod frame;
mod parse;
mod rest;
mod subscribe;
#[cfg(test)]
mod tests;

use std::time::Duration;

use liqheat_market::{Symbol, UnixMs, Venue};

use crate::venues::{
    ConnectionOpening, Contract, ContractTable, Exchange, FrameError, HistoryDepths, Page, PauseScope, Ping,
    RateLimit, Request, RequestRefusal, RestQuery, StreamKind, TradeIds, VenueFrameReader, VenueLimits,
    names,
};

/// The venue.
#[derive(Debug, Clone, Copy)]
pub struct Bybit;

impl Exchange for Bybit {
    fn venue(&self) -> Venue {
        Venue::Bybit
    }

    fn socket_base(&self) -> &'static str {
        "wss://stream.bybit.com"
    }

    fn rest_base(&self) -> &'static str {
        "https://api.bybit.com"
    }

    fn limits(&self) -> VenueLimits {
        VenueLimits {
            message_spacing: Duration::from_millis(100),
            contracts_per_connection: 50,
            ping: Some(Ping { every: Duration::from_secs(20), text: r#"{"op":"ping"}"# }),
            connection_life: Duration::from_secs(23 * 3600),
            mark_silence: Duration::from_secs(10),
            // An unchanged price is kept again after two.
            mark_pause: Duration::from_secs(5),
            silence,
            trade_ids: TradeIds::Unique,
            poll_open_interest: None,
            poll_open_interest_max: Duration::from_secs(60),
            // 600 requests in five seconds are allowed.
            weight_per_minute: 6_000,
            connections_max: Some(1_000),
            new_connections: Some(RateLimit {
                name: "connections",
                requests: 500,
                per: Duration::from_secs(300),
            }),
            history: HistoryDepths::FULL,
        }
    }

    fn names_of(&self, symbol: &Symbol) -> Vec<String> {
        names::candidates(symbol, &names::BYBIT_PACKS)
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
        _received: UnixMs,
    ) -> Result<Page, FrameError> {
        rest::answer(contract, query, body)
    }

    fn refusal(&self, _query: &RestQuery, status: u16, body: &[u8]) -> Option<RequestRefusal> {
        const BANNED: Duration = Duration::from_secs(600);
        match status {
            200 => rest::throttled(body),
            // An address that asks too often gets nothing for ten minutes.
            403 => Some(RequestRefusal::Throttled { scope: PauseScope::Venue, pause: BANNED }),
            status => RequestRefusal::of_status(status),
        }
    }
}

/// Tickers come several times a second while anything in the book moves.
fn silence(stream: StreamKind) -> Option<Duration> {
    match stream {
        StreamKind::Mark => Some(Duration::from_secs(10)),
        StreamKind::Klines => Some(Duration::from_secs(150)),
        StreamKind::Trades => Some(Duration::from_secs(120)),
        StreamKind::OpenInterest => Some(Duration::from_secs(180)),
        StreamKind::Liquidations | StreamKind::Funding => None,
    }
}
