//! When the measured layer asks, stores and publishes: a state machine of (event, time).
//!
//! The caller reports what happened as a [`LayerEvent`] and carries out every [`LayerCommand`]. Each [`ScheduledRequest`] is
//! under way once at most until its end is reported; a failure is repeated after [`ScheduledRequest::retry_ms`].

use liqheat_market::UnixMs;

use crate::{AccountTracker, Address, LayerCadence, LookInterval};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Requests for accounts under way at once.
const LOOKS_AT_ONCE: usize = 4;
/// Marks that are older make the layer stale.
const MARKS_STALE_MS: i64 = 60 * SECOND_MS;
/// Interval at which addresses without positions are dropped.
const DROP_IDLE_MS: i64 = HOUR_MS;
/// Failures of requests that repeat within the minute are logged at this interval.
const LOG_EVERY_MS: i64 = MINUTE_MS;

/// Something that takes time and may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScheduledRequest {
    /// The positions of one account, from the venue.
    Look(Address),
    /// Marks and open interest of all coins, from the venue.
    Markets,
    /// Addresses of the leaderboard, from the venue.
    Leaderboard,
    /// Changed addresses into the store.
    Store,
}

impl ScheduledRequest {
    /// Time from a failure to the next attempt, ms.
    #[must_use]
    pub const fn retry_ms(self) -> i64 {
        match self {
            Self::Look(_) => LookInterval::Minute.ms(),
            Self::Markets => 15 * SECOND_MS,
            Self::Leaderboard => HOUR_MS,
            Self::Store => MINUTE_MS,
        }
    }

