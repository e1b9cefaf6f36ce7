//! Looking after the file: deleting what is too old, writing the log into it, counting.

#![expect(clippy::disallowed_methods, reason = "asks how large a file is")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use liqheat_market::{Instrument, UnixMs};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::log_file::log_of;
use crate::rows::{of, read_first};
use crate::schema::TABLES;
use crate::{Location, Retention};

/// Rows deleted, by table; tables that lost none are skipped.
pub type DeletedRows = BTreeMap<&'static str, u64>;

/// Deletes rows older than they are kept.
pub(crate) struct ApplyRetention {
    pub(crate) instrument: Instrument,
    pub(crate) as_of: UnixMs,
    pub(crate) retention: Retention,
}

impl Command for ApplyRetention {
    type Answer = DeletedRows;
    const NAME: &'static str = "retention";

    fn run(self, database: &Database) -> Result<DeletedRows, CommandError> {
        let keep = &self.retention;
        // A kline is as old as its end.
        let rules: [(&'static str, &str, Option<Duration>); 7] = [
            ("klines", "open_time + interval_ms", keep.klines),
            ("trades", "time", keep.trades),
            ("mark_prices", "time", keep.mark_prices),
            ("open_interest", "time", keep.open_interest),
            ("funding", "time", keep.funding),
            ("liquidations", "time", keep.liquidations),
            ("measured_layers", "time", keep.measured),
        ];
        let key = of(&self.instrument);
        let mut deleted = DeletedRows::new();
        let transaction = database.connection.unchecked_transaction()?;
        for (table, time, kept) in rules {
            let Some(kept) = kept else { continue };
            let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
            let oldest = self.as_of.plus(kept_ms.saturating_neg()).0;
            let rows =
                transaction.execute(&format!("DELETE FROM {table} WHERE {key} AND {time} < {oldest}"), [])?;
            if rows > 0 {
                deleted.insert(table, rows as u64);
            }
        }
        transaction.commit()?;
        if !deleted.is_empty() {
            // Only this gives the room back, to later rows of the same file.
            database.connection.execute_batch("CHECKPOINT")?;
        }
        Ok(deleted)
    }
}

/// Moves the write-ahead log into the file.
pub(crate) struct Flush;

impl Command for Flush {
    type Answer = ();
    const NAME: &'static str = "flush";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        Ok(database.connection.execute_batch("CHECKPOINT")?)
    }
}

/// How much is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Rows by table, all tables.
    pub rows: BTreeMap<&'static str, u64>,
    /// Bytes of the file; 0 in memory.
    pub file_bytes: u64,
    /// Bytes of the write-ahead log beside it.
    pub log_bytes: u64,
}

/// Counts.
pub(crate) struct StatsOf;

impl Command for StatsOf {
    type Answer = Stats;
    const NAME: &'static str = "stats";

    fn run(self, database: &Database) -> Result<Stats, CommandError> {
        let mut rows = BTreeMap::new();
        for table in TABLES {
            let sql = format!("SELECT count(*) FROM {table}");
            let count = read_first(&database.connection, &sql, |row| row.whole(0))?;
            rows.insert(table, count.unwrap_or_default().unsigned_abs());
        }
        let (file_bytes, log_bytes) = match &database.location {
            Location::File(path) => (bytes_of(path), bytes_of(&log_of(path))),
            Location::Memory => (0, 0),
        };
        Ok(Stats { rows, file_bytes, log_bytes })
    }
}

fn bytes_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
