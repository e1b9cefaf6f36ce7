//! Whole clusters in memory and virtual time: nodes over a Redis that loses, delays, repeats and reorders, with servers
//! that die, stand still and return. A failure names its seed; `LIQHEAT_STRESS_SEED` runs one seed again.

mod redis;

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use liqheat_market::{Price, UnixMs};
use liqheat_stream::{Board, BoardUpdate, Counters, Misfit, RemoteState};
use liqheat_wire::{Cell, FeedState};
use proptest::prelude::*;
use tokio::time::Instant;

use crate::backplane::PendingUpdate;
use crate::group::{DataKind, Group};
use crate::message::Message;
use crate::metrics::ClusterMetrics;
use crate::node::{Node, NodeSettings};
use crate::request::{Host, Moment, Request, RequestFailure};
use crate::settings::{ClusterTimes, Role};
use redis::MemoryRedis;

const SYMBOL: &str = "BTCUSDT";
/// Virtual time between two looks at everything.
const STEP: Duration = Duration::from_millis(5);
/// Steps between two states of the market.
const UPDATE_STEPS: u64 = 20;

/// Boards in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryHost {
    boards: BTreeMap<String, Option<Board>>,
    feeds: BTreeMap<String, FeedState>,
    symbols_known: bool,
}

impl Host for MemoryHost {
    fn board(&self, symbol: &str) -> Option<Board> {
        self.boards.get(symbol)?.clone()
    }

    fn apply(&mut self, symbol: &str, state: &RemoteState, feed: FeedState) -> Result<bool, Misfit> {
        let Some(board) = self.boards.get_mut(symbol) else { return Ok(false) };
        let changed = match board {
            Some(board) => board.take(state)?,
            none => {
                *none = Some(Board::from_remote(state)?);
                true
            }
        };
        self.feeds.insert(symbol.to_owned(), feed);
        Ok(changed)
    }

    fn set_feed_state(&mut self, symbol: &str, feed: FeedState) {
        self.feeds.insert(symbol.to_owned(), feed);
    }

    fn add_symbol(&mut self, symbol: &str) {
        self.boards.entry(symbol.to_owned()).or_default();
    }

    fn remove_symbol(&mut self, symbol: &str) {
        self.boards.remove(symbol);
    }

    fn set_symbols_known(&mut self) {
        self.symbols_known = true;
    }

    fn own_list(&self) -> Vec<u8> {
        SYMBOL.into()
    }

    fn adopt_list(&mut self, bytes: &[u8]) -> Result<Vec<String>, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        if text.contains('!') {
            return Err("no list".to_owned());
        }
        Ok(text.split(',').map(str::to_owned).collect())
    }
}

/// A request on its way.
#[derive(Debug)]
struct Flight {
    request: Request,
    executes_at: Instant,
    replies_at: Instant,
    /// `None` before it was executed; then what Redis answered.
    reply: Option<Result<crate::request::Reply, RequestFailure>>,
    loses_reply: bool,
}

struct Server {
    number: usize,
    role: Role,
    group: Option<Group>,
    /// Steps that its market is behind.
    lag: u64,
    /// Rises with every start.
    starts: u64,
    node: Node,
    host: MemoryHost,
    flight: Option<Flight>,
    inbox: Vec<(Instant, String, Vec<u8>)>,
    is_subscribed: bool,
    stands_still_until: Option<Instant>,
}

impl Server {
    fn start(number: usize, role: Role, group: Option<Group>, starts: u64, seed: u64, now: Instant) -> Self {
        let settings = NodeSettings {
            role,
            times: ClusterTimes { alone_after: Duration::from_secs(2), ..ClusterTimes::default() },
            symbols: Vec::new(),
            group: group.clone(),
            address: "memory".to_owned(),
            tag: format!("{number}x{starts}"),
            update_interval: STEP * UPDATE_STEPS as u32,
            seed,
        };
        let mut node = Node::new(settings, ClusterMetrics::default(), now);
        let mut host = MemoryHost::default();
        if role == Role::All {
            host.add_symbol(SYMBOL);
            node.add_symbol(SYMBOL, now);
        }
        let (flight, inbox) = (None, Vec::new());
        Self {
            number,
            role,
            group,
            lag: 0,
            starts,
            node,
            host,
            flight,
            inbox,
            is_subscribed: false,
            stands_still_until: None,
        }
    }

