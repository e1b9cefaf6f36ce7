//! The compact answers over a loaded file: walls, the map and the largest levels are those of the state that the socket
//! shows, to the dollar.

use std::process::Command;

use serde_json::{Value, json};

use crate::market::{BAR_MS, BARS_A_DAY, START};
use crate::support::{ask, at, await_state, loaded, rows, server, state};

const DAYS: i64 = 3;
const END: i64 = START + DAYS * BARS_A_DAY * BAR_MS;

/// Dollars of a side in levels whose lower edge lies in a span.
fn usd_within(levels: &Value, side: &str, span: std::ops::Range<i64>) -> u64 {
    let field = format!("{side}_density");
    let is_in = |level: &&Value| span.contains(&level["price"].as_i64().unwrap());
    rows(levels).iter().filter(is_in).map(|level| level[&field].as_u64().unwrap()).sum()
}

#[test]
fn walls_are_sums_of_the_levels_that_the_socket_shows() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve").arg("--db").arg(db).serve();
    let snapshot = state(&server);
    let levels = &snapshot["data"]["levels"];
    let price = snapshot["data"]["current_price"].as_f64().unwrap();
    let body = ask(&server, "/v1/walls?symbol=BTCUSDT&limit=1000");
    for field in ["symbol", "epoch", "seq"] {
        assert_eq!(body[field], snapshot[field], "{field}");
    }
    assert_eq!(
        (&body["as_of"], &body["current_price"]),
        (&snapshot["timestamp"], &snapshot["data"]["current_price"])
    );
    let walls = rows(&body["walls"]);
    assert!(walls.len() > 4, "{body}");
    assert!(walls.is_sorted_by(|a, b| a["usd"].as_u64() >= b["usd"].as_u64()), "{body}");
    for wall in walls {
        let side = wall["side"].as_str().unwrap();
        let of_side = body[format!("{side}_usd")].as_u64().unwrap();
        assert_eq!(of_side, usd_within(levels, side, 0..i64::MAX));
        let (low, high) = (wall["low"].as_i64().unwrap(), wall["high"].as_i64().unwrap());
        let usd = wall["usd"].as_u64().unwrap();
        assert_eq!(usd, usd_within(levels, side, low..high), "{wall}");
        let by_leverage = rows(&wall["leverages"]).iter().map(|class| class["usd"].as_u64().unwrap());
        assert_eq!(by_leverage.sum::<u64>(), usd, "{wall}");
        assert!((wall["share"].as_f64().unwrap() - usd as f64 / of_side as f64).abs() < 1e-4, "{wall}");
        let peak = wall["peak_price"].as_f64().unwrap();
        assert!(low as f64 <= peak && peak <= high as f64, "{wall}");
        let edge = if price < low as f64 { low } else { high } as f64;
        let away = wall["distance_pct"].as_f64().unwrap();
        assert!(away == 0.0 || (away - (edge / price - 1.0) * 100.0).abs() < 0.006, "{wall} from {price}");
        let below = price.floor() as i64;
        let way = if side == "long" { high..below + 1 } else { below - 99..low };
        assert_eq!(wall["usd_on_the_way"], usd_within(levels, side, way), "{wall} from {price}");
    }
    let largest = walls[0]["usd"].as_u64().unwrap();
    let some =
        ask(&server, &format!("/v1/walls?symbol=BTCUSDT&range_pct=3&min_usd={}&limit=3", largest / 20));
    let expected: Vec<&Value> = walls
        .iter()
        .filter(|wall| {
            wall["distance_pct"].as_f64().unwrap().abs() <= 3.0
                && wall["usd"].as_u64().unwrap() >= largest / 20
        })
        .take(3)
        .collect();
    assert_eq!(rows(&some["walls"]).iter().collect::<Vec<_>>(), expected);
    assert!(rows(&ask(&server, "/v1/walls?symbol=BTCUSDT")["walls"]).len() <= 10, "ten by default");
}

