//! Where a table of margin tiers comes from.

use std::fmt;

/// Where a table comes from; of several for an instrument the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TierOrigin {
    /// It came with the program.
    Shipped,
    /// It was requested from the venue.
    Venue,
    /// It was used when what is played was recorded.
    Recorded,
    /// Somebody gave it in a file.
    Given,
}

impl fmt::Display for TierOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shipped => "shipped with the program",
            Self::Venue => "from the venue",
            Self::Recorded => "as used when it was recorded",
            Self::Given => "given by --tiers",
        })
    }
}

impl TierOrigin {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Shipped, Self::Venue, Self::Recorded, Self::Given];

    /// Its name in recordings, which must stay readable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Venue => "venue",
            Self::Recorded => "recorded",
            Self::Given => "given",
        }
    }

    /// The origin of that name, or of the name that earlier recordings have; `None` when it is neither.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const VENUE_BEFORE: &str = "told";
        let known = Self::ALL.into_iter().find(|origin| origin.name() == name);
        known.or_else(|| (name == VENUE_BEFORE).then_some(Self::Venue))
    }
}
