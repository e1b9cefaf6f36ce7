//! One server's part in the cluster, without Redis, sockets and clocks: events in, requests to Redis out.
//!
//! At most one request is in flight, so the order of what Redis does is the order of the decisions. Events arrive
//! meanwhile: the newest update of each symbol is kept, and messages are applied.

mod list;
mod replies;

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use liqheat_market::convert::signed_len;
use liqheat_wire::FeedState;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::backplane::{PendingUpdate, Production};
use crate::edge_symbols::EdgeSymbols;
use crate::election::{Election, LeaseRequest};
use crate::epoch_run::EpochNames;
use crate::group::Group;
use crate::issues::{Issue, Issues, LogLimit, Reason};
use crate::link::Link;
use crate::message::Message;
use crate::metrics::{ClusterMetrics, MessageFate, ResyncReason};
use crate::producer::Producer;
use crate::replica::{MessageOutcome, Replica};
use crate::request::{Host, Moment, Purpose, Request};
use crate::settings::{ClusterTimes, Role};

/// Longest time between two looks at what is due.
const TICK: Duration = Duration::from_millis(250);
/// Shortest time between them.
const TICK_MIN: Duration = Duration::from_millis(10);

/// What a node is configured with.
#[derive(Debug, Clone)]
pub(crate) struct NodeSettings {
    pub(crate) role: Role,
    pub(crate) times: ClusterTimes,
    /// On an edge: the symbols to serve; empty for all of the producer's list.
    pub(crate) symbols: Vec<String>,
    /// What this server serves; `None` on an edge.
    pub(crate) group: Option<Group>,
    /// Address of Redis without the password, for the log.
    pub(crate) address: String,
    /// Identifies this process in the names of epochs.
    pub(crate) tag: String,
    /// Of the updater.
    pub(crate) update_interval: Duration,
    pub(crate) seed: u64,
}

/// The request in flight.
#[derive(Debug)]
enum ActiveRequest {
    Open,
    Listen,
    Subscribe,
    Lease,
    Publish,
    TakeOver(Vec<String>),
    Resync(Vec<(String, ResyncReason)>),
    WriteList,
    ReadList,
}

/// Changes of the subscription that Redis has not been asked for yet.
#[derive(Debug, Default)]
struct Channels {
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Node {
    settings: NodeSettings,
    /// The group in Redis, as far as it is known; on an edge the one that it follows.
    known_group: Option<Group>,
    link: Link,
    election: Election,
    producer: Producer,
    replica: Replica,
    edge_symbols: EdgeSymbols,
    issues: Issues,
    logs: LogLimit,
    names: EpochNames,
    metrics: ClusterMetrics,
    rng: Rng,
    in_flight: Option<(ActiveRequest, Instant)>,
    is_listening: bool,
    channels: Channels,
    /// This server has won the lease and not lost it since.
    was_producer: bool,
    /// Until when the last lease held for certain.
    held_until: Option<Instant>,
    /// When the last request was sent that Redis answered with our lease.
    confirmed: Option<Instant>,
    /// Redis' last answer was that the lease is not ours.
    is_held_elsewhere: bool,
    list_at: Instant,
    /// The list that was read last, and the names in it.
    list: Option<(Vec<u8>, Vec<String>)>,
    wants_update: bool,
}

impl Node {
    pub(crate) fn new(settings: NodeSettings, metrics: ClusterMetrics, now: Instant) -> Self {
        let times = &settings.times;
        let group = settings.group.as_ref().map(Group::fingerprint);
        Self {
            known_group: None,
            link: Link::new(times.reconnect, now),
            election: Election::new(times.lease, now),
            producer: Producer::new(times.heartbeat_every, group.unwrap_or_default()),
            replica: Replica::new(group, times.silent_after, times.old_after),
            edge_symbols: EdgeSymbols::new(&settings.symbols, times.drop_after),
            issues: Issues::connecting(now),
            logs: LogLimit::default(),
            names: EpochNames::new(settings.tag.clone()),
            metrics,
            rng: Rng::with_seed(settings.seed),
            in_flight: None,
            is_listening: false,
            channels: Channels::default(),
            was_producer: false,
            held_until: None,
            confirmed: None,
            is_held_elsewhere: false,
            list_at: now,
            list: None,
            wants_update: false,
            settings,
        }
    }

    // ---- What the shell asks.

    /// Serves one more symbol.
    pub(crate) fn add_symbol(&mut self, symbol: &str, now: Instant) {
        self.producer.add_symbol(symbol, now);
        self.replica.add_symbol(symbol, now);
        self.channels.remove.remove(symbol);
        self.channels.add.insert(symbol.to_owned());
    }

    /// The fencing token, while this server is the producer.
    pub(crate) fn token(&self) -> Option<u64> {
        self.election.token().filter(|_| self.link.is_up())
    }

