//! Rows written to a file that other programs read: Parquet, CSV or JSON.
//!
//! Rows are gathered in a DuckDB file of their own, in a folder that the caller removes, so memory stays bounded however
//! many there are, and the database that is served is not touched. DuckDB writes the result.

#![expect(
    clippy::disallowed_methods,
    reason = "opens the file that DuckDB wrote, and removes an unfinished one"
)]

use std::fs::File;
use std::path::{Path, PathBuf};

use duckdb::types::{ToSqlOutput, Value};
use duckdb::{Config, Connection, ToSql, appender_params_from_iter};
use liqheat_market::UnixMs;

use crate::baseline::quoted;
use crate::error::{first_line, is_disk_full};

/// Memory of DuckDB while it gathers and writes.
const MEMORY: &str = "256MiB";
/// The rows, within the folder.
const ROWS_FILE: &str = "rows.duckdb";

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportFormat {
    /// Columns, compressed with zstd.
    Parquet,
    /// Text with a header line.
    Csv,
    /// An array of objects.
    Json,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Csv, Self::Json];

    /// The name, which is also the ending of file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// From a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Options of DuckDB's COPY.
    const fn options(self) -> &'static str {
        match self {
            Self::Parquet => "FORMAT parquet, COMPRESSION zstd",
            Self::Csv => "FORMAT csv, HEADER",
            Self::Json => "FORMAT json, ARRAY true",
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A moment: TIMESTAMP in UTC.
    Time,
    /// VARCHAR.
    Text,
    /// DOUBLE.
    Number,
    /// BIGINT.
    Whole,
}

impl ColumnKind {
    /// The type under which rows are gathered; moments as milliseconds.
    const fn stored(self) -> &'static str {
        match self {
            Self::Time | Self::Whole => "BIGINT",
            Self::Text => "VARCHAR",
            Self::Number => "DOUBLE",
        }
    }
}

/// A column of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportColumn {
    /// Lower case letters and underscores.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
}

/// A value of a row, of the kind of its column.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportValue {
    /// A moment.
    Time(UnixMs),
    /// A text.
    Text(&'static str),
    /// A number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// Unknown: NULL.
    Unknown,
}

impl ToSql for ExportValue {
    fn to_sql(&self) -> duckdb::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match self {
            Self::Time(time) => Value::BigInt(time.0),
            Self::Text(text) => Value::Text((*text).to_owned()),
            Self::Number(number) => Value::Double(*number),
            Self::Whole(number) => Value::BigInt(*number),
            Self::Unknown => Value::Null,
        }))
    }
}

/// Why a file cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The disk is full.
    #[error("no room to write {} ({detail}); free some space, or export a shorter time", .path.display())]
    DiskFull {
        /// What was written.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// Anything else.
    #[error("{} cannot be written: {detail}", .path.display())]
    Failed {
        /// What was written.
        path: PathBuf,
        /// What the system or DuckDB said.
        detail: String,
    },
}

impl ExportError {
    fn new(path: &Path, error: &duckdb::Error) -> Self {
        let (path, text) = (path.to_owned(), error.to_string());
        let detail = first_line(&text);
        if is_disk_full(&text) { Self::DiskFull { path, detail } } else { Self::Failed { path, detail } }
    }
}

/// Rows on their way into a file.
pub struct ExportTable {
    connection: Connection,
    path: PathBuf,
    columns: &'static [ExportColumn],
    rows: u64,
}

