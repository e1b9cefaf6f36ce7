//! From stored rows to the newest state of one symbol.
//!
//! The ledger moves only by closed bars; between them, what the mark price has swept since is hidden from the
//! view. So the state at a moment is a function of the rows up to that moment, and a restart (from the last
//! checkpoint or from nothing) arrives at the same one.

use std::sync::Arc;

use liqheat_market::{Bar, Price, UnixMs};
use liqheat_model::{Ledger, Outcome, Step, Tip};
use liqheat_store::{Checkpoint, Store, StoreError};
use liqheat_stream::{BoardUpdate, Counters};
use liqheat_wire::{Cell, FeedState, format_time};
use tracing::{error, info, warn};

use crate::app::App;
use crate::bars::BarReader;
use crate::metrics::UpdateMetrics;
use crate::symbol::{LedgerView, ServedSymbol};

const HOUR_MS: i64 = 3_600_000;
/// Market time between checkpoints.
const CHECKPOINT_EVERY_MS: i64 = 6 * HOUR_MS;
/// While a long past is caught up with, all but these are passed over: a checkpoint takes as long as a few
/// days of bars, and the ones near the present are what the next start and most charts begin from.
const CHECKPOINT_PAST_MS: i64 = 30 * 24 * HOUR_MS;
const CHECKPOINT_RECENT_MS: i64 = 48 * HOUR_MS;

/// The ledger of one symbol and where it stands in the store.
pub(crate) struct Engine {
    symbol: Arc<ServedSymbol>,
    reader: BarReader,
    ledger: Ledger,
    /// Everything before this moment is in the ledger.
    cursor: UnixMs,
    counters: Counters,
    epoch_run: String,
    checkpoints_kept: usize,
}

impl Engine {
    /// Continues from the newest checkpoint at or before `as_of`, or from the first bar.
    pub(crate) async fn start(
        symbol: Arc<ServedSymbol>,
        store: Store,
        as_of: UnixMs,
        epoch_run: String,
        checkpoints_kept: usize,
    ) -> Result<Self, StoreError> {
        let reader = BarReader::of(&symbol, &store);
        let (ledger, cursor) = ledger_before(&symbol, &reader.store, as_of).await?;
        info!(symbol = symbol.name, from = format_time(cursor), "ledger continues");
        Ok(Self {
            symbol,
            reader,
            ledger,
            cursor,
            counters: Counters::default(),
            epoch_run,
            checkpoints_kept,
        })
    }

    pub(crate) fn symbol(&self) -> &ServedSymbol {
        &self.symbol
    }

    /// Moves the ledger over all bars that are complete at `as_of` and gives the newest state; `None` before
    /// the first.
    pub(crate) async fn advance(
        &mut self,
        as_of: UnixMs,
        updates: &UpdateMetrics,
    ) -> Result<Option<BoardUpdate>, StoreError> {
        self.apply_closed_bars(as_of.plus(-self.symbol.settle_ms()), updates).await?;
        let Some((base_bin, closing)) = self.ledger.base_bin().zip(self.ledger.last_price()) else {
            return Ok(None);
        };
        let (price, tip, seen) = self.edge(closing, as_of).await?;
        Ok(Some(self.show(base_bin, price, tip, seen)))
    }

    async fn apply_closed_bars(
        &mut self,
        complete: UnixMs,
        updates: &UpdateMetrics,
    ) -> Result<(), StoreError> {
        let interval = self.symbol.interval.ms();
        let target = complete.floor_to(interval);
        while self.cursor < target {
            let until = next_stop(self.cursor, target);
            let before = self.ledger.as_of();
            // After a turn that failed half-way the ledger may be ahead of the cursor.
            let from = before.map_or(self.cursor, |applied| applied.max(self.cursor));
            let (name, counters) = (&self.symbol.name, &mut self.counters);
            self.reader
                .run(&mut self.ledger, from, until, |_, bar, step| {
                    if let Some(step) = step {
                        account(name, bar, step, counters, updates);
                    }
                })
                .await?;
            self.cursor = until;
            if until.0 % CHECKPOINT_EVERY_MS == 0 && self.ledger.as_of() != before {
                // Without it the next start only takes longer, so the turn goes on.
                if let Err(error) = self.keep_checkpoint().await {
                    warn!(symbol = self.symbol.name, %error, "checkpoint not stored");
                }
            }
        }
        Ok(())
    }

