//! `GET /liquidations/heatmap-timeseries`: the levels at the end of every interval, optionally under other
//! leverage weights, computed by running the ledger over the stored bars.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::{Price, UnixMs};
use liqheat_model::{Ledger, LeverageWeights, Params, Tip};
use liqheat_wire::{
    Cell, LevelMessage, PriceRange, TimeseriesBody, TimeseriesMeta, TimeseriesRow, format_time,
};

use super::query::Query;
use super::refusal::Refusal;
use super::symbol_of;
use crate::aggregate::{common_bin, sum_cells};
use crate::app::App;
use crate::bars::BarReader;
use crate::engine::{ledger_before, whole_usd};
use crate::symbol::{Part, ServedSymbol};

pub(super) const INTERVALS: [&str; 4] = ["5m", "15m", "1h", "4h"];
/// Rows in one answer.
const ROWS_MAX: i64 = 2_000;
/// Levels in one answer: about 60 MB before compression.
const LEVELS_MAX: usize = 1_000_000;
/// Under other weights no stored ledger can be continued, so one is warmed up for this long before the start.
const WARM_UP_MS: i64 = 30 * 86_400_000;

pub(super) async fn timeseries(
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<TimeseriesBody>, Refusal> {
    let symbol = symbol_of(&app, &query)?;
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
    let turn = app.history_turns.acquire().await;
    let _turn = turn.map_err(|_| Refusal::unavailable("the server is stopping"))?;

    let mut rows = Rows::default();
    for part in &symbol.parts {
        let complete = app.clock.now().plus(-part.settle_ms());
        let (mut ledger, from) = starting_ledger(&app, part, weights.clone(), start).await?;
        let mut of_part = PartRows::new(start, interval.ms(), bin, &mut rows);
        let reader = BarReader::of(part, &app.store);
        reader
            .run(&mut ledger, from, end.min(complete), |ledger, bar, step| match step {
                None => of_part.before(ledger, bar.close_time),
                Some(step) => of_part.count(bar.close_time, step.created, step.consumed),
            })
            .await?;
        of_part.finish(&ledger, end.min(complete));
    }
    if rows.levels > LEVELS_MAX {
        let detail =
            format!("more than {LEVELS_MAX} levels; ask for a shorter time or a larger price_bin_size");
        return Err(Refusal::malformed(detail));
    }
    Ok(Json(rows.into_body(symbol, start, end, interval.name())))
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

async fn starting_ledger(
    app: &App,
    part: &Part,
    weights: Option<LeverageWeights>,
    start: UnixMs,
) -> Result<(Ledger, UnixMs), Refusal> {
    match weights {
        None => Ok(ledger_before(part, &app.store, start).await?),
        Some(weights) => {
            let params: Params = part.params.with_weights(weights);
            let warm_up = start.plus(-WARM_UP_MS);
            let from = warm_up.max(part.first_bar().unwrap_or(warm_up)).floor_to(part.interval.ms());
            Ok((Ledger::new(params, part.tiers()), from))
        }
    }
}

/// The rows of an answer, by the end of their interval.
#[derive(Default)]
struct Rows {
    by_end: BTreeMap<UnixMs, Row>,
    /// Levels in all rows; beyond the limit no more are taken, for the answer is refused anyway.
    levels: usize,
}

/// One row: the sum of the ledgers as they stood.
#[derive(Default)]
struct Row {
    /// Levels of each ledger, in bins of its own height.
    cells: Vec<Cell>,
    bins: Vec<Price>,
    created: u64,
    consumed: u64,
}

/// What one ledger adds to the rows.
struct PartRows<'a> {
    rows: &'a mut Rows,
    start: UnixMs,
    interval_ms: i64,
    bin: Option<Price>,
    /// End of the interval whose row comes next.
    next: UnixMs,
    created: u64,
    consumed: u64,
}

impl<'a> PartRows<'a> {
    fn new(start: UnixMs, interval_ms: i64, bin: Option<Price>, rows: &'a mut Rows) -> Self {
        let next = start.floor_to(interval_ms).plus(interval_ms);
        Self { rows, start, interval_ms, bin, next, created: 0, consumed: 0 }
    }

    /// A bar is about to be applied: intervals that ended before its close show what stood until now.
    fn before(&mut self, ledger: &Ledger, close_time: UnixMs) {
        while self.next < close_time {
            self.take(ledger);
        }
    }

    fn count(&mut self, close_time: UnixMs, created: u64, consumed: u64) {
        if close_time > self.start {
            self.created += created;
            self.consumed += consumed;
        }
    }

    /// Intervals that have ended since the last bar.
    fn finish(&mut self, ledger: &Ledger, end: UnixMs) {
        while self.next <= end {
            self.take(ledger);
        }
    }

    fn take(&mut self, ledger: &Ledger) {
        let at = self.next;
        self.next = at.plus(self.interval_ms);
        // Before the first bar, and long after the last one, nothing is known.
        let known =
            ledger.as_of().is_some_and(|as_of| at.since(as_of) <= ledger.params().values().gap_ms_max);
        let wanted = known && self.rows.levels <= LEVELS_MAX;
        let Some(bin) = self.bin.or_else(|| ledger.base_bin()).filter(|_| wanted) else {
            return;
        };
        const WHOLE: Tip = None;
        let cells = ledger.levels(bin, WHOLE).into_iter().map(|level| Cell {
            price: level.price,
            long_usd: whole_usd(level.long_usd),
            short_usd: whole_usd(level.short_usd),
        });
        let row = self.rows.by_end.entry(at).or_default();
        let before = row.cells.len();
        row.cells.extend(cells.filter(|cell| !cell.is_empty()));
        self.rows.levels += row.cells.len() - before;
        row.bins.push(bin);
        row.created += std::mem::take(&mut self.created);
        row.consumed += std::mem::take(&mut self.consumed);
    }
}

impl Row {
    fn told(self, at: UnixMs) -> TimeseriesRow {
        // A single ledger's levels are in order already; those of several are added up in bins that hold all.
        let cells = match self.bins.len() {
            1 => self.cells,
            _ => sum_cells(&self.cells, common_bin(self.bins)),
        };
        let level = |cell: &Cell| LevelMessage {
            price: cell.price.into(),
            long_density: cell.long_usd,
            short_density: cell.short_usd,
        };
        TimeseriesRow {
            timestamp: format_time(at),
            levels: cells.iter().map(level).collect(),
            positions_created: self.created,
            positions_consumed: self.consumed,
        }
    }
}

impl Rows {
    fn into_body(self, symbol: &ServedSymbol, start: UnixMs, end: UnixMs, interval: &str) -> TimeseriesBody {
        let rows: Vec<TimeseriesRow> = self.by_end.into_iter().map(|(at, row)| row.told(at)).collect();
        let prices = || rows.iter().flat_map(|row| row.levels.iter().map(|level| level.price));
        let price_range = PriceRange { min: prices().min(), max: prices().max() };
        let sum =
            |side: fn(&LevelMessage) -> u64| rows.last().map_or(0, |row| row.levels.iter().map(side).sum());
        let meta = TimeseriesMeta {
            symbol: symbol.name.clone(),
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
