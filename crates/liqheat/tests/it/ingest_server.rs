//! `liqheat ingest --server` and `/v1/ingest`: a running server takes files into the database that it has open.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use liqheat_store::baseline::differences;
use liqheat_testkit::token::{SECRET, signed_with};
use liqheat_testkit::{
    Answer, Folder, PATIENCE, Program, ProgramOutput, RunningProgram, free_port, read_answer, until,
};
use serde_json::{Value, json};

use crate::market::{self, BAR_MS, BARS_A_DAY, START};
use crate::support::{ask, liqheat, load, loaded, server, table};

const DAYS: i64 = 4;

fn url(server: &RunningProgram) -> String {
    format!("http://{}", server.address())
}

fn sending(to: &str, paths: &[PathBuf]) -> Program {
    paths.iter().fold(liqheat("ingest --server").args(to), Program::arg)
}

fn send(to: &str, paths: &[PathBuf]) -> ProgramOutput {
    sending(to, paths).run()
}

/// A server over a database that holds these files already.
fn serve(db: &Path, files: &[PathBuf]) -> RunningProgram {
    if !files.is_empty() {
        load(db, files);
    }
    server("serve --offline --ws-update-interval 0.25 --db").arg(db).serve()
}

/// Some days of the made-up market, and a file of each other kind that is read.
fn every_kind() -> Folder {
    let (folder, db) = loaded(DAYS);
    let trades = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n\
                  11,100000.30,0.006,100,104,1756080001322,true\n\
                  12,100000.40,0.199,105,105,1756080002344,false\n";
    folder.put_zip("archive/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2025-08-25", trades);
    let marks = "1756080000000,100000.1,100100,99900,100050,0,1756080299999,0,300,0,0,0\n";
    folder.put("archive/markPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.csv", marks);
    folder.put(
        "archive/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2025-08.csv",
        "calc_time,funding_interval_hours,last_funding_rate\n1756080000004,8,0.00010000\n",
    );
    folder.put(
        "archive/liquidationSnapshot/BTCUSDT/BTCUSDT-liquidationSnapshot-2025-08-25.csv",
        "1756080100000,SELL,LIMIT,IOC,2,99779.5,100020.9,FILLED,1,1\n",
    );
    folder.put(
        "archive/bybit-liquidations.csv",
        "ts_ms,symbol,side,qty,price\n1756080333999,BTCUSDT,Buy,1.496,99306.3\n1756080333999,BTCUSDT,Both,1,1\n",
    );
    let bars = liqheat("export --symbol BTCUSDT --what bars --from 2025-08-25 --db")
        .arg(&db)
        .args("--out")
        .arg(folder.path("archive/binance-um-ETHUSDT-5m-2025.parquet"))
        .run();
    assert_eq!(bars.code, Some(0), "{}", bars.err);
    // A bad row among good ones.
    let day = market::klines(DAYS);
    let first_open = day.split(',').nth(1).unwrap().to_owned();
    folder.put(
        &format!("archive/klines/BTCUSDT/5m/BTCUSDT-5m-{}.csv", market::date(DAYS)),
        day.replacen(&first_open, "0", 1),
    );
    folder
}

/// Position-independent name of the state that is shown.
fn shown(server: &RunningProgram) -> Option<(Value, Value)> {
    let answer = server.get("/v1/heatmap?symbol=BTCUSDT@binance");
    let state = (answer.status == 200).then(|| answer.json())?;
    Some((state["hash"].clone(), state["timestamp"].clone()))
}

