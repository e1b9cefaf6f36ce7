//! `ingest`: files into a database or to a running server.

use std::path::PathBuf;

use clap::Args;
use liqheat_feeds::archive::Family;
use liqheat_market::Symbol;
use liqheat_server::Secret;

use super::front::secret;
use super::values::{family, symbol};
use super::{Database, ServerUrl};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat ingest ~/archive/futures/um
  liqheat ingest BTCUSDT-5m-2025-08-25.zip BTCUSDT-metrics-2025-08-25.zip --db btc.duckdb
  liqheat ingest funding.csv --family fundingRate --symbol BTCUSDT
  liqheat ingest binance-um-BTCUSDT-5m-2024.parquet bybit-BTCUSDT.csv.gz --db btc.duckdb
  liqheat ingest ~/archive --server http://127.0.0.1:8000

Files of the archive are .csv or .zip, with or without header line; a CHECKSUM file beside one is verified.
Klines in .parquet have the columns open_time, open, high, low, close and volume. Liquidations event by event
(.csv, .csv.gz) have the columns that its venue uses, see the documentation of sources. Loading twice
changes nothing. Exit code 1 when anything was refused that is not a known gap of the published data.")]
pub(crate) struct Ingest {
    /// Folders (searched with all below them) and files.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) db: Database,
    /// Content of files whose name does not identify it (klines, markPriceKlines, metrics, aggTrades, fundingRate,
    /// liquidationSnapshot).
    #[arg(long, env = "LIQHEAT_FAMILY", value_parser = family, value_name = "FAMILY")]
    pub(crate) family: Option<Family>,
    /// Symbol of files whose name does not contain it.
    #[arg(long, env = "LIQHEAT_SYMBOL", value_parser = symbol, value_name = "SYMBOL")]
    pub(crate) symbol: Option<Symbol>,
    /// Send the files to this running server instead of opening a database; --db is not used then.
    #[arg(long, env = "LIQHEAT_SERVER", value_parser = ServerUrl::parse, value_name = "URL")]
    pub(crate) server: Option<ServerUrl>,
    /// The token for that server, if it requires tokens; it needs the claim "ingest": true.
    #[arg(long, env = "LIQHEAT_TOKEN", hide_env_values = true, value_parser = secret, value_name = "TOKEN")]
    pub(crate) token: Option<Secret>,
}
