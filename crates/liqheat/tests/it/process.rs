//! The process: signals, ports, locks, configuration, help.

use std::io::Write;
use std::net::TcpStream;

use liqheat_store::{Location, Settings, Store};
use liqheat_testkit::{Folder, get};
use serde_json::json;

use crate::support::{liqheat, loaded, server, state};

#[test]
fn a_signal_ends_it_in_order() {
    for signal in ["INT", "TERM"] {
        let (_folder, db) = loaded(1);
        let server = server("serve").args("--db").arg(&db).serve();
        drop(state(&server));
        let (mut viewer, _) = server.viewer_of("BTCUSDT");
        server.signal(signal);
        let closed = viewer.closed();
        assert_eq!((closed.code, closed.reason.as_str()), (1012, "server restarts"), "{signal}");
        drop(viewer);
        let address = server.address();
        let ended = server.wait();
        assert_eq!(ended.code, Some(0), "{signal}:\n{}", ended.err);
        assert!(ended.err.lines().last().unwrap().contains("stopped"), "{}", ended.err);
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
        assert!(!db.with_extension("duckdb.wal").exists(), "everything is in the file");
        let store = Store::open(Location::File(db), Settings::default()).unwrap();
        assert_eq!(store.instruments().blocking().unwrap().len(), 1, "and the file is free");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (_folder, db) = loaded(1);
    let server = server("serve").args("--db").arg(&db).serve();
    // Somebody who does not hear the goodbye holds the server up for a moment.
    let (_viewer, _) = server.viewer_of("BTCUSDT");
    server.signal("TERM");
    server.wait_for_log("stopping");
    server.signal("INT");
    let ended = server.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.err);
    assert!(ended.err.contains("second signal"), "{}", ended.err);
}

