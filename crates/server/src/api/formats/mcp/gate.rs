//! What a request to `/mcp` must be before `rmcp` reads it. What is refused here gets a text that says what is wrong; `rmcp`
//! would answer most of it with a status alone.
//!
//! A message is parsed here and again by `rmcp`, whose HTTP service takes bytes only. To hand it the parsed one, this server
//! would have to drive `rmcp`'s transport for one message itself, and so repeat what the service does around it: agreeing on
//! a revision, checking what later revisions ask of headers, choosing the form of an answer. A message has at most 64 KiB.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rmcp::ErrorData;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetMeta as _, JsonRpcError, NumberOrString, ProtocolVersion,
};
use serde::Deserialize as _;
use serde_json::Value;

use crate::http::Refusal;

/// The revision of the protocol that a client speaks, once agreed on.
const REVISION_HEADER: &str = "mcp-protocol-version";
/// What `rmcp` wants to be accepted. Answers are JSON.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// Why a request is not handed to the protocol.
#[derive(Debug)]
pub(super) enum Denial {
    /// It is not a message.
    Request(Refusal),
    /// The message is answered with an error, and the status 400.
    Message(Box<JsonRpcError>),
}

impl Denial {
    fn message(id: Option<NumberOrString>, error: ErrorData) -> Self {
        Self::Message(Box::new(JsonRpcError::new(id, error)))
    }
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        match self {
            Self::Request(refusal) => refusal.into_response(),
            Self::Message(error) => (StatusCode::BAD_REQUEST, Json(error)).into_response(),
        }
    }
}

/// Checks a request, and sets the headers that `rmcp` insists on where a client leaves them to the server.
pub(super) fn admit(headers: &mut HeaderMap, body: &[u8]) -> Result<(), Denial> {
    if !is_json(headers) {
        let text = "the header Content-Type must be application/json";
        return Err(Denial::Request(Refusal::unsupported_media(text)));
    }
    if !accepts_json(headers) {
        let text = "answers are application/json, which the header Accept excludes";
        return Err(Denial::Request(Refusal::not_acceptable(text)));
    }
    headers.insert(header::ACCEPT, ACCEPTED);
    // Only HTTP/1.0 may leave it out.
    headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
    let message: ClientJsonRpcMessage =
        serde_json::from_slice(body).map_err(|_| Denial::message(None, unreadable(body)))?;
    unknown_revision(headers, &message).map_or(Ok(()), Err)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether a client takes JSON. Without the header it takes everything.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let ranges = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let is_json = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let is_excluded = parts.any(|parameter| {
            let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
            weight.and_then(|weight| weight.trim().parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
        });
        ["application/json", "application/*", "*/*"].contains(&kind.as_str()) && !is_excluded
    };
    ranges.into_iter().any(is_json)
}

/// Why a body is not a message.
fn unreadable(body: &[u8]) -> ErrorData {
    let message: Value = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(error) => return ErrorData::parse_error(format!("the body is not JSON: {error}"), None),
    };
    let has = |field: &str| message.get(field).is_some();
    let is_id = |id: &Value| NumberOrString::deserialize(id).is_ok();
    let text = if message.is_array() {
        "the body must be one message; batches are not taken"
    } else if message["jsonrpc"] != "2.0" {
        "the body must be a message of JSON-RPC: 'jsonrpc' must be \"2.0\""
    } else if has("method") && !message["method"].is_string() {
        "'method' must be a text"
    } else if !["method", "result", "error"].into_iter().any(has) {
        "'method' is missing"
    } else if has("id") && !is_id(&message["id"]) {
        "'id' must be a text or a whole number of at most 64 bits"
    } else if has("params") && !message["params"].is_object() {
        "'params' must be an object"
    } else if message["params"].get("_meta").is_some_and(|meta| !meta.is_object()) {
        "'_meta' in 'params' must be an object"
    } else {
        "the body must be one message of JSON-RPC 2.0: a request has 'jsonrpc', 'id' and 'method', and 'params' where it needs them"
    };
    ErrorData::invalid_request(text, None)
}

/// Refuses a revision that is not known here. A request without the header is of an old one; `initialize` agrees on one,
/// and a request that carries its revision in `_meta` is answered with those that are known.
fn unknown_revision(headers: &HeaderMap, message: &ClientJsonRpcMessage) -> Option<Denial> {
    let value = headers.get(REVISION_HEADER)?;
    let (id, negotiates) = match message {
        ClientJsonRpcMessage::Request(request) => {
            let is_handshake = matches!(request.request, ClientRequest::InitializeRequest(_));
            let is_named = request.request.get_meta().protocol_version().is_some();
            (Some(request.id.clone()), is_handshake || is_named)
        }
        _ => (None, false),
    };
    let known = ProtocolVersion::KNOWN_VERSIONS;
    let is_known = |revision: &str| known.iter().any(|one| one.as_str() == revision);
    let revision = match value.to_str() {
        Ok(revision) if negotiates || is_known(revision) => return None,
        Ok(revision) => revision.chars().take(40).collect(),
        Err(_) => "?".to_owned(),
    };
    let names = known.iter().map(ProtocolVersion::as_str).collect::<Vec<_>>().join(", ");
    let text = format!("protocol version '{revision}' is not spoken here; versions: {names}");
    Some(Denial::message(id, ErrorData::invalid_request(text, None)))
}
