//! `GET /ws/heatmap`: from an HTTP request to a raw socket.
//!
//! The handshake (RFC 6455 section 4.2) is answered here, and the plain TCP stream is then taken out of the
//! HTTP connection, because the sessions write shared frames to it directly.

use std::net::SocketAddr;
use std::sync::Arc;

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

use super::addresses::AddressGuard;
use super::admission::{SocketState, admit, check_open, check_page, only, reserve, session_grant};
use super::client::Client;
use super::extensions::{agree_on_deflate, agree_on_protocol};
use super::front::HttpStream;
use super::takeover::forget_http;
use crate::http::Refusal;
use crate::ops::metrics::SocketRefusal;

/// What sessions can speak, the preferred one first.
const PROTOCOLS: &[&str] = &[BINARY_PROTOCOL, TEXT_PROTOCOL];

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
    fn plain_requests_learn_how_to_upgrade() {
        let refused = handshake_key(&headers(&[("host", "localhost")])).unwrap_err();
        assert!(format!("{refused:?}").contains("WebSocket client"));
    }
}
