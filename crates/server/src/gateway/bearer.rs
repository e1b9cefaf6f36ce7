//! Where a request carries its token, and the layer that asks for one.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use liqheat_stream::Access;
use liqheat_wire::Channel;

use super::tokens::{TokenFault, TokenGrant, Tokens};
use crate::clock::MarketClock;
use crate::http::{Query, Refusal};

/// A browser cannot send `Authorization` with a WebSocket, so a token may be offered as a subprotocol.
const PROTOCOL_PREFIX: &str = "bearer.";

/// The name of the header in which clients of the Coinglass API send their key.
const COINGLASS_HEADER: &str = "cg-api-key";

/// What the token of a request allows, in the request's extensions; absent where no token is required.
#[derive(Debug, Clone)]
pub(crate) struct RequestAccess(pub(crate) Arc<Access>);

/// In the extensions of a request whose token may load files (claim `ingest`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct IngestGranted;

/// Checks the tokens of requests, where the operator set any.
pub(crate) struct TokenGate(Arc<Tokens>);

impl TokenGate {
    pub(crate) const fn new(tokens: Arc<Tokens>) -> Self {
        Self(tokens)
    }

    /// Whether requests need a token.
    pub(super) fn is_closed(&self) -> bool {
        self.0.are_required()
    }

    /// Why keys in use may be out of date.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.0.faults()
    }

    /// The layer that lets a request pass that may have data.
    pub(crate) async fn require(
        State(gate): State<Arc<Self>>,
        mut request: Request,
        next: Next,
    ) -> Result<Response, Refusal> {
        if let Some(grant) = gate.check(request.headers())? {
            check_access(&grant.access, &request)?;
            request.extensions_mut().insert(RequestAccess(grant.access));
            if grant.may_ingest {
                request.extensions_mut().insert(IngestGranted);
            }
        }
        Ok(next.run(request).await)
    }

    /// What the token in these headers grants; `None` where no token is required.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Option<TokenGrant>, Refusal> {
        let tokens = &self.0;
        if !tokens.are_required() {
            return Ok(None);
        }
        let checked = match token(headers) {
            Some(token) => tokens.check(token, MarketClock::wall_now()),
            None => Err(TokenFault::Missing),
        };
        checked.map(Some).map_err(|fault| {
            let challenge = match fault {
                TokenFault::Missing => "Bearer",
                _ => "Bearer error=\"invalid_token\"",
            };
            Refusal::unauthorised(challenge, fault.to_string())
        })
    }
}

/// The channel whose data a route answers; `None` for what says which symbols there are and how they are traded.
fn channel_of(path: &str) -> Option<Channel> {
    match path {
        "/v1/heatmap"
        | "/v1/heatmap/history"
        | "/v1/map"
        | "/v1/max-pain"
        | "/liquidations/levels"
        | "/liquidations/heatmap-timeseries" => Some(Channel::Heatmap),
        "/v1/walls" => Some(Channel::Walls),
        "/v1/alerts" => Some(Channel::Alerts),
        "/prices/klines" => Some(Channel::Price),
        "/v1/liquidations" | "/v1/liquidations/summary" | "/liquidations/history" => {
            Some(Channel::Liquidations)
        }
        _ => None,
    }
}

/// Routes in formats of others name symbols in other ways. They check the claims themselves, once they know which symbol
/// is meant ([`RequestAccess`]).
fn has_names_of_its_own(path: &str) -> bool {
    ["/api/futures/", "/udf/", "/mcp"].iter().any(|prefix| path.starts_with(prefix))
}

/// Refuses what the claims of a token do not allow: 403. A request that names no symbol is refused by its route where
/// it needs one.
fn check_access(access: &Access, request: &Request) -> Result<(), Refusal> {
    let path = request.uri().path();
    if *access == Access::default() || has_names_of_its_own(path) {
        return Ok(());
    }
    let channel = channel_of(path);
    let fields = axum::extract::Query::<HashMap<String, String>>::try_from_uri(request.uri());
    let query =
        fields.map(|fields| Query::new(fields.0)).map_err(|error| Refusal::malformed(error.body_text()))?;
    let by_path = path.strip_prefix("/api/margin/tiers/");
    let refusal = match (query.get("symbol").or(by_path), channel) {
        (Some(symbol), Some(channel)) => access.refusal(symbol, channel),
        (Some(symbol), None) => access.refusal_of_symbol(symbol),
        (None, Some(channel)) => access.refusal_of_channel(channel),
        (None, None) => None,
    };
    refusal.map_or(Ok(()), |refusal| Err(Refusal::forbidden(refusal)))
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let by_header = authorization.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let by_key = || headers.get(COINGLASS_HEADER).and_then(|value| value.to_str().ok()).map(str::trim);
    by_header.or_else(by_key).or_else(|| {
        let protocols =
            headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
        protocols.flat_map(|value| value.split(',')).find_map(|one| one.trim().strip_prefix(PROTOCOL_PREFIX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_limit_routes_by_symbol_and_channel() {
        let access = Access {
            symbols: Some(["BTCUSDT".to_owned()].into()),
            channels: Some([Channel::Price, Channel::Walls].into()),
        };
        for (target, is_allowed) in [
            ("/prices/klines?symbol=BTCUSDT", true),
            ("/prices/klines?symbol=BTC%55SDT", true),
            ("/prices/klines?symbol=ETHUSDT", false),
            ("/prices/klines?symbol=BTCUSDT@okx", false),
            ("/prices/klines", true),
            ("/v1/walls?symbol=%20BTCUSDT", true),
            ("/v1/liquidations?symbol=BTCUSDT", false),
            ("/v1/liquidations", false),
            ("/v1/heatmap?symbol=BTCUSDT", false),
            ("/v1/tiers?symbol=BTCUSDT", true),
            ("/v1/tiers?symbol=ETHUSDT", false),
            ("/api/margin/tiers/ETHUSDT", false),
            ("/v1/symbols", true),
        ] {
            let request = Request::builder().uri(target).body(axum::body::Body::empty()).unwrap();
            assert_eq!(check_access(&access, &request).is_ok(), is_allowed, "{target}");
            assert!(check_access(&Access::default(), &request).is_ok(), "{target}");
        }
    }

    #[test]
    fn a_token_is_found_in_any_place() {
        for (rows, found) in [
            (&[][..], None),
            (&[("authorization", "Bearer a.b.c")], Some("a.b.c")),
            (&[("authorization", "bearer  a.b.c ")], Some("a.b.c")),
            (&[("authorization", "Basic a.b.c")], None),
            (&[("authorization", "Bearer")], None),
            (&[("sec-websocket-protocol", "liqheat.v1.json, bearer.a.b.c")], Some("a.b.c")),
            (&[("sec-websocket-protocol", "bearer.a.b.c"), ("authorization", "Bearer x")], Some("x")),
            (&[("sec-websocket-protocol", "liqheat.v1.json")], None),
            (&[("cg-api-key", "a.b.c")], Some("a.b.c")),
            (&[("cg-api-key", "a.b.c"), ("authorization", "Bearer x")], Some("x")),
        ] {
            let pairs = rows.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), value.parse::<header::HeaderValue>().unwrap())
            });
            assert_eq!(token(&pairs.collect()), found, "{rows:?}");
        }
    }
}
