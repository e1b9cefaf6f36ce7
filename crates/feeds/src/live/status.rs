//! The state of every source, as readers of `/ready`, the statistics and the metrics see it.

use liqheat_market::{SourceState, Symbol, UnixMs, Venue};

use super::venue_clock::ClockHealth;
use crate::venues::StreamKind;

/// One stream of one contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStatus {
    /// Of which contract.
    pub symbol: Symbol,
    /// Which stream.
    pub stream: StreamKind,
    /// How it is.
    pub state: SourceState,
    /// The newest moment it told of, by the venue's clock.
    pub as_of: Option<UnixMs>,
    /// Market time of its last message.
    pub heard: Option<UnixMs>,
    /// Events that came.
    pub events: u64,
}

/// A venue with everything that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueStatus {
    /// Which one.
    pub venue: Venue,
    /// The worst of its streams that must not be silent.
    pub state: SourceState,
    /// Every stream of every contract, in order of contracts.
    pub streams: Vec<StreamStatus>,
    /// Symbols that were asked for and that the venue does not have, or no more: nothing is followed of them until it has.
    pub unlisted: Vec<Symbol>,
    /// Connections that bring data now.
    pub connections: u32,
    /// Connections that were lost or could not be opened, and were tried again.
    pub reconnects: u64,
    /// Connections replaced because of their age.
    pub rollovers: u64,
    /// Frames that came.
    pub frames: u64,
    /// Frames that were not understood or could not be true.
    pub refused: u64,
    /// Events that came more than once and were dropped.
    pub repeated: u64,
    /// Gaps that were noticed and filled.
    pub holes_filled: u64,
    /// Stretches that could not be filled.
    pub gaps: u64,
    /// The venue's time minus local time in milliseconds; `None` until it is measured.
    pub skew_ms: Option<i64>,
    /// What the skew means, with the uncertainty of its measurement taken into account.
    pub clock: ClockHealth,
    /// The venue's time minus uptime.
    pub(super) clock_offset_ms: Option<i64>,
    /// Weight of requests used in the running minute, as the venue counts it.
    pub weight_used: u32,
    /// Weight allowed a minute.
    pub weight_limit: u32,
    /// No request before this moment: the venue asked for a pause.
    pub banned_until: Option<UnixMs>,
    /// Data of the past is still being fetched.
    pub filling: bool,
    /// The last thing that went wrong, in words.
    pub trouble: Option<String>,
}

impl VenueStatus {
    /// The venue has nothing of what was asked for.
    #[must_use]
    pub fn has_nothing(&self) -> bool {
        self.streams.is_empty() && !self.unlisted.is_empty()
    }

    /// Nothing happened yet.
    #[must_use]
    pub const fn new(venue: Venue) -> Self {
        Self {
            venue,
            state: SourceState::Connecting,
            streams: Vec::new(),
            unlisted: Vec::new(),
            connections: 0,
            reconnects: 0,
            rollovers: 0,
            frames: 0,
            refused: 0,
            repeated: 0,
            holes_filled: 0,
            gaps: 0,
            skew_ms: None,
            clock: ClockHealth::Ok,
            clock_offset_ms: None,
            weight_used: 0,
            weight_limit: 0,
            banned_until: None,
            filling: false,
            trouble: None,
        }
    }
}

/// Every venue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveStatus {
    /// In the order of the settings.
    pub venues: Vec<VenueStatus>,
}

impl LiveStatus {
    /// Replaces the status of a venue, by its index in the settings.
    pub(super) fn set(&mut self, index: usize, status: VenueStatus) {
        if let Some(own) = self.venues.get_mut(index) {
            *own = status;
        }
    }
}
