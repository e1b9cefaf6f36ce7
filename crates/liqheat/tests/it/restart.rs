//! After any end, kill -9 included, the board is the same as if nothing had happened. Boards are compared by
//! their hash, which a viewer can check, and by all their numbers.

use std::path::{Path, PathBuf};

use liqheat_store::{Location, Settings, Store};
use liqheat_testkit::{Folder, Program, RunningProgram, recorded};
use serde_json::Value;

use crate::market::{BAR_MS, BARS_A_DAY, START};
use crate::support::{load, loaded, server, state, time_of};

/// What must be the same: the levels, the price, the moment. Counters are of this run, so is the epoch.
fn board(snapshot: &Value) -> (Value, Value, Value, Value) {
    let data = &snapshot["data"];
    (
        snapshot["hash"].clone(),
        snapshot["timestamp"].clone(),
        data["levels"].clone(),
        data["current_price"].clone(),
    )
}

/// Lets it play until the market stands at a moment, and kills it.
fn kill_at(server: RunningProgram, moment: i64) {
    let mut viewer = server.viewer();
    viewer.subscribe("BTCUSDT");
    viewer.hear_until(|message| message["type"] == "snapshot" && time_of(message) >= moment);
    let ended = server.kill();
    assert_eq!(ended.code, None, "{}", ended.err);
}

/// Where the ledger of a server went on, from its log of JSON lines.
fn continued_from(server: &RunningProgram) -> i64 {
    let line = server.wait_for_log("ledger continues");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["symbol"]), (&Value::from("INFO"), &Value::from("BTCUSDT")));
    liqheat_wire::parse_time(line["from"].as_str().unwrap()).unwrap().0
}

fn over(arguments: &str, db: &Path) -> Program {
    server(arguments).args("--log-format json --db").arg(db)
}

/// The board of a file as `serve` shows it, and where its ledger continued.
fn served(db: &Path) -> (Value, i64) {
    let server = over("serve", db).serve();
    let from = continued_from(&server);
    (state(&server), from)
}

/// A copy of a database as a crash left it: with its write-ahead log.
fn copy(db: &Path, folder: &Folder, name: &str) -> PathBuf {
    let wal = |path: &Path| path.with_extension("duckdb.wal");
    let to = folder.path(name);
    std::fs::copy(db, &to).unwrap();
    if wal(db).exists() {
        std::fs::copy(wal(db), wal(&to)).unwrap();
    }
    to
}

fn forget_checkpoints(db: &Path) -> u64 {
    let store = Store::open(Location::File(db.to_path_buf()), Settings::default()).unwrap();
    let instrument = store.instruments().blocking().unwrap().remove(0).instrument;
    let dropped = store.prune_checkpoints(&instrument, 0).blocking().unwrap();
    store.close_blocking().unwrap();
    dropped
}

/// Plays a file, kills the server in the middle, and compares what is served then with a file that was never
/// played.
fn killed_replay(folder: &Folder, db: &Path, moment: i64) {
    let fresh = copy(db, folder, "fresh.duckdb");
    kill_at(over("replay --ws-update-interval 0.1 --speed 50000", db).serve(), moment);
    let (expected, from) = served(&fresh);
    let (after, continued) = served(db);
    assert_eq!(board(&after), board(&expected));
    assert!(continued > from, "the checkpoint of the killed run is used");
    assert!(moment - continued < 7 * 3_600_000, "and it is a late one: {continued}");
    // Twice is as good as once, and so is a file whose checkpoints are gone.
    assert_eq!(board(&served(db).0), board(&expected));
    assert!(forget_checkpoints(db) > 0);
    let (again, begun) = served(db);
    assert_eq!((board(&again), begun), (board(&expected), from));
}

#[test]
fn a_killed_replay_leaves_the_board_as_it_was() {
    let (folder, db) = loaded(3);
    killed_replay(&folder, &db, START + 2 * BARS_A_DAY * BAR_MS);
}

#[test]
fn a_killed_replay_of_the_recorded_crash_leaves_the_board_as_it_was() {
    let Some(archive) = recorded("binance-archive") else { return };
    let folder = Folder::new();
    let db = folder.path("crash.duckdb");
    load(&db, &[archive]);
    killed_replay(&folder, &db, liqheat_wire::parse_time("2025-11-22T12:00:00Z").unwrap().0);
}

/// A simulated market in a file goes on where it was killed, and arrives where it would have been.
#[test]
fn a_killed_demo_goes_on_as_if_nothing_had_happened() {
    let folder = Folder::new();
    let db = folder.path("sim.duckdb");
    let begins = liqheat_feeds::sim::SimConfig::default().start.0;
    let demo = |days: i64, speed: &str| {
        server(&format!(
            "demo --seed 9 --days {days} --speed {speed} --ws-update-interval 0.1 --log-format json"
        ))
    };
    let killed_at = begins + 33 * 3_600_000;
    kill_at(demo(1, "20000").args("--db").arg(&db).serve(), killed_at);

    let crashed = copy(&db, &folder, "crashed.duckdb");
    let (as_left, continued) = served(&crashed);
    assert!(time_of(&as_left) >= killed_at && continued > begins + 24 * 3_600_000);
    assert!(forget_checkpoints(&crashed) > 0);
    assert_eq!(board(&served(&crashed).0), board(&as_left), "with checkpoints or without");

    // On to the end of the second day, where the market as good as stands.
    let resumed = demo(2, "0.01").args("--db").arg(&db).serve();
    assert!(continued_from(&resumed) > begins + 24 * 3_600_000, "checkpoints outlive the filling up");
    let undisturbed = demo(2, "0.01").serve();
    assert_eq!(continued_from(&undisturbed), begins);
    assert_eq!(board(&state(&resumed)), board(&state(&undisturbed)));
}

#[test]
fn the_same_seed_is_the_same_board() {
    let at_a_day = |seed: u32| state(&server(&format!("demo --seed {seed} --days 1 --speed 0.01")).serve());
    let first = at_a_day(4);
    assert_eq!(board(&at_a_day(4)), board(&first));
    assert_ne!(at_a_day(5)["hash"], first["hash"]);
}
