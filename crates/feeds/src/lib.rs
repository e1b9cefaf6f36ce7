//! Sources of market events: archive files, the simulated market, and live venues.
//!
//! Only this crate knows the formats of venues. It hands out [`liqheat_market::Event`]s and knows nothing of
//! the database they land in.

pub mod archive;
pub mod live;
pub mod raw;
pub mod sim;
pub mod tiers;
pub mod venues;
