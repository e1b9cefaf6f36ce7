//! What an edge (`--role edge`) does not answer: everything that is computed from stored market data, because
//! it stores none. The newest states are served as everywhere.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::http::Refusal;

/// Refuses a request that needs a database.
pub(super) async fn refuse(_request: Request, _next: Next) -> Result<Response, Refusal> {
    Err(Refusal::not_here(
        "this server is an edge (--role edge): it has the newest state (/ws/heatmap, /v1/heatmap, /v1/symbols) and no history; ask a server with --role all",
    ))
}
