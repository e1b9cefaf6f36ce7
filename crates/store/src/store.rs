//! The handle to the database, and the request that waits for its answer.

#![expect(clippy::disallowed_methods, reason = "starts the thread that owns the database")]

mod market_data;
mod server_state;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use tracing::trace_span;

use crate::command::{Command, Message, PostedCommand, ReadMessage};
use crate::counters::{StoreCounters, Tally};
use crate::owner::Owner;
use crate::readers::{ReadConnections, Reader};
use crate::reply::{PendingReply, Queue};
use crate::upkeep::{Flush, Stats, StatsOf};
use crate::{Location, Settings, StoreError};

/// A handle to the thread that owns the database; clones are cheap and reach the same thread.
///
/// Its methods describe a question ([`PendingReply`]); `.await` it in async code, or call [`PendingReply::blocking`] elsewhere.
/// Answers come in the order of asking. Close with [`Store::close`] (or [`Store::close_blocking`]): dropping the
/// last handle closes too, but nobody hears of an error and nobody waits.
#[derive(Clone)]
pub struct Store {
    shared: Arc<StoreInner>,
    route: Route,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("location", &self.shared.location).field("route", &self.route).finish()
    }
}

/// Where the queries of a handle run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// In the owner's queue, in order with everything else.
    Owner,
    /// On the read connections.
    ReadConnections,
}

struct StoreInner {
    queue: mpsc::Sender<Message>,
    read_queue: mpsc::Sender<ReadMessage>,
    tally: Arc<Tally>,
    location: Location,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the database on a thread of its own, creating or migrating it as needed, and returns when it is
    /// ready. Blocks the calling thread; a file that was not closed in order has its log replayed here.
    ///
    /// # Errors
    /// When the file cannot be opened or is not one of ours; see [`StoreError`].
    pub fn open(location: Location, settings: Settings) -> Result<Self, StoreError> {
        let tally = Arc::new(Tally::default());
        let (queue, messages) = mpsc::channel(settings.queue_capacity.get());
        let (read_queue, queries) = mpsc::channel(settings.queue_capacity.get());
        let readers = Arc::new(ReadConnections::new(settings.read_connections.get()));
        let (opened, opening) = std::sync::mpsc::sync_channel(1);
        let (shared_tally, owned_readers) = (Arc::clone(&tally), Arc::clone(&readers));
        let place = location.clone();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || match Owner::open(place, settings, shared_tally, owned_readers) {
                Ok(owner) => {
                    let _ = opened.send(Ok(()));
                    owner.run(messages);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            })
            .map_err(|error| StoreError::Thread { detail: error.to_string() })?;
        opening.recv().unwrap_or(Err(StoreError::Closed))?;
        Reader::start_all(&readers, &tally, &queue, queries)?;
        let thread = Mutex::new(Some(thread));
        let shared = Arc::new(StoreInner { queue, read_queue, tally, location, thread });
        Ok(Self { shared, route: Route::Owner })
    }

    /// A store that is not there, for a server without a database: every question is answered with
    /// [`StoreError::Closed`], and no file, thread or memory is taken.
    #[must_use]
    pub fn absent() -> Self {
        let ((queue, _), (read_queue, _)) = (mpsc::channel(1), mpsc::channel(1));
        let (tally, location, thread) = (Arc::default(), Location::Memory, Mutex::new(None));
        let shared = Arc::new(StoreInner { queue, read_queue, tally, location, thread });
        Self { shared, route: Route::Owner }
    }

    /// A handle to the same database whose queries run on the read connections: beside the owner's queue, several
    /// at once, each over what was committed when it begins. Whatever writes still goes to the owner.
    #[must_use]
    pub fn on_read_connections(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), route: Route::ReadConnections }
    }

    /// Where the rows are.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// What the store has done since it was opened; does not wait for the owner.
    #[must_use]
    pub fn counters(&self) -> StoreCounters {
        let queue = &self.shared.queue;
        let waiting = queue.max_capacity().saturating_sub(queue.capacity());
        self.shared.tally.read(waiting as u64)
    }

    /// Moves everything from the write-ahead log into the file.
    pub fn flush(&self) -> PendingReply<()> {
        self.ask(Flush)
    }

    /// Rows of each table and bytes on disk.
    pub fn stats(&self) -> PendingReply<Stats> {
        self.ask(StatsOf)
    }

    /// Answers what was asked before, writes everything into the file, closes it and ends the thread. Whoever
    /// asks later hears [`StoreError::Closed`].
    ///
    /// # Errors
    /// When writing fails (what was appended is then safe in the write-ahead log), or it was closed before.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (done, closing) = oneshot::channel();
        self.shared.queue.send(Message::Close(done)).await.map_err(|_| StoreError::Closed)?;
        let result = closing.await.unwrap_or(Err(StoreError::Closed));
        self.join();
        result
    }

    /// As [`Store::close`], for code that is not async.
    ///
    /// # Errors
    /// As [`Store::close`].
    ///
    /// # Panics
    /// Inside an async task.
    pub fn close_blocking(&self) -> Result<(), StoreError> {
        let (done, closing) = oneshot::channel();
        self.shared.queue.blocking_send(Message::Close(done)).map_err(|_| StoreError::Closed)?;
        let result = closing.blocking_recv().unwrap_or(Err(StoreError::Closed));
        self.join();
        result
    }

    /// The thread has nothing left to do when this is called, so it does not block for long.
    fn join(&self) {
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's thread panicked outside a command");
        }
    }

    pub(crate) fn ask<C: Command>(&self, command: C) -> PendingReply<C::Answer> {
        let (answer, answered) = oneshot::channel();
        let queue = match self.route {
            Route::ReadConnections if C::IS_READ => Queue::Readers(self.shared.read_queue.clone()),
            _ => Queue::Owner(self.shared.queue.clone()),
        };
        let span = trace_span!(
            "store",
            otel.name = C::NAME,
            otel.kind = "client",
            db.system.name = "duckdb",
            db.operation.name = C::NAME,
        );
        let job = Box::new(PostedCommand { command, answer, span: span.clone() });
        PendingReply { queue, job, answered, span }
    }
}

#[cfg(test)]
mod tests;
