//! The log: lines about clients as a machine reads them, and a standard error that takes no lines.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;

use liqheat_testkit::{Folder, Program, RunningProgram, Viewer, until};
use serde_json::{Value, json};

use crate::support::{liqheat, loaded, server};

const CLIENT: &str = "192.0.2.7";

/// The first line of an event, waited for.
#[track_caller]
fn line(server: &liqheat_testkit::RunningProgram, event: &str) -> Value {
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
    assert_eq!(broadcast["level"], "DEBUG", "{broadcast}");
    // Of the venue or of the sum: a round takes whatever has changed by then.
    assert!(["BTCUSDT@sim", "BTCUSDT"].map(Value::from).contains(&broadcast["symbol"]), "{broadcast}");
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

fn demo() -> Program {
    server("demo --seed 7 --days 1 --ws-update-interval 0.1")
}

/// The program must show a state, take a socket and stop in order, whatever standard error does.
#[track_caller]
fn works_and_stops(server: RunningProgram) {
    let (viewer, _) = server.viewer_of("BTCUSDT");
    assert_eq!(server.get("/live").status, 200);
    drop(viewer);
    assert_eq!(server.terminate().code, Some(0));
}

fn lines_dropped(server: &RunningProgram) -> f64 {
    let metrics = server.get("/metrics").text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("liqheat_log_lines_dropped_total "));
    line.unwrap().parse().unwrap()
}

/// A named pipe, and a reader that was there when it was opened.
fn pipe(folder: &Folder) -> (PathBuf, std::thread::JoinHandle<File>) {
    let path = folder.path("log.pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reading = path.clone();
    // Opening waits for the other side.
    (path, std::thread::spawn(move || File::open(reading).unwrap()))
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_on_a_full_disk_costs_only_lines() {
    let server = demo().after("exec 2>/dev/full").serve();
    assert!(lines_dropped(&server) >= 1.0);
    works_and_stops(server);
}

#[test]
fn a_log_into_a_closed_pipe_costs_only_lines() {
    let folder = Folder::new();
    let (path, reader) = pipe(&folder);
    let server = demo().after(&format!("exec 2>'{}'", path.display())).serve();
    drop(reader.join().unwrap());
    drop(server.viewer());
    until("a line is dropped", || (lines_dropped(&server) >= 1.0).then_some(()));
    works_and_stops(server);
}

/// The pipe takes 64 KiB, the queue some thousand lines: several hundred connections fill both.
#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let folder = Folder::new();
    let (path, reader) = pipe(&folder);
    let program = demo().args("--log trace").after(&format!("exec 2>'{}'", path.display()));
    let server = program.serve();
    let reader = reader.join().unwrap();
    until("the queue is full", || {
        for _ in 0..100 {
            drop(server.viewer());
        }
        (lines_dropped(&server) > 0.0).then_some(())
    });
    // Somebody reads again: what was lost is reported.
    let (said, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if line.contains("log lines dropped") {
                let _ = said.send(line);
            }
        }
    });
    let line = heard.recv_timeout(liqheat_testkit::PATIENCE).unwrap();
    assert!(line.contains("WARN") && line.contains("dropped="), "{line}");
    works_and_stops(server);

    let folder = Folder::new();
    let (path, reader) = pipe(&folder);
    let program = demo().args("--log trace").after(&format!("exec 2>'{}'", path.display()));
    let server = program.serve();
    let _unread = reader.join().unwrap();
    until("the queue is full", || {
        for _ in 0..100 {
            drop(server.viewer());
        }
        (lines_dropped(&server) > 0.0).then_some(())
    });
    works_and_stops(server);
}

/// Nobody may lose work because nobody looks at the output.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_no_failure() {
    let (folder, db) = loaded(1);
    let archive = folder.path("archive");
    let path = folder.path("closed.pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Reading and writing, so that opening does not wait; the program gets a writing end without a reader.
    let closed = format!("exec 3<>'{path}'; exec 1>'{path}' 2>'{path}'; exec 3<&-", path = path.display());
    for outputs in ["exec 1>/dev/full 2>/dev/full", &closed, "exec 1>&- 2>&-"] {
        let code = |program: Program| program.after(outputs).run().code;
        for arguments in ["--help", "--version", "serve --help", "serve --print-config"] {
            assert_eq!(code(liqheat(arguments)), Some(0), "{arguments}: {outputs}");
        }
        assert_eq!(code(liqheat("serve --nonsense")), Some(2), "{outputs}");
        assert_eq!(code(liqheat("serve --ws-queue x --lissen y")), Some(2), "{outputs}");
        let ingest = liqheat("ingest --db").arg(folder.path("again.duckdb")).arg(&archive);
        assert_eq!(code(ingest), Some(0), "{outputs}");
        let missing = liqheat("replay --db").arg(folder.path("no/such/file.duckdb"));
        assert_eq!(code(missing), Some(1), "{outputs}");
        let doctor = liqheat("doctor --venues binance --doctor-wait 0.1 --db").arg(&db);
        // Without a network a venue is down, which is what the code says.
        let nowhere = "binance=http://127.0.0.1:1,binance=ws://127.0.0.1:1";
        let doctor = doctor.env("LIQHEAT_VENUE_URL", nowhere);
        assert_eq!(code(doctor), Some(1), "{outputs}");
    }
}

/// The address is printed to a standard output that is full already.
#[test]
fn a_standard_output_that_nobody_reads_does_not_keep_a_server_from_starting() {
    let folder = Folder::new();
    let (path, reader) = pipe(&folder);
    let fill = "dd if=/dev/zero of=/dev/stdout oflag=nonblock bs=4096 count=100 2>/dev/null";
    let server = demo().after(&format!("exec 1>'{}'; {fill}", path.display())).start();
    let _unread = reader.join().unwrap();
    server.wait_for_log("listening");
    assert_eq!(server.terminate().code, Some(0));
}
