//! The levels at the end of every interval of a time, optionally under other leverage weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use liqheat_market::{Bar, Price, UnixMs, Venue};
use liqheat_model::{Ledger, LeverageWeights, Params, Step, Tip};
use liqheat_store::StoreError;
use liqheat_wire::{Cell, LevelMessage, TimeseriesRow, format_time};

use super::HistoryTurn;
use super::grid::HistoryError;
use crate::catalog::{ServedSymbol, VenueLedger};
use crate::engine::{BarVisitor, LedgerRun, ledger_before, whole_usd};
use crate::published::{common_bin, sum_cells};

/// Levels in one answer: about 180 MB of JSON before compression. A month at 15 minutes has 2 million.
pub(crate) const LEVELS_MAX: usize = 3_000_000;
/// Under other weights no stored ledger can be continued, so one is warmed up for this long before the start.
const WARM_UP_MS: i64 = 30 * 86_400_000;

/// What a time series is asked for.
#[derive(Debug, Clone)]
pub(crate) struct TimeseriesRequest {
    pub(crate) start: UnixMs,
    pub(crate) end: UnixMs,
    pub(crate) interval_ms: i64,
    /// Height of a level; each ledger's own where none is given.
    pub(crate) bin: Option<Price>,
    /// Leverage weights; those of the ledgers where none are given.
    pub(crate) weights: Option<LeverageWeights>,
    /// The venues to sum.
    pub(crate) venues: Vec<Venue>,
}

impl HistoryTurn<'_> {
    /// The rows of a time series up to market time `now`; `None` when they hold more than [`LEVELS_MAX`] levels.
    pub(crate) async fn timeseries(
        &self,
        symbol: &ServedSymbol,
        request: &TimeseriesRequest,
        now: UnixMs,
    ) -> Result<Option<Vec<TimeseriesRow>>, HistoryError> {
        let mut rows = Rows::default();
        let is_wanted = |ledger: &&Arc<VenueLedger>| request.venues.contains(&ledger.instrument().venue);
        for ledger in symbol.ledgers.iter().filter(is_wanted) {
            let end = request.end.min(now.plus(-ledger.spec.settle_ms));
            let (state, from) = self.first_state(ledger, request).await?;
            let run = LedgerRun::new(state, RowsOfLedger::new(request, rows));
            let (state, mut of_ledger) = self.run(ledger, run, from, end).await?;
            rows = self
                .compute(move || {
                    of_ledger.finish(&state, end);
                    of_ledger.rows
                })
                .await;
        }
        if rows.levels > LEVELS_MAX {
            return Ok(None);
        }
        Ok(Some(self.compute(move || rows.into_rows()).await))
    }

    async fn first_state(
        &self,
        ledger: &Arc<VenueLedger>,
        request: &TimeseriesRequest,
    ) -> Result<(Ledger, UnixMs), StoreError> {
        match &request.weights {
            None => ledger_before(ledger, self.store(), request.start).await,
            Some(weights) => {
                let params: Params = ledger.spec.params.with_weights(weights.clone());
                let warm_up = request.start.plus(-WARM_UP_MS);
                let from = warm_up.max(ledger.first_bar().unwrap_or(warm_up));
                Ok((Ledger::new(params, ledger.tiers()), from.floor_to(ledger.spec.interval.ms())))
            }
        }
    }
}

/// The rows of an answer, by the end of their interval.
#[derive(Default)]
struct Rows {
    by_end: BTreeMap<UnixMs, Row>,
    /// Levels in all rows; beyond the limit no more are added, because the answer is refused.
    levels: usize,
}

/// One row: the sum of the ledgers at the end of its interval.
#[derive(Default)]
struct Row {
    /// Levels of each ledger, in bins of its own height.
    cells: Vec<Cell>,
    bins: Vec<Price>,
    created: u64,
    consumed: u64,
}

/// What one ledger adds to the rows.
struct RowsOfLedger {
    rows: Rows,
    start: UnixMs,
    interval_ms: i64,
    bin: Option<Price>,
    /// End of the interval whose row comes next.
    next: UnixMs,
    created: u64,
    consumed: u64,
}

impl RowsOfLedger {
    fn new(request: &TimeseriesRequest, rows: Rows) -> Self {
        let (start, interval_ms) = (request.start, request.interval_ms);
        let next = start.floor_to(interval_ms).plus(interval_ms);
        Self { rows, start, interval_ms, bin: request.bin, next, created: 0, consumed: 0 }
    }

    /// Intervals that have ended since the last bar.
    fn finish(&mut self, ledger: &Ledger, end: UnixMs) {
        while self.next <= end {
            self.add_row(ledger);
        }
    }

    fn add_row(&mut self, ledger: &Ledger) {
        const WHOLE: Tip = None;
        let at = self.next;
        self.next = at.plus(self.interval_ms);
        // Before the first bar, and long after the last one, nothing is known.
        let known =
            ledger.as_of().is_some_and(|as_of| at.since(as_of) <= ledger.params().values().gap_ms_max);
        let wanted = known && self.rows.levels <= LEVELS_MAX;
        let Some(bin) = self.bin.or_else(|| ledger.base_bin()).filter(|_| wanted) else {
            return;
        };
        let cells = ledger.levels(bin, WHOLE).into_iter().map(|level| Cell {
            price: level.price,
            long_usd: whole_usd(level.long_usd),
            short_usd: whole_usd(level.short_usd),
        });
        let row = self.rows.by_end.entry(at).or_default();
        let before = row.cells.len();
        row.cells.extend(cells.filter(|cell| !cell.is_empty()));
        self.rows.levels += row.cells.len() - before;
        row.bins.push(bin);
        row.created += std::mem::take(&mut self.created);
        row.consumed += std::mem::take(&mut self.consumed);
    }
}

impl BarVisitor for RowsOfLedger {
    /// Intervals that ended before the close of the next bar show the ledger as it was until then.
    fn before(&mut self, ledger: &Ledger, bar: &Bar) {
        while self.next < bar.close_time {
            self.add_row(ledger);
        }
    }

    fn after(&mut self, bar: &Bar, step: &Step) {
        if bar.close_time > self.start {
            self.created += step.created;
            self.consumed += step.consumed;
        }
    }
}

impl Row {
    fn into_message(self, at: UnixMs) -> TimeseriesRow {
        // A single ledger's levels are in order already; those of several are summed in bins that hold all.
        let cells = match self.bins.len() {
            1 => self.cells,
            _ => sum_cells(&self.cells, common_bin(self.bins)),
        };
        let level = |cell: &Cell| LevelMessage {
            price: cell.price.into(),
            long_density: cell.long_usd,
            short_density: cell.short_usd,
        };
        TimeseriesRow {
            timestamp: format_time(at),
            levels: cells.iter().map(level).collect(),
            positions_created: self.created,
            positions_consumed: self.consumed,
        }
    }
}

impl Rows {
    fn into_rows(self) -> Vec<TimeseriesRow> {
        self.by_end.into_iter().map(|(at, row)| row.into_message(at)).collect()
    }
}
