//! Hyperliquid perpetuals of the first exchange on it (not those of builders).
//!
//! Trades do not say which of them closed a liquidated position. Fills do, and anybody may ask for those of an account:
//! so there are realised liquidations of accounts that are named, and of no others. The mark price and the open interest come without a time of the venue and hold when they arrive. Nothing marks the last state of a
//! candle: the reader keeps the running one until time has moved on.

mod account;
mod fills;
mod frame;
mod parse;
mod rest;
mod subscribe;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use account::{account, leaderboard, markets};
pub(crate) use account::{account_request, markets_request};

use liqheat_market::{Symbol, UnixMs, Venue};

use crate::venues::{
    ConnectionOpening, Contract, ContractTable, Exchange, FrameError, HistoryDepth, HistoryDepths, Page,
    Ping, RateLimit, Request, RestQuery, StreamKind, TradeIds, VenueFrameReader, VenueLimits, names,
};

/// The venue.
#[derive(Debug, Clone, Copy)]
pub struct Hyperliquid;

impl Exchange for Hyperliquid {
    fn venue(&self) -> Venue {
        Venue::Hyperliquid
    }

    fn socket_base(&self) -> &'static str {
        "wss://api.hyperliquid.xyz"
    }

    fn rest_base(&self) -> &'static str {
        "https://api.hyperliquid.xyz"
    }

    fn limits(&self) -> VenueLimits {
        VenueLimits {
            // 2000 messages a minute are allowed.
            message_spacing: Duration::from_millis(50),
            // 1000 subscriptions an address, three a contract and one an account.
            contracts_per_connection: 50,
            ping: Some(Ping { every: Duration::from_secs(30), text: r#"{"method":"ping"}"# }),
            connection_life: Duration::from_secs(23 * 3600),
            mark_silence: Duration::from_secs(30),
            mark_pause: Duration::from_secs(10),
            silence,
            trade_ids: TradeIds::Unique,
            poll_open_interest: None,
            poll_open_interest_max: Duration::from_secs(60),
            weight_per_minute: 1_200,
            connections_max: Some(10),
            new_connections: Some(RateLimit {
                name: "connections",
                requests: 30,
                per: Duration::from_secs(60),
            }),
            history: HistoryDepths {
                klines: HistoryDepth::Rows(5_000),
                mark_klines: HistoryDepth::NotKept,
                open_interest: HistoryDepth::NotKept,
                trades: HistoryDepth::NotKept,
                funding: HistoryDepth::Full,
            },
        }
    }

    fn names_of(&self, symbol: &Symbol) -> Vec<String> {
        names::to_hyperliquid(symbol)
    }

    fn symbol_of(&self, name: &str) -> Option<Symbol> {
        names::from_hyperliquid(name)
    }

    fn opening(&self, table: &ContractTable) -> ConnectionOpening {
        subscribe::opening(table)
    }

    fn reader(&self, table: &ContractTable, _opened: UnixMs) -> Box<dyn VenueFrameReader> {
        Box::new(parse::Reader::new(table.clone()))
    }

    /// Ten for an address of the network, over all its connections.
    fn accounts_max(&self) -> usize {
        10
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
}

fn silence(stream: StreamKind) -> Option<Duration> {
    match stream {
        StreamKind::Mark => Some(Duration::from_secs(30)),
        StreamKind::Klines => Some(Duration::from_secs(180)),
        StreamKind::Trades => Some(Duration::from_secs(300)),
        StreamKind::OpenInterest => Some(Duration::from_secs(180)),
        StreamKind::Liquidations | StreamKind::Funding => None,
    }
}
