//! The backplane by itself: several drivers in one process over a real Redis, fed with a market that the test
//! moves, and everything that can happen to them at random. `LIQHEAT_STRESS_SEED` plays one again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use liqheat_cluster::{
    Backplane, ClusterTimes, DataKind, Driver, Group, RedisAddress, RedisCertificates, RedisSettings, Role,
    SymbolList,
};
use liqheat_market::{Price, UnixMs};
use liqheat_server::{MarketClock, SocketSettings};
use liqheat_stream::{Board, BoardSlot, BoardUpdate, Counters, Hub, HubSettings, Sessions};
use liqheat_wire::{Cell, FeedState};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::support::{Redis, SYMBOL};

/// Between two states of the market.
const STEP: Duration = Duration::from_millis(100);

struct OneSymbol;

impl SymbolList for OneSymbol {
    fn own(&self) -> Vec<u8> {
        SYMBOL.into()
    }

    fn adopt(&self, bytes: &[u8]) -> Result<Vec<String>, String> {
        Ok(vec![String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())?])
    }
}

/// A server, as far as the backplane knows it.
struct Node {
    slot: Arc<BoardSlot>,
    backplane: Backplane,
    task: JoinHandle<()>,
}

impl Node {
    fn start(redis: &Redis, role: Role) -> Self {
        let settings = RedisSettings {
            address: RedisAddress::new(&redis.url(), RedisCertificates::default()).unwrap(),
            prefix: "heatmap".into(),
            role,
            symbols: Vec::new(),
            times: ClusterTimes { alone_after: Duration::from_secs(2), ..ClusterTimes::default() },
            wall_clock: MarketClock::wall_now,
        };
        let group = (role == Role::All).then(|| Group::new(DataKind::Live, ["binance"], 1));
        let hub = Arc::new(Hub::new([SYMBOL.to_owned()], HubSettings { update_interval: STEP }));
        let slot = hub.slot(SYMBOL).unwrap();
        let sessions = Sessions::new(hub, SocketSettings::default().sessions(), CancellationToken::new());
        let (driver, backplane) = Driver::new(settings, sessions, Arc::new(OneSymbol), group);
        let task = tokio::spawn(driver.run(CancellationToken::new()));
        Self { slot, backplane, task }
    }

    fn feed(&self, update: &BoardUpdate) {
        self.backplane.publish(&self.slot, Some(update.clone()), FeedState::Live, Vec::new());
    }

    fn at(&self) -> Option<Name> {
        self.slot.with_board(|board: &Board| (board.epoch().to_string(), board.seq()))
    }

    /// Ends it as kill -9 does: nothing is reported, the connections break.
    fn kill(&self) {
        self.task.abort();
    }
}

type Name = (String, u64);

/// The market at a step; every server that sees it has the same levels.
fn market(step: u64, run: &str) -> BoardUpdate {
    let level = |number: u64| Cell {
        price: Price::from_units(1_000 * (100 + number as i64)),
        long_usd: (step / (1 + number % 7)) * 31 % 5_003 + number,
        short_usd: (step / 3 + number) % 11,
    };
    BoardUpdate {
        epoch: format!("{run}-1"),
        cells: (0..40).map(level).filter(|cell| !cell.is_empty()).collect(),
        price: Price::from_units(120_000 + (step % 50) as i64),
        base_bin: Price::from_units(1_000),
        as_of: UnixMs(step as i64 * 1_000),
        counters: Counters { created: step * 2, consumed: step },
    }
}

/// Content of the state that each name (epoch, seq) was seen with.
#[derive(Default)]
struct StatesByName(BTreeMap<Name, String>);

