//! What a client sees when all goes well, and when it does not keep up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use liqheat_stream::SessionSettings;
use liqheat_wire::{FeedState, StateHash};
use serde_json::json;
use tungstenite::protocol::Message;

use crate::world::{World, settings, until, update};

#[tokio::test(flavor = "multi_thread")]
async fn subscribing_is_answered_by_the_state_at_once() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(98_000, 1_500_000, 200_000)], 98_450);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"], "update_interval": 60})).await;
    let expected_hash = StateHash::of(&update(&[(98_000, 1_500_000, 200_000)], 0).cells).to_string();
    let expected = json!({
        "type": "snapshot", "symbol": "BTCUSDT", "timestamp": "2025-12-28T14:30:00Z", "epoch": "e1", "seq": 1,
        "hash": expected_hash,
        "data": {
            "levels": [{"price": 98_000, "long_density": 1_500_000, "short_density": 200_000}],
            "current_price": 98_450, "positions_created": 450, "positions_consumed": 120,
        },
    });
    assert_eq!(viewer.receive_json().await, expected);
    world.end().await;
    let goaway = viewer.receive_json().await;
    assert_eq!((&goaway["type"], &goaway["reason"]), (&json!("goaway"), &json!("server restarts")));
    assert!(goaway["reconnect_in_ms"].as_u64().unwrap() <= 5_000);
    assert_eq!(viewer.close_code().await, 1012);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_and_repetitions_do_not() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(100, 5, 0)], 120);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    assert_eq!(viewer.receive_json().await["seq"], 1);
    assert!(!world.publish("BTCUSDT", &[(100, 5, 0)], 120));
    assert!(world.publish("BTCUSDT", &[(100, 6, 0)], 120));
    let second = viewer.receive_json().await;
    assert_eq!((&second["seq"], &second["data"]["levels"][0]["long_density"]), (&json!(2), &json!(6)));
    viewer.send_json(json!({"action": "unsubscribe", "symbols": ["BTCUSDT"]})).await;
    viewer.send_json(json!({"action": "ping"})).await;
    assert_eq!(viewer.receive_json().await, json!({"type": "pong", "timestamp": "2025-12-28T14:30:00Z"}));
    world.publish("BTCUSDT", &[(100, 7, 0)], 120);
    viewer.send_json(json!({"action": "ping"})).await;
    assert_eq!(viewer.receive_json().await["type"], "pong", "nothing comes after unsubscribing");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_named_and_the_good_part_is_done() {
    let world = World::new(settings()).await;
    world.publish("ETHUSDT", &[(3_000, 1, 1)], 3_000);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["XYZUSDT", "ETHUSDT"]})).await;
    assert_eq!(
        viewer.receive_json().await,
        json!({"type": "error", "code": "INVALID_SYMBOL", "message": "Symbol 'XYZUSDT' not supported. Valid: BTCUSDT, ETHUSDT"})
    );
    assert_eq!(viewer.receive_json().await["symbol"], "ETHUSDT");
    viewer.send_json(json!({"action": "dance"})).await;
    assert_eq!(viewer.receive_json().await["code"], "INVALID_ACTION");
    viewer.send_json(json!(["not", "an", "object"])).await;
    assert_eq!(viewer.receive_json().await["code"], "INVALID_MESSAGE");
    viewer.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(viewer.close_code().await, 1003);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_state_the_feed_status_is_sent() {
    let world = World::new(settings()).await;
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    assert_eq!(
        viewer.receive_json().await,
        json!({"type": "status", "symbol": "BTCUSDT", "state": "warming_up", "seq": 0})
    );
    world.publish("BTCUSDT", &[(100, 5, 0)], 120);
    assert_eq!(viewer.receive_json().await["type"], "snapshot");
    world.hub.slot("BTCUSDT").unwrap().set_feed(FeedState::Stale, None);
    let status = viewer.receive_json().await;
    assert_eq!((&status["state"], &status["seq"]), (&json!("stale"), &json!(1)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_market_has_a_heartbeat() {
    let world = World::new(SessionSettings { status_every: Duration::from_millis(30), ..settings() }).await;
    world.publish("BTCUSDT", &[(100, 5, 0)], 120);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    assert_eq!(viewer.receive_json().await["type"], "snapshot");
    for _ in 0..3 {
        let status = viewer.receive_json().await;
        assert_eq!((&status["type"], &status["seq"]), (&json!("status"), &json!(1)));
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_lead_to_the_same_state() {
    let world = World::new(settings()).await;
    let many: Vec<(i64, u64, u64)> = (0..50).map(|p| (100 + p, 5, 0)).collect();
    world.publish("BTCUSDT", &many, 120);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta"})).await;
    assert_eq!(viewer.receive_json().await["type"], "snapshot");
    world.publish("BTCUSDT", &many[1..], 121);
    let delta = viewer.receive_json().await;
    assert_eq!((&delta["type"], &delta["from"], &delta["seq"]), (&json!("delta"), &json!(1), &json!(2)));
    assert_eq!(delta["data"]["levels"], json!([{"price": 100, "long_density": 0, "short_density": 0}]));
    assert_eq!(delta["hash"], StateHash::of(&update(&many[1..], 0).cells).to_string());
    world.end().await;
}

/// The heart of the matter: a client that stops reading gets a warning and the newest state when it reads
/// again, not the states it missed; and nobody else waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_skips_to_the_newest_state() {
    let world = World::new(settings()).await;
    let levels = |step: u64| -> Vec<(i64, u64, u64)> { (0..4_000).map(|p| (100 + p, step, 1)).collect() };
    world.publish("BTCUSDT", &levels(1), 120);
    let mut slow = world.connect().await;
    let mut other = world.connect().await;
    for viewer in [&mut slow, &mut other] {
        viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
        assert_eq!(viewer.receive_json().await["seq"], 1);
    }
    let newest = 400;
    for step in 2..=newest {
        world.publish("BTCUSDT", &levels(step), 120);
        // The other client reads each one, however long the first does not.
        assert_eq!(other.receive_json().await["seq"], step);
    }
    until("the stalled client is noticed", || world.hub.metrics.slow_consumers.get() > 0).await;
    // What the kernel had already taken comes first; it may take more in between, so there may be several warnings.
    let (mut received, mut dropped, mut warnings) = (0, 0, 0);
    let state = loop {
        let message = slow.receive_json().await;
        if message["type"] == "warning" {
            assert_eq!(message["code"], "SLOW_CONSUMER");
            dropped += message["dropped_messages"].as_u64().unwrap();
            warnings += 1;
            continue;
        }
        received += 1;
        if message["seq"] == newest {
            break message;
        }
    };
    assert!(warnings > 0, "it is warned that it skipped states");
    // Bounded by the kernel's buffers, far from the 399 states published.
    assert!(received < newest / 2, "{received} states were in flight");
    assert_eq!(
        1 + received + dropped,
        newest,
        "the first, those received and those skipped are all there were"
    );
    assert_eq!(state["data"]["levels"][0]["long_density"], newest);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_closed() {
    let stalled_after = Duration::from_millis(300);
    let world = World::new(SessionSettings { stalled_after, ..settings() }).await;
    let viewer = world.connect().await;
    let mut viewer = viewer;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    assert_eq!(viewer.receive_json().await["type"], "status");
    let mut step = 0;
    until("it is closed", || {
        step += 1;
        let levels: Vec<(i64, u64, u64)> = (0..4_000).map(|p| (100 + p, step, 1)).collect();
        world.publish("BTCUSDT", &levels, 120);
        world.hub.metrics.active_connections.load(Ordering::Relaxed) == 0
    })
    .await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_limited_and_given_back() {
    let world = World::new(SessionSettings { connections_max: 2, ..settings() }).await;
    let first = world.sessions.reserve().unwrap();
    let _second = world.sessions.reserve().unwrap();
    assert!(world.sessions.reserve().is_none());
    drop(first);
    assert!(world.sessions.reserve().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_closed() {
    let silent_after = Duration::from_millis(50);
    let world = World::new(SessionSettings { silent_after, ..settings() }).await;
    let mut viewer = world.connect().await;
    assert_eq!(viewer.close_code().await, 4100);
    world.end().await;
}
