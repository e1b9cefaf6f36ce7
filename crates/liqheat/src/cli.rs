//! The command line. Every flag is also an environment variable and a key of the configuration file.

mod alerts;
mod backtest;
mod cluster;
mod export;
mod front;
mod live;
mod server_url;
mod stored_period;
mod traces;

use std::any::TypeId;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Arg, Args, CommandFactory, Parser, Subcommand};
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use liqheat_feeds::archive::Family;
use liqheat_market::{Symbol, UnixMs};
use liqheat_server::Secret;
use liqheat_store::Retention;

pub(crate) use alerts::{AlertAction, Alerts};
pub(crate) use backtest::{Backtest, ReportFormat};
use cluster::Cluster;
pub(crate) use cluster::Role;
pub(crate) use export::{Export, ExportWhat};
use front::secret;
pub(crate) use front::{Front, Tokens, exposure};
pub(crate) use live::{LiveArgs, RawArgs, parse_name};
pub(crate) use server_url::ServerUrl;
pub(crate) use stored_period::StoredPeriod;
use traces::Traces;

use crate::logging::{DEFAULT_LEVELS, LogFormat};
use crate::time_unit::{DAYS, SECONDS, parse_seconds};

/// A real-time liquidation heatmap for crypto perpetual futures, self-hosted.
#[derive(Debug, Parser)]
#[command(
    name = "liqheat",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Examples:
  liqheat demo --open                             a simulated market in the browser
  liqheat ingest ~/archive --db btc.duckdb        load files of the Binance archive
  liqheat serve --db btc.duckdb                   serve what is in the file
  liqheat serve --symbols BTCUSDT,ETHUSDT         follow the market by itself
  liqheat backtest --db btc.duckdb                grade the map on what is stored
  liqheat doctor                                  what is wrong, and what to do
  liqheat replay --db btc.duckdb --from 2025-11-20 --to 2025-11-24 --speed 600"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// A TOML file with defaults for any of the flags (listen = "127.0.0.1:9000", ..); flags and environment
    /// win over it.
    #[arg(long, global = true, env = "LIQHEAT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The command line, with defaults that differ by command.
pub(crate) fn command() -> clap::Command {
    // Where market time runs fast, five seconds would be a jump.
    let faster = |command: clap::Command| {
        command.mut_arg("ws_update_interval", |interval| interval.default_value("1"))
    };
    // The past is in the archive; what is recorded begins now.
    let from_now_on = |command: clap::Command| command.mut_arg("fill_days", |days| days.default_value("0"));
    let command = Cli::command().mut_subcommand("demo", faster).mut_subcommand("replay", faster);
    let command = command.mut_subcommand("record", from_now_on).mut_subcommand("doctor", from_now_on);
    let command = command.mut_subcommand("alerts", alerts::with_help_of_period);
    let command = command.mut_subcommand("backtest", backtest::with_help_of_period);
    command.mut_args(boolish).mut_subcommands(|command| command.mut_args(boolish))
}

