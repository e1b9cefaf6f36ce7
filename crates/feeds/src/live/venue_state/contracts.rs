//! The list of contracts arrived, or did not: which contracts are followed from now on.

use std::collections::BTreeMap;

use liqheat_market::{Instrument, Symbol};
use tracing::{debug, info, warn};

use super::{Handover, VenueCommand, VenueState};
use crate::live::backfill::FetchError;
use crate::live::clock::{ClockReading, Uptime};
use crate::live::connection::SupervisorIndex;
use crate::live::contract::ContractIndex;
use crate::live::listing::{ListedContracts, ListingChange};
use crate::venues::Contract;

impl VenueState {
    /// The contract list arrived; `None` where the venue does not offer one.
    pub(in super::super) fn on_list(
        &mut self,
        list: Option<&ListedContracts>,
        now: ClockReading,
    ) -> Vec<VenueCommand> {
        self.health.on_answer();
        let health = &self.health;
        let changes = match list {
            Some(list) => self.listing.on_list(list, |contract| health.is_silent(contract, now.uptime)),
            None => self.listing.on_not_offered(),
        };
        let mut connect = Vec::new();
        let mut reassign: BTreeMap<SupervisorIndex, Handover> = BTreeMap::new();
        for change in changes {
            match change {
                ListingChange::Added(contract) => connect.push(self.add(contract, now)),
                ListingChange::Relisted(contract, size) => {
                    self.log_listed(contract, "contract relisted");
                    self.planner.resize(contract, size);
                    self.set_listed(contract, true);
                    connect.push(contract);
                }
                ListingChange::Delisted(contract) => {
                    self.log_listed(contract, "contract delisted; unsubscribed until it is listed again");
                    self.set_listed(contract, false);
                    self.gates[contract].on_interruption();
                    if let Some(supervisor) = self.health.supervisor_of(contract) {
                        reassign.entry(supervisor).or_insert(Handover::Overlapping);
                    }
                }
                ListingChange::Resized(contract, size) => {
                    self.log_listed(contract, "contract size changed; subscribed again");
                    self.planner.resize(contract, size);
                    if let Some(supervisor) = self.health.supervisor_of(contract) {
                        reassign.insert(supervisor, Handover::Immediate);
                    }
                }
                ListingChange::Unusable(symbol, reason) => {
                    warn!(venue = %self.exchange.venue, %symbol, reason, "contract not followed");
                    self.health.on_unlisted(&symbol);
                }
            }
        }
        self.health.set_unlisted(self.listing.unlisted());
        let mut commands: Vec<VenueCommand> = reassign
            .into_iter()
            .map(|(supervisor, handover)| {
                let remaining = self.health.contracts_of(supervisor);
                VenueCommand::Reassign { supervisor, remaining, handover }
            })
            .collect();
        if !connect.is_empty() {
            commands.push(VenueCommand::Connect(connect));
        }
        commands
    }

    /// The contract list could not be requested.
    pub(in super::super) fn on_list_failed(&mut self, error: &FetchError, now: Uptime) {
        debug!(venue = %self.exchange.venue, %error, "contract list request failed");
        self.listing.on_failure(now);
    }

    /// The venue could not be asked which contracts it lists, and nothing is followed yet.
    pub(in super::super) fn on_unreachable(&mut self, reason: String, now: Uptime) {
        self.listing.on_failure(now);
        self.warn_sometimes("venue unreachable", &reason, now);
        self.health.on_unreachable(reason);
    }

    fn add(&mut self, contract: Contract, now: ClockReading) -> ContractIndex {
        let symbol: Symbol = contract.symbol.clone();
        let instrument = Instrument::new(self.exchange.venue, symbol.clone());
        let resume = self.resume.get(&instrument).copied().unwrap_or_default();
        let venue_now = self.clock.at(now.uptime).unwrap_or(now.local);
        info!(%instrument, contract = contract.name, "contract listed");
        let (index, gate) = self.planner.add(contract, &resume, venue_now);
        let others = [self.gates.push(gate), self.outbox.add(instrument), self.health.add(symbol.clone())];
        debug_assert!(others.iter().all(|other| *other == index), "every part counts contracts alike");
        self.listing.set_index(&symbol, index);
        index
    }

    fn set_listed(&mut self, contract: ContractIndex, is_listed: bool) {
        self.planner.set_listed(contract, is_listed);
        self.health.set_listed(contract, is_listed);
    }

    fn log_listed(&self, contract: ContractIndex, message: &'static str) {
        let (instrument, name) = (self.outbox.instrument(contract), &self.planner.contract(contract).name);
        info!(%instrument, contract = name, "{message}");
    }
}
