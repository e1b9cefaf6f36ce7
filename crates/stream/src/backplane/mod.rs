//! Several servers, one state: what one of them makes reaches the boards of all.
//!
//! The updater hands what it has to the [`Backplane`] and need not know more. In memory, that is the board
//! itself. With Redis, one server at a time (the producer) makes the states of all: it publishes each change
//! once, whatever the number of servers and clients, and every server puts it on its own board, from which it
//! serves its own clients. Because a copy of a board is like the original (see `board/remote.rs`), a client may
//! change servers and go on where it was.
//!
//! `election.rs` decides who makes them, `line.rs` how a run of states passes from one server to the next;
//! both know neither Redis nor a clock. `driver.rs` is the task that does what they say, `redis.rs` speaks to Redis.

mod driver;
mod election;
mod line;
mod message;
mod metrics;
mod redis;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liqheat_wire::FeedState;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::board::BoardUpdate;
use crate::slot::{BoardSlot, SourceStanding};
use metrics::BackplaneMetrics;

pub use driver::{Catalogue, Driver};
pub use election::LeaseTimes;
pub use message::{MESSAGE_BYTES_MAX, Message, MessageError};
pub use settings::{
    BackplaneTimes, RedisAddress, RedisCertificates, RedisSettings, RedisSettingsError, Role, check_prefix,
};

/// Where new states go.
#[derive(Debug, Clone, Default)]
pub struct Backplane {
    /// `None` when this server is alone.
    shared: Option<Arc<Shared>>,
}

/// What the updater, requests and the driver share.
#[derive(Debug)]
struct Shared {
    role: Role,
    /// The newest of each symbol that the driver has not taken yet: newer ones take the place of older ones, so
    /// there is at most one of each. Locked for a few instructions.
    fed: Mutex<BTreeMap<String, Fed>>,
    /// There is something in it.
    told: Notify,
    /// All symbols should have their turn now.
    turn: Notify,
    health: Mutex<Health>,
    metrics: BackplaneMetrics,
}

/// What the updater says of a symbol.
#[derive(Debug, Clone)]
struct Fed {
    /// `None` before the first state, or when there was none this time.
    update: Option<BoardUpdate>,
    standing: FeedState,
    /// It had a turn, and the turn failed.
    failed: bool,
}

impl Fed {
    /// What is known after one more word: without a state the last one stays.
    fn and(self, newer: Self) -> Self {
        Self { update: newer.update.or(self.update), ..newer }
    }
}

/// How the backplane is doing, for those who ask.
#[derive(Debug, Default)]
struct Health {
    /// Since when Redis is away, and why.
    away: Option<(Instant, String)>,
    /// Symbols of which nothing is heard, since when.
    silent: BTreeMap<String, Instant>,
    /// An edge that does not know of any symbol.
    knows_nothing: bool,
    /// States are made here without the others.
    alone: bool,
}

impl Backplane {
    /// This server is alone: new states go onto its boards.
    #[must_use]
    pub const fn memory() -> Self {
        Self { shared: None }
    }

    fn redis(role: Role) -> (Self, Arc<Shared>) {
        let away = Some((Instant::now(), "not yet asked".to_owned()));
        let shared = Arc::new(Shared {
            role,
            fed: Mutex::default(),
            told: Notify::new(),
            turn: Notify::new(),
            health: Mutex::new(Health { away, ..Health::default() }),
            metrics: BackplaneMetrics::default(),
        });
        (Self { shared: Some(Arc::clone(&shared)) }, shared)
    }

    /// Takes the newest state of a symbol, if there is one yet, how its data stands, and every venue behind it. Venues
    /// are told to the clients of this server only: each server knows its own.
    pub fn publish(
        &self,
        slot: &BoardSlot,
        update: Option<BoardUpdate>,
        standing: FeedState,
        sources: Vec<SourceStanding>,
    ) {
        match &self.shared {
            None => {
                let as_of = update.as_ref().map(|update| update.as_of);
                if let Some(update) = update {
                    slot.publish(update);
                }
                slot.set_standing_of(standing, as_of, sources);
            }
            Some(shared) => {
                slot.set_sources(sources);
                shared.feed(slot.symbol(), Fed { update, standing, failed: false });
            }
        }
    }

