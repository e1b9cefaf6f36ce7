//! When a client is to be told how the data of a symbol stands.

use std::time::Duration;

use tokio::time::Instant;

use crate::slot::BoardSlot;

#[derive(Debug)]
pub(crate) struct StatusDue {
    /// Whatever the time.
    is_due: bool,
    /// The last status or state: a state says as much.
    last: Instant,
    /// The change of the standing that the client knows.
    known_change: u64,
}

impl StatusDue {
    pub(crate) fn new(slot: &BoardSlot, is_due: bool, now: Instant) -> Self {
        Self { is_due, last: now, known_change: slot.feed_change() }
    }

    /// One is to be sent at the next opportunity.
    pub(crate) const fn set_due(&mut self) {
        self.is_due = true;
    }

    /// Something was sent that says as much.
    pub(crate) const fn sent(&mut self, now: Instant) {
        self.last = now;
    }

    /// Whether a status is due: the standing changed, or nothing was sent for long.
    pub(crate) fn take(&mut self, slot: &BoardSlot, now: Instant, heartbeat: Duration) -> bool {
        let change = slot.feed_change();
        let is_due = std::mem::take(&mut self.is_due) || now >= self.last + heartbeat;
        if change == self.known_change && !is_due {
            return false;
        }
        self.known_change = change;
        self.last = now;
        true
    }

    /// When one is due at the latest.
    pub(crate) fn at(&self, heartbeat: Duration) -> Instant {
        self.last + heartbeat
    }
}
