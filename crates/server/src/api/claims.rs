//! What the token of a request allows, for routes that name symbols in their own way.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use liqheat_market::Instrument;
use liqheat_stream::Access;
use liqheat_wire::Channel;

use crate::gateway::{IngestGranted, RequestAccess};
use crate::http::Refusal;

/// The claims of the token; everything is allowed where no token is required.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Arc<Access>);

impl<S: Sync> FromRequestParts<S> for Claims {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl Claims {
    pub(super) fn of(parts: &Parts) -> Self {
        parts
            .extensions
            .get::<RequestAccess>()
            .map(|granted| Self(Arc::clone(&granted.0)))
            .unwrap_or_default()
    }

    /// # Errors
    /// 403 when the token does not allow a channel of a symbol.
    pub(super) fn check(&self, symbol: &str, channel: Channel) -> Result<(), Refusal> {
        self.0.refusal(symbol, channel).map_or(Ok(()), |refusal| Err(Refusal::forbidden(refusal)))
    }

    /// # Errors
    /// 403 when the token does not allow a channel of any symbol.
    pub(super) fn check_channel(&self, channel: Channel) -> Result<(), Refusal> {
        self.0.refusal_of_channel(channel).map_or(Ok(()), |refusal| Err(Refusal::forbidden(refusal)))
    }

    pub(super) fn allows_symbol(&self, symbol: &str) -> bool {
        self.0.allows_symbol(symbol)
    }

    /// The symbols that may be read, for keys of shared answers; empty when all may.
    pub(super) fn symbols(&self) -> String {
        let symbols = self.0.symbols.iter().flatten().map(String::as_str);
        symbols.collect::<Vec<_>>().join(",")
    }
}

/// The claims of a token that may load files. Where tokens are configured it must say so: whoever may read the market data
/// need not be allowed to change it.
#[derive(Debug, Clone)]
pub(super) struct IngestClaims(Claims);

impl<S: Sync> FromRequestParts<S> for IngestClaims {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let has_token = parts.extensions.get::<RequestAccess>().is_some();
        if has_token && parts.extensions.get::<IngestGranted>().is_none() {
            return Err(Refusal::forbidden("The token does not allow loading files (claim 'ingest': true)"));
        }
        Ok(Self(Claims::of(parts)))
    }
}

impl IngestClaims {
    /// Whether rows of an instrument may be stored: the claim `symbols` names it or its symbol.
    pub(super) fn allows(&self, instrument: &Instrument) -> bool {
        let claims = &self.0;
        claims.allows_symbol(instrument.symbol.as_str()) || claims.allows_symbol(&instrument.to_string())
    }
}
