//! Every route: what it is for, what it may be asked and what it answers.

use std::ops::RangeInclusive;

use liqheat_alerts::RuleFields;
use liqheat_feeds::archive::Family;
use liqheat_market::Interval;
use liqheat_wire::{
    AccuracyBody, DateRangeBody, ErrorBody, GRID_CONTENT_TYPE, GridJson, GridLayout, HealthBody, IngestBody,
    IngestStateBody, KlinesBody, LevelsBody, LiquidationPriceBody, LiquidationSummaryBody, LiquidationsBody,
    MapBody, MaxPainBody, MeasuredBody, OlderLiquidationRow, STATE_CONTENT_TYPE, SeriesBody, StatsBody,
    SymbolsBody, TiersBody, TimeseriesBody, ViewHorizon, WallsBody,
};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::super::{
    alerts, export, heatmap, history, ingest, liquidations, margin, measured, older, prices, walls,
};
use super::{formats, schema_of, server_messages};
use crate::history::ChartRange;

/// One method of a route.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// `get`, or what changes something: `post` or `delete`.
    pub(super) method: &'static str,
    /// Media type and schema of what the request brings.
    pub(super) body: Option<(&'static str, Value)>,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) answers: Vec<Answer>,
    /// Whether a token is needed where the operator asks for tokens.
    pub(super) guarded: bool,
}

/// A parameter of the query or the path.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// `query` or `path`.
    pub(super) place: &'static str,
    pub(super) about: &'static str,
    pub(super) required: bool,
    pub(super) schema: Value,
}

/// One status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    /// Schemas by media type.
    pub(super) bodies: Vec<(&'static str, Value)>,
}

pub(super) const JSON: &str = "application/json";
const OCTETS: &str = "application/octet-stream";

/// What an edge also answers, because it needs no stored data.
const LIVE: [&str; 2] = ["/v1/heatmap", "/v1/symbols"];

pub(super) fn required(name: &'static str, about: &'static str, schema: Value) -> Parameter {
    Parameter { name, place: "query", about, required: true, schema }
}

pub(super) fn optional(name: &'static str, about: &'static str, schema: Value) -> Parameter {
    Parameter { required: false, ..required(name, about, schema) }
}

fn symbol() -> Parameter {
    required("symbol", "A name of /v1/symbols", json!({ "type": "string", "minLength": 1 }))
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn price() -> Value {
    json!({ "type": "number", "exclusiveMinimum": 0 })
}

fn within(range: &RangeInclusive<f64>) -> Value {
    json!({ "type": "number", "minimum": range.start(), "maximum": range.end() })
}

pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a str>, default: Option<&str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    match default {
        Some(default) => json!({ "type": "string", "enum": words, "default": default }),
        None => json!({ "type": "string", "enum": words }),
    }
}

pub(super) fn count(most: usize, default: Option<usize>) -> Value {
    let mut schema = json!({ "type": "integer", "minimum": 1, "maximum": most });
    if let Some(default) = default {
        schema["default"] = default.into();
    }
    schema
}

fn usd() -> Value {
    json!({ "type": "integer", "minimum": 0, "default": 0 })
}

fn range_pct() -> Parameter {
    optional("range_pct", "Only what is within this distance of the price, per cent", price())
}

/// What `view` means where states are sent.
const VIEW: &str = "`expected`: USD that is expected to be liquidated within the horizon, in place of USD of open positions. A state of its own: positions of one view mean nothing in the other";

/// The parameters of the expected view.
fn expected_view(about: &'static str) -> [Parameter; 2] {
    let horizons = words(ViewHorizon::ALL.map(ViewHorizon::name), Some("1h"));
    [
        optional("view", about, words(["open", "expected"], Some("open"))),
        optional("horizon", "Of view=expected", horizons),
    ]
}

