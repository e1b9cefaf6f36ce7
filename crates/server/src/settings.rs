//! What an operator can set about serving. The binary fills it from flags, environment and file.

use std::time::Duration;

use liqheat_store::Retention;
use liqheat_stream::SessionSettings;

use crate::clock::MarketClock;

/// Settings of a server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Whether `/ws/heatmap` and the updater run.
    pub ws_enabled: bool,
    /// Time between turns of the updater.
    pub update_interval: Duration,
    /// Sockets at once.
    pub connections_max: u64,
    /// A write that cannot finish within this marks a client slow.
    pub slow_consumer_timeout: Duration,
    /// So many states missed while a write waits mark a client slow, too.
    pub queue_size_max: u64,
    /// Origins of pages, besides our own, that may open sockets; `*` is every one.
    pub allowed_origins: Vec<String>,
    /// Symbols to serve; empty means all there are.
    pub symbols: Vec<String>,
    /// Most time between the signal to stop and the end of the process.
    pub stop_within: Duration,
    /// Most checkpoints kept per instrument.
    pub checkpoints_kept: usize,
    /// How long rows are kept, counted back from the newest one; for ever by default. Applies to a server over
    /// stored data only: a replay deletes nothing.
    pub retention: Retention,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            ws_enabled: true,
            update_interval: Duration::from_secs(5),
            connections_max: 10_000,
            slow_consumer_timeout: Duration::from_secs(5),
            queue_size_max: 100,
            allowed_origins: Vec::new(),
            symbols: Vec::new(),
            stop_within: Duration::from_secs(10),
            checkpoints_kept: 128,
            retention: Retention::default(),
        }
    }
}

impl ServerSettings {
    /// The part that concerns sessions.
    #[must_use]
    pub fn sessions(&self) -> SessionSettings {
        SessionSettings {
            connections_max: self.connections_max,
            message_bytes_max: 64 * 1_024,
            messages_per_second: 10,
            subscriptions_max: 20,
            subscribe_within: Duration::from_secs(60),
            ping_every: Duration::from_secs(20),
            silent_after: Duration::from_secs(60),
            status_every: Duration::from_secs(15),
            slow_after: self.slow_consumer_timeout,
            missed_max: self.queue_size_max,
            stalled_after: Duration::from_secs(30),
            drain_window: Duration::from_secs(5),
            wall_clock: MarketClock::wall_now,
        }
    }
}
