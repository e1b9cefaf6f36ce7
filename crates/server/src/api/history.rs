//! `GET /v1/heatmap/history`: the time x price grid of a chart.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use liqheat_market::UnixMs;
use liqheat_wire::{GRID_CONTENT_TYPE, GridHeader, GridLayout, format_time};

use super::grid_body::{GridSubject, header_over, write};
use super::layer_history;
use super::parts::{ModelState, NamedLayer, SymbolDirectory, no_state};
use super::reading::Reading;
use crate::catalog::{ServedSymbol, VenueLedger, leverage_of};
use crate::history::{
    self, ChartRange, ColumnSteps, GridBasis, GridRequest, GridSpan, PaintedGrid, PriceBounds, TileVersion,
};
use crate::http::{Query, Refusal};
use crate::published::LedgerSum;
use crate::reads::ReadKind;

pub(super) const COLUMNS_MAX: usize = 4_000;
const SPAN_MAX_MS: i64 = 3_660 * 86_400_000;

pub(super) async fn history(
    State(model): State<ModelState>,
    reading: Reading,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let subject = Subject::of(&model.rows.symbols, &query)?;
    let span = span_of(&query, model.rows.clock.now())?;
    let columns = match query.get("columns") {
        Some(_) => Some(query.count_or("columns", NonZeroUsize::MIN, COLUMNS_MAX)?.get()),
        None => None,
    };
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let compact = accepted.filter_map(GridLayout::accepted).max();
    let by_leverage = match query.get("by") {
        None => false,
        Some("leverage") if compact.is_some() => true,
        Some("leverage") => {
            return Err(Refusal::bad(format!(
                "planes by leverage come in the compact form only: send 'Accept: {GRID_CONTENT_TYPE}'"
            )));
        }
        Some(other) => {
            return Err(Refusal::malformed(format!("parameter 'by': '{other}' must be 'leverage'")));
        }
    };
    let is_gzipped = reading.accepts_gzip();
    let (bin, prices) = (query.price("bin")?, prices_of(&query)?);
    let request = GridRequest { span, prices, bin, columns, compact, by_leverage, is_gzipped };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let grid = match subject {
        Subject::Symbol(symbol) => body(&model, symbol, reading, request, known).await?,
        Subject::Layer(NamedLayer { symbol, .. }) if by_leverage => {
            let name = &symbol.name;
            return Err(Refusal::bad(format!(
                "leverages of {name} are not known: measured positions have none; leave out 'by'"
            )));
        }
        Subject::Layer(layer) => {
            GridAnswer::Open(layer_history::grid(&model, layer, reading, request).await?)
        }
    };
    let kind = compact.map_or("application/json", GridLayout::content_type);
    let head = [(header::CONTENT_TYPE, kind), (header::VARY, "accept, accept-encoding")];
    let coding = is_gzipped.then_some([(header::CONTENT_ENCODING, history::CODING)]);
    Ok(match grid {
        GridAnswer::Open(body) => (head, coding, body).into_response(),
        // Kept by browsers, but asked for each time: a late row makes it another one.
        GridAnswer::Closed { etag, body } => {
            let keep = [(header::ETAG, etag), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
            match body {
                Some(body) => (head, coding, keep, body).into_response(),
                None => (StatusCode::NOT_MODIFIED, keep).into_response(),
            }
        }
    })
}

/// What a grid is of.
enum Subject<'a> {
    /// An estimate.
    Symbol(&'a ServedSymbol),
    /// A layer of measured positions.
    Layer(NamedLayer<'a>),
}

impl<'a> Subject<'a> {
    fn of(symbols: &'a SymbolDirectory, query: &Query) -> Result<Self, Refusal> {
        let name = query.required("symbol")?;
        Ok(match symbols.layer(name)? {
            Some(layer) => Self::Layer(layer),
            None => Self::Symbol(symbols.named(name)?),
        })
    }
}

/// A range up to now, or the time between two.
fn span_of(query: &Query, now: UnixMs) -> Result<GridSpan, Refusal> {
    let Some(from) = query.optional_time("from")? else {
        if query.get("to").is_some() {
            return Err(Refusal::malformed("parameter 'to' needs 'from' besides"));
        }
        let name = query.get("range").unwrap_or("24h");
        let range = ChartRange::from_name(name).ok_or_else(|| {
            Refusal::malformed(format!("parameter 'range': '{name}' must be one of {}", ChartRange::names()))
        })?;
        return Ok(GridSpan::Latest(range));
    };
    if query.get("range").is_some() {
        return Err(Refusal::malformed("parameters 'range' and 'from' exclude each other; leave one out"));
    }
    let to = query.time_or("to", now)?;
    if from.0 < 0 || to.0.saturating_sub(from.0) > SPAN_MAX_MS {
        return Err(Refusal::malformed("parameters 'from' and 'to': at most ten years, from 1970 on"));
    }
    if from >= to {
        return Err(Refusal::malformed("parameter 'from' must be earlier than 'to'"));
    }
    if from >= now {
        return Err(Refusal::bad(format!("parameter 'from': the newest data is of {}", format_time(now))));
    }
    Ok(GridSpan::Between { from, to })
}

fn prices_of(query: &Query) -> Result<PriceBounds, Refusal> {
    match (query.price("price_low")?, query.price("price_high")?) {
        (None, None) => Ok(None),
        (Some(low), Some(high)) if low < high => Ok(Some((low, high))),
        (Some(_), Some(_)) => Err(Refusal::malformed("parameter 'price_low' must be below 'price_high'")),
        _ => Err(Refusal::malformed(
            "parameters 'price_low' and 'price_high' are given together or not at all",
        )),
    }
}

/// A finished grid.
enum GridAnswer {
    /// Its last column still grows.
    Open(Bytes),
    /// All of its time is over. No body where the client has it already.
    Closed { etag: String, body: Option<Bytes> },
}

/// What decides whether a finished grid may be given again.
enum Basis {
    Open(GridBasis),
    Closed { version: TileVersion, etag: String },
}

async fn body(
    model: &ModelState,
    symbol: &ServedSymbol,
    reading: Reading,
    request: GridRequest,
    known: Option<&str>,
) -> Result<GridAnswer, Refusal> {
    let (_, basis) = basis(model, symbol, request).await?;
    if let Some(answer) = finished(model, symbol, request, &basis, known) {
        return Ok(answer);
    }
    let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
    // An earlier request in the queue may have asked for the same.
    let (sum, basis) = self::basis(model, symbol, request).await?;
    if let Some(answer) = finished(model, symbol, request, &basis, known) {
        return Ok(answer);
    }
    let epoch = match &basis {
        Basis::Open(basis) => basis.epoch.clone(),
        Basis::Closed { .. } => model.present.published.epoch(&symbol.name).unwrap_or_default().to_string(),
    };
    let painted = turn.paint(symbol, &sum, request).await?;
    let state = model.present.published.feed_state(&symbol.name);
    let subject = GridSubject { symbol: &symbol.name, venue: symbol.venue(), epoch, state };
    let header = header_of(subject, symbol, &sum, request, &painted);
    // Megabytes are written and packed here, so not on an async worker.
    let body = turn.compute(move || write(request, header, &painted.grid)).await;
    Ok(match basis {
        Basis::Open(basis) => {
            if matches!(request.span, GridSpan::Latest(_)) {
                model.history.grids.put(&symbol.name, request, basis, body.clone());
            }
            GridAnswer::Open(body)
        }
        Basis::Closed { version, etag } => {
            model.history.tiles.put(&symbol.name, request, version, body.clone());
            GridAnswer::Closed { etag, body: Some(body) }
        }
    })
}

/// What is there already.
fn finished(
    model: &ModelState,
    symbol: &ServedSymbol,
    request: GridRequest,
    basis: &Basis,
    known: Option<&str>,
) -> Option<GridAnswer> {
    match basis {
        Basis::Open(basis) => model.history.grids.get(&symbol.name, request, basis).map(GridAnswer::Open),
        Basis::Closed { etag, .. } if known.is_some_and(|known| names(known, etag)) => {
            Some(GridAnswer::Closed { etag: etag.clone(), body: None })
        }
        Basis::Closed { version, etag } => {
            let body = model.history.tiles.get(&symbol.name, request, version)?;
            Some(GridAnswer::Closed { etag: etag.clone(), body: Some(body) })
        }
    }
}

/// Whether a list of `If-None-Match` names an entity tag. Proxies that compress make tags weak.
fn names(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

/// The ledgers to paint, and what the picture is made from: closed time, or the past and the live state that continues
/// it.
async fn basis(
    model: &ModelState,
    symbol: &ServedSymbol,
    request: GridRequest,
) -> Result<(Arc<LedgerSum>, Basis), Refusal> {
    let sum = model.present.local_sum(symbol).await?;
    let end = request.end(ColumnSteps::of(symbol), sum.as_of);
    // A grid that is cut off at the newest bar goes on later, even where its columns are all closed by now.
    let is_closed = match request.span {
        GridSpan::Latest(_) => false,
        GridSpan::Between { to, .. } => sum.ledgers.iter().all(|(_, view)| end.max(to) <= view.cursor),
    };
    if is_closed {
        let version = |ledger: &VenueLedger| (ledger.instrument().venue, ledger.past_version(end));
        let version = TileVersion(sum.ledgers.iter().map(|(ledger, _)| version(ledger)).collect());
        let parts: Vec<String> =
            version.0.iter().map(|(venue, version)| format!("{}{version}", venue.name())).collect();
        let layout = match request.compact {
            None => 0u8,
            Some(GridLayout::ColumnMajor) => 1,
            Some(GridLayout::PriceMajor) => 2,
            Some(GridLayout::Predicted) => 3,
        };
        let form = (layout << 1) | u8::from(request.is_gzipped);
        // Another run may have another model, and a database that was changed meanwhile.
        let etag = format!("\"{}-{}-{form}\"", model.present.published.run(), parts.join("."));
        return Ok((sum, Basis::Closed { version, etag }));
    }
    let epoch = model.present.published.epoch(&symbol.name).ok_or_else(|| no_state(symbol))?;
    let basis = GridBasis { past: sum.past(), epoch: epoch.to_string() };
    Ok((sum, Basis::Open(basis)))
}

fn header_of(
    subject: GridSubject<'_>,
    symbol: &ServedSymbol,
    sum: &LedgerSum,
    request: GridRequest,
    painted: &PaintedGrid,
) -> GridHeader {
    let grid = &painted.grid;
    let (as_of, seen_share) = match request.span {
        GridSpan::Latest(_) => (sum.as_of, sum.seen_share),
        GridSpan::Between { .. } => {
            (sum.as_of.min(request.end(ColumnSteps::of(symbol), sum.as_of)), painted.seen_share())
        }
    };
    let leverages = symbol.leverages();
    let leverages =
        leverages.iter().take(grid.classes.len()).map(|leverage| leverage_of(*leverage)).collect();
    let header = header_over(subject, as_of, grid);
    GridHeader { seen_share, leverages, ..header }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_compared_weakly() {
        for yes in ["\"a-1\"", "W/\"a-1\"", "\"b\", \"a-1\"", "*"] {
            assert!(names(yes, "\"a-1\""), "{yes}");
        }
        for no in ["", "a-1", "\"a-10\"", "\"b\""] {
            assert!(!names(no, "\"a-1\""), "{no}");
        }
    }
}
