//! `GET /v1/heatmap/history`: the time x price grid of a chart.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use liqheat_model::HistoryGrid;
use liqheat_wire::{FeedState, GRID_CONTENT_TYPE, GridHeader, GridJson, GridScale, encode_grid};

use super::query::Query;
use super::refusal::Refusal;
use super::{symbol_of, view_of};
use crate::app::App;
use crate::engine::whole_usd;
use crate::history::{ChartRange, GridRequest, HistoryError, paint};
use crate::http::symbols::leverage_of;
use crate::packed;
use crate::symbol::{ServedSymbol, SymbolView};

pub(super) const COLUMNS_MAX: usize = 4_000;

pub(super) async fn history(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = symbol_of(&app, &query)?;
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
    let packed = packed::is_accepted(wants(header::ACCEPT_ENCODING));
    let request = GridRequest { range, bin: query.price("bin")?, columns, compact, by_leverage, packed };
    let body = body(&app, symbol, request).await?;
    let kind = if compact { GRID_CONTENT_TYPE } else { "application/json" };
    let head = [(header::CONTENT_TYPE, kind), (header::VARY, "accept, accept-encoding")];
    Ok(if packed {
        (head, [(header::CONTENT_ENCODING, packed::CODING)], body).into_response()
    } else {
        (head, body).into_response()
    })
}

async fn body(app: &App, symbol: &ServedSymbol, request: GridRequest) -> Result<Bytes, Refusal> {
    let view = view_of(app, symbol).await?;
    if let Some(body) = symbol.grids.get(request, &view) {
        return Ok(body);
    }
    let turn = app.history_turns.acquire().await;
    let _turn = turn.map_err(|_| Refusal::unavailable("the server is stopping"))?;
    // Somebody before in the queue may have asked for the same.
    let view = view_of(app, symbol).await?;
    if let Some(body) = symbol.grids.get(request, &view) {
        return Ok(body);
    }
    let grid = paint(app, symbol, &view, request).await.map_err(|error| match error {
        HistoryError::Store(error) => error.into(),
        HistoryError::NoLedger => Refusal::unavailable(error.to_string()),
        HistoryError::Grid(error) => {
            Refusal::bad(format!("{error}; ask for a larger 'bin' or fewer 'columns'"))
        }
    })?;
    let header = header_of(app, symbol, &view, &grid);
    // Megabytes are written and packed here, which others need not wait for.
    let written = tokio::task::spawn_blocking(move || write(request, header, &grid)).await;
    let body = written.map_err(|_| Refusal::unavailable("the grid could not be written"))?;
    symbol.grids.put(request, &view, body.clone());
    Ok(body)
}

fn write(request: GridRequest, header: GridHeader, grid: &HistoryGrid) -> Bytes {
    let body = if request.compact {
        encode_grid(&header, &grid.long, &grid.short, &grid.classes)
    } else {
        json(header, grid)
    };
    Bytes::from(if request.packed { packed::pack(&body) } else { body })
}

fn header_of(app: &App, symbol: &ServedSymbol, view: &SymbolView, grid: &HistoryGrid) -> GridHeader {
    let spec = &grid.spec;
    let classes = symbol.classes();
    let leverages =
        classes.iter().take(grid.classes.len()).map(|(leverage, _)| leverage_of(*leverage)).collect();
    let usd_max = grid.long.iter().chain(&grid.short).copied().fold(0.0, f32::max);
    GridHeader {
        symbol: symbol.name.clone(),
        venue: symbol.venue().to_owned(),
        epoch: view.epoch.clone(),
        as_of: view.as_of.0,
        start: spec.start.0,
        column_ms: spec.column_ms,
        columns: spec.columns,
        rows: spec.rows,
        price_low: spec.price_low.into(),
        bin: spec.bin.into(),
        scale: GridScale::for_max(f64::from(usd_max)),
        state: app.hub.slot(&symbol.name).map_or(FeedState::WarmingUp, |slot| slot.standing().state),
        seen_share: view.seen_share,
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
