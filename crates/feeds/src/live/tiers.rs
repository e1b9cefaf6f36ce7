//! Margin tiers from a venue's public interface, once or from time to time. They change without a calendar, and with
//! another table the same rows give another picture: so whoever keeps the ledgers asks, and computes them again.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell of the tier requests: it reads the clock between rounds"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Backoff, Event, Instrument, Interval, KlineKind, Price, TierError, TierTable, Venue};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::backfill::{Budget, FetchError, Priority, RestClient};
use super::{Clock, LiveError, LiveSettings, LiveStatus, VenueSettings, VenueStatus};
use crate::tiers::TierBook;
use crate::venues::{Contract, RestQuery, TierUnit};

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TierFetchError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] LiveError),
    /// The venue does not tell its tiers to everybody.
    #[error("{0} tells its margin tiers to accounts only; give a file instead (--tiers)")]
    NotPublic(Venue),
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
    timeout: Duration,
    mut book: TierBook,
) -> Result<TierBook, TierFetchError> {
    let (exchange, limits, contracts) = venue.contracts()?;
    let base = venue.rest_base(exchange)?;
    let budget = Budget::new(limits.weight_per_minute, 1.0);
    let rest = RestClient::new(exchange, &base, budget, clock.clone(), timeout, None);
    for mut contract in contracts {
        if exchange.request(&contract, &RestQuery::Tiers, clock.now()).is_none() {
            return Err(TierFetchError::NotPublic(venue.venue));
        }
        let instrument = Instrument::new(venue.venue, contract.symbol.clone());
        let failed = |why: String| TierFetchError::Failed { instrument: instrument.clone(), why };
        match rest.fetch(&contract, &RestQuery::Contracts, Priority::Live).await {
            Ok(fetched) => {
                let listed = fetched.page.contracts.into_iter().find(|listed| listed.name == contract.name);
                let missing = || failed(format!("there is no contract {}", contract.name));
                contract.size = listed.ok_or_else(missing)?.size;
            }
            Err(FetchError::NotOffered) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
        let fetched = rest
            .fetch(&contract, &RestQuery::Tiers, Priority::Live)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let rows = fetched.page.tiers.ok_or_else(|| failed("it told no tiers".to_owned()))?;
        let price = match rows.unit {
            TierUnit::Usd => Price::from_units(liqheat_market::UNIT_SCALE),
            TierUnit::Coins => price(&rest, &contract).await.map_err(failed)?,
        };
        let as_of = clock.market_now().floor_to(86_400_000);
        let table = rows
            .table(as_of, price)
            .map_err(|error| TierFetchError::Table { instrument: instrument.clone(), error })?;
        book = book.with_table(instrument, table);
    }
    Ok(book)
}

/// Delays after a venue could not be asked, or told nothing that can be used.
const RETRY_MIN: Duration = Duration::from_secs(60);
const RETRY_MAX: Duration = Duration::from_secs(600);

/// Asks venues for the tables of what is followed there, at the start and then as often as the settings say.
#[derive(Debug)]
pub struct TierRounds<'a> {
    settings: &'a LiveSettings,
    every: Duration,
    /// Of each venue.
    rounds: Vec<VenueRound>,
    /// When each contract was asked about last.
    asked_at: BTreeMap<Instrument, Instant>,
}

/// When a venue is asked.
#[derive(Debug)]
struct VenueRound {
    /// `None` where it tells nothing.
    due: Option<Instant>,
    retry: Backoff,
}

/// How it went to ask a venue.
enum RoundEnd {
    /// Everything is known.
    Done,
    /// It cannot be asked now, or something was not told, or not understood.
    Failed,
    /// It tells nothing to anybody.
    NotPublic,
}

impl<'a> TierRounds<'a> {
    /// `None` when nobody is to be asked.
    #[must_use]
    pub fn new(settings: &'a LiveSettings) -> Option<Self> {
        let every = settings.refresh_tiers?;
        let retry = Backoff::new(RETRY_MIN, RETRY_MAX).expect("invariant: the delays are in order");
        let round = || VenueRound { due: Some(Instant::now()), retry };
        let rounds = settings.venues.iter().map(|_| round()).collect();
        Some(Self { settings, every, rounds, asked_at: BTreeMap::new() })
    }