#[test]
fn rows_sent_to_a_server_are_those_of_a_local_load() {
    let folder = every_kind();
    let archive = [folder.path("archive")];
    let local_db = folder.path("local.duckdb");
    let local = liqheat("ingest --db").arg(&local_db).arg(&archive[0]).run();
    // The server begins with a hole in its past, which the files fill while it runs.
    let sent_db = folder.path("sent.duckdb");
    let klines = |day: i64| {
        let ending = if day % 2 == 0 { "zip" } else { "csv" };
        folder.path(&format!("archive/klines/BTCUSDT/5m/BTCUSDT-5m-{}.{ending}", market::date(day)))
    };
    let running = serve(&sent_db, &[klines(0), klines(2), klines(3), folder.path("archive/metrics")]);
    let before = until("a first state", || shown(&running));
    let sent = send(&url(&running), &archive);
    // The bad rows are reported, so neither command succeeds.
    assert_eq!((local.code, sent.code), (Some(1), Some(1)), "{}{}", sent.out, sent.err);
    let (local_rows, sent_rows) = (table(&local.out), table(&sent.out));
    assert_eq!(local_rows.keys().collect::<Vec<_>>(), sent_rows.keys().collect::<Vec<_>>(), "{}", sent.out);
    for (family, [files, loaded, already_there, refused]) in &local_rows {
        let [sent_files, sent_loaded, sent_there, sent_refused] = sent_rows[family];
        assert_eq!(
            (files, loaded + already_there, refused),
            (&sent_files, sent_loaded + sent_there, &sent_refused),
            "{family}: {}",
            sent.out
        );
    }
    assert_eq!(sent_rows["klines"], [5, 2 * 288 - 1, 3 * 288, 1], "{}", sent.out);
    for remark in ["open is zero, first in line 1", "the side is none of buy, sell, long, short"] {
        assert!(local.out.contains(remark) && sent.out.contains(remark), "{remark}: {}", sent.out);
    }
    for instrument in ["BTCUSDT@bybit", "ETHUSDT@binance"] {
        let note = format!("stores {instrument}, but shows it only after a restart");
        assert!(sent.out.contains(&note), "{note}: {}", sent.out);
    }

    // The ledger went back and computed the days anew: the state is that of a server that had all rows at its start.
    let complete = serve(&local_db, &[]);
    let expected = until("the state over all rows", || shown(&complete));
    until("the same state after the files came", || (shown(&running)? == expected).then_some(()));
    assert_ne!(before, expected);
    let query = format!(
        "/prices/klines?symbol=BTCUSDT&interval=5m&start_time={START}&end_time={}",
        START + DAYS * BARS_A_DAY * BAR_MS
    );
    assert_eq!(ask(&running, &query), ask(&complete, &query));

    let again = send(&url(&running), &archive);
    assert_eq!(table(&again.out)["all"][1], 0, "nothing is new: {}", again.out);
    assert_eq!((running.terminate().code, complete.terminate().code), (Some(0), Some(0)));
    let tables = differences(&local_db, &sent_db).unwrap();
    let rows = |name: &str| tables.iter().find(|table| table.table == name).unwrap().rows;
    assert!(tables.iter().all(|table| table.differing == 0), "{tables:?}");
    assert_eq!((rows("liquidations"), rows("trades"), rows("funding")), (2, 2, 1), "{tables:?}");
    assert_eq!(rows("klines"), 4 * 288 + 287 + 1 + 4 * 288, "{tables:?}");
}

/// The head of a POST with a body that is still to come.
fn head(address: SocketAddr, name: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /v1/ingest?name={name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n"
    )
    .unwrap();
    stream
}

fn post(address: SocketAddr, name: &str, more: &str, body: &str) -> Answer {
    let length = body.len();
    let kind = if more.contains("Content-Type") { "" } else { "Content-Type: application/octet-stream\r\n" };
    let mut stream = head(address, name, &format!("{kind}Content-Length: {length}\r\n{more}"));
    // A refused request is answered before its body is read.
    let _ = stream.write_all(body.as_bytes());
    read_answer(&mut stream).unwrap()
}

fn is_running(server: &RunningProgram) -> bool {
    ask(server, "/v1/ingest")["is_running"] == true
}

#[test]
fn a_body_that_breaks_off_changes_nothing_and_frees_the_place() {
    let folder = market::folder(2);
    let db = folder.path("x.duckdb");
    let running = serve(&db, &[folder.path("archive")]);
    let day = market::klines(7);
    let octets = "Content-Type: application/octet-stream\r\n";
    let mut cut = head(
        running.address(),
        "BTCUSDT-5m-2025-09-01.csv",
        &format!("{octets}Content-Length: {}\r\n", day.len()),
    );
    cut.write_all(&day.as_bytes()[..day.len() / 2]).unwrap();
    until("the upload has begun", || is_running(&running).then_some(()));

    // One at a time, and the answer to whoever comes second says when to come back.
    let second = post(running.address(), "BTCUSDT-5m-2025-09-01.csv", "", &day);
    assert_eq!((second.status, second.header("retry-after")), (503, Some("10")), "{}", second.text());
    let file = folder.put("other/BTCUSDT-5m-2025-09-01.csv", &day);
    let busy = send(&url(&running), std::slice::from_ref(&file));
    assert_eq!(busy.code, Some(1), "{}", busy.out);
    assert!(busy.err.contains("is busy") && busy.err.contains("Retry-After: 10 s"), "{}", busy.err);

    drop(cut);
    until("the place is free", || (!is_running(&running)).then_some(()));
    let chunked = format!("{octets}Transfer-Encoding: chunked\r\n");
    let mut cut = head(running.address(), "BTCUSDT-5m-2025-09-01.csv", &chunked);
    write!(cut, "{:x}\r\n{day}\r\n", day.len()).unwrap();
    until("another upload has begun", || is_running(&running).then_some(()));
    drop(cut);
    until("the place is free again", || (!is_running(&running)).then_some(()));

    let whole = send(&url(&running), &[file]);
    assert_eq!(whole.code, Some(0), "{}{}", whole.out, whole.err);
    assert_eq!(
        table(&whole.out)["klines"],
        [1, 288, 0, 0],
        "nothing of the halves was stored: {}",
        whole.out
    );
    running.wait_for_log("broke off");
    assert_eq!(running.terminate().code, Some(0));
}

