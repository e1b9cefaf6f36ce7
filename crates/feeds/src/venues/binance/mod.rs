//! Binance USD-M futures.
//!
//! Market streams live under `/market` only; on the old root a subscription is acknowledged and nothing ever
//! comes. Open interest has no stream and is polled. Ids of aggregate trades are consecutive.

mod answers;
mod frame;
mod names;
mod parse;
mod rest;
mod subscribe;

use std::time::Duration;

use liqheat_market::{PriceKind, Venue};

use crate::venues::{
    Exchange, HistoryDepth, HistoryDepths, LiquidationColumns, LiquidationFeed, RateLimit, ReportedUsage,
    StreamSilence, TradeIds, VenueLimits,
};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// The venue.
pub static EXCHANGE: Exchange = Exchange {
    venue: Venue::Binance,
    display_name: "Binance",
    market: "USD-M futures",
    socket_base: "wss://fstream.binance.com",
    rest_base: "https://fapi.binance.com",
    limits: VenueLimits {
        // Ten a second are allowed.
        message_spacing: Duration::from_millis(150),
        // 1024 streams a connection, four a contract; and not all eggs in one basket.
        contracts_per_connection: 100,
        ping: None,
        connection_life: Duration::from_secs(23 * 3600),
        mark_silence: Duration::from_secs(5),
        // They come every second.
        mark_pause: Duration::from_millis(1_800),
        silence: SILENCE,
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
    },
    liquidation_feed: LiquidationFeed {
        description: "at most one liquidation a second and symbol",
        is_throttled: true,
    },
    liquidation_columns: Some(LiquidationColumns {
        header: "trade_time_ms,symbol,side,avg_price,filled_qty,..",
        time: &["trade_time_ms", "time"],
        symbol: "symbol",
        position_side: None,
        order_side: Some("side"),
        qty: "filled_qty",
        price: "avg_price",
        price_kind: PriceKind::Fill,
        // The price of the order.
        bankruptcy_price: Some("price"),
        contract_value: None,
        symbol_of: names::symbol_of,
    }),
    tier_table: include_str!("tiers-2026-09.json"),
    tier_table_names: &["binance-um"],
    accounts_max: 0,
    has_sizes: false,
    names_of: names::names_of,
    symbol_of: names::symbol_of,
    opening: subscribe::opening,
    reader: |table, _opened| Box::new(parse::BinanceReader::new(table.clone())),
    request: |contract, query, _now| rest::request(contract, query),
    answer: rest::answer,
    refusal: rest::refusal,
    reported_usage: |header| ReportedUsage {
        used_weight: header("x-mbx-used-weight-1m").and_then(|text| text.trim().parse().ok()),
    },
};

/// Liquidations are rare, small contracts trade seldom; ticks of the mark price come every second.
const SILENCE: StreamSilence = StreamSilence {
    mark: Some(Duration::from_secs(5)),
    klines: Some(Duration::from_secs(150)),
    trades: Some(Duration::from_secs(120)),
    open_interest: Some(Duration::from_secs(180)),
};
