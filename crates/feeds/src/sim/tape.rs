//! The tape: from prints and marks to closed one-minute klines.
//!
//! The kline of trades sums exactly the trades that were printed in its minute; a minute without trades
//! repeats the last price with volume zero, as venues do. The kline of the mark price spans every second's
//! mark, which is more than the ticks that are published.

use liqheat_market::{Interval, Kline, KlineKind, Price, Qty, Taker, Trade, UnixMs};

#[derive(Debug, Clone, Copy)]
struct Candle {
    open: Price,
    high: Price,
    low: Price,
    close: Price,
}

impl Candle {
    const fn at(price: Price) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }

    fn extend(candle: &mut Option<Self>, price: Price) {
        match candle {
            None => *candle = Some(Self::at(price)),
            Some(candle) => {
                candle.high = candle.high.max(price);
                candle.low = candle.low.min(price);
                candle.close = price;
            }
        }
    }
}

/// The minute that is being written.
#[derive(Debug, Clone)]
pub(super) struct Tape {
    open_time: UnixMs,
    last: Option<Candle>,
    mark: Option<Candle>,
    volume: i128,
    taker_buy_volume: i128,
    trades: i64,
    last_price: Price,
    mark_price: Price,
    next_id: i64,
}

impl Tape {
    pub(super) fn new(start: UnixMs, price: Price) -> Self {
        Self {
            open_time: start,
            last: None,
            mark: None,
            volume: 0,
            taker_buy_volume: 0,
            trades: 0,
            last_price: price,
            mark_price: price,
            next_id: 1,
        }
    }

    /// Prints a trade and gives it its number.
    pub(super) fn print(&mut self, time: UnixMs, price: Price, qty: Qty, taker: Taker) -> Trade {
        Candle::extend(&mut self.last, price);
        self.last_price = price;
        self.volume += qty.units();
        if taker == Taker::Buy {
            self.taker_buy_volume += qty.units();
        }
        self.trades += 1;
        let id = self.next_id;
        self.next_id += 1;
        Trade { id, time, price, qty, taker }
    }

    pub(super) fn mark(&mut self, price: Price) {
        Candle::extend(&mut self.mark, price);
        self.mark_price = price;
    }

    pub(super) fn mark_price(&self) -> Price {
        self.mark_price
    }

    /// Closes the minute: the klines of trades and of marks, in this order.
    pub(super) fn close_minute(&mut self) -> [Kline; 2] {
        let last = self.last.take().unwrap_or(Candle::at(self.last_price));
        let mark = self.mark.take().unwrap_or(Candle::at(self.mark_price));
        let kline = |kind, candle: Candle| Kline {
            kind,
            interval: Interval::M1,
            open_time: self.open_time,
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: None,
            taker_buy_volume: None,
            trades: None,
        };
        let of_trades = Kline {
            volume: Some(Qty::from_units(self.volume)),
            taker_buy_volume: Some(Qty::from_units(self.taker_buy_volume)),
            trades: Some(self.trades),
            ..kline(KlineKind::Last, last)
        };
        let of_marks = kline(KlineKind::Mark, mark);
        self.open_time = self.open_time.plus(Interval::M1.ms());
        self.volume = 0;
        self.taker_buy_volume = 0;
        self.trades = 0;
        [of_trades, of_marks]
    }
}
