//! `demo` and `replay`: markets that are played at a speed.

use std::path::PathBuf;

use clap::Args;
use liqheat_market::UnixMs;

use super::values::{moment, speed};
use super::{Database, Front};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat demo --open
  liqheat demo --seed 7 --speed 60
  liqheat demo --data ~/archive --from 2025-08-26 --to 2025-09-03")]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) front: Front,
    /// Keep the data in this file; otherwise the demo stores nothing. It has its own variable, so that simulated data
    /// is never written into a real database by accident.
    #[arg(long = "db", env = "LIQHEAT_DEMO_DB", value_name = "FILE")]
    pub(crate) demo_db: Option<PathBuf>,
    /// Play files of the Binance archive instead of a simulated market.
    #[arg(long, env = "LIQHEAT_DATA", num_args = 1.., value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// The simulated market: the same seed is the same market.
    #[arg(long, env = "LIQHEAT_SEED", conflicts_with = "data", value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Simulated days that are in the chart at the start, 1 to 60. The first half of them warms the model up.
    #[arg(long, env = "LIQHEAT_DAYS", default_value = "6", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) days: u32,
    /// Market seconds per second [default: 120; 600 with --data]
    #[arg(long, env = "LIQHEAT_SPEED", value_parser = speed, value_name = "N")]
    pub(crate) speed: Option<f64>,
    /// With --data: the moment to begin at [default: a day into the last days without a gap]
    #[arg(long, env = "LIQHEAT_FROM", value_parser = moment, requires = "data", value_name = "TIME")]
    pub(crate) from: Option<UnixMs>,
    /// With --data: the moment to end at [default: the last one stored]
    #[arg(long, env = "LIQHEAT_TO", value_parser = moment, requires = "data", value_name = "TIME")]
    pub(crate) to: Option<UnixMs>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat replay --db btc.duckdb --from 2025-11-20 --to 2025-11-24 --speed 600
  liqheat replay --db btc.duckdb --from 2025-08-29T06:00:00Z
  liqheat replay raw --speed 60                   raw frames that `record` kept
  liqheat replay raw/raw-1763251200123-000.gz --db again.duckdb

Raw frames go through the parsers into a database (in memory, unless --db names one) and are played from there.")]
pub(crate) struct Replay {
    /// Files of raw frames, or folders with such; without, what is in the database is played.
    #[arg(value_name = "RAW")]
    pub(crate) raw_files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) front: Front,
    #[command(flatten)]
    pub(crate) db: Database,
    /// The moment to begin at [default: a day into the last days without a gap]
    #[arg(long, env = "LIQHEAT_FROM", value_parser = moment, value_name = "TIME")]
    pub(crate) from: Option<UnixMs>,
    /// The moment to end at [default: the last one stored]
    #[arg(long, env = "LIQHEAT_TO", value_parser = moment, value_name = "TIME")]
    pub(crate) to: Option<UnixMs>,
    /// Market seconds per second.
    #[arg(long, env = "LIQHEAT_SPEED", default_value = "600", value_parser = speed, value_name = "N")]
    pub(crate) speed: f64,
}
