//! The past, computed from stored bars when somebody asks: chart grids and time series. Layers of measured positions are
//! pictures of what was stored of them.

mod cache;
mod grid;
mod gzip;
mod layers;
mod moment;
mod painter;
mod range;
mod spans;
pub(crate) mod timeseries;
mod warm;

use std::sync::Arc;

use liqheat_market::UnixMs;
use liqheat_model::Ledger;
use liqheat_store::Store;

pub(crate) use cache::{GridBasis, GridCache, TileCache, TileVersion};
pub(crate) use grid::{GridRequest, HistoryError};
pub use gzip::pack;
pub(crate) use gzip::{CODING, is_accepted, pack_fast};
pub(crate) use layers::{LayerPainter, LayerPicture, held_from};
pub(crate) use moment::PastState;
pub(crate) use painter::PaintedGrid;
pub(crate) use range::{CHART_RANGES, ChartRange};
pub(crate) use spans::{ColumnSteps, GridSpan, PriceBounds};

use crate::catalog::VenueLedger;
use crate::compute::ComputePool;
use crate::engine::{BarReader, BarVisitor, LedgerRun};
use crate::reads::ReadTurn;

/// Runs ledgers over the past, one request at a time: each takes a core for up to a second.
pub(crate) struct History {
    compute: ComputePool,
    /// Finished grids, by symbol.
    pub(crate) grids: GridCache,
    /// Finished grids of closed time.
    pub(crate) tiles: TileCache,
    warm: warm::WarmLedgers,
}

/// Held by the request that runs ledgers.
pub(crate) struct HistoryTurn<'a> {
    history: &'a History,
    turn: ReadTurn,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            compute: ComputePool::new(1),
            grids: GridCache::default(),
            tiles: TileCache::default(),
            warm: warm::WarmLedgers::default(),
        }
    }

    /// Runs ledgers in a turn of kind [`ReadKind::ModelRun`](crate::reads::ReadKind::ModelRun).
    pub(crate) const fn in_turn(&self, turn: ReadTurn) -> HistoryTurn<'_> {
        HistoryTurn { history: self, turn }
    }
}

impl HistoryTurn<'_> {
    pub(crate) fn store(&self) -> &Store {
        self.turn.store()
    }

    pub(crate) const fn read_turn(&self) -> &ReadTurn {
        &self.turn
    }

    /// Runs CPU-bound work off the async workers.
    pub(crate) async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.history.compute.run(work).await
    }

    /// Applies every stored bar of `from..to` and gives back the ledger and its visitor.
    pub(crate) async fn run<V: BarVisitor>(
        &self,
        ledger: &Arc<VenueLedger>,
        mut run: LedgerRun<V>,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<(Ledger, V), HistoryError> {
        let reader = BarReader::new(&ledger.spec, self.store());
        run.over(&reader, &self.history.compute, from, to).await?;
        run.into_parts().ok_or(HistoryError::NoLedger)
    }
}
