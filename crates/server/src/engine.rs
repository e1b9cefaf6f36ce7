//! From stored rows to the newest state of one ledger.
//!
//! The ledger moves only by closed bars; between them, what the mark price has swept since is hidden from the
//! view. So the state at a moment is a function of the rows up to that moment, and a restart (from the last
//! checkpoint or from nothing) arrives at the same one. A row that arrives for a time the ledger has passed
//! (a hole that was filled, a count of open interest that came late) takes it back to before that time.

use std::sync::Arc;

use liqheat_market::{Bar, Price, UnixMs};
use liqheat_model::{Ledger, Outcome, Step, Tip};
use liqheat_store::{Checkpoint, Store, StoreError, Touched};
use liqheat_stream::Counters;
use liqheat_wire::{Cell, format_time};
use tracing::{debug, error, info, warn};

use crate::bars::BarReader;
use crate::metrics::UpdateMetrics;
use crate::symbol::{LedgerView, Part};

const HOUR_MS: i64 = 3_600_000;
/// Market time between checkpoints.
const CHECKPOINT_EVERY_MS: i64 = 6 * HOUR_MS;
/// While a long past is caught up with, all but these are passed over: a checkpoint takes as long as a few
/// days of bars, and the ones near the present are what the next start and most charts begin from.
const CHECKPOINT_PAST_MS: i64 = 30 * 24 * HOUR_MS;
const CHECKPOINT_RECENT_MS: i64 = 48 * HOUR_MS;

