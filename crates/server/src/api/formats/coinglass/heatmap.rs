//! `heatmap/model1..3` and `aggregated-heatmap/model1..3`: all of them the one model of this server.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use liqheat_market::convert::signed_len;
use liqheat_market::{Interval, Kline, Price, UnixMs};
use liqheat_model::HistoryGrid;

use super::super::super::prices::{CandleSpan, by_open_interest, candles_by_venue, merged};
use super::super::super::reading::Reading;
use super::super::claims::Claims;
use super::super::{FormatKey, FormatState};
use super::shapes::{Candle, Envelope, Heatmap};
use super::{coin_and_range, pair_and_range};
use crate::catalog::ServedSymbol;
use crate::history::{CHART_RANGES, ChartRange, GridRequest, GridSpan};
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

/// Words of `range`: those of the charts here.
pub(in super::super::super) const RANGES: [&str; 8] = {
    let mut names = [""; 8];
    let mut at = 0;
    while at < names.len() {
        names[at] = CHART_RANGES[at].name;
        at += 1;
    }
    names
};

/// Most candles of an answer: five minutes over a day are 288, an hour's grid of a year would be thousands.
const COLUMNS_MAX: i64 = 370;

pub(super) async fn of_pair(
    State(state): State<FormatState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    let (symbol, range) = pair_and_range(&state.model.rows.symbols, &claims, &query, &RANGES)?;
    answer(&state, reading, symbol, range).await
}

pub(super) async fn of_coin(
    State(state): State<FormatState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    let (symbol, range) = coin_and_range(&state.model.rows.symbols, &claims, &query, &RANGES)?;
    answer(&state, reading, symbol, range).await
}

async fn answer(
    FormatState { model, flights }: &FormatState,
    reading: Reading,
    symbol: &ServedSymbol,
    range: &str,
) -> Result<Response, Refusal> {
    let range =
        ChartRange::from_name(range).ok_or_else(|| Refusal::malformed("parameter 'range' is not known"))?;
    let key = FormatKey {
        request: format!("coinglass heatmap {}", range.name),
        symbol: symbol.name.clone(),
        accepts_gzip: reading.accepts_gzip(),
    };
    let body = flights.get(key, async || {
        let interval = interval_of(symbol, range);
        let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
        let sum = model.present.local_sum(symbol).await?;
        let request = GridRequest {
            span: GridSpan::Latest(range),
            prices: None,
            bin: None,
            columns: usize::try_from(range.ms() / interval.ms()).ok(),
            compact: None,
            by_leverage: false,
            is_gzipped: false,
        };
        let grid = turn.paint(symbol, &sum, request).await?.grid;
        let span = CandleSpan {
            interval,
            start: Some(grid.spec.start),
            end: sum.as_of,
            limit: NonZeroUsize::MIN.saturating_add(grid.spec.columns),
            now: model.rows.clock.now(),
        };
        let ledgers = by_open_interest(&model.present.published, symbol);
        let candles = merged(candles_by_venue(turn.store(), &ledgers, span).await?);
        let body = move || Envelope::new(heatmap(&grid, &candles));
        let body = reading.write_json(turn.read_turn(), body).await?;
        let bytes = body.len();
        Ok::<_, Refusal>((body, bytes))
    });
    Ok(body.await?.into_response())
}

/// The shortest candles that are made of whole bars and number at most [`COLUMNS_MAX`].
fn interval_of(symbol: &ServedSymbol, range: ChartRange) -> Interval {
    let fits = |interval: &Interval| {
        symbol.bars_fit(interval.ms())
            && range.ms() % interval.ms() == 0
            && range.ms() / interval.ms() <= COLUMNS_MAX
    };
    Interval::names().filter_map(Interval::from_name).find(fits).unwrap_or_else(|| symbol.interval())
}

