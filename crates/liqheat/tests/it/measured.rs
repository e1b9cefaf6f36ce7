//! Measured positions through the built program: thousands of accounts at a stand-in of the venue.

use std::collections::BTreeMap;

use liqheat_market::{Price, UnixMs};
use liqheat_testkit::exchange::{ExchangeServer, HyperliquidProtocol, Market, StandInAccounts, Time};
use liqheat_testkit::{Folder, Program, RunningProgram, get_with, until};
use serde_json::{Value, json};

use crate::contract::Contract;
use crate::live::{BEFORE_MS, START, script};
use crate::support::{hash_of, server};

const MINUTES: i64 = 240;
const SPEED: f64 = 30.0;
/// Of the stand-in with many.
const ACCOUNTS: usize = 2_000;
const NAME: &str = "BTCUSDT@hyperliquid:measured";

fn stand_in(accounts: StandInAccounts) -> ExchangeServer {
    let market = Market::default().with("BTCUSDT", script(MINUTES, 13));
    let protocol = HyperliquidProtocol::default().with_accounts(accounts);
    ExchangeServer::start(protocol, market, Time { start: START.plus(-BEFORE_MS), speed: SPEED })
}

fn accounts(count: usize, scale: f64) -> StandInAccounts {
    // The made-up market begins at 60,000.
    StandInAccounts { count, scale, reference: 60_000.0 }
}

fn follower(exchange: &ExchangeServer, db: &std::path::Path, arguments: &str) -> Program {
    let (socket, rest) = (exchange.socket_base(), exchange.rest_base());
    server("serve --symbols BTCUSDT --venues hyperliquid --fill-days 1 --log info --ws-update-interval 0.2")
        .args(&format!("--venue-url hyperliquid={socket},hyperliquid={rest}"))
        .args(&format!("--hyperliquid-measured --hyperliquid-leaderboard {rest}/Mainnet/leaderboard"))
        .args(&format!("--live-speed {SPEED} --live-clock {}", exchange.now().0))
        .args(arguments)
        .args("--db")
        .arg(db)
}

fn measured(server: &RunningProgram) -> Option<Value> {
    let answer = server.get("/v1/measured?symbol=BTCUSDT&limit=100");
    (answer.status == 200).then(|| answer.json())
}

fn holders(body: &Value) -> u64 {
    body["long"]["accounts"].as_u64().unwrap() + body["short"]["accounts"].as_u64().unwrap()
}

#[test]
fn real_positions_are_a_layer_of_their_own() {
    let folder = Folder::new();
    let db = folder.path("measured.duckdb");
    let accounts = accounts(ACCOUNTS, 2.0);
    let exchange = stand_in(accounts);
    let server = follower(&exchange, &db, "").serve();
    // The leaderboard lists half of them; the others are found by their trades.
    let body = until("most accounts were looked at", || {
        measured(&server).filter(|body| holders(body) > ACCOUNTS as u64 * 6 / 10)
    });
    assert_eq!((&body["symbol"], &body["state"]), (&json!(NAME), &json!("live")), "{body}");

    levels_are_those_of_the_accounts(&body, accounts);
    let contract = Contract::of(&server, "/openapi.json");
    let schema =
        |path: &str| format!("/paths/~1v1~1{path}/get/responses/200/content/application~1json/schema");
    contract.check(&schema("measured"), &body);
    contract.check(&schema("symbols"), &server.get("/v1/symbols").json());

    it_is_a_board_of_its_own(&server);
    other_routes_refuse_it(&server);
    a_refusal_of_the_venue_is_a_pause(&server, &exchange);

    // A restart knows the addresses without being told of them again.
    let known = measured(&server).unwrap()["addresses"].as_u64().unwrap();
    assert_eq!(server.terminate().code, Some(0));
    let again = follower(&exchange, &db, "--show-addresses").serve();
    again.wait_for_log("measured layer started");
    let body = until("a layer after the restart", || measured(&again).filter(|body| holders(body) > 50));
    assert!(body["addresses"].as_u64().unwrap() >= known, "{} of {known}", body["addresses"]);
    let address = body["closest"][0]["address"].as_str().unwrap();
    assert!(accounts.number(address).is_some(), "{address}");
    looks_are_counted(&again);
    // Without the venue the layer stands still, so that several answers can be compared.
    drop(exchange);
    walls_and_map_are_of_the_board(&again, &contract);
    assert_eq!(again.terminate().code, Some(0));
}