    fn state(&self) -> Option<(String, u64, String)> {
        let board = self.host.board(SYMBOL)?;
        Some((board.epoch().to_string(), board.seq(), format!("{} {}", board.hash(), board.price())))
    }
}

/// What the network and Redis do to requests and messages, out of a thousand.
#[derive(Debug, Clone, Copy, Default)]
struct Chaos {
    lost_requests: u32,
    lost_replies: u32,
    slow_requests: u32,
    lost_messages: u32,
    repeated_messages: u32,
    late_messages: u32,
}

const WILD: Chaos = Chaos {
    lost_requests: 10,
    lost_replies: 10,
    slow_requests: 30,
    lost_messages: 40,
    repeated_messages: 40,
    late_messages: 60,
};

struct World {
    dice: Rng,
    began: Instant,
    now: Instant,
    step: u64,
    redis: MemoryRedis,
    redis_is_down: bool,
    chaos: Chaos,
    servers: Vec<Server>,
    /// What every (epoch, seq) stood for.
    names: BTreeMap<(String, u64), String>,
}

fn live() -> Group {
    Group::new(DataKind::Live, ["binance"], 1)
}

/// The market at a step; every server that sees it has the same levels.
fn market(step: u64, run: &str) -> BoardUpdate {
    let level = |number: u64| Cell {
        price: Price::from_units(1_000 * (100 + number as i64)),
        long_usd: (step / (1 + number % 7)) * 31 % 5_003 + number,
        short_usd: (step / 3 + number) % 11,
    };
    BoardUpdate {
        epoch: format!("{run}-1"),
        cells: (0..12).map(level).filter(|cell| !cell.is_empty()).collect(),
        price: Price::from_units(120_000 + (step % 50) as i64),
        base_bin: Price::from_units(1_000),
        as_of: UnixMs(step as i64 * 1_000),
        counters: Counters { created: step * 2, consumed: step },
    }
}

impl World {
    fn new(seed: u64, roles: &[(Role, Option<Group>)]) -> Self {
        let mut dice = Rng::with_seed(seed);
        let now = Instant::now();
        let servers = roles
            .iter()
            .enumerate()
            .map(|(number, (role, group))| Server::start(number, *role, group.clone(), 0, dice.u64(..), now));
        let servers = servers.collect();
        Self {
            dice,
            began: now,
            now,
            step: 0,
            redis: MemoryRedis::default(),
            redis_is_down: false,
            chaos: Chaos::default(),
            servers,
            names: BTreeMap::new(),
        }
    }

    fn at(&self) -> Moment {
        let wall = UnixMs(1_700_000_000_000 + self.now.duration_since(self.began).as_millis() as i64);
        Moment { now: self.now, wall }
    }

