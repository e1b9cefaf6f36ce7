//! The planner against a venue that answers late, in pieces, wrongly or not at all, in virtual time and without sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use liqheat_market::{
    Event, Interval, Kline, KlineKind, OpenInterest, Price, Qty, Symbol, Taker, Trade, UnixMs, Venue,
};
use proptest::prelude::*;

use super::budget::Budget;
use super::command::BackfillCommand;
use super::planner::{BackfillPlanner, BackfillPolicy, Failure, PlanTime};
use super::task::{BackfillRequest, TaskKind};
use crate::live::ResumePoint;
use crate::live::clock::Uptime;
use crate::live::contract::{ContractIndex, ContractMap};
use crate::live::pipeline::{EventGate, Origin};
use crate::venues::{
    FrameError, LIVE_INTERVAL, Page, RejectedRow, RestQuery, RowSubject, StreamKind, contract, exchange,
};

const MINUTE_MS: i64 = 60_000;
const BEGIN: UnixMs = UnixMs(1_763_942_400_000);
/// Stored before the begin; the test begins with an hour to fill.
const STORED_MINUTES: i64 = 60;
const FIRST_TRADE: i64 = 1_000;
const ROWS_PER_PAGE: i64 = 50;

/// How a venue misbehaves; chances in percent.
#[derive(Debug, Clone)]
struct Faults {
    seed: u64,
    no_answer: u32,
    unusable: u32,
    throttled: u32,
    dropped: u32,
    repeated: u32,
    absent: u32,
    rejected: u32,
    late_ms: i64,
    minutes: i64,
}

fn faults() -> impl Strategy<Value = Faults> {
    let chances = (0_u32..40, 0_u32..40, 0_u32..20, 0_u32..60, 0_u32..40, 0_u32..10, 0_u32..10);
    (any::<u64>(), chances, 0_i64..20_000, 5_i64..60).prop_map(|(seed, chances, late_ms, minutes)| {
        let (no_answer, unusable, throttled, dropped, repeated, absent, rejected) = chances;
        Faults { seed, no_answer, unusable, throttled, dropped, repeated, absent, rejected, late_ms, minutes }
    })
}

/// A planner, its gates, and the venue that they ask.
struct World {
    faults: Faults,
    random: fastrand::Rng,
    planner: BackfillPlanner,
    gates: ContractMap<EventGate>,
    budget: Budget,
    now: Uptime,
    /// Requests on their way, and when they are answered.
    sent: Vec<(Uptime, BackfillRequest)>,
    requests: BTreeMap<TaskKind, u64>,
    /// Elements that the venue does not have, and such that it sends in a form that cannot be read.
    absent: BTreeSet<(ContractIndex, Key)>,
    rejected: BTreeSet<(ContractIndex, Key)>,
    came: BTreeMap<(ContractIndex, Key), u32>,
    lost: BTreeMap<(ContractIndex, Key), u32>,
    newest_trade: i64,
}

/// An element of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Kline(i64),
    MarkKline(i64),
    Trade(i64),
}

fn minute(time: UnixMs) -> i64 {
    time.0.div_euclid(MINUTE_MS)
}

fn kline(kind: KlineKind, minute: i64) -> Event {
    let price = Price::from_units(6_000_000);
    let volume = (kind == KlineKind::Last).then_some(Qty::from_units(5));
    Event::Kline(Kline {
        kind,
        interval: LIVE_INTERVAL,
        open_time: UnixMs(minute * MINUTE_MS),
        open: price,
        high: price,
        low: price,
        close: price,
        volume,
        taker_buy_volume: volume,
        trades: volume.map(|_| 1),
    })
}

fn trade(id: i64) -> Event {
    // One a second since the begin.
    let time = BEGIN.plus((id - FIRST_TRADE) * 1_000);
    let (price, qty) = (Price::from_units(6_000_000), Qty::from_units(5));
    Event::Trade(Trade { id, time, price, qty, taker: Taker::Buy })
}

fn event_of(key: Key) -> Event {
    match key {
        Key::Kline(minute) => kline(KlineKind::Last, minute),
        Key::MarkKline(minute) => kline(KlineKind::Mark, minute),
        Key::Trade(id) => trade(id),
    }
}

