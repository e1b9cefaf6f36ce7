//! `liqheat-bench contract`, small: every part that takes seconds measures something. Whether limits are kept is a
//! question for an idle machine.

#![allow(clippy::disallowed_methods, reason = "tests run real clocks, threads and files")]

use liqheat_testkit::Program;

/// The cells of every row whose first one is not the head of a table.
fn rows(arguments: &str) -> Vec<Vec<String>> {
    let done = Program::at(env!("CARGO_BIN_EXE_liqheat-bench")).args(arguments).run();
    assert!(done.out.contains("limit"), "{}{}", done.out, done.err);
    let rows = done.out.lines().filter(|line| line.starts_with("| ") && !line.contains("CPU"));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn sockets_and_event_streams_are_delivered_the_same_states() {
    let rows = rows("contract events --clients 20 --seconds 3");
    assert_eq!(rows.len(), 6, "{rows:?}");
    for row in rows {
        // At five a second.
        assert!(row[1].parse::<u64>().unwrap() >= 20, "{row:?}");
        assert_eq!(row[4], "0", "{row:?}");
    }
}

#[test]
fn every_route_is_measured_with_sockets_and_without() {
    let rows = rows("contract rest --clients 20 --seconds 1");
    let routes: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
    let expected =
        ["/v1/heatmap", "/liquidations/levels", "/prices/klines", "/v1/walls", "/v1/symbols", "all"];
    assert_eq!(routes, expected);
    for row in &rows[1..] {
        assert!(row[3].parse::<f64>().unwrap() > 0.0, "{row:?}");
    }
}
