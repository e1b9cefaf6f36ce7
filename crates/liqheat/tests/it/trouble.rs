//! A database that fails while a server runs on it: told, counted, tried again, survived.

use std::fmt::Write;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write as _};
use std::path::Path;

use liqheat_testkit::until;
use serde_json::json;

use crate::market::{BAR_MS, BARS_A_DAY, START, bar};
use crate::support::{limit_file_size, load, loaded, server, state, time_of};

/// This many trades that they fill several parts of the file, which are read one after the other.
fn trades(days: i64, each_bar: i64) -> String {
    let mut text = String::new();
    for index in 0..days * BARS_A_DAY {
        let (open, high, low, close) = bar(index);
        for trade in 0..each_bar {
            let (id, time) = (index * each_bar + trade, START + index * BAR_MS + trade * BAR_MS / each_bar);
            let price = (open + (close - open) * trade / each_bar + id % 17 - 8).clamp(low + 1, high);
            writeln!(text, "{id},{price}.5,0.{:03},{id},{id},{time},{}", 1 + id * 7919 % 999, id % 3 == 0)
                .unwrap();
        }
    }
    text
}

/// Writes over a file in place, as a failing disk does.
fn overwrite(path: &Path, content: &[u8]) {
    let mut file: File = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(content).unwrap();
    file.sync_all().unwrap();
}

/// The file turns to rubbish under the server and is mended again.
#[test]
fn failed_reads_are_counted_tried_again_and_made_up_for() {
    const DAYS: i64 = 3;
    let (folder, db) = loaded(DAYS);
    let file = folder.put("more/BTCUSDT-aggTrades-2025-08.csv", trades(DAYS, 500));
    load(&db, &[file]);
    let good = std::fs::read(&db).unwrap();
    let expected =
        state(&server("serve --ws-update-interval 1 --db").arg(folder.put("same.duckdb", &good)).serve());

    let begin = START + 6 * 3_600_000;
    let replay = server(&format!("replay --from {begin} --speed 40000 --ws-update-interval 0.1"));
    let server = replay.args("--db").arg(&db).serve();
    let (mut viewer, _) = server.viewer_of("BTCUSDT");
    let rubbish: Vec<u8> = (0..good.len()).map(|n| (n * 131 % 251) as u8).collect();
    overwrite(&db, &rubbish);

    let status = viewer.hear_until(|message| message["state"] == "degraded");
    assert_eq!(status["type"], "status");
    let failed = until("it fails several times", || {
        server.get("/ws/stats").json()["updates_failed"].as_u64().filter(|failed| *failed >= 3)
    });
    assert!(failed >= 3);
    let ready = server.get("/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.json()["reasons"][0].as_str().unwrap().contains("updates failed"), "{}", ready.text());
    assert_eq!(
        (server.get("/live").status, server.get("/health").json()["status"].clone()),
        (200, json!("degraded"))
    );
    assert!(server.log().contains("update failed; the next turn tries again"));
    let mut late = server.viewer();
    late.subscribe("BTCUSDT");
    assert_eq!(late.hear()["type"], "snapshot", "what is known is still served");

    overwrite(&db, &good);
    let end = START + DAYS * BARS_A_DAY * BAR_MS;
    let last = viewer.hear_until(|message| message["type"] == "snapshot" && time_of(message) >= end);
    assert_eq!((&last["hash"], &last["data"]["levels"]), (&expected["hash"], &expected["data"]["levels"]));
    until("it is well again", || (server.get("/ready").status == 200).then_some(()));
    assert_eq!(server.get("/ws/stats").json()["boards"]["BTCUSDT"]["state"], "replay");
    assert_eq!(server.terminate().code, Some(0));
}

/// No room left for the simulated market: it stands still and says so; what is there is served.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_the_simulated_market_and_nothing_else() {
    let folder = liqheat_testkit::Folder::new();
    // 4 MiB a file (blocks of 512 bytes); a day of the market is about 3 MiB.
    let limited = server("demo --days 1 --speed 20000 --ws-update-interval 0.1")
        .args("--db")
        .arg(folder.path("small.duckdb"))
        .after("trap '' XFSZ; ulimit -S -f 8192");
    let server = limited.serve();
    let mut viewer = server.viewer();
    viewer.subscribe("BTCUSDT");
    viewer.hear_until(|message| message["state"] == "degraded");
    let reason = server.get("/health").json()["reasons"][0].clone();
    assert!(reason.as_str().unwrap().contains("could not be stored"), "{reason}");
    assert!(server.wait_for_log("not stored; trying again").contains("small.duckdb"));
    assert_eq!(server.get("/v1/heatmap/history?symbol=BTCUSDT&range=12h").status, 200);
    limit_file_size(&server, "unlimited");
    until("it is well again", || (server.get("/ready").status == 200).then_some(()));
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}
