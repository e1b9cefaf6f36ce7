//! `record`: raw frames of live markets into files.

use std::path::PathBuf;

use clap::Args;

use super::{LiveArgs, RawArgs};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat record raw --symbols BTCUSDT,ETHUSDT
  liqheat record raw --symbols BTCUSDT --venues binance --record-keep 30
  liqheat replay raw --db again.duckdb                        through the parsers, into a database

Files are gzip; zcat shows one record a line. A process that is killed loses a second at most.")]
pub(crate) struct Record {
    /// The folder to keep files in.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// Symbols to record, separated by commas: BTCUSDT at all venues, or BTCUSDT@okx at one.
    #[arg(long, env = "LIQHEAT_SYMBOLS", value_delimiter = ',', required = true, value_name = "SYMBOLS")]
    pub(crate) symbols: Vec<String>,
    #[command(flatten)]
    pub(crate) raw: RawArgs,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
}