    /// Waits until a venue is due and asks it about those of its contracts that are wanted: what it told, or nothing.
    /// `None` when no venue tells anything any more.
    pub async fn next(
        &mut self,
        status: impl Fn() -> Arc<LiveStatus>,
        is_wanted: impl Fn(&Instrument) -> bool,
    ) -> Option<Vec<(Instrument, TierTable)>> {
        let next =
            self.rounds.iter().enumerate().filter_map(|(venue, round)| Some((round.due?, venue))).min();
        let (when, venue) = next?;
        sleep_until(when).await;
        let mut tables = Vec::new();
        let end = self.ask(&self.settings.venues[venue], &status, &is_wanted, &mut tables).await;
        let round = &mut self.rounds[venue];
        let pause = match end {
            RoundEnd::Done => {
                round.retry.reset();
                // A contract that is listed meanwhile does not wait for its tiers until all are asked about again.
                Some(self.every.min(self.settings.listing_interval))
            }
            RoundEnd::Failed => Some(round.retry.next_delay(fastrand::f64())),
            RoundEnd::NotPublic => None,
        };
        round.due = pause.map(|pause| Instant::now() + self.settings.clock.real(pause));
        Some(tables)
    }

    /// Asks a venue about everything that it was not asked about for a while.
    async fn ask(
        &mut self,
        venue: &VenueSettings,
        status: &impl Fn() -> Arc<LiveStatus>,
        is_wanted: &impl Fn(&Instrument) -> bool,
        tables: &mut Vec<(Instrument, TierTable)>,
    ) -> RoundEnd {
        let mut outcome = RoundEnd::Done;
        for symbol in &venue.symbols {
            let status = status();
            let Some(status) = status.venues.iter().find(|one| one.venue == venue.venue) else {
                return RoundEnd::Failed;
            };
            let instrument = Instrument::new(venue.venue, symbol.clone());
            let is_there = !status.unlisted.contains(symbol);
            let every = self.settings.clock.real(self.every);
            let is_known = self.asked_at.get(&instrument).is_some_and(|at| at.elapsed() < every);
            if !is_there || !is_wanted(&instrument) || is_known {
                continue;
            }
            if !answers(status) {
                return RoundEnd::Failed;
            }
            let began = Instant::now();
            let one = VenueSettings { symbols: vec![symbol.clone()], ..venue.clone() };
            let (clock, timeout) = (self.settings.clock.clone(), self.settings.timeout);
            match fetch_tiers(&one, clock, timeout, TierBook::default()).await {
                Ok(book) => {
                    tables
                        .extend(book.own_table(&instrument).map(|table| (instrument.clone(), table.clone())));
                    self.asked_at.insert(instrument, began);
                }
                Err(error @ TierFetchError::NotPublic(_)) => {
                    info!(venue = %venue.venue, "{error}");
                    return RoundEnd::NotPublic;
                }
                Err(error) => {
                    warn!(%instrument, %error, "margin tiers cannot be asked for; the known ones stay");
                    outcome = RoundEnd::Failed;
                }
            }
        }
        outcome
    }
}

/// It can be reached, and has not asked for a pause.
fn answers(status: &VenueStatus) -> bool {
    status.frames > 0 && status.banned_until.is_none()
}

/// The price of the newest minute.
async fn price(rest: &RestClient, contract: &Contract) -> Result<Price, String> {
    const BACK_MS: i64 = 600_000;
    let to = rest.venue_now();
    let from = to.plus(-BACK_MS);
    let query = RestQuery::Klines { kind: KlineKind::Last, interval: Interval::M1, from, to };
    let fetched = rest.fetch(contract, &query, Priority::Live).await.map_err(|error| error.to_string())?;
    let newest = fetched.page.events.iter().rev().find_map(|event| match event {
        Event::Kline(kline) => Some(kline.close),
        _ => None,
    });
    newest.ok_or_else(|| format!("no price of {} within ten minutes", contract.name))
}
