//! The way of frames to the client: rounds that send what is new at once, and the outbox for a client that is behind.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use liqheat_wire::{Channel, ServerMessage, WarningCode};
use tokio::time::Instant;

use super::Core;
use crate::end::End;
use crate::event_ids::EventIds;
use crate::followers::Delivery;
use crate::frame;
use crate::metrics::{Encoding, Kind, SavedBytes};
use crate::slot::{BoardSlot, NextState};
use crate::subscription::{Occasion, Subscription};
use crate::topic::NextFrame;

/// What is to be noted when a frame is out.
#[derive(Debug)]
pub(crate) enum Note {
    /// Nothing but that it was one.
    Reply,
    Status(Arc<BoardSlot>),
    Channel(Arc<BoardSlot>, Channel),
    State {
        slot: Arc<BoardSlot>,
        kind: Kind,
        saved: SavedBytes,
        changed: Option<Instant>,
    },
}

impl Note {
    fn of_state(slot: &Arc<BoardSlot>, next: &NextState, occasion: Occasion) -> Self {
        Self::State {
            slot: Arc::clone(slot),
            kind: next.frame.kind,
            saved: next.frame.saved,
            changed: (occasion == Occasion::Change).then_some(next.changed),
        }
    }
}

impl Core {
    /// A round has nothing to add: something waits for the socket already, or the client gets less than every round.
    fn is_behind(&self) -> bool {
        !self.outbox.is_empty() || self.slow
    }