    async fn keep_checkpoint(&self) -> Result<(), StoreError> {
        let Some(time) = self.ledger.as_of() else {
            return Ok(());
        };
        let fingerprint = self.symbol.params.fingerprint();
        let checkpoint = Checkpoint { time, fingerprint, state: self.ledger.encode() };
        let (store, instrument) = (&self.reader.store, &self.symbol.instrument);
        store.put_checkpoint(instrument, self.symbol.interval, checkpoint).await?;
        store.prune_checkpoints(instrument, self.checkpoints_kept).await?;
        Ok(())
    }

    /// The price now, the range of the mark price since the last bar closed, and the time of the newest tick.
    async fn edge(&self, closing: Price, as_of: UnixMs) -> Result<(Price, Tip, UnixMs), StoreError> {
        let closed = self.ledger.as_of().unwrap_or(self.cursor);
        let range = self.reader.store.mark_range(&self.symbol.instrument, closed, as_of).await?;
        Ok(range.map_or((closing, None, closed), |range| {
            (range.last, Some((range.low, range.high)), range.last_time.max(closed))
        }))
    }

    fn show(&self, base_bin: Price, price: Price, tip: Tip, as_of: UnixMs) -> BoardUpdate {
        let epoch = format!("{}-{}", self.epoch_run, self.ledger.grid_version());
        let levels = self.ledger.levels(base_bin, tip);
        let cells = levels.iter().map(|level| Cell {
            price: level.price,
            long_usd: whole_usd(level.long_usd),
            short_usd: whole_usd(level.short_usd),
        });
        let update = BoardUpdate {
            epoch: epoch.clone(),
            cells: cells.filter(|cell| !cell.is_empty()).collect(),
            price,
            base_bin,
            as_of,
            counters: self.counters,
        };
        self.symbol.set_view(LedgerView {
            cursor: self.ledger.as_of().unwrap_or(self.cursor),
            as_of,
            price,
            base_bin,
            seen_share: self.ledger.seen_share(),
            warming_up: self.ledger.is_warming_up(),
            tip,
            by_leverage: Arc::new(self.ledger.levels_by_leverage(base_bin, tip)),
            epoch,
        });
        update
    }

    /// How the data stands at a moment of market time.
    pub(crate) fn standing(&self, app: &App, now: UnixMs) -> FeedState {
        if app.updates.feed_failing.get() > 0 {
            return FeedState::Degraded;
        }
        if app.clock.is_replay() {
            return FeedState::Replay;
        }
        let Some(view) = self.symbol.view() else {
            return FeedState::WarmingUp;
        };
        let stale_after = (2 * self.symbol.interval.ms()).max(60_000);
        if now.since(view.as_of) > stale_after {
            FeedState::Stale
        } else if view.warming_up {
            FeedState::WarmingUp
        } else {
            FeedState::Live
        }
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
    symbol: &ServedSymbol,
    store: &Store,
    not_after: UnixMs,
) -> Result<(Ledger, UnixMs), StoreError> {
    let fresh = || (Ledger::new(symbol.params.clone(), symbol.tiers.clone()), symbol.first_bar);
    let fingerprint = symbol.params.fingerprint();
    let stored = store.latest_checkpoint(&symbol.instrument, symbol.interval, fingerprint, not_after).await?;
    let Some(checkpoint) = stored else {
        return Ok(fresh());
    };
    match Ledger::decode(&checkpoint.state, symbol.params.clone(), symbol.tiers.clone()) {
        Ok(ledger) => Ok((ledger, checkpoint.time)),
        Err(error) => {
            // Whatever it is, the rows are there: only time is lost.
            warn!(symbol = symbol.name, %error, "stored ledger is not usable; starting from the first bar");
            Ok(fresh())
        }
    }
}

/// Whole dollars, as the board and the wire have them.
pub(crate) fn whole_usd(usd: f64) -> u64 {
    // The cast saturates; mass is never negative nor NaN (invariant I2).
    usd.round() as u64
}

fn account(name: &str, bar: &Bar, step: &Step, counters: &mut Counters, updates: &UpdateMetrics) {
    updates.bars.inc();
    counters.created += step.created;
    counters.consumed += step.consumed;
    let at = || format_time(bar.open_time);
    match step.outcome {
        Outcome::Refused(fault) => warn!(symbol = name, bar = at(), %fault, "bar refused"),
        Outcome::Restarted { gap_ms } => {
            warn!(
                symbol = name,
                bar = at(),
                gap_minutes = gap_ms / 60_000,
                "hole in the data; the ledger starts again"
            );
        }
        Outcome::Started => info!(symbol = name, bar = at(), "ledger starts"),
        Outcome::Waiting | Outcome::Advanced => {}
    }
    for broken in &step.broken {
        updates.invariants_broken.inc();
        error!(symbol = name, bar = at(), %broken, "invariant of the ledger broken");
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
