//! One symbol: its board, the frames of its newest state, and who follows it.

#![expect(clippy::disallowed_methods, reason = "the moment of a change, from which its delivery is timed")]

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use liqheat_market::{Price, SourceState, UnixMs};
use liqheat_wire::{
    Channel, ExpectedWithin, FeedState, Mode, Position, ServerMessage, SourceMessage, StateHash, format_time,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::board::{Board, BoardUpdate, Misfit, RemoteState};
use crate::broadcast::{Followers, WakeSignals};
use crate::channel::{ChannelChange, ChannelContent};
use crate::encode::encode;
use crate::frame;
use crate::frames::{FrameForm, Frames, StateFrame};
use crate::metrics::{Encoding, Kind, StreamMetrics, SymbolMetrics};
use crate::session::ClientSession;
use crate::topic::ChannelTopic;
use crate::view::{View, ViewError};

/// How a symbol's data stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedStatus {
    /// In a word.
    pub state: FeedState,
    /// Time of the newest market event, if there was one.
    pub as_of: Option<UnixMs>,
}

/// How one venue behind a symbol stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Which venue.
    pub venue: &'static str,
    /// How it is.
    pub state: SourceState,
    /// Time of its newest market event, if there was one.
    pub as_of: Option<UnixMs>,
}

/// Where a client is: a state it has. As [`Position`], but cheap to compare and to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) epoch: Arc<str>,
    pub(crate) seq: u64,
}

