//! The same answers in the formats of other services, for programs that were written against those.
//!
//! Every format is a folder: the shapes as the other service defines them, pure functions that fill them from the
//! published state or from stored rows, and thin handlers. They are read only, and behind the tokens, turns and caches
//! of the routes of our own.

pub(super) mod coinglass;
pub(super) mod mcp;
mod names;
pub(super) mod openbb;
pub(super) mod udf;

use std::sync::Arc;
use std::time::Duration;

use super::claims;
use super::parts::ModelState;
use super::reading::JsonBody;
use crate::http::SingleFlight;

/// How long an answer that takes a run of the model is given again.
const KEPT_FOR: Duration = Duration::from_secs(5);
const ENTRIES_MAX: usize = 32;
const BYTES_MAX: usize = 64 << 20;

/// Shared answers that take a run of the model.
pub(crate) type FormatFlights = SingleFlight<FormatKey, JsonBody>;

/// What answers that take a run of the model are made with.
#[derive(Clone)]
pub(super) struct FormatState {
    pub(super) model: ModelState,
    pub(super) flights: Arc<FormatFlights>,
}

/// Everything that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FormatKey {
    /// The route and the words of its parameters.
    request: String,
    /// Name of the served symbol; empty for all that a token may read.
    symbol: String,
    accepts_gzip: bool,
}

pub(crate) fn flights() -> FormatFlights {
    FormatFlights::new(KEPT_FOR, ENTRIES_MAX, BYTES_MAX)
}