fn key_of(event: &Event) -> Option<Key> {
    match event {
        Event::Kline(kline) if kline.kind == KlineKind::Last => Some(Key::Kline(minute(kline.open_time))),
        Event::Kline(kline) => Some(Key::MarkKline(minute(kline.open_time))),
        Event::Trade(trade) => Some(Key::Trade(trade.id)),
        _ => None,
    }
}

fn query_of(key: Key) -> RestQuery {
    let klines = |kind, minute: i64| RestQuery::Klines {
        kind,
        interval: Interval::M1,
        from: UnixMs(minute * MINUTE_MS),
        to: UnixMs((minute + 1) * MINUTE_MS),
    };
    match key {
        Key::Kline(minute) => klines(KlineKind::Last, minute),
        Key::MarkKline(minute) => klines(KlineKind::Mark, minute),
        Key::Trade(id) => RestQuery::Trades { first: id, last: id },
    }
}

impl World {
    fn new(faults: Faults) -> Self {
        let venue = exchange(Venue::Binance).unwrap();
        let policy = BackfillPolicy {
            klines: Duration::from_secs(7_200),
            open_interest: Duration::from_secs(7_200),
            trades_max: 100_000,
            budget_share: 0.7,
        };
        let mut planner = BackfillPlanner::new(venue, venue.limits.clone(), policy);
        let mut gates = ContractMap::default();
        let stored = BEGIN.plus(-STORED_MINUTES * MINUTE_MS);
        let resume = ResumePoint {
            kline: Some(stored),
            mark_kline: Some(stored),
            open_interest: Some(stored),
            trade: Some((FIRST_TRADE - 1, BEGIN)),
            funding: Some(stored),
        };
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            let contract = contract(venue, &Symbol::new(symbol).unwrap()).unwrap();
            let (_, gate) = planner.add(contract, &resume, BEGIN);
            gates.push(gate);
        }
        Self {
            random: fastrand::Rng::with_seed(faults.seed),
            faults,
            planner,
            gates,
            budget: Budget::new(u32::MAX, 1.0),
            now: Uptime(0),
            sent: Vec::new(),
            requests: BTreeMap::new(),
            absent: BTreeSet::new(),
            rejected: BTreeSet::new(),
            came: BTreeMap::new(),
            lost: BTreeMap::new(),
            newest_trade: FIRST_TRADE - 1,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(0..100) < percent
    }

    fn venue_now(&self) -> UnixMs {
        BEGIN.plus(self.now.0)
    }

    fn time(&self) -> PlanTime {
        PlanTime { uptime: self.now, venue: Some(self.venue_now()) }
    }

    /// A second passes: trades and ticks come by socket, some not; requests are sent and answered.
    fn step(&mut self) {
        self.now = Uptime(self.now.0 + 1_000);
        let is_new_minute = self.now.0 % MINUTE_MS == 0;
        self.newest_trade += 1;
        let ended = minute(self.venue_now()) - 1;
        let mut keys = vec![Key::Trade(self.newest_trade)];
        if is_new_minute {
            keys.extend([Key::Kline(ended), Key::MarkKline(ended)]);
        }
        for contract in self.gates.indices() {
            for key in keys.clone() {
                if self.chance(self.faults.absent) {
                    self.absent.insert((contract, key));
                } else if self.chance(self.faults.rejected) {
                    self.rejected.insert((contract, key));
                } else if !self.chance(self.faults.dropped) {
                    let times = if self.chance(self.faults.repeated) { 2 } else { 1 };
                    for connection in 0..times {
                        self.event(contract, event_of(key), Origin::Socket(connection));
                    }
                }
            }
        }
        self.poll();
        let due: Vec<usize> = (0..self.sent.len()).filter(|&at| self.sent[at].0 <= self.now).collect();
        for at in due.into_iter().rev() {
            let (_, request) = self.sent.swap_remove(at);
            self.answer(&request);
            self.poll();
        }
    }

