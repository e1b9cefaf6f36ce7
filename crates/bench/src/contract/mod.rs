//! `liqheat-bench contract`: figures that the plan of the stream promised, each measured against its limit.
//!
//! Servers are processes of their own, the released program where it is about routes, so their processor time is
//! their own. Everything is bounded in time and in the number of clients, and stays on the loopback address.

mod events;
mod history;
mod http;
mod polling;
mod program;
mod redis;
mod rest;
mod sample;
mod socket;
mod stream_client;

use std::process::ExitCode;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cli::{ContractArgs, ContractPart};
use crate::fanout::limits::check_clients;
use crate::machine;
use liqheat::terminal::say;

/// Time for a server to settle before it is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// The symbol of the simulated market.
const SYMBOL: &str = "BTCUSDT";

/// Measures the parts that are asked for. The exit code is a failure when a limit is not kept.
///
/// # Errors
/// When the machine does not allow that number of clients, or something cannot be started.
pub(crate) async fn run(arguments: ContractArgs) -> anyhow::Result<ExitCode> {
    let stop = liqheat::stop::on_signal()?;
    say!("machine: {}", machine::describe());
    check_clients(arguments.clients)?;
    let mut ok = true;
    for part in arguments.parts() {
        if stop.is_cancelled() {
            break;
        }
        say!();
        ok &= measure(part, &arguments, &stop).await?;
    }
    Ok(if ok && !stop.is_cancelled() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(
    part: ContractPart,
    arguments: &ContractArgs,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    match part {
        ContractPart::Polling => polling::run(arguments, stop).await,
        ContractPart::Rest => rest::run(arguments, stop).await,
        ContractPart::Redis => redis::run(arguments, stop).await,
        ContractPart::History => history::run(arguments, stop).await,
        ContractPart::Events => events::run(arguments, stop).await,
        ContractPart::Socket => socket::run(arguments, stop).await,
    }
}

/// Prints a figure beside its limit; whether it is kept.
fn print_verdict(what: &str, figure: f64, limit: f64, unit: &str) -> bool {
    let is_kept = figure <= limit;
    let verdict = if is_kept { "kept" } else { "NOT kept" };
    say!("{what}: {figure:.2}{unit}; limit {limit}{unit}: {verdict}");
    is_kept
}

/// Waits, or until the operator ends it.
async fn pause(duration: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = stop.cancelled() => {}
    }
}
