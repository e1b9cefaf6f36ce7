//! The walls of a state.

use liqheat_market::UnixMs;
use liqheat_store::{ColumnKind, ExportValue};
use liqheat_wire::{Channel, WallRow};

use super::super::super::reading::Reading;
use super::super::super::selection::SelectedState;
use super::super::super::walls::LIMIT_MAX as WALLS_MAX;
use super::super::ExportRequest;
use super::super::table::TableBuilder;
use super::selected_state::{selected, time_of};
use super::values::{number, whole};
use super::{ExportKind, ExportScope, column};
use crate::compact::{WallLevels, WallSelection, walls_body};
use crate::http::Refusal;

/// The walls of a state.
pub(super) static KIND: ExportKind = ExportKind {
    name: "walls",
    channel: Channel::Walls,
    scope: ExportScope::Moment,
    reach_ms: 0,
    is_measured: false,
    columns: &[
        column("time", ColumnKind::Time),
        column("side", ColumnKind::Text),
        column("low", ColumnKind::Number),
        column("high", ColumnKind::Number),
        column("peak_price", ColumnKind::Number),
        column("usd", ColumnKind::Whole),
        column("share", ColumnKind::Number),
        column("distance_pct", ColumnKind::Number),
        column("usd_on_the_way", ColumnKind::Whole),
    ],
    append: |table, reading, wanted| Box::pin(append(table, reading, wanted)),
};

async fn append<'a>(
    table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    let selected = selected(&table.state.model, reading, wanted).await?;
    let (time, walls) = (time_of(&selected), walls(selected));
    table.append(walls, move |row| wall(time, row)).await
}

fn walls(selected: SelectedState) -> Vec<WallRow> {
    let levels = WallLevels {
        by_leverage: &selected.levels,
        base_bin: selected.base_bin,
        within_an_hour: None,
        fresh: None,
    };
    let selection = WallSelection { range_pct: f64::INFINITY, min_usd: 0, limit: WALLS_MAX };
    walls_body(selected.reference, levels, selected.price, selection).walls
}

fn wall(time: UnixMs, row: &WallRow) -> Vec<ExportValue> {
    vec![
        ExportValue::Time(time),
        ExportValue::Text(row.side.name()),
        number(row.low),
        number(row.high),
        number(row.peak_price),
        whole(row.usd),
        ExportValue::Number(row.share),
        ExportValue::Number(row.distance_pct),
        whole(row.usd_on_the_way),
    ]
}
