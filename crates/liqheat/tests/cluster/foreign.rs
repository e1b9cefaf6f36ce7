//! Values and messages in Redis that no server wrote.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use liqheat_cluster::Message;
use liqheat_stream::{BoardStep, RemoteState};
use liqheat_testkit::{LoggedStates, RunningProgram, until};

use super::support::{
    Redis, SYMBOL, Watcher, agree, board, edge, goes_on, has_state, leads, maker, metric, ready, service,
    standing, three,
};

/// The stored state, as it is.
#[track_caller]
fn stored(redis: &Redis) -> Vec<u8> {
    let mut client = Command::new(service("redis-cli"));
    let port = redis.port.to_string();
    let output = client.args(["-p", &port, "get", &format!("heatmap:{SYMBOL}:state")]).output().unwrap();
    // redis-cli ends it with a newline.
    output.stdout[..output.stdout.len() - 1].to_vec()
}

/// Publishes bytes as they are.
#[track_caller]
fn publish(redis: &Redis, bytes: &[u8]) {
    let mut client = Command::new(service("redis-cli"));
    let port = redis.port.to_string();
    let mut client = client
        .args(["-p", &port, "-x", "publish", &format!("heatmap:{SYMBOL}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(bytes).unwrap();
    assert!(client.wait().unwrap().success());
}

/// Lines of a server's log that a person would be alarmed by.
fn warnings(server: &RunningProgram) -> usize {
    server.log().lines().filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\"")).count()
}

#[test]
fn a_far_seq_stops_nobody_for_long() {
    let redis = Redis::start();
    let [first, second, edge] = three(&redis);
    let log = LoggedStates::default();
    let watcher = Watcher::start(&[edge.address()], &log);
    until("some states", || (board(&edge)?.1 > 5).then_some(()));
    const FAR: u64 = 1 << 50;
    // In the running epoch, under the newest token.
    let mut far = FAR;
    until("it is taken in", || {
        let newest = Message::decode(&stored(&redis)).unwrap();
        far += 1;
        let BoardStep::Whole { levels, .. } = newest.state.step.clone() else { panic!("{newest:?}") };
        let step = BoardStep::Whole { complete_from: far, levels };
        let state = RemoteState { seq: far, step, ..newest.state.clone() };
        publish(&redis, &Message { state, ..newest }.encode().unwrap());
        (board(&edge)?.1 >= FAR && board(&second)?.1 >= FAR).then_some(())
    });
    let began = Instant::now();
    until("all follow again", || {
        let states = [&first, &second, &edge].map(|server| board(server).map(|(_, seq, hash)| (seq, hash)));
        (states[0].is_some() && states[0] == states[1] && states[0] == states[2]).then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    goes_on(&edge, &board(&edge).unwrap());
    assert_eq!((ready(&edge).0, standing(&edge).as_str()), (200, "replay"));
    assert!(metric(&edge, "liqheat_redis_resyncs_total{reason=\"old\"}") >= 1.0);
    edge.wait_for_log("board was ahead of the producer");
    watcher.end();
}

#[test]
fn a_fence_that_is_no_number_counts_as_none() {
    let redis = Redis::start();
    // Before anybody starts.
    redis.command(&["set", "heatmap:fence", "hello"]);
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    producer.wait_for_log("unusable value in Redis ignored");
    let edge = edge(&redis.url()).serve();
    agree(&[&producer, &edge]);
    let fence = "heatmap:fence";
    for values in [
        &["set", fence, "1e308"][..],
        &["set", fence, "9007199254740993"],
        &["set", fence, "-7"],
        &["set", fence, ""],
        &["lpush", fence, "1"],
        &["hset", fence, "a", "1"],
    ] {
        redis.command(&["del", fence]);
        redis.command(values);
        goes_on(&edge, &agree(&[&producer, &edge]));
        let now = redis.command(&["get", fence]);
        assert!(now.parse::<u64>().is_ok_and(|token| token < 1 << 53), "{values:?}: {now}");
    }
    // The largest one that is a number: the next token is smaller, and is followed all the same.
    redis.command(&["set", fence, "9007199254740991"]);
    goes_on(&edge, &agree(&[&producer, &edge]));
    assert_eq!(ready(&edge).0, 200);
    assert!(warnings(&producer) < 12, "{}", producer.log());
}

#[test]
fn foreign_values_in_our_keys_are_replaced_and_logged_once() {
    let redis = Redis::start();
    let [first, second, edge] = three(&redis);
    let state = format!("heatmap:{SYMBOL}:state");
    let servers = [&first, &second, &edge];
    for round in 0..6 {
        for key in [&state, "heatmap:symbols", "heatmap:lease", "heatmap:group"] {
            redis.command(&["del", key]);
            match round % 3 {
                0 => redis.command(&["rpush", key, "1", "2"]),
                1 => redis.command(&["hset", key, "a", "b"]),
                _ => redis.command(&["set", key, "nonsense"]),
            };
        }
        // Whoever takes the lease may continue under another epoch.
        let before = agree(&servers);
        until("states go on", || board(&edge).filter(|now| *now != before));
        agree(&servers);
    }
    until("our values stand there again", || {
        let types = [&state, "heatmap:symbols", "heatmap:lease", "heatmap:group"]
            .map(|key| redis.command(&["type", key]));
        let is_group = redis.command(&["get", "heatmap:group"]).contains("model=");
        (types.iter().all(|kind| kind == "string") && is_group).then_some(())
    });
    for server in servers {
        until("it is ready", || (ready(server).0 == 200).then_some(()));
        assert!(warnings(server) <= 15, "{} warnings: {}", warnings(server), server.log());
    }
    // Whoever floods a channel with nonsense fills no log.
    let before = warnings(&edge);
    for _ in 0..200 {
        redis.command(&["publish", &format!("heatmap:{SYMBOL}"), "nonsense"]);
    }
    until("it is counted", || {
        (metric(&edge, "liqheat_redis_messages_total{fate=\"unreadable\"}") >= 200.0).then_some(())
    });
    assert!(warnings(&edge) <= before + 1);
    agree(&servers);
}

/// A value of a hundred megabytes is not read.
#[test]
fn a_huge_value_is_not_read() {
    let redis = Redis::start();
    redis.command(&["setrange", "heatmap:symbols", "100000000", "x"]);
    redis.command(&["setrange", &format!("heatmap:{SYMBOL}:state"), "100000000", "x"]);
    let edge = edge(&redis.url()).args("--symbols").arg(SYMBOL).serve();
    edge.wait_for_log("unusable stored state in Redis");
    edge.wait_for_log("unusable symbol list in Redis");
    let sent = |section: &str| -> u64 {
        let info = redis.command(&["info", "stats"]);
        let line = info.lines().find_map(|line| line.strip_prefix(section)).unwrap();
        line.trim().parse().unwrap()
    };
    assert!(sent("total_net_output_bytes:") < 1_000_000, "{} bytes", sent("total_net_output_bytes:"));
    let producer = maker(&redis.url()).serve();
    has_state(&producer);
    agree(&[&producer, &edge]);
    assert!(warnings(&edge) <= 6, "{}", edge.log());
}

/// Redis that accepts connections and refuses what it is asked for.
#[test]
fn a_redis_that_refuses_commands_is_asked_seldom_and_logged_once() {
    let redis = Redis::start();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let edge = edge(&redis.url()).serve();
    agree(&[&producer, &edge]);
    let before = [&producer, &edge].map(warnings);
    redis.command(&["config", "set", "maxmemory", "1"]);
    until("it says why", || {
        let (status, reason) = ready(&producer);
        (status == 503 && reason.contains("OOM") && metric(&producer, "liqheat_redis_faults_total") >= 4.0)
            .then_some(())
    });
    assert!(warnings(&producer) <= before[0] + 3, "{}", producer.log());
    redis.command(&["config", "set", "maxmemory", "0"]);
    goes_on(&edge, &agree(&[&producer, &edge]));
    until("all are well", || (ready(&producer).0 == 200 && ready(&edge).0 == 200).then_some(()));
    assert!(warnings(&edge) <= before[1] + 3, "{}", edge.log());
}