    fn chance(&mut self, of_thousand: u32) -> bool {
        self.dice.u32(0..1_000) < of_thousand
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.step();
        }
    }

    /// Runs until something holds.
    fn run_until(&mut self, what: &str, within: Duration, holds: impl Fn(&Self) -> bool) {
        let until = self.now + within;
        while !holds(self) {
            let states: Vec<_> = self.servers.iter().map(Server::state).collect();
            assert!(self.now < until, "not within {within:?}: {what}; {states:?}");
            self.step();
        }
    }

    fn step(&mut self) {
        self.step += 1;
        self.now += STEP;
        for index in 0..self.servers.len() {
            if self.servers[index].stands_still_until.is_some_and(|until| self.now < until) {
                // What it has sent arrives, but it sees nothing.
                self.execute(index);
                continue;
            }
            self.servers[index].stands_still_until = None;
            self.feed(index);
            self.deliver(index);
            self.execute(index);
            self.answer(index);
            let at = self.at();
            let server = &mut self.servers[index];
            if let Some(request) = server.node.next(at, &mut server.host) {
                self.send(index, request);
            }
            self.check_names(index);
        }
    }

    fn feed(&mut self, index: usize) {
        let server = &mut self.servers[index];
        if server.role == Role::Edge || !(self.step + 3 * server.number as u64).is_multiple_of(UPDATE_STEPS) {
            return;
        }
        let run = format!("u{}x{}", server.number, server.starts);
        let update = market((self.step / UPDATE_STEPS).saturating_sub(server.lag), &run);
        let update = PendingUpdate { update: Some(update), feed: FeedState::Live, failed: false };
        server.node.on_update(SYMBOL, update, self.now);
    }

    fn deliver(&mut self, index: usize) {
        let at = self.at();
        let server = &mut self.servers[index];
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut server.inbox).into_iter().partition(|(when, ..)| *when <= at.now);
        server.inbox = later;
        for (_, symbol, payload) in due {
            server.node.on_message(&symbol, &payload, at, &mut server.host);
        }
    }

    fn send(&mut self, index: usize, request: Request) {
        let timeout = ClusterTimes::default().answer_within;
        let slow = self.chance(self.chaos.slow_requests);
        let there = Duration::from_millis(self.dice.u64(0..if slow { 500 } else { 10 }));
        let back = Duration::from_millis(self.dice.u64(0..if slow { 490 } else { 10 }));
        let lost = self.redis_is_down || self.chance(self.chaos.lost_requests);
        let loses_reply = self.chance(self.chaos.lost_replies);
        let reply = lost.then(|| Err(RequestFailure("lost on the way".into())));
        let executes_at = self.now + there;
        let replies_at = if lost || loses_reply { self.now + timeout } else { executes_at + back };
        self.servers[index].flight = Some(Flight { request, executes_at, replies_at, reply, loses_reply });
    }

    /// Redis does what has arrived.
    fn execute(&mut self, index: usize) {
        let (now, at) = (self.now, self.at());
        let server = &mut self.servers[index];
        let Some(flight) = server.flight.as_mut() else { return };
        if flight.reply.is_some() || flight.executes_at > now {
            return;
        }
        if self.redis_is_down {
            flight.reply = Some(Err(RequestFailure("connection refused".into())));
            return;
        }
        let who = (server.number, server.starts);
        let (reply, published) = self.redis.answer(who, server.group.as_ref(), &flight.request, at);
        if matches!(flight.request, Request::Open { .. } | Request::Listen { .. }) && !flight.loses_reply {
            server.is_subscribed = true;
            server.inbox.clear();
        }
        let lost = RequestFailure("no answer within 1000 ms".into());
        flight.reply = Some(if flight.loses_reply { Err(lost) } else { Ok(reply) });
        for (symbol, payload) in published {
            self.publish(&symbol, &payload);
        }
    }

    fn publish(&mut self, symbol: &str, payload: &[u8]) {
        for index in 0..self.servers.len() {
            if !self.servers[index].is_subscribed || self.chance(self.chaos.lost_messages) {
                continue;
            }
            let times = 1 + u32::from(self.chance(self.chaos.repeated_messages));
            for _ in 0..times {
                let late = if self.chance(self.chaos.late_messages) { 1_500 } else { 10 };
                let when = self.now + Duration::from_millis(self.dice.u64(0..late));
                self.servers[index].inbox.push((when, symbol.to_owned(), payload.to_vec()));
            }
        }
    }

    fn answer(&mut self, index: usize) {
        let at = self.at();
        let server = &mut self.servers[index];
        let Some(flight) =
            server.flight.take_if(|flight| flight.replies_at <= at.now && flight.reply.is_some())
        else {
            return;
        };
        let Some(reply) = flight.reply else { return };
        if reply.is_err() {
            server.is_subscribed = false;
            server.inbox.clear();
        }
        server.node.on_reply(reply, at, &mut server.host);
    }

    /// One (epoch, seq) names one state, on all servers and for ever.
    fn check_names(&mut self, index: usize) {
        let Some((epoch, seq, is)) = self.servers[index].state() else { return };
        let was = self.names.entry((epoch.clone(), seq)).or_insert_with(|| is.clone());
        assert_eq!(*was, is, "two states have one name: {epoch} {seq}");
    }

    /// As kill -9: connections break, what was sent may still arrive.
    fn restart(&mut self, index: usize) {
        let seed = self.dice.u64(..);
        let server = &self.servers[index];
        let lag = server.lag;
        let new = Server::start(
            server.number,
            server.role,
            server.group.clone(),
            server.starts + 1,
            seed,
            self.now,
        );
        let dead = std::mem::replace(&mut self.servers[index], Server { lag, ..new });
        if let Some(flight) = dead.flight.filter(|flight| flight.reply.is_none() && !self.redis_is_down) {
            let who = (dead.number, dead.starts);
            let (_, published) = self.redis.answer(who, dead.group.as_ref(), &flight.request, self.at());
            published.iter().for_each(|(symbol, payload)| self.publish(symbol, payload));
        }
    }

    fn disturb(&mut self) {
        let (who, what) = (self.dice.usize(0..self.servers.len()), self.dice.u8(0..11));
        println!("{:?}: disturbance {what}, server {who}", self.now - self.began);
        match what {
            0 | 1 => self.restart(who),
            2 => self.redis.forget_all(),
            3 => {
                let time = Duration::from_millis(self.dice.u64(100..6_000));
                self.servers[who].stands_still_until = Some(self.now + time);
            }
            4 => {
                self.redis_is_down = true;
                let time = self.dice.u64(50..6_000);
                self.run(Duration::from_millis(time));
                self.redis_is_down = false;
            }
            5 => {
                self.servers[who].is_subscribed = false;
                self.servers[who].inbox.clear();
                let now = self.now;
                self.servers[who].node.on_subscription_lost(now);
            }
            6 => {
                let times = self.dice.u32(1..4);
                for _ in 0..times {
                    self.servers[who].inbox.reverse();
                    self.run(STEP * 20);
                }
            }
            7 => self
                .redis
                .spoil_fence(["hello", "1e308", "9007199254740993", "-5", "1.5"][self.dice.usize(0..5)]),
            8 => self.redis.spoil_state(SYMBOL, b"not a state".to_vec()),
            9 => self.redis.spoil_list(b"!".to_vec()),
            _ => {
                for server in self.servers.iter_mut().filter(|server| server.role == Role::All) {
                    server.lag = self.dice.u64(0..4);
                }
            }
        }
    }

    /// All at one state, and none of them says that something is wrong with its feed.
    fn agree(&self) -> bool {
        let first = self.servers[0].state();
        first.is_some()
            && self.servers.iter().all(|server| {
                server.state() == first && server.host.feeds.get(SYMBOL) == Some(&FeedState::Live)
            })
    }

    /// Calm: all come to one state and stay together while it moves.
    fn check_calm(&mut self) {
        self.chaos = Chaos::default();
        for server in &mut self.servers {
            (server.lag, server.stands_still_until) = (0, None);
        }
        for _ in 0..3 {
            self.run_until("all servers at one state", Duration::from_secs(40), Self::agree);
            let moved = self.servers[0].state();
            self.run_until("the state moves", Duration::from_secs(3), |world| {
                world.servers[0].state() != moved
            });
        }
        let producers = self.servers.iter().filter(|server| server.node.token().is_some()).count();
        assert_eq!(producers, 1);
        self.redis.check_tokens();
    }
}

