//! The time x price grid.

use liqheat_market::convert::signed_len;
use liqheat_market::{Price, UnixMs};
use liqheat_model::HistoryGrid;
use liqheat_store::{ColumnKind, ExportValue};
use liqheat_wire::Channel;

use super::super::super::history::COLUMNS_MAX;
use super::super::super::reading::Reading;
use super::super::ExportRequest;
use super::super::table::TableBuilder;
use super::values::{price, whole};
use super::{ExportKind, ExportScope, column};
use crate::engine::whole_usd;
use crate::history::GridRequest;
use crate::http::Refusal;
use crate::reads::ReadKind;

/// The time x price grid.
pub(super) static KIND: ExportKind = ExportKind {
    name: "grid",
    channel: Channel::Heatmap,
    scope: ExportScope::Period,
    reach_ms: 0,
    is_measured: false,
    columns: &[
        column("time", ColumnKind::Time),
        column("price", ColumnKind::Number),
        column("long_usd", ColumnKind::Whole),
        column("short_usd", ColumnKind::Whole),
    ],
    append: |table, reading, wanted| Box::pin(append(table, reading, wanted)),
};

async fn append<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Columns of the grid whose cells are appended at once.
    const COLUMNS: usize = 32;
    let model = &table.state.model;
    let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
    let sum = model.present.local_sum(&wanted.symbol).await?;
    let request = GridRequest {
        span: wanted.span(),
        prices: None,
        bin: None,
        columns: None,
        compact: None,
        by_leverage: false,
        is_gzipped: false,
    };
    let grid = turn.paint(&wanted.symbol, &sum, request).await?.grid;
    drop(turn);
    debug_assert!(grid.spec.columns <= COLUMNS_MAX);
    for first in (0..grid.spec.columns).step_by(COLUMNS) {
        let columns = first..(first + COLUMNS).min(grid.spec.columns);
        let cells: Vec<Cell> = columns.flat_map(|column| cells_of(&grid, column)).collect();
        table = table.append(cells, cell).await?;
    }
    Ok(table)
}

/// A cell with mass: beginning of the column, lower edge of the row, USD of longs and shorts.
type Cell = (UnixMs, Price, u64, u64);

fn cells_of(grid: &HistoryGrid, column: usize) -> Vec<Cell> {
    let spec = &grid.spec;
    let time = spec.start.plus(spec.column_ms.saturating_mul(signed_len(column)));
    let (long, short) = grid.column(column);
    let usd = |usd: &f32| whole_usd(f64::from(*usd));
    let at = |row: usize| {
        Price::from_units(
            spec.price_low.units().saturating_add(spec.bin.units().saturating_mul(signed_len(row))),
        )
    };
    let cells = long.iter().zip(short).enumerate();
    cells
        .map(|(row, (long, short))| (time, at(row), usd(long), usd(short)))
        .filter(|(_, _, long, short)| long + short > 0)
        .collect()
}

fn cell((time, at, long, short): &Cell) -> Vec<ExportValue> {
    vec![ExportValue::Time(*time), price(*at), whole(*long), whole(*short)]
}
