//! DuckDB's own way of loading a file, to measure this crate's against in the same run.
//!
//! Nothing of the product uses this: a [`Baseline`] is a database of its own with the same tables, into which
//! DuckDB's readers insert directly (no check for doubles, all columns as it parses them).

#![expect(clippy::disallowed_methods, reason = "measures the database itself")]

use std::path::Path;
use std::time::{Duration, Instant};

use duckdb::{Config, Connection};
use liqheat_market::convert::approx_f64;
use liqheat_market::{Instrument, Interval};

use crate::rows::of;
use crate::schema::{MIGRATIONS, migrate};
use crate::{Location, Settings};

/// Rows and duration of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadTime {
    /// Rows inserted.
    pub rows: u64,
    /// From the start of the statement to its durable commit.
    pub took: Duration,
}

impl LoadTime {
    /// Rows in a second.
    #[must_use]
    pub fn rows_per_second(&self) -> f64 {
        approx_f64(self.rows) / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Why a baseline could not be measured.
#[derive(Debug, thiserror::Error)]
#[error("baseline: {0}")]
pub struct BaselineError(String);

impl From<duckdb::Error> for BaselineError {
    fn from(error: duckdb::Error) -> Self {
        Self(error.to_string())
    }
}

/// A fresh database with the store's tables and DuckDB's readers.
pub struct Baseline {
    connection: Connection,
}

impl Baseline {
    /// Creates it at a path where nothing is yet, with the memory and threads of `settings`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, settings: &Settings) -> Result<Self, BaselineError> {
        let threads = i64::try_from(settings.threads.get()).unwrap_or(i64::MAX);
        let config = Config::default()
            .max_memory(&format!("{}B", settings.memory_bytes_max))?
            .threads(threads)?
            .enable_autoload_extension(false)?;
        let connection = Connection::open_with_flags(path, config)?;
        let location = Location::File(path.to_owned());
        migrate(&connection, &location, MIGRATIONS)
            .map_err(|fault| BaselineError(fault.explain("migrate", &location).to_string()))?;
        Ok(Self { connection })
    }

    /// Loads a file of klines in the layout of Binance's archive, with a header line, by `read_csv`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load_klines_csv(
        &self,
        csv: &Path,
        instrument: &Instrument,
        interval: Interval,
    ) -> Result<LoadTime, BaselineError> {
        let source = format!("read_csv({}, header = true)", quoted(csv));
        self.load(&source, ["open_time", "volume", "taker_buy_volume", "count"], instrument, interval)
    }

    /// Loads klines with the columns open_time (a timestamp), open, high, low, close, volume by `read_parquet`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn load_klines_parquet(
        &self,
        parquet: &Path,
        instrument: &Instrument,
        interval: Interval,
    ) -> Result<LoadTime, BaselineError> {
        let source = format!("read_parquet({})", quoted(parquet));
        self.load(&source, ["epoch_ms(open_time)", "volume", "NULL", "NULL"], instrument, interval)
    }

    fn load(
        &self,
        source: &str,
        [open_time, volume, taker_buy, trades]: [&str; 4],
        instrument: &Instrument,
        interval: Interval,
    ) -> Result<LoadTime, BaselineError> {
        let units = |column: &str| format!("CAST(round({column} * 1e8) AS BIGINT)");
        let wide_units = |column: &str| format!("CAST(round({column} * 1e8) AS HUGEINT)");
        let sql = format!(
            "INSERT INTO klines SELECT '{venue}', '{symbol}', 'last', {interval}, {open_time},
                 {open}, {high}, {low}, {close}, {volume}, {taker_buy}, CAST({trades} AS BIGINT) FROM {source}",
            venue = instrument.venue.name(),
            symbol = instrument.symbol,
            interval = interval.ms(),
            open = units("open"),
            high = units("high"),
            low = units("low"),
            close = units("close"),
            volume = wide_units(volume),
            taker_buy = wide_units(taker_buy),
        );
        let started = Instant::now();
        let rows = self.connection.execute(&sql, [])?;
        Ok(LoadTime { rows: rows as u64, took: started.elapsed() })
    }

    /// Writes stored klines of trades that opened from `from` to before `to` (ms) as a file in the layout of
    /// Binance's archive, and says how many.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn export_klines_csv(
        &self,
        csv: &Path,
        instrument: &Instrument,
        interval: Interval,
        from: i64,
        to: i64,
    ) -> Result<u64, BaselineError> {
        let decimal = |column: &str| format!("CAST({column} / 1e8 AS DECIMAL(18, 3))");
        let sql = format!(
            "COPY (SELECT open_time, {open} AS open, {high} AS high, {low} AS low, {close} AS close,
                 {volume} AS volume, open_time + interval_ms - 1 AS close_time, 0 AS quote_volume,
                 coalesce(trades, 0) AS count, {taker} AS taker_buy_volume, 0 AS taker_buy_quote_volume, 0 AS ignore
                 FROM klines WHERE {key} AND kind = 'last' AND interval_ms = {interval}
                 AND open_time >= {from} AND open_time < {to} ORDER BY open_time)
             TO {file} (FORMAT csv, HEADER)",
            open = decimal("open"),
            high = decimal("high"),
            low = decimal("low"),
            close = decimal("close"),
            volume = decimal("volume"),
            taker = decimal("coalesce(taker_buy_volume, volume // 2)"),
            key = of(instrument),
            interval = interval.ms(),
            file = quoted(csv),
        );
        Ok(self.connection.execute(&sql, [])? as u64)
    }
}

/// The rows of a Parquet, CSV or JSON file with a column `time`, each as a JSON object; times in milliseconds.
///
/// # Errors
/// When the file cannot be read.
pub fn rows_of_file(path: &Path) -> Result<Vec<String>, BaselineError> {
    let reader = match path.extension().and_then(std::ffi::OsStr::to_str) {
        Some("parquet") => "read_parquet",
        Some("json") => "read_json",
        _ => "read_csv",
    };
    let connection = Connection::open_in_memory()?;
    let sql = format!(
        "SELECT to_json(rows) FROM
             (SELECT * REPLACE (epoch_ms(CAST(time AS TIMESTAMP)) AS time) FROM {reader}({})) AS rows",
        quoted(path)
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A table of market data in two databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDifference {
    /// Its name.
    pub table: &'static str,
    /// Rows in the first database.
    pub rows: u64,
    /// Rows that are in one of the databases only.
    pub differing: u64,
}

/// Compares the market data of two databases that nobody has open, table by table.
///
/// # Errors
/// When one of them cannot be read.
pub fn differences(one: &Path, other: &Path) -> Result<Vec<TableDifference>, BaselineError> {
    const MARKET_DATA: [&str; 6] =
        ["klines", "trades", "mark_prices", "open_interest", "funding", "liquidations"];
    let connection = Connection::open_in_memory()?;
    for (path, name) in [(one, "one"), (other, "other")] {
        connection.execute_batch(&format!("ATTACH {} AS {name} (READ_ONLY)", quoted(path)))?;
    }
    let mut tables = Vec::new();
    for table in MARKET_DATA {
        let only = |here: &str, there: &str| {
            format!("(SELECT count(*) FROM (FROM {here}.{table} EXCEPT ALL FROM {there}.{table}))")
        };
        let sql = format!(
            "SELECT (SELECT count(*) FROM one.{table}), {} + {}",
            only("one", "other"),
            only("other", "one")
        );
        let (rows, differing): (u64, u64) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        tables.push(TableDifference { table, rows, differing });
    }
    Ok(tables)
}

pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}
