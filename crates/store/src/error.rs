//! What can go wrong with the store, in words that name the file and say what to do.
//!
//! DuckDB reports everything as one text, so the kinds are distinguished by its wording; the tests make each of
//! them happen with real files, and so notice when a new release words them differently.

use crate::Location;
use crate::log_file::{damaged_at, log_of};

/// Why the store could not be opened or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The file's folder does not exist.
    #[error("the folder of {location} does not exist; create it, or choose another file with --db")]
    FolderMissing {
        /// The database.
        location: String,
    },
    /// The file or its folder may not be read or written.
    #[error(
        "{location} cannot be opened for writing ({detail}); check the permissions of the file and of its folder, or choose another file with --db"
    )]
    Permission {
        /// The database.
        location: String,
        /// What the system said.
        detail: String,
    },
    /// Another process, or another store of this process, has the file open.
    #[error(
        "{location} is in use by {holder}; a file has one owner at a time: stop that one, or choose another file with --db"
    )]
    Locked {
        /// The database.
        location: String,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// The file was written by a newer liqheat.
    #[error(
        "{location} has schema version {found} and this program knows up to {known}; run a newer liqheat, or choose another file with --db"
    )]
    NewerSchema {
        /// The database.
        location: String,
        /// The file's version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A DuckDB file that holds something else.
    #[error(
        "{location} is a DuckDB file with tables of something else ({tables}); choose another file with --db"
    )]
    ForeignDatabase {
        /// The database.
        location: String,
        /// Some of the tables found.
        tables: String,
    },
    /// Not a DuckDB file, or one whose format this DuckDB does not read.
    #[error(
        "{location} is not a database this program can read ({detail}); move it away or choose another file with --db"
    )]
    NotADatabase {
        /// The database.
        location: String,
        /// What DuckDB said.
        detail: String,
    },
    /// No room to write.
    #[error(
        "no room to write {location} ({detail}); free some space: what was stored before is unharmed, and the command can be repeated"
    )]
    DiskFull {
        /// The database.
        location: String,
        /// What the system said.
        detail: String,
    },
    /// The write-ahead log beside the file is damaged.
    #[error(
        "the write-ahead log {log} is damaged at byte {position}; start with --recover to go on with what precedes the damage (the whole log is kept aside), or restore both files from a backup"
    )]
    DamagedLog {
        /// The log.
        log: String,
        /// Where the damage begins; 0 where nothing of the log can be used.
        position: u64,
    },
    /// The log could not be cut or copied.
    #[error(
        "the write-ahead log of {location} cannot be recovered ({detail}); check the permissions and the space of its folder"
    )]
    Recovery {
        /// The database.
        location: String,
        /// What the system said.
        detail: String,
    },
    /// Parts of the file do not hold what was written.
    #[error(
        "{location} is damaged ({detail}); check the disk, then restore the file from a backup, or move it away and load the data again"
    )]
    DamagedFile {
        /// The database.
        location: String,
        /// What DuckDB said.
        detail: String,
    },
    /// The file was deleted or replaced while it was open.
    #[error(
        "{location} was {what} while it was open: rows stored since are lost when this process ends; stop it, put the file back from a backup and load or fetch the data again"
    )]
    FileGone {
        /// The database.
        location: String,
        /// `deleted` or `replaced`.
        what: &'static str,
    },
    /// Opening failed for another reason.
    #[error(
        "{location} cannot be opened ({detail}); check the file and its folder, or choose another file with --db"
    )]
    Open {
        /// The database.
        location: String,
        /// What DuckDB said.
        detail: String,
    },
    /// A command failed.
    #[error(
        "{command} failed on {location} ({detail}); it may be repeated; if it fails again, please report this"
    )]
    Query {
        /// The command.
        command: &'static str,
        /// The database.
        location: String,
        /// What DuckDB said.
        detail: String,
    },
    /// A row holds something that no version of this program writes.
    #[error("a row of {table} holds {value}, which is not a {expected}; was the file edited by hand?")]
    BadRow {
        /// The table.
        table: &'static str,
        /// What was found.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// More rows in one batch than [`crate::BATCH_ROWS_MAX`].
    #[error("a batch of {rows} rows is over the limit of {limit}; send it in parts")]
    BatchTooLarge {
        /// Rows in the batch.
        rows: usize,
        /// The limit.
        limit: usize,
    },
    /// More rows than [`crate::QUERY_ROWS_MAX`] would be the answer.
    #[error("{command} would answer more than {limit} rows; ask for a shorter time")]
    TooManyRows {
        /// The command.
        command: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A command panicked: a bug. The store goes on.
    #[error("{command} panicked ({detail}); the store goes on; please report this")]
    Panicked {
        /// The command.
        command: &'static str,
        /// The panic's message.
        detail: String,
    },
    /// The thread that owns the database could not be started.
    #[error("the store's thread cannot be started ({detail}); is a limit on threads reached?")]
    Thread {
        /// What the system said.
        detail: String,
    },
    /// The database is being opened again after a failure.
    #[error("the database is being opened again after a failure; try again in a few seconds")]
    Reopening,
    /// The store was closed before it answered.
    #[error("the store is closed")]
    Closed,
}

/// What a command fails with, before it is known which command it was and on which file.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// Something that DuckDB said.
    Duckdb(duckdb::Error),
    /// Something of our own.
    Store(StoreError),
}

