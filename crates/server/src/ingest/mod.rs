//! Where stored rows come from while the server runs: live venues, the simulated market, or files.

pub(crate) mod files;
pub(crate) mod live;
mod sim;

pub(crate) use sim::SimFeed;
