//! `GET /ws/heatmap`: from an HTTP request to a raw socket.
//!
//! The handshake (RFC 6455 section 4.2) is answered here, and the plain TCP stream is then taken out of the
//! HTTP connection, because the sessions write shared frames to it directly.

#![expect(clippy::disallowed_methods, reason = "the moment at which a socket is admitted")]

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
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use liqheat_stream::{Connection, ConnectionPermit, Encoding, Sessions, serve_socket};
use liqheat_wire::{BINARY_PROTOCOL, TEXT_PROTOCOL};
use tokio::net::TcpStream;
use tracing::{debug, warn};
use tungstenite::handshake::derive_accept_key;

use super::access::AccessPolicy;
use super::addresses::{AddressGuard, AddressRefusal, Addresses};
use super::bearer::TokenGate;
use super::client::Client;
use super::extensions::{agree_on_deflate, agree_on_protocol};
use super::front::HttpStream;
use super::guard::requested;
use super::tokens::TokenGrant;
use super::web_origin::{AllowedOrigin, Authority, WebOrigin};
use crate::clock::MarketClock;
use crate::http::{Refusal, no_list_yet};
use crate::ops::metrics::{FrontMetrics, SocketRefusal};
use crate::ops::stopping::StopFlag;
use crate::settings::FrontSettings;

/// What sessions can speak, the preferred one first.
const PROTOCOLS: &[&str] = &[BINARY_PROTOCOL, TEXT_PROTOCOL];

/// What upgrades are checked against.
pub(crate) struct SocketState {
    pub(crate) ws_enabled: bool,
    pub(crate) settings: FrontSettings,
    pub(crate) access: Arc<AccessPolicy>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) tokens: Arc<TokenGate>,
    pub(crate) metrics: Arc<FrontMetrics>,
    pub(crate) stopping: StopFlag,
}

/// The socket's route.
pub(crate) fn socket_route(state: Arc<SocketState>) -> Router {
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
) -> Result<Response, (SocketRefusal, Refusal)> {
    check_open(state)?;
    let headers = request.headers();
    // HEAD is answered by the same route, but opens nothing.
    if request.method() != Method::GET {
        return Err((SocketRefusal::Handshake, Refusal::bad("a WebSocket is opened with GET")));
    }
    let key = handshake_key(headers).map_err(|refusal| (SocketRefusal::Handshake, refusal))?;
    check_page(state, &request)?;
    let guard = admit(state, client)?;
    let grant = state.tokens.check(headers).map_err(|refusal| (SocketRefusal::Token, refusal))?;
    let protocol = agree_on_protocol(values(headers, SEC_WEBSOCKET_PROTOCOL), PROTOCOLS);
    let deflate = state
        .settings
        .compression
        .then(|| agree_on_deflate(values(headers, SEC_WEBSOCKET_EXTENSIONS)))
        .flatten();
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        let detail = "this connection cannot be upgraded to a WebSocket";
        return Err((SocketRefusal::Handshake, Refusal::bad(detail)));
    };
    let sessions = Arc::clone(&state.sessions);
    let permit = reserve(&sessions)?;
    let connection = Connection {
        client: client.address,
        encoding: if protocol == Some(BINARY_PROTOCOL) { Encoding::Binary } else { Encoding::Json },
        deflate: deflate.is_some(),
        grant: session_grant(grant),
    };
    sessions.spawn(run(upgrade, Arc::clone(&sessions), permit, guard, connection));
    Ok(switch(key, protocol, deflate))
}

/// Whether sessions are accepted at all.
pub(super) fn check_open(state: &SocketState) -> Result<(), (SocketRefusal, Refusal)> {
    if !state.ws_enabled {
        let detail = "WebSocket is switched off (WS_ENABLED=false); poll the HTTP API instead";
        return Err((SocketRefusal::Disabled, Refusal::unavailable(detail)));
    }
    if state.stopping.is_stopping() {
        let detail = "the server is stopping; reconnect in a few seconds";
        return Err((SocketRefusal::Stopping, Refusal::unavailable(detail)));
    }
    if !state.sessions.hub().symbols_known() {
        return Err((SocketRefusal::Starting, no_list_yet()));
    }
    Ok(())
}

