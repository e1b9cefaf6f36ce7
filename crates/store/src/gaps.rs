//! How far an instrument's data goes without a gap: where fetching continues after a restart.
//!
//! A process that was killed while the past was being fetched leaves new rows behind a gap. Continuing from the newest
//! row of all would never fill it. What counts is the last row before the first gap. Only what can still be fetched is
//! considered, so that permanent gaps (an exchange that was down) are requested again only while they are recent.

use liqheat_market::{Instrument, Interval, UnixMs};

use crate::catalog::Reach;
use crate::command::{Command, Database};
use crate::error::CommandError;
use crate::rows::{of, read_first};

/// What can be fetched, and so should have no gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetchable {
    /// Klines since then, of both kinds, and funding.
    pub klines: UnixMs,
    /// Samples of open interest since then.
    pub open_interest: UnixMs,
    /// Number of the newest trades, where ids are consecutive.
    pub trades: Option<u64>,
}

/// How far an instrument's data goes without a gap.
pub(crate) struct UnbrokenReach {
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
    pub(crate) fetchable: Fetchable,
}

impl Command for UnbrokenReach {
    type Answer = Reach;
    const NAME: &'static str = "reach without gaps";
    const IS_READ: bool = true;

    fn run(self, database: &Database) -> Result<Reach, CommandError> {
        /// The history of open interest comes in steps of five minutes, stamped up to as much later.
        const OPEN_INTEREST_STEP_MS: i64 = 10 * 60_000;
        /// Funding is charged every eight hours at the seldomest, and a little late.
        const FUNDING_STEP_MS: i64 = 8 * 3_600_000 + 30 * 60_000;
        let Self { instrument, interval, fetchable } = self;
        let key = of(&instrument);
        let reach = |table: &str, column: &str, more: &str, since: UnixMs, step: i64| {
            let rows = format!("{table} WHERE {key}{more}");
            whole_until(database, &rows, column, since, step)
        };
        let kline = |kind: &str| {
            let more = format!(" AND kind = '{kind}' AND interval_ms = {}", interval.ms());
            reach("klines", "open_time", &more, fetchable.klines, interval.ms())
        };
        let newest = |table: &str| {
            let sql = format!("SELECT max(time) FROM {table} WHERE {key}");
            Ok::<_, CommandError>(
                read_first(&database.connection, &sql, |row| row.maybe(0))?.flatten().map(UnixMs),
            )
        };
        Ok(Reach {
            kline: kline("last")?,
            mark_kline: kline("mark")?,
            trade: newest_whole_trade(database, &key, fetchable.trades)?,
            mark_price: newest("mark_prices")?,
            open_interest: reach(
                "open_interest",
                "time",
                "",
                fetchable.open_interest,
                OPEN_INTEREST_STEP_MS,
            )?,
            funding: reach("funding", "time", "", fetchable.klines, FUNDING_STEP_MS)?,
            liquidation: newest("liquidations")?,
        })
    }
}

/// The last row before the first two that are further apart than `step`; of rows since a moment, and the newest one
/// before it.
fn whole_until(
    database: &Database,
    rows: &str,
    column: &str,
    since: UnixMs,
    step: i64,
) -> Result<Option<UnixMs>, CommandError> {
    let since = since.0;
    // Something stands for what is older: the newest of it if it is near, else the moment itself, as if something were
    // there. From it to the first row is a step like any other.
    let sql = format!(
        "WITH older AS (SELECT max({column}) AS newest FROM {rows} AND {column} < {since}),
              known AS (
                  SELECT {column} AS moment, true AS is_row FROM {rows} AND {column} >= {since}
                  UNION ALL
                  SELECT CASE WHEN newest >= {since} - {step} THEN newest ELSE {since} END, false FROM older
              ),
              steps AS (
                  SELECT moment, is_row, lead(moment) OVER (ORDER BY moment, is_row) AS next FROM known
              )
         SELECT CASE WHEN is_row THEN moment ELSE (SELECT newest FROM older) END
         FROM steps WHERE next IS NULL OR next - moment > {step} ORDER BY moment, is_row"
    );
    Ok(read_first(&database.connection, &sql, |row| row.maybe(0))?.flatten().map(UnixMs))
}

fn newest_whole_trade(
    database: &Database,
    key: &str,
    newest: Option<u64>,
) -> Result<Option<(i64, UnixMs)>, CommandError> {
    let sql = match newest {
        None => format!("SELECT id, time FROM trades WHERE {key} ORDER BY id DESC"),
        Some(newest) => format!(
            "WITH known AS (
                 SELECT id, time, lead(id) OVER (ORDER BY id) AS next FROM trades
                 WHERE {key} AND id > (SELECT max(id) - {newest} FROM trades WHERE {key})
             )
             SELECT id, time FROM known WHERE next IS NULL OR next > id + 1 ORDER BY id"
        ),
    };
    read_first(&database.connection, &sql, |row| Ok((row.whole(0)?, row.time(1)?)))
}
