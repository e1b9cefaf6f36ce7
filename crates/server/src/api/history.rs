//! `GET /v1/heatmap/history`: the time x price grid of a chart.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use liqheat_model::HistoryGrid;
use liqheat_wire::{GRID_CONTENT_TYPE, GridHeader, GridJson, GridScale, encode_grid};

use super::reading::Reading;
use super::{DataState, no_state};
use crate::catalog::ServedSymbol;
use crate::catalog::leverage_of;
use crate::engine::whole_usd;
use crate::history::{self, ChartRange, GridBasis, GridRequest};
use crate::http::{Query, Refusal};
use crate::published::LedgerSum;
use crate::reads::ReadKind;

pub(super) const COLUMNS_MAX: usize = 4_000;

pub(super) async fn history(
    State(state): State<Arc<DataState>>,
    reading: Reading,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = state.symbol(&query)?;
    let name = query.get("range").unwrap_or("24h");
    let range = ChartRange::from_name(name).ok_or_else(|| {
        Refusal::malformed(format!("parameter 'range': '{name}' must be one of {}", ChartRange::names()))
    })?;
    let columns = match query.get("columns") {
        Some(_) => Some(query.count_or("columns", NonZeroUsize::MIN, COLUMNS_MAX)?.get()),
        None => None,
    };
    let wants = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let compact = wants(header::ACCEPT).contains(GRID_CONTENT_TYPE);
    let by_leverage = match query.get("by") {
        None => false,
        Some("leverage") if compact => true,
        Some("leverage") => {
            return Err(Refusal::bad(format!(
                "planes by leverage come in the compact form only: send 'Accept: {GRID_CONTENT_TYPE}'"
            )));
        }
        Some(other) => {
            return Err(Refusal::malformed(format!("parameter 'by': '{other}' must be 'leverage'")));
        }
    };
    let packed = reading.accepts_gzip();
    let request = GridRequest { range, bin: query.price("bin")?, columns, compact, by_leverage, packed };
    let body = body(&state, symbol, reading, request).await?;
    let kind = if compact { GRID_CONTENT_TYPE } else { "application/json" };
    let head = [(header::CONTENT_TYPE, kind), (header::VARY, "accept, accept-encoding")];
    Ok(if packed {
        (head, [(header::CONTENT_ENCODING, history::CODING)], body).into_response()
    } else {
        (head, body).into_response()
    })
}

async fn body(
    state: &DataState,
    symbol: &ServedSymbol,
    reading: Reading,
    request: GridRequest,
) -> Result<Bytes, Refusal> {
    let (_, basis) = basis(state, symbol).await?;
    if let Some(body) = state.history.grids.get(&symbol.name, request, &basis) {
        return Ok(body);
    }
    let turn = state.history.in_turn(reading.turn(state, ReadKind::ModelRun).await?);
    // An earlier request in the queue may have asked for the same.
    let (sum, basis) = self::basis(state, symbol).await?;
    if let Some(body) = state.history.grids.get(&symbol.name, request, &basis) {
        return Ok(body);
    }
    let grid = turn.paint(symbol, &sum, request).await?;
    let header = header_of(state, symbol, &sum, basis.epoch.clone(), &grid);
    // Megabytes are written and packed here, so not on an async worker.
    let body = turn.compute(move || write(request, header, &grid)).await;
    state.history.grids.put(&symbol.name, request, basis, body.clone());
    Ok(body)
}

/// The ledgers to paint, and what the picture stands for: their past, and the live state that goes on from it.
async fn basis(state: &DataState, symbol: &ServedSymbol) -> Result<(Arc<LedgerSum>, GridBasis), Refusal> {
    let sum = state.sum(symbol).await?;
    let epoch = state.published.epoch(&symbol.name).ok_or_else(|| no_state(symbol))?;
    let basis = GridBasis { past: sum.past(), epoch: epoch.to_string() };
    Ok((sum, basis))
}

fn write(request: GridRequest, header: GridHeader, grid: &HistoryGrid) -> Bytes {
    let body = if request.compact {
        encode_grid(&header, &grid.long, &grid.short, &grid.classes)
    } else {
        json(header, grid)
    };
    Bytes::from(if request.packed { history::pack(&body) } else { body })
}

fn header_of(
    state: &DataState,
    symbol: &ServedSymbol,
    sum: &LedgerSum,
    epoch: String,
    grid: &HistoryGrid,
) -> GridHeader {
    let spec = &grid.spec;
    let leverages = symbol.leverages();
    let leverages =
        leverages.iter().take(grid.classes.len()).map(|leverage| leverage_of(*leverage)).collect();
    let usd_max = grid.long.iter().chain(&grid.short).copied().fold(0.0, f32::max);
    GridHeader {
        symbol: symbol.name.clone(),
        venue: symbol.venue().to_owned(),
        epoch,
        as_of: sum.as_of.0,
        start: spec.start.0,
        column_ms: spec.column_ms,
        columns: spec.columns,
        rows: spec.rows,
        price_low: spec.price_low.into(),
        bin: spec.bin.into(),
        scale: GridScale::for_max(f64::from(usd_max)),
        state: state.published.feed_state(&symbol.name),
        seen_share: sum.seen_share,
        leverages,
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
