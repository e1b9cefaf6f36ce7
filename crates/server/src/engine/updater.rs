//! The background task that keeps the published states up to date.
//!
//! In its turn the ledgers of a market (one symbol at all its venues) are moved by what came into the store since
//! the last one, each once, and the sums are published under all names that show them. A turn that fails is logged,
//! counted and tried again from the same place; nothing is lost, because the cursor moves only with what was applied.

#![expect(clippy::disallowed_methods, reason = "the shell of the schedule: it reads the clock for each turn")]

use std::sync::Arc;
use std::time::Duration;

use liqheat_market::UnixMs;
use liqheat_market::convert::whole_ms;
use liqheat_store::{Retention, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, field, info, trace_span, warn};

use super::ledger_engine::{Engine, EngineParts};
use super::schedule::Schedule;
use crate::catalog::{Catalog, Market, ServedSymbol, VenueLedger};
use crate::clock::MarketClock;
use crate::published::Published;
use crate::traces::within;

/// Time between deletions of rows that are past their retention.
const RETENTION_EVERY: Duration = Duration::from_secs(3_600);

/// How the updater works.
#[derive(Debug, Clone)]
pub(crate) struct UpdaterSettings {
    /// Time between two turns of one market.
    pub(crate) update_interval: Duration,
    /// How long rows are kept.
    pub(crate) retention: Retention,
}

/// Moves ledgers and publishes their sums.
pub(crate) struct Updater {
    catalog: Arc<Catalog>,
    parts: EngineParts,
    published: Arc<Published>,
    clock: Arc<MarketClock>,
    settings: UpdaterSettings,
}

/// The engines of one market, once the store let them start.
struct MarketEngine {
    market: Arc<Market>,
    engines: Vec<Option<Engine>>,
    /// Failed turns in a row.
    failing: i64,
}

impl MarketEngine {
    fn new(market: &Arc<Market>) -> Self {
        let engines = market.ledgers.iter().map(|_| None).collect();
        Self { market: Arc::clone(market), engines, failing: 0 }
    }
}

impl Updater {
    pub(crate) const fn new(
        catalog: Arc<Catalog>,
        parts: EngineParts,
        published: Arc<Published>,
        clock: Arc<MarketClock>,
        settings: UpdaterSettings,
    ) -> Self {
        Self { catalog, parts, published, clock, settings }
    }

