//! How complete a venue's feed of liquidations is.

use liqheat_market::Venue;

/// What a venue's feed of liquidations tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiquidationFeed {
    /// Its limit, for people.
    pub description: &'static str,
    /// It leaves out liquidations of busy moments, so sums of dollars are too low.
    pub is_throttled: bool,
}

impl LiquidationFeed {
    /// Of a venue.
    #[must_use]
    pub const fn of(venue: Venue) -> Self {
        let (description, is_throttled) = match venue {
            Venue::Binance => ("at most one liquidation a second and symbol", true),
            Venue::Okx => ("at most one liquidation a second and contract", true),
            Venue::Bybit => ("all liquidations since 2025-02; at most one a second and symbol before", false),
            Venue::Hyperliquid => ("liquidations of followed addresses only", true),
            Venue::Sim => ("all liquidations", false),
        };
        Self { description, is_throttled }
    }
}
