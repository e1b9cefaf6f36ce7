//! OKX swaps in USDT and USDC.
//!
//! Sizes are in contracts; what a contract is has to be asked for first. Liquidations come for all swaps at once; the
//! first message after subscribing may repeat an old one. Candles are streamed at another address and are not subscribed to:
//! a minute that has ended without one is missing, and what is missing is asked for.

mod frame;
mod parse;
mod rest;
mod subscribe;
#[cfg(test)]
mod tests;

use std::time::Duration;

use liqheat_market::{Symbol, UnixMs, Venue};

use crate::venues::{
    ConnectionOpening, Contract, ContractTable, Exchange, FrameError, HistoryDepth, HistoryDepths, Page,
    Ping, RateLimit, Request, RequestRefusal, RestQuery, StreamKind, TradeIds, VenueFrameReader, VenueLimits,
    names,
};

/// The venue.
#[derive(Debug, Clone, Copy)]
pub struct Okx;

impl Exchange for Okx {
    fn venue(&self) -> Venue {
        Venue::Okx
    }

    fn has_sizes(&self) -> bool {
        true
    }

    fn socket_base(&self) -> &'static str {
        "wss://ws.okx.com:8443"
    }

    fn rest_base(&self) -> &'static str {
        "https://www.okx.com"
    }

    fn limits(&self) -> VenueLimits {
        VenueLimits {
            // 480 messages an hour are allowed, pings not counted.
            message_spacing: Duration::from_millis(350),
            contracts_per_connection: 50,
            ping: Some(Ping { every: Duration::from_secs(20), text: "ping" }),
            connection_life: Duration::from_secs(23 * 3600),
            // An unchanged mark price is repeated every ten seconds.
            mark_silence: Duration::from_secs(25),
            mark_pause: Duration::from_secs(12),
            silence,
            trade_ids: TradeIds::Unique,
            poll_open_interest: None,
            poll_open_interest_max: Duration::from_secs(60),
            // Each endpoint has a limit of its own; none is published for all of them together.
            weight_per_minute: 0,
            connections_max: None,
            new_connections: Some(RateLimit {
                name: "connections",
                requests: 3,
                per: Duration::from_secs(1),
            }),
            history: HistoryDepths {
                funding: HistoryDepth::Age(Duration::from_secs(90 * 86_400)),
                trades: HistoryDepth::NotKept,
                ..HistoryDepths::FULL
            },
        }
    }

    fn names_of(&self, symbol: &Symbol) -> Vec<String> {
        names::to_okx(symbol)
    }

    fn symbol_of(&self, name: &str) -> Option<Symbol> {
        names::from_okx(name)
    }

    fn opening(&self, table: &ContractTable) -> ConnectionOpening {
        subscribe::opening(table)
    }

    fn reader(&self, table: &ContractTable, opened: UnixMs) -> Box<dyn VenueFrameReader> {
        Box::new(parse::Reader::new(table.clone(), opened))
    }

    fn request(&self, contract: &Contract, query: &RestQuery, now: UnixMs) -> Option<Request> {
        rest::request(contract, query, now)
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

    fn refusal(&self, _query: &RestQuery, status: u16, body: &[u8]) -> Option<RequestRefusal> {
        rest::refusal(status, body)
    }
}

/// Klines have no stream here: each is missing when its minute has ended, and is asked for like any that is missing.
fn silence(stream: StreamKind) -> Option<Duration> {
    match stream {
        StreamKind::Mark => Some(Duration::from_secs(25)),
        StreamKind::Trades => Some(Duration::from_secs(120)),
        StreamKind::OpenInterest => Some(Duration::from_secs(180)),
        StreamKind::Klines | StreamKind::Liquidations | StreamKind::Funding => None,
    }
}