/// Whoever asks where to send traffic must hear that it is not here, while clients are still being sent away.
#[test]
fn while_clients_are_sent_away_it_is_not_ready() {
    let (_folder, db) = loaded(1);
    let server = server("serve").args("--db").arg(&db).serve();
    // Does not hear the goodbye, so the server waits for it a moment.
    let (_viewer, _) = server.viewer_of("BTCUSDT");
    server.signal("TERM");
    server.wait_for_log("stopping");
    let ready = server.get("/ready");
    assert_eq!((ready.status, &ready.json()["reasons"][0]), (503, &json!("the server is stopping")));
    let refused = liqheat_testkit::Viewer::connect(server.address(), &[]).unwrap_err();
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true));
    assert_eq!(server.get("/live").status, 200);
    let ended = server.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn a_signal_while_the_history_is_made_ends_it_too() {
    let server = server("demo --days 60").start();
    server.wait_for_log("schema");
    server.signal("TERM");
    let ended = server.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

/// Clients that hang on to their connections must not keep the server from stopping.
#[test]
fn idle_and_half_open_connections_do_not_hold_it_up() {
    let (_folder, db) = loaded(1);
    let server = server("serve").args("--db").arg(&db).serve();
    let idle = TcpStream::connect(server.address()).unwrap();
    let mut kept = TcpStream::connect(server.address()).unwrap();
    kept.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut half = TcpStream::connect(server.address()).unwrap();
    half.write_all(b"GET /live HT").unwrap();
    assert_eq!(server.get("/live").status, 200);
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    drop((idle, kept, half));
}

#[test]
fn a_port_in_use_is_named() {
    let (folder, db) = loaded(1);
    let first = server("serve").args("--db").arg(&db).serve();
    let address = first.address().to_string();
    let second = liqheat(&format!("serve --listen {address} --db")).arg(folder.path("other.duckdb")).run();
    assert_eq!(second.code, Some(1), "{}", second.err);
    let error = second.err.lines().last().unwrap();
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
    assert_eq!(first.get("/live").status, 200);
}

#[test]
fn a_database_in_use_is_named() {
    let (folder, db) = loaded(1);
    let first = server("serve").args("--db").arg(&db).serve();
    for command in [
        server("serve").args("--db").arg(&db),
        server("replay").args("--db").arg(&db),
        liqheat("ingest --db").arg(&db).arg(folder.path("archive")),
    ] {
        let done = command.run();
        assert_eq!(done.code, Some(1), "{}", done.err);
        let error = done.err.lines().last().unwrap();
        assert!(error.contains(&*db.to_string_lossy()) && error.contains("in use"), "{error}");
    }
    assert_eq!(first.get("/live").status, 200);
}

#[test]
fn databases_that_cannot_be_used_are_named() {
    let folder = Folder::new();
    for (path, word) in [
        (folder.path("no/such/folder/x.duckdb"), "does not exist"),
        (
            folder.put("text.duckdb", "this is no database, however long it may be. ".repeat(1_000)),
            "not a database",
        ),
        (folder.path(""), ""),
    ] {
        let done = server("serve").args("--db").arg(&path).run();
        assert_eq!(done.code, Some(1), "{}", done.err);
        let error = done.err.lines().last().unwrap();
        assert!(error.starts_with("liqheat: ") && error.contains(&*path.to_string_lossy()), "{error}");
        assert!(error.contains(word) && error.contains("--db"), "{error}");
    }
}

#[test]
fn a_configuration_file_gives_defaults() {
    let (folder, db) = loaded(1);
    let text = format!(
        "listen = '127.0.0.1:0'\ndb = '{}'\nws_update_interval = 0.5\nsymbols = ['BTCUSDT']\noffline = true\nlog_format = 'json'\n",
        db.display()
    );
    let config = folder.put("liqheat.toml", text);
    let by_flag = liqheat("serve --config").arg(&config).serve();
    assert_eq!(by_flag.get("/v1/symbols").json()["symbols"][0]["symbol"], "BTCUSDT");
    assert!(by_flag.wait_for_log("updater started").contains("\"interval_ms\":500"), "{}", by_flag.log());
    assert_eq!(by_flag.terminate().code, Some(0));

    let config_text = config.to_string_lossy().into_owned();
    let by_environment =
        liqheat("serve").env("LIQHEAT_CONFIG", &config_text).env("WS_UPDATE_INTERVAL", "2").serve();
    let line = by_environment.wait_for_log("updater started");
    assert!(line.contains("\"interval_ms\":2000"), "the environment wins over the file: {line}");
    drop(by_environment);
    let by_both =
        liqheat("serve --ws-update-interval 3 --config").arg(&config).env("WS_UPDATE_INTERVAL", "2").serve();
    let line = by_both.wait_for_log("updater started");
    assert!(line.contains("\"interval_ms\":3000"), "flags win over both: {line}");
}

#[test]
fn a_configuration_that_is_wrong_is_refused_whole() {
    let folder = Folder::new();
    let refused = |name: &str, text: &str| {
        let done = liqheat("serve --config").arg(folder.put(name, text)).run();
        assert_eq!(done.code, Some(2), "{}{}", done.out, done.err);
        done.err
    };
    let unknown = refused("a.toml", "lissen = '127.0.0.1:0'\nspeeed = 3\n");
    for part in ["a.toml", "'lissen'", "'speeed'", "listen"] {
        assert!(unknown.contains(part), "{part}: {unknown}");
    }
    let value = refused("b.toml", "ws_update_interval = 'soon'\n");
    assert!(value.contains("number of seconds"), "{value}");
    let form = refused("c.toml", "this is not TOML");
    assert!(form.contains("c.toml") && form.contains("not TOML"), "{form}");
    let missing = liqheat("serve --config").arg(folder.path("none.toml")).run();
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("none.toml"), "{}", missing.err);
}

#[test]
fn every_command_helps_with_examples() {
    for command in ["", "demo", "serve", "replay", "record", "doctor", "ingest"] {
        let help = liqheat(command).args("--help").run();
        assert_eq!(help.code, Some(0), "{command}");
        assert!(
            help.out.contains("Examples:") && help.out.contains(&format!("liqheat {command}")),
            "{}",
            help.out
        );
    }
    let version = liqheat("--version").run();
    assert_eq!(version.out.trim(), format!("liqheat {}", env!("CARGO_PKG_VERSION")));
    let nothing = liqheat("").run();
    assert_eq!(nothing.code, Some(2), "{}", nothing.err);
    let unknown = liqheat("serve --speeed 3").run();
    assert_eq!(unknown.code, Some(2), "{}", unknown.err);
}

#[test]
fn every_setting_is_also_a_variable() {
    let (_folder, db) = loaded(1);
    let db = db.to_string_lossy().into_owned();
    let server = liqheat("serve")
        .env("LIQHEAT_LISTEN", "127.0.0.1:0")
        .env("LIQHEAT_DB", &db)
        .env("LIQHEAT_SYMBOLS", "BTCUSDT")
        .env("LIQHEAT_OFFLINE", "true")
        .env("LIQHEAT_LOG_FORMAT", "json")
        .env("WS_UPDATE_INTERVAL", "0.5")
        .serve();
    assert!(server.wait_for_log("updater started").contains("\"interval_ms\":500"));
    let symbols = get(server.address(), "/v1/symbols").json();
    assert_eq!(symbols["symbols"][0]["symbol"], json!("BTCUSDT"));
    for line in server.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
}
