//! `GET /v1/map`: the liquidation map, by price and leverage with cumulative curves.

use axum::Json;
use axum::extract::State;
use liqheat_market::{Price, Side};
use liqheat_wire::{MapBody, MapRow};

use super::parts::ModelState;
use super::reading::Reading;
use super::selection::{SelectedState, range_pct};

use crate::catalog::leverage_of;
use crate::compact::{MapLevel, UNCLASSED, distance_pct, map as map_of};
use crate::engine::whole_usd;
use crate::http::{Query, Refusal};
use crate::published::sum_by_leverage;

pub(super) async fn map(
    State(model): State<ModelState>,
    reading: Reading,
    query: Query,
) -> Result<Json<MapBody>, Refusal> {
    let range_pct = range_pct(&query, f64::INFINITY)?;
    let bin = query.price("bin")?;
    let mut selected = SelectedState::of_any(&model, reading, &query).await?;
    if let Some(bin) = bin {
        if bin.units() % selected.base_bin.units() != 0 {
            let base_bin = selected.base_bin;
            return Err(Refusal::bad(format!(
                "parameter 'bin': {bin} must be a multiple of the base bin, {base_bin}"
            )));
        }
        selected.levels = sum_by_leverage(&selected.levels, bin);
        selected.base_bin = bin;
    }
    let [long, short] = [Side::Long, Side::Short].map(|side| selected.side(side));
    let (price, bin) = (selected.price, selected.base_bin);
    let is_near = |level: &MapLevel| {
        let high = Price::from_units(level.price.units().saturating_add(bin.units()));
        distance_pct(level.price, high, price).abs() <= range_pct
    };
    // Of measured positions no leverage is known, so there are no parts to list.
    let row_of = |level: MapLevel| {
        let mut row = row(level);
        if selected.is_measured {
            (row.long_by_leverage, row.short_by_leverage) = (Vec::new(), Vec::new());
        }
        row
    };
    let leverages = selected.leverages.iter().filter(|leverage| **leverage > UNCLASSED);
    Ok(Json(MapBody {
        reference: selected.reference,
        bin: bin.into(),
        leverages: leverages.map(|leverage| leverage_of(*leverage)).collect(),
        long_usd: whole_usd(long.usd()),
        short_usd: whole_usd(short.usd()),
        levels: map_of(&long, &short).into_iter().filter(is_near).map(row_of).collect(),
    }))
}

fn row(level: MapLevel) -> MapRow {
    MapRow {
        price: level.price.into(),
        long_usd: level.long.usd,
        short_usd: level.short.usd,
        long_cumulative_usd: level.long.cumulative,
        short_cumulative_usd: level.short.cumulative,
        long_by_leverage: level.long.by_class,
        short_by_leverage: level.short.by_class,
    }
}
