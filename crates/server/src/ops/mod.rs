//! What operators look at: metrics, the process's limits, and whether the server is stopping.

pub(crate) mod metrics;
pub(crate) mod process;
pub(crate) mod stopping;
