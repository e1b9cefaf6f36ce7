//! Routes of operation, and pages. None of them needs a token.

use liqheat_wire::{HealthBody, StatsBody};
use schemars::SchemaGenerator;
use serde_json::json;

use super::route::{CommonAnswers, JSON, Route, answer};
use super::schema_of;

/// How the server does, and the documents that describe it.
pub(super) fn routes(generator: &mut SchemaGenerator, common: &CommonAnswers) -> Vec<Route> {
    let health = schema_of::<HealthBody>(generator);
    let well = |about| answer(200, about, vec![(JSON, health.clone())]);
    let document = |about| vec![answer(200, about, vec![(JSON, json!({ "type": "object" }))])];
    let html = |about| vec![answer(200, about, vec![("text/html", json!({ "type": "string" }))])];
    vec![
        common.open(
            "/ws/stats",
            "Operation",
            "How sockets, updates and venues do",
            vec![answer(200, "Counts since the start", vec![(JSON, schema_of::<StatsBody>(generator))])],
        ),
        common.open(
            "/metrics",
            "Operation",
            "Everything that is counted, for Prometheus",
            vec![answer(
                200,
                "OpenMetrics text",
                vec![("application/openmetrics-text", json!({ "type": "string" }))],
            )],
        ),
        common.open("/live", "Operation", "Whether the process answers", vec![well("It does")]),
        common.open(
            "/health",
            "Operation",
            "What is not well, always with 200",
            vec![well("`status` is `ok` or `degraded`")],
        ),
        common.open(
            "/ready",
            "Operation",
            "Whether the server should get traffic",
            vec![well("Yes"), answer(503, "No, and why", vec![(JSON, health.clone())])],
        ),
        common.open(
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
        common.open("/docs", "Pages", "This reference, for people", html("The page")),
        common.open("/openapi.json", "Pages", "This reference, for machines", document("OpenAPI 3.1")),
        common.open(
            "/asyncapi.json",
            "Pages",
            "The messages of the socket, for machines",
            document("AsyncAPI 3.0"),
        ),
    ]
}
