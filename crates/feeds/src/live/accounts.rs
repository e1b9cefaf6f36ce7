//! Accounts of a venue that publishes them: a client within the venue's request budget, and the traders of its trades.

#![expect(clippy::disallowed_methods, reason = "the leaderboard is read on a blocking thread, once a day")]

use std::sync::Arc;
use std::time::Duration;

use liqheat_measured::{AccountState, Address, CoinMarket};
use tokio::sync::mpsc;

use super::Clock;
use super::backfill::{FetchError, Priority, RestClient};
use crate::venues::hyperliquid;

/// Settings of the requests for accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountSettings {
    /// Most of the venue's whole request budget that is used for accounts, 0 to 1.
    pub budget_share: f64,
    /// URL of the leaderboard; the venue's own when `None`.
    pub leaderboard: Option<String>,
}

/// Why a request for accounts brought nothing.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct AccountRequestError {
    words: String,
    is_throttled: bool,
}

impl AccountRequestError {
    /// Whether the venue asked for a pause, which the budget keeps.
    #[must_use]
    pub const fn is_throttled(&self) -> bool {
        self.is_throttled
    }
}

impl From<FetchError> for AccountRequestError {
    fn from(error: FetchError) -> Self {
        let is_throttled = matches!(error, FetchError::Throttled { .. });
        Self { words: error.to_string(), is_throttled }
    }
}

/// How much of the venue's request budget goes to accounts, in its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountBudget {
    /// Used in the running minute.
    pub weight_used: u32,
    /// Allowed a minute.
    pub weight_max: u32,
}

/// What is known of accounts at a venue that is followed.
#[derive(Debug)]
pub struct AccountFeed {
    /// Requests.
    pub client: AccountClient,
    /// Accounts of trades, as they come. Those that come while it is full are dropped.
    pub traders: mpsc::Receiver<Vec<Address>>,
}

/// Requests about accounts, within the venue's budget. Cheap to clone.
#[derive(Clone)]
pub struct AccountClient {
    rest: RestClient,
    leaderboard: Arc<str>,
    clock: Clock,
}

impl std::fmt::Debug for AccountClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountClient").field("leaderboard", &self.leaderboard).finish_non_exhaustive()
    }
}

impl AccountClient {
    /// Address of the leaderboard.
    pub const LEADERBOARD: &str = "https://stats-data.hyperliquid.xyz/Mainnet/leaderboard";

    pub(super) fn new(rest: RestClient, leaderboard: Option<&str>, clock: Clock) -> Self {
        Self { rest, leaderboard: leaderboard.unwrap_or(Self::LEADERBOARD).into(), clock }
    }

    /// The clock that requests are paced by.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What accounts use of the venue's budget.
    #[must_use]
    pub fn budget(&self) -> AccountBudget {
        let now = self.rest.venue_now();
        let (weight_used, weight_max) = self.rest.budget().accounts(now);
        AccountBudget { weight_used, weight_max }
    }

    /// The positions of an account. Waits for the budget.
    ///
    /// # Errors
    /// When the venue does not answer, refuses, or answers what cannot be read.
    pub async fn account(&self, address: Address) -> Result<AccountState, AccountRequestError> {
        let body = self.rest.post(hyperliquid::account_request(&address), Priority::Accounts).await?;
        hyperliquid::account(&body).map_err(|error| FetchError::from(error).into())
    }

    /// Mark price and open interest of all coins. Waits for the budget.
    ///
    /// # Errors
    /// As for [`AccountClient::account`].
    pub async fn markets(&self) -> Result<Vec<CoinMarket>, AccountRequestError> {
        let body = self.rest.post(hyperliquid::markets_request(), Priority::Accounts).await?;
        hyperliquid::markets(&body).map_err(|error| FetchError::from(error).into())
    }

    /// The accounts of the leaderboard, largest first. It lies on another host and costs nothing of the budget.
    ///
    /// # Errors
    /// As for [`AccountClient::account`].
    pub async fn leaderboard(&self) -> Result<Vec<Address>, AccountRequestError> {
        /// 30,000 rows are 25 MB.
        const BYTES_MAX: usize = 128 << 20;
        const TIMEOUT: Duration = Duration::from_secs(120);
        let body = self.rest.download(&self.leaderboard, BYTES_MAX, TIMEOUT).await?;
        let read = tokio::task::spawn_blocking(move || hyperliquid::leaderboard(&body)).await;
        let failed = |error: tokio::task::JoinError| AccountRequestError {
            words: error.to_string(),
            is_throttled: false,
        };
        let read = read.map_err(failed)?;
        read.map_err(|error| FetchError::from(error).into())
    }
}
