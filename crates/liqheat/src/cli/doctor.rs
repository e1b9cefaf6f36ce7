//! `doctor`: the checks before a start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::cluster::Cluster;
use super::{Database, LiveArgs, Tokens};
use crate::time_unit::parse_seconds;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat doctor
  liqheat doctor --db btc.duckdb --symbols BTCUSDT,ETHUSDT --venues binance,okx

Each line begins with ok, warn or FAIL. Exit code 1 when anything failed.")]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) db: Database,
    /// Symbols to request from venues, separated by commas.
    #[arg(long, env = "LIQHEAT_SYMBOLS", value_delimiter = ',', default_values = ["BTCUSDT"], value_name = "SYMBOLS")]
    pub(crate) symbols: Vec<String>,
    /// Most seconds to wait for data of a venue.
    #[arg(long, env = "LIQHEAT_DOCTOR_WAIT", default_value = "15", value_parser = parse_seconds, value_name = "SECONDS")]
    pub(crate) doctor_wait: Duration,
    /// Listen address of the server, as for `serve`.
    #[arg(long, env = "LIQHEAT_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Maintenance margin tiers of the server, as for `serve`.
    #[arg(long, env = "LIQHEAT_TIERS", value_name = "FILE")]
    pub(crate) tiers: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tokens: Tokens,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
    #[command(flatten)]
    pub(crate) cluster: Cluster,
}
