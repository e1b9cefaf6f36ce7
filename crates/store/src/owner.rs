//! The thread that owns the database: it takes one command after the other, runs it and sends the answer.
//!
//! It ends when the store is closed or the last handle is dropped. A failing command is an error for its caller. A
//! panic inside a command is caught and becomes an error; after it, and after the failures with which DuckDB
//! gives up a database, the file is closed and opened again at the next command. The read connections
//! (`readers.rs`) are closed and opened with it.

#![expect(clippy::disallowed_methods, reason = "the shell of the database: it times requests and upkeep")]

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use duckdb::{Config, Connection};
use tokio::sync::{mpsc, oneshot};
use tracing::{Span, trace_span};

use crate::counters::{CommandOutcome, Tally};
use crate::error::{CommandError, explain_open};
use crate::identity::{FileIdentity, FileState};
use crate::log_file::{self, LogShape};
use crate::readers::{ReadConnections, Reader};
use crate::schema::{MIGRATIONS, migrate};
use crate::{Location, Settings, StoreError};

/// Something the owner can be asked to do.
pub(crate) trait Command: Send + 'static {
    /// What it answers.
    type Answer: Send + 'static;
    /// Its name in errors and logs.
    const NAME: &'static str;
    /// Whether it may run on a read connection.
    const IS_READ: bool = false;
    /// Does it. Dropping an open transaction rolls it back, so a command may leave with `?` anywhere.
    fn run(self, database: &Database) -> Result<Self::Answer, CommandError>;
}

/// The open database, as commands see it.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    pub(crate) location: Location,
    pub(crate) tally: Arc<Tally>,
}

/// What travels through the queue.
pub(crate) enum Message {
    /// Run this.
    Run(Box<dyn Job>),
    /// A reader lost its connection: give it another one.
    Reconnect,
    /// A reader found the database unusable: close it and open it again.
    Reopen,
    /// Write everything down, close the file, end the thread.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// A query on its way to a reader.
pub(crate) struct ReadMessage(pub(crate) Box<dyn Job>);

/// A command together with the sender of its answer, with its types erased.
pub(crate) trait Job: Send {
    /// Runs the command on the owner's connection and sends the answer.
    fn serve(self: Box<Self>, owner: &mut Owner);
    /// The same on a read connection.
    fn serve_on_reader(self: Box<Self>, reader: &Reader);
}

/// A command and the slot for its answer.
pub(crate) struct PostedCommand<C: Command> {
    pub(crate) command: C,
    pub(crate) answer: oneshot::Sender<Result<C::Answer, StoreError>>,
    /// From the question to its answer.
    pub(crate) span: Span,
}

impl<C: Command> Job for PostedCommand<C> {
    fn serve(self: Box<Self>, owner: &mut Owner) {
        let Self { command, answer, span } = *self;
        let result = execution::<C>(&span).in_scope(|| owner.answer(command));
        // Nobody waiting any more is fine: the command is done all the same.
        let _ = answer.send(result);
    }

    fn serve_on_reader(self: Box<Self>, reader: &Reader) {
        // A query whose caller is no longer there changes nothing.
        let Self { command, answer, span } = *self;
        if !answer.is_closed() {
            let result = execution::<C>(&span).in_scope(|| reader.answer(command));
            let _ = answer.send(result);
        }
    }
}

/// The part of a question's time in which its command runs; the rest it waits.
fn execution<C: Command>(question: &Span) -> Span {
    trace_span!(parent: question, "store.execute", db.operation.name = C::NAME)
}

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

    fn answer<C: Command>(&mut self, command: C) -> Result<C::Answer, StoreError> {
        // The clock serves the counters only; nothing stored or answered depends on it.
        let started = Instant::now();
        let (result, outcome) = self.attempt(command);
        self.tally.command(outcome, started.elapsed());
        self.compare_file();
        if let Err(error) = &result {
            tracing::warn!(command = C::NAME, %error, "store command failed");
        }
        result
    }

