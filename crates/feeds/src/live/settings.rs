//! Settings of live ingestion, and what follows from them for each venue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Backoff, Instrument, Symbol, Venue};
use liqheat_measured::Address;
use tokio::sync::{mpsc, watch};

use super::backfill::{Budget, RestClient};
use super::{AccountSettings, Clock, Delivery, LiveStatus, Recorder, ResumePoint};
use crate::venues::{self, Account, Contract, Exchange, VenueLimits};

/// One venue and what is followed there.
#[derive(Debug, Clone)]
pub struct VenueSettings {
    /// Which venue.
    pub venue: Venue,
    /// Address of its socket without path; the venue's own when `None`.
    pub socket_base: Option<String>,
    /// Address of its REST interface without path; the venue's own when `None`.
    pub rest_base: Option<String>,
    /// What is followed, in the one spelling.
    pub symbols: Vec<Symbol>,
    /// The venue's names of those symbols whose name does not follow from the symbol.
    pub names: BTreeMap<Symbol, String>,
    /// Accounts whose fills are subscribed to, where the venue publishes them: they show liquidations that its public trades
    /// do not. At most [`Exchange::accounts_max`].
    pub accounts: Vec<Account>,
    /// How positions of accounts are looked at; `None`: not at all. Hyperliquid only.
    pub looks: Option<AccountSettings>,
    /// Limits in place of the venue's own.
    pub limits: Option<VenueLimits>,
}

/// Settings of live ingestion. Durations are market time unless said otherwise.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Venues to follow.
    pub venues: Vec<VenueSettings>,
    /// Where time comes from.
    pub clock: Clock,
    /// How far back klines are fetched when none or older ones are stored.
    pub fill_klines: Duration,
    /// How far back open interest is fetched; Binance keeps a month.
    pub fill_open_interest: Duration,
    /// Largest number of missing trades that is fetched; the older part of a longer stretch becomes a gap.
    pub fill_trades_max: u64,
    /// Delays between attempts to connect.
    pub reconnect: Backoff,
    /// Real time for connecting, and for one request.
    pub timeout: Duration,
    /// Share of a venue's request limits that is used, 0 to 1.
    pub budget_share: f64,
    /// Refresh interval of margin tiers, where a venue publishes them ([`TierRounds`](super::TierRounds)); `None`: never.
    pub refresh_tiers: Option<Duration>,
    /// Poll interval of the contract list; detects listings, delistings and changed contract sizes.
    pub listing_interval: Duration,
    /// Receives every frame and answer as it came, before it is read.
    pub recorder: Option<Arc<dyn Recorder>>,
}

impl LiveSettings {
    /// The defaults: the wall clock, a month of the past.
    ///
    /// # Panics
    /// Never: the delays of the default backoff are in order.
    #[must_use]
    pub fn new(venues: Vec<VenueSettings>) -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        let reconnect = Backoff::new(Duration::from_millis(500), Duration::from_secs(60))
            .expect("invariant: the first delay is shorter than the longest");
        Self {
            venues,
            clock: Clock::wall(),
            fill_klines: 30 * DAY,
            fill_open_interest: 30 * DAY,
            fill_trades_max: 100_000,
            reconnect,
            timeout: Duration::from_secs(10),
            budget_share: 0.7,
            refresh_tiers: Some(DAY),
            listing_interval: Duration::from_secs(3_600),
            recorder: None,
        }
    }
}

/// Why live ingestion cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A venue without a connector.
    #[error("{0} has no live data (there is: {known})", known = venues_with_data())]
    NoConnector(Venue),
    /// A symbol that the venue cannot have.
    #[error("{symbol} cannot be a contract of {venue}")]
    Symbol {
        /// Which symbol.
        symbol: Symbol,
        /// At which venue.
        venue: Venue,
    },
    /// More accounts than may be subscribed to.
    #[error("{given} accounts at {venue}, which publishes the fills of at most {most} at once")]
    Accounts {
        /// At which venue.
        venue: Venue,
        /// How many were named.
        given: usize,
        /// How many may be.
        most: usize,
    },
    /// Invalid URL.
    #[error("'{address}' is not an address for {venue}: {reason}")]
    Address {
        /// For which venue.
        venue: Venue,
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn venues_with_data() -> String {
    venues::exchanges().map(|exchange| exchange.venue.name()).collect::<Vec<_>>().join(", ")
}

/// What the task of a venue is started with.
pub(super) struct VenuePlan {
    pub(super) exchange: &'static Exchange,
    pub(super) limits: VenueLimits,
    pub(super) contracts: Vec<Contract>,
    pub(super) accounts: Vec<Account>,
    pub(super) socket_base: String,
    pub(super) rest: RestClient,
    /// Where accounts of trades are wanted.
    pub(super) traders: Option<mpsc::Sender<Vec<Address>>>,
    pub(super) settings: Arc<LiveSettings>,
    pub(super) resume: BTreeMap<Instrument, ResumePoint>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) status: Arc<watch::Sender<Arc<LiveStatus>>>,
    /// Its index in the status.
    pub(super) index: usize,
}

