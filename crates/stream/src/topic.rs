//! A channel of a symbol with its shared frames and its followers: [`crate::channel`] behind a lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use liqheat_market::UnixMs;
use liqheat_wire::Channel;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

use crate::channel::{ChannelChange, ChannelContent, ChannelState, NextMessage};
use crate::cursor::Cursor;
use crate::followers::{Follower, Followers, WakeSignals};
use crate::frame;
use crate::metrics::{Encoding, StreamMetrics};

/// How a client wants the messages of a channel. All that want the same from the same position get the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChannelForm {
    /// Smallest row to send.
    pub(crate) min_usd: u64,
    /// Channels have no binary form.
    pub(crate) encoding: Encoding,
    pub(crate) deflate: bool,
    /// Whether the frame is made without its beginning, as in [`crate::frames::FrameForm`].
    pub(crate) has_id: bool,
}

/// Where a client is, for the key of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FrameBase {
    Nothing,
    Seq(u64),
    OtherEpoch,
}

/// What leads on from a position.
#[derive(Debug, Clone)]
pub(crate) enum NextFrame {
    Nothing,
    /// Nothing to send, but the client is at this position now.
    Advance(Cursor),
    Frame(Bytes, Cursor),
}

#[derive(Debug)]
pub(crate) struct ChannelTopic {
    channel: Channel,
    /// Locked while a message is made (a fraction of a millisecond), never across an await.
    inner: Mutex<Inner>,
    followers: Followers,
    /// Notified when somebody follows what nobody followed.
    wanted: Arc<Notify>,
    subscriptions: Gauge,
    messages_sent: Counter,
}

#[derive(Debug)]
struct Inner {
    state: ChannelState,
    frames: HashMap<(FrameBase, ChannelForm), NextFrame>,
}

impl ChannelTopic {
    /// Messages at more different positions than this are made anew each time.
    const FRAMES_KEPT: usize = 256;

    pub(crate) fn new(
        channel: Channel,
        (run, wanted): (&Arc<str>, &Arc<Notify>),
        metrics: &StreamMetrics,
        wake_signals: &Arc<WakeSignals>,
    ) -> Self {
        let inner = Inner { state: ChannelState::new(channel, Arc::clone(run)), frames: HashMap::new() };
        let (subscriptions, messages_sent) = metrics.of_channel(channel);
        let followers = Followers::new(wake_signals);
        let wanted = Arc::clone(wanted);
        Self { channel, inner: Mutex::new(inner), followers, wanted, subscriptions, messages_sent }
    }

    pub(crate) fn join(&self, follower: Arc<dyn Follower>) {
        let is_first = self.followers.count() == 0;
        self.followers.add(follower);
        self.subscriptions.inc();
        if is_first {
            self.wanted.notify_one();
        }
    }

    pub(crate) fn leave(&self, id: u64) {
        if self.followers.remove(id) {
            self.subscriptions.dec();
        }
    }

    /// A message was written to a client.
    pub(crate) fn sent(&self) {
        self.messages_sent.inc();
    }

    pub(crate) const fn channel(&self) -> Channel {
        self.channel
    }

    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }

    /// See [`ChannelState::publish`].
    pub(crate) fn publish(&self, as_of: UnixMs, content: ChannelContent) -> Option<ChannelChange> {
        let change = {
            let mut inner = self.lock();
            let change = inner.state.publish(as_of, content)?;
            inner.frames.clear();
            change
        };
        self.followers.notify();
        Some(change)
    }

    /// See [`ChannelState::apply`].
    pub(crate) fn apply(&self, change: ChannelChange) -> bool {
        let is_new = {
            let mut inner = self.lock();
            let is_new = inner.state.apply(change);
            if is_new {
                inner.frames.clear();
            }
            is_new
        };
        if is_new {
            self.followers.notify();
        }
        is_new
    }

    /// See [`ChannelState::heartbeat`].
    pub(crate) fn heartbeat(&self) -> Option<ChannelChange> {
        self.lock().state.heartbeat()
    }

    /// Whether anything was published yet.
    pub(crate) fn has_content(&self) -> bool {
        self.lock().state.cursor().is_some()
    }

    /// The frame that brings a client to the newest state.
    pub(crate) fn next_frame(&self, symbol: &str, form: ChannelForm, at: Option<&Cursor>) -> NextFrame {
        let mut inner = self.lock();
        let Inner { state, frames } = &mut *inner;
        let Some(newest) = state.cursor() else { return NextFrame::Nothing };
        let from = match at {
            None => FrameBase::Nothing,
            Some(at) if at.epoch == newest.epoch => FrameBase::Seq(at.seq),
            Some(_) => FrameBase::OtherEpoch,
        };
        let key = (from, form);
        if let Some(made) = frames.get(&key) {
            return made.clone();
        }
        let made = match state.next(symbol, at, form.min_usd) {
            NextMessage::Nothing => return NextFrame::Nothing,
            NextMessage::Advance(cursor) => NextFrame::Advance(cursor),
            NextMessage::Message(message) => {
                let bytes = match form.encoding {
                    Encoding::Events => {
                        let position = (!form.has_id).then(|| message.at.to_string());
                        frame::event(self.channel.name(), position.as_deref(), &message.payload)
                    }
                    Encoding::Json | Encoding::Binary => {
                        let shared = if form.has_id { &message.payload[1..] } else { &message.payload[..] };
                        frame::state(shared, Encoding::Json, form.deflate)
                    }
                };
                NextFrame::Frame(bytes, message.at)
            }
        };
        if frames.len() < Self::FRAMES_KEPT {
            frames.insert(key, made.clone());
        }
        made
    }

    /// A panic inside means a broken invariant, which tests must find; sessions go on with the last value.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
