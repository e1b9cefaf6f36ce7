//! From stored rows to the newest view of every ledger.

mod bars;
mod ledger_engine;
mod schedule;
mod updater;

pub(crate) use bars::{BarReader, BarVisitor, LedgerRun};
pub(crate) use ledger_engine::{EngineParts, ledger_before, whole_usd};
pub(crate) use updater::{OnDemand, Updater, UpdaterSettings};
