//! Keeps some contracts connected: runs connections as [`Supervision`] says.

#![expect(clippy::disallowed_methods, reason = "starts connections, and awaits their ends")]

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::assignment::Assignment;
use super::socket::{Connection, End};
use super::supervision::{Supervision, SupervisionCommand, SupervisionEvent};
use super::{ConnectionCommand, ConnectionContext, ConnectionEvent};

/// The task of one assignment.
pub(super) struct ConnectionSupervisor {
    context: Arc<ConnectionContext>,
    assignment: Arc<Assignment>,
    supervision: Supervision,
    connections: JoinSet<(u64, End)>,
    stops: BTreeMap<u64, CancellationToken>,
    commands: mpsc::Sender<ConnectionCommand>,
}

impl ConnectionSupervisor {
    /// A supervisor whose connections send it `commands`.
    pub(super) fn new(
        context: Arc<ConnectionContext>,
        assignment: Assignment,
        commands: mpsc::Sender<ConnectionCommand>,
    ) -> Self {
        // A little less for each, so that connections opened together are not replaced together.
        let life = context.limits.connection_life.mul_f64(1.0 - 0.05 * fastrand::f64());
        let (overlap, now) = (context.limits.mark_silence, context.clock.uptime());
        let supervision = Supervision::new(life, overlap, context.backoff, now);
        let assignment = Arc::new(assignment);
        Self {
            context,
            assignment,
            supervision,
            connections: JoinSet::new(),
            stops: BTreeMap::new(),
            commands,
        }
    }

    /// Runs until `stop`, and until its connections have ended.
    ///
    /// # Errors
    /// When a connection's task panicked.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<ConnectionCommand>,
        stop: CancellationToken,
    ) -> Result<(), JoinError> {
        loop {
            let deadline = self.supervision.next_deadline();
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(self.context.clock.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                () = stop.cancelled() => break,
                () = timer => SupervisionEvent::Time,
                Some(command) = commands.recv() => match command {
                    ConnectionCommand::Proved(number) => SupervisionEvent::Proved(number),
                    ConnectionCommand::Replace { connection, reason } => {
                        SupervisionEvent::ReplaceAdvised { connection, reason }
                    }
                },
                Some(ended) = self.connections.join_next() => {
                    let (connection, end) = ended?;
                    self.stops.remove(&connection);
                    self.context.disconnected();
                    let End::Lost(reason) = end else { continue };
                    SupervisionEvent::Ended { connection, reason }
                }
            };
            let now = self.context.clock.uptime();
            for command in self.supervision.on_event(event, now, fastrand::f64()) {
                self.execute(command, &stop).await;
            }
        }
        while let Some(ended) = self.connections.join_next().await {
            self.context.disconnected();
            ended?;
        }
        Ok(())
    }

    async fn execute(&mut self, command: SupervisionCommand, stop: &CancellationToken) {
        let supervisor = self.assignment.supervisor;
        match command {
            SupervisionCommand::Open => self.open(stop),
            SupervisionCommand::Close(number) => {
                if let Some(stop) = self.stops.remove(&number) {
                    stop.cancel();
                }
            }
            SupervisionCommand::ReportProved => self.report(ConnectionEvent::Proved { supervisor }).await,
            SupervisionCommand::ReportRolledOver => self.report(ConnectionEvent::RolledOver).await,
            SupervisionCommand::ReportLost { reason, remaining } => {
                self.report(ConnectionEvent::Lost { supervisor, reason, remaining }).await;
            }
            SupervisionCommand::LogReplacement(reason) => {
                tracing::info!(venue = %self.context.exchange.venue, %reason, "replacing a connection");
            }
        }
    }

    fn open(&mut self, stop: &CancellationToken) {
        let now = self.context.clock.uptime();
        if let Err(at) = self.context.connect(now) {
            self.supervision.on_limited(at);
            return;
        }
        let number = self.context.next_number();
        let stop = stop.child_token();
        self.stops.insert(number, stop.clone());
        let (context, assignment) = (Arc::clone(&self.context), Arc::clone(&self.assignment));
        let commands = self.commands.clone();
        self.connections.spawn(async move {
            (number, Connection::new(context, assignment, number, commands).run(stop).await)
        });
        self.supervision.on_opening(number, now);
    }

    async fn report(&self, event: ConnectionEvent) {
        // Nobody listens any more when the venue is being left.
        let _ = self.context.events.send(event).await;
    }
}
