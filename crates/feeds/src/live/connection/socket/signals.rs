//! Signals of a connection with the index of their contract in the venue.

use super::Connection;
use crate::live::clock::ClockReading;
use crate::live::connection::{ConnectionCommand, StreamSignal};
use crate::venues::{Signal, StreamKind};

impl Connection {
    /// Signals with the index of their contract in the venue in place of that in the table of this connection.
    pub(super) fn resolve(&mut self, signals: Vec<Signal>, received: ClockReading) -> Vec<StreamSignal> {
        let mut resolved = Vec::with_capacity(signals.len());
        for signal in signals {
            let index = |at: usize| self.assignment.contracts.get(at).copied();
            let signal = match signal {
                Signal::Event { contract, event, sent } => {
                    let Some(contract) = index(contract) else { continue };
                    if StreamKind::of(&event) == StreamKind::Mark {
                        self.liveness.on_tick(contract, received.uptime);
                    }
                    StreamSignal::Event { contract, event, sent }
                }
                Signal::Order { contract, report, sent } => {
                    let Some(contract) = index(contract) else { continue };
                    StreamSignal::Order { contract, report, sent }
                }
                Signal::Alive { contract, stream, sent } => {
                    let Some(contract) = index(contract) else { continue };
                    if stream == StreamKind::Mark {
                        self.liveness.on_tick(contract, received.uptime);
                    }
                    StreamSignal::Alive { contract, stream, sent }
                }
                Signal::Traders(addresses) => StreamSignal::Traders(addresses),
                Signal::Rejected(rejected) => {
                    let contract = rejected.contract.and_then(index);
                    StreamSignal::Rejected { contract, rejected }
                }
                Signal::Refused(words) => StreamSignal::Refused(words),
                Signal::Leaving(words) => {
                    let reason = format!("the venue announced the end of the connection: {words}");
                    let replace = ConnectionCommand::Replace { connection: Some(self.number), reason };
                    // A busy supervisor notices the end of the connection instead.
                    let _ = self.commands.try_send(replace);
                    continue;
                }
                Signal::Acknowledged | Signal::Pong => continue,
            };
            resolved.push(signal);
        }
        resolved
    }
}
