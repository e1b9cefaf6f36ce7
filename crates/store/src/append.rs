//! Storing a batch: whole or not at all, each row once.
//!
//! 1. Rows of one kind are sorted by their key, and doubles inside the batch go. Of different rows under one key
//!    the one with more known wins, whatever the order in which they came.
//! 2. Where the table has no row yet between the smallest and the largest key, which is so when files are loaded
//!    one after the other, the rows are appended to it as Arrow columns.
//! 3. Where it has some, they are appended to a temporary table first, those whose key is stored already are
//!    deleted from that, and the rest is inserted: what was stored first stays.
//! 4. Checkpoints that have seen a time with new rows are deleted.
//!
//! All of it is one transaction. The appender reports its errors only when it is flushed (dropped unflushed it
//! hides them), so it is flushed and the result checked. Rows arrive sorted in the table, so later reads of a
//! stretch of time skip the other parts of the file.

use std::cmp::Reverse;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use liqheat_market::{
    Funding, Instrument, Kline, Liquidation, MarkPrice, OpenInterest, Taker, Trade, UnixMs,
};

use crate::batch::Batch;
use crate::columns::{Columns, ConstantColumn};
use crate::command::{Command, Database};
use crate::dirty::DirtyRange;
use crate::error::CommandError;
use crate::rows::{kind_name, of, price_kind_name};
use crate::{BATCH_ROWS_MAX, StoreError};

/// Result of storing a batch, rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendResult {
    /// Rows that are new.
    pub inserted: u64,
    /// Rows whose key was stored already, or came twice in the batch.
    pub already_there: u64,
    /// Checkpoints deleted because new rows belong to a time they cover.
    pub checkpoints_dropped: u64,
    /// The earliest of the new rows that a ledger is made of.
    pub dirty: DirtyRange,
}

/// Stores a batch.
pub(crate) struct Append {
    pub(crate) instrument: Instrument,
    pub(crate) batch: Batch,
}

impl Command for Append {
    type Answer = AppendResult;
    const NAME: &'static str = "append";

    fn run(self, database: &Database) -> Result<AppendResult, CommandError> {
        let rows = self.batch.len();
        if rows == 0 {
            return Ok(AppendResult::default());
        }
        if rows > BATCH_ROWS_MAX {
            return Err(StoreError::BatchTooLarge { rows, limit: BATCH_ROWS_MAX }.into());
        }
        let transaction = database.connection.unchecked_transaction()?;
        let mut appended = AppendResult::default();
        for mut piece in pieces(&self.instrument, self.batch) {
            let stale = std::mem::replace(&mut piece.stale, Invalidation::None);
            let new = insert_new(&transaction, piece)?;
            appended.inserted += new.rows;
            if let Some(earliest) = new.earliest {
                appended.dirty = appended.dirty.and(stale.dirty(earliest));
            }
            if let Some(stale) = new.earliest.and_then(|time| stale.checkpoints(time)) {
                let sql = format!("DELETE FROM checkpoints WHERE {} AND {stale}", of(&self.instrument));
                appended.checkpoints_dropped += transaction.execute(&sql, [])? as u64;
            }
        }
        transaction.commit()?;
        appended.already_there = rows as u64 - appended.inserted;
        database.tally.appended(appended.inserted, appended.already_there);
        Ok(appended)
    }
}

/// Rows for one table that share the leading columns.
struct Piece {
    table: &'static str,
    /// The leading columns: venue and symbol, for klines also kind and interval.
    shared: Vec<(&'static str, ConstantColumn)>,
    /// The other columns, in the table's order.
    columns: Columns,
    /// Which of them make the key, the first of which all stored rows are bounded by.
    key: &'static [&'static str],
    /// Smallest and largest value of the first key column.
    bounds: (i64, i64),
    /// The column with each row's time.
    time: &'static str,
    stale: Invalidation,
}

/// Which checkpoints no longer equal a replay once there are new rows from some time on. The model reads klines,
/// open interest and (for volume at price) trades; the rest does not concern it.
enum Invalidation {
    /// Klines of this interval: those that contain the earliest bar.
    Bars { interval_ms: i64 },
    /// Trades: those that end after the earliest trade.
    Trades,
    /// Samples of open interest count for a bar until a tenth of its length after its close.
    Samples,
    /// None.
    None,
}

impl Invalidation {
    /// The condition on `checkpoints`, given the smallest time among the new rows.
    fn checkpoints(&self, earliest: i64) -> Option<String> {
        match self {
            Self::Bars { interval_ms } => Some(format!(
                "interval_ms = {interval_ms} AND time >= {}",
                earliest.saturating_add(*interval_ms)
            )),
            Self::Trades => Some(format!("time > {earliest}")),
            Self::Samples => Some(format!("time >= {earliest} - interval_ms // 10")),
            Self::None => None,
        }
    }

