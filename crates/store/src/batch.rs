//! Events of one instrument on their way into the tables, sorted by kind.

use liqheat_market::{Event, Funding, Kline, Liquidation, MarkPrice, OpenInterest, Trade};

/// What is stored in one go, whole or not at all. Make it from events, or from a list of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Klines of any kind and interval.
    pub klines: Vec<Kline>,
    /// Trades.
    pub trades: Vec<Trade>,
    /// Ticks of the mark price.
    pub mark_prices: Vec<MarkPrice>,
    /// Samples of open interest.
    pub open_interest: Vec<OpenInterest>,
    /// Funding payments.
    pub funding: Vec<Funding>,
    /// Realised liquidations.
    pub liquidations: Vec<Liquidation>,
}

impl Batch {
    /// Puts one event in.
    pub fn push(&mut self, event: Event) {
        match event {
            Event::Kline(kline) => self.klines.push(kline),
            Event::Trade(trade) => self.trades.push(trade),
            Event::MarkPrice(mark) => self.mark_prices.push(mark),
            Event::OpenInterest(sample) => self.open_interest.push(sample),
            Event::Funding(funding) => self.funding.push(funding),
            Event::Liquidation(liquidation) => self.liquidations.push(liquidation),
        }
    }

    /// Rows in it, doubles included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.klines.len()
            + self.trades.len()
            + self.mark_prices.len()
            + self.open_interest.len()
            + self.funding.len()
            + self.liquidations.len()
    }

    /// Nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Extend<Event> for Batch {
    fn extend<I: IntoIterator<Item = Event>>(&mut self, events: I) {
        events.into_iter().for_each(|event| self.push(event));
    }
}

impl FromIterator<Event> for Batch {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let mut batch = Self::default();
        batch.extend(events);
        batch
    }
}

impl From<Vec<Event>> for Batch {
    fn from(events: Vec<Event>) -> Self {
        events.into_iter().collect()
    }
}

macro_rules! from_rows_of_one_kind {
    ($($row:ident => $field:ident),* $(,)?) => {
        $(impl From<Vec<$row>> for Batch {
            fn from($field: Vec<$row>) -> Self {
                Self { $field, ..Self::default() }
            }
        })*
    };
}

from_rows_of_one_kind! {
    Kline => klines,
    Trade => trades,
    MarkPrice => mark_prices,
    OpenInterest => open_interest,
    Funding => funding,
    Liquidation => liquidations,
}
