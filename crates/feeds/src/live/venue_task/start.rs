//! The first requests to a venue: its time, and the contracts that it lists.

use std::time::Duration;

use liqheat_market::Backoff;

use super::VenueTask;
use crate::live::backfill::{FetchError, FetchedPage, Priority, RestClient};
use crate::live::listing::{ListedContracts, add_page};
use crate::venues::{Contract, Exchange, RestQuery};

/// The contracts that a venue lists; `None` where it does not say.
pub(super) type ListOutcome = Result<Option<ListedContracts>, FetchError>;

impl VenueTask {
    /// Asks the venue for its time and its contracts until it answers, and connects what it lists.
    pub(super) async fn begin(&mut self) {
        let mut backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60))
            .expect("invariant: the first delay is shorter than the longest");
        loop {
            let outcome = match self.fetch_time().await {
                Ok(()) => {
                    // The request counts as the first of the regular ones.
                    let _ = self.state.on_tick(self.settings.clock.read());
                    list_contracts(&self.rest, self.exchange, &self.state.wanted()).await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(list) => return self.on_list(list.as_ref()),
                Err(error) => {
                    self.state.on_unreachable(error.to_string(), self.settings.clock.uptime());
                    self.publish();
                    let delay = backoff.next_delay(fastrand::f64());
                    tokio::time::sleep(self.settings.clock.real(delay)).await;
                }
            }
        }
    }

    /// What is stored and what is expected depends on the venue's clock: it is asked for before anything else.
    pub(super) async fn fetch_time(&mut self) -> Result<(), FetchError> {
        let Some(any) = self.state.wanted().into_iter().next() else { return Ok(()) };
        match self.rest.fetch(&any, &RestQuery::Time, Priority::Live).await {
            Ok(FetchedPage { page, sent, received }) => {
                if let Some(time) = page.time {
                    self.state.on_venue_time(time, sent, received);
                    self.share_venue_time();
                }
                Ok(())
            }
            Err(error) if error.is_temporary() => Err(error),
            // The stamps of frames will tell.
            Err(_) => Ok(()),
        }
    }
}

/// Requests which contracts the venue lists; `None` when it does not say and their sizes do not matter.
pub(super) async fn list_contracts(
    rest: &RestClient,
    exchange: &'static Exchange,
    wanted: &[Contract],
) -> ListOutcome {
    let mut listed = ListedContracts::new();
    for contract in wanted {
        // Some venues list all contracts at once.
        if listed.contains_key(&contract.name) {
            continue;
        }
        match rest.fetch(contract, &RestQuery::Contracts, Priority::Live).await {
            Ok(fetched) => add_page(&mut listed, fetched.page),
            Err(error) if !error.is_temporary() && !exchange.has_sizes => {
                tracing::warn!(venue = %exchange.venue, %error, "the venue does not say which contracts it lists");
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(listed))
}
