//! The exchanges, one folder each, all of one shape.
//!
//! A venue is a description and a set of pure functions ([`Exchange`]): what to send after connecting, what a frame means
//! ([`VenueFrameReader`]), which request brings missing data and what its answer means. Nothing here opens a socket,
//! asks a clock or waits: [`crate::live`] does that, once for all venues. So every reader can be tested on
//! recorded frames, fuzzed, and run again over a recording.
//!
//! Everything is converted where it comes in: quantities are coins, open interest counts every contract once,
//! sides are those of the position, and symbols have one spelling (`BTCUSDT`) whatever the venue calls them.
//!
//! Each folder has at least these files: `mod.rs` (the [`Exchange`]), `frame.rs` (the frames as they are on the wire),
//! `parse.rs` (frames to [`Signal`]s), `subscribe.rs` (what to send), `rest.rs` (requests and answers), `names.rs` (how it
//! writes symbols), a dated table of margin tiers, and fixtures. Everything that lists venues iterates over [`exchanges`];
//! `registry.rs` tests that each is complete.

mod account;
pub mod binance;
pub mod bybit;
mod contract;
mod exchange;
mod fields;
#[cfg(test)]
mod fixtures;
pub mod hyperliquid;
mod limits;
mod liquidation_columns;
mod liquidation_feed;
mod listed;
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
#[cfg(test)]
mod registry;
mod rows;
mod scale;
mod signal;
mod tiers;

use liqheat_market::{Event, Interval, UnixMs, Venue};

pub use account::{Account, AccountError};
pub use contract::{Contract, ContractTable, contract_named};
pub use exchange::{Exchange, contract, instrument};
pub use limits::{
    ClippedQuery, HistoryDepth, HistoryDepths, PauseScope, Ping, RateLimit, RequestRefusal, StreamSilence,
    TradeIds, VenueLimits,
};
pub use liquidation_columns::LiquidationColumns;
pub use liquidation_feed::LiquidationFeed;
pub use listed::{ListedContract, Underlying};
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

/// The exchange behind a venue's name; `None` for the simulated market.
#[must_use]
pub const fn exchange(venue: Venue) -> Option<&'static Exchange> {
    match venue {
        Venue::Binance => Some(&binance::EXCHANGE),
        Venue::Bybit => Some(&bybit::EXCHANGE),
        Venue::Okx => Some(&okx::EXCHANGE),
        Venue::Hyperliquid => Some(&hyperliquid::EXCHANGE),
        Venue::Sim => None,
    }
}

/// Every exchange, in the order of [`Venue::ALL`].
pub fn exchanges() -> impl Iterator<Item = &'static Exchange> {
    Venue::ALL.into_iter().filter_map(exchange)
}

/// How complete the feed of liquidations of a venue is; the simulated market reports every one.
#[must_use]
pub fn liquidation_feed(venue: Venue) -> LiquidationFeed {
    const SIMULATED: LiquidationFeed =
        LiquidationFeed { description: "all liquidations", is_throttled: false };
    exchange(venue).map_or(SIMULATED, |exchange| exchange.liquidation_feed)
}

/// The name of a venue as people write it, such as `OKX`; `Sim` is the simulated market.
#[must_use]
pub fn display_name(venue: Venue) -> &'static str {
    exchange(venue).map_or("Sim", |exchange| exchange.display_name)
}

/// The interval of the klines that are followed live: the ledger moves by minutes.
pub const LIVE_INTERVAL: Interval = Interval::M1;
