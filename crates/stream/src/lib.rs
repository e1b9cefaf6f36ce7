//! Versioned state and the sessions that carry it to clients.
//!
//! A [`Board`] holds the newest state of one symbol; each change gets the next `seq`. A session remembers for
//! each subscription only which `seq` its client has, and whenever its socket can take more, it sends what
//! leads from there to the newest state. Nothing is ever queued per client but the frame being written, so a
//! slow client skips states and never sees old ones. This crate knows nothing of exchanges, models or HTTP.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files"))]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

mod access;
mod board;
mod broadcast;
mod budget;
mod channel;
mod channel_subscription;
mod connection;
mod core;
mod credit;
mod cursor;
mod deflate;
mod encode;
mod end;
mod event_ids;
mod event_stream;
mod followers;
mod frame;
mod frames;
mod hub;
mod metrics;
mod outbox;
mod reader;
mod serve;
mod session;
mod sessions;
mod settings;
mod slot;
mod status_due;
#[cfg(test)]
mod stress;
mod subscription;
mod topic;
mod view;
mod window;

pub use access::{Access, Grant, RenewTokens};
pub use board::{Board, BoardStep, BoardUpdate, Counters, Misfit, RemoteState};
pub use channel::{ChannelChange, ChannelContent, ChannelKind, ChannelRow, ROWS_KEPT};
pub use connection::Connection;
pub use deflate::{InflateError, deflate, inflate};
pub use event_ids::parse_event_id;
pub use event_stream::EventStream;
pub use hub::{Hub, HubSettings};
pub use metrics::{Encoding, OfConnection, StreamMetrics};
pub use reader::{ClientMessage, FrameReader, ReadError};
pub use serve::{serve_events, serve_socket};
pub use sessions::{ConnectionPermit, Sessions};
pub use settings::SessionSettings;
pub use slot::{BoardSlot, FeedStatus, SourceStatus, StateMessage};
pub use view::{ChangedLevel, View, ViewError};
