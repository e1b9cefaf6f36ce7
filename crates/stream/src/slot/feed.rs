//! How the data of a symbol stands: its state, that of every venue behind it, and the frame that says so.

use bytes::Bytes;
use liqheat_market::{SourceState, UnixMs};
use liqheat_wire::{FeedState, ServerMessage, SourceMessage, format_time};

use super::BoardSlot;
use crate::board::Board;
use crate::frame;

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

impl BoardSlot {
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
    pub(super) fn notify_topics(&self) {
        self.topics
            .iter()
            .filter(|topic| topic.followers().count() > 0)
            .for_each(|topic| topic.followers().notify());
    }

    /// Whether there are venues to tell of.
    pub(crate) fn has_sources(&self) -> bool {
        !self.lock().sources.is_empty()
    }

    /// Rises when the state of the feed or of a venue changes.
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
}