    /// Runs until asked to stop.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut markets: Vec<MarketEngine> = self.catalog.markets().iter().map(MarketEngine::new).collect();
        let interval = self.settings.update_interval;
        let mut schedule = Schedule::new(markets.len(), interval, Instant::now());
        let mut retained = Instant::now();
        info!(markets = markets.len(), interval_ms = whole_ms(interval), "updater started");
        // Stopping happens between turns, so no ledger ends midway through a bar.
        loop {
            let Some((next, due)) = schedule.next() else {
                stop.cancelled().await;
                break;
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.published.publication_wanted() => {
                    schedule.all_now(Instant::now());
                    continue;
                }
                () = sleep_until(due) => {}
            }
            if retained.elapsed() >= RETENTION_EVERY {
                retained = Instant::now();
                self.delete_old_rows().await;
            }
            let began = Instant::now();
            let has_failed = self.update(&mut markets[next]).await.is_err();
            self.count(has_failed, began, markets.iter());
            let took_ms = whole_ms(began.elapsed());
            debug!(symbol = markets[next].market.name(), took_ms, has_failed, "turn of the updater");
            schedule.done(next, Instant::now());
            let due = schedule.longest_due();
            self.parts.metrics.set_due(due.map(|(market, due)| (markets[market].market.name(), due)));
        }
        self.parts.metrics.set_due(None);
        info!("updater stopped");
    }

    fn count<'a>(&self, has_failed: bool, began: Instant, markets: impl Iterator<Item = &'a MarketEngine>) {
        let metrics = &self.parts.metrics;
        metrics.count(has_failed, began.elapsed());
        metrics.failing.set(markets.map(|market| market.failing).max().unwrap_or(0));
    }

    /// Deletes rows that are past their retention. A failure is tried again in an hour.
    async fn delete_old_rows(&self) {
        if self.clock.is_replay() || self.settings.retention == Retention::default() {
            return;
        }
        for ledger in self.catalog.ledgers() {
            let (Some(view), instrument) = (ledger.view(), ledger.instrument()) else { continue };
            match self.parts.store.retain(instrument, view.as_of, self.settings.retention).await {
                Ok(deleted) => info!(%instrument, ?deleted, "old rows deleted"),
                Err(error) => warn!(%instrument, %error, retry_in = "1h", "old rows not deleted"),
            }
        }
    }

    /// Moves the ledgers of a market and publishes them; where that fails, their state becomes degraded.
    async fn update(&self, market: &mut MarketEngine) -> Result<(), StoreError> {
        let symbol = market.market.name();
        let span = trace_span!("update", symbol, otel.status_code = field::Empty);
        let result = within(span.clone(), self.advance_and_publish(market)).await;
        if result.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        result
    }

    async fn advance_and_publish(&self, market: &mut MarketEngine) -> Result<(), StoreError> {
        let now = self.clock.now();
        let result = self.advance(market, now).await;
        match &result {
            Ok(()) => {
                market.failing = 0;
                trace_span!("publish").in_scope(|| self.published.publish(&market.market, now));
            }
            Err(error) => {
                market.failing += 1;
                warn!(symbol = market.market.name(), %error, "update failed; the next turn tries again");
                self.published.fail(&market.market);
            }
        }
        result
    }

    /// Moves every ledger of a market. One that cannot be moved does not keep the others.
    async fn advance(&self, market: &mut MarketEngine, now: UnixMs) -> Result<(), StoreError> {
        let mut result = Ok(());
        for (ledger, engine) in market.market.ledgers.iter().zip(&mut market.engines) {
            let span = trace_span!("ledger", instrument = %ledger.instrument());
            let moved = within(span, self.advance_one(ledger, engine, now)).await;
            result = result.and(moved);
        }
        result
    }

    async fn advance_one(
        &self,
        ledger: &Arc<VenueLedger>,
        engine: &mut Option<Engine>,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        if engine.is_none() {
            *engine = Engine::start(Arc::clone(ledger), self.parts.clone(), now).await?;
        }
        match engine {
            Some(engine) => engine.advance(now).await,
            None => Ok(()),
        }
    }
}

/// Does the updater's work where it does not run (`WS_ENABLED=false`): a request that wants the newest state moves
/// the symbol first, at most once an update interval, so that polling is answered as before.
pub(crate) struct OnDemand {
    updater: Arc<Updater>,
    /// Held for the length of an update: requests that come meanwhile wait for it and use its result.
    markets: Mutex<Vec<(MarketEngine, Option<Instant>)>>,
}

impl OnDemand {
    pub(crate) fn new(updater: Arc<Updater>) -> Self {
        let markets = updater.catalog.markets().iter().map(|market| (MarketEngine::new(market), None));
        let markets = Mutex::new(markets.collect());
        Self { updater, markets }
    }

    /// Brings a symbol up to date, if it is due.
    ///
    /// # Errors
    /// When the store fails; the next request tries again.
    pub(crate) async fn refresh(&self, symbol: &ServedSymbol) -> Result<(), StoreError> {
        let mut markets = self.markets.lock().await;
        let Some((market, updated)) = markets.get_mut(symbol.market.0) else {
            return Ok(());
        };
        let interval = self.updater.settings.update_interval;
        if updated.is_some_and(|updated| updated.elapsed() < interval) {
            return Ok(());
        }
        let began = Instant::now();
        let result = self.updater.update(market).await;
        if result.is_ok() {
            *updated = Some(Instant::now());
        }
        self.updater.count(result.is_err(), began, markets.iter().map(|(market, _)| market));
        result
    }
}
