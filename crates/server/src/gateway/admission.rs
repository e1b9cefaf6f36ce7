//! Who may open a session, over a WebSocket or an event stream: the checks that both have in common.

#![expect(clippy::disallowed_methods, reason = "the moment at which a socket is admitted")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, header};
use liqheat_stream::{ConnectionPermit, Grant, Sessions};

use super::access::AccessPolicy;
use super::addresses::{AddressGuard, AddressRefusal, Addresses};
use super::bearer::TokenGate;
use super::client::Client;
use super::guard::requested;
use super::settings::FrontSettings;
use super::tokens::TokenGrant;
use super::web_origin::{AllowedOrigin, Authority, WebOrigin};
use crate::clock::MarketClock;
use crate::http::{Refusal, no_list_yet};
use crate::ops::metrics::{FrontMetrics, SocketRefusal};
use crate::ops::stopping::StopFlag;

/// What new sessions are checked against.
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

/// Counts one more socket of the client's address.
pub(super) fn admit(state: &SocketState, client: Client) -> Result<AddressGuard, (SocketRefusal, Refusal)> {
    if client.limited {
        state.addresses.admit(client.address, Instant::now()).map_err(refuse_address)
    } else {
        Ok(AddressGuard::uncounted())
    }
}

fn refuse_address(refusal: AddressRefusal) -> (SocketRefusal, Refusal) {
    /// A place becomes free when the client closes a socket.
    const CLOSE_ONE: Duration = Duration::from_secs(10);
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

/// What a session may read and until when: everything and for ever where no token is required.
pub(super) fn session_grant(grant: Option<TokenGrant>) -> Grant {
    grant.map(|grant| grant.for_session(MarketClock::wall_now())).unwrap_or_default()
}

/// The value of a header that is there exactly once, in visible ASCII.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
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
    use axum::http::HeaderValue;

    use super::*;

    fn headers(rows: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (header::HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        rows.iter().map(pair).collect()
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
}
