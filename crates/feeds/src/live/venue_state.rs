//! Everything that is decided about one venue: which events count, what is requested, which contracts are connected. Pure;
//! [`super::venue_task`] does what it says.

use std::collections::BTreeMap;
use std::time::Duration;

use liqheat_market::{Event, Instrument, Symbol, UnixMs};
use liqheat_measured::Address;
use tracing::{debug, info, warn};

use super::backfill::{
    BackfillCommand, BackfillPlanner, BackfillPolicy, BackfillRequest, Budget, Failure, FetchError,
    FetchedPage, PlanTime, TaskKind,
};
use super::clock::{ClockReading, Uptime};
use super::connection::{ConnectionEvent, RemainingConnections, StreamSignal, SupervisorIndex};
use super::contract::{ContractIndex, ContractMap};
use super::health::{Health, StatusContext, StreamMessage};
use super::listing::{ContractListing, ListedContracts, ListingChange};
use super::pipeline::{EventGate, GateVerdict, Origin, Outbox, StreamEvent};
use super::rejected::{RejectedStretch, RejectedStretches};
use super::venue_clock::{ClockHealth, VenueClock};
use super::{Delivery, Gap, GapCause, ResumePoint, VenueStatus};
use crate::venues::{Contract, Exchange, RejectedSignal, StreamKind, VenueLimits};

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
    pub(super) exchange: &'static dyn Exchange,
    pub(super) limits: VenueLimits,
    pub(super) wanted: Vec<Contract>,
    pub(super) listing_interval: Duration,
    pub(super) policy: BackfillPolicy,
    pub(super) resume: BTreeMap<Instrument, ResumePoint>,
}

/// One venue.
pub(super) struct VenueState {
    exchange: &'static dyn Exchange,
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
            health: Health::new(exchange.venue(), limits, wanted_symbols),
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

    /// The venue could not be asked which contracts it lists, and nothing is followed yet.
    pub(super) fn on_unreachable(&mut self, reason: String, now: Uptime) {
        self.listing.on_failure(now);
        self.warn_sometimes("venue unreachable", &reason, now);
        self.health.on_unreachable(reason);
    }

    /// The contract list arrived; `None` where the venue does not offer one.
    pub(super) fn on_list(&mut self, list: Option<&ListedContracts>, now: ClockReading) -> Vec<VenueCommand> {
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
                    warn!(venue = %self.exchange.venue(), %symbol, reason, "contract not followed");
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
    pub(super) fn on_list_failed(&mut self, error: &FetchError, now: Uptime) {
        debug!(venue = %self.exchange.venue(), %error, "contract list request failed");
        self.listing.on_failure(now);
    }

    fn add(&mut self, contract: Contract, now: ClockReading) -> ContractIndex {
        let symbol: Symbol = contract.symbol.clone();
        let instrument = Instrument::new(self.exchange.venue(), symbol.clone());
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

    /// Contracts have a supervisor.
    pub(super) fn on_assigned(&mut self, supervisor: SupervisorIndex, contracts: &[ContractIndex]) {
        self.health.assign(supervisor, contracts);
    }

    /// A supervisor has ended.
    pub(super) fn on_retired(&mut self, supervisor: SupervisorIndex) {
        self.health.on_retired(supervisor);
    }

    /// Something happened on a connection.
    pub(super) fn on_connection_event(&mut self, event: ConnectionEvent, now: Uptime) {
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

    /// A request ended.
    pub(super) fn on_fetched(
        &mut self,
        request: &BackfillRequest,
        result: Result<FetchedPage, FetchError>,
        now: ClockReading,
        random: f64,
    ) {
        let commands = match result {
            Ok(fetched) => self.on_page(request, fetched),
            Err(error) => self.on_fetch_error(request, &error, now.uptime, random),
        };
        for command in commands {
            // Requests are begun by the next poll.
            let _ = self.on_backfill_command(command, now.uptime);
        }
    }

    fn on_page(&mut self, request: &BackfillRequest, fetched: FetchedPage) -> Vec<BackfillCommand> {
        let FetchedPage { page, sent, received } = fetched;
        self.health.on_answer();
        if let Some(time) = page.time {
            self.clock.on_time(time, sent, received);
        }
        let contract = request.contract;
        for event in &page.events {
            let is_new = request.task == TaskKind::Poll && !self.planner.is_same_poll(contract, event);
            // What is fetched of trades and klines says nothing about their streams. When the venue counted says nothing
            // about the way here: such an answer is never late.
            if matches!(request.task, TaskKind::Poll | TaskKind::Funding) {
                let (stream, as_of) = (StreamKind::of(event), Some(event.known_at()));
                self.health.on_message(StreamMessage {
                    contract,
                    stream,
                    received,
                    lag_ms: None,
                    as_of,
                    is_new,
                });
            }
        }
        let now = PlanTime { uptime: received, venue: self.clock.latest(received) };
        let gate = &mut self.gates[contract];
        let commands = self.planner.on_page(request, page, now, gate, &mut self.admitted);
        self.outbox.extend(contract, self.admitted.drain(..));
        commands
    }

    fn on_fetch_error(
        &mut self,
        request: &BackfillRequest,
        error: &FetchError,
        now: Uptime,
        random: f64,
    ) -> Vec<BackfillCommand> {
        let contract = request.contract;
        let (symbol, query) = (&self.planner.contract(contract).symbol, &request.query);
        let reason = format!("{symbol}: {query}: {error}");
        self.warn_sometimes("request failed", &reason, now);
        self.health.on_request_failed(reason);
        let failure = match error {
            FetchError::NoAnswer(_) => Failure::NoAnswer,
            FetchError::Throttled { .. } => Failure::Throttled,
            FetchError::Failed { .. } | FetchError::Malformed(_) => Failure::Unusable(error.to_string()),
            FetchError::BeginsTooEarly { .. } => Failure::BeginsTooEarly(error.to_string()),
            FetchError::Refused { .. } | FetchError::NotOffered => Failure::Permanent(error.to_string()),
        };
        let now = self.plan_time(now);
        self.planner.on_failure(request, failure, now, random, &mut self.gates[contract])
    }

    /// Does what the planner says, but for requests, which are returned.
    fn on_backfill_command(&mut self, command: BackfillCommand, now: Uptime) -> Option<BackfillRequest> {
        match command {
            BackfillCommand::Fetch(request) => return Some(request),
            BackfillCommand::Gap { contract, stream, from, to, cause, reason } => {
                self.gap(contract, stream, from, to, cause, reason);
            }
            BackfillCommand::Filled { contract, stream, from, to, events } => {
                self.health.on_filled();
                let instrument = self.outbox.instrument(contract).clone();
                self.outbox.push(Delivery::Filled { instrument, stream, from, to, events });
            }
            BackfillCommand::Refused { reason, row } => self.refused(&reason, &row, now),
        }
        None
    }

    /// The requests that are due.
    pub(super) fn poll(&mut self, now: Uptime, budget: &mut Budget) -> Vec<VenueCommand> {
        let time = self.plan_time(now);
        let commands = self.planner.poll(time, &mut self.gates, budget);
        let requests = commands.into_iter().filter_map(|command| self.on_backfill_command(command, now));
        requests.map(VenueCommand::Fetch).collect()
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
        let (venue, skew_ms) = (self.exchange.venue(), skew.ms);
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

    fn plan_time(&self, uptime: Uptime) -> PlanTime {
        PlanTime { uptime, venue: self.clock.at(uptime) }
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
        let venue = self.exchange.venue();
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
