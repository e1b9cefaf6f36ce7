//! The rounds in which followers are sent the changes of boards and channels.
//!
//! A round writes to the sockets itself: a session's task wakes only when its socket takes no more, which
//! spares a switch of tasks with every delivery. Each shard of followers has a thread of its own and not a task, because
//! a task that works for milliseconds wanders between the runtime's workers and leaves behind what their caches know;
//! the kernel, on its part, shares the cores between them and the workers fairly. A change during a round leads to
//! another round; nobody is sent a state twice, because a session knows what its client has. A delivery that panics ends
//! one session, never the round.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the threads that write rounds, which run by the clock"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use liqheat_market::UnixMs;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{debug, field, trace_span};

use crate::followers::{Follower, Followers};
use crate::hub::Hub;
use crate::metrics::StreamMetrics;
use crate::slot::BoardSlot;

/// Deliveries that are counted at once; counters are shared with everybody else.
const DELIVERIES_AT_A_TIME: usize = 256;
/// Deliveries that count as simultaneous; reading the clock is not free either.
const DELIVERIES_A_MOMENT: usize = 16;

/// Starts the threads that make the rounds of all boards. They end with
/// [`WakeSignals::end`](crate::followers::WakeSignals::end); `tracker` waits for them. `wall_clock` dates what is sent.
///
/// # Panics
/// When the system lets this process have no more threads, which ends it before it began.
pub(crate) fn start(hub: &Arc<Hub>, wall_clock: fn() -> UnixMs, tracker: &TaskTracker) {
    for shard in 0..hub.wake_signals().shards() {
        let rounds = Rounds { hub: Arc::clone(hub), shard, wall_clock, followers: Vec::new() };
        let running = tracker.token();
        let thread = std::thread::Builder::new().name("rounds".to_owned()).spawn(move || {
            rounds.run();
            drop(running);
        });
        #[expect(clippy::expect_used, reason = "at the start only, and there is nothing to go on with")]
        thread.expect("a thread for the rounds");
    }
}

/// The rounds of one shard.
struct Rounds {
    hub: Arc<Hub>,
    shard: usize,
    wall_clock: fn() -> UnixMs,
    /// Of the round; empty between rounds, kept for its memory.
    followers: Vec<Arc<dyn Follower>>,
}

impl Rounds {
    fn run(mut self) {
        while self.hub.wake_signals().wait(self.shard) {
            for slot in self.hub.slots() {
                for board in std::iter::once(&slot).chain(slot.expected_boards()) {
                    if board.followers().begin_round(self.shard) {
                        self.deliver(board);
                    }
                }
                for topic in slot.topics() {
                    if topic.followers().begin_round(self.shard) {
                        self.deliver_channel(topic.followers());
                    }
                }
            }
        }
    }

    fn deliver(&mut self, slot: &BoardSlot) {
        let change = slot.last_change();
        slot.followers().copy_shard(self.shard, &mut self.followers);
        let clients = self.followers.len();
        let span = trace_span!("round", symbol = slot.symbol(), clients, frames = field::Empty);
        let entered = span.enter();
        let mut frames_of_round = 0;
        for some in self.followers.chunks(DELIVERIES_AT_A_TIME) {
            let (mut frames, mut bytes) = (0, 0);
            for few in some.chunks(DELIVERIES_A_MOMENT) {
                let now = Instant::now();
                for follower in few {
                    let delivery = catch_unwind(AssertUnwindSafe(|| follower.deliver(now)))
                        .unwrap_or_else(|_| follower.give_up());
                    frames += delivery.frames;
                    bytes += delivery.bytes;
                }
            }
            self.hub.metrics.wrote(frames, bytes, self.wall_clock);
            frames_of_round += frames;
        }
        span.record("frames", frames_of_round);
        drop(entered);
        self.followers.clear();
        if let Some((seq, changed)) = change
            && let Some(clients) = slot.followers().end_round(seq, clients)
        {
            report(&self.hub.metrics, slot, seq, clients, Instant::now().saturating_duration_since(changed));
        }
    }

    /// As [`Rounds::deliver`], for a channel beside the heatmap: its messages are few, so the sessions count them
    /// themselves.
    fn deliver_channel(&mut self, followers: &Followers) {
        followers.copy_shard(self.shard, &mut self.followers);
        for few in self.followers.chunks(DELIVERIES_A_MOMENT) {
            let now = Instant::now();
            for follower in few {
                catch_unwind(AssertUnwindSafe(|| follower.deliver_channels(now)))
                    .unwrap_or_else(|_| follower.give_up());
            }
        }
        self.followers.clear();
    }
}

fn report(metrics: &StreamMetrics, slot: &BoardSlot, seq: u64, clients: usize, took: Duration) {
    slot.metrics.broadcast.observe(took.as_secs_f64());
    debug!(
        event = "ws_broadcast",
        symbol = slot.symbol(),
        seq,
        clients,
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        active_connections = metrics.active_connections.load(Ordering::Relaxed),
    );
}
