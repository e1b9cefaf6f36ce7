//! What is known of each stream of a venue, and the state that follows from it. Pure.

use std::time::Duration;

use liqheat_market::convert::count_u32;
use liqheat_market::{SourceState, Symbol, UnixMs, Venue};

use super::clock::{ClockReading, Uptime};
use super::connection::{Remaining, SupervisorIndex};
use super::contract::{ContractIndex, ContractMap};
use super::status::{StreamStatus, VenueStatus};
use super::venue_clock::{ClockHealth, VenueClock};
use crate::venues::{StreamKind, VenueLimits};

/// Data that was under way for longer is late.
const LAG_MAX_MS: i64 = 5_000;
/// Interval at which counts are published; a change of state is published at once.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// Advice to replace a connection is repeated at this interval, as the supervisor may not follow it at once.
const ADVICE_INTERVAL: Duration = Duration::from_secs(60);

/// The connection of a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Never worked yet, never failed.
    New,
    /// Open, without data yet.
    Opened,
    /// Brings data.
    Proved,
    /// Lost, or cannot be opened.
    Lost,
}

#[derive(Debug, Clone, Copy)]
struct SupervisorHealth {
    link: Link,
    /// When a connection of it first brought data: streams that have brought nothing are silent since then.
    first_proved: Option<Uptime>,
    /// When one last did.
    last_proved: Option<Uptime>,
    advised: Option<Uptime>,
}

impl SupervisorHealth {
    const NEW: Self = Self { link: Link::New, first_proved: None, last_proved: None, advised: None };
}

#[derive(Debug, Clone, Copy)]
struct StreamRecord {
    state: SourceState,
    as_of: Option<UnixMs>,
    heard: Option<Uptime>,
    events: u64,
    /// Time on the way of the newest message.
    lag_ms: i64,
}

impl StreamRecord {
    const NEW: Self = Self { state: SourceState::Connecting, as_of: None, heard: None, events: 0, lag_ms: 0 };
}

#[derive(Debug)]
struct ContractHealth {
    symbol: Symbol,
    is_listed: bool,
    supervisor: Option<SupervisorIndex>,
    streams: [StreamRecord; StreamKind::ALL.len()],
}

/// A message of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) contract: ContractIndex,
    pub(super) stream: StreamKind,
    pub(super) received: Uptime,
    /// How long it was under way, where that can be known.
    pub(super) lag_ms: Option<i64>,
    /// The newest moment that it told of.
    pub(super) as_of: Option<UnixMs>,
    /// Whether it brought a new event.
    pub(super) is_new: bool,
}

/// What is known besides streams when a status is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) now: ClockReading,
    pub(super) market_now: UnixMs,
    pub(super) weight_used: u32,
    pub(super) paused_until: Option<UnixMs>,
    pub(super) is_filling: bool,
}

/// The health of a venue.
#[derive(Debug)]
pub(super) struct Health {
    status: VenueStatus,
    limits: VenueLimits,
    /// What is to be followed here, whether or not the venue has been asked for it yet.
    wanted: Vec<Symbol>,
    contracts: ContractMap<ContractHealth>,
    supervisors: Vec<SupervisorHealth>,
    /// Whether the last request worked; `None` before the first.
    rest_works: Option<bool>,
    /// When reading went on after it had to wait: silence before that was not the venue's.
    resumed: Option<Uptime>,
    clock: ClockHealth,
    published: Option<Uptime>,
}

impl Health {
    pub(super) fn new(venue: Venue, limits: VenueLimits, wanted: Vec<Symbol>) -> Self {
        let status = VenueStatus { weight_limit: limits.weight_per_minute, ..VenueStatus::new(venue) };
        Self {
            status,
            limits,
            wanted,
            contracts: ContractMap::default(),
            supervisors: Vec::new(),
            rest_works: None,
            resumed: None,
            clock: ClockHealth::Ok,
            published: None,
        }
    }

    /// A contract is followed from now on, behind the others.
    pub(super) fn add(&mut self, symbol: Symbol) -> ContractIndex {
        let streams = [StreamRecord::NEW; StreamKind::ALL.len()];
        self.contracts.push(ContractHealth { symbol, is_listed: true, supervisor: None, streams })
    }

