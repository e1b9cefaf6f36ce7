//! What a handshake agrees on, what limits of sessions do when they are set, and polling in other forms.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use liqheat_testkit::{Folder, RunningProgram, Viewer, get_with, until};
use liqheat_wire::{BINARY_PROTOCOL, STATE_CONTENT_TYPE, TEXT_PROTOCOL, decode_state};
use serde_json::json;

use crate::support::{loaded, server, state};

fn serve(arguments: &str) -> (Folder, PathBuf, RunningProgram) {
    let (folder, db) = loaded(1);
    let server = server(arguments).arg("--db").arg(&db).serve();
    (folder, db, server)
}

/// The head of the answer to a handshake with more header lines.
fn handshake(address: SocketAddr, more: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(liqheat_testkit::PATIENCE)).unwrap();
    let request = format!(
        "GET /ws/heatmap HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[test]
fn protocols_and_extensions_are_agreed_on() {
    let (_folder, _db, server) = serve("serve");
    let (protocol, extensions) = ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions");
    let deflate = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (more, agreed_protocol, agreed_extensions) in [
        ("", None, None),
        ("Sec-WebSocket-Protocol: liqheat.v1.json\r\n", Some(TEXT_PROTOCOL), None),
        ("Sec-WebSocket-Protocol: liqheat.v1.json, liqheat.v1.bin\r\n", Some(BINARY_PROTOCOL), None),
        ("Sec-WebSocket-Protocol: chat\r\n", None, None),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", None, Some(deflate)),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n", None, None),
    ] {
        let head = handshake(server.address(), more);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(header(&head, protocol), agreed_protocol, "{more}{head}");
        assert_eq!(header(&head, extensions), agreed_extensions, "{more}{head}");
    }
    let (_folder, _db, plain) = serve("serve --ws-compression false");
    let head = handshake(plain.address(), "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    assert_eq!(header(&head, extensions), None, "{head}");
}

#[test]
fn the_same_state_in_every_form() {
    let (_folder, _db, server) = serve("serve");
    let snapshot = state(&server);
    let mut viewer =
        Viewer::connect(server.address(), &[("Sec-WebSocket-Protocol", BINARY_PROTOCOL)]).unwrap();
    viewer.subscribe("BTCUSDT");
    let pushed = decode_state(&viewer.hear_bytes()).unwrap();
    let by_encoding = server.get("/ws/stats").json()["connections_by_encoding"].clone();
    assert_eq!(by_encoding["binary"], 1, "{by_encoding}");

    let path = "/v1/heatmap?symbol=BTCUSDT";
    let polled = get_with(server.address(), path, &[("Accept", STATE_CONTENT_TYPE)]);
    assert_eq!((polled.status, polled.header("content-type")), (200, Some(STATE_CONTENT_TYPE)));
    assert!(polled.header("vary").unwrap().contains("accept"));
    assert_eq!(decode_state(&polled.body).unwrap(), pushed);
    assert_eq!(pushed.hash.to_string(), snapshot["hash"].as_str().unwrap());
    let json = server.get(path);
    assert!(polled.body.len() * 4 < json.body.len(), "{} {}", polled.body.len(), json.body.len());
    assert_eq!(json.json()["hash"], snapshot["hash"]);
}

#[test]
fn a_view_can_be_polled() {
    let (_folder, _db, server) = serve("serve");
    drop(state(&server));
    let path = "/v1/heatmap?symbol=BTCUSDT";
    let whole = server.get(path).json();
    let base = server.get("/v1/symbols").json()["symbols"][0]["base_bin"].as_i64().unwrap();
    let volume = |body: &serde_json::Value| {
        let levels = body["data"]["levels"].as_array().unwrap().iter();
        levels.map(|level| level["long_density"].as_u64().unwrap()).sum::<u64>()
    };
    let coarse = server.get(&format!("{path}&bin={}", base * 5)).json();
    assert_eq!(volume(&coarse), volume(&whole), "levels are summed, never dropped");
    let price = whole["data"]["current_price"].as_f64().unwrap();
    let near = server.get(&format!("{path}&price_low={}&price_high={price}", price * 0.98)).json();
    let levels = near["data"]["levels"].as_array().unwrap();
    assert!(!levels.is_empty() && levels.len() < whole["data"]["levels"].as_array().unwrap().len());
    assert!(levels.iter().all(|level| level["price"].as_f64().unwrap() <= price));
    assert_ne!(near["hash"], whole["hash"], "the hash is that of the view");
    for (more, status, part) in [
        (format!("&bin={}", base + 1), 400, "multiple"),
        ("&price_low=2&price_high=1".to_owned(), 422, "price_low"),
        ("&price_low=x".to_owned(), 422, "price_low"),
    ] {
        let refused = server.get(&format!("{path}{more}"));
        assert_eq!(refused.status, status, "{more}");
        assert!(refused.text().contains(part), "{}", refused.text());
    }
}

#[test]
fn limits_of_sessions_can_be_set() {
    let (_folder, _db, server) =
        serve("serve --ws-max-message-bytes 300 --ws-max-messages-per-second 2 --ws-subscribe-timeout 0.5");
    let mut large = server.viewer();
    large.say_text(&format!(r#"{{"action":"ping","filler":"{}"}}"#, "x".repeat(300)));
    assert_eq!(large.closed().code, 1009);
    assert_eq!(server.viewer().closed().code, 4103, "nothing subscribed");
    let mut fast = server.viewer();
    fast.subscribe("BTCUSDT");
    for _ in 0..20 {
        fast.say(&json!({"action": "ping"}));
    }
    let limited = fast.hear_until(|message| message["type"] == "error");
    assert_eq!(limited["code"], "RATE_LIMITED", "{limited}");
    until("both ends are counted", || {
        let closed = &server.get("/ws/stats").json()["closed_by_code"];
        (closed["1009"] == 1 && closed["4103"] == 1).then_some(())
    });
}

#[test]
fn a_silent_client_is_closed() {
    let (_folder, _db, server) = serve("serve --ws-ping-interval 0.1 --ws-idle-timeout 0.4");
    // Does not read, so it does not answer pings.
    let mut silent = server.viewer();
    silent.subscribe("BTCUSDT");
    until("it is given up", || (server.get("/ws/stats").json()["closed_by_code"]["4100"] == 1).then_some(()));
}

#[test]
fn clients_are_sent_away_before_the_end() {
    let (_folder, _db, server) = serve("serve --ws-drain-window 1");
    let mut viewers: Vec<Viewer> = (0..5).map(|_| server.viewer()).collect();
    for viewer in &mut viewers {
        viewer.subscribe("BTCUSDT");
        viewer.hear_until(|message| message["type"] == "snapshot");
    }
    server.signal("TERM");
    for viewer in &mut viewers {
        let goaway = viewer.hear_until(|message| message["type"] == "goaway");
        assert!(goaway["reconnect_in_ms"].is_u64() && goaway["reason"].is_string(), "{goaway}");
        assert_eq!(viewer.closed().code, 1012);
    }
    drop(viewers);
    assert_eq!(server.wait().code, Some(0));
}
