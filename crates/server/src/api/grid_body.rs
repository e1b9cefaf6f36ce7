//! The body of an answer with a grid, of an estimate and of measured positions alike.

use bytes::Bytes;
use liqheat_market::UnixMs;
use liqheat_model::HistoryGrid;
use liqheat_wire::{GridHeader, GridJson, GridScale, encode_grid};

use super::DataState;
use crate::engine::whole_usd;
use crate::history::{self, GridRequest};

pub(super) fn write(request: GridRequest, header: GridHeader, grid: &HistoryGrid) -> Bytes {
    let body = match request.compact {
        Some(layout) => encode_grid(&header, layout, &grid.long, &grid.short, &grid.classes),
        None => json(header, grid),
    };
    Bytes::from(if request.is_gzipped { history::pack(&body) } else { body })
}

/// What every grid says of itself, of an estimate and of measured positions alike: no share seen open, no leverages, no coverage.
pub(super) fn header_over(
    state: &DataState,
    (name, venue): (&str, &str),
    epoch: String,
    as_of: UnixMs,
    grid: &HistoryGrid,
) -> GridHeader {
    let spec = &grid.spec;
    let usd_max = grid.long.iter().chain(&grid.short).copied().fold(0.0, f32::max);
    GridHeader {
        symbol: name.to_owned(),
        venue: venue.to_owned(),
        epoch,
        as_of: as_of.0,
        start: spec.start.0,
        column_ms: spec.column_ms,
        columns: spec.columns,
        rows: spec.rows,
        price_low: spec.price_low.into(),
        bin: spec.bin.into(),
        scale: GridScale::for_max(f64::from(usd_max)),
        state: state.published.feed_state(name),
        seen_share: 0.0,
        leverages: Vec::new(),
        coverage_long: Vec::new(),
        coverage_short: Vec::new(),
    }
}

fn json(header: GridHeader, grid: &HistoryGrid) -> Vec<u8> {
    let rows = grid.spec.rows;
    let plane = |plane: &[f32]| {
        let column = |column: &[f32]| column.iter().map(|usd| whole_usd(f64::from(*usd))).collect();
        plane.chunks(rows).map(column).collect()
    };
    let body = GridJson { header, long: plane(&grid.long), short: plane(&grid.short) };
    // Plain structs of numbers and strings cannot fail to serialise into memory.
    serde_json::to_vec(&body).unwrap_or_default()
}
