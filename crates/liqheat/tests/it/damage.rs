//! A database that is damaged, deleted or replaced, seen from the program.

use liqheat_testkit::until;

use crate::support::{loaded, server, state};

#[test]
fn a_deleted_database_is_reported_while_serving_and_at_the_end() {
    let (_folder, db) = loaded(1);
    let server = server("serve --ws-update-interval 0.5 --db").arg(&db).serve();
    drop(state(&server));
    assert_eq!(server.get("/ready").json()["status"], "ok");
    std::fs::remove_file(&db).unwrap();
    let ready = until("the missing file is noticed", || {
        let ready = server.get("/ready");
        (ready.json()["status"] == "degraded").then_some(ready)
    });
    assert_eq!(ready.status, 200, "what is known is still served");
    assert!(ready.text().contains("was deleted while it was open"), "{}", ready.text());
    assert!(server.get("/metrics").text().contains("liqheat_store_file_in_place 0"));
    assert_eq!(server.get("/v1/heatmap/history?symbol=BTCUSDT&range=12h").status, 200);
    let ended = server.terminate();
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("was deleted while it was open"), "{}", ended.err);
    assert!(!db.exists(), "no empty file takes its place");
}

#[test]
fn a_damaged_log_names_the_remedy_and_the_remedy_works() {
    let (folder, db) = loaded(1);
    let log = folder.path("market.duckdb.wal");
    // What a log never begins with.
    std::fs::write(&log, [0xAB; 4_096]).unwrap();
    let refused = server("serve --offline --db").arg(&db).run();
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("is damaged at byte 0; start with --recover"), "{}", refused.err);
    let recovered = server("serve --offline --recover --db").arg(&db).serve();
    drop(state(&recovered));
    assert!(recovered.wait_for_log("damaged write-ahead log cut").contains("market.duckdb.wal.damaged-1"));
    assert_eq!(recovered.terminate().code, Some(0));
    assert_eq!(std::fs::read(folder.path("market.duckdb.wal.damaged-1")).unwrap(), [0xAB; 4_096]);
}
