//! `replay` and `demo`: stored and simulated markets played as if they happened now.

use std::collections::BTreeMap;
use std::path::PathBuf;

use liqheat_market::UnixMs;
use liqheat_testkit::{Folder, RunningProgram, recorded, until};
use liqheat_wire::{Cell, StateHash, format_time, parse_time};
use serde_json::{Value, json};

use crate::market::{BAR_MS, BARS_A_DAY, FALL, START};
use crate::support::{cells, hash_of, load, loaded, server, state, time_of};

/// Frames of a replay up to a market time.
struct ReplayFrames {
    /// Times of the states, as they came.
    times: Vec<i64>,
    consumed: u64,
    last: Value,
}

/// Watches until the state is as of a moment or later. Each frame's hash is checked on the way.
fn watch(server: &RunningProgram, to: i64) -> ReplayFrames {
    let mut viewer = server.viewer();
    viewer.subscribe("BTCUSDT");
    let mut watched = ReplayFrames { times: Vec::new(), consumed: 0, last: Value::Null };
    while watched.times.last().is_none_or(|time| *time < to) {
        let message = viewer.hear();
        match message["type"].as_str() {
            Some("snapshot") => {
                assert_eq!(message["hash"], hash_of(&message));
                watched.times.push(time_of(&message));
                watched.consumed += message["data"]["positions_consumed"].as_u64().unwrap();
                watched.last = message;
            }
            Some("status") => assert!(
                message["state"] == "replay" || message["seq"] == 0,
                "a replay never calls itself live: {message}"
            ),
            other => panic!("{other:?}"),
        }
    }
    assert!(watched.times.is_sorted(), "time runs forward");
    watched
}

/// Nothing went wrong on the way, and the server is still there.
fn assert_sound(server: &RunningProgram) {
    let stats = server.get("/ws/stats").json();
    assert_eq!((&stats["updates_failed"], &stats["invariants_broken"]), (&json!(0), &json!(0)), "{stats}");
    assert_eq!(stats["boards"]["BTCUSDT"]["state"], "replay");
    assert_eq!((server.get("/live").status, server.get("/ready").status), (200, 200));
}

/// What the picture shows of the price passing through bands.
#[derive(Debug, Default)]
struct BandPasses {
    /// Columns that were compared with their candle.
    columns: usize,
    /// USD in cells that the candle of the next column passed through, before and after it.
    long: (f64, f64),
    short: (f64, f64),
}

/// Compares every column of the picture with the candle of its time.
fn touched(server: &RunningProgram, range: &str, columns: usize) -> BandPasses {
    let grid = server.get(&format!("/v1/heatmap/history?symbol=BTCUSDT&range={range}&columns={columns}"));
    assert_eq!(grid.status, 200, "{}", grid.text());
    let grid = grid.json();
    assert_eq!(grid["column_ms"], BAR_MS, "a column is a bar");
    let number = |field: &str| grid[field].as_f64().unwrap();
    let (low_edge, bin, start) = (number("price_low"), number("bin"), grid["start"].as_i64().unwrap());
    let plane = |side: &str| -> Vec<Vec<f64>> { serde_json::from_value(grid[side].clone()).unwrap() };
    let (long, short) = (plane("long"), plane("short"));

    let klines = server.get("/prices/klines?symbol=BTCUSDT&interval=5m&limit=5000").json();
    let candle = |row: &Value| {
        let price = |field: &str| row[field].as_f64().unwrap();
        (
            parse_time(row["timestamp"].as_str().unwrap()).unwrap().0,
            (price("low"), price("high"), price("close")),
        )
    };
    let candles: BTreeMap<i64, (f64, f64, f64)> =
        klines["data"].as_array().unwrap().iter().map(candle).collect();

    let mut touched = BandPasses::default();
    for column in 1..long.len() {
        let Some((low, high, close)) = candles.get(&(start + column as i64 * BAR_MS)) else { continue };
        let drawn = |plane: &[Vec<f64>]| plane[column].iter().any(|usd| *usd > 0.0);
        if !drawn(&long) && !drawn(&short) {
            // The bar that has just begun.
            continue;
        }
        touched.columns += 1;
        for row in 0..long[column].len() {
            let (bottom, top) = (low_edge + row as f64 * bin, low_edge + (row + 1) as f64 * bin);
            // The rule without exception: longs end below the price, shorts above it.
            assert!(
                bottom < *close || long[column][row] == 0.0,
                "a long at {bottom} over {close} in column {column}"
            );
            assert!(
                top > *close || short[column][row] == 0.0,
                "a short at {bottom} under {close} in column {column}"
            );
            // Where the candle was, only what was opened inside it can be left.
            if bottom >= *low && top <= *high {
                touched.long.0 += long[column - 1][row];
                touched.long.1 += long[column][row];
                touched.short.0 += short[column - 1][row];
                touched.short.1 += short[column][row];
            }
        }
    }
    touched
}

/// Bands end where the price touches them: of what the candles passed through next to nothing is left.
#[track_caller]
fn assert_bands_end(touched: &BandPasses, usd_least: f64) {
    for (before, after) in [touched.long, touched.short] {
        assert!(before > usd_least, "the price went through bands: {touched:?}");
        assert!(after < before / 20.0, "and they end there: {touched:?}");
    }
}

