//! All sessions of a server: how many there may be, and how they end together.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the tasks of sessions, which the server awaits when it stops"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Grant, RenewTokens};
use crate::broadcast;
use crate::hub::Hub;
use crate::metrics::StreamMetrics;
use crate::settings::SessionSettings;

/// All sessions of this server.
#[derive(Debug)]
pub struct Sessions {
    hub: Arc<Hub>,
    /// Locked for a copy; written when the operator changes limits.
    settings: RwLock<Arc<SessionSettings>>,
    /// Counts those changes, so that sessions look at the settings only when there are others.
    settings_version: AtomicU64,
    tracker: TaskTracker,
    closing: CancellationToken,
    next_id: AtomicU64,
    /// Unset where no token is asked for.
    renewal: OnceLock<Arc<dyn RenewTokens>>,
}

impl Sessions {
    /// No sessions yet; cancelling `closing` ends all that come. Begins to send out the changes of all boards, so
    /// it must be called on an async runtime.
    #[must_use]
    pub fn new(hub: Arc<Hub>, settings: SessionSettings, closing: CancellationToken) -> Arc<Self> {
        let (tracker, next_id) = (TaskTracker::new(), AtomicU64::new(1));
        let renewal = OnceLock::new();
        let sessions = Arc::new(Self {
            hub,
            settings: RwLock::new(Arc::new(settings)),
            settings_version: AtomicU64::new(0),
            tracker,
            closing,
            next_id,
            renewal,
        });
        broadcast::start(&sessions.hub, sessions.settings().wall_clock, &sessions.tracker);
        let (wake_signals, closing) = (Arc::clone(sessions.hub.wake_signals()), sessions.closing.clone());
        sessions.tracker.spawn(async move {
            closing.cancelled().await;
            wake_signals.end();
        });
        sessions
    }

    /// Sets what checks tokens that clients renew; the first call counts.
    pub fn set_renewal(&self, renewal: Arc<dyn RenewTokens>) {
        let _ = self.renewal.set(renewal);
    }

    pub(crate) fn renew(&self, token: &str) -> Result<Grant, String> {
        match self.renewal.get() {
            Some(renewal) => renewal.renew(token),
            None => Err("This server asks for no token".to_owned()),
        }
    }

    /// Serves one more symbol from now on, with an empty board; nothing happens when it is served already.
    pub fn add_board(&self, symbol: &str) {
        self.hub.add(symbol);
    }

    /// Serves a symbol no longer; nothing happens when it is not served. Clients that follow it are notified that it is
    /// stale, and get its states again when it comes back.
    pub fn remove_board(&self, symbol: &str) {
        self.hub.remove(symbol);
    }

    /// The boards that are served.
    #[must_use]
    pub const fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Limits and rhythms.
    #[must_use]
    pub fn settings(&self) -> Arc<SessionSettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other limits and rhythms from now on. Open sessions take them over when they next have something to do: with a
    /// state, a message of the client, or the next ping. The limit on the bytes of a message is that of the moment at
    /// which a session began.
    pub fn set_settings(&self, settings: SessionSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.settings_version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn settings_version(&self) -> u64 {
        self.settings_version.load(Ordering::Acquire)
    }

    /// Takes a place for one more connection; `None` when all are taken. The place is given back on drop.
    #[must_use]
    pub fn reserve(self: &Arc<Self>) -> Option<ConnectionPermit> {
        let metrics = &self.hub.metrics;
        metrics
            .take_place(self.settings().connections_max)
            .then(|| ConnectionPermit { metrics: Arc::clone(metrics) })
    }

    /// Runs a task that ends with the server: awaited by [`Sessions::drained`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Waits until every session has ended; to be called after `closing` was cancelled.
    pub async fn drained(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    pub(crate) fn metrics(&self) -> &StreamMetrics {
        &self.hub.metrics
    }

    pub(crate) const fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.hub.wake_signals().end();
    }
}

/// Permit for one of the connections allowed at once; dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionPermit {
    metrics: Arc<StreamMetrics>,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.metrics.active_connections.fetch_sub(1, Ordering::Relaxed);
    }
}
