//! How a source of market data is, in one word.

/// State of a stream, of a venue, or of a venue's contract: the same words in the connectors, `/ready`, the statistics, status
/// messages and the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SourceState {
    /// Nothing came yet.
    #[default]
    Connecting,
    /// Data comes as it should.
    Live,
    /// Data comes, but late: it was sent a while before it arrived.
    Lagging,
    /// It was live and is silent for longer than it should be.
    Stale,
    /// The venue cannot be reached, or refuses.
    Down,
    /// The venue does not list the contract, which therefore is no part of the sum.
    Unlisted,
}

impl SourceState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Connecting, Self::Live, Self::Lagging, Self::Stale, Self::Down, Self::Unlisted];

    /// As it is written in messages, reports and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Lagging => "lagging",
            Self::Stale => "stale",
            Self::Down => "down",
            Self::Unlisted => "unlisted",
        }
    }

    /// Whether data comes, late or not.
    #[must_use]
    pub const fn brings_data(self) -> bool {
        matches!(self, Self::Live | Self::Lagging)
    }

    /// Whether the venue lists the contract, as far as is known.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        !matches!(self, Self::Unlisted)
    }
}
