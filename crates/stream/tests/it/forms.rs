//! The forms in which a state travels: binary, compressed, in part, acknowledged, resumed. All lead to the same
//! state.

use std::collections::BTreeMap;

use liqheat_market::Price;
use liqheat_stream::{Connection, Encoding, inflate};
use liqheat_wire::{Cell, StateHash, decode_state};
use serde_json::{Value, json};
use tungstenite::protocol::Message;

use crate::world::{Viewer, World, settings, update};

const LOCAL: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn many(step: u64) -> Vec<(i64, u64, u64)> {
    (0..200).map(|p| (1_000 + p, if p < 20 { 10 + step } else { 10 + p as u64 % 3 }, 0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_states_come_in_binary_messages_and_the_rest_in_text() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &many(0), 1_100);
    let connection = Connection { encoding: Encoding::Binary, ..Connection::plain(LOCAL) };
    let mut viewer = world.connect_as(connection.clone()).await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta"})).await;
    let mut state: BTreeMap<Price, Cell> = BTreeMap::new();
    for step in 0..4 {
        if step > 0 {
            world.publish("BTCUSDT", &many(step)[step as usize..], 1_100);
        }
        let Message::Binary(bytes) = viewer.receive().await else { panic!("a state in text") };
        let read = decode_state(&bytes).unwrap();
        assert_eq!((read.from, read.seq), ((step > 0).then_some(step), step + 1));
        for cell in read.cells {
            match cell.is_empty() {
                true => state.remove(&cell.price),
                false => state.insert(cell.price, cell),
            };
        }
        assert_eq!(StateHash::of(state.values()), read.hash);
        let published = update(&many(step)[step as usize..], 0).cells;
        assert_eq!(state.values().copied().collect::<Vec<_>>(), published);
    }
    viewer.send_json(json!({"action": "ping"})).await;
    assert_eq!(viewer.receive_json().await["type"], "pong");
    world.end().await;
}

/// The client library that is used here knows no compression, so frames are read by hand.
#[tokio::test(flavor = "multi_thread")]
async fn compressed_states_are_made_once_and_read_by_all() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &many(0), 1_100);
    let connection = Connection { deflate: true, ..Connection::plain(LOCAL) };
    let mut frames = Vec::new();
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let mut viewer = world.connect_as(connection.clone()).await;
        viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
        frames.push(viewer.raw_frame().await);
        viewers.push(viewer);
    }
    assert_eq!(frames[0].0, 0xC1, "final, compressed, text");
    assert!(frames.iter().all(|frame| frame == &frames[0]), "everyone gets the same bytes");
    let text = inflate(&frames[0].1, 1 << 20).unwrap();
    assert!(text.len() > 4 * frames[0].1.len(), "{} to {}", text.len(), frames[0].1.len());
    let message: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(message["data"]["levels"].as_array().unwrap().len(), 200);
    let hub = std::sync::Arc::clone(&world.hub);
    world.end().await;
    assert_eq!(hub.metrics.states_made_and_sent(), (1, 3), "made once, sent three times");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_shows_a_part_in_taller_levels() {
    let world = World::new(settings()).await;
    let levels = [(95, 7, 7), (100, 1, 0), (104, 2, 0), (105, 4, 0), (109, 8, 1), (110, 16, 0), (200, 32, 0)];
    world.publish("BTCUSDT", &levels, 120);
    let mut viewer = world.connect().await;
    let subscribe = json!({"action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta", "price_range": [99, 112], "bin": 5});
    viewer.send_json(subscribe.clone()).await;
    let expect = |rows: &[(i64, u64, u64)]| -> Vec<Value> {
        let row = |(price, long, short): &(i64, u64, u64)| json!({"price": price, "long_density": long, "short_density": short});
        rows.iter().map(row).collect()
    };
    let seen = viewer.receive_json().await;
    let rows = [(95, 7, 7), (100, 3, 0), (105, 12, 1), (110, 16, 0)];
    assert_eq!(seen["data"]["levels"], json!(expect(&rows)), "whole levels, summed");
    assert_eq!(seen["hash"], StateHash::of(&update(&rows, 0).cells).to_string(), "of what is seen");
    world.publish("BTCUSDT", &[(95, 7, 7), (100, 1, 0), (104, 2, 0), (105, 4, 0), (200, 99, 0)], 120);
    let seen = viewer.receive_json().await;
    assert_eq!((&seen["type"], &seen["from"]), (&json!("delta"), &json!(1)));
    assert_eq!(seen["data"]["levels"], json!(expect(&[(105, 4, 0), (110, 0, 0)])));
    let mut wrong = subscribe;
    wrong["bin"] = json!(2.5);
    viewer.send_json(wrong).await;
    let refused = viewer.receive_json().await;
    assert_eq!(refused["code"], "INVALID_MESSAGE");
    assert!(refused["message"].as_str().unwrap().contains("multiple of 1"), "{refused}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_acknowledges_is_sent_two_states_ahead_at_most() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(100, 1, 0)], 120);
    let mut viewer = world.connect().await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"]})).await;
    assert_eq!(viewer.receive_json().await["seq"], 1);
    viewer.ack("BTCUSDT", 1).await;
    // Messages are read in order: the acknowledgement counts before anything else is published.
    viewer.send_json(json!({"action": "ping"})).await;
    assert_eq!(viewer.receive_json().await["type"], "pong");
    for step in 2..=9 {
        world.publish("BTCUSDT", &[(100, step, 0)], 120);
        if step <= 3 {
            assert_eq!(viewer.receive_json().await["seq"], step, "two may be on their way");
        }
    }
    viewer.send_json(json!({"action": "ping"})).await;
    assert_eq!(viewer.receive_json().await["type"], "pong", "and not a third");
    viewer.ack("BTCUSDT", 3).await;
    let newest = viewer.receive_json().await;
    assert_eq!((&newest["seq"], &newest["type"]), (&json!(9), &json!("snapshot")), "then the newest");
    assert!(world.hub.metrics.credit_waits.get() > 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_goes_on_from_where_it_was() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &many(0), 1_100);
    world.publish("BTCUSDT", &many(0)[1..], 1_100);
    let resume = |epoch: &str, seq: u64| {
        json!({"action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta",
               "resume": {"BTCUSDT": {"epoch": epoch, "seq": seq}}})
    };
    let answer = async |epoch, seq| {
        let mut viewer: Viewer = world.connect().await;
        viewer.send_json(resume(epoch, seq)).await;
        viewer.receive_json().await
    };
    let delta = answer("e1", 1).await;
    assert_eq!((&delta["type"], &delta["from"], &delta["seq"]), (&json!("delta"), &json!(1), &json!(2)));
    assert_eq!(delta["data"]["levels"].as_array().unwrap().len(), 1);
    let status = answer("e1", 2).await;
    assert_eq!((&status["type"], &status["seq"]), (&json!("status"), &json!(2)), "it has the newest");
    assert_eq!(answer("e1", 7).await["type"], "snapshot", "a position from nowhere");
    assert_eq!(answer("e0", 2).await["type"], "snapshot", "another epoch");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_mismatch_is_counted_and_answered_by_the_whole() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(100, 1, 0)], 120);
    let mut viewer = world.connect().await;
    let report = json!({"action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta",
                        "mismatch": {"BTCUSDT": {"epoch": "e1", "seq": 1, "hash": "00"}, "NOPE": {"epoch": "x", "seq": 1}}});
    viewer.send_json(report).await;
    assert_eq!(viewer.receive_json().await["type"], "snapshot");
    assert_eq!(world.hub.metrics.hash_mismatches.get(), 1);
    world.end().await;
}
