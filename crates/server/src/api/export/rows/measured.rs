//! Layers of measured positions.

use liqheat_market::convert::signed_len;
use liqheat_market::{Price, UnixMs};
use liqheat_measured::LAYER_EVERY_MS;
use liqheat_store::{ColumnKind, ExportValue, StoredLayer, StoredLayerLevel};
use liqheat_wire::Channel;

use super::super::super::reading::Reading;
use super::super::ExportRequest;
use super::super::table::TableBuilder;
use super::values::{price, whole};
use super::{ExportKind, ExportScope, column};
use crate::http::Refusal;
use crate::measured::VENUE;
use crate::reads::ReadKind;

/// Layers of measured positions.
pub(super) static KIND: ExportKind = ExportKind {
    name: "measured",
    channel: Channel::Heatmap,
    scope: ExportScope::Period,
    reach_ms: LAYER_EVERY_MS,
    is_measured: true,
    columns: &[
        column("time", ColumnKind::Time),
        column("mark_price", ColumnKind::Number),
        column("coverage_long", ColumnKind::Number),
        column("coverage_short", ColumnKind::Number),
        column("price", ColumnKind::Number),
        column("long_usd", ColumnKind::Whole),
        column("short_usd", ColumnKind::Whole),
        column("long_accounts", ColumnKind::Whole),
        column("short_accounts", ColumnKind::Whole),
        column("age_s", ColumnKind::Whole),
    ],
    append: |table, reading, wanted| Box::pin(append(table, reading, wanted)),
};

/// The levels of every stored layer.
async fn append<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Time whose layers are in memory at once.
    const AT_ONCE_MS: i64 = 128 * LAYER_EVERY_MS;
    let Some(ledger) = wanted.symbol.ledgers.iter().find(|ledger| ledger.instrument().venue == VENUE) else {
        return Ok(table);
    };
    // The moments of the request begin with `from` and end before `to`.
    let (mut from, to) = (wanted.from.plus(-1), wanted.to.plus(-1));
    while from < to {
        let end = from.plus(AT_ONCE_MS).min(to);
        let turn = reading.turn(&table.state.model.rows, ReadKind::Query).await?;
        let layers = turn.store().measured_layers(ledger.instrument(), from, end, 1).await?;
        drop(turn);
        table = table.append(layers.into_iter().flat_map(levels_of).collect(), measured_level).await?;
        from = end;
    }
    Ok(table)
}

/// A level, with what its layer says of all.
type MeasuredRow = (UnixMs, Price, [Option<f64>; 2], StoredLayerLevel);

fn levels_of(layer: StoredLayer) -> impl Iterator<Item = MeasuredRow> {
    let coverage = [layer.long.coverage, layer.short.coverage];
    layer.levels.into_iter().map(move |level| (layer.time, layer.mark, coverage, level))
}

fn measured_level((time, mark, coverage, level): &MeasuredRow) -> Vec<ExportValue> {
    let [long, short] = coverage.map(|share| share.map_or(ExportValue::Unknown, ExportValue::Number));
    vec![
        ExportValue::Time(*time),
        price(*mark),
        long,
        short,
        price(level.price),
        whole(level.long_usd),
        whole(level.short_usd),
        ExportValue::Whole(signed_len(level.long_accounts)),
        ExportValue::Whole(signed_len(level.short_accounts)),
        whole(level.age_s),
    ]
}
