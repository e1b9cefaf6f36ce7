//! The parts while they run, and the order in which they stop.

#![expect(clippy::disallowed_methods, reason = "starts the parts of the server, and awaits their ends")]

use std::time::Duration;

use liqheat_stream::Sessions;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::end::ServerEnd;
use crate::gateway::Front;

/// Every part by its name. A part that ends by itself is a fault.
pub(super) struct RunningParts {
    parts: JoinSet<&'static str>,
    /// Apart from the signal to sessions, because the order matters: they see the newest state to the end.
    stop_fronts: CancellationToken,
    stop_sources: CancellationToken,
}

impl RunningParts {
    pub(super) fn new() -> Self {
        let (stop_fronts, stop_sources) = (CancellationToken::new(), CancellationToken::new());
        Self { parts: JoinSet::new(), stop_fronts, stop_sources }
    }

    /// Starts a listener.
    pub(super) fn start_front(&mut self, name: &'static str, front: Front, listener: TcpListener) {
        let stop = self.stop_fronts.clone();
        self.parts.spawn(async move {
            front.run(listener, stop).await;
            name
        });
    }

    /// Starts a part that stops when the listeners have.
    pub(super) fn start<F>(&mut self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = run(self.stop_sources.clone());
        self.parts.spawn(async move {
            running.await;
            name
        });
    }

    /// Waits until `shutdown` completes or a part ends by itself.
    pub(super) async fn run_until(&mut self, shutdown: impl Future<Output = ()>) -> ServerEnd {
        let end = tokio::select! {
            () = shutdown => ServerEnd::InOrder,
            ended = self.parts.join_next() => ServerEnd::Fault(describe_end(ended)),
        };
        if let ServerEnd::Fault(part) = &end {
            error!(part, "a part ended by itself; stopping the server");
        }
        end
    }

    /// Ends sessions, then listeners, then sources and whatever else runs; `None` when all of them have ended in order.
    pub(super) async fn stop(
        mut self,
        closing: &CancellationToken,
        sessions: &Sessions,
        within: Duration,
    ) -> Option<ServerEnd> {
        let stop_all = async {
            closing.cancel();
            sessions.drained().await;
            self.stop_fronts.cancel();
            self.stop_sources.cancel();
            while let Some(ended) = self.parts.join_next().await {
                if let Err(error) = ended {
                    return Some(ServerEnd::Fault(error.to_string()));
                }
            }
            None
        };
        if let Ok(end) = timeout(within, stop_all).await {
            return end;
        }
        let within_s = within.as_secs();
        error!(within_s, parts = self.parts.len(), "not everything stopped in time; ending all the same");
        self.parts.abort_all();
        Some(ServerEnd::Fault("shutdown deadline".to_owned()))
    }
}

fn describe_end(ended: Option<Result<&'static str, JoinError>>) -> String {
    match ended {
        Some(Ok(part)) => part.to_owned(),
        Some(Err(error)) => error.to_string(),
        None => "nothing".to_owned(),
    }
}