/// Levels are those of the accounts, to within a bin: the stand-in's liquidation prices do not move.
fn levels_are_those_of_the_accounts(body: &Value, accounts: StandInAccounts) {
    let bin = Price::parse(&body["bin"].to_string()).unwrap();
    let mark = body["current_price"].as_f64().unwrap();
    let mut possible: BTreeMap<i64, usize> = BTreeMap::new();
    for number in 0..ACCOUNTS {
        let Some(position) = accounts.position(number, mark, UnixMs(0)) else { continue };
        let units = Price::from_f64(position.liquidation_price).unwrap().units();
        *possible.entry(units / bin.units()).or_default() += 1;
    }
    let mut found = 0;
    for level in body["levels"].as_array().unwrap() {
        let index = Price::parse(&level["price"].to_string()).unwrap().units() / bin.units();
        let here = level["long_accounts"].as_u64().unwrap() + level["short_accounts"].as_u64().unwrap();
        // A level on the edge of a bin may be rounded into the one beside it.
        let most: usize = (index - 1..=index + 1).filter_map(|one| possible.get(&one)).sum();
        assert!(here as usize <= most, "{level}: at most {most}");
        assert!(level["long_usd"].as_u64().unwrap() + level["short_usd"].as_u64().unwrap() > 0, "{level}");
        found += here;
    }
    assert_eq!(found, holders(body), "every position of the stand-in has a level");
    for side in ["coverage_long", "coverage_short"] {
        let coverage = body[side].as_f64().unwrap();
        assert!((0.02..1.0).contains(&coverage), "{side} {coverage}");
    }
    let closest = body["closest"].as_array().unwrap();
    let distances: Vec<f64> = closest.iter().map(|one| one["distance_pct"].as_f64().unwrap().abs()).collect();
    assert!(distances.is_sorted() && distances[0] < 5.0 && closest.len() == 100, "{distances:?}");
    assert!(closest.iter().all(|one| one.get("address").is_none()), "addresses are not shown");
}

/// It is a board of its own, and no part of the estimate.
fn it_is_a_board_of_its_own(server: &RunningProgram) {
    let symbols = server.get("/v1/symbols").json();
    let row =
        symbols["symbols"].as_array().unwrap().iter().find(|row| row["symbol"] == NAME).cloned().unwrap();
    assert_eq!((&row["measured"], &row["venue"]), (&json!(true), &json!("hyperliquid")));
    let board = server.get(&format!("/v1/heatmap?symbol={NAME}")).json();
    assert_eq!((&board["symbol"], &board["hash"]), (&json!(NAME), &json!(hash_of(&board))));
    let mut viewer = server.viewer();
    viewer.subscribe(NAME);
    let state = viewer.hear_until(|message| message["type"] == "snapshot");
    assert_eq!((&state["symbol"], &state["hash"]), (&json!(NAME), &json!(hash_of(&state))));
    let estimate = server.get("/v1/heatmap?symbol=BTCUSDT").json();
    assert_ne!(estimate["hash"], board["hash"]);
}

