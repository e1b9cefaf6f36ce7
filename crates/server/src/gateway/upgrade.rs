//! `GET /ws/heatmap`: from an HTTP request to a raw socket.
//!
//! The handshake (RFC 6455 section 4.2) is answered here, and the plain TCP stream is then taken out of the
//! HTTP connection, because the sessions write shared frames to it directly.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use liqheat_market::UnixMs;
use liqheat_stream::{Connection, Encoding, Place, Sessions, serve_socket};
use liqheat_wire::{BINARY_PROTOCOL, TEXT_PROTOCOL};
use tokio::net::TcpStream;
use tracing::{debug, warn};
use tungstenite::handshake::derive_accept_key;

use super::addresses::{AddressGuard, AddressRefusal, Addresses};
use super::bearer::TokenGate;
use super::client::Client;
use super::extensions::{agree_on_deflate, agree_on_protocol};
use super::tokens::Tokens;
use crate::clock::MarketClock;
use crate::http::Refusal;
use crate::ops::metrics::{FrontMetrics, Rejected};
use crate::ops::stopping::Stopping;
use crate::settings::FrontSettings;

/// What sessions can speak, the preferred one first.
const PROTOCOLS: &[&str] = &[BINARY_PROTOCOL, TEXT_PROTOCOL];

/// What upgrades are checked against.
pub(crate) struct SocketState {
    pub(crate) ws_enabled: bool,
    pub(crate) settings: FrontSettings,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) tokens: Arc<TokenGate>,
    pub(crate) metrics: Arc<FrontMetrics>,
    pub(crate) stopping: Stopping,
}

/// The socket's route.
pub(crate) fn routes(state: Arc<SocketState>) -> Router {
    Router::new().route("/ws/heatmap", get(heatmap_socket)).with_state(state)
}

async fn heatmap_socket(
    State(state): State<Arc<SocketState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Response, Refusal> {
    let client = Client::of(peer.ip(), request.headers(), &state.settings.trusted_proxies);
    accept(&state, client, request).map_err(|(reason, refusal)| {
        state.metrics.reject(reason);
        debug!(event = "ws_rejected", client_ip = %client.address, reason = reason.name());
        refusal
    })
}

/// Checks everything in the order of what it costs, and lets the session begin once the answer is written.
fn accept(
    state: &SocketState,
    client: Client,
    mut request: Request,
) -> Result<Response, (Rejected, Refusal)> {
    if !state.ws_enabled {
        let detail = "WebSocket is switched off (WS_ENABLED=false); poll the HTTP API instead";
        return Err((Rejected::Disabled, Refusal::unavailable(detail)));
    }
    if state.stopping.is_stopping() {
        let detail = "the server is stopping; reconnect in a few seconds";
        return Err((Rejected::Stopping, Refusal::unavailable(detail)));
    }
    let headers = request.headers();
    // HEAD is answered by the same route, but opens nothing.
    if request.method() != Method::GET {
        return Err((Rejected::Handshake, Refusal::bad("a WebSocket is opened with GET")));
    }
    let key = handshake_key(headers).map_err(|refusal| (Rejected::Handshake, refusal))?;
    let allowed = &state.settings.allowed_origins;
    check_origin(headers, allowed).map_err(|refusal| (Rejected::Origin, refusal))?;
    let guard = admit(state, client).map_err(refuse_address)?;
    let expires = state.tokens.check(headers).map_err(|refusal| (Rejected::Token, refusal))?;
    let protocol = agree_on_protocol(values(headers, SEC_WEBSOCKET_PROTOCOL), PROTOCOLS);
    let deflate = state
        .settings
        .compression
        .then(|| agree_on_deflate(values(headers, SEC_WEBSOCKET_EXTENSIONS)))
        .flatten();
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        let detail = "this connection cannot be upgraded to a WebSocket";
        return Err((Rejected::Handshake, Refusal::bad(detail)));
    };
    let sessions = Arc::clone(&state.sessions);
    let Some(place) = sessions.reserve() else {
        let detail = "all connections are taken; try again later";
        return Err((Rejected::Connections, Refusal::unavailable(detail)));
    };
    let connection = Connection {
        client: client.address,
        encoding: if protocol == Some(BINARY_PROTOCOL) { Encoding::Binary } else { Encoding::Json },
        deflate: deflate.is_some(),
        expires_at: expires.map(deadline),
    };
    sessions.spawn(run(upgrade, Arc::clone(&sessions), place, guard, connection));
    Ok(switch(key, protocol, deflate))
}

/// 101, with what was agreed on.
fn switch(key: HeaderValue, protocol: Option<&'static str>, deflate: Option<&'static str>) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    for (name, agreed) in [(SEC_WEBSOCKET_PROTOCOL, protocol), (SEC_WEBSOCKET_EXTENSIONS, deflate)] {
        if let Some(agreed) = agreed {
            headers.insert(name, HeaderValue::from_static(agreed));
        }
    }
    response
}

