//! Live markets: from sockets and requests to events in order, without holes and without repeats where that can
//! be had, and with a word about it where it cannot.
//!
//! One loop for all venues. What a venue says and wants is in [`crate::venues`]; what becomes of the events is
//! the business of whoever holds the other end of the channel.

mod budget;
pub mod clock;
mod follow;
mod health;
mod intake;
mod line;
mod lines;
mod marks;
mod plausible;
mod rest;
mod sequence;
mod skew;
mod socket;
mod status;
mod tiers;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Event, Instrument, Symbol, TierTable, UnixMs, Venue};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::tiers::TierOrigin;
use crate::venues::{self, Account, Contract, Exchange, RestQuery, StreamKind, VenueLimits};
use follow::{Start, follow};

pub use clock::Clock;
pub use intake::{Intake, Origin, Verdict};
pub use status::{LiveStatus, SourceState, StreamStatus, VenueStatus};
pub use tiers::{TierFetchError, TierRounds, fetch_tiers};

/// Batches waiting between the live boundary and whoever stores them; when it is full, sockets are read no
/// further until there is room.
pub const DELIVERIES_WAITING: usize = 256;

/// What comes out of the live boundary, in this order for each instrument: what is missing from before is
/// filled ([`Delivery::Filled`]) or named ([`Delivery::Gap`]) while new events come in.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// Things that happened. A kline is closed, a trade comes once; both may come late (after a hole was
    /// filled), so order of arrival is not order of time.
    Events {
        /// To which instrument.
        instrument: Instrument,
        /// What happened; never empty.
        events: Vec<Event>,
    },
    /// Data that cannot be had any more.
    Gap(Gap),
    /// A stretch of the past was fetched completely; its events came before this.
    Filled {
        /// Of which instrument.
        instrument: Instrument,
        /// Which data.
        stream: StreamKind,
        /// From this moment..
        from: UnixMs,
        /// ..up to this.
        to: UnixMs,
        /// How many events it had.
        events: u64,
    },
}

/// Data that is missing for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Of which instrument.
    pub instrument: Instrument,
    /// Which data.
    pub stream: StreamKind,
    /// From this moment..
    pub from: UnixMs,
    /// ..up to this.
    pub to: UnixMs,
    /// Why, in words.
    pub why: String,
}

/// What the database has of an instrument already; the start asks for what came after. Newest means: up to which nothing
/// is missing. A process that was killed while the past was being fetched leaves new rows behind a hole; whoever names
/// the newest row of all will never have it filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Open time of the newest kline of a minute.
    pub kline: Option<UnixMs>,
    /// Open time of the newest mark kline of a minute.
    pub mark_kline: Option<UnixMs>,
    /// Time of the newest sample of open interest.
    pub open_interest: Option<UnixMs>,
    /// Id and time of the newest trade.
    pub trade: Option<(i64, UnixMs)>,
    /// Time of the newest funding payment.
    pub funding: Option<UnixMs>,
}

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
    /// What the venue calls those whose name does not follow from the symbol.
    pub names: BTreeMap<Symbol, String>,
    /// Accounts whose fills are asked for, where the venue shows them: they tell of liquidations that its public trades do
    /// not. At most [`Exchange::accounts_max`].
    pub accounts: Vec<Account>,
    /// Other rules than the venue's own.
    pub limits: Option<VenueLimits>,
}

/// How the live boundary behaves. Times are market time.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Venues to follow.
    pub venues: Vec<VenueSettings>,
    /// Where time comes from.
    pub clock: Clock,
    /// Klines are fetched so far back when the database has none or older ones.
    pub fill_klines: Duration,
    /// Open interest is fetched so far back; Binance keeps a month.
    pub fill_open_interest: Duration,
    /// Most trades fetched to close one hole; a longer one becomes a gap.
    pub fill_trades_max: u64,
    /// First pause before connecting again; doubles up to the longest, and a random part of it is taken.
    pub reconnect_min: Duration,
    /// Longest pause before connecting again.
    pub reconnect_max: Duration,
    /// Time for connecting, and for one request.
    pub timeout: Duration,
    /// Share of a venue's request budget that may be used, 0 to 1.
    pub budget_share: f64,
    /// Margin tiers are asked for again so often, where a venue tells them; `None`: never. Whoever keeps the ledgers does
    /// it ([`TierRounds`]).
    pub refresh_tiers: Option<Duration>,
    /// A venue is asked again so often which contracts it has: for those that it did not have, and for those that have gone.
    pub look_again: Duration,
    /// Sees every frame and answer as it came, before it is looked at.
    pub recorder: Option<Arc<dyn Recorder>>,
}

