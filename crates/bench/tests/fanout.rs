//! `liqheat-bench fanout`, small: the load client against the real sessions, every state checked.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers in tests are small"
)]

use liqheat_testkit::Program;

fn bench(arguments: &str) -> Program {
    Program::at(env!("CARGO_BIN_EXE_liqheat-bench")).args(arguments)
}

#[test]
fn fifty_clients_lose_nothing_in_any_form() {
    let rows = "floor,json,json-deflated,delta,delta-deflated,binary,binary-delta";
    let done = bench(&format!("fanout --clients 50 --seconds 2 --hz 20 --symbols 2 --rows {rows}")).run();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let table: Vec<Vec<&str>> = done
        .out
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| server"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(table.len(), rows.split(',').count(), "{}", done.out);
    for row in table {
        let delivered: u64 = row[2].parse().unwrap();
        assert!(delivered >= 50, "{row:?}");
        assert_eq!(row.last(), Some(&"0 / 0 / 0"), "{row:?}");
    }
}

#[test]
fn stalled_clients_are_compared_with_a_run_without() {
    let done = bench("fanout --clients 20 --seconds 2 --hz 20 --rows json --stalled 0.2").run();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains("json, 20 % stalled: p99 of the others is "), "{}", done.out);
}

#[test]
fn more_clients_than_the_machine_allows_are_refused() {
    let done = bench("fanout --clients 500 --rows json").after("ulimit -n 300").run();
    assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
    assert!(done.err.contains("--clients") && done.err.contains("descriptors"), "{}", done.err);
}

#[test]
fn a_rolling_restart_loses_nobody() {
    let done = bench("deploy --clients 60 --hz 10 --drain 1").run();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    // Half of them are at the first server; all of them at the second when its turn comes.
    assert!(done.out.contains("sent away: 90; back with a state: 90"), "{}", done.out);
    assert!(done.out.contains("connections lost without a goodbye: 0; wrong states: 0"), "{}", done.out);
}
