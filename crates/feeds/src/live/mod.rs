//! Live ingestion: from sockets and requests to events in order, without gaps and without repeats where that can be had,
//! and with a report where it cannot.
//!
//! ```text
//! ConnectionPool ──events──► VenueTask ──deliveries──► whoever stores them
//!                            │ VenueState                    (bounded channel)
//! Rest ◄──requests────────── │  ├─ ContractListing   which contracts the venue lists
//!      ──pages─────────────► │  ├─ EventGate         which events count        (one per contract)
//!                            │  ├─ BackfillPlanner   what is requested when
//!                            │  ├─ Health, VenueClock
//!                            │  └─ Outbox            what is delivered in which order
//! ```
//!
//! One task per venue, the same for all venues. What venues send and allow is in [`crate::venues`]. Everything inside
//! `VenueState` is pure: it takes events and the time, and returns commands, which the task executes.

mod accounts;
mod backfill;
pub mod clock;
mod connection;
mod contract;
mod delivery;
mod feed;
mod health;
mod listing;
mod pipeline;
mod recording;
mod rejected;
mod settings;
mod sliding_window;
mod status;
mod tiers;
mod venue_clock;
mod venue_state;
mod venue_task;

pub use accounts::{AccountBudget, AccountClient, AccountFeed, AccountRequestError, AccountSettings};
pub use clock::Clock;
pub use connection::tls_config;
pub use delivery::{Delivery, Gap, GapCause, ResumePoint};
pub use feed::{DELIVERIES_WAITING, LiveFeed};
pub(crate) use pipeline::StreamEvent;
pub use pipeline::{EventGate, GateVerdict, Origin};
pub use recording::{RawKind, Recorder};
pub use settings::{LiveError, LiveSettings, VenueSettings};
pub use status::{LiveStatus, StreamStatus, VenueStatus};
pub use tiers::{TierFetchError, TierRounds, fetch_tiers};
pub use venue_clock::ClockHealth;
