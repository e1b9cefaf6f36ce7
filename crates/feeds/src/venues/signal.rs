//! What a frame says, and why one was not understood.

use liqheat_market::{DecimalError, Event, UnixMs};
use liqheat_measured::Address;

use super::{OrderReport, StreamKind};

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Something happened to the contract at this index of the table.
    Event {
        /// Index in the [`ContractTable`](super::ContractTable).
        contract: usize,
        /// What happened.
        event: Event,
        /// When the venue sent it, by its clock, where the frame says so.
        sent: Option<UnixMs>,
    },
    /// A liquidation order of the contract at this index was filled, by a part or to its end. How much of that is new is
    /// known to whoever has heard its earlier reports, over whichever connection.
    Order {
        /// Index in the [`ContractTable`](super::ContractTable).
        contract: usize,
        /// What the order has filled so far.
        report: OrderReport,
        /// When the venue sent it, by its clock, where the frame says so.
        sent: Option<UnixMs>,
    },
    /// A stream of a contract spoke without bringing an event (a kline that is not closed, an unchanged
    /// ticker): it lives.
    Alive {
        /// Index in the [`ContractTable`](super::ContractTable).
        contract: usize,
        /// Which stream.
        stream: StreamKind,
        /// When the venue sent it, where the frame says so.
        sent: Option<UnixMs>,
    },
    /// Accounts that traded, where they are wanted ([`ContractTable::with_traders`](super::ContractTable::with_traders)).
    Traders(Vec<Address>),
    /// A row of the frame that was not accepted; the rows beside it were.
    Rejected(RejectedSignal),
    /// A subscription was acknowledged. That proves nothing yet: only data does.
    Acknowledged,
    /// The venue refused a request on the socket, in its words.
    Refused(String),
    /// The answer to a ping of ours.
    Pong,
    /// The venue asks to be left soon, in its words; a new connection is opened first.
    Leaving(String),
}

/// A row of a frame that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedSignal {
    /// Index in the [`ContractTable`](super::ContractTable); `None` when the row does not say readably whose it is.
    pub contract: Option<usize>,
    /// Which stream it belongs to.
    pub stream: StreamKind,
    /// When it happened, by the venue's clock, where that can be read: a kline's open time.
    pub time: Option<UnixMs>,
    /// Whether an event was made of the rest of the row, without the field that `error` names. Then nothing is missing but
    /// that field.
    pub is_partial: bool,
    /// What is wrong with it.
    pub error: FrameError,
}

/// Why a frame or an answer was not understood. Says what, so that a line of the log is enough to act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not JSON, or not of the form it should have.
    #[error("not a message of this venue: {0}")]
    Form(String),
    /// Not a number, or out of range.
    #[error("field {field}: {error}")]
    Number {
        /// Name of the field on the wire.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// A value that cannot be.
    #[error("field {field}: '{found}' is not {expected}")]
    Value {
        /// Name of the field on the wire.
        field: &'static str,
        /// What was found, cut.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The venue answered with an error of its own.
    #[error("the venue says: {0}")]
    Venue(String),
}
