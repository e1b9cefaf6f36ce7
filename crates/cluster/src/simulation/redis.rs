//! The scripts of `redis/scripts.rs`, in Rust.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::election::{LeaseAnswer, LeaseRequest};
use crate::group::Group;
use crate::request::{
    KeptState, LeaseGrant, ListRead, Moment, Publication, PublishOutcome, Reply, Request, StoredValue,
};
use crate::settings::ClusterTimes;

/// Index of a server, and the number of its starts.
type ServerRun = (usize, u64);

/// Keys in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryRedis {
    lease: Option<(ServerRun, Instant)>,
    fence: Option<String>,
    group: Option<(Group, Instant)>,
    list: Option<Vec<u8>>,
    states: BTreeMap<String, Vec<u8>>,
    /// Token and publisher of everything that was accepted.
    accepted: Vec<(u64, ServerRun)>,
}

fn whole(fence: Option<&str>) -> u64 {
    let digits = fence
        .filter(|fence| !fence.is_empty() && fence.len() <= 16 && fence.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|fence| fence.parse().ok()).filter(|fence| *fence < 1 << 53).unwrap_or(0)
}

impl MemoryRedis {
    pub(super) fn forget_all(&mut self) {
        *self = Self { accepted: std::mem::take(&mut self.accepted), ..Self::default() };
    }

    /// As a file from before; what was accepted since stays known to the test.
    pub(super) fn restore(&mut self, old: Self) {
        *self = Self { accepted: std::mem::take(&mut self.accepted), ..old };
    }

    pub(super) fn spoil_fence(&mut self, text: &str) {
        self.fence = Some(text.to_owned());
    }

    pub(super) fn spoil_state(&mut self, symbol: &str, bytes: Vec<u8>) {
        self.states.insert(symbol.to_owned(), bytes);
    }

    pub(super) fn spoil_list(&mut self, bytes: Vec<u8>) {
        self.list = Some(bytes);
    }

    pub(super) const fn has_list(&self) -> bool {
        self.list.is_some()
    }

    pub(super) fn accepted_from(&self, server: usize) -> Vec<u64> {
        self.accepted.iter().filter(|(_, who)| who.0 == server).map(|(token, _)| *token).collect()
    }

    /// No two servers published under one token.
    pub(super) fn check_tokens(&self) {
        let mut publishers = BTreeMap::new();
        for (token, who) in &self.accepted {
            assert_eq!(publishers.entry(token).or_insert(who), &who, "two servers under token {token}");
        }
    }

    /// Does what is asked; gives the answer and what was published.
    pub(super) fn answer(
        &mut self,
        who: ServerRun,
        group: Option<&Group>,
        request: &Request,
        at: Moment,
    ) -> (Reply, Vec<(String, Vec<u8>)>) {
        let mut published = Vec::new();
        let reply = match request {
            Request::Open { .. } => Reply::Opened,
            Request::Listen { .. } => Reply::Listening,
            Request::Subscribe { .. } => Reply::Subscribed,
            Request::Lease(request) => Reply::Lease(self.lease(who, group, *request, at)),
            Request::Publish { token, publications } => {
                let outcomes = publications.iter().map(|publication| {
                    let outcome = self.publish(who, *token, publication);
                    if outcome == PublishOutcome::Published {
                        published.push((publication.symbol.clone(), publication.message.clone()));
                    }
                    outcome
                });
                Reply::Published(outcomes.collect())
            }
            Request::ReadStates { symbols, .. } => {
                let value = |symbol: &String| {
                    self.states
                        .get(symbol)
                        .map_or(StoredValue::Missing, |bytes| StoredValue::Bytes(bytes.clone()))
                };
                Reply::States(symbols.iter().map(value).collect())
            }
            Request::WriteList { token, list } => {
                let is_newest = whole(self.fence.as_deref()) == *token;
                if is_newest {
                    self.list = Some(list.clone());
                }
                Reply::ListWritten(if is_newest { PublishOutcome::Published } else { PublishOutcome::Fenced })
            }
            Request::ReadList => {
                let list = self.list.clone().map_or(StoredValue::Missing, StoredValue::Bytes);
                Reply::List(ListRead { list, group: self.group.as_ref().map(|(group, _)| group.clone()) })
            }
        };
        (reply, published)
    }

    fn lease(
        &mut self,
        who: ServerRun,
        group: Option<&Group>,
        request: LeaseRequest,
        at: Moment,
    ) -> LeaseGrant {
        let ttl = ClusterTimes::default().lease.ttl;
        let ours = group.expect("an edge asks for no lease").clone();
        let holder = self.lease.filter(|(_, until)| *until > at.now).map(|(who, _)| who);
        let grant = |answer, group: Option<Group>| LeaseGrant { answer, group, ignored: Vec::new() };
        let known = self.group.as_ref().map(|(group, _)| group.clone());
        match request {
            LeaseRequest::Take => {
                if let Some((theirs, set)) = &self.group
                    && *theirs != ours
                {
                    let rests = at.now.duration_since(*set) >= Duration::from_secs(60);
                    if holder.is_some() || !theirs.has_kind_of(&ours) || !rests {
                        return grant(LeaseAnswer::NotOurs, known);
                    }
                }
                if holder.is_some_and(|holder| holder != who) {
                    return grant(LeaseAnswer::NotOurs, known);
                }
                let last = whole(self.fence.as_deref());
                self.lease = Some((who, at.now + ttl));
                self.group = Some((ours.clone(), at.now));
                if holder.is_some() && last > 0 {
                    return grant(LeaseAnswer::Ours { token: last }, Some(ours));
                }
                let time = at.wall.0.unsigned_abs();
                let token = if last >= time && last + 1 < 1 << 53 { last + 1 } else { time };
                self.fence = Some(token.to_string());
                grant(LeaseAnswer::Ours { token }, Some(ours))
            }
            LeaseRequest::Renew { token } if holder == Some(who) && whole(self.fence.as_deref()) == token => {
                self.lease = Some((who, at.now + ttl));
                self.group = Some((ours.clone(), at.now));
                grant(LeaseAnswer::Ours { token }, Some(ours))
            }
            LeaseRequest::GiveUp { .. } if holder == Some(who) => {
                self.lease = None;
                grant(LeaseAnswer::NotOurs, known)
            }
            _ => grant(LeaseAnswer::NotOurs, known),
        }
    }

    fn publish(&mut self, who: ServerRun, token: u64, publication: &Publication) -> PublishOutcome {
        if whole(self.fence.as_deref()) != token {
            return PublishOutcome::Fenced;
        }
        match &publication.stored {
            KeptState::Write(whole) => {
                self.states.insert(publication.symbol.clone(), whole.clone());
            }
            KeptState::Expect { length, head } => {
                let stored = self.states.get(&publication.symbol);
                if !stored.is_some_and(|stored| stored.len() == *length && stored.starts_with(head)) {
                    return PublishOutcome::StateLost;
                }
            }
        }
        self.accepted.push((token, who));
        PublishOutcome::Published
    }
}
