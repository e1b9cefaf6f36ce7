//! The socket, and the event stream with the same messages.

use serde_json::json;

use super::route::{
    CommonAnswers, Route, VIEW, answer, expected_view, optional, price, required, usd, words,
};

/// Both need a token where the operator asks for tokens.
pub(super) fn routes(common: &CommonAnswers) -> Vec<Route> {
    let [view, horizon] = expected_view(VIEW);
    vec![
        Route {
            guarded: true,
            ..common.open(
                "/ws/heatmap",
                "Socket",
                "Opens the WebSocket that /asyncapi.json describes",
                vec![
                    answer(101, "It is a WebSocket from here on", Vec::new()),
                    common.refused(400, "Not a WebSocket handshake"),
                    common.refused(401, "A token is needed, and there is none or it is not accepted"),
                    common.refused(403, "A page of another origin"),
                    common.refused(429, "This address has too many sockets, or opened too many within a minute"),
                    common.refused(503, "WS_ENABLED=false, all connections are taken, or the server is stopping"),
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
                    "What to follow of each symbol, separated by commas: heatmap, price, liquidations, walls, alerts. Only the heatmap if absent",
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
                optional("min_usd", "Smallest liquidation or alert to send, whole USD", usd()),
                view,
                horizon,
                optional(
                    "last_event_id",
                    "The id of the last event of an earlier stream with the same parameters; the header Last-Event-ID does the same",
                    json!({ "type": "string" }),
                ),
            ],
            ..common.open(
                "/v1/stream",
                "Socket",
                "Server-sent events with the messages of the socket; ids are positions, Last-Event-ID resumes",
                vec![
                    answer(
                        200,
                        "Events without end; their data is described by /asyncapi.json",
                        vec![("text/event-stream", json!({ "type": "string" }))],
                    ),
                    common.refused(400, "An unknown symbol or channel, or an id of another stream"),
                    common.refused(401, "A token is needed, and there is none or it is not accepted"),
                    common.refused(403, "A page of another origin, or the token does not allow a symbol or channel"),
                    common.refused(422, "A parameter is missing or malformed"),
                    common.refused(429, "This address has too many sockets, or opened too many within a minute"),
                    common.refused(503, "WS_ENABLED=false, all connections are taken, or the server is stopping"),
                ],
            )
        },
    ]
}
