//! The expected view of the built program: a state of its own beside that of open positions.

use liqheat_testkit::RunningProgram;
use serde_json::{Value, json};

use crate::support::{await_state, cells, hash_of, server};

fn demo() -> RunningProgram {
    server("demo --seed 7 --days 1 --ws-update-interval 0.5").serve()
}

fn is_state(message: &Value) -> bool {
    message["type"] == "snapshot" || message["type"] == "delta"
}

fn subscribe(view: &str, horizon: Option<&str>, resume: Option<&Value>) -> Value {
    let mut message = json!({"action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta", "view": view});
    if let Some(horizon) = horizon {
        message["horizon"] = json!(horizon);
    }
    if let Some(state) = resume {
        message["resume"] = json!({"BTCUSDT": {"epoch": state["epoch"], "seq": state["seq"]}});
    }
    message
}

#[test]
fn the_views_of_a_symbol_are_never_mixed() {
    let server = demo();
    let mut viewer = server.viewer();
    viewer.say(&subscribe("open", None, None));
    let open = viewer.hear_until(is_state);
    assert_eq!((&open["type"], open.get("expected_within")), (&json!("snapshot"), None));
    // The position of the other view is none of this one, so the answer is whole.
    viewer.say(&subscribe("expected", None, Some(&open)));
    let hour = viewer.hear_until(|message| message["expected_within"] == "1h");
    assert_eq!((&hour["type"], hour_levels(&hour) > 0), (&json!("snapshot"), true), "{hour}");
    assert_eq!(hour["hash"], hash_of(&hour));
    assert_ne!(hour["epoch"], open["epoch"]);
    let total = |state: &Value| -> u64 {
        cells(&state["data"]["levels"]).iter().map(|cell| cell.long_usd + cell.short_usd).sum()
    };
    assert!(total(&hour) < total(&open), "{} of {}", total(&hour), total(&open));
    // From here on the connection brings the expected view only, and its deltas lead from state to state.
    let mut levels = cells(&hour["data"]["levels"]);
    let mut at = hour.clone();
    let mut deltas = 0;
    for _ in 0..6 {
        let next = viewer.hear_until(is_state);
        assert_eq!(next["expected_within"], "1h", "{next}");
        if next["type"] == "delta" {
            assert_eq!(next["from"], at["seq"]);
            deltas += 1;
            for cell in cells(&next["data"]["levels"]) {
                levels.retain(|known| known.price != cell.price);
                levels.push(cell);
            }
        } else {
            levels = cells(&next["data"]["levels"]);
        }
        assert_eq!(next["hash"], liqheat_wire::StateHash::of(&levels).to_string());
        at = next;
    }
    assert!(deltas > 0, "whole states only");
    // Its own position is resumed; that of the other horizon is none.
    let mut again = server.viewer();
    again.say(&subscribe("expected", Some("1h"), Some(&at)));
    let resumed = again.hear_until(is_state);
    // Every level may have changed with the price, and then the answer is whole.
    assert_eq!((&resumed["epoch"], &resumed["expected_within"]), (&at["epoch"], &json!("1h")), "{resumed}");
    match resumed["type"].as_str() {
        Some("delta") => assert_eq!(resumed["from"], at["seq"], "{resumed}"),
        _ => assert_eq!(resumed["hash"], hash_of(&resumed), "{resumed}"),
    }
    again.say(&subscribe("expected", Some("4h"), Some(&resumed)));
    let four = again.hear_until(|message| message["expected_within"] == "4h");
    assert_eq!(four["type"], "snapshot");
    assert_ne!(four["epoch"], resumed["epoch"]);
    again.say(&subscribe("expected", Some("24h"), None));
    let error = again.hear_until(|message| message["type"] == "error");
    assert!(error["message"].as_str().unwrap().contains("a day ahead the map adds nothing"), "{error}");
}

fn hour_levels(state: &Value) -> usize {
    state["data"]["levels"].as_array().unwrap().len()
}

#[test]
fn polling_brings_the_same_view() {
    // No second state while it is asked.
    let server = server("demo --seed 7 --days 1 --ws-enabled false --ws-update-interval 60").serve();
    await_state(&server);
    let state = server.get("/v1/heatmap?symbol=BTCUSDT&view=expected&horizon=4h").json();
    assert_eq!((&state["type"], &state["expected_within"]), (&json!("snapshot"), &json!("4h")), "{state}");
    assert_eq!(state["hash"], hash_of(&state));
    let since = format!("{}:{}", state["epoch"].as_str().unwrap(), state["seq"].as_u64().unwrap());
    let next = server.get(&format!("/v1/heatmap?symbol=BTCUSDT&view=expected&horizon=4h&since={since}"));
    assert_eq!(next.status, 304, "{}", next.text());
    let other = server.get(&format!("/v1/heatmap?symbol=BTCUSDT&view=expected&horizon=1h&since={since}"));
    assert_eq!(other.json()["type"], "snapshot", "a position of the other horizon");
    // The sum over bins is the same whatever their height.
    let base = server.get("/v1/symbols").json()["symbols"][0]["base_bin"].as_f64().unwrap();
    let tall = server
        .get(&format!("/v1/heatmap?symbol=BTCUSDT&view=expected&horizon=4h&bin={}", base * 10.0))
        .json();
    assert_eq!(tall["epoch"], state["epoch"]);
    assert!(hour_levels(&tall) < hour_levels(&state));
    for (query, status, part) in [
        ("view=expected&horizon=24h", 422, "a day ahead the map adds nothing"),
        ("horizon=1h", 400, "belongs to view=expected"),
        ("view=size", 422, "open or expected"),
    ] {
        let refused = server.get(&format!("/v1/heatmap?symbol=BTCUSDT&{query}"));
        assert_eq!(refused.status, status, "{query}");
        assert!(refused.text().contains(part), "{}", refused.text());
    }
    let mut events = server.get("/v1/heatmap?symbol=BTCUSDT").json();
    assert!(events.as_object_mut().unwrap().remove("expected_within").is_none());
}
