//! Layers of measured positions at moments of the past: levels by price and how much of the market they are. Whose they
//! are is not stored.

use std::fmt::Write as _;

use duckdb::params;
use liqheat_market::convert::{signed_len, unsigned_len};
use liqheat_market::{Instrument, Price, UnixMs};

use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{Row, of, read, read_first};

const TABLE: &str = "measured_layers";
/// The parts of a level, in the order of [`level_of`].
const LEVEL: &str = "STRUCT(price BIGINT, long_usd BIGINT, short_usd BIGINT, long_accounts BIGINT, short_accounts BIGINT, age_s BIGINT)";
const COLUMNS: &str = "time, mark, bin, addresses, late,
    long_usd, long_accounts, long_coverage, long_without_level, long_older_5m, long_older_60m,
    short_usd, short_accounts, short_coverage, short_without_level, short_older_5m, short_older_60m, levels";

/// What was measured of an instrument at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredLayer {
    /// The moment that it stands for.
    pub time: UnixMs,
    /// Mark price.
    pub mark: Price,
    /// Height of a level.
    pub bin: Price,
    /// Addresses that were known at the venue.
    pub addresses: usize,
    /// Accounts whose look was due.
    pub late: usize,
    /// All longs.
    pub long: StoredLayerSide,
    /// All shorts.
    pub short: StoredLayerSide,
    /// Levels with positions, ascending in price.
    pub levels: Vec<StoredLayerLevel>,
}

/// Measured positions of one side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StoredLayerSide {
    /// Whole USD at the mark price.
    pub usd: u64,
    /// Accounts with a position.
    pub accounts: usize,
    /// Size over the side's open interest; `None` where that was unknown.
    pub coverage: Option<f64>,
    /// Share of the size that no price liquidates.
    pub share_without_level: f64,
    /// Share of the size that had been looked at more than 5 minutes before.
    pub share_older_than_5m: f64,
    /// Share of the size that had been looked at more than 60 minutes before.
    pub share_older_than_60m: f64,
}

/// Positions that would have been liquidated within one bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredLayerLevel {
    /// Lower edge of the bin.
    pub price: Price,
    /// Whole USD of longs.
    pub long_usd: u64,
    /// Whole USD of shorts.
    pub short_usd: u64,
    /// Accounts of longs.
    pub long_accounts: usize,
    /// Accounts of shorts.
    pub short_accounts: usize,
    /// Seconds since the oldest look at one of them.
    pub age_s: u64,
}

/// How far the stored layers of an instrument go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerReach {
    /// The moment of the first one.
    pub first: UnixMs,
    /// The moment of the last one.
    pub last: UnixMs,
    /// Height of a level in the last one.
    pub bin: Price,
    /// Mark price in the last one.
    pub mark: Price,
    /// Lowest and highest mark price within the time that was asked about; `None` without a layer in it.
    pub marks: Option<(Price, Price)>,
}

/// Keeps a layer, replacing one of the same moment.
pub(crate) struct PutLayer {
    pub(crate) instrument: Instrument,
    pub(crate) layer: StoredLayer,
}

impl Command for PutLayer {
    type Answer = ();
    const NAME: &'static str = "put measured layer";

    fn run(self, database: &Database) -> Result<(), CommandError> {
        let Self { instrument, layer } = self;
        let (long, short) = (&layer.long, &layer.short);
        let transaction = database.connection.unchecked_transaction()?;
        transaction.execute(
            &format!("DELETE FROM {TABLE} WHERE {} AND time = ?", of(&instrument)),
            [layer.time.0],
        )?;
        transaction.execute(
            &format!(
                "INSERT INTO {TABLE} VALUES
                 (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS {LEVEL}[]))"
            ),
            params![
                instrument.venue.name(),
                instrument.symbol.as_str(),
                layer.time.0,
                layer.mark.units(),
                layer.bin.units(),
                signed_len(layer.addresses),
                signed_len(layer.late),
                clipped(long.usd),
                signed_len(long.accounts),
                long.coverage,
                long.share_without_level,
                long.share_older_than_5m,
                long.share_older_than_60m,
                clipped(short.usd),
                signed_len(short.accounts),
                short.coverage,
                short.share_without_level,
                short.share_older_than_5m,
                short.share_older_than_60m,
                text_of(&layer.levels),
            ],
        )?;
        Ok(transaction.commit()?)
    }
}

