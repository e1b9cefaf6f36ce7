//! For tests only: the built program as a child process, files for it to load, simple HTTP, a WebSocket viewer, a
//! stand-in exchange, recorded data.
//!
//! Nothing here sleeps for a fixed time: everything waits for an event (a line of the log, a frame, the end of a
//! process) and panics with what it saw when [`PATIENCE`] is over. Steps that fail panic: that is what a test is.

#![allow(
    clippy::disallowed_methods,
    reason = "stand-ins and clients of tests run real clocks, threads and files"
)]
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod archive;
mod data;
mod events;
pub mod exchange;
mod http;
mod port;
mod program;
mod receiver;
mod shadow;
pub mod token;
mod viewer;

use std::time::{Duration, Instant};

pub use archive::Folder;
pub use data::{recorded, repository};
pub use events::{EventReader, ServerSentEvent};
pub use http::{Answer, connect_from, get, get_with, read_answer, send_json};
pub use port::free_port;
pub use program::{Program, ProgramOutput, RunningProgram};
pub use receiver::{ReceivedPost, Receiver};
pub use shadow::{LoggedStates, Shadow, ShadowPosition};
pub use viewer::{CloseReason, Viewer, ViewerMessage};

/// Most time anything may take; never waited for when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer, for what cannot be waited for as an event.
///
/// # Panics
/// When there is none within [`PATIENCE`].
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    /// So that asking does not take the cores from whoever is to bring the answer.
    const BETWEEN: Duration = Duration::from_millis(10);
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(BETWEEN);
    }
}