    /// The same for a ledger that is at work.
    fn dirty(&self, earliest: i64) -> DirtyRange {
        let earliest = Some(UnixMs(earliest));
        match self {
            Self::Bars { .. } => DirtyRange { klines: earliest, ..DirtyRange::default() },
            Self::Trades => DirtyRange { trades: earliest, ..DirtyRange::default() },
            Self::Samples => DirtyRange { open_interest: earliest, ..DirtyRange::default() },
            Self::None => DirtyRange::default(),
        }
    }
}

/// The rows of a piece that were not stored before: their number and the smallest time.
struct NewRows {
    rows: u64,
    earliest: Option<i64>,
}

fn insert_new(connection: &Connection, piece: Piece) -> Result<NewRows, CommandError> {
    let Piece { table, shared, columns, key, bounds: (low, high), time, .. } = piece;
    let by = key.first().copied().unwrap_or(time);
    let shared_by: Vec<String> =
        shared.iter().map(|(column, value)| format!("old.{column} = {}", value.sql())).collect();
    let stretch = format!(
        "FROM {table} AS old WHERE {} AND old.{by} BETWEEN {low} AND {high}",
        shared_by.join(" AND ")
    );

    let occupied: bool = connection.query_row(&format!("SELECT EXISTS ({stretch})"), [], |row| row.get(0))?;
    if !occupied {
        let new = NewRows { rows: columns.rows() as u64, earliest: columns.smallest(time) };
        append(connection, table, columns.after(shared).build()?)?;
        return Ok(new);
    }

    let rows = columns.rows();
    connection.execute_batch(&format!("CREATE OR REPLACE TEMP TABLE stage ({})", columns.declarations()))?;
    append(connection, "stage", columns.build()?)?;
    let same_key: Vec<String> = key.iter().map(|column| format!("old.{column} = stage.{column}")).collect();
    let known_rows = format!("DELETE FROM stage WHERE EXISTS ({stretch} AND {})", same_key.join(" AND "));
    let known = connection.execute(&known_rows, [])?;
    let mut new = NewRows { rows: rows.saturating_sub(known) as u64, earliest: None };
    if new.rows > 0 {
        let smallest = format!("SELECT min({time}) FROM stage");
        new.earliest = connection.query_row(&smallest, [], |row| row.get(0))?;
        let values: Vec<String> = shared.iter().map(|(_, value)| value.sql()).collect();
        connection.execute(&format!("INSERT INTO {table} SELECT {}, * FROM stage", values.join(", ")), [])?;
    }
    // Dropped and not emptied: the room of deleted rows would not come back otherwise.
    connection.execute_batch("DROP TABLE stage")?;
    Ok(new)
}

fn append(connection: &Connection, table: &str, rows: RecordBatch) -> Result<(), CommandError> {
    let mut appender = connection.appender(table)?;
    appender.append_record_batch(rows)?;
    Ok(appender.flush()?)
}

/// Cuts a batch into pieces, each sorted and without doubles.
fn pieces(instrument: &Instrument, batch: Batch) -> Vec<Piece> {
    let mut pieces = klines(instrument, batch.klines);
    pieces.extend(trades(instrument, batch.trades));
    pieces.extend(mark_prices(instrument, batch.mark_prices));
    pieces.extend(open_interest(instrument, batch.open_interest));
    pieces.extend(funding(instrument, batch.funding));
    pieces.extend(liquidations(instrument, batch.liquidations));
    pieces
}

fn klines(instrument: &Instrument, mut rows: Vec<Kline>) -> Vec<Piece> {
    // `None` sorts below every number, so reversed a row with a known volume comes first.
    let rank = |row: &Kline| {
        Reverse((row.volume, row.taker_buy_volume, row.trades, row.open, row.high, row.low, row.close))
    };
    once_each(&mut rows, |row| (row.kind, row.interval, row.open_time), rank);
    let mut pieces = Vec::new();
    for rows in rows.chunk_by(|a, b| (a.kind, a.interval) == (b.kind, b.interval)) {
        let Some((first, bounds)) = ends(rows, |row| row.open_time.0) else { continue };
        let interval_ms = first.interval.ms();
        let mut shared = of_instrument(instrument);
        shared.push(("kind", ConstantColumn::Name(kind_name(first.kind).to_owned())));
        shared.push(("interval_ms", ConstantColumn::Whole(interval_ms)));
        let columns = Columns::default()
            .whole("open_time", rows, |row| row.open_time.0)
            .whole("open", rows, |row| row.open.units())
            .whole("high", rows, |row| row.high.units())
            .whole("low", rows, |row| row.low.units())
            .whole("close", rows, |row| row.close.units())
            .maybe_qty("volume", rows, |row| row.volume)
            .maybe_qty("taker_buy_volume", rows, |row| row.taker_buy_volume)
            .maybe("trades", rows, |row| row.trades);
        let key = &["open_time"];
        let stale = Invalidation::Bars { interval_ms };
        pieces.push(Piece { table: "klines", shared, columns, key, bounds, time: "open_time", stale });
    }
    pieces
}