#[test]
fn the_map_and_the_largest_levels_are_those_of_the_state() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve").arg("--db").arg(db).serve();
    let snapshot = state(&server);
    let levels = rows(&snapshot["data"]["levels"]);
    let map = ask(&server, "/v1/map?symbol=BTCUSDT");
    let shown: Vec<Value> = rows(&map["levels"])
        .iter()
        .map(|row| json!({"price": row["price"], "long_density": row["long_usd"], "short_density": row["short_usd"]}))
        .collect();
    assert_eq!(shown, *levels);
    assert_eq!(map["leverages"], json!([5, 10, 25, 50, 100, 125, 150]), "there is no mass of 3x");
    let first = &map["levels"][0];
    assert_eq!(first["long_cumulative_usd"], map["long_usd"]);
    assert_eq!(rows(&map["levels"]).last().unwrap()["short_cumulative_usd"], map["short_usd"]);
    for row in rows(&map["levels"]) {
        for side in ["long", "short"] {
            let classes = rows(&row[format!("{side}_by_leverage")]).iter().map(|usd| usd.as_u64().unwrap());
            assert_eq!(classes.sum::<u64>(), row[format!("{side}_usd")].as_u64().unwrap(), "{row}");
        }
    }
    let tall = ask(&server, "/v1/map?symbol=BTCUSDT&bin=1000&range_pct=2");
    assert_eq!((&tall["bin"], &tall["long_usd"]), (&json!(1000), &map["long_usd"]));
    assert!((1..=6).contains(&rows(&tall["levels"]).len()), "{tall}");

    // The largest level of a side within a distance of the price, which the answer states.
    let price = map["current_price"].as_f64().unwrap();
    let bin = map["bin"].as_f64().unwrap();
    for (query, range_pct) in [("", 10.0), ("&range_pct=1", 1.0), ("&range_pct=500", 500.0)] {
        let pain = ask(&server, &format!("/v1/max-pain?symbol=BTCUSDT{query}"));
        assert_eq!(pain["range_pct"].as_f64(), Some(range_pct));
        for (side, edge) in [("long", bin), ("short", 0.0)] {
            let usd = |level: &Value| level[format!("{side}_density")].as_u64().unwrap();
            let distance = |level: &Value| (level["price"].as_f64().unwrap() + edge) / price - 1.0;
            let near = levels.iter().filter(|level| distance(level).abs() * 100.0 <= range_pct);
            let largest = near.map(usd).max().unwrap();
            assert_eq!(pain[side]["usd"], largest, "{side} within {range_pct} %");
            let here = levels.iter().find(|level| level["price"] == pain[side]["price"]).unwrap();
            assert_eq!(pain[side]["usd"], usd(here));
            assert!(pain[side]["distance_pct"].as_f64().unwrap().abs() <= range_pct, "{pain}");
        }
    }
    // Next to nothing is within reach: the bin of the price, where it has mass.
    let nearest = ask(&server, "/v1/max-pain?symbol=BTCUSDT&range_pct=0.000001");
    assert_eq!(nearest["short"], Value::Null, "{nearest}");
    assert!(
        [&nearest["long"], &nearest["short"]]
            .iter()
            .all(|level| level.is_null() || level["distance_pct"] == 0.0)
    );
}

#[test]
fn a_state_of_the_past_is_the_one_of_then() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve").arg("--db").arg(db).serve();
    drop(state(&server));
    let live = ask(&server, "/v1/walls?symbol=BTCUSDT&limit=1000");
    let last = ask(&server, &format!("/v1/walls?symbol=BTCUSDT&limit=1000&at={}", at(END)));
    let sums = |body: &Value| -> Vec<Value> {
        let sum =
            |wall: &Value| json!([wall["side"], wall["low"], wall["high"], wall["usd"], wall["leverages"]]);
        rows(&body["walls"]).iter().map(sum).collect()
    };
    assert_eq!(sums(&last), sums(&live), "the last bar's close is what is shown");
    assert_eq!((&last["as_of"], &last["epoch"]), (&json!(at(END)), &Value::Null));

    let then = END - 6 * 3_600_000;
    let series = ask(
        &server,
        &format!(
            "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time={}&end_time={}&interval=1h",
            at(then - 3_600_000),
            at(then)
        ),
    );
    let levels = &series["data"][0]["levels"];
    let past = ask(&server, &format!("/v1/walls?symbol=BTCUSDT&limit=1000&at={}", at(then)));
    assert_eq!(past["as_of"], at(then));
    assert_ne!(past["walls"], live["walls"]);
    for wall in rows(&past["walls"]) {
        let span = wall["low"].as_i64().unwrap()..wall["high"].as_i64().unwrap();
        assert_eq!(wall["usd"], usd_within(levels, wall["side"].as_str().unwrap(), span), "{wall}");
    }
    let by_leverage = ask(&server, &format!("/liquidations/levels?symbol=BTCUSDT&at={}", at(then)));
    assert_eq!(by_leverage["current_price"], past["current_price"]);

    for (query, status, part) in [
        (format!("at={}", at(START - 86_400_000)), 400, "bars begin at"),
        (format!("at={}&timeframe=12h", at(then)), 400, "cannot be combined"),
        ("at=yesterday".to_owned(), 422, "'at'"),
        ("timeframe=2h".to_owned(), 422, "12h, 24h"),
    ] {
        for route in ["/v1/walls", "/v1/max-pain", "/v1/map", "/liquidations/levels"] {
            let answer = server.get(&format!("{route}?symbol=BTCUSDT&{query}"));
            assert_eq!(answer.status, status, "{route} {query}: {}", answer.text());
            assert!(answer.text().contains(part), "{route} {query}: {}", answer.text());
        }
    }
    for (path, status, part) in [
        ("/v1/walls?symbol=BTCUSDT&range_pct=0", 422, "range_pct"),
        ("/v1/walls?symbol=BTCUSDT&range_pct=inf", 422, "range_pct"),
        ("/v1/walls?symbol=BTCUSDT&min_usd=-1", 422, "min_usd"),
        ("/v1/walls?symbol=BTCUSDT&limit=0", 422, "limit"),
        ("/v1/walls?symbol=XYZ", 400, "XYZ"),
        ("/v1/max-pain", 422, "'symbol' is missing"),
        ("/v1/max-pain?symbol=BTCUSDT&range_pct=0", 422, "number of per cent above zero"),
        ("/v1/map?symbol=BTCUSDT&bin=150", 400, "multiple of the base bin, 100"),
        ("/v1/map?symbol=BTCUSDT&bin=-1", 422, "bin"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
    }
}

