//! What routes and the gateway have in common: reading parameters and refusing requests.

mod address;
mod query;
mod refusal;
mod single_flight;

use std::collections::HashMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

pub(crate) use address::AddressKey;
pub(crate) use query::Query;
pub(crate) use refusal::Refusal;
pub(crate) use single_flight::SingleFlight;

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let fields = axum::extract::Query::<HashMap<String, String>>::from_request_parts(parts, state).await;
        fields.map(|fields| Self::new(fields.0)).map_err(|error| Refusal::malformed(error.body_text()))
    }
}
