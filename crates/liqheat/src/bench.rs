//! `bench`: the figures of the README, measured on this machine in one run.

use std::process::ExitCode;

use crate::cli::Bench;

pub(crate) fn run(_bench: &Bench) -> anyhow::Result<ExitCode> {
    anyhow::bail!("nothing to measure yet")
}
