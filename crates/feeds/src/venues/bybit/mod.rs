//! Bybit linear perpetuals.
//!
//! Tickers bring the mark price and the open interest: a snapshot, then what changed. Every liquidation is reported, with the
//! side of the position and its bankruptcy price.

mod frame;
mod names;
mod parse;
mod rest;
mod subscribe;
#[cfg(test)]
mod tests;

use std::time::Duration;

use liqheat_market::{PriceKind, Venue};

use crate::venues::exchange::no_usage;
use crate::venues::{
    Exchange, HistoryDepths, LiquidationColumns, LiquidationFeed, PauseScope, Ping, RateLimit,
    RequestRefusal, StreamSilence, TradeIds, VenueLimits,
};

/// The venue.
pub static EXCHANGE: Exchange = Exchange {
    venue: Venue::Bybit,
    display_name: "Bybit",
    market: "linear perpetuals",
    socket_base: "wss://stream.bybit.com",
    rest_base: "https://api.bybit.com",
    limits: VenueLimits {
        message_spacing: Duration::from_millis(100),
        contracts_per_connection: 50,
        ping: Some(Ping { every: Duration::from_secs(20), text: r#"{"op":"ping"}"# }),
        connection_life: Duration::from_secs(23 * 3600),
        mark_silence: Duration::from_secs(10),
        // An unchanged price is kept again after two.
        mark_pause: Duration::from_secs(5),
        silence: SILENCE,
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
    },
    liquidation_feed: LiquidationFeed {
        description: "all liquidations since 2025-02; at most one a second and symbol before",
        is_throttled: false,
    },
    liquidation_columns: Some(LiquidationColumns {
        header: "ts_ms,symbol,side,qty,price",
        time: &["ts_ms", "ts"],
        symbol: "symbol",
        position_side: Some("side"),
        order_side: None,
        qty: "qty",
        price: "price",
        price_kind: PriceKind::Bankruptcy,
        bankruptcy_price: None,
        contract_value: None,
        symbol_of: names::symbol_of,
    }),
    tier_table: include_str!("tiers-2026-09.json"),
    tier_table_names: &["bybit-linear"],
    accounts_max: 0,
    has_sizes: false,
    names_of: names::names_of,
    symbol_of: names::symbol_of,
    opening: subscribe::opening,
    reader: |table, _opened| Box::new(parse::BybitReader::new(table.clone())),
    request: |contract, query, _now| rest::request(contract, query),
    answer: |contract, query, body, _received| rest::answer(contract, query, body),
    refusal: |_query, status, body| match status {
        200 => rest::throttled(body),
        // An address that asks too often gets nothing for ten minutes.
        403 => Some(RequestRefusal::Throttled { scope: PauseScope::Venue, pause: Duration::from_secs(600) }),
        status => RequestRefusal::of_status(status),
    },
    reported_usage: no_usage,
};

/// Tickers come several times a second while anything in the book moves.
const SILENCE: StreamSilence = StreamSilence {
    mark: Some(Duration::from_secs(10)),
    klines: Some(Duration::from_secs(150)),
    trades: Some(Duration::from_secs(120)),
    open_interest: Some(Duration::from_secs(180)),
};
