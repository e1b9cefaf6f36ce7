//! The market's events on disk: the only crate that knows DuckDB.
//!
//! One named thread owns the database. Everybody else holds a [`Store`], a cheap handle that posts typed
//! commands into a bounded queue; each command carries a slot for its answer ([`PendingReply`]). When the queue is
//! full, whoever asks waits: nothing is dropped. A command that fails, or even panics, is an error for the one
//! who asked and a number in the [`StoreCounters`]; it ends neither the thread nor the process.
//!
//! Promises:
//! - **A batch is stored whole or not at all**, also when the process is killed in the middle.
//! - **Storing something twice changes nothing.** Every kind of event has a natural key; what is there already
//!   stays as it is. However a set of events is split into batches, in whatever order and how often, the tables
//!   end up with the same rows.
//! - **A checkpoint is never older than what it sums up:** rows that arrive later for a time it has seen delete it.
//! - Times are milliseconds since 1970 UTC, prices, quantities and rates whole numbers of 1e-8, as in
//!   `liqheat-market`. A missing value is NULL, never zero.
//!
//! Not here: files of exchanges (crate `feeds`), the clock (every read is given its end), any model.

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

pub mod baseline;

mod accounts;
mod accuracy;
mod alerts;
mod append;
mod bars;
mod batch;
mod catalog;
mod checkpoints;
mod columns;
mod command;
mod counters;
mod dirty;
mod error;
mod export;
mod gaps;
mod identity;
mod layers;
mod liquidations;
mod log_file;
mod open_interest;
mod opening;
mod owner;
mod parquet;
mod prices;
mod profiles;
mod readers;
mod reply;
mod rows;
mod schema;
mod settings;
mod store;
mod upkeep;

pub use accounts::AccountAddress;
pub use accuracy::{AccuracyHour, AccuracyState};
pub use alerts::{OutstandingDelivery, StoredAlert};
pub use append::AppendResult;
pub use batch::Batch;
pub use catalog::{InstrumentSpan, Reach};
pub use checkpoints::Checkpoint;
pub use counters::StoreCounters;
pub use dirty::DirtyRange;
pub use error::StoreError;
pub use export::{ColumnKind, ExportColumn, ExportError, ExportFormat, ExportTable, ExportValue};
pub use gaps::Fetchable;
pub use identity::FileState;
pub use layers::{LayerReach, StoredLayer, StoredLayerLevel, StoredLayerSide};
pub use liquidations::LiquidationTotals;
pub use parquet::{ParquetError, ParquetKline, read_parquet_klines};
pub use prices::{MarkRange, PricesNow};
pub use profiles::Profile;
pub use reply::PendingReply;
pub use schema::SCHEMA_VERSION;
pub use settings::{BATCH_ROWS_MAX, Location, QUERY_ROWS_MAX, Retention, Settings};
pub use store::Store;
pub use upkeep::{DeletedRows, Stats};
