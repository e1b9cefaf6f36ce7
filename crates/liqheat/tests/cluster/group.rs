//! Servers that serve something else under the same prefix, and edges that start before there is a producer.

use std::time::{Duration, Instant};

use liqheat_testkit::{Program, until};

use super::support::{
    Redis, SYMBOL, agree, board, databases, edge, goes_on, has_state, leads, maker, metric, over, ready,
    standing,
};

/// `liqheat demo` in a shell with the variables of a cluster, while the producer is away.
#[test]
fn a_demo_with_the_environment_of_a_cluster_takes_no_part() {
    let redis = Redis::start();
    let (_folder, paths) = databases(2, 1);
    let producer = over("serve", &paths[0], &redis.url()).serve();
    leads(&producer);
    let edge = edge(&redis.url()).serve();
    let kept = agree(&[&producer, &edge]);
    let simulated = maker(&redis.url()).serve();
    let says_why = || {
        until("it says why", || {
            let (status, reason) = ready(&simulated);
            let names_both = reason.contains("they serve 'stored binance")
                && reason.contains("this server 'simulated sim")
                && reason.contains("REDIS_CHANNEL_PREFIX");
            (status == 503 && names_both).then_some(())
        });
    };
    says_why();
    simulated.wait_for_log("another group uses this prefix");
    assert_eq!(metric(&simulated, "liqheat_redis_group_mismatch"), 1.0);

    producer.kill();
    let killed = Instant::now();
    until("the lease has run out", || (redis.command(&["exists", "heatmap:lease"]) == "0").then_some(()));
    // It would have taken the lease within half a second.
    until("it makes states of its own", || {
        let own = board(&simulated)?;
        (own.0 != kept.0 && own.1 > 3 && killed.elapsed() > Duration::from_secs(5)).then_some(())
    });
    says_why();
    assert_eq!(standing(&simulated), "degraded");
    assert_eq!(metric(&simulated, "liqheat_redis_lease_holder"), 0.0);
    assert_eq!(redis.command(&["exists", "heatmap:lease"]), "0");
    assert_eq!(board(&edge).unwrap(), kept, "viewers see the last state of the real market");
    assert_eq!(edge.get("/v1/symbols").json()["simulated"], false);

    let doctor = Program::at(env!("CARGO_BIN_EXE_liqheat"))
        .args("doctor --venues binance --venue-url binance=http://127.0.0.1:1,binance=ws://127.0.0.1:1 --doctor-wait 0.1")
        .env("REDIS_ENABLED", "true")
        .env("REDIS_URL", &redis.url())
        .run();
    assert!(
        doctor.out.contains("no producer under prefix 'heatmap' (last served: stored binance"),
        "{}",
        doctor.out
    );

    let again = over("serve", &paths[0], &redis.url()).serve();
    leads(&again);
    agree(&[&again, &edge]);
    until("the edge is well", || (ready(&edge).0 == 200).then_some(()));
    says_why();
}

/// Until the list is read, nobody is notified that a symbol does not exist.
#[test]
fn an_edge_that_starts_first_asks_its_clients_to_wait() {
    let redis = Redis::start();
    let edge = edge(&redis.url()).serve();
    until("it looks for the list", || {
        let (status, reason) = ready(&edge);
        (status == 503 && reason.contains("no symbol is known")).then_some(())
    });
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let poll = format!("/v1/heatmap?symbol={SYMBOL}");
    for (path, headers) in [("/ws/heatmap", &upgrade[..]), (&poll, &[])] {
        let answer = liqheat_testkit::get_with(edge.address(), path, headers);
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1")),
            "{path}: {}",
            answer.text()
        );
        assert!(answer.text().contains("symbol list"), "{}", answer.text());
    }
    let producer = maker(&redis.url()).serve();
    until("the list", || (redis.command(&["exists", "heatmap:symbols"]) == "1").then_some(()));
    let listed = Instant::now();
    until("the edge serves it", || (edge.get(&poll).status == 200).then_some(()));
    let took = listed.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(edge.get("/v1/heatmap?symbol=XYZUSDT").status, 400, "now it is known that there is none");
    agree(&[&producer, &edge]);
}

/// A list of the past leaves no room for nobody.
#[test]
fn a_thousand_stale_names_lock_nobody_out() {
    let redis = Redis::start();
    let row = |number: usize| format!(r#"{{"symbol":"STALE{number}","listed":true}}"#);
    let rows: Vec<String> = (0..1_000).map(row).collect();
    redis.command(&["set", "heatmap:symbols", &format!(r#"{{"speed":1,"symbols":[{}]}}"#, rows.join(","))]);
    let edge = edge(&redis.url()).serve();
    until("it serves them", || {
        let symbols = edge.get("/v1/symbols").json();
        (symbols["symbols"].as_array()?.len() == 1_000).then_some(())
    });
    let producer = maker(&redis.url()).serve();
    has_state(&producer);
    leads(&producer);
    until("the new one is served", || board(&edge));
    goes_on(&edge, &agree(&[&producer, &edge]));
    until("the stale ones are dropped, and it is ready", || {
        let symbols = edge.get("/v1/symbols").json();
        (symbols["symbols"].as_array()?.len() == 1 && ready(&edge).0 == 200).then_some(())
    });
}
