//! Routes of market data and of margin.

use liqheat_market::Interval;
use liqheat_wire::{
    KlinesBody, LiquidationPriceBody, LiquidationSummaryBody, LiquidationsBody, SeriesBody, SymbolsBody,
    TiersBody,
};
use schemars::SchemaGenerator;
use serde_json::json;

use super::super::{export, liquidations, margin, prices};
use super::route::{
    CommonAnswers, JSON, Route, binary, count, optional, required, symbol, time, usd, within, words,
};
use super::schema_of;

/// Candles, realised liquidations, and what is served.
pub(super) fn routes(generator: &mut SchemaGenerator, common: &CommonAnswers) -> Vec<Route> {
    vec![
        common.data(
            "/prices/klines",
            "Candles",
            vec![
                symbol(),
                optional(
                    "interval",
                    "Length of a candle; not finer than the stored bars",
                    words(Interval::names(), Some("5m")),
                ),
                optional(
                    "limit",
                    "Most candles, the newest ones; without meaning beside start_time",
                    count(prices::LIMIT_MAX, Some(prices::LIMIT_DEFAULT.get())),
                ),
                optional("start_time", "Every candle that opens from here on", time()),
                optional("end_time", "No candle that opens later; now without", time()),
            ],
            "Oldest first",
            vec![(JSON, schema_of::<KlinesBody>(generator))],
        ),
        common.data(
            "/v1/series",
            "Volume, taker volume, open interest and funding",
            vec![
                symbol(),
                optional(
                    "interval",
                    "Length of a row; not finer than the stored bars",
                    words(Interval::names(), Some("5m")),
                ),
                optional("start_time", "Every interval from here on; 500 before the end without", time()),
                optional("end_time", "No interval that begins later; now without", time()),
            ],
            "Oldest first; `missing` names what is not stored",
            vec![(JSON, schema_of::<SeriesBody>(generator))],
        ),
        common.data(
            "/v1/symbols",
            "What is served",
            Vec::new(),
            "Every symbol with how its data stands",
            vec![(JSON, schema_of::<SymbolsBody>(generator))],
        ),
        common.data(
            "/v1/liquidations",
            "Liquidations that really happened",
            vec![
                symbol(),
                optional("start_time", "A day before end_time without", time()),
                optional("end_time", "Now without", time()),
                optional(
                    "limit",
                    "Most rows, the newest ones",
                    count(liquidations::LIMIT_MAX, Some(liquidations::LIMIT_DEFAULT.get())),
                ),
                optional(
                    "interval",
                    "One row a venue, side and interval instead of one a liquidation",
                    words(Interval::names(), None),
                ),
                optional("min_usd", "Only liquidations of at least this many dollars", usd()),
                optional("cursor", "`next` of the page before", json!({ "type": "string" })),
            ],
            "Oldest first; `next` leads to the page before these rows",
            vec![(JSON, schema_of::<LiquidationsBody>(generator))],
        ),
        common.data(
            "/v1/liquidations/summary",
            "Totals of realised liquidations over 1h, 4h, 12h and 24h, by venue and side",
            vec![symbol()],
            "Shortest window first",
            vec![(JSON, schema_of::<LiquidationSummaryBody>(generator))],
        ),
        common.data(
            "/v1/tiers",
            "Maintenance margin tiers in use, by venue",
            vec![symbol()],
            "One table a venue",
            vec![(JSON, schema_of::<TiersBody>(generator))],
        ),
        common.data(
            "/v1/liquidation-price",
            "Liquidation price of an isolated position, by venue",
            vec![
                symbol(),
                required("side", "Of the position", words(["long", "short"], None)),
                required("entry_price", "Average entry price", within(&margin::ENTRY_PRICE)),
                required("leverage", "Notional over margin at entry", within(&margin::LEVERAGE)),
                optional(
                    "notional_usd",
                    "Size at entry, USD; the first tier without",
                    within(&margin::NOTIONAL_USD),
                ),
            ],
            "One row a venue",
            vec![(JSON, schema_of::<LiquidationPriceBody>(generator))],
        ),
        export(common),
    ]
}

/// Rows as a file.
fn export(common: &CommonAnswers) -> Route {
    common.data(
        "/v1/export",
        "Rows as a file in Parquet, CSV or JSON; one export at a time",
        vec![
            required("what", "Which rows", words(export::kind_names(), None)),
            symbol(),
            optional("from", "A day before the end without; not of levels and walls", time()),
            optional(
                "to",
                "The end, exclusive; of levels and walls the moment of the state. Now without",
                time(),
            ),
            optional(
                "interval",
                "Length of bars; that of the stored bars without",
                words(Interval::names(), None),
            ),
            optional("format", "Of the file", words(["parquet", "csv", "json"], Some("csv"))),
        ],
        "The file; times are UTC",
        vec![
            ("text/csv; charset=utf-8", json!({ "type": "string" })),
            ("application/vnd.apache.parquet", binary()),
            (JSON, json!({ "type": "array", "items": { "type": "object" } })),
        ],
    )
}
