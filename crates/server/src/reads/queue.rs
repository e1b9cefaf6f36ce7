//! Which request reads the database next: a pure state machine of requests that arrive and leave.
//!
//! At most [`ReadLimits::running_max`] requests read at once, and at most [`ReadLimits::model_runs_max`] of them run
//! the model. The others wait in a queue per client address; addresses take turns, one request each, so an address
//! with a hundred requests delays another one by one turn and not by a hundred. A request that may not start
//! because the model is busy does not block those behind it.
//!
//! The number of waiting requests is bounded. When the queue is full, the newest request of the address that has
//! the most of them is evicted in favour of an address with fewer; without such an address the arriving request is
//! refused. So no address can keep others out by filling the queue.

use std::collections::{BTreeMap, VecDeque};

/// How many requests read, and wait, at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadLimits {
    /// Requests that read at once.
    pub(crate) running_max: usize,
    /// Of those, requests that run the model.
    pub(crate) model_runs_max: usize,
    /// Requests that wait.
    pub(crate) waiting_max: usize,
}

/// What a request does with its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadKind {
    /// Queries of the database.
    Query,
    /// A run of the model over stored bars: up to some seconds of a core.
    ModelRun,
}

/// Names one request for as long as it waits or reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(u64);

/// What becomes of a request that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It reads now.
    Started(Ticket),
    /// It waits; another one that waited may have been evicted for it.
    Waiting { ticket: Ticket, evicted: Option<Ticket> },
    /// The queue is full.
    Refused,
}

#[derive(Debug)]
struct WaitingRequest {
    ticket: Ticket,
    kind: ReadKind,
}

/// The waiting requests of one address, oldest first; never empty.
#[derive(Debug)]
struct AddressQueue<K> {
    address: K,
    requests: VecDeque<WaitingRequest>,
}

/// All requests that read or wait.
#[derive(Debug)]
pub(crate) struct ReadQueue<K> {
    limits: ReadLimits,
    running: BTreeMap<Ticket, ReadKind>,
    /// In the order of their next turns.
    by_address: VecDeque<AddressQueue<K>>,
    waiting: usize,
    next: u64,
}

impl<K: Copy + Eq> ReadQueue<K> {
    pub(crate) const fn new(limits: ReadLimits) -> Self {
        Self { limits, running: BTreeMap::new(), by_address: VecDeque::new(), waiting: 0, next: 0 }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// A request of an address arrives.
    pub(crate) fn arrive(&mut self, address: K, kind: ReadKind) -> Arrival {
        // Whatever waits could not start, so a request that can overtakes nobody.
        if self.can_start(kind) {
            let ticket = self.new_ticket();
            self.running.insert(ticket, kind);
            return Arrival::Started(ticket);
        }
        let evicted = if self.waiting < self.limits.waiting_max {
            None
        } else {
            match self.evict_in_favour_of(address) {
                Some(evicted) => Some(evicted),
                None => return Arrival::Refused,
            }
        };
        let ticket = self.new_ticket();
        self.waiting += 1;
        let request = WaitingRequest { ticket, kind };
        match self.by_address.iter_mut().find(|queue| queue.address == address) {
            Some(queue) => queue.requests.push_back(request),
            None => self.by_address.push_back(AddressQueue { address, requests: VecDeque::from([request]) }),
        }
        Arrival::Waiting { ticket, evicted }
    }

    /// A request has finished reading, or waits no longer. Gives those that start now; a ticket that is not known
    /// (any more) changes nothing.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Vec<Ticket> {
        if self.running.remove(&ticket).is_none() {
            self.remove_waiting(ticket);
        }
        let mut started = Vec::new();
        while let Some(WaitingRequest { ticket, kind }) = self.take_next() {
            self.running.insert(ticket, kind);
            started.push(ticket);
        }
        started
    }

    fn new_ticket(&mut self) -> Ticket {
        self.next += 1;
        Ticket(self.next)
    }

    fn can_start(&self, kind: ReadKind) -> bool {
        let model_runs = self.running.values().filter(|kind| **kind == ReadKind::ModelRun).count();
        self.running.len() < self.limits.running_max
            && (kind != ReadKind::ModelRun || model_runs < self.limits.model_runs_max)
    }