    /// Who produces, as far as it is known.
    pub(crate) fn production(&self) -> Production {
        match (self.token(), self.confirmed) {
            _ if !self.link.is_up() => Production::Unknown,
            (Some(token), Some(confirmed)) => Production::Here { token, confirmed },
            (Some(_), None) => Production::Unknown,
            (None, _) if self.is_held_elsewhere => Production::Elsewhere,
            (None, _) => Production::Unknown,
        }
    }

    /// Whether this server names the positions of channels: as the producer, or while it continues alone.
    pub(crate) fn is_publishing(&self) -> bool {
        self.token().is_some() || self.producer.has_runs()
    }

    /// Whether changes of channels of servers with this fingerprint are followed.
    pub(crate) fn follows(&self, group: u64) -> bool {
        let own = self.settings.group.as_ref().or(self.known_group.as_ref());
        !self.is_publishing() && own.is_none_or(|own| own.fingerprint() == group)
    }

    /// Fingerprint of what this server serves.
    pub(crate) fn group(&self) -> u64 {
        self.settings.group.as_ref().map(Group::fingerprint).unwrap_or_default()
    }

    /// When to call `next` at the latest, if nothing happens.
    pub(crate) fn wake_at(&self, now: Instant) -> Instant {
        let mut due = now + TICK;
        if self.link.is_up() && self.in_flight.is_none() {
            due = due.min(self.list_at);
            if self.settings.role == Role::All {
                due = due.min(self.election.next_at());
            }
        }
        due.max(now + TICK_MIN)
    }

    /// Whether the updater should compute all symbols at once, because this server has become the producer.
    pub(crate) fn take_update_request(&mut self) -> bool {
        std::mem::take(&mut self.wants_update)
    }

    /// What `/ready` shows, and whether states of this server's own are served; `None` when nothing has changed.
    pub(crate) fn take_reasons(&mut self) -> Option<(Vec<Reason>, bool)> {
        let reasons = self.issues.take_changed()?;
        Some((reasons, self.election.token().is_some() || self.producer.has_runs()))
    }

    /// The last request before the end.
    pub(crate) fn stop(&self) -> Option<Request> {
        // Without it the others wait until the lease expires.
        self.token().map(|token| Request::Lease(LeaseRequest::GiveUp { token }))
    }

    #[cfg(test)]
    pub(crate) const fn touch_for_test(&mut self) {
        self.issues.touch();
    }

    // ---- Events.

    /// The updater has something new of a symbol.
    pub(crate) fn on_update(&mut self, symbol: &str, update: PendingUpdate, now: Instant) {
        self.producer.on_update(symbol, update, now);
    }

    /// A message of the subscription.
    pub(crate) fn on_message(&mut self, symbol: &str, payload: &[u8], at: Moment, host: &mut impl Host) {
        if self.token().is_some() || self.is_foreign() {
            return;
        }
        let message = match Message::decode(payload) {
            Ok(message) if message.symbol == symbol => message,
            Ok(message) => {
                let name: String = message.symbol.chars().take(40).collect();
                return self.on_bad_message(
                    symbol,
                    format!("it is of symbol '{name}'; is the prefix used twice?"),
                    at,
                );
            }
            Err(error) => return self.on_bad_message(symbol, error.to_string(), at),
        };
        let fate = match self.replica.on_message(&message, at.now, host) {
            MessageOutcome::Applied { changed } => {
                self.issues.clear(&Issue::Silent(symbol.to_owned()), at.now);
                if changed {
                    self.metrics.lag(at.wall.since(message.published));
                }
                MessageFate::Applied
            }
            MessageOutcome::Old => MessageFate::Old,
            MessageOutcome::Misfit => MessageFate::Misfit,
            MessageOutcome::Fenced => MessageFate::Fenced,
            MessageOutcome::OtherGroup => {
                // An edge learns from Redis whether its group has changed.
                self.list_at = self.list_at.min(at.now + self.settings.times.list_retry);
                MessageFate::OtherGroup
            }
            MessageOutcome::Unknown => return,
        };
        self.metrics.message(fate);
    }

    fn on_bad_message(&mut self, symbol: &str, why: String, at: Moment) {
        self.metrics.message(MessageFate::Unreadable);
        if self.replica.has_symbol(symbol) {
            self.issues.raise(Issue::BadMessages(symbol.to_owned()), why, at.now);
        }
    }

    /// The connection of the subscription has ended.
    pub(crate) fn on_subscription_lost(&mut self, now: Instant) {
        if self.logs.allows("subscription", now) {
            warn!("subscription to Redis lost; subscribing again");
        }
        self.is_listening = false;
        self.replica.want_all(ResyncReason::Broken);
    }

    // ---- Requests.

