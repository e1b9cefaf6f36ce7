//! The routes in formats of others, described as the others are.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use liqheat_feeds::venues::exchanges;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::super::formats::coinglass::shapes::{
    AggregatedHistoryRow, CoinRow, Envelope, ErrorEnvelope, ExchangeRow, Heatmap, HistoryRow, Map, MaxPain,
    Order, Pair,
};
use super::super::formats::coinglass::{
    HEATMAP_RANGES, HISTORY_LIMIT, INTERVALS, MAP_RANGES, PAIN_RANGES, WINDOWS,
};
use super::super::formats::openbb::{Apps, Widgets};
use super::super::formats::udf::RESOLUTIONS;
use super::super::formats::udf::shapes::{
    BarColumns, Config, ErrorBody as UdfError, Marks, SearchResult, SymbolInfo, TimescaleMark,
};
use super::route::{Answer, JSON, Parameter, Route, answer, count, optional, required, words};
use super::schema_of;

pub(super) const COINGLASS: &str = "Coinglass";
const UDF: &str = "TradingView UDF";
const OPENBB: &str = "OpenBB";
const MCP: &str = "Model Context Protocol";

pub(super) fn routes(generator: &mut SchemaGenerator) -> Vec<Route> {
    let mut routes = coinglass(generator);
    routes.extend(udf(generator));
    routes.extend(openbb(generator));
    routes.push(mcp());
    routes
}

fn symbol() -> Parameter {
    required("symbol", "A coin (BTC) or a pair (BTCUSDT)", json!({ "type": "string", "minLength": 1 }))
}

fn exchange() -> Parameter {
    static ABOUT: LazyLock<String> = LazyLock::new(|| {
        let names = exchanges().map(|exchange| format!("{}, ", exchange.display_name));
        format!("{}or Sim for the simulated market", names.collect::<String>())
    });
    required("exchange", &ABOUT, json!({ "type": "string", "minLength": 1 }))
}

fn ms() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// What a history is asked for.
fn history(first: Parameter) -> Vec<Parameter> {
    vec![
        first,
        symbol(),
        required("interval", "Length of a row", words(INTERVALS, None)),
        optional(
            "limit",
            "Most rows, the newest ones",
            count(HISTORY_LIMIT.get(), Some(HISTORY_LIMIT.get())),
        ),
        optional("start_time", "No interval that begins earlier, ms", ms()),
        optional("end_time", "No interval that begins later, ms; now without", ms()),
    ]
}

fn refusals(generator: &mut SchemaGenerator) -> Vec<Answer> {
    let error = schema_of::<ErrorEnvelope>(generator);
    let refused = |status, about| answer(status, about, vec![(JSON, error.clone())]);
    vec![
        refused(400, "A symbol or exchange that is not served, or a parameter that is not known"),
        refused(401, "A token is needed, and there is none or it is not accepted"),
        refused(403, "The token does not allow the symbol or what is asked of it"),
        refused(422, "A parameter is missing or malformed; `msg` says which"),
        refused(501, "This server is an edge (--role edge) and stores nothing; ask another one"),
        refused(503, "Not now. Retry-After says when to come back"),
    ]
}