    pub(super) fn set_listed(&mut self, contract: ContractIndex, is_listed: bool) {
        self.contracts[contract].is_listed = is_listed;
    }

    /// The wanted symbols that the venue does not list.
    pub(super) fn set_unlisted(&mut self, unlisted: Vec<Symbol>) {
        if unlisted != self.status.unlisted {
            self.published = None;
        }
        self.status.unlisted = unlisted;
    }

    /// A supervisor has these contracts.
    pub(super) fn assign(&mut self, supervisor: SupervisorIndex, contracts: &[ContractIndex]) {
        let count = self.supervisors.len().max(supervisor.0 + 1);
        self.supervisors.resize(count, SupervisorHealth::NEW);
        for contract in contracts {
            self.contracts[*contract].supervisor = Some(supervisor);
        }
    }

    /// The supervisor that has a contract.
    pub(super) fn supervisor_of(&self, contract: ContractIndex) -> Option<SupervisorIndex> {
        self.contracts[contract].supervisor
    }

    /// The listed contracts of a supervisor.
    pub(super) fn contracts_of(&self, supervisor: SupervisorIndex) -> Vec<ContractIndex> {
        let is_of = |contract: &ContractHealth| contract.is_listed && contract.supervisor == Some(supervisor);
        self.contracts.iter().filter(|(_, contract)| is_of(contract)).map(|(index, _)| index).collect()
    }

    /// A wanted contract is not followed.
    pub(super) fn on_unlisted(&mut self, symbol: &Symbol) {
        self.trouble(format!("it has no {symbol}"));
    }

    /// A supervisor has ended.
    pub(super) fn on_retired(&mut self, supervisor: SupervisorIndex) {
        if let Some(health) = self.supervisors.get_mut(supervisor.0) {
            health.link = Link::New;
        }
    }

    pub(super) fn on_opened(&mut self, supervisor: SupervisorIndex) {
        if let Some(health) = self.supervisors.get_mut(supervisor.0)
            // A lost one stays lost until it brings data.
            && health.link == Link::New
        {
            health.link = Link::Opened;
        }
    }

    pub(super) fn on_proved(&mut self, supervisor: SupervisorIndex, now: Uptime) {
        if let Some(health) = self.supervisors.get_mut(supervisor.0) {
            health.link = Link::Proved;
            health.first_proved.get_or_insert(now);
            health.last_proved = Some(now);
        }
    }

    pub(super) fn on_lost(&mut self, supervisor: SupervisorIndex, reason: String, remaining: Remaining) {
        self.trouble(reason);
        self.status.reconnects += 1;
        if remaining == Remaining::None
            && let Some(health) = self.supervisors.get_mut(supervisor.0)
        {
            health.link = Link::Lost;
        }
    }

    pub(super) const fn on_rolled_over(&mut self) {
        self.status.rollovers += 1;
    }

    pub(super) const fn on_frames(&mut self, frames: u64) {
        self.status.frames += frames;
    }

    pub(super) const fn on_repeated(&mut self) {
        self.status.repeated += 1;
    }

    /// A frame, a row or an event was refused; returns how many were so far.
    pub(super) fn on_refused(&mut self, reason: &str) -> u64 {
        self.status.refused += 1;
        self.trouble(format!("refused: {reason}"));
        self.status.refused
    }

    pub(super) const fn on_filled(&mut self) {
        self.status.holes_filled += 1;
    }

    pub(super) const fn on_gap(&mut self) {
        self.status.gaps += 1;
    }

    pub(super) const fn on_answer(&mut self) {
        self.rest_works = Some(true);
    }

    pub(super) fn on_request_failed(&mut self, reason: String) {
        self.rest_works = Some(false);
        self.trouble(reason);
    }

    /// The venue could not be asked which contracts it lists, and nothing of it is followed yet.
    pub(super) fn on_unreachable(&mut self, reason: String) {
        self.status.reconnects += 1;
        self.on_request_failed(reason);
    }

    /// Reading had to wait, because nobody took what had been read, until now.
    pub(super) const fn on_backpressure(&mut self, now: Uptime) {
        self.resumed = Some(now);
    }

