//! From stored rows to the newest state of one ledger.
//!
//! The ledger moves only by closed bars; between them, what the mark price has swept since is hidden from the
//! view. So the state at a moment is a function of the rows up to that moment, and a restart (from the last
//! checkpoint or from nothing) arrives at the same one. A row that arrives for a time the ledger has passed
//! (a hole that was filled, a count of open interest that came late) takes it back to before that time.

use std::sync::Arc;

use liqheat_market::convert::round_u64;
use liqheat_market::{Bar, Instrument, Price, UnixMs};
use liqheat_model::{Ledger, SampleVerdict, Step, StepOutcome, Tip};
use liqheat_store::{Checkpoint, DirtyRange, Store, StoreError};
use liqheat_stream::Counters;
use liqheat_wire::{Cell, format_time};
use tracing::{debug, error, info, warn};

use super::bars::{BarReader, BarVisitor, LedgerRun};
use crate::catalog::{EngineCommand, LedgerView, VenueLedger};
use crate::compute::ComputePool;
use crate::ops::metrics::UpdateMetrics;

const HOUR_MS: i64 = 3_600_000;
/// Market time between checkpoints.
const CHECKPOINT_EVERY_MS: i64 = 6 * HOUR_MS;
/// Market time between checkpoints while a long past is caught up with: a checkpoint takes as long as a few days of
/// bars, and only those near the present are what the next start and most charts begin from.
const CHECKPOINT_PAST_MS: i64 = 30 * 24 * HOUR_MS;
const CHECKPOINT_RECENT_MS: i64 = 48 * HOUR_MS;

/// What every engine works with.
#[derive(Clone)]
pub(crate) struct EngineParts {
    pub(crate) store: Store,
    pub(crate) compute: ComputePool,
    pub(crate) metrics: Arc<UpdateMetrics>,
    /// Most checkpoints kept per instrument.
    pub(crate) checkpoints_kept: usize,
}

/// The ledger of one venue and its position in the store.
pub(crate) struct Engine {
    ledger: Arc<VenueLedger>,
    parts: EngineParts,
    reader: BarReader,
    run: LedgerRun<BarCounters>,
    /// Everything before this moment is in the ledger.
    cursor: UnixMs,
    version: Version,
    /// Number of roll-backs.
    revision: u64,
}

/// Counts what the bars created and consumed, and logs what they say.
#[derive(Clone)]
struct BarCounters {
    instrument: Instrument,
    metrics: Arc<UpdateMetrics>,
    counters: Counters,
    /// Bars up to here are in the counters; a bar that is computed again is not counted again.
    counted: UnixMs,
}

/// What the epochs of boards are made of: that of the ledger's grid, but never one that stood for another height of
/// bins before, though a ledger that goes back may come to a grid a second time.
#[derive(Debug, Clone, Copy, Default)]
struct Version {
    shown: u64,
    grid: u64,
    base_bin: Option<Price>,
}

impl Version {
    fn of(&mut self, ledger: &Ledger) -> u64 {
        let (grid, base_bin) = (ledger.grid_version(), ledger.base_bin());
        if (self.grid, self.base_bin) != (grid, base_bin) {
            self.shown = grid.max(self.shown + 1);
            (self.grid, self.base_bin) = (grid, base_bin);
        }
        self.shown
    }
}