    /// What a round does for a client that is behind: the rest is its task's.
    fn catch_up(
        &mut self,
        write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<Delivery, End> {
        self.pump(write, now)?;
        Ok(Delivery { needs_task: true, ..Delivery::default() })
    }

    /// A round of a channel came by: sends what is new on all of the client's channels.
    pub(crate) fn deliver_channels(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<Delivery, End> {
        if self.is_behind() {
            return self.catch_up(write, now);
        }
        let mut delivery = Delivery::default();
        self.fill_channels(now);
        self.flush(&mut write, now)?;
        delivery.needs_task = !self.outbox.is_empty();
        Ok(delivery)
    }

    /// Puts what is new on channels beside the heatmap into the outbox.
    fn fill_channels(&mut self, now: Instant) {
        let heartbeat = self.settings.status_every;
        for subscription in &mut self.channels {
            match subscription.take_next(now) {
                NextFrame::Nothing => {}
                NextFrame::Advance(at) => {
                    if let Some(ids) = &mut self.event_ids {
                        ids.advance(subscription.slot().symbol(), subscription.channel(), at);
                    }
                }
                NextFrame::Frame(frame, at) => {
                    let (slot, channel) = (subscription.slot(), subscription.channel());
                    let frame = match &mut self.event_ids {
                        Some(ids) => ids.stamp(slot.symbol(), channel, at, &frame),
                        None => frame,
                    };
                    self.outbox.push(frame, Note::Channel(Arc::clone(slot), channel));
                }
            }
            if let Some(status) = subscription.take_status(now, heartbeat) {
                self.outbox.push(status, Note::Status(Arc::clone(subscription.slot())));
            }
        }
    }

    /// A round came by: sends what is new to a client that is ready for it. Limits and heartbeats are left to
    /// [`Core::pump`], so that as little as possible of a session is touched with every delivery.
    pub(crate) fn deliver(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<Delivery, End> {
        self.refresh_settings();
        if self.is_behind() {
            return self.catch_up(write, now);
        }
        let mut delivery = Delivery::default();
        let encoding = self.connection.encoding;
        for subscription in &mut self.subscriptions {
            if let Some((next, occasion)) = subscription.take_state(now, self.sessions.metrics()) {
                let note = Note::of_state(subscription.slot(), &next, occasion);
                // Straight to the socket, if nothing is before it.
                let mut rest = match &mut self.event_ids {
                    Some(ids) => stamp(ids, subscription, next),
                    None => next.frame.bytes,
                };
                let taken = if self.outbox.is_empty() { write_some(&mut write, &rest)? } else { 0 };
                delivery.bytes += taken as u64;
                if taken == rest.len() {
                    delivery.frames += 1;
                    noted(note, encoding);
                } else {
                    rest.advance(taken);
                    self.outbox.push(rest, note);
                }
            }
            if subscription.take_status(now, self.settings.status_every) {
                let slot = subscription.slot();
                self.outbox.push(subscription.status_frame(), Note::Status(Arc::clone(slot)));
            }
            delivery.needs_task |= subscription.is_waiting();
        }
        self.totals.bytes_sent += delivery.bytes;
        self.totals.frames_sent += delivery.frames;
        if !self.outbox.is_empty() {
            self.flush(write, now)?;
            delivery.needs_task |= !self.outbox.is_empty();
        }
        Ok(delivery)
    }

    /// Makes what there is to say, writes what the socket takes, and checks the limits.
    pub(crate) fn pump(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<(), End> {
        self.refresh_settings();
        self.flush(&mut write, now)?;
        // States are made for a client that is ready for them only.
        if self.outbox.is_empty() {
            self.fill(now);
            self.flush(&mut write, now)?;
        }
        self.check(now)
    }

    /// Puts the newest states into the empty outbox.
    fn fill(&mut self, now: Instant) {
        if self.slow {
            self.warn_slow();
        }
        let sessions = Arc::clone(&self.sessions);
        let settings = Arc::clone(&self.settings);
        for subscription in &mut self.subscriptions {
            if let Some((next, occasion)) = subscription.take_state(now, sessions.metrics()) {
                let note = Note::of_state(subscription.slot(), &next, occasion);
                let frame = match &mut self.event_ids {
                    Some(ids) => stamp(ids, subscription, next),
                    None => next.frame.bytes,
                };
                self.outbox.push(frame, note);
            }
            if subscription.take_status(now, settings.status_every) {
                let slot = subscription.slot();
                self.outbox.push(subscription.status_frame(), Note::Status(Arc::clone(slot)));
            }
        }
        let is_events = self.connection.encoding == Encoding::Events;
        if now >= self.last_ping + settings.ping_every {
            self.last_ping = now;
            self.outbox.push(if is_events { frame::comment() } else { frame::ping() }, Note::Reply);
        }
        if !self.channels.is_empty() {
            self.fill_channels(now);
        }
        if is_events {
            // Its client cannot say anything; that it takes what is written is its sign of life.
            self.last_seen = now;
        }
        if !self.warned_unstable && now >= self.unstable_at() {
            self.warned_unstable = true;
            let silent_s = (now - self.last_seen).as_secs();
            let message = format!("Nothing heard for {silent_s} s; the connection is closed if that goes on");
            self.send(&ServerMessage::Warning {
                code: WarningCode::ConnectionUnstable,
                message: &message,
                dropped_messages: 0,
            });
        }
    }

    /// The client can be written to again: how many states it will never see, before the newest one.
    fn warn_slow(&mut self) {
        let skipped: u64 = self.subscriptions.iter().map(|s| s.missed().saturating_sub(1)).sum();
        self.sessions.metrics().slow_consumers.dec();
        self.slow = false;
        let message = format!("Client too slow: {skipped} updates were skipped, the newest state follows");
        self.send(&ServerMessage::Warning {
            code: WarningCode::SlowConsumer,
            message: &message,
            dropped_messages: skipped,
        });
    }

    pub(crate) fn flush(
        &mut self,
        write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<(), End> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let encoding = self.connection.encoding;
        let flushed = self.outbox.flush(write, |note| noted(note, encoding))?;
        let metrics = self.sessions.metrics();
        self.totals.frames_sent += flushed.frames;
        self.totals.bytes_sent += flushed.bytes as u64;
        metrics.wrote(flushed.frames, flushed.bytes as u64, self.settings.wall_clock);
        if self.outbox.is_empty() {
            self.blocked_since = None;
        } else if flushed.bytes > 0 || self.blocked_since.is_none() {
            self.blocked_since = Some(now);
        }
        Ok(())
    }
}

/// Bytes taken by the socket; none when it takes no more.
fn write_some(write: &mut impl FnMut(&[u8]) -> io::Result<usize>, bytes: &[u8]) -> io::Result<usize> {
    match write(bytes) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        taken => taken,
    }
}

/// A state as an event with the positions of all channels in its id.
fn stamp(ids: &mut EventIds, subscription: &Subscription, next: NextState) -> Bytes {
    ids.stamp(subscription.slot().symbol(), Channel::Heatmap, next.at, &next.frame.bytes)
}

/// A frame is out.
fn noted(note: Note, encoding: Encoding) {
    match note {
        Note::Reply => {}
        Note::Status(slot) => {
            slot.metrics.messages_sent.inc();
        }
        Note::Channel(slot, channel) => {
            slot.metrics.messages_sent.inc();
            if let Some(topic) = slot.topic(channel) {
                topic.sent();
            }
        }
        Note::State { slot, kind, saved, changed } => {
            slot.metrics.sent(kind, encoding, saved);
            if let Some(changed) = changed {
                slot.metrics.written(changed.elapsed());
            }
        }
    }
}
