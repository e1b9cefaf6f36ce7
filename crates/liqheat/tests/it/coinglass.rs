//! `/api/futures/liquidation/..`: the shapes of the Coinglass API, filled with what the routes of our own answer.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use liqheat_testkit::token::{SECRET, signed_with};
use liqheat_testkit::{Folder, Program, RunningProgram, get_with, until};
use liqheat_wire::format_time;
use serde_json::{Value, json};

use crate::market::{BAR_MS, BARS_A_DAY, START, bar};
use crate::support::{await_state, load, loaded, rows, server};

const DAYS: i64 = 3;
const END: i64 = START + DAYS * BARS_A_DAY * BAR_MS;
const HOUR_MS: i64 = 3_600_000;
const NOW: i64 = END - 600_000;

/// The data of an answer.
#[track_caller]
fn data(server: &RunningProgram, path: &str) -> Value {
    let answer = server.get(&format!("/api/futures/{path}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let mut body = answer.json();
    assert_eq!((&body["code"], &body["msg"]), (&json!("0"), &json!("success")), "{path}");
    body["data"].take()
}

/// The made-up market, served as it stands.
fn market() -> (Folder, RunningProgram) {
    let (folder, db) = stored();
    let server = started(&server("serve --offline --db").arg(db));
    (folder, server)
}

/// The same ten minutes before its end, so that the windows of totals lie in it.
fn market_of_then() -> (Folder, RunningProgram) {
    let (folder, db) = stored();
    let from = format_time(liqheat_market::UnixMs(NOW));
    let server = started(&server(&format!("replay --speed 1 --from {from} --db")).arg(db));
    (folder, server)
}

fn started(program: &Program) -> RunningProgram {
    let server = program.serve();
    await_state(&server);
    server
}

/// With a liquidation every twenty minutes of its last day and a half.
fn stored() -> (Folder, PathBuf) {
    let (folder, db) = loaded(DAYS);
    let row = |index: i64| {
        let side = if index % 3 == 0 { "BUY" } else { "SELL" };
        let (ms, coins) = (END - 1 - index * 20 * 60_000, index + 1);
        format!("{ms},{side},LIMIT,IOC,{coins}.5,100.25,100.25,FILLED,{coins}.5,{coins}.5\n")
    };
    let text: String = (0..90).rev().map(row).collect();
    let file = folder.put("more/BTCUSDT-liquidationSnapshot-2025-08-27.csv", text);
    load(&db, &[file]);
    (folder, db)
}

#[test]
fn heatmaps_and_maps_hold_the_dollars_of_the_own_routes() {
    let (_folder, server) = market();
    let heatmap = data(&server, "liquidation/heatmap/model1?exchange=Binance&symbol=BTCUSDT&range=24h");
    let sticks = rows(&heatmap["price_candlesticks"]);
    assert_eq!(sticks.len(), 288);
    let (open, high, low, close) = bar(DAYS * BARS_A_DAY - 1);
    let last = sticks.last().unwrap();
    assert_eq!(last[0], (END - BAR_MS) / 1_000, "seconds");
    assert_eq!(
        json!([last[1], last[2], last[3], last[4]]),
        json!([format!("{open}.1"), format!("{high}"), format!("{low}.5"), format!("{close}.1")])
    );
    assert!(last[5].as_str().unwrap().parse::<f64>().unwrap() > 1e6, "USD: {last}");
    let own = server.get("/v1/heatmap/history?symbol=BTCUSDT&range=24h&columns=288").json();
    let bin = own["bin"].as_i64().unwrap();
    let low = own["price_low"].as_i64().unwrap();
    let y: Vec<i64> = rows(&heatmap["y_axis"]).iter().map(|price| price.as_i64().unwrap()).collect();
    assert_eq!((y[0], y[1] - y[0], y.len() as u64), (low, bin, own["rows"].as_u64().unwrap()));
    let cells = rows(&heatmap["liquidation_leverage_data"]);
    assert!(cells.len() > 10_000, "{}", cells.len());
    let mut sums = vec![vec![0.0; y.len()]; sticks.len()];
    for cell in cells {
        let (x, y) = (cell[0].as_u64().unwrap() as usize, cell[1].as_u64().unwrap() as usize);
        sums[x][y] = cell[2].as_f64().unwrap();
        assert!(sums[x][y] > 0.0);
    }
    for (x, column) in sums.iter().enumerate() {
        for (y, usd) in column.iter().enumerate() {
            let side = |plane: &str| own[plane][x][y].as_f64().unwrap();
            assert!((usd - side("long") - side("short")).abs() <= 1.01, "{x} {y}: {usd}");
        }
    }
    for same in [
        "liquidation/heatmap/model2?exchange=Binance&symbol=BTC&range=24h",
        "liquidation/heatmap/model3?exchange=BINANCE&symbol=BTCUSDT&range=24h",
        "liquidation/aggregated-heatmap/model1?symbol=BTC&range=24h",
        "liquidation/aggregated-heatmap/model2?symbol=BTCUSDT&range=24h",
        "liquidation/aggregated-heatmap/model3?symbol=BTC&range=24h",
    ] {
        assert_eq!(data(&server, same), heatmap, "{same}");
    }
    // The data is three days long; a longer range is answered with what there is.
    let month = data(&server, "liquidation/aggregated-heatmap/model1?symbol=BTC&range=30d");
    assert_eq!(rows(&month["price_candlesticks"]).len(), 36, "candles of two hours");

    let own = server.get("/v1/map?symbol=BTCUSDT&timeframe=1").json();
    let map = data(&server, "liquidation/map?exchange=Binance&symbol=BTCUSDT&range=1d");
    let summed = data(&server, "liquidation/aggregated-map?symbol=BTC&range=1d");
    for level in rows(&own["levels"]) {
        let key = level["price"].to_string();
        let usd = level["long_usd"].as_f64().unwrap() + level["short_usd"].as_f64().unwrap();
        let rows = rows(&map["data"][&key]);
        let sum: f64 = rows.iter().map(|row| row[1].as_f64().unwrap()).sum();
        assert!((sum - usd).abs() < 2.0, "{key}: {sum} {usd}");
        assert!(rows.iter().all(|row| row[0] == level["price"] && row[3].is_null()), "{rows:?}");
        assert!(rows.is_sorted_by(|a, b| a[2].as_f64() < b[2].as_f64()), "{rows:?}");
        let one = &summed["data"][&key][0];
        assert!((one[1].as_f64().unwrap() - sum).abs() < 0.1 && one[2].is_null(), "{one}");
    }
    assert!(rows(&own["levels"]).len() > 20);

    let own = server.get("/v1/max-pain?symbol=BTCUSDT&timeframe=24h").json();
    let pain = data(&server, "liquidation/max-pain");
    assert_eq!(pain, data(&server, "liquidation/max-pain?range=24h"));
    let [pain] = rows(&pain).as_slice() else { panic!("{pain}") };
    assert_eq!((&pain["symbol"], &pain["price"]), (&json!("BTC"), &own["current_price"]));
    // The original's long level lies above the price, where shorts are liquidated.
    assert_eq!(pain["long_max_pain_liq_price"], own["short"]["price"]);
    assert_eq!(pain["long_max_pain_liq_level"], own["short"]["usd"]);
    assert_eq!(pain["short_max_pain_liq_price"], own["long"]["price"]);
    assert_eq!(pain["short_max_pain_liq_level"], own["long"]["usd"]);
}

#[test]
fn realised_liquidations_add_up_in_every_shape() {
    let (_folder, server) = market_of_then();
    let history = data(&server, "liquidation/history?exchange=Binance&symbol=BTCUSDT&interval=1h&limit=10");
    let history = rows(&history);
    let times: Vec<i64> = history.iter().map(|row| row["time"].as_i64().unwrap()).collect();
    assert_eq!(times, (0..10).map(|hour| END - (10 - hour) * HOUR_MS).collect::<Vec<_>>());
    let own = server
        .get(&format!(
            "/v1/liquidations?symbol=BTCUSDT&start_time={}&end_time={}",
            format_time(liqheat_market::UnixMs(times[0])),
            format_time(liqheat_market::UnixMs(END))
        ))
        .json();
    for side in ["long", "short"] {
        let of_side = |row: &&Value| row["side"] == side;
        let exact: f64 = rows(&own["data"])
            .iter()
            .filter(of_side)
            .map(|row| row["price"].as_f64().unwrap() * row["quantity"].as_f64().unwrap())
            .sum();
        let field = format!("{side}_liquidation_usd");
        let sum: f64 = history.iter().map(|row| row[&field].as_str().unwrap().parse::<f64>().unwrap()).sum();
        assert!(exact > 1_000.0 && (sum - exact).abs() < 0.5, "{side}: {sum} {exact}");
    }
    let list = "liquidation/aggregated-history?exchange_list=Binance&symbol=BTC&interval=1h&limit=10";
    for (row, one) in rows(&data(&server, list)).iter().zip(history) {
        let text = |field: &str| one[field].as_str().unwrap().parse::<f64>().unwrap();
        assert_eq!(row["time"], one["time"]);
        assert_eq!(row["aggregated_long_liquidation_usd"], text("long_liquidation_usd"));
        assert_eq!(row["aggregated_short_liquidation_usd"], text("short_liquidation_usd"));
    }
    let within = data(
        &server,
        &format!(
            "liquidation/history?exchange=Binance&symbol=BTC&interval=1h&start_time={}&end_time={}",
            times[2],
            times[5] - 1
        ),
    );
    assert_eq!(rows(&within), &history[2..5]);
    let weeks = data(&server, "liquidation/history?exchange=Binance&symbol=BTC&interval=1w");
    // None begins before the data.
    assert_eq!(rows(&weeks).len(), 1, "{weeks}");
    assert_eq!(weeks[0]["time"], START, "a Monday");

    let summary = server.get("/v1/liquidations/summary?symbol=BTCUSDT").json();
    let coins = data(&server, "liquidation/coin-list?exchange=Binance");
    for (window, name) in ["1h", "4h", "12h", "24h"].iter().enumerate() {
        let own = &summary["windows"][window]["venues"][0];
        let (long, short) = (own["long_usd"].as_u64().unwrap(), own["short_usd"].as_u64().unwrap());
        assert!(long > 0 && short > 0, "{own}");
        assert_eq!(coins[0]["symbol"], "BTC");
        assert_eq!(coins[0][format!("long_liquidation_usd_{name}")], long);
        assert_eq!(coins[0][format!("short_liquidation_usd_{name}")], short);
        assert_eq!(coins[0][format!("liquidation_usd_{name}")], long + short);
        let exchanges = data(&server, &format!("liquidation/exchange-list?symbol=BTC&range={name}"));
        assert_eq!(exchanges, data(&server, &format!("liquidation/exchange-list?range={name}")));
        for (row, exchange) in ["All", "Binance"].iter().enumerate() {
            assert_eq!(
                exchanges[row],
                json!({"exchange": exchange, "liquidation_usd": long + short, "long_liquidation_usd": long,
                    "short_liquidation_usd": short, "longLiquidation_usd": long, "shortLiquidation_usd": short})
            );
        }
    }

    let orders = data(&server, "liquidation/order?exchange=Binance&symbol=BTC&min_liquidation_amount=5000.0");
    assert!(rows(&orders).len() > 20, "{orders}");
    assert!(rows(&orders).is_sorted_by(|a, b| a["time"].as_i64() > b["time"].as_i64()));
    let all = server.get("/v1/liquidations?symbol=BTCUSDT&start_time=2025-08-20&limit=10000").json();
    let expected: Vec<&Value> =
        rows(&all["data"]).iter().rev().filter(|row| row["usd"].as_u64().unwrap() >= 5_000).collect();
    assert_eq!(rows(&orders).len(), expected.len());
    for (order, own) in rows(&orders).iter().zip(expected) {
        assert_eq!(order["side"], if own["side"] == "short" { 1 } else { 2 });
        assert_eq!((&order["price"], &order["symbol"]), (&own["price"], &json!("BTCUSDT")));
        assert_eq!((&order["exchange_name"], &order["base_asset"]), (&json!("Binance"), &json!("BTC")));
        let usd = own["price"].as_f64().unwrap() * own["quantity"].as_f64().unwrap();
        assert!((order["usd_value"].as_f64().unwrap() - usd).abs() < 0.01);
    }
    assert_eq!(data(&server, "supported-coins"), json!(["BTC"]));
    assert_eq!(data(&server, "supported-exchanges"), json!(["Binance"]));
    let pair = json!({"instrument_id": "BTCUSDT", "base_asset": "BTC", "quote_asset": "USDT"});
    assert_eq!(data(&server, "supported-exchange-pairs"), json!({"Binance": [pair]}));
}

#[test]
fn what_is_not_there_is_refused_in_the_shape_of_the_api() {
    let (_folder, server) = market();
    for (path, status, part) in [
        ("liquidation/map?exchange=OKX&symbol=BTC&range=1d", 400, "exchanges that have it: Binance"),
        ("liquidation/map?exchange=Binance&symbol=DOGE&range=1d", 400, "symbols: BTC"),
        ("liquidation/map?exchange=Binance&symbol=BTCUSDT@binance&range=1d", 400, "not served here"),
        ("liquidation/map?exchange=Binance&symbol=BTC&range=2d", 422, "1d, 7d, 30d"),
        ("liquidation/map?exchange=Binance&symbol=BTC", 422, "'range' is missing"),
        ("liquidation/map?symbol=BTC&range=1d", 422, "'exchange' is missing"),
        ("liquidation/aggregated-map?symbol=BTC&range=1d&exchange=Binance", 400, "parameters: symbol, range"),
        ("liquidation/heatmap/model1?exchange=Binance&symbol=BTC&range=2y", 422, "180d, 1y"),
        ("liquidation/heatmap/model4?exchange=Binance&symbol=BTC&range=1y", 404, "not served here"),
        ("open-interest/history?exchange=Binance", 404, "/docs"),
        ("liquidation/history?exchange=Binance&symbol=BTC&interval=7m", 422, "1m, 3m"),
        ("liquidation/history?exchange=Binance&symbol=BTC&interval=1m&limit=1001", 422, "1 to 1000"),
        ("liquidation/history?exchange=Binance&symbol=BTC&interval=1m&start_time=2025-08-25", 422, "ms"),
        ("liquidation/history?exchange=Binance&symbol=BTC&interval=1m&start_time=5&end_time=4", 422, "later"),
        (
            "liquidation/aggregated-history?exchange_list=Binance,Gate.io&symbol=BTC&interval=1h",
            400,
            "'Gate.io' has no BTCUSDT here; leave it out",
        ),
        ("liquidation/aggregated-history?exchange_list=,&symbol=BTC&interval=1h", 422, "no exchange"),
        ("liquidation/coin-list?exchange=Deribit", 400, "exchanges: Binance"),
        ("liquidation/exchange-list?range=2h", 422, "1h, 4h"),
        ("liquidation/order?exchange=Binance&symbol=BTC", 422, "min_liquidation_amount"),
        ("liquidation/order?exchange=Binance&symbol=BTC&min_liquidation_amount=much", 422, "'much'"),
        ("liquidation/max-pain?range=1h", 422, "12h, 24h, 48h"),
    ] {
        let answer = server.get(&format!("/api/futures/{path}"));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let body = answer.json();
        assert_eq!(body["code"], status.to_string(), "{path}");
        let text = body["msg"].as_str().unwrap();
        let part = if part == "ms" { "milliseconds since 1970" } else { part };
        assert!(text.contains(part), "{path}: {text}");
        assert!(body.get("data").is_none() && body.get("detail").is_none(), "{body}");
    }
}

#[test]
fn the_key_header_carries_the_token_and_its_claims_hold() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve --db").arg(db).env("WS_JWT_SECRET", SECRET).serve();
    let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
    let token = |mut claims: Value| {
        claims["exp"] = expires.into();
        signed_with(SECRET, &claims)
    };
    let all = token(json!({}));
    let map = "/api/futures/liquidation/map?exchange=Binance&symbol=BTC&range=1d";
    until("a first state", || {
        let headers = [("Authorization", &*format!("Bearer {all}"))];
        (get_with(server.address(), "/v1/heatmap?symbol=BTCUSDT", &headers).status == 200).then_some(())
    });
    let ask = |path: &str, key: &str| get_with(server.address(), path, &[("CG-API-KEY", key)]);
    let bare = server.get(map);
    assert_eq!((bare.status, &bare.json()["code"]), (401, &json!("401")), "{}", bare.text());
    assert_eq!(ask(map, "nonsense").status, 401);
    assert_eq!(ask(map, &all).status, 200);
    let heatmap = token(json!({"symbols": ["BTCUSDT"], "channels": ["heatmap"]}));
    assert_eq!(ask(map, &heatmap).status, 200);
    let totals = ask("/api/futures/liquidation/exchange-list?range=1h", &heatmap);
    assert_eq!(totals.status, 403, "{}", totals.text());
    assert!(totals.json()["msg"].as_str().unwrap().contains("'liquidations'"));
    let other = token(json!({"symbols": ["ETHUSDT"]}));
    let refused = ask(map, &other);
    assert_eq!(refused.status, 403, "{}", refused.text());
    let none = ask("/api/futures/liquidation/max-pain", &other);
    assert_eq!((none.status, &none.json()["data"]), (200, &json!([])));
    let venue = token(json!({"symbols": ["BTCUSDT@binance"]}));
    assert_eq!(ask(map, &venue).status, 200);
    assert_eq!(ask("/api/futures/liquidation/aggregated-map?symbol=BTC&range=1d", &venue).status, 403);
}