/// Parameters without classes above 100x. Positions at 150x have their levels .3 % from where they were opened, inside the
/// candle of a wild bar that opened them, so what a candle passed through would not be empty behind it.
fn without_extremes(folder: &Folder) -> PathBuf {
    folder.put("model.toml", "[[parameters]]\nvenue = \"binance\"\nsymbol = \"BTCUSDT\"\n")
}

fn serving(arguments: &str, db: &PathBuf) -> RunningProgram {
    server(arguments).args("--ws-update-interval 0.1 --db").arg(db).serve()
}

#[test]
fn a_replay_plays_to_its_end_and_stays() {
    let (_folder, db) = loaded(3);
    let (from, to) = (START + (FALL.start - 60) * BAR_MS, START + 2 * BARS_A_DAY * BAR_MS);
    let arguments = format!("replay --speed 20000 --from {} --to {to}", format_time(UnixMs(from)));
    let folder = Folder::new();
    let model = without_extremes(&folder);
    let server = serving(&format!("{arguments} --model {}", model.display()), &db);
    // The last bar is complete a tenth of its length after it closed.
    let watched = watch(&server, to - BAR_MS);
    let first = watched.times[0];
    assert!((from - 2 * BAR_MS..=from + 10 * BAR_MS).contains(&first), "begins at --from: {first}");
    assert_eq!(*watched.times.last().unwrap(), to - BAR_MS, "ends at --to, though there is a day more");
    assert!(watched.times.len() > 2, "{:?}", watched.times);
    assert!(watched.consumed > 0, "a fall of six per cent liquidates");
    assert_sound(&server);

    let symbols = server.get("/v1/symbols").json();
    assert_eq!((&symbols["speed"], &symbols["simulated"]), (&json!(20_000.0), &json!(false)));
    assert_eq!(
        (&symbols["symbols"][0]["state"], &symbols["symbols"][0]["last"]),
        (&json!("replay"), &json!(to - BAR_MS))
    );
    let klines = server.get("/prices/klines?symbol=BTCUSDT&limit=1").json();
    assert_eq!(klines["data"][0]["timestamp"], format_time(UnixMs(to - BAR_MS)), "nothing later is shown");
    let touched = touched(&server, "24h", 288);
    assert!(touched.columns >= 285, "{touched:?}");
    assert_bands_end(&touched, 1e6);

    // It has ended, so nothing changes any more.
    let board = || server.get("/ws/stats").json()["boards"]["BTCUSDT"].clone();
    assert_eq!(board()["hash"], watched.last["hash"]);
    assert_eq!(server.terminate().code, Some(0));
}

/// A poller that keeps what it has and asks for the difference arrives where a listener does.
#[test]
fn a_replay_can_be_followed_by_polling_for_differences() {
    let (_folder, db) = loaded(2);
    let server = serving("replay --speed 20000 --from 2025-08-26T10:00:00Z --to 2025-08-26T22:00:00Z", &db);
    let end = START + (BARS_A_DAY + 263) * BAR_MS;
    drop(state(&server));
    let mut held: BTreeMap<u64, Cell> = BTreeMap::new();
    let (mut since, mut deltas, mut reached) = (String::new(), 0, 0);
    while reached < end {
        let answer = until("the next state", || {
            let answer = server.get(&format!("/v1/heatmap?symbol=BTCUSDT&since={since}"));
            (answer.status != 304).then_some(answer)
        });
        let message = answer.json();
        match message["type"].as_str() {
            Some("snapshot") => held.clear(),
            Some("delta") => {
                assert!(since.ends_with(&format!(":{}", message["from"])), "{since} {}", message["from"]);
                deltas += 1;
            }
            other => panic!("{other:?}"),
        }
        held.extend(
            cells(&message["data"]["levels"]).into_iter().map(|cell| (cell.price.units() as u64, cell)),
        );
        assert_eq!(message["hash"], StateHash::of(held.values()).to_string());
        since = format!("{}:{}", message["epoch"].as_str().unwrap(), message["seq"]);
        reached = time_of(&message);
    }
    // A turn in which many bars closed may change more than half of the levels.
    assert!(deltas > 3, "{deltas} differences");
    let stats = server.get("/ws/stats").json();
    assert_eq!(stats["boards"]["BTCUSDT"]["hash"], StateHash::of(held.values()).to_string());
}

#[test]
fn a_replay_without_an_end_plays_the_last_bar_too() {
    let (_folder, db) = loaded(2);
    let server = serving("replay --speed 100000", &db);
    let end = START + 2 * BARS_A_DAY * BAR_MS;
    assert_eq!(time_of(&watch(&server, end).last), end);
}

