//! A level as the socket and HTTP write it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::Decimal;

/// One level of a state on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LevelMessage {
    /// Lower edge of the bin.
    pub price: Decimal,
    /// Whole USD of longs.
    pub long_density: u64,
    /// Whole USD of shorts.
    pub short_density: u64,
}
