//! The table of [`places`](super::places) as connections see it: handles that give back what they hold.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell of a connection: its places and deadlines run by the clock"
)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::places::{Admission, Busy, ConnectionId, Places, RequestClass};
use super::stream::StallObserver;

/// All places; shared by the connections that hold them.
#[derive(Debug)]
pub(super) struct Seats {
    table: Mutex<Table>,
    /// A connection has ended.
    freed: Notify,
}

#[derive(Debug)]
struct Table {
    places: Places,
    evictions: HashMap<ConnectionId, CancellationToken>,
}

impl Table {
    fn evict(&self, id: ConnectionId) {
        if let Some(eviction) = self.evictions.get(&id) {
            eviction.cancel();
        }
    }
}

impl Seats {
    pub(super) fn new(connections_max: usize) -> Arc<Self> {
        let table = Table { places: Places::new(connections_max), evictions: HashMap::new() };
        Arc::new(Self { table: Mutex::new(table), freed: Notify::new() })
    }

    /// A place for a connection that was accepted, as soon as there is one; `None` when its address has as many as it
    /// may. `peer` is `None` for a trusted proxy.
    pub(super) async fn take(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Seat> {
        loop {
            match self.connect(peer) {
                Ok(seat) => return seat,
                // Either way there is something to look at again.
                Err(again_at) => drop(timeout_at(again_at.into(), self.freed.notified()).await),
            }
        }
    }

    fn connect(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Option<Seat>, Instant> {
        let now = Instant::now();
        let mut table = self.lock();
        match table.places.connect(peer, now) {
            Admission::Admitted(id) => {
                let eviction = CancellationToken::new();
                table.evictions.insert(id, eviction.clone());
                Ok(Some(Seat { held: Arc::new(SeatHandle { seats: Arc::clone(self), id }), eviction }))
            }
            Admission::Evict(id) => {
                table.evict(id);
                Err(now + super::places::IDLE_MIN)
            }
            Admission::WaitUntil(moment) => Err(moment),
            Admission::TooManyOfAddress => Ok(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // A panic while counting leaves at worst a wrong count.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, given back when the last handle is dropped.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    held: Arc<SeatHandle>,
    eviction: CancellationToken,
}

#[derive(Debug)]
struct SeatHandle {
    seats: Arc<Seats>,
    id: ConnectionId,
}

impl Drop for SeatHandle {
    fn drop(&mut self) {
        let mut table = self.seats.lock();
        table.places.disconnect(self.id);
        table.evictions.remove(&self.id);
        drop(table);
        self.seats.freed.notify_one();
    }
}

impl Seat {
    /// Completes when the connection must end for another one.
    pub(super) async fn evicted(&self) {
        self.eviction.cancelled().await;
    }

    /// A request came in; what is returned is to be held until it is answered.
    pub(super) fn begin(
        &self,
        class: RequestClass,
        client: Option<IpAddr>,
    ) -> Result<RequestInProgress, Busy> {
        let mut table = self.held.seats.lock();
        if let Some(evicted) = table.places.begin(self.held.id, class, client, Instant::now())? {
            table.evict(evicted);
        }
        Ok(RequestInProgress(Arc::clone(&self.held)))
    }

    pub(super) fn stall_reporter(&self) -> StallReporter {
        StallReporter(Arc::clone(&self.held))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct RequestInProgress(Arc<SeatHandle>);

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.0.seats.lock().places.end(self.0.id);
    }
}

/// Tells the table when the client accepts nothing, and when it has accepted everything.
#[derive(Debug)]
pub(crate) struct StallReporter(Arc<SeatHandle>);

impl StallObserver for StallReporter {
    fn set_stalled(&mut self, since: Option<Instant>) {
        self.0.seats.lock().places.set_stalled(self.0.id, since);
    }

    fn flushed(&mut self) {
        self.0.seats.lock().places.flushed(self.0.id, Instant::now());
    }
}

/// The body of an answer, which holds the request's place until it is complete or dropped.
pub(super) struct AnswerBody {
    body: Body,
    _answering: RequestInProgress,
}

impl AnswerBody {
    pub(super) const fn new(body: Body, answering: RequestInProgress) -> Self {
        Self { body, _answering: answering }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
