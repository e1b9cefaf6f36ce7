//! `GET /liquidations/heatmap-timeseries`: the levels at the end of every interval, optionally under other
//! leverage weights, computed by running the ledgers over the stored bars.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use liqheat_market::UnixMs;
use liqheat_model::LeverageWeights;
use liqheat_wire::{LevelMessage, PriceRange, TimeseriesBody, TimeseriesMeta, TimeseriesRow, format_time};

use super::DataState;
use super::reading::Reading;
use crate::history::timeseries::{LEVELS_MAX, TimeseriesRequest};
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

pub(super) const INTERVALS: [&str; 4] = ["5m", "15m", "1h", "4h"];
/// Rows in one answer.
const ROWS_MAX: i64 = 2_000;

pub(super) async fn timeseries(
    State(state): State<Arc<DataState>>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = state.symbol(&query)?;
    let start = query.time("start_time")?;
    let end = query.time("end_time")?;
    let interval = query.interval_or(&INTERVALS, "15m")?;
    let bin = query.price("price_bin_size")?;
    let weights = query.get("leverage_weights").map(parse_weights).transpose()?;
    if end <= start {
        return Err(Refusal::malformed("parameter 'end_time' must be later than 'start_time'"));
    }
    if end.since(start) / interval.ms() > ROWS_MAX {
        let detail = format!(
            "more than {ROWS_MAX} intervals of {interval}; ask for a shorter time or longer intervals"
        );
        return Err(Refusal::malformed(detail));
    }
    let request = TimeseriesRequest { start, end, interval_ms: interval.ms(), bin, weights };
    let turn = state.history.in_turn(reading.turn(&state, ReadKind::ModelRun).await?);
    let rows = turn.timeseries(symbol, &request, state.clock.now()).await?;
    let rows = rows.ok_or_else(|| {
        Refusal::malformed(format!(
            "more than {LEVELS_MAX} levels; ask for a shorter time or a larger price_bin_size"
        ))
    })?;
    let name = symbol.name.clone();
    reading.json(turn.read_turn(), move || body(rows, name, (start, end), interval.name())).await
}

/// `5:20,10:30,25:30,50:15,100:5`: leverage and weight, in any scale.
fn parse_weights(text: &str) -> Result<LeverageWeights, Refusal> {
    let form = || {
        Refusal::bad(format!(
            "parameter 'leverage_weights': '{}' must look like 5:20,10:30,25:30,50:15,100:5 (leverage:weight)",
            text.chars().take(80).collect::<String>()
        ))
    };
    let pair = |part: &str| {
        let (leverage, weight) = part.split_once(':')?;
        let leverage = leverage.trim().trim_end_matches(['x', 'X']);
        Some((leverage.parse::<f64>().ok()?, weight.trim().parse::<f64>().ok()?))
    };
    let pairs: Vec<(f64, f64)> = text.split(',').map(pair).collect::<Option<_>>().ok_or_else(form)?;
    LeverageWeights::new(&pairs)
        .map_err(|error| Refusal::bad(format!("parameter 'leverage_weights': {error}")))
}

fn body(
    rows: Vec<TimeseriesRow>,
    symbol: String,
    (start, end): (UnixMs, UnixMs),
    interval: &str,
) -> TimeseriesBody {
    let prices = || rows.iter().flat_map(|row| row.levels.iter().map(|level| level.price));
    let price_range = PriceRange { min: prices().min(), max: prices().max() };
    let sum = |side: fn(&LevelMessage) -> u64| rows.last().map_or(0, |row| row.levels.iter().map(side).sum());
    let meta = TimeseriesMeta {
        symbol,
        start_time: format_time(start),
        end_time: format_time(end),
        interval: interval.to_owned(),
        total_snapshots: rows.len(),
        price_range,
        total_long_volume: sum(|level| level.long_density),
        total_short_volume: sum(|level| level.short_density),
        total_consumed: rows.iter().map(|row| row.positions_consumed).sum(),
    };
    TimeseriesBody { data: rows, meta }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_in_any_scale() {
        let expected = LeverageWeights::new(&[(5.0, 1.0), (10.0, 3.0)]).unwrap();
        for text in ["5:1,10:3", "10:75, 5:25", "5x:0.25,10X:0.75"] {
            assert_eq!(parse_weights(text).ok(), Some(expected.clone()), "{text}");
        }
        for text in ["", "5", "5:x", "5:1,", "0:1", "5:-1", "5:0", "5:1,5:2", "5:NaN", "1e9:1"] {
            assert!(parse_weights(text).is_err(), "{text}");
        }
    }
}