fn seeds() -> impl Strategy<Value = u64> {
    let fixed = std::env::var("LIQHEAT_STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
    fixed.map_or(any::<u64>().boxed(), |seed: u64| Just(seed).boxed())
}

/// Each is about a minute of a cluster's life.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    wanted.unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Whatever the network, Redis and the servers do: one (epoch, seq) never names two states, no two servers
    /// publish under one token, and all come to one state once the faults end.
    #[test]
    fn a_name_means_one_state_and_calm_means_one_name(seed in seeds()) {
        let roles = [(Role::All, Some(live())), (Role::All, Some(live())), (Role::All, Some(live())), (Role::Edge, None)];
        let mut world = World::new(seed, &roles);
        world.chaos = WILD;
        for _ in 0..12 {
            let time = world.dice.u64(50..2_500);
            world.run(Duration::from_millis(time));
            world.disturb();
        }
        world.check_calm();
    }
}

#[test]
fn a_producer_that_dies_is_replaced_under_the_same_epoch() {
    let mut world =
        World::new(1, &[(Role::All, Some(live())), (Role::All, Some(live())), (Role::Edge, None)]);
    world.run_until("one state", Duration::from_secs(5), World::agree);
    let (epoch, ..) = world.servers[2].state().unwrap();
    let producer = world.servers.iter().position(|server| server.node.token().is_some()).unwrap();
    world.servers[producer].stands_still_until = Some(world.now + Duration::from_secs(3_600));
    let other = 1 - producer;
    world.run_until("another producer", Duration::from_secs(3), |world| {
        world.servers[other].node.token().is_some()
    });
    let seq = world.servers[2].state().unwrap().1;
    world.run_until("more states", Duration::from_secs(3), |world| {
        world.servers[2].state().unwrap().1 > seq + 5
    });
    assert_eq!(world.servers[2].state().unwrap().0, epoch);
}

