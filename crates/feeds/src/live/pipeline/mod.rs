//! Validation and ordering of events, pure: what is implausible is refused, what came before is dropped, what is missing
//! is remembered. A recording runs through the same code.

mod gate;
mod liquidations;
mod mark_klines;
mod origin;
mod outbox;
mod plausible;
mod sequence;

pub(crate) use gate::StreamEvent;
pub use gate::{EventGate, GateVerdict};
pub(super) use gate::{Loss, LostRange, Reach, Series};
pub use origin::Origin;
pub(super) use outbox::Outbox;
