//! `GET /v1/walls` and `/v1/max-pain`: where most would be liquidated, in a few rows.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::State;
use liqheat_market::{Price, Side};
use liqheat_wire::{MaxPainBody, PainLevel, WallsBody};

use super::parts::ModelState;
use super::reading::Reading;
use super::selection::{SelectedState, range_pct};
use crate::compact::{SideMass, WallLevels, WallSelection, distance_pct, rounded, walls_body};
use crate::engine::whole_usd;
use crate::http::{Query, Refusal};

pub(super) const LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(WallSelection::LIMIT_DEFAULT).unwrap();
pub(super) const LIMIT_MAX: usize = 1_000;
/// How far from the price the largest level is looked for without a wish, per cent: what a violent day reaches. Venues
/// with positions far from the price would otherwise name one of those.
pub(super) const PAIN_RANGE_PCT: f64 = 10.0;

pub(super) async fn walls(
    State(model): State<ModelState>,
    reading: Reading,
    query: Query,
) -> Result<Json<WallsBody>, Refusal> {
    let range_pct = range_pct(&query, f64::INFINITY)?;
    let min_usd = query.usd_or_zero("min_usd")?;
    let limit = query.count_or("limit", LIMIT_DEFAULT, LIMIT_MAX)?.get();
    let selected = SelectedState::of_any(&model, reading, &query).await?;
    let within_an_hour = selected.within_an_hour(&model, reading).await?;
    let fresh = match query.get("freshness") {
        None | Some("false") => None,
        Some("true") if selected.is_measured => {
            return Err(Refusal::bad(
                "the freshness of measured positions is not estimated: /v1/measured has the age of each level in 'age_s'",
            ));
        }
        Some("true") => selected.fresh(&model, reading).await?,
        Some(_) => return Err(Refusal::malformed("parameter 'freshness' must be true or false")),
    };
    let selection = WallSelection { range_pct, min_usd, limit };
    let levels = WallLevels {
        by_leverage: &selected.levels,
        base_bin: selected.base_bin,
        within_an_hour: within_an_hour.as_deref(),
        fresh: fresh.as_deref(),
    };
    Ok(Json(walls_body(selected.reference, levels, selected.price, selection)))
}

pub(super) async fn max_pain(
    State(model): State<ModelState>,
    reading: Reading,
    query: Query,
) -> Result<Json<MaxPainBody>, Refusal> {
    let range_pct = range_pct(&query, PAIN_RANGE_PCT)?;
    let selected = SelectedState::of_any(&model, reading, &query).await?;
    let [long, short] =
        [Side::Long, Side::Short].map(|side| pain(&selected.side(side), selected.price, range_pct));
    Ok(Json(MaxPainBody { reference: selected.reference, range_pct, long, short }))
}

fn pain(mass: &SideMass, price: Price, range_pct: f64) -> Option<PainLevel> {
    let bin = mass.largest(price, range_pct)?;
    Some(PainLevel {
        price: bin.low.into(),
        usd: whole_usd(bin.usd()),
        share: rounded(bin.usd() / mass.usd(), 1e4),
        distance_pct: rounded(distance_pct(bin.low, bin.high, price), 1e2),
    })
}
