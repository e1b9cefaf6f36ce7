//! Channels beside the heatmap of the built program: prices, liquidations, walls.

use liqheat_testkit::{RunningProgram, Viewer};
use serde_json::{Value, json};

use crate::support::server;

fn demo() -> RunningProgram {
    server("demo --seed 7 --days 1 --ws-update-interval 0.5").serve()
}

fn of_type<'a>(kind: &'a str) -> impl FnMut(&Value) -> bool + 'a {
    move |message| message["type"] == kind
}

fn subscribe(viewer: &mut Viewer, channels: &[&str]) {
    viewer.say(&json!({"action": "subscribe", "symbols": ["BTCUSDT"], "channels": channels}));
}

#[test]
fn prices_move_at_most_once_a_second_with_the_open_candle() {
    let server = demo();
    let mut viewer = server.viewer();
    subscribe(&mut viewer, &["price"]);
    let first = viewer.hear_until(of_type("price"));
    let second = viewer.hear_until(of_type("price"));
    assert_eq!(second["seq"].as_u64(), first["seq"].as_u64().map(|seq| seq + 1));
    assert!(second["timestamp"].as_str() > first["timestamp"].as_str(), "{first} {second}");
    let data = &second["data"];
    assert_eq!(data["venue"], "sim");
    let (last, mark) = (data["last"].as_f64().unwrap(), data["mark"].as_f64().unwrap());
    assert!((last / mark - 1.0).abs() < 0.05, "{data}");
    let mut candles = (0..20).map(|_| viewer.hear_until(of_type("price"))["data"]["candle"].clone());
    let candle = candles.find(|candle| !candle.is_null()).expect("the open candle");
    let field = |name: &str| candle[name].as_f64().unwrap();
    assert!(field("low") <= field("open") && field("open") <= field("high"), "{candle}");
    assert!(field("low") <= field("close") && field("close") <= field("high"), "{candle}");
    assert!(field("volume") > 0.0, "{candle}");
    let stats = server.get("/metrics").text();
    assert!(stats.contains("ws_channel_subscriptions{channel=\"price\"} 1"), "{stats}");
}

#[test]
fn walls_are_what_the_route_answers() {
    let server = demo();
    let mut viewer = server.viewer();
    subscribe(&mut viewer, &["walls"]);
    let walls = viewer.hear_until(of_type("walls"));
    let data = &walls["data"];
    assert_eq!(data["symbol"], "BTCUSDT");
    let rows = data["walls"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.len() <= 10, "{walls}");
    let route = server.get("/v1/walls?symbol=BTCUSDT").json();
    assert!(rows[0]["expected_usd_1h"].is_u64(), "{walls}");
    let fields = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(data), fields(&route));
    assert_eq!(fields(&rows[0]), fields(&route["walls"][0]));
    // The market moves on, and the walls with it.
    let next = viewer.hear_until(of_type("walls"));
    assert!(next["seq"].as_u64() > walls["seq"].as_u64() && next["data"] != walls["data"]);
}

#[test]
fn liquidations_come_as_they_happen_and_resume_without_a_gap() {
    let server = demo();
    let mut viewer = server.viewer();
    subscribe(&mut viewer, &["liquidations"]);
    let mut at = viewer.hear_until(of_type("liquidations"));
    assert_eq!(at["data"], json!([]), "from now on");
    let mut rows: Vec<Value> = Vec::new();
    let mut connections = 0;
    while rows.len() < 5 || connections < 2 {
        if !rows.is_empty() && connections < 2 {
            connections += 1;
            viewer = server.viewer();
            let position = json!({"epoch": at["epoch"], "seq": at["seq"]});
            viewer.say(&json!({
                "action": "subscribe", "symbols": ["BTCUSDT"], "channels": ["liquidations"],
                "resume": {"liquidations:BTCUSDT": position},
            }));
        }
        let message = viewer.hear_until(of_type("liquidations"));
        assert_eq!((message.get("reset"), message.get("missed")), (None, None), "{message}");
        let new = message["data"].as_array().unwrap();
        assert_eq!(message["seq"].as_u64(), Some(at["seq"].as_u64().unwrap() + new.len() as u64));
        rows.extend(new.iter().cloned());
        at = message;
    }
    // They are those of the route, in the same words.
    let route = server.get("/v1/liquidations?symbol=BTCUSDT&limit=10000").json();
    let known = route["data"].as_array().unwrap();
    let from = known.iter().position(|row| *row == rows[0]).expect("the first one is stored");
    assert_eq!(&known[from..from + rows.len()], rows.as_slice());
}

#[test]
fn mistakes_are_named() {
    let server = demo();
    let mut viewer = server.viewer();
    subscribe(&mut viewer, &["alerts?"]);
    let error = viewer.hear_until(of_type("error"));
    assert_eq!(error["code"], "INVALID_CHANNEL");
    assert!(error["message"].as_str().unwrap().contains("heatmap, price, liquidations, walls"), "{error}");
    viewer.say(&json!({"action": "token", "token": "a.b.c"}));
    assert_eq!(viewer.hear_until(of_type("error"))["code"], "INVALID_TOKEN");
}
