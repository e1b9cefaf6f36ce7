//! Storing a batch: whole or not at all, each row once.
//!
//! 1. Rows of one kind are sorted by their key, and doubles inside the batch go. Of different rows under one key
//!    the one with more known wins, whatever the order in which they came.
//! 2. They are appended as Arrow columns to a temporary table. The appender reports its errors only when it is
//!    flushed (dropped unflushed it hides them), so it is flushed and the result checked.
//! 3. Rows whose key is stored already are deleted from the temporary table, looking only at the stretch of the
//!    table that the batch touches: what was stored first stays.
//! 4. The rest is inserted, and checkpoints that have seen a time with new rows are deleted.
//!
//! All of it is one transaction. Rows arrive sorted in the table, so later reads of a stretch of time skip the
//! other parts of the file.

use std::cmp::Reverse;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::datatypes::{DataType, Field, Schema};
use liqheat_market::{Funding, Instrument, Kline, Liquidation, MarkPrice, OpenInterest, Qty, Taker, Trade};

use crate::batch::Batch;
use crate::error::Fault;
use crate::owner::{Command, Database};
use crate::rows::{kind_name, of, price_kind_name};
use crate::{BATCH_ROWS_MAX, StoreError};

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Rows that are new.
    pub inserted: u64,
    /// Rows whose key was stored already, or came twice in the batch.
    pub already_there: u64,
    /// Checkpoints deleted because new rows belong to a time they cover.
    pub checkpoints_dropped: u64,
}

/// Stores a batch.
pub(crate) struct Append {
    pub(crate) instrument: Instrument,
    pub(crate) batch: Batch,
}

impl Command for Append {
    type Answer = Appended;
    const NAME: &'static str = "append";

    fn run(self, database: &Database) -> Result<Appended, Fault> {
        let rows = self.batch.len();
        if rows == 0 {
            return Ok(Appended::default());
        }
        if rows > BATCH_ROWS_MAX {
            return Err(StoreError::BatchTooLarge { rows, limit: BATCH_ROWS_MAX }.into());
        }
        let transaction = database.connection.unchecked_transaction()?;
        let mut appended = Appended::default();
        for piece in pieces(&self.instrument, self.batch)? {
            let new = insert_new(&transaction, &piece)?;
            appended.inserted += new.rows;
            if let Some(stale) = new.earliest.and_then(|time| piece.stale.checkpoints(time)) {
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
    /// The leading columns: `venue = '..' AND symbol = '..'`, and for klines kind and interval.
    shared: String,
    /// Their values, for the SELECT list.
    shared_values: String,
    /// The other columns, in the table's order.
    columns: RecordBatch,
    /// Which of them make the key, the first of which all stored rows are bounded by.
    key: &'static [&'static str],
    /// Smallest and largest value of the first key column.
    bounds: (i64, i64),
    /// The column with each row's time.
    time: &'static str,
    stale: Stale,
}

/// Which checkpoints no longer equal a replay once there are new rows from some time on. The model reads klines,
/// open interest and (for volume at price) trades; the rest does not concern it.
enum Stale {
    /// Klines of this interval: those that contain the earliest bar.
    Bars { interval_ms: i64 },
    /// Trades: those that end after the earliest trade.
    Trades,
    /// Samples of open interest count for a bar until a tenth of its length after its close.
    Samples,
    /// None.
    None,
}

impl Stale {
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
}

struct New {
    rows: u64,
    earliest: Option<i64>,
}

fn insert_new(connection: &Connection, piece: &Piece) -> Result<New, Fault> {
    let Piece { table, shared, shared_values, columns, key, bounds: (low, high), time, .. } = piece;
    connection.execute_batch(&create_stage(columns))?;
    let mut appender = connection.appender_to_catalog_and_db("stage", "temp", "main")?;
    appender.append_record_batch(columns.clone())?;
    appender.flush()?;
    drop(appender);

    let bounded_by = key.first().copied().unwrap_or(time);
    let same_key: Vec<String> = key.iter().map(|column| format!("old.{column} = stage.{column}")).collect();
    let known = connection.execute(
        &format!(
            "DELETE FROM stage WHERE EXISTS (
                 FROM {table} AS old WHERE {shared} AND old.{bounded_by} BETWEEN {low} AND {high} AND {same_key})",
            same_key = same_key.join(" AND "),
        ),
        [],
    )?;
    let rows = (columns.num_rows() - known) as u64;
    let mut earliest = None;
    if rows > 0 {
        earliest = connection.query_row(&format!("SELECT min({time}) FROM stage"), [], |row| row.get(0))?;
        connection.execute(&format!("INSERT INTO {table} SELECT {shared_values}, * FROM stage"), [])?;
    }
    connection.execute_batch("DROP TABLE stage")?;
    Ok(New { rows, earliest })
}

/// A fresh table each time: the room of deleted rows would not come back otherwise.
fn create_stage(columns: &RecordBatch) -> String {
    let schema = columns.schema();
    let columns = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Boolean => "BOOLEAN",
            DataType::Utf8 => "VARCHAR",
            _ => "BIGINT",
        };
        format!("{} {kind}", field.name())
    });
    format!("CREATE OR REPLACE TEMP TABLE stage ({})", columns.collect::<Vec<_>>().join(", "))
}

