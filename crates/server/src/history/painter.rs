//! The run of the ledgers that fills a grid.
//!
//! Nothing is kept as a picture: a grid is computed from the stored bars, from the nearest checkpoint on.

use std::num::NonZeroUsize;
use std::sync::Arc;

use liqheat_market::convert::signed_len;
use liqheat_market::{Bar, Interval, Price};
use liqheat_model::{GridPainter, GridSpec, HistoryGrid, Ledger, Step};
use liqheat_store::StoreError;

use super::HistoryTurn;
use super::grid::{GridRequest, HistoryError};
use super::spans::{ColumnSteps, GridSpan};
use super::warm::{PastVersions, StateCollector};
use crate::catalog::{LedgerView, ServedSymbol, VenueLedger};
use crate::engine::{BarVisitor, LedgerRun};
use crate::published::LedgerSum;

const HOUR_MS: i64 = 3_600_000;

/// A grid, and how much of the positions at its end the model saw being opened.
#[derive(Debug)]
pub(crate) struct PaintedGrid {
    pub(crate) grid: HistoryGrid,
    /// Coins, single-sided, of all venues at the end of the grid.
    open_interest: f64,
    /// The part of them that was seen being opened.
    seen_interest: f64,
}

impl PaintedGrid {
    fn add(&mut self, other: &Self) {
        self.grid.add(&other.grid);
        self.open_interest += other.open_interest;
        self.seen_interest += other.seen_interest;
    }

    /// Share of the open interest at the end of the grid that the model has seen open, 0 to 1.
    pub(crate) fn seen_share(&self) -> f64 {
        if self.open_interest > 0.0 { (self.seen_interest / self.open_interest).clamp(0.0, 1.0) } else { 0.0 }
    }
}

impl HistoryTurn<'_> {
    /// Computes a grid as of a sum of ledgers: the sum of the pictures of all of them.
    pub(crate) async fn paint(
        &self,
        symbol: &ServedSymbol,
        sum: &LedgerSum,
        request: GridRequest,
    ) -> Result<PaintedGrid, HistoryError> {
        let (start, column_ms, columns) =
            request.span.columns(ColumnSteps::of(symbol), sum.as_of, request.columns);
        let mut range = None;
        if request.prices.is_none() {
            for (ledger, view) in &sum.ledgers {
                let of_ledger = self.price_range(ledger, request.span, view).await?;
                range = joined(range, of_ledger);
            }
        }
        let range = range.unwrap_or((sum.price, sum.price));
        let (price_low, bin, rows) = request.rows(range.0, range.1, sum.base_bin, columns);
        let spec = GridSpec { start, column_ms, columns, price_low, bin, rows };
        let mut painted: Option<PaintedGrid> = None;
        let leverages = symbol.leverages();
        for (ledger, view) in &sum.ledgers {
            let mut picture = self.paint_one(ledger, view, spec, request.by_leverage).await?;
            if request.by_leverage {
                picture.grid.classes = in_order(picture.grid.classes, &ledger.spec.leverages(), &leverages);
            }
            painted = Some(match painted {
                None => picture,
                Some(mut all) => {
                    self.compute(move || {
                        all.add(&picture);
                        all
                    })
                    .await
                }
            });
        }
        painted.ok_or(HistoryError::NoLedger)
    }

    async fn paint_one(
        &self,
        ledger: &Arc<VenueLedger>,
        view: &LedgerView,
        spec: GridSpec,
        by_leverage: bool,
    ) -> Result<PaintedGrid, HistoryError> {
        let painter = if by_leverage {
            GridPainter::split(spec, ledger.spec.params.values().weights.classes().len())?
        } else {
            GridPainter::new(spec)?
        };
        let end = spec.start.plus(spec.column_ms.saturating_mul(signed_len(spec.columns)));
        let is_closed = end <= view.cursor;
        let to = end.min(view.cursor);
        let versions = PastVersions::of_now(ledger, to);
        let (state, from) = self.state_before(ledger, spec.start).await?;
        let run = LedgerRun::new(state, StateCollector::new(painter));
        let (state, visited) = self.run(ledger, run, from, to).await?;
        let painter = self.keep_states(ledger, &versions, visited);
        let tip = view.tip;
        Ok(self
            .compute(move || PaintedGrid {
                open_interest: state.open_interest(),
                seen_interest: state.open_interest() * state.seen_share(),
                grid: if is_closed { painter.finish_closed(&state) } else { painter.finish(&state, tip) },
            })
            .await)
    }

    /// Lowest and highest price of a time, to the hour: a little more at its ends does no harm. `None` where it has none.
    async fn price_range(
        &self,
        ledger: &VenueLedger,
        span: GridSpan,
        view: &LedgerView,
    ) -> Result<Option<(Price, Price)>, StoreError> {
        let interval = ledger.spec.interval;
        let hour = Interval::from_ms(HOUR_MS).unwrap_or(interval).max(interval);
        // One more: a time that begins within an hour begins before its candle.
        let hours = usize::try_from(span.ms() / hour.ms() + 1).ok().and_then(NonZeroUsize::new);
        let hours = hours.unwrap_or(NonZeroUsize::MIN);
        let end = span.end(view.cursor);
        let candles = self.store().candles(ledger.instrument(), hour, end, hours).await?;
        let now = match span {
            GridSpan::Latest(_) => Some(view.tip.unwrap_or((view.price, view.price))),
            GridSpan::Between { .. } => None,
        };
        let oldest = end.plus(-span.ms()).floor_to(hour.ms());
        let within = candles.iter().filter(|candle| candle.open_time >= oldest);
        Ok(within.fold(now, |range, candle| joined(range, Some((candle.low, candle.high)))))
    }
}

/// The range of both.
fn joined(one: Option<(Price, Price)>, other: Option<(Price, Price)>) -> Option<(Price, Price)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

/// The planes of a venue's classes as planes of all classes of the symbol: empty ones for those that the venue lacks.
fn in_order(planes: Vec<Vec<f32>>, own: &[f64], all: &[f64]) -> Vec<Vec<f32>> {
    let cells = planes.first().map_or(0, Vec::len);
    let mut planes: Vec<Option<Vec<f32>>> = planes.into_iter().map(Some).collect();
    let place = |leverage: &f64| own.iter().position(|one| one.total_cmp(leverage).is_eq());
    let plane = |leverage: &f64| place(leverage).and_then(|index| planes.get_mut(index)?.take());
    all.iter().map(plane).map(|plane| plane.unwrap_or_else(|| vec![0.0; cells])).collect()
}

impl BarVisitor for GridPainter {
    fn before(&mut self, ledger: &Ledger, bar: &Bar) {
        Self::before(self, ledger, bar);
    }

    fn after(&mut self, bar: &Bar, step: &Step) {
        Self::after(self, bar, step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_of_a_venue_stand_where_the_symbol_has_their_class() {
        let planes = vec![vec![1.0, 2.0], vec![3.0, 4.0]];
        let found = in_order(planes, &[10.0, 66.7], &[5.0, 10.0, 66.7, 100.0]);
        assert_eq!(found, [vec![0.0, 0.0], vec![1.0, 2.0], vec![3.0, 4.0], vec![0.0, 0.0]]);
    }
}
