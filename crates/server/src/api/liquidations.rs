//! `GET /v1/liquidations`: what really happened, one by one or summed by interval and venue.

use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use liqheat_market::{Interval, Liquidation, Venue};
use liqheat_wire::{LiquidationRow, LiquidationsBody, format_time};

use super::DataState;
use super::reading::Reading;
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

const DAY_MS: i64 = 86_400_000;
pub(super) const LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
pub(super) const LIMIT_MAX: usize = 10_000;

pub(super) async fn liquidations(
    State(state): State<Arc<DataState>>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = state.symbol(&query)?;
    let now = state.clock.now();
    let end = query.time_or("end_time", now)?.min(now);
    let start = query.time_or("start_time", end.plus(-DAY_MS))?;
    let limit = query.count_or("limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let interval = match query.get("interval") {
        None => None,
        Some(_) => {
            let names: Vec<&str> = Interval::names().collect();
            Some(query.interval_or(&names, "")?)
        }
    };
    let turn = reading.turn(&state, ReadKind::Query).await?;
    let mut rows = Vec::new();
    for ledger in &symbol.ledgers {
        let (store, instrument) = (turn.store(), ledger.instrument());
        let of_venue = match interval {
            None => store.liquidations(instrument, start, end, limit).await?,
            Some(interval) => store.liquidation_sums(instrument, interval, start, end, limit).await?,
        };
        rows.extend(of_venue.into_iter().map(|row| (instrument.venue, row)));
    }
    let name = symbol.name.clone();
    reading.json(&turn, move || body(name, rows, limit)).await
}

fn body(symbol: String, mut rows: Vec<(Venue, Liquidation)>, limit: NonZeroUsize) -> LiquidationsBody {
    // The newest of each venue are here, and so the newest of all.
    rows.sort_by_key(|(_, row)| row.time);
    let newest = rows.len().saturating_sub(limit.get());
    let data = rows[newest..]
        .iter()
        .map(|(venue, row)| LiquidationRow {
            timestamp: format_time(row.time),
            venue: venue.name(),
            side: row.side.name(),
            price: row.price.into(),
            quantity: row.qty.into(),
            usd: (row.price.to_f64() * row.qty.to_f64()).round() as u64,
        })
        .collect();
    LiquidationsBody { symbol, data }
}
