//! Ctrl-C and SIGTERM: the first asks to stop in order, the second ends at once.

#![expect(clippy::disallowed_methods, reason = "starts the task that waits for signals")]

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::logging;
use crate::terminal::complain;

/// Catches signals from now on: the token is cancelled at the first, a second ends the process. To be called
/// before any work begins, or an early signal would end the process without closing the database.
///
/// # Errors
/// When the signals cannot be caught.
pub fn on_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        for already_asked in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if already_asked {
                complain!("liqheat: second signal, ending at once");
                logging::flush(Duration::from_millis(100));
                std::process::exit(130);
            }
            asked.cancel();
        }
    });
    Ok(stop)
}
