//! Everything that is decided about one venue: which events count, what is requested, which contracts are connected. Pure;
//! [`super::venue_task`] does what it says.

mod contracts;
mod requests;
mod stream;

use std::collections::BTreeMap;
use std::time::Duration;

use liqheat_market::{Event, Instrument, UnixMs};
use liqheat_measured::Address;
use tracing::{debug, info, warn};

use super::backfill::{BackfillPlanner, BackfillPolicy, BackfillRequest, Budget};
use super::clock::{ClockReading, Uptime};
use super::connection::SupervisorIndex;
use super::contract::{ContractIndex, ContractMap};
use super::health::{Health, StatusContext};
use super::listing::ContractListing;
use super::pipeline::{EventGate, Outbox};
use super::rejected::{RejectedStretch, RejectedStretches};
use super::venue_clock::{ClockHealth, VenueClock};
use super::{Delivery, Gap, GapCause, ResumePoint, VenueStatus};
use crate::venues::{Contract, Exchange, StreamKind, VenueLimits};

/// Interval of log lines about the same kind of trouble.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Debug)]
pub(super) enum VenueCommand {
    /// Send a request.
    Fetch(BackfillRequest),
    /// Request the contract list.
    ListContracts,
    /// Connect contracts that have no connection.
    Connect(Vec<ContractIndex>),
    /// Replace a supervisor by one for the contracts that remain.
    Reassign { supervisor: SupervisorIndex, remaining: Vec<ContractIndex>, handover: Handover },
    /// Advise a supervisor to replace its connection.
    AdviseReplacement { supervisor: SupervisorIndex, reason: String },
}

/// When the supervisor that is replaced ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handover {
    /// When its successor brings data.
    Overlapping,
    /// At once: what it brings is wrong from now on.
    Immediate,
}

/// What a venue's state is made of.
pub(super) struct VenueStateSettings {
    pub(super) exchange: &'static Exchange,
    pub(super) limits: VenueLimits,
    pub(super) wanted: Vec<Contract>,
    pub(super) listing_interval: Duration,
    pub(super) policy: BackfillPolicy,
    pub(super) resume: BTreeMap<Instrument, ResumePoint>,
}

/// One venue.
pub(super) struct VenueState {
    exchange: &'static Exchange,
    resume: BTreeMap<Instrument, ResumePoint>,
    listing: ContractListing,
    planner: BackfillPlanner,
    gates: ContractMap<EventGate>,
    outbox: Outbox,
    health: Health,
    clock: VenueClock,
    rejected: RejectedStretches,
    /// When each kind of warning was last logged.
    warned: BTreeMap<&'static str, Uptime>,
    /// Accounts that traded since they were last taken.
    traders: Vec<Address>,
    /// Buffer of the events that a message brought.
    admitted: Vec<Event>,
}

impl VenueState {
    pub(super) fn new(settings: VenueStateSettings, now: Uptime) -> Self {
        let VenueStateSettings { exchange, limits, wanted, listing_interval, policy, resume } = settings;
        let wanted_symbols = wanted.iter().map(|contract| contract.symbol.clone()).collect();
        Self {
            exchange,
            resume,
            listing: ContractListing::new(wanted, listing_interval, now),
            planner: BackfillPlanner::new(exchange, limits.clone(), policy),
            gates: ContractMap::default(),
            outbox: Outbox::default(),
            health: Health::new(exchange.venue, limits, wanted_symbols),
            clock: VenueClock::default(),
            rejected: RejectedStretches::default(),
            warned: BTreeMap::new(),
            traders: Vec::new(),
            admitted: Vec::new(),
        }
    }

    /// What is wanted, whether it is listed or not.
    pub(super) fn wanted(&self) -> Vec<Contract> {
        self.listing.wanted()
    }

    pub(super) fn contract(&self, contract: ContractIndex) -> &Contract {
        self.planner.contract(contract)
    }

    /// The contracts that are followed now.
    pub(super) fn followed(&self) -> Vec<Contract> {
        self.planner.listed().cloned().collect()
    }

    /// The venue's time minus uptime; `None` until it is known.
    pub(super) fn clock_offset_ms(&self) -> Option<i64> {
        self.clock.offset_ms()
    }

    /// What is to be delivered now, in order.
    pub(super) fn deliveries(&mut self) -> Vec<Delivery> {
        self.outbox.take()
    }

