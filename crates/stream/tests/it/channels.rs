//! Channels beside the heatmap, from the client's side.

use std::sync::Arc;
use std::time::Duration;

use liqheat_stream::{Access, Connection, Encoding, Grant, RenewTokens, SessionSettings};
use liqheat_wire::Channel;
use serde_json::{Value, json};
use tungstenite::protocol::Message;

use crate::world::{World, settings, until};

const LOCAL: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn usd(message: &Value) -> Vec<u64> {
    message["data"].as_array().unwrap().iter().map(|row| row["usd"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_followed_beside_the_heatmap_or_without_it() {
    let world = World::new(settings()).await;
    world.publish("BTCUSDT", &[(100, 5, 0)], 120);
    world.put("BTCUSDT", Channel::Price, 7);
    world.liquidate("BTCUSDT", &[]);
    let mut viewer = world.connect().await;
    let channels = ["heatmap", "price", "liquidations", "dance"];
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"], "channels": channels})).await;
    let refused = viewer.receive_json().await;
    assert_eq!(refused["code"], "INVALID_CHANNEL");
    assert!(refused["message"].as_str().unwrap().contains("'dance'"), "{refused}");
    assert_eq!(viewer.receive_json().await["type"], "snapshot");
    let price = viewer.receive_json().await;
    assert_eq!(
        (&price["type"], &price["symbol"], &price["data"]),
        (&json!("price"), &json!("BTCUSDT"), &json!(7))
    );
    let nothing_yet = viewer.receive_json().await;
    assert_eq!((&nothing_yet["type"], &nothing_yet["data"]), (&json!("liquidations"), &json!([])));
    world.put("BTCUSDT", Channel::Price, 8);
    assert_eq!(viewer.receive_json().await["data"], 8);
    world.liquidate("BTCUSDT", &[10, 20]);
    let liquidations = viewer.receive_json().await;
    assert_eq!((usd(&liquidations), &liquidations["seq"]), (vec![10, 20], &json!(2)));
    // Nothing of the channel that is not followed.
    world.put("BTCUSDT", Channel::Walls, 1);
    viewer
        .send_json(json!({"action": "unsubscribe", "symbols": ["BTCUSDT"], "channels": ["price", "heatmap"]}))
        .await;
    viewer.send_json(json!({"action": "ping"})).await;
    assert_eq!(viewer.receive_json().await["type"], "pong", "the messages before were acted on");
    world.publish("BTCUSDT", &[(100, 6, 0)], 120);
    world.put("BTCUSDT", Channel::Price, 9);
    world.liquidate("BTCUSDT", &[30]);
    assert_eq!(usd(&viewer.receive_json().await), [30]);
    // Whoever follows channels only gets the status as well.
    world.hub.slot("BTCUSDT").unwrap().set_feed(liqheat_wire::FeedState::Stale, None);
    let status = viewer.receive_json().await;
    assert_eq!((&status["type"], &status["state"]), (&json!("status"), &json!("stale")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_resumes_a_channel_and_filters_it() {
    let world = World::new(settings()).await;
    world.liquidate("BTCUSDT", &[]);
    let mut viewer = world.connect().await;
    let subscribe = json!({"action": "subscribe", "symbols": ["BTCUSDT"], "channels": ["liquidations"], "min_usd": 50, "id": "a"});
    viewer.send_json(subscribe.clone()).await;
    let first = viewer.receive_json().await;
    world.liquidate("BTCUSDT", &[10]);
    world.liquidate("BTCUSDT", &[60, 40]);
    let second = viewer.receive_json().await;
    assert_eq!((usd(&second), &second["id"], &second["seq"]), (vec![60], &json!("a"), &json!(3)));
    world.liquidate("BTCUSDT", &[70]);
    assert_eq!(usd(&viewer.receive_json().await), [70]);
    drop(viewer);
    world.liquidate("BTCUSDT", &[80, 5]);
    let mut again = world.connect().await;
    let mut resume = subscribe.clone();
    resume["resume"] = json!({"liquidations:BTCUSDT": {"epoch": second["epoch"], "seq": second["seq"]}});
    again.send_json(resume).await;
    let resumed = again.receive_json().await;
    assert_eq!((usd(&resumed), resumed.get("reset")), (vec![70, 80], None));
    let mut lost = world.connect().await;
    let mut resume = subscribe;
    resume["resume"] = json!({"liquidations:BTCUSDT": {"epoch": "earlier", "seq": first["seq"]}});
    lost.send_json(resume).await;
    let reset = lost.receive_json().await;
    assert_eq!((usd(&reset), &reset["reset"]), (vec![60, 70, 80], &json!(true)));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_and_binary_connections_get_the_same_text() {
    let world = World::new(settings()).await;
    world.put("BTCUSDT", Channel::Walls, 7);
    let deflated = Connection { deflate: true, ..Connection::plain(LOCAL) };
    let mut viewer = world.connect_as(deflated).await;
    for id in [None, Some("x")] {
        viewer
            .send_json(
                json!({"action": "subscribe", "symbols": ["BTCUSDT"], "channels": ["walls"], "id": id}),
            )
            .await;
        let (_, payload) = viewer.raw_frame().await;
        let message: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!((&message["data"], message.get("id")), (&json!(7), id.map(|id| json!(id)).as_ref()));
    }
    let binary = Connection { encoding: Encoding::Binary, ..Connection::plain(LOCAL) };
    let mut viewer = world.connect_as(binary).await;
    viewer.send_json(json!({"action": "subscribe", "symbols": ["BTCUSDT"], "channels": ["walls"]})).await;
    assert!(matches!(viewer.receive().await, Message::Text(text) if text.contains("walls")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_gets_the_newest_value_and_all_rows_in_one_message() {
    // Slow is whoever lets a write wait at all.
    let world = World::new(SessionSettings { slow_after: Duration::ZERO, ..settings() }).await;
    world.put("BTCUSDT", Channel::Price, 0);
    world.liquidate("BTCUSDT", &[]);
    let mut viewer = world.connect().await;
    viewer
        .send_json(
            json!({"action": "subscribe", "symbols": ["BTCUSDT"], "channels": ["price", "liquidations"]}),
        )
        .await;
    viewer.receive_json().await;
    viewer.receive_json().await;
    // Large values fill the socket until a write has to wait.
    let pad = "x".repeat(200_000);
    let slot = world.hub.slot("BTCUSDT").unwrap();
    let mut published = 0;
    let mut publish = || {
        published += 1;
        let value = liqheat_stream::ChannelContent::Latest(format!("[{published},\"{pad}\"]").into());
        slot.publish_channel(Channel::Price, liqheat_market::UnixMs(0), value);
        world.liquidate("BTCUSDT", &[published]);
    };
    until("a write has to wait", || {
        publish();
        world.hub.metrics.slow_consumers.get() > 0
    })
    .await;
    // It takes nothing now, so of these only the last value is ever made for it.
    (0..5).for_each(|_| publish());
    let (mut values, mut rows) = (Vec::new(), Vec::new());
    while rows.last() != Some(&published) || values.last() != Some(&published) {
        let message = viewer.receive_json().await;
        match message["type"].as_str().unwrap() {
            "price" => values.push(message["data"][0].as_u64().unwrap()),
            "liquidations" => {
                let missed = message["missed"].as_u64().unwrap_or(0);
                rows.extend(std::iter::repeat_n(0, missed as usize));
                rows.extend(usd(&message));
            }
            "warning" => assert_eq!(message["code"], "SLOW_CONSUMER"),
            other => panic!("{other}"),
        }
    }
    assert!((values.len() as u64) < published, "values were skipped: {} of {published}", values.len());
    assert!(values.is_sorted_by(|a, b| a < b));
    assert_eq!(rows.len() as u64, published, "every row came, or was counted as missed");
    world.end().await;
}

#[derive(Debug)]
struct Renewal;

impl RenewTokens for Renewal {
    fn renew(&self, token: &str) -> Result<Grant, String> {
        match token {
            "prices" => {
                let access = Access { channels: Some([Channel::Price].into()), ..Access::default() };
                Ok(Grant { access: Arc::new(access), ..Grant::default() })
            }
            _ => Err("the token is not a JWT".to_owned()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_limits_what_is_read_and_is_renewed_in_place() {
    let world = World::new(settings()).await;
    world.sessions.set_renewal(Arc::new(Renewal));
    world.publish("BTCUSDT", &[(100, 5, 0)], 120);
    world.publish("ETHUSDT", &[(100, 5, 0)], 120);
    world.put("BTCUSDT", Channel::Price, 7);
    let access = Access { symbols: Some(["BTCUSDT".to_owned()].into()), ..Access::default() };
    let grant = Grant { access: Arc::new(access), ..Grant::default() };
    let first = grant.revoked.clone();
    let mut viewer = world.connect_as(Connection { grant, ..Connection::plain(LOCAL) }).await;
    let channels = ["heatmap", "price"];
    viewer
        .send_json(json!({"action": "subscribe", "symbols": ["ETHUSDT", "BTCUSDT"], "channels": channels}))
        .await;
    let refused = [viewer.receive_json().await, viewer.receive_json().await];
    assert!(refused.iter().all(|error| error["code"] == "FORBIDDEN"), "{refused:?}");
    assert_eq!(viewer.receive_json().await["type"], "snapshot");
    assert_eq!(viewer.receive_json().await["type"], "price");
    viewer.send_json(json!({"action": "token", "token": "nonsense"})).await;
    assert_eq!(viewer.receive_json().await["code"], "INVALID_TOKEN");
    viewer.send_json(json!({"action": "token", "token": "prices"})).await;
    let refused = viewer.receive_json().await;
    assert_eq!(refused["code"], "FORBIDDEN");
    assert!(refused["message"].as_str().unwrap().contains("'heatmap'"), "{refused}");
    // The token before counts no longer.
    first.cancel();
    world.publish("BTCUSDT", &[(100, 6, 0)], 120);
    world.put("BTCUSDT", Channel::Price, 8);
    assert_eq!(viewer.receive_json().await["data"], 8);
    viewer.send_json(json!({"action": "subscribe", "symbols": ["ETHUSDT"], "channels": ["price"]})).await;
    viewer.send_json(json!({"action": "ping"})).await;
    let kinds = [viewer.receive_json().await["type"].clone(), viewer.receive_json().await["type"].clone()];
    assert!(kinds.contains(&json!("pong")) && !kinds.contains(&json!("error")), "{kinds:?}");
    world.end().await;
}
