//! Handles Redis replies and failures.

use liqheat_market::convert::whole_ms;
use liqheat_stream::Board;
use liqheat_wire::FeedState;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::{ActiveRequest, Node};
use crate::election::{LeaseAnswer, LeaseChange};
use crate::epoch_run::Continuity;
use crate::issues::Issue;
use crate::message::Message;
use crate::metrics::{MessageFate, ResyncReason};
use crate::replica::FetchOutcome;
use crate::request::{Host, LeaseGrant, Moment, PublishOutcome, Reply, RequestFailure, StoredValue};

impl Node {
    /// The reply to the request in flight.
    pub(crate) fn on_reply(
        &mut self,
        reply: Result<Reply, RequestFailure>,
        at: Moment,
        host: &mut impl Host,
    ) {
        let Some((request, sent)) = self.in_flight.take() else { return };
        let reply = match reply {
            Ok(reply) => reply,
            Err(fault) => return self.on_fault(&request, &fault, at, host),
        };
        match request {
            ActiveRequest::Open => {
                self.link.on_opened(at.now);
                self.is_listening = true;
                self.election.on_reconnected(at.now);
                self.list_at = at.now;
                self.replica.restart(ResyncReason::Start, at.now);
                return;
            }
            ActiveRequest::Listen => {
                self.is_listening = true;
                return;
            }
            _ => self.on_answer(at.now),
        }
        match (request, reply) {
            (ActiveRequest::Lease, Reply::Lease(grant)) => self.on_grant(grant, sent, at),
            (ActiveRequest::Publish, Reply::Published(outcomes)) => self.on_published(&outcomes, at, host),
            (ActiveRequest::TakeOver(symbols), Reply::States(values)) => {
                self.on_take_over(symbols, values, at, host);
            }
            (ActiveRequest::Resync(symbols), Reply::States(values)) => {
                self.on_states(symbols, values, at, host);
            }
            (ActiveRequest::WriteList, Reply::ListWritten(PublishOutcome::Fenced)) => {
                self.election.on_fenced(at.now);
            }
            (ActiveRequest::ReadList, Reply::List(read)) => self.on_list(read, at, host),
            _ => {}
        }
    }

    pub(super) fn on_answer(&mut self, now: Instant) {
        if let Some(down_for) = self.link.on_answer(now) {
            self.issues.clear(&Issue::RedisDown, now);
            self.issues.connected();
            if self.logs.allows("connected", now) {
                info!(redis = self.settings.address, after_ms = whole_ms(down_for), "Redis connected");
            }
            self.metrics.connected.set(1);
        }
    }

    /// Redis failed. The producer continues for its own clients; replicas keep the last state.
    pub(super) fn on_fault(
        &mut self,
        request: &ActiveRequest,
        fault: &RequestFailure,
        at: Moment,
        host: &mut impl Host,
    ) {
        self.link.on_failure(at.now, self.rng.f64());
        self.issues.raise(Issue::RedisDown, fault.0.clone(), at.now);
        debug!(error = fault.0, ?request, "request to Redis failed");
        self.is_listening = false;
        self.is_held_elsewhere = false;
        self.metrics.connected.set(0);
        self.metrics.lease_holder.set(0);
        self.metrics.faults.inc();
        for symbol in self.replica.symbols() {
            host.set_feed_state(&symbol, FeedState::Degraded);
        }
        self.producer.on_disconnected();
        if matches!(request, ActiveRequest::Publish) {
            self.producer.on_publish_failed(&mut self.names, host);
        }
        self.issues.touch();
    }

