//! A route as it is described, and the parameters and answers that many share.

use std::ops::RangeInclusive;

use liqheat_wire::{ErrorBody, ViewHorizon};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::schema_of;
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
pub(super) const OCTETS: &str = "application/octet-stream";

/// What an edge also answers, because it needs no stored data.
const LIVE: [&str; 2] = ["/v1/heatmap", "/v1/symbols"];

pub(super) fn required(name: &'static str, about: &'static str, schema: Value) -> Parameter {
    Parameter { name, place: "query", about, required: true, schema }
}

pub(super) fn optional(name: &'static str, about: &'static str, schema: Value) -> Parameter {
    Parameter { required: false, ..required(name, about, schema) }
}

pub(super) fn symbol() -> Parameter {
    required("symbol", "A name of /v1/symbols", json!({ "type": "string", "minLength": 1 }))
}

pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

pub(super) fn price() -> Value {
    json!({ "type": "number", "exclusiveMinimum": 0 })
}

pub(super) fn within(range: &RangeInclusive<f64>) -> Value {
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

pub(super) fn usd() -> Value {
    json!({ "type": "integer", "minimum": 0, "default": 0 })
}

pub(super) fn range_pct() -> Parameter {
    optional("range_pct", "Only what is within this distance of the price, per cent", price())
}

/// What `view` means where states are sent.
pub(super) const VIEW: &str = "`expected`: USD that is expected to be liquidated within the horizon, in place of USD of open positions. A state of its own: positions of one view mean nothing in the other";

/// The parameters of the expected view.
pub(super) fn expected_view(about: &'static str) -> [Parameter; 2] {
    let horizons = words(ViewHorizon::ALL.map(ViewHorizon::name), Some("1h"));
    [
        optional("view", about, words(["open", "expected"], Some("open"))),
        optional("horizon", "Of view=expected", horizons),
    ]
}

/// The parameters that name a state by leverage, and further ones.
pub(super) fn selection(further: Vec<Parameter>) -> Vec<Parameter> {
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

pub(super) fn binary() -> Value {
    json!({ "type": "string", "format": "binary" })
}

/// CommonAnswers that many routes share, with their schema.
pub(super) struct CommonAnswers {
    error: Value,
}

impl CommonAnswers {
    pub(super) fn new(generator: &mut SchemaGenerator) -> Self {
        Self { error: schema_of::<ErrorBody>(generator) }
    }

    /// A status with a text that says why.
    pub(super) fn refused(&self, status: u16, about: &'static str) -> Answer {
        answer(status, about, vec![(JSON, self.error.clone())])
    }

    /// What changes something may not come from anywhere.
    pub(super) fn other_origin(&self) -> Answer {
        self.refused(
            403,
            "A page of another origin, or no tokens are configured and the client is on another machine",
        )
    }

    /// A route of data; `about` describes its answer.
    pub(super) fn data(
        &self,
        path: &'static str,
        summary: &'static str,
        parameters: Vec<Parameter>,
        about: &'static str,
        bodies: Vec<(&'static str, Value)>,
    ) -> Route {
        let mut answers = vec![
            answer(200, about, bodies),
            self.refused(
                400,
                "Understood, but not to be had: an unknown symbol, weights that make no sense, too many cells",
            ),
            self.refused(401, "A token is needed, and there is none or it is not accepted"),
            self.refused(422, "A parameter is missing or malformed; the body says which"),
            self.refused(
                503,
                "Not now: there is no state yet, too many requests wait for the database, it does not answer, or the server is stopping. Retry-After says when to come back",
            ),
        ];
        if !LIVE.contains(&path) {
            answers.push(
                self.refused(501, "This server is an edge (--role edge) and stores nothing; ask another one"),
            );
        }
        Route { path, method: "get", body: None, tag: "Data", summary, parameters, answers, guarded: true }
    }

    /// A route beside those of data; no token is needed.
    pub(super) fn open(
        &self,
        path: &'static str,
        tag: &'static str,
        summary: &'static str,
        mut answers: Vec<Answer>,
    ) -> Route {
        // What the guard says to any request; routes of data say more in their own 400 and 403.
        if answers.iter().all(|answer| answer.status != 403) {
            answers.push(self.refused(403, "The header Host names another server"));
        }
        let (parameters, body) = (Vec::new(), None);
        Route { path, method: "get", body, tag, summary, parameters, answers, guarded: false }
    }
}
