//! What the exchanges say, one folder each, all of one shape.
//!
//! A venue is a set of pure functions ([`Exchange`]): what to send after connecting, what a frame means
//! ([`FrameReader`]), which request brings missing data and what its answer means. Nothing here opens a socket,
//! asks a clock or waits: [`crate::live`] does that, once for all venues. So every reader can be tested on
//! recorded frames, fuzzed, and run again over a recording.
//!
//! Everything is converted where it comes in: quantities are coins, open interest counts every contract once,
//! sides are those of the position, and symbols have one spelling (`BTCUSDT`) whatever the venue calls them.
//!
//! Each folder has at least these files: `frame.rs` (the frames as they are on the wire), `parse.rs` (frames to
//! [`Signal`]s), `subscribe.rs` (what to send), `rest.rs` (requests and answers), and fixtures beside them.

mod account;
pub mod binance;
pub mod bybit;
mod fields;
#[cfg(test)]
mod fixtures;
pub mod hyperliquid;
mod names;
pub mod okx;
mod pace;
mod pages;
pub(crate) mod recent;
mod tiers;
mod want;

use std::collections::HashMap;
use std::time::Duration;

use liqheat_market::{DecimalError, Event, Instrument, Interval, Qty, Symbol, UNIT_SCALE, UnixMs, Venue};

pub use account::{Account, AccountError};
pub use tiers::{TierRow, TierRows, TierUnit};
pub use want::{Want, WantError};

/// The kinds of data that a venue sends, each watched by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Trades.
    Trades,
    /// Ticks of the mark price.
    Mark,
    /// Closed klines.
    Klines,
    /// Realised liquidations.
    Liquidations,
    /// Open interest, by stream or polled.
    OpenInterest,
    /// Funding payments.
    Funding,
}

impl StreamKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Trades, Self::Mark, Self::Klines, Self::Liquidations, Self::OpenInterest, Self::Funding];

    /// The kind an event belongs to.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        match event {
            Event::Trade(_) => Self::Trades,
            Event::MarkPrice(_) => Self::Mark,
            Event::Kline(_) => Self::Klines,
            Event::Liquidation(_) => Self::Liquidations,
            Event::OpenInterest(_) => Self::OpenInterest,
            Event::Funding(_) => Self::Funding,
        }
    }

    /// As it is written in reports and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Mark => "mark",
            Self::Klines => "klines",
            Self::Liquidations => "liquidations",
            Self::OpenInterest => "open_interest",
            Self::Funding => "funding",
        }
    }
}

/// One contract that is followed: its two names and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// The one spelling used inside, such as `BTCUSDT`.
    pub symbol: Symbol,
    /// As the venue writes it, such as `BTC-USDT-SWAP` or `BTC`.
    pub name: String,
    /// Coins in one contract; 1 where the venue counts in coins.
    pub size: Qty,
}

/// The contracts of one connection; signals name them by their place in it.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    contracts: Vec<Contract>,
    by_name: HashMap<String, usize>,
    accounts: Vec<Account>,
}

impl Roster {
    /// From contracts; of two with the same name the first counts.
    #[must_use]
    pub fn new(contracts: Vec<Contract>) -> Self {
        let mut by_name = HashMap::with_capacity(contracts.len());
        for (at, contract) in contracts.iter().enumerate() {
            by_name.entry(contract.name.clone()).or_insert(at);
        }
        Self { contracts, by_name, accounts: Vec::new() }
    }

    /// The same with accounts whose fills are asked for beside the contracts, where a venue shows them.
    #[must_use]
    pub fn with_accounts(mut self, accounts: Vec<Account>) -> Self {
        self.accounts = accounts;
        self
    }

    /// The accounts whose fills are asked for.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The contracts in their order.
    #[must_use]
    pub fn contracts(&self) -> &[Contract] {
        &self.contracts
    }

