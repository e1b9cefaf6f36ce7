//! One computation for identical requests, and its result for a moment longer.
//!
//! Pollers ask for the same, together and again and again. Requests with the same key that arrive while the first is
//! computed wait for it; those that arrive shortly afterwards get the kept result. Failures are not kept.

#![expect(clippy::disallowed_methods, reason = "the moment at which an answer is finished")]

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Results by key, bounded in number and bytes.
pub(crate) struct SingleFlight<K, V> {
    keep_for: Duration,
    entries_max: usize,
    bytes_max: usize,
    /// Locked for a few instructions.
    flights: Mutex<HashMap<K, Arc<Flight<V>>>>,
}

struct Flight<V> {
    cell: OnceCell<FlightResult<V>>,
}

struct FlightResult<V> {
    value: V,
    at: Instant,
    bytes: usize,
}

impl<K: Clone + Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// Keeps results for `keep_for`, at most `entries_max` of them and `bytes_max` bytes.
    pub(crate) fn new(keep_for: Duration, entries_max: usize, bytes_max: usize) -> Self {
        Self { keep_for, entries_max, bytes_max, flights: Mutex::default() }
    }

    /// The result for `key`: a kept one, that of a computation under way, or that of `compute`, which gives a value
    /// and its size in bytes. If the request that computes is dropped, one of those that wait takes over.
    ///
    /// # Errors
    /// That of `compute`; the next request computes again.
    pub(crate) async fn get<E>(
        &self,
        key: K,
        compute: impl AsyncFnOnce() -> Result<(V, usize), E>,
    ) -> Result<V, E> {
        let flight = self.flight(&key);
        let landed = flight
            .cell
            .get_or_try_init(|| async {
                let (value, bytes) = compute().await?;
                Ok(FlightResult { value, at: Instant::now(), bytes })
            })
            .await?;
        let value = landed.value.clone();
        self.make_room();
        Ok(value)
    }

    /// The flight of a key, a new one where there is none or the last result is too old.
    fn flight(&self, key: &K) -> Arc<Flight<V>> {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(key)
            && flight.cell.get().is_none_or(|landed| landed.at.elapsed() < self.keep_for)
        {
            return Arc::clone(flight);
        }
        let flight = Arc::new(Flight { cell: OnceCell::new() });
        flights.insert(key.clone(), Arc::clone(&flight));
        flight
    }

    /// Drops results that are too old, flights that failed with nobody waiting, and the oldest results beyond the
    /// bounds.
    fn make_room(&self) {
        let mut flights = self.lock();
        flights.retain(|_, flight| match flight.cell.get() {
            Some(landed) => landed.at.elapsed() < self.keep_for,
            None => Arc::strong_count(flight) > 1,
        });
        loop {
            let landed = || flights.iter().filter_map(|(key, flight)| Some((key, flight.cell.get()?)));
            let bytes: usize = landed().map(|(_, landed)| landed.bytes).sum();
            if landed().count() <= self.entries_max && bytes <= self.bytes_max {
                return;
            }
            let Some(oldest) = landed().min_by_key(|(_, landed)| landed.at).map(|(key, _)| key.clone())
            else {
                return;
            };
            flights.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Flight<V>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    const KEPT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn requests_that_come_together_share_one_computation() {
        let flights = SingleFlight::new(KEPT, 4, 100);
        let (computed, go) = (AtomicU32::new(0), Notify::new());
        let request = || {
            flights.get("a", async || {
                go.notified().await;
                Ok::<_, ()>((computed.fetch_add(1, Ordering::Relaxed), 1))
            })
        };
        let all = futures_util::future::join_all((0..20).map(|_| request()));
        let (results, ()) = tokio::join!(all, async { go.notify_one() });
        assert_eq!(results, vec![Ok(0); 20]);
        tokio::time::advance(KEPT - Duration::from_millis(1)).await;
        assert_eq!(request().await, Ok(0), "kept");
        tokio::time::advance(Duration::from_millis(1)).await;
        go.notify_one();
        assert_eq!(request().await, Ok(1), "too old");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_kept_and_a_request_that_leaves_is_replaced() {
        let flights = SingleFlight::new(KEPT, 4, 100);
        assert_eq!(flights.get("a", async || Err::<(u32, usize), _>("broken")).await, Err("broken"));
        let never = flights.get("a", async || std::future::pending::<Result<(u32, usize), &str>>().await);
        let waiting = flights.get("a", async || Ok::<_, &str>((7, 1)));
        let (first, second) = tokio::join!(tokio::time::timeout(Duration::from_secs(1), never), waiting);
        assert!(first.is_err());
        assert_eq!(second, Ok::<u32, &str>(7));
    }

    #[tokio::test(start_paused = true)]
    async fn results_are_bounded_in_number_and_bytes() {
        let flights = SingleFlight::new(KEPT, 3, 100);
        for key in 0..10 {
            tokio::time::advance(Duration::from_millis(1)).await;
            flights.get(key, async || Ok::<_, ()>((key, 10))).await.unwrap();
        }
        let mut kept: Vec<i32> = flights.lock().keys().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [7, 8, 9]);
        tokio::time::advance(Duration::from_millis(1)).await;
        flights.get(10, async || Ok::<_, ()>((10, 85))).await.unwrap();
        assert_eq!(flights.lock().keys().copied().collect::<Vec<_>>().len(), 2, "85 and 10 bytes");
    }
}