    fn trouble(&mut self, text: String) {
        self.status.trouble = Some(text);
    }

    /// A message of a stream came.
    pub(super) fn on_heard(&mut self, heard: Heard) {
        let record = &mut self.contracts[heard.contract].streams[heard.stream as usize];
        if let Some(lag_ms) = heard.lag_ms {
            record.lag_ms = lag_ms;
        }
        record.as_of = record.as_of.max(heard.as_of);
        record.heard = record.heard.max(Some(heard.received));
        record.events += u64::from(heard.is_new);
    }

    /// Whether a contract's mark price brings nothing, which never happens while it is listed.
    pub(super) fn is_silent(&self, contract: ContractIndex, now: Uptime) -> bool {
        let mark = &self.contracts[contract].streams[StreamKind::Mark as usize];
        mark.heard.is_none_or(|heard| heard.plus(self.limits.mark_silence) < now)
    }

    /// Supervisors whose connection should be replaced because a stream is silent while others are not, with the reason.
    pub(super) fn replacements(&mut self, now: Uptime) -> Vec<(SupervisorIndex, String)> {
        let mut advice = Vec::new();
        for contract in self.contracts.values().filter(|contract| contract.is_listed) {
            let Some(index) = contract.supervisor else { continue };
            let Some(supervisor) = self.supervisors.get_mut(index.0) else { continue };
            let (Link::Proved, Some(proved)) = (supervisor.link, supervisor.last_proved) else { continue };
            if supervisor.advised.is_some_and(|advised| !advised.has_elapsed(ADVICE_INTERVAL, now)) {
                continue;
            }
            let silent = StreamKind::ALL.into_iter().find(|stream| {
                let since = contract.streams[*stream as usize].heard.max(Some(proved)).max(self.resumed);
                // Twice as long, so that it is called stale before anything is done about it.
                let silence = silence_max(&self.limits, *stream).map(|silence| silence * 2);
                silence.zip(since).is_some_and(|(silence, since)| since.plus(silence) < now)
            });
            if let Some(stream) = silent {
                supervisor.advised = Some(now);
                let (stream, symbol) = (stream.name(), &contract.symbol);
                advice.push((index, format!("{stream} of {symbol} are silent while others are not")));
            }
        }
        advice
    }

    /// The local clock compared with the venue's: its grade when that changed.
    pub(super) fn on_clock(&mut self, health: ClockHealth) -> Option<ClockHealth> {
        (std::mem::replace(&mut self.clock, health) != health).then_some(health)
    }

    /// The status to publish; `None` while nothing important changed and the last one is new enough.
    pub(super) fn next_status(&mut self, clock: &VenueClock, around: Surroundings) -> Option<VenueStatus> {
        let now = around.now.uptime;
        let before = self.important();
        let mut is_changed = false;
        for contract in self.contracts.indices() {
            for stream in StreamKind::ALL {
                let state = self.state_of(contract, stream, now);
                let known = &mut self.contracts[contract].streams[stream as usize].state;
                is_changed |= std::mem::replace(known, state) != state;
            }
        }
        let links = self.supervisors.iter().filter(|supervisor| supervisor.link == Link::Proved);
        self.status.connections = count_u32(links.count());
        self.status.skew_ms = clock.skew(around.now).map(|skew| skew.ms);
        self.status.clock = self.clock;
        self.status.clock_offset_ms = clock.offset_ms();
        self.status.weight_used = around.weight_used;
        self.status.banned_until = around.paused_until;
        self.status.filling = around.is_filling;
        self.status.state = self.venue_state();
        if self.status.state == SourceState::Live {
            self.status.trouble = self.status.trouble.take().filter(|_| self.rest_works == Some(false));
        }
        is_changed |= before != self.important();
        let is_due = self.published.is_none_or(|at| at.has_elapsed(PUBLISH_INTERVAL, now));
        if !is_changed && !is_due {
            return None;
        }
        self.published = Some(now);
        Some(VenueStatus { streams: self.stream_statuses(now, around.market_now), ..self.status.clone() })
    }

    const fn important(&self) -> (SourceState, bool, Option<UnixMs>, ClockHealth) {
        (self.status.state, self.status.filling, self.status.banned_until, self.status.clock)
    }