/// Redis is restored from an old file while the producer runs, and then the producer dies: no `seq` is given twice.
#[test]
fn an_old_file_of_redis_repeats_no_seq() {
    let roles = [(Role::All, Some(live())), (Role::All, Some(live())), (Role::Edge, None)];
    for producer_dies in [false, true] {
        let mut world = World::new(6, &roles);
        world.run_until("one state", Duration::from_secs(5), World::agree);
        world.run(Duration::from_secs(1));
        let old = world.redis.clone();
        world.run(Duration::from_secs(2));
        world.redis.restore(old);
        if producer_dies {
            let producer = world.servers.iter().position(|server| server.node.token().is_some()).unwrap();
            world.restart(producer);
        }
        world.check_calm();
    }
}

/// A message with a far `seq` in the running epoch stops replicas for a few seconds, not for good.
#[test]
fn a_far_seq_is_left_within_seconds() {
    let mut world =
        World::new(2, &[(Role::All, Some(live())), (Role::All, Some(live())), (Role::Edge, None)]);
    world.run_until("one state", Duration::from_secs(5), World::agree);
    let producer = world.servers.iter().position(|server| server.node.token().is_some()).unwrap();
    let token = world.servers[producer].node.token().unwrap();
    let board = world.servers[2].host.board(SYMBOL).unwrap();
    let state = RemoteState { seq: 1 << 50, ..board.last_change() };
    let whole = Board::from_remote(&board.whole()).unwrap().whole();
    let state = RemoteState { step: whole.step, hash: whole.hash, ..state };
    let (group, published) = (live().fingerprint(), UnixMs(0));
    let forged =
        Message { symbol: SYMBOL.into(), token, group, published, feed_state: FeedState::Live, state }
            .encode()
            .unwrap();
    world.publish(SYMBOL, &forged);
    world.run(Duration::from_millis(500));
    for replica in [1 - producer, 2] {
        assert_eq!(world.servers[replica].state().unwrap().1, 1 << 50, "it was taken in");
    }
    world.run_until("replicas follow again", Duration::from_secs(8), |world| {
        let state = |index: usize| world.servers[index].state().map(|(_, seq, is)| (seq, is));
        (0..3).all(|index| state(index) == state(producer))
    });
    // Each under an epoch of its own, until the producer's next one.
    let epochs: std::collections::BTreeSet<String> =
        world.servers.iter().map(|server| server.state().unwrap().0).collect();
    assert_eq!(epochs.len(), 3);
    world.restart(producer);
    world.servers[producer].lag = 3;
    world.run_until("one state", Duration::from_secs(40), |world| {
        let state = |index: usize| world.servers[index].state().map(|(_, seq, is)| (seq, is));
        (0..3).all(|index| state(index) == state(0))
    });
}

/// A server that serves something else neither leads nor follows, however long the others are away.
#[test]
fn a_server_of_another_group_takes_no_part() {
    let simulated = Group::new(DataKind::Simulated, ["sim"], 1);
    let roles = [(Role::All, Some(live())), (Role::Edge, None), (Role::All, Some(simulated))];
    let mut world = World::new(3, &roles);
    // It comes later.
    world.servers[2].stands_still_until = Some(world.now + Duration::from_secs(3));
    let same = |world: &World| {
        world.servers[0].state().is_some() && world.servers[0].state() == world.servers[1].state()
    };
    world.run_until("the live ones agree", Duration::from_secs(5), same);
    let far = world.now + Duration::from_secs(300);
    world.run(Duration::from_secs(5));
    world.servers[0].stands_still_until = Some(far);
    world.run(Duration::from_secs(120));
    let kept = world.servers[1].state().unwrap();
    assert!(kept.0.starts_with("u0x0"), "{kept:?}");
    assert_eq!(
        world.servers[1].host.feeds[SYMBOL],
        FeedState::Degraded,
        "the edge says that it stands still"
    );
    assert_eq!(world.servers[2].node.token(), None);
    let own = world.servers[2].state().unwrap();
    assert!(own.0.starts_with("u2x0"), "it serves its own states to its own clients: {own:?}");
    assert_eq!(world.servers[2].host.feeds[SYMBOL], FeedState::Degraded);
    assert!(world.redis.accepted_from(2).is_empty());
    let (reasons, _) = {
        world.servers[2].node.touch_for_test();
        world.servers[2].node.take_reasons().unwrap()
    };
    let details: Vec<&str> = reasons.iter().map(|reason| reason.detail.as_str()).collect();
    assert!(
        details.iter().any(|detail| detail.contains("live binance") && detail.contains("simulated sim")),
        "{details:?}"
    );
    // The live producer is back.
    world.servers[0].stands_still_until = None;
    world.run_until("the live ones agree again", Duration::from_secs(10), |world| {
        same(world) && world.servers[1].state().unwrap() != kept
    });
    assert!(world.redis.accepted_from(2).is_empty());
}

