//! `GET /prices/klines`: candles, aggregated from the stored bars.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::Interval;
use liqheat_wire::{CandleRow, KlinesBody, format_time};

use super::query::Query;
use super::refusal::Refusal;
use super::symbol_of;
use crate::app::App;

const LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(500).unwrap();
const LIMIT_MAX: usize = 5_000;

pub(super) async fn klines(State(app): State<Arc<App>>, query: Query) -> Result<Json<KlinesBody>, Refusal> {
    let symbol = symbol_of(&app, &query)?;
    let names: Vec<&str> = Interval::names().collect();
    let interval = query.interval_or(&names, "5m")?;
    let limit = query.count_or("limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    if interval < symbol.interval {
        let stored = symbol.interval;
        return Err(Refusal::bad(format!(
            "{} is stored in bars of {stored}; ask for {stored} or longer",
            symbol.name
        )));
    }
    let candles = app.store.candles(&symbol.instrument, interval, app.clock.now(), limit).await?;
    let data: Vec<CandleRow> = candles
        .iter()
        .map(|candle| CandleRow {
            timestamp: format_time(candle.open_time),
            open: candle.open.into(),
            high: candle.high.into(),
            low: candle.low.into(),
            close: candle.close.into(),
            volume: candle.volume.map(Into::into),
        })
        .collect();
    Ok(Json(KlinesBody {
        symbol: symbol.name.clone(),
        interval: interval.to_string(),
        count: data.len(),
        data,
    }))
}
