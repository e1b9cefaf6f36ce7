//! What happens in a market, as one closed set of events. Whatever the source (a socket, a file, a
//! replay, a simulation), the same events land in the same tables.

use crate::{Interval, Price, Qty, Rate, UnixMs};

/// Whose position: the side that holds the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Gains when the price rises.
    Long,
    /// Gains when the price falls.
    Short,
}

impl Side {
    /// Both, long first.
    pub const BOTH: [Self; 2] = [Self::Long, Self::Short];

    /// +1 for long, -1 for short.
    #[must_use]
    pub const fn sign(self) -> f64 {
        match self {
            Self::Long => 1.0,
            Self::Short => -1.0,
        }
    }

    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Long => Self::Short,
            Self::Short => Self::Long,
        }
    }

    /// `long` or `short`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }
}

/// What the taker of a trade did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Taker {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

/// Which price a liquidation was reported at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceKind {
    /// The average price at which the liquidation order was filled.
    Fill,
    /// The price at which the position's margin would be zero.
    Bankruptcy,
}

/// Whether a kline is of traded prices or of the mark price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KlineKind {
    /// Of trades.
    Last,
    /// Of the mark price, on which exchanges liquidate; it has no volume.
    Mark,
}

/// A trade, or several by one taker order at one price (an aggregate trade).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// The venue's id; consecutive per instrument where the venue says so.
    pub id: i64,
    /// When it happened, by the venue's clock.
    pub time: UnixMs,
    /// At what price.
    pub price: Price,
    /// How many coins.
    pub qty: Qty,
    /// What the taker did.
    pub taker: Taker,
}

/// A closed kline (candle) as the venue publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kline {
    /// Of trades or of the mark price.
    pub kind: KlineKind,
    /// Its length.
    pub interval: Interval,
    /// When it opened; it closes `interval` later.
    pub open_time: UnixMs,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Coins traded; `None` when unknown, which is not zero.
    pub volume: Option<Qty>,
    /// Coins bought by takers; `None` when unknown.
    pub taker_buy_volume: Option<Qty>,
    /// Number of trades; `None` when unknown.
    pub trades: Option<i64>,
}

impl Kline {
    /// The moment at which it ends (exclusive).
    #[must_use]
    pub const fn close_time(&self) -> UnixMs {
        self.open_time.plus(self.interval.ms())
    }
}

/// The mark price at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkPrice {
    /// When.
    pub time: UnixMs,
    /// The mark price.
    pub price: Price,
}

/// The number of open contracts at a moment, in coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenInterest {
    /// The moment at which it was counted (not the label a venue puts on it).
    pub time: UnixMs,
    /// Coins, single-sided: every contract counts once.
    pub qty: Qty,
}

/// A funding payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funding {
    /// When it was charged.
    pub time: UnixMs,
    /// Paid by longs to shorts when positive.
    pub rate: Rate,
    /// Hours between payments; `None` when the source does not say.
    pub interval_hours: Option<i64>,
}

/// A forced closing that really happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liquidation {
    /// When.
    pub time: UnixMs,
    /// Whose position was closed: `Long` when a long was liquidated (by a sell order).
    pub side: Side,
    /// How many coins.
    pub qty: Qty,
    /// At what price, of the kind below.
    pub price: Price,
    /// What that price is.
    pub price_kind: PriceKind,
}

/// Anything that can happen to one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A trade.
    Trade(Trade),
    /// A closed kline.
    Kline(Kline),
    /// A tick of the mark price.
    MarkPrice(MarkPrice),
    /// A count of open interest.
    OpenInterest(OpenInterest),
    /// A funding payment.
    Funding(Funding),
    /// A realised liquidation.
    Liquidation(Liquidation),
}

impl Event {
    /// The moment from which the event may be known: the close of a kline, else its own time.
    #[must_use]
    pub const fn known_at(&self) -> UnixMs {
        match self {
            Self::Trade(trade) => trade.time,
            Self::Kline(kline) => kline.close_time(),
            Self::MarkPrice(mark) => mark.time,
            Self::OpenInterest(oi) => oi.time,
            Self::Funding(funding) => funding.time,
            Self::Liquidation(liquidation) => liquidation.time,
        }
    }
}

/// One step of the model: everything known about a closed slice of time, joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// When it opened.
    pub open_time: UnixMs,
    /// When it ended (exclusive).
    pub close_time: UnixMs,
    /// First traded price.
    pub open: Price,
    /// Highest traded price.
    pub high: Price,
    /// Lowest traded price.
    pub low: Price,
    /// Last traded price.
    pub close: Price,
    /// (low, high, close) of the mark price, where it is known.
    pub mark: Option<(Price, Price, Price)>,
    /// Coins traded; `None` when unknown.
    pub volume: Option<Qty>,
    /// Coins bought by takers; `None` when unknown.
    pub taker_buy_volume: Option<Qty>,
    /// Open interest at the end of the bar, coins, single-sided; `None` when unknown.
    pub open_interest: Option<Qty>,
}
