//! `liqheat backtest` on recorded data, from files to figures.

use liqheat_testkit::{Folder, recorded};
use serde_json::Value;

use crate::support::liqheat;

/// The recorded klines and liquidations, loaded; `None` where they are absent.
fn loaded() -> Option<Folder> {
    let klines = recorded("klines/binance-um-BTCUSDT-5m-2023-2025.parquet")?;
    let liquidations = recorded("liquidations/bybit-BTCUSDT-2024-02-12_2024-03-30.csv.gz")?;
    let folder = Folder::new();
    let ingest = liqheat("ingest --db").arg(folder.path("x.duckdb")).arg(klines).arg(liquidations);
    let done = ingest.run();
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains("klines (parquet)") && done.out.contains("24,597"), "{}", done.out);
    let again = ingest.run();
    assert_eq!(again.code, Some(0));
    assert!(again.out.contains("0 rows loaded"), "loading twice changes nothing: {}", again.out);
    Some(folder)
}

/// The figures were found with a reference implementation of its own, under the same definitions: 30 days of warm-up,
/// Bybit's first tier (0.5 %), constant open interest. Distance by itself was .517 there with a fit on the whole
/// period; here it is fitted on the past of each window only.
#[test]
fn the_recorded_liquidations_are_graded_as_published() {
    let Some(folder) = loaded() else { return };
    let run = |format: &str| {
        let done = liqheat(&format!("backtest --windows 1h --open-interest 80000 --format {format} --db"))
            .arg(folder.path("x.duckdb"))
            .run();
        assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
        done.out
    };
    let card: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(card["bars_of"], "BTCUSDT@binance");
    assert_eq!(card["liquidations_of"], "BTCUSDT@bybit");
    assert_eq!(card["coverage"]["from"], 1_707_782_400_000_i64, "2024-02-13");
    assert_eq!(card["coverage"]["to"], 1_711_843_200_000_i64, "2024-03-31");
    let near = |value: &Value, expected: f64, off: f64| {
        let found = value.as_f64().unwrap();
        assert!((found - expected).abs() <= off, "{found} is not {expected} within {off}: {card:#}");
    };
    near(&card["coverage"]["inside_bar_share"], 0.94, 0.01);
    let hour = &card["given_touch"][0];
    let score = |name: &str| {
        hour["scores"].as_array().unwrap().iter().find(|score| score["predictor"] == name).unwrap().clone()
    };
    let map = score("map");
    near(&map["spearman"], 0.601, 0.01);
    near(&map["top_tenth_lift"], 2.28, 0.06);
    near(&map["area_under_curve"], 0.849, 0.01);
    near(&map["in_hour_partial"], 0.168, 0.01);
    near(&map["in_hour_partial_interval"]["low"], 0.14, 0.01);
    near(&map["in_hour_partial_interval"]["high"], 0.20, 0.01);
    near(&score("distance")["spearman"], 0.517, 0.02);
    for class in card["leverage"].as_array().unwrap() {
        let is_near = class["leverage"].as_f64().unwrap() > 50.0;
        assert_eq!(class["is_identified"], is_near, "{class}");
    }
    assert_eq!(card["invariants"]["replays_that_differ"], 0);
    assert_eq!(card["invariants"]["bars_broken"], 0);

    let text = run("text");
    let sections = [
        "Coverage",
        "Invariants",
        "Given touch",
        "Not given touch",
        "USD consumed a day",
        "By leverage class",
        "This map with less input",
    ];
    let places: Vec<_> = sections.iter().map(|section| text.find(section).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("not identified") && text.contains("no gain"), "{text}");
    periods_without_anything_to_grade_are_named(&folder);
}

