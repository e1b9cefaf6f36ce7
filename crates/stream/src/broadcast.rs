//! Who follows a board, and the rounds in which they are sent its changes.
//!
//! A round writes to the sockets itself: a session's task wakes only when its socket takes no more, which
//! spares a switch of tasks with every delivery. Followers are spread over a few shards, one thread each, so
//! that several cores share the work. They are threads of their own and not tasks, because a task that works for
//! milliseconds wanders between the runtime's workers and leaves behind what their caches know; the kernel, on its
//! part, shares the cores between them and the workers fairly. A change during a round leads to another round; nobody
//! is sent a state twice, because a session knows what its client has. A delivery that panics ends one session, never
//! the round.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the threads that write rounds, which run by the clock"
)]

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liqheat_market::convert::saturating_len;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{debug, field, trace_span};

use crate::session::ClientSession;
use crate::sessions::Sessions;
use crate::slot::BoardSlot;

/// Deliveries that are counted at once; counters are shared with everybody else.
const DELIVERIES_AT_A_TIME: usize = 256;
/// Deliveries that count as simultaneous; reading the clock is not free either.
const DELIVERIES_A_MOMENT: usize = 16;
const SHARDS_MAX: usize = 8;

/// Everyone who follows one board.
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
    sessions: Mutex<BTreeMap<u64, Arc<ClientSession>>>,
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
        let shards = wake_signals.0.iter().map(|_| Shard::default()).collect();
        Self { shards, wake_signals: Arc::clone(wake_signals), round: Mutex::default() }
    }

    pub(crate) fn add(&self, session: &Arc<ClientSession>) {
        self.shard(session.id()).lock().insert(session.id(), Arc::clone(session));
    }

    /// Whether it was there.
    pub(crate) fn remove(&self, id: u64) -> bool {
        self.shard(id).lock().remove(&id).is_some()
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// There is something new to say.
    pub(crate) fn notify(&self) {
        for shard in &self.shards {
            shard.is_behind.store(true, Ordering::Release);
        }
        self.wake_signals.notify(Wake::Change);
    }

    fn shard(&self, id: u64) -> &Shard {
        &self.shards[saturating_len(id % self.shards.len() as u64)]
    }

    /// A shard is through with a change. Gives the number of clients when it was the last one.
    fn finished(&self, seq: u64, clients: usize) -> Option<usize> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        if round.seq != seq {
            *round = Round { seq, ..Round::default() };
        }
        round.shards += 1;
        round.clients += clients;
        (round.shards == self.shards.len()).then_some(round.clients)
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<ClientSession>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Half of the cores: rounds keep theirs busy for milliseconds, and requests want to be answered meanwhile.
fn shards() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    (cores / 2).clamp(1, SHARDS_MAX)
}

/// What wakes the threads that make the rounds: one signal each.
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
    /// Some board has something new to say.
    Change,
    /// It is over.
    End,
}

impl WakeSignals {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self((0..shards()).map(|_| WakeSignal::default()).collect()))
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
}

impl WakeSignal {
    /// Waits for a change; `false` at the end.
    fn wait(&self) -> bool {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = |pending: &mut Wake| *pending == Wake::None;
        let mut pending = self.changed.wait_while(pending, quiet).unwrap_or_else(PoisonError::into_inner);
        if *pending == Wake::End {
            return false;
        }
        *pending = Wake::None;
        true
    }
}

/// Starts the threads that make the rounds of all boards. They end when [`WakeSignals::end`] says so, which
/// [`Sessions`] sees to; `tracker` waits for them.
///
/// # Panics
/// When the system lets this process have no more threads, which ends it before it began.
pub(crate) fn start(sessions: &Arc<Sessions>, tracker: &TaskTracker) {
    for shard in 0..shards() {
        // Not the sessions themselves: whoever drops them last must end these threads, not wait for them.
        let (sessions, wake_signals) = (Arc::downgrade(sessions), Arc::clone(sessions.hub().wake_signals()));
        let running = tracker.token();
        let rounds = move || {
            let _running = running;
            let mut sessions_of_shard = Vec::new();
            while wake_signals.0[shard].wait() {
                let Some(sessions) = sessions.upgrade() else { return };
                for slot in sessions.hub().slots() {
                    for board in std::iter::once(&slot).chain(slot.expected_boards()) {
                        if board.followers().shards[shard].is_behind.swap(false, Ordering::AcqRel) {
                            round(&sessions, board, shard, &mut sessions_of_shard);
                        }
                    }
                    for topic in slot.topics() {
                        if topic.followers().shards[shard].is_behind.swap(false, Ordering::AcqRel) {
                            channel_round(topic.followers(), shard, &mut sessions_of_shard);
                        }
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("rounds".to_owned()).spawn(rounds);
        #[expect(clippy::expect_used, reason = "at the start only, and there is nothing to go on with")]
        thread.expect("a thread for the rounds");
    }
}

fn round(
    sessions: &Sessions,
    slot: &BoardSlot,
    shard: usize,
    sessions_of_shard: &mut Vec<Arc<ClientSession>>,
) {
    let change = slot.last_change();
    sessions_of_shard.extend(slot.followers().shards[shard].lock().values().cloned());
    let span = trace_span!(
        "round",
        symbol = slot.symbol(),
        clients = sessions_of_shard.len(),
        frames = field::Empty
    );
    let entered = span.enter();
    let mut frames_of_round = 0;
    for some in sessions_of_shard.chunks(DELIVERIES_AT_A_TIME) {
        let (mut frames, mut bytes) = (0, 0);
        for few in some.chunks(DELIVERIES_A_MOMENT) {
            let now = Instant::now();
            for session in few {
                let delivery = catch_unwind(AssertUnwindSafe(|| session.deliver(now)))
                    .unwrap_or_else(|_| session.give_up());
                frames += delivery.frames;
                bytes += delivery.bytes;
            }
        }
        sessions.metrics().wrote(frames, bytes, sessions.settings().wall_clock);
        frames_of_round += frames;
    }
    span.record("frames", frames_of_round);
    drop(entered);
    let clients = sessions_of_shard.len();
    sessions_of_shard.clear();
    if let Some((seq, changed)) = change
        && let Some(clients) = slot.followers().finished(seq, clients)
    {
        report(sessions, slot, seq, clients, Instant::now().saturating_duration_since(changed));
    }
}

/// As [`round`], for a channel beside the heatmap: its messages are few, so the sessions count them themselves.
fn channel_round(followers: &Followers, shard: usize, sessions_of_shard: &mut Vec<Arc<ClientSession>>) {
    sessions_of_shard.extend(followers.shards[shard].lock().values().cloned());
    for few in sessions_of_shard.chunks(DELIVERIES_A_MOMENT) {
        let now = Instant::now();
        for session in few {
            catch_unwind(AssertUnwindSafe(|| session.deliver_channels(now)))
                .unwrap_or_else(|_| session.give_up());
        }
    }
    sessions_of_shard.clear();
}

fn report(sessions: &Sessions, slot: &BoardSlot, seq: u64, clients: usize, took: Duration) {
    slot.metrics.broadcast.observe(took.as_secs_f64());
    debug!(
        event = "ws_broadcast",
        symbol = slot.symbol(),
        seq,
        clients,
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        active_connections = sessions.metrics().active_connections.load(std::sync::atomic::Ordering::Relaxed),
    );
}