fn coinglass(generator: &mut SchemaGenerator) -> Vec<Route> {
    fn of<T: JsonSchema>(
        generator: &mut SchemaGenerator,
        path: &'static str,
        summary: &'static str,
        parameters: Vec<Parameter>,
    ) -> Route {
        let body = schema_of::<Envelope<T>>(generator);
        let mut answers = vec![answer(200, "`code` is 0", vec![(JSON, body)])];
        answers.extend(refusals(generator));
        Route { path, method: "get", body: None, tag: COINGLASS, summary, parameters, answers, guarded: true }
    }
    let generator = &mut *generator;
    let heatmap_range = || required("range", "Ending now", words(HEATMAP_RANGES, None));
    let map_range = || required("range", "Only positions opened within it", words(MAP_RANGES, None));
    let mut routes = Vec::new();
    for path in [
        "/api/futures/liquidation/heatmap/model1",
        "/api/futures/liquidation/heatmap/model2",
        "/api/futures/liquidation/heatmap/model3",
    ] {
        let parameters = vec![exchange(), symbol(), heatmap_range()];
        routes.push(of::<Heatmap>(generator, path, "The heatmap of a pair at one exchange", parameters));
    }
    for path in [
        "/api/futures/liquidation/aggregated-heatmap/model1",
        "/api/futures/liquidation/aggregated-heatmap/model2",
        "/api/futures/liquidation/aggregated-heatmap/model3",
    ] {
        let parameters = vec![symbol(), heatmap_range()];
        routes.push(of::<Heatmap>(
            generator,
            path,
            "The heatmap of a coin, summed over exchanges",
            parameters,
        ));
    }
    routes.extend([
        of::<Map>(
            generator,
            "/api/futures/liquidation/map",
            "The liquidation map of a pair at one exchange, by leverage",
            vec![exchange(), symbol(), map_range()],
        ),
        of::<Map>(
            generator,
            "/api/futures/liquidation/aggregated-map",
            "The liquidation map of a coin, summed over exchanges and leverages",
            vec![symbol(), map_range()],
        ),
        of::<Vec<MaxPain>>(
            generator,
            "/api/futures/liquidation/max-pain",
            "The largest level above and below the price, of every coin",
            vec![optional("range", "Only positions opened within it", words(PAIN_RANGES, Some("24h")))],
        ),
        of::<Vec<HistoryRow>>(
            generator,
            "/api/futures/liquidation/history",
            "Realised liquidations of a pair at one exchange, by interval",
            history(exchange()),
        ),
        of::<Vec<AggregatedHistoryRow>>(
            generator,
            "/api/futures/liquidation/aggregated-history",
            "Realised liquidations of a coin, summed over exchanges, by interval",
            history(required(
                "exchange_list",
                "Exchanges, separated by commas",
                json!({ "type": "string", "minLength": 1 }),
            )),
        ),
        of::<Vec<CoinRow>>(
            generator,
            "/api/futures/liquidation/coin-list",
            "Realised liquidations of the last hours, by coin",
            vec![exchange()],
        ),
        of::<Vec<ExchangeRow>>(
            generator,
            "/api/futures/liquidation/exchange-list",
            "Realised liquidations of the last hours, by exchange",
            vec![
                required("range", "Ending now", words(WINDOWS, None)),
                Parameter { required: false, about: "Of one coin; of all without", ..symbol() },
            ],
        ),
        of::<Vec<Order>>(
            generator,
            "/api/futures/liquidation/order",
            "Realised liquidations one by one, newest first; at most 200",
            vec![
                exchange(),
                symbol(),
                required(
                    "min_liquidation_amount",
                    "Least USD of a liquidation",
                    json!({ "type": "number", "minimum": 0 }),
                ),
                optional("start_time", "Seven days before the end without, ms", ms()),
                optional("end_time", "Now without, ms", ms()),
            ],
        ),
        of::<Vec<String>>(generator, "/api/futures/supported-coins", "The coins that are served", Vec::new()),
        of::<Vec<String>>(
            generator,
            "/api/futures/supported-exchanges",
            "The exchanges that are served",
            Vec::new(),
        ),
        of::<BTreeMap<String, Vec<Pair>>>(
            generator,
            "/api/futures/supported-exchange-pairs",
            "The pairs of each exchange",
            vec![Parameter { required: false, ..exchange() }],
        ),
    ]);
    routes
}