impl Engine {
    /// Continues from the newest checkpoint at or before `as_of`, or from the first bar; `None` while there is no
    /// bar to begin with.
    pub(crate) async fn start(
        ledger: Arc<VenueLedger>,
        parts: EngineParts,
        as_of: UnixMs,
    ) -> Result<Option<Self>, StoreError> {
        let reader = BarReader::new(&ledger.spec, &parts.store);
        // Before the first read: rows stored from now on are reported again, which does no harm.
        for command in ledger.take_commands() {
            if let EngineCommand::ReplaceTiers(tiers) = command {
                ledger.set_tiers(tiers);
            }
        }
        let instrument = ledger.instrument().clone();
        if ledger.first_bar().is_none() {
            let Some(first) = parts.store.first_bar(&instrument, ledger.spec.interval).await? else {
                return Ok(None);
            };
            ledger.set_first_bar(first);
        }
        let (state, cursor) = ledger_before(&ledger, &parts.store, as_of).await?;
        info!(symbol = %instrument.symbol, venue = %instrument.venue, from = format_time(cursor), "ledger continues");
        let metrics = Arc::clone(&parts.metrics);
        let bar_counters =
            BarCounters { instrument, metrics, counters: Counters::default(), counted: cursor };
        let run = LedgerRun::new(state, bar_counters);
        Ok(Some(Self { ledger, parts, reader, run, cursor, version: Version::default(), revision: 0 }))
    }

    /// Carries out the commands that wait, moves the ledger over all bars that are complete at `as_of` and shows the
    /// newest view, once there is an open interest to begin with.
    pub(crate) async fn advance(&mut self, as_of: UnixMs) -> Result<(), StoreError> {
        let mut commands = self.ledger.take_commands().into_iter();
        while let Some(command) = commands.next() {
            if let Err(error) = self.execute(command.clone()).await {
                // The next turn tries again.
                std::iter::once(command).chain(commands).for_each(|command| self.ledger.send(command));
                return Err(error);
            }
        }
        self.apply_closed_bars(as_of.plus(-self.ledger.spec.settle_ms)).await?;
        let state = self.run.ledger();
        if let Some((base_bin, closing)) = state.and_then(|ledger| ledger.base_bin().zip(ledger.last_price()))
        {
            let (price, tip, newest) = self.edge(closing, as_of).await?;
            self.show(base_bin, price, tip, newest);
        }
        Ok(())
    }

    async fn execute(&mut self, command: EngineCommand) -> Result<(), StoreError> {
        match command {
            EngineCommand::Append(rows) => self.roll_back(rows).await,
            EngineCommand::ReplaceTiers(tiers) => {
                self.ledger.set_tiers(tiers);
                // Everything was computed under the old tiers, the first bar included.
                let first_bar = DirtyRange { klines: self.ledger.first_bar(), ..DirtyRange::default() };
                self.ledger.rolled_back(UnixMs(0));
                self.roll_back(first_bar).await
            }
        }
    }

    /// Rows were stored for a time that is in the ledger already: back to the newest checkpoint that has not seen
    /// it. The store deleted those that have.
    async fn roll_back(&mut self, rows: DirtyRange) -> Result<(), StoreError> {
        let outdated = rows.outdates(self.ledger.spec.interval);
        let Some(outdated) = outdated.filter(|from| self.cursor >= *from) else {
            return Ok(());
        };
        self.ledger.rolled_back(outdated);
        let instrument = self.ledger.instrument().clone();
        if let Some(first) = self.parts.store.first_bar(&instrument, self.ledger.spec.interval).await? {
            self.ledger.set_first_bar(first);
        }
        self.restore(outdated.plus(-1)).await?;
        debug!(
            %instrument,
            row_of = format_time(outdated),
            back_to = format_time(self.cursor),
            "ledger rolled back: rows arrived for a time that it had passed"
        );
        self.revision += 1;
        Ok(())
    }

    /// Back to the newest stored state at or before a moment.
    async fn restore(&mut self, not_after: UnixMs) -> Result<(), StoreError> {
        let (state, cursor) = ledger_before(&self.ledger, &self.parts.store, not_after).await?;
        let bar_counters = self.run.visitor().cloned().unwrap_or_else(|| BarCounters {
            instrument: self.ledger.instrument().clone(),
            metrics: Arc::clone(&self.parts.metrics),
            counters: Counters::default(),
            counted: self.cursor,
        });
        self.run.replace(state, bar_counters);
        self.cursor = cursor;
        Ok(())
    }

