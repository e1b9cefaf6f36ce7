//! The server as one value: what requests and background tasks share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use liqheat_store::Store;
use liqheat_stream::{Hub, Sessions};
use tokio::sync::Semaphore;

use crate::clock::MarketClock;
use crate::settings::ServerSettings;
use crate::symbol::ServedSymbol;
use crate::updater::OnDemand;

/// Everything that is shared. Built whole before anything starts.
pub struct App {
    /// What the operator set.
    pub settings: ServerSettings,
    /// The database.
    pub store: Store,
    /// The boards.
    pub hub: Arc<Hub>,
    /// The sockets.
    pub sessions: Arc<Sessions>,
    /// Market time.
    pub clock: Arc<MarketClock>,
    /// What is served, by the name clients use.
    pub symbols: BTreeMap<String, Arc<ServedSymbol>>,
    /// Market seconds a second.
    pub speed: f64,
    /// Since when.
    pub started: Instant,
    /// What the updater counts.
    pub updates: UpdateCounters,
    /// Runs of the ledger over history at once: each takes a core for up to a second, and the updater needs
    /// one, too.
    pub(crate) history_turns: Semaphore,
    /// What keeps views new where the updater does not run.
    pub(crate) on_demand: Option<OnDemand>,
    stopping: AtomicBool,
}

/// What the updater counts.
#[derive(Debug, Default)]
pub struct UpdateCounters {
    /// Turns.
    pub turns: AtomicU64,
    /// Turns that failed and will be tried again.
    pub failed: AtomicU64,
    /// Bars applied to ledgers.
    pub bars: AtomicU64,
    /// Broken invariants, which only a bug can cause.
    pub invariants_broken: AtomicU64,
    /// Failed turns in a row; zero when the last one went well.
    pub failing: AtomicU64,
    /// Turns of the simulated market in a row that could not be stored.
    pub feed_failing: AtomicU64,
}

impl UpdateCounters {
    /// Counts a turn.
    pub(crate) fn count(&self, failed: bool) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
            self.failing.fetch_add(1, Ordering::Relaxed);
        } else {
            self.failing.store(0, Ordering::Relaxed);
        }
    }
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        settings: ServerSettings,
        store: Store,
        sessions: Arc<Sessions>,
        clock: Arc<MarketClock>,
        symbols: BTreeMap<String, Arc<ServedSymbol>>,
        speed: f64,
    ) -> Self {
        let on_demand = (!settings.ws_enabled).then(|| OnDemand::new(symbols.values()));
        Self {
            settings,
            store,
            hub: Arc::clone(sessions.hub()),
            sessions,
            clock,
            symbols,
            speed,
            started: Instant::now(),
            updates: UpdateCounters::default(),
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

    /// Whether any market served is made up.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.symbols.values().any(|symbol| symbol.instrument.venue == liqheat_market::Venue::Sim)
    }
}