/// Whether the page that asks may.
pub(super) fn check_page(state: &SocketState, request: &Request) -> Result<(), (SocketRefusal, Refusal)> {
    let headers = request.headers();
    let host = requested(request.uri(), request.version(), headers);
    let host = host.map_err(|refusal| (SocketRefusal::Handshake, refusal))?;
    check_origin(headers, host.as_ref(), &state.access.rules().allowed_origins)
        .map_err(|refusal| (SocketRefusal::Origin, refusal))
}

/// Takes one of all places.
pub(super) fn reserve(sessions: &Arc<Sessions>) -> Result<ConnectionPermit, (SocketRefusal, Refusal)> {
    let detail = "all connections are taken; try again later";
    sessions.reserve().ok_or_else(|| (SocketRefusal::Connections, Refusal::unavailable(detail)))
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
pub(super) fn admit(state: &SocketState, client: Client) -> Result<AddressGuard, (SocketRefusal, Refusal)> {
    if client.limited {
        state.addresses.admit(client.address, Instant::now()).map_err(refuse_address)
    } else {
        Ok(AddressGuard::uncounted())
    }
}

fn refuse_address(refusal: AddressRefusal) -> (SocketRefusal, Refusal) {
    /// A place comes free when the client itself closes a socket.
    const CLOSE_ONE: std::time::Duration = std::time::Duration::from_secs(10);
    match refusal {
        AddressRefusal::Open { most } => {
            let detail = format!("this address has {most} sockets open, which is the most; close one");
            (SocketRefusal::AddressConnections, Refusal::too_many(CLOSE_ONE, detail))
        }
        AddressRefusal::New { most, retry_after } => {
            let detail = format!(
                "this address opened {most} sockets within a minute, which is the most; wait a little"
            );
            (SocketRefusal::AddressRate, Refusal::too_many(retry_after, detail))
        }
    }
}

/// What a session is let in with; everything, for ever, where no token is asked for.
pub(super) fn session_grant(grant: Option<TokenGrant>) -> liqheat_stream::Grant {
    grant.map(|grant| grant.for_session(MarketClock::wall_now())).unwrap_or_default()
}

async fn run(
    upgrade: OnUpgrade,
    sessions: Arc<Sessions>,
    permit: ConnectionPermit,
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
    serve_socket(sessions, permit, stream, early, connection).await;
    drop(guard);
}

/// The TCP stream below the HTTP connection, and what the client sent early. An empty early buffer is let go:
/// it would keep the connection's whole read buffer alive.
fn raw_stream(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = upgraded.downcast::<HttpStream>().ok()?;
    let early = Bytes::copy_from_slice(&parts.read_buf);
    Some((parts.io.into_inner().into_inner(), early))
}

/// The stream still holds the waker of the task that spoke HTTP, and with it all that this task has allocated.
/// Being polled from here puts ours in its place.
pub(super) async fn forget_http(stream: &TcpStream) {
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

/// Bytes of a key before it is written in base64 (RFC 6455, 4.1).
const KEY_BYTES: usize = 16;

/// Checks the request and returns the answer to its key.
fn handshake_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let names = |name: header::HeaderName, word: &str| {
        let listed = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        listed.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !names(header::CONNECTION, "upgrade") || !names(header::UPGRADE, "websocket") {
        return Err(Refusal::bad("this address speaks WebSocket; connect with a WebSocket client"));
    }
    if only(headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::websocket_version("Sec-WebSocket-Version must be 13"));
    }
    let malformed = || Refusal::bad("Sec-WebSocket-Key must be there once: 16 bytes in base64");
    let key = only(headers, &header::SEC_WEBSOCKET_KEY).ok_or_else(malformed)?;
    let bytes = BASE64_STANDARD.decode(key).map_err(|_| malformed())?;
    if bytes.len() != KEY_BYTES {
        return Err(malformed());
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| malformed())
}

/// The value of a header that is there exactly once, in visible ASCII.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().map(str::trim)
}

