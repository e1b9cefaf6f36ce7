//! Sockets to a venue.
//!
//! ```text
//! VenueTask ── ConnectionPool ──┬── ConnectionSupervisor ──┬── Connection (current)
//!     ▲                         │   decides: Supervision   └── Connection (successor, for a while)
//!     │                         └── ConnectionSupervisor ── ..
//!     └────────── ConnectionEvent (bounded channel) ◄──────────┘
//! ```
//!
//! A supervisor keeps some contracts connected without a break; the pool divides the contracts of the venue among
//! supervisors. [`Supervision`](supervision::Supervision), [`Liveness`](liveness::Liveness) and
//! [`ConnectLimit`](limit::ConnectLimit) decide and are pure; the others do what they say.

mod assignment;
mod limit;
mod liveness;
mod opening;
mod pool;
mod socket;
mod supervision;
mod supervisor;
mod tls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use liqheat_market::{Backoff, Event, UnixMs};
use liqheat_measured::Address;
use tokio::sync::mpsc;

use super::Recorder;
use super::clock::{Clock, ClockReading, Uptime};
use super::contract::ContractIndex;
use crate::venues::{Exchange, OrderReport, RejectedSignal, StreamKind, VenueLimits};
use limit::ConnectLimit;

pub(super) use pool::ConnectionPool;
pub use tls::config as tls_config;

/// Index of a supervisor within a venue's pool; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SupervisorIndex(pub(super) usize);

/// What the venue's task learns from its connections, in order for each of them.
#[derive(Debug)]
pub(super) enum ConnectionEvent {
    /// A connection is open and has brought nothing yet.
    Opened { supervisor: SupervisorIndex },
    /// Frames that arrived together.
    Frames { connection: u64, received: ClockReading, frames: u64, signals: Vec<StreamSignal> },
    /// A frame that was not understood.
    Malformed { reason: String, frame: String },
    /// Every contract has data, or some have had it for long enough.
    Proved { supervisor: SupervisorIndex },
    /// A connection ended, or could not be opened.
    Lost { supervisor: SupervisorIndex, reason: String, remaining: RemainingConnections },
    /// A successor took over from a connection that grew old.
    RolledOver,
}

/// Whether a supervisor still has a connection after it lost one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RemainingConnections {
    /// Another is open or being opened.
    Some,
    /// Its contracts have none.
    None,
}

/// What a frame said, with the contract by its index in the venue.
#[derive(Debug)]
pub(super) enum StreamSignal {
    /// Something happened.
    Event { contract: ContractIndex, event: Event, sent: Option<UnixMs> },
    /// A liquidation order was reported.
    Order { contract: ContractIndex, report: OrderReport, sent: Option<UnixMs> },
    /// A stream brought a message without an event.
    Alive { contract: ContractIndex, stream: StreamKind, sent: Option<UnixMs> },
    /// Accounts traded.
    Traders(Vec<Address>),
    /// A row of a frame was not accepted.
    Rejected { contract: Option<ContractIndex>, rejected: RejectedSignal },
    /// The venue refused a subscription, in its words.
    Refused(String),
}

/// What a supervisor is asked to do.
#[derive(Debug)]
pub(super) enum ConnectionCommand {
    /// A connection has brought data from its contracts.
    Proved(u64),
    /// Open a successor to this connection, or to the current one.
    Replace { connection: Option<u64>, reason: String },
}

/// What all connections of a venue share.
pub(super) struct ConnectionContext {
    pub(super) exchange: &'static Exchange,
    pub(super) limits: VenueLimits,
    pub(super) socket_base: String,
    pub(super) clock: Clock,
    pub(super) timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) recorder: Option<Arc<dyn Recorder>>,
    pub(super) events: mpsc::Sender<ConnectionEvent>,
    /// The next connection's number.
    numbers: AtomicU64,
    /// Locked for the length of a decision.
    connect_limit: Mutex<ConnectLimit>,
}

/// What a context is made of.
pub(super) struct ConnectionSettings {
    pub(super) exchange: &'static Exchange,
    pub(super) limits: VenueLimits,
    pub(super) socket_base: String,
    pub(super) clock: Clock,
    pub(super) timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) recorder: Option<Arc<dyn Recorder>>,
    pub(super) events: mpsc::Sender<ConnectionEvent>,
}

impl ConnectionContext {
    fn new(settings: ConnectionSettings) -> Self {
        let ConnectionSettings { exchange, limits, socket_base, clock, timeout, backoff, recorder, events } =
            settings;
        let connect_limit = Mutex::new(ConnectLimit::new(limits.connections_max, limits.new_connections));
        Self {
            exchange,
            limits,
            socket_base,
            clock,
            timeout,
            backoff,
            recorder,
            events,
            // 0 stands for no connection in recordings.
            numbers: AtomicU64::new(1),
            connect_limit,
        }
    }

    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a place among the venue's connections, or says when to ask again.
    fn connect(&self, now: Uptime) -> Result<(), Uptime> {
        self.connect_limit.lock().unwrap_or_else(PoisonError::into_inner).connect(now)
    }

    fn disconnected(&self) {
        self.connect_limit.lock().unwrap_or_else(PoisonError::into_inner).disconnected();
    }
}