/// Servers of the same kind with another model take over once the old group has ended.
#[test]
fn a_new_model_takes_over_a_minute_after_the_old_one_ended() {
    let roles = [
        (Role::All, Some(live())),
        (Role::Edge, None),
        (Role::All, Some(Group::new(DataKind::Live, ["binance"], 2))),
    ];
    let mut world = World::new(4, &roles);
    world.servers[2].stands_still_until = Some(world.now + Duration::from_secs(3));
    world.run(Duration::from_secs(10));
    assert_eq!(world.servers[1].state(), world.servers[0].state());
    world.servers[0].stands_still_until = Some(world.now + Duration::from_secs(3_600));
    world.run(Duration::from_secs(50));
    assert_eq!(world.servers[2].node.token(), None, "the old ones may be back at any moment");
    world.run_until("the new ones lead", Duration::from_secs(20), |world| {
        world.servers[2].node.token().is_some()
    });
    world.run_until("the edge follows", Duration::from_secs(10), |world| {
        world.servers[1].state() == world.servers[2].state()
    });
}

/// An edge that starts before the producer serves its symbols within a second of the list.
#[test]
fn an_edge_looks_for_the_list_until_there_is_one() {
    let mut world = World::new(5, &[(Role::Edge, None), (Role::All, Some(live()))]);
    world.servers[1].stands_still_until = Some(world.now + Duration::from_secs(30));
    world.run(Duration::from_secs(30));
    assert!(!world.servers[0].host.symbols_known && world.servers[0].host.boards.is_empty());
    world.run_until("the producer", Duration::from_secs(3), |world| world.redis.has_list());
    world.run_until("the symbols", Duration::from_millis(400), |world| world.servers[0].host.symbols_known);
    world.run_until("the state", Duration::from_secs(2), |world| {
        world.servers[0].state() == world.servers[1].state()
    });
    // Forgotten names do not stay.
    let stale: Vec<String> = (0..1_000).map(|number| format!("S{number}")).collect();
    world.servers[1].stands_still_until = Some(world.now + Duration::from_secs(7));
    world.redis.spoil_list(stale.join(",").into_bytes());
    world.run(Duration::from_secs(6));
    assert_eq!(world.servers[0].host.boards.len(), 1_000);
    world.run_until("the symbol is served again", Duration::from_secs(20), |world| {
        world.servers[0].state().is_some() && world.servers[0].state() == world.servers[1].state()
    });
    world.run_until("stale names are dropped", Duration::from_secs(70), |world| {
        world.servers[0].host.boards.len() == 1
    });
    world.run_until("one state", Duration::from_secs(2), World::agree);
}

/// Whatever stands in our keys: states go on, and all agree once it is gone.
#[test]
fn foreign_values_stop_nobody_for_long() {
    let roles = [(Role::All, Some(live())), (Role::All, Some(live())), (Role::Edge, None)];
    for (number, fence) in ["", "text", "1e308", "9007199254740992", "9007199254740991", "-1", "1.5", " 7"]
        .into_iter()
        .enumerate()
    {
        let mut world = World::new(10 + number as u64, &roles);
        world.redis.spoil_fence(fence);
        world.redis.spoil_state(SYMBOL, vec![2; 300]);
        world.redis.spoil_list(b"!".to_vec());
        world.run_until("one state", Duration::from_secs(10), World::agree);
        world.redis.spoil_fence(fence);
        world.redis.spoil_state(SYMBOL, vec![2; 300]);
        let before = world.servers[2].state().unwrap();
        world.run_until("states go on", Duration::from_secs(10), |world| {
            world.agree() && world.servers[2].state().unwrap().1 > before.1 + 3
        });
        world.redis.check_tokens();
    }
}
