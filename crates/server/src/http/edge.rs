//! What an edge (`--role edge`) does not answer: everything that is computed from stored market data, because
//! it stores none. What it has, the newest states, is served as everywhere.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::refusal::Refusal;
use crate::app::App;

/// Lets a request pass where there is a database.
pub(super) async fn require_database(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if app.is_edge() {
        return Err(Refusal::not_here(
            "this server is an edge (--role edge): it has the newest state (/ws/heatmap, /v1/heatmap, /v1/symbols) and no history; ask a server with --role all",
        ));
    }
    Ok(next.run(request).await)
}
