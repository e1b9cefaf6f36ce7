//! Flags of `alerts`.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};

use super::{Database, StoredPeriod};

/// What `alerts` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlertAction {
    /// Send a test message to every target, once, and say which took it.
    Test,
    /// List the alerts that the rules raise over stored bars; nothing is sent.
    Replay,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  liqheat alerts test --alerts alerts.toml
  liqheat alerts test --alerts alerts.toml --target desk
  liqheat alerts replay --alerts alerts.toml --db btc.duckdb --from 2025-11-20 --to 2025-11-22

A replay observes the symbol once a bar and prints one JSON object a line. Exit code 1 when a target did not take the
message.")]
pub(crate) struct Alerts {
    /// What to do.
    #[arg(value_enum, value_name = "ACTION")]
    pub(crate) action: AlertAction,
    /// Rules of alerts and the targets they go to (a TOML file, see docs/price_alerts.md).
    #[arg(long, env = "LIQHEAT_ALERTS", required = true, value_name = "FILE")]
    pub(crate) alerts: Option<PathBuf>,
    /// With test: only this target.
    #[arg(long, env = "LIQHEAT_TARGET", value_name = "NAME")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) db: Database,
    #[command(flatten)]
    pub(crate) period: StoredPeriod,
    /// Maintenance margin tiers that replace the ones shipped with the program, as for `serve`.
    #[arg(long, env = "LIQHEAT_TIERS", value_name = "FILE")]
    pub(crate) tiers: Option<PathBuf>,
}

/// What `--from` and `--to` mean here.
pub(super) fn with_help_of_period(command: Command) -> Command {
    let from =
        "With replay: start; the bars before it warm the model up [default: a day after the first bar]";
    command
        .mut_arg("from", |arg| arg.help(from))
        .mut_arg("to", |arg| arg.help("With replay: end [default: the last bar]"))
}
