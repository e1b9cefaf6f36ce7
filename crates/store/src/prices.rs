//! Reading prices: the range of the mark price in a time, and what is newest at a moment.

use liqheat_market::{Instrument, Interval, Kline, KlineKind, Price, UnixMs};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{of, read_first};

/// Where the mark price went during a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkRange {
    /// Lowest tick.
    pub low: Price,
    /// Highest tick.
    pub high: Price,
    /// Newest tick.
    pub last: Price,
    /// When the newest tick was.
    pub last_time: UnixMs,
}

/// The range of the mark price's ticks in a time.
pub(crate) struct MarkRangeOf {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for MarkRangeOf {
    type Answer = Option<MarkRange>;
    const NAME: &'static str = "mark range";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT min(price), max(price), arg_max(price, time), max(time) FROM mark_prices
             WHERE {} AND time BETWEEN {} AND {} HAVING count(*) > 0",
            of(&self.instrument),
            self.from.0,
            self.to.0,
        );
        read_first(&database.connection, &sql, |row| {
            Ok(MarkRange {
                low: row.price(0)?,
                high: row.price(1)?,
                last: row.price(2)?,
                last_time: row.time(3)?,
            })
        })
    }
}

/// The prices of a moment and the candle that is open then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PricesNow {
    /// Newest traded price, from trades, or from the last closed kline where no trades are stored.
    pub last: Option<(UnixMs, Price)>,
    /// Newest tick of the mark price.
    pub mark: Option<(UnixMs, Price)>,
    /// The open candle, made of trades; `None` while there are none in it.
    pub candle: Option<Kline>,
}

/// The prices of a moment, as far as they are not older than two candles: so the size of the tables does not matter.
pub(crate) struct PricesNowOf {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) as_of: UnixMs,
}

impl Command for PricesNowOf {
    type Answer = PricesNow;
    const NAME: &'static str = "prices now";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let (key, interval, as_of) = (of(&self.instrument), self.interval.ms(), self.as_of.0);
        let opened = self.as_of.floor_to(interval);
        let from = opened.plus(-2 * interval).0;
        let point =
            |sql: &str| read_first(&database.connection, sql, |row| Ok((row.time(0)?, row.price(1)?)));
        let mark = point(&format!(
            "SELECT max(time), arg_max(price, time) FROM mark_prices
             WHERE {key} AND time BETWEEN {from} AND {as_of} HAVING count(*) > 0"
        ))?;
        let candle = read_first(
            &database.connection,
            &format!(
                "SELECT first(price ORDER BY time, id), max(price), min(price), last(price ORDER BY time, id),
                     sum(qty), count(*), max(time)
                 FROM trades WHERE {key} AND time BETWEEN {} AND {as_of} HAVING count(*) > 0",
                opened.0
            ),
            |row| {
                let candle = Kline {
                    kind: KlineKind::Last,
                    interval: self.interval,
                    open_time: opened,
                    open: row.price(0)?,
                    high: row.price(1)?,
                    low: row.price(2)?,
                    close: row.price(3)?,
                    volume: row.maybe_qty(4)?,
                    taker_buy_volume: None,
                    trades: row.maybe(5)?,
                };
                Ok((candle, row.time(6)?))
            },
        )?;
        let last = match &candle {
            Some((candle, time)) => Some((*time, candle.close)),
            None => point(&format!(
                "SELECT time, price FROM trades WHERE {key} AND time BETWEEN {from} AND {as_of}
                 ORDER BY time DESC, id DESC"
            ))?
            .map_or_else(
                || {
                    point(&format!(
                        "SELECT open_time + interval_ms AS closed, close FROM klines
                         WHERE {key} AND kind = 'last' AND open_time BETWEEN {from} AND {as_of}
                             AND open_time + interval_ms <= {as_of}
                         ORDER BY closed DESC, interval_ms"
                    ))
                },
                |trade| Ok(Some(trade)),
            )?,
        };
        Ok(PricesNow { last, mark, candle: candle.map(|(candle, _)| candle) })
    }
}
