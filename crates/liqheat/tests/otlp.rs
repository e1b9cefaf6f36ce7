//! Traces by OTLP, in a build with the feature: a stand-in for a collector gets the spans, and one that is absent, refuses
//! or never answers disturbs nobody.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::net::TcpListener;

use liqheat_testkit::{Folder, Program, Receiver, RunningProgram, free_port, get_with, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const ERROR: u64 = 2;

fn liqheat(arguments: &str, collector: &str) -> Program {
    Program::at(env!("CARGO_BIN_EXE_liqheat"))
        .args(arguments)
        .args("--listen 127.0.0.1:0 --ws-drain-window 0.1 --otlp-endpoint")
        .args(collector)
        .env("OTEL_SERVICE_NAME", "heat-1")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=a")
}

fn demo(collector: &str) -> Program {
    liqheat("demo --days 1 --seed 7 --ws-update-interval 0.25", collector)
}

/// A span as it was received.
#[derive(Debug, Clone, Default)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    status: u64,
    started: u64,
    ended: u64,
    attributes: Vec<(String, String)>,
}

impl Span {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// The value of a field of Protocol Buffers.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Field<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(number) => panic!("{number} where bytes belong"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    fn hex(&self) -> String {
        self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(bytes) => panic!("{bytes:?} where a number belongs"),
        }
    }
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// The fields of a message by their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                found.push((tag >> 3, Field::Number(varint(&mut message))));
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)).unwrap(),
            5 => 4,
            other => panic!("a field of type {other}"),
        };
        let (bytes, rest) = message.split_at(length);
        message = rest;
        let fixed = || bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        found.push((tag >> 3, if tag & 7 == 2 { Field::Bytes(bytes) } else { Field::Number(fixed()) }));
    }
    found
}

/// All fields of a number, each a message.
fn messages(message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let found = fields(message).into_iter().filter(|(number, _)| *number == wanted);
    found.map(|(_, field)| field.bytes().to_vec()).collect()
}

fn key_value(message: &[u8]) -> (String, String) {
    let (mut key, mut value) = (String::new(), String::new());
    for (number, field) in fields(message) {
        match number {
            1 => key = field.text(),
            _ => {
                value = match fields(field.bytes()).first() {
                    Some((1, text)) => text.text(),
                    Some((_, other)) => other.number().to_string(),
                    None => String::new(),
                }
            }
        }
    }
    (key, value)
}

fn span(message: &[u8]) -> Span {
    let mut span = Span::default();
    for (number, field) in fields(message) {
        match number {
            1 => span.trace = field.hex(),
            2 => span.id = field.hex(),
            4 => span.parent = field.hex(),
            5 => span.name = field.text(),
            6 => span.kind = field.number(),
            7 => span.started = field.number(),
            8 => span.ended = field.number(),
            9 => span.attributes.push(key_value(field.bytes())),
            15 => {
                let status = fields(field.bytes());
                let code = status.iter().find(|(number, _)| *number == 3);
                span.status = code.map_or(0, |(_, code)| code.number());
            }
            _ => {}
        }
    }
    span
}

