//! Klines out of Parquet files, read by DuckDB in a connection of its own: the database is not involved, so what is
//! read goes through [`crate::Store::append`] like everything else.

use std::path::Path;

use duckdb::{Config, Connection};
use liqheat_market::{Price, Qty, UnixMs};

use crate::QUERY_ROWS_MAX;
use crate::error::CommandError;
use crate::rows::{read, read_first};

/// Why a Parquet file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParquetError {
    /// A column that is needed is absent under all of its usual names.
    #[error(
        "has no column {wanted} (it has {found}); a file of klines has open_time, open, high, low, close and volume"
    )]
    ColumnMissing {
        /// Its usual name.
        wanted: &'static str,
        /// The columns that are there.
        found: String,
    },
    /// Too many rows for one file.
    #[error("has more than {limit} rows; split it by year", limit = QUERY_ROWS_MAX)]
    TooManyRows,
    /// DuckDB cannot read it.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// One row of a file of klines; what is absent or out of range in the file is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParquetKline {
    /// When it opened.
    pub open_time: Option<UnixMs>,
    /// Open, high, low and close.
    pub prices: [Option<Price>; 4],
    /// Coins traded.
    pub volume: Option<Qty>,
    /// Coins bought by takers.
    pub taker_buy_volume: Option<Qty>,
    /// Number of trades.
    pub trades: Option<i64>,
}

/// Columns and the names under which files have them.
const TIME: (&str, &[&str]) = ("open_time", &["open_time", "timestamp", "time", "ts"]);
const PRICES: [(&str, &[&str]); 4] =
    [("open", &["open", "o"]), ("high", &["high", "h"]), ("low", &["low", "l"]), ("close", &["close", "c"])];
const VOLUME: &[&str] = &["volume", "vol", "v"];
const TAKER_BUY: &[&str] = &["taker_buy_volume", "taker_buy_base_volume", "taker_buy_base_asset_volume"];
const TRADES: &[&str] = &["count", "trades", "number_of_trades"];

/// Reads all rows of a file of klines, in order of time. Times may be timestamps or milliseconds since 1970.
///
/// # Errors
/// When the file cannot be read, lacks a column, or is too long.
pub fn read_parquet_klines(path: &Path) -> Result<Vec<ParquetKline>, ParquetError> {
    let unreadable = |error: &dyn std::fmt::Display| ParquetError::Unreadable(error.to_string());
    let config = Config::default().enable_autoload_extension(false).map_err(|error| unreadable(&error))?;
    let connection = Connection::open_in_memory_with_flags(config).map_err(|error| unreadable(&error))?;
    let source = format!("read_parquet('{}')", path.display().to_string().replace('\'', "''"));
    let columns = columns(&connection, &source).map_err(ParquetError::Unreadable)?;
    let sql = query(&columns, &source)?;
    let rows = read(&connection, "parquet", &sql, |row| {
        let price = |index| Ok::<_, CommandError>(row.maybe(index)?.map(Price::from_units));
        Ok(ParquetKline {
            open_time: row.maybe(0)?.map(UnixMs),
            prices: [price(1)?, price(2)?, price(3)?, price(4)?],
            volume: row.maybe_qty(5)?,
            taker_buy_volume: row.maybe_qty(6)?,
            trades: row.maybe(7)?,
        })
    });
    rows.map_err(|fault| match fault.explain("parquet", &crate::Location::Memory) {
        crate::StoreError::TooManyRows { .. } => ParquetError::TooManyRows,
        other => unreadable(&other),
    })
}

