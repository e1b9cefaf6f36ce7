//! The HTTP routes, and what all answers have in common.
//!
//! Each group of routes gets the few handles that it uses: data routes a [`DataState`], operational routes a state of
//! their own. Routes that show the present read [`Published::live`]; routes that show the past run ledgers through
//! [`History`].

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
mod poll;
mod prices;
mod reading;
mod reference;
mod selection;
mod series;
mod stats;
mod symbols;
mod walls;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Uri};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{get, post};
use ipnet::IpNet;
use liqheat_score::ExpectedModel;
use liqheat_stream::Hub;
use liqheat_wire::format_time;
use prometheus_client::registry::Registry;
use tower_http::compression::CompressionLayer;

use crate::alerts::Alerts;
use crate::catalog::{Catalog, ServedSymbol};
use crate::clock::MarketClock;
use crate::cluster::Listing;
use crate::engine::OnDemand;
use crate::expected::ExpectedBoards;
use crate::gateway::{TokenGate, WriteGate, same_origin};
use crate::history::History;
use crate::http::{Query, Refusal, unknown_symbol};
use crate::measured::{MeasuredLayer, MeasuredSymbol};
use crate::published::{LedgerSum, Published};
use crate::reads::Reads;
pub(crate) use export::Exports;
pub(crate) use formats::{FormatFlights, flights as format_flights};
pub(crate) use health::HealthState;
pub(crate) use heatmap::TimeseriesFlights;
pub(crate) use ingest::Ingests;
pub(crate) use metrics::count;
pub(crate) use page::FramePolicy;
pub(crate) use stats::StatsState;

/// What routes of market data work with.
pub(crate) struct DataState {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) published: Arc<Published>,
    pub(crate) hub: Arc<Hub>,
    /// Turns of requests that read the database.
    pub(crate) reads: Arc<Reads>,
    /// Proxies whose `X-Forwarded-For` names the client.
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) history: History,
    pub(crate) clock: Arc<MarketClock>,
    /// What the expected view is computed with.
    pub(crate) expected: ExpectedModel,
    /// Boards of the expected view.
    pub(crate) expected_boards: Arc<ExpectedBoards>,
    /// Positions of real accounts, where they are looked at.
    pub(crate) measured: Option<Arc<MeasuredLayer>>,
    /// Market seconds a second.
    pub(crate) speed: f64,
    /// Moves ledgers where the updater does not run.
    pub(crate) on_demand: Option<OnDemand>,
    /// Answers of time series that are under way or fresh.
    pub(crate) timeseries: TimeseriesFlights,
    /// The same of answers in formats of others.
    pub(crate) formats: FormatFlights,
    pub(crate) exports: Exports,
    pub(crate) ingests: Ingests,
    /// Whether `/ws/heatmap` accepts connections.
    pub(crate) websocket: bool,
    pub(crate) alerts: Arc<Alerts>,
    /// The producer's symbols, on an edge.
    pub(crate) learned: Option<Arc<Listing>>,
}

/// The states of all routes.
pub(crate) struct ApiStates {
    pub(crate) writes: Arc<WriteGate>,
    pub(crate) data: Arc<DataState>,
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
    let is_edge = data.learned.is_some();
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
        .with_state(Arc::clone(&data));
    let health = Router::new()
        .route("/health", get(health::health))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .with_state(health);
    let asked_by_agents = read.clone().merge(health.clone());
    let agents = formats::mcp::routes(Arc::clone(&data), asked_by_agents)
        .route_layer(guard())
        .route_layer(from_fn(same_origin));
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

impl DataState {
    /// The symbol a request names: missing is 422, unknown is 400.
    fn symbol(&self, query: &Query) -> Result<&Arc<ServedSymbol>, Refusal> {
        self.symbol_named(query.required("symbol")?)
    }

    /// A symbol by any of its names; unknown is 400.
    fn symbol_named(&self, name: &str) -> Result<&Arc<ServedSymbol>, Refusal> {
        self.catalog.symbol(name).ok_or_else(|| {
            if name.ends_with(MeasuredSymbol::SUFFIX) && self.hub.slot(name).is_some() {
                return Refusal::bad(format!(
                    "{name} is a layer of measured positions: ask /v1/measured, /v1/heatmap, /v1/heatmap/history, /v1/walls, /v1/max-pain, /v1/map, /v1/export?what=measured or a socket for it"
                ));
            }
            unknown_symbol(&self.hub, name)
        })
    }

    /// The layer of measured positions with exactly this name; `None` where the name is another symbol's.
    ///
    /// # Errors
    /// Refused where the layer is made by another server, which has its past.
    fn layer(&self, name: &str) -> Result<Option<(&MeasuredLayer, &MeasuredSymbol)>, Refusal> {
        if !name.ends_with(MeasuredSymbol::SUFFIX) {
            return Ok(None);
        }
        let own = self.measured.as_deref().and_then(|measured| Some((measured, measured.symbol(name)?)));
        match own {
            None if self.hub.slot(name).is_some() => Err(Refusal::bad(format!(
                "this server does not look at accounts, and so has no past of {name}; ask one with --hyperliquid-measured"
            ))),
            own => Ok(own),
        }
    }

    /// Brings a symbol up to date where the updater does not run.
    async fn refresh(&self, symbol: &ServedSymbol) -> Result<(), Refusal> {
        match &self.on_demand {
            Some(on_demand) => Ok(on_demand.refresh(symbol).await?),
            None => Ok(()),
        }
    }

    /// The newest sum of a symbol's ledgers on this server ([`Published::local_sum`]), or why there is none yet.
    async fn local_sum(&self, symbol: &ServedSymbol) -> Result<Arc<LedgerSum>, Refusal> {
        self.refresh(symbol).await?;
        self.published.local_sum(&symbol.name).ok_or_else(|| no_state(symbol))
    }
}

/// Why a symbol has no state yet.
fn no_state(symbol: &ServedSymbol) -> Refusal {
    let name = &symbol.name;
    Refusal::unavailable(match symbol.first_bar() {
        Some(first) => format!(
            "no state of {name} yet: its klines begin at {}, and the model needs open interest (metrics files) with them",
            format_time(first)
        ),
        None => format!("no state of {name} yet: nothing of it has been received so far; see /ready"),
    })
}
