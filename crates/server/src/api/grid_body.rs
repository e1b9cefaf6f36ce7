//! The body of an answer with a grid, of an estimate and of measured positions alike.

use bytes::Bytes;
use liqheat_market::UnixMs;
use liqheat_model::HistoryGrid;
use liqheat_wire::{FeedState, GridHeader, GridJson, GridScale, encode_grid};

use crate::engine::whole_usd;
use crate::history::{self, GridRequest};

pub(super) fn write(request: GridRequest, header: GridHeader, grid: &HistoryGrid) -> Bytes {
    let body = match request.compact {
        Some(layout) => encode_grid(&header, layout, &grid.long, &grid.short, &grid.classes),
        None => json(header, grid),
    };
    Bytes::from(if request.is_gzipped { history::pack(&body) } else { body })
}

/// What a grid is of.
pub(super) struct GridSubject<'a> {
    pub(super) symbol: &'a str,
    pub(super) venue: &'a str,
    /// Epoch of the board that goes on from the grid.
    pub(super) epoch: String,
    pub(super) state: FeedState,
}

/// The header of every grid, of an estimate and of measured positions alike: without a share seen open, leverages and coverage.
pub(super) fn header_over(subject: GridSubject<'_>, as_of: UnixMs, grid: &HistoryGrid) -> GridHeader {
    let GridSubject { symbol, venue, epoch, state } = subject;
    let spec = &grid.spec;
    let usd_max = grid.long.iter().chain(&grid.short).copied().fold(0.0, f32::max);
    GridHeader {
        symbol: symbol.to_owned(),
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
        state,
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
