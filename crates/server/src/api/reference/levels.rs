//! Routes of what the model estimates, and of how good it is.

use liqheat_wire::{
    AccuracyBody, GRID_CONTENT_TYPE, GridJson, GridLayout, LevelsBody, MapBody, MaxPainBody, MeasuredBody,
    STATE_CONTENT_TYPE, TimeseriesBody, WallsBody,
};
use schemars::SchemaGenerator;
use serde_json::json;

use super::super::{heatmap, history, measured, walls};
use super::route::{
    CommonAnswers, JSON, Route, VIEW, answer, binary, count, expected_view, optional, price, range_pct,
    selection, symbol, time, usd, words,
};
use super::{schema_of, server_messages};
use crate::history::ChartRange;

/// States of a symbol: live, by time and by leverage.
pub(super) fn states(generator: &mut SchemaGenerator, common: &CommonAnswers) -> Vec<Route> {
    let messages = server_messages(generator);
    let states = messages.into_iter().filter(|(name, _)| name == "snapshot" || name == "delta");
    let state = json!({ "oneOf": states.map(|(_, schema)| schema).collect::<Vec<_>>() });

    let mut poll = common.data(
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

    let mut grid = common.data(
        "/v1/heatmap/history",
        "The time x price grid of a chart",
        vec![
            symbol(),
            optional("range", "Ending now", words(ChartRange::names().split(", "), Some("24h"))),
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
            (GridLayout::Predicted.content_type(), binary()),
        ],
    );
    grid.answers.push(answer(
        304,
        "If-None-Match names the grid of a time that is over, and it still stands",
        Vec::new(),
    ));

    vec![
        poll,
        grid,
        common.data(
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
        common.data(
            "/liquidations/levels",
            "The levels of this moment, by leverage",
            selection(Vec::new()),
            "One row a bin and leverage class, nearest to the price first",
            vec![(JSON, schema_of::<LevelsBody>(generator))],
        ),
    ]
}

/// What is computed from a state, and what it is compared with.
pub(super) fn views(generator: &mut SchemaGenerator, common: &CommonAnswers) -> Vec<Route> {
    vec![
        common.data(
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
        common.data(
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
        common.data(
            "/v1/map",
            "The liquidation map: both sides by price and leverage, with cumulative curves",
            selection(vec![
                range_pct(),
                optional("bin", "Height of a bin, a multiple of the base bin", price()),
            ]),
            "Ascending in price",
            vec![(JSON, schema_of::<MapBody>(generator))],
        ),
        common.data(
            "/v1/accuracy",
            "How well the map of each hour said where positions were liquidated in it, over 1, 7 and 30 days",
            vec![symbol()],
            "Each venue by itself",
            vec![(JSON, schema_of::<AccuracyBody>(generator))],
        ),
        common.data(
            "/v1/measured",
            "Positions of real accounts at Hyperliquid, and how much of the market they are; never part of the estimate",
            vec![
                symbol(),
                optional("limit", "Most positions in `closest`", count(measured::CLOSEST_MAX, Some(20))),
                optional("at", "A moment of the past, without `closest`; layers are stored every five minutes", time()),
            ],
            "Levels, coverage and the positions nearest to their liquidation; 400 where the server does not look at accounts",
            vec![(JSON, schema_of::<MeasuredBody>(generator))],
        ),
    ]
}
