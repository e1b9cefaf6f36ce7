//! What is known of each source, gathered for [`VenueStatus`] and published when it changed.

use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Symbol, UnixMs};
use tokio::sync::watch;
use tokio::time::Instant;

use super::budget::Budget;
use super::follow::Start;
use super::skew::Skew;
use super::status::{LiveStatus, SourceState, StreamStatus, VenueStatus};
use crate::venues::{StreamKind, VenueLimits};

/// Data that was under way for longer is late.
const LAG_MS: i64 = 5_000;
/// Between two publications of numbers; a change of state is published at once.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
const KINDS: usize = StreamKind::ALL.len();

/// A line's connection as it looks from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Never worked yet, never failed.
    New,
    /// Open, no data yet.
    Opened,
    /// Brings data.
    Proved,
    /// Lost, or cannot be opened.
    Lost,
}

/// The state of a venue while it is followed.
pub(super) struct Health {
    pub(super) status: VenueStatus,
    pub(super) skew: Skew,
    limits: VenueLimits,
    lines: Vec<Stand>,
    /// Since when each line brings data; streams on it that have not spoken yet are silent since then.
    proved: Vec<Option<UnixMs>>,
    /// The line of each contract.
    line_of: Vec<usize>,
    /// Contracts that the venue has no more.
    gone: Vec<bool>,
    /// Time on the way of the newest frame of each stream.
    lags: Vec<i64>,
    /// Whether the last request for each stream of the REST interface worked.
    rest_works: Option<bool>,
    sender: Arc<watch::Sender<Arc<LiveStatus>>>,
    place: usize,
    published: Option<Instant>,
}

impl Health {
    pub(super) fn new(start: &Start) -> Self {
        let mut streams = Vec::with_capacity(start.contracts.len() * KINDS);
        for contract in &start.contracts {
            streams.extend(fresh(&contract.symbol));
        }
        let count = start.contracts.len();
        Self {
            lags: vec![0; streams.len()],
            status: VenueStatus {
                weight_limit: start.limits.weight_per_minute,
                streams,
                ..VenueStatus::new(start.exchange.venue())
            },
            skew: Skew::default(),
            limits: start.limits.clone(),
            lines: vec![Stand::New],
            proved: vec![None],
            line_of: vec![0; count],
            gone: vec![false; count],
            rest_works: None,
            sender: Arc::clone(&start.status),
            place: start.place,
            published: None,
        }
    }

    /// A contract is followed from now on, behind those that are known.
    pub(super) fn add(&mut self, symbol: &Symbol) {
        self.status.streams.extend(fresh(symbol));
        self.lags.resize(self.status.streams.len(), 0);
        self.line_of.push(0);
        self.gone.push(false);
    }

    /// A contract is not followed any more, or again.
    pub(super) fn set_gone(&mut self, contract: usize, is_gone: bool) {
        if let Some(gone) = self.gone.get_mut(contract) {
            *gone = is_gone;
        }
    }

    /// What the venue does not have.
    pub(super) fn set_unlisted(&mut self, unlisted: Vec<Symbol>) {
        if !unlisted.is_empty() {
            let names: Vec<&str> = unlisted.iter().map(Symbol::as_str).collect();
            self.trouble(format!("it has no {}", names.join(", ")));
        }
        self.status.unlisted = unlisted;
        // Told at once.
        self.published = None;
    }

    /// Contracts are followed on a line that was opened for them.
    pub(super) fn on_line(&mut self, line: usize, contracts: &[usize]) {
        let count = self.lines.len().max(line + 1);
        self.lines.resize(count, Stand::New);
        self.proved.resize(count, None);
        for contract in contracts {
            if let Some(own) = self.line_of.get_mut(*contract) {
                *own = line;
            }
        }
    }

    /// A line was left for another.
    pub(super) fn left(&mut self, line: usize) {
        if let Some(stand) = self.lines.get_mut(line) {
            *stand = Stand::New;
        }
    }

    /// The mark price of a contract says nothing, which it never does while there is one.
    pub(super) fn is_silent(&self, contract: usize, now: UnixMs) -> bool {
        let status = self.status.streams.get(contract * KINDS + StreamKind::Mark as usize);
        let silence = self.limits.mark_silence.as_millis() as i64;
        status.and_then(|status| status.heard).is_none_or(|heard| now.since(heard) > silence)
    }

    pub(super) fn opened(&mut self, line: usize) {
        if let Some(stand) = self.lines.get_mut(line)
            // One that was lost is lost until data comes.
            && *stand == Stand::New
        {
            *stand = Stand::Opened;
        }
    }

