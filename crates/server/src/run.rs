//! Assembly, supervision and shutdown: the only module that knows all parts.
//!
//! Everything is built before anything starts. The parts then run until one of them ends or the operator asks
//! to stop, and stop in order: readiness off and no new sockets, goodbye to sockets, no new connections,
//! updater and feed, the store last. While sockets are sent away, requests are answered, so that health checks
//! learn that this server is not ready. A part that ends by itself is a fault and stops the process: restart and replay are
//! tested, a server without one of its parts is not.
//!
//! [`foundation`] makes what is served, by which clock, and who follows it; [`shared`] what data goes through; [`routes`]
//! and [`background`] what answers and what runs by itself; [`running`] starts and stops it.

mod background;
mod end;
mod foundation;
mod routes;
mod running;
mod shared;
mod source;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use axum::response::{IntoResponse, Response};
use liqheat_feeds::tiers::TierBook;
use liqheat_store::Store;
use liqheat_stream::{Hub, Sessions};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use tracing::info;

use crate::catalog::Catalog;
use crate::cluster::Cluster;
use crate::http::{Refusal, target};
use crate::ops::stopping::StopFlag;
use crate::reload::Reload;
use crate::settings::ServerSettings;

use background::Background;
pub use end::{ServeError, ServerEnd};
use foundation::{ConsumedParts, Foundation};
use routes::Fronts;
use running::RunningParts;
use shared::SharedParts;
pub use source::Source;

/// A server, built and ready to run.
pub struct Server {
    fronts: Fronts,
    metrics_listener: Option<TcpListener>,
    background: Background,
    reload: Reload,
    sessions: Arc<Sessions>,
    catalog: Arc<Catalog>,
    /// `None` on an edge.
    store: Option<Store>,
    stop_within: Duration,
    stopping: StopFlag,
    /// Ends all sessions.
    closing: CancellationToken,
}

impl Server {
    /// Builds all parts over an open store. With a simulated source this first simulates the history.
    ///
    /// # Errors
    /// When the store fails, or what is asked for is not there.
    pub async fn build(
        store: Store,
        source: Source,
        settings: ServerSettings,
        tiers: &TierBook,
    ) -> Result<Self, ServeError> {
        let (foundation, consumed) = Foundation::over_markets(store, source, settings, tiers).await?;
        Ok(Self::assemble(foundation, consumed))
    }

    /// A server that serves the states of other servers and has no database. `settings.redis` says where from.
    ///
    /// # Errors
    /// When the settings of tokens cannot be used.
    pub fn edge(settings: ServerSettings) -> Result<Self, ServeError> {
        let join = |settings: &ServerSettings, sessions: &Arc<Sessions>| {
            Cluster::join(settings, sessions, (&Catalog::default(), None), 1.0, None)
        };
        let (foundation, consumed) =
            Foundation::without_markets(Store::absent(), Vec::new(), settings, join)?;
        Ok(Self::assemble(foundation, consumed))
    }

    /// A server over empty boards that somebody else moves: the same front and sessions, and no market data behind
    /// them. For measuring what they cost.
    ///
    /// # Errors
    /// When the settings of tokens cannot be used.
    pub fn over_boards(
        store: Store,
        boards: Vec<String>,
        settings: ServerSettings,
    ) -> Result<Self, ServeError> {
        let (foundation, consumed) =
            Foundation::without_markets(store, boards, settings, |_, _| Cluster::alone())?;
        Ok(Self::assemble(foundation, consumed))
    }

    /// Wires the parts into a line: catalog, engine, published states, routes and gateway.
    fn assemble(foundation: Foundation, consumed: ConsumedParts) -> Self {
        let (shared, owned) = SharedParts::new(foundation, consumed);
        let mut registry = Registry::default();
        shared.register(&mut registry);
        let reload = shared.reload(&mut registry);
        let fronts = shared.fronts(registry);
        let background = shared.background(owned);
        Self {
            fronts,
            metrics_listener: None,
            background,
            reload,
            store: (!shared.is_edge()).then_some(shared.base.store),
            sessions: shared.base.sessions,
            catalog: shared.base.catalog,
            stop_within: shared.base.settings.stop_within,
            stopping: shared.stopping,
            closing: shared.base.closing,
        }
    }

    /// Answers a request as a client on this machine would be answered, without a socket: for commands that work on a
    /// database.
    pub async fn ask(&mut self, path: &str, parameters: &[(&str, String)]) -> Response {
        let request = Request::get(target(path, parameters)).header(header::HOST, "localhost");
        let local: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let request = request.extension(ConnectInfo(local)).body(Body::empty());
        match request {
            Ok(request) => match self.fronts.main.router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(error) => Refusal::malformed(error.to_string()).into_response(),
        }
    }

    /// The boards, for whoever moves them from outside (see [`Server::over_boards`]).
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        self.sessions.hub()
    }

    /// With a listener for `/metrics` and `/ws/stats`, where `settings.front.metrics_apart` is set.
    #[must_use]
    pub fn with_metrics_listener(mut self, listener: TcpListener) -> Self {
        self.metrics_listener = Some(listener);
        self
    }

    /// What changes settings while the server runs.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Runs until `shutdown` completes or a part fails.
    ///
    /// # Errors
    /// When the socket cannot be used, or the store cannot be closed.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> Result<ServerEnd, ServeError> {
        let mut parts = RunningParts::new();
        info!(address = %listener.local_addr()?, symbols = self.catalog.listed().count(), "listening");
        parts.start_front("front", self.fronts.main, listener);
        if let (Some(front), Some(listener)) = (self.fronts.metrics, self.metrics_listener) {
            info!(address = %listener.local_addr()?, "metrics listening");
            parts.start_front("metrics front", front, listener);
        }
        self.background.start(&mut parts);

        let end = parts.run_until(shutdown).await;

        self.stopping.begin();
        let sockets = self.sessions.hub().metrics.active_connections.load(Ordering::Relaxed);
        info!(sockets, "stopping");
        let fault = parts.stop(&self.closing, &self.sessions, self.stop_within).await;
        if let Some(store) = self.store {
            store.close().await?;
        }
        info!("stopped");
        Ok(fault.unwrap_or(end))
    }
}
