//! Log lines about clients, as a machine reads them: one JSON object a line, with the fields that dashboards go by.

use liqheat_testkit::Viewer;
use serde_json::{Value, json};

use crate::support::server;

const CLIENT: &str = "192.0.2.7";

/// The first line of an event, waited for.
#[track_caller]
fn line(server: &liqheat_testkit::Running, event: &str) -> Value {
    let line = server.wait_for_log(&format!("\"event\":\"{event}\""));
    serde_json::from_str(&line).unwrap()
}

#[test]
fn every_line_about_a_client_says_who_and_how_many() {
    let server = server(
        "demo --seed 7 --days 1 --ws-update-interval 0.2 --log-format json --log info,liqheat_stream=debug",
    )
    .serve();
    // The machine itself is a trusted proxy.
    let mut viewer = Viewer::connect(server.address(), &[("X-Forwarded-For", CLIENT)]).unwrap();
    viewer.subscribe("BTCUSDT");
    viewer.hear_until(|message| message["type"] == "snapshot");
    viewer.say(&json!({ "action": "dance" }));
    viewer.hear_until(|message| message["type"] == "error");
    viewer.say(&json!({ "action": "unsubscribe", "symbols": ["BTCUSDT"] }));
    for (event, level) in
        [("ws_connect", "INFO"), ("ws_subscribe", "INFO"), ("ws_error", "DEBUG"), ("ws_unsubscribe", "INFO")]
    {
        let line = line(&server, event);
        assert_eq!((&line["level"], &line["client_ip"]), (&json!(level), &json!(CLIENT)), "{line}");
        assert_eq!(line["active_connections"], 1, "{line}");
        let has_symbol = event.ends_with("subscribe");
        assert_eq!(line["symbol"].as_str(), has_symbol.then_some("BTCUSDT"), "{line}");
    }
    let broadcast = line(&server, "ws_broadcast");
    assert_eq!(
        (&broadcast["level"], &broadcast["symbol"]),
        (&json!("DEBUG"), &json!("BTCUSDT")),
        "{broadcast}"
    );
    assert!(broadcast["active_connections"].is_u64(), "{broadcast}");
    drop(viewer);
    let gone = line(&server, "ws_disconnect");
    assert_eq!((&gone["client_ip"], &gone["active_connections"]), (&json!(CLIENT), &json!(0)), "{gone}");
}

#[test]
fn who_is_no_trusted_proxy_names_nobody() {
    let server = server("demo --seed 7 --days 1 --log-format json --trusted-proxies none").serve();
    let _viewer = Viewer::connect(server.address(), &[("X-Forwarded-For", CLIENT)]).unwrap();
    assert_eq!(line(&server, "ws_connect")["client_ip"], "127.0.0.1");
}