    pub(super) fn on_grant(&mut self, grant: LeaseGrant, sent: Instant, at: Moment) {
        if !grant.ignored.is_empty() {
            self.metrics.unusable.inc();
            self.issues.raise(Issue::BadKeys, grant.ignored.join(" "), at.now);
        }
        self.on_group(grant.group, at.now);
        let continuity = match self.held_until {
            Some(until) if at.now <= until => Continuity::Unbroken,
            _ => Continuity::Broken,
        };
        let is_ours = matches!(grant.answer, LeaseAnswer::Ours { .. });
        if is_ours {
            self.held_until = Some(sent + self.settings.times.lease.ttl);
        }
        self.confirmed = is_ours.then_some(sent);
        self.is_held_elsewhere = !is_ours;
        match self.election.on_answer(grant.answer, sent, self.rng.f64()) {
            LeaseChange::Same => {}
            // Whoever lost it to nobody, because the keys are gone, asks again at once.
            LeaseChange::Lost => self.election.on_fenced(at.now),
            LeaseChange::Won { token } => {
                if self.logs.allows("lease acquired", at.now) {
                    info!(token, "lease acquired role=producer");
                }
                self.was_producer = true;
                self.metrics.lease_holder.set(1);
                self.producer.on_won(continuity);
                self.replica.stand_by();
                self.list_at = at.now;
                for symbol in self.replica.symbols() {
                    self.issues.clear(&Issue::Silent(symbol), at.now);
                }
                // The updater's newest state may be as old as its interval; the last producer's states were newer.
                self.wants_update = true;
            }
        }
    }

    pub(super) fn on_published(&mut self, outcomes: &[PublishOutcome], at: Moment, host: &mut impl Host) {
        let result = self.producer.on_outcomes(outcomes, at.now, host);
        for symbol in &result.published {
            self.metrics.message(MessageFate::Published);
            self.issues.clear(&Issue::TooLarge(symbol.clone()), at.now);
            self.issues.clear(&Issue::BadState(symbol.clone()), at.now);
        }
        for symbol in result.refused.iter().filter(|_| self.logs.allows("refused", at.now)) {
            error!(symbol, "own state refused by own board");
        }
        if !result.fenced.is_empty() {
            self.metrics.fencing_refusals.inc_by(result.fenced.len() as u64);
            self.issues.raise(Issue::Fenced, result.fenced.join(" "), at.now);
            self.election.on_fenced(at.now);
        }
    }

    pub(super) fn on_take_over(
        &mut self,
        symbols: Vec<String>,
        values: Vec<StoredValue>,
        at: Moment,
        host: &mut impl Host,
    ) {
        for (symbol, value) in symbols.into_iter().zip(values) {
            let stored = self.usable(&symbol, value, at.now).and_then(|message| {
                let is_ours = self.replica.group() == Some(message.group);
                Board::from_remote(&message.state).ok().filter(|_| is_ours)
            });
            let board = host.board(&symbol);
            let Some(taken) = self.producer.decide(&symbol, (stored, board), &mut self.names) else {
                continue;
            };
            if self.logs.allows(&format!("epoch {symbol}"), at.now) {
                let (epoch, seq, handover) = taken;
                info!(symbol, epoch, seq, handover = handover.name(), "epoch taken over");
            }
        }
    }

    pub(super) fn on_states(
        &mut self,
        symbols: Vec<(String, ResyncReason)>,
        values: Vec<StoredValue>,
        at: Moment,
        host: &mut impl Host,
    ) {
        for ((symbol, reason), value) in symbols.into_iter().zip(values) {
            self.metrics.resync(reason);
            let Some(message) = self.usable(&symbol, value, at.now) else { continue };
            let outcome = self.replica.on_state(&message, at.now, &mut self.names, host);
            debug!(symbol, reason = reason.name(), seq = message.state.seq, ?outcome, "whole state fetched");
            match outcome {
                FetchOutcome::Replaced if self.logs.allows(&format!("replaced {symbol}"), at.now) => {
                    warn!(symbol, "board was ahead of the producer; continuing under a local epoch");
                }
                FetchOutcome::Damaged => {
                    let why = "its levels have another hash than it says";
                    self.issues.raise(Issue::BadState(symbol), why, at.now);
                }
                _ => {}
            }
        }
    }

    /// The message of a stored value; an unusable one is an issue.
    pub(super) fn usable(&mut self, symbol: &str, value: StoredValue, now: Instant) -> Option<Message> {
        let issue = Issue::BadState(symbol.to_owned());
        let why = match value {
            StoredValue::Missing => {
                self.issues.clear(&issue, now);
                return None;
            }
            StoredValue::Unusable(why) => why,
            StoredValue::Bytes(bytes) => match Message::decode(&bytes) {
                Ok(message) if message.symbol == symbol => {
                    self.issues.clear(&issue, now);
                    return Some(message);
                }
                Ok(_) => "a state of another symbol".to_owned(),
                Err(error) => error.to_string(),
            },
        };
        self.metrics.unusable.inc();
        self.issues.raise(issue, why, now);
        None
    }
}
