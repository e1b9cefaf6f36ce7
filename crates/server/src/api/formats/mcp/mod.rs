//! The Model Context Protocol over streamable HTTP: `/mcp`, for agents.
//!
//! A tool is a view of a route: a call is turned into a request to the route, so what holds there holds here (tokens and
//! their claims, turns, refusals), and the answer is concise or whole, with the age of what it is about. There are no
//! sessions and nothing is pushed: every message is answered by itself, as JSON.

mod answers;
mod message;
mod tools;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use liqheat_wire::{FeedState, format_time};
use serde_json::{Map, Value, json};
use tower_service::Service;

use super::super::DataState;
use super::names;
use crate::http::target;
use message::{McpMessage, REVISIONS};
use tools::{Detail, ToolSpec};

/// Most bytes of a message.
const MESSAGE_BYTES_MAX: usize = 64 * 1_024;
/// Most bytes of an answer: more than a model can read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The revision of the protocol that a client speaks, once agreed on.
const REVISION_HEADER: &str = "mcp-protocol-version";

/// The route. `data` answers the requests that tools are turned into.
pub(in super::super) fn routes(state: Arc<DataState>, data: Router) -> Router<Arc<DataState>> {
    let agent = Agent { state, data };
    let answer = move |head: Parts, body: Bytes| {
        let agent = agent.clone();
        async move { agent.answer(&head, &body).await }
    };
    Router::new().route("/mcp", post(answer)).layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
}

/// Answers the messages of agents.
#[derive(Clone)]
struct Agent {
    state: Arc<DataState>,
    data: Router,
}

impl Agent {
    async fn answer(&self, head: &Parts, body: &[u8]) -> Response {
        let (status, reply) = match message::read(body) {
            McpMessage::Nothing => return StatusCode::ACCEPTED.into_response(),
            McpMessage::Reply(reply) => (status_of(&reply), reply),
            McpMessage::Call { id, .. } if let Some(text) = unknown_revision(&head.headers) => {
                (StatusCode::BAD_REQUEST, message::error(&id, message::INVALID_REQUEST, &text))
            }
            McpMessage::Call { id, tool, arguments } => {
                (StatusCode::OK, self.call(&id, &tool, arguments, head).await)
            }
        };
        (status, Json(reply)).into_response()
    }

    async fn call(&self, id: &Value, name: &str, arguments: Map<String, Value>, head: &Parts) -> Value {
        let Some(tool) = ToolSpec::find(name) else {
            let name: String = name.chars().take(40).collect();
            let text = format!("there is no tool '{name}'; tools: {}", ToolSpec::names());
            return message::error(id, message::INVALID_PARAMS, &text);
        };
        let answer = self.call_route(tool, arguments, head).await;
        let result = answer.map_or_else(|text| message::failed(&text), |answer| message::succeeded(&answer));
        message::result(id, &result)
    }

    /// The answer of a tool, or what is wrong with the call and what to try.
    async fn call_route(
        &self,
        tool: &ToolSpec,
        arguments: Map<String, Value>,
        head: &Parts,
    ) -> Result<Value, String> {
        let call = Call::of(tool, arguments, |text| self.symbol(text))?;
        let answer = self.ask(&call.target, head).await?;
        let (status, headers, body) = answer;
        if status != StatusCode::OK {
            return Err(refusal(tool, status, &headers, &body));
        }
        let body: Value =
            serde_json::from_slice(&body).map_err(|error| format!("the answer is not JSON: {error}"))?;
        Ok(json!({ "about": self.about(call.symbol.as_deref()), tool.name: (tool.view)(&body, call.detail) }))
    }

    /// The name under which a symbol is served, where it is written as a coin or in small letters.
    fn symbol(&self, text: &str) -> Option<String> {
        let catalog = &self.state.catalog;
        if catalog.symbol(text).is_some() {
            return Some(text.to_owned());
        }
        names::market(catalog, &text.to_uppercase()).ok().map(|market| market.name.clone())
    }

    async fn ask(&self, target: &str, head: &Parts) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let request = Request::get(target).body(Body::empty());
        let mut request = request.map_err(|error| format!("an argument cannot be sent: {error}"))?;
        for name in [header::AUTHORIZATION, header::HOST] {
            if let Some(value) = head.headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        for name in ["cg-api-key", "x-forwarded-for"] {
            for value in head.headers.get_all(name) {
                request.headers_mut().append(name, value.clone());
            }
        }
        if let Some(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>() {
            request.extensions_mut().insert(*peer);
        }
        let mut data = self.data.clone();
        let response = match data.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let body = to_bytes(body, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|_| {
            "the answer is larger than 1 MiB; ask for less: a smaller range_pct or limit, a larger bin, or detail=concise"
                .to_owned()
        })?;
        Ok((head.status, head.headers, body))
    }

    /// How old the data of an answer is. Without a symbol every row says it by itself.
    fn about(&self, symbol: Option<&str>) -> Value {
        let now = self.state.clock.now();
        let mut about = json!({ "market_time": format_time(now) });
        let Some(symbol) = symbol else { return about };
        let state = self.state.published.feed_state(symbol);
        about["symbol"] = symbol.into();
        about["state"] = state.name().into();
        about["is_stale"] = matches!(state, FeedState::Stale | FeedState::Degraded).into();
        if let Some(sum) = self.state.published.sum(symbol) {
            about["as_of"] = format_time(sum.as_of).into();
            about["age_s"] = (now.since(sum.as_of).max(0) / 1_000).into();
            about["seen_share"] = sum.seen_share.into();
        }
        about
    }
}

/// A call of a tool, checked.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    /// Path and query of the route.
    target: String,
    symbol: Option<String>,
    detail: Detail,
}