/// All spans that came so far.
fn spans(collector: &Receiver) -> Vec<Span> {
    let mut all = Vec::new();
    for post in collector.wait_for(1) {
        assert_eq!(post.path, "/v1/traces");
        assert_eq!(post.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(post.header("x-scope"), Some("a"));
        for resource_spans in messages(&post.body, 1) {
            let resource = messages(&resource_spans, 1).concat();
            let attributes: Vec<_> = messages(&resource, 1).iter().map(|one| key_value(one)).collect();
            assert!(attributes.contains(&("service.name".into(), "heat-1".into())), "{attributes:?}");
            for scope_spans in messages(&resource_spans, 2) {
                all.extend(messages(&scope_spans, 2).iter().map(|one| span(one)));
            }
        }
    }
    all
}

#[track_caller]
fn wait_for(collector: &Receiver, what: &str, is_wanted: impl Fn(&Span) -> bool) -> Span {
    until(what, || spans(collector).into_iter().find(&is_wanted))
}

fn counter(server: &RunningProgram, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn a_collector_gets_requests_updates_and_queries() {
    let collector = Receiver::answering(200);
    let server = demo(&format!("http://{}", collector.address())).serve();
    assert_eq!(server.get("/v1/symbols?token=SECRET-OF-A-CLIENT").status, 200);
    assert_eq!(server.get("/v1/walls?symbol=NOBODYS-SYMBOL").status, 400);
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", parent.as_str()), ("authorization", "Bearer SECRET-OF-A-CLIENT")];
    assert_eq!(get_with(server.address(), "/prices/klines?symbol=BTCUSDT&interval=1h", &headers).status, 200);
    let (viewer, _) = server.viewer_of("BTCUSDT");

    let request = wait_for(&collector, "a request", |span| span.name == "GET /v1/symbols");
    assert_eq!(request.kind, SERVER);
    assert_eq!(request.attribute("http.request.method"), "GET");
    assert_eq!(request.attribute("http.route"), "/v1/symbols");
    assert_eq!(request.attribute("http.response.status_code"), "200");
    assert_eq!(request.parent, "");
    assert!(request.started < request.ended && request.started > 1_700_000_000_000_000_000, "{request:?}");
    let refused = wait_for(&collector, "a refused request", |span| span.name == "GET /v1/walls");
    assert_eq!((refused.attribute("http.response.status_code"), refused.status), ("400", 0));
    let upgrade = wait_for(&collector, "an upgrade", |span| span.name == "GET /ws/heatmap");
    assert_eq!(upgrade.attribute("http.response.status_code"), "101");

    let continued = wait_for(&collector, "a trace of a client", |span| span.name == "GET /prices/klines");
    assert_eq!((continued.trace.as_str(), continued.parent.as_str()), (TRACE, PARENT));
    let query = wait_for(&collector, "its query", |span| span.parent == continued.id && span.kind == CLIENT);
    assert_eq!((query.trace.as_str(), query.attribute("db.system.name")), (TRACE, "duckdb"));
    let execution = wait_for(&collector, "its execution", |span| span.parent == query.id);
    assert_eq!((execution.trace.as_str(), execution.name.as_str()), (TRACE, "store.execute"));

    let update = wait_for(&collector, "an update", |span| span.name == "update");
    assert_eq!((update.attribute("symbol"), update.parent.as_str()), ("BTCUSDT", ""));
    for part in ["ledger", "publish"] {
        let part = wait_for(&collector, part, |span| span.name == part && span.parent == update.id);
        assert_eq!(part.trace, update.trace);
    }
    wait_for(&collector, "an encoded state", |span| span.name == "encode");
    let round =
        wait_for(&collector, "a round", |span| span.name == "round" && span.attribute("frames") == "1");
    assert_eq!((round.attribute("symbol"), round.attribute("clients")), ("BTCUSDT", "1"));
    drop(viewer);

    until("they are counted", || (counter(&server, "liqheat_spans_exported_total") > 0).then_some(()));
    assert_eq!(counter(&server, "liqheat_spans_dropped_total"), 0);
    // What came just before the end is sent as well.
    assert_eq!(server.get("/v1/tiers?symbol=BTCUSDT").status, 200);
    let done = server.terminate();
    assert_eq!(done.code, Some(0), "{}", done.err);
    let all = spans(&collector);
    assert!(all.iter().any(|span| span.name == "GET /v1/tiers"));
    assert!(!done.err.contains("http.request{"), "spans stay out of the log: {}", done.err);
    for post in collector.wait_for(1) {
        let body = String::from_utf8_lossy(&post.body).into_owned();
        assert!(!body.contains("SECRET-OF-A-CLIENT") && !body.contains("NOBODYS-SYMBOL"), "{body}");
    }
}

#[test]
fn requests_to_venues_and_to_redis_are_traced() {
    let collector = Receiver::answering(200);
    let folder = Folder::new();
    // Port 9 is nobody's.
    let urls = "binance=ws://127.0.0.1:9,binance=http://127.0.0.1:9";
    let server =
        liqheat("serve --symbols BTCUSDT --venues binance", &format!("http://{}", collector.address()))
            .args("--fill-days 0 --venue-url")
            .args(urls)
            .arg("--db")
            .arg(folder.path("live.duckdb"))
            .env("REDIS_ENABLED", "true")
            .env("REDIS_URL", "redis://127.0.0.1:9")
            .serve();
    let venue = wait_for(&collector, "a request to a venue", |span| span.name == "venue.request");
    assert_eq!((venue.kind, venue.status, venue.attribute("venue")), (CLIENT, ERROR, "binance"));
    let path = venue.attribute("url.path");
    assert!(path.starts_with('/') && !path.contains('?'), "{path}");
    let redis = wait_for(&collector, "a request to Redis", |span| span.name == "redis.connect");
    assert_eq!((redis.kind, redis.status), (CLIENT, ERROR));
    assert_eq!(server.terminate().code, Some(0));
}

#[test]
fn a_share_of_the_traces_is_sent() {
    let collector = Receiver::answering(200);
    let server = demo(&format!("http://{}", collector.address())).args("--otlp-sample-ratio 0").serve();
    assert_eq!(server.get("/v1/symbols").status, 200);
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    assert_eq!(
        get_with(server.address(), "/v1/tiers?symbol=BTCUSDT", &[("traceparent", &sampled)]).status,
        200
    );
    wait_for(&collector, "what the client wants traced", |span| span.name == "GET /v1/tiers");
    assert_eq!(server.terminate().code, Some(0));
    assert!(spans(&collector).iter().all(|span| span.trace == TRACE), "nothing else");
}

#[test]
fn a_collector_that_fails_disturbs_nobody() {
    let refusing = Receiver::answering(400);
    let unavailable = Receiver::answering(503);
    for (collector, reason) in [
        (format!("127.0.0.1:{}", free_port()), "onnection"),
        (refusing.address().to_string(), "400"),
        (unavailable.address().to_string(), "503"),
    ] {
        let server = demo(&format!("http://{collector}")).serve();
        assert_eq!(server.get("/v1/symbols").status, 200);
        until("spans are dropped", || (counter(&server, "liqheat_spans_dropped_total") > 0).then_some(()));
        until("it is ready", || (server.get("/ready").status == 200).then_some(()));
        assert_eq!(counter(&server, "liqheat_spans_exported_total"), 0);
        let done = server.terminate();
        assert_eq!(done.code, Some(0), "{}", done.err);
        let lines: Vec<_> = done.err.lines().filter(|line| line.contains("does not take them")).collect();
        assert!(lines.len() == 1 && lines[0].contains(reason), "{collector}: {}", done.err);
    }
}

/// It takes the connection and says nothing.
#[test]
fn the_end_does_not_wait_for_a_silent_collector() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = demo(&format!("http://{}", silent.local_addr().unwrap())).serve();
    let _connection = silent.accept().unwrap();
    assert_eq!(server.get("/v1/symbols").status, 200);
    server.signal("INT");
    let done = server.wait();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.err.contains("spans dropped: the collector did not take them before the end"),
        "{}",
        done.err
    );
}

#[test]
fn settings_that_cannot_be_followed_are_refused() {
    for (collector, variable, expected) in [
        ("collector:4318", ("OTEL_SERVICE_NAME", "heat-1"), "must be the URL of a collector"),
        ("http://127.0.0.1:4318", ("LIQHEAT_OTLP_SAMPLE_RATIO", "2"), "must be a number from 0 to 1"),
    ] {
        let done = demo(collector).env(variable.0, variable.1).run();
        assert!(done.code.is_some_and(|code| code != 0) && done.err.contains(expected), "{}", done.err);
    }
}
