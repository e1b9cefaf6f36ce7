//! Freezes and grades hours: the shell around [`HourPlan`].
//!
//! What is frozen comes from stored rows alone: the newest checkpoint at or before the hour, and the bars that closed by
//! its beginning. So a map that is frozen late has not seen the hour either.

#![expect(clippy::disallowed_methods, reason = "the shell of the grading: it times its turns")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Instrument, UnixMs};
use liqheat_score::{FrozenMoment, HOUR_MS, MarketContext, grade_hour};
use liqheat_store::{AccuracyHour, AccuracyState, QUERY_ROWS_MAX, Store, StoreError};
use liqheat_wire::format_time;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::plan::{HourPlan, HourTask};
use crate::catalog::{Catalog, VenueLedger};
use crate::clock::MarketClock;
use crate::compute::ComputePool;
use crate::engine::{BarReader, LedgerRun, ledger_before};
use crate::ingest::live::{self, Live};

/// Interval at which due hours are checked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time until a task that failed is repeated.
const RETRY_AFTER: Duration = Duration::from_secs(30);
const DAY_MS: i64 = 24 * HOUR_MS;
/// Bars before an hour that the baselines know: the age of a price counts up to so long.
const SURROUNDINGS_MS: i64 = 30 * DAY_MS;

/// What the grader works with.
pub(crate) struct GraderParts {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<MarketClock>,
    /// `None` where no venue is followed: a replay or the simulated market.
    pub(crate) live: Option<Arc<Live>>,
}

/// Outcome of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskOutcome {
    /// A row was stored.
    Kept,
    /// There is nothing to store.
    Nothing,
    /// The bar that closed as the hour began is not stored yet; the task is still due at the next look.
    Waits,
}

/// Grades every ledger.
pub(crate) struct Grader {
    parts: GraderParts,
    /// Freezing reads a month of bars at first; it must not take the place of requests or of the updater.
    compute: ComputePool,
}

/// One ledger and its hours.
struct GradedLedger {
    ledger: Arc<VenueLedger>,
    reader: BarReader,
    plan: HourPlan,
    /// What the baselines know, and up to which moment.
    surroundings: Option<(MarketContext, UnixMs)>,
    retry_at: Option<tokio::time::Instant>,
}

impl Grader {
    pub(crate) fn new(parts: GraderParts) -> Self {
        Self { parts, compute: ComputePool::new(1) }
    }

