//! `GET /v1/walls` and `/v1/max-pain`: where most would be liquidated, in a few rows.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::{Price, Side};
use liqheat_model::LeverageLevel;
use liqheat_wire::{LeverageUsd, MaxPainBody, PainLevel, WallRow, WallsBody};

use super::DataState;
use super::reading::Reading;
use super::selection::{SelectedState, range_pct};

use crate::catalog::leverage_of;
use crate::compact::{SideMass, Wall, distance_pct, walls as walls_of, whole_parts};
use crate::engine::whole_usd;
use crate::http::{Query, Refusal};

pub(super) const LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(10).unwrap();
pub(super) const LIMIT_MAX: usize = 1_000;

pub(super) async fn walls(
    State(state): State<Arc<DataState>>,
    reading: Reading,
    query: Query,
) -> Result<Json<WallsBody>, Refusal> {
    let range_pct = range_pct(&query)?;
    let min_usd = query.usd_or_zero("min_usd")?;
    let limit = query.count_or("limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let selected = SelectedState::of(&state, reading, &query).await?;
    let within_an_hour = selected.within_an_hour(&state, reading).await?;
    let fresh = match query.get("freshness") {
        None | Some("false") => None,
        Some("true") => selected.fresh(&state, reading).await?,
        Some(_) => return Err(Refusal::malformed("parameter 'freshness' must be true or false")),
    };
    let sides = [selected.side(Side::Long), selected.side(Side::Short)];
    let rows = |side: &SideMass| rows(side, within_an_hour.as_deref(), fresh.as_deref(), selected.price);
    let mut rows: Vec<WallRow> = sides.iter().flat_map(rows).collect();
    rows.retain(|row| row.distance_pct.abs() <= range_pct && row.usd >= min_usd);
    rows.sort_by(|a, b| b.usd.cmp(&a.usd).then_with(|| a.low.cmp(&b.low)));
    rows.truncate(limit.get());
    let [long_usd, short_usd] = sides.map(|side| whole_usd(side.usd()));
    Ok(Json(WallsBody { reference: selected.reference, long_usd, short_usd, walls: rows }))
}

fn rows(
    mass: &SideMass,
    within_an_hour: Option<&[LeverageLevel]>,
    fresh: Option<&[LeverageLevel]>,
    price: Price,
) -> Vec<WallRow> {
    let of_side = mass.usd();
    let row_of = |wall: &Wall| WallRow {
        expected_usd_1h: within_an_hour.map(|levels| whole_usd(usd_in(wall, levels))),
        freshness: fresh.map(|levels| rounded((usd_in(wall, levels) / wall.usd()).clamp(0.0, 1.0), 1e3)),
        ..row(wall, mass, price, of_side)
    };
    walls_of(mass, price).iter().map(row_of).collect()
}

/// Dollars of a wall's side in its bins.
fn usd_in(wall: &Wall, levels: &[LeverageLevel]) -> f64 {
    let inside = levels.iter().filter(|level| level.price >= wall.low && level.price < wall.high);
    match wall.side {
        Side::Long => inside.map(|level| level.long_usd).sum(),
        Side::Short => inside.map(|level| level.short_usd).sum(),
    }
}

fn row(wall: &Wall, mass: &SideMass, price: Price, of_side: f64) -> WallRow {
    let by_class = whole_parts(&wall.by_class);
    let leverages = mass.leverages.iter().zip(&by_class).filter(|(_, usd)| **usd > 0);
    WallRow {
        side: wall.side.name(),
        low: wall.low.into(),
        high: wall.high.into(),
        peak_price: wall.peak.into(),
        usd: by_class.iter().sum(),
        share: rounded(wall.usd() / of_side, 1e4),
        distance_pct: rounded(distance_pct(wall.low, wall.high, price), 1e2),
        expected_usd_1h: None,
        freshness: None,
        usd_on_the_way: whole_usd(wall.usd_before),
        leverages: leverages
            .map(|(leverage, usd)| LeverageUsd { leverage: leverage_of(*leverage), usd: *usd })
            .collect(),
    }
}

pub(super) async fn max_pain(
    State(state): State<Arc<DataState>>,
    reading: Reading,
    query: Query,
) -> Result<Json<MaxPainBody>, Refusal> {
    let selected = SelectedState::of(&state, reading, &query).await?;
    let [long, short] = [Side::Long, Side::Short].map(|side| pain(&selected.side(side), selected.price));
    Ok(Json(MaxPainBody { reference: selected.reference, long, short }))
}

fn pain(mass: &SideMass, price: Price) -> Option<PainLevel> {
    let bin = mass.largest(price)?;
    Some(PainLevel {
        price: bin.low.into(),
        usd: whole_usd(bin.usd()),
        share: rounded(bin.usd() / mass.usd(), 1e4),
        distance_pct: rounded(distance_pct(bin.low, bin.high, price), 1e2),
    })
}

/// With as many decimals as `scale` has zeros.
fn rounded(number: f64, scale: f64) -> f64 {
    (number * scale).round() / scale
}
