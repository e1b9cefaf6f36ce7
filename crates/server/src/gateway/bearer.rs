//! Where a request carries its token, and the layer that asks for one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::tokens::{Grant, TokenFault, Tokens};
use crate::clock::MarketClock;
use crate::http::Refusal;

/// A browser cannot send `Authorization` with a WebSocket, so a token may stand among the subprotocols.
const PROTOCOL_PREFIX: &str = "bearer.";

/// Checks the tokens of requests, where the operator set any.
pub(crate) struct TokenGate(Option<Arc<Tokens>>);

impl TokenGate {
    pub(crate) const fn new(tokens: Option<Arc<Tokens>>) -> Self {
        Self(tokens)
    }

    /// Whether requests need a token.
    pub(super) const fn is_closed(&self) -> bool {
        self.0.is_some()
    }

    /// Why keys in use may be out of date.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.0.as_ref().map(|tokens| tokens.faults()).unwrap_or_default()
    }

    /// The layer that lets a request pass that may have data.
    pub(crate) async fn require(
        State(gate): State<Arc<Self>>,
        request: Request,
        next: Next,
    ) -> Result<Response, Refusal> {
        gate.check(request.headers())?;
        Ok(next.run(request).await)
    }

    /// What the token in these headers grants; `None` where no token is required.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Option<Grant>, Refusal> {
        let Some(tokens) = &self.0 else {
            return Ok(None);
        };
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

fn token(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let by_header = authorization.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    by_header.or_else(|| {
        let protocols =
            headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
        protocols.flat_map(|value| value.split(',')).find_map(|one| one.trim().strip_prefix(PROTOCOL_PREFIX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_either_place() {
        for (rows, found) in [
            (&[][..], None),
            (&[("authorization", "Bearer a.b.c")], Some("a.b.c")),
            (&[("authorization", "bearer  a.b.c ")], Some("a.b.c")),
            (&[("authorization", "Basic a.b.c")], None),
            (&[("authorization", "Bearer")], None),
            (&[("sec-websocket-protocol", "liqheat.v1.json, bearer.a.b.c")], Some("a.b.c")),
            (&[("sec-websocket-protocol", "bearer.a.b.c"), ("authorization", "Bearer x")], Some("x")),
            (&[("sec-websocket-protocol", "liqheat.v1.json")], None),
        ] {
            let pairs = rows.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), value.parse::<header::HeaderValue>().unwrap())
            });
            assert_eq!(token(&pairs.collect()), found, "{rows:?}");
        }
    }
}