fn trades(instrument: &Instrument, mut rows: Vec<Trade>) -> Option<Piece> {
    let bought = |row: &Trade| row.taker == Taker::Buy;
    once_each(&mut rows, |row| row.id, |row| (row.time, row.price, row.qty, bought(row)));
    let (_, bounds) = ends(&rows, |row| row.id)?;
    let columns = Columns::default()
        .whole("id", &rows, |row| row.id)
        .whole("time", &rows, |row| row.time.0)
        .whole("price", &rows, |row| row.price.units())
        .qty("qty", &rows, |row| row.qty)
        .flag("taker_bought", &rows, bought);
    let shared = of_instrument(instrument);
    Some(Piece {
        table: "trades",
        shared,
        columns,
        key: &["id"],
        bounds,
        time: "time",
        stale: Invalidation::Trades,
    })
}

fn mark_prices(instrument: &Instrument, mut rows: Vec<MarkPrice>) -> Option<Piece> {
    once_each(&mut rows, |row| row.time, |row| row.price);
    let columns = Columns::default().whole("price", &rows, |row| row.price.units());
    by_time("mark_prices", instrument, &rows, |row| row.time, columns, Invalidation::None)
}

fn open_interest(instrument: &Instrument, mut rows: Vec<OpenInterest>) -> Option<Piece> {
    once_each(&mut rows, |row| row.time, |row| row.qty);
    let columns = Columns::default().qty("qty", &rows, |row| row.qty);
    by_time("open_interest", instrument, &rows, |row| row.time, columns, Invalidation::Samples)
}

fn funding(instrument: &Instrument, mut rows: Vec<Funding>) -> Option<Piece> {
    once_each(&mut rows, |row| row.time, |row| Reverse((row.interval_hours, row.rate)));
    let columns = Columns::default().whole("rate", &rows, |row| row.rate.units()).maybe(
        "interval_hours",
        &rows,
        |row| row.interval_hours,
    );
    by_time("funding", instrument, &rows, |row| row.time, columns, Invalidation::None)
}

fn liquidations(instrument: &Instrument, mut rows: Vec<Liquidation>) -> Option<Piece> {
    let rank = |row: &Liquidation| price_kind_name(row.price_kind);
    once_each(&mut rows, |row| (row.time, row.side, row.price, row.qty), rank);
    let columns = Columns::default()
        .text("side", &rows, |row| row.side.name())
        .whole("price", &rows, |row| row.price.units())
        .qty("qty", &rows, |row| row.qty)
        .text("price_kind", &rows, |row| price_kind_name(row.price_kind));
    let piece = by_time("liquidations", instrument, &rows, |row| row.time, columns, Invalidation::None)?;
    Some(Piece { key: &["time", "side", "price", "qty"], ..piece })
}

/// A piece of a table whose key begins with, and mostly is, the time.
fn by_time<T>(
    table: &'static str,
    instrument: &Instrument,
    rows: &[T],
    time: impl Fn(&T) -> UnixMs,
    columns: Columns,
    stale: Invalidation,
) -> Option<Piece> {
    let (_, bounds) = ends(rows, |row| time(row).0)?;
    let columns = Columns::default().whole("time", rows, |row| time(row).0).and(columns);
    Some(Piece {
        table,
        shared: of_instrument(instrument),
        columns,
        key: &["time"],
        bounds,
        time: "time",
        stale,
    })
}

fn of_instrument(instrument: &Instrument) -> Vec<(&'static str, ConstantColumn)> {
    let name = |text: &str| ConstantColumn::Name(text.to_owned());
    vec![("venue", name(instrument.venue.name())), ("symbol", name(instrument.symbol.as_str()))]
}

/// Sorts rows by key and keeps one of each, the first by rank. Rows that are so already, as those of most files
/// are, are only looked at.
fn once_each<T, K: Ord, R: Ord>(rows: &mut Vec<T>, key: impl Fn(&T) -> K, rank: impl Fn(&T) -> R) {
    if rows.is_sorted_by(|a, b| key(a) < key(b)) {
        return;
    }
    rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then_with(|| rank(a).cmp(&rank(b))));
    rows.dedup_by_key(|row| key(row));
}

/// The first row and the first and last value of the column that rows are sorted by; `None` without rows.
fn ends<T>(rows: &[T], value: impl Fn(&T) -> i64) -> Option<(&T, (i64, i64))> {
    let (first, last) = (rows.first()?, rows.last()?);
    Some((first, (value(first), value(last))))
}
