//! The tools: which route each one asks, with which arguments, and which part of its answer it gives.

use serde_json::{Map, Value, json};

use super::answers::{self, Detail};

/// A tool.
pub(super) struct ToolSpec {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// The route that answers.
    pub(super) route: &'static str,
    pub(super) arguments: &'static [Argument],
    /// The part of the route's answer that is given.
    pub(super) view: fn(&Value, Detail) -> Value,
}

/// An argument of a tool: a parameter of its route.
pub(super) struct Argument {
    pub(super) name: &'static str,
    about: &'static str,
    kind: Kind,
    /// Sent to the route where the caller gives none.
    pub(super) default: Option<&'static str>,
    pub(super) is_required: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Whole,
    Words(&'static [&'static str]),
}

impl Argument {
    const fn new(name: &'static str, about: &'static str, kind: Kind, default: Option<&'static str>) -> Self {
        Self { name, about, kind, default, is_required: false }
    }

    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Number => json!({ "type": "number" }),
            Kind::Whole => json!({ "type": "integer", "minimum": 0 }),
            Kind::Words(words) => json!({ "type": "string", "enum": words }),
        };
        schema["description"] = self.about.into();
        if let Some(default) = self.default {
            schema["default"] = match self.kind {
                Kind::Number | Kind::Whole => serde_json::from_str(default).unwrap_or_default(),
                Kind::Text | Kind::Words(_) => default.into(),
            };
        }
        schema
    }
}

const SYMBOL: Argument = Argument {
    is_required: true,
    ..Argument::new(
        "symbol",
        "A coin (BTC), a market (BTCUSDT, the sum of its venues) or one venue of it (BTCUSDT@binance)",
        Kind::Text,
        None,
    )
};
const MIN_USD: Argument =
    Argument::new("min_usd", "Only what is worth at least this many USD", Kind::Whole, None);
const AT: Argument = Argument::new("at", "The state at a moment of the past, RFC 3339", Kind::Text, None);
const TIMEFRAME: Argument = Argument::new(
    "timeframe",
    "Only positions opened within it: 12h, 24h, 3d, 7d, 30d, 90d, 180d, 1y or a number of days; not together with at",
    Kind::Text,
    None,
);
const START: Argument =
    Argument::new("start_time", "RFC 3339; a day before end_time without", Kind::Text, None);
const END: Argument = Argument::new("end_time", "RFC 3339; now without", Kind::Text, None);
const INTERVALS: &[&str] = &["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"];