    async fn apply_closed_bars(&mut self, complete: UnixMs) -> Result<(), StoreError> {
        let target = complete.floor_to(self.ledger.spec.interval.ms());
        while self.cursor < target {
            if self.run.ledger().is_none() {
                self.restore(self.cursor).await?;
            }
            let until = next_stop(self.cursor, target);
            let before = self.run.ledger().and_then(Ledger::as_of);
            // After a turn that failed half-way the ledger may be ahead of the cursor.
            let from = before.map_or(self.cursor, |applied| applied.max(self.cursor));
            self.run.over(&self.reader, &self.parts.compute, from, until).await?;
            self.cursor = until;
            if let Some(bar_counters) = self.run.visitor_mut() {
                bar_counters.counted = bar_counters.counted.max(until);
            }
            let moved = self.run.ledger().and_then(Ledger::as_of) != before;
            if until.0 % CHECKPOINT_EVERY_MS == 0 && moved {
                // Without it the next start only takes longer, so the turn goes on.
                if let Err(error) = self.keep_checkpoint().await {
                    warn!(instrument = %self.ledger.instrument(), %error, "checkpoint not stored");
                }
            }
        }
        Ok(())
    }

    async fn keep_checkpoint(&self) -> Result<(), StoreError> {
        let Some((ledger, time)) = self.run.ledger().and_then(|ledger| Some((ledger, ledger.as_of()?)))
        else {
            return Ok(());
        };
        let fingerprint = self.ledger.spec.params.fingerprint();
        let checkpoint = Checkpoint { time, fingerprint, state: ledger.encode() };
        let (store, instrument) = (&self.parts.store, self.ledger.instrument());
        store.put_checkpoint(instrument, self.ledger.spec.interval, checkpoint).await?;
        store.prune_checkpoints(instrument, self.parts.checkpoints_kept).await?;
        Ok(())
    }

    /// The price now, the range of the mark price since the last bar closed, and the time of the newest tick.
    async fn edge(&self, closing: Price, as_of: UnixMs) -> Result<(Price, Tip, UnixMs), StoreError> {
        let closed = self.run.ledger().and_then(Ledger::as_of).unwrap_or(self.cursor);
        let range = self.parts.store.mark_range(self.ledger.instrument(), closed, as_of).await?;
        Ok(range.map_or((closing, None, closed), |range| {
            (range.last, Some((range.low, range.high)), range.last_time.max(closed))
        }))
    }

    fn show(&mut self, base_bin: Price, price: Price, tip: Tip, as_of: UnixMs) {
        let Some((state, bar_counters)) = self.run.ledger().zip(self.run.visitor()) else { return };
        let levels = state.levels(base_bin, tip);
        let cells = levels.iter().map(|level| Cell {
            price: level.price,
            long_usd: whole_usd(level.long_usd),
            short_usd: whole_usd(level.short_usd),
        });
        self.ledger.set_view(LedgerView {
            cursor: state.as_of().unwrap_or(self.cursor),
            as_of,
            price,
            base_bin,
            seen_share: state.seen_share(),
            open_interest: state.open_interest(),
            tip,
            cells: Arc::new(cells.filter(|cell| !cell.is_empty()).collect()),
            by_leverage: Arc::new(state.levels_by_leverage(base_bin, tip)),
            counters: bar_counters.counters,
            version: self.version.of(state),
            revision: self.revision,
        });
    }
}

/// How far to go in one stretch: to the next moment at which a checkpoint is worth its time, always the same
/// ones whatever the rhythm of the updater.
fn next_stop(cursor: UnixMs, target: UnixMs) -> UnixMs {
    let after = |step: i64| cursor.floor_to(step).plus(step);
    let recent = target.plus(-CHECKPOINT_RECENT_MS).floor_to(CHECKPOINT_EVERY_MS);
    let stop =
        if cursor < recent { after(CHECKPOINT_PAST_MS).min(recent) } else { after(CHECKPOINT_EVERY_MS) };
    stop.min(target)
}

