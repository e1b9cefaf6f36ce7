//! Structured logs on standard error: lines for people, or one JSON object a line for machines.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// What is logged unless somebody asks for something else.
pub(crate) const DEFAULT_LEVELS: &str = "info";

/// Starts logging; a filter that cannot be read falls back to `info` and says so.
pub(crate) fn start(format: LogFormat, levels: &str) {
    let parsed = EnvFilter::try_new(levels);
    let fault = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new("info"));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        // Colours are for people at a terminal, not for files and pipes.
        .with_ansi(std::io::stderr().is_terminal() && !plain);
    match format {
        LogFormat::Pretty => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    if let Some(fault) = fault {
        tracing::warn!(levels, fault, "log levels not understood; using info");
    }
}
