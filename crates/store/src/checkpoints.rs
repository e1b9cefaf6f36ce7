//! States of the ledger, so that a restart continues near the end instead of replaying everything.
//!
//! A checkpoint is only as good as the rows it has seen: appending rows for a time it covers deletes it
//! (`append.rs`), so a stored one always equals a replay of what is stored.

use duckdb::params;
use liqheat_market::{Instrument, Interval, UnixMs};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{of, read_first};

/// A state of the ledger, opaque to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Close of the last bar in it.
    pub time: UnixMs,
    /// Of the parameters it was computed with: a state of other parameters is of no use.
    pub fingerprint: u64,
    /// The state, as the ledger encodes it.
    pub state: Vec<u8>,
}

/// Keeps a state.
pub(crate) struct PutCheckpoint {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) checkpoint: Checkpoint,
}

impl Command for PutCheckpoint {
    type Answer = ();
    const NAME: &'static str = "put checkpoint";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let Checkpoint { time, fingerprint, state } = self.checkpoint;
        let transaction = database.connection.unchecked_transaction()?;
        let same = format!(
            "{} AND interval_ms = {} AND fingerprint = {fingerprint} AND time = {}",
            of(&self.instrument),
            self.interval.ms(),
            time.0,
        );
        transaction.execute_batch(&format!("DELETE FROM checkpoints WHERE {same}"))?;
        transaction.execute(
            "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)",
            params![
                self.instrument.venue.name(),
                self.instrument.symbol.as_str(),
                self.interval.ms(),
                fingerprint,
                time.0,
                state
            ],
        )?;
        transaction.commit()?;
        Ok(())
    }
}

/// The newest fitting state.
pub(crate) struct LatestCheckpoint {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) fingerprint: u64,
    pub(crate) not_after: UnixMs,
}

impl Command for LatestCheckpoint {
    type Answer = Option<Checkpoint>;
    const NAME: &'static str = "latest checkpoint";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT time, fingerprint, state FROM checkpoints
             WHERE {} AND interval_ms = {} AND fingerprint = {} AND time <= {} ORDER BY time DESC",
            of(&self.instrument),
            self.interval.ms(),
            self.fingerprint,
            self.not_after.0,
        );
        read_first(&database.connection, &sql, |row| {
            Ok(Checkpoint {
                time: row.time(0)?,
                fingerprint: row.unsigned(1)?,
                state: row.bytes(2)?.to_vec(),
            })
        })
    }
}

/// Deletes all but the newest states.
pub(crate) struct PruneCheckpoints {
    pub(crate) instrument: Instrument,
    pub(crate) keep: usize,
}

impl Command for PruneCheckpoints {
    type Answer = u64;
    const NAME: &'static str = "prune checkpoints";

    fn run(self, database: &Database) -> Result<u64, CommandError> {
        let key = of(&self.instrument);
        let sql = format!(
            "DELETE FROM checkpoints WHERE {key} AND (interval_ms, fingerprint, time) IN (
                 SELECT (interval_ms, fingerprint, time) FROM checkpoints WHERE {key}
                 QUALIFY row_number() OVER (PARTITION BY interval_ms, fingerprint ORDER BY time DESC) > {})",
            self.keep,
        );
        Ok(database.connection.execute(&sql, [])? as u64)
    }
}
