//! Doing what [`VenueState`](crate::live::venue_state::VenueState) says: requests, and which contracts are connected.

#![expect(clippy::disallowed_methods, reason = "starts the requests of a venue, which its task awaits")]

use super::VenueTask;
use super::start::list_contracts;
use crate::live::RawKind;
use crate::live::connection::{ConnectionEvent, SupervisorIndex};
use crate::live::contract::ContractIndex;
use crate::live::venue_state::{Handover, VenueCommand};
use crate::venues::Contract;

impl VenueTask {
    pub(super) fn execute(&mut self, commands: Vec<VenueCommand>) {
        for command in commands {
            match command {
                VenueCommand::Fetch(request) => {
                    let (rest, contract) = (self.rest.clone(), self.state.contract(request.contract).clone());
                    self.fetches.spawn(async move {
                        let result = rest.send(&contract, &request.query, request.request.clone()).await;
                        (request, result)
                    });
                }
                VenueCommand::ListContracts => {
                    let (rest, exchange, wanted) = (self.rest.clone(), self.exchange, self.state.wanted());
                    self.listings.spawn(async move { list_contracts(&rest, exchange, &wanted).await });
                }
                VenueCommand::Connect(contracts) => {
                    self.connect(&contracts);
                }
                VenueCommand::Reassign { supervisor, remaining, handover } => {
                    self.reassign(supervisor, &remaining, handover);
                }
                VenueCommand::AdviseReplacement { supervisor, reason } => {
                    self.connections.advise_replacement(supervisor, reason);
                }
            }
        }
    }

    /// Connects contracts. A recording learns which contracts are followed.
    pub(super) fn connect(&mut self, contracts: &[ContractIndex]) -> Vec<SupervisorIndex> {
        if let Some(recorder) = &self.settings.recorder {
            let kind = RawKind::Opened { connection: RawKind::FOLLOWED, contracts: self.state.followed() };
            recorder.record(self.exchange.venue, self.settings.clock.market_now(), &kind, &[]);
        }
        let named: Vec<(ContractIndex, Contract)> =
            contracts.iter().map(|index| (*index, self.state.contract(*index).clone())).collect();
        let supervisors = self.connections.open(&named);
        for supervisor in &supervisors {
            self.state.on_assigned(*supervisor, self.connections.contracts(*supervisor));
        }
        supervisors
    }

    pub(super) fn reassign(
        &mut self,
        supervisor: SupervisorIndex,
        remaining: &[ContractIndex],
        handover: Handover,
    ) {
        let successor = self.connect(remaining).first().copied();
        let successor = successor.filter(|_| handover == Handover::Overlapping);
        self.connections.retire(supervisor, successor);
        if successor.is_none() {
            self.state.on_retired(supervisor);
        }
    }

    pub(super) fn on_connection_event(&mut self, event: ConnectionEvent) {
        match &event {
            // What a supervisor that is being ended still says of itself does not matter.
            ConnectionEvent::Opened { supervisor } | ConnectionEvent::Proved { supervisor }
                if self.connections.is_retired(*supervisor) =>
            {
                return;
            }
            ConnectionEvent::Proved { supervisor } => {
                for before in self.connections.on_proved(*supervisor) {
                    self.state.on_retired(before);
                }
            }
            _ => {}
        }
        self.state.on_connection_event(event, self.settings.clock.uptime());
    }
}
