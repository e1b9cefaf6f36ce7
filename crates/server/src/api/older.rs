//! Routes of the API that this program re-creates, as thin views of ours: `/symbols`, `/exchanges`, `/data/date-range`,
//! `/liquidations/history`.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use liqheat_wire::{DateRangeBody, OlderLiquidationRow, format_time};

use super::parts::{PresentState, StoredRows, SymbolDirectory};
use super::reading::Reading;
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

const DAY_MS: i64 = 86_400_000;
pub(super) const LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(100).unwrap();
pub(super) const LIMIT_MAX: usize = 10_000;

/// The symbols that are served, without names of single venues.
pub(super) async fn symbols(State(symbols): State<SymbolDirectory>) -> Json<Vec<String>> {
    let names: BTreeSet<&str> =
        symbols.catalog.ledgers().map(|ledger| ledger.instrument().symbol.as_str()).collect();
    Json(names.into_iter().map(str::to_owned).collect())
}

/// The venues behind them.
pub(super) async fn exchanges(State(symbols): State<SymbolDirectory>) -> Json<Vec<&'static str>> {
    let venues: BTreeSet<_> = symbols.catalog.ledgers().map(|ledger| ledger.instrument().venue).collect();
    Json(venues.into_iter().map(liqheat_market::Venue::name).collect())
}

/// From when to when there is data of a symbol.
pub(super) async fn date_range(
    State(present): State<PresentState>,
    query: Query,
) -> Result<Json<DateRangeBody>, Refusal> {
    let symbol = present.symbols.of(&query)?;
    let first = symbol.first_bar();
    let last = present.published.head(&symbol.name).map(|head| head.as_of).or(first);
    let (Some(first), Some(last)) = (first, last) else {
        return Err(Refusal::not_found(format!("no data of {} yet", symbol.name)));
    };
    Ok(Json(DateRangeBody {
        symbol: symbol.name.clone(),
        start_date: format_time(first),
        end_date: format_time(last),
    }))
}

/// Liquidations that really happened, as a plain list, oldest first.
pub(super) async fn liquidations(
    State(stored): State<StoredRows>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    query.refuse(&["aggregate"])?;
    let symbol = stored.symbols.of(&query)?;
    let now = stored.clock.now();
    let end = query.time_or("end", now)?.min(now);
    let start = query.time_or("start", end.plus(-DAY_MS))?;
    let limit = query.count_or("limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let turn = reading.turn(&stored, ReadKind::Query).await?;
    let mut rows = Vec::new();
    for ledger in &symbol.ledgers {
        rows.extend(turn.store().liquidations(ledger.instrument(), start, end, 0, limit).await?);
    }
    let name = symbol.name.clone();
    let list = move || {
        rows.sort_by_key(|row| row.time);
        let newest = rows.len().saturating_sub(limit.get());
        let row = |row: &liqheat_market::Liquidation| OlderLiquidationRow {
            timestamp: format_time(row.time),
            symbol: name.clone(),
            side: row.side,
            price: row.price.into(),
            quantity: row.qty.into(),
            leverage: None,
        };
        rows[newest..].iter().map(row).collect::<Vec<_>>()
    };
    reading.json(&turn, list).await
}
