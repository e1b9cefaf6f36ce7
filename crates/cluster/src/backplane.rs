//! Where the updater puts new states, and what `/ready` and `/metrics` show of the cluster.

#![expect(
    clippy::disallowed_methods,
    reason = "the time since which a server has had no backplane begins with the process"
)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use liqheat_market::UnixMs;
use liqheat_stream::{BoardSlot, BoardUpdate, ChannelChange, ChannelContent, SourceStatus};
use liqheat_wire::{Channel, FeedState};
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::issues::{Issue, Reason};
use crate::metrics::ClusterMetrics;
use crate::settings::Role;

/// Where new states go.
#[derive(Debug, Clone, Default)]
pub struct Backplane {
    /// `None` when this server is alone.
    shared: Option<Arc<BackplaneState>>,
}

/// What the updater, requests and the driver share.
#[derive(Debug)]
pub(crate) struct BackplaneState {
    role: Role,
    /// The newest update of each symbol that the driver has not taken yet; a newer one replaces an older one. Locked
    /// for a few instructions.
    pending: Mutex<BTreeMap<String, PendingUpdate>>,
    /// Changes of channels that were not sent to other servers yet, oldest first. Locked for a few instructions.
    channel_changes: Mutex<VecDeque<SymbolChange>>,
    /// Whether this server names the positions of channels: the producer, or a server that continues alone.
    is_publishing: AtomicBool,
    /// There is a pending update.
    pub(crate) updated: Notify,
    /// The updater should compute all symbols now.
    pub(crate) update_wanted: Notify,
    /// Locked for the length of a copy.
    health: Mutex<Health>,
    /// Locked for the length of a copy.
    production: Mutex<Production>,
    pub(crate) metrics: ClusterMetrics,
}

/// Changes of channels that wait for Redis; the oldest are dropped beyond that.
const CHANGES_WAITING_MAX: usize = 4_096;

/// A change of a channel of a symbol.
#[derive(Debug, Clone)]
pub(crate) struct SymbolChange {
    pub(crate) symbol: String,
    pub(crate) channel: Channel,
    pub(crate) change: ChannelChange,
}

/// What the updater has of a symbol.
#[derive(Debug, Clone)]
pub(crate) struct PendingUpdate {
    /// `None` before the first state, or when this update failed.
    pub(crate) update: Option<BoardUpdate>,
    pub(crate) feed: FeedState,
    /// The updater tried and failed.
    pub(crate) failed: bool,
}

impl PendingUpdate {
    /// Merges a newer one: where that has no state, the last one stays.
    pub(crate) fn followed_by(self, newer: Self) -> Self {
        Self { update: newer.update.or(self.update), ..newer }
    }
}

/// Who produces, as this server knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Production {
    /// This server is not one of several.
    Alone,
    /// This server, under a fencing token. Redis accepted a request under the token that was sent at `confirmed`, so
    /// until then no other server was the producer.
    Here {
        /// Grows with every change of the producer.
        token: u64,
        /// When the last accepted request was sent.
        confirmed: Instant,
    },
    /// Another server.
    Elsewhere,
    /// Redis is away, or has not answered yet.
    Unknown,
}

/// What `/ready` shows.
#[derive(Debug)]
struct Health {
    reasons: Vec<Reason>,
    /// States of this server's own are served while they cannot be shared.
    is_alone: bool,
}

impl Backplane {
    /// This server is alone: new states go onto its boards.
    #[must_use]
    pub const fn memory() -> Self {
        Self { shared: None }
    }

    pub(crate) fn redis(role: Role) -> (Self, Arc<BackplaneState>) {
        let (issue, detail) = (Issue::RedisDown, "connecting".to_owned());
        let reasons = vec![Reason { issue, detail, since: Instant::now() }];
        let shared = Arc::new(BackplaneState {
            role,
            pending: Mutex::default(),
            channel_changes: Mutex::default(),
            is_publishing: AtomicBool::new(false),
            updated: Notify::new(),
            update_wanted: Notify::new(),
            health: Mutex::new(Health { reasons, is_alone: false }),
            production: Mutex::new(Production::Unknown),
            metrics: ClusterMetrics::default(),
        });
        (Self { shared: Some(Arc::clone(&shared)) }, shared)
    }

    /// Takes the newest state of a symbol, if there is one yet, the state of its feed, and of every venue behind it.
    /// Only the clients of this server see the venues: each server knows its own.
    pub fn publish(
        &self,
        slot: &BoardSlot,
        update: Option<BoardUpdate>,
        feed: FeedState,
        sources: Vec<SourceStatus>,
    ) {
        match &self.shared {
            None => {
                let as_of = update.as_ref().map(|update| update.as_of);
                if let Some(update) = update {
                    slot.publish(update);
                }
                slot.set_feed_of(feed, as_of, sources);
            }
            Some(shared) => {
                slot.set_sources(sources);
                shared.put(slot.symbol(), PendingUpdate { update, feed, failed: false });
            }
        }
    }

