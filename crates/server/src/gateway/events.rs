//! `GET /v1/stream`: server-sent events with the content of the socket.
//!
//! A stream of events is a session like a socket: the same rounds write the same shared bytes to it, with the same limits,
//! the same treatment of slow clients and the same goodbye. So the TCP stream is taken out of the HTTP connection here as
//! it is for a socket, only that the answer is 200 and written by the session. The body has no length: it ends with the
//! connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use liqheat_market::Price;
use liqheat_stream::{Connection, Encoding, EventStream, parse_event_id, serve_events};
use liqheat_wire::{Channel, HeatmapView, Mode, SYMBOLS_PER_MESSAGE_MAX, ServerMessage, Subscribe};
use tracing::debug;

use super::admission::{SocketState, admit, check_open, check_page, reserve, session_grant};
use super::client::Client;
use super::takeover::{Takeover, forget_http};
use crate::http::{Query, Refusal, unknown_symbol};
use crate::ops::metrics::SocketRefusal;

const CONTENT_TYPE: &str = "text/event-stream";

/// Close code of a stream that is refused for now; RFC 6455's registry calls it so.
const TRY_AGAIN_LATER: u16 = 1013;

/// The route of event streams.
pub(crate) fn stream_route(state: Arc<SocketState>) -> Router {
    Router::new().route("/v1/stream", get(stream)).with_state(state)
}

async fn stream(
    State(state): State<Arc<SocketState>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    query: Query,
    request: Request,
) -> Result<Response, Refusal> {
    let client = Client::of(peer.ip(), request.headers(), &state.settings.trusted_proxies);
    accept(&state, client, &query, &request).or_else(|(reason, refusal)| {
        if let Some(reason) = reason {
            state.metrics.reject(reason);
            debug!(event = "ws_rejected", client_ip = %client.address, reason = reason.name());
        }
        let is_for_good = reason == Some(SocketRefusal::Disabled);
        let retry_after =
            refusal.retry_after().filter(|_| !is_for_good && is_event_source(request.headers()));
        retry_after.map(|after| come_back(after, refusal.detail())).ok_or(refusal)
    })
}

/// Whether the client is an `EventSource`, which alone names this type.
fn is_event_source(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains(CONTENT_TYPE)
}