#[test]
fn what_cannot_be_replayed_is_reported() {
    let (folder, db) = loaded(1);
    let refused = |arguments: &str, db: &PathBuf| {
        let done = server(arguments).args("--db").arg(db).run();
        assert_eq!(done.code, Some(1), "{}", done.err);
        done.err
    };
    let before = refused("replay --from 2024-01-01 --to 2024-01-02", &db);
    assert!(before.contains("BTCUSDT@binance from 2025-08-25T00:00:00Z to 2025-08-26T00:00:00Z"), "{before}");
    let backwards = refused("replay --from 2025-08-26 --to 2025-08-25", &db);
    assert!(backwards.contains("must be earlier than"), "{backwards}");
    let empty = refused("replay", &folder.path("empty.duckdb"));
    assert!(empty.contains("empty.duckdb") && empty.contains("liqheat ingest"), "{empty}");
    let symbol = refused("serve --offline --symbols ETHUSDT", &db);
    assert!(symbol.contains("'ETHUSDT'") && symbol.contains("BTCUSDT"), "{symbol}");
    let nonsense = server("replay --from soon").args("--db").arg(&db).run();
    assert_eq!(nonsense.code, Some(2), "{}", nonsense.err);
}

#[test]
fn demo_of_files_is_loading_and_playing_in_one() {
    let (folder, _db) = loaded(2);
    let demo =
        server("demo --speed 20000 --ws-update-interval 0.1 --from 2025-08-26 --to 2025-08-26T12:00:00Z");
    let server = demo.args("--data").arg(folder.path("archive")).serve();
    assert!(server.log().contains("klines"), "the report of what was loaded:\n{}", server.log());
    let watched = watch(&server, START + (BARS_A_DAY + 143) * BAR_MS);
    assert!(watched.times[0] >= START + (BARS_A_DAY - 2) * BAR_MS);
    assert_sound(&server);
}

#[test]
fn the_simulated_market_moves_and_says_what_it_is() {
    let server = server("demo --days 1 --speed 600 --ws-update-interval 0.2").serve();
    let (mut viewer, first) = server.viewer_of("BTCUSDT");
    let second = viewer.hear_until(|message| message["type"] == "snapshot");
    assert!(time_of(&second) > time_of(&first) && second["seq"].as_u64() > first["seq"].as_u64());
    assert_ne!(first["data"]["current_price"], second["data"]["current_price"]);
    // The word comes with the first turn.
    until("it calls itself a replay", || {
        let symbols = server.get("/v1/symbols").json();
        let row = &symbols["symbols"][0];
        assert_eq!((&symbols["simulated"], &symbols["speed"]), (&json!(true), &json!(600.0)));
        assert_eq!(
            (&row["venue"], &row["simulated"], &row["interval"]),
            (&json!("sim"), &json!(true), &json!("1m"))
        );
        (row["state"] == "replay").then_some(())
    });
    let history = server.get("/v1/heatmap/history?symbol=BTCUSDT&range=24h").json();
    assert!(history["columns"].as_u64() >= Some(280), "a day is in the chart at the start");
    let liquidations = server.get("/v1/liquidations?symbol=BTCUSDT&limit=10000").json();
    assert!(!liquidations["data"].as_array().unwrap().is_empty(), "traders of the simulation are liquidated");
    assert_sound(&server);
}

#[test]
fn nine_recorded_days_play_through() {
    let Some(daily) = recorded("binance-archive/futures/um/daily") else { return };
    let folder = Folder::new();
    let db = folder.path("nine.duckdb");
    let days = ["08-25", "08-26", "08-27", "08-28", "08-29", "08-30", "08-31", "09-01", "09-02"];
    let files = |day: &str| {
        [
            daily.join(format!("klines/BTCUSDT/5m/BTCUSDT-5m-2025-{day}.zip")),
            daily.join(format!("metrics/BTCUSDT/BTCUSDT-metrics-2025-{day}.zip")),
        ]
    };
    load(&db, &days.map(files).concat());
    let server = serving("replay --speed 200000 --from 2025-08-25 --to 2025-09-03T00:00:30Z", &db);
    let watched = watch(&server, START + 9 * BARS_A_DAY * BAR_MS);
    assert!(watched.times.len() > 2 && watched.consumed > 0, "{:?}", watched.times);
    assert_sound(&server);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    let touched = touched(&server, "7d", 2_016);
    // Less only by the bars in which the exchange was down.
    assert!(touched.columns >= 2_010, "{touched:?}");
    assert_bands_end(&touched, 1e7);
}

#[test]
fn the_recorded_crash_plays_through() {
    let Some(archive) = recorded("binance-archive") else { return };
    // The last days without a gap are those of the crash, which is where a demo begins by itself.
    let folder = Folder::new();
    let model = without_extremes(&folder);
    let program = server("demo --speed 200000 --ws-update-interval 0.1 --model").arg(model);
    let server = program.args("--data").arg(archive).serve();
    let end = parse_time("2025-11-24").unwrap().0;
    let watched = watch(&server, end);
    assert!(watched.times[0] < parse_time("2025-11-21T06:00:00Z").unwrap().0, "{:?}", watched.times);
    assert!(watched.consumed > 0);
    assert_sound(&server);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    let touched = touched(&server, "3d", 864);
    assert!(touched.columns >= 860, "{touched:?}");
    assert_bands_end(&touched, 1e7);
}
