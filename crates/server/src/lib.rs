//! The server: HTTP and WebSocket front, the updater that moves the published states, supervision and shutdown.
//!
//! Only this crate knows HTTP, and only here do store, model and stream meet. A module uses only modules above it:
//!
//! ```text
//! catalog                           what is served
//! ingest                            rows are stored: live venues, simulated market, files
//! published                         the live state of each symbol
//! engine                            ledgers are advanced
//! accuracy, compact, history        the running score; walls and maps, pure; the past, computed on request
//! expected, measured, alerts        boards of the expected view; real positions; watches and their deliveries
//! channels, cluster                 prices, liquidations and walls for subscribers; the symbol list of a cluster
//! gateway, api                      connections, sockets, tokens; routes
//! ```
//!
//! `clock`, `compute`, `http`, `ops`, `reads`, `reload`, `settings` and `traces` support them. [`run`](Server) wires them
//! and is the only module that knows all.

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

mod accuracy;
mod alerts;
mod api;
mod catalog;
mod channels;
mod clock;
mod cluster;
mod compact;
mod compute;
mod engine;
mod expected;
mod gateway;
mod history;
mod http;
mod ingest;
mod measured;
mod ops;
mod published;
mod reads;
mod reload;
mod run;
mod settings;
mod traces;

pub use alerts::{AlertReplay, AlertSettings, SendError, replay_alerts, send_once};
pub use clock::{MarketClock, PlayedClock};
pub use gateway::{AddressLimits, FrontSettings, Secret, TokenSettings, TokenSettingsError};
pub use gateway::{AllowedHost, AllowedOrigin, Host, WebOrigin, WebOriginError};
pub use history::pack;
pub use ingest::files::{FileKind, LoadError, LoadedFile, RowSink, SourceFile, load_file};
pub use ingest::live::{describe_tiers, keep_venue_tiers, venue_tiers_path};
pub use measured::MeasuredSettings;
pub use ops::process::log_lines_dropped;
pub use reload::Reload;
pub use run::{ServeError, Server, ServerEnd, Source};
pub use settings::{ServerSettings, SocketSettings};
pub use traces::{CollectorUrl, CollectorUrlError, TraceSettings};
#[cfg(feature = "otlp")]
pub use traces::{SpanExport, SpanExportError, SpanLayer};
