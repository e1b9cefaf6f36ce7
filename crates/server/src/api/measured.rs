//! `GET /v1/measured`: positions of real accounts at the venue that publishes them, with how much of the market they are.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::State;
use liqheat_market::convert::round_u64;
use liqheat_market::{Side, UnixMs};
use liqheat_measured::{ClosestPosition, LAYER_HELD_MS};
use liqheat_store::{StoredLayer, StoredLayerLevel, StoredLayerSide};
use liqheat_wire::{FeedState, MeasuredBody, MeasuredLevel, MeasuredPosition, MeasuredSideBody, format_time};

use super::parts::{PresentState, StoredRows};
use super::reading::Reading;
use crate::http::{Query, Refusal};
use crate::measured::{MeasuredSymbol, ShownLayer, whole_seconds};
use crate::reads::ReadKind;

/// Positions that are listed as closest without a wish.
const CLOSEST: NonZeroUsize = NonZeroUsize::new(20).unwrap();
/// Most of them.
pub(super) const CLOSEST_MAX: usize = 100;

pub(super) async fn measured(
    State(rows): State<StoredRows>,
    State(present): State<PresentState>,
    reading: Reading,
    query: Query,
) -> Result<Json<MeasuredBody>, Refusal> {
    let name = query.required("symbol")?;
    let Some(measured) = &rows.symbols.measured else {
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
    let feed = present.published.feed_state(&symbol.name);
    if let Some(at) = query.optional_time("at")? {
        let layer = past(&rows, reading, symbol, at).await?;
        return Ok(Json(body(symbol, &layer, feed, Vec::new())));
    }
    let shown = measured.shown(symbol).ok_or_else(|| nothing_measured(symbol))?;
    let show_addresses = measured.settings.show_addresses;
    let closest = shown.layer.closest.iter().take(limit);
    let closest = closest.map(|one| position(&shown, one, show_addresses)).collect();
    Ok(Json(body(symbol, &shown.as_stored(shown.as_of), feed, closest)))
}

/// A layer that has neither a present nor a past.
pub(super) fn nothing_measured(symbol: &MeasuredSymbol) -> Refusal {
    Refusal::unavailable(format!(
        "no measured positions of {} yet: they need the marks of the venue and a state of {}",
        symbol.name, symbol.estimate
    ))
}

/// The layer at a moment: the last one stored before it, while it is valid ([`LAYER_HELD_MS`]).
///
/// # Errors
/// Refused where there is none.
pub(super) async fn past(
    rows: &StoredRows,
    reading: Reading,
    symbol: &MeasuredSymbol,
    at: UnixMs,
) -> Result<StoredLayer, Refusal> {
    let turn = reading.turn(rows, ReadKind::Query).await?;
    let instrument = symbol.instrument();
    let from = at.plus(-LAYER_HELD_MS - 1);
    if let Some(layer) = turn.store().latest_measured_layer(&instrument, from, at).await? {
        return Ok(layer);
    }
    let reach = turn.store().measured_reach(&instrument, from, at).await?;
    let stored = reach.map_or_else(
        || "nothing of it is stored yet".to_owned(),
        |reach| format!("it is stored from {} to {}", format_time(reach.first), format_time(reach.last)),
    );
    Err(Refusal::bad(format!("parameter 'at': no layer of {} at {}; {stored}", symbol.name, format_time(at))))
}

fn position(shown: &ShownLayer, one: &ClosestPosition, show_addresses: bool) -> MeasuredPosition {
    let distance = match one.side {
        Side::Long => -one.distance,
        Side::Short => one.distance,
    };
    MeasuredPosition {
        side: one.side,
        liquidation_price: shown.price(one.price).into(),
        distance_pct: (distance * 1e6).round() / 1e4,
        usd: round_u64(one.usd),
        age_s: whole_seconds(one.age_ms),
        address: show_addresses.then(|| one.address.to_string()),
    }
}

fn body(
    symbol: &MeasuredSymbol,
    layer: &StoredLayer,
    state: FeedState,
    closest: Vec<MeasuredPosition>,
) -> MeasuredBody {
    let level = |one: &StoredLayerLevel| MeasuredLevel {
        price: one.price.into(),
        long_usd: one.long_usd,
        short_usd: one.short_usd,
        long_accounts: one.long_accounts,
        short_accounts: one.short_accounts,
        age_s: one.age_s,
    };
    MeasuredBody {
        symbol: symbol.name.clone(),
        as_of: format_time(layer.time),
        state,
        current_price: layer.mark.into(),
        bin: layer.bin.into(),
        addresses: layer.addresses,
        accounts_late: layer.late,
        coverage_long: layer.long.coverage,
        coverage_short: layer.short.coverage,
        long: side(&layer.long),
        short: side(&layer.short),
        levels: layer.levels.iter().map(level).collect(),
        closest,
    }
}

const fn side(side: &StoredLayerSide) -> MeasuredSideBody {
    MeasuredSideBody {
        usd: side.usd,
        accounts: side.accounts,
        share_without_level: side.share_without_level,
        share_older_than_5m: side.share_older_than_5m,
        share_older_than_60m: side.share_older_than_60m,
    }
}