    /// The place of the contract that the venue calls so.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Something happened to the contract at this place of the roster.
    Event {
        /// Place in the [`Roster`].
        contract: usize,
        /// What happened.
        event: Event,
        /// When the venue sent it, by its clock, where the frame says so.
        sent: Option<UnixMs>,
    },
    /// A stream of a contract spoke without bringing an event (a kline that is not closed, an unchanged
    /// ticker): it lives.
    Alive {
        /// Place in the [`Roster`].
        contract: usize,
        /// Which stream.
        stream: StreamKind,
        /// When the venue sent it, where the frame says so.
        sent: Option<UnixMs>,
    },
    /// A subscription was acknowledged. That proves nothing yet: only data does.
    Acknowledged,
    /// The venue refused a request on the socket, in its words.
    Refused(String),
    /// The answer to a ping of ours.
    Pong,
    /// The venue asks to be left soon, in its words; a new connection is opened first.
    Leaving(String),
}

/// Why a frame or an answer was not understood. Says what, so that a line of the log is enough to act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not JSON, or not of the form it should have.
    #[error("not a message of this venue: {0}")]
    Form(String),
    /// A number that is none, or out of range.
    #[error("field {field}: {error}")]
    Number {
        /// Name of the field on the wire.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// A value that cannot be.
    #[error("field {field}: '{found}' is not {expected}")]
    Value {
        /// Name of the field on the wire.
        field: &'static str,
        /// What was found, cut.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The venue answered with an error of its own.
    #[error("the venue says: {0}")]
    Venue(String),
}

/// Reads the frames of one connection. It may keep state (a snapshot that later frames change), so each
/// connection has its own.
pub trait FrameReader: Send {
    /// Takes one text frame apart and appends what it says. Unknown messages, contracts that were not asked
    /// for and unknown keys are passed over in silence. After an error nothing was appended and the state is
    /// as before.
    ///
    /// # Errors
    /// When the frame is not what the venue sends.
    fn read(&mut self, frame: &[u8], received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError>;
}

/// What a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Appended to the base address of the socket.
    pub path: String,
    /// Messages to send, [`Habits::message_spacing`] apart.
    pub messages: Vec<String>,
}

/// A text the client has to send from time to time. Pings of the WebSocket protocol are answered anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Sent when so much time has passed since the last one.
    pub every: Duration,
    /// What is sent.
    pub text: &'static str,
}

/// How the ids of trades are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeIds {
    /// One after the other for a contract: a missing one is seen, and asked for.
    Consecutive,
    /// Unique, but not in order: only repeats are seen.
    Unique,
}

/// Rules of a venue, in market time. Tests and settings may change every one.
#[derive(Debug, Clone)]
pub struct Habits {
    /// Between two messages of ours on one connection.
    pub message_spacing: Duration,
    /// Most contracts on one connection.
    pub contracts_per_connection: usize,
    /// A ping of the application, where the venue wants one.
    pub ping: Option<Ping>,
    /// A connection is replaced at this age, before the venue cuts it.
    pub connection_life: Duration,
    /// A connection on which no contract's mark price has spoken for so long is dead, whatever was acknowledged.
    pub mark_silence: Duration,
    /// Between two ticks of the mark price there is no longer pause unless some were lost. Then klines of the mark
    /// price are not made of them but fetched.
    pub mark_pause: Duration,
    /// The same for one stream of one contract: it is called stale, and its subscription renewed.
    pub silence: fn(StreamKind) -> Option<Duration>,
    /// How ids of trades are given out.
    pub trade_ids: TradeIds,
    /// Open interest is polled so often where [`Exchange::request`] knows [`Want::OpenInterest`] and no stream
    /// brings it; `None` where a stream does.
    pub poll_open_interest: Option<Duration>,
    /// The longest pause between two polls, reached when nothing changes or the budget is short.
    pub poll_open_interest_max: Duration,
    /// Weight of requests allowed a minute; the live boundary stays below a share of it.
    pub weight_per_minute: u32,
}

/// A request for missing or polled data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path and query, appended to the base address of the REST interface.
    pub path: String,
    /// A JSON body makes it a POST.
    pub body: Option<String>,
    /// What the venue counts it as.
    pub weight: u32,
    /// Name of a limit of its own beside the weight, such as Binance's 1000 requests in 5 minutes for
    /// statistics; `None` for the common budget.
    pub pool: Option<Pool>,
}

/// A limit on the number of some requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: &'static str,
    /// So many requests..
    pub requests: u32,
    /// ..in so much time.
    pub per: Duration,
}

