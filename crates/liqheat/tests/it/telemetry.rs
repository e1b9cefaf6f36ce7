//! `/metrics` of the built program, as a scraper sees it.

use std::collections::BTreeMap;

use liqheat_testkit::{RunningProgram, Viewer, until};

use crate::support::{loaded, server};

/// Every sample, by name with labels.
fn samples(server: &RunningProgram) -> BTreeMap<String, f64> {
    let answer = server.get("/metrics");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

#[test]
fn what_is_counted_can_be_scraped() {
    let (_folder, db) = loaded(2);
    let server = server("serve --ws-update-interval 0.2 --ws-max-connections 1 --db").arg(db).serve();
    let (_viewer, _) = server.viewer_of("BTCUSDT");
    assert!(Viewer::connect(server.address(), &[]).is_err());
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.get("/prices/klines").status, 422);
    // A state may be out before its turn is counted.
    until("a turn is counted", || (samples(&server)["liqheat_updates_total"] >= 1.0).then_some(()));
    let before = samples(&server);
    for (name, least) in [
        ("ws_active_connections{symbol=\"BTCUSDT\"}", 1.0),
        ("ws_messages_sent_total{symbol=\"BTCUSDT\"}", 1.0),
        ("ws_broadcast_duration_seconds_count{symbol=\"BTCUSDT\"}", 1.0),
        ("ws_connections{encoding=\"json\",compression=\"none\"}", 1.0),
        ("liqheat_updates_total", 1.0),
        ("liqheat_update_duration_seconds_count", 1.0),
        ("liqheat_bars_total", 500.0),
        ("liqheat_board_seq{symbol=\"BTCUSDT\"}", 1.0),
        ("liqheat_board_levels{symbol=\"BTCUSDT\"}", 10.0),
        ("liqheat_market_time_seconds{symbol=\"BTCUSDT\"}", 1.756e9),
        ("liqheat_store_commands_total", 1.0),
        ("liqheat_store_busy_seconds_total", 1e-6),
        ("liqheat_uptime_seconds", 1e-3),
        ("liqheat_http_requests_total{route=\"other\",status=\"4xx\"}", 1.0),
        ("liqheat_http_requests_total{route=\"/prices/klines\",status=\"4xx\"}", 1.0),
        ("liqheat_http_requests_total{route=\"/ws/heatmap\",status=\"1xx\"}", 1.0),
        ("liqheat_http_requests_total{route=\"/ws/heatmap\",status=\"5xx\"}", 1.0),
    ] {
        assert!(before.get(name).is_some_and(|value| *value >= least), "{name}: {before:#?}");
    }
    for (name, value) in [
        ("ws_slow_consumers_total{symbol=\"BTCUSDT\"}", 0.0),
        ("liqheat_updates_failed_total", 0.0),
        ("liqheat_invariants_broken_total", 0.0),
        ("liqheat_store_failures_total", 0.0),
        ("liqheat_upgrades_rejected_total{reason=\"connections\"}", 1.0),
        ("liqheat_upgrades_rejected_total{reason=\"origin\"}", 0.0),
        ("liqheat_feed_state{symbol=\"BTCUSDT\",state=\"stale\"}", 1.0),
        ("liqheat_feed_state{symbol=\"BTCUSDT\",state=\"live\"}", 0.0),
    ] {
        assert_eq!(before.get(name), Some(&value), "{name}: {before:#?}");
    }
    let version = format!("liqheat_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(before.get(&version), Some(&1.0), "{before:#?}");
    if cfg!(target_os = "linux") {
        assert!(before["process_resident_memory_bytes"] > 1e6 && before["process_open_fds"] > 3.0);
    }
    let turns = before["liqheat_updates_total"];
    until("turns are counted", || (samples(&server)["liqheat_updates_total"] > turns + 2.0).then_some(()));
}

#[test]
fn metrics_can_have_a_listener_of_their_own() {
    let folder = liqheat_testkit::Folder::new();
    let db = folder.path("empty.duckdb");
    let server = server("serve --metrics-listen 127.0.0.1:0 --db").arg(db).serve();
    let line = server.wait_for_log("metrics listening");
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let address: std::net::SocketAddr = address.parse().unwrap();
    for path in ["/metrics", "/ws/stats"] {
        let refused = server.get(path);
        assert_eq!(refused.status, 404, "{path}");
        assert!(refused.text().contains("--metrics-listen"), "{}", refused.text());
        assert_eq!(liqheat_testkit::get(address, path).status, 200, "{path}");
    }
    assert!(liqheat_testkit::get(address, "/metrics").text().contains("liqheat_uptime_seconds"));
    assert_eq!(liqheat_testkit::get(address, "/v1/symbols").status, 404);
    assert_eq!(server.get("/ready").status, 503);
}
