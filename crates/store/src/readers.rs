//! Threads that answer queries beside the owner, each on a read connection of its own.
//!
//! DuckDB serves several connections of one process to one database: a query sees what was committed when it
//! began, and neither waits for the owner's transaction nor makes it wait. So requests of clients, which may be
//! many and large, do not stand in the queue of the writer and of the updater.
//!
//! The connections belong to the owner: it opens them with the database and closes them before the database is
//! closed or opened again, because a connection that outlived its database would keep the file locked. A reader
//! whose connection failed asks the owner for another one and answers [`StoreError::Reopening`] until it has it.

#![expect(clippy::disallowed_methods, reason = "starts the threads that read, and times their requests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use duckdb::InterruptHandle;
use tokio::sync::mpsc;

use crate::StoreError;
use crate::command::{Database, ErasedCommand, Executor, Message, ReadMessage, panic_text};
use crate::counters::{CommandOutcome, Tally};

/// The connections of all readers.
pub(crate) struct ReadConnections {
    slots: Vec<ReaderSlot>,
    closed: AtomicBool,
}

/// The connection of one reader; empty while the database is being opened again.
#[derive(Default)]
struct ReaderSlot {
    /// Locked for the length of a query.
    database: Mutex<Option<Database>>,
    /// Ends the query that runs on it. Locked for a moment.
    interrupt: Mutex<Option<Arc<InterruptHandle>>>,
}

impl ReadConnections {
    pub(crate) fn new(readers: usize) -> Self {
        Self { slots: (0..readers).map(|_| ReaderSlot::default()).collect(), closed: AtomicBool::new(false) }
    }

    /// Gives a connection to every reader that has none.
    pub(crate) fn connect(&self, database: &Database) -> Result<(), duckdb::Error> {
        for slot in &self.slots {
            // A reader that is in the middle of a query has a connection.
            let Ok(mut connected) = slot.database.try_lock() else { continue };
            if connected.is_none() {
                let connection = database.connection.try_clone()?;
                *lock(&slot.interrupt) = Some(connection.interrupt_handle());
                *connected = Some(Database {
                    connection,
                    location: database.location.clone(),
                    tally: Arc::clone(&database.tally),
                });
            }
        }
        Ok(())
    }

    /// Ends the running queries and closes all connections.
    pub(crate) fn disconnect(&self) {
        /// Between two attempts to end a query.
        const PAUSE: Duration = Duration::from_millis(2);
        for slot in &self.slots {
            let interrupt = lock(&slot.interrupt).take();
            loop {
                match slot.database.try_lock() {
                    Ok(mut connected) => break *connected = None,
                    Err(TryLockError::Poisoned(connected)) => break *connected.into_inner() = None,
                    // Repeated, because a query that has not quite begun does not notice.
                    Err(TryLockError::WouldBlock) => {
                        if let Some(interrupt) = &interrupt {
                            interrupt.interrupt();
                        }
                        std::thread::sleep(PAUSE);
                    }
                }
            }
        }
    }

    /// As [`ReadConnections::disconnect`], for good.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.disconnect();
    }

    /// What a reader without a connection answers.
    fn absent(&self) -> StoreError {
        if self.closed.load(Ordering::Relaxed) { StoreError::Closed } else { StoreError::Reopening }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Panics of commands are caught before they reach a lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread that answers queries.
pub(crate) struct Reader {
    index: usize,
    connections: Arc<ReadConnections>,
    tally: Arc<Tally>,
    /// Weak, so that readers do not keep the store open.
    owner: mpsc::WeakSender<Message>,
}

impl Reader {
    /// Starts the threads; they end when the last handle to the store is dropped.
    pub(crate) fn start_all(
        connections: &Arc<ReadConnections>,
        tally: &Arc<Tally>,
        owner: &mpsc::Sender<Message>,
        queue: mpsc::Receiver<ReadMessage>,
    ) -> Result<(), StoreError> {
        let queue = Arc::new(Mutex::new(queue));
        for index in 0..connections.slots.len() {
            let (connections, tally) = (Arc::clone(connections), Arc::clone(tally));
            let mut reader = Self { index, connections, tally, owner: owner.downgrade() };
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(format!("store-read-{index}"));
            let started = thread.spawn(move || {
                // One waits for the next query, the others for their turn to wait.
                while let Some(message) = { lock(&queue).blocking_recv() } {
                    // A query whose caller is no longer there changes nothing.
                    if message.0.is_awaited() {
                        message.0.serve(&mut reader);
                    }
                }
            });
            started.map_err(|error| StoreError::Thread { detail: error.to_string() })?;
        }
        Ok(())
    }

    fn attempt(
        &self,
        name: &'static str,
        command: ErasedCommand<'_>,
    ) -> (Result<(), StoreError>, CommandOutcome) {
        let Some(slot) = self.connections.slots.get(self.index) else {
            return (Err(StoreError::Closed), CommandOutcome::Failed);
        };
        let mut connected = lock(&slot.database);
        let Some(database) = connected.as_ref() else {
            drop(connected);
            self.notify_owner(Message::Reconnect);
            return (Err(self.connections.absent()), CommandOutcome::Failed);
        };
        match catch_unwind(AssertUnwindSafe(|| command(database))) {
            Ok(Ok(())) => (Ok(()), CommandOutcome::Answered),
            Ok(Err(fault)) if fault.is_interrupted() => {
                (Err(self.connections.absent()), CommandOutcome::Failed)
            }
            Ok(Err(fault)) => {
                let needs_reopening = fault.needs_reopening();
                let error = fault.explain(name, &database.location);
                if needs_reopening {
                    *connected = None;
                    drop(connected);
                    self.notify_owner(Message::Reopen);
                }
                (Err(error), CommandOutcome::Failed)
            }
            Err(panic) => {
                // What the panic left of this connection is unknown; the database itself is not affected.
                *connected = None;
                drop(connected);
                self.notify_owner(Message::Reconnect);
                let detail = panic_text(panic.as_ref());
                (Err(StoreError::Panicked { command: name, detail }), CommandOutcome::Panicked)
            }
        }
    }

    /// Not waited for: when the owner's queue is full, the next query tries again.
    fn notify_owner(&self, message: Message) {
        if let Some(owner) = self.owner.upgrade() {
            let _ = owner.try_send(message);
        }
    }
}

impl Executor for Reader {
    fn execute(&mut self, name: &'static str, command: ErasedCommand<'_>) -> Result<(), StoreError> {
        // The clock serves the counters only.
        let started = Instant::now();
        let (result, outcome) = self.attempt(name, command);
        self.tally.command(outcome, started.elapsed());
        match &result {
            Ok(_) | Err(StoreError::Closed | StoreError::Reopening) => {}
            Err(error) => tracing::warn!(command = name, %error, "store command failed"),
        }
        result
    }
}
