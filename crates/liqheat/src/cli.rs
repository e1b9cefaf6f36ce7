//! The command line. Every flag is also an environment variable and a key of the configuration file.

mod alerts;
mod backtest;
mod cluster;
mod database;
mod doctor;
mod export;
mod front;
mod ingest;
mod live;
mod model;
mod playback;
mod record;
mod server_url;
mod stored_period;
mod traces;
mod values;

use std::any::TypeId;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Arg, Args, CommandFactory, Parser, Subcommand};

pub(crate) use alerts::{AlertAction, Alerts};
pub(crate) use backtest::{Backtest, ReportFormat};
pub(crate) use cluster::Role;
pub(crate) use database::{Database, RetentionArgs};
pub(crate) use doctor::Doctor;
pub(crate) use export::{Export, ExportWhat};
pub(crate) use front::{Front, Tokens, exposure};
pub(crate) use ingest::Ingest;
pub(crate) use live::{LiveArgs, RawArgs, parse_name};
pub(crate) use model::Model;
pub(crate) use playback::{Demo, Replay};
pub(crate) use record::Record;
pub(crate) use server_url::ServerUrl;
pub(crate) use stored_period::StoredPeriod;
use traces::Traces;

use crate::logging::{DEFAULT_LEVELS, LogFormat};

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
pub(crate) struct Logging {
    /// How log lines look.
    #[arg(long, global = true, env = "LIQHEAT_LOG_FORMAT", value_enum, default_value = "pretty")]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or levels by part (info,liqheat_server=debug).
    #[arg(long, global = true, env = "LIQHEAT_LOG", default_value = DEFAULT_LEVELS, value_name = "LEVELS")]
    pub(crate) log: String,
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::time_unit::parse_seconds;

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
        }
    }
}
