//! The running score of a server over a simulated market whose liquidations are known: replayed, killed midway, and replayed on.

use std::path::Path;

use liqheat_market::UnixMs;
use liqheat_testkit::{Folder, RunningProgram, until};
use liqheat_wire::{format_time, parse_time};
use serde_json::{Value, json};

use crate::live;
use crate::support::server;

const HOUR_MS: i64 = 3_600_000;

fn replay(db: &Path, from: i64, to: i64) -> RunningProgram {
    let time = |ms: i64| format_time(UnixMs(ms));
    let program = server("replay --speed 14400 --db").arg(db);
    program.args(&format!("--from {} --to {}", time(from), time(to))).serve()
}

/// The only venue's row of the longest period.
fn month(server: &RunningProgram) -> Value {
    let answer = server.get("/v1/accuracy?symbol=BTCUSDT");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["window_s"], &body["is_graded"]), (&json!(3_600), &json!(true)), "{body}");
    let venue = &body["venues"][0];
    assert_eq!((&venue["venue"], &venue["is_throttled"]), (&json!("sim"), &json!(false)), "{body}");
    let periods = venue["periods"].as_array().unwrap();
    assert_eq!(periods.iter().map(|period| &period["days"]).collect::<Vec<_>>(), [1, 7, 30]);
    periods[2].clone()
}

#[test]
fn a_server_grades_its_own_map_hour_by_hour_and_over_a_restart() {
    let folder = Folder::new();
    let db = folder.path("sim.duckdb");
    let first_bar = {
        let simulated = server("demo --days 4 --speed 1 --db").arg(&db).serve();
        until("the simulated market is stored", || (simulated.get("/ready").status == 200).then_some(()));
        let first = simulated.get("/data/date-range?symbol=BTCUSDT").json()["start_date"].clone();
        assert_eq!(simulated.terminate().code, Some(0));
        parse_time(first.as_str().unwrap()).unwrap().0
    };
    let day = 24 * HOUR_MS;
    let killed = replay(&db, first_bar + day, first_bar + 3 * day);
    let early = until("hours are graded", || {
        let found = month(&killed);
        (found["hours"].as_u64().unwrap() >= 8).then_some(found)
    });
    // Whatever there is says how much is missing, and no figure is given before.
    let events = early["events"].as_u64().unwrap();
    assert_eq!(early["note"].is_null(), events >= 100, "{early}");
    assert_eq!(early["predictors"].as_array().unwrap().is_empty(), events < 100, "{early}");
    killed.kill();

    let server = replay(&db, first_bar + 3 * day, first_bar + 4 * day);
    let later = until("later hours are graded", || {
        let found = month(&server);
        let is_later = found["hours"].as_u64().unwrap() >= early["hours"].as_u64().unwrap() + 18;
        is_later.then_some(found)
    });
    assert_eq!(later["from"], early["from"], "what was graded before is kept");
    let known = |field: &str| later[field].as_u64().unwrap();
    assert!(known("events") > events && known("events") >= 100, "{later}");
    // The server was stopped for the rest of the first stretch: those hours are lost, and said to be.
    let begun = parse_time(later["from"].as_str().unwrap()).unwrap().0;
    let span = (first_bar + 4 * day - begun) as u64 / HOUR_MS as u64;
    assert!(known("hours_lost") >= 10 && known("hours") + known("hours_lost") <= span, "{later}");
    assert!(known("cells_hit") <= known("cells") && known("cells") > 50, "{later}");
    assert_eq!(later["interval_over"], "hours", "too few days for an interval over days");
    let predictors = later["predictors"].as_array().unwrap();
    let names: Vec<&str> = predictors.iter().map(|one| one["predictor"].as_str().unwrap()).collect();
    assert_eq!(names, ["map", "candle_colour", "yesterdays_map", "path", "distance"]);
    // The model knows the kind of market that the simulation is, so it must be right about it.
    let figure = |index: usize, field: &str| predictors[index][field].as_f64().unwrap();
    assert!(figure(0, "in_hour_partial") > 0.1, "{later}");
    assert!(figure(0, "rank_correlation") > figure(4, "rank_correlation"), "{later}");
    assert!(predictors[0]["in_hour_partial_interval"].as_array().unwrap().len() == 2, "{later}");
    assert!(predictors[4].get("in_hour_partial").is_none(), "distance says nothing beyond distance");
}

/// Live, an hour counts only if its liquidations were received from beginning to end: those of a break cannot be fetched.
#[test]
fn an_hour_in_which_the_server_restarted_is_lost_and_the_next_whole_one_counts() {
    /// An hour takes twelve seconds.
    const SPEED: f64 = 300.0;
    let folder = Folder::new();
    let db = folder.path("live.duckdb");
    let exchange = live::exchange(8 * 60, SPEED);
    // Two seconds by the wall: what a busy machine delays is not taken for silence.
    let start = || live::follower(&exchange, SPEED, &db).args("--silence-timeout 600").serve();
    let period = |server: &RunningProgram| {
        let body = server.get("/v1/accuracy?symbol=BTCUSDT").json();
        let venue = &body["venues"][0];
        assert_eq!((&body["is_graded"], &venue["venue"]), (&json!(true), &json!("binance")), "{body}");
        assert_eq!(venue["feed"], "at most one liquidation a second and symbol");
        assert_eq!(venue["is_throttled"], true);
        venue["periods"][0].clone()
    };
    let whole = |server: &RunningProgram, count: u64| {
        until("a whole hour is graded", || {
            let found = period(server);
            (found["hours"].as_u64().unwrap() >= count).then_some(found)
        })
    };
    let killed = start();
    let first = whole(&killed, 1);
    assert_eq!(first["hours_lost"], 0, "{first}");
    let begun = parse_time(first["from"].as_str().unwrap()).unwrap();
    assert!(begun.0 % HOUR_MS == 0 && begun >= live::START, "{first}");
    // The hour that has begun meanwhile is frozen. It is not graded by the server that comes after.
    killed.kill();
    let server = start();
    let later = whole(&server, 2);
    assert_eq!(later["from"], first["from"], "{later}");
    assert!(later["hours_lost"].as_u64().unwrap() >= 1, "{later}");
}

#[test]
fn stored_data_is_not_graded_and_the_answer_says_so() {
    let (_folder, db) = crate::support::loaded(2);
    let server = server("serve --db").arg(db).serve();
    let body = server.get("/v1/accuracy?symbol=BTCUSDT").json();
    assert_eq!(body["is_graded"], false, "{body}");
    let day = &body["venues"][0]["periods"][0];
    assert_eq!((&day["hours"], &day["events"]), (&json!(0), &json!(0)), "{body}");
    assert_eq!(day["note"], "not enough events yet (0 of 100)");
    let unknown = server.get("/v1/accuracy?symbol=NONE");
    assert_eq!(unknown.status, 400, "{}", unknown.text());
    assert_eq!(server.get("/v1/accuracy").status, 422);
}
