//! When frames arrived: latency from the server's stamp, and spread from the first client to the last.
//!
//! Stamps come over the server's standard output and may be read after the frames they belong to, so arrivals
//! wait until their update is complete and are then folded into histograms: what is kept does not grow with
//! the length of a run.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

/// Which update: number of the symbol, `seq`.
pub(super) type Update = (usize, u64);

/// The wall clock; client and server are on the same machine, so it is the same one.
pub(super) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// When updates were published, as the server says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stamps(Arc<Mutex<HashMap<Update, u64>>>);

impl Stamps {
    pub(super) fn put(&self, update: Update, micros: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(update, micros);
    }

    fn take(&self, update: Update) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&update)
    }
}

/// Arrivals of one run.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Arrival times of updates that may not be complete.
    waiting: BTreeMap<Update, Vec<u64>>,
    pub(super) latency: Histogram<u64>,
    pub(super) spread: Histogram<u64>,
    /// Arrivals of updates that the server never stamped.
    pub(super) unstamped: u64,
}

impl Arrivals {
    /// Far beyond any latency worth knowing; longer ones count as this.
    const MICROS_MAX: u64 = 120_000_000;
    /// An update is complete when nothing of it came for so long.
    const COMPLETE_AFTER_MICROS: u64 = 3_000_000;

    pub(super) fn new() -> anyhow::Result<Self> {
        let histogram = Histogram::new_with_max(Self::MICROS_MAX, 3)?;
        let (latency, spread) = (histogram.clone(), histogram);
        Ok(Self { waiting: BTreeMap::new(), latency, spread, unstamped: 0 })
    }

    pub(super) fn arrived(&mut self, update: Update, micros: u64) {
        self.waiting.entry(update).or_default().push(micros);
    }

    /// Folds what is complete by now; at the end of a run, with `u64::MAX`, everything.
    pub(super) fn fold(&mut self, stamps: &Stamps, now: u64) {
        let complete = |times: &[u64]| {
            times.last().is_some_and(|last| last.saturating_add(Self::COMPLETE_AFTER_MICROS) < now)
        };
        let ready: Vec<Update> =
            self.waiting.iter().filter(|(_, times)| complete(times)).map(|(update, _)| *update).collect();
        for update in ready {
            let Some(times) = self.waiting.remove(&update) else { continue };
            let Some(published) = stamps.take(update) else {
                self.unstamped += times.len() as u64;
                continue;
            };
            for time in &times {
                self.latency.saturating_record(time.saturating_sub(published));
            }
            let (first, last) = (times.iter().min(), times.iter().max());
            self.spread.saturating_record(first.zip(last).map_or(0, |(first, last)| last - first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_from_the_stamp_and_spread_from_the_first_arrival() {
        let (stamps, mut arrivals) = (Stamps::default(), Arrivals::new().unwrap());
        for (update, times) in [((0, 1), [1_500, 1_800]), ((1, 1), [2_000, 2_900]), ((0, 2), [9, 9])] {
            for time in times {
                arrivals.arrived(update, time);
            }
        }
        arrivals.fold(&stamps, 4_000);
        assert_eq!((arrivals.latency.len(), arrivals.unstamped), (0, 0), "nothing is complete yet");
        stamps.put((0, 1), 1_000);
        stamps.put((1, 1), 1_900);
        arrivals.fold(&stamps, u64::MAX);
        assert_eq!((arrivals.latency.len(), arrivals.spread.len(), arrivals.unstamped), (4, 2, 2));
        assert_eq!((arrivals.latency.min(), arrivals.latency.max()), (100, 1_000));
        assert_eq!((arrivals.spread.min(), arrivals.spread.max()), (300, 900));
        assert!(arrivals.waiting.is_empty());
    }
}
