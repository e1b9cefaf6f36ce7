//! Who follows a board or a channel, and the signals that wake the threads that send them its changes.
//!
//! Followers are spread over a few shards, one thread each ([`crate::broadcast`]), so that several cores share the work.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use liqheat_market::convert::saturating_len;
use tokio::time::Instant;

const SHARDS_MAX: usize = 8;

/// A client as a round sees it. No method waits for anything.
pub(crate) trait Follower: Debug + Send + Sync {
    /// Unique among the followers of a server.
    fn id(&self) -> u64;

    /// Sends what is new on the boards that it follows.
    fn deliver(&self, now: Instant) -> Delivery;

    /// Sends what is new on the channels that it follows. What is sent is counted already.
    fn deliver_channels(&self, now: Instant) -> Delivery;

    /// Ends this follower after a delivery that panicked; the others of the round are not concerned.
    fn give_up(&self) -> Delivery;
}

/// What a round achieved with one client; to be counted by the round, for many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivery {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// The session's task has something new to wait for.
    pub(crate) needs_task: bool,
}

/// Everyone who follows one board or channel.
#[derive(Debug)]
pub(crate) struct Followers {
    shards: Box<[Shard]>,
    wake_signals: Arc<WakeSignals>,
    /// Locked for a few instructions once a round.
    round: Mutex<Round>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Locked while a client comes or goes, and while a round takes its copy. In the order in which clients came:
    /// their sessions and the kernel's sockets lie in memory in about that order, and a round that walks through memory
    /// forwards costs less than one that jumps.
    followers: Mutex<BTreeMap<u64, Arc<dyn Follower>>>,
    is_behind: AtomicBool,
}

/// How far the shards are with the newest change.
#[derive(Debug, Default)]
struct Round {
    seq: u64,
    shards: usize,
    clients: usize,
}

impl Followers {
    pub(crate) fn new(wake_signals: &Arc<WakeSignals>) -> Self {
        let shards = (0..wake_signals.shards()).map(|_| Shard::default()).collect();
        Self { shards, wake_signals: Arc::clone(wake_signals), round: Mutex::default() }
    }

    pub(crate) fn add(&self, follower: Arc<dyn Follower>) {
        let id = follower.id();
        self.shard(id).lock().insert(id, follower);
    }

    /// Whether it was there.
    pub(crate) fn remove(&self, id: u64) -> bool {
        self.shard(id).lock().remove(&id).is_some()
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// There is something new to send.
    pub(crate) fn notify(&self) {
        for shard in &self.shards {
            shard.is_behind.store(true, Ordering::Release);
        }
        self.wake_signals.notify(Wake::Change);
    }

    /// Whether there is something new since a shard's last round, which begins now.
    pub(crate) fn begin_round(&self, shard: usize) -> bool {
        self.shards[shard].is_behind.swap(false, Ordering::AcqRel)
    }

    /// Adds the followers of a shard, in the order in which they came.
    pub(crate) fn copy_shard(&self, shard: usize, to: &mut Vec<Arc<dyn Follower>>) {
        to.extend(self.shards[shard].lock().values().cloned());
    }

    /// A shard has sent a change to this many clients. Gives the number of all clients when it was the last shard.
    pub(crate) fn end_round(&self, seq: u64, clients: usize) -> Option<usize> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        if round.seq != seq {
            *round = Round { seq, ..Round::default() };
        }
        round.shards += 1;
        round.clients += clients;
        (round.shards == self.shards.len()).then_some(round.clients)
    }

    fn shard(&self, id: u64) -> &Shard {
        &self.shards[saturating_len(id % self.shards.len() as u64)]
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<dyn Follower>>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What wakes the threads that make the rounds: one signal for each shard.
#[derive(Debug)]
pub(crate) struct WakeSignals(Box<[WakeSignal]>);

#[derive(Debug, Default)]
struct WakeSignal {
    /// Locked for an instruction or two.
    pending: Mutex<Wake>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Wake {
    #[default]
    None,
    /// Some board or channel has something new to send.
    Change,
    /// There are no more rounds.
    End,
}

impl WakeSignals {
    /// A shard for every second core: rounds keep theirs busy for milliseconds, and requests want to be answered
    /// meanwhile.
    pub(crate) fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let shards = (cores / 2).clamp(1, SHARDS_MAX);
        Arc::new(Self((0..shards).map(|_| WakeSignal::default()).collect()))
    }

    pub(crate) const fn shards(&self) -> usize {
        self.0.len()
    }

    fn notify(&self, why: Wake) {
        for signal in &self.0 {
            let mut pending = signal.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if *pending != Wake::End {
                *pending = why;
            }
            signal.changed.notify_one();
        }
    }

    /// No more rounds.
    pub(crate) fn end(&self) {
        self.notify(Wake::End);
    }

    /// Waits for a change; `false` at the end.
    pub(crate) fn wait(&self, shard: usize) -> bool {
        let signal = &self.0[shard];
        let pending = signal.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = |pending: &mut Wake| *pending == Wake::None;
        let mut pending = signal.changed.wait_while(pending, quiet).unwrap_or_else(PoisonError::into_inner);
        if *pending == Wake::End {
            return false;
        }
        *pending = Wake::None;
        true
    }
}
