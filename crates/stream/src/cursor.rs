//! The position of a client in the run of states of a board or a channel.

use std::fmt;
use std::sync::Arc;

use liqheat_wire::Position;

/// Where a client is: a state it has. As [`Position`], but cheap to compare and to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) epoch: Arc<str>,
    pub(crate) seq: u64,
}

impl From<Position> for Cursor {
    fn from(position: Position) -> Self {
        Self { epoch: position.epoch.into(), seq: position.seq }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}