#[test]
fn liquidations_come_in_pages_and_above_a_value() {
    let (folder, db) = loaded(2);
    let row = |index: i64| {
        // Three of each moment, of 100 to 1,300 coins.
        let ms = START + 100_000 + index / 3 * 1_000;
        format!("{ms},SELL,LIMIT,IOC,{0},1,10{index:02},FILLED,{0},{0}\n", 100 * (index + 1))
    };
    let file =
        folder.put("more/BTCUSDT-liquidationSnapshot-2025-08-25.csv", (0..13).map(row).collect::<String>());
    crate::support::load(&db, &[file]);
    let server = server("serve").arg("--db").arg(db).serve();
    let day = "/v1/liquidations?symbol=BTCUSDT&start_time=2025-08-25&end_time=2025-08-26";
    let all = ask(&server, day);
    assert_eq!((rows(&all["data"]).len(), &all["next"]), (13, &Value::Null));
    for (more, limit) in [("", 1), ("", 2), ("", 5), ("", 12), ("&interval=1m", 1), ("&min_usd=500000", 4)] {
        let expected = ask(&server, &format!("{day}{more}"))["data"].clone();
        let mut got: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = ask(&server, &format!("{day}{more}&limit={limit}{cursor}"));
            assert!(rows(&page["data"]).len() <= limit, "{page}");
            got.splice(0..0, rows(&page["data"]).iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(json!(got), expected, "{more} {limit}");
    }
    let large = ask(&server, &format!("{day}&min_usd=500000"));
    let usd = |row: &Value| row["usd"].as_u64().unwrap();
    assert!(rows(&large["data"]).iter().all(|row| usd(row) >= 500_000));
    let expected = rows(&all["data"]).iter().filter(|row| usd(row) >= 500_000).count();
    assert_eq!((rows(&large["data"]).len(), expected > 3), (expected, true));
    assert_eq!(server.get(&format!("{day}&cursor=x")).status, 422);

    // The stored day lies before the last 24 hours of this market's clock.
    let summary = ask(&server, "/v1/liquidations/summary?symbol=BTCUSDT");
    let names: Vec<&Value> = rows(&summary["windows"]).iter().map(|window| &window["window"]).collect();
    assert_eq!(names, ["1h", "4h", "12h", "24h"]);
    let none = json!({"venue": "binance", "long_usd": 0, "short_usd": 0, "long_count": 0, "short_count": 0});
    assert_eq!(summary["windows"][3]["venues"], json!([none]));
}

/// A demo, the address of its documents replaced by its own, and what each `curl` of a document prints.
fn run_examples(document: &str, check: impl Fn(&str, &Value)) {
    let server = server("demo --seed 7 --days 1").serve();
    await_state(&server);
    // A demo takes no files; `ingest_server` sends them.
    let lines = document.lines().filter(|line| line.starts_with("curl ") && !line.contains("/v1/ingest"));
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        let address = format!("http://{}", server.address());
        let command =
            line.replace("http://localhost:8000", &address).replace("http://127.0.0.1:8000", &address);
        let done = Command::new("sh").arg("-c").arg(&command).output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        let body: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"));
        check(&command, &body);
    }
}

/// Every `curl` of the document is answered, with the fields that its example shows.
#[test]
fn the_curl_examples_of_the_protocol_document_run() {
    run_examples(include_str!("../../../../docs/protocol.md"), |command, body| {
        assert!(body["symbol"] == "BTCUSDT" && body.get("detail").is_none(), "{command}: {body}");
    });
}

#[test]
fn the_curl_examples_of_other_formats_run() {
    run_examples(include_str!("../../../../docs/other_formats.md"), |command, body| {
        let is_filled = |value: &Value| match value {
            Value::Array(rows) => !rows.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => false,
        };
        let (data, is_well) = if command.contains("/api/futures/") {
            (&body["data"], body["code"] == "0")
        } else if command.contains("/mcp") {
            (&body["result"]["structuredContent"]["nearest_wall"], body["result"]["isError"] == false)
        } else {
            (body, body["s"] != "error" && body.get("detail").is_none())
        };
        assert!(is_well && is_filled(data), "{command}: {body}");
    });
}

