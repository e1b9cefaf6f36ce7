//! Who may connect: limits in all and by address, slow and silent clients, tokens. Seen from the client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use liqheat_testkit::token::{PUBLIC_KEY, SECRET, key_set, signed_by_key, signed_by_others, signed_with};
use liqheat_testkit::{
    Answer, Folder, Program, RunningProgram, Viewer, connect_from, get_with, read_answer, until,
};
use serde_json::{Value, json};

use crate::support::server;

/// A server over an empty database: who may connect does not depend on what there is to see.
fn serve(arguments: &str) -> (Folder, RunningProgram) {
    let (folder, program) = program(arguments);
    (folder, program.serve())
}

fn program(arguments: &str) -> (Folder, Program) {
    let folder = Folder::new();
    let db = folder.path("empty.duckdb");
    (folder, server(arguments).args("--db").arg(db))
}

fn rejected(server: &RunningProgram, reason: &str) -> u64 {
    server.get("/ws/stats").json()["upgrades_rejected"][reason].as_u64().unwrap()
}

/// A viewer that a proxy on this machine passes on.
fn forwarded(address: SocketAddr, client: &str) -> Result<Viewer, Answer> {
    Viewer::connect(address, &[("X-Forwarded-For", client)])
}

/// A page whose socket fails polls, so both follow one rule.
#[test]
fn pages_of_allowed_origins_may_read_and_others_not() {
    let (_folder, server) = serve("serve --allowed-origins https://charts.example");
    let ask = |method: &str, more: &str| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let host = server.address();
        write!(stream, "{method} /v1/symbols HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n")
            .unwrap();
        read_answer(&mut stream).unwrap()
    };
    let preflight = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n";
    let own = "Origin: https://Charts.example:443\r\n";
    let allowed = ask("OPTIONS", &format!("{own}{preflight}"));
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://Charts.example:443"));
    assert!(
        allowed.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization"))
    );
    let read = ask("GET", own);
    assert_eq!((read.status, read.header("access-control-allow-origin").is_some()), (200, true));
    assert!(read.header("access-control-expose-headers").is_some_and(|names| names.contains("etag")));
    let foreign = "Origin: https://evil.example\r\n";
    for answer in [ask("OPTIONS", &format!("{foreign}{preflight}")), ask("GET", foreign)] {
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    assert_eq!(ask("OPTIONS", own).status, 405, "no preflight");
    let (_folder, server) = serve("serve");
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let host = server.address();
    write!(
        stream,
        "OPTIONS /v1/symbols HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{own}{preflight}\r\n"
    )
    .unwrap();
    let closed = read_answer(&mut stream).unwrap();
    assert_eq!(closed.header("access-control-allow-origin"), None, "no origin is allowed");
}

#[test]
fn sockets_of_one_address_are_limited() {
    let (_folder, server) = serve("serve --ws-max-connections-per-address 2");
    let address = server.address();
    let first = forwarded(address, "192.0.2.1").unwrap();
    let _second = forwarded(address, "203.0.113.7, 192.0.2.1").unwrap();
    let refused = forwarded(address, "192.0.2.1").unwrap_err();
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
    assert!(refused.json()["detail"].as_str().unwrap().contains("2 sockets"), "{}", refused.text());
    assert_eq!(rejected(&server, "address_connections"), 1);
    let _others: Vec<Viewer> = ["192.0.2.2", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:1::2"]
        .iter()
        .map(|client| forwarded(address, client).unwrap())
        .collect();
    let network = forwarded(address, "2001:db8:0:1::3").unwrap_err();
    assert_eq!(network.status, 429, "an IPv6 client is its network");
    // A proxy that names nobody would be limited for all behind it.
    let _unnamed: Vec<Viewer> = (0..4).map(|_| server.viewer()).collect();
    drop(first);
    until("the place is free again", || forwarded(address, "192.0.2.1").ok());
    assert!(server.wait_for_log("ws_connect").contains("192.0.2.1"), "{}", server.log());
}

#[test]
fn new_sockets_of_one_address_are_limited() {
    let (_folder, server) = serve("serve --ws-max-new-connections-per-minute 3 --trusted-proxies none");
    for _ in 0..3 {
        drop(server.viewer());
    }
    // Nobody is trusted, so naming another client does not help.
    let refused = forwarded(server.address(), "192.0.2.1").unwrap_err();
    assert_eq!(refused.status, 429, "{}", refused.text());
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert!(refused.json()["detail"].as_str().unwrap().contains("within a minute"));
    assert_eq!(rejected(&server, "address_rate"), 1);
    assert_eq!(server.get("/live").status, 200, "requests are no sockets");
}

#[test]
fn requests_that_take_too_long_are_cut() {
    let (_folder, server) = serve("serve --ws-handshake-timeout 0.4");
    let mut viewer = server.viewer();
    let handshake = "GET /ws/heatmap HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n";
    for said in ["", "GET /li", handshake, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let began = Instant::now();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(liqheat_testkit::PATIENCE)).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        assert!(began.elapsed() >= Duration::from_millis(390), "{said:?}");
        assert_eq!(heard.starts_with(b"HTTP/1.1 200"), said.ends_with("\r\n\r\n"), "{said:?}");
    }
    viewer.say(&json!({"action": "ping"}));
    assert_eq!(viewer.hear()["type"], "pong", "a socket is not a request");
}

