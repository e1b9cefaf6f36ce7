//! Reading what happens at a moment: open interest, prices, realised liquidations.

use std::num::NonZeroUsize;

use liqheat_market::{
    Funding, Instrument, Interval, Kline, KlineKind, Liquidation, OpenInterest, Price, Rate, UnixMs,
};

use crate::QUERY_ROWS_MAX;
use crate::error::CommandError;
use crate::owner::{Command, Database};
use crate::rows::{Row, of, read, read_first};

/// Samples of open interest in a time.
pub(crate) struct OpenInterests {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for OpenInterests {
    type Answer = Vec<OpenInterest>;
    const NAME: &'static str = "open interest";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT time, qty FROM open_interest WHERE {} AND time BETWEEN {} AND {} ORDER BY time",
            of(&self.instrument),
            self.from.0,
            self.to.0,
        );
        read(&database.connection, Self::NAME, &sql, |row| {
            Ok(OpenInterest { time: row.time(0)?, qty: row.qty(1)? })
        })
    }
}

/// The last sample of open interest within each interval of a time: what an interval ends with.
pub(crate) struct OpenInterestCloses {
    pub(crate) instrument: Instrument,
    pub(crate) interval_ms: i64,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for OpenInterestCloses {
    type Answer = Vec<OpenInterest>;
    const NAME: &'static str = "open interest by interval";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT max(time), arg_max(qty, time) FROM open_interest WHERE {} AND time > {} AND time <= {}
             GROUP BY (time - 1) // {} ORDER BY 1",
            of(&self.instrument),
            self.from.0,
            self.to.0,
            self.interval_ms.max(1),
        );
        read(&database.connection, Self::NAME, &sql, |row| {
            Ok(OpenInterest { time: row.time(0)?, qty: row.qty(1)? })
        })
    }
}

/// Funding payments of a time.
pub(crate) struct FundingPayments {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for FundingPayments {
    type Answer = Vec<Funding>;
    const NAME: &'static str = "funding";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT time, rate, interval_hours FROM funding WHERE {} AND time BETWEEN {} AND {} ORDER BY time",
            of(&self.instrument),
            self.from.0,
            self.to.0,
        );
        read(&database.connection, Self::NAME, &sql, |row| {
            let rate = Rate::from_units(row.whole(1)?);
            Ok(Funding { time: row.time(0)?, rate, interval_hours: row.maybe(2)? })
        })
    }
}

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

/// The newest prices known at a moment, each with the moment it became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PricesAt {
    /// Mark price, from ticks and closed mark klines.
    pub mark: Option<(UnixMs, Price)>,
    /// Traded price, from trades and closed klines.
    pub last: Option<(UnixMs, Price)>,
}

/// The newest prices at a moment.
pub(crate) struct PricesAtMoment {
    pub(crate) instrument: Instrument,
    pub(crate) as_of: UnixMs,
}

impl Command for PricesAtMoment {
    type Answer = PricesAt;
    const NAME: &'static str = "prices";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let key = of(&self.instrument);
        let as_of = self.as_of.0;
        let newest = |sql: &str| {
            let row_of = |row: &Row<'_>| Ok((row.time(0)?, row.price(1)?));
            read_first(&database.connection, sql, row_of)
        };
        let newest_kline = |kind: &str| {
            newest(&format!(
                "SELECT open_time + interval_ms AS known_at, close FROM klines
                 WHERE {key} AND kind = '{kind}' AND open_time <= {as_of} AND open_time + interval_ms <= {as_of}
                 ORDER BY known_at DESC, interval_ms"
            ))
        };
        let ticks =
            format!("SELECT time, price FROM mark_prices WHERE {key} AND time <= {as_of} ORDER BY time DESC");
        let trades = format!(
            "SELECT time, price FROM trades WHERE {key} AND time <= {as_of} ORDER BY time DESC, id DESC"
        );
        // Of two of the same moment, the tick or trade stands for the kline that it closed.
        let later = |point: Option<(UnixMs, Price)>, bar: Option<(UnixMs, Price)>| match (point, bar) {
            (Some(point), Some(bar)) => Some(if bar.0 > point.0 { bar } else { point }),
            (point, bar) => point.or(bar),
        };
        Ok(PricesAt {
            mark: later(newest(&ticks)?, newest_kline("mark")?),
            last: later(newest(&trades)?, newest_kline("last")?),
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

/// Dollars of a liquidation, rounded as answers show them.
const USD: &str = "round(CAST(price AS DOUBLE) / 1e8 * (CAST(qty AS DOUBLE) / 1e8))";

/// The condition that a liquidation has at least `min_usd` dollars.
fn has_usd(min_usd: u64) -> String {
    if min_usd == 0 { String::new() } else { format!(" AND {USD} >= {min_usd}") }
}

/// The newest liquidations in a time.
pub(crate) struct Liquidations {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
    pub(crate) min_usd: u64,
    pub(crate) limit: NonZeroUsize,
}

impl Command for Liquidations {
    type Answer = Vec<Liquidation>;
    const NAME: &'static str = "liquidations";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT * FROM (
                 SELECT time, side, price, qty, price_kind FROM liquidations WHERE {} AND time BETWEEN {} AND {}{}
                 ORDER BY time DESC, side DESC, price DESC, qty DESC LIMIT {}
             ) ORDER BY time, side, price, qty",
            of(&self.instrument),
            self.from.0,
            self.to.0,
            has_usd(self.min_usd),
            self.limit.get().min(QUERY_ROWS_MAX),
        );
        read(&database.connection, Self::NAME, &sql, liquidation_of)
    }
}