/// The ledger of one part and where it stands in the store.
pub(crate) struct Engine {
    part: Arc<Part>,
    reader: BarReader,
    ledger: Ledger,
    /// Everything before this moment is in the ledger.
    cursor: UnixMs,
    counters: Counters,
    /// Bars up to here are in the counters; a bar that is computed anew is not counted again.
    counted: UnixMs,
    version: Version,
    /// How often it went back.
    revision: u64,
    checkpoints_kept: usize,
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
        part: Arc<Part>,
        store: Store,
        as_of: UnixMs,
        checkpoints_kept: usize,
    ) -> Result<Option<Self>, StoreError> {
        let reader = BarReader::of(&part, &store);
        // Before the first read: what is stored from now on is told again, and that does no harm.
        part.take_touched();
        if part.first_bar().is_none() {
            let Some(first) = store.first_bar(&part.instrument, part.interval).await? else {
                return Ok(None);
            };
            part.set_first_bar(first);
        }
        let (ledger, cursor) = ledger_before(&part, &reader.store, as_of).await?;
        info!(symbol = %part.instrument.symbol, venue = %part.instrument.venue, from = format_time(cursor), "ledger continues");
        Ok(Some(Self {
            part,
            reader,
            ledger,
            cursor,
            counters: Counters::default(),
            counted: cursor,
            version: Version::default(),
            revision: 0,
            checkpoints_kept,
        }))
    }

    /// Moves the ledger over all bars that are complete at `as_of` and puts up the newest view, once there is an
    /// open interest to begin with.
    pub(crate) async fn advance(&mut self, as_of: UnixMs, updates: &UpdateMetrics) -> Result<(), StoreError> {
        let touched = self.part.take_touched();
        if let Err(error) = self.go_back(touched).await {
            // Not forgotten: the next turn tries again.
            self.part.touch(touched);
            return Err(error);
        }
        self.apply_closed_bars(as_of.plus(-self.part.settle_ms()), updates).await?;
        if let Some((base_bin, closing)) = self.ledger.base_bin().zip(self.ledger.last_price()) {
            let (price, tip, seen) = self.edge(closing, as_of).await?;
            self.show(base_bin, price, tip, seen);
        }
        Ok(())
    }

    /// Rows were stored for a time that is in the ledger already: back to the newest checkpoint that has not seen
    /// it. The store deleted those that have.
    async fn go_back(&mut self, touched: Touched) -> Result<(), StoreError> {
        let Some(outdated) = touched.outdates(self.part.interval).filter(|from| self.cursor >= *from) else {
            return Ok(());
        };
        let store = &self.reader.store;
        if let Some(first) = store.first_bar(&self.part.instrument, self.part.interval).await? {
            self.part.set_first_bar(first);
        }
        let (ledger, cursor) = ledger_before(&self.part, store, outdated.plus(-1)).await?;
        debug!(
            instrument = %self.part.instrument,
            row_of = format_time(outdated),
            back_to = format_time(cursor),
            "rows arrived for a time that had passed"
        );
        (self.ledger, self.cursor) = (ledger, cursor);
        self.revision += 1;
        Ok(())
    }

    async fn apply_closed_bars(
        &mut self,
        complete: UnixMs,
        updates: &UpdateMetrics,
    ) -> Result<(), StoreError> {
        let interval = self.part.interval.ms();
        let target = complete.floor_to(interval);
        while self.cursor < target {
            let until = next_stop(self.cursor, target);
            let before = self.ledger.as_of();
            // After a turn that failed half-way the ledger may be ahead of the cursor.
            let from = before.map_or(self.cursor, |applied| applied.max(self.cursor));
            let (part, counters, counted) = (&self.part, &mut self.counters, self.counted);
            self.reader
                .run(&mut self.ledger, from, until, |_, bar, step| {
                    if let Some(step) = step.filter(|_| bar.close_time > counted) {
                        account(part, bar, step, counters, updates);
                    }
                })
                .await?;
            self.cursor = until;
            self.counted = self.counted.max(until);
            if until.0 % CHECKPOINT_EVERY_MS == 0 && self.ledger.as_of() != before {
                // Without it the next start only takes longer, so the turn goes on.
                if let Err(error) = self.keep_checkpoint().await {
                    warn!(instrument = %self.part.instrument, %error, "checkpoint not stored");
                }
            }
        }
        Ok(())
    }

    async fn keep_checkpoint(&self) -> Result<(), StoreError> {
        let Some(time) = self.ledger.as_of() else {
            return Ok(());
        };
        let fingerprint = self.part.params.fingerprint();
        let checkpoint = Checkpoint { time, fingerprint, state: self.ledger.encode() };
        let (store, instrument) = (&self.reader.store, &self.part.instrument);
        store.put_checkpoint(instrument, self.part.interval, checkpoint).await?;
        store.prune_checkpoints(instrument, self.checkpoints_kept).await?;
        Ok(())
    }

    /// The price now, the range of the mark price since the last bar closed, and the time of the newest tick.
    async fn edge(&self, closing: Price, as_of: UnixMs) -> Result<(Price, Tip, UnixMs), StoreError> {
        let closed = self.ledger.as_of().unwrap_or(self.cursor);
        let range = self.reader.store.mark_range(&self.part.instrument, closed, as_of).await?;
        Ok(range.map_or((closing, None, closed), |range| {
            (range.last, Some((range.low, range.high)), range.last_time.max(closed))
        }))
    }

    fn show(&mut self, base_bin: Price, price: Price, tip: Tip, as_of: UnixMs) {
        let levels = self.ledger.levels(base_bin, tip);
        let cells = levels.iter().map(|level| Cell {
            price: level.price,
            long_usd: whole_usd(level.long_usd),
            short_usd: whole_usd(level.short_usd),
        });
        self.part.set_view(LedgerView {
            cursor: self.ledger.as_of().unwrap_or(self.cursor),
            as_of,
            price,
            base_bin,
            seen_share: self.ledger.seen_share(),
            open_interest: self.ledger.open_interest(),
            tip,
            cells: Arc::new(cells.filter(|cell| !cell.is_empty()).collect()),
            by_leverage: Arc::new(self.ledger.levels_by_leverage(base_bin, tip)),
            counters: self.counters,
            version: self.version.of(&self.ledger),
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
    part: &Part,
    store: &Store,
    not_after: UnixMs,
) -> Result<(Ledger, UnixMs), StoreError> {
    let first_bar = part.first_bar().unwrap_or(not_after);
    let fresh = || (Ledger::new(part.params.clone(), part.tiers()), first_bar);
    let fingerprint = part.params.fingerprint();
    let stored = store.latest_checkpoint(&part.instrument, part.interval, fingerprint, not_after).await?;
    let Some(checkpoint) = stored else {
        return Ok(fresh());
    };
    match Ledger::decode(&checkpoint.state, part.params.clone(), part.tiers()) {
        Ok(ledger) => Ok((ledger, checkpoint.time)),
        Err(error) => {
            // Whatever it is, the rows are there: only time is lost.
            warn!(instrument = %part.instrument, %error, "stored ledger is not usable; starting from the first bar");
            Ok(fresh())
        }
    }
}

/// Whole dollars, as the board and the wire have them.
pub(crate) fn whole_usd(usd: f64) -> u64 {
    // The cast saturates; mass is never negative nor NaN (invariant I2).
    usd.round() as u64
}

fn account(part: &Part, bar: &Bar, step: &Step, counters: &mut Counters, updates: &UpdateMetrics) {
    let instrument = &part.instrument;
    updates.bars.inc();
    counters.created += step.created;
    counters.consumed += step.consumed;
    let at = || format_time(bar.open_time);
    match step.outcome {
        Outcome::Refused(fault) => warn!(%instrument, bar = at(), %fault, "bar refused"),
        Outcome::Restarted { gap_ms } => {
            warn!(
                %instrument,
                bar = at(),
                gap_minutes = gap_ms / 60_000,
                "hole in the data; the ledger starts again"
            );
        }
        Outcome::Started => info!(%instrument, bar = at(), "ledger starts"),
        Outcome::Waiting | Outcome::Advanced => {}
    }
    for broken in &step.broken {
        updates.invariants_broken.inc();
        error!(%instrument, bar = at(), %broken, "invariant of the ledger broken");
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