    pub(super) fn proved(&mut self, line: usize, now: UnixMs) {
        if let Some(stand) = self.lines.get_mut(line) {
            *stand = Stand::Proved;
        }
        if let Some(since) = self.proved.get_mut(line) {
            since.get_or_insert(now);
        }
    }

    pub(super) fn lost(&mut self, line: usize, why: String, last: bool) {
        self.trouble(why);
        self.status.reconnects += 1;
        if last && let Some(stand) = self.lines.get_mut(line) {
            *stand = Stand::Lost;
        }
    }

    /// Nothing can be heard of the venue, though no connection was tried yet.
    pub(super) fn unreachable(&mut self, why: String) {
        self.lines.fill(Stand::Lost);
        self.status.reconnects += 1;
        self.request_failed(why);
    }

    /// The venue told what it has: `start` has only that any more.
    pub(super) fn listed(&mut self, start: &Start, unlisted: Vec<Symbol>) {
        let reconnects = self.status.reconnects;
        *self = Self::new(start);
        self.status.reconnects = reconnects;
        self.set_unlisted(unlisted);
        self.rest_works = Some(true);
    }

    pub(super) fn trouble(&mut self, text: String) {
        self.status.trouble = Some(text);
    }

    /// A stream spoke.
    pub(super) fn heard(
        &mut self,
        contract: usize,
        stream: StreamKind,
        received: UnixMs,
        sent: Option<UnixMs>,
        as_of: Option<UnixMs>,
        is_new: bool,
    ) {
        let at = contract * KINDS + stream as usize;
        if let (Some(lag), Some(sent)) = (self.lags.get_mut(at), sent) {
            *lag = received.plus(self.skew.ms().unwrap_or(0)).since(sent);
        }
        self.fetched(contract, stream, received, as_of);
        if let Some(status) = self.status.streams.get_mut(at).filter(|_| is_new) {
            status.events += 1;
        }
    }

    /// An answer told something of a stream.
    pub(super) fn fetched(
        &mut self,
        contract: usize,
        stream: StreamKind,
        received: UnixMs,
        as_of: Option<UnixMs>,
    ) {
        if let Some(status) = self.status.streams.get_mut(contract * KINDS + stream as usize) {
            status.as_of = status.as_of.max(as_of);
            status.heard = status.heard.max(Some(received));
        }
    }

    pub(super) fn answered(&mut self) {
        self.rest_works = Some(true);
    }

    pub(super) fn request_failed(&mut self, why: String) {
        self.rest_works = Some(false);
        self.trouble(why);
    }

    /// Publishes what changed.
    pub(super) fn publish(&mut self, now: UnixMs, budget: &mut Budget, filling: bool) {
        let before = (self.status.state, self.status.filling, self.status.banned_until);
        let mut changed = false;
        for at in 0..self.status.streams.len() {
            let state = self.state_of(at, now);
            changed |= std::mem::replace(&mut self.status.streams[at].state, state) != state;
        }
        self.status.connections = self.lines.iter().filter(|stand| **stand == Stand::Proved).count() as u32;
        self.status.skew_ms = self.skew.ms();
        self.status.weight_used = budget.used(now);
        self.status.banned_until = budget.banned_until(now);
        self.status.filling = filling;
        let matters = |status: &&StreamStatus| {
            matches!(status.stream, StreamKind::Mark | StreamKind::Klines | StreamKind::Trades)
        };
        let followed = self.status.streams.iter().enumerate().filter(|(at, _)| !self.gone[at / KINDS]);
        let worst = followed.map(|(_, status)| status).filter(matters).map(|status| status.state).max();
        self.status.state = worst.unwrap_or_default();
        if self.status.state == SourceState::Live {
            self.status.trouble = self.status.trouble.take().filter(|_| self.rest_works == Some(false));
        }
        changed |= before != (self.status.state, self.status.filling, self.status.banned_until);
        let is_due = self.published.is_none_or(|published| published.elapsed() >= PUBLISH_EVERY);
        if changed || is_due {
            self.published = Some(Instant::now());
            let mut status = self.status.clone();
            let mut at = 0..;
            status.streams.retain(|_| at.next().is_some_and(|at: usize| !self.gone[at / KINDS]));
            let place = self.place;
            self.sender.send_modify(|all| {
                if let Some(own) = Arc::make_mut(all).venues.get_mut(place) {
                    *own = status;
                }
            });
        }
    }