/// Reads booleans as people write them in environments: `1`, `yes`, `on` and `true`, and their opposites.
fn boolish(argument: Arg) -> Arg {
    if argument.get_value_parser().type_id() == TypeId::of::<bool>() {
        argument.value_parser(BoolishValueParser::new())
    } else {
        argument
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a moving heatmap: of a simulated market, or of recorded data with --data.
    Demo(Demo),
    /// Follow live markets and serve them, or serve what is in a database.
    Serve(Box<ServeArgs>),
    /// Play a stretch of a database, or recorded raw frames, as if it happened now.
    Replay(Replay),
    /// Keep the raw frames of live markets in files.
    Record(Record),
    /// Check venues, clocks, limits and the database, and say what to do.
    Doctor(Doctor),
    /// Load files of the Binance public archive, klines in Parquet and recorded liquidations into a database.
    Ingest(Ingest),
    /// Write bars, levels, walls, realised liquidations or the heatmap as Parquet, CSV or JSON.
    Export(Export),
    /// Send a test message to the targets of alerts, or list the alerts that rules raise over stored data.
    Alerts(Alerts),
    /// Grade the map against liquidations that happened, beside simpler predictors.
    Backtest(Backtest),
    /// Print the model parameters that are shipped, or check a file of them.
    Model(Model),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat model > model.toml                      the shipped parameters, to be edited
  liqheat model --model model.toml                check a file; a fingerprint a section
  liqheat serve --db btc.duckdb --model model.toml")]
pub(crate) struct Model {
    /// Print the shipped parameters; also done without any flag.
    #[arg(long)]
    pub(crate) print: bool,
    /// The file to check.
    #[arg(long, env = "LIQHEAT_MODEL", value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// How log lines look.
    #[arg(long, global = true, env = "LIQHEAT_LOG_FORMAT", value_enum, default_value = "pretty")]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or levels by part (info,liqheat_server=debug).
    #[arg(long, global = true, env = "LIQHEAT_LOG", default_value = DEFAULT_LEVELS, value_name = "LEVELS")]
    pub(crate) log: String,
}

/// How long rows are kept.
#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    /// Days that trades are kept; for ever by default. They take by far the most space.
    #[arg(long, env = "LIQHEAT_KEEP_TRADES", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_trades: Option<Duration>,
    /// Days that ticks of the mark price are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_MARK_PRICES", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_mark_prices: Option<Duration>,
    /// Days that klines, open interest, funding and liquidations are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_BARS", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_bars: Option<Duration>,
    /// Days that measured positions are kept; for ever by default.
    #[arg(long, env = "LIQHEAT_KEEP_MEASURED", value_parser = days, value_name = "DAYS")]
    pub(crate) keep_measured: Option<Duration>,
}

impl RetentionArgs {
    pub(crate) const fn retention(&self) -> Retention {
        Retention {
            klines: self.keep_bars,
            trades: self.keep_trades,
            mark_prices: self.keep_mark_prices,
            open_interest: self.keep_bars,
            funding: self.keep_bars,
            liquidations: self.keep_bars,
            measured: self.keep_measured,
        }
    }
}

impl ServeArgs {
    /// Whether venues are connected to.
    pub(crate) fn is_live(&self) -> bool {
        !self.offline && self.role == Role::All && !self.front.symbols.is_empty()
    }
}

impl Command {
    /// What is wrong with settings that each are right by themselves.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.front().map(Front::faults).unwrap_or_default();
        let live = match self {
            Self::Serve(serve) if serve.is_live() => serve.live.settings(&serve.front.symbols).err(),
            Self::Record(record) => record.live.settings(&record.symbols).err(),
            Self::Doctor(doctor) => doctor.live.settings(&doctor.symbols).err(),
            _ => None,
        };
        if let Self::Doctor(doctor) = self {
            faults.extend(doctor.tokens.faults());
        }
        faults.extend(live.into_iter().flatten());
        if let Self::Doctor(doctor) = self {
            faults.extend(doctor.cluster.faults());
        }
        if let Self::Serve(serve) = self
            && serve.role == Role::Edge
            && !serve.front.cluster.redis_enabled
        {
            faults.push("LIQHEAT_ROLE=edge serves what others make, which comes through Redis: set REDIS_ENABLED=true and REDIS_URL".to_owned());
        }
        faults
    }

    /// What all servers share, if this is one.
    pub(crate) const fn front(&self) -> Option<&Front> {
        match self {
            Self::Demo(demo) => Some(&demo.front),
            Self::Serve(serve) => Some(&serve.front),
            Self::Replay(replay) => Some(&replay.front),
            Self::Record(_)
            | Self::Doctor(_)
            | Self::Ingest(_)
            | Self::Alerts(_)
            | Self::Export(_)
            | Self::Backtest(_)
            | Self::Model(_) => None,
        }
    }
}

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
  liqheat serve --symbols BTCUSDT,ETHUSDT                     follow the market at all venues
  liqheat serve --symbols BTCUSDT --venues binance,bybit      at these
  liqheat serve --symbols BTCUSDT@okx,ETHUSDT                 one symbol at one venue, the other at all
  liqheat serve --db btc.duckdb                               what is in the file, as it stands
  liqheat serve --db btc.duckdb --symbols BTCUSDT --offline   this symbol of it
  REDIS_ENABLED=true REDIS_URL=redis://10.0.0.5 liqheat serve --role edge

