//! `GET /liquidations/heatmap-timeseries`: the levels at the end of every interval, optionally under other
//! leverage weights, computed by running the ledgers over the stored bars.
//!
//! Clients without a socket poll it, so only `symbol` is required, times that are not given end at the newest whole
//! interval, and identical requests share one computation.

mod weights;
mod window;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use liqheat_market::{Price, UnixMs, Venue};
use liqheat_wire::{LevelMessage, PriceRange, TimeseriesBody, TimeseriesMeta, TimeseriesRow, format_time};

use super::parts::ModelState;
use super::reading::{JsonBody, Reading};
use crate::catalog::ServedSymbol;
use crate::history::timeseries::{LEVELS_MAX, TimeseriesRequest};
use crate::http::{Query, Refusal, SingleFlight};
use crate::reads::ReadKind;
use window::Span;
pub(super) use window::{INTERVALS, TimeWindow};

/// Shared answers.
pub(crate) type TimeseriesFlights = SingleFlight<TimeseriesKey, JsonBody>;

/// Everything that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TimeseriesKey {
    symbol: String,
    venues: Vec<Venue>,
    start: UnixMs,
    end: UnixMs,
    interval_ms: i64,
    bin: Option<Price>,
    /// As they were written: two spellings of one are computed twice.
    weights: Option<String>,
    accepts_gzip: bool,
}

pub(super) async fn timeseries(
    State(model): State<ModelState>,
    State(flights): State<Arc<TimeseriesFlights>>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    query.refuse(&["profile", "model", "whale_threshold", "kline_interval"])?;
    let symbol = model.rows.symbols.of(&query)?;
    let now = model.rows.clock.now();
    // Stored data may end long before now.
    let newest = model.present.published.local_sum(&symbol.name).map_or(now, |sum| sum.as_of.min(now));
    let span = window::span(&query, symbol.interval(), newest)?;
    let bin = query.price("price_bin_size")?;
    let weights = query.get("leverage_weights").map(weights::parse).transpose()?;
    let venues = venues(&query, symbol)?;
    let key = TimeseriesKey {
        symbol: symbol.name.clone(),
        venues: venues.clone(),
        start: span.start,
        end: span.end,
        interval_ms: span.interval.ms(),
        bin,
        weights: query.get("leverage_weights").map(str::to_owned),
        accepts_gzip: reading.accepts_gzip(),
    };
    let body = flights.get(key, async || {
        let request = TimeseriesRequest {
            start: span.start,
            end: span.end,
            interval_ms: span.interval.ms(),
            bin,
            weights,
            venues,
        };
        let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
        let rows = turn.timeseries(symbol, &request, now).await?;
        let rows = rows.ok_or_else(|| {
            Refusal::malformed(format!(
                "more than {LEVELS_MAX} levels; ask for a shorter time, longer intervals or a larger price_bin_size"
            ))
        })?;
        let name = symbol.name.clone();
        let body = move || body(rows, name, span);
        let body = reading.write_json(turn.read_turn(), body).await?;
        let bytes = body.len();
        Ok::<_, Refusal>((body, bytes))
    });
    Ok(body.await?.into_response())
}

/// The venues to sum: those named in `exchanges`, or all that the symbol is the sum of.
fn venues(query: &Query, symbol: &ServedSymbol) -> Result<Vec<Venue>, Refusal> {
    let venues = symbol.venues();
    let Some(list) = query.get("exchanges") else {
        return Ok(venues);
    };
    let names: Vec<&str> = venues.iter().map(|venue| venue.name()).collect();
    let mut wanted = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let venue = venues.iter().find(|venue| venue.name().eq_ignore_ascii_case(name));
        let venue = venue.ok_or_else(|| {
            let name: String = name.chars().take(40).collect();
            let valid = names.join(", ");
            Refusal::bad(format!(
                "parameter 'exchanges': {} is not served from '{name}'; valid: {valid}",
                symbol.name
            ))
        })?;
        wanted.push(*venue);
    }
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Err(Refusal::bad(format!(
            "parameter 'exchanges': name at least one of {}",
            names.join(", ")
        )));
    }
    Ok(wanted)
}

fn body(rows: Vec<TimeseriesRow>, symbol: String, span: Span) -> TimeseriesBody {
    let prices = || rows.iter().flat_map(|row| row.levels.iter().map(|level| level.price));
    let price_range = PriceRange {
        min: prices().min().unwrap_or_else(|| Price::default().into()),
        max: prices().max().unwrap_or_else(|| Price::default().into()),
    };
    let sum = |side: fn(&LevelMessage) -> u64| rows.last().map_or(0, |row| row.levels.iter().map(side).sum());
    let meta = TimeseriesMeta {
        symbol,
        start_time: format_time(span.start),
        end_time: format_time(span.end),
        interval: span.interval.name().to_owned(),
        total_snapshots: rows.len(),
        price_range,
        total_long_volume: sum(|level| level.long_density),
        total_short_volume: sum(|level| level.short_density),
        total_consumed: rows.iter().map(|row| row.positions_consumed).sum(),
    };
    TimeseriesBody { data: rows, meta }
}