    /// There should have been a new state of a symbol, but it could not be made.
    pub fn failing(&self, slot: &BoardSlot) {
        match &self.shared {
            None => slot.set_standing(FeedState::Degraded, None),
            Some(shared) => {
                shared.feed(slot.symbol(), Fed { update: None, standing: FeedState::Degraded, failed: true });
            }
        }
    }

    /// Waits until all symbols should have their turn at once, because this server makes the states from now on.
    pub async fn turn_wanted(&self) {
        match &self.shared {
            None => std::future::pending().await,
            Some(shared) => shared.turn.notified().await,
        }
    }

    /// What is not well, in words.
    #[must_use]
    pub fn trouble(&self) -> Vec<String> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let health = lock(&shared.health);
        let mut reasons = Vec::new();
        let for_s = |since: &Instant| since.elapsed().as_secs();
        if let Some((since, error)) = &health.away {
            let meanwhile = match (shared.role, health.alone) {
                (Role::Edge, _) => "clients keep the last state",
                (Role::All, true) => "this server goes on by itself",
                (Role::All, false) => "this server waits for it",
            };
            reasons.push(format!("Redis is away for {} s ({error}); {meanwhile}", for_s(since)));
        }
        let silent =
            health.silent.iter().map(|(symbol, since)| format!("no news of {symbol} for {} s", for_s(since)));
        reasons.extend(silent);
        if health.knows_nothing {
            reasons.push("no symbol is known: no server that makes states was heard of yet".to_owned());
        }
        reasons
    }

    /// Shows what it counts to those who read the registry; nothing where this server is alone.
    pub fn register(&self, registry: &mut Registry) {
        if let Some(shared) = &self.shared {
            shared.metrics.register(registry);
        }
    }
}

impl Shared {
    fn feed(&self, symbol: &str, newer: Fed) {
        let mut fed = lock(&self.fed);
        let known = match fed.remove(symbol) {
            Some(waiting) => waiting.and(newer),
            None => newer,
        };
        fed.insert(symbol.to_owned(), known);
        drop(fed);
        self.told.notify_one();
    }
}

/// Pauses before attempts: each as long as the one before or twice as long, up to a limit, less up to a half, so
/// that servers do not come back all at once. `dice` is 0 to 1.
fn pause(attempt: u32, (least, most): (Duration, Duration), dice: f64) -> Duration {
    least.saturating_mul(1 << attempt.min(16)).min(most).mul_f64(1.0 - dice / 2.0)
}

/// A panic while it was held left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_failed_leaves_the_last_state() {
        let (backplane, shared) = Backplane::redis(Role::All);
        let slot = BoardSlot::new(
            "BTCUSDT".into(),
            &crate::StreamMetrics::default(),
            &crate::broadcast::Bells::new(),
        );
        let update = BoardUpdate {
            epoch: "e".into(),
            cells: Vec::new(),
            price: liqheat_market::Price::from_units(1),
            base_bin: liqheat_market::Price::from_units(1),
            as_of: liqheat_market::UnixMs(1),
            counters: crate::Counters::default(),
        };
        backplane.publish(&slot, Some(update.clone()), FeedState::Live, Vec::new());
        backplane.failing(&slot);
        let fed = lock(&shared.fed)["BTCUSDT"].clone();
        assert_eq!((fed.update, fed.standing, fed.failed), (Some(update), FeedState::Degraded, true));
        assert!(slot.with_board(|_| ()).is_none(), "only the driver moves the board");
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let range = (Duration::from_millis(250), Duration::from_secs(5));
        let longest: Vec<u128> = (0..7).map(|attempt| pause(attempt, range, 0.0).as_millis()).collect();
        assert_eq!(longest, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(pause(2, range, 1.0).as_millis(), 500);
        assert_eq!(pause(u32::MAX, range, 0.0).as_secs(), 5);
    }
}
