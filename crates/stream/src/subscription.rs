//! What one client wants of one symbol, and what it has: the whole of the server's knowledge about it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use liqheat_wire::{Mode, Position, binary_beginning, json_beginning};
use tokio::time::Instant;

use crate::credit::{AckOutcome, Credit, UnpaintedState};
use crate::cursor::Cursor;
use crate::frame;
use crate::frames::FrameForm;
use crate::metrics::{Encoding, Kind, ResumeOutcome, StreamMetrics};
use crate::slot::{BoardSlot, NextState};
use crate::status_due::StatusDue;

#[derive(Debug)]
pub(crate) struct Subscription {
    slot: Arc<BoardSlot>,
    /// The client's name for it.
    id: Option<Box<str>>,
    form: FrameForm,
    /// Wanted time between updates.
    interval: Duration,
    /// How often boards change; wishes for a faster rhythm get every change.
    tick: Duration,
    at: Option<Cursor>,
    /// The client named a position to go on from and has not been answered yet.
    resuming: bool,
    /// There is a newer state, but it is not time for it.
    waiting: bool,
    last_sent: Option<Instant>,
    status: StatusDue,
    credit: Credit,
}

/// A subscription as the client requested it.
#[derive(Debug)]
pub(crate) struct SubscriptionRequest {
    /// Whether there is one is also in `form`.
    pub(crate) id: Option<Box<str>>,
    pub(crate) form: FrameForm,
    pub(crate) interval_s: Option<f64>,
    pub(crate) resume: Option<Position>,
}

/// Why a state is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The client came, came back, or wants states more rarely than there are.
    Asked,
    /// The board changed.
    Change,
}

/// Limits of what a client may wish for, in seconds.
const INTERVAL_S: (f64, f64) = (1.0, 60.0);
/// Differences are small, so they may come more often.
const INTERVAL_S_DELTA_MIN: f64 = 0.25;

impl Subscription {
    pub(crate) fn new(
        slot: Arc<BoardSlot>,
        request: SubscriptionRequest,
        tick: Duration,
        now: Instant,
    ) -> Self {
        let shortest = if request.form.mode == Mode::Delta { INTERVAL_S_DELTA_MIN } else { INTERVAL_S.0 };
        let clamped = |seconds: f64| Duration::from_secs_f64(seconds.clamp(shortest, INTERVAL_S.1));
        // Who comes to a market of several venues hears how they stand, and not only when that changes.
        let status = StatusDue::new(&slot, slot.has_sources(), now);
        Self {
            slot,
            id: request.id,
            form: request.form,
            interval: request.interval_s.map_or(tick, clamped),
            tick,
            resuming: request.resume.is_some(),
            at: request.resume.map(Cursor::from),
            waiting: false,
            last_sent: None,
            status,
            credit: Credit::default(),
        }
    }

    pub(crate) const fn slot(&self) -> &Arc<BoardSlot> {
        &self.slot
    }

    /// A status message in a frame.
    pub(crate) fn status_frame(&self) -> Bytes {
        status_frame(&self.slot, self.id.as_deref(), self.form.encoding)
    }

    /// A shared frame as this client gets it.
    fn complete(&self, mut next: NextState) -> NextState {
        if let Some(id) = &self.id {
            let beginning = match self.form.encoding {
                Encoding::Json => json_beginning(id),
                Encoding::Binary => binary_beginning(next.frame.kind == Kind::Delta, id),
                // The id of an event is its position.
                Encoding::Events => return next,
            };
            next.frame.bytes = frame::with_beginning(&next.frame.bytes, &beginning);
        }
        next
    }

    pub(crate) const fn form(&self) -> &FrameForm {
        &self.form
    }

    /// States the client lacks now; zero when it is up to date.
    pub(crate) fn missed(&self) -> u64 {
        self.slot.missed(self.at.as_ref()).unwrap_or(0)
    }

    /// Whether the client wants states less often than there are.
    fn has_own_rhythm(&self) -> bool {
        self.interval > self.tick
    }

    /// When the next state may be sent: at once for a first one and for rhythms not slower than the board's.
    /// Half a tick of tolerance keeps a slower rhythm on the board's beat instead of drifting off it.
    fn due_at(&self) -> Option<Instant> {
        let last = self.last_sent?;
        self.has_own_rhythm().then(|| last + self.interval - self.tick / 2)
    }

    /// The state to send now, if any.
    pub(crate) fn take_state(
        &mut self,
        now: Instant,
        metrics: &StreamMetrics,
    ) -> Option<(NextState, Occasion)> {
        if self.due_at().is_some_and(|due| due > now) {
            self.waiting = self.missed() > 0;
            return None;
        }
        self.waiting = false;
        if !self.credit.is_left() {
            if self.missed() > 0 {
                metrics.credit_waits.inc();
            }
            return None;
        }
        let Some(next) = self.slot.next_state(&self.form, self.at.as_ref()) else {
            let is_current = self.resuming && self.slot.missed(self.at.as_ref()) == Some(0);
            if is_current {
                metrics.resumed(ResumeOutcome::Current);
                self.resuming = false;
                // There is no state to send, and silence would say nothing.
                self.status.set_due();
            }
            return None;
        };
        let mut occasion = Occasion::Asked;
        if std::mem::take(&mut self.resuming) {
            metrics.resumed(match next.frame.kind {
                Kind::Delta => ResumeOutcome::Delta,
                Kind::Snapshot => ResumeOutcome::Snapshot,
            });
        } else if let Some(at) = self.at.as_ref().filter(|at| at.epoch == next.at.epoch)
            && !self.has_own_rhythm()
        {
            metrics.updates_skipped.inc_by(next.at.seq.saturating_sub(at.seq + 1));
            occasion = Occasion::Change;
        }
        self.credit.sent(UnpaintedState { seq: next.at.seq, as_of: next.as_of, sent: now });
        self.at = Some(next.at.clone());
        self.last_sent = Some(now);
        // A state says as much as a heartbeat.
        self.status.sent(now);
        Some((self.complete(next), occasion))
    }

    /// Whether there is a newer state for which it is not time yet.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// The client painted a state.
    pub(crate) fn on_painted(&mut self, seq: u64) -> AckOutcome {
        self.credit.on_painted(seq)
    }

    /// Whether a status is due: the standing changed, or nothing was sent for long.
    pub(crate) fn take_status(&mut self, now: Instant, heartbeat: Duration) -> bool {
        self.status.take(&self.slot, now, heartbeat)
    }

    /// The next moment at which this subscription has something to say without being told of a change.
    pub(crate) fn next_deadline(&self, heartbeat: Duration) -> Instant {
        let status = self.status.at(heartbeat);
        match self.due_at() {
            Some(due) if self.waiting => due.min(status),
            _ => status,
        }
    }
}

/// The status message of a symbol in a frame.
pub(crate) fn status_frame(slot: &BoardSlot, id: Option<&str>, encoding: Encoding) -> Bytes {
    let shared = slot.status_frame();
    match (encoding, id) {
        (Encoding::Events, _) => frame::event("status", None, &frame::payload(&shared)),
        (_, None) => shared,
        (_, Some(id)) => {
            let rest = frame::payload(&shared).slice(1..);
            frame::text(&[&json_beginning(id)[..], &rest[..]].concat())
        }
    }
}
