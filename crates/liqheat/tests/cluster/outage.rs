//! Redis dies, stands still, forgets everything, or throws a reader out.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use liqheat_testkit::{LoggedStates, PATIENCE, RunningProgram, free_port, until};

use super::support::{
    Redis, SYMBOL, WatchReport, Watcher, agree, board, edge, goes_on, has_state, leads, local, maker, metric,
    pass, ready, standing, three,
};

#[track_caller]
fn degraded(server: &RunningProgram) {
    until("it says that Redis is unavailable", || {
        let (status, reason) = ready(server);
        let said = status == 503 && reason.contains("Redis is unavailable");
        (said && standing(server) == "degraded" && metric(server, "liqheat_redis_connected") == 0.0)
            .then_some(())
    });
    assert_eq!(server.get("/live").status, 200, "liveness never depends on Redis");
}

#[track_caller]
fn well(server: &RunningProgram) {
    until("all is well again", || {
        (ready(server).0 == 200
            && standing(server) == "replay"
            && metric(server, "liqheat_redis_connected") == 1.0)
            .then_some(())
    });
}

fn ends_in_replay(received: &WatchReport) -> bool {
    received.standings.last().is_some_and(|standing| standing == "replay")
}

#[test]
fn redis_is_killed_and_comes_back_empty() {
    let mut redis = Redis::start();
    let log = LoggedStates::default();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let edge = edge(&redis.url()).serve();
    agree(&[&producer, &edge]);
    let watchers = [Watcher::start(&[producer.address()], &log), Watcher::start(&[edge.address()], &log)];
    until("some states", || (board(&edge)?.1 > 5).then_some(()));

    redis.kill();
    [&producer, &edge].into_iter().for_each(degraded);
    assert!(ready(&producer).1.contains("continues alone"), "{}", ready(&producer).1);
    assert!(ready(&edge).1.contains("keep the last state"), "{}", ready(&edge).1);
    // The producer goes on for its own clients; the edge keeps what it has.
    let kept = board(&edge).unwrap();
    let alone = until("a run of its own", || board(&producer).filter(|board| board.0 != kept.0));
    goes_on(&producer, &alone);
    assert_eq!(board(&edge).unwrap(), kept);

    redis.again();
    [&producer, &edge].into_iter().for_each(well);
    goes_on(&edge, &agree(&[&producer, &edge]));
    agree(&[&producer, &edge]);
    let [of_producer, of_edge] = watchers.map(|watcher| watcher.end_when("replay again", ends_in_replay));
    for watched in [&of_producer, &of_edge] {
        assert!(watched.standings.iter().any(|standing| standing == "degraded"), "{:?}", watched.standings);
    }
    // Once to begin with, once into the run that the producer made alone.
    assert_eq!((of_producer.snapshots, of_edge.snapshots), (2, 2));
    assert_eq!(edge.get("/live").status, 200);
}

#[test]
fn redis_forgets_everything_while_it_runs() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let edge = edge(&redis.url()).serve();
    let before = agree(&[&producer, &edge]);
    let watcher = Watcher::start(&[edge.address()], &log);
    assert_eq!(redis.command(&["flushall"]), "OK");
    goes_on(&edge, &before);
    agree(&[&producer, &edge]);
    leads(&producer);
    // The state is kept again for those who come.
    let late = super::support::edge(&redis.url()).serve();
    has_state(&late);
    agree(&[&producer, &late]);
    assert_eq!(watcher.end().snapshots, 1, "nobody needed a whole state");
    assert_eq!(redis.command(&["exists", "heatmap:lease", "heatmap:fence", "heatmap:symbols"]), "3");
}

#[test]
fn redis_stands_still_for_twenty_seconds() {
    const STILL: Duration = Duration::from_secs(20);
    let redis = Redis::start();
    let log = LoggedStates::default();
    let [first, second, edge] = three(&redis);
    let servers = [&first, &second, &edge];
    let watchers = servers.map(|server| Watcher::start(&[server.address()], &log));
    until("some states", || (board(&edge)?.1 > 5).then_some(()));

    redis.signal("STOP");
    let stopped = Instant::now();
    servers.into_iter().for_each(degraded);
    let kept = board(&edge).unwrap();
    // Of the others, the producer goes on at once, and who follows it after a while.
    until("the follower continues alone", || {
        let (status, reason) = ready(&second);
        (status == 503 && reason.contains("continues alone")).then_some(())
    });
    let alone = [&first, &second].map(|server| board(server).unwrap());
    assert!(
        alone[0].0 != alone[1].0 && alone.iter().all(|board| board.0 != kept.0),
        "each under its own name"
    );
    until("twenty seconds", || (stopped.elapsed() >= STILL).then_some(()));
    assert_eq!(board(&edge).unwrap(), kept, "the edge keeps the last state");
    for (server, before) in [&first, &second].into_iter().zip(&alone) {
        assert!(board(server).unwrap().1 > before.1, "it went on");
    }
    redis.signal("CONT");
    servers.into_iter().for_each(well);
    goes_on(&edge, &agree(&servers));
    agree(&servers);
    let leaders: f64 =
        [&first, &second].map(|server| metric(server, "liqheat_redis_lease_holder")).iter().sum();
    assert_eq!(leaders, 1.0);
    for watcher in watchers {
        watcher.end_when("differences, and replay again", |received| {
            received.deltas > 5 && ends_in_replay(received)
        });
    }
}