    /// The next request to send; `None` while one is in flight, or when nothing is due.
    pub(crate) fn next(&mut self, at: Moment, host: &mut impl Host) -> Option<Request> {
        self.issues.on_tick(at.now);
        self.metrics.silent.set(signed_len(self.issues.silent()));
        if self.in_flight.is_some() {
            if !self.link.is_up() {
                self.serve_alone(at.now, host);
            }
            return None;
        }
        let (in_flight, request) = self.choose(at, host)?;
        self.in_flight = Some((in_flight, at.now));
        Some(request)
    }

    fn choose(&mut self, at: Moment, host: &mut impl Host) -> Option<(ActiveRequest, Request)> {
        if self.link.begin_opening(at.now) {
            self.channels = Channels::default();
            return Some((ActiveRequest::Open, Request::Open { symbols: self.replica.symbols() }));
        }
        if !self.link.is_up() {
            self.serve_alone(at.now, host);
            return None;
        }
        if !self.is_listening {
            self.channels = Channels::default();
            return Some((ActiveRequest::Listen, Request::Listen { symbols: self.replica.symbols() }));
        }
        let Channels { add, remove } = std::mem::take(&mut self.channels);
        if !add.is_empty() || !remove.is_empty() {
            let (add, remove) = (add.into_iter().collect(), remove.into_iter().collect());
            return Some((ActiveRequest::Subscribe, Request::Subscribe { add, remove }));
        }
        if self.token().is_none() && self.list_at <= at.now {
            return Some((ActiveRequest::ReadList, Request::ReadList));
        }
        if self.settings.role == Role::All && self.election.next_at() <= at.now {
            let idle_after = self.settings.times.idle_after.max(3 * self.settings.update_interval);
            match self.election.request(self.producer.is_able(at.now, idle_after)) {
                Some(request) => return Some((ActiveRequest::Lease, Request::Lease(request))),
                None => self.election.wait(at.now, self.rng.f64()),
            }
        }
        match self.token() {
            Some(token) => self.produce(token, at, host),
            None => self.follow(at, host),
        }
    }

    fn produce(&mut self, token: u64, at: Moment, host: &mut impl Host) -> Option<(ActiveRequest, Request)> {
        self.producer.on_tick(at.now);
        let undecided = self.producer.undecided();
        if !undecided.is_empty() {
            let request = Request::ReadStates { symbols: undecided.clone(), purpose: Purpose::TakeOver };
            return Some((ActiveRequest::TakeOver(undecided), request));
        }
        let batch = self.producer.batch(token, at, &mut self.names);
        for (symbol, levels) in batch.too_large {
            self.issues.raise(Issue::TooLarge(symbol), format!("{levels} levels"), at.now);
        }
        if !batch.publications.is_empty() {
            return Some((
                ActiveRequest::Publish,
                Request::Publish { token, publications: batch.publications },
            ));
        }
        if self.list_at <= at.now {
            self.list_at = at.now + self.settings.times.list_every;
            return Some((ActiveRequest::WriteList, Request::WriteList { token, list: host.own_list() }));
        }
        None
    }

    fn follow(&mut self, at: Moment, host: &mut impl Host) -> Option<(ActiveRequest, Request)> {
        if self.is_foreign() {
            self.was_producer = false;
            self.serve_alone(at.now, host);
            return None;
        }
        self.producer.drop_due();
        if self.was_producer || self.producer.has_runs() {
            self.was_producer = false;
            self.held_until = None;
            self.metrics.lease_holder.set(0);
            self.producer.on_lost();
            self.replica.restart(ResyncReason::Lost, at.now);
            self.issues.touch();
            if self.logs.allows("lease lost", at.now) {
                info!("lease lost role=replica");
            }
        }
        let silence = self.replica.on_tick(at.now);
        for symbol in silence.began {
            host.set_feed_state(&symbol, FeedState::Degraded);
            let detail = "subscribing again and fetching the whole state";
            self.issues.raise(Issue::Silent(symbol), detail, at.now);
        }
        if silence.resubscribe {
            self.is_listening = false;
            return self.choose(at, host);
        }
        let wanted = self.replica.take_wanted(at.now);
        if wanted.is_empty() {
            return None;
        }
        let symbols = wanted.iter().map(|(symbol, _)| symbol.clone()).collect();
        Some((ActiveRequest::Resync(wanted), Request::ReadStates { symbols, purpose: Purpose::Resync }))
    }

    /// Own states for own clients, where nothing can be shared.
    fn serve_alone(&mut self, now: Instant, host: &mut impl Host) {
        if self.settings.role == Role::Edge || !(self.link.has_failed() || self.is_foreign()) {
            return;
        }
        let had_runs = self.producer.has_runs();
        let is_patient = !self.is_foreign() && self.link.down_for(now) < self.settings.times.alone_after;
        if self.producer.serve_alone(is_patient, &mut self.names, host) != had_runs {
            self.issues.touch();
        }
    }
}
