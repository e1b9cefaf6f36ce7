//! What the planner decides.

use liqheat_market::UnixMs;

use super::task::BackfillRequest;
use crate::live::GapCause;
use crate::live::contract::ContractIndex;
use crate::venues::StreamKind;

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::live) enum BackfillCommand {
    /// Send this request.
    Fetch(BackfillRequest),
    /// Report data that cannot be had.
    Gap {
        contract: ContractIndex,
        stream: StreamKind,
        from: UnixMs,
        to: UnixMs,
        cause: GapCause,
        reason: String,
    },
    /// Report a filled stretch.
    Filled { contract: ContractIndex, stream: StreamKind, from: UnixMs, to: UnixMs, events: u64 },
    /// Report a row of an answer that was refused, or one of its fields.
    Refused { reason: String, row: String },
}