impl StatesByName {
    fn look(&mut self, nodes: &[Node]) {
        for node in nodes {
            let state = node.slot.with_board(|board| {
                ((board.epoch().to_string(), board.seq()), format!("{} {}", board.hash(), board.price()))
            });
            let Some((name, is)) = state else { continue };
            let was = self.0.entry(name.clone()).or_insert_with(|| is.clone());
            assert_eq!(*was, is, "two states have one name: {name:?}");
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Moves the market by its clock and looks at all boards, until something holds.
async fn play(
    nodes: &[Node],
    step: &mut u64,
    seen: &mut StatesByName,
    lags: &[u64],
    what: &str,
    mut until: impl FnMut(u64) -> bool,
) {
    // States that last less than a step are to be seen as well.
    const LOOKS_A_STEP: u32 = 10;
    let began = Instant::now();
    let mut clock = tokio::time::interval(STEP / LOOKS_A_STEP);
    loop {
        *step += 1;
        for (number, (node, lag)) in nodes.iter().zip(lags).enumerate() {
            node.feed(&market(step.saturating_sub(*lag), &format!("run{number}")));
        }
        for _ in 0..LOOKS_A_STEP {
            clock.tick().await;
            seen.look(nodes);
        }
        if until(*step) {
            return;
        }
        let at: Vec<_> = nodes.iter().map(Node::at).collect();
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not within a minute; {at:?}");
    }
}

/// The producer dies while the market moves; the next one has seen the same market, so the run goes on.
#[test]
fn a_moving_run_passes_on_under_its_name() {
    let redis = Redis::start();
    runtime().block_on(async {
        let mut nodes = vec![Node::start(&redis, Role::All)];
        let (mut step, mut seen) = (0, StatesByName::default());
        let slot = Arc::clone(&nodes[0].slot);
        play(&nodes, &mut step, &mut seen, &[0], "a first state", |_| slot.with_board(|_| ()).is_some())
            .await;
        nodes.extend([Node::start(&redis, Role::All), Node::start(&redis, Role::Edge)]);
        let edge = Arc::clone(&nodes[2].slot);
        let seq = move || edge.with_board(|board| (board.epoch().to_string(), board.seq()));
        play(&nodes, &mut step, &mut seen, &[0, 0], "thirty states", |step| {
            step > 30 && seq().is_some_and(|(_, seq)| seq > 20)
        })
        .await;
        let (epoch, before) = seq().unwrap();

        let killed = Instant::now();
        nodes[0].kill();
        let survivors: Vec<Node> = nodes.drain(1..).collect();
        play(&survivors, &mut step, &mut seen, &[0], "the next state", |_| {
            seq().is_some_and(|(_, seq)| seq > before + 1)
        })
        .await;
        let took = killed.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}");
        play(&survivors, &mut step, &mut seen, &[0], "more", |_| seq().unwrap().1 > before + 10).await;
        assert_eq!(seq().unwrap().0, epoch, "the run goes on");
    });
}

#[test]
fn whatever_happens_a_name_means_one_state_and_calm_means_one_name() {
    const DISTURBANCES: u32 = 14;
    let seed = std::env::var("LIQHEAT_STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("LIQHEAT_STRESS_SEED={seed}");
    let mut dice = Rng::with_seed(seed);
    let mut redis = Redis::start();
    runtime().block_on(async {
        let roles = [Role::All, Role::All, Role::All, Role::Edge];
        let mut nodes: Vec<Node> = roles.iter().map(|role| Node::start(&redis, *role)).collect();
        let (mut step, mut seen) = (0, StatesByName::default());
        for _ in 0..DISTURBANCES {
            let lags = [0, dice.u64(0..3), dice.u64(0..3)];
            let (now, for_steps) = (step, dice.u64(1..12));
            play(&nodes, &mut step, &mut seen, &lags, "a while", |step| step > now + for_steps).await;
            let who = dice.usize(0..nodes.len());
            let what = dice.u8(0..6);
            println!("step {step}: disturbance {what}, node {who}");
            match what {
                0 | 1 => {
                    nodes[who].kill();
                    nodes[who] = Node::start(&redis, roles[who]);
                }
                2 => assert_eq!(redis.command(&["flushall"]), "OK"),
                3 => {
                    redis.signal("STOP");
                    let (now, for_steps) = (step, dice.u64(2..40));
                    play(&nodes, &mut step, &mut seen, &lags, "still", |step| step > now + for_steps).await;
                    redis.signal("CONT");
                }
                4 => {
                    redis.command(&["client", "kill", "type", if dice.bool() { "pubsub" } else { "normal" }]);
                }
                _ => {
                    redis.kill();
                    let (now, for_steps) = (step, dice.u64(1..30));
                    play(&nodes, &mut step, &mut seen, &lags, "away", |step| step > now + for_steps).await;
                    redis.again();
                }
            }
        }
        // Calm: all come to one state, and stay together while it moves.
        for _ in 0..3 {
            let mut agreed = false;
            let slots: Vec<Arc<BoardSlot>> = nodes.iter().map(|node| Arc::clone(&node.slot)).collect();
            let name =
                |slot: &Arc<BoardSlot>| slot.with_board(|board| (board.epoch().to_string(), board.seq()));
            play(&nodes, &mut step, &mut seen, &[0, 1, 2], "one state", |_| {
                let first = name(&slots[0]);
                agreed |= first.is_some() && slots.iter().all(|slot| name(slot) == first);
                agreed
            })
            .await;
        }
        let now = step;
        play(&nodes, &mut step, &mut seen, &[0, 1, 2], "together", |step| step > now + 20).await;
        // Whoever asks Redis seldom notices late that its connection was cut, so a last one may still be coming back.
        let is_well =
            |node: &Node| node.slot.feed().state == FeedState::Live && node.backplane.trouble().is_empty();
        play(&nodes, &mut step, &mut seen, &[0, 1, 2], "all are well", |_| nodes.iter().all(is_well)).await;
        println!("{} states", seen.0.len());
    });
}
