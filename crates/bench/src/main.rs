//! The binary `liqheat-bench`: the figures of docs/results.md, measured on this machine in one run.
//!
//! Every figure stands beside what it is compared with: DuckDB's own readers of the same files in the same
//! run, or the limit it has to keep. Medians, because machines are noisy.

#![allow(clippy::disallowed_methods, reason = "measurements run real clocks, threads and files")]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod bar;
mod cli;
mod contract;
mod data;
mod fanout;
mod feed;
mod grid;
mod ledger;
mod load;
mod machine;
mod picture;
mod reads;
mod start;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use tokio_util::sync::CancellationToken;

use liqheat::terminal::{complain, say};
use liqheat::{logging, stop};

use crate::cli::{Bench, BenchPart, MeasuredProgram};
use data::Year;

fn main() -> ExitCode {
    let bench = Bench::parse();
    let code = start(bench).unwrap_or_else(|error| {
        complain!("liqheat-bench: {error:#}");
        ExitCode::FAILURE
    });
    logging::flush(Duration::from_secs(1));
    code
}

fn start(bench: Bench) -> anyhow::Result<ExitCode> {
    logging::start(logging::LogFormat::Pretty, &bench.log)?;
    match bench.measured {
        Some(MeasuredProgram::Contract(arguments)) => runtime()?.block_on(contract::run(arguments)),
        Some(MeasuredProgram::Server(arguments)) => runtime()?.block_on(fanout::server(arguments)),
        Some(MeasuredProgram::Floor(arguments)) => fanout::floor(&arguments),
        None => runtime()?.block_on(async {
            let stop = stop::on_signal()?;
            tokio::task::spawn_blocking(move || run(&bench, &stop)).await?
        }),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("server").build()?)
}

fn run(bench: &Bench, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    say!("machine: {}", machine::describe());
    if cfg!(debug_assertions) {
        say!("this is a debug build; figures mean something with `cargo build --release` only");
    }
    let wanted = |part: BenchPart| bench.what.contains(&part);
    let over_a_year = BenchPart::value_variants().iter().filter(|part| part.is_over_a_year());
    if bench.what.is_empty() || over_a_year.copied().any(wanted) {
        run_over_a_year(bench, stop)?;
    }
    if (bench.what.is_empty() || wanted(BenchPart::Feed)) && !stop.is_cancelled() {
        feed::run()?;
    }
    let mut ok = true;
    if wanted(BenchPart::Fanout) && !stop.is_cancelled() {
        ok &= fanout::run(&bench.fanout, stop)?;
    }
    if wanted(BenchPart::Bandwidth) && !stop.is_cancelled() {
        ok &= fanout::bandwidth::run(bench.fanout.seconds, stop)?;
    }
    if wanted(BenchPart::Reads) && !stop.is_cancelled() {
        ok &= reads::run(bench.fanout.seconds, stop)?;
    }
    if wanted(BenchPart::Deploy) && !stop.is_cancelled() {
        ok &= fanout::deploy::run(&bench.fanout, stop)?;
    }
    // Whoever watches servers of his own ends it when he has seen enough.
    let is_whole = !stop.is_cancelled() || !bench.fanout.connect.is_empty();
    Ok(if ok && is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_over_a_year(bench: &Bench, stop: &CancellationToken) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let year = Year::load(bench.klines.as_deref(), folder.path())?;
    say!("data: {}", year.describe());
    let wanted =
        |part: BenchPart| !stop.is_cancelled() && (bench.what.is_empty() || bench.what.contains(&part));
    if wanted(BenchPart::Ledger) {
        ledger::run(&year)?;
    }
    if wanted(BenchPart::Bar) {
        bar::run(&year)?;
    }
    if wanted(BenchPart::Grid) {
        grid::run(&year)?;
    }
    if wanted(BenchPart::Picture) {
        picture::run(&year, folder.path())?;
    }
    if wanted(BenchPart::Load) {
        load::run(&year, folder.path())?;
    }
    if wanted(BenchPart::Start) {
        start::run(&year, folder.path())?;
    }
    Ok(())
}

/// Prints a figure beside the limit it has to keep.
fn print_limit(what: &str, took: Duration, limit: Duration, more: &str) {
    let ratio = took.as_secs_f64() / limit.as_secs_f64();
    say!(
        "{what:<44} {:>10.3} ms   {ratio:>5.2} of the limit of {limit:?}   {more}",
        took.as_secs_f64() * 1e3
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

/// The middle of some durations; zero of none.
fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}