/// DuckDB reads a list of thousands out of one text faster than it plans a statement of as many numbers.
fn text_of(levels: &[StoredLayerLevel]) -> String {
    let mut text = String::from("[");
    for (index, level) in levels.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "{comma}{{'price':{},'long_usd':{},'short_usd':{},'long_accounts':{},'short_accounts':{},'age_s':{}}}",
            level.price.units(),
            clipped(level.long_usd),
            clipped(level.short_usd),
            level.long_accounts,
            level.short_accounts,
            clipped(level.age_s),
        );
    }
    text.push(']');
    text
}

fn clipped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The newest layer of a stretch of time, `from` exclusive, `to` inclusive.
pub(crate) struct LatestLayer {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for LatestLayer {
    type Answer = Option<StoredLayer>;
    const NAME: &'static str = "latest measured layer";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLE} WHERE {} AND time > {} AND time <= {} ORDER BY time DESC",
            of(&self.instrument),
            self.from.0,
            self.to.0
        );
        read_first(&database.connection, &sql, layer_of)
    }
}

/// The last layer of every `every_ms` counted from `from`, which is exclusive; `to` is inclusive. Oldest first.
pub(crate) struct Layers {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
    pub(crate) every_ms: i64,
}

impl Command for Layers {
    type Answer = Vec<StoredLayer>;
    const NAME: &'static str = "measured layers";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let (from, to, every) = (self.from.0, self.to.0, self.every_ms.max(1));
        let within = format!("{} AND time > {from} AND time <= {to}", of(&self.instrument));
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLE} WHERE {within}
             AND time IN (SELECT max(time) FROM {TABLE} WHERE {within} GROUP BY (time - 1 - ({from})) // {every})
             ORDER BY time"
        );
        read(&database.connection, Self::NAME, &sql, layer_of)
    }
}

/// How far the stored layers go, and the marks within a time.
pub(crate) struct LayerReachOf {
    pub(crate) instrument: Instrument,
    pub(crate) from: UnixMs,
    pub(crate) to: UnixMs,
}

impl Command for LayerReachOf {
    type Answer = Option<LayerReach>;
    const NAME: &'static str = "reach of measured layers";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Self::Answer, CommandError> {
        let within = format!("FILTER (time > {} AND time <= {})", self.from.0, self.to.0);
        let sql = format!(
            "SELECT min(time), max(time), arg_max(bin, time), arg_max(mark, time), min(mark) {within}, max(mark) {within}
             FROM {TABLE} WHERE {}",
            of(&self.instrument)
        );
        let found = read_first(&database.connection, &sql, |row| {
            let price = |column| row.maybe(column).map(|units| units.map(Price::from_units));
            // All are NULL without a layer.
            let times = row.maybe(0)?.zip(row.maybe(1)?).map(|(first, last)| (UnixMs(first), UnixMs(last)));
            let newest = price(2)?.zip(price(3)?);
            let marks = price(4)?.zip(price(5)?);
            let reach = |((first, last), (bin, mark))| LayerReach { first, last, bin, mark, marks };
            Ok(times.zip(newest).map(reach))
        })?;
        Ok(found.flatten())
    }
}

fn layer_of(row: &Row<'_>) -> Result<StoredLayer, CommandError> {
    let side = |first: usize| -> Result<StoredLayerSide, CommandError> {
        Ok(StoredLayerSide {
            usd: row.whole(first)?.max(0).unsigned_abs(),
            accounts: unsigned_len(row.whole(first + 1)?),
            coverage: row.maybe_real(first + 2)?,
            share_without_level: row.maybe_real(first + 3)?.unwrap_or_default(),
            share_older_than_5m: row.maybe_real(first + 4)?.unwrap_or_default(),
            share_older_than_60m: row.maybe_real(first + 5)?.unwrap_or_default(),
        })
    };
    Ok(StoredLayer {
        time: row.time(0)?,
        mark: row.price(1)?,
        bin: row.price(2)?,
        addresses: unsigned_len(row.whole(3)?),
        late: unsigned_len(row.whole(4)?),
        long: side(5)?,
        short: side(11)?,
        levels: row.structs(17, level_of)?,
    })
}

fn level_of(
    [price, long_usd, short_usd, long_accounts, short_accounts, age_s]: [i64; 6],
) -> StoredLayerLevel {
    StoredLayerLevel {
        price: Price::from_units(price),
        long_usd: long_usd.max(0).unsigned_abs(),
        short_usd: short_usd.max(0).unsigned_abs(),
        long_accounts: unsigned_len(long_accounts),
        short_accounts: unsigned_len(short_accounts),
        age_s: age_s.max(0).unsigned_abs(),
    }
}
