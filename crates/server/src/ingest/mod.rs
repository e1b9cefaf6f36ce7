//! Where stored rows come from while the server runs: live venues, or the simulated market.

pub(crate) mod live;
mod sim;

pub(crate) use sim::SimFeed;