/// The newest sums of liquidations in a time: what was liquidated of each side in each interval.
pub(crate) struct LiquidationSums {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
    pub(crate) min_usd: u64,
    pub(crate) limit: NonZeroUsize,
}

impl Command for LiquidationSums {
    type Answer = Vec<Liquidation>;
    const NAME: &'static str = "liquidation sums";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let interval = self.interval.ms();
        let sql = format!(
            "SELECT * FROM (
                 SELECT time - time % {interval} AS begins, side,
                     CAST(round(sum(CAST(price AS DOUBLE) * CAST(qty AS DOUBLE)) / sum(CAST(qty AS DOUBLE))) AS BIGINT) AS price,
                     sum(qty) AS qty, price_kind
                 FROM liquidations WHERE {} AND time BETWEEN {} AND {}{}
                 GROUP BY begins, side, price_kind
                 ORDER BY begins DESC, side DESC, price_kind DESC LIMIT {}
             ) ORDER BY begins, side, price_kind",
            of(&self.instrument),
            self.from.0,
            self.to.0,
            has_usd(self.min_usd),
            self.limit.get().min(QUERY_ROWS_MAX),
        );
        read(&database.connection, Self::NAME, &sql, liquidation_of)
    }
}

/// Sums of realised liquidations by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiquidationTotals {
    /// Whole USD of longs.
    pub long_usd: u64,
    /// Whole USD of shorts.
    pub short_usd: u64,
    /// How many longs.
    pub long_count: u64,
    /// How many shorts.
    pub short_count: u64,
}

/// The sums of a time, from after `from` to `to`.
pub(crate) struct LiquidationTotalsOf {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for LiquidationTotalsOf {
    type Answer = LiquidationTotals;
    const NAME: &'static str = "liquidation totals";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let usd = |side| format!("CAST(coalesce(sum({USD}) FILTER (WHERE side = '{side}'), 0) AS UBIGINT)");
        let count = |side| format!("CAST(count(*) FILTER (WHERE side = '{side}') AS UBIGINT)");
        let sql = format!(
            "SELECT {}, {}, {}, {} FROM liquidations WHERE {} AND time > {} AND time <= {}",
            usd("long"),
            usd("short"),
            count("long"),
            count("short"),
            of(&self.instrument),
            self.from.0,
            self.to.0,
        );
        let totals = read_first(&database.connection, &sql, |row| {
            Ok(LiquidationTotals {
                long_usd: row.unsigned(0)?,
                short_usd: row.unsigned(1)?,
                long_count: row.unsigned(2)?,
                short_count: row.unsigned(3)?,
            })
        })?;
        Ok(totals.unwrap_or_default())
    }
}

/// Reads (time, side, price, qty, price_kind).
fn liquidation_of(row: &Row<'_>) -> Result<Liquidation, CommandError> {
    const TABLE: &str = "liquidations";
    Ok(Liquidation {
        time: row.time(0)?,
        side: row.side(1, TABLE)?,
        price: row.price(2)?,
        qty: row.qty(3)?,
        price_kind: row.price_kind(4, TABLE)?,
    })
}
