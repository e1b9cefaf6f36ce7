//! The command line of `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use liqheat_market::{Interval, UnixMs};

use super::Database;
use super::values::moment;

/// Rows that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportWhat {
    /// Candles of each venue.
    Bars,
    /// Levels by leverage, of the moment of --to.
    Levels,
    /// Walls, of the moment of --to.
    Walls,
    /// Realised liquidations.
    Liquidations,
    /// Cells of the heatmap.
    Grid,
    /// Levels of measured positions, every five minutes.
    Measured,
}

impl ExportWhat {
    /// The word of the route.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bars => "bars",
            Self::Levels => "levels",
            Self::Walls => "walls",
            Self::Liquidations => "liquidations",
            Self::Grid => "grid",
            Self::Measured => "measured",
        }
    }

    /// Whether it is a state, which has no beginning.
    pub(crate) const fn is_state(self) -> bool {
        matches!(self, Self::Levels | Self::Walls)
    }
}

/// Formats of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// Columns, compressed.
    Parquet,
    /// Text with a header line.
    Csv,
    /// An array of objects.
    Json,
}

impl FileFormat {
    /// The word of the route, and the ending of files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat export --db btc.duckdb --symbol BTCUSDT --what bars --format csv --out bars.csv
  liqheat export --db btc.duckdb --symbol BTCUSDT --what bars,liquidations,grid --from 2025-11-20 --to 2025-11-24 --out november

A server that has the database open gives the same files: curl -OJ 'http://localhost:8000/v1/export?what=bars&symbol=BTCUSDT'.")]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) db: Database,
    /// Which rows, separated by commas.
    #[arg(long, required = true, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub(crate) what: Vec<ExportWhat>,
    /// The market (BTCUSDT), or one venue of it (BTCUSDT@okx).
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) symbol: String,
    /// The first moment [default: a day before the end]
    #[arg(long, env = "LIQHEAT_FROM", value_parser = moment, value_name = "TIME")]
    pub(crate) from: Option<UnixMs>,
    /// The end, exclusive [default: the newest bar]
    #[arg(long, env = "LIQHEAT_TO", value_parser = moment, value_name = "TIME")]
    pub(crate) to: Option<UnixMs>,
    /// Length of bars [default: that of the stored bars]
    #[arg(long, value_parser = interval, value_name = "INTERVAL")]
    pub(crate) interval: Option<Interval>,
    /// Format of the files.
    #[arg(long, value_enum, default_value = "parquet")]
    pub(crate) format: FileFormat,
    /// The file to write; a folder for several kinds of rows. An existing file is replaced.
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// Maintenance margin tiers, as for `serve`.
    #[arg(long, env = "LIQHEAT_TIERS", value_name = "FILE")]
    pub(crate) tiers: Option<PathBuf>,
    /// Parameters of the model, as for `serve`.
    #[arg(long, env = "LIQHEAT_MODEL", value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

fn interval(text: &str) -> Result<Interval, String> {
    Interval::from_name(text)
        .ok_or_else(|| format!("must be one of {}", Interval::names().collect::<Vec<_>>().join(", ")))
}
