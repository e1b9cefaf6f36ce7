//! Reading klines as stored, and candles of any length built of them.

use std::num::NonZeroUsize;

use liqheat_market::{Instrument, Interval, Kline, KlineKind, UnixMs};

use crate::QUERY_ROWS_MAX;
use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{Row, kind_name, of, read, read_first};

/// Klines wholly inside a time.
pub(crate) struct Klines {
    pub(crate) instrument: Instrument,
    pub(crate) kind: KlineKind,
    pub(crate) interval: Interval,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for Klines {
    type Answer = Vec<Kline>;
    const NAME: &'static str = "klines";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let last_open = self.to.plus(-self.interval.ms());
        let sql = format!(
            "SELECT open_time, open, high, low, close, volume, taker_buy_volume, trades FROM klines
             WHERE {key} AND kind = '{kind}' AND interval_ms = {interval} AND open_time BETWEEN {from} AND {last_open}
             ORDER BY open_time",
            key = of(&self.instrument),
            kind = kind_name(self.kind),
            interval = self.interval.ms(),
            from = self.from.0,
            last_open = last_open.0,
        );
        read(&database.connection, Self::NAME, &sql, |row| kline(row, self.kind, self.interval))
    }
}

/// Candles for a chart.
pub(crate) struct Candles {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) as_of: UnixMs,
    pub(crate) limit: NonZeroUsize,
}

impl Command for Candles {
    type Answer = Vec<Kline>;
    const NAME: &'static str = "candles";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let key = of(&self.instrument);
        let finest = format!("SELECT min(interval_ms) FROM klines WHERE {key} AND kind = 'last'");
        let base = read_first(&database.connection, &finest, |row| row.maybe(0))?.flatten();
        let Some(base_ms) = base.filter(|ms| self.interval.ms() % ms == 0) else {
            return Ok(Vec::new());
        };
        // A sum over only a part of the bars would pass for the whole, so it is NULL when any part is. Sums are
        // HUGEINT, which volumes that are stored cannot exceed; a number of trades beyond 64 bits is unknown.
        let whole_sum =
            |column: &str, sum: &str| format!("CASE WHEN count({column}) = count(*) THEN {sum} END");
        let sql = format!(
            "SELECT * FROM (
                 SELECT open_time - open_time % {interval} AS candle, arg_min(open, open_time), max(high), min(low),
                     arg_max(close, open_time), {volume}, {taker}, {trades}
                 FROM klines
                 WHERE {key} AND kind = 'last' AND interval_ms = {base_ms} AND open_time <= {last_open}
                 GROUP BY candle ORDER BY candle DESC LIMIT {limit}
             ) ORDER BY candle",
            interval = self.interval.ms(),
            volume = whole_sum("volume", "sum(volume)"),
            taker = whole_sum("taker_buy_volume", "sum(taker_buy_volume)"),
            trades = whole_sum("trades", "TRY_CAST(sum(trades) AS BIGINT)"),
            last_open = self.as_of.plus(-base_ms).0,
            limit = self.limit.get().min(QUERY_ROWS_MAX),
        );
        read(&database.connection, Self::NAME, &sql, |row| kline(row, KlineKind::Last, self.interval))
    }
}

fn kline(row: &Row<'_>, kind: KlineKind, interval: Interval) -> Result<Kline, CommandError> {
    Ok(Kline {
        kind,
        interval,
        open_time: row.time(0)?,
        open: row.price(1)?,
        high: row.price(2)?,
        low: row.price(3)?,
        close: row.price(4)?,
        volume: row.maybe_qty(5)?,
        taker_buy_volume: row.maybe_qty(6)?,
        trades: row.maybe(7)?,
    })
}
