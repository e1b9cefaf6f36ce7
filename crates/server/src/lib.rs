//! The server: HTTP and WebSocket front, the updater that moves the published states, supervision and shutdown.
//!
//! Only this crate knows HTTP, and only here do store, model and stream meet. Data goes through its modules in one
//! line, and none of them imports a later one:
//!
//! ```text
//! catalog -> ingest -> published <- engine       what is served; rows come in; ledgers move; the live truth
//!                          |
//!                history   v                     the past, computed on request
//!                   \---> api, gateway           routes; connections, sockets, tokens
//!                          ^
//!         compact, alerts ─┘                     walls and maps, pure; watches and what they send
//! ```
//!
//! [`run`](Server) wires them and is the only module that knows all.

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
pub use gateway::{AddressLimits, Secret, TokenSettings, TokenSettingsError};
pub use gateway::{AllowedHost, AllowedOrigin, Host, WebOrigin, WebOriginError};
pub use history::pack;
pub use ingest::files::{FileKind, LoadError, LoadedFile, RowSink, SourceFile, load_file};
pub use ingest::live::{describe_tiers, keep_venue_tiers, venue_tiers_path};
pub use measured::MeasuredSettings;
pub use ops::process::log_lines_dropped;
pub use reload::Reload;
pub use run::{ServeError, Server, ServerEnd, Source};
pub use settings::{FrontSettings, ServerSettings, SocketSettings};
pub use traces::{CollectorUrl, CollectorUrlError, TraceSettings};
#[cfg(feature = "otlp")]
pub use traces::{SpanExport, SpanExportError, SpanLayer};
