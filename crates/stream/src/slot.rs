//! One symbol: its board, the frames of its newest state, and who follows it.
//!
//! `feed` holds how the data of the symbol stands, `states` makes the frames and messages of the board.

#![expect(clippy::disallowed_methods, reason = "the moment of a change, from which its delivery is timed")]

mod feed;
mod states;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use liqheat_market::{Price, UnixMs};
use liqheat_wire::{Channel, FeedState, ViewHorizon};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::board::{Board, BoardUpdate, Misfit, RemoteState};
use crate::channel::{ChannelChange, ChannelContent};
use crate::followers::{Follower, Followers, WakeSignals};
use crate::frames::Frames;
use crate::metrics::{StreamMetrics, SymbolMetrics};
use crate::topic::ChannelTopic;
use crate::view::{View, ViewError};

pub use feed::{FeedStatus, SourceStatus};
pub(crate) use states::NextState;
pub use states::StateMessage;

/// One symbol's board, its shared frames and its followers.
#[derive(Debug)]
pub struct BoardSlot {
    symbol: String,
    /// Locked while a state is taken in or a frame is made (about a millisecond at most), never across an
    /// await.
    inner: Mutex<Inner>,
    /// Ways in which the board is looked at, besides the whole, with the number of those who do. Locked for a
    /// few instructions.
    views: Mutex<HashMap<View, usize>>,
    followers: Followers,
    /// The channels beside the heatmap.
    topics: [ChannelTopic; Channel::BESIDE_HEATMAP.len()],
    /// Boards of the expected view, in the order of [`ViewHorizon::ALL`], where this server computes it.
    expected: OnceLock<[Arc<Self>; ViewHorizon::ALL.len()]>,
    /// Of a board of the expected view: its horizon, and who is notified when somebody follows what nobody followed.
    horizon: Option<(ViewHorizon, Arc<Notify>)>,
    pub(crate) metrics: SymbolMetrics,
}

#[derive(Debug)]
struct Inner {
    board: Option<Board>,
    changed: Instant,
    feed: FeedStatus,
    /// The venues behind it, where it is followed live.
    sources: Vec<SourceStatus>,
    /// Rises when a word in either changes.
    feed_change: u64,
    frames: Frames,
    /// The status message of now.
    status: Option<Bytes>,
}

impl BoardSlot {
    /// Different views of a symbol at once: each costs an encoding of its own with every change.
    const VIEWS_MAX: usize = 256;

    pub(crate) fn new(
        symbol: String,
        metrics: &StreamMetrics,
        wake_signals: &Arc<WakeSignals>,
        (run, wanted): (&Arc<str>, &Arc<Notify>),
    ) -> Self {
        let inner = Inner {
            board: None,
            changed: Instant::now(),
            feed: FeedStatus { state: FeedState::WarmingUp, as_of: None },
            sources: Vec::new(),
            feed_change: 0,
            frames: Frames::default(),
            status: None,
        };
        let topics = Channel::BESIDE_HEATMAP
            .map(|channel| ChannelTopic::new(channel, (run, wanted), metrics, wake_signals));
        let metrics = SymbolMetrics::new(metrics, &symbol);
        Self {
            symbol,
            inner: Mutex::new(inner),
            views: Mutex::default(),
            followers: Followers::new(wake_signals),
            topics,
            expected: OnceLock::new(),
            horizon: None,
            metrics,
        }
    }

    /// A board of the expected view.
    pub(crate) fn of_horizon(self, horizon: ViewHorizon, wanted: Arc<Notify>) -> Self {
        Self { horizon: Some((horizon, wanted)), ..self }
    }

    /// Gives it boards of the expected view, in the order of [`ViewHorizon::ALL`]. The first call counts.
    pub(crate) fn set_expected(&self, boards: [Arc<Self>; ViewHorizon::ALL.len()]) {
        let _ = self.expected.set(boards);
    }

    /// The board of the expected view with this horizon; `None` where this server does not compute it.
    #[must_use]
    pub fn expected(&self, horizon: ViewHorizon) -> Option<&Arc<Self>> {
        self.expected.get()?.iter().find(|board| board.expected_within() == Some(horizon))
    }

    /// All boards of the expected view.
    pub(crate) fn expected_boards(&self) -> &[Arc<Self>] {
        self.expected.get().map_or(&[], |boards| boards)
    }

    /// The horizon of a board of the expected view; `None` for that of open positions.
    fn expected_within(&self) -> Option<ViewHorizon> {
        self.horizon.as_ref().map(|(horizon, _)| *horizon)
    }

    /// The channels beside the heatmap.
    pub(crate) const fn topics(&self) -> &[ChannelTopic] {
        &self.topics
    }

    /// A channel beside the heatmap; `None` for the heatmap.
    pub(crate) fn topic(&self, channel: Channel) -> Option<&ChannelTopic> {
        self.topics.iter().find(|topic| topic.channel() == channel)
    }

    /// Publishes on a channel beside the heatmap, as the server that names the positions, and wakes its followers.
    /// Gives the change for other servers, or `None` where there is nothing new.
    pub fn publish_channel(
        &self,
        channel: Channel,
        as_of: UnixMs,
        content: ChannelContent,
    ) -> Option<ChannelChange> {
        self.topic(channel)?.publish(as_of, content)
    }