    fn stream_statuses(&self, now: Uptime, market_now: UnixMs) -> Vec<StreamStatus> {
        let mut statuses = Vec::new();
        for contract in self.contracts.values().filter(|contract| contract.is_listed) {
            for stream in StreamKind::ALL {
                let record = &contract.streams[stream as usize];
                statuses.push(StreamStatus {
                    symbol: contract.symbol.clone(),
                    stream,
                    state: record.state,
                    as_of: record.as_of,
                    heard: record.heard.map(|heard| market_now.plus(-now.since(heard))),
                    events: record.events,
                });
            }
        }
        // Before the venue listed its contracts their streams are as the venue is, so that one that is down from the
        // start is seen in every symbol.
        let is_known = |symbol: &&Symbol| {
            self.contracts.values().any(|contract| contract.symbol == **symbol)
                || self.status.unlisted.contains(symbol)
        };
        for symbol in self.wanted.iter().filter(|symbol| !is_known(symbol)) {
            let (symbol, state) = (symbol.clone(), self.status.state);
            statuses.extend(StreamKind::ALL.map(|stream| StreamStatus {
                symbol: symbol.clone(),
                stream,
                state,
                as_of: None,
                heard: None,
                events: 0,
            }));
        }
        statuses
    }

    /// The worst state of the streams that must not be silent.
    fn venue_state(&self) -> SourceState {
        let mut worst = None;
        for contract in self.contracts.values().filter(|contract| contract.is_listed) {
            for stream in [StreamKind::Mark, StreamKind::Klines, StreamKind::Trades] {
                worst = worst.max(Some(contract.streams[stream as usize].state));
            }
        }
        let without = match self.rest_works {
            Some(false) if self.supervisors.is_empty() => SourceState::Down,
            _ => SourceState::Connecting,
        };
        worst.unwrap_or(without)
    }

    fn state_of(&self, contract: ContractIndex, stream: StreamKind, now: Uptime) -> SourceState {
        let contract = &self.contracts[contract];
        let record = &contract.streams[stream as usize];
        let supervisor = contract.supervisor.and_then(|supervisor| self.supervisors.get(supervisor.0));
        let supervisor = supervisor.copied().unwrap_or(SupervisorHealth::NEW);
        let is_requested = stream == StreamKind::Funding || is_polled(&self.limits, stream);
        let without_data = if is_requested {
            match self.rest_works {
                None => SourceState::Connecting,
                Some(true) => SourceState::Stale,
                Some(false) => SourceState::Down,
            }
        } else {
            match supervisor.link {
                Link::New => SourceState::Connecting,
                Link::Opened if record.heard.is_none() => SourceState::Connecting,
                Link::Opened | Link::Proved => SourceState::Stale,
                Link::Lost => SourceState::Down,
            }
        };
        let Some(silence) = (self.limits.silence)(stream) else {
            // Silence of such a stream means nothing: it is as its connection is.
            let works =
                if is_requested { self.rest_works == Some(true) } else { supervisor.link == Link::Proved };
            return if works { SourceState::Live } else { without_data };
        };
        // A stream that has brought nothing yet counts as one that was last heard when its connection began to work.
        let began = supervisor.first_proved.filter(|_| !is_requested && supervisor.link == Link::Proved);
        let Some(heard) = record.heard.or(began) else {
            let is_down = without_data == SourceState::Down;
            return if is_down { SourceState::Down } else { SourceState::Connecting };
        };
        match (supervisor.link, heard.plus(silence) < now) {
            (Link::Lost, _) if !is_requested => SourceState::Down,
            (_, true) => without_data,
            (_, false) if record.lag_ms > LAG_MAX_MS => SourceState::Lagging,
            (_, false) => SourceState::Live,
        }
    }
}

fn is_polled(limits: &VenueLimits, stream: StreamKind) -> bool {
    stream == StreamKind::OpenInterest && limits.poll_open_interest.is_some()
}

/// How long a stream of a socket may be silent; `None` where that means nothing.
fn silence_max(limits: &VenueLimits, stream: StreamKind) -> Option<Duration> {
    (limits.silence)(stream).filter(|_| !is_polled(limits, stream))
}

#[cfg(test)]
mod tests;