impl VenueSettings {
    /// The venue, its limits, and the contracts that are wanted there.
    pub(super) fn contracts(&self) -> Result<(&'static Exchange, VenueLimits, Vec<Contract>), LiveError> {
        let exchange = venues::exchange(self.venue).ok_or(LiveError::NoConnector(self.venue))?;
        let mut contracts: Vec<Contract> = Vec::with_capacity(self.symbols.len());
        for symbol in &self.symbols {
            let named = self.names.get(symbol).map(|name| venues::contract_named(symbol, name));
            let contract = named
                .or_else(|| venues::contract(exchange, symbol))
                .ok_or_else(|| LiveError::Symbol { symbol: symbol.clone(), venue: self.venue })?;
            // Named twice it is followed once.
            if contracts.iter().all(|known| known.symbol != contract.symbol) {
                contracts.push(contract);
            }
        }
        let limits = self.limits.clone().unwrap_or_else(|| exchange.limits.clone());
        Ok((exchange, limits, contracts))
    }

    pub(super) fn rest_base(&self, exchange: &Exchange) -> Result<String, LiveError> {
        self.address(self.rest_base.as_ref(), exchange.rest_base, ["http", "https"])
    }

    /// The address given, or the venue's own.
    fn address(&self, given: Option<&String>, own: &str, schemes: [&str; 2]) -> Result<String, LiveError> {
        let address = given.map_or(own, String::as_str).trim_end_matches('/').to_owned();
        match check_address(&address, schemes) {
            Ok(()) => Ok(address),
            Err(reason) => Err(LiveError::Address { venue: self.venue, address, reason }),
        }
    }
}

impl VenuePlan {
    pub(super) fn new(
        index: usize,
        venue: &VenueSettings,
        settings: &Arc<LiveSettings>,
        resume: &BTreeMap<Instrument, ResumePoint>,
        deliveries: &mpsc::Sender<Delivery>,
        status: &Arc<watch::Sender<Arc<LiveStatus>>>,
    ) -> Result<Self, LiveError> {
        let (exchange, limits, contracts) = venue.contracts()?;
        let (given, most) = (venue.accounts.len(), exchange.accounts_max);
        if given > most {
            return Err(LiveError::Accounts { venue: venue.venue, given, most });
        }
        let socket_base = venue.address(venue.socket_base.as_ref(), exchange.socket_base, ["ws", "wss"])?;
        let accounts_share = venue.looks.as_ref().map_or(0.0, |looks| looks.budget_share);
        let budget =
            Budget::new(limits.weight_per_minute, settings.budget_share).with_accounts(accounts_share);
        let (rest_base, clock) = (venue.rest_base(exchange)?, settings.clock.clone());
        let rest =
            RestClient::new(exchange, &rest_base, budget, clock, settings.timeout, settings.recorder.clone());
        Ok(Self {
            exchange,
            limits,
            contracts,
            accounts: venue.accounts.clone(),
            socket_base,
            rest,
            traders: None,
            settings: Arc::clone(settings),
            resume: resume.clone(),
            deliveries: deliveries.clone(),
            status: Arc::clone(status),
            index,
        })
    }
}

fn check_address(address: &str, schemes: [&str; 2]) -> Result<(), String> {
    let uri: http::Uri = address.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    if !uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)) {
        return Err(format!("it must begin with {}:// or {}://", schemes[0], schemes[1]));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("it names no host".to_owned());
    }
    Ok(())
}
