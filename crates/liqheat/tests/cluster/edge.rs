//! An edge shows what the producer makes, and clients change servers without losing their place.

use liqheat_market::UnixMs;
use liqheat_testkit::exchange::{
    ExchangeServer, HyperliquidProtocol, Market, MarketShape, StandInAccounts, Time,
};
use liqheat_testkit::{Folder, LoggedStates, Program, RunningProgram, until};
use serde_json::{Value, json};

use super::support::{
    Redis, Watcher, agree, board, client, edge, has_state, leads, maker, metric, node, ready, standing,
};

#[test]
fn both_servers_show_the_same_and_a_client_goes_on_at_either() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let second = edge(&redis.url()).serve();
    has_state(&second);

    // A whole state and differences on both, and every name they share stands for the same state.
    let (mut here, mut there) = (client(&producer, &log), client(&second, &log));
    for shadow in [&mut here, &mut there] {
        shadow.hear_until("five differences", |shadow, _| shadow.deltas >= 5);
        assert!(shadow.snapshots >= 1);
    }
    assert_eq!(here.at().unwrap().epoch, there.at().unwrap().epoch);

    // Each goes on at the other one: by differences only, or from where it is.
    let snapshots = (here.snapshots, there.snapshots);
    for (shadow, server) in [(&mut here, &second), (&mut there, &producer)] {
        assert!(shadow.connect(server.address(), &[]));
        let before = shadow.deltas;
        shadow.hear_until("differences after the change", |shadow, _| shadow.deltas >= before + 3);
    }
    assert_eq!((here.snapshots, there.snapshots), snapshots, "no whole state was needed");
    assert!(log.states() > 10);
    agree(&[&producer, &second]);

    // A server that starts later knows of the levels' last changes, so a client from before can also resume there.
    let late = edge(&redis.url()).serve();
    has_state(&late);
    assert!(here.connect(late.address(), &[]));
    let before = (here.snapshots, here.deltas);
    here.hear_until("differences of the late one", |shadow, _| shadow.deltas >= before.1 + 2);
    assert_eq!(here.snapshots, before.0);

    // One message for every change, whatever the number of clients.
    let published = metric(&producer, "liqheat_redis_messages_total{fate=\"published\"}");
    let seq = board(&producer).unwrap().1;
    assert!(
        published >= seq as f64 && published < seq as f64 * 1.5 + 20.0,
        "{published} messages for {seq} changes"
    );
    assert_eq!(metric(&second, "liqheat_redis_connected"), 1.0);
    assert!(metric(&second, "liqheat_redis_lag_seconds_count") > 5.0);
    assert_eq!(metric(&second, "liqheat_redis_messages_total{fate=\"misfit\"}"), 0.0);
    assert_eq!(metric(&second, "liqheat_redis_lease_holder"), 0.0);
}