/// Browsers let any page open a WebSocket to any server, so the server must check where the page came from: itself, or
/// an allowed origin. A request without `Origin` is not from a browser.
fn check_origin(
    headers: &HeaderMap,
    host: Option<&Authority>,
    allowed: &[AllowedOrigin],
) -> Result<(), Refusal> {
    if !headers.contains_key(header::ORIGIN) || allowed.contains(&AllowedOrigin::Any) {
        return Ok(());
    }
    let text = only(headers, &header::ORIGIN).unwrap_or_default();
    let is_allowed = text.parse().is_ok_and(|origin: WebOrigin| {
        host.is_some_and(|host| origin.is_of(host)) || allowed.iter().any(|one| one.matches(&origin))
    });
    if is_allowed {
        return Ok(());
    }
    let shown: String = text.chars().take(120).flat_map(char::escape_debug).collect();
    Err(Refusal::forbidden(format!(
        "origin '{shown}' is not allowed: it is not the host and port that Host names (a proxy must pass Host on with its port); otherwise add it with --allowed-origins"
    )))
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
    fn keys_and_versions_are_checked() {
        const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        const VERSION: (&str, &str) = ("sec-websocket-version", "13");
        let refused = |rows: &[(&str, &str)]| {
            let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
            let rows: Vec<_> = upgrade.iter().chain(rows).copied().collect();
            handshake_key(&headers(&rows)).err().map(|refusal| {
                let response = refusal.into_response();
                (response.status().as_u16(), response.headers().contains_key("sec-websocket-version"))
            })
        };
        assert_eq!(refused(&[KEY, VERSION]), None);
        for version in ["8", "", "13, 8", "8, 13", "013", "14"] {
            assert_eq!(refused(&[KEY, ("sec-websocket-version", version)]), Some((400, true)), "{version}");
        }
        assert_eq!(refused(&[KEY]), Some((400, true)));
        assert_eq!(refused(&[KEY, VERSION, VERSION]), Some((400, true)));
        for key in [
            "",
            "abcd",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ==, x",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "not base64 at all!!!!!!=",
        ] {
            assert_eq!(refused(&[("sec-websocket-key", key), VERSION]), Some((400, false)), "{key}");
        }
        assert_eq!(refused(&[VERSION]), Some((400, false)));
        assert_eq!(refused(&[KEY, KEY, VERSION]), Some((400, false)));
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let allowed = ["https://charts.example".parse().unwrap()];
        for (rows, ok) in [
            (vec![("host", "127.0.0.1:8000")], true),
            (vec![("origin", "http://127.0.0.1:8000"), ("host", "127.0.0.1:8000")], true),
            (vec![("origin", "https://heat.example"), ("host", "heat.example:443")], true),
            (vec![("origin", "https://heat.example:443"), ("host", "Heat.example")], true),
            (vec![("origin", "https://charts.example"), ("host", "127.0.0.1:8000")], true),
            (vec![("origin", "https://Charts.example:443"), ("host", "127.0.0.1:8000")], true),
            (vec![("origin", "http://charts.example"), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", "http://127.0.0.1:9000"), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", "https://evil.example"), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", "null"), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", ""), ("host", "127.0.0.1:8000")], false),
            (vec![("origin", "http://a:1"), ("origin", "http://a:1"), ("host", "a:1")], false),
        ] {
            let headers = headers(&rows);
            let host = headers["host"].to_str().unwrap().parse().unwrap();
            assert_eq!(check_origin(&headers, Some(&host), &allowed).is_ok(), ok, "{rows:?}");
            assert!(check_origin(&headers, Some(&host), &[AllowedOrigin::Any]).is_ok());
        }
        let without_host = headers(&[("origin", "http://a")]);
        assert!(check_origin(&without_host, None, &allowed).is_err());
    }

    #[test]
    fn plain_requests_learn_how_to_upgrade() {
        let refused = handshake_key(&headers(&[("host", "localhost")])).unwrap_err();
        assert!(format!("{refused:?}").contains("WebSocket client"));
    }
}