With --symbols the market is followed live, unless --offline is given.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) front: Front,
    #[command(flatten)]
    pub(crate) db: Database,
    #[command(flatten)]
    pub(crate) keep: RetentionArgs,
    /// Role of this server among several: everything, or only serve the producer's states.
    #[arg(long, env = "LIQHEAT_ROLE", value_enum, default_value = "all", value_name = "ROLE")]
    pub(crate) role: Role,
    /// Serve the database as it is, and connect to no venue.
    #[arg(long, env = "LIQHEAT_OFFLINE")]
    pub(crate) offline: bool,
    /// Also keep the raw frames in files of this folder.
    #[arg(long, env = "LIQHEAT_RECORD", value_name = "FOLDER")]
    pub(crate) record: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) raw: RawArgs,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
}

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

#[derive(Debug, Args)]
pub(crate) struct Database {
    /// The database file [default: liqheat.duckdb in the data folder of the platform]
    #[arg(long, env = "LIQHEAT_DB", value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Open a database whose write-ahead log is damaged: rows before the damage are kept, and the whole log is copied
    /// beside it first.
    #[arg(long, env = "LIQHEAT_RECOVER")]
    pub(crate) recover: bool,
}

impl Database {
    pub(crate) fn settings(&self) -> liqheat_store::Settings {
        liqheat_store::Settings { recover: self.recover, ..liqheat_store::Settings::default() }
    }

    /// The file to use; the platform's data folder is created when it is needed.
    #[expect(clippy::disallowed_methods, reason = "makes the folder of the database")]
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.db {
            return Ok(path.clone());
        }
        let folders = choose_native_strategy().map_err(|_| {
            anyhow::anyhow!("this user has no home folder to keep a database in; name a file with --db")
        })?;
        let folder = folders.data_dir().join("liqheat");
        std::fs::create_dir_all(&folder).map_err(|error| {
            anyhow::anyhow!("cannot create {}: {error}; name another file with --db", folder.display())
        })?;
        Ok(folder.join("liqheat.duckdb"))
    }
}

fn redis_timeout(text: &str) -> Result<Duration, String> {
    SECONDS.parse(text, 0.05..=30.0)
}

fn days(text: &str) -> Result<Duration, String> {
    DAYS.parse(text, 1.0..=36_500.0)
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.trim().parse().map_err(|_| "must be a number, such as 600".to_owned())?;
    if !(0.01..=1_000_000.0).contains(&speed) {
        return Err("must be 0.01 to 1000000 market seconds a second".to_owned());
    }
    Ok(speed)
}

fn moment(text: &str) -> Result<UnixMs, String> {
    liqheat_wire::parse_time(text).map_err(|error| error.to_string())
}

fn family(text: &str) -> Result<Family, String> {
    Family::from_name(text).ok_or_else(|| format!("must be one of {}", Family::names()))
}

fn symbol(text: &str) -> Result<Symbol, String> {
    Symbol::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn booleans_are_read_as_people_write_them() {
        let enabled = |value: &str| {
            let arguments = ["liqheat", "serve", "--ws-enabled", value];
            let matches = command().try_get_matches_from(arguments).ok()?;
            matches.subcommand_matches("serve")?.get_one::<bool>("ws_enabled").copied()
        };
        for (value, expected) in [
            ("1", Some(true)),
            ("yes", Some(true)),
            ("on", Some(true)),
            ("TRUE", Some(true)),
            ("0", Some(false)),
            ("no", Some(false)),
            ("off", Some(false)),
            ("false", Some(false)),
            ("maybe", None),
        ] {
            assert_eq!(enabled(value), expected, "{value}");
        }
    }

    #[test]
    fn numbers_are_checked() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["", "x", "0", "-1", "NaN", "inf", "1e9"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
            assert!(speed(bad).is_err(), "{bad}");
        }
    }
}
