//! The server: HTTP and WebSocket front, the updater that moves the boards, supervision and shutdown.
//!
//! Only this crate knows HTTP, and only here do the parts meet: store, model, stream.

mod app;
mod bars;
mod clock;
mod engine;
mod feed;
mod history;
mod http;
mod run;
mod settings;
mod symbol;
mod updater;

pub use app::{App, UpdateCounters};
pub use clock::{MarketClock, PlayedClock};
pub use feed::SimFeed;
pub use run::{ServeError, Server, Source, Stopped};
pub use settings::ServerSettings;
pub use symbol::{LedgerView, ServedSymbol};
