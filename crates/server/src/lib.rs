//! The server: HTTP and WebSocket front, the updater that moves the boards, supervision and shutdown.
//!
//! Only this crate knows HTTP, and only here do the parts meet: store, model, stream.

mod addresses;
mod aggregate;
mod app;
mod bars;
mod clock;
mod cluster;
mod engine;
mod feed;
mod front;
mod history;
mod http;
mod live;
mod metrics;
mod packed;
mod process;
mod run;
mod schedule;
mod served;
mod settings;
mod standing;
mod symbol;
mod tokens;
mod updater;

pub use addresses::AddressLimits;
pub use app::App;
pub use clock::{MarketClock, PlayedClock};
pub use feed::SimFeed;
pub use live::{Live, describe_tiers, keep_told_tiers, told_tiers_path};
pub use metrics::{FrontMetrics, Rejected, UpdateMetrics};
pub use packed::pack;
pub use process::log_lines_dropped;
pub use run::{ServeError, Server, Source, Stopped};
pub use settings::{FrontSettings, ServerSettings, SocketSettings};
pub use symbol::{LedgerView, Market, Part, ServedSymbol, SymbolView};
pub use tokens::{Secret, TokenSettings, TokenSettingsError};
