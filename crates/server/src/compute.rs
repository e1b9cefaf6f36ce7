//! Threads for work that takes more than a millisecond of CPU, so that async workers stay free for sockets.

#![expect(clippy::disallowed_methods, reason = "the pool that all others use")]

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A bounded share of the runtime's blocking threads. Callers beyond the bound wait in order.
#[derive(Debug, Clone)]
pub(crate) struct ComputePool {
    places: Arc<Semaphore>,
}

impl ComputePool {
    /// `threads` pieces of work run at once.
    pub(crate) fn new(threads: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(threads)) }
    }

    /// Runs `work` on a thread of its own and returns its result. The work runs to its end even if the caller stops
    /// waiting; its place is free only then. A panic of the work continues in the caller.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // The semaphore is never closed; without a place the work would merely run unbounded.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        match done.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down and does not start the work; nobody waits for its result any more.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_more_runs_at_once_than_there_are_places() {
        let pool = ComputePool::new(2);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = |index: usize| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            pool.run(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                index * 2
            })
        };
        let results = futures_util::future::join_all((0..50).map(work)).await;
        assert_eq!(results, (0..50).map(|index| index * 2).collect::<Vec<_>>());
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }

    #[tokio::test]
    #[should_panic(expected = "broken ledger")]
    async fn a_panic_reaches_the_caller() {
        ComputePool::new(1).run(|| panic!("broken ledger")).await;
    }
}