/// The parameters that name a state by leverage, and further ones.
fn selection(further: Vec<Parameter>) -> Vec<Parameter> {
    let ranges = ChartRange::names();
    let mut parameters = vec![
        symbol(),
        optional(
            "timeframe",
            "Only positions opened within this time: one of these words, or whole days from 1 to 365",
            json!({ "anyOf": [words(ranges.split(", "), None), { "type": "integer", "minimum": 1, "maximum": 365 }] }),
        ),
        optional("at", "The state at a moment of the past; not together with timeframe", time()),
    ];
    parameters.extend(expected_view(
        "`expected`: USD that is expected to be liquidated within the horizon, in place of the size of levels; not together with timeframe or at",
    ));
    parameters.extend(further);
    parameters
}

pub(super) fn answer(status: u16, about: &'static str, bodies: Vec<(&'static str, Value)>) -> Answer {
    Answer { status, about, bodies }
}

/// Rows as a file.
fn export(
    data: &impl Fn(&'static str, &'static str, Vec<Parameter>, &'static str, Vec<(&'static str, Value)>) -> Route,
) -> Route {
    data(
        "/v1/export",
        "Rows as a file in Parquet, CSV or JSON; one export at a time",
        vec![
            required("what", "Which rows", words(export::ExportedRows::NAMES, None)),
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

fn binary() -> Value {
    json!({ "type": "string", "format": "binary" })
}

/// All routes. `generator` collects the schemas of their bodies.
pub(super) fn routes(generator: &mut SchemaGenerator) -> Vec<Route> {
    let error = schema_of::<ErrorBody>(generator);
    let refused = |status, about| answer(status, about, vec![(JSON, error.clone())]);
    let refusals = || {
        vec![
            refused(
                400,
                "Understood, but not to be had: an unknown symbol, weights that make no sense, too many cells",
            ),
            refused(401, "A token is needed, and there is none or it is not accepted"),
            refused(422, "A parameter is missing or malformed; the body says which"),
            refused(
                503,
                "Not now: there is no state yet, too many requests wait for the database, it does not answer, or the server is stopping. Retry-After says when to come back",
            ),
        ]
    };
    let data = |path, summary, parameters, about, bodies| {
        let mut answers = vec![answer(200, about, bodies)];
        answers.extend(refusals());
        if !LIVE.contains(&path) {
            answers.push(refused(
                501,
                "This server is an edge (--role edge) and stores nothing; ask another one",
            ));
        }
        Route { path, method: "get", body: None, tag: "Data", summary, parameters, answers, guarded: true }
    };
    let ranges = ChartRange::names();
    let ranges = || ranges.split(", ");
    let intervals = || Interval::names();
    let messages = server_messages(generator);
    let states = messages.into_iter().filter(|(name, _)| name == "snapshot" || name == "delta");
    let state = json!({ "oneOf": states.map(|(_, schema)| schema).collect::<Vec<_>>() });

    let mut poll = data(
        "/v1/heatmap",
        "The newest state, or the difference from an older one: what the socket would send",
        vec![
            symbol(),
            optional("since", "Position of the last message, as epoch:seq", json!({ "type": "string" })),
            optional("price_low", "Only levels that touch the span from here", price()),
            optional("price_high", "to here", price()),
            optional("bin", "Height of a level, a multiple of the base bin", price()),
        ]
        .into_iter()
        .chain(expected_view(VIEW))
        .collect(),
        "A delta from `since` where one will do, else a snapshot; binary where Accept asks for it. ETag is the hash",
        vec![(JSON, state), (STATE_CONTENT_TYPE, binary())],
    );
    poll.answers.push(answer(304, "`since`, or If-None-Match, names the newest state already", Vec::new()));

    let mut grid = data(
        "/v1/heatmap/history",
        "The time x price grid of a chart",
        vec![
            symbol(),
            optional("range", "Ending now", words(ranges(), Some("24h"))),
            optional("from", "Instead of a range: where the first column begins", time()),
            optional("to", "With from: where the last column ends; now without", time()),
            optional("price_low", "Lower edge of the lowest row, with price_high", price()),
            optional("price_high", "Upper edge of the highest row, with price_low", price()),
            optional("bin", "Height of a row; the base bin or a multiple of it without", price()),
            optional("columns", "Wished number of columns", count(history::COLUMNS_MAX, None)),
            optional(
                "by",
                "A plane for each leverage class besides; compact form only",
                words(["leverage"], None),
            ),
        ],
        "Compact (docs/protocol.md, section 6) where Accept asks for it, else JSON",
        vec![
            (JSON, schema_of::<GridJson>(generator)),
            (GRID_CONTENT_TYPE, binary()),
            (GridLayout::PriceMajor.content_type(), binary()),
        ],
    );
    grid.answers.push(answer(
        304,
        "If-None-Match names the grid of a time that is over, and it still stands",
        Vec::new(),
    ));

    let routes = vec![
        data(
            "/liquidations/heatmap-timeseries",
            "The levels at the end of every interval",
            vec![
                symbol(),
                optional(
                    "start_time",
                    "RFC 3339, a date, or milliseconds since 1970; 7 days or one time_window before the end without",
                    time(),
                ),
                optional("end_time", "Later than start_time; the newest whole interval without", time()),
                optional(
                    "time_window",
                    "A length of time, with an interval that suits it unless one is given",
                    words(heatmap::TimeWindow::ALL.map(|window| window.name), None),
                ),
                optional(
                    "interval",
                    "Distance of the rows; whole multiples of the stored bars",
                    words(heatmap::INTERVALS, Some("15m")),
                ),
                optional("price_bin_size", "Height of a level; the base bin without", price()),
                optional(
                    "leverage_weights",
                    "leverage:weight, separated by commas, such as 5:20,10:30,25:30,50:15,100:5, or the same as a JSON object",
                    json!({ "type": "string" }),
                ),
                optional(
                    "exchanges",
                    "Venues to sum, separated by commas; all of the symbol without",
                    json!({ "type": "string" }),
                ),
            ],
            "One row an interval, oldest first",
            vec![(JSON, schema_of::<TimeseriesBody>(generator))],
        ),
        data(
            "/liquidations/levels",
            "The levels of this moment, by leverage",
            selection(Vec::new()),
            "One row a bin and leverage class, nearest to the price first",
            vec![(JSON, schema_of::<LevelsBody>(generator))],
        ),
        data(
            "/prices/klines",
            "Candles",
            vec![
                symbol(),
                optional(
                    "interval",
                    "Length of a candle; not finer than the stored bars",
                    words(intervals(), Some("5m")),
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
        data(
            "/v1/series",
            "Volume, taker volume, open interest and funding",
            vec![
                symbol(),
                optional(
                    "interval",
                    "Length of a row; not finer than the stored bars",
                    words(intervals(), Some("5m")),
                ),
                optional("start_time", "Every interval from here on; 500 before the end without", time()),
                optional("end_time", "No interval that begins later; now without", time()),
            ],
            "Oldest first; `missing` names what is not stored",
            vec![(JSON, schema_of::<SeriesBody>(generator))],
        ),
        data(
            "/v1/symbols",
            "What is served",
            Vec::new(),
            "Every symbol with how its data stands",
            vec![(JSON, schema_of::<SymbolsBody>(generator))],
        ),
        data(
            "/v1/tiers",
            "Maintenance margin tiers in use, by venue",
            vec![symbol()],
            "One table a venue",
            vec![(JSON, schema_of::<TiersBody>(generator))],
        ),
        data(
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
        data(
            "/api/margin/tiers/{symbol}",
            "The same as /v1/tiers, for older clients",
            vec![Parameter { place: "path", ..symbol() }],
            "One table a venue",
            vec![(JSON, schema_of::<TiersBody>(generator))],
        ),
        data(
            "/symbols",
            "Names of the symbols, for older clients; /v1/symbols says more",
            vec![],
            "Names without venues",
            vec![(JSON, schema_of::<Vec<String>>(generator))],
        ),
        data(
            "/exchanges",
            "Names of the venues, for older clients",
            vec![],
            "Names",
            vec![(JSON, schema_of::<Vec<String>>(generator))],
        ),
        data(
            "/data/date-range",
            "From when to when there is data, for older clients",
            vec![symbol()],
            "The first bar and the newest event",
            vec![(JSON, schema_of::<DateRangeBody>(generator))],
        ),
        data(
            "/liquidations/history",
            "Liquidations that really happened as a plain list, for older clients; /v1/liquidations says more",
            vec![
                symbol(),
                optional("start", "A day before end without", time()),
                optional("end", "Now without", time()),
                optional(
                    "limit",
                    "Most rows, the newest ones",
                    count(older::LIMIT_MAX, Some(older::LIMIT_DEFAULT.get())),
                ),
            ],
            "Oldest first",
            vec![(JSON, schema_of::<Vec<OlderLiquidationRow>>(generator))],
        ),
        data(
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
                    words(intervals(), None),
                ),
                optional("min_usd", "Only liquidations of at least this many dollars", usd()),
                optional("cursor", "`next` of the page before", json!({ "type": "string" })),
            ],
            "Oldest first; `next` leads to the page before these rows",
            vec![(JSON, schema_of::<LiquidationsBody>(generator))],
        ),
        data(
            "/v1/liquidations/summary",
            "Totals of realised liquidations over 1h, 4h, 12h and 24h, by venue and side",
            vec![symbol()],
            "Shortest window first",
            vec![(JSON, schema_of::<LiquidationSummaryBody>(generator))],
        ),
        data(
            "/v1/accuracy",
            "How well the map of each hour said where positions were liquidated in it, over 1, 7 and 30 days",
            vec![symbol()],
            "Each venue by itself",
            vec![(JSON, schema_of::<AccuracyBody>(generator))],
        ),
        data(
            "/v1/walls",
            "Walls: stretches of price in which the levels of a side are denser than around them",
            selection(vec![
                range_pct(),
                optional("min_usd", "Only walls of at least this many dollars", usd()),
                optional(
                    "freshness",
                    "Also the freshness of each wall",
                    json!({ "type": "boolean", "default": false }),
                ),
                optional(
                    "limit",
                    "Most walls, the largest ones",
                    count(walls::LIMIT_MAX, Some(walls::LIMIT_DEFAULT.get())),
                ),
            ]),
            "Those with the most dollars first",
            vec![(JSON, schema_of::<WallsBody>(generator))],
        ),
        data(
            "/v1/max-pain",
            "The largest level of each side within a distance of the price",
            selection(vec![optional(
                "range_pct",
                "Only levels within this distance of the price, per cent",
                json!({ "type": "number", "exclusiveMinimum": 0, "default": walls::PAIN_RANGE_PCT }),
            )]),
            "`null` for a side without levels within the range",
            vec![(JSON, schema_of::<MaxPainBody>(generator))],
        ),
        data(
            "/v1/map",
            "The liquidation map: both sides by price and leverage, with cumulative curves",
            selection(vec![
                range_pct(),
                optional("bin", "Height of a bin, a multiple of the base bin", price()),
            ]),
            "Ascending in price",
            vec![(JSON, schema_of::<MapBody>(generator))],
        ),
        poll,
        export(&data),
        data(
            "/v1/alerts",
            "Rules of alerts, the targets they go to, and the newest alerts",
            Vec::new(),
            "Alerts oldest first",
            vec![(JSON, schema_of::<alerts::AlertsBody>(generator))],
        ),
        grid,
    ];

    let mut routes = routes;
    let rule = schema_of::<RuleFields>(generator);
    let forbidden = || {
        refused(
            403,
            "A page of another origin, or no tokens are configured and the client is on another machine",
        )
    };
    let mut add = data(
        "/v1/alerts",
        "Puts a rule in force, in place of an earlier one of the same name that came this way",
        Vec::new(),
        "The rule",
        vec![(JSON, schema_of::<alerts::RuleRow>(generator))],
    );
    (add.method, add.body) = ("post", Some((JSON, rule)));
    add.answers.push(forbidden());
    let mut remove = data(
        "/v1/alerts",
        "Removes a rule that came through this interface",
        vec![required("name", "Name of the rule", json!({ "type": "string", "minLength": 1 }))],
        "Its name",
        vec![(JSON, schema_of::<alerts::RemovedBody>(generator))],
    );
    remove.method = "delete";
    remove.answers.push(forbidden());
    routes.push(data(
        "/v1/measured",
        "Positions of real accounts at Hyperliquid, and how much of the market they are; never part of the estimate",
        vec![
            symbol(),
            optional("limit", "Most positions in `closest`", count(measured::CLOSEST_MAX, Some(20))),
            optional("at", "A moment of the past, without `closest`; layers are stored every five minutes", time()),
        ],
        "Levels, coverage and the positions nearest to their liquidation; 400 where the server does not look at accounts",
        vec![(JSON, schema_of::<MeasuredBody>(generator))],
    ));
    remove.answers.push(refused(404, "There is no such rule"));
    routes.extend([add, remove]);
    let mut ingest_state = data(
        "/v1/ingest",
        "Whether a file of market data would be taken now",
        Vec::new(),
        "Limits, and whether another file is being loaded",
        vec![(JSON, schema_of::<IngestStateBody>(generator))],
    );
    ingest_state.answers.push(forbidden());
    let mut load = data(
        "/v1/ingest",
        "Loads a file of market data into the database, one file at a time",
        vec![
            required(
                "name",
                "Name of the file with its folders, which say what it holds: klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip",
                json!({ "type": "string", "minLength": 1, "maxLength": ingest::NAME_BYTES_MAX }),
            ),
            optional(
                "family",
                "What the file holds, where its name does not say",
                words(Family::ALL.map(Family::name), None),
            ),
            optional(
                "symbol",
                "Whose data it holds, where its name does not say",
                json!({ "type": "string", "minLength": 1 }),
            ),
        ],
        "What was stored and what was refused; 422 when nothing of the file is market data",
        vec![(JSON, schema_of::<IngestBody>(generator))],
    );
    (load.method, load.body) = ("post", Some((OCTETS, binary())));
    load.answers.push(forbidden());
    load.answers.push(refused(408, "No byte of the file came for 30 seconds"));
    load.answers.push(refused(413, "The file is larger than `bytes_max`"));
    routes.extend([ingest_state, load]);

    // What the guard says to any request; routes of data say more in their own 400 and 403.
    let refused_host = |mut answers: Vec<Answer>| {
        if answers.iter().all(|answer| answer.status != 403) {
            answers.push(refused(403, "The header Host names another server"));
        }
        answers
    };
    let open = |path, tag, summary, answers| Route {
        path,
        method: "get",
        body: None,
        tag,
        summary,
        parameters: Vec::new(),
        answers: refused_host(answers),
        guarded: false,
    };
    let health = schema_of::<HealthBody>(generator);
    let well = |about| answer(200, about, vec![(JSON, health.clone())]);
    let document = |about| vec![answer(200, about, vec![(JSON, json!({ "type": "object" }))])];
    let html = |about| vec![answer(200, about, vec![("text/html", json!({ "type": "string" }))])];
    let [view, horizon] = expected_view(VIEW);
    let others = vec![
        Route {
            guarded: true,
            ..open(
                "/ws/heatmap",
                "Socket",
                "Opens the WebSocket that /asyncapi.json describes",
                vec![
                    answer(101, "It is a WebSocket from here on", Vec::new()),
                    refused(400, "Not a WebSocket handshake"),
                    refused(401, "A token is needed, and there is none or it is not accepted"),
                    refused(403, "A page of another origin"),
                    refused(429, "This address has too many sockets, or opened too many within a minute"),
                    refused(503, "WS_ENABLED=false, all connections are taken, or the server is stopping"),
                ],
            )
        },
        Route {
            guarded: true,
            parameters: vec![
                required(
                    "symbols",
                    "Names of /v1/symbols, 1 to 10, separated by commas",
                    json!({ "type": "string", "minLength": 1 }),
                ),
                optional(
                    "channels",
                    "What to follow of each symbol, separated by commas: heatmap, price, liquidations, walls. Only the heatmap without",
                    json!({ "type": "string" }),
                ),
                optional("mode", "How the heatmap travels", words(["snapshot", "delta"], Some("snapshot"))),
                optional(
                    "update_interval",
                    "Seconds between states of the heatmap",
                    json!({ "type": "number" }),
                ),
                optional("price_low", "Only levels of the heatmap at or above this price", price()),
                optional("price_high", "Only levels of the heatmap at or below this price", price()),
                optional("bin", "Height of a level, a multiple of the base bin", price()),
                optional("min_usd", "Smallest liquidation to send, whole USD", usd()),
                view,
                horizon,
                optional(
                    "last_event_id",
                    "The id of the last event of an earlier stream with the same parameters; the header Last-Event-ID does the same",
                    json!({ "type": "string" }),
                ),
            ],
            ..open(
                "/v1/stream",
                "Socket",
                "Server-sent events with the messages of the socket; ids are positions, Last-Event-ID resumes",
                vec![
                    answer(
                        200,
                        "Events without end; their data is described by /asyncapi.json",
                        vec![("text/event-stream", json!({ "type": "string" }))],
                    ),
                    refused(400, "An unknown symbol or channel, or an id of another stream"),
                    refused(401, "A token is needed, and there is none or it is not accepted"),
                    refused(403, "A page of another origin, or the token does not allow a symbol or channel"),
                    refused(422, "A parameter is missing or malformed"),
                    refused(429, "This address has too many sockets, or opened too many within a minute"),
                    refused(503, "WS_ENABLED=false, all connections are taken, or the server is stopping"),
                ],
            )
        },
        open(
            "/ws/stats",
            "Operation",
            "How sockets, updates and venues do",
            vec![answer(200, "Counts since the start", vec![(JSON, schema_of::<StatsBody>(generator))])],
        ),
        open(
            "/metrics",
            "Operation",
            "Everything that is counted, for Prometheus",
            vec![answer(
                200,
                "OpenMetrics text",
                vec![("application/openmetrics-text", json!({ "type": "string" }))],
            )],
        ),
        open("/live", "Operation", "Whether the process answers", vec![well("It does")]),
        open(
            "/health",
            "Operation",
            "What is not well, always with 200",
            vec![well("`status` is `ok` or `degraded`")],
        ),
        open(
            "/ready",
            "Operation",
            "Whether the server should get traffic",
            vec![well("Yes"), answer(503, "No, and why", vec![(JSON, health.clone())])],
        ),
        open(
            "/",
            "Pages",
            "The dashboard",
            [
                html("The page"),
                vec![answer(
                    404,
                    "This program was built without its page",
                    vec![("text/plain", json!({ "type": "string" }))],
                )],
            ]
            .into_iter()
            .flatten()
            .collect(),
        ),
        open("/docs", "Pages", "This reference, for people", html("The page")),
        open("/openapi.json", "Pages", "This reference, for machines", document("OpenAPI 3.1")),
        open("/asyncapi.json", "Pages", "The messages of the socket, for machines", document("AsyncAPI 3.0")),
    ];
    routes.into_iter().chain(others).chain(formats::routes(generator)).collect()
}
