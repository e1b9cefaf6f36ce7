//! Opening the database: what DuckDB would report vaguely is looked at first, and a damaged log is refused or cut.

#![expect(
    clippy::disallowed_methods,
    reason = "looks at the file of the database and its folder before they are opened"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use duckdb::{Config, Connection};

use crate::command::Database;
use crate::counters::Tally;
use crate::error::{CommandError, explain_open};
use crate::log_file::{self, LogShape};
use crate::readers::ReadConnections;
use crate::schema::{MIGRATIONS, migrate};
use crate::{Location, Settings, StoreError};

pub(crate) fn open_database(
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

/// Files that stores of this process have open. DuckDB's file lock keeps other processes away but, being a lock
/// of the process, not a second opening by the same one.
static CLAIMED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file that this process has open; released when it is dropped.
pub(crate) struct Claim(PathBuf);

impl Claim {
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
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