/// A grid and its candles. Every column has a candle: one without trades repeats the close before it.
fn heatmap(grid: &HistoryGrid, candles: &BTreeMap<UnixMs, Kline>) -> Heatmap {
    let spec = &grid.spec;
    let row = |row: usize| {
        let units = spec.bin.units().saturating_mul(signed_len(row));
        Price::from_units(spec.price_low.units().saturating_add(units))
    };
    let mut last = candles.values().next().map(|first| first.open).unwrap_or_default();
    let (mut cells, mut sticks) = (Vec::new(), Vec::with_capacity(spec.columns));
    for column in 0..spec.columns {
        let opens = spec.start.plus(spec.column_ms.saturating_mul(signed_len(column)));
        let candle = candles.get(&opens);
        sticks.push(candle.map_or_else(|| flat(opens, last), stick));
        last = candle.map_or(last, |candle| candle.close);
        let (long, short) = grid.column(column);
        for (index, (long, short)) in long.iter().zip(short).enumerate() {
            let usd = cents(f64::from(*long) + f64::from(*short));
            if usd > 0.0 {
                cells.push((column, index, usd));
            }
        }
    }
    Heatmap {
        y_axis: (0..spec.rows).map(|index| row(index).into()).collect(),
        liquidation_leverage_data: cells,
        price_candlesticks: sticks,
    }
}

fn stick(candle: &Kline) -> Candle {
    let Kline { open, high, low, close, .. } = *candle;
    // Only coins are stored: their value is taken at the middle of the candle's prices.
    let price = (open.to_f64() + high.to_f64() + low.to_f64() + close.to_f64()) / 4.0;
    let volume = candle.volume.map_or(0.0, |coins| cents(coins.to_f64() * price));
    let [open, high, low, close] = [open, high, low, close].map(|price| price.to_string());
    Candle(candle.open_time.0 / 1_000, open, high, low, close, volume.to_string())
}

fn flat(opens: UnixMs, price: Price) -> Candle {
    let price = price.to_string();
    Candle(opens.0 / 1_000, price.clone(), price.clone(), price.clone(), price, "0".to_owned())
}

/// Dollars to the cent.
pub(super) fn cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use liqheat_market::Qty;
    use liqheat_model::GridSpec;

    use super::*;

    fn dollars(number: i64) -> Price {
        Price::from_units(number * 100_000_000)
    }

    #[test]
    fn columns_without_trades_repeat_the_close_and_empty_cells_are_absent() {
        let spec = GridSpec {
            start: UnixMs(600_000),
            column_ms: 300_000,
            columns: 3,
            price_low: dollars(100),
            bin: dollars(5),
            rows: 2,
        };
        let grid = HistoryGrid {
            spec,
            long: vec![0.0, 7.5, 0.0, 0.0, 1.25, 0.001],
            short: vec![0.0, 2.5, 3.0, 0.0, 0.0, 0.0],
            classes: Vec::new(),
            created: Vec::new(),
            consumed: Vec::new(),
            consumed_usd: Vec::new(),
        };
        let candle = Kline {
            kind: liqheat_market::KlineKind::Last,
            interval: Interval::M5,
            open_time: UnixMs(600_000),
            open: dollars(101),
            high: dollars(103),
            low: dollars(99),
            close: Price::parse("101.5").unwrap(),
            volume: Some(Qty::from_units(200_000_000)),
            taker_buy_volume: None,
            trades: None,
        };
        let body = heatmap(&grid, &[(candle.open_time, candle)].into());
        assert_eq!(body.liquidation_leverage_data, [(0, 1, 10.0), (1, 0, 3.0), (2, 0, 1.25)]);
        let text = serde_json::to_value(&body).unwrap();
        assert_eq!(text["y_axis"], serde_json::json!([100, 105]));
        assert_eq!(
            text["price_candlesticks"],
            serde_json::json!([
                [600, "101", "103", "99", "101.5", "202.25"],
                [900, "101.5", "101.5", "101.5", "101.5", "0"],
                [1200, "101.5", "101.5", "101.5", "101.5", "0"]
            ])
        );
    }
}
