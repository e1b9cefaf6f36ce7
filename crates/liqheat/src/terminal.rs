//! Output for people: standard output and standard error.
//!
//! Neither is needed to do the work, so neither may end it: a full disk, a closed pipe or a pipe that nobody reads
//! costs the text and nothing else. `println!` and `eprintln!` panic in these cases, hence the lints against them in
//! this crate.
//!
//! A server writes to standard error through the queue of [`crate::logging`], so that a reader that stands still
//! cannot hold up a thread that serves.

#![expect(clippy::disallowed_methods, reason = "starts the thread that writes to a pipe")]

use std::fmt::Arguments;
use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use crate::logging;

/// Prints a line to standard output.
#[macro_export]
macro_rules! say {
    () => { $crate::terminal::print(format_args!("\n")) };
    ($($argument:tt)*) => { $crate::terminal::print(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Prints a line to standard error.
#[macro_export]
macro_rules! complain {
    ($($argument:tt)*) => { $crate::terminal::print_error(format_args!("{}\n", format_args!($($argument)*))) };
}

pub use crate::{complain, say};

/// Prints text to standard output as it is.
pub fn print(text: Arguments<'_>) {
    // Whoever reads it may have gone; see the head of this file.
    let _ = std::io::stdout().lock().write_fmt(text);
}

/// Prints text to standard error as it is; behind the log, once that runs.
pub fn print_error(text: Arguments<'_>) {
    let text = text.to_string();
    if !logging::queue(&text) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Prints a line to standard output, and waits at most a second for it: for servers, which must start even when
/// standard output is a full pipe that nobody reads.
pub fn announce(text: &str) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let line = format!("{text}\n");
    let (done, waiting) = mpsc::channel();
    let printing = std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        print(format_args!("{line}"));
        let _ = done.send(());
    });
    if printing.is_ok() {
        let _ = waiting.recv_timeout(PATIENCE);
    }
}
