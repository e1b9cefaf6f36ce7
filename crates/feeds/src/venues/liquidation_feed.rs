//! How complete a venue's feed of liquidations is.

/// How complete a venue's feed of liquidations is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiquidationFeed {
    /// Its limit, for people.
    pub description: &'static str,
    /// It omits liquidations of busy moments, so sums of dollars are too low.
    pub is_throttled: bool,
}
