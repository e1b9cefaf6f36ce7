//! Reading realised liquidations: each, summed by interval, and summed in all.

use std::num::NonZeroUsize;

use liqheat_market::{Instrument, Interval, Liquidation, UnixMs};

use crate::QUERY_ROWS_MAX;
use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{Row, of, read, read_first};

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