/// The newest stored state of the ledger at or before a moment, and everything before which is in it.
pub(crate) async fn ledger_before(
    ledger: &VenueLedger,
    store: &Store,
    not_after: UnixMs,
) -> Result<(Ledger, UnixMs), StoreError> {
    let first_bar = ledger.first_bar().unwrap_or(not_after);
    let fresh = || (Ledger::new(ledger.spec.params.clone(), ledger.tiers()), first_bar);
    let fingerprint = ledger.spec.params.fingerprint();
    let stored =
        store.latest_checkpoint(ledger.instrument(), ledger.spec.interval, fingerprint, not_after).await?;
    let Some(checkpoint) = stored else {
        return Ok(fresh());
    };
    match Ledger::decode(&checkpoint.state, ledger.spec.params.clone(), ledger.tiers()) {
        Ok(state) => Ok((state, checkpoint.time)),
        Err(error) => {
            // Whatever it is, the rows are there: only time is lost.
            warn!(instrument = %ledger.instrument(), %error, "stored ledger is not usable; starting from the first bar");
            Ok(fresh())
        }
    }
}

/// Whole dollars, as the board and the wire have them.
pub(crate) fn whole_usd(usd: f64) -> u64 {
    // The cast saturates; mass is never negative nor NaN (invariant I2).
    round_u64(usd)
}

impl BarVisitor for BarCounters {
    fn after(&mut self, bar: &Bar, step: &Step) {
        if bar.close_time <= self.counted {
            return;
        }
        let instrument = &self.instrument;
        self.metrics.bars.inc();
        self.counters.created += step.created;
        self.counters.consumed += step.consumed;
        let at = || format_time(bar.open_time);
        match step.outcome {
            StepOutcome::Refused(fault) => warn!(%instrument, bar = at(), %fault, "bar refused"),
            StepOutcome::Restarted { gap_ms } => {
                let gap_minutes = gap_ms / 60_000;
                warn!(%instrument, bar = at(), gap_minutes, "gap in the data; the ledger starts again");
            }
            StepOutcome::Started => info!(%instrument, bar = at(), "ledger starts"),
            StepOutcome::Waiting | StepOutcome::Advanced => {}
        }
        let open_interest = || bar.open_interest.map(|coins| coins.to_string()).unwrap_or_default();
        match step.sample_verdict {
            SampleVerdict::Doubted => {
                self.metrics.open_interest_doubted.inc();
                warn!(%instrument, bar = at(), open_interest = open_interest(), "open interest doubted action=counts_as_unknown");
            }
            SampleVerdict::JumpConfirmed => {
                self.metrics.open_interest_jumps.inc();
                warn!(%instrument, bar = at(), open_interest = open_interest(), "open interest jump confirmed");
            }
            SampleVerdict::Unknown | SampleVerdict::Accepted => {}
        }
        for broken in &step.broken {
            self.metrics.invariants_broken.inc();
            error!(%instrument, bar = at(), %broken, "invariant of the ledger broken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;

    proptest! {
        #[test]
        fn stretches_reach_the_target_in_few_steps(start in 0i64..1_000_000, bars in 0i64..2_000_000) {
            let (mut cursor, target) = (UnixMs(start * MINUTE), UnixMs((start + bars) * MINUTE));
            let mut stops = 0;
            while cursor < target {
                let next = next_stop(cursor, target);
                prop_assert!(next > cursor && next <= target);
                prop_assert!(next == target || next.0 % CHECKPOINT_EVERY_MS == 0, "stops where a checkpoint may be");
                cursor = next;
                stops += 1;
            }
            prop_assert!(stops <= target.since(UnixMs(start * MINUTE)) / CHECKPOINT_PAST_MS + 12);
        }
    }
}
