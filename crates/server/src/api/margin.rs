//! `GET /v1/tiers` (also `/api/margin/tiers/{symbol}`): maintenance margin tiers in use; `GET /v1/liquidation-price`: what
//! a position's liquidation price is under them.

use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::{Path, State};
use liqheat_market::{Side, TierTable};
use liqheat_model::{bankruptcy_price, liquidation_price};
use liqheat_wire::{LiquidationPriceBody, LiquidationPriceRow, TierRow, TiersBody, VenueTiers, format_time};

use super::parts::SymbolDirectory;
use crate::catalog::ServedSymbol;
use crate::http::{Query, Refusal};

pub(super) async fn tiers(
    State(symbols): State<SymbolDirectory>,
    query: Query,
) -> Result<Json<TiersBody>, Refusal> {
    Ok(Json(tiers_of(symbols.of(&query)?)))
}

pub(super) async fn tiers_by_path(
    State(symbols): State<SymbolDirectory>,
    Path(name): Path<String>,
) -> Result<Json<TiersBody>, Refusal> {
    Ok(Json(tiers_of(symbols.named(&name)?)))
}

fn tiers_of(symbol: &ServedSymbol) -> TiersBody {
    let row = |tier: &liqheat_market::Tier| TierRow {
        floor_usd: tier.floor_usd,
        maintenance_rate: tier.rate,
        cumulative_usd: tier.cumulative_usd,
        leverage_max: tier.leverage_max,
    };
    let venues = symbol.ledgers.iter().map(|ledger| {
        let table = ledger.tiers();
        VenueTiers {
            venue: ledger.instrument().venue.name(),
            as_of: format_time(table.as_of()),
            tiers: table.tiers().iter().map(row).collect(),
        }
    });
    TiersBody { symbol: symbol.name.clone(), venues: venues.collect() }
}

pub(super) async fn price(
    State(symbols): State<SymbolDirectory>,
    query: Query,
) -> Result<Json<LiquidationPriceBody>, Refusal> {
    let symbol = symbols.of(&query)?;
    let position = Position::of(&query)?;
    let rows = symbol.ledgers.iter().map(|ledger| {
        let venue = ledger.instrument().venue.name();
        position.row(venue, &ledger.tiers())
    });
    Ok(Json(LiquidationPriceBody {
        symbol: symbol.name.clone(),
        side: position.side,
        entry_price: position.entry,
        leverage: position.leverage,
        notional_usd: position.notional_usd,
        data: rows.collect(),
    }))
}

/// Prices that a market can have.
pub(super) const ENTRY_PRICE: RangeInclusive<f64> = 1e-8..=1e10;
/// Far beyond what any venue offers; within it every result is a finite number.
pub(super) const LEVERAGE: RangeInclusive<f64> = 0.01..=10_000.0;
/// More than any market holds.
pub(super) const NOTIONAL_USD: RangeInclusive<f64> = 1e-8..=1e15;

/// An isolated position on a linear contract.
struct Position {
    side: Side,
    entry: f64,
    leverage: f64,
    notional_usd: f64,
}

impl Position {
    fn of(query: &Query) -> Result<Self, Refusal> {
        let side = match query.required("side")? {
            "long" => Side::Long,
            "short" => Side::Short,
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(Refusal::malformed(format!("parameter 'side': '{other}' must be long or short")));
            }
        };
        let number = |name: &str, range: &RangeInclusive<f64>| -> Result<f64, Refusal> {
            let text = query.required(name)?;
            let number = text.parse().ok().filter(|number: &f64| range.contains(number));
            let text: String = text.chars().take(40).collect();
            number.ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                Refusal::malformed(format!(
                    "parameter '{name}': '{text}' must be a number from {low} to {high}"
                ))
            })
        };
        let notional = query.get("notional_usd").map(|_| number("notional_usd", &NOTIONAL_USD));
        let (entry, leverage) = (number("entry_price", &ENTRY_PRICE)?, number("leverage", &LEVERAGE)?);
        Ok(Self { side, entry, leverage, notional_usd: notional.transpose()?.unwrap_or(0.0) })
    }

    fn row(&self, venue: &'static str, tiers: &TierTable) -> LiquidationPriceRow {
        // A notional of nearly nothing stays in the first tier.
        let qty = self.notional_usd.max(1e-6) / self.entry;
        let price = liquidation_price(self.side, self.entry, qty, self.leverage, tiers);
        let tier = tiers.tier_of(price.as_ref().map_or(self.notional_usd, |price| price * qty));
        LiquidationPriceRow {
            venue,
            liquidation_price: price.as_ref().ok().copied(),
            bankruptcy_price: bankruptcy_price(self.side, self.entry, self.leverage),
            maintenance_rate: tier.rate,
            distance_pct: price.as_ref().ok().map(|price| ((price / self.entry - 1.0) * 1e4).round() / 1e2),
            reason: price.err().map(|why| why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::UnixMs;

    fn price(side: Side, leverage: f64) -> Option<f64> {
        let position = Position { side, entry: 100_000.0, leverage, notional_usd: 40_000.0 };
        let tiers = TierTable::flat(UnixMs(0), 0.004).unwrap();
        position.row("binance", &tiers).liquidation_price.map(f64::round)
    }

    /// The venue's published examples: see docs/model.md.
    #[test]
    fn prices_are_those_of_the_model() {
        assert_eq!((price(Side::Long, 10.0), price(Side::Short, 10.0)), (Some(90_361.0), Some(109_562.0)));
        assert_eq!((price(Side::Long, 125.0), price(Side::Short, 125.0)), (Some(99_598.0), Some(100_398.0)));
        assert_eq!(price(Side::Long, 1_000.0), None, "margin below the maintenance margin");
    }
}