#[test]
fn a_request_head_is_bounded() {
    let (_folder, server) = serve("serve");
    let status = |bytes: usize| {
        let start = "GET /live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx: ";
        let padding = "x".repeat(bytes - start.len() - 4);
        let mut stream = connect_from(Ipv4Addr::LOCALHOST.into(), server.address());
        // The server may answer and close before all of it is written.
        let _ = stream.write_all(format!("{start}{padding}\r\n\r\n").as_bytes());
        read_answer(&mut stream).map(|answer| answer.status)
    };
    assert_eq!(status(32 * 1_024), Some(200));
    assert_eq!(status(32 * 1_024 + 1), Some(431));
    for bytes in [60_000, 1_000_000] {
        assert!(status(bytes).is_none_or(|status| status == 431), "{bytes}");
    }
    assert_eq!(server.get("/live").status, 200);
}

/// Whoever connects and says nothing holds a part of the places for requests, never all. Only Linux has more
/// than one address for this machine without being told.
#[cfg(target_os = "linux")]
#[test]
fn silent_connections_of_one_address_disturb_nobody() {
    let (_folder, server) = serve("serve --trusted-proxies none --ws-max-connections-per-address 1000");
    let (quiet, other): (std::net::IpAddr, std::net::IpAddr) =
        ("127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap());
    let mut silent: Vec<TcpStream> = (0..200).map(|_| connect_from(quiet, server.address())).collect();
    let refused = silent[128..].iter_mut().map(|stream| read_answer(stream).unwrap());
    for answer in refused {
        assert_eq!((answer.status, answer.header("retry-after").is_some()), (429, true));
        assert!(answer.json()["detail"].as_str().unwrap().contains("this address"));
    }
    let mut stream = connect_from(other, server.address());
    stream.write_all(b"GET /live HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    drop(silent);
    // A socket gives back the place that its handshake took.
    let viewers: Vec<Viewer> = (0..160).map(|_| server.viewer()).collect();
    assert_eq!(server.get("/ws/stats").json()["active_connections"], 160);
    drop(viewers);
}

/// A client that asks for more than all buffers on the way hold, and reads nothing.
fn asks_and_does_not_read(server: &RunningProgram, headers: &str) -> TcpStream {
    let address = server.address();
    let mut stream = connect_from(Ipv4Addr::LOCALHOST.into(), address);
    let request = format!("GET /openapi.json HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    // The server may refuse and close before all of it is written.
    let _ = stream.write_all(request.repeat(400).as_bytes());
    stream
}

/// A counter of `/metrics`.
fn counter(server: &RunningProgram, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
}

fn at_least_one(server: &RunningProgram, name: &str) {
    until(name, || (counter(server, name) > 0).then_some(()));
}

const EVICTED: &str = "liqheat_http_connections_ended_total{reason=\"evicted\"}";
const WRITE_TIMEOUT: &str = "liqheat_http_connections_ended_total{reason=\"write_timeout\"}";

#[test]
fn a_response_that_is_not_read_ends_its_connection() {
    let (_folder, server) = serve("serve --http-write-timeout 0.3");
    let mut stalled = asks_and_does_not_read(&server, "");
    at_least_one(&server, WRITE_TIMEOUT);
    // Whatever was on its way may still come; then the connection ends.
    let mut heard = Vec::new();
    let _ = stalled.read_to_end(&mut heard);
    assert!(heard.starts_with(b"HTTP/1.1 200"));
    // A client that reads as slowly, but reads, gets everything.
    let whole = server.get("/openapi.json").body.len();
    let mut slow = asks_and_does_not_read(&server, "");
    let (mut read, mut piece) = (0, vec![0; 256 * 1_024]);
    while read < 400 * whole {
        let count = slow.read(&mut piece).unwrap();
        assert!(count > 0, "ended after {read} bytes");
        read += count;
    }
    assert_eq!(counter(&server, WRITE_TIMEOUT), 1);
}

/// With timeouts so long that only the rules for places help.
#[test]
fn clients_that_do_not_read_leave_places_for_others() {
    let (_folder, server) = serve("serve --http-max-connections 16 --http-write-timeout 3600");
    let stalled: Vec<TcpStream> = (0..60).map(|_| asks_and_does_not_read(&server, "")).collect();
    assert_eq!(server.get("/live").status, 200);
    assert_eq!(server.get("/health").status, 200);
    let mut viewer = server.viewer();
    viewer.say(&json!({"action": "ping"}));
    assert_eq!(viewer.hear()["type"], "pong");
    // Data, too, as soon as the others have not read for a second.
    until("data is answered", || (server.get(DATA).status == 200).then_some(()));
    assert!(counter(&server, EVICTED) > 0);
    assert!(
        counter(&server, "liqheat_http_refused_total{reason=\"places\"}") > 0,
        "further ones were refused"
    );
    drop(stalled);
}

#[test]
fn one_client_behind_a_proxy_holds_a_part_of_the_places() {
    let (_folder, server) = serve("serve --http-max-connections 16 --http-write-timeout 3600");
    let from = |client: &str| format!("X-Forwarded-For: {client}\r\n");
    let ask = |client: &str| get_with(server.address(), DATA, &[("X-Forwarded-For", client)]);
    let mut stalled = Vec::new();
    let refused = until("its places are taken", || {
        // Kept open, because a slow machine takes a while to begin with them; always one more, because who has not read
        // for a second loses its place.
        stalled.push(asks_and_does_not_read(&server, &from("192.0.2.1")));
        Some(ask("192.0.2.1")).filter(|answer| answer.status == 429)
    });
    assert_eq!((refused.header("retry-after"), refused.header("connection")), (Some("1"), Some("close")));
    assert!(refused.json()["detail"].as_str().unwrap().contains("this address"), "{}", refused.text());
    assert_eq!(ask("192.0.2.2").status, 200);
    assert!(counter(&server, "liqheat_http_refused_total{reason=\"client_places\"}") > 0);
}

#[cfg(target_os = "linux")]
#[test]
fn silent_connections_of_many_addresses_are_evicted() {
    let arguments = "serve --http-max-connections 8 --ws-handshake-timeout 3600 --trusted-proxies none";
    let (_folder, server) = serve(arguments);
    let silent: Vec<TcpStream> = (0..60)
        .map(|number| connect_from(Ipv4Addr::new(127, 0, 1, number).into(), server.address()))
        .collect();
    assert_eq!(server.get("/live").status, 200);
    drop(server.viewer());
    assert!(counter(&server, EVICTED) > 0);
    drop(silent);
}

#[test]
fn a_body_that_never_comes_holds_nobody_up() {
    let (_folder, server) = serve("serve");
    for method in ["GET", "POST"] {
        let mut stream = connect_from(Ipv4Addr::LOCALHOST.into(), server.address());
        let head = format!("{method} /live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let answer = read_answer(&mut stream).unwrap();
        assert_eq!(answer.status, if method == "GET" { 200 } else { 405 });
    }
}

#[cfg(target_os = "linux")]
#[test]
fn connections_are_cut_to_the_descriptors_there_are() {
    let (_folder, program) = program("serve --ws-max-connections 5000");
    let server = program.after("ulimit -n 160").serve();
    let warning = server.wait_for_log("WS_MAX_CONNECTIONS");
    for part in ["WARN", "wanted=5000", "connections_max=56", "descriptors=160", "ulimit -n", "LimitNOFILE"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let viewers: Vec<Viewer> = (0..56).map(|_| server.viewer()).collect();
    let refused = Viewer::connect(server.address(), &[]).unwrap_err();
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true));
    assert_eq!(rejected(&server, "connections"), 1);
    assert_eq!(server.get("/live").status, 200, "there is room for requests");
    drop(viewers);

    let (_folder, program) = self::program("serve --ws-max-connections 100");
    let raised = program.after("ulimit -Sn 160; ulimit -Hn 1024").serve();
    assert!(!raised.log().contains("WS_MAX_CONNECTIONS"), "the soft limit is raised: {}", raised.log());
    assert!(raised.get("/metrics").text().contains("\nprocess_max_fds 1024"));
}

/// The program `prlimit` belongs to every Linux with util-linux; where it is missing, there is nothing to see.
#[cfg(target_os = "linux")]
#[test]
fn a_lack_of_descriptors_is_survived() {
    let (_folder, server) = serve("serve");
    let mut viewer = server.viewer();
    let limit = |descriptors: &str| {
        let pid = server.id().to_string();
        std::process::Command::new("prlimit")
            .args(["--pid", &pid, &format!("--nofile={descriptors}:")])
            .status()
    };
    if limit("3").is_err() {
        return;
    }
    let mut waiting = TcpStream::connect(server.address()).unwrap();
    waiting.set_read_timeout(Some(liqheat_testkit::PATIENCE)).unwrap();
    waiting.write_all(b"GET /live HTTP/1.0\r\n\r\n").unwrap();
    assert!(server.wait_for_log("connections cannot be accepted").contains("WARN"));
    viewer.say(&json!({"action": "ping"}));
    assert_eq!(viewer.hear()["type"], "pong", "sockets that are open go on");
    assert!(limit("1000").unwrap().success());
    assert_eq!(read_answer(&mut waiting).unwrap().status, 200, "accepted as soon as it can be");
}

fn in_an_hour() -> Value {
    json!({"sub": "viewer", "exp": now() + 3_600})
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

const DATA: &str = "/v1/symbols";

fn with_token(server: &RunningProgram, token: &str) -> Answer {
    get_with(server.address(), DATA, &[("Authorization", &format!("Bearer {token}"))])
}

#[test]
fn data_asks_for_a_token() {
    let (_folder, program) = program("serve");
    let server = program.env("WS_JWT_SECRET", SECRET).serve();
    let good = signed_with(SECRET, &in_an_hour());
    let data = [
        DATA,
        "/v1/heatmap?symbol=X",
        "/v1/heatmap/history?symbol=X",
        "/v1/liquidations?symbol=X",
        "/v1/liquidations/summary?symbol=X",
        "/v1/accuracy?symbol=X",
        "/v1/walls?symbol=X",
        "/v1/max-pain?symbol=X",
        "/v1/map?symbol=X",
        "/liquidations/levels?symbol=X",
        "/liquidations/heatmap-timeseries?symbol=X",
        "/prices/klines?symbol=X",
    ];
    for path in data {
        let refused = server.get(path);
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        assert!(refused.json()["detail"].as_str().unwrap().contains("bearer token is needed"));
        let authorization = format!("Bearer {good}");
        let allowed = get_with(server.address(), path, &[("Authorization", &authorization)]);
        assert!([200, 400, 422].contains(&allowed.status), "{path}: {}", allowed.text());
    }
    for path in ["/", "/health", "/live", "/ready", "/metrics", "/ws/stats"] {
        assert_ne!(server.get(path).status, 401, "{path}");
    }
    let no_token = Viewer::connect(server.address(), &[]).unwrap_err();
    assert_eq!((no_token.status, no_token.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(rejected(&server, "token"), 1);
    let authorization = format!("Bearer {good}");
    drop(Viewer::connect(server.address(), &[("Authorization", &authorization)]).unwrap());
    let protocols = format!("liqheat.v1.json, bearer.{good}");
    let mut viewer = Viewer::connect(server.address(), &[("Sec-WebSocket-Protocol", &protocols)]).unwrap();
    viewer.say(&json!({"action": "ping"}));
    assert_eq!(viewer.hear()["type"], "pong");
    let log = server.log();
    assert!(!log.contains(SECRET) && !log.contains(&good), "neither secret nor token is logged: {log}");
    assert!(log.contains("ws_jwt_secret=(not shown)"), "{log}");
}

#[test]
fn tokens_that_are_not_accepted() {
    let (folder, program) = program("serve --ws-jwt-issuer https://login.example --ws-jwt-audience heatmap");
    let server = program.args("--ws-jwt-public-key").arg(folder.put("key.pem", PUBLIC_KEY)).serve();
    let claims = |exp: u64, iss: &str, aud: &str| json!({"exp": exp, "iss": iss, "aud": aud});
    let good = claims(now() + 3_600, "https://login.example", "heatmap");
    let expired = claims(now() - 60, "https://login.example", "heatmap");
    let other_issuer = claims(now() + 3_600, "https://evil.example", "heatmap");
    let other_audience = claims(now() + 3_600, "https://login.example", "other");
    assert_eq!(with_token(&server, &signed_by_key(None, &good)).status, 200);
    for (token, part) in [
        (signed_by_key(None, &expired), "expired"),
        (signed_by_key(None, &json!({"iss": "https://login.example", "aud": "heatmap"})), "expires"),
        (signed_by_key(None, &other_issuer), "issuer"),
        (signed_by_key(None, &other_audience), "audience"),
        (signed_by_others(None, &good), "signature"),
        (signed_with(SECRET, &good), "not accepted here"),
        (signed_with(PUBLIC_KEY, &good), "not accepted here"),
        ("eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.".to_owned(), "not a JWT"),
        ("nonsense".to_owned(), "not a JWT"),
    ] {
        let refused = with_token(&server, &token);
        assert_eq!(refused.status, 401, "{token}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(part), "{part}: {detail}");
        let protocols = format!("bearer.{token}");
        let socket = Viewer::connect(server.address(), &[("Sec-WebSocket-Protocol", &protocols)]);
        assert_eq!(socket.err().map(|answer| answer.status), Some(401), "{part}");
    }
}

#[test]
fn a_socket_ends_with_its_token() {
    let (_folder, program) = program("serve");
    let server = program.env("WS_JWT_SECRET", SECRET).serve();
    // A token is good for ten seconds more than it says, so this one ends in about two.
    let token = signed_with(SECRET, &json!({"exp": now() - 8}));
    let mut viewer =
        Viewer::connect(server.address(), &[("Authorization", &format!("Bearer {token}"))]).unwrap();
    let closed = viewer.closed();
    assert_eq!((closed.code, closed.reason.as_str()), (1008, "token expired or revoked"));
}

#[test]
fn keys_can_be_exchanged_while_it_runs() {
    let (folder, program) = program("serve");
    let server = program.args("--ws-jwt-jwks").arg(folder.put("jwks.json", key_set("old"))).serve();
    let check = |kid: &str| with_token(&server, &signed_by_key(Some(kid), &in_an_hour())).status;
    assert_eq!((check("old"), check("old"), check("new")), (200, 200, 401));
    let authorization = format!("Bearer {}", signed_by_key(Some("old"), &in_an_hour()));
    let mut viewer = Viewer::connect(server.address(), &[("Authorization", &authorization)]).unwrap();

    folder.put("jwks.json", "{\"keys\": [");
    assert!(server.wait_for_log("key file not usable").contains("WS_JWT_JWKS"));
    let ready = server.get("/ready").json();
    assert!(ready["reasons"].to_string().contains("WS_JWT_JWKS"), "{ready}");
    assert_eq!(counter(&server, "liqheat_token_key_files_failing"), 1);
    assert_eq!(check("old"), 200, "a torn file revokes nothing");
    viewer.say(&json!({"action": "ping"}));
    assert_eq!(viewer.hear()["type"], "pong");

    folder.put("jwks.json", key_set("new"));
    until("the new key is accepted", || (check("new") == 200).then_some(()));
    assert_eq!(check("old"), 401, "the old one is not");
    let closed = viewer.closed();
    assert_eq!((closed.code, closed.reason.as_str()), (1008, "token expired or revoked"));
    server.wait_for_log("key file read again");
    until("all is well again", || (counter(&server, "liqheat_token_key_files_failing") == 0).then_some(()));
    assert!(!server.get("/ready").text().contains("WS_JWT_JWKS"));

    folder.put("jwks.json", "{\"keys\":[]}");
    until("no key is accepted", || (check("new") == 401).then_some(()));
}