    fn state_of(&self, at: usize, now: UnixMs) -> SourceState {
        let status = &self.status.streams[at];
        let line = self.line_of.get(at / KINDS);
        let stand = line.and_then(|line| self.lines.get(*line)).copied().unwrap_or(Stand::New);
        let proved = line.and_then(|line| self.proved.get(*line)).copied().flatten();
        let is_polled = self.limits.poll_open_interest.is_some();
        let by_request =
            status.stream == StreamKind::Funding || (status.stream == StreamKind::OpenInterest && is_polled);
        let without = if by_request {
            match self.rest_works {
                None => SourceState::Connecting,
                Some(true) => SourceState::Stale,
                Some(false) => SourceState::Down,
            }
        } else {
            match stand {
                Stand::New => SourceState::Connecting,
                Stand::Opened if status.heard.is_none() => SourceState::Connecting,
                Stand::Opened | Stand::Proved => SourceState::Stale,
                Stand::Lost => SourceState::Down,
            }
        };
        let Some(silence) = (self.limits.silence)(status.stream) else {
            // Its silence means nothing: it is as its line is.
            let works = if by_request { self.rest_works == Some(true) } else { stand == Stand::Proved };
            return if works { SourceState::Live } else { without };
        };
        // A closed kline comes once a minute, a trade when somebody trades: where other data comes, a stream that has
        // not spoken yet is as one that spoke last when that began.
        let began = proved.filter(|_| !by_request && stand == Stand::Proved);
        let Some(heard) = status.heard.or(began) else {
            return if without == SourceState::Down { SourceState::Down } else { SourceState::Connecting };
        };
        let is_silent = now.since(heard) > silence.as_millis() as i64;
        match (stand, is_silent) {
            (Stand::Lost, _) if !by_request => SourceState::Down,
            (_, true) => without,
            (_, false) if self.lags[at] > LAG_MS => SourceState::Lagging,
            (_, false) => SourceState::Live,
        }
    }
}

/// The streams of a contract of which nothing is known yet.
fn fresh(symbol: &Symbol) -> impl Iterator<Item = StreamStatus> {
    StreamKind::ALL.into_iter().map(|stream| StreamStatus {
        symbol: symbol.clone(),
        stream,
        state: SourceState::Connecting,
        as_of: None,
        heard: None,
        events: 0,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use liqheat_market::Venue;
    use tokio::sync::mpsc;

    use super::*;
    use crate::live::LiveSettings;
    use crate::venues::{contract, exchange};

    const BEGIN: UnixMs = UnixMs(1_748_131_200_000);

    /// Binance's, with one contract on one line.
    fn health() -> Health {
        let exchange = exchange(Venue::Binance).unwrap();
        let (deliveries, _) = mpsc::channel(1);
        Health::new(&Start {
            exchange,
            limits: exchange.limits(),
            contracts: vec![contract(exchange, &Symbol::new("BTCUSDT").unwrap()).unwrap()],
            accounts: Vec::new(),
            socket_base: String::new(),
            rest_base: String::new(),
            settings: Arc::new(LiveSettings::new(Vec::new())),
            known: BTreeMap::new(),
            deliveries,
            status: Arc::new(watch::Sender::default()),
            place: 0,
        })
    }

    fn state(health: &Health, stream: StreamKind, after_s: i64) -> SourceState {
        health.state_of(stream as usize, BEGIN.plus(after_s * 1_000))
    }

    #[test]
    fn a_stream_that_has_not_spoken_is_silent_since_other_data_comes() {
        let mut health = health();
        assert_eq!(state(&health, StreamKind::Trades, 0), SourceState::Connecting);
        health.opened(0);
        assert_eq!(state(&health, StreamKind::Trades, 0), SourceState::Connecting);
        health.proved(0, BEGIN);
        health.proved(0, BEGIN.plus(60_000));
        // Trades may be away for two minutes, closed klines come once in one; open interest is asked for.
        assert_eq!(state(&health, StreamKind::Trades, 119), SourceState::Live);
        assert_eq!(state(&health, StreamKind::Klines, 119), SourceState::Live);
        assert_eq!(state(&health, StreamKind::OpenInterest, 119), SourceState::Connecting);
        assert_eq!(state(&health, StreamKind::Trades, 121), SourceState::Stale);
        health.heard(0, StreamKind::Trades, BEGIN.plus(121_000), None, None, true);
        assert_eq!(state(&health, StreamKind::Trades, 122), SourceState::Live);
        health.lost(0, "cut".to_owned(), true);
        assert_eq!(state(&health, StreamKind::Klines, 122), SourceState::Down);
    }
}
