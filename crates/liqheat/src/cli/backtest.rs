//! Flags of `backtest`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command, ValueEnum};
use liqheat_market::Interval;

use super::values::days;
use super::{Database, StoredPeriod};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat backtest --db btc.duckdb
  liqheat backtest --db btc.duckdb --symbol BTCUSDT@binance --from 2024-02-13 --to 2024-03-31
  liqheat backtest --db btc.duckdb --liquidations bybit-BTCUSDT.csv.gz --format html > score.html
  liqheat backtest --db btc.duckdb --windows 15m,1h --format json

The database needs klines of the symbol and liquidations: its own, of another venue, or of a file. The ledger
follows the rules of the venue that the liquidations come from. docs/model.md explains the figures.")]
pub(crate) struct Backtest {
    #[command(flatten)]
    pub(crate) db: Database,
    #[command(flatten)]
    pub(crate) period: StoredPeriod,
    /// A file of liquidations (.csv, .csv.gz) to grade against instead of the stored ones.
    #[arg(long, env = "LIQHEAT_LIQUIDATIONS", value_name = "FILE")]
    pub(crate) liquidations: Option<PathBuf>,
    /// Lengths of the windows in which touched cells are compared, separated by commas.
    #[arg(long, env = "LIQHEAT_WINDOWS", value_delimiter = ',', default_value = "5m,1h,4h", value_parser = window, value_name = "LENGTHS")]
    pub(crate) windows: Vec<Interval>,
    /// Form of the report on standard output.
    #[arg(long, env = "LIQHEAT_FORMAT", value_enum, default_value = "text", value_name = "FORM")]
    pub(crate) format: ReportFormat,
    /// Days of bars before the graded period that warm the ledger up; half of the bars if there are fewer.
    #[arg(long, env = "LIQHEAT_WARM_UP", default_value = "30", value_parser = days, value_name = "DAYS")]
    pub(crate) warm_up: Duration,
    /// Constant open interest in coins to assume if none is stored [default: a quarter of a day's volume]
    #[arg(long, env = "LIQHEAT_OPEN_INTEREST", value_parser = coins, value_name = "COINS")]
    pub(crate) open_interest: Option<f64>,
    /// Maintenance margin tiers, as for `serve`.
    #[arg(long, env = "LIQHEAT_TIERS", value_name = "FILE")]
    pub(crate) tiers: Option<PathBuf>,
    /// Also print the coefficients of the expected view, fitted on this run.
    #[arg(long, env = "LIQHEAT_FIT")]
    pub(crate) fit: bool,
    /// Parameters of the model, as for `serve`.
    #[arg(long, env = "LIQHEAT_MODEL", value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

/// How a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Tables for a terminal.
    Text,
    /// One JSON object with every figure.
    Json,
    /// One page with tables and pictures, without any other file.
    Html,
}

/// What `--from` and `--to` mean here.
pub(super) fn with_help_of_period(command: Command) -> Command {
    let from =
        "Start of the graded period [default: the first whole day with liquidations after the warm-up]";
    let to = "End of the graded period [default: the end of the last day with liquidations]";
    command.mut_arg("from", |arg| arg.help(from)).mut_arg("to", |arg| arg.help(to))
}

fn window(text: &str) -> Result<Interval, String> {
    let known = || Interval::names().collect::<Vec<_>>().join(", ");
    Interval::from_name(text.trim()).ok_or_else(|| format!("must be one of {}", known()))
}

fn coins(text: &str) -> Result<f64, String> {
    let coins: f64 =
        text.trim().parse().map_err(|_| "must be a number of coins, such as 80000".to_owned())?;
    if coins > 0.0 && coins < 1e10 {
        Ok(coins)
    } else {
        Err("must be above 0 and below 10000000000".to_owned())
    }
}
