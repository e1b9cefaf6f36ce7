//! What an operator can set about serving, one struct a part. The binary fills them from flags, environment and
//! file.

use std::time::Duration;

use liqheat_cluster::{RedisSettings, Role};
use liqheat_model::ParamBook;
use liqheat_score::ExpectedModel;
use liqheat_store::Retention;
use liqheat_stream::SessionSettings;

use crate::alerts::AlertSettings;
use crate::clock::MarketClock;
use crate::gateway::{AddressLimits, FrontSettings, TokenSettings};
use crate::measured::MeasuredSettings;

/// Settings of a server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Whether `/ws/heatmap` and the updater run.
    pub ws_enabled: bool,
    /// Time between two turns of one symbol.
    pub update_interval: Duration,
    /// Symbols to serve; empty means all there are.
    pub symbols: Vec<String>,
    /// The front door.
    pub front: FrontSettings,
    /// Sockets.
    pub sockets: SocketSettings,
    /// Limits by address.
    pub addresses: AddressLimits,
    /// Bearer tokens.
    pub tokens: TokenSettings,
    /// Most time between the signal to stop and the end of the process.
    pub stop_within: Duration,
    /// Most checkpoints kept per instrument.
    pub checkpoints_kept: usize,
    /// How long rows are kept, counted back from the newest one; for ever by default. Applies to a server over
    /// stored data only: a replay deletes nothing.
    pub retention: Retention,
    /// Parameters of the model by venue and symbol.
    pub model: ParamBook,
    /// What the expected view is computed with.
    pub expected: ExpectedModel,
    /// Positions of real accounts, where the sources look at them; `None`: no layer of them.
    pub measured: Option<MeasuredSettings>,
    /// Alerts to traders.
    pub alerts: AlertSettings,
    /// Other servers, and this one's part among them; alone without.
    pub redis: Option<RedisSettings>,
}

impl ServerSettings {
    /// Whether this server serves only what others make.
    #[must_use]
    pub fn is_edge(&self) -> bool {
        self.redis.as_ref().is_some_and(|redis| redis.role == Role::Edge)
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            ws_enabled: true,
            update_interval: Duration::from_secs(5),
            symbols: Vec::new(),
            front: FrontSettings::default(),
            sockets: SocketSettings::default(),
            addresses: AddressLimits::default(),
            tokens: TokenSettings::default(),
            stop_within: Duration::from_secs(10),
            checkpoints_kept: 128,
            retention: Retention::default(),
            model: ParamBook::default(),
            expected: ExpectedModel::default(),
            measured: None,
            alerts: AlertSettings::default(),
            redis: None,
        }
    }
}

/// Sockets: limits and rhythms of sessions.
#[derive(Debug, Clone)]
pub struct SocketSettings {
    /// Sockets at once.
    pub connections_max: u64,
    /// A write that cannot finish within this marks a client slow.
    pub slow_consumer_timeout: Duration,
    /// States missed while a write waits that also mark a client slow.
    pub queue_size_max: u64,
    /// A client that accepts nothing for this long is closed.
    pub stalled_timeout: Duration,
    /// Messages of one client within a second.
    pub messages_per_second: u32,
    /// Bytes of one message of a client, inflated.
    pub message_bytes_max: usize,
    /// Symbols one client may be subscribed to.
    pub subscriptions_max: usize,
    /// A client that never subscribes is closed after this.
    pub subscribe_timeout: Duration,
    /// Time between pings of the server.
    pub ping_interval: Duration,
    /// A client without any sign of life for this long is closed.
    pub idle_timeout: Duration,
    /// A status is sent when nothing else was for this long.
    pub status_interval: Duration,
    /// When the server stops, clients are asked to come back at random moments within this.
    pub drain_window: Duration,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            slow_consumer_timeout: Duration::from_secs(5),
            queue_size_max: 100,
            stalled_timeout: Duration::from_secs(30),
            messages_per_second: 10,
            message_bytes_max: 64 * 1_024,
            subscriptions_max: 20,
            subscribe_timeout: Duration::from_secs(60),
            ping_interval: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            status_interval: Duration::from_secs(15),
            drain_window: Duration::from_secs(5),
        }
    }
}

impl SocketSettings {
    /// As the stream wants them.
    #[must_use]
    pub fn sessions(&self) -> SessionSettings {
        SessionSettings {
            connections_max: self.connections_max,
            message_bytes_max: self.message_bytes_max,
            messages_per_second: self.messages_per_second,
            subscriptions_max: self.subscriptions_max,
            subscribe_within: self.subscribe_timeout,
            ping_every: self.ping_interval,
            silent_after: self.idle_timeout,
            status_every: self.status_interval,
            slow_after: self.slow_consumer_timeout,
            missed_max: self.queue_size_max,
            stalled_after: self.stalled_timeout,
            drain_window: self.drain_window,
            wall_clock: MarketClock::wall_now,
        }
    }
}
