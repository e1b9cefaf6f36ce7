//! How complete a venue's feed of liquidations is.

use liqheat_market::Venue;

/// How complete a venue's feed of liquidations is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiquidationFeed {
    /// Its limit, for people.
    pub description: &'static str,
    /// It omits liquidations of busy moments, so sums of dollars are too low.
    pub is_throttled: bool,
}

impl LiquidationFeed {
    /// The simulated market reports every one.
    const SIMULATED: Self = Self { description: "all liquidations", is_throttled: false };

    /// Of a venue.
    #[must_use]
    pub fn of(venue: Venue) -> Self {
        super::exchange(venue).map_or(Self::SIMULATED, |exchange| exchange.liquidation_feed)
    }
}
