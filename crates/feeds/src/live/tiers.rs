//! Margin tiers from a venue's public interface, once. They change without a calendar, and with another table the same rows
//! give another picture: so whoever keeps the ledgers asks, and computes them again.

use liqheat_market::{Event, Instrument, Interval, KlineKind, Price, TierError};

use super::budget::{Budget, Of};
use super::rest::{FetchError, Rest};
use super::{Clock, LiveError, Start, VenueSettings};
use crate::tiers::TierBook;
use crate::venues::{Contract, TierUnit, Want};

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TierFetchError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] LiveError),
    /// The venue does not tell its tiers to everybody.
    #[error("{0} tells its margin tiers to accounts only; give a file instead (--tiers)")]
    NotPublic(liqheat_market::Venue),
    /// It did not answer, or not so that it could be understood.
    #[error("{instrument}: {why}")]
    Failed {
        /// Asked about.
        instrument: Instrument,
        /// What went wrong.
        why: String,
    },
    /// What it told is no table.
    #[error("{instrument}: {error}")]
    Table {
        /// Asked about.
        instrument: Instrument,
        /// What is wrong.
        error: TierError,
    },
}

/// The tables of a venue's symbols as they are now, put into `book`.
///
/// # Errors
/// With the first symbol for which there is none; `book` is lost then.
pub async fn fetch_tiers(
    venue: &VenueSettings,
    clock: Clock,
    timeout: std::time::Duration,
    mut book: TierBook,
) -> Result<TierBook, TierFetchError> {
    let (exchange, habits, contracts) = Start::contracts(venue)?;
    let base = Start::rest_base(venue, exchange)?;
    let budget = Budget::new(habits.weight_per_minute, 1.0);
    let rest = Rest::new(exchange, &base, budget, clock, timeout, None);
    for mut contract in contracts {
        if exchange.request(&contract, &Want::Tiers).is_none() {
            return Err(TierFetchError::NotPublic(venue.venue));
        }
        let instrument = Instrument::new(venue.venue, contract.symbol.clone());
        let failed = |why: String| TierFetchError::Failed { instrument: instrument.clone(), why };
        match rest.fetch(&contract, &Want::Contracts, Of::Present).await {
            Ok(fetched) => {
                let size = fetched.page.sizes.into_iter().find(|(name, _)| *name == contract.name);
                contract.size =
                    size.ok_or_else(|| failed(format!("there is no contract {}", contract.name)))?.1;
            }
            Err(FetchError::NotOffered) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
        let told = rest
            .fetch(&contract, &Want::Tiers, Of::Present)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let rows = told.page.tiers.ok_or_else(|| failed("it told no tiers".to_owned()))?;
        let price = match rows.unit {
            TierUnit::Usd => Price::from_units(liqheat_market::UNIT_SCALE),
            TierUnit::Coins => price(&rest, &contract, clock).await.map_err(failed)?,
        };
        let as_of = clock.now().floor_to(86_400_000);
        let table = rows
            .table(as_of, price)
            .map_err(|error| TierFetchError::Table { instrument: instrument.clone(), error })?;
        book = book.with_table(instrument, table);
    }
    Ok(book)
}

/// The price of the newest minute.
async fn price(rest: &Rest, contract: &Contract, clock: Clock) -> Result<Price, String> {
    const BACK_MS: i64 = 600_000;
    let (from, to) = (clock.now().plus(-BACK_MS), clock.now());
    let want = Want::Klines { kind: KlineKind::Last, interval: Interval::M1, from, to };
    let fetched = rest.fetch(contract, &want, Of::Present).await.map_err(|error| error.to_string())?;
    let newest = fetched.page.events.iter().rev().find_map(|event| match event {
        Event::Kline(kline) => Some(kline.close),
        _ => None,
    });
    newest.ok_or_else(|| format!("no price of {} within ten minutes", contract.name))
}