impl LiveSettings {
    /// As served: the wall clock, a month of the past.
    #[must_use]
    pub fn new(venues: Vec<VenueSettings>) -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            venues,
            clock: Clock::wall(),
            fill_klines: 30 * DAY,
            fill_open_interest: 30 * DAY,
            fill_trades_max: 100_000,
            reconnect_min: Duration::from_millis(500),
            reconnect_max: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            budget_share: 0.7,
            refresh_tiers: Some(DAY),
            look_again: Duration::from_secs(3_600),
            recorder: None,
        }
    }
}

/// What a raw record is about.
#[derive(Debug, Clone, PartialEq)]
pub enum RawKind {
    /// A connection was opened for these contracts; its frames follow.
    Opened {
        /// Number of the connection, unique for a venue while the process runs. [`RawKind::FOLLOWED`] is none, but says
        /// what is followed there.
        connection: u64,
        /// What it is for, in the order of its table, with names and sizes: what frames and answers cannot be
        /// understood without.
        contracts: Vec<Contract>,
    },
    /// A text frame.
    Frame {
        /// Of which connection.
        connection: u64,
    },
    /// An answer of the REST interface.
    Answer {
        /// About which contract.
        symbol: Symbol,
        /// To which question, see [`RestQuery`].
        query: RestQuery,
    },
    /// The margin tiers of a contract from here on, and before: a ledger with another table is computed again from its
    /// first bar, so the last one counts for all.
    Tiers {
        /// Of which contract.
        symbol: Symbol,
        /// Where they came from.
        origin: TierOrigin,
        /// The table.
        table: TierTable,
    },
}

impl RawKind {
    /// In place of the number of a connection: all contracts that are followed at the venue.
    pub const FOLLOWED: u64 = 0;
}

/// Keeps raw frames. Called on the tasks that read sockets: it must be quick and never wait; what it cannot
/// take it drops and counts.
pub trait Recorder: Send + Sync + std::fmt::Debug {
    /// Takes a frame or an answer as it came.
    fn record(&self, venue: Venue, received: UnixMs, kind: &RawKind, bytes: &[u8]);
}

/// Why live data cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A venue that has no connector.
    #[error("{0} has no live data (there is: binance, bybit, okx, hyperliquid)")]
    NoConnector(Venue),
    /// A symbol that the venue cannot have.
    #[error("{symbol} cannot be a contract of {venue}")]
    Symbol {
        /// Which symbol.
        symbol: Symbol,
        /// At which venue.
        venue: Venue,
    },
    /// More accounts than may be asked for.
    #[error(
        "{given} accounts are to be followed at {venue}, which shows the fills of at most {most} at once"
    )]
    Accounts {
        /// At which venue.
        venue: Venue,
        /// How many were named.
        given: usize,
        /// How many may be.
        most: usize,
    },
    /// An address that is none.
    #[error("'{address}' is not an address for {venue}: {why}")]
    Address {
        /// For which venue.
        venue: Venue,
        /// What was given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Live data of some venues, running.
#[derive(Debug)]
pub struct LiveFeed {
    status: watch::Receiver<Arc<LiveStatus>>,
    task: tokio::task::JoinHandle<Result<(), JoinError>>,
}

impl LiveFeed {
    /// Starts on the present runtime: connects, fills, follows, until `stop`. `known` says where the database
    /// ends, per instrument; one that is absent has nothing. When `deliveries` closes, it stops as well.
    ///
    /// # Errors
    /// When settings cannot work. That no venue can be reached is no error: it keeps trying.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a sender that its maker kept would keep the channel open"
    )]
    pub fn start(
        settings: LiveSettings,
        known: BTreeMap<Instrument, Known>,
        deliveries: mpsc::Sender<Delivery>,
        stop: CancellationToken,
    ) -> Result<Self, LiveError> {
        let settings = Arc::new(settings);
        let (sender, status) = watch::channel(Arc::new(LiveStatus::default()));
        let sender = Arc::new(sender);
        let mut starts = Vec::with_capacity(settings.venues.len());
        for (place, venue) in settings.venues.iter().enumerate() {
            let start = Start::new(place, venue, &settings, &known, &deliveries, &sender)?;
            sender.send_modify(|all| Arc::make_mut(all).venues.push(VenueStatus::new(venue.venue)));
            starts.push(start);
        }
        Ok(Self { status, task: tokio::spawn(supervise(starts, stop)) })
    }

    /// The newest state of every source; cheap, and it can be waited for.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<LiveStatus>> {
        self.status.clone()
    }

    /// Waits until everything has stopped: after `stop`, or because a task failed.
    ///
    /// # Errors
    /// When a task panicked, in words.
    pub async fn ended(self) -> Result<(), String> {
        let ended = self.task.await.and_then(|ended| ended);
        ended.map_err(|error| format!("a task of the live boundary failed: {error}"))
    }
}