/// Counts one more socket of the client's address.
fn admit(state: &SocketState, client: Client) -> Result<AddressGuard, AddressRefusal> {
    if client.limited {
        state.addresses.admit(client.address, Instant::now())
    } else {
        Ok(AddressGuard::uncounted())
    }
}

fn refuse_address(refusal: AddressRefusal) -> (Rejected, Refusal) {
    /// A place comes free when the client itself closes a socket.
    const CLOSE_ONE: std::time::Duration = std::time::Duration::from_secs(10);
    match refusal {
        AddressRefusal::Open { most } => {
            let detail = format!("this address has {most} sockets open, which is the most; close one");
            (Rejected::AddressConnections, Refusal::too_many(CLOSE_ONE, detail))
        }
        AddressRefusal::New { most, retry_after } => {
            let detail = format!(
                "this address opened {most} sockets within a minute, which is the most; wait a little"
            );
            (Rejected::AddressRate, Refusal::too_many(retry_after, detail))
        }
    }
}

/// The moment at which a token ends, on the clock that sessions go by.
fn deadline(expires: UnixMs) -> tokio::time::Instant {
    let left = Tokens::left(expires, MarketClock::wall_now());
    let now = tokio::time::Instant::now();
    // A token for thousands of years is one for a hundred.
    now + left.min(std::time::Duration::from_secs(100 * 365 * 86_400))
}

async fn run(
    upgrade: OnUpgrade,
    sessions: Arc<Sessions>,
    place: Place,
    guard: AddressGuard,
    connection: Connection,
) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            debug!(event = "ws_error", client_ip = %connection.client, %error, "the upgrade did not complete");
            return;
        }
    };
    let Some((stream, early)) = raw_stream(upgraded) else {
        warn!(event = "ws_error", client_ip = %connection.client, "the connection is not plain TCP");
        return;
    };
    forget_http(&stream).await;
    serve_socket(sessions, place, stream, early, connection).await;
    drop(guard);
}

/// The TCP stream below the HTTP connection, and what the client sent early. An empty early buffer is let go:
/// it would keep the connection's whole read buffer alive.
fn raw_stream(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    let early = Bytes::copy_from_slice(&parts.read_buf);
    Some((parts.io.into_inner(), early))
}

/// The stream still holds the waker of the task that spoke HTTP, and with it all that this task has allocated.
/// Being polled from here puts ours in its place.
async fn forget_http(stream: &TcpStream) {
    poll_fn(|context| {
        let _ = stream.poll_read_ready(context);
        let _ = stream.poll_write_ready(context);
        Poll::Ready(())
    })
    .await;
}

fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

/// Checks the request and gives the answer to its key.
fn handshake_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let names = |name: header::HeaderName, word: &str| {
        let listed = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        listed.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !names(header::CONNECTION, "upgrade") || !names(header::UPGRADE, "websocket") {
        return Err(Refusal::bad("this address speaks WebSocket; connect with a WebSocket client"));
    }
    if !names(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Refusal::bad("Sec-WebSocket-Version must be 13"));
    }
    let key =
        headers.get(header::SEC_WEBSOCKET_KEY).ok_or_else(|| Refusal::bad("Sec-WebSocket-Key is missing"))?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| Refusal::bad("Sec-WebSocket-Key is malformed"))
}

/// Browsers let any page open a socket anywhere, so the server must ask where the page came from: its own
/// origin and those allowed by name. No Origin header means that it is no browser.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or("");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let own =
        origin.split_once("://").is_some_and(|(_, rest)| !host.is_empty() && rest.eq_ignore_ascii_case(host));
    if own || allowed.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    Err(Refusal::forbidden(format!("origin '{origin}' is not allowed; add it with --allowed-origins")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (header::HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        rows.iter().map(pair).collect()
    }

    #[test]
    fn the_rfc_example_key() {
        let request = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        assert_eq!(handshake_key(&request).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let allowed = ["https://charts.example".to_owned()];
        for (rows, ok) in [
            (vec![], true),
            (vec![("origin", "http://127.0.0.1:8000"), ("host", "127.0.0.1:8000")], true),
            (vec![("origin", "https://charts.example"), ("host", "127.0.0.1:8000")], true),
            (vec![("origin", "http://127.0.0.1:9000"), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", "https://evil.example"), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", "null"), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", "http://"), ("host", "")], false),
        ] {
            assert_eq!(check_origin(&headers(&rows), &allowed).is_ok(), ok, "{rows:?}");
        }
    }

    #[test]
    fn plain_requests_are_told_what_to_do() {
        let refused = handshake_key(&headers(&[("host", "x")])).unwrap_err();
        assert!(format!("{refused:?}").contains("WebSocket client"));
    }
}