#[test]
fn a_reader_that_is_thrown_out_finds_back() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let edge = edge(&redis.url()).serve();
    agree(&[&producer, &edge]);
    assert_eq!(redis.command(&["config", "set", "client-output-buffer-limit", "pubsub 1mb 0 0"]), "OK");
    let watcher = Watcher::start(&[edge.address()], &log);
    let readers = || redis.command(&["client", "list", "type", "pubsub"]).lines().count();
    assert_eq!(readers(), 2);
    // It sleeps while more comes than Redis keeps for it.
    edge.signal("STOP");
    let nonsense = "x".repeat(100_000);
    until("it is thrown out", || {
        redis.command(&["publish", &format!("heatmap:{SYMBOL}"), &nonsense]);
        (readers() < 2).then_some(())
    });
    edge.signal("CONT");
    until("it fetched the state", || {
        (metric(&edge, "liqheat_redis_resyncs_total{reason=\"broken\"}") >= 1.0).then_some(())
    });
    goes_on(&edge, &agree(&[&producer, &edge]));
    assert!(metric(&edge, "liqheat_redis_messages_total{fate=\"unreadable\"}") >= 1.0, "nonsense is counted");
    well(&edge);
    watcher.end();
}

/// Passes bytes on between a server and Redis, but can stop to pass on what Redis says to subscribers, with
/// everything left open: a subscription that is dead though nothing looks wrong.
struct Proxy {
    address: SocketAddr,
    deaf: Arc<AtomicBool>,
}

impl Proxy {
    fn to(redis: SocketAddr) -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let (address, deaf) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let dead = Arc::clone(&deaf);
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                let Ok(to) = TcpStream::connect(redis) else { continue };
                let subscribed = Arc::new(AtomicBool::new(false));
                // Of the subscriptions, only those that were there when it began are dead.
                let born_deaf = dead.load(Ordering::Relaxed);
                let (seen, dead) = (Arc::clone(&subscribed), Arc::clone(&dead));
                pass(from.try_clone().unwrap(), to.try_clone().unwrap(), move |bytes| {
                    if bytes.windows(9).any(|nine| nine.eq_ignore_ascii_case(b"SUBSCRIBE")) {
                        seen.store(true, Ordering::Relaxed);
                    }
                    true
                });
                pass(to, from, move |_| {
                    born_deaf || !(subscribed.load(Ordering::Relaxed) && dead.load(Ordering::Relaxed))
                });
            }
        });
        Self { address, deaf }
    }
}

#[test]
fn a_subscription_that_is_dead_while_all_else_is_well_is_noticed() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let proxy = Proxy::to(local(redis.port));
    let edge = edge(&format!("redis://{}", proxy.address)).serve();
    agree(&[&producer, &edge]);
    let watcher = Watcher::start(&[edge.address()], &log);
    let connected = || metric(&edge, "liqheat_redis_connected");
    assert_eq!(connected(), 1.0);
    proxy.deaf.store(true, Ordering::Relaxed);
    let deaf_since = Instant::now();
    until("the silence is noticed", || {
        assert_eq!(connected(), 1.0, "everything else is well");
        (metric(&edge, "liqheat_redis_resyncs_total{reason=\"silence\"}") >= 1.0).then_some(())
    });
    let took = deaf_since.elapsed();
    assert!(took > Duration::from_secs(10) && took < Duration::from_secs(20), "{took:?}");
    goes_on(&edge, &agree(&[&producer, &edge]));
    well(&edge);
    let watched = watcher.end();
    assert!(watched.standings.iter().any(|standing| standing == "degraded"), "{:?}", watched.standings);
    assert!(PATIENCE > took);
}

#[test]
fn without_redis_at_the_start_everything_but_the_others_is_there() {
    let url = format!("redis://127.0.0.1:{}", free_port());
    let producer = maker(&url).serve();
    has_state(&producer);
    degraded(&producer);
    let log = LoggedStates::default();
    let mut shadow = super::support::client(&producer, &log);
    shadow.hear_until("differences", |shadow, _| shadow.deltas > 3);
    let edge = edge(&url).serve();
    assert_eq!(edge.get("/live").status, 200);
    let (status, reason) = ready(&edge);
    assert!(status == 503 && reason.contains("Redis is unavailable"), "{reason}");
    assert_eq!(producer.terminate().code, Some(0));
    assert_eq!(edge.terminate().code, Some(0));
}