/// What an answer brought.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Events, in order of time.
    pub events: Vec<Event>,
    /// What is still to be asked for; `None` when everything that was wanted came.
    pub next: Option<Want>,
    /// The venue's clock, for [`Want::Time`].
    pub time: Option<UnixMs>,
    /// Contracts that the venue has, by its name, with their sizes, for [`Want::Contracts`]: of all of them, or at least of
    /// the one that was asked about.
    pub sizes: Vec<(String, Qty)>,
    /// Margin tiers, for [`Want::Tiers`].
    pub tiers: Option<TierRows>,
}

/// What headers of an answer say about limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Weight used in the running minute, as the venue counts it.
    pub used_weight: Option<u32>,
}

/// A venue. Stateless; one static value each, see [`exchange`].
pub trait Exchange: Send + Sync {
    /// Which one.
    fn venue(&self) -> Venue;

    /// Address of the socket without path, such as `wss://fstream.binance.com`.
    fn socket_base(&self) -> &'static str;

    /// Address of the REST interface without path, such as `https://fapi.binance.com`.
    fn rest_base(&self) -> &'static str;

    /// Its rules.
    fn habits(&self) -> Habits;

    /// What the venue calls a contract; `None` when it can have none of that name. `BTCUSDT` is
    /// `BTC-USDT-SWAP` at OKX and `BTC` at Hyperliquid.
    fn name_of(&self, symbol: &Symbol) -> Option<String>;

    /// The way back: the one spelling of what the venue calls so; `None` when it is nothing that is followed.
    fn symbol_of(&self, name: &str) -> Option<Symbol>;

    /// What to send on a new connection.
    fn opening(&self, roster: &Roster) -> Opening;

    /// A reader for a new connection.
    fn reader(&self, roster: &Roster) -> Box<dyn FrameReader>;

    /// The request that brings what is wanted; `None` when the venue does not offer it.
    fn request(&self, contract: &Contract, want: &Want) -> Option<Request>;

    /// Takes an answer (of status 200) apart.
    ///
    /// # Errors
    /// When it is not what the venue answers.
    fn answer(
        &self,
        contract: &Contract,
        want: &Want,
        body: &[u8],
        received: UnixMs,
    ) -> Result<Page, FrameError>;

    /// Most accounts whose fills may be asked for at once; 0 where the venue shows them to nobody.
    fn accounts_max(&self) -> usize {
        0
    }

    /// Whether contracts are of different sizes, so that nothing can be understood before they are known.
    fn has_sizes(&self) -> bool {
        false
    }

    /// Seconds to wait after a refusal with this status, when it does not say how long: 429, and 418 for those who go on.
    /// `None` when it is no question of how often something is asked.
    fn pause_s(&self, status: u16) -> Option<i64> {
        matches!(status, 429 | 418).then_some(60)
    }

    /// What the headers of an answer say about limits; `header` finds one by its name in small letters.
    fn limits(&self, header: &dyn Fn(&str) -> Option<String>) -> Limits {
        let _ = header;
        Limits::default()
    }
}

/// The exchange behind a venue's name; `None` for the simulated market.
#[must_use]
pub fn exchange(venue: Venue) -> Option<&'static dyn Exchange> {
    match venue {
        Venue::Binance => Some(&binance::Binance),
        Venue::Bybit => Some(&bybit::Bybit),
        Venue::Okx => Some(&okx::Okx),
        Venue::Hyperliquid => Some(&hyperliquid::Hyperliquid),
        Venue::Sim => None,
    }
}

/// A contract whose size is one coin, named as the venue names it.
#[must_use]
pub fn contract(exchange: &dyn Exchange, symbol: &Symbol) -> Option<Contract> {
    Some(contract_named(symbol, &exchange.name_of(symbol)?))
}

/// The same under a name that does not follow from the symbol.
#[must_use]
pub fn contract_named(symbol: &Symbol, name: &str) -> Contract {
    Contract { symbol: symbol.clone(), name: name.to_owned(), size: Qty::from_units(UNIT_SCALE) }
}

/// The instrument of a contract.
#[must_use]
pub fn instrument(exchange: &dyn Exchange, contract: &Contract) -> Instrument {
    Instrument::new(exchange.venue(), contract.symbol.clone())
}

/// The interval of the klines that are followed live: the ledger moves by minutes.
pub const LIVE_INTERVAL: Interval = Interval::M1;
