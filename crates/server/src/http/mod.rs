//! What routes and the gateway have in common: reading parameters and refusing requests.

mod address;
mod coding;
mod query;
mod refusal;
mod single_flight;

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use liqheat_stream::Hub;

pub(crate) use address::AddressKey;
pub(crate) use coding::is_coding_accepted;
pub(crate) use query::{Query, target};
pub(crate) use refusal::{Refusal, RefusalDetail};
pub(crate) use single_flight::SingleFlight;

/// A symbol that is not served: 400; but 503 on an edge that does not know yet which symbols there are.
pub(crate) fn unknown_symbol(hub: &Hub, name: &str) -> Refusal {
    if hub.symbols_known() { Refusal::bad(hub.unknown_symbol(name)) } else { no_list_yet() }
}

/// An edge cannot tell a symbol that does not exist from one that it has not read of yet.
pub(crate) fn no_list_yet() -> Refusal {
    Refusal::unavailable_for(
        Duration::from_secs(1),
        "this edge has not read the producer's symbol list yet; see /ready, and try again in a second",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let fields = axum::extract::Query::<HashMap<String, String>>::from_request_parts(parts, state).await;
        fields.map(|fields| Self::new(fields.0)).map_err(|error| Refusal::malformed(error.body_text()))
    }
}