/// (name, type) of each column, in the file's own spelling.
fn columns(connection: &Connection, source: &str) -> Result<Vec<(String, String)>, String> {
    let describe = format!("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {source})");
    // The first read reports a file that is not Parquet in DuckDB's words.
    read_first(connection, &describe, |_| Ok(())).map_err(explain)?;
    read(connection, "parquet", &describe, |row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
        .map_err(explain)
}

fn explain(fault: CommandError) -> String {
    fault.explain("parquet", &crate::Location::Memory).to_string()
}

fn query(columns: &[(String, String)], source: &str) -> Result<String, ParquetError> {
    let find = |names: &[&str]| {
        names.iter().find_map(|name| columns.iter().find(|column| column.0.eq_ignore_ascii_case(name)))
    };
    let needed = |(wanted, names): (&'static str, &[&str])| {
        let names_found = || columns.iter().map(|column| column.0.as_str()).collect::<Vec<_>>().join(", ");
        find(names).ok_or_else(|| ParquetError::ColumnMissing { wanted, found: names_found() })
    };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let units =
        |name: &str, kind| format!("TRY_CAST(round(TRY_CAST({} AS DOUBLE) * 1e8) AS {kind})", quoted(name));
    // Quantities have 128 bits.
    let maybe = |names: &[&str]| {
        find(names).map_or_else(|| "NULL::HUGEINT".to_owned(), |column| units(&column.0, "HUGEINT"))
    };
    let (time, kind) = needed(TIME)?;
    let time = if kind.starts_with("TIMESTAMP") || kind == "DATE" {
        format!("epoch_ms({})", quoted(time))
    } else {
        format!("TRY_CAST({} AS BIGINT)", quoted(time))
    };
    let mut parts = vec![time];
    for price in PRICES {
        parts.push(units(&needed(price)?.0, "BIGINT"));
    }
    parts.push(maybe(VOLUME));
    parts.push(maybe(TAKER_BUY));
    let trades = find(TRADES).map(|column| format!("TRY_CAST({} AS BIGINT)", quoted(&column.0)));
    parts.push(trades.unwrap_or_else(|| "NULL::BIGINT".to_owned()));
    Ok(format!("SELECT {} FROM {source} ORDER BY 1", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, select: &str) -> std::path::PathBuf {
        let path = folder.join(name);
        let connection = Connection::open_in_memory().unwrap();
        let target = path.display().to_string().replace('\'', "''");
        connection.execute_batch(&format!("COPY ({select}) TO '{target}' (FORMAT parquet)")).unwrap();
        path
    }

    #[test]
    fn klines_are_read_under_several_names() {
        let folder = tempfile::tempdir().unwrap();
        let long = write(
            folder.path(),
            "it's long.parquet",
            "SELECT TIMESTAMP '2024-02-13 00:05:00' AS open_time, 2.5 AS open, 3.0 AS high, 2.0 AS low, 2.25 AS close,
             7.125 AS volume UNION ALL SELECT TIMESTAMP '2024-02-13', 1, 1, 1, 1, NULL",
        );
        let rows = read_parquet_klines(&long).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].open_time, Some(UnixMs(1_707_782_400_000)), "in order of time");
        assert_eq!(rows[0].volume, None, "unknown, not zero");
        assert_eq!(rows[1].prices.map(|price| price.unwrap().to_f64()), [2.5, 3.0, 2.0, 2.25]);
        assert_eq!((rows[1].volume, rows[1].trades), (Some(Qty::parse("7.125").unwrap()), None));
        let short = "SELECT 1707782400000 AS ts, '1' AS o, 1 AS h, 1 AS l, 'x' AS c, 1e300 AS v, 5 AS count";
        let row = read_parquet_klines(&write(folder.path(), "short.parquet", short)).unwrap()[0];
        assert_eq!(row.open_time, Some(UnixMs(1_707_782_400_000)));
        assert_eq!((row.prices[0], row.prices[3]), (Some(Price::parse("1").unwrap()), None));
        assert_eq!((row.volume, row.trades), (None, Some(5)), "out of range is unknown");
    }

    #[test]
    fn what_is_no_file_of_klines_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let other = write(folder.path(), "other.parquet", "SELECT 1 AS open_time, 2 AS price");
        let error = read_parquet_klines(&other).unwrap_err().to_string();
        assert!(error.contains("no column open") && error.contains("open_time, price"), "{error}");
        let text = folder.path().join("text.parquet");
        std::fs::write(&text, "open_time,open\n1,2\n").unwrap();
        assert!(matches!(read_parquet_klines(&text), Err(ParquetError::Unreadable(_))));
        assert!(read_parquet_klines(&folder.path().join("none.parquet")).is_err());
    }
}
