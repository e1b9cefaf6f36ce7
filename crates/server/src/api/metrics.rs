//! `GET /metrics`: everything that is counted, as OpenMetrics text, and the layer that counts and traces answers.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::registry::Registry;
use tracing::Instrument;

use crate::http::Refusal;
use crate::ops::metrics::{CONTENT_TYPE, FrontMetrics};
use crate::traces::RequestSpan;

pub(super) async fn metrics(State(registry): State<Arc<Registry>>) -> Result<Response, Refusal> {
    let mut text = String::new();
    // Writing into memory cannot fail, so a collector did.
    prometheus_client::encoding::text::encode(&mut text, &registry)
        .map_err(|_| Refusal::unavailable("the metrics could not be written; try again"))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// Counts and traces an answer by its route; whatever has no route of its own is one.
pub(crate) async fn count(State(front): State<Arc<FrontMetrics>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let span = RequestSpan::begin(request.method(), route, request.headers());
    let response = next.run(request).instrument(span.span()).await;
    span.end(response.status());
    let route = route.unwrap_or("other");
    front.answer(route, response.status().as_u16());
    response
}
