//! The program `liqheat`: reads its settings, runs one command, turns the outcome into an exit code. A library only
//! so that `liqheat-bench` measures the same code and prints, logs and stops in the same way.
//!
//! Exit codes: 0 all went well, 1 something failed or was refused, 2 the command line or the configuration
//! is wrong.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files"))]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

#[cfg(test)]
mod acceptance_test;
mod alerts;
mod alerts_file;
mod backtest;
mod cli;
mod config;
#[cfg(test)]
mod docs_test;
mod doctor;
mod effective;
mod export;
pub mod ingest;
mod listen;
pub mod logging;
mod model_file;
mod record;
mod reload;
mod serve;
pub mod stop;
mod stored;
pub mod terminal;
mod tiers;
pub mod time_unit;
mod traces;

use std::process::ExitCode;
use std::time::Duration;

use liqheat_server::TraceSettings;

use crate::cli::{Cli, Command};
use crate::config::Settings;
use crate::traces::{CAN_EXPORT, TraceExport};

/// How long the end of the process waits for the rest of the log.
const LOG_FLUSH_MAX: Duration = Duration::from_secs(1);

pub use listen::listen;

/// The program: settings from the command line, environment and file; logs on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let settings = match config::parse(std::env::args_os()) {
        Ok(settings) => settings,
        Err(error) => return error.report(),
    };
    if settings.cli.command.front().is_some_and(|front| front.print_config) {
        for warning in &settings.unknown_variables {
            complain!("liqheat: warning: {warning}");
        }
        terminal::print(format_args!("{}", settings.effective.toml()));
        return ExitCode::SUCCESS;
    }
    let code = run(settings).unwrap_or_else(|error| {
        complain!("liqheat: {error:#}");
        ExitCode::FAILURE
    });
    logging::flush(LOG_FLUSH_MAX);
    code
}

/// Runs the command with the log, and with whoever takes spans.
fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    let traces = settings.cli.command.front().and_then(|front| front.traces.settings());
    let (export, spans) = TraceExport::start(traces.as_ref())?;
    logging::start_with(settings.cli.logging.log_format, levels(&settings.cli), spans)?;
    if let Some(traces) = traces {
        let TraceSettings { collector, service, sample_ratio } = traces;
        if CAN_EXPORT {
            tracing::info!(%collector, service, sample_ratio, "spans are sent to a collector");
        } else {
            // A platform may set the variable for all it runs: no reason not to serve.
            tracing::warn!(
                %collector,
                "no spans are sent: OTEL_EXPORTER_OTLP_ENDPOINT is set, but this liqheat was built without the feature otlp; \
                 build it with `cargo build --release -p liqheat --features otlp`"
            );
        }
    }
    let ended = execute(settings);
    export.finish();
    ended
}

/// What is logged, where the operator does not say.
fn levels(cli: &Cli) -> &str {
    match cli.command {
        _ if cli.logging.log != logging::DEFAULT_LEVELS => &cli.logging.log,
        Command::Backtest(_) | Command::Export(_) => "warn",
        // What it finds is what it prints.
        Command::Doctor(_) => "error",
        _ => logging::DEFAULT_LEVELS,
    }
}

#[expect(clippy::disallowed_methods, reason = "long work of a command, off the async workers")]
fn execute(settings: Settings) -> anyhow::Result<ExitCode> {
    let Settings { cli, effective, unknown_variables } = settings;
    for warning in &unknown_variables {
        tracing::warn!("{warning}");
    }
    if cli.command.front().is_some() {
        tracing::info!(settings = effective.line(), "configuration");
    }
    match cli.command {
        Command::Demo(demo) => runtime()?.block_on(serve::demo(demo)),
        Command::Serve(serve) => runtime()?.block_on(serve::serve(*serve, effective)),
        Command::Replay(replay) => runtime()?.block_on(serve::replay(replay)),
        Command::Record(record) => runtime()?.block_on(record::record(record)),
        Command::Model(model) => {
            if let Some(path) = model.model.as_ref().filter(|_| !model.print) {
                let file = model_file::load(Some(path))?;
                for section in file.book.sections() {
                    let venue = section.venue.map_or("every venue", liqheat_market::Venue::name);
                    let symbol = section.symbol.as_ref().map_or("every symbol", |symbol| symbol.as_str());
                    terminal::print(format_args!(
                        "{venue}, {symbol}: {:016x}\n",
                        section.params.fingerprint()
                    ));
                }
                if let Some(expected) = file.expected {
                    terminal::print(format_args!("the expected view: {:016x}\n", expected.fingerprint()));
                }
            } else {
                terminal::print(format_args!("{}", model_file::SHIPPED));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor(doctor) => runtime()?.block_on(doctor::run(doctor, &unknown_variables)),
        Command::Ingest(ingest) => runtime()?.block_on(async {
            let stop = stop::on_signal()?;
            if let Some(server) = ingest.server.clone() {
                return ingest::run_remote(&ingest, server, &stop).await;
            }
            tokio::task::spawn_blocking(move || ingest::run(&ingest, &stop)).await?
        }),
        Command::Export(export) => runtime()?.block_on(export::run(export)),
        Command::Alerts(alerts) => runtime()?.block_on(alerts::run(alerts)),
        Command::Backtest(backtest) => runtime()?.block_on(async {
            let stop = stop::on_signal()?;
            tokio::task::spawn_blocking(move || backtest::run(&backtest, &stop)).await?
        }),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("server").build()?)
}