impl From<Position> for Cursor {
    fn from(position: Position) -> Self {
        Self { epoch: position.epoch.into(), seq: position.seq }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// A state or a difference, for those who ask instead of listening.
#[derive(Debug, Clone)]
pub struct StateMessage {
    /// A snapshot or delta message, without framing; shared with the frames of sockets.
    pub body: Bytes,
    /// Hash of the state it leads to.
    pub hash: StateHash,
    /// Whether the asker has that state already.
    pub up_to_date: bool,
}

/// A frame, and what it leads to.
#[derive(Debug, Clone)]
pub(crate) struct NextState {
    pub(crate) frame: StateFrame,
    pub(crate) at: Cursor,
    pub(crate) as_of: UnixMs,
    /// When the board came to this state.
    pub(crate) changed: Instant,
}

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
    /// Boards of the expected view, in the order of [`ExpectedWithin::ALL`], where this server computes it.
    expected: OnceLock<[Arc<Self>; ExpectedWithin::ALL.len()]>,
    /// Of a board of the expected view: its horizon, and who is notified when somebody follows what nobody followed.
    horizon: Option<(ExpectedWithin, Arc<Notify>)>,
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
    pub(crate) fn of_horizon(self, horizon: ExpectedWithin, wanted: Arc<Notify>) -> Self {
        Self { horizon: Some((horizon, wanted)), ..self }
    }

    /// Gives it boards of the expected view, in the order of [`ExpectedWithin::ALL`]. The first call counts.
    pub(crate) fn set_expected(&self, boards: [Arc<Self>; ExpectedWithin::ALL.len()]) {
        let _ = self.expected.set(boards);
    }

    /// The board of the expected view with this horizon; `None` where this server does not compute it.
    #[must_use]
    pub fn expected(&self, horizon: ExpectedWithin) -> Option<&Arc<Self>> {
        self.expected.get()?.iter().find(|board| board.expected_within() == Some(horizon))
    }

    /// All boards of the expected view.
    pub(crate) fn expected_boards(&self) -> &[Arc<Self>] {
        self.expected.get().map_or(&[], |boards| boards)
    }

    /// The horizon of a board of the expected view; `None` for that of open positions.
    fn expected_within(&self) -> Option<ExpectedWithin> {
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

    /// Sets the status of the data; followers are woken when it changed.
    pub fn set_feed(&self, state: FeedState, as_of: Option<UnixMs>) {
        self.change_feed(state, as_of, None);
    }

    /// As [`BoardSlot::set_feed`], with every venue behind it.
    pub fn set_feed_of(&self, state: FeedState, as_of: Option<UnixMs>, sources: Vec<SourceStatus>) {
        self.change_feed(state, as_of, Some(sources));
    }

    /// Sets the venues behind it, where another server sets the status.
    pub fn set_sources(&self, sources: Vec<SourceStatus>) {
        self.change_feed(self.feed().state, None, Some(sources));
    }

    fn change_feed(&self, state: FeedState, as_of: Option<UnixMs>, sources: Option<Vec<SourceStatus>>) {
        let words = |sources: &[SourceStatus]| -> Vec<_> {
            sources.iter().map(|source| (source.venue, source.state)).collect()
        };
        let changed = {
            let mut inner = self.lock();
            let sources = sources.unwrap_or_else(|| inner.sources.clone());
            let changed = inner.feed.state != state || words(&inner.sources) != words(&sources);
            inner.feed = FeedStatus { state, as_of: inner.feed.as_of.max(as_of) };
            inner.sources = sources;
            inner.feed_change += u64::from(changed);
            inner.status = None;
            changed
        };
        if changed {
            self.followers.notify();
            self.notify_topics();
        }
    }

    /// Wakes those who follow channels only, who want to know how the data stands as well.
    fn notify_topics(&self) {
        self.topics
            .iter()
            .filter(|topic| topic.followers().count() > 0)
            .for_each(|topic| topic.followers().notify());
    }

    /// Whether there are venues to tell of.
    pub(crate) fn has_sources(&self) -> bool {
        !self.lock().sources.is_empty()
    }

    /// Rises when a word of the standing changes.
    pub(crate) fn feed_change(&self) -> u64 {
        self.lock().feed_change
    }

    /// The venues behind it, where it is followed live.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.lock().sources.clone()
    }

    /// How the data stands.
    #[must_use]
    pub fn feed(&self) -> FeedStatus {
        self.lock().feed
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

    pub(crate) fn join(&self, channel: Channel, line: &Arc<ClientSession>) {
        match self.topic(channel) {
            Some(topic) => topic.join(line),
            None => {
                self.followers.add(line);
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

    /// How many changes a client at this position lacks; `None` before the first state.
    pub(crate) fn missed(&self, at: Option<&Cursor>) -> Option<u64> {
        let inner = self.lock();
        let board = inner.board.as_ref()?;
        match at {
            Some(at) if at.epoch == *board.epoch() => Some(board.seq().abs_diff(at.seq)),
            _ => Some(1),
        }
    }

    /// The frame that leads from a position to the newest state; `None` before the first state, or when the
    /// client has it.
    pub(crate) fn next_state(&self, form: &FrameForm, at: Option<&Cursor>) -> Option<NextState> {
        let mut inner = self.lock();
        let Inner { board, frames, changed, .. } = &mut *inner;
        let board = board.as_ref()?;
        let from = at.filter(|at| at.epoch == *board.epoch()).map(|at| at.seq);
        if from == Some(board.seq()) {
            return None;
        }
        let leads_to = Cursor { epoch: Arc::clone(board.epoch()), seq: board.seq() };
        let (as_of, changed) = (board.as_of(), *changed);
        let key = (*form, from);
        if let Some(frame) = frames.get(&key) {
            return Some(NextState { frame: frame.clone(), at: leads_to, as_of, changed });
        }
        let update = board.update_for(&form.view, form.mode, from);
        let kind = if update.from.is_some() { Kind::Delta } else { Kind::Snapshot };
        let payload = encode(&self.symbol, self.expected_within(), &update, form.encoding);
        let bytes = match form.encoding {
            Encoding::Events => {
                let position = (!form.has_id).then(|| leads_to.to_string());
                frame::event(kind.name(), position.as_deref(), &payload)
            }
            Encoding::Json | Encoding::Binary => {
                let shared = if form.has_id { &payload[1..] } else { &payload[..] };
                frame::state(shared, form.encoding, form.deflate)
            }
        };
        let sizes = (payload.len(), bytes.len());
        let saved = frames.saved(form.encoding, kind, sizes, (update.cells.len(), board.levels()));
        let frame = StateFrame { bytes, kind, saved };
        self.metrics.made(kind, form.encoding);
        frames.keep(key, &frame);
        Some(NextState { frame, at: leads_to, as_of, changed })
    }

    /// The message (without framing) that leads from a position to the newest state: a delta where one will
    /// do, else a snapshot. `None` before the first state. It is the payload of the frame that sockets share, made once
    /// for all who ask from the same position; it is encoded while the board is not locked, because polling clients
    /// arrive together, just when sockets fail.
    #[must_use]
    pub fn message_since(
        &self,
        position: Option<&Position>,
        view: &View,
        encoding: Encoding,
    ) -> Option<StateMessage> {
        let form = FrameForm { view: *view, mode: Mode::Delta, encoding, deflate: false, has_id: false };
        let (key, update, hash, up_to_date) = {
            let inner = self.lock();
            let board = inner.board.as_ref()?;
            let here = position.filter(|position| *position.epoch == **board.epoch());
            let from = here.map(|position| position.seq);
            let up_to_date = from == Some(board.seq());
            let key = (form, from);
            if let Some(frame) = inner.frames.get(&key) {
                let hash = board.hash_of(view);
                return Some(StateMessage { body: frame::payload(&frame.bytes), hash, up_to_date });
            }
            let update = board.update_for(view, Mode::Delta, from);
            let hash = update.hash;
            (key, update, hash, up_to_date)
        };
        let kind = if update.from.is_some() { Kind::Delta } else { Kind::Snapshot };
        let payload = encode(&self.symbol, self.expected_within(), &update, encoding);
        let bytes = frame::state(&payload, encoding, false);
        let mut inner = self.lock();
        let Inner { board, frames, .. } = &mut *inner;
        let levels = match board {
            Some(board) if *board.epoch() == update.epoch && board.seq() == update.seq => {
                Some(board.levels())
            }
            _ => None,
        };
        if let Some(levels) = levels.filter(|_| !up_to_date) {
            let sizes = (payload.len(), bytes.len());
            let saved = frames.saved(encoding, kind, sizes, (update.cells.len(), levels));
            self.metrics.made(kind, encoding);
            frames.keep(key, &StateFrame { bytes: bytes.clone(), kind, saved });
        }
        Some(StateMessage { body: frame::payload(&bytes), hash, up_to_date })
    }

    /// The newest state as a JSON snapshot message (without framing).
    #[must_use]
    pub fn snapshot_json(&self) -> Option<Bytes> {
        self.message_since(None, &View::default(), Encoding::Json).map(|message| message.body)
    }

    /// A status message in a frame.
    pub(crate) fn status_frame(&self) -> Bytes {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let (feed, board, sources) = (inner.feed, &inner.board, &inner.sources);
        let made = inner.status.get_or_insert_with(|| {
            let as_of = feed.as_of.map(format_time);
            let source = |source: &SourceStatus| SourceMessage {
                venue: source.venue,
                state: source.state,
                as_of: source.as_of.map(format_time),
            };
            let sources: Vec<SourceMessage<'_>> = sources.iter().map(source).collect();
            let message = ServerMessage::Status {
                id: None,
                symbol: &self.symbol,
                state: feed.state,
                as_of: as_of.as_deref(),
                seq: board.as_ref().map_or(0, Board::seq),
                sources: &sources,
            };
            frame::text(&message.to_json())
        });
        made.clone()
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
mod tests {
    use super::*;

    #[test]
    fn polling_shares_the_frames_of_sockets_and_says_the_same() {
        let slot = BoardSlot::new(
            "BTCUSDT".into(),
            &StreamMetrics::default(),
            &WakeSignals::new(),
            (&"r".into(), &Arc::default()),
        );
        let at = Price::from_units;
        let state = |long_usd| BoardUpdate {
            epoch: "e".into(),
            cells: vec![liqheat_wire::Cell { price: at(10), long_usd, short_usd: 0 }],
            price: at(20),
            base_bin: at(10),
            as_of: UnixMs(long_usd as i64),
            counters: crate::Counters::default(),
        };
        assert!(slot.message_since(None, &View::default(), Encoding::Json).is_none(), "no state yet");
        slot.publish(state(1));
        slot.publish(state(2));
        let poll = |seq: Option<u64>| {
            let position = seq.map(|seq| Position { epoch: "e".into(), seq });
            slot.message_since(position.as_ref(), &View::default(), Encoding::Json).unwrap()
        };
        let form = FrameForm {
            view: View::default(),
            mode: Mode::Delta,
            encoding: Encoding::Json,
            deflate: false,
            has_id: false,
        };
        for seq in [None, Some(1)] {
            let first = poll(seq);
            let from = seq.map(|seq| Cursor { epoch: Arc::from("e"), seq });
            let socket = slot.next_state(&form, from.as_ref()).unwrap();
            assert_eq!(frame::payload(&socket.frame.bytes), first.body);
            let second = poll(seq);
            assert_eq!(second.body.as_ptr(), first.body.as_ptr(), "made once");
            assert_eq!((second.hash, second.up_to_date), (first.hash, false));
        }
        assert!(poll(Some(2)).up_to_date);
        slot.publish(state(3));
        let message: serde_json::Value = serde_json::from_slice(&poll(None).body).unwrap();
        assert_eq!(
            (message["seq"].as_u64(), message["data"]["levels"][0]["long_density"].as_u64()),
            (Some(3), Some(3))
        );
    }

    #[test]
    fn different_views_are_limited_and_given_back() {
        let slot = BoardSlot::new(
            "BTCUSDT".into(),
            &StreamMetrics::default(),
            &WakeSignals::new(),
            (&"r".into(), &Arc::default()),
        );
        let view =
            |low| View { price_range: Some((Price::from_units(low), Price::from_units(1_000))), bin: None };
        for low in 0..BoardSlot::VIEWS_MAX as i64 {
            assert_eq!(slot.open_view(view(low)), Ok(()));
        }
        assert_eq!(slot.open_view(view(3)), Ok(()), "many may share one");
        assert_eq!(slot.open_view(View::default()), Ok(()), "the whole is always there");
        let refused = slot.open_view(view(999)).unwrap_err();
        assert!(refused.to_string().contains("256 different ways"), "{refused}");
        slot.close_view(view(3));
        assert!(slot.open_view(view(999)).is_err(), "somebody else still looks at it");
        slot.close_view(view(3));
        assert_eq!(slot.open_view(view(999)), Ok(()));
    }
}
