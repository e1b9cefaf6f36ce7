//! The HTTP routes, and what all answers have in common.
//!
//! A handler gets the few handles that it uses: data routes the parts of a [`DataState`] that they name, operational routes
//! a state of their own. Routes that show the present read [`Published`](crate::published::Published), routes that show the
//! past run ledgers through [`History`](crate::history::History).

mod accuracy;
mod alerts;
mod claims;
mod edge;
mod export;
mod formats;
mod grid_body;
mod health;
mod heatmap;
mod history;
mod ingest;
mod layer_history;
mod levels;
mod liquidations;
mod map;
mod margin;
mod measured;
mod metrics;
mod older;
mod page;
mod parts;
mod poll;
mod prices;
mod reading;
mod reference;
mod selection;
mod series;
mod state;
mod stats;
mod symbols;
mod walls;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Uri};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{get, post};
use prometheus_client::registry::Registry;
use tower_http::compression::CompressionLayer;

use crate::gateway::{TokenGate, WriteGate, same_origin};
use crate::http::Refusal;
pub(crate) use export::Exports;
pub(crate) use formats::flights as format_flights;
pub(crate) use health::HealthState;
pub(crate) use heatmap::TimeseriesFlights;
pub(crate) use ingest::Ingests;
pub(crate) use metrics::count;
pub(crate) use page::FramePolicy;
pub(crate) use parts::{ModelState, PresentState, StoredRows, SymbolDirectory, TrustedProxies};
pub(crate) use state::{DataParts, DataState};
pub(crate) use stats::StatsState;
pub(crate) use symbols::ListingState;

/// The states of all routes.
pub(crate) struct ApiStates {
    pub(crate) writes: Arc<WriteGate>,
    pub(crate) data: DataState,
    pub(crate) health: Arc<HealthState>,
    pub(crate) stats: Arc<StatsState>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) tokens: Arc<TokenGate>,
    pub(crate) frames: FramePolicy,
}

/// The routes by the listener that they are on.
pub(crate) struct ApiRoutes {
    /// Those of clients.
    pub(crate) main: Router,
    /// `/metrics` and `/ws/stats`, where they are apart.
    pub(crate) metrics: Option<Router>,
}

/// All routes but the socket's. Data is behind the tokens, where there are any; how the server is doing is not.
pub(crate) fn routes(states: ApiStates, metrics_apart: bool) -> ApiRoutes {
    let ApiStates { writes, data, health, stats, registry, tokens, frames } = states;
    let frames = Arc::new(frames);
    let is_edge = data.is_edge();
    let mut stored = Router::new()
        .route("/liquidations/heatmap-timeseries", get(heatmap::timeseries))
        .route("/liquidations/levels", get(levels::levels))
        .route("/prices/klines", get(prices::klines))
        .route("/v1/series", get(series::series))
        .route("/v1/liquidations", get(liquidations::liquidations))
        .route("/v1/liquidations/summary", get(liquidations::summary))
        .route("/v1/accuracy", get(accuracy::accuracy))
        .route("/v1/walls", get(walls::walls))
        .route("/v1/max-pain", get(walls::max_pain))
        .route("/v1/measured", get(measured::measured))
        .route("/v1/map", get(map::map))
        .route("/v1/heatmap/history", get(history::history))
        .route("/v1/export", get(export::export))
        .route("/v1/tiers", get(margin::tiers))
        .route("/v1/liquidation-price", get(margin::price))
        .route("/api/margin/tiers/{symbol}", get(margin::tiers_by_path))
        .route("/symbols", get(older::symbols))
        .route("/exchanges", get(older::exchanges))
        .route("/data/date-range", get(older::date_range))
        .route("/liquidations/history", get(older::liquidations));
    let written = Router::new()
        .route("/v1/alerts", post(alerts::add).delete(alerts::remove))
        .route("/v1/ingest", get(ingest::state).post(ingest::ingest))
        .route_layer(from_fn_with_state(writes, WriteGate::require))
        // What `ingest` reads it bounds itself, as it comes.
        .layer(DefaultBodyLimit::max(alerts::BODY_BYTES_MAX));
    stored = stored.route("/v1/alerts", get(alerts::list)).merge(written);
    let mut coinglass = formats::coinglass::routes();
    let mut udf = formats::udf::routes();
    if is_edge {
        stored = stored.route_layer(from_fn(edge::refuse));
        coinglass = coinglass.route_layer(from_fn(edge::refuse));
        udf = udf.route_layer(from_fn(edge::refuse));
    }
    let guard = || from_fn_with_state(Arc::clone(&tokens), TokenGate::require);
    let coinglass = coinglass.route_layer(guard()).layer(map_response(formats::coinglass::in_envelope));
    let udf = udf.route_layer(guard()).layer(map_response(formats::udf::as_error));
    let openbb = formats::openbb::routes().route_layer(guard());
    let read = stored
        .route("/v1/symbols", get(symbols::symbols))
        .route("/v1/heatmap", get(poll::heatmap))
        .route_layer(guard())
        .with_state(data.clone());
    let health = Router::new()
        .route("/health", get(health::health))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .with_state(health);
    let asked_by_agents = read.clone().merge(health.clone());
    let agents =
        formats::mcp::routes(&data, asked_by_agents).route_layer(guard()).route_layer(from_fn(same_origin));
    let formats = coinglass.merge(udf).merge(openbb).merge(agents).with_state(data);
    let metrics = Router::new()
        .route("/ws/stats", get(stats::stats).with_state(stats))
        .route("/metrics", get(metrics::metrics).with_state(registry));
    let main = Router::new()
        .route("/docs", get(reference::page))
        .route("/openapi.json", get(reference::openapi))
        .route("/asyncapi.json", get(reference::asyncapi))
        .merge(read)
        .merge(formats)
        .merge(health)
        .fallback(move |uri: Uri, headers: HeaderMap| {
            let frames = Arc::clone(&frames);
            async move { page::page(&frames, &uri, &headers) }
        });
    let (main, metrics) = if metrics_apart {
        let elsewhere = || async { Refusal::not_found("on another listener: see --metrics-listen") };
        let main = main.route("/metrics", get(elsewhere)).route("/ws/stats", get(elsewhere));
        (main, Some(metrics.layer(CompressionLayer::new())))
    } else {
        (main.merge(metrics), None)
    };
    ApiRoutes { main: main.layer(CompressionLayer::new()), metrics }
}