/// Cuts a batch into pieces, each sorted and without doubles.
fn pieces(instrument: &Instrument, batch: Batch) -> Result<Vec<Piece>, Fault> {
    let key = of(instrument);
    let values = format!("'{}', '{}'", instrument.venue.name(), instrument.symbol);
    let mut pieces = klines(&key, &values, batch.klines)?;
    pieces.extend(trades(&key, &values, batch.trades)?);
    pieces.extend(mark_prices(&key, &values, batch.mark_prices)?);
    pieces.extend(open_interest(&key, &values, batch.open_interest)?);
    pieces.extend(funding(&key, &values, batch.funding)?);
    pieces.extend(liquidations(&key, &values, batch.liquidations)?);
    Ok(pieces)
}

fn klines(key: &str, values: &str, mut rows: Vec<Kline>) -> Result<Vec<Piece>, Fault> {
    let row_key = |row: &Kline| (row.kind, row.interval, row.open_time);
    // `None` sorts below every number, so reversed a row with a known volume comes first.
    rows.sort_unstable_by_key(|row| {
        let known = (row.volume, row.taker_buy_volume, row.trades);
        (row_key(row), Reverse((known, row.open, row.high, row.low, row.close)))
    });
    rows.dedup_by_key(|row| row_key(row));
    let mut pieces = Vec::new();
    for rows in rows.chunk_by(|a, b| (a.kind, a.interval) == (b.kind, b.interval)) {
        let Some((first, bounds)) = ends(rows, |row| row.open_time.0) else { continue };
        let (kind, interval_ms) = (kind_name(first.kind), first.interval.ms());
        let columns = Columns::default()
            .whole("open_time", rows, |row| row.open_time.0)
            .whole("open", rows, |row| row.open.units())
            .whole("high", rows, |row| row.high.units())
            .whole("low", rows, |row| row.low.units())
            .whole("close", rows, |row| row.close.units())
            .maybe("volume", rows, |row| row.volume.map(Qty::units))
            .maybe("taker_buy_volume", rows, |row| row.taker_buy_volume.map(Qty::units))
            .maybe("trades", rows, |row| row.trades);
        pieces.push(Piece {
            table: "klines",
            shared: format!("{key} AND kind = '{kind}' AND interval_ms = {interval_ms}"),
            shared_values: format!("{values}, '{kind}', {interval_ms}"),
            columns: columns.build()?,
            key: &["open_time"],
            bounds,
            time: "open_time",
            stale: Stale::Bars { interval_ms },
        });
    }
    Ok(pieces)
}

fn trades(key: &str, values: &str, mut rows: Vec<Trade>) -> Result<Option<Piece>, Fault> {
    let bought = |row: &Trade| row.taker == Taker::Buy;
    rows.sort_unstable_by_key(|row| (row.id, row.time, row.price, row.qty, bought(row)));
    rows.dedup_by_key(|row| row.id);
    let Some((_, bounds)) = ends(&rows, |row| row.id) else { return Ok(None) };
    let columns = Columns::default()
        .whole("id", &rows, |row| row.id)
        .whole("time", &rows, |row| row.time.0)
        .whole("price", &rows, |row| row.price.units())
        .whole("qty", &rows, |row| row.qty.units())
        .flag("taker_bought", &rows, bought);
    piece("trades", key, values, columns, &["id"], bounds, Stale::Trades).map(Some)
}

