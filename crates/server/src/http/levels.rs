//! `GET /liquidations/levels`: the levels of this moment by leverage.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::{Price, Side};
use liqheat_model::{Ledger, LeverageLevel};
use liqheat_wire::{LevelRow, LevelsBody};

use super::query::Query;
use super::refusal::Refusal;
use super::{symbol_of, view_of};
use crate::aggregate::sum_by_leverage;
use crate::app::App;
use crate::bars::BarReader;
use crate::engine::whole_usd;
use crate::history::ChartRange;
use crate::symbol::SymbolView;

/// Name and version of the model, told with every answer.
const MODEL: &str = "two-sided ledger";

pub(super) async fn levels(State(app): State<Arc<App>>, query: Query) -> Result<Json<LevelsBody>, Refusal> {
    let symbol = symbol_of(&app, &query)?;
    let view = view_of(&app, symbol).await?;
    let levels = match query.get("timeframe") {
        None => view.by_leverage.as_ref().clone(),
        Some(name) => {
            let range = ChartRange::from_name(name).ok_or_else(|| {
                Refusal::malformed(format!(
                    "parameter 'timeframe': '{name}' must be one of {}",
                    ChartRange::names()
                ))
            })?;
            opened_within(&app, &view, range).await?
        }
    };
    Ok(Json(LevelsBody {
        symbol: symbol.name.clone(),
        model: format!("{MODEL} v{}", liqheat_model::Params::VERSION),
        current_price: view.price.into(),
        long_liquidations: rows(&levels, Side::Long, &view),
        short_liquidations: rows(&levels, Side::Short, &view),
    }))
}

/// Only positions that were opened within the last stretch of time: a ledger that has seen nothing else.
async fn opened_within(
    app: &App,
    view: &SymbolView,
    range: ChartRange,
) -> Result<Vec<LeverageLevel>, Refusal> {
    let turn = app.history_turns.acquire().await;
    let _turn = turn.map_err(|_| Refusal::unavailable("the server is stopping"))?;
    let mut levels = Vec::new();
    for (part, of_part) in &view.ledgers {
        let mut ledger = Ledger::new(part.params.clone(), part.tiers());
        let back = of_part.cursor.plus(-range.ms());
        let from = back.max(part.first_bar().unwrap_or(back));
        BarReader::of(part, &app.store).run(&mut ledger, from, of_part.cursor, |_, _, _| {}).await?;
        levels.extend(ledger.seen_levels_by_leverage(of_part.base_bin, of_part.tip));
    }
    Ok(sum_by_leverage(&levels, view.base_bin))
}

fn rows(levels: &[LeverageLevel], side: Side, view: &SymbolView) -> Vec<LevelRow> {
    let middle = Price::from_units(view.base_bin.units() / 2);
    let mut rows: Vec<LevelRow> = levels
        .iter()
        .filter_map(|level| {
            let volume = whole_usd(match side {
                Side::Long => level.long_usd,
                Side::Short => level.short_usd,
            });
            let at = level.price.to_f64() + middle.to_f64();
            let distance_pct = ((at / view.price.to_f64() - 1.0) * 1e4).round() / 1e2;
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