/// `folder` holds liquidations of 2024-02-12 to 2024-03-30 and bars of 2023 to 2025.
fn periods_without_anything_to_grade_are_named(folder: &Folder) {
    let run =
        |arguments: &str| liqheat(&format!("backtest {arguments} --db")).arg(folder.path("x.duckdb")).run();
    folder.put("old.csv", "ts_ms,symbol,side,qty,price\n1500000000000,BTCUSDT,Buy,1,4000\n");
    let old = format!("--liquidations {}", folder.path("old.csv").display());
    for (arguments, expected) in [
        (
            "--from 2025-01-01 --to 2025-02-01",
            "no liquidation of BTCUSDT@bybit lies between --from and --to: they are of 2024-02-12T",
        ),
        (
            "--from 2024-03-02 --to 2024-03-01",
            "--from 2024-03-02T00:00:00Z is not earlier than --to 2024-03-01T00:00:00Z",
        ),
        ("--from 2024-03-01 --to 2024-03-01", "is not earlier than --to"),
        (
            old.as_str(),
            "no bars of BTCUSDT@binance from 2017-06-14T00:00:00Z to 2017-07-15T00:00:00Z, where there are liquidations: its bars are of 2023-01-01T",
        ),
    ] {
        let done = run(arguments);
        assert_eq!(done.code, Some(1), "{arguments}: {}", done.out);
        assert!(done.err.contains(expected), "{arguments}: {}", done.err);
    }
    // A length is graded once however often it is named, and one without a whole window has no table of dashes.
    let done = run("--from 2024-03-01T00:00:00Z --to 2024-03-01T06:00:00Z --windows 1h,1d,1h");
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.out.matches("Given touch, windows of 1 h").count(), 1, "{}", done.out);
    assert!(done.out.contains("The graded period holds no whole window of 1 d."), "{}", done.out);
}

#[test]
fn rows_of_a_file_that_are_not_graded_are_named() {
    let (folder, db) = crate::support::loaded(2);
    folder.put(
        "events.csv",
        "ts_ms,symbol,side,qty,price\n1756100000000,BTCUSDT,Buy,1,110000\nx\n1756100000000,BTCUSDT,Both,1,110000\n",
    );
    let done = liqheat("backtest --warm-up 1 --liquidations")
        .arg(folder.path("events.csv"))
        .args("--db")
        .arg(&db)
        .run();
    for remark in [
        "events.csv: refused 1 row: fewer columns than the header, first in line 3",
        "events.csv: refused 1 row: the side is none of buy, sell, long, short, first in line 4",
    ] {
        assert!(done.err.contains(remark), "{}", done.err);
    }
}

#[test]
fn what_is_missing_is_named() {
    let folder = Folder::new();
    let absent = liqheat("backtest --db").arg(folder.path("none.duckdb")).run();
    assert_eq!(absent.code, Some(1));
    assert!(absent.err.contains("does not exist"), "{}", absent.err);
    let (folder, db) = crate::support::loaded(2);
    let none = liqheat("backtest --db").arg(&db).run();
    assert_eq!(none.code, Some(1));
    assert!(
        none.err.contains("no liquidations of BTCUSDT") && none.err.contains("--liquidations"),
        "{}",
        none.err
    );
    let other = liqheat("backtest --symbol ETHUSDT --db").arg(&db).run();
    assert!(other.err.contains("holds no klines of ETHUSDT; it holds BTCUSDT@binance"), "{}", other.err);
    folder.put("events.csv", "time,what\n1,2\n");
    let odd = liqheat("backtest --db").arg(&db).args("--liquidations").arg(folder.path("events.csv")).run();
    assert!(odd.err.contains("events.csv") && odd.err.contains("ts_ms,symbol,side,qty,price"), "{}", odd.err);
}

#[test]
fn a_page_holds_everything_itself() {
    let (folder, db) = crate::support::loaded(4);
    // A liquidation every ten minutes at about the price.
    let mut rows = "ts_ms,symbol,side,qty,price\n".to_owned();
    for index in 0..4 * 144_i64 {
        let side = if index % 2 == 0 { "Buy" } else { "Sell" };
        rows += &format!(
            "{},BTCUSDT,{side},0.5,{}\n",
            1_756_080_000_000 + index * 600_000,
            99_000 + index % 7 * 300
        );
    }
    folder.put("events.csv", &rows);
    let done = liqheat("backtest --warm-up 1 --format html --liquidations")
        .arg(folder.path("events.csv"))
        .args("--db")
        .arg(&db)
        .run();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out.starts_with("<!doctype html>")
            && done.out.contains("<svg")
            && done.out.contains("BTCUSDT@bybit")
    );
    for outside in ["http:", "https:", "src=", "<link", "url("] {
        assert!(!done.out.contains(outside), "{outside}");
    }
}
