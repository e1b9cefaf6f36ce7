//! `GET /v1/measured`: positions of real accounts at the venue that publishes them, with how much of the market they are.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use liqheat_market::convert::round_u64;
use liqheat_market::{Price, Side};
use liqheat_measured::{ClosestPosition, LayerLevel, MeasuredSide};
use liqheat_wire::{MeasuredBody, MeasuredLevel, MeasuredPosition, MeasuredSideBody, format_time};

use super::DataState;
use crate::http::{Query, Refusal};
use crate::measured::{MeasuredSymbol, ShownLayer};

/// Positions that are listed as closest without a wish.
const CLOSEST: NonZeroUsize = NonZeroUsize::new(20).unwrap();
/// Most of them.
pub(super) const CLOSEST_MAX: usize = 100;

pub(super) async fn measured(
    State(state): State<Arc<DataState>>,
    query: Query,
) -> Result<Json<MeasuredBody>, Refusal> {
    let name = query.required("symbol")?;
    let Some(measured) = &state.measured else {
        return Err(Refusal::bad(
            "this server does not look at accounts; start it with --hyperliquid-measured and hyperliquid in --venues",
        ));
    };
    let symbol = measured.symbol(name).ok_or_else(|| {
        let name: String = name.chars().take(60).collect();
        let names: Vec<&str> = measured.symbols.iter().map(|symbol| symbol.name.as_str()).collect();
        Refusal::bad(format!("no measured positions of '{name}'; there are: {}", names.join(", ")))
    })?;
    let limit = query.count_or("limit", CLOSEST, CLOSEST_MAX)?.get();
    let shown = measured.shown(symbol).ok_or_else(|| {
        Refusal::unavailable(format!(
            "no measured positions of {} yet: they need the marks of the venue and a state of {}",
            symbol.name, symbol.estimate
        ))
    })?;
    let feed_state = state.published.feed_state(&symbol.name);
    Ok(Json(body(symbol, &shown, feed_state, (limit, measured.settings.show_addresses))))
}

fn body(
    symbol: &MeasuredSymbol,
    shown: &ShownLayer,
    state: liqheat_wire::FeedState,
    (limit, show_addresses): (usize, bool),
) -> MeasuredBody {
    let layer = &shown.layer;
    let price = |venues: f64| Price::from_f64(venues / shown.pack).unwrap_or_default().into();
    let position = |one: &ClosestPosition| MeasuredPosition {
        side: one.side.name(),
        liquidation_price: price(one.price),
        distance_pct: rounded(
            match one.side {
                Side::Long => -one.distance,
                Side::Short => one.distance,
            } * 100.0,
        ),
        usd: round_u64(one.usd),
        age_s: seconds(one.age_ms),
        address: show_addresses.then(|| one.address.to_string()),
    };
    let level = |one: &LayerLevel| MeasuredLevel {
        price: Price::from_units(one.index.saturating_mul(shown.bin.units())).into(),
        long_usd: round_u64(one.long_usd),
        short_usd: round_u64(one.short_usd),
        long_accounts: one.long_accounts,
        short_accounts: one.short_accounts,
        age_s: seconds(one.age_ms),
    };
    MeasuredBody {
        symbol: symbol.name.clone(),
        as_of: format_time(shown.as_of),
        state,
        current_price: price(layer.mark),
        bin: shown.bin.into(),
        addresses: shown.addresses,
        accounts_late: shown.late,
        coverage_long: layer.long.coverage.map(rounded),
        coverage_short: layer.short.coverage.map(rounded),
        long: side(&layer.long),
        short: side(&layer.short),
        levels: layer.levels.iter().map(level).collect(),
        closest: layer.closest.iter().take(limit).map(position).collect(),
    }
}

fn side(side: &MeasuredSide) -> MeasuredSideBody {
    MeasuredSideBody {
        usd: round_u64(side.usd),
        accounts: side.accounts,
        share_without_level: rounded(side.share_without_level),
        share_older_than_5m: rounded(side.share_older_than_5m),
        share_older_than_60m: rounded(side.share_older_than_60m),
    }
}

fn seconds(ms: i64) -> u64 {
    ms.max(0).unsigned_abs() / 1_000
}

/// To four places.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
