//! What one client wants of one channel of one symbol, and what it has.

use std::sync::Arc;

use bytes::Bytes;
use liqheat_wire::{Channel, json_beginning};
use tokio::time::Instant;

use crate::cursor::Cursor;
use crate::frame;
use crate::metrics::Encoding;
use crate::slot::BoardSlot;
use crate::status_due::StatusDue;
use crate::subscription::status_frame;
use crate::topic::{ChannelForm, ChannelTopic, NextFrame};

#[derive(Debug)]
pub(crate) struct ChannelSubscription {
    slot: Arc<BoardSlot>,
    channel: Channel,
    /// The client's name for it.
    id: Option<Box<str>>,
    form: ChannelForm,
    at: Option<Cursor>,
    /// Whether this one tells how the symbol's data stands: the first one of a symbol whose heatmap is not followed.
    pub(crate) tells_status: bool,
    status: StatusDue,
}

impl ChannelSubscription {
    pub(crate) fn new(
        (slot, channel): (Arc<BoardSlot>, Channel),
        id: Option<Box<str>>,
        form: ChannelForm,
        at: Option<Cursor>,
        now: Instant,
    ) -> Self {
        // While there is nothing to send, the status is the answer.
        let is_silent = !slot.topic(channel).is_some_and(ChannelTopic::has_content);
        let status = StatusDue::new(&slot, is_silent || slot.has_sources(), now);
        Self { slot, channel, id, form, at, tells_status: false, status }
    }

    pub(crate) const fn slot(&self) -> &Arc<BoardSlot> {
        &self.slot
    }

    pub(crate) const fn channel(&self) -> Channel {
        self.channel
    }

    pub(crate) fn is_of(&self, symbol: &str, channel: Channel) -> bool {
        self.channel == channel && self.slot.symbol() == symbol
    }

    /// What leads from the client's position to the newest message; the client is there from now on.
    pub(crate) fn take_next(&mut self, now: Instant) -> NextFrame {
        let Some(topic) = self.slot.topic(self.channel) else { return NextFrame::Nothing };
        let next = topic.next_frame(self.slot.symbol(), self.form, self.at.as_ref());
        match next {
            NextFrame::Nothing => NextFrame::Nothing,
            NextFrame::Advance(at) => {
                self.at = Some(at.clone());
                NextFrame::Advance(at)
            }
            NextFrame::Frame(bytes, at) => {
                self.at = Some(at.clone());
                self.status.sent(now);
                NextFrame::Frame(self.complete(bytes), at)
            }
        }
    }

    /// A shared frame as this client gets it.
    fn complete(&self, frame: Bytes) -> Bytes {
        match &self.id {
            Some(id) if self.form.encoding != Encoding::Events => {
                frame::with_beginning(&frame, &json_beginning(id))
            }
            _ => frame,
        }
    }

    /// The status of the symbol, if it is this subscription that tells it and it is due.
    pub(crate) fn take_status(&mut self, now: Instant, heartbeat: std::time::Duration) -> Option<Bytes> {
        let is_due = self.tells_status && self.status.take(&self.slot, now, heartbeat);
        is_due.then(|| status_frame(&self.slot, self.id.as_deref(), self.form.encoding))
    }

    /// The next moment at which there is a status to send.
    pub(crate) fn next_deadline(&self, heartbeat: std::time::Duration) -> Option<Instant> {
        self.tells_status.then(|| self.status.at(heartbeat))
    }

    /// Nothing is delivered any more.
    pub(crate) fn leave(&self, session: u64) {
        self.slot.leave(self.channel, session);
    }
}