#[test]
fn the_expected_view_shows_what_is_likely_soon_and_leaves_the_size_alone() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve --db").arg(db).serve();
    state(&server);
    let size = ask(&server, "/v1/map?symbol=BTCUSDT");
    let named = ask(&server, "/v1/map?symbol=BTCUSDT&view=open");
    assert!(size.get("expected_within").is_none() && size["levels"] == named["levels"]);
    let of = |horizon: &str| ask(&server, &format!("/v1/map?symbol=BTCUSDT&view=expected&horizon={horizon}"));
    let (hour, four) = (of("1h"), of("4h"));
    assert_eq!((&hour["expected_within"], &four["expected_within"]), (&json!("1h"), &json!("4h")));
    assert_eq!(ask(&server, "/v1/map?symbol=BTCUSDT&view=expected")["levels"], hour["levels"]);
    let price = hour["current_price"].as_f64().unwrap();
    let usd = |row: &Value| row["long_usd"].as_u64().unwrap() + row["short_usd"].as_u64().unwrap();
    // Share of all dollars that lies within two per cent of the price.
    let near = |map: &Value| {
        let is_near = |row: &&Value| (row["price"].as_f64().unwrap() / price - 1.0).abs() < 0.02;
        let all: u64 = rows(&map["levels"]).iter().map(usd).sum();
        rows(&map["levels"]).iter().filter(is_near).map(usd).sum::<u64>() as f64 / all as f64
    };
    assert!(
        near(&hour) > near(&four) && near(&four) > near(&size),
        "{} {} {}",
        near(&hour),
        near(&four),
        near(&size)
    );
    assert!(near(&hour) > 0.7, "{}", near(&hour));
    // Nothing is expected where there is nothing.
    let held: Vec<&Value> = rows(&size["levels"]).iter().map(|row| &row["price"]).collect();
    assert!(rows(&hour["levels"]).iter().all(|row| held.contains(&&row["price"])));

    let walls = ask(&server, "/v1/walls?symbol=BTCUSDT&limit=1000");
    let expected: Vec<u64> =
        rows(&walls["walls"]).iter().map(|wall| wall["expected_usd_1h"].as_u64().unwrap()).collect();
    assert!(expected.iter().any(|usd| *usd > 0), "{walls}");
    let all: u64 = rows(&hour["levels"]).iter().map(usd).sum();
    assert!(expected.iter().sum::<u64>() <= all, "walls are a part of the levels");
    let aged = ask(&server, "/v1/walls?symbol=BTCUSDT&limit=1000&freshness=true");
    let freshness: Vec<f64> =
        rows(&aged["walls"]).iter().map(|wall| wall["freshness"].as_f64().unwrap()).collect();
    assert!(freshness.iter().all(|fresh| (0.0..=1.0).contains(fresh)), "{freshness:?}");
    // Some were built in the last hours, some long ago.
    assert!(freshness.iter().any(|fresh| *fresh > 0.2), "{freshness:?}");
    assert!(freshness.iter().any(|fresh| *fresh < 0.1), "{freshness:?}");
    assert!(rows(&walls["walls"]).iter().all(|wall| wall.get("freshness").is_none()));
    let odd = server.get("/v1/walls?symbol=BTCUSDT&freshness=yes");
    assert_eq!(odd.status, 422, "{}", odd.text());
    let soon = ask(&server, "/v1/walls?symbol=BTCUSDT&view=expected");
    assert_eq!(soon["expected_within"], "1h");
    assert!(rows(&soon["walls"]).iter().all(|wall| wall.get("expected_usd_1h").is_none()));
    let pain = ask(&server, "/v1/max-pain?symbol=BTCUSDT&view=expected");
    assert!(pain["long"]["distance_pct"].as_f64().unwrap() > -3.0, "{pain}");

    for (query, status, text) in [
        ("view=soon", 422, "must be open or expected"),
        ("view=expected&horizon=24h", 422, "must be '1h' or '4h'"),
        ("horizon=1h", 400, "belongs to view=expected"),
        ("view=expected&timeframe=24h", 400, "about this moment"),
        ("view=expected&at=2025-01-01", 400, "about this moment"),
    ] {
        for route in ["/v1/walls", "/v1/map", "/v1/max-pain", "/liquidations/levels"] {
            let answer = server.get(&format!("{route}?symbol=BTCUSDT&{query}"));
            assert_eq!(answer.status, status, "{route} {query}: {}", answer.text());
            assert!(answer.text().contains(text), "{route} {query}: {}", answer.text());
        }
    }
}
