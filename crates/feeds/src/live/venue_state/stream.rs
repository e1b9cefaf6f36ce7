//! What connections report: events and rows of frames, and what becomes of the connection.

use liqheat_market::{Event, UnixMs};

use super::VenueState;
use crate::live::GapCause;
use crate::live::clock::{ClockReading, Uptime};
use crate::live::connection::{ConnectionEvent, RemainingConnections, StreamSignal};
use crate::live::contract::ContractIndex;
use crate::live::health::StreamMessage;
use crate::live::pipeline::{GateVerdict, Origin, StreamEvent};
use crate::venues::{RejectedSignal, StreamKind};

impl VenueState {
    /// Something happened on a connection.
    pub(in super::super) fn on_connection_event(&mut self, event: ConnectionEvent, now: Uptime) {
        match event {
            ConnectionEvent::Opened { supervisor } => self.health.on_opened(supervisor),
            ConnectionEvent::Proved { supervisor } => self.health.on_proved(supervisor, now),
            ConnectionEvent::RolledOver => self.health.on_rolled_over(),
            ConnectionEvent::Lost { supervisor, reason, remaining } => {
                if remaining == RemainingConnections::None {
                    self.warn_sometimes("connection lost", &reason, now);
                    for contract in self.health.contracts_of(supervisor) {
                        self.gates[contract].on_interruption();
                    }
                    self.listing.request_early();
                }
                self.health.on_lost(supervisor, reason, remaining);
            }
            ConnectionEvent::Malformed { reason, frame } => self.refused(&reason, &frame, now),
            ConnectionEvent::Frames { connection, received, frames, signals } => {
                self.health.on_frames(frames);
                for signal in signals {
                    self.on_signal(connection, received, signal);
                }
            }
        }
    }

    fn on_signal(&mut self, connection: u64, received: ClockReading, signal: StreamSignal) {
        match signal {
            StreamSignal::Event { contract, event, sent } => {
                self.on_socket_event(contract, StreamEvent::Event(event), sent, connection, received);
            }
            StreamSignal::Order { contract, report, sent } => {
                self.on_socket_event(contract, StreamEvent::Order(report), sent, connection, received);
            }
            StreamSignal::Alive { contract, stream, sent } => {
                let lag_ms = sent.map(|sent| self.venue_time(received).since(sent));
                let received = received.uptime;
                self.health.on_message(StreamMessage {
                    contract,
                    stream,
                    received,
                    lag_ms,
                    as_of: sent,
                    is_new: false,
                });
            }
            StreamSignal::Traders(addresses) => self.traders.extend(addresses),
            StreamSignal::Rejected { contract, rejected } => {
                self.on_rejected(contract, &rejected, received.uptime);
            }
            StreamSignal::Refused(words) => {
                self.refused(&words, "", received.uptime);
                self.listing.request_early();
            }
        }
    }

    fn on_socket_event(
        &mut self,
        contract: ContractIndex,
        arrived: StreamEvent,
        sent: Option<UnixMs>,
        connection: u64,
        received: ClockReading,
    ) {
        let event = arrived.event();
        let stream = StreamKind::of(&event);
        let is_clock_known = self.clock.offset_ms().is_some();
        if let Some(sent) = sent.filter(|_| stream == StreamKind::Mark || !is_clock_known) {
            self.clock.on_stamp(sent, received.uptime);
        }
        let venue_now = self.venue_time(received);
        let gate = &mut self.gates[contract];
        let open_interest_before = gate.newest_open_interest();
        let verdict = arrived.pass(gate, Origin::Socket(connection), venue_now, &mut self.admitted);
        let unknown_trades = match event {
            Event::Trade(trade) => gate.on_resumption(trade.time, verdict),
            _ => None,
        };
        self.outbox.extend(contract, self.admitted.drain(..));
        if let Some((from, to)) = unknown_trades {
            let reason = "the connection was lost, and trade ids do not show what is missing";
            self.gap(contract, StreamKind::Trades, from, to, GapCause::Unavailable, reason.to_owned());
        }
        if let Event::OpenInterest(sample) = event {
            self.planner.on_open_interest(contract, open_interest_before, sample.time);
        }
        match verdict {
            GateVerdict::Implausible(reason) => {
                return self.refused(reason, &format!("{event:?}"), received.uptime);
            }
            GateVerdict::Repeated => self.health.on_repeated(),
            GateVerdict::New => {}
        }
        let as_of = event.known_at();
        let lag_ms = Some(venue_now.since(sent.unwrap_or(as_of)));
        let (received, as_of, is_new) = (received.uptime, Some(as_of), verdict == GateVerdict::New);
        self.health.on_message(StreamMessage { contract, stream, received, lag_ms, as_of, is_new });
    }

    /// A row of a frame was not accepted. Where its data can be requested that is tried next; else it is lost.
    fn on_rejected(&mut self, contract: Option<ContractIndex>, rejected: &RejectedSignal, now: Uptime) {
        let reason = rejected.error.to_string();
        self.refused(&reason, "", now);
        if let (Some(contract), Some(time), false) = (contract, rejected.time, rejected.is_partial)
            && !self.gates[contract].notices_missing(rejected.stream)
        {
            self.rejected.add(contract, rejected.stream, time, reason, now);
        }
    }
}
