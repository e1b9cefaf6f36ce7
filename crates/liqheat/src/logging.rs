//! Structured logs on standard error: lines for people, or one JSON object a line for machines.
//!
//! The log never holds up the program. Lines go into a bounded queue and a thread of its own writes them
//! ([`queue`](mod@queue)); while standard error takes nothing, further lines are dropped and counted
//! (`liqheat_log_lines_dropped_total`), and a line says how many once there is room again. A panic is logged the same
//! way, because the standard hook would wait for standard error.

mod escape;
mod queue;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use liqheat_server::log_lines_dropped;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use escape::escape;
use queue::LineQueue;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Default log filter.
pub const DEFAULT_LEVELS: &str = "info";

/// The queue in front of standard error, once logging has started.
static QUEUE: OnceLock<LineQueue> = OnceLock::new();

/// Changes the filter, once logging has started.
static SET_LEVELS: OnceLock<Box<dyn Fn(EnvFilter) + Send + Sync>> = OnceLock::new();

/// What is added to a filter that does not name this crate.
const QUIET: &str = "rmcp=error";

/// Reads a filter.
///
/// # Errors
/// What is wrong with it.
pub fn parse_levels(levels: &str) -> Result<EnvFilter, String> {
    let filter = EnvFilter::try_new(levels).map_err(|error| error.to_string())?;
    if levels.contains("rmcp") {
        return Ok(filter);
    }
    // It writes several lines a request at `info`, and quotes what clients send at `warn`.
    let quiet = QUIET.parse().map_err(|error| format!("{QUIET}: {error}"))?;
    Ok(filter.add_directive(quiet))
}

/// Filters by others from now on.
pub fn set_levels(levels: EnvFilter) {
    if let Some(set) = SET_LEVELS.get() {
        set(levels);
    }
}

/// What takes the spans of the program, beside the log.
pub(crate) type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging; a filter that cannot be parsed falls back to `info`, with a warning.
///
/// # Errors
/// When the system gives neither a thread nor a descriptor for standard error.
pub fn start(format: LogFormat, levels: &str) -> io::Result<()> {
    start_with(format, levels, None)
}

/// The same, with somebody who takes spans.
///
/// # Errors
/// As [`start`].
pub(crate) fn start_with(format: LogFormat, levels: &str, spans: Option<SpanLayer>) -> io::Result<()> {
    let parsed = parse_levels(levels);
    let fault = parsed.as_ref().err().cloned();
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new("info"));
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    // A descriptor of its own: the writer may wait in `write` while holding the lock of `std::io::stderr`.
    let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let queue = QUEUE.get_or_init(|| LineQueue::new(log_lines_dropped()));
    queue.spawn_writer(stderr, |dropped| {
        tracing::warn!(dropped, "log lines dropped: standard error did not accept them");
    })?;
    let has_colours = io::stderr().is_terminal() && !no_color;
    let log = fmt::layer()
        .with_writer(move || QueueWriter { has_colours })
        .with_timer(SystemTime)
        // Otherwise an error is printed with `eprintln!`, which panics when standard error is closed.
        .log_internal_errors(false)
        // Colours are for people at a terminal, not for files and pipes.
        .with_ansi(has_colours);
    let log = match format {
        LogFormat::Pretty => log.with_target(false).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let (filter, handle) = reload::Layer::new(filter);
    // Logging starts once. A change fails only when there is no subscriber any more.
    drop(SET_LEVELS.set(Box::new(move |levels| drop(handle.reload(levels)))));
    // The levels are those of the log alone: whoever takes spans has a filter of its own.
    tracing_subscriber::registry().with(spans).with(log.with_filter(filter)).init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(thread = thread.name(), backtrace, "panic: {panic}");
    }));
    if let Some(fault) = fault {
        tracing::warn!(levels, fault, "invalid log filter; using info");
    }
    Ok(())
}

/// Puts text behind the log; `false` when logging has not started.
pub(crate) fn queue(text: &str) -> bool {
    let Some(queue) = QUEUE.get() else { return false };
    queue.push(text.as_bytes());
    true
}

/// Waits until everything queued is written, but not longer than this.
pub fn flush(at_most: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(at_most);
    }
}

/// Takes one log line per call of `write`, which is how the formatter writes.
struct QueueWriter {
    has_colours: bool,
}

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(queue) = QUEUE.get() {
            queue.push(&escape(line, self.has_colours));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
