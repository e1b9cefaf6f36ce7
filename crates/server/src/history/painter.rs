//! The run of the ledgers that fills a grid.
//!
//! Nothing is kept as a picture: a grid is computed from the stored bars, from the nearest checkpoint on.

use std::num::NonZeroUsize;
use std::sync::Arc;

use liqheat_market::{Bar, Interval, Price};
use liqheat_model::{GridPainter, GridSpec, HistoryGrid, Ledger, Step};
use liqheat_store::StoreError;

use super::HistoryTurn;
use super::grid::{ChartRange, GridRequest, HistoryError};
use crate::catalog::{LedgerView, ServedSymbol, VenueLedger};
use crate::engine::{BarVisitor, LedgerRun, ledger_before};
use crate::published::LedgerSum;

const HOUR_MS: i64 = 3_600_000;

impl HistoryTurn<'_> {
    /// Computes a grid as of a sum of ledgers: the sum of the pictures of all of them.
    pub(crate) async fn paint(
        &self,
        symbol: &ServedSymbol,
        sum: &LedgerSum,
        request: GridRequest,
    ) -> Result<HistoryGrid, HistoryError> {
        let (start, column_ms, columns) = request.columns(symbol, sum.as_of);
        let mut range = (sum.price, sum.price);
        for (ledger, view) in &sum.ledgers {
            let (low, high) = self.price_range(ledger, request.range, view).await?;
            range = (range.0.min(low), range.1.max(high));
        }
        let (price_low, bin, rows) = request.rows(range.0, range.1, sum.base_bin, columns);
        let spec = GridSpec { start, column_ms, columns, price_low, bin, rows };
        let mut painted: Option<HistoryGrid> = None;
        let leverages = symbol.leverages();
        for (ledger, view) in &sum.ledgers {
            let mut picture = self.paint_one(ledger, view, spec, request.by_leverage).await?;
            if request.by_leverage {
                picture.classes = in_order(picture.classes, &ledger.spec.leverages(), &leverages);
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
    ) -> Result<HistoryGrid, HistoryError> {
        let painter = if by_leverage {
            GridPainter::split(spec, ledger.spec.params.values().weights.classes().len())?
        } else {
            GridPainter::new(spec)?
        };
        let (state, from) = ledger_before(ledger, self.store(), spec.start).await?;
        let run = LedgerRun::new(state, painter);
        let (state, painter) = self.run(ledger, run, from, view.cursor).await?;
        let tip = view.tip;
        Ok(self.compute(move || painter.finish(&state, tip)).await)
    }

    /// Lowest and highest price of a range, to the hour: a little more at its far end does no harm.
    async fn price_range(
        &self,
        ledger: &VenueLedger,
        range: ChartRange,
        view: &LedgerView,
    ) -> Result<(Price, Price), StoreError> {
        let interval = ledger.spec.interval;
        let hour = Interval::from_ms(HOUR_MS).unwrap_or(interval).max(interval);
        let hours = usize::try_from(range.ms() / hour.ms()).ok().and_then(NonZeroUsize::new);
        let hours = hours.unwrap_or(NonZeroUsize::MIN);
        let candles = self.store().candles(ledger.instrument(), hour, view.cursor, hours).await?;
        let (low, high) = view.tip.unwrap_or((view.price, view.price));
        Ok(candles
            .iter()
            .fold((low, high), |(low, high), candle| (low.min(candle.low), high.max(candle.high))))
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
