//! The thread that owns the database: it takes one command after the other, runs it and sends the answer.
//!
//! It ends when the store is closed or the last handle is dropped. A failing command is an error for its caller. A
//! panic inside a command is caught and becomes an error; after it, and after the failures with which DuckDB
//! gives up a database, the file is closed and opened again at the next command. The read connections
//! (`readers.rs`) are closed and opened with it.

#![expect(clippy::disallowed_methods, reason = "the shell of the database: it times requests and upkeep")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::command::{Database, ErasedCommand, Executor, Message, panic_text};
use crate::counters::{CommandOutcome, Tally};
use crate::error::{CommandError, explain_open};
use crate::identity::{FileIdentity, FileState};
use crate::opening::{Claim, open_database};
use crate::readers::ReadConnections;
use crate::{Location, Settings, StoreError};

/// The owner's own state.
pub(crate) struct Owner {
    location: Location,
    settings: Settings,
    tally: Arc<Tally>,
    /// `None` after a failure that requires opening it again.
    database: Option<Database>,
    readers: Arc<ReadConnections>,
    /// Of the file that was opened; `None` in memory.
    identity: Option<FileIdentity>,
    /// When the identity was compared last.
    compared: Instant,
    /// When opening it again failed last.
    refused: Option<Instant>,
    /// Keeps other stores of this process off the file.
    _claim: Option<Claim>,
}

impl Owner {
    /// Opens the database and brings its schema up to date.
    pub(crate) fn open(
        location: Location,
        mut settings: Settings,
        tally: Arc<Tally>,
        readers: Arc<ReadConnections>,
    ) -> Result<Self, StoreError> {
        let claim = location.path().map(Claim::new).transpose()?;
        let database = open_database(&location, &settings, &tally, &readers)?;
        // A log that is damaged later is not cut without the operator's consent.
        settings.recover = false;
        let identity = location.path().and_then(FileIdentity::of);
        Ok(Self {
            location,
            settings,
            tally,
            database: Some(database),
            readers,
            identity,
            compared: Instant::now(),
            refused: None,
            _claim: claim,
        })
    }

    /// Serves until told to close or until every handle is gone.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        while let Some(message) = queue.blocking_recv() {
            match message {
                Message::Run(job) => job.serve(&mut self),
                Message::Reconnect => self.reconnect_readers(),
                Message::Reopen => {
                    self.give_up();
                    self.reconnect_readers();
                }
                Message::Close(done) => {
                    // Commands still in the queue see their slots dropped, which reads as "closed".
                    queue.close();
                    let result = self.close();
                    let _ = done.send(result);
                    return;
                }
            }
        }
        if let Err(error) = self.close() {
            tracing::warn!(%error, "store closed with an error after its last handle was dropped");
        }
    }

    fn attempt(
        &mut self,
        name: &'static str,
        command: ErasedCommand<'_>,
    ) -> (Result<(), StoreError>, CommandOutcome) {
        let database = match self.database() {
            Ok(database) => database,
            Err(error) => return (Err(error), CommandOutcome::Failed),
        };
        match catch_unwind(AssertUnwindSafe(|| command(database))) {
            Ok(Ok(())) => (Ok(()), CommandOutcome::Answered),
            Ok(Err(fault)) => {
                if fault.needs_reopening() {
                    self.give_up();
                }
                (Err(fault.explain(name, &self.location)), CommandOutcome::Failed)
            }
            Err(panic) => {
                // What the panic left behind is unknown, so a file is opened afresh. Rows in memory would be
                // lost by that; there the transaction has been rolled back by the unwinding.
                if self.location.path().is_some() {
                    self.give_up();
                }
                let detail = panic_text(panic.as_ref());
                (Err(StoreError::Panicked { command: name, detail }), CommandOutcome::Panicked)
            }
        }
    }

    /// Notices a file that was deleted or replaced, about once a second.
    fn compare_file(&mut self) {
        const EVERY: Duration = Duration::from_secs(1);
        if self.compared.elapsed() < EVERY {
            return;
        }
        self.compared = Instant::now();
        let state = self.file_state();
        if self.tally.set_file(state) {
            match self.file_gone(state) {
                Some(error) => tracing::error!(%error, "database file is no longer in place"),
                None => tracing::info!(database = %self.location, "database file is in place again"),
            }
        }
    }

    fn file_state(&self) -> FileState {
        let opened = self.identity.zip(self.location.path());
        opened.map_or(FileState::InPlace, |(identity, path)| identity.state(path))
    }

    fn file_gone(&self, state: FileState) -> Option<StoreError> {
        let what = state.problem()?;
        Some(StoreError::FileGone { location: self.location.to_string(), what })
    }

    /// Closes the database; it is opened again when it is next needed.
    fn give_up(&mut self) {
        self.readers.disconnect();
        self.database = None;
    }

    /// Every query without a connection asks for this, so a database that cannot be opened is not tried each time.
    fn reconnect_readers(&mut self) {
        const RETRY_AFTER: Duration = Duration::from_secs(1);
        if self.refused.is_some_and(|refused| refused.elapsed() < RETRY_AFTER) {
            return;
        }
        let readers = Arc::clone(&self.readers);
        let connected = self.database().and_then(|database| {
            readers.connect(database).map_err(|error| explain_open(&error, &database.location))
        });
        self.refused = connected.is_err().then(Instant::now);
        if let Err(error) = connected {
            tracing::warn!(%error, "no read connection");
        }
    }

    fn database(&mut self) -> Result<&Database, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                // Opening would create an empty file, or go on in another one.
                if let Some(error) = self.file_gone(self.file_state()) {
                    return Err(error);
                }
                let database = open_database(&self.location, &self.settings, &self.tally, &self.readers)?;
                self.tally.reopened();
                tracing::info!(database = %self.location, "database opened again after a failure");
                database
            }
        };
        Ok(self.database.insert(database))
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.readers.close();
        let Some(database) = self.database.take() else {
            return Ok(()); // Given up after a failure; its log is replayed at the next opening.
        };
        let written = database.connection.execute_batch("CHECKPOINT");
        let closed = database.connection.close().map_err(|(_, error)| error);
        let explain = |error| CommandError::Duckdb(error).explain("close", &self.location);
        written.and(closed).map_err(explain)?;
        self.file_gone(self.file_state()).map_or(Ok(()), Err)
    }
}

impl Executor for Owner {
    fn execute(&mut self, name: &'static str, command: ErasedCommand<'_>) -> Result<(), StoreError> {
        // The clock serves the counters only; nothing stored or answered depends on it.
        let started = Instant::now();
        let (result, outcome) = self.attempt(name, command);
        self.tally.command(outcome, started.elapsed());
        self.compare_file();
        if let Err(error) = &result {
            tracing::warn!(command = name, %error, "store command failed");
        }
        result
    }
}
