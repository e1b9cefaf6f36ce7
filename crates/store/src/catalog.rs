//! What is stored: the instruments with their spans, and how far the data of one goes.

use liqheat_market::{Instrument, Interval, Symbol, UnixMs, Venue};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{bad_row, of, read, read_first};

/// An instrument and the span of its finest klines of trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentSpan {
    /// Which.
    pub instrument: Instrument,
    /// The finest interval stored: the length of its bars.
    pub interval: Interval,
    /// When the first bar opened.
    pub first: UnixMs,
    /// When the last bar closed.
    pub last: UnixMs,
    /// How many bars there are.
    pub bars: u64,
}

/// All instruments.
pub(crate) struct Instruments;

impl Command for Instruments {
    type Answer = Vec<InstrumentSpan>;
    const NAME: &'static str = "instruments";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = "SELECT venue, symbol, interval_ms, min(open_time), max(open_time), count(*) FROM klines
                   WHERE kind = 'last' GROUP BY venue, symbol, interval_ms ORDER BY symbol, venue, interval_ms";
        let mut spans = read(&database.connection, Self::NAME, sql, |row| {
            let (venue, symbol) = (row.text(0)?, row.text(1)?);
            let venue = Venue::from_name(venue).map_err(|_| bad_row("klines", venue, "venue"))?;
            let symbol = Symbol::new(symbol).map_err(|_| bad_row("klines", symbol, "symbol"))?;
            let interval = row.interval(2, "klines")?;
            Ok(InstrumentSpan {
                instrument: Instrument::new(venue, symbol),
                interval,
                first: row.time(3)?,
                last: row.time(4)?.plus(interval.ms()),
                bars: row.whole(5)?.unsigned_abs(),
            })
        })?;
        // The finest of each comes first.
        spans.dedup_by(|coarser, finest| coarser.instrument == finest.instrument);
        Ok(spans)
    }
}

/// When an instrument's first bar of a length opened.
pub(crate) struct FirstBar {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
}

impl Command for FirstBar {
    type Answer = Option<UnixMs>;
    const NAME: &'static str = "first bar";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT min(open_time) FROM klines WHERE {} AND kind = 'last' AND interval_ms = {}",
            of(&self.instrument),
            self.interval.ms(),
        );
        Ok(read_first(&database.connection, &sql, |row| row.maybe(0))?.flatten().map(UnixMs))
    }
}

/// How far each kind of an instrument's data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// Opening time of the newest kline of trades.
    pub kline: Option<UnixMs>,
    /// Opening time of the newest kline of the mark price.
    pub mark_kline: Option<UnixMs>,
    /// The newest trade: its id and time.
    pub trade: Option<(i64, UnixMs)>,
    /// Time of the newest tick of the mark price.
    pub mark_price: Option<UnixMs>,
    /// Time of the newest sample of open interest.
    pub open_interest: Option<UnixMs>,
    /// Time of the newest funding payment.
    pub funding: Option<UnixMs>,
    /// Time of the newest realised liquidation.
    pub liquidation: Option<UnixMs>,
}

/// How far an instrument's data goes, kind by kind.
pub(crate) struct ReachOf {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
}

impl Command for ReachOf {
    type Answer = Reach;
    const NAME: &'static str = "reach";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Reach, CommandError> {
        let key = of(&self.instrument);
        let newest = |sql: String| -> Result<Option<UnixMs>, CommandError> {
            Ok(read_first(&database.connection, &sql, |row| row.maybe(0))?.flatten().map(UnixMs))
        };
        let kline = |kind: &str| {
            newest(format!(
                "SELECT max(open_time) FROM klines WHERE {key} AND kind = '{kind}' AND interval_ms = {}",
                self.interval.ms(),
            ))
        };
        let point = |table: &str| newest(format!("SELECT max(time) FROM {table} WHERE {key}"));
        let trade = format!("SELECT id, time FROM trades WHERE {key} ORDER BY id DESC");
        Ok(Reach {
            kline: kline("last")?,
            mark_kline: kline("mark")?,
            trade: read_first(&database.connection, &trade, |row| Ok((row.whole(0)?, row.time(1)?)))?,
            mark_price: point("mark_prices")?,
            open_interest: point("open_interest")?,
            funding: point("funding")?,
            liquidation: point("liquidations")?,
        })
    }
}

/// How far an instrument's data goes.
pub(crate) struct NewestTime {
    pub(crate) instrument: Instrument,
    pub(crate) as_of: UnixMs,
}

impl Command for NewestTime {
    type Answer = Option<UnixMs>;
    const NAME: &'static str = "newest";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        const POINTS: [&str; 5] = ["trades", "mark_prices", "open_interest", "funding", "liquidations"];
        let key = of(&self.instrument);
        let as_of = self.as_of.0;
        let mut parts = vec![format!(
            "SELECT max(open_time + interval_ms) AS known_at FROM klines
             WHERE {key} AND open_time <= {as_of} AND open_time + interval_ms <= {as_of}"
        )];
        parts.extend(POINTS.map(|table| {
            format!("SELECT max(time) AS known_at FROM {table} WHERE {key} AND time <= {as_of}")
        }));
        let sql = format!("SELECT max(known_at) FROM ({})", parts.join(" UNION ALL "));
        let newest = read_first(&database.connection, &sql, |row| row.maybe(0))?;
        Ok(newest.flatten().map(UnixMs))
    }
}
