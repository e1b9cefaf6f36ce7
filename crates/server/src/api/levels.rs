//! `GET /liquidations/levels`: the levels of a state by leverage.

use axum::Json;
use axum::extract::State;
use liqheat_market::{Price, Side};
use liqheat_wire::{LevelRow, LevelsBody};

use super::parts::ModelState;
use super::reading::Reading;
use super::selection::SelectedState;
use crate::engine::whole_usd;
use crate::http::{Query, Refusal};

/// Name and version of the model, told with every answer.
const MODEL: &str = "two-sided ledger";

pub(super) async fn levels(
    State(model): State<ModelState>,
    reading: Reading,
    query: Query,
) -> Result<Json<LevelsBody>, Refusal> {
    query.refuse(&["profile", "kline_interval"])?;
    let selected = SelectedState::of(&model, reading, &query).await?;
    Ok(Json(LevelsBody {
        symbol: selected.reference.symbol.clone(),
        model: format!("{MODEL} v{}", liqheat_model::Params::VERSION),
        current_price: selected.price.into(),
        long_liquidations: rows(&selected, Side::Long),
        short_liquidations: rows(&selected, Side::Short),
    }))
}

fn rows(selected: &SelectedState, side: Side) -> Vec<LevelRow> {
    let middle = Price::from_units(selected.base_bin.units() / 2);
    let mut rows: Vec<LevelRow> = selected
        .levels
        .iter()
        .filter_map(|level| {
            let volume = whole_usd(match side {
                Side::Long => level.long_usd,
                Side::Short => level.short_usd,
            });
            let at = level.price.to_f64() + middle.to_f64();
            let distance_pct = ((at / selected.price.to_f64() - 1.0) * 1e4).round() / 1e2;
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
