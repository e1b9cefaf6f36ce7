//! The server as one value: what requests and background tasks share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use liqheat_store::Store;
use liqheat_stream::{Backplane, Hub, Sessions};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use crate::addresses::Addresses;
use crate::clock::MarketClock;
use crate::cluster::{Cluster, Listing};
use crate::live::Live;
use crate::metrics::{self, FrontMetrics, UpdateMetrics};
use crate::settings::ServerSettings;
use crate::symbol::{Market, ServedSymbol};
use crate::tokens::Tokens;
use crate::updater::OnDemand;

/// Everything that is shared. Built whole before anything starts.
pub struct App {
    /// What the operator set.
    pub settings: ServerSettings,
    /// The database.
    pub store: Store,
    /// The boards.
    pub hub: Arc<Hub>,
    /// Where new states go.
    pub backplane: Backplane,
    /// What the producer serves, on an edge.
    pub(crate) learned: Option<Arc<Listing>>,
    /// The sockets.
    pub sessions: Arc<Sessions>,
    /// Market time.
    pub clock: Arc<MarketClock>,
    /// What is served, by the name clients use, second names included.
    pub symbols: BTreeMap<String, Arc<ServedSymbol>>,
    /// The same by what the updater moves together.
    pub markets: Vec<Arc<Market>>,
    /// What is followed live; `None` where nothing is.
    pub live: Option<Arc<Live>>,
    /// Market seconds a second.
    pub speed: f64,
    /// Since when.
    pub started: Instant,
    /// What the updater counts.
    pub updates: UpdateMetrics,
    /// What the front counts.
    pub front: FrontMetrics,
    /// Everything that `GET /metrics` shows.
    pub(crate) registry: Registry,
    /// Sockets by address.
    pub(crate) addresses: Arc<Addresses>,
    /// What checks tokens; `None` where none is asked for.
    pub(crate) tokens: Option<Tokens>,
    /// Runs of the ledger over history at once: each takes a core for up to a second, and the updater needs
    /// one, too.
    pub(crate) history_turns: Semaphore,
    /// What keeps views new where the updater does not run.
    pub(crate) on_demand: Option<OnDemand>,
    stopping: AtomicBool,
}

impl App {
    /// Puts the parts together.
    #[expect(clippy::too_many_arguments, reason = "every part of the server once")]
    pub(crate) fn new(
        settings: ServerSettings,
        store: Store,
        sessions: Arc<Sessions>,
        clock: Arc<MarketClock>,
        markets: Vec<Arc<Market>>,
        live: Option<Arc<Live>>,
        speed: f64,
        tokens: Option<Tokens>,
        cluster: &Cluster,
    ) -> Self {
        let started = Instant::now();
        let (updates, front) = (UpdateMetrics::default(), FrontMetrics::default());
        let mut registry = Registry::default();
        sessions.hub().metrics.register(&mut registry);
        metrics::register(&mut registry, &updates, &front, sessions.hub(), &store, started);
        if let Some(live) = &live {
            metrics::register_live(&mut registry, live, &clock);
        }
        let backplane = cluster.backplane.clone();
        backplane.register(&mut registry);
        let on_demand = (!settings.ws_enabled).then(|| OnDemand::new(&markets));
        let symbols = markets.iter().flat_map(|market| &market.symbols);
        let symbols = symbols.map(|symbol| (symbol.name.clone(), Arc::clone(symbol))).collect();
        let addresses = Addresses::new(settings.addresses, started);
        Self {
            settings,
            store,
            hub: Arc::clone(sessions.hub()),
            backplane,
            learned: cluster.learned.clone(),
            sessions,
            clock,
            symbols,
            markets,
            live,
            speed,
            started,
            updates,
            front,
            registry,
            addresses,
            tokens,
            history_turns: Semaphore::new(1),
            on_demand,
            stopping: AtomicBool::new(false),
        }
    }

    /// From now on nothing new is accepted.
    pub fn begin_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is on its way down.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether this server serves only what others make, and has no database.
    #[must_use]
    pub fn is_edge(&self) -> bool {
        self.settings.is_edge()
    }

    /// Whether any market served is made up.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.symbols.values().any(|symbol| symbol.is_simulated())
    }

    /// What lists of symbols show.
    pub fn listed(&self) -> impl Iterator<Item = &Arc<ServedSymbol>> {
        self.symbols.values().filter(|symbol| symbol.listed)
    }
}
