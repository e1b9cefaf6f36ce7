//! `map` and `aggregated-map`: the positions that were opened within a range, by the price at which they would be
//! liquidated.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use liqheat_market::Price;
use liqheat_model::LeverageLevel;
use liqheat_wire::Decimal;

use super::super::super::reading::Reading;
use super::super::super::selection::{SelectedState, StateSelector};
use super::super::claims::Claims;
use super::super::{FormatKey, FormatState};
use super::heatmap::cents;
use super::shapes::{Envelope, Map, MapLevels, MapRow};
use super::{coin_and_range, pair_and_range};
use crate::catalog::{ServedSymbol, leverage_of};
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

const DAY_MS: i64 = 86_400_000;
/// Words of `range`, and days.
const RANGE_DAYS: [(&str, i64); 3] = [("1d", 1), ("7d", 7), ("30d", 30)];
pub(in super::super::super) const RANGES: [&str; 3] = [RANGE_DAYS[0].0, RANGE_DAYS[1].0, RANGE_DAYS[2].0];

/// The rows of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// One for each leverage, lowest first.
    ByLeverage,
    /// One.
    Summed,
}

pub(super) async fn of_pair(
    State(state): State<FormatState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    let (symbol, range) = pair_and_range(&state.model.rows.symbols, &claims, &query, &RANGES)?;
    answer(&state, reading, symbol, range, Rows::ByLeverage).await
}

pub(super) async fn of_coin(
    State(state): State<FormatState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    let (symbol, range) = coin_and_range(&state.model.rows.symbols, &claims, &query, &RANGES)?;
    answer(&state, reading, symbol, range, Rows::Summed).await
}

async fn answer(
    FormatState { model, flights }: &FormatState,
    reading: Reading,
    symbol: &ServedSymbol,
    range: &str,
    rows: Rows,
) -> Result<Response, Refusal> {
    let key = FormatKey {
        request: format!("coinglass map {range} {rows:?}"),
        symbol: symbol.name.clone(),
        accepts_gzip: reading.accepts_gzip(),
    };
    let days = RANGE_DAYS.iter().find(|(name, _)| *name == range).map_or(1, |(_, days)| *days);
    let body = flights.get(key, async || {
        let wanted = StateSelector::OpenedWithin(days * DAY_MS);
        let selected = SelectedState::select(model, reading, symbol, wanted, None).await?;
        let turn = reading.turn(&model.rows, ReadKind::Query).await?;
        let body = move || Envelope::new(Map { data: grouped(&selected.levels, rows) });
        let body = reading.write_json(&turn, body).await?;
        let bytes = body.len();
        Ok::<_, Refusal>((body, bytes))
    });
    Ok(body.await?.into_response())
}

fn grouped(levels: &[LeverageLevel], rows: Rows) -> MapLevels {
    let mut sums: BTreeMap<(Price, Option<Decimal>), f64> = BTreeMap::new();
    for level in levels {
        let class = (rows == Rows::ByLeverage).then(|| leverage_of(level.leverage));
        *sums.entry((level.price, class)).or_default() += level.long_usd + level.short_usd;
    }
    let mut rows: Vec<(String, Vec<MapRow>)> = Vec::new();
    for ((price, leverage), usd) in sums {
        let usd = cents(usd);
        if usd <= 0.0 {
            continue;
        }
        let (key, row) = (price.to_string(), MapRow(price.into(), usd, leverage, None));
        match rows.last_mut().filter(|(last, _)| *last == key) {
            Some((_, of_price)) => of_price.push(row),
            None => rows.push((key, vec![row])),
        }
    }
    MapLevels(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_of_a_price_stand_together_by_leverage_or_in_one_sum() {
        let level = |leverage, price: &str, long_usd, short_usd| LeverageLevel {
            leverage,
            price: Price::parse(price).unwrap(),
            long_usd,
            short_usd,
        };
        let levels = [
            level(50.0, "48935", 10.25, 0.0),
            level(66.7, "48900.5", 1.0, 2.0),
            level(25.0, "48935", 0.5, 0.25),
            level(10.0, "48800", 0.0, 0.001),
        ];
        assert_eq!(
            serde_json::to_string(&grouped(&levels, Rows::ByLeverage)).unwrap(),
            r#"{"48900.5":[[48900.5,3.0,66.7,null]],"48935":[[48935,0.75,25,null],[48935,10.25,50,null]]}"#
        );
        assert_eq!(
            serde_json::to_value(grouped(&levels, Rows::Summed)).unwrap(),
            json!({"48900.5": [[48900.5, 3.0, null, null]], "48935": [[48935, 11.0, null, null]]})
        );
    }
}