pub(super) const TOOLS: [ToolSpec; 10] = [
    ToolSpec {
        name: "coverage",
        title: "Symbols and sources",
        about: "Which symbols are served, from which venues and since when, how fresh each one is, and which share of the open interest the model has seen being opened (seen_share). Start here.",
        route: "/v1/symbols",
        arguments: &[],
        view: answers::coverage,
    },
    ToolSpec {
        name: "walls",
        title: "Liquidation walls",
        about: "Stretches of price in which estimated liquidations are denser than around them, largest first: price span, side (long: below the price, liquidated when it falls), USD, distance from the price, and the USD expected to be liquidated within an hour.",
        route: "/v1/walls",
        arguments: &[
            SYMBOL,
            Argument::new(
                "range_pct",
                "Only walls within this distance of the price, per cent",
                Kind::Number,
                None,
            ),
            MIN_USD,
            Argument::new("limit", "Most walls", Kind::Whole, Some("10")),
            TIMEFRAME,
            AT,
        ],
        view: answers::walls,
    },
    ToolSpec {
        name: "nearest_wall",
        title: "Nearest wall above and below",
        about: "The liquidation wall nearest to the price on each side, and the USD that would be liquidated on the way to it.",
        route: "/v1/walls",
        arguments: &[
            SYMBOL,
            MIN_USD,
            Argument::new("limit", "Of how many walls, the largest ones", Kind::Whole, Some("50")),
        ],
        view: answers::nearest_wall,
    },
    ToolSpec {
        name: "liquidation_map",
        title: "Liquidation map",
        about: "Estimated liquidations by price and leverage, with cumulative USD: what a move of the price to a level would liquidate.",
        route: "/v1/map",
        arguments: &[
            SYMBOL,
            Argument::new(
                "range_pct",
                "Only levels within this distance of the price, per cent",
                Kind::Number,
                Some("5"),
            ),
            Argument::new("bin", "Height of a level, a multiple of the base bin", Kind::Number, None),
            TIMEFRAME,
            AT,
        ],
        view: answers::map,
    },
    ToolSpec {
        name: "max_pain",
        title: "Largest levels",
        about: "The price on each side at which most would be liquidated, within a distance of the price.",
        route: "/v1/max-pain",
        arguments: &[
            SYMBOL,
            Argument::new(
                "range_pct",
                "Only levels within this distance of the price, per cent",
                Kind::Number,
                Some("10"),
            ),
            TIMEFRAME,
            AT,
        ],
        view: answers::whole,
    },
    ToolSpec {
        name: "liquidations",
        title: "Realised liquidations",
        about: "Liquidations that really happened: sums by side and the largest ones; all of them with detail=detailed.",
        route: "/v1/liquidations",
        arguments: &[
            SYMBOL,
            START,
            END,
            MIN_USD,
            Argument::new("limit", "Most rows, the newest ones", Kind::Whole, Some("500")),
        ],
        view: answers::liquidations,
    },
    ToolSpec {
        name: "liquidation_summary",
        title: "Totals of realised liquidations",
        about: "Totals of realised liquidations over the last 1, 4, 12 and 24 hours, by side; by venue with detail=detailed.",
        route: "/v1/liquidations/summary",
        arguments: &[SYMBOL],
        view: answers::summary,
    },
    ToolSpec {
        name: "accuracy",
        title: "Accuracy of the map",
        about: "How well the map of each hour predicted where positions were liquidated in it, beside simpler predictors, over 1, 7 and 30 days.",
        route: "/v1/accuracy",
        arguments: &[SYMBOL],
        view: answers::whole,
    },
    ToolSpec {
        name: "candles",
        title: "Candles",
        about: "Price candles: open, high, low, close, change over the time; all candles with detail=detailed.",
        route: "/prices/klines",
        arguments: &[
            SYMBOL,
            Argument::new("interval", "Length of a candle", Kind::Words(INTERVALS), Some("1h")),
            Argument::new("limit", "How many, the newest ones", Kind::Whole, Some("24")),
        ],
        view: answers::candles,
    },
    ToolSpec {
        name: "status",
        title: "State of the server",
        about: "Whether the server and its sources are well, and what is not.",
        route: "/health",
        arguments: &[],
        view: answers::whole,
    },
];

/// The argument that every tool has.
const DETAIL: Argument = Argument::new(
    "detail",
    "concise: totals and the largest rows; detailed: all rows",
    Kind::Words(&Detail::NAMES),
    Some("concise"),
);

impl ToolSpec {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        static ALL: &[ToolSpec] = &TOOLS;
        ALL.iter().find(|tool| tool.name == name)
    }

    pub(super) fn names() -> String {
        TOOLS.map(|tool| tool.name).join(", ")
    }

    /// The arguments by name, for the text of errors.
    pub(super) fn argument_names(&self) -> String {
        let names = self.arguments.iter().map(|argument| argument.name).chain(["detail"]);
        names.collect::<Vec<_>>().join(", ")
    }

    /// What the arguments must be, as JSON Schema.
    pub(super) fn input_schema(&self) -> Map<String, Value> {
        let properties: Map<String, Value> =
            self.arguments.iter().chain([&DETAIL]).map(|one| (one.name.to_owned(), one.schema())).collect();
        let required: Vec<Value> =
            self.arguments.iter().filter(|one| one.is_required).map(|one| one.name.into()).collect();
        [
            ("type", "object".into()),
            ("properties", properties.into()),
            ("required", required.into()),
            ("additionalProperties", false.into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_described_once() {
        let mut names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TOOLS.len());
        let walls = ToolSpec::find("walls").unwrap().input_schema();
        assert_eq!(walls["required"], json!(["symbol"]));
        assert_eq!(walls["properties"]["limit"]["default"], 10);
        assert_eq!(walls["properties"]["detail"]["enum"], json!(["concise", "detailed"]));
        assert!(ToolSpec::find("wall").is_none());
    }
}
