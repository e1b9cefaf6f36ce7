//! What one client wants of one symbol, and what it has: the whole of the server's knowledge about it.

use std::sync::Arc;
use std::time::Duration;

use liqheat_wire::{FeedState, Mode, Position};
use tokio::time::Instant;

use crate::hub::{BoardSlot, StateFrame};

#[derive(Debug)]
pub(crate) struct Subscription {
    slot: Arc<BoardSlot>,
    mode: Mode,
    /// Wanted time between updates.
    interval: Duration,
    /// How often boards change; wishes for a faster rhythm get every change.
    tick: Duration,
    position: Option<Position>,
    last_sent: Option<Instant>,
    last_status: Instant,
    told: FeedState,
}

/// Limits of what a client may wish for, in seconds.
const INTERVAL_S: (f64, f64) = (1.0, 60.0);
/// Differences are small, so they may come more often.
const INTERVAL_S_DELTA_MIN: f64 = 0.25;

impl Subscription {
    pub(crate) fn new(
        slot: Arc<BoardSlot>,
        mode: Mode,
        wish_s: Option<f64>,
        tick: Duration,
        resume: Option<Position>,
        now: Instant,
    ) -> Self {
        let shortest = if mode == Mode::Delta { INTERVAL_S_DELTA_MIN } else { INTERVAL_S.0 };
        let interval =
            wish_s.map_or(tick, |seconds| Duration::from_secs_f64(seconds.clamp(shortest, INTERVAL_S.1)));
        let told = slot.standing().state;
        Self { slot, mode, interval, tick, position: resume, last_sent: None, last_status: now, told }
    }

    pub(crate) fn slot(&self) -> &BoardSlot {
        &self.slot
    }

    /// States the client lacks now; zero when it is up to date.
    pub(crate) fn missed(&self) -> u64 {
        self.slot.missed(self.position.as_ref()).unwrap_or(0)
    }

    /// When the next state may be sent: at once for a first one and for rhythms not slower than the board's.
    /// Half a tick of tolerance keeps a slower rhythm on the board's beat instead of drifting off it.
    fn due_at(&self) -> Option<Instant> {
        let last = self.last_sent?;
        (self.interval > self.tick).then(|| last + self.interval - self.tick / 2)
    }

    /// The frame to send now, if any.
    pub(crate) fn take_frame(&mut self, now: Instant) -> Option<StateFrame> {
        if self.missed() == 0 || self.due_at().is_some_and(|due| due > now) {
            return None;
        }
        let frame = self.slot.frame(self.mode, self.position.as_ref())?;
        self.position = Some(frame.position.clone());
        self.last_sent = Some(now);
        // A state says as much as a heartbeat.
        self.last_status = now;
        Some(frame)
    }

    /// Whether a status is due: the word changed, or nothing was said for long.
    pub(crate) fn take_status(&mut self, now: Instant, heartbeat: Duration) -> bool {
        let state = self.slot.standing().state;
        if state == self.told && now < self.last_status + heartbeat {
            return false;
        }
        self.told = state;
        self.last_status = now;
        true
    }

    /// The next moment at which this subscription may have something to say without being woken.
    pub(crate) fn next_deadline(&self, heartbeat: Duration) -> Instant {
        if self.missed() > 0 {
            // Without a rhythm of its own the state is due now: a moment that has passed already.
            return self.due_at().unwrap_or(self.last_status);
        }
        self.last_status + heartbeat
    }
}
