//! Every limit of a session, seen from the client that runs into it.

use std::time::Duration;

use liqheat_stream::{Connection, Grant, SessionSettings};
use serde_json::json;
use tokio::time::Instant;
use tungstenite::protocol::Message;

use crate::world::{World, settings, until};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn too_many_messages_are_refused_and_a_flood_ends_the_connection() {
    let world = World::new(SessionSettings { messages_per_second: 10, ..settings() }).await;
    let mut viewer = world.connect().await;
    for _ in 0..30 {
        viewer.send_json(json!({"action": "ping"})).await;
    }
    let (mut pongs, mut refused) = (0, 0);
    while refused == 0 {
        let answer = viewer.receive_json().await;
        match answer["type"].as_str().unwrap() {
            "pong" => pongs += 1,
            _ => {
                assert_eq!(answer["code"], "RATE_LIMITED");
                assert!(answer["message"].as_str().unwrap().contains("10 messages a second"), "{answer}");
                refused += 1;
            }
        }
    }
    assert!((20..=22).contains(&pongs), "two seconds' worth is fine at once: {pongs}");
    for _ in 0..200 {
        if !viewer.try_send(Message::text("x")).await {
            break;
        }
    }
    assert_eq!(viewer.close_code().await, 4102);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_of_what_was_sent_cost_nothing() {
    let world = World::new(SessionSettings { messages_per_second: 1, ..settings() }).await;
    world.publish("BTCUSDT", &[(100, 1, 0)], 120);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    for step in 1..=50 {
        assert_eq!(viewer.receive_json().await["seq"], step);
        viewer.ack("BTCUSDT", step).await;
        world.publish("BTCUSDT", &[(100, step + 1, 0)], 120);
    }
    assert_eq!(world.hub.metrics.client_errors_total(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_acknowledgement_of_a_state_is_free_however_late() {
    let world = World::new(SessionSettings { messages_per_second: 1, ..settings() }).await;
    world.publish("BTCUSDT", &[(100, 1, 0)], 120);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    for step in 1..=50 {
        assert_eq!(viewer.receive_json().await["seq"], step);
        if step < 50 {
            world.publish("BTCUSDT", &[(100, step + 1, 0)], 120);
        }
    }
    // All but the last two were followed by newer ones before they were acknowledged.
    for step in 1..=50 {
        viewer.ack("BTCUSDT", step).await;
    }
    world.publish("BTCUSDT", &[(100, 51, 0)], 120);
    assert_eq!(viewer.receive_json().await["seq"], 51, "and nothing else was said");
    assert_eq!(world.hub.metrics.client_errors_total(), 0);
    let again = json!({"action": "ack", "symbol": "BTCUSDT", "seq": 50}).to_string();
    for _ in 0..200 {
        if !viewer.try_send(Message::text(again.clone())).await {
            break;
        }
    }
    assert_eq!(viewer.close_code().await, 4102, "a flood of the same one is a flood");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_symbols_of_a_connection_are_limited() {
    let world = World::new(SessionSettings { subscriptions_max: 1, ..settings() }).await;
    world.publish("BTCUSDT", &[(100, 1, 0)], 120);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT", "ETHUSDT"]})).await;
    let refused = viewer.receive_json().await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("RATE_LIMITED")));
    assert!(refused["message"].as_str().unwrap().contains("At most 1 symbols"), "{refused}");
    assert_eq!(viewer.receive_json().await["symbol"], "BTCUSDT", "the first is followed");
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta"})).await;
    assert_eq!(viewer.receive_json().await["type"], "snapshot", "again, otherwise, is no second one");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_follows_nothing_is_closed() {
    let world = World::new(SessionSettings { subscribe_within: SHORT, ..settings() }).await;
    world.publish("BTCUSDT", &[(100, 1, 0)], 120);
    let mut idle = world.connect().await;
    let mut busy = world.connect().await;
    busy.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    assert_eq!(busy.receive_json().await["type"], "snapshot");
    assert_eq!(idle.close_code().await, 4103);
    busy.send_json(json!({"action": "ping"})).await;
    assert_eq!(busy.receive_json().await["type"], "pong", "the other one stays");
    busy.send_json(json!({"action": "unsubscribe", "symbols": ["BTCUSDT"]})).await;
    assert_eq!(busy.close_code().await, 4103);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_runs_out_ends_the_connection() {
    let world = World::new(settings()).await;
    let local = std::net::Ipv4Addr::LOCALHOST.into();
    let connection = Connection {
        grant: Grant { expires_at: Some(Instant::now() + SHORT), ..Grant::default() },
        ..Connection::plain(local)
    };
    let mut viewer = world.connect_as(connection).await;
    assert_eq!(viewer.close_code().await, 1008);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_not_heard_for_long_is_warned_first() {
    let world = World::new(SessionSettings { silent_after: Duration::from_millis(300), ..settings() }).await;
    let mut viewer = world.connect().await;
    let warning = viewer.receive_json().await;
    assert_eq!((&warning["type"], &warning["code"]), (&json!("warning"), &json!("CONNECTION_UNSTABLE")));
    viewer.send_json(json!({"action": "ping"})).await;
    assert_eq!(viewer.receive_json().await["type"], "pong");
    assert_eq!(viewer.receive_json().await["code"], "CONNECTION_UNSTABLE", "quiet again");
    assert_eq!(viewer.close_code().await, 4100);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_big_ends_the_connection() {
    let world = World::new(settings()).await;
    for (message, code) in [(Message::text("x".repeat(4_097)), 1009), (Message::binary(vec![1]), 1003)] {
        let mut viewer = world.connect().await;
        viewer.send(message).await;
        assert_eq!(viewer.close_code().await, code);
    }
    let hub = std::sync::Arc::clone(&world.hub);
    world.end().await;
    assert_eq!(hub.metrics.closes(), [(1003, 1), (1009, 1)]);
}

/// Half of the clients break off in the middle of everything; nothing of them is left.
#[tokio::test(flavor = "multi_thread")]
async fn broken_connections_leave_nothing_behind() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(100, 1, 0)], 120);
    let mut kept = Vec::new();
    for number in 0..10 {
        let mut viewer = world.connect().await;
        viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT", "ETHUSDT"]})).await;
        if number % 2 == 0 {
            kept.push(viewer);
        }
    }
    for step in 2..20 {
        world.publish("BTCUSDT", &[(100, step, 0)], 120);
    }
    for viewer in &mut kept {
        while viewer.receive_json().await["seq"] != 19 {}
    }
    let slot = world.hub.slot("BTCUSDT").unwrap();
    until("subscriptions of the closed are removed", || slot.subscriptions() <= 5).await;
    world.end().await;
}
