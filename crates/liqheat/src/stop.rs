//! Ctrl-C and SIGTERM: the first asks to stop in order, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first signal; a second one ends the process.
///
/// # Errors
/// When the signals cannot be caught.
pub(crate) fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            eprintln!("liqheat: second signal, ending at once");
            std::process::exit(130);
        });
    })
}