/// A stream that only says when to come back. An `EventSource` gives up for good at any status but 200, and comes back by
/// itself after the end of a stream.
fn come_back(after: Duration, why: &str) -> Response {
    let close = ServerMessage::Close { code: TRY_AGAIN_LATER, reason: why };
    let close = String::from_utf8(close.to_json()).unwrap_or_default();
    let body = format!("retry: {}\n\nevent: close\ndata: {close}\n\n", after.as_millis());
    ([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Checks what is checked for a socket, in the same order, and then the parameters.
fn accept(
    state: &SocketState,
    client: Client,
    query: &Query,
    request: &Request,
) -> Result<Response, (Option<SocketRefusal>, Refusal)> {
    let counted = |(reason, refusal)| (Some(reason), refusal);
    check_open(state).map_err(counted)?;
    check_page(state, request).map_err(counted)?;
    let guard = admit(state, client).map_err(counted)?;
    let headers = request.headers();
    let grant = state.tokens.check(headers).map_err(|refusal| (Some(SocketRefusal::Token), refusal))?;
    let grant = session_grant(grant);
    let subscribe = subscription(query).map_err(|refusal| (None, refusal))?;
    let places = EventStream::places(&subscribe);
    for (symbol, channel) in &places {
        if let Some(refusal) = grant.access.refusal(symbol, *channel) {
            return Err((Some(SocketRefusal::Token), Refusal::forbidden(refusal)));
        }
    }
    check_symbols(state, &subscribe).map_err(|refusal| (None, refusal))?;
    let positions = last_event_id(headers, query)
        .map(|id| {
            parse_event_id(id, places.len()).ok_or_else(|| {
                let id: String = id.chars().take(60).collect();
                let detail = format!(
                    "Last-Event-ID '{id}' is not an id of this stream: it names another number of channels, or is no list of epoch:seq; leave it out to begin anew"
                );
                (None, Refusal::bad(detail))
            })
        })
        .transpose()?
        .unwrap_or_default();
    let answer = [
        (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        // nginx writes it through at once.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    let mut response = (answer, Body::empty()).into_response();
    if request.method() != Method::GET {
        return Ok(response);
    }
    let permit = reserve(&state.sessions).map_err(counted)?;
    let connection = Connection { client: client.address, encoding: Encoding::Events, deflate: false, grant };
    let sessions = Arc::clone(&state.sessions);
    response.extensions_mut().insert(Takeover::new(move |stream, head| {
        let events = EventStream { head, subscribe, positions };
        let running = Arc::clone(&sessions);
        sessions.spawn(async move {
            forget_http(&stream).await;
            serve_events(running, permit, stream, connection, events).await;
            drop(guard);
        });
    }));
    Ok(response)
}

/// Where the client was: the header that browsers send when they reconnect, or a parameter for those who begin there.
fn last_event_id<'a>(headers: &'a HeaderMap, query: &'a Query) -> Option<&'a str> {
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::trim);
    header.filter(|id| !id.is_empty()).or_else(|| query.get("last_event_id"))
}

/// What the parameters ask for.
fn subscription(query: &Query) -> Result<Subscribe, Refusal> {
    let list = |text: &str| -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    };
    let symbols = list(query.required("symbols")?);
    if symbols.is_empty() || symbols.len() > SYMBOLS_PER_MESSAGE_MAX {
        return Err(Refusal::malformed(format!(
            "parameter 'symbols' must name 1 to {SYMBOLS_PER_MESSAGE_MAX} symbols, separated by commas"
        )));
    }
    let channels = query.get("channels").map(list).unwrap_or_default();
    if let Some(unknown) = channels.iter().find(|name| Channel::from_name(name).is_none()) {
        return Err(Refusal::bad(Channel::unknown(unknown)));
    }
    let mode = match query.get("mode") {
        None | Some("snapshot") => Mode::Snapshot,
        Some("delta") => Mode::Delta,
        Some(_) => return Err(Refusal::malformed("parameter 'mode' must be 'snapshot' or 'delta'")),
    };
    let update_interval_s = query
        .get("update_interval")
        .map(|text| {
            text.parse()
                .ok()
                .filter(|seconds: &f64| seconds.is_finite())
                .ok_or_else(|| Refusal::malformed("parameter 'update_interval' must be a number of seconds"))
        })
        .transpose()?;
    let price_range = match (query.price("price_low")?, query.price("price_high")?) {
        (None, None) => None,
        (low, high) => {
            let range = (low.unwrap_or(Price::from_units(0)), high.unwrap_or(Price::from_units(i64::MAX)));
            if range.0 >= range.1 {
                return Err(Refusal::malformed("parameter 'price_low' must be below 'price_high'"));
            }
            Some(range)
        }
    };
    let within = query.expected_within()?;
    Ok(Subscribe {
        channels,
        mode,
        view: if within.is_some() { HeatmapView::Expected } else { HeatmapView::Open },
        horizon: within,
        update_interval_s,
        price_range,
        bin: query.price("bin")?,
        min_usd: query.usd_or_zero("min_usd")?,
        ..Subscribe::to(symbols)
    })
}

/// Everything must be served: an event stream has no second chance to ask.
fn check_symbols(state: &SocketState, subscribe: &Subscribe) -> Result<(), Refusal> {
    let hub = state.sessions.hub();
    for symbol in &subscribe.symbols {
        let slot = hub.slot(symbol).ok_or_else(|| unknown_symbol(hub, symbol))?;
        slot.view(subscribe.price_range, subscribe.bin).map_err(|error| Refusal::bad(error.to_string()))?;
        if subscribe.expected_within().is_some_and(|within| slot.expected(within).is_none()) {
            return Err(Refusal::bad(format!(
                "{symbol} has no expected view on this server; leave out 'view'"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use liqheat_wire::ViewHorizon;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Subscribe, u16> {
        let fields = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let subscribed = subscription(&Query::new(fields.collect()));
        subscribed.map_err(|refusal| refusal.into_response().status().as_u16())
    }

    #[test]
    fn parameters_say_what_is_followed() {
        let subscribe = read(&[
            ("symbols", "BTCUSDT, ETHUSDT,,BTCUSDT"),
            ("channels", "price,heatmap"),
            ("mode", "delta"),
            ("update_interval", "2.5"),
            ("min_usd", "5000"),
        ])
        .unwrap();
        assert_eq!(subscribe.symbols, ["BTCUSDT", "ETHUSDT"]);
        assert_eq!((subscribe.mode, subscribe.min_usd), (Mode::Delta, 5_000));
        let places = EventStream::places(&subscribe);
        let expected = [("BTCUSDT", Channel::Price), ("BTCUSDT", Channel::Heatmap)];
        assert_eq!(places.len(), 4);
        assert!(
            places
                .iter()
                .zip(expected)
                .all(|(place, (symbol, channel))| place.0 == symbol && place.1 == channel)
        );
        let expected = read(&[("symbols", "X"), ("view", "expected"), ("horizon", "4h")]).unwrap();
        assert_eq!(expected.expected_within(), Some(ViewHorizon::FourHours));
        let plain = read(&[("symbols", "X")]).unwrap();
        assert_eq!(plain, Subscribe::to(vec!["X".to_owned()]));
        assert_eq!(EventStream::places(&plain), [("X".to_owned(), Channel::Heatmap)]);
    }

    #[test]
    fn mistakes_are_answered() {
        let eleven = (0..11).map(|number| format!("S{number}")).collect::<Vec<_>>().join(",");
        for (pairs, status) in [
            (&[][..], 422),
            (&[("symbols", ",")], 422),
            (&[("symbols", eleven.as_str())], 422),
            (&[("symbols", "X"), ("channels", "dance")], 400),
            (&[("symbols", "X"), ("mode", "fast")], 422),
            (&[("symbols", "X"), ("update_interval", "NaN")], 422),
            (&[("symbols", "X"), ("price_low", "2"), ("price_high", "1")], 422),
            (&[("symbols", "X"), ("bin", "0")], 422),
            (&[("symbols", "X"), ("min_usd", "-1")], 422),
            (&[("symbols", "X"), ("view", "size")], 422),
            (&[("symbols", "X"), ("horizon", "1h")], 400),
            (&[("symbols", "X"), ("view", "expected"), ("horizon", "24h")], 422),
        ] {
            assert_eq!(read(pairs), Err(status), "{pairs:?}");
        }
    }
}
