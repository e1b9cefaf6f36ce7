//! `GET /liquidations/levels`: the levels of this moment by leverage.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use liqheat_market::{Price, Side};
use liqheat_model::{Ledger, LeverageLevel};
use liqheat_wire::{LevelRow, LevelsBody};

use super::reading::Reading;
use super::{DataState, no_state};
use crate::engine::{LedgerRun, whole_usd};
use crate::history::{ChartRange, HistoryError, HistoryTurn};
use crate::http::{Query, Refusal};
use crate::published::{LedgerSum, LiveState, sum_by_leverage};
use crate::reads::ReadKind;

/// Name and version of the model, told with every answer.
const MODEL: &str = "two-sided ledger";

pub(super) async fn levels(
    State(state): State<Arc<DataState>>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    query.refuse(&["profile", "kline_interval", "at"])?;
    let symbol = state.symbol(&query)?;
    let sum = state.sum(symbol).await?;
    let live = state.published.live(&symbol.name).ok_or_else(|| no_state(symbol))?;
    let symbol = symbol.name.clone();
    let Some(name) = query.get("timeframe") else {
        return Ok(Json(body(symbol, &live.by_leverage, &live)).into_response());
    };
    let timeframe_ms = timeframe_ms(name)?;
    let turn = state.history.in_turn(reading.turn(&state, ReadKind::ModelRun).await?);
    let levels = opened_within(&turn, &sum, timeframe_ms).await?;
    reading.json(turn.read_turn(), move || body(symbol, &levels, &live)).await
}

fn body(symbol: String, levels: &[LeverageLevel], live: &LiveState) -> LevelsBody {
    LevelsBody {
        symbol,
        model: format!("{MODEL} v{}", liqheat_model::Params::VERSION),
        current_price: live.price.into(),
        long_liquidations: rows(levels, Side::Long, live),
        short_liquidations: rows(levels, Side::Short, live),
    }
}

/// The length of a timeframe: a name, or whole days.
fn timeframe_ms(text: &str) -> Result<i64, Refusal> {
    const DAYS_MAX: i64 = 365;
    const DAY_MS: i64 = 86_400_000;
    if let Some(range) = ChartRange::from_name(text) {
        return Ok(range.ms());
    }
    let days = text.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
    days.map(|days: i64| days * DAY_MS).ok_or_else(|| {
        let (text, names): (String, _) = (text.chars().take(40).collect(), ChartRange::names());
        Refusal::malformed(format!(
            "parameter 'timeframe': '{text}' must be one of {names}, or whole days from 1 to {DAYS_MAX}"
        ))
    })
}

/// Only positions that were opened within the last stretch of time: a ledger that has seen nothing else.
async fn opened_within(
    turn: &HistoryTurn<'_>,
    sum: &LedgerSum,
    timeframe_ms: i64,
) -> Result<Vec<LeverageLevel>, HistoryError> {
    let mut levels = Vec::new();
    for (ledger, view) in &sum.ledgers {
        let empty = Ledger::new(ledger.spec.params.clone(), ledger.tiers());
        let back = view.cursor.plus(-timeframe_ms);
        let from = back.max(ledger.first_bar().unwrap_or(back));
        let (moved, ()) = turn.run(ledger, LedgerRun::new(empty, ()), from, view.cursor).await?;
        levels.extend(moved.seen_levels_by_leverage(view.base_bin, view.tip));
    }
    Ok(sum_by_leverage(&levels, sum.base_bin))
}

fn rows(levels: &[LeverageLevel], side: Side, live: &LiveState) -> Vec<LevelRow> {
    let middle = Price::from_units(live.base_bin.units() / 2);
    let mut rows: Vec<LevelRow> = levels
        .iter()
        .filter_map(|level| {
            let volume = whole_usd(match side {
                Side::Long => level.long_usd,
                Side::Short => level.short_usd,
            });
            let at = level.price.to_f64() + middle.to_f64();
            let distance_pct = ((at / live.price.to_f64() - 1.0) * 1e4).round() / 1e2;
            (volume > 0).then(|| LevelRow {
                price_level: level.price.into(),
                volume,
                leverage: format!("{}x", level.leverage),
                distance_pct,
            })
        })
        .collect();
    rows.sort_by(|a, b| a.distance_pct.abs().total_cmp(&b.distance_pct.abs()));
    rows
}
