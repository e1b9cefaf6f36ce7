//! What happens at the exchange: events of each symbol in order of time, made up or taken from a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

use liqheat_market::{
    Event, Funding, Interval, Kline, KlineKind, Liquidation, MarkPrice, OpenInterest, Price, PriceKind, Qty,
    Rate, Side, Taker, Trade, UnixMs,
};

/// A script.
#[derive(Debug, Clone, Default)]
pub struct Market {
    symbols: BTreeMap<String, Vec<Event>>,
    /// What is not listed now; shared by all copies.
    unlisted: Arc<RwLock<BTreeSet<String>>>,
}

/// Settings of a made-up market.
#[derive(Debug, Clone, Copy)]
pub struct MarketShape {
    /// From when on.
    pub from: UnixMs,
    /// For how many minutes.
    pub minutes: i64,
    /// Trades in each.
    pub trades_per_minute: i64,
    /// Between two ticks of the mark price.
    pub mark_step_ms: i64,
    /// Between two counts of open interest.
    pub open_interest_step_ms: i64,
    /// Minutes between two liquidations.
    pub liquidation_every: i64,
    /// The least that prices differ by; contracts of different coins have different ones.
    pub tick: Price,
    /// Price at the beginning, in hundreds of ticks.
    pub price: i64,
    /// The same seed, the same market.
    pub seed: u64,
}

impl MarketShape {
    /// A small lively market.
    #[must_use]
    pub const fn new(from: UnixMs, minutes: i64) -> Self {
        Self {
            from,
            minutes,
            trades_per_minute: 60,
            mark_step_ms: 1_000,
            open_interest_step_ms: 5_000,
            liquidation_every: 1,
            tick: Price::from_units(1_000_000),
            price: 60_000,
            seed: 7,
        }
    }
}

impl Market {
    /// Adds a symbol with its events, in any order.
    #[must_use]
    pub fn with(mut self, symbol: &str, mut events: Vec<Event>) -> Self {
        events.sort_by_key(Event::known_at);
        self.symbols.insert(symbol.to_owned(), events);
        self
    }

    /// Adds a made-up symbol: a walk of trades with consecutive ids, and everything that follows from it.
    #[must_use]
    pub fn with_made(self, symbol: &str, made: &MarketShape) -> Self {
        let events = make(made);
        self.with(symbol, events)
    }

    /// The exchange has no such contract, from now on.
    pub fn unlist(&self, symbol: &str) {
        self.unlisted.write().unwrap().insert(symbol.to_owned());
    }

    /// The exchange has it, from now on.
    pub fn list(&self, symbol: &str) {
        self.unlisted.write().unwrap().remove(symbol);
    }

    /// Whether the exchange has it.
    #[must_use]
    pub fn is_listed(&self, symbol: &str) -> bool {
        !self.unlisted.read().unwrap().contains(symbol)
    }

    /// Names of the symbols that the exchange has.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.symbols.keys().map(String::as_str).filter(|symbol| self.is_listed(symbol))
    }

    /// Everything that happens to a symbol, in order of when it may be known.
    #[must_use]
    pub fn events(&self, symbol: &str) -> &[Event] {
        self.symbols.get(symbol).map_or(&[], Vec::as_slice)
    }

    /// What is known at a moment.
    #[must_use]
    pub fn until(&self, symbol: &str, now: UnixMs) -> &[Event] {
        if !self.is_listed(symbol) {
            return &[];
        }
        let events = self.events(symbol);
        &events[..events.partition_point(|event| event.known_at() <= now)]
    }
}

fn make(made: &MarketShape) -> Vec<Event> {
    let tick = made.tick.units();
    let mut rng = fastrand::Rng::with_seed(made.seed);
    let mut events = Vec::new();
    let mut in_ticks = made.price * 100;
    let mut sample: i64 = 50_000_000;
    let mut id = 1_000_000 * i64::try_from(made.seed % 1_000).unwrap_or(1) + 1;
    for minute in 0..made.minutes {
        let open_time = made.from.plus(minute * 60_000);
        let mut trades = Vec::new();
        for at in 0..made.trades_per_minute {
            in_ticks += rng.i64(-40..=40);
            let taker = if rng.bool() { Taker::Buy } else { Taker::Sell };
            let time = open_time.plus(at * 60_000 / made.trades_per_minute);
            let (price, qty) =
                (Price::from_units(in_ticks * tick), Qty::from_units(rng.i64(1..=3_000) * 100_000));
            trades.push(Trade { id, time, price, qty, taker });
            id += 1;
        }
        events.extend(kline_of(open_time, &trades).map(Event::Kline));
        let mut ticks = Vec::new();
        for at in 0..60_000 / made.mark_step_ms {
            let time = open_time.plus(at * made.mark_step_ms);
            let last = trades.iter().rev().find(|trade| trade.time <= time).or_else(|| trades.first());
            let price = last.map_or(Price::from_units(in_ticks * tick), |trade| {
                Price::from_units(trade.price.units() + 5 * tick)
            });
            ticks.push(MarkPrice { time, price });
        }
        events.extend(mark_kline_of(open_time, &ticks).map(Event::Kline));
        for at in 0..60_000 / made.open_interest_step_ms {
            sample += rng.i64(-5_000..=5_000);
            let time = open_time.plus(at * made.open_interest_step_ms);
            events.push(Event::OpenInterest(OpenInterest { time, qty: Qty::from_units(sample * 100_000) }));
        }
        if minute % made.liquidation_every == 0 {
            let side = if rng.bool() { Side::Long } else { Side::Short };
            events.push(Event::Liquidation(Liquidation {
                time: open_time.plus(rng.i64(0..60_000)),
                side,
                qty: Qty::from_units(rng.i64(1..=9_000) * 100_000),
                price: Price::from_units(in_ticks * tick),
                price_kind: PriceKind::Fill,
            }));
        }
        if open_time.0 % (8 * 3_600_000) == 0 {
            let rate = Rate::from_units(rng.i64(-30_000..30_000));
            events.push(Event::Funding(Funding { time: open_time.plus(3), rate, interval_hours: None }));
        }
        events.extend(trades.into_iter().map(Event::Trade));
        events.extend(ticks.into_iter().map(Event::MarkPrice));
    }
    events
}

fn kline_of(open_time: UnixMs, trades: &[Trade]) -> Option<Kline> {
    let volume = |only: Option<Taker>| {
        let counted = trades.iter().filter(|trade| only.is_none_or(|taker| trade.taker == taker));
        Qty::from_units(counted.map(|trade| trade.qty.units()).sum::<i128>())
    };
    Some(Kline {
        kind: KlineKind::Last,
        interval: Interval::M1,
        open_time,
        open: trades.first()?.price,
        high: trades.iter().map(|trade| trade.price).max()?,
        low: trades.iter().map(|trade| trade.price).min()?,
        close: trades.last()?.price,
        volume: Some(volume(None)),
        taker_buy_volume: Some(volume(Some(Taker::Buy))),
        trades: i64::try_from(trades.len()).ok(),
    })
}

fn mark_kline_of(open_time: UnixMs, ticks: &[MarkPrice]) -> Option<Kline> {
    Some(Kline {
        kind: KlineKind::Mark,
        interval: Interval::M1,
        open_time,
        open: ticks.first()?.price,
        high: ticks.iter().map(|tick| tick.price).max()?,
        low: ticks.iter().map(|tick| tick.price).min()?,
        close: ticks.last()?.price,
        volume: None,
        taker_buy_volume: None,
        trades: None,
    })
}