    /// Accounts that traded since the last call.
    pub(super) fn traders(&mut self) -> Vec<Address> {
        std::mem::take(&mut self.traders)
    }

    /// Delivering had to wait until now, and meanwhile nothing was read.
    pub(super) const fn on_backpressure(&mut self, now: Uptime) {
        self.health.on_backpressure(now);
    }

    /// The venue named its time in an answer.
    pub(super) fn on_venue_time(&mut self, time: UnixMs, sent: Uptime, received: Uptime) {
        self.clock.on_time(time, sent, received);
    }

    /// Contracts have a supervisor.
    pub(super) fn on_assigned(&mut self, supervisor: SupervisorIndex, contracts: &[ContractIndex]) {
        self.health.assign(supervisor, contracts);
    }

    /// A supervisor has ended.
    pub(super) fn on_retired(&mut self, supervisor: SupervisorIndex) {
        self.health.on_retired(supervisor);
    }

    /// Time passed: what was buffered becomes ready, and what is due is reported.
    pub(super) fn on_tick(&mut self, now: ClockReading) -> Vec<VenueCommand> {
        for (contract, stretch) in self.rejected.take_due(now.uptime) {
            let RejectedStretch { stream, from, to, reason } = stretch;
            self.gap(contract, stream, from, to, GapCause::Refused, reason);
        }
        self.outbox.flush();
        self.on_clock(now);
        let mut commands = Vec::new();
        if self.listing.begin_if_due(now.uptime) {
            commands.push(VenueCommand::ListContracts);
        }
        let advice = self.health.replacements(now.uptime).into_iter();
        commands.extend(
            advice.map(|(supervisor, reason)| VenueCommand::AdviseReplacement { supervisor, reason }),
        );
        commands
    }

    fn on_clock(&mut self, now: ClockReading) {
        let Some(skew) = self.clock.skew(now) else { return };
        let (venue, skew_ms) = (self.exchange.venue, skew.ms);
        match self.health.on_clock(skew.health()) {
            None => {}
            Some(ClockHealth::Ok) => info!(%venue, skew_ms, "the local clock agrees with the venue's again"),
            Some(ClockHealth::Off | ClockHealth::Wrong) => warn!(
                %venue,
                skew_ms,
                "the local clock differs from the venue's; market time follows the venues; synchronise the clock (chrony, systemd-timesyncd)"
            ),
        }
    }

    /// The status to publish, when it is time.
    pub(super) fn next_status(
        &mut self,
        now: ClockReading,
        market_now: UnixMs,
        budget: &mut Budget,
    ) -> Option<VenueStatus> {
        let venue_now = self.venue_time(now);
        let surroundings = StatusContext {
            now,
            market_now,
            weight_used: budget.used_weight(venue_now),
            paused_until: budget.paused_until(venue_now),
            is_filling: self.planner.is_filling(venue_now, &self.gates),
        };
        self.health.next_status(&self.clock, surroundings)
    }

    /// The venue's time; local time until that is known.
    fn venue_time(&self, at: ClockReading) -> UnixMs {
        self.clock.at(at.uptime).unwrap_or(at.local)
    }

    fn gap(
        &mut self,
        contract: ContractIndex,
        stream: StreamKind,
        from: UnixMs,
        to: UnixMs,
        cause: GapCause,
        reason: String,
    ) {
        self.health.on_gap();
        let instrument = self.outbox.instrument(contract).clone();
        self.outbox.push(Delivery::Gap(Gap { instrument, stream, from, to, cause, reason }));
    }

    fn refused(&mut self, reason: &str, data: &str, now: Uptime) {
        let so_far = self.health.on_refused(reason);
        self.warn_sometimes("data refused", &format!("{reason} ({so_far} so far): {data}"), now);
    }

    /// Logs the first of a kind, then one in [`LOG_INTERVAL`]; the others are logged at debug level.
    fn warn_sometimes(&mut self, message: &'static str, reason: &str, now: Uptime) {
        let venue = self.exchange.venue;
        if self.warned.get(message).is_none_or(|warned| warned.has_elapsed(LOG_INTERVAL, now)) {
            self.warned.insert(message, now);
            warn!(%venue, reason, "{message}");
        } else {
            debug!(%venue, reason, "{message}");
        }
    }
}

#[cfg(test)]
mod tests;
