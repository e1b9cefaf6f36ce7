//! The simulated market, feeding the store as if it were a venue.
//!
//! Market time runs at a speed; each turn the simulation is moved on to the present moment, its events are
//! appended, and only then the market clock follows, so that a reader never sees half a moment.

#![expect(clippy::disallowed_methods, reason = "the shell of the simulated market: it runs by the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use liqheat_feeds::sim::Sim;
use liqheat_market::UnixMs;
use liqheat_store::{Batch, Store, StoreError};
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::{MarketClock, played_ms};

/// A simulated market on its way into the store.
pub(crate) struct SimFeed {
    sim: Sim,
    store: Store,
    clock: Arc<MarketClock>,
    /// Market seconds a second.
    speed: f64,
    /// Events that the store refused for now; appended before any newer ones.
    waiting: Vec<liqheat_market::Event>,
}

impl SimFeed {
    const TURN: Duration = Duration::from_millis(250);
    /// Market time simulated before its events are stored: well below the store's largest batch.
    const STRETCH_MS: i64 = 12 * 3_600_000;

    /// A feed that has appended nothing yet.
    #[must_use]
    pub(crate) const fn new(sim: Sim, store: Store, clock: Arc<MarketClock>, speed: f64) -> Self {
        Self { sim, store, clock, speed, waiting: Vec::new() }
    }

    /// Brings the store up to a moment of market time. Appending what is there already changes nothing, so a
    /// simulation that starts again over an old file goes on where it was.
    ///
    /// # Errors
    /// When the store fails; the events are kept and the next call appends them.
    pub(crate) async fn fill_until(&mut self, until: UnixMs) -> Result<(), StoreError> {
        loop {
            // What is waiting goes first, and nothing is simulated before: the store may be away for hours,
            // and neither memory nor the next batch may grow with that.
            if !self.waiting.is_empty() {
                let batch = Batch::from_iter(self.waiting.iter().copied());
                self.store.append(&self.sim.instrument(), batch).await?;
                self.waiting.clear();
            }
            let reached = self.sim.now();
            self.clock.fed_until(reached);
            if reached >= until {
                return Ok(());
            }
            self.sim.advance(until.min(reached.plus(Self::STRETCH_MS)), &mut self.waiting);
        }
    }

    /// Goes on from the present moment of the simulation until asked to stop. What the store refuses is
    /// tried again; `failing` shows the failures in a row.
    pub(crate) async fn run(mut self, failing: Gauge, stop: CancellationToken) {
        let (origin, began) = (self.sim.now(), Instant::now());
        let mut turn = tokio::time::interval(Self::TURN);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = turn.tick() => {}
            }
            let until = origin.plus(played_ms(began.elapsed(), self.speed));
            // Dropping it in the middle loses nothing that a restart would not simulate again.
            let filled = tokio::select! {
                () = stop.cancelled() => return,
                filled = self.fill_until(until) => filled,
            };
            match filled {
                Ok(()) => {
                    failing.set(0);
                }
                Err(error) => {
                    failing.inc();
                    warn!(%error, waiting = self.waiting.len(), "simulated events not stored; trying again");
                }
            }
        }
    }
}
