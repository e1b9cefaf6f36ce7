//! What the tests share: the program, the report of `ingest`, and states read off frames.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use liqheat_market::{Price, UnixMs};
use liqheat_testkit::{Folder, Program, RunningProgram, until};
use liqheat_wire::{Cell, StateHash, format_time};
use serde_json::Value;

use crate::market;

pub(crate) fn liqheat(arguments: &str) -> Program {
    Program::at(env!("CARGO_BIN_EXE_liqheat")).args(arguments)
}

/// A command that serves, on a port of its own.
pub(crate) fn server(arguments: &str) -> Program {
    let (command, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    liqheat(command).args("--listen 127.0.0.1:0").args(rest)
}

/// Some days of the made-up market, loaded: the folder to keep, and the database in it.
pub(crate) fn loaded(days: i64) -> (Folder, PathBuf) {
    let folder = market::folder(days);
    let db = folder.path("market.duckdb");
    load(&db, &[folder.path("archive")]);
    (folder, db)
}

/// Limits how large a file the program may write from now on, in bytes (`unlimited` for none). The program needs `trap '' XFSZ`,
/// or the first write beyond it would end it.
#[cfg(target_os = "linux")]
#[track_caller]
pub(crate) fn limit_file_size(server: &RunningProgram, bytes: &str) {
    let words = [format!("--pid={}", server.id()), format!("--fsize={bytes}:unlimited")];
    let status = std::process::Command::new("prlimit").args(words).status().unwrap();
    assert!(status.success(), "{status}");
}

/// Waits for the first state of BTCUSDT, which every venue of it has before their sum.
#[track_caller]
pub(crate) fn await_state(server: &RunningProgram) {
    until("a first state", || (server.get("/v1/heatmap?symbol=BTCUSDT").status == 200).then_some(()));
}

/// Loads files that have nothing wrong with them.
#[track_caller]
pub(crate) fn load(db: &Path, paths: &[PathBuf]) {
    let ingest = paths.iter().fold(liqheat("ingest --db").arg(db), Program::arg);
    let done = ingest.run();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
}

/// The numbers in the table at the end of `ingest`: files, loaded, already there, refused, by family.
pub(crate) fn table(out: &str) -> BTreeMap<String, [u64; 4]> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let numbers: Vec<u64> =
            words.map(|word| word.replace(',', "").parse().ok()).collect::<Option<_>>()?;
        Some((name, numbers.try_into().ok()?))
    };
    out.lines().filter_map(row).collect()
}

/// The levels of a state message.
#[track_caller]
pub(crate) fn cells(levels: &Value) -> Vec<Cell> {
    let cell = |level: &Value| Cell {
        price: Price::parse(&level["price"].to_string()).unwrap(),
        long_usd: level["long_density"].as_u64().unwrap(),
        short_usd: level["short_density"].as_u64().unwrap(),
    };
    levels.as_array().unwrap().iter().map(cell).collect()
}

/// The hash of the levels of a state message, computed here.
#[track_caller]
pub(crate) fn hash_of(snapshot: &Value) -> String {
    StateHash::of(&cells(&snapshot["data"]["levels"])).to_string()
}

/// The state a fresh viewer of BTCUSDT gets.
#[track_caller]
pub(crate) fn state(server: &RunningProgram) -> Value {
    server.viewer_of("BTCUSDT").1
}

/// The moment of a state message, ms.
#[track_caller]
pub(crate) fn time_of(snapshot: &Value) -> i64 {
    liqheat_wire::parse_time(snapshot["timestamp"].as_str().unwrap()).unwrap().0
}

/// A moment as the interface writes it.
pub(crate) fn at(ms: i64) -> String {
    format_time(UnixMs(ms))
}

/// The elements of a list.
#[track_caller]
pub(crate) fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

/// The JSON of a route that must answer.
#[track_caller]
pub(crate) fn ask(server: &RunningProgram, path: &str) -> Value {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}