fn other_routes_refuse_it(server: &RunningProgram) {
    for (path, status, part) in [
        (format!("/liquidations/levels?symbol={NAME}"), 400, "layer of measured positions"),
        (format!("/prices/klines?symbol={NAME}"), 400, "layer of measured positions"),
        (format!("/v1/walls?symbol={NAME}&view=expected"), 400, "by size only"),
        (format!("/v1/map?symbol={NAME}&timeframe=24h"), 400, "by size only"),
        (
            format!("/v1/max-pain?symbol={NAME}&at=2020-01-01"),
            400,
            "no layer of BTCUSDT@hyperliquid:measured at 2020",
        ),
        (
            format!("/v1/measured?symbol={NAME}&at=2020-01-01"),
            400,
            "no layer of BTCUSDT@hyperliquid:measured at 2020",
        ),
        (format!("/v1/heatmap/history?symbol={NAME}&from=2025-01-01&to=2024-01-01"), 422, "earlier"),
        (format!("/v1/heatmap/history?symbol={NAME}&bin=0.00000001"), 400, "cells"),
        (format!("/v1/walls?symbol={NAME}&freshness=true"), 400, "age_s"),
        (format!("/v1/map?symbol={NAME}&bin=7"), 400, "multiple of the base bin"),
        ("/v1/measured?symbol=ETHUSDT".to_owned(), 400, NAME),
        ("/v1/measured?symbol=BTCUSDT&limit=0".to_owned(), 422, "limit"),
        (format!("/v1/heatmap?symbol={NAME}&view=expected"), 400, "no expected view"),
    ] {
        let answer = server.get(&path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
    }
}

/// 429: nothing is asked while the venue wants a pause, and then it goes on.
fn a_refusal_of_the_venue_is_a_pause(server: &RunningProgram, exchange: &ExchangeServer) {
    exchange.misbehave(|faults| {
        (faults.refuse_requests, faults.refuse_status, faults.refuse_seconds) = (1, 429, 120);
    });
    until("the refusal", || {
        let stats = server.get("/ws/stats").json();
        stats["live"]["sources"][0]["paused_until"].as_str().map(ToOwned::to_owned)
    });
    let before = exchange.seen().requests.len();
    until("looks go on", || (exchange.seen().requests.len() > before + 50).then_some(()));
    // Requests that were under way when it was refused.
    assert!(exchange.seen().requests_in_pause <= 8, "{}", exchange.seen().requests_in_pause);
    // The venue's minutes and the program's are a little apart, so the program's 840 may fall otherwise into them.
    let weights = exchange.seen().weights;
    assert!(weights.values().all(|weight| *weight <= 1_200), "{weights:?}");
}

/// What `/metrics` says of looks.
fn looks_are_counted(server: &RunningProgram) {
    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().parse::<f64>().unwrap()
    };
    let text = until("looks and addresses in the metrics", || {
        let text = server.get("/metrics").text();
        let near = value(&text, r#"liqheat_measured_addresses{interval="1m"}"#);
        let found = value(&text, r#"liqheat_measured_looks_total{outcome="positions"}"#);
        (near > 0.0 && found > 50.0).then_some(text)
    });
    assert!(value(&text, "liqheat_measured_weight_max") == 600.0, "half of the venue's 1,200");
    assert!(value(&text, "liqheat_measured_weight_used") <= 600.0);
    let script_seconds = MINUTES as f64 * 60.0;
    let lag = value(&text, "liqheat_measured_lag_seconds");
    assert!((0.0..script_seconds).contains(&lag), "{lag} s are more than the market has");
    let due = value(&text, "liqheat_measured_looks_due");
    assert!((0.0..=ACCOUNTS as f64).contains(&due), "{due} accounts");
    assert!(text.contains(r#"liqheat_measured_looks_total{outcome="throttled"}"#), "{text}");
}

/// Walls, map and largest levels of the layer are made of the levels of one of its states.
fn walls_and_map_are_of_the_board(server: &RunningProgram, contract: &Contract) {
    let schema =
        |path: &str| format!("/paths/~1v1~1{path}/get/responses/200/content/application~1json/schema");
    let ask = |route: &str, more: &str| {
        let answer = server.get(&format!("/v1/{route}?symbol={NAME}{more}"));
        assert_eq!(answer.status, 200, "{route}: {}", answer.text());
        contract.check(&schema(route), &answer.json());
        answer.json()
    };
    let (board, walls, map, pain) = until("four answers of one state", || {
        let board = server.get(&format!("/v1/heatmap?symbol={NAME}")).json();
        let walls = ask("walls", "&limit=1000");
        let map = ask("map", "");
        let pain = ask("max-pain", "&range_pct=1000");
        let seqs = [&board, &walls, &map, &pain].map(|body| (body["epoch"].clone(), body["seq"].clone()));
        seqs.windows(2).all(|pair| pair[0] == pair[1]).then_some((board, walls, map, pain))
    });
    let levels = board["data"]["levels"].as_array().unwrap();
    let usd = |level: &Value, field: &str| level[field].as_u64().unwrap();
    let sum = |field: &str| levels.iter().map(|level| usd(level, field)).sum::<u64>();
    assert!(!levels.is_empty() && sum("long_density") > 0 && sum("short_density") > 0);
    for body in [&walls, &map] {
        assert_eq!(usd(body, "long_usd"), sum("long_density"));
        assert_eq!(usd(body, "short_usd"), sum("short_density"));
        assert_eq!(body["symbol"], NAME);
    }
    let shown: Vec<Value> = map["levels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!({"price": row["price"], "long_density": row["long_usd"], "short_density": row["short_usd"]}))
        .collect();
    assert_eq!(&shown, levels);
    assert_eq!(map["leverages"], json!([]));
    assert!(map["levels"].as_array().unwrap().iter().all(|row| row["long_by_leverage"] == json!([])));
    let rows = walls["walls"].as_array().unwrap();
    assert!(!rows.is_empty());
    for wall in rows {
        let side = wall["side"].as_str().unwrap();
        let [low, high] = ["low", "high"].map(|edge| wall[edge].as_f64().unwrap());
        let inside = levels.iter().filter(|level| {
            let price = level["price"].as_f64().unwrap();
            price >= low && price < high
        });
        let inside: u64 = inside.map(|level| usd(level, &format!("{side}_density"))).sum();
        assert_eq!(usd(wall, "usd"), inside, "{wall}");
        assert_eq!(wall["leverages"], json!([]), "no leverage is known");
        assert!(wall.get("expected_usd_1h").is_none() && wall.get("freshness").is_none(), "{wall}");
    }
    for side in ["long", "short"] {
        let largest = levels.iter().map(|level| usd(level, &format!("{side}_density"))).max().unwrap();
        assert_eq!(usd(&pain[side], "usd"), largest);
    }
}

/// A time of the protocol in milliseconds.
fn ms(time: &Value) -> i64 {
    liqheat_wire::parse_time(time.as_str().unwrap()).unwrap().0
}

/// The longs and shorts of a column that ends at a moment, by the lower edge of the row, in units.
fn column_at(grid: &Value, moment: i64) -> BTreeMap<i64, (u64, u64)> {
    let [start, column_ms] = ["start", "column_ms"].map(|field| grid[field].as_i64().unwrap());
    let column = (moment - start) / column_ms - 1;
    assert_eq!(start + (column + 1) * column_ms, moment, "the end of a column: {grid}");
    let units = |field: &str| Price::parse(&grid[field].to_string()).unwrap().units();
    let usd = |side: &str, row: usize| grid[side][column as usize][row].as_u64().unwrap();
    let rows = (0..grid["rows"].as_u64().unwrap() as usize)
        .map(|row| (units("price_low") + units("bin") * row as i64, (usd("long", row), usd("short", row))));
    rows.filter(|(_, usd)| *usd != (0, 0)).collect()
}

#[test]
fn a_layer_has_a_past() {
    const FIVE_MINUTES_MS: i64 = 300_000;
    let folder = Folder::new();
    let db = folder.path("past.duckdb");
    let exchange = stand_in(accounts(400, 2.0));
    let server = follower(&exchange, &db, "").serve();
    let history = |server: &RunningProgram, more: &str| {
        let answer = server.get(&format!("/v1/heatmap/history?symbol={NAME}{more}"));
        assert!([200, 503].contains(&answer.status), "{}", answer.text());
        (answer.status == 200).then(|| answer.json())
    };
    let shares = |grid: &Value| -> Vec<Option<f64>> {
        grid["coverage_long"].as_array().unwrap().iter().map(Value::as_f64).collect()
    };
    // The last column is that of now; each one before it is of a layer that was stored.
    let grid = until("two stored layers", || {
        history(&server, "&range=12h").filter(|grid| shares(grid).iter().flatten().count() >= 3)
    });
    let contract = Contract::of(&server, "/openapi.json");
    let schema =
        |path: &str| format!("/paths/~1v1~1{path}/get/responses/200/content/application~1json/schema");
    contract.check(&schema("heatmap~1history"), &grid);
    assert_eq!(
        (&grid["symbol"], &grid["venue"], &grid["column_ms"]),
        (&json!(NAME), &json!("hyperliquid"), &json!(FIVE_MINUTES_MS))
    );
    let columns = grid["columns"].as_u64().unwrap() as usize;
    assert_eq!((shares(&grid).len(), grid["coverage_short"].as_array().unwrap().len()), (columns, columns));
    assert!(shares(&grid).iter().flatten().all(|share| *share > 0.0 && *share < 1.0), "{grid}");

    // The layer of a moment is the same in every route, before and after a restart.
    let moment = grid["start"].as_i64().unwrap() + (columns as i64 - 1) * FIVE_MINUTES_MS;
    let column = column_at(&grid, moment);
    assert!(!column.is_empty());
    let past = |server: &RunningProgram, route: &str| {
        // Until the next layer it is the last one.
        let at = moment + FIVE_MINUTES_MS - 1;
        let answer = server.get(&format!("/v1/{route}?symbol={NAME}&at={at}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        contract.check(&schema(route), &answer.json());
        assert_eq!(ms(&answer.json()["as_of"]), moment, "{route}");
        answer.json()
    };
    let layer = past(&server, "measured");
    assert_eq!(layer["closest"], json!([]), "whose positions they were is not kept");
    let levels = sides_by_price(&layer);
    the_picture_shows(&column, &levels);
    let sum = |side: fn(&(u64, u64)) -> u64| levels.values().map(side).sum::<u64>();
    for route in ["walls", "map"] {
        let body = past(&server, route);
        assert_eq!(
            (&body["long_usd"], &body["short_usd"]),
            (&json!(sum(|usd| usd.0)), &json!(sum(|usd| usd.1)))
        );
        assert!(body.get("epoch").is_none_or(Value::is_null), "{route}: no state of now");
    }
    let _ = past(&server, "max-pain");
    let split = get_with(
        server.address(),
        &format!("/v1/heatmap/history?symbol={NAME}&by=leverage"),
        &[("Accept", "application/vnd.liqheat.grid")],
    );
    assert_eq!(split.status, 400, "{}", split.text());
    assert!(split.text().contains("leverages"), "{}", split.text());

    the_export_holds(&server, moment, &layer);
    assert_eq!(server.terminate().code, Some(0));

    let again = follower(&exchange, &db, "").serve();
    again.wait_for_log("measured layer started");
    // The rows of the first picture.
    let low = grid["price_low"].as_f64().unwrap();
    let high = low + grid["bin"].as_f64().unwrap() * grid["rows"].as_f64().unwrap();
    let from = moment - FIVE_MINUTES_MS;
    let stored = format!("&from={from}&to={moment}&price_low={low}&price_high={high}&bin={}", grid["bin"]);
    let grid = until("the past after the restart", || history(&again, &stored));
    assert_eq!(column_at(&grid, moment), column);
    // `state` is that of now.
    let without_state = |mut body: Value| {
        body["state"].take();
        body
    };
    assert_eq!(without_state(past(&again, "measured")), without_state(layer));
    assert_eq!(again.terminate().code, Some(0));
    the_command_exports(&db, &folder.path("measured.csv"), levels.len());
}

/// USD of longs and shorts by the price of the level, in units.
fn sides_by_price(layer: &Value) -> BTreeMap<i64, (u64, u64)> {
    let side = |level: &Value| {
        let price = Price::parse(&level["price"].to_string()).unwrap().units();
        (price, (level["long_usd"].as_u64().unwrap(), level["short_usd"].as_u64().unwrap()))
    };
    layer["levels"].as_array().unwrap().iter().map(side).collect()
}

/// The picture shows the levels within its rows. Its cells are of single precision.
fn the_picture_shows(column: &BTreeMap<i64, (u64, u64)>, levels: &BTreeMap<i64, (u64, u64)>) {
    assert!(column.len() <= levels.len());
    for (price, (long, short)) in column {
        let (exact_long, exact_short) = levels[price];
        assert!(long.abs_diff(exact_long) <= exact_long / 1_000_000 + 1, "{price}");
        assert!(short.abs_diff(exact_short) <= exact_short / 1_000_000 + 1, "{price}");
    }
}

fn the_export_holds(server: &RunningProgram, moment: i64, layer: &Value) {
    let levels = sides_by_price(layer);
    let rows = server
        .get(&format!("/v1/export?what=measured&symbol={NAME}&format=json&from={moment}&to={}", moment + 1));
    assert_eq!(rows.status, 200, "{}", rows.text());
    let exported: Vec<Value> = serde_json::from_str(&rows.text()).unwrap();
    assert_eq!(exported.len(), levels.len());
    for row in &exported {
        let price = Price::from_f64(row["price"].as_f64().unwrap()).unwrap().units();
        assert_eq!((row["long_usd"].as_u64().unwrap(), row["short_usd"].as_u64().unwrap()), levels[&price]);
        assert_eq!(row["coverage_long"], layer["coverage_long"]);
    }
}

/// The command `export` writes at least the rows of one layer.
fn the_command_exports(db: &std::path::Path, file: &std::path::Path, rows: usize) {
    let done =
        crate::support::liqheat("export --symbol BTCUSDT@hyperliquid --what measured --format csv --db")
            .arg(db)
            .args("--out")
            .arg(file)
            .run();
    assert_eq!(done.code, Some(0), "{}", done.err);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.starts_with("time,mark_price,coverage_long,coverage_short,price,long_usd,"), "{text}");
    assert!(text.lines().count() > rows, "{text}");
}

#[test]
fn more_than_half_of_the_open_interest_is_an_error() {
    let folder = Folder::new();
    let exchange = stand_in(accounts(60, 5_000.0));
    let named = StandInAccounts::address(2);
    let server = follower(
        &exchange,
        &folder.path("too-much.duckdb"),
        &format!("--hyperliquid-measured-addresses {named}"),
    )
    .serve();
    server.wait_for_log("measured positions exceed half of the open interest");
    let ready = until("the reason", || {
        let ready = server.get("/ready");
        ready.text().contains("more than half of the venue's open interest").then_some(ready)
    });
    assert!(ready.text().contains("BTCUSDT@hyperliquid"), "{}", ready.text());
    let body = until("its answer", || measured(&server));
    assert!(body["coverage_long"].as_f64().unwrap() > 1.0 || body["coverage_short"].as_f64().unwrap() > 1.0);
}

#[test]
fn it_is_off_by_default_and_needs_the_venue() {
    let server = server("demo --days 1").serve();
    let answer = server.get("/v1/measured?symbol=BTCUSDT");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("--hyperliquid-measured"), "{}", answer.text());
    let done =
        crate::support::liqheat("serve --symbols BTCUSDT --venues binance --hyperliquid-measured").run();
    assert!(done.code.is_some_and(|code| code != 0), "{}", done.err);
    assert!(done.err.contains("--hyperliquid-measured needs hyperliquid"), "{}", done.err);
}
