//! The producer dies, stops, or sleeps through the end of its lease.

use std::time::{Duration, Instant};

use liqheat_testkit::{LoggedStates, RunningProgram, send_json, until};
use serde_json::{Value, json};

use super::support::{
    Redis, SYMBOL, Watcher, agree, client, databases, edge, goes_on, has_state, leads, metric, over, ready,
    standing, takes_over, three,
};

/// From a moment until another server is the producer.
#[track_caller]
fn taken_over(since: Instant, by: &RunningProgram) -> Duration {
    takes_over(by);
    since.elapsed()
}

#[test]
fn a_killed_producer_is_followed_within_three_seconds() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let [first, second, edge] = three(&redis);
    assert_eq!(metric(&second, "liqheat_redis_lease_holder"), 0.0);
    let watchers = [
        Watcher::start(&[first.address(), second.address()], &log),
        Watcher::start(&[second.address()], &log),
        Watcher::start(&[edge.address()], &log),
    ];
    let mut shadow = client(&edge, &log);
    shadow.hear_until("a difference", |shadow, _| shadow.deltas > 0);
    let before = shadow.at().unwrap().clone();

    let killed = Instant::now();
    first.kill();
    shadow.hear_until("a state of the next producer", |shadow, _| shadow.at().unwrap().epoch != before.epoch);
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    leads(&second);
    // Its levels are others, so it has an epoch of its own, and goes on in it.
    shadow.hear_until("differences", |shadow, _| shadow.deltas > 5);
    agree(&[&second, &edge]);
    for watcher in watchers {
        watcher.end_when("both runs", |received| received.deltas > 2 && received.snapshots >= 2);
    }
    assert_eq!(metric(&edge, "liqheat_redis_silent_symbols"), 0.0);
}

#[test]
fn where_the_levels_are_the_same_the_run_goes_on_under_its_name() {
    let redis = Redis::start();
    let (_folder, paths) = databases(2, 2);
    let first = over("serve", &paths[0], &redis.url()).serve();
    leads(&first);
    has_state(&first);
    let second = over("serve", &paths[1], &redis.url()).serve();
    let edge = edge(&redis.url()).serve();
    let (epoch, seq, hash) = agree(&[&first, &second, &edge]);
    let log = LoggedStates::default();
    let mut shadow = client(&edge, &log);
    shadow.next_state();

    let killed = Instant::now();
    first.kill();
    let took = taken_over(killed, &second);
    assert!(took < Duration::from_secs(3), "{took:?}");
    let line = second.wait_for_log("epoch taken over");
    assert!(line.contains("continued") && line.contains(&epoch), "{line}");
    assert_eq!(agree(&[&second, &edge]), (epoch.clone(), seq, hash));
    // Whoever comes back needs nothing new.
    assert!(shadow.connect(second.address(), &[]));
    shadow.hear_until("a status", |_, message| message["type"] == "status");
    assert_eq!((shadow.snapshots, shadow.at().unwrap().epoch.clone()), (1, epoch));
}

#[test]
fn a_producer_that_is_stopped_hands_over_without_a_gap() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let [first, second, edge] = three(&redis);
    let watcher = Watcher::start(&[edge.address()], &log);
    assert_eq!(first.terminate().code, Some(0));
    let stopped = Instant::now();
    takes_over(&second);
    assert!(stopped.elapsed() < Duration::from_millis(1_500), "it need not wait for the lease to run out");
    goes_on(&edge, &agree(&[&second, &edge]));
    watcher.end_when("differences", |received| received.deltas > 0);
}

#[test]
fn a_producer_that_slept_through_its_lease_does_no_harm() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let [first, second, edge] = three(&redis);
    let watcher = Watcher::start(&[edge.address()], &log);
    first.signal("STOP");
    takes_over(&second);
    let next = agree(&[&second, &edge]);
    let mut shadow = client(&edge, &log);
    shadow.next_state();
    first.signal("CONT");
    // It learns that its time is over, and shows what the other one makes.
    goes_on(&first, &next);
    agree(&[&first, &second, &edge]);
    assert_eq!(metric(&first, "liqheat_redis_lease_holder"), 0.0);
    let snapshots = shadow.snapshots;
    shadow.hear_until("more differences", |shadow, _| shadow.deltas > 3);
    assert_eq!(shadow.snapshots, snapshots, "nothing of the sleeper got through");
    watcher.end();
    assert_eq!(ready(&first).0, 200, "{}", ready(&first).1);
    assert_eq!(standing(&first), "replay");
}

