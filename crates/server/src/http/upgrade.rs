//! `GET /ws/heatmap`: from an HTTP request to a raw socket.
//!
//! The handshake (RFC 6455 section 4.2) is answered here, and the plain TCP stream is then taken out of the
//! HTTP connection, because the sessions write shared frames to it directly.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use liqheat_stream::{Connection, Place, Sessions, serve_socket};
use tokio::net::TcpStream;
use tracing::{debug, warn};
use tungstenite::handshake::derive_accept_key;

use super::refusal::Refusal;
use crate::app::App;

const TEXT_PROTOCOL: &str = "liqheat.v1.json";

pub(super) async fn heatmap_socket(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Result<Response, Refusal> {
    if !app.settings.ws_enabled {
        return Err(Refusal::unavailable(
            "WebSocket is switched off (WS_ENABLED=false); poll the HTTP API instead",
        ));
    }
    if app.is_stopping() {
        return Err(Refusal::unavailable("the server is stopping; reconnect in a few seconds"));
    }
    let key = handshake_key(request.headers())?;
    check_origin(request.headers(), &app.settings.allowed_origins)?;
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(Refusal::bad("this connection cannot be upgraded to a WebSocket"));
    };
    let sessions = Arc::clone(&app.sessions);
    let Some(place) = sessions.reserve() else {
        return Err(Refusal::unavailable("all connections are taken; try again later"));
    };
    let protocol = offers_text_protocol(request.headers());
    sessions.spawn(run(upgrade, Arc::clone(&sessions), place, peer));

    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    if protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(TEXT_PROTOCOL));
    }
    Ok(response)
}

async fn run(upgrade: OnUpgrade, sessions: Arc<Sessions>, place: Place, peer: SocketAddr) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            debug!(event = "ws_error", client_ip = %peer.ip(), %error, "the upgrade did not complete");
            return;
        }
    };
    match raw_stream(upgraded) {
        Some((stream, early)) => {
            serve_socket(sessions, place, stream, early, Connection::plain(peer.ip())).await;
        }
        None => warn!(event = "ws_error", client_ip = %peer.ip(), "the connection is not plain TCP"),
    }
}

/// The TCP stream below the HTTP connection, and what the client sent early. An empty early buffer is let go:
/// it would keep the connection's whole read buffer alive.
fn raw_stream(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = downcast::<TokioIo<TcpStream>>(upgraded).ok()?;
    let early = Bytes::copy_from_slice(&parts.read_buf);
    Some((parts.io.into_inner(), early))
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

fn offers_text_protocol(headers: &HeaderMap) -> bool {
    let offers =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| offer.trim() == TEXT_PROTOCOL)
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
