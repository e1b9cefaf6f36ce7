//! The running score: what was predicted for each hour, and what came of it. Both are opaque here.

use std::fmt::Write as _;

use duckdb::params;
use liqheat_market::{Instrument, UnixMs};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{Row, bad_row, of, read};

const TABLE: &str = "accuracy_hours";
const HOUR_MS: i64 = 3_600_000;
/// A prediction is needed until its hour is graded, and as the map of a day before by the hour a day later.
const PREDICTIONS_KEPT_MS: i64 = 48 * HOUR_MS;
/// Twice the longest period that is summarised: the fitted baselines learn from the hours before it.
const HOURS_KEPT_MS: i64 = 60 * 24 * HOUR_MS;

/// How far the grading of an hour is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccuracyState {
    /// What is predicted for it is kept; it has not ended or is not graded yet.
    Frozen,
    /// It was graded; the outcome.
    Graded(Vec<u8>),
    /// It cannot be graded; why, in words.
    Lost(String),
}

/// One hour of an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccuracyHour {
    /// When it began.
    pub start: UnixMs,
    /// Of the parameters of the map that is graded.
    pub fingerprint: u64,
    /// What was predicted when it began; `None` when nothing was, or two days later.
    pub prediction: Option<Vec<u8>>,
    /// How far it is.
    pub state: AccuracyState,
}

/// Keeps an hour, replacing one of the same start and fingerprint, and deletes what is too old to matter.
pub(crate) struct PutAccuracyHour {
    pub(crate) instrument: Instrument,
    pub(crate) hour: AccuracyHour,
}

impl Command for PutAccuracyHour {
    type Answer = ();
    const NAME: &'static str = "put hour of the running score";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let AccuracyHour { start, fingerprint, prediction, state } = self.hour;
        let (name, reason, outcome) = match state {
            AccuracyState::Frozen => ("frozen", None, None),
            AccuracyState::Graded(outcome) => ("graded", None, Some(outcome)),
            AccuracyState::Lost(reason) => ("lost", Some(reason), None),
        };
        let key = of(&self.instrument);
        let transaction = database.connection.unchecked_transaction()?;
        let mut outdated = format!(
            "DELETE FROM {TABLE} WHERE {key} AND (start < {} OR (start = {} AND fingerprint = {fingerprint}));",
            start.plus(-HOURS_KEPT_MS).0,
            start.0,
        );
        // Writing into a string cannot fail.
        let _ = write!(
            outdated,
            "UPDATE {TABLE} SET prediction = NULL WHERE {key} AND start < {} AND prediction IS NOT NULL",
            start.plus(-PREDICTIONS_KEPT_MS).0,
        );
        transaction.execute_batch(&outdated)?;
        transaction.execute(
            &format!("INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
            params![
                self.instrument.venue.name(),
                self.instrument.symbol.as_str(),
                start.0,
                fingerprint,
                name,
                reason,
                prediction,
                outcome
            ],
        )?;
        Ok(transaction.commit()?)
    }
}

/// Hours that began in a time, oldest first.
pub(crate) struct AccuracyHours {
    pub(crate) instrument: Instrument,
    pub(crate) fingerprint: u64,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for AccuracyHours {
    type Answer = Vec<AccuracyHour>;
    const NAME: &'static str = "hours of the running score";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT start, fingerprint, state, coalesce(reason, ''), prediction, outcome FROM {TABLE}
             WHERE {} AND fingerprint = {} AND start BETWEEN {} AND {} ORDER BY start",
            of(&self.instrument),
            self.fingerprint,
            self.from.0,
            self.to.0,
        );
        read(&database.connection, Self::NAME, &sql, hour_of)
    }
}

fn hour_of(row: &Row<'_>) -> Result<AccuracyHour, CommandError> {
    let state = match (row.text(2)?, row.maybe_bytes(5)?) {
        ("frozen", _) => AccuracyState::Frozen,
        ("graded", Some(outcome)) => AccuracyState::Graded(outcome.to_vec()),
        ("lost", _) => AccuracyState::Lost(row.text(3)?.to_owned()),
        (other, _) => return Err(bad_row(TABLE, other, "state ('frozen', 'graded' or 'lost')")),
    };
    let prediction = row.maybe_bytes(4)?.map(<[u8]>::to_vec);
    Ok(AccuracyHour { start: row.time(0)?, fingerprint: row.unsigned(1)?, prediction, state })
}
