//! `bench`: the figures of the README, measured on this machine in one run.
//!
//! Every figure stands beside what it is compared with: DuckDB's own readers of the same files in the same
//! run, or the limit it has to keep. Medians, because machines are noisy.

mod bar;
mod data;
mod grid;
mod ledger;
mod load;
mod machine;
mod start;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cli::{Bench, BenchPart};
use data::Year;

pub(crate) fn run(bench: &Bench) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    println!("machine: {}", machine::describe());
    if cfg!(debug_assertions) {
        println!("this is a debug build; figures mean something with `cargo build --release` only");
    }
    let year = Year::load(bench.klines.as_deref(), folder.path())?;
    println!("data: {}", year.describe());
    let wanted = |part: BenchPart| bench.what.is_empty() || bench.what.contains(&part);
    if wanted(BenchPart::Ledger) {
        ledger::run(&year)?;
    }
    if wanted(BenchPart::Bar) {
        bar::run(&year)?;
    }
    if wanted(BenchPart::Grid) {
        grid::run(&year)?;
    }
    if wanted(BenchPart::Load) {
        load::run(&year, folder.path())?;
    }
    if wanted(BenchPart::Start) {
        start::run(&year, folder.path())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a figure beside the limit it has to keep.
fn print_limit(what: &str, took: Duration, limit: Duration, more: &str) {
    let ratio = took.as_secs_f64() / limit.as_secs_f64();
    println!(
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