    /// Goes on until nothing is missing any more, for six hours at most.
    fn settle(&mut self) {
        for second in 0..6 * 3_600 {
            self.step();
            // What ended in the last minutes is on its way.
            let is_quiet = second % 60 == 30 && second > 600;
            if is_quiet && self.gates.values().all(EventGate::is_whole) {
                return;
            }
        }
    }

    fn poll(&mut self) {
        let commands = self.planner.poll(self.time(), &mut self.gates, &mut self.budget);
        self.execute(commands);
    }

    fn event(&mut self, contract: ContractIndex, event: Event, origin: Origin) {
        let mut out = Vec::new();
        let now = self.venue_now();
        let _ = self.gates[contract].on_event(event, origin, now, &mut out);
        self.events(contract, &out);
    }

    fn events(&mut self, contract: ContractIndex, events: &[Event]) {
        for key in events.iter().filter_map(key_of) {
            *self.came.entry((contract, key)).or_default() += 1;
        }
    }

    fn answer(&mut self, request: &BackfillRequest) {
        let contract = request.contract;
        let failure = if self.chance(self.faults.no_answer) {
            Some(Failure::NoAnswer)
        } else if self.chance(self.faults.unusable) {
            Some(Failure::Unusable("not JSON".to_owned()))
        } else if self.chance(self.faults.throttled) {
            Some(Failure::Throttled)
        } else {
            None
        };
        let (now, random) = (self.time(), self.random.f64());
        let gate = &mut self.gates[contract];
        let commands = match failure {
            Some(failure) => self.planner.on_failure(request, failure, now, random, gate),
            None => {
                let page = page(&request.query, contract, &self.absent, &self.rejected, now);
                let mut out = Vec::new();
                let commands = self.planner.on_page(request, page, now, gate, &mut out);
                self.events(contract, &out);
                commands
            }
        };
        self.execute(commands);
    }

    fn execute(&mut self, commands: Vec<BackfillCommand>) {
        for command in commands {
            match command {
                BackfillCommand::Fetch(request) => {
                    *self.requests.entry(request.task).or_default() += 1;
                    let late = self.random.i64(0..=self.faults.late_ms);
                    self.sent.push((Uptime(self.now.0 + late), request));
                }
                BackfillCommand::Gap { contract, stream, from, to, reason, .. } => {
                    self.gap(contract, stream, from, to, &reason);
                }
                BackfillCommand::Filled { .. } | BackfillCommand::Refused { .. } => {}
            }
        }
    }

    fn gap(&mut self, contract: ContractIndex, stream: StreamKind, from: UnixMs, to: UnixMs, reason: &str) {
        let minutes = || minute(from)..minute(to);
        let keys: Vec<Key> = match stream {
            StreamKind::Klines => minutes().map(Key::Kline).collect(),
            StreamKind::Mark => minutes().map(Key::MarkKline).collect(),
            StreamKind::Trades => {
                let ids: Vec<i64> = reason.split([' ', ':']).filter_map(|word| word.parse().ok()).collect();
                (ids[0]..=ids[1]).map(Key::Trade).collect()
            }
            _ => Vec::new(),
        };
        for key in keys {
            *self.lost.entry((contract, key)).or_default() += 1;
        }
    }

    /// What has to have come or be reported by now.
    fn expected(&self) -> Vec<Key> {
        let last = minute(self.venue_now()) - 1;
        let first = minute(BEGIN) - STORED_MINUTES + 1;
        let minutes = (first..=last).flat_map(|minute| [Key::Kline(minute), Key::MarkKline(minute)]);
        minutes.chain((FIRST_TRADE..=self.newest_trade).map(Key::Trade)).collect()
    }
}