    /// Whether this server publishes on channels beside the heatmap: alone, or as the producer.
    #[must_use]
    pub fn is_publishing(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.is_publishing.load(Ordering::Relaxed))
    }

    /// Whether other servers follow what this one publishes.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Publishes on a channel beside the heatmap: to the clients of this server at once, and in a cluster to all others.
    /// Where another server is the producer nothing happens.
    pub fn publish_channel(
        &self,
        slot: &BoardSlot,
        channel: Channel,
        as_of: UnixMs,
        content: ChannelContent,
    ) {
        if !self.is_publishing() {
            return;
        }
        let change = slot.publish_channel(channel, as_of, content);
        if let (Some(shared), Some(change)) = (&self.shared, change) {
            shared.put_channel(slot.symbol(), channel, change);
        }
    }

    /// Sends the newest values of a symbol's channels again, for servers that have just begun to listen.
    pub fn repeat_channels(&self, slot: &BoardSlot) {
        let Some(shared) = &self.shared else { return };
        for channel in Channel::BESIDE_HEATMAP {
            if let Some(change) = slot.channel_heartbeat(channel) {
                shared.put_channel(slot.symbol(), channel, change);
            }
        }
    }

    /// The state of a symbol could not be computed.
    pub fn failing(&self, slot: &BoardSlot) {
        match &self.shared {
            None => slot.set_feed(FeedState::Degraded, None),
            Some(shared) => {
                let update = PendingUpdate { update: None, feed: FeedState::Degraded, failed: true };
                shared.put(slot.symbol(), update);
            }
        }
    }

    /// Waits until all symbols should be computed at once, because this server has become the producer.
    pub async fn turn_wanted(&self) {
        match &self.shared {
            None => std::future::pending().await,
            Some(shared) => shared.update_wanted.notified().await,
        }
    }

    /// Who produces. What must happen once in a cluster is done by the producer.
    #[must_use]
    pub fn production(&self) -> Production {
        self.shared.as_ref().map_or(Production::Alone, |shared| *lock(&shared.production))
    }

    /// Why this server should get no traffic: one sentence each.
    #[must_use]
    pub fn trouble(&self) -> Vec<String> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let health = lock(&shared.health);
        health.reasons.iter().map(|reason| shared.sentence(reason, health.is_alone)).collect()
    }

    /// Registers the metrics of the cluster; none where this server is alone.
    pub fn register(&self, registry: &mut Registry) {
        if let Some(shared) = &self.shared {
            shared.metrics.register(registry);
        }
    }
}

impl BackplaneState {
    fn put(&self, symbol: &str, newer: PendingUpdate) {
        let mut pending = lock(&self.pending);
        let merged = match pending.remove(symbol) {
            Some(waiting) => waiting.followed_by(newer),
            None => newer,
        };
        pending.insert(symbol.to_owned(), merged);
        drop(pending);
        self.updated.notify_one();
    }

    fn put_channel(&self, symbol: &str, channel: Channel, change: ChannelChange) {
        let mut changes = lock(&self.channel_changes);
        if changes.len() >= CHANGES_WAITING_MAX {
            // Followers notice the gap.
            changes.pop_front();
        }
        changes.push_back(SymbolChange { symbol: symbol.to_owned(), channel, change });
        drop(changes);
        self.updated.notify_one();
    }

    /// The changes of channels to send now.
    pub(crate) fn take_channel_changes(&self) -> Vec<SymbolChange> {
        lock(&self.channel_changes).drain(..).collect()
    }

    pub(crate) fn set_publishing(&self, is_publishing: bool) {
        self.is_publishing.store(is_publishing, Ordering::Relaxed);
    }

    pub(crate) fn take_pending(&self) -> BTreeMap<String, PendingUpdate> {
        std::mem::take(&mut *lock(&self.pending))
    }

    pub(crate) fn set_reasons(&self, reasons: Vec<Reason>, is_alone: bool) {
        *lock(&self.health) = Health { reasons, is_alone };
    }

    pub(crate) fn set_production(&self, production: Production) {
        *lock(&self.production) = production;
    }

    fn sentence(&self, reason: &Reason, is_alone: bool) -> String {
        let Reason { issue, detail, since } = reason;
        let seconds = since.elapsed().as_secs();
        match issue {
            Issue::RedisDown => {
                let meanwhile = match (self.role, is_alone) {
                    (Role::Edge, _) => "clients keep the last state",
                    (Role::All, true) => "this server continues alone",
                    (Role::All, false) => "this server waits for it",
                };
                format!("Redis is unavailable for {seconds} s ({detail}); {meanwhile}")
            }
            Issue::OtherGroup => format!("other servers use this REDIS_CHANNEL_PREFIX: {detail}"),
            Issue::NoSymbols => format!("no symbol is known: {detail}"),
            Issue::Silent(symbol) => format!("no updates of {symbol} for {seconds} s"),
            Issue::TooLarge(symbol) => format!("the state of {symbol} is too large to publish ({detail})"),
            other => format!("{other:?}: {detail}"),
        }
    }
}

/// A panic while it was locked left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use liqheat_stream::{Hub, HubSettings};

    use super::*;

    #[test]
    fn an_update_that_failed_keeps_the_last_state() {
        let (backplane, shared) = Backplane::redis(Role::All);
        let hub = Hub::new(["BTCUSDT".to_owned()], HubSettings { update_interval: Duration::from_secs(1) });
        let slot = hub.slot("BTCUSDT").unwrap();
        let update = BoardUpdate {
            epoch: "e".into(),
            cells: Vec::new(),
            price: liqheat_market::Price::from_units(1),
            base_bin: liqheat_market::Price::from_units(1),
            as_of: liqheat_market::UnixMs(1),
            counters: liqheat_stream::Counters::default(),
        };
        backplane.publish(&slot, Some(update.clone()), FeedState::Live, Vec::new());
        backplane.failing(&slot);
        let pending = shared.take_pending().remove("BTCUSDT").unwrap();
        assert_eq!((pending.update, pending.feed, pending.failed), (Some(update), FeedState::Degraded, true));
        assert!(slot.with_board(|_| ()).is_none(), "only the driver moves the board");
    }

    #[test]
    fn ready_names_redis_until_it_is_connected() {
        let (backplane, shared) = Backplane::redis(Role::Edge);
        assert_eq!(
            backplane.trouble(),
            ["Redis is unavailable for 0 s (connecting); clients keep the last state"]
        );
        shared.set_reasons(Vec::new(), false);
        assert_eq!(backplane.trouble(), Vec::<String>::new());
    }
}