    /// Time from a success to the next attempt, ms; `None` for an account, which has an interval of its own.
    const fn interval_ms(self) -> Option<i64> {
        match self {
            Self::Look(_) => None,
            Self::Markets => Some(15 * SECOND_MS),
            Self::Leaderboard => Some(24 * HOUR_MS),
            Self::Store => Some(MINUTE_MS),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerEvent {
    /// Time passed, or addresses were found.
    Tick,
    /// A request succeeded. The tracker has its answer already.
    Answered(ScheduledRequest),
    /// A request failed.
    Failed(ScheduledRequest),
}

/// What the caller does next, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerCommand {
    /// Begin a request, and report its end.
    Begin(ScheduledRequest),
    /// Publish the layer of every symbol. `is_stale`: its marks are older than a minute.
    Publish {
        /// Whether the layers are shown as stale.
        is_stale: bool,
    },
    /// Drop the addresses that have held nothing for a week.
    DropIdle,
    /// Log the failure that was just reported, of this request.
    LogFailure(ScheduledRequest),
    /// Log that the marks became too old. Once, until they are received again.
    LogStale {
        /// Time of the newest marks.
        marked: UnixMs,
    },
    /// Log that marks are received again after [`LayerCommand::LogStale`].
    LogRecovered,
}

/// A request that repeats.
#[derive(Debug, Clone, Copy)]
struct RepeatedRequest {
    request: ScheduledRequest,
    due: UnixMs,
    is_under_way: bool,
}

impl RepeatedRequest {
    const fn new(request: ScheduledRequest, due: UnixMs) -> Self {
        Self { request, due, is_under_way: false }
    }

    fn begin(&mut self, now: UnixMs) -> Option<LayerCommand> {
        let is_due = !self.is_under_way && now >= self.due;
        self.is_under_way |= is_due;
        is_due.then_some(LayerCommand::Begin(self.request))
    }

    fn end(&mut self, pause_ms: i64, now: UnixMs) {
        if self.is_under_way {
            self.is_under_way = false;
            self.due = now.plus(pause_ms);
        }
    }
}

/// Due times, requests under way, and the age of the marks.
#[derive(Debug)]
pub struct LayerSchedule {
    /// Markets, leaderboard, store.
    repeated: [RepeatedRequest; 3],
    /// Accounts that are asked for now.
    looks: Vec<Address>,
    publish_interval_ms: i64,
    publish_due: UnixMs,
    drop_idle_due: UnixMs,
    cadence: LayerCadence,
    /// Whether [`LayerCommand::LogStale`] was given and the marks have not been received since.
    is_stale: bool,
    log_due: UnixMs,
}

impl LayerSchedule {
    /// Everything is due at `now`. `publish_interval_ms` is the time between two states of a board.
    #[must_use]
    pub const fn new(publish_interval_ms: i64, now: UnixMs) -> Self {
        Self {
            repeated: [
                RepeatedRequest::new(ScheduledRequest::Markets, now),
                RepeatedRequest::new(ScheduledRequest::Leaderboard, now),
                RepeatedRequest::new(ScheduledRequest::Store, now),
            ],
            looks: Vec::new(),
            publish_interval_ms,
            publish_due: now,
            drop_idle_due: now,
            cadence: LayerCadence::new(now),
            is_stale: false,
            log_due: now,
        }
    }

    /// Takes an event. A failed look goes to the tracker, and the next looks come from it.
    pub fn on(&mut self, event: LayerEvent, tracker: &mut AccountTracker, now: UnixMs) -> Vec<LayerCommand> {
        let mut commands = Vec::new();
        match event {
            LayerEvent::Tick => {}
            LayerEvent::Answered(request) => {
                self.end(request, request.interval_ms().unwrap_or_default(), now);
            }
            LayerEvent::Failed(request) => {
                if let ScheduledRequest::Look(address) = request
                    && self.looks.contains(&address)
                {
                    tracker.on_failure(address, now);
                }
                self.end(request, request.retry_ms(), now);
                commands.extend(self.log_failure(request, now));
            }
        }
        commands.extend(self.log_staleness(tracker.marked(), now));
        commands.extend(self.repeated.iter_mut().filter_map(|repeated| repeated.begin(now)));
        if now >= self.publish_due {
            self.publish_due = now.plus(self.publish_interval_ms);
            commands.push(LayerCommand::Publish { is_stale: self.is_stale });
        }
        if now >= self.drop_idle_due {
            self.drop_idle_due = now.plus(DROP_IDLE_MS);
            commands.push(LayerCommand::DropIdle);
        }
        while self.looks.len() < LOOKS_AT_ONCE
            && let Some(address) = tracker.next_look(now)
        {
            // An address that was dropped and found again while it was asked for: that request's answer serves.
            if !self.looks.contains(&address) {
                self.looks.push(address);
                commands.push(LayerCommand::Begin(ScheduledRequest::Look(address)));
            }
        }
        commands
    }

    /// The moment under which the layers that were published at `now` are stored; `None` when it has some already, or the
    /// marks are stale.
    pub fn stored_moment(&mut self, now: UnixMs) -> Option<UnixMs> {
        if self.is_stale { None } else { self.cadence.due(now) }
    }

    fn end(&mut self, request: ScheduledRequest, pause_ms: i64, now: UnixMs) {
        if let ScheduledRequest::Look(address) = request {
            self.looks.retain(|one| *one != address);
        }
        for repeated in self.repeated.iter_mut().filter(|repeated| repeated.request == request) {
            repeated.end(pause_ms, now);
        }
    }

    fn log_failure(&mut self, request: ScheduledRequest, now: UnixMs) -> Option<LayerCommand> {
        if matches!(request, ScheduledRequest::Look(_) | ScheduledRequest::Markets) {
            if now < self.log_due {
                return None;
            }
            self.log_due = now.plus(LOG_EVERY_MS);
        }
        Some(LayerCommand::LogFailure(request))
    }

    fn log_staleness(&mut self, marked: Option<UnixMs>, now: UnixMs) -> Option<LayerCommand> {
        let marked = marked?;
        let was_stale = self.is_stale;
        self.is_stale = now.since(marked) > MARKS_STALE_MS;
        match (was_stale, self.is_stale) {
            (false, true) => Some(LayerCommand::LogStale { marked }),
            (true, false) => Some(LayerCommand::LogRecovered),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