/// Runs every venue; when one ends by itself, all end.
async fn supervise(starts: Vec<Start>, stop: CancellationToken) -> Result<(), JoinError> {
    let mut venues = JoinSet::new();
    let all = stop.child_token();
    for start in starts {
        venues.spawn(follow(start, all.clone()));
    }
    let mut outcome = Ok(());
    while let Some(ended) = venues.join_next().await {
        all.cancel();
        outcome = outcome.and(ended.and_then(|ended| ended));
    }
    outcome
}

impl Start {
    /// The venue, its rules, and what is followed there.
    fn contracts(
        venue: &VenueSettings,
    ) -> Result<(&'static dyn Exchange, VenueLimits, Vec<Contract>), LiveError> {
        let exchange = venues::exchange(venue.venue).ok_or(LiveError::NoConnector(venue.venue))?;
        let mut contracts: Vec<Contract> = Vec::with_capacity(venue.symbols.len());
        for symbol in &venue.symbols {
            let named = venue.names.get(symbol).map(|name| venues::contract_named(symbol, name));
            let contract = named
                .or_else(|| venues::contract(exchange, symbol))
                .ok_or_else(|| LiveError::Symbol { symbol: symbol.clone(), venue: venue.venue })?;
            // Named twice it is followed once.
            if contracts.iter().all(|known| known.symbol != contract.symbol) {
                contracts.push(contract);
            }
        }
        let limits = venue.limits.clone().unwrap_or_else(|| exchange.limits());
        Ok((exchange, limits, contracts))
    }

    fn rest_base(venue: &VenueSettings, exchange: &dyn Exchange) -> Result<String, LiveError> {
        address(venue, venue.rest_base.as_ref(), exchange.rest_base(), ["http", "https"])
    }

    fn new(
        place: usize,
        venue: &VenueSettings,
        settings: &Arc<LiveSettings>,
        known: &BTreeMap<Instrument, Known>,
        deliveries: &mpsc::Sender<Delivery>,
        status: &Arc<watch::Sender<Arc<LiveStatus>>>,
    ) -> Result<Self, LiveError> {
        let (exchange, limits, contracts) = Self::contracts(venue)?;
        let (given, most) = (venue.accounts.len(), exchange.accounts_max());
        if given > most {
            return Err(LiveError::Accounts { venue: venue.venue, given, most });
        }
        Ok(Self {
            exchange,
            limits,
            contracts,
            accounts: venue.accounts.clone(),
            socket_base: address(venue, venue.socket_base.as_ref(), exchange.socket_base(), ["ws", "wss"])?,
            rest_base: Self::rest_base(venue, exchange)?,
            settings: Arc::clone(settings),
            known: known.clone(),
            deliveries: deliveries.clone(),
            status: Arc::clone(status),
            place,
        })
    }
}

/// The address given, or the venue's own.
fn address(
    venue: &VenueSettings,
    given: Option<&String>,
    own: &str,
    schemes: [&str; 2],
) -> Result<String, LiveError> {
    let address = given.map_or(own, String::as_str).trim_end_matches('/').to_owned();
    match check_address(&address, schemes) {
        Ok(()) => Ok(address),
        Err(why) => Err(LiveError::Address { venue: venue.venue, address, why }),
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