    /// The oldest request that can start, of the first address that has one; that address then goes to the back.
    fn take_next(&mut self) -> Option<WaitingRequest> {
        let (queue, request) = self.by_address.iter().enumerate().find_map(|(at, queue)| {
            let request = queue.requests.iter().position(|request| self.can_start(request.kind))?;
            Some((at, request))
        })?;
        let mut queue = self.by_address.remove(queue)?;
        let taken = queue.requests.remove(request)?;
        self.waiting -= 1;
        if !queue.requests.is_empty() {
            self.by_address.push_back(queue);
        }
        Some(taken)
    }

    /// Makes room for a request of an address, which must leave it with no more than the one it is taken from.
    fn evict_in_favour_of(&mut self, address: K) -> Option<Ticket> {
        let own = self
            .by_address
            .iter()
            .find(|queue| queue.address == address)
            .map_or(0, |queue| queue.requests.len());
        let longest = self.by_address.iter_mut().max_by_key(|queue| queue.requests.len())?;
        if longest.requests.len() < own + 2 {
            return None;
        }
        let evicted = longest.requests.pop_back()?;
        self.waiting -= 1;
        Some(evicted.ticket)
    }

    fn remove_waiting(&mut self, ticket: Ticket) {
        for queue in &mut self.by_address {
            let before = queue.requests.len();
            queue.requests.retain(|request| request.ticket != ticket);
            self.waiting -= before - queue.requests.len();
        }
        self.by_address.retain(|queue| !queue.requests.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use ReadKind::{ModelRun, Query};

    const LIMITS: ReadLimits = ReadLimits { running_max: 2, model_runs_max: 1, waiting_max: 6 };

    fn waiting(arrival: Arrival) -> Ticket {
        let Arrival::Waiting { ticket, evicted: None } = arrival else { panic!("{arrival:?}") };
        ticket
    }

    fn started(arrival: Arrival) -> Ticket {
        let Arrival::Started(ticket) = arrival else { panic!("{arrival:?}") };
        ticket
    }

    #[test]
    fn addresses_take_turns_whatever_the_number_of_their_requests() {
        let mut queue = ReadQueue::new(LIMITS);
        let first = started(queue.arrive('a', Query));
        let _second = started(queue.arrive('a', Query));
        let of_a: Vec<Ticket> = (0..3).map(|_| waiting(queue.arrive('a', Query))).collect();
        let of_b: Vec<Ticket> = (0..2).map(|_| waiting(queue.arrive('b', Query))).collect();
        let of_c = waiting(queue.arrive('c', Query));
        let mut order = Vec::new();
        let mut done = first;
        while let Some(next) = queue.leave(done).first().copied() {
            order.push(next);
            done = next;
        }
        assert_eq!(order, [of_a[0], of_b[0], of_c, of_a[1], of_b[1], of_a[2]]);
    }

    #[test]
    fn a_full_queue_refuses_the_address_that_filled_it_and_makes_room_for_others() {
        let mut queue = ReadQueue::new(LIMITS);
        let running = started(queue.arrive('a', Query));
        started(queue.arrive('a', Query));
        let of_a: Vec<Ticket> = (0..6).map(|_| waiting(queue.arrive('a', Query))).collect();
        assert_eq!(queue.arrive('a', Query), Arrival::Refused);
        let Arrival::Waiting { ticket: of_b, evicted } = queue.arrive('b', Query) else { panic!() };
        assert_eq!(evicted, Some(of_a[5]), "the newest of the longest");
        assert_eq!(queue.waiting(), 6);
        assert_eq!(queue.leave(running), [of_a[0]]);
        assert_eq!(queue.leave(of_a[0]), [of_b], "the second turn");
        assert_eq!(queue.leave(of_a[5]), [], "evicted before");
    }

    #[test]
    fn equal_addresses_do_not_evict_each_other() {
        let mut queue = ReadQueue::new(ReadLimits { waiting_max: 2, ..LIMITS });
        started(queue.arrive('a', Query));
        started(queue.arrive('a', Query));
        waiting(queue.arrive('a', Query));
        waiting(queue.arrive('b', Query));
        assert_eq!(queue.arrive('b', Query), Arrival::Refused);
        assert_eq!(queue.arrive('c', Query), Arrival::Refused, "one each is as fair as it gets");
    }

    #[test]
    fn queries_pass_a_model_run_that_cannot_start() {
        let mut queue = ReadQueue::new(LIMITS);
        let run = started(queue.arrive('a', ModelRun));
        let waiting_run = waiting(queue.arrive('a', ModelRun));
        let query = started(queue.arrive('a', Query));
        let second = waiting(queue.arrive('a', Query));
        assert_eq!(queue.leave(query), [second], "the run before it still cannot start");
        assert_eq!(queue.leave(run), [waiting_run]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Arrive(u8, bool),
        Finish(usize),
        GiveUp(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0u8..5, any::<bool>()).prop_map(|(address, heavy)| Step::Arrive(address, heavy)),
            3 => (0usize..8).prop_map(Step::Finish),
            1 => (0usize..8).prop_map(Step::GiveUp),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Limits hold, no request is lost or starts twice, and no turn is left unused while somebody could take it.
        #[test]
        fn every_request_ends_one_way(steps in steps()) {
            let mut queue = ReadQueue::new(LIMITS);
            let (mut running, mut waiting) = (Vec::new(), Vec::new());
            let mut kinds = BTreeMap::new();
            let mut seen = BTreeSet::new();
            let start = |tickets: Vec<Ticket>, running: &mut Vec<Ticket>, waiting: &mut Vec<Ticket>| {
                for ticket in tickets {
                    assert!(waiting.contains(&ticket), "only those that wait start");
                    waiting.retain(|other| *other != ticket);
                    running.push(ticket);
                }
            };
            for step in steps {
                match step {
                    Step::Arrive(address, heavy) => {
                        let kind = if heavy { ModelRun } else { Query };
                        match queue.arrive(address, kind) {
                            Arrival::Started(ticket) => {
                                prop_assert!(seen.insert(ticket));
                                kinds.insert(ticket, kind);
                                running.push(ticket);
                            }
                            Arrival::Waiting { ticket, evicted } => {
                                prop_assert!(seen.insert(ticket));
                                kinds.insert(ticket, kind);
                                if let Some(evicted) = evicted {
                                    prop_assert!(waiting.contains(&evicted));
                                    waiting.retain(|other| *other != evicted);
                                }
                                waiting.push(ticket);
                            }
                            Arrival::Refused => prop_assert_eq!(waiting.len(), LIMITS.waiting_max),
                        }
                    }
                    Step::Finish(at) if at < running.len() => {
                        let ticket = running.remove(at);
                        start(queue.leave(ticket), &mut running, &mut waiting);
                    }
                    Step::GiveUp(at) if at < waiting.len() => {
                        let ticket = waiting.remove(at);
                        start(queue.leave(ticket), &mut running, &mut waiting);
                    }
                    Step::Finish(_) | Step::GiveUp(_) => {}
                }
                let models = running.iter().filter(|ticket| kinds[ticket] == ModelRun).count();
                prop_assert!(running.len() <= LIMITS.running_max && models <= LIMITS.model_runs_max);
                prop_assert_eq!((queue.running(), queue.waiting()), (running.len(), waiting.len()));
                let could_start = |ticket: &Ticket| {
                    running.len() < LIMITS.running_max
                        && (kinds[ticket] == Query || models < LIMITS.model_runs_max)
                };
                prop_assert!(!waiting.iter().any(could_start), "a turn is unused");
            }
        }

        /// An address waits for at most one turn of each other address, and for the requests that run.
        #[test]
        fn an_address_waits_for_one_turn_of_each_other(crowd in prop::collection::vec(1usize..20, 1..6)) {
            let limits = ReadLimits { running_max: 1, model_runs_max: 1, waiting_max: 1_000 };
            let mut queue = ReadQueue::new(limits);
            let mut running = started(queue.arrive(usize::MAX, Query));
            for (address, requests) in crowd.iter().enumerate() {
                for _ in 0..*requests {
                    waiting(queue.arrive(address, Query));
                }
            }
            let ours = waiting(queue.arrive(1_000, Query));
            let mut turns = 0;
            while running != ours {
                running = queue.leave(running)[0];
                turns += 1;
            }
            prop_assert_eq!(turns, crowd.len() + 1);
        }
    }
}
