//! What the tests share: an instrument, made-up events, and a store in a folder of its own.

use liqheat_market::{
    Event, Funding, Instrument, Interval, Kline, KlineKind, Liquidation, MarkPrice, OpenInterest, Price,
    PriceKind, Qty, Rate, Side, Symbol, Taker, Trade, UnixMs, Venue,
};
use liqheat_store::{Location, Settings, Store};

/// 2025-01-01 00:00 UTC.
pub(crate) const T0: i64 = 1_735_689_600_000;
pub(crate) const M5: i64 = 300_000;
pub(crate) const FOREVER: UnixMs = UnixMs(i64::MAX);

pub(crate) fn btc() -> Instrument {
    Instrument::new(Venue::Binance, Symbol::new("BTCUSDT").unwrap())
}

pub(crate) fn eth() -> Instrument {
    Instrument::new(Venue::Binance, Symbol::new("ETHUSDT").unwrap())
}

pub(crate) fn usd(value: f64) -> Price {
    Price::from_f64(value).unwrap()
}

pub(crate) fn coins(value: f64) -> Qty {
    Qty::from_f64(value).unwrap()
}

/// The five-minute kline of traded prices number `index` since T0.
pub(crate) fn kline(index: i64) -> Kline {
    kline_of(KlineKind::Last, Interval::M5, index)
}

pub(crate) fn kline_of(kind: KlineKind, interval: Interval, index: i64) -> Kline {
    let base = 100_000.0 + index as f64;
    Kline {
        kind,
        interval,
        open_time: UnixMs(T0 + index * interval.ms()),
        open: usd(base),
        high: usd(base + 10.5),
        low: usd(base - 10.25),
        close: usd(base + 1.0),
        volume: Some(coins(1.5)),
        taker_buy_volume: Some(coins(0.5)),
        trades: Some(7),
    }
}

pub(crate) fn klines(indexes: std::ops::Range<i64>) -> Vec<Kline> {
    indexes.map(kline).collect()
}

pub(crate) fn trade(id: i64, time: i64, price: f64, qty: f64) -> Trade {
    Trade { id, time: UnixMs(time), price: usd(price), qty: coins(qty), taker: Taker::Buy }
}

pub(crate) fn mark(time: i64, price: f64) -> MarkPrice {
    MarkPrice { time: UnixMs(time), price: usd(price) }
}

pub(crate) fn open_interest(time: i64, qty: f64) -> OpenInterest {
    OpenInterest { time: UnixMs(time), qty: coins(qty) }
}

pub(crate) fn liquidation(time: i64, side: Side, price: f64) -> Liquidation {
    Liquidation { time: UnixMs(time), side, qty: coins(0.25), price: usd(price), price_kind: PriceKind::Fill }
}

pub(crate) fn funding(time: i64) -> Funding {
    Funding { time: UnixMs(time), rate: Rate::parse("0.0001").unwrap(), interval_hours: Some(8) }
}

/// Some of every kind, `size` of each.
pub(crate) fn events(size: i64) -> Vec<Event> {
    let of_each = |i: i64| {
        let side = if i % 2 == 0 { Side::Long } else { Side::Short };
        [
            Event::Kline(kline(i)),
            Event::Kline(kline_of(KlineKind::Mark, Interval::M5, i)),
            Event::Kline(kline_of(KlineKind::Last, Interval::M1, i)),
            Event::Trade(trade(1_000 + i, T0 + i * 977, 100_000.0 + i as f64, 0.001)),
            Event::MarkPrice(mark(T0 + i * 1_000, 100_000.0 - i as f64)),
            Event::OpenInterest(open_interest(T0 + i * M5, 80_000.0 + i as f64)),
            Event::Funding(funding(T0 + i * 28_800_000)),
            Event::Liquidation(liquidation(T0 + i * 500, side, 99_000.0)),
        ]
    };
    (0..size).flat_map(of_each).collect()
}

pub(crate) fn in_memory() -> Store {
    Store::open(Location::Memory, Settings::default()).unwrap()
}

/// A folder that goes away with it, and the database file in it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("market.duckdb")
    }

    pub(crate) fn location(&self) -> Location {
        Location::File(self.file())
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.location(), Settings::default()).unwrap()
    }
}