fn udf(generator: &mut SchemaGenerator) -> Vec<Route> {
    let error = schema_of::<UdfError>(generator);
    let refused = |status, about| answer(status, about, vec![(JSON, error.clone())]);
    let refusals = || {
        vec![
            refused(400, "An unknown symbol, or a parameter that is not known"),
            refused(401, "A token is needed, and there is none or it is not accepted"),
            refused(403, "The token does not allow the symbol or what is asked of it"),
            refused(422, "A parameter is missing or malformed; `errmsg` says which"),
            refused(501, "This server is an edge (--role edge) and stores nothing; ask another one"),
            refused(503, "Not now. Retry-After says when to come back"),
        ]
    };
    let route = |path, summary, parameters, bodies| {
        let mut answers = vec![answer(200, "Times are seconds since 1970", bodies)];
        answers.extend(refusals());
        Route { path, method: "get", body: None, tag: UDF, summary, parameters, answers, guarded: true }
    };
    let named = || {
        let about = "A name of /v1/symbols, with or without EXCHANGE: before it";
        required("symbol", about, json!({ "type": "string", "minLength": 1 }))
    };
    let second = || json!({ "type": "integer" });
    let within = || {
        vec![
            named(),
            required("resolution", "Minutes, or 1D", words(RESOLUTIONS.map(|(name, _)| name), None)),
            required("from", "Seconds since 1970", second()),
            required("to", "Seconds since 1970, exclusive", second()),
        ]
    };
    let mut bars = within();
    bars.push(optional(
        "countback",
        "At least this many bars before `to`",
        json!({ "type": "integer", "minimum": 0 }),
    ));
    vec![
        route(
            "/udf/config",
            "What the feed supports",
            Vec::new(),
            vec![(JSON, schema_of::<Config>(generator))],
        ),
        route("/udf/symbols", "A symbol", vec![named()], vec![(JSON, schema_of::<SymbolInfo>(generator))]),
        route(
            "/udf/search",
            "Symbols by a part of their name",
            vec![
                optional("query", "Part of a name; all without", json!({ "type": "string" })),
                optional("type", "crypto", json!({ "type": "string" })),
                optional("exchange", "As /udf/config names them", json!({ "type": "string" })),
                optional("limit", "Most symbols", count(100, Some(30))),
            ],
            vec![(JSON, schema_of::<Vec<SearchResult>>(generator))],
        ),
        route("/udf/history", "Bars as columns", bars, vec![(JSON, schema_of::<BarColumns>(generator))]),
        route(
            "/udf/marks",
            "Bars in which far more than usual was liquidated, or estimated levels were swept",
            within(),
            vec![(JSON, schema_of::<Marks>(generator))],
        ),
        route(
            "/udf/timescale_marks",
            "Bars in which far more than usual was liquidated",
            within(),
            vec![(JSON, schema_of::<Vec<TimescaleMark>>(generator))],
        ),
        route(
            "/udf/time",
            "Market time, seconds since 1970",
            Vec::new(),
            vec![("text/plain", json!({ "type": "string" }))],
        ),
    ]
}

fn openbb(generator: &mut SchemaGenerator) -> Vec<Route> {
    let route = |path, summary, body| Route {
        path,
        method: "get",
        body: None,
        tag: OPENBB,
        summary,
        parameters: Vec::new(),
        answers: vec![
            answer(200, "Descriptions, no data", vec![(JSON, body)]),
            answer(401, "A token is needed, and there is none or it is not accepted", Vec::new()),
        ],
        guarded: true,
    };
    vec![
        route("/widgets.json", "Widgets for OpenBB Workspace", schema_of::<Widgets>(generator)),
        route("/apps.json", "A dashboard of the widgets", schema_of::<Apps>(generator)),
    ]
}

fn mcp() -> Route {
    let message = json!({
        "type": "object", "required": ["jsonrpc", "method"],
        "properties": { "jsonrpc": { "const": "2.0" }, "method": { "type": "string" } }
    });
    Route {
        path: "/mcp",
        method: "post",
        body: Some((JSON, message)),
        tag: MCP,
        summary: "Tools for agents, over streamable HTTP without sessions: one JSON-RPC message a request",
        parameters: Vec::new(),
        answers: vec![
            answer(200, "The answer of the message", vec![(JSON, json!({ "type": "object" }))]),
            answer(202, "A notification was accepted", Vec::new()),
            answer(400, "Not a message of the protocol", Vec::new()),
            answer(401, "A token is needed, and there is none or it is not accepted", Vec::new()),
            answer(403, "A page of another origin", Vec::new()),
            answer(404, "A method that is not known here, asked in a revision without handshake", Vec::new()),
            answer(406, "The header Accept excludes application/json", Vec::new()),
            answer(413, "The message is larger than 64 KiB", Vec::new()),
            answer(415, "Content-Type must be application/json", Vec::new()),
        ],
        guarded: true,
    }
}
