//! What is known of each stream of a venue, and the state that follows from it. Pure.

mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

use liqheat_market::{SourceState, Symbol, UnixMs, Venue};

use super::clock::Uptime;
use super::connection::{RemainingConnections, SupervisorIndex};
use super::contract::{ContractIndex, ContractMap};
use super::status::VenueStatus;
use super::venue_clock::ClockHealth;
use crate::venues::{StreamKind, VenueLimits};

pub(super) use report::StatusContext;

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
    received_at: Option<Uptime>,
    events: u64,
    /// Time on the way of the newest message.
    lag_ms: i64,
}

impl StreamRecord {
    const NEW: Self =
        Self { state: SourceState::Connecting, as_of: None, received_at: None, events: 0, lag_ms: 0 };
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
pub(super) struct StreamMessage {
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

    pub(super) fn on_lost(
        &mut self,
        supervisor: SupervisorIndex,
        reason: String,
        remaining: RemainingConnections,
    ) {
        self.trouble(reason);
        self.status.reconnects += 1;
        if remaining == RemainingConnections::None
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
    pub(super) fn on_message(&mut self, message: StreamMessage) {
        let record = &mut self.contracts[message.contract].streams[message.stream as usize];
        if let Some(lag_ms) = message.lag_ms {
            record.lag_ms = lag_ms;
        }
        record.as_of = record.as_of.max(message.as_of);
        record.received_at = record.received_at.max(Some(message.received));
        record.events += u64::from(message.is_new);
    }

    /// Whether a contract's mark price brings nothing, which never happens while it is listed.
    pub(super) fn is_silent(&self, contract: ContractIndex, now: Uptime) -> bool {
        let mark = &self.contracts[contract].streams[StreamKind::Mark as usize];
        mark.received_at.is_none_or(|heard| heard.plus(self.limits.mark_silence) < now)
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
                let since =
                    contract.streams[*stream as usize].received_at.max(Some(proved)).max(self.resumed);
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
}

fn is_polled(limits: &VenueLimits, stream: StreamKind) -> bool {
    stream == StreamKind::OpenInterest && limits.poll_open_interest.is_some()
}

/// How long a stream of a socket may be silent; `None` where that means nothing.
fn silence_max(limits: &VenueLimits, stream: StreamKind) -> Option<Duration> {
    limits.silence.of(stream).filter(|_| !is_polled(limits, stream))
}
