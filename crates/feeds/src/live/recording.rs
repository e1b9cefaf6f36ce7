//! The interface to whoever records what venues send.

use liqheat_market::{Symbol, TierTable, UnixMs, Venue};

use crate::tiers::TierOrigin;
use crate::venues::{Contract, RestQuery};

/// What a raw record is about.
#[derive(Debug, Clone, PartialEq)]
pub enum RawKind {
    /// A connection was opened for these contracts; its frames follow.
    Opened {
        /// Number of the connection, unique for a venue while the process runs; [`RawKind::FOLLOWED`] in a record that
        /// lists the followed contracts.
        connection: u64,
        /// Its contracts in their order, with names and sizes: without them frames and answers cannot be understood.
        contracts: Vec<Contract>,
    },
    /// A text frame.
    Frame {
        /// Of which connection.
        connection: u64,
    },
    /// An answer of the REST interface.
    Answer {
        /// About which contract.
        symbol: Symbol,
        /// To which query.
        query: RestQuery,
    },
    /// The margin tiers of a contract from here on, and before: a ledger with another table is computed again from its
    /// first bar, so the last one counts for all.
    Tiers {
        /// Of which contract.
        symbol: Symbol,
        /// Where they came from.
        origin: TierOrigin,
        /// The table.
        table: TierTable,
    },
}

impl RawKind {
    /// Not a connection: the record lists all contracts that are followed at the venue.
    pub const FOLLOWED: u64 = 0;
}

/// Keeps raw frames. Called on the tasks that read sockets: it must return at once; what it cannot take it drops and
/// counts.
pub trait Recorder: Send + Sync + std::fmt::Debug {
    /// Takes a frame or an answer as it came, with the market time of its arrival.
    fn record(&self, venue: Venue, received: UnixMs, kind: &RawKind, bytes: &[u8]);
}