impl ExportTable {
    /// An empty table in a folder that holds none yet.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn create(folder: &Path, columns: &'static [ExportColumn]) -> Result<Self, ExportError> {
        let path = folder.join(ROWS_FILE);
        let create = || {
            let config =
                Config::default().max_memory(MEMORY)?.threads(1)?.enable_autoload_extension(false)?;
            let connection = Connection::open_with_flags(&path, config)?;
            let columns: Vec<String> =
                columns.iter().map(|column| format!("{} {}", column.name, column.kind.stored())).collect();
            connection.execute_batch(&format!("CREATE TABLE rows ({})", columns.join(", ")))?;
            Ok(connection)
        };
        let connection = create().map_err(|error| ExportError::new(&path, &error))?;
        Ok(Self { connection, path, columns, rows: 0 })
    }

    /// Adds rows after those that are there; each has a value for every column.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn append(&mut self, rows: impl IntoIterator<Item = Vec<ExportValue>>) -> Result<(), ExportError> {
        let add = || {
            let mut appender = self.connection.appender("rows")?;
            let mut count = 0;
            for row in rows {
                appender.append_row(appender_params_from_iter(row))?;
                count += 1;
            }
            appender.flush()?;
            Ok(count)
        };
        self.rows += add().map_err(|error| ExportError::new(&self.path, &error))?;
        Ok(())
    }

    /// Rows so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes the file, in the order in which rows were added. A file that was not finished is removed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(self, path: &Path, format: ExportFormat) -> Result<File, ExportError> {
        let column = |column: &ExportColumn| match column.kind {
            ColumnKind::Time => format!("epoch_ms({0}) AS {0}", column.name),
            _ => column.name.to_owned(),
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        let sql = format!(
            "COPY (SELECT {} FROM rows ORDER BY rowid) TO {} ({})",
            columns.join(", "),
            quoted(path),
            format.options()
        );
        let written = self.connection.execute_batch(&sql).map_err(|error| ExportError::new(path, &error));
        let opened = written.and_then(|()| {
            File::open(path)
                .map_err(|error| ExportError::Failed { path: path.to_owned(), detail: error.to_string() })
        });
        if opened.is_err() {
            // It may not have been begun.
            let _ = std::fs::remove_file(path);
        }
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [ExportColumn; 4] = [
        ExportColumn { name: "time", kind: ColumnKind::Time },
        ExportColumn { name: "side", kind: ColumnKind::Text },
        ExportColumn { name: "price", kind: ColumnKind::Number },
        ExportColumn { name: "usd", kind: ColumnKind::Whole },
    ];

    fn table(folder: &Path) -> ExportTable {
        let mut table = ExportTable::create(folder, &COLUMNS).unwrap();
        let row = |n: i64| {
            let price = if n == 2 { ExportValue::Unknown } else { ExportValue::Number(0.1 + n as f64) };
            vec![
                ExportValue::Time(UnixMs(1_756_080_000_000 + n)),
                ExportValue::Text(if n % 2 == 0 { "long" } else { "short" }),
                price,
                ExportValue::Whole(i64::MAX - n),
            ]
        };
        table.append((0..3).map(row)).unwrap();
        table.append((3..5).map(row)).unwrap();
        assert_eq!(table.rows(), 5);
        table
    }

    #[test]
    fn every_format_is_read_back_by_duckdb() {
        for format in ExportFormat::ALL {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(format!("it's {}", format.name()));
            drop(table(folder.path()).write(&path, format).unwrap());
            let connection = Connection::open_in_memory().unwrap();
            let reader = match format {
                ExportFormat::Parquet => "read_parquet",
                ExportFormat::Csv => "read_csv",
                ExportFormat::Json => "read_json",
            };
            let sql = format!(
                "SELECT string_agg(concat_ws('|', epoch_ms(CAST(time AS TIMESTAMP)), side, price, usd), ' ') FROM {reader}({})",
                quoted(&path)
            );
            let text: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(
                text,
                "1756080000000|long|0.1|9223372036854775807 1756080000001|short|1.1|9223372036854775806 \
                 1756080000002|long|9223372036854775805 1756080000003|short|3.1|9223372036854775804 \
                 1756080000004|long|4.1|9223372036854775803",
                "{format:?}"
            );
        }
    }

    #[test]
    fn an_unfinished_file_is_removed_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/out.csv");
        let error = table(folder.path()).write(&path, ExportFormat::Csv).unwrap_err();
        assert!(matches!(&error, ExportError::Failed { path: named, .. } if *named == path), "{error}");
        let missing = ExportTable::create(Path::new("/proc/nowhere"), &COLUMNS).err().unwrap();
        assert!(missing.to_string().contains("rows.duckdb"), "{missing}");
    }

    #[test]
    fn a_full_disk_is_distinguished_from_other_failures() {
        let full = duckdb::Error::DuckDBFailure(
            duckdb::ffi::Error::new(1),
            Some("IO Error: Could not write file \"x\": No space left on device".to_owned()),
        );
        let error = ExportError::new(Path::new("/tmp/x"), &full);
        assert!(matches!(error, ExportError::DiskFull { .. }), "{error}");
        assert!(error.to_string().starts_with("no room to write /tmp/x (IO Error"), "{error}");
    }
}
