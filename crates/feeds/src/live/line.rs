//! A line to a venue: some contracts, followed without a break by one connection after the other.
//!
//! A connection is replaced before the venue cuts it: its successor is opened while it still works, and only
//! when data comes over the new one is the old one left. A connection that is lost is opened again after a
//! pause that grows, and shrinks only when data came: a venue that accepts and says nothing is not hammered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Recorder;
use super::clock::Clock;
use super::socket::{Ask, Connection, End, Word};
use crate::venues::{ContractTable, Exchange, VenueLimits};

/// What a line needs.
pub(super) struct Line {
    /// Its number at the venue.
    pub(super) number: usize,
    pub(super) exchange: &'static dyn Exchange,
    pub(super) table: ContractTable,
    pub(super) limits: VenueLimits,
    pub(super) socket_base: String,
    pub(super) clock: Clock,
    pub(super) timeout: Duration,
    pub(super) reconnect: (Duration, Duration),
    pub(super) recorder: Option<Arc<dyn Recorder>>,
    pub(super) words: mpsc::Sender<Word>,
    /// Numbers of connections, unique for the venue.
    pub(super) connections: Arc<AtomicU64>,
}

/// A connection seen from its line.
struct Running {
    number: u64,
    opened: Instant,
    stop: CancellationToken,
}

struct State {
    tasks: JoinSet<(u64, End)>,
    /// The one that brings data.
    current: Option<Running>,
    /// The one that is to follow it.
    next: Option<Running>,
    /// The one that was followed, for a little while more, so that nothing falls between.
    old: Option<(Running, Instant)>,
    asks: mpsc::Sender<Ask>,
}

impl Line {
    /// Most connections at once: the one that works, its successor, and one that is ending.
    const ASKS_WAITING: usize = 8;
    /// Replacements for silent streams: not oftener than this, and half as often each time, for a contract that
    /// nobody trades must not cost a connection every few minutes.
    const RENEW_MIN: Duration = Duration::from_secs(300);
    const RENEW_MAX: Duration = Duration::from_secs(6 * 3600);

    /// Runs until told to stop.
    ///
    /// # Errors
    /// When a connection's task panicked.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<(), JoinError> {
        let line = Arc::new(self);
        let (asks, mut asked) = mpsc::channel(Self::ASKS_WAITING);
        let mut state = State { tasks: JoinSet::new(), current: None, next: None, old: None, asks };
        let mut pause = line.reconnect.0;
        let mut open_at = Some(Instant::now());
        let mut renew_every = Self::RENEW_MIN;
        let mut renewed: Option<Instant> = None;
        let life = line.life();
        loop {
            let is_idle = state.current.is_none() && state.next.is_none();
            let roll_at = state.current.as_ref().map(|running| running.opened + life);
            let due = match (is_idle, state.next.is_some()) {
                (true, _) => open_at,
                (false, true) => None,
                // A successor that failed is tried again after the pause.
                (false, false) => roll_at.map(|at| open_at.map_or(at, |open_at| at.max(open_at))),
            };
            let retire = state.old.as_ref().map(|(_, at)| *at);
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(due) => {
                    let stopping = stop.child_token();
                    state.next = Some(line.open(&mut state.tasks, &state.asks, stopping));
                    open_at = None;
                }
                () = sleep_until(retire) => {
                    if let Some((old, _)) = state.old.take() {
                        old.stop.cancel();
                    }
                }
                Some(ask) = asked.recv() => match ask {
                    Ask::Proved(number) => {
                        if let Some(next) = state.next.take_if(|next| next.number == number) {
                            pause = line.reconnect.0;
                            line.take_over(&mut state, next).await;
                        }
                    }
                    Ask::Replace { connection, why } => {
                        let is_current = state.current.as_ref().is_some_and(|c| c.number == connection);
                        let is_due = renewed.is_none_or(|at| at.elapsed() >= line.clock.real(renew_every));
                        if is_current && is_due && state.next.is_none() {
                            tracing::info!(venue = %line.exchange.venue(), %why, "a new connection is opened");
                            if renewed.replace(Instant::now()).is_some() {
                                renew_every = (renew_every * 2).min(Self::RENEW_MAX);
                            }
                            state.next = Some(line.open(&mut state.tasks, &state.asks, stop.child_token()));
                        }
                    }
                },
                Some(ended) = state.tasks.join_next() => {
                    let (number, end) = ended?;
                    let End::Lost(why) = end else { continue };
                    let was_known = state.forget(number);
                    let last = state.current.is_none() && state.next.is_none();
                    if was_known {
                        open_at = Some(Instant::now() + line.clock.real(jittered(pause)));
                        pause = (pause * 2).min(line.reconnect.1);
                        let _ = line.words.send(Word::Lost { line: line.number, why, last }).await;
                    }
                }
            }
        }
        while let Some(ended) = state.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }

    fn open(
        self: &Arc<Self>,
        tasks: &mut JoinSet<(u64, End)>,
        asks: &mpsc::Sender<Ask>,
        stop: CancellationToken,
    ) -> Running {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let (line, asks, stopping) = (Arc::clone(self), asks.clone(), stop.clone());
        tasks.spawn(async move { (number, Connection::new(&line, number, asks).run(stopping).await) });
        Running { number, opened: Instant::now(), stop }
    }

    async fn take_over(&self, state: &mut State, next: Running) {
        let before = state.current.replace(next);
        let _ = self.words.send(Word::Proved { line: self.number }).await;
        if let Some(before) = before {
            let linger = self.clock.real(self.limits.mark_silence);
            if let Some((older, _)) = state.old.replace((before, Instant::now() + linger)) {
                older.stop.cancel();
            }
            let _ = self.words.send(Word::RolledOver).await;
        }
    }

    /// The age at which a connection is replaced; a little different for each line, so that they do not all do
    /// it at once.
    fn life(&self) -> Duration {
        self.clock.real(self.limits.connection_life).mul_f64(1.0 - 0.05 * fastrand::f64())
    }
}

impl State {
    /// A connection is gone; whether it was one of ours that still counted.
    fn forget(&mut self, number: u64) -> bool {
        if self.old.take_if(|(old, _)| old.number == number).is_some() {
            return false;
        }
        self.current.take_if(|running| running.number == number).is_some()
            || self.next.take_if(|running| running.number == number).is_some()
    }
}

/// Between half of it and all of it.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + 0.5 * fastrand::f64())
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
