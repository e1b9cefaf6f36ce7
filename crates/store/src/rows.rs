//! Between rows and columns: texts of SQL, and reading answers as Arrow columns.
//!
//! Reading whole columns is about ten times faster than DuckDB's row by row interface, which matters for a
//! year of bars. Whole numbers are written into the SQL text itself: DuckDB skips parts of a table by their
//! smallest and largest value only for bounds it sees when it plans. Symbols and venues cannot break out of
//! their quotes: of ASCII, `Symbol` allows only capital letters, digits, `-` and `_`, and beyond ASCII only letters and
//! digits of scripts without capitals. The quote, the backslash and control characters are none of these.

use duckdb::Connection;
use duckdb::arrow::array::{Array, AsArray, RecordBatch};
use duckdb::arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, UInt64Type};
use liqheat_market::{Instrument, Interval, KlineKind, Price, PriceKind, Qty, Side, UnixMs};

use crate::error::CommandError;
use crate::{QUERY_ROWS_MAX, StoreError};

/// `venue = '..' AND symbol = '..'`.
pub(crate) fn of(instrument: &Instrument) -> String {
    format!("venue = '{}' AND symbol = '{}'", instrument.venue.name(), instrument.symbol)
}

/// The name of a kind of kline in the table.
pub(crate) const fn kind_name(kind: KlineKind) -> &'static str {
    match kind {
        KlineKind::Last => "last",
        KlineKind::Mark => "mark",
    }
}

/// The name of a kind of price in the table.
pub(crate) const fn price_kind_name(kind: PriceKind) -> &'static str {
    match kind {
        PriceKind::Fill => "fill",
        PriceKind::Bankruptcy => "bankruptcy",
    }
}

