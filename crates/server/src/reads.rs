//! Requests that read the database: a bounded number at once, in fair turns by client address, beside the writer
//! and the updater.
//!
//! A turn gives access to the read connections of the store and is held until the body of the answer is complete,
//! so it bounds the memory and the CPU of answers as well as their queries.

mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liqheat_store::Store;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::compute::ComputePool;
use crate::http::AddressKey;
pub(crate) use queue::ReadKind;
use queue::{Arrival, ReadLimits, ReadQueue, Ticket};

/// Two reads use the read connections of the store; one of them may be a run of the model, so that a chart which
/// takes seconds never delays the short queries of others.
const LIMITS: ReadLimits = ReadLimits { running_max: 2, model_runs_max: 1, waiting_max: 64 };
/// A request that waited this long is refused: its client has most likely stopped waiting.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Why a request gets no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadRefusal {
    /// Too many requests wait, most of them of this address.
    QueueFull,
    /// It waited for [`WAIT_MAX`].
    TimedOut,
}

/// Hands out turns.
#[derive(Debug)]
pub(crate) struct Reads {
    store: Store,
    compute: ComputePool,
    /// Locked for a decision of the queue.
    state: Mutex<State>,
    /// Requests that got no turn.
    pub(crate) refused: Counter,
}

#[derive(Debug)]
struct State {
    queue: ReadQueue<AddressKey>,
    /// Of the waiting requests. Dropped, it tells its request that it was evicted.
    starts: HashMap<Ticket, oneshot::Sender<()>>,
}

impl Reads {
    pub(crate) fn new(store: &Store) -> Arc<Self> {
        let state = State { queue: ReadQueue::new(LIMITS), starts: HashMap::new() };
        let store = store.on_read_connections();
        let compute = ComputePool::new(LIMITS.running_max);
        Arc::new(Self { store, compute, state: Mutex::new(state), refused: Counter::default() })
    }

    /// Requests that read and requests that wait.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let state = self.lock();
        (state.queue.running(), state.queue.waiting())
    }

    /// Waits for a turn.
    pub(crate) async fn turn(
        self: &Arc<Self>,
        address: AddressKey,
        kind: ReadKind,
    ) -> Result<ReadTurn, ReadRefusal> {
        let (turn, start) = {
            let mut state = self.lock();
            match state.queue.arrive(address, kind) {
                Arrival::Started(ticket) => return Ok(ReadTurn { reads: Arc::clone(self), ticket }),
                Arrival::Refused => {
                    self.refused.inc();
                    return Err(ReadRefusal::QueueFull);
                }
                Arrival::Waiting { ticket, evicted } => {
                    if let Some(evicted) = evicted {
                        state.starts.remove(&evicted);
                    }
                    let (start, started) = oneshot::channel();
                    state.starts.insert(ticket, start);
                    (ReadTurn { reads: Arc::clone(self), ticket }, started)
                }
            }
        };
        // A request whose client goes away is dropped here, and with it its place.
        let refusal = match timeout(WAIT_MAX, start).await {
            Ok(Ok(())) => return Ok(turn),
            Ok(Err(_)) => ReadRefusal::QueueFull,
            Err(_) => ReadRefusal::TimedOut,
        };
        self.refused.inc();
        Err(refusal)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn, or a place in the queue; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadTurn {
    reads: Arc<Reads>,
    ticket: Ticket,
}

impl ReadTurn {
    /// The database, for queries that do not wait for the writer.
    pub(crate) fn store(&self) -> &Store {
        &self.reads.store
    }

    /// Runs CPU-bound work off the async workers.
    pub(crate) async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.reads.compute.run(work).await
    }
}

impl Drop for ReadTurn {
    fn drop(&mut self) {
        let mut state = self.reads.lock();
        state.starts.remove(&self.ticket);
        for started in state.queue.leave(self.ticket) {
            // A request that is no longer there gives its turn back when its place is dropped.
            if let Some(start) = state.starts.remove(&started) {
                let _ = start.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn address(last: u8) -> AddressKey {
        AddressKey::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    #[tokio::test]
    async fn a_place_that_is_dropped_is_given_to_the_next() {
        let reads = Reads::new(&Store::absent());
        let first = reads.turn(address(1), ReadKind::Query).await.unwrap();
        let second = reads.turn(address(1), ReadKind::Query).await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let mut gone = Box::pin(reads.turn(address(1), ReadKind::Query));
        let mut granted = Box::pin(reads.turn(address(2), ReadKind::Query));
        let mut last = pin!(reads.turn(address(3), ReadKind::Query));
        assert!(gone.as_mut().poll(&mut context).is_pending());
        assert!(granted.as_mut().poll(&mut context).is_pending());
        assert!(last.as_mut().poll(&mut context).is_pending());
        assert_eq!(reads.depth(), (2, 3));
        drop(gone);
        assert_eq!(reads.depth(), (2, 2));
        drop(first);
        // It has its turn, but its client goes away before it is polled.
        drop(granted);
        assert_eq!(reads.depth(), (2, 0));
        let Poll::Ready(Ok(turn)) = last.as_mut().poll(&mut context) else { panic!("no turn") };
        drop((second, turn));
        assert_eq!(reads.depth(), (0, 0));
    }

    #[tokio::test]
    async fn an_evicted_request_is_refused() {
        let reads = Reads::new(&Store::absent());
        let _running = (
            reads.turn(address(1), ReadKind::Query).await.unwrap(),
            reads.turn(address(1), ReadKind::Query).await.unwrap(),
        );
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> =
            (0..LIMITS.waiting_max).map(|_| Box::pin(reads.turn(address(1), ReadKind::Query))).collect();
        for request in &mut waiting {
            assert!(request.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(reads.turn(address(1), ReadKind::Query).await.err(), Some(ReadRefusal::QueueFull));
        let mut other = pin!(reads.turn(address(2), ReadKind::Query));
        assert!(other.as_mut().poll(&mut context).is_pending());
        assert_eq!(waiting.pop().unwrap().await.err(), Some(ReadRefusal::QueueFull));
        assert_eq!(reads.refused.get(), 2);
    }
}