#[test]
fn an_edge_answers_what_it_has_and_says_what_it_has_not() {
    let redis = Redis::start();
    let empty = Folder::new();
    // In a folder of its own, to see that it writes nothing.
    let server = edge(&redis.url())
        .env("HOME", empty.path("").to_str().unwrap())
        .env("XDG_DATA_HOME", empty.path("").to_str().unwrap())
        .after(&format!("cd '{}'", empty.path("").display()))
        .serve();
    // Before there is a producer.
    assert_eq!(server.get("/live").status, 200);
    until("it knows why it is not ready", || {
        let (status, text) = ready(&server);
        (status == 503 && text.contains("no symbol is known")).then_some(())
    });
    let producer = maker(&redis.url()).serve();
    until("it is ready", || (ready(&server).0 == 200).then_some(()));

    let symbols = server.get("/v1/symbols").json();
    let row = &symbols["symbols"][0];
    assert_eq!(
        (&row["symbol"], &row["venue"], &row["state"]),
        (&json!("BTCUSDT"), &json!("sim"), &json!("replay"))
    );
    assert_eq!((&symbols["simulated"], &symbols["speed"]), (&json!(true), &json!(600.0)));
    assert_eq!(symbols["symbols"][0]["first"], producer.get("/v1/symbols").json()["symbols"][0]["first"]);
    let polled = server.get("/v1/heatmap?symbol=BTCUSDT");
    assert_eq!(polled.status, 200);
    let since = format!("{}:{}", polled.json()["epoch"].as_str().unwrap(), polled.json()["seq"]);
    // The difference is the same wherever one asks.
    until("the same difference on both", || {
        let ask = |server: &liqheat_testkit::RunningProgram| {
            let answer = server.get(&format!("/v1/heatmap?symbol=BTCUSDT&since={since}"));
            (answer.status == 200).then(|| answer.json())
        };
        let (ours, theirs) = (ask(&server)?, ask(&producer)?);
        (ours["seq"] == theirs["seq"]).then(|| assert_eq!(ours, theirs))
    });
    assert_eq!(server.get("/v1/heatmap?symbol=XYZ").status, 400);
    for path in [
        "/v1/heatmap/history?symbol=BTCUSDT&range=24h",
        "/prices/klines?symbol=BTCUSDT",
        "/liquidations/levels?symbol=BTCUSDT",
        "/v1/liquidations?symbol=BTCUSDT",
        "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time=0&end_time=1",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 501, "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("is an edge"), "{}", answer.text());
    }
    let file = Folder::new();
    let file = file.put("BTCUSDT-metrics-2025-08-25.csv", "x");
    let program = Program::at(env!("CARGO_BIN_EXE_liqheat")).args("ingest --server");
    let sent = program.args(&format!("http://{}", server.address())).arg(file).run();
    assert!(sent.code == Some(1) && sent.err.contains("is an edge"), "{}", sent.err);
    assert!(server.get("/v1/symbols").header("content-type").unwrap().contains("json"));
    assert_eq!(std::fs::read_dir(empty.path("")).unwrap().count(), 0, "no disk");
    assert_eq!(server.terminate().code, Some(0));
}

/// Channels come through Redis, so an edge has all of them, and a client goes on at either server.
#[test]
fn channels_reach_an_edge_and_a_client_goes_on_at_either() {
    let redis = Redis::start();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let second = edge(&redis.url()).serve();
    has_state(&second);
    let channels = ["price", "liquidations", "walls"];
    let mut viewer = second.viewer();
    viewer.say(&json!({"action": "subscribe", "symbols": ["BTCUSDT"], "channels": channels}));
    let of = |kind: &'static str| move |message: &serde_json::Value| message["type"] == kind;
    for kind in ["price", "walls"] {
        let message = viewer.hear_until(of(kind));
        assert!(message["data"].is_object(), "{message}");
    }
    let walls = viewer.hear_until(of("walls"));
    assert!(walls["data"]["walls"][0]["leverages"][0]["usd"].is_u64(), "the producer's split: {walls}");
    let mut at =
        viewer.hear_until(|message| message["type"] == "liquidations" && message["data"] != json!([]));
    for server in [&producer, &second] {
        let mut viewer = server.viewer();
        viewer.say(&json!({
            "action": "subscribe", "symbols": ["BTCUSDT"], "channels": ["liquidations"],
            "resume": {"liquidations:BTCUSDT": {"epoch": at["epoch"], "seq": at["seq"]}},
        }));
        let next = viewer.hear_until(of("liquidations"));
        let rows = next["data"].as_array().unwrap().len() as u64;
        assert_eq!((next.get("reset"), next.get("missed")), (None, None), "{next}");
        assert_eq!(
            (&next["epoch"], next["seq"].as_u64()),
            (&at["epoch"], at["seq"].as_u64().map(|seq| seq + rows))
        );
        at = next;
    }
}

#[test]
fn an_edge_serves_only_its_configured_symbols() {
    let redis = Redis::start();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let server = node("serve --role edge --symbols ETHUSDT", &redis.url()).serve();
    let (status, text) = ready(&server);
    assert_eq!(status, 503);
    assert!(text.contains("ETHUSDT has no state yet"), "{text}");
    assert_eq!(server.get("/v1/heatmap?symbol=BTCUSDT").status, 400);
}

