//! OKX swaps in USDT and USDC.
//!
//! Sizes are in contracts; what a contract is has to be asked for first. Liquidations come for all swaps at once; the
//! first message after subscribing may repeat an old one. Candles are streamed at another address and are not subscribed to:
//! a minute that has ended without one is missing, and what is missing is asked for.

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
    Exchange, HistoryDepth, HistoryDepths, LiquidationColumns, LiquidationFeed, Ping, RateLimit,
    StreamSilence, TradeIds, VenueLimits,
};

/// The venue.
pub static EXCHANGE: Exchange = Exchange {
    venue: Venue::Okx,
    display_name: "OKX",
    market: "swaps in USDT and USDC",
    socket_base: "wss://ws.okx.com:8443",
    rest_base: "https://www.okx.com",
    limits: VenueLimits {
        // 480 messages an hour are allowed, pings not counted.
        message_spacing: Duration::from_millis(350),
        contracts_per_connection: 50,
        ping: Some(Ping { every: Duration::from_secs(20), text: "ping" }),
        connection_life: Duration::from_secs(23 * 3600),
        // An unchanged mark price is repeated every ten seconds.
        mark_silence: Duration::from_secs(25),
        mark_pause: Duration::from_secs(12),
        silence: SILENCE,
        trade_ids: TradeIds::Unique,
        poll_open_interest: None,
        poll_open_interest_max: Duration::from_secs(60),
        // Each endpoint has a limit of its own; none is published for all of them together.
        weight_per_minute: 0,
        connections_max: None,
        new_connections: Some(RateLimit { name: "connections", requests: 3, per: Duration::from_secs(1) }),
        history: HistoryDepths {
            funding: HistoryDepth::Age(Duration::from_secs(90 * 86_400)),
            trades: HistoryDepth::NotKept,
            ..HistoryDepths::FULL
        },
    },
    liquidation_feed: LiquidationFeed {
        description: "at most one liquidation a second and contract",
        is_throttled: true,
    },
    liquidation_columns: Some(LiquidationColumns {
        header: "ts,instId,posSide,sz,bkPx,ctVal",
        time: &["ts"],
        symbol: "instid",
        position_side: Some("posside"),
        order_side: Some("side"),
        qty: "sz",
        price: "bkpx",
        price_kind: PriceKind::Bankruptcy,
        bankruptcy_price: None,
        contract_value: Some("ctval"),
        symbol_of: names::symbol_in_usdt,
    }),
    tier_table: include_str!("tiers-2026-09.json"),
    tier_table_names: &[],
    accounts_max: 0,
    has_sizes: true,
    names_of: names::names_of,
    symbol_of: names::symbol_of,
    opening: subscribe::opening,
    reader: |table, opened| Box::new(parse::OkxReader::new(table.clone(), opened)),
    request: rest::request,
    answer: rest::answer,
    refusal: |_query, status, body| rest::refusal(status, body),
    reported_usage: no_usage,
};

/// Klines have no stream here: each is missing when its minute has ended, and is requested like any that is missing.
const SILENCE: StreamSilence = StreamSilence {
    mark: Some(Duration::from_secs(25)),
    klines: None,
    trades: Some(Duration::from_secs(120)),
    open_interest: Some(Duration::from_secs(180)),
};
