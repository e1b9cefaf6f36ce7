//! Requests of the node to Redis, and the replies.

use std::time::Duration;

use liqheat_market::UnixMs;
use liqheat_stream::{Board, Misfit, RemoteState};
use liqheat_wire::FeedState;
use tokio::time::Instant;

use crate::election::{LeaseAnswer, LeaseRequest};
use crate::group::Group;

/// The time, by both clocks: intervals are measured by the first, messages are stamped by the second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) wall: UnixMs,
}

impl Moment {
    pub(crate) fn since(&self, earlier: Instant) -> Duration {
        self.now.duration_since(earlier)
    }
}

/// Why Redis did not do what it was asked for, in its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestFailure(pub(crate) String);

/// What a read of states is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new producer decides how to continue.
    TakeOver,
    /// A replica lacks something.
    Resync,
}

/// One request; at most one is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Connect and subscribe.
    Open {
        symbols: Vec<String>,
    },
    /// Subscribe over a new connection.
    Listen {
        symbols: Vec<String>,
    },
    /// Change the subscription.
    Subscribe {
        add: Vec<String>,
        remove: Vec<String>,
    },
    Lease(LeaseRequest),
    Publish {
        token: u64,
        publications: Vec<Publication>,
    },
    ReadStates {
        symbols: Vec<String>,
        purpose: Purpose,
    },
    WriteList {
        token: u64,
        list: Vec<u8>,
    },
    /// The symbol list, and the group.
    ReadList,
}

/// What Redis did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Opened,
    Listening,
    Subscribed,
    Lease(LeaseGrant),
    /// In the order of the publications.
    Published(Vec<PublishOutcome>),
    /// In the order of the symbols.
    States(Vec<StoredValue>),
    ListWritten(PublishOutcome),
    List(ListRead),
}

/// One message about one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) symbol: String,
    pub(crate) message: Vec<u8>,
    pub(crate) stored: KeptState,
}

/// What becomes of the stored state with a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeptState {
    /// It is replaced by this whole state.
    Write(Vec<u8>),
    /// It must be the one that was written last: of this length, with these first bytes.
    Expect { length: usize, head: Vec<u8> },
}

/// Result of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishOutcome {
    Published,
    /// There is a newer token.
    Fenced,
    /// The stored state is missing, or not the one that was written last; nothing was published.
    StateLost,
}

/// Answer to a lease request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaseGrant {
    pub(crate) answer: LeaseAnswer,
    /// What the servers of this prefix serve; `None` while there is no producer.
    pub(crate) group: Option<Group>,
    /// Keys with values that no server wrote.
    pub(crate) ignored: Vec<String>,
}

/// A value in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredValue {
    Missing,
    Bytes(Vec<u8>),
    /// Too large or of another type; why.
    Unusable(String),
}

/// The symbol list and the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListRead {
    pub(crate) list: StoredValue,
    pub(crate) group: Option<Group>,
}

/// The boards of this server, and the list of what is on them.
pub(crate) trait Host {
    /// A copy of the board of a symbol; `None` before its first state.
    fn board(&self, symbol: &str) -> Option<Board>;
    /// Applies a state. Returns whether clients see a difference.
    ///
    /// # Errors
    /// When it does not lead from the board's state; nothing has changed then.
    fn apply(&mut self, symbol: &str, state: &RemoteState, feed: FeedState) -> Result<bool, Misfit>;
    /// Sets the state of the feed without a new state of the board.
    fn set_feed_state(&mut self, symbol: &str, feed: FeedState);
    /// Serves one more symbol, with an empty board.
    fn add_symbol(&mut self, symbol: &str);
    /// Serves a symbol no longer.
    fn remove_symbol(&mut self, symbol: &str);
    /// Symbols are known from now on: others may be refused.
    fn set_symbols_known(&mut self);
    /// The list of what this server serves, as the producer.
    fn own_list(&self) -> Vec<u8>;
    /// Takes over the producer's list and returns the names in it.
    ///
    /// # Errors
    /// When it cannot be read, in words.
    fn adopt_list(&mut self, bytes: &[u8]) -> Result<Vec<String>, String>;
}