/// Runs a query (which must not end in a LIMIT) and turns each row of its answer into a `T`; refuses answers
/// over [`QUERY_ROWS_MAX`].
pub(crate) fn read<T>(
    connection: &Connection,
    command: &'static str,
    sql: &str,
    row_of: impl FnMut(&Row<'_>) -> Result<T, CommandError>,
) -> Result<Vec<T>, CommandError> {
    let rows = read_limited(connection, sql, QUERY_ROWS_MAX + 1, row_of)?;
    if rows.len() > QUERY_ROWS_MAX {
        return Err(StoreError::TooManyRows { command, limit: QUERY_ROWS_MAX }.into());
    }
    Ok(rows)
}

/// As [`read`], for the first row only.
pub(crate) fn read_first<T>(
    connection: &Connection,
    sql: &str,
    row_of: impl FnMut(&Row<'_>) -> Result<T, CommandError>,
) -> Result<Option<T>, CommandError> {
    Ok(read_limited(connection, sql, 1, row_of)?.pop())
}

fn read_limited<T>(
    connection: &Connection,
    sql: &str,
    limit: usize,
    mut row_of: impl FnMut(&Row<'_>) -> Result<T, CommandError>,
) -> Result<Vec<T>, CommandError> {
    let mut statement = connection.prepare(&format!("{sql} LIMIT {limit}"))?;
    statement.execute([])?;
    let mut rows = Vec::new();
    while let Some(columns) = statement.step()? {
        let columns = RecordBatch::from(&columns);
        rows.reserve(columns.num_rows());
        for index in 0..columns.num_rows() {
            rows.push(row_of(&Row { columns: &columns, index })?);
        }
    }
    Ok(rows)
}

/// One row of an answer.
pub(crate) struct Row<'a> {
    columns: &'a RecordBatch,
    index: usize,
}

impl Row<'_> {
    /// A BIGINT that may be NULL.
    pub(crate) fn maybe(&self, column: usize) -> Result<Option<i64>, CommandError> {
        let values =
            self.array(column)?.as_primitive_opt::<Int64Type>().ok_or_else(|| self.mismatch(column))?;
        Ok(values.is_valid(self.index).then(|| values.value(self.index)))
    }

    /// A BIGINT.
    pub(crate) fn whole(&self, column: usize) -> Result<i64, CommandError> {
        self.maybe(column)?.ok_or_else(|| duckdb::Error::InvalidColumnIndex(column).into())
    }

    /// A UBIGINT.
    pub(crate) fn unsigned(&self, column: usize) -> Result<u64, CommandError> {
        let values =
            self.array(column)?.as_primitive_opt::<UInt64Type>().ok_or_else(|| self.mismatch(column))?;
        Ok(values.value(self.index))
    }

    /// A DOUBLE that may be NULL.
    pub(crate) fn maybe_real(&self, column: usize) -> Result<Option<f64>, CommandError> {
        let values =
            self.array(column)?.as_primitive_opt::<Float64Type>().ok_or_else(|| self.mismatch(column))?;
        Ok(values.is_valid(self.index).then(|| values.value(self.index)))
    }

    /// A list of STRUCTs of `N` BIGINTs.
    pub(crate) fn structs<const N: usize, T>(
        &self,
        column: usize,
        element: impl Fn([i64; N]) -> T,
    ) -> Result<Vec<T>, CommandError> {
        let mismatch = || self.mismatch(column);
        let lists = self.array(column)?.as_list_opt::<i32>().ok_or_else(mismatch)?;
        let list = lists.value(self.index);
        let structs = list.as_struct_opt().ok_or_else(mismatch)?;
        let fields = structs.columns().iter().map(|field| field.as_primitive_opt::<Int64Type>());
        let fields: Vec<_> = fields.collect::<Option<_>>().ok_or_else(mismatch)?;
        let fields: [_; N] = fields.try_into().map_err(|_| mismatch())?;
        Ok((0..structs.len()).map(|index| element(fields.map(|field| field.value(index)))).collect())
    }

    /// A VARCHAR.
    pub(crate) fn text(&self, column: usize) -> Result<&str, CommandError> {
        let values = self.array(column)?.as_string_opt::<i32>().ok_or_else(|| self.mismatch(column))?;
        Ok(values.value(self.index))
    }

    /// A BLOB.
    pub(crate) fn bytes(&self, column: usize) -> Result<&[u8], CommandError> {
        let values = self.array(column)?.as_binary_opt::<i32>().ok_or_else(|| self.mismatch(column))?;
        Ok(values.value(self.index))
    }

    /// A BLOB that may be NULL.
    pub(crate) fn maybe_bytes(&self, column: usize) -> Result<Option<&[u8]>, CommandError> {
        let values = self.array(column)?.as_binary_opt::<i32>().ok_or_else(|| self.mismatch(column))?;
        Ok(values.is_valid(self.index).then(|| values.value(self.index)))
    }

    pub(crate) fn time(&self, column: usize) -> Result<UnixMs, CommandError> {
        self.whole(column).map(UnixMs)
    }

    pub(crate) fn price(&self, column: usize) -> Result<Price, CommandError> {
        self.whole(column).map(Price::from_units)
    }

    /// A HUGEINT.
    pub(crate) fn qty(&self, column: usize) -> Result<Qty, CommandError> {
        self.maybe_qty(column)?.ok_or_else(|| duckdb::Error::InvalidColumnIndex(column).into())
    }

    /// A HUGEINT that may be NULL.
    pub(crate) fn maybe_qty(&self, column: usize) -> Result<Option<Qty>, CommandError> {
        let values =
            self.array(column)?.as_primitive_opt::<Decimal128Type>().ok_or_else(|| self.mismatch(column))?;
        Ok(values.is_valid(self.index).then(|| Qty::from_units(values.value(self.index))))
    }

    pub(crate) fn interval(&self, column: usize, table: &'static str) -> Result<Interval, CommandError> {
        let ms = self.whole(column)?;
        Interval::from_ms(ms).ok_or_else(|| bad_row(table, &ms.to_string(), "length of a kline in ms"))
    }

    pub(crate) fn side(&self, column: usize, table: &'static str) -> Result<Side, CommandError> {
        let name = self.text(column)?;
        let side = Side::BOTH.into_iter().find(|side| side.name() == name);
        side.ok_or_else(|| bad_row(table, name, "side ('long' or 'short')"))
    }

    pub(crate) fn price_kind(&self, column: usize, table: &'static str) -> Result<PriceKind, CommandError> {
        let name = self.text(column)?;
        let kind =
            [PriceKind::Fill, PriceKind::Bankruptcy].into_iter().find(|kind| price_kind_name(*kind) == name);
        kind.ok_or_else(|| bad_row(table, name, "kind of price ('fill' or 'bankruptcy')"))
    }

    fn array(&self, column: usize) -> Result<&dyn Array, CommandError> {
        let array = self.columns.columns().get(column);
        Ok(array.ok_or(duckdb::Error::InvalidColumnIndex(column))?.as_ref())
    }

    fn mismatch(&self, column: usize) -> CommandError {
        let schema = self.columns.schema();
        let name = schema.fields().get(column).map_or_else(String::new, ToString::to_string);
        duckdb::Error::InvalidColumnName(name).into()
    }
}

pub(crate) fn bad_row(table: &'static str, value: &str, expected: &'static str) -> CommandError {
    let value = format!("'{}'", value.chars().take(40).collect::<String>());
    StoreError::BadRow { table, value, expected }.into()
}
