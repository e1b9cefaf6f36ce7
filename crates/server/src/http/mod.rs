//! The HTTP front: routes, and what all answers have in common.

mod bearer;
mod client;
mod edge;
mod extensions;
mod health;
mod heatmap;
mod history;
mod levels;
mod liquidations;
mod metrics;
mod page;
mod poll;
mod prices;
mod query;
mod reference;
mod refusal;
mod stats;
pub(crate) mod symbols;
mod upgrade;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use liqheat_wire::format_time;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::symbol::{ServedSymbol, SymbolView};
pub(crate) use client::is_trusted;
use query::Query;
use refusal::Refusal;

/// All routes. Data is for those who may have it; how the server is doing is for everybody who can reach it.
pub(crate) fn router(app: Arc<App>) -> Router {
    let stored = Router::new()
        .route("/liquidations/heatmap-timeseries", get(heatmap::timeseries))
        .route("/liquidations/levels", get(levels::levels))
        .route("/prices/klines", get(prices::klines))
        .route("/v1/liquidations", get(liquidations::liquidations))
        .route("/v1/heatmap/history", get(history::history))
        .route_layer(from_fn_with_state(Arc::clone(&app), edge::require_database));
    let data = stored
        .route("/v1/symbols", get(symbols::symbols))
        .route("/v1/heatmap", get(poll::heatmap))
        .route_layer(from_fn_with_state(Arc::clone(&app), bearer::require));
    let compressed = data
        .route("/ws/stats", get(stats::stats))
        .route("/metrics", get(metrics::metrics))
        .route("/docs", get(reference::page))
        .route("/openapi.json", get(reference::openapi))
        .route("/asyncapi.json", get(reference::asyncapi))
        .route("/health", get(health::health))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .fallback(page::page)
        .layer(CompressionLayer::new());
    Router::new()
        .route("/ws/heatmap", get(upgrade::heatmap_socket))
        .merge(compressed)
        .layer(from_fn_with_state(Arc::clone(&app), metrics::count))
        .with_state(app)
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let fields = axum::extract::Query::<HashMap<String, String>>::from_request_parts(parts, state).await;
        fields.map(|fields| Self::new(fields.0)).map_err(|error| Refusal::malformed(error.body_text()))
    }
}

/// The symbol a request names: missing is 422, unknown is 400.
fn symbol_of<'a>(app: &'a App, query: &Query) -> Result<&'a Arc<ServedSymbol>, Refusal> {
    let name = query.required("symbol")?;
    app.symbols.get(name).ok_or_else(|| Refusal::bad(app.hub.unknown_symbol(name)))
}

/// The newest view of a symbol, or why there is none yet.
async fn view_of(app: &App, symbol: &ServedSymbol) -> Result<Arc<SymbolView>, Refusal> {
    if let Some(on_demand) = &app.on_demand {
        on_demand.refresh(app, symbol).await?;
    }
    symbol.view().ok_or_else(|| {
        let name = &symbol.name;
        Refusal::unavailable(match symbol.first_bar() {
            Some(first) => format!(
                "no state of {name} yet: its klines begin at {}, and the model needs open interest (metrics files) with them",
                format_time(first)
            ),
            None => format!("no state of {name} yet: nothing of it has been received so far; see /ready"),
        })
    })
}
