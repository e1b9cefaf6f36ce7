//! What the store has done since it was opened, for metrics. Written by the owner thread, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::FileState;

/// A reading of the store's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreCounters {
    /// Commands answered, whether well or with an error.
    pub commands: u64,
    /// Commands answered with an error, panics included.
    pub failures: u64,
    /// Commands that panicked.
    pub panics: u64,
    /// Times the database had to be opened again after a failure.
    pub reopenings: u64,
    /// Rows inserted.
    pub rows_appended: u64,
    /// Rows that were offered but there already.
    pub rows_already_there: u64,
    /// The longest any command took.
    pub longest_command: Duration,
    /// Time spent in commands.
    pub busy: Duration,
    /// Commands waiting in the queue now.
    pub waiting: u64,
    /// What became of the database file, looked at once a second while commands are answered.
    pub file: FileState,
}

/// The living counters. Each stands alone, so relaxed order is enough.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    commands: AtomicU64,
    failures: AtomicU64,
    panics: AtomicU64,
    reopenings: AtomicU64,
    rows_appended: AtomicU64,
    rows_already_there: AtomicU64,
    longest_command_us: AtomicU64,
    busy_us: AtomicU64,
    file: Mutex<FileState>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandOutcome {
    Answered,
    Failed,
    Panicked,
}

impl Tally {
    pub(crate) fn command(&self, outcome: CommandOutcome, took: Duration) {
        self.commands.fetch_add(1, Relaxed);
        if outcome != CommandOutcome::Answered {
            self.failures.fetch_add(1, Relaxed);
        }
        if outcome == CommandOutcome::Panicked {
            self.panics.fetch_add(1, Relaxed);
        }
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.longest_command_us.fetch_max(took_us, Relaxed);
        self.busy_us.fetch_add(took_us, Relaxed);
    }

    /// Remembers what became of the file; whether that is news.
    pub(crate) fn set_file(&self, file: FileState) -> bool {
        let before = &mut *self.file.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(before, file) != file
    }

    pub(crate) fn reopened(&self) {
        self.reopenings.fetch_add(1, Relaxed);
    }

    pub(crate) fn appended(&self, inserted: u64, already_there: u64) {
        self.rows_appended.fetch_add(inserted, Relaxed);
        self.rows_already_there.fetch_add(already_there, Relaxed);
    }

    pub(crate) fn read(&self, waiting: u64) -> StoreCounters {
        StoreCounters {
            commands: self.commands.load(Relaxed),
            failures: self.failures.load(Relaxed),
            panics: self.panics.load(Relaxed),
            reopenings: self.reopenings.load(Relaxed),
            rows_appended: self.rows_appended.load(Relaxed),
            rows_already_there: self.rows_already_there.load(Relaxed),
            longest_command: Duration::from_micros(self.longest_command_us.load(Relaxed)),
            busy: Duration::from_micros(self.busy_us.load(Relaxed)),
            waiting,
            file: *self.file.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