    /// Applies what another server published on a channel. Returns whether there is something new.
    pub fn apply_channel(&self, channel: Channel, change: ChannelChange) -> bool {
        self.topic(channel).is_some_and(|topic| topic.apply(change))
    }

    /// The newest value of a channel that this server publishes, for servers that have just begun to listen.
    #[must_use]
    pub fn channel_heartbeat(&self, channel: Channel) -> Option<ChannelChange> {
        self.topic(channel)?.heartbeat()
    }

    /// Number of subscriptions to a channel beside the heatmap now.
    #[must_use]
    pub fn channel_subscriptions(&self, channel: Channel) -> usize {
        self.topic(channel).map_or(0, |topic| topic.followers().count())
    }

    /// The symbol's name.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Takes the newest state and tells followers if it differs. Returns whether it did.
    pub fn publish(&self, update: BoardUpdate) -> bool {
        let changed = {
            let mut inner = self.lock();
            inner.feed.as_of = inner.feed.as_of.max(Some(update.as_of));
            inner.status = None;
            let changed = match &mut inner.board {
                Some(board) => board.apply(update),
                None => {
                    inner.board = Some(Board::new(update));
                    true
                }
            };
            if changed {
                inner.frames.clear();
                inner.changed = Instant::now();
            }
            changed
        };
        if changed {
            self.followers.notify();
        }
        changed
    }

    /// Applies a state of another server and the status of its data; followers are woken if there is
    /// something new. Returns whether the state was.
    ///
    /// # Errors
    /// When it does not follow on the board's state; nothing has changed then.
    pub fn take_remote(&self, state: &RemoteState, feed: FeedState) -> Result<bool, Misfit> {
        let (changed, feed_changed) = {
            let mut inner = self.lock();
            let changed = match &mut inner.board {
                Some(board) => board.take(state)?,
                none => {
                    *none = Some(Board::from_remote(state)?);
                    true
                }
            };
            let feed_changed = inner.feed.state != feed;
            let as_of = inner.feed.as_of.max(Some(state.as_of));
            inner.feed = FeedStatus { state: feed, as_of };
            inner.feed_change += u64::from(feed_changed);
            inner.status = None;
            if changed {
                inner.frames.clear();
                inner.changed = Instant::now();
            }
            (changed, feed_changed)
        };
        if changed || feed_changed {
            self.followers.notify();
        }
        if feed_changed {
            self.notify_topics();
        }
        Ok(changed)
    }

    /// Looks at the board; `None` before its first state.
    pub fn with_board<T>(&self, look: impl FnOnce(&Board) -> T) -> Option<T> {
        self.lock().board.as_ref().map(look)
    }

    /// Number of subscriptions now, to the expected view as well.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        let expected: usize = self.expected_boards().iter().map(|board| board.followers.count()).sum();
        self.followers.count() + expected
    }

    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }

    /// The form of a view that all who mean it share.
    ///
    /// # Errors
    /// When its levels are not made of whole levels of the board.
    pub fn view(&self, price_range: Option<(Price, Price)>, bin: Option<Price>) -> Result<View, ViewError> {
        let view = View { price_range, bin };
        let Some(base_bin) = self.with_board(Board::base_bin) else {
            return Ok(view);
        };
        match bin {
            Some(bin) if bin.units() % base_bin.units().max(1) != 0 => {
                Err(ViewError::NotAMultiple { symbol: self.symbol.clone(), base_bin })
            }
            _ => Ok(view.canonical(base_bin)),
        }
    }

    /// Begins to look at the board in a way of one's own.
    ///
    /// # Errors
    /// When there are too many different ones already.
    pub(crate) fn open_view(&self, view: View) -> Result<(), ViewError> {
        if view.is_whole() {
            return Ok(());
        }
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() >= Self::VIEWS_MAX && !views.contains_key(&view) {
            return Err(ViewError::TooMany { symbol: self.symbol.clone(), most: Self::VIEWS_MAX });
        }
        *views.entry(view).or_default() += 1;
        Ok(())
    }

    pub(crate) fn close_view(&self, view: View) {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = views.get_mut(&view) {
            *count -= 1;
            if *count == 0 {
                views.remove(&view);
            }
        }
    }

    pub(crate) fn join(&self, channel: Channel, follower: Arc<dyn Follower>) {
        match self.topic(channel) {
            Some(topic) => topic.join(follower),
            None => {
                self.followers.add(follower);
                self.metrics.subscriptions.inc();
                if let Some((_, wanted)) = &self.horizon {
                    wanted.notify_one();
                }
            }
        }
    }

    pub(crate) fn leave(&self, channel: Channel, id: u64) {
        match self.topic(channel) {
            Some(topic) => topic.leave(id),
            None => {
                if self.followers.remove(id) {
                    self.metrics.subscriptions.dec();
                }
            }
        }
    }

    /// When the board came to the state it has, and which one that is.
    pub(crate) fn last_change(&self) -> Option<(u64, Instant)> {
        let inner = self.lock();
        inner.board.as_ref().map(|board| (board.seq(), inner.changed))
    }

    /// A panic inside means a broken invariant of the board, which tests must find; sessions go on with the
    /// last state rather than dying one after the other.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
