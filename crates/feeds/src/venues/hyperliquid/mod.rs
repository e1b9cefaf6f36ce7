//! Hyperliquid perpetuals of the first exchange on it (not those of builders).
//!
//! Trades do not say which of them closed a liquidated position. Fills do, and anybody may ask for those of an account:
//! so there are realised liquidations of accounts that are named, and of no others. The mark price and the open interest come without a time of the venue and hold when they arrive. Nothing marks the last state of a
//! candle: the reader keeps the running one until time has moved on.

mod account;
mod fills;
mod frame;
mod names;
mod parse;
mod rest;
mod subscribe;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use account::{account, leaderboard, markets};
pub(crate) use account::{account_request, markets_request};

use liqheat_market::Venue;

use crate::venues::exchange::{no_usage, refusal_of_status};
use crate::venues::{
    Exchange, HistoryDepth, HistoryDepths, LiquidationFeed, Ping, RateLimit, StreamSilence, TradeIds,
    VenueLimits,
};

/// The venue.
pub static EXCHANGE: Exchange = Exchange {
    venue: Venue::Hyperliquid,
    display_name: "Hyperliquid",
    market: "perpetuals of the first exchange on it",
    socket_base: "wss://api.hyperliquid.xyz",
    rest_base: "https://api.hyperliquid.xyz",
    limits: VenueLimits {
        // 2000 messages a minute are allowed.
        message_spacing: Duration::from_millis(50),
        // 1000 subscriptions an address, three a contract and one an account.
        contracts_per_connection: 50,
        ping: Some(Ping { every: Duration::from_secs(30), text: r#"{"method":"ping"}"# }),
        connection_life: Duration::from_secs(23 * 3600),
        mark_silence: Duration::from_secs(30),
        mark_pause: Duration::from_secs(10),
        silence: SILENCE,
        trade_ids: TradeIds::Unique,
        poll_open_interest: None,
        poll_open_interest_max: Duration::from_secs(60),
        weight_per_minute: 1_200,
        connections_max: Some(10),
        new_connections: Some(RateLimit { name: "connections", requests: 30, per: Duration::from_secs(60) }),
        history: HistoryDepths {
            klines: HistoryDepth::Rows(5_000),
            mark_klines: HistoryDepth::NotKept,
            open_interest: HistoryDepth::NotKept,
            trades: HistoryDepth::NotKept,
            funding: HistoryDepth::Full,
        },
    },
    liquidation_feed: LiquidationFeed {
        description: "liquidations of followed addresses only",
        is_throttled: true,
    },
    liquidation_columns: None,
    tier_table: include_str!("tiers-2026-09.json"),
    tier_table_names: &[],
    // Ten for an address of the network, over all its connections.
    accounts_max: 10,
    has_sizes: false,
    names_of: names::names_of,
    symbol_of: names::symbol_of,
    opening: subscribe::opening,
    reader: |table, _opened| Box::new(parse::HyperliquidReader::new(table.clone())),
    request: |contract, query, _now| rest::request(contract, query),
    answer: rest::answer,
    refusal: refusal_of_status,
    reported_usage: no_usage,
};

const SILENCE: StreamSilence = StreamSilence {
    mark: Some(Duration::from_secs(30)),
    klines: Some(Duration::from_secs(180)),
    trades: Some(Duration::from_secs(300)),
    open_interest: Some(Duration::from_secs(180)),
};
