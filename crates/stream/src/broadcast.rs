//! Who follows a board, and the rounds in which they are sent its changes.
//!
//! A round writes to the sockets itself: a session's task wakes only when its socket takes no more, which
//! spares a switch of tasks with every delivery. Followers are spread over a few shards, one task each, so
//! that several cores share the work. A change during a round leads to another round; nobody is sent a state
//! twice, because a line knows what its client has. A delivery that panics ends one session, never the round.

use std::collections::HashMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::debug;

use crate::session::Line;
use crate::sessions::Sessions;
use crate::slot::BoardSlot;

/// Deliveries between two looks at what else there is to do: about two milliseconds. Each look wakes another
/// worker, which costs as much as a delivery or two.
const DELIVERIES_AT_A_TIME: usize = 256;
/// Deliveries that count as simultaneous; reading the clock is not free either.
const DELIVERIES_A_MOMENT: usize = 16;
const SHARDS_MAX: usize = 8;

/// Everyone who follows one board.
#[derive(Debug)]
pub(crate) struct Followers {
    shards: Box<[Shard]>,
    /// Locked for a few instructions once a round.
    round: Mutex<Round>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Locked while a client comes or goes, and while a round takes its copy.
    lines: Mutex<HashMap<u64, Arc<Line>>>,
    told: Notify,
}

/// How far the shards are with the newest change.
#[derive(Debug, Default)]
struct Round {
    seq: u64,
    shards: usize,
    clients: usize,
}

impl Followers {
    pub(crate) fn new() -> Self {
        // Half of the cores: rounds keep theirs busy for milliseconds, and requests want to be answered meanwhile.
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let shards = (0..(cores / 2).clamp(1, SHARDS_MAX)).map(|_| Shard::default()).collect();
        Self { shards, round: Mutex::default() }
    }

    pub(crate) fn add(&self, line: &Arc<Line>) {
        self.shard(line.id()).lock().insert(line.id(), Arc::clone(line));
    }

    /// Whether it was there.
    pub(crate) fn remove(&self, id: u64) -> bool {
        self.shard(id).lock().remove(&id).is_some()
    }

    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// There is something new to say.
    pub(crate) fn tell(&self) {
        for shard in &self.shards {
            shard.told.notify_one();
        }
    }

    fn shard(&self, id: u64) -> &Shard {
        &self.shards[(id % self.shards.len() as u64) as usize]
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
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task for each shard of a board, until the sessions end.
pub(crate) fn tasks(
    sessions: &Arc<Sessions>,
    slot: Arc<BoardSlot>,
) -> impl Iterator<Item = impl Future<Output = ()> + Send + use<>> {
    let sessions = Arc::clone(sessions);
    let shards = 0..slot.followers().shards.len();
    shards.map(move |shard| run(Arc::clone(&sessions), Arc::clone(&slot), shard))
}

async fn run(sessions: Arc<Sessions>, slot: Arc<BoardSlot>, shard: usize) {
    let shard = &slot.followers().shards[shard];
    let mut lines: Vec<Arc<Line>> = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = sessions.closing().cancelled() => return,
            () = shard.told.notified() => {}
        }
        let change = slot.last_change();
        lines.extend(shard.lock().values().cloned());
        for some in lines.chunks(DELIVERIES_AT_A_TIME) {
            let (mut frames, mut bytes) = (0, 0);
            for few in some.chunks(DELIVERIES_A_MOMENT) {
                let now = Instant::now();
                for line in few {
                    let delivery = catch_unwind(AssertUnwindSafe(|| line.deliver(now)))
                        .unwrap_or_else(|_| line.give_up());
                    frames += delivery.frames;
                    bytes += delivery.bytes;
                }
            }
            sessions.metrics().wrote(frames, bytes, sessions.settings().wall_clock);
            tokio::task::yield_now().await;
        }
        let clients = lines.len();
        lines.clear();
        if let Some((seq, changed)) = change
            && let Some(clients) = slot.followers().finished(seq, clients)
        {
            report(&slot, seq, clients, Instant::now().saturating_duration_since(changed));
        }
    }
}

fn report(slot: &BoardSlot, seq: u64, clients: usize, took: Duration) {
    slot.metrics.broadcast.observe(took.as_secs_f64());
    debug!(event = "ws_broadcast", symbol = slot.symbol(), seq, clients, took_us = took.as_micros() as u64);
}