#[test]
fn bad_requests_are_refused_by_name() {
    let folder = market::folder(1);
    let running = serve(&folder.path("x.duckdb"), &[folder.path("archive")]);
    let address = running.address();
    let day = market::klines(1);
    let name = "BTCUSDT-5m-2025-08-26.csv";
    for (name, more, body, status, part) in [
        ("", "", "x", 422, "'name' is missing"),
        ("a%00b.csv", "", "x", 422, "control characters"),
        (&"x".repeat(1_025), "", "x", 422, "at most 1024 bytes"),
        ("picture.png", "", "x", 422, "neither .csv, .csv.gz, .zip nor .parquet"),
        ("BTCUSDT.csv", "", "horse,cow\n1,2\n", 422, "unknown header in line 1: horse,cow"),
        ("BTCUSDT-5m-2025-08-26.zip", "", "not a zip", 422, "not a whole zip file"),
        ("BTCUSDT-5m.parquet", "", "not parquet", 422, "cannot be read"),
        ("BTCUSDT-5m-2025-08-26.csv.gz", "", "not gzip", 422, "broke off"),
        ("klines.parquet", "", "x", 422, "cannot tell the symbol"),
        (&format!("{name}&family=stars"), "", &day, 422, "'family' must be one of aggTrades"),
        (&format!("{name}&symbol=B!"), "", &day, 422, "'symbol'"),
        (&format!("{name}&path=/etc"), "", &day, 400, "'path' is not known"),
        (name, "Content-Type: text/csv\r\n", &day, 422, "application/octet-stream"),
        (name, "Origin: https://evil.example\r\n", &day, 403, "other origins"),
        (name, "Sec-Fetch-Site: cross-site\r\n", &day, 403, "other origins"),
        (name, "X-Forwarded-For: 192.0.2.1\r\n", &day, 403, "without tokens only this machine"),
    ] {
        let answer = post(address, name, more, body);
        assert_eq!(answer.status, status, "{name} {more}: {}", answer.text());
        assert!(answer.text().contains(part), "{name} {more}: {}", answer.text());
    }
    let octets = "Content-Type: application/octet-stream\r\n";
    let mut large = head(address, name, &format!("{octets}Content-Length: {}\r\n", 300 << 20));
    let large = read_answer(&mut large).unwrap();
    assert_eq!(large.status, 413, "{}", large.text());
    assert!(large.text().contains("256 MiB at most"), "{}", large.text());
    let mut remove = TcpStream::connect(address).unwrap();
    write!(remove, "DELETE /v1/ingest HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut remove).unwrap().status, 405);
    // An empty file is no archive either, and the good one is taken after all that.
    assert_eq!(post(address, name, "", "").status, 422);
    let good = post(address, name, "", &day);
    assert_eq!((good.status, &good.json()["rows"]), (200, &json!(288)), "{}", good.text());
    until("it is ready after all that", || (running.get("/ready").status == 200).then_some(()));
}

#[test]
fn tokens_must_allow_loading_files() {
    let folder = market::folder(1);
    load(&folder.path("x.duckdb"), &[folder.path("archive")]);
    let program = server("serve --offline --db").arg(folder.path("x.duckdb")).env("WS_JWT_SECRET", SECRET);
    let running = program.serve();
    let file = [folder.put("more/BTCUSDT-5m-2025-08-26.csv", market::klines(1))];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = |claims: Value| {
        let mut all = json!({ "exp": now + 3_600 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        signed_with(SECRET, &all)
    };
    let with = |token: &str| sending(&url(&running), &file).env("LIQHEAT_TOKEN", token).run();
    for (sent, part) in [
        (send(&url(&running), &file), "needs a token"),
        (with("nonsense"), "not a JWT"),
        (with("line\nbreak"), "characters that no token has"),
        (with(&token(json!({}))), "does not allow loading files (claim 'ingest': true)"),
        (with(&token(json!({ "ingest": "true" }))), "does not allow loading files"),
    ] {
        assert_eq!(sent.code, Some(1), "{part}: {}", sent.out);
        assert!(sent.err.contains(part), "{part}: {}", sent.err);
    }
    let other = with(&token(json!({ "ingest": true, "symbols": ["ETHUSDT"] })));
    assert_eq!(other.code, Some(1));
    assert!(other.out.contains("does not allow rows of BTCUSDT@binance"), "{}", other.out);
    for symbols in [json!(["BTCUSDT"]), json!(["BTCUSDT@binance"])] {
        let token = token(json!({ "ingest": true, "symbols": symbols }));
        let sent = sending(&url(&running), &file).args("--token").args(&token).run();
        assert_eq!(sent.code, Some(0), "{}{}", sent.out, sent.err);
        assert!(!sent.out.contains(&token) && !sent.err.contains(&token));
    }
    // With tokens the place of the client does not matter.
    let bearer = format!("Authorization: Bearer {}\r\n", token(json!({ "ingest": true })));
    let remote = post(
        running.address(),
        "BTCUSDT-5m-2025-08-26.csv",
        &format!("{bearer}X-Forwarded-For: 192.0.2.1\r\n"),
        &market::klines(1),
    );
    assert_eq!((remote.status, &remote.json()["already_there"]), (200, &json!(288)), "{}", remote.text());
}

/// Answers requests in turn, each with one of these answers once its body is read; after an empty one it waits for the
/// client to leave. Says when it has the head of a request.
fn stand_in(answers: Vec<String>) -> (SocketAddr, thread::JoinHandle<()>, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, head_came) = channel();
    let handle = thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let _ = heads.send(());
            if answer.is_empty() {
                let mut rest = Vec::new();
                // However it leaves.
                let _ = stream.read_to_end(&mut rest);
                return;
            }
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            stream.read_exact(&mut vec![0; length]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, handle, head_came)
}

fn http(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[test]
fn what_is_no_server_that_takes_files_is_named() {
    let folder = market::folder(1);
    let archive = [folder.path("archive")];
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let refused = send(&nobody, &archive);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("no server answers at") && refused.err.contains("refused"),
        "{}",
        refused.err
    );
    let other = send("ftp://localhost", &archive);
    assert_eq!(other.code, Some(2), "{}", other.err);
    assert!(other.err.contains("http://127.0.0.1:8000"), "{}", other.err);
    let state = http("200 OK", "application/json", r#"{"bytes_max":1000000,"is_running":false}"#);
    for (answers, part) in [
        (vec![http("404 Not Found", "text/html", "<html>")], "is no liqheat server that takes files (404"),
        (vec![http("200 OK", "text/html", "<html>")], "is no liqheat server that takes files (200"),
        (vec![http("502 Bad Gateway", "text/html", "<html>")], "from a proxy before the server"),
    ] {
        let (address, done, _) = stand_in(answers);
        let sent = send(&format!("http://{address}"), &archive);
        assert_eq!(sent.code, Some(1), "{part}");
        assert!(sent.err.contains(part), "{part}: {}", sent.err);
        done.join().unwrap();
    }
    // A proxy that takes smaller bodies than the server; the next file may fit.
    let small = http("413 Request Entity Too Large", "text/html", "<html>");
    let (address, done, _) = stand_in(vec![state.clone(), small.clone(), small]);
    let sent = send(&format!("http://{address}"), &archive);
    assert_eq!(sent.code, Some(1), "{}", sent.err);
    assert_eq!(sent.out.matches("413 Payload Too Large, from a proxy").count(), 2, "{}", sent.out);
    done.join().unwrap();
    let little = http("200 OK", "application/json", r#"{"bytes_max":10,"is_running":false}"#);
    let (address, done, _) = stand_in(vec![little]);
    let sent = send(&format!("http://{address}"), &archive);
    assert!(sent.code == Some(1) && sent.out.contains("larger than the 0 MiB"), "{}", sent.out);
    done.join().unwrap();

    // Ctrl-C while the server has the file and does not answer.
    let (address, done, head_came) = stand_in(vec![state, String::new()]);
    let waiting = sending(&format!("http://{address}"), &archive).start();
    for _ in 0..2 {
        head_came.recv_timeout(PATIENCE).unwrap();
    }
    waiting.signal("INT");
    let stopped = waiting.wait();
    assert_eq!(stopped.code, Some(1), "{}{}", stopped.out, stopped.err);
    assert!(stopped.out.contains("run the same command again"), "{}", stopped.out);
    done.join().unwrap();
}
