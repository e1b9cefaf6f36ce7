//! Versioned state and the sessions that carry it to clients.
//!
//! A [`Board`] holds the newest state of one symbol; each change gets the next `seq`. A session remembers for
//! each subscription only which `seq` its client has, and whenever its socket can take more, it sends what
//! leads from there to the newest state. Nothing is ever queued per client but the frame being written, so a
//! slow client skips states and never sees old ones. This crate knows nothing of exchanges, models or HTTP.

mod board;
mod frame;
mod hub;
mod outbox;
mod reader;
mod session;
mod stats;
mod subscription;

pub use board::{Board, BoardUpdate, Counters};
pub use hub::{BoardSlot, Hub, HubSettings, Standing, StateMessage};
pub use reader::{ClientMessage, FrameReader, ReadError};
pub use session::{Connection, Encoding, Place, SessionSettings, Sessions, serve_socket};
pub use stats::{StreamCounters, WindowCounter};