    fn attempt<C: Command>(&mut self, command: C) -> (Result<C::Answer, StoreError>, CommandOutcome) {
        let database = match self.database() {
            Ok(database) => database,
            Err(error) => return (Err(error), CommandOutcome::Failed),
        };
        match catch_unwind(AssertUnwindSafe(|| command.run(database))) {
            Ok(Ok(answer)) => (Ok(answer), CommandOutcome::Answered),
            Ok(Err(fault)) => {
                if fault.needs_reopening() {
                    self.give_up();
                }
                (Err(fault.explain(C::NAME, &self.location)), CommandOutcome::Failed)
            }
            Err(panic) => {
                // What the panic left behind is unknown, so a file is opened afresh. Rows in memory would be
                // lost by that; there the transaction has been rolled back by the unwinding.
                if self.location.path().is_some() {
                    self.give_up();
                }
                let detail = panic_text(panic.as_ref());
                (Err(StoreError::Panicked { command: C::NAME, detail }), CommandOutcome::Panicked)
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

fn open_database(
    location: &Location,
    settings: &Settings,
    tally: &Arc<Tally>,
    readers: &ReadConnections,
) -> Result<Database, StoreError> {
    check_path(location)?;
    let connection = connect_to_valid_log(location, settings)?;
    migrate(&connection, location, MIGRATIONS).map_err(|fault| match fault {
        CommandError::Store(error) => error,
        CommandError::Duckdb(error) => explain_open(&error, location),
    })?;
    let database = Database { connection, location: location.clone(), tally: Arc::clone(tally) };
    readers.connect(&database).map_err(|error| explain_open(&error, location))?;
    Ok(database)
}

/// What DuckDB would report vaguely is looked at first.
fn check_path(location: &Location) -> Result<(), StoreError> {
    let Some(path) = location.path() else { return Ok(()) };
    let name = || location.to_string();
    let unfit = |detail: &str| StoreError::NotADatabase { location: name(), detail: detail.to_owned() };
    if path.is_dir() {
        return Err(unfit("it is a folder"));
    }
    // What remains when the very first start is killed between creating the file and writing its header.
    if path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) {
        return Err(unfit("it is empty: delete it"));
    }
    match folder_of(path).try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(StoreError::FolderMissing { location: name() }),
        Err(error) => Err(StoreError::Permission { location: name(), detail: error.to_string() }),
    }
}

/// Connects; a log that ends within an entry is reported, a damaged one is refused or, if so asked, cut.
fn connect_to_valid_log(location: &Location, settings: &Settings) -> Result<Connection, StoreError> {
    let Some(path) = location.path() else {
        return connect(location, settings).map_err(|error| explain_open(&error, location));
    };
    let failed = |error: std::io::Error| StoreError::Recovery {
        location: location.to_string(),
        detail: error.to_string(),
    };
    // A log that cannot be read is a problem that DuckDB has too, and reports.
    let mut damaged_at = match log_file::inspect(path).unwrap_or(LogShape::Whole) {
        LogShape::Whole => None,
        LogShape::BadHeader => Some(0),
        LogShape::Torn { from, bytes } => {
            tracing::warn!(
                database = %location,
                log_bytes = bytes,
                lost_bytes = bytes - from,
                "write-ahead log ends within an entry, as after a kill or a full disk; what precedes it is used"
            );
            None
        }
    };
    loop {
        if let Some(position) = damaged_at {
            if !settings.recover {
                let log = log_file::log_of(path).display().to_string();
                return Err(StoreError::DamagedLog { log, position });
            }
            let aside = log_file::cut(path, position).map_err(failed)?;
            tracing::warn!(
                database = %location,
                kept_bytes = position,
                damaged_log = %aside.display(),
                "damaged write-ahead log cut; the whole log is kept aside"
            );
        }
        match connect(location, settings).map_err(|error| explain_open(&error, location)) {
            // Every cut is shorter than the one before, so this ends.
            Err(StoreError::DamagedLog { position, .. })
                if settings.recover && damaged_at.is_none_or(|before| position < before) =>
            {
                damaged_at = Some(position);
            }
            connected => return connected,
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn connect(location: &Location, settings: &Settings) -> Result<Connection, duckdb::Error> {
    let threads = i64::try_from(settings.threads.get()).unwrap_or(i64::MAX);
    let mut config = Config::default();
    if *location == Location::Memory {
        // Without a file there is no place to spill to; the default would be the working folder.
        config = config.with("temp_directory", "")?;
    }
    let config = config
        .max_memory(&format!("{}B", settings.memory_bytes_max))?
        .threads(threads)?
        // Nothing is ever fetched from the network, and no query reads or writes other files.
        .enable_autoload_extension(false)?
        .enable_external_access(false)?;
    match location {
        Location::File(path) => Connection::open_with_flags(path, config),
        Location::Memory => Connection::open_in_memory_with_flags(config),
    }
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

/// Files that stores of this process have open. DuckDB's file lock keeps other processes away but, being a lock
/// of the process, not a second opening by the same one.
static CLAIMED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

struct Claim(PathBuf);

impl Claim {
    fn new(path: &Path) -> Result<Self, StoreError> {
        let folder = folder_of(path).canonicalize().unwrap_or_else(|_| folder_of(path).to_owned());
        let by_folder = folder.join(path.file_name().unwrap_or_default());
        // An existing file may be a link to another place.
        let full = by_folder.canonicalize().unwrap_or(by_folder);
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        if !claimed.insert(full.clone()) {
            let location = path.display().to_string();
            return Err(StoreError::Locked { location, holder: "this process already".to_owned() });
        }
        Ok(Self(full))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}
