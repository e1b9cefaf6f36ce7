//! The Model Context Protocol over streamable HTTP: `/mcp`, for agents. The protocol is that of `rmcp`.
//!
//! A tool is a view of a route: a call is turned into a request to the route, so what holds there holds here (tokens and
//! their claims, turns, refusals), and the answer is concise or whole, with the age of what it is about. There are no
//! sessions and nothing is pushed: every message is answered by itself, as JSON, so any server behind a load balancer
//! can answer it.

mod agent;
mod answers;
mod call;
mod gate;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use rmcp::ServerHandler;
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;

use super::super::parts::PresentState;
use super::super::state::DataState;
use crate::clock::MarketClock;
use crate::http::Refusal;
use agent::Agent;

/// Most bytes of a message.
const MESSAGE_BYTES_MAX: usize = 64 * 1_024;

/// The protocol without sessions.
type Protocol<H> = StreamableHttpService<H, NeverSessionManager>;

/// The route. `data` answers the requests that tools are turned into.
pub(in super::super) fn routes(state: &DataState, data: Router) -> Router<DataState> {
    let agent = Agent::new(PresentState::from_ref(state), <Arc<MarketClock>>::from_ref(state), data);
    let protocol = protocol(move || agent.clone());
    let answer = move |head: Parts, body: Result<Bytes, BytesRejection>| {
        let protocol = protocol.clone();
        async move { answer(&protocol, head, body).await }
    };
    let without_sessions =
        || async { Refusal::only("POST", "there are no sessions and no streams here: POST one message") };
    let route = post(answer).fallback(without_sessions);
    Router::new().route("/mcp", route).layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
}

fn protocol<H: ServerHandler>(handler: impl Fn() -> H + Send + Sync + 'static) -> Protocol<H> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_BYTES_MAX)
        // The names of this server and the origins of pages are checked before (`Guard`, `same_origin`), by what the
        // operator configured.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    StreamableHttpService::new(move || Ok(handler()), Arc::default(), config)
}

async fn answer<H: ServerHandler>(
    protocol: &Protocol<H>,
    mut head: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Refusal::body_too_large("a message may have 64 KiB").into_response();
        }
        Err(error) => return Refusal::bad(format!("the body: {}", error.body_text())).into_response(),
    };
    if let Err(denial) = gate::admit(&mut head.headers, &body) {
        return denial.into_response();
    }
    protocol.handle(Request::from_parts(head, Body::from(body))).await.map(Body::new)
}

#[cfg(test)]
mod tests;