impl From<duckdb::Error> for CommandError {
    fn from(error: duckdb::Error) -> Self {
        Self::Duckdb(error)
    }
}

impl From<duckdb::arrow::error::ArrowError> for CommandError {
    fn from(error: duckdb::arrow::error::ArrowError) -> Self {
        Self::Duckdb(duckdb::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl CommandError {
    /// DuckDB gives up a database after certain failures (a commit that could not be written); it answers
    /// nothing until it is opened again.
    pub(crate) fn needs_reopening(&self) -> bool {
        match self {
            Self::Duckdb(error) => {
                let text = error.to_string();
                text.contains("database has been invalidated") || text.starts_with("FATAL")
            }
            Self::Store(_) => false,
        }
    }

    /// The query was ended because its connection is being closed.
    pub(crate) fn is_interrupted(&self) -> bool {
        matches!(self, Self::Duckdb(error) if error.to_string().starts_with("INTERRUPT"))
    }

    /// The error for the one who asked.
    pub(crate) fn explain(self, command: &'static str, location: &Location) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Duckdb(error) => {
                let text = error.to_string();
                let location = location.to_string();
                if is_disk_full(&text) {
                    return StoreError::DiskFull { location, detail: first_line(&text) };
                }
                if is_damaged(&text) {
                    return StoreError::DamagedFile { location, detail: first_line(&text) };
                }
                StoreError::Query { command, location, detail: first_line(&text) }
            }
        }
    }
}

/// The error for whoever opened the database.
pub(crate) fn explain_open(error: &duckdb::Error, location: &Location) -> StoreError {
    let text = error.to_string();
    let detail = first_line(&text);
    let database = location.path();
    let location = location.to_string();
    let says = |part: &str| text.contains(part);
    if let Some((position, path)) = damaged_at(&text).zip(database) {
        let log = log_of(path).display().to_string();
        return StoreError::DamagedLog { log, position };
    }
    if says("Could not set lock on file") {
        StoreError::Locked { location, holder: lock_holder(&text) }
    } else if says("not a valid DuckDB database file") || says("version number") {
        StoreError::NotADatabase { location, detail }
    } else if is_disk_full(&text) {
        StoreError::DiskFull { location, detail }
    } else if is_damaged(&text) {
        StoreError::DamagedFile { location, detail }
    } else if says("Permission denied") || says("Read-only file system") || says("Operation not permitted") {
        StoreError::Permission { location, detail }
    } else if says("No such file or directory") {
        StoreError::FolderMissing { location }
    } else {
        StoreError::Open { location, detail }
    }
}

fn is_damaged(text: &str) -> bool {
    const SAYINGS: [&str; 3] =
        ["Could not read enough bytes", "Corrupt database file", "does not match stored checksum"];
    SAYINGS.iter().any(|saying| text.contains(saying))
}

pub(crate) fn is_disk_full(text: &str) -> bool {
    const SAYINGS: [&str; 3] = ["No space left on device", "File too large", "Disk quota exceeded"];
    SAYINGS.iter().any(|saying| text.contains(saying))
}

/// `Conflicting lock is held in /usr/bin/liqheat (PID 4711) by user ..` becomes `/usr/bin/liqheat (PID 4711)`.
fn lock_holder(text: &str) -> String {
    let found = text.split_once("lock is held in ").and_then(|(_, rest)| {
        let end = rest.find(')')?;
        rest.get(..=end)
    });
    found.unwrap_or("another process").to_owned()
}

pub(crate) fn first_line(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    text.lines().next().unwrap_or_default().chars().take(CHARS_MAX).collect()
}