#[test]
fn an_edge_that_is_killed_costs_its_clients_a_difference() {
    let redis = Redis::start();
    let log = LoggedStates::default();
    let producer = maker(&redis.url()).serve();
    leads(&producer);
    let (first, second) = (edge(&redis.url()).serve(), edge(&redis.url()).serve());
    [&first, &second].into_iter().for_each(has_state);
    let watchers: Vec<Watcher> =
        (0..5).map(|_| Watcher::start(&[first.address(), second.address()], &log)).collect();
    until("all are there", || {
        let count = first.get("/ws/stats").json()["active_connections"].as_u64()?;
        (count == 5).then_some(())
    });
    let before = board(&second).unwrap().1;
    until("some states", || (board(&second)?.1 > before + 3).then_some(()));
    first.kill();
    let moved = board(&second).unwrap().1;
    until("all go on at the other one", || {
        let stats = second.get("/ws/stats").json();
        (stats["active_connections"] == 5 && board(&second)?.1 > moved + 3).then_some(())
    });
    for watcher in watchers {
        let received = watcher.end_when("differences", |received| received.deltas > 5);
        assert_eq!(received.snapshots, 1, "the one at the beginning");
    }
    assert_eq!(standing(&second), "replay");
}

/// The producer looks at accounts of a stand-in; the edge has the board of its layer, and says whose the rest is.
#[test]
fn an_edge_has_the_layers_of_measured_positions() {
    const NAME: &str = "BTCUSDT@hyperliquid:measured";
    const MINUTE: i64 = 60_000;
    const SPEED: f64 = 30.0;
    let start = UnixMs(1_756_080_000_000);
    let shape = MarketShape { open_interest_step_ms: MINUTE, ..MarketShape::new(start, 240) };
    let accounts = StandInAccounts { count: 60, scale: 2.0, reference: 60_000.0 };
    let exchange = ExchangeServer::start(
        HyperliquidProtocol::default().with_accounts(accounts),
        Market::default().with_made("BTCUSDT", &shape),
        Time { start: start.plus(20 * MINUTE), speed: SPEED },
    );
    let (redis, folder) = (Redis::start(), Folder::new());
    let (socket, rest) = (exchange.socket_base(), exchange.rest_base());
    let producer = node("serve --symbols BTCUSDT --venues hyperliquid --fill-days 1", &redis.url())
        .args(&format!("--venue-url hyperliquid={socket},hyperliquid={rest}"))
        .args(&format!("--hyperliquid-measured --hyperliquid-leaderboard {rest}/Mainnet/leaderboard"))
        .args(&format!("--live-speed {SPEED} --live-clock {}", exchange.now().0))
        .args("--db")
        .arg(folder.path("measured.duckdb"))
        .serve();
    leads(&producer);
    let edge = edge(&redis.url()).serve();
    let layer = |server: &RunningProgram| {
        let answer = server.get(&format!("/v1/heatmap?symbol={NAME}"));
        let body = (answer.status == 200).then(|| answer.json())?;
        (!body["data"]["levels"].as_array()?.is_empty()).then_some(body)
    };
    let shown = until("the same run of the layer at both", || {
        let made = layer(&producer)?;
        layer(&edge).filter(|shown| shown["epoch"] == made["epoch"])
    });
    assert_eq!(shown["symbol"], NAME);
    let rows = edge.get("/v1/symbols").json();
    let row = rows["symbols"].as_array().unwrap().iter().find(|row| row["symbol"] == NAME).unwrap();
    assert_eq!((&row["measured"], &row["venue"]), (&json!(true), &json!("hyperliquid")));
    // The same row as at the producer, but for how its data stands.
    let own = producer.get("/v1/symbols").json();
    let estimate = |rows: &Value| {
        let rows = rows["symbols"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["symbol"] == "BTCUSDT").unwrap()["parameters"].clone()
    };
    assert_eq!(estimate(&rows), estimate(&own));
    assert_eq!(edge.get(&format!("/v1/measured?symbol={NAME}")).status, 501);
}
