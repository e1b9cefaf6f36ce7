//! `GET /v1/stream` of the built program, read as `curl -N` and a browser read it.

use liqheat_testkit::{EventReader, ServerSentEvent, token, until};
use serde_json::json;

use crate::support::server;

const SECRET: &str = "a secret for tests that is long enough to be accepted";

#[test]
fn a_stream_goes_on_where_it_was_and_says_goodbye() {
    let server = server("demo --seed 7 --days 1 --ws-update-interval 0.2").serve();
    let (mut stream, head) = EventReader::open(server.address(), "symbols=BTCUSDT&mode=delta", "");
    assert!(head.starts_with("http/1.1 200 ok\n"), "{head}");
    for line in ["content-type: text/event-stream", "x-accel-buffering: no", "connection: close"] {
        assert!(head.lines().any(|shown| shown == line), "{line}: {head}");
    }
    let first = stream.until("snapshot");
    let position =
        |event: &ServerSentEvent| format!("{}:{}", event.data["epoch"].as_str().unwrap(), event.data["seq"]);
    assert_eq!(first.id, Some(position(&first)));
    let second = stream.until("delta");
    assert_eq!(second.data["from"], first.data["seq"]);
    assert_eq!(second.id, Some(position(&second)));
    drop(stream);
    let id = format!("last-event-id: {}\r\n", second.id.as_deref().unwrap());
    let (mut stream, _) = EventReader::open(server.address(), "symbols=BTCUSDT&mode=delta", &id);
    let resumed = stream.until("delta");
    assert_eq!(resumed.data["from"], second.data["seq"], "nothing twice, nothing left out");
    // It counts as a connection, and ends with the server.
    assert_eq!(server.get("/ws/stats").json()["active_connections"], 1);
    server.signal("TERM");
    let goaway = stream.until("goaway");
    assert!(goaway.data["reconnect_in_ms"].is_u64(), "{goaway:?}");
    assert_eq!(goaway.retry, goaway.data["reconnect_in_ms"].as_u64(), "{goaway:?}");
    assert_eq!(stream.until("close").data["code"], 1012);
    assert!(stream.event().is_none());
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn several_channels_share_a_stream() {
    let server = server("demo --seed 7 --days 1 --ws-update-interval 0.2").serve();
    let query = "symbols=BTCUSDT&channels=heatmap,price,walls,liquidations&last_event_id=-,-,-,-";
    let (mut stream, _) = EventReader::open(server.address(), query, "");
    let mut id = None;
    for name in ["price", "walls", "liquidations", "snapshot"] {
        id = stream.until(name).id;
    }
    assert_eq!(id.unwrap().split(',').filter(|place| place.contains(':')).count(), 4);
}

#[test]
fn what_cannot_be_streamed_is_refused() {
    let server = server("demo --seed 7 --days 1").serve();
    // Which heights of levels are possible is known with the first state.
    until("a state", || (server.get("/v1/heatmap?symbol=BTCUSDT").status == 200).then_some(()));
    for (query, status) in [
        ("", 422),
        ("symbols=XYZ", 400),
        ("symbols=BTCUSDT&channels=dance", 400),
        ("symbols=BTCUSDT&bin=0.3", 400),
        ("symbols=BTCUSDT&min_usd=x", 422),
        ("symbols=BTCUSDT&last_event_id=a:1,b:2", 400),
    ] {
        let answer = server.get(&format!("/v1/stream?{query}"));
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.json()["detail"].is_string(), "{query}");
    }
    let (_, head) =
        EventReader::open(server.address(), "symbols=BTCUSDT", "origin: https://evil.example\r\n");
    assert!(head.starts_with("http/1.1 403"), "{head}");
    assert_eq!(server.get("/ws/stats").json()["active_connections"], 0);
    let off = crate::support::server("demo --seed 7 --days 1 --ws-enabled false").serve();
    assert_eq!(off.get("/v1/stream?symbols=BTCUSDT").status, 503);
}

/// An `EventSource` gives up for good at any status but 200, so it is not refused what it may have later.
#[test]
fn an_event_source_learns_when_to_reconnect() {
    let accept = "accept: text/event-stream\r\n";
    let server = server("demo --seed 7 --days 1 --ws-max-connections 1").serve();
    let (mut first, _) = EventReader::open(server.address(), "symbols=BTCUSDT", accept);
    first.until("snapshot");
    let (_, head) = EventReader::open(server.address(), "symbols=BTCUSDT", "");
    assert!(head.starts_with("http/1.1 503"), "{head}");
    let (mut second, head) =
        EventReader::open(server.address(), "symbols=BTCUSDT", &format!("{accept}connection: close\r\n"));
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
    let close = second.event().unwrap();
    assert_eq!((close.name.as_str(), close.retry), ("close", Some(5_000)));
    assert_eq!(close.data["code"], 1013);
    assert!(close.data["reason"].as_str().unwrap().contains("all connections are taken"), "{close:?}");
    assert!(second.event().is_none(), "it ends");
    drop(first);
    until("the place is free", || (server.get("/ws/stats").json()["active_connections"] == 0).then_some(()));
    EventReader::open(server.address(), "symbols=BTCUSDT", accept).0.until("snapshot");
    // What is wrong for good is refused to everybody.
    for query in ["symbols=XYZ", "symbols=BTCUSDT&channels=dance"] {
        let (_, head) = EventReader::open(server.address(), query, accept);
        assert!(head.starts_with("http/1.1 400"), "{query}: {head}");
    }
    let off = crate::support::server("demo --seed 7 --days 1 --ws-enabled false").serve();
    let (_, head) = EventReader::open(off.address(), "symbols=BTCUSDT", accept);
    assert!(head.starts_with("http/1.1 503"), "{head}");
}

#[test]
fn claims_limit_streams_routes_and_sockets() {
    let server = server("demo --seed 7 --days 1").env("WS_JWT_SECRET", SECRET).serve();
    let expires = 4_000_000_000u64;
    let prices =
        token::signed_with(SECRET, &json!({"exp": expires, "symbols": ["BTCUSDT"], "channels": ["price"]}));
    let bearer = format!("authorization: Bearer {prices}\r\n");
    let status = |query: &str, headers: &str| {
        let (_, head) = EventReader::open(server.address(), query, headers);
        head.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("symbols=BTCUSDT&channels=price", ""), "401");
    assert_eq!(status("symbols=BTCUSDT&channels=price", &bearer), "200");
    assert_eq!(status("symbols=BTCUSDT", &bearer), "403");
    assert_eq!(status("symbols=BTCUSDT@sim&channels=price", &bearer), "403");
    let header = format!("Bearer {prices}");
    let get =
        |path: &str| liqheat_testkit::get_with(server.address(), path, &[("authorization", header.as_str())]);
    assert_eq!(get("/prices/klines?symbol=BTCUSDT").status, 200);
    assert_eq!(get("/v1/liquidations?symbol=BTCUSDT").status, 403);
    assert_eq!(get("/v1/heatmap?symbol=BTCUSDT").status, 403);
    let mut viewer =
        liqheat_testkit::Viewer::connect(server.address(), &[("authorization", header.as_str())]).unwrap();
    viewer.subscribe("BTCUSDT");
    assert_eq!(viewer.hear_until(|message| message["type"] == "error")["code"], "FORBIDDEN");
    // Another token in place of it, without another connection.
    let all = token::signed_with(SECRET, &json!({"exp": expires}));
    viewer.say(&json!({"action": "token", "token": all}));
    viewer.subscribe("BTCUSDT");
    viewer.hear_until(|message| message["type"] == "snapshot");
}
