//! What the exchanges say, one folder each, all of one shape.
//!
//! A venue is a set of pure functions ([`Exchange`]): what to send after connecting, what a frame means
//! ([`VenueFrameReader`]), which request brings missing data and what its answer means. Nothing here opens a socket,
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
mod contract;
mod fields;
#[cfg(test)]
mod fixtures;
pub mod hyperliquid;
mod limits;
mod liquidation_feed;
mod names;
pub mod okx;
mod orders;
mod pace;
mod page;
mod pages;
mod query;
pub(crate) mod recent;
#[cfg(test)]
mod recorded;
mod rows;
mod scale;
mod signal;
mod tiers;

use liqheat_market::{Event, Interval, Symbol, UnixMs, Venue};

pub use account::{Account, AccountError};
pub use contract::{
    Contract, ContractTable, ListedContract, Underlying, contract, contract_named, instrument,
};
pub use limits::{
    ClippedQuery, HistoryDepth, HistoryDepths, PauseScope, Ping, RateLimit, RequestRefusal, TradeIds,
    VenueLimits,
};
pub use liquidation_feed::LiquidationFeed;
pub(crate) use orders::ForceOrders;
pub use orders::OrderReport;
pub use page::{Page, RejectedRow, RowSubject};
pub use query::{RestQuery, RestQueryError};
pub use signal::{FrameError, RejectedSignal, Signal};
pub use tiers::{PublishedTier, TierRows, TierUnit};

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

/// Reads the frames of one connection. It may keep state (a snapshot that later frames change), so each
/// connection has its own.
pub trait VenueFrameReader: Send {
    /// Takes one text frame apart and appends what it says. Unknown messages, contracts that were not asked
    /// for and unknown keys are passed over in silence. After an error nothing was appended and the state is
    /// as before.
    ///
    /// # Errors
    /// When the frame is not what the venue sends.
    fn read(&mut self, frame: &[u8], received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError>;
}

/// Path and first messages of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionOpening {
    /// Appended to the base address of the socket.
    pub path: String,
    /// Messages to send, [`VenueLimits::message_spacing`] apart.
    pub messages: Vec<String>,
}

/// A request for missing or polled data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path and query, appended to the base address of the REST interface.
    pub path: String,
    /// A JSON body makes it a POST.
    pub body: Option<String>,
    /// What it counts against [`VenueLimits::weight_per_minute`].
    pub weight: u32,
    /// A limit of its endpoint beside the weight, such as Binance's 1000 requests in 5 minutes for statistics; `None`
    /// where the weight is the only one.
    pub rate_limit: Option<RateLimit>,
}

/// What headers of an answer say about limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportedUsage {
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
    fn limits(&self) -> VenueLimits;

    /// What the venue may call a contract, the likeliest name first; empty when it can have none of that symbol. `BTCUSDT`
    /// is `BTC-USDT-SWAP` at OKX and `BTC` at Hyperliquid; `1000SHIBUSDT` is that or `SHIB1000USDT` at Bybit. Which of them
    /// there is, only the venue's list tells; whatever the pack, readers convert.
    fn names_of(&self, symbol: &Symbol) -> Vec<String>;

    /// The likeliest name; `None` when the venue can have no contract of that symbol.
    fn name_of(&self, symbol: &Symbol) -> Option<String> {
        self.names_of(symbol).into_iter().next()
    }

    /// The way back: the one spelling of what the venue calls so; `None` when it is nothing that is followed.
    fn symbol_of(&self, name: &str) -> Option<Symbol>;

    /// What to send on a new connection.
    fn opening(&self, table: &ContractTable) -> ConnectionOpening;

    /// A reader for a connection that was opened at `opened`, by our clock.
    fn reader(&self, table: &ContractTable, opened: UnixMs) -> Box<dyn VenueFrameReader>;

    /// The request that brings the first page of what is wanted; `None` when the venue does not offer it. `now` is the
    /// venue's clock: where recent and older data have different endpoints, it tells which one has it. The depth of a
    /// history is not looked at, see [`HistoryDepths::clip`].
    fn request(&self, contract: &Contract, query: &RestQuery, now: UnixMs) -> Option<Request>;

    /// Takes an answer apart for which [`Exchange::refusal`] has nothing to say. `received` is the venue's clock when it
    /// came: klines that have not ended by it are not taken. A row that cannot be used is in [`Page::rejected`].
    ///
    /// # Errors
    /// When the answer as a whole is not what the venue sends, or says in its words that something is wrong.
    fn answer(
        &self,
        contract: &Contract,
        query: &RestQuery,
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

    /// What an answer with this status means; `None` when [`Exchange::answer`] reads it. Venues also refuse with status
    /// 200 and a code in the body.
    fn refusal(&self, query: &RestQuery, status: u16, body: &[u8]) -> Option<RequestRefusal> {
        let _ = (query, body);
        RequestRefusal::of_status(status)
    }

    /// What the headers of an answer say about limits; `header` finds one by its name in small letters.
    fn reported_usage(&self, header: &dyn Fn(&str) -> Option<String>) -> ReportedUsage {
        let _ = header;
        ReportedUsage::default()
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

/// The interval of the klines that are followed live: the ledger moves by minutes.
pub const LIVE_INTERVAL: Interval = Interval::M1;
