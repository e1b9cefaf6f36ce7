//! `/ws/heatmap` of the built program, seen from the client.

use std::path::PathBuf;

use liqheat_testkit::{Folder, RunningProgram, Viewer, until};
use serde_json::json;

use crate::support::{hash_of, loaded, server};

fn serve(arguments: &str) -> (Folder, PathBuf, RunningProgram) {
    let (folder, db) = loaded(3);
    let server = server(arguments).arg("--db").arg(&db).serve();
    (folder, db, server)
}

#[test]
fn a_subscription_is_answered_by_the_state() {
    let (_folder, _db, server) = serve("serve");
    let mut viewer = server.viewer();
    viewer.say(&json!({"action": "subscribe", "symbols": ["BTCUSDT"], "update_interval": 60, "later": true}));
    let snapshot = viewer.hear_until(|message| message["type"] != "status");
    let fields = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&snapshot), ["data", "epoch", "hash", "seq", "symbol", "timestamp", "type"]);
    assert_eq!(
        fields(&snapshot["data"]),
        ["current_price", "levels", "positions_consumed", "positions_created"]
    );
    assert_eq!((&snapshot["type"], &snapshot["symbol"]), (&json!("snapshot"), &json!("BTCUSDT")));
    assert_eq!(snapshot["timestamp"], "2025-08-28T00:00:00Z");
    assert_eq!(snapshot["hash"], hash_of(&snapshot), "the hash is that of the levels");
    assert!(snapshot["epoch"].is_string() && snapshot["seq"].as_u64() >= Some(1), "{snapshot}");

    let levels = snapshot["data"]["levels"].as_array().unwrap();
    assert_eq!(fields(&levels[0]), ["long_density", "price", "short_density"]);
    let price = |level: &serde_json::Value| level["price"].as_f64().unwrap();
    assert!(levels.is_sorted_by(|a, b| price(a) < price(b)), "ascending");
    let current = snapshot["data"]["current_price"].as_f64().unwrap();
    for level in levels {
        let (long, short) =
            (level["long_density"].as_u64().unwrap(), level["short_density"].as_u64().unwrap());
        assert!(long + short > 0, "only levels with mass: {level}");
        assert!(long == 0 || price(level) <= current, "longs lie below the price: {level}");
        assert!(short == 0 || price(level) + 100.0 > current, "shorts lie above the price: {level}");
    }

    // Again on the same connection: the state again, for that is what was asked for.
    viewer.subscribe("BTCUSDT");
    let again = viewer.hear_until(|message| message["type"] == "snapshot");
    assert_eq!(again["hash"], snapshot["hash"]);
}

#[test]
fn nothing_changed_is_nothing_sent() {
    let (_folder, _db, server) = serve("serve --ws-update-interval 0.1");
    let (mut viewer, _) = server.viewer_of("BTCUSDT");
    // The word on how the data stands comes with the turn that made the state.
    let turns = || server.get("/ws/stats").json()["updates"].as_u64().unwrap();
    let settled = turns() + 1;
    until("the turn is over", || (turns() > settled).then_some(()));
    viewer.say(&json!({"action": "ping"}));
    viewer.hear_until(|message| message["type"] == "pong");
    let before = turns();
    until("five turns", || (turns() >= before + 5).then_some(()));
    viewer.say(&json!({"action": "ping"}));
    assert_eq!(viewer.hear()["type"], "pong", "five updates without a change");
    let stats = server.get("/ws/stats").json();
    assert_eq!((&stats["boards"]["BTCUSDT"]["seq"], &stats["updates_failed"]), (&json!(1), &json!(0)));
}

#[test]
fn mistakes_are_named_and_the_connection_goes_on() {
    let (_folder, _db, server) = serve("serve");
    let mut viewer = server.viewer();
    viewer.say(&json!({"action": "subscribe", "symbols": ["XYZUSDT", "BTCUSDT"]}));
    assert_eq!(
        viewer.hear_until(|message| message["type"] == "error"),
        json!({
            "type": "error", "code": "INVALID_SYMBOL",
            "message": "Symbol 'XYZUSDT' not supported. Valid: BTCUSDT"
        })
    );
    let snapshot = viewer.hear_until(|message| message["type"] == "snapshot");
    assert_eq!(snapshot["symbol"], "BTCUSDT", "the good part of a message is done");
    viewer.say(&json!({"action": "unsubscribe", "symbols": ["BTCUSDT"]}));
    for (text, code) in [
        (r#"{"action":"dance"}"#, "INVALID_ACTION"),
        ("{", "INVALID_MESSAGE"),
        (r#"{"action":"subscribe","symbols":[]}"#, "INVALID_MESSAGE"),
        (r#"{"action":"unsubscribe","symbols":["XYZUSDT"]}"#, "INVALID_SYMBOL"),
    ] {
        viewer.say_text(text);
        let error = viewer.hear_until(|message| message["type"] != "status");
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{text}");
    }
    viewer.say(&json!({"action": "ping"}));
    let pong = viewer.hear();
    assert_eq!(pong["type"], "pong");
    assert!(liqheat_wire::parse_time(pong["timestamp"].as_str().unwrap()).is_ok());
    let stats = server.get("/ws/stats").json();
    assert_eq!(stats["subscriptions_by_symbol"]["BTCUSDT"], 0, "unsubscribed");
    assert_eq!(stats["active_connections"], 1);
    drop(viewer);
    until("the place is free again", || {
        (server.get("/ws/stats").json()["active_connections"] == 0).then_some(())
    });
}

#[test]
fn a_message_too_large_is_refused_by_its_code() {
    let (_folder, _db, server) = serve("serve");
    let mut viewer = server.viewer();
    viewer.say_text(&format!(r#"{{"action":"ping","filler":"{}"}}"#, "x".repeat(70_000)));
    assert_eq!(viewer.closed().code, 1009);
}

#[test]
fn pages_of_elsewhere_are_refused() {
    let (_folder, _db, server) = serve("serve --allowed-origins https://charts.example");
    let address = server.address();
    let from =
        |origin: &str| Viewer::connect(address, &[("Origin", origin)]).err().map(|answer| answer.status);
    assert_eq!(from("https://evil.example"), Some(403));
    assert_eq!(from("null"), Some(403));
    assert_eq!(from(&format!("http://{address}")), None);
    assert_eq!(from("https://charts.example"), None);
}

#[test]
fn connections_above_the_limit_are_refused_with_a_retry_time() {
    let (_folder, _db, server) = serve("serve --ws-max-connections 1");
    let first = server.viewer();
    let refused = Viewer::connect(server.address(), &[]).unwrap_err();
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true));
    drop(first);
    until("the place is free again", || Viewer::connect(server.address(), &[]).ok());
}