fn mark_prices(key: &str, values: &str, mut rows: Vec<MarkPrice>) -> Result<Option<Piece>, Fault> {
    rows.sort_unstable_by_key(|row| (row.time, row.price));
    rows.dedup_by_key(|row| row.time);
    let Some((_, bounds)) = ends(&rows, |row| row.time.0) else { return Ok(None) };
    let columns = Columns::default()
        .whole("time", &rows, |row| row.time.0)
        .whole("price", &rows, |row| row.price.units());
    piece("mark_prices", key, values, columns, &["time"], bounds, Stale::None).map(Some)
}

fn open_interest(key: &str, values: &str, mut rows: Vec<OpenInterest>) -> Result<Option<Piece>, Fault> {
    rows.sort_unstable_by_key(|row| (row.time, row.qty));
    rows.dedup_by_key(|row| row.time);
    let Some((_, bounds)) = ends(&rows, |row| row.time.0) else { return Ok(None) };
    let columns =
        Columns::default().whole("time", &rows, |row| row.time.0).whole("qty", &rows, |row| row.qty.units());
    piece("open_interest", key, values, columns, &["time"], bounds, Stale::Samples).map(Some)
}

fn funding(key: &str, values: &str, mut rows: Vec<Funding>) -> Result<Option<Piece>, Fault> {
    rows.sort_unstable_by_key(|row| (row.time, Reverse((row.interval_hours, row.rate))));
    rows.dedup_by_key(|row| row.time);
    let Some((_, bounds)) = ends(&rows, |row| row.time.0) else { return Ok(None) };
    let columns = Columns::default()
        .whole("time", &rows, |row| row.time.0)
        .whole("rate", &rows, |row| row.rate.units())
        .maybe("interval_hours", &rows, |row| row.interval_hours);
    piece("funding", key, values, columns, &["time"], bounds, Stale::None).map(Some)
}

fn liquidations(key: &str, values: &str, mut rows: Vec<Liquidation>) -> Result<Option<Piece>, Fault> {
    let row_key = |row: &Liquidation| (row.time, row.side, row.price, row.qty);
    rows.sort_unstable_by_key(|row| (row_key(row), price_kind_name(row.price_kind)));
    rows.dedup_by_key(|row| row_key(row));
    let Some((_, bounds)) = ends(&rows, |row| row.time.0) else { return Ok(None) };
    let columns = Columns::default()
        .whole("time", &rows, |row| row.time.0)
        .text("side", &rows, |row| row.side.name())
        .whole("price", &rows, |row| row.price.units())
        .whole("qty", &rows, |row| row.qty.units())
        .text("price_kind", &rows, |row| price_kind_name(row.price_kind));
    piece("liquidations", key, values, columns, &["time", "side", "price", "qty"], bounds, Stale::None)
        .map(Some)
}

fn piece(
    table: &'static str,
    key: &str,
    values: &str,
    columns: Columns,
    row_key: &'static [&'static str],
    bounds: (i64, i64),
    stale: Stale,
) -> Result<Piece, Fault> {
    Ok(Piece {
        table,
        shared: key.to_owned(),
        shared_values: values.to_owned(),
        columns: columns.build()?,
        key: row_key,
        bounds,
        time: "time",
        stale,
    })
}

/// The first row and the first and last value of the column that rows are sorted by; `None` without rows.
fn ends<T>(rows: &[T], value: impl Fn(&T) -> i64) -> Option<(&T, (i64, i64))> {
    let (first, last) = (rows.first()?, rows.last()?);
    Some((first, (value(first), value(last))))
}

/// Columns in the making.
#[derive(Default)]
struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn whole<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> i64) -> Self {
        let values: Vec<i64> = rows.iter().map(value).collect();
        self.with(name, DataType::Int64, Arc::new(Int64Array::from(values)))
    }

    fn maybe<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> Option<i64>) -> Self {
        let values: Int64Array = rows.iter().map(value).collect();
        self.with(name, DataType::Int64, Arc::new(values))
    }

    fn flag<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> bool) -> Self {
        let values: Vec<bool> = rows.iter().map(value).collect();
        self.with(name, DataType::Boolean, Arc::new(BooleanArray::from(values)))
    }

    fn text<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> &'static str) -> Self {
        let values: StringArray = rows.iter().map(|row| Some(value(row))).collect();
        self.with(name, DataType::Utf8, Arc::new(values))
    }

    fn with(mut self, name: &str, kind: DataType, array: ArrayRef) -> Self {
        self.fields.push(Field::new(name, kind, true));
        self.arrays.push(array);
        self
    }

    fn build(self) -> Result<RecordBatch, Fault> {
        Ok(RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)?)
    }
}