#[test]
fn a_server_without_websockets_takes_no_part() {
    let redis = Redis::start();
    let (_folder, paths) = databases(1, 1);
    let server = over("serve --ws-enabled false", &paths[0], &redis.url()).serve();
    server.wait_for_log("takes no part in REDIS_ENABLED");
    assert_eq!(server.get("/v1/heatmap?symbol=BTCUSDT").status, 200);
    assert_eq!(redis.command(&["dbsize"]), "0");
    assert_eq!(ready(&server).0, 200);
}

/// What `/v1/symbols` says of the present of a symbol: its newest event and its bins.
#[track_caller]
fn present_of(server: &RunningProgram) -> Value {
    let body = server.get("/v1/symbols").json();
    let rows = body["symbols"].as_array().unwrap();
    let row = rows.iter().find(|row| row["symbol"] == SYMBOL).unwrap();
    json!([row["last"], row["base_bin"]])
}

/// The time of the state in the answer of a tool, once there is one.
fn as_of_for_agents(server: &RunningProgram) -> String {
    let params = json!({ "name": "walls", "arguments": { "symbol": SYMBOL } });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    until("an answer of the tool", || {
        let answer = send_json(server.address(), "POST", "/mcp", &[], &call).json();
        Some(answer["result"]["structuredContent"]["about"]["as_of"].as_str()?.to_owned())
    })
}

/// A replica whose own ledgers end a day later: what it says of the present is the producer's all the same.
#[test]
fn a_replica_with_other_data_answers_the_producers_present() {
    let redis = Redis::start();
    let (_folder, paths) = databases(2, 1);
    let first = over("serve", &paths[0], &redis.url()).serve();
    leads(&first);
    has_state(&first);
    let (_folder, paths) = databases(3, 1);
    let second = over("serve", &paths[0], &redis.url()).serve();
    agree(&[&first, &second]);
    assert_eq!(present_of(&second), present_of(&first), "while its ledgers may have no state");
    let produced = as_of_for_agents(&first);
    assert_eq!(as_of_for_agents(&second), produced);
    assert_eq!(present_of(&second), present_of(&first), "with a state of its own ledgers");
    // As the producer it shows what its ledgers hold.
    let last = present_of(&first)[0].as_i64().unwrap();
    first.kill();
    takes_over(&second);
    until("its own state", || (present_of(&second)[0].as_i64()? > last).then_some(()));
    assert!(as_of_for_agents(&second) > produced);
}

/// A client that follows the protocol fetches the history again when its epoch is not that of the states.
#[test]
fn the_history_names_the_epoch_of_the_states_on_every_server() {
    let redis = Redis::start();
    let (_folder, paths) = databases(2, 2);
    let first = over("serve", &paths[0], &redis.url()).serve();
    leads(&first);
    has_state(&first);
    let second = over("serve", &paths[1], &redis.url()).serve();
    let (epoch, ..) = agree(&[&first, &second]);
    let epochs = |server: &RunningProgram| {
        let paths = ["/v1/heatmap?symbol=BTCUSDT", "/v1/heatmap/history?symbol=BTCUSDT&range=24h&columns=96"];
        // A replica shows the producer's states before its own ledger has any.
        paths.map(|path| until("a picture", || server.get(path).json()["epoch"].as_str().map(str::to_owned)))
    };
    for server in [&first, &second] {
        assert_eq!(epochs(server), [epoch.clone(), epoch.clone()]);
    }
    // A producer with other levels begins another epoch; nobody keeps the old one.
    let (_folder, paths) = databases(3, 1);
    let third = over("serve", &paths[0], &redis.url()).serve();
    has_state(&third);
    assert_eq!(epochs(&third), [epoch.clone(), epoch.clone()], "a replica with other data");
    first.kill();
    second.kill();
    takes_over(&third);
    let (next, ..) = agree(&[&third]);
    assert_ne!(next, epoch);
    assert_eq!(epochs(&third), [next.clone(), next]);
}