/// A page as a venue sends it: the first rows that it has, and what remains.
fn page(
    query: &RestQuery,
    contract: ContractIndex,
    absent: &BTreeSet<(ContractIndex, Key)>,
    rejected: &BTreeSet<(ContractIndex, Key)>,
    now: PlanTime,
) -> Page {
    let now = now.venue.unwrap();
    let (keys, next): (Vec<Key>, Option<RestQuery>) = match *query {
        RestQuery::Trades { first, last } => {
            let end = last.min(first + ROWS_PER_PAGE - 1);
            let next = (end < last).then_some(RestQuery::Trades { first: end + 1, last });
            ((first..=end).map(Key::Trade).collect(), next)
        }
        RestQuery::Klines { kind, from, to, .. } => {
            let end = to.min(from.plus(ROWS_PER_PAGE * MINUTE_MS));
            let key =
                |minute| if kind == KlineKind::Last { Key::Kline(minute) } else { Key::MarkKline(minute) };
            let ended = (minute(from)..minute(end)).filter(|&minute| UnixMs((minute + 1) * MINUTE_MS) <= now);
            (ended.map(key).collect(), (end < to).then_some(query.with_span(end, to)))
        }
        RestQuery::OpenInterest | RestQuery::OpenInterestHistory { .. } => {
            let sample = OpenInterest { time: now, qty: Qty::from_units(7) };
            return Page { events: vec![Event::OpenInterest(sample)], ..Page::default() };
        }
        RestQuery::Time => return Page { time: Some(now), ..Page::default() },
        _ => return Page::default(),
    };
    let mut page = Page { next, ..Page::default() };
    for key in keys {
        if rejected.contains(&(contract, key)) {
            page.rejected.push(RejectedRow {
                subject: RowSubject::Data(query_of(key)),
                is_partial: false,
                error: FrameError::Form("a number that is not one".to_owned()),
                text: "[..]".to_owned(),
            });
        } else if !absent.contains(&(contract, key)) {
            page.events.push(event_of(key));
        }
    }
    page
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is lost, repeated, late, refused or not answered: in the end every element came once or lies in one gap,
    /// an element that can be had is never given up, and then only what is new is requested.
    #[test]
    fn every_missing_element_is_filled_or_reported_once(faults in faults()) {
        let minutes = faults.minutes;
        let mut world = World::new(faults);
        for _ in 0..minutes * 60 {
            world.step();
        }
        // The venue recovers.
        let calm = Faults { no_answer: 0, unusable: 0, throttled: 0, dropped: 0, repeated: 0, absent: 0, rejected: 0, ..world.faults.clone() };
        world.faults = calm;
        let expected = world.expected();
        world.settle();
        for contract in world.gates.indices() {
            for key in &expected {
                let element = (contract, *key);
                let came = world.came.get(&element).copied().unwrap_or_default();
                let lost = world.lost.get(&element).copied().unwrap_or_default();
                let can_be_had = !world.absent.contains(&element) && !world.rejected.contains(&element);
                prop_assert_eq!(came + lost, 1, "{:?} came {} times, lost {} times", element, came, lost);
                prop_assert!(!can_be_had || came == 1, "{:?} can be had and was given up", element);
            }
        }
        // Nothing is requested without end.
        let before = world.requests.clone();
        for _ in 0..10 * 60 {
            world.step();
        }
        for (task, count) in &world.requests {
            let more = count - before.get(task).copied().unwrap_or_default();
            let allowed = match task {
                TaskKind::Poll => 2 * 600 / 5 + 2,
                TaskKind::Clock | TaskKind::Funding => 4,
                _ => 0,
            };
            prop_assert!(more <= allowed, "{:?}: {} requests in ten calm minutes", task, more);
        }
    }

    /// A page that is never usable is skipped after a bounded number of requests, and what follows it is fetched.
    #[test]
    fn a_page_that_cannot_be_used_is_skipped(seed in any::<u64>()) {
        let faults = Faults { seed, no_answer: 0, unusable: 100, throttled: 0, dropped: 0, repeated: 0, absent: 0, rejected: 0, late_ms: 100, minutes: 1 };
        let mut world = World::new(faults);
        for _ in 0..30 * 60 {
            world.step();
        }
        let requests: u64 = world.requests.values().sum();
        // Every task of both contracts once a minute at most, and the first retries.
        prop_assert!(requests < 2 * 9 * 60, "{:?}", world.requests);
        for contract in world.gates.indices() {
            for minute in minute(BEGIN) - STORED_MINUTES + 1..minute(BEGIN) - 15 {
                let lost = world.lost.get(&(contract, Key::Kline(minute))).copied().unwrap_or_default();
                prop_assert_eq!(lost, 1, "{:?} {}", contract, minute);
            }
        }
    }
}