impl Call {
    /// `resolve` gives the name under which a symbol is served.
    fn of(
        tool: &ToolSpec,
        arguments: Map<String, Value>,
        resolve: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut given: Vec<(String, String)> = Vec::new();
        for (name, value) in arguments {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(is_set) => is_set.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    return Err(format!("argument '{name}' must be a text or a number"));
                }
            };
            given.push((name, text));
        }
        let known = |name: &str| name == "detail" || tool.arguments.iter().any(|one| one.name == name);
        if let Some((name, _)) = given.iter().find(|(name, _)| !known(name)) {
            let name: String = name.chars().take(40).collect();
            return Err(format!(
                "'{}' has no argument '{name}'; arguments: {}",
                tool.name,
                tool.argument_names()
            ));
        }
        let get = |name: &str| given.iter().find(|(one, _)| one == name).map(|(_, text)| text.as_str());
        let detail = get("detail").unwrap_or("concise");
        let detail = Detail::from_name(detail)
            .ok_or_else(|| format!("argument 'detail' must be one of {}", Detail::NAMES.join(", ")))?;
        let mut parameters = Vec::new();
        let mut symbol = None;
        for argument in tool.arguments {
            let text = get(argument.name).or(argument.default);
            let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
                if argument.is_required {
                    return Err(format!(
                        "argument '{}' is missing; call the tool `coverage` for the symbols that are served",
                        argument.name
                    ));
                }
                continue;
            };
            let mut text = text.to_owned();
            if argument.name == "symbol" {
                text = resolve(&text).unwrap_or(text);
                symbol = Some(text.clone());
            }
            parameters.push((argument.name, text));
        }
        Ok(Self { target: target(tool.route, &parameters), symbol, detail })
    }
}

/// The status of a reply that needed no work: messages that cannot be read are bad requests.
fn status_of(reply: &Value) -> StatusCode {
    let code = reply["error"]["code"].as_i64();
    let is_unreadable = [message::PARSE_ERROR, message::INVALID_REQUEST].map(|code| Some(i64::from(code)));
    if is_unreadable.contains(&code) { StatusCode::BAD_REQUEST } else { StatusCode::OK }
}

/// Why a message of a revision that is not known here is refused. Without the header it is an old one.
fn unknown_revision(headers: &HeaderMap) -> Option<String> {
    let revision = headers.get(REVISION_HEADER)?.to_str().unwrap_or("?");
    (!REVISIONS.contains(&revision)).then(|| {
        let revision: String = revision.chars().take(40).collect();
        format!("protocol version '{revision}' is not spoken here; versions: {}", REVISIONS.join(", "))
    })
}

/// Why a route refused, and what to try.
fn refusal(tool: &ToolSpec, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = body["detail"].as_str().unwrap_or("the server did not say why");
    let retry = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let advice = match (status.as_u16(), retry) {
        (_, Some(seconds)) => format!("Try again in {seconds} s."),
        (400 | 422, None) => {
            format!("Arguments of `{}`: {}. `coverage` lists the symbols.", tool.name, tool.argument_names())
        }
        (401 | 403, None) => "Use a token that allows it.".to_owned(),
        _ => "Ask the operator of the server.".to_owned(),
    };
    format!("{detail}. {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tool: &str, arguments: Value) -> Result<Call, String> {
        let Value::Object(arguments) = arguments else { panic!("{arguments}") };
        let resolve = |text: &str| (text == "btc").then(|| "BTCUSDT".to_owned());
        Call::of(ToolSpec::find(tool).unwrap(), arguments, resolve)
    }

    #[test]
    fn a_call_becomes_a_request_to_its_route() {
        let walls =
            call("walls", json!({ "symbol": "btc", "min_usd": 1000, "at": "2025-08-27T00:00:00+01:00" }));
        let walls = walls.unwrap();
        assert_eq!(
            walls.target,
            "/v1/walls?symbol=BTCUSDT&min_usd=1000&limit=10&at=2025-08-27T00%3A00%3A00%2B01%3A00"
        );
        assert_eq!((walls.symbol.as_deref(), walls.detail), (Some("BTCUSDT"), Detail::Concise));
        let odd = call("candles", json!({ "symbol": "A&b=c", "detail": "detailed", "limit": null })).unwrap();
        assert_eq!(odd.target, "/prices/klines?symbol=A%26b%3Dc&interval=1h&limit=24");
        assert_eq!(odd.detail, Detail::Detailed);
        for (tool, arguments, part) in [
            ("walls", json!({}), "'symbol' is missing; call the tool `coverage`"),
            (
                "walls",
                json!({ "symbol": "btc", "coin": "x" }),
                "no argument 'coin'; arguments: symbol, range_pct",
            ),
            ("walls", json!({ "symbol": ["btc"] }), "must be a text"),
            ("status", json!({ "detail": "short" }), "concise, detailed"),
        ] {
            let error = call(tool, arguments).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_try() {
        let tool = ToolSpec::find("walls").unwrap();
        let mut headers = HeaderMap::new();
        let text =
            |status: StatusCode, headers: &HeaderMap| refusal(tool, status, headers, br#"{"detail":"no"}"#);
        assert!(text(StatusCode::BAD_REQUEST, &headers).starts_with("no. Arguments of `walls`: symbol"));
        assert_eq!(text(StatusCode::FORBIDDEN, &headers), "no. Use a token that allows it.");
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        assert_eq!(text(StatusCode::SERVICE_UNAVAILABLE, &headers), "no. Try again in 5 s.");
    }
}
