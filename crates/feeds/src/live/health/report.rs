//! The status of a venue, made of what is known of its streams and connections.

use std::time::Duration;

use liqheat_market::convert::count_u32;
use liqheat_market::{SourceState, Symbol, UnixMs};

use crate::live::clock::{ClockReading, Uptime};
use crate::live::contract::ContractIndex;
use crate::live::status::{StreamStatus, VenueStatus};
use crate::live::venue_clock::{ClockHealth, VenueClock};
use crate::venues::StreamKind;

use super::{Health, Link, SupervisorHealth, is_polled};

/// Data that was under way for longer is late.
const LAG_MAX_MS: i64 = 5_000;

/// Interval at which counts are published; a change of state is published at once.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// Input of a status besides the streams.
#[derive(Debug, Clone, Copy)]
pub(in crate::live) struct StatusContext {
    pub(in crate::live) now: ClockReading,
    pub(in crate::live) market_now: UnixMs,
    pub(in crate::live) weight_used: u32,
    pub(in crate::live) paused_until: Option<UnixMs>,
    pub(in crate::live) is_filling: bool,
}

impl Health {
    /// The status to publish; `None` while nothing important changed and the last one is new enough.
    pub(in crate::live) fn next_status(
        &mut self,
        clock: &VenueClock,
        around: StatusContext,
    ) -> Option<VenueStatus> {
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
                    heard: record.received_at.map(|heard| market_now.plus(-now.since(heard))),
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

    pub(super) fn state_of(&self, contract: ContractIndex, stream: StreamKind, now: Uptime) -> SourceState {
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
                Link::Opened if record.received_at.is_none() => SourceState::Connecting,
                Link::Opened | Link::Proved => SourceState::Stale,
                Link::Lost => SourceState::Down,
            }
        };
        let Some(silence) = self.limits.silence.of(stream) else {
            // Silence of such a stream means nothing: it is as its connection is.
            let works =
                if is_requested { self.rest_works == Some(true) } else { supervisor.link == Link::Proved };
            return if works { SourceState::Live } else { without_data };
        };
        // A stream that has brought nothing yet counts as one that was last heard when its connection began to work.
        let began = supervisor.first_proved.filter(|_| !is_requested && supervisor.link == Link::Proved);
        let Some(heard) = record.received_at.or(began) else {
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