    /// Runs until asked to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut ledgers: BTreeMap<Instrument, GradedLedger> = BTreeMap::new();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            for ledger in self.parts.catalog.ledgers() {
                if stop.is_cancelled() {
                    return;
                }
                // A ledger without bars has nothing to freeze.
                if ledger.first_bar().is_none() {
                    continue;
                }
                if !ledgers.contains_key(ledger.instrument()) {
                    match self.begin(ledger).await {
                        Ok(graded) => drop(ledgers.insert(ledger.instrument().clone(), graded)),
                        Err(error) => {
                            warn!(instrument = %ledger.instrument(), %error, "running score not read; trying again");
                        }
                    }
                }
                if let Some(graded) = ledgers.get_mut(ledger.instrument()) {
                    self.advance(graded, &stop).await;
                }
            }
        }
    }

    async fn begin(&self, ledger: &Arc<VenueLedger>) -> Result<GradedLedger, StoreError> {
        let now = self.parts.clock.now();
        let fingerprint = ledger.spec.params.fingerprint();
        let recent = self.parts.store.accuracy_hours(
            ledger.instrument(),
            fingerprint,
            now.plus(-2 * DAY_MS),
            now.plus(DAY_MS),
        );
        let frozen = recent.await?.into_iter().filter(|hour| hour.state == AccuracyState::Frozen);
        Ok(GradedLedger {
            ledger: Arc::clone(ledger),
            reader: BarReader::new(&ledger.spec, &self.parts.store),
            plan: HourPlan::new(now, frozen.map(|hour| hour.start)),
            surroundings: None,
            retry_at: None,
        })
    }

    /// Carries out what is due. A task that fails is tried again later.
    async fn advance(&self, graded: &mut GradedLedger, stop: &CancellationToken) {
        let (now, spec) = (self.parts.clock.now(), &graded.ledger.spec);
        match &self.parts.live {
            Some(live) => graded.plan.receive(live::receives_liquidations(live, &spec.instrument), now),
            None => graded.plan.receive_all(),
        }
        if graded.retry_at.is_some_and(|at| tokio::time::Instant::now() < at) {
            return;
        }
        let complete = now.plus(-spec.settle_ms);
        while let Some(task) = graded.plan.due(complete) {
            match self.execute(graded, task, complete).await {
                Ok(TaskOutcome::Waits) => return,
                Ok(executed) => graded.plan.done(task, executed == TaskOutcome::Kept),
                Err(error) => {
                    graded.retry_at = Some(tokio::time::Instant::now() + RETRY_AFTER);
                    let instrument = graded.ledger.instrument();
                    warn!(%instrument, ?task, %error, retry_in_s = RETRY_AFTER.as_secs(), "hour not graded");
                    return;
                }
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    async fn execute(
        &self,
        graded: &mut GradedLedger,
        task: HourTask,
        complete: UnixMs,
    ) -> Result<TaskOutcome, StoreError> {
        let fingerprint = graded.ledger.spec.params.fingerprint();
        let hour = match task {
            HourTask::Freeze(start) => {
                if !is_stored_up_to(start, complete, graded).await? {
                    return Ok(TaskOutcome::Waits);
                }
                let Some(frozen) = self.freeze(graded, start).await? else {
                    debug!(instrument = %graded.ledger.instrument(), hour = format_time(start), "no bar closed when the hour began");
                    return Ok(TaskOutcome::Nothing);
                };
                let prediction = Some(frozen.encode());
                AccuracyHour { start, fingerprint, prediction, state: AccuracyState::Frozen }
            }
            HourTask::Grade(start) => {
                let Some(stored) = self.stored(&graded.ledger, start).await? else {
                    return Ok(TaskOutcome::Nothing);
                };
                let state = self.grade(graded, &stored).await?;
                AccuracyHour { state, ..stored }
            }
            HourTask::GiveUp(start) => {
                let Some(stored) = self.stored(&graded.ledger, start).await? else {
                    return Ok(TaskOutcome::Nothing);
                };
                let reason = "liquidations were not received during all of it".to_owned();
                AccuracyHour { state: AccuracyState::Lost(reason), ..stored }
            }
        };
        debug!(instrument = %graded.ledger.instrument(), ?task, "hour of the running score stored");
        self.parts.store.put_accuracy_hour(graded.ledger.instrument(), hour).await?;
        Ok(TaskOutcome::Kept)
    }

    /// The stored row of an hour.
    async fn stored(&self, ledger: &VenueLedger, start: UnixMs) -> Result<Option<AccuracyHour>, StoreError> {
        let fingerprint = ledger.spec.params.fingerprint();
        let rows = self.parts.store.accuracy_hours(ledger.instrument(), fingerprint, start, start).await?;
        Ok(rows.into_iter().next())
    }

    /// What is predicted at a moment; `None` when no bar closed just then.
    async fn freeze(
        &self,
        graded: &mut GradedLedger,
        at: UnixMs,
    ) -> Result<Option<FrozenMoment>, StoreError> {
        let store = &self.parts.store;
        let (ledger, from) = ledger_before(&graded.ledger, store, at).await?;
        let mut run = LedgerRun::new(ledger, ());
        run.over(&graded.reader, &self.compute, from, at).await?;
        let Some((ledger, ())) = run.into_parts() else { return Ok(None) };
        let (mut surroundings, known) = match graded.surroundings.take() {
            Some((surroundings, known)) if known <= at => (surroundings, known),
            _ => {
                let new = MarketContext::new(&graded.ledger.spec.params, &graded.ledger.tiers());
                (new, at.plus(-SURROUNDINGS_MS))
            }
        };
        let bars = graded.reader.bars(known, at).await?;
        let day_before = self.stored(&graded.ledger, at.plus(-DAY_MS)).await?;
        let yesterday = day_before.and_then(|hour| FrozenMoment::decode(&hour.prediction?));
        let (surroundings, frozen) = self
            .compute
            .run(move || {
                bars.iter().for_each(|bar| surroundings.step(bar));
                let is_current = ledger.as_of() == Some(at);
                let frozen = is_current.then(|| surroundings.freeze(&ledger, yesterday.as_ref())).flatten();
                (surroundings, frozen)
            })
            .await;
        graded.surroundings = Some((surroundings, at));
        Ok(frozen)
    }

    async fn grade(&self, graded: &GradedLedger, hour: &AccuracyHour) -> Result<AccuracyState, StoreError> {
        let Some(frozen) = hour.prediction.as_deref().and_then(FrozenMoment::decode) else {
            return Ok(AccuracyState::Lost("what was predicted for it cannot be read".to_owned()));
        };
        let (start, end) = (hour.start, hour.start.plus(HOUR_MS));
        let bars = graded.reader.bars(start, end).await?;
        let limit = std::num::NonZeroUsize::new(QUERY_ROWS_MAX).unwrap_or(std::num::NonZeroUsize::MIN);
        let instrument = graded.ledger.instrument();
        let liquidations = self.parts.store.liquidations(instrument, start, end, 0, limit).await?;
        let tiers = graded.ledger.tiers();
        let graded = self.compute.run(move || grade_hour(&frozen, &bars, &liquidations, &tiers)).await;
        Ok(match graded {
            Ok(graded) => AccuracyState::Graded(graded.encode()),
            Err(reason) => AccuracyState::Lost(reason.to_string()),
        })
    }
}

/// Whether the bar that closed at a moment is stored, or one after it, so that it will not come. The writer may be behind
/// the clock.
async fn is_stored_up_to(
    moment: UnixMs,
    complete: UnixMs,
    graded: &GradedLedger,
) -> Result<bool, StoreError> {
    let newest = graded.reader.bars(moment.plus(-graded.ledger.spec.interval.ms()), complete).await?;
    Ok(newest.iter().any(|bar| bar.close_time >= moment))
}
