//! `/udf/..`, `/widgets.json` and `/apps.json`: what a chart of TradingView's library and OpenBB Workspace ask for.

use liqheat_testkit::{Folder, RunningProgram};
use liqheat_wire::parse_time;
use serde_json::json;

use crate::market::{BAR_MS, BARS_A_DAY, FALL, START};
use crate::support::{ask, await_state, load, loaded, rows, server};

const DAYS: i64 = 3;
const END: i64 = START + DAYS * BARS_A_DAY * BAR_MS;

/// The made-up market; 50 coins of longs liquidated in the fall, one coin in every other hour.
fn market() -> (Folder, RunningProgram) {
    let (folder, db) = loaded(DAYS);
    let row = |hour: i64| {
        let time = START + hour * 3_600_000 + 1;
        let is_fall = (FALL.start..FALL.end).contains(&(hour * 12));
        let coins = if is_fall { 50 } else { 1 };
        format!("{time},SELL,LIMIT,IOC,{coins},100.5,100.5,FILLED,{coins},{coins}\n")
    };
    let text: String = (0..DAYS * 24).map(row).collect();
    load(&db, &[folder.put("more/BTCUSDT-liquidationSnapshot-2025-08-25.csv", text)]);
    let server = server("serve --db").arg(db).serve();
    await_state(&server);
    (folder, server)
}

#[test]
fn bars_are_the_candles_of_the_own_route() {
    let (_folder, server) = market();
    let own = ask(&server, "/prices/klines?symbol=BTCUSDT&interval=1h&limit=5000");
    let (from, to) = (START / 1_000, END / 1_000);
    let history = ask(&server, &format!("/udf/history?symbol=BTCUSDT&resolution=60&from={from}&to={to}"));
    assert_eq!(history["s"], "ok");
    assert_eq!(rows(&history["t"]).len(), 72);
    for (index, candle) in rows(&own["data"]).iter().enumerate() {
        let time = parse_time(candle["timestamp"].as_str().unwrap()).unwrap().0 / 1_000;
        let bar = ["t", "o", "h", "l", "c", "v"].map(|column| history[column][index].clone());
        let [open, high, low, close, volume] =
            ["open", "high", "low", "close", "volume"].map(|field| candle[field].clone());
        assert_eq!(json!(bar), json!([time, open, high, low, close, volume]));
    }
    // `to` is exclusive, and countback reaches back before `from`.
    let back = |from: i64, to: i64, count: usize| {
        ask(
            &server,
            &format!("/udf/history?symbol=BTCUSDT&resolution=60&from={from}&to={to}&countback={count}"),
        )
    };
    assert_eq!(rows(&back(to - 3_600, to, 10)["t"]).len(), 10);
    assert_eq!(back(to - 7_200, to - 3_600, 1)["t"], json!([to - 7_200]));
    let none = back(to + 3_600, to + 7_200, 0);
    assert_eq!((&none["s"], &none["nextTime"]), (&json!("no_data"), &json!(to - 3_600)));
    let before = back(from - 7_200, from, 0);
    assert_eq!((&before["s"], before.get("nextTime")), (&json!("no_data"), None));
}

#[test]
fn symbols_are_found_and_described() {
    let (_folder, server) = market();
    let config = ask(&server, "/udf/config");
    assert_eq!(config["supports_marks"], true);
    assert_eq!(config["exchanges"][1]["value"], "Binance");
    let found = ask(&server, "/udf/search?query=btc&type=crypto&exchange=&limit=5");
    assert_eq!(found[0]["ticker"], "BTCUSDT");
    assert_eq!(rows(&ask(&server, "/udf/search?query=eth")).len(), 0);
    let info = ask(&server, "/udf/symbols?symbol=Binance:BTCUSDT");
    assert_eq!(info, ask(&server, "/udf/symbols?symbol=BTCUSDT"));
    assert_eq!((&info["exchange"], &info["pricescale"]), (&json!("Binance"), &json!(100)));
    assert_eq!(info["supported_resolutions"][0], "5", "bars of five minutes are stored");
    assert_eq!(info["description"], "BTC / USDT perpetual, Binance");
    // TradingView's own client sends the currency of the description along.
    assert_eq!(info["currency_code"], "USDT");
    assert_eq!(info, ask(&server, "/udf/symbols?symbol=BTCUSDT&currencyCode=USDT"));
    let bars = "/udf/history?symbol=BTCUSDT&resolution=60&from=0&to=1900000000&countback=2";
    assert_eq!(ask(&server, &format!("{bars}&currencyCode=USDT")), ask(&server, bars));
    let time: i64 = server.get("/udf/time").text().parse().unwrap();
    assert!(time > END / 1_000);
    for (path, status, part) in [
        ("/udf/symbols?symbol=XYZ", 400, "XYZ"),
        ("/udf/symbols", 422, "'symbol' is missing"),
        ("/udf/symbols?symbol=BTCUSDT&colour=red", 400, "colour"),
        ("/udf/history?symbol=BTCUSDT&resolution=1&from=0&to=1", 422, "5, 15, 30"),
        ("/udf/history?symbol=BTCUSDT&resolution=60&from=x&to=1", 422, "seconds since 1970"),
        ("/udf/history?symbol=BTCUSDT&resolution=60&from=9&to=1", 422, "later"),
        ("/udf/history?symbol=BTCUSDT&resolution=5&from=0&to=1756339200", 422, "countback"),
        ("/udf/history?symbol=BTCUSDT&resolution=5&from=0&to=1&currencyCode=EUR", 400, "priced in USDT"),
        ("/udf/history?symbol=BTCUSDT&resolution=5&from=0&to=1&unitId=kg", 400, "unitId"),
        ("/udf/symbols?symbol=BTCUSDT&currencyCode=EUR", 400, "priced in USDT"),
        ("/udf/marks?symbol=BTCUSDT&resolution=5&from=0&to=1756339200", 422, "4000 intervals"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let body = answer.json();
        assert_eq!(body["s"], "error", "{path}");
        assert!(body["errmsg"].as_str().unwrap().contains(part), "{path}: {body}");
    }
}

#[test]
fn the_fall_is_marked_with_what_it_liquidated_and_swept() {
    let (_folder, server) = market();
    let within = format!("symbol=BTCUSDT&resolution=60&from={}&to={}", START / 1_000, END / 1_000);
    let marks = ask(&server, &format!("/udf/marks?{within}"));
    let of = |kind: &str| -> Vec<i64> {
        let ids = rows(&marks["id"]).iter().zip(rows(&marks["time"]));
        let named = ids.filter(|(id, _)| id.as_str().unwrap().starts_with(kind));
        named.map(|(_, time)| time.as_i64().unwrap()).collect()
    };
    let hour = |bar: i64| (START + bar * BAR_MS) / 3_600_000 * 3_600;
    let fall = [hour(FALL.start), hour(FALL.end - 1)];
    assert_eq!(of("long"), [hour(FALL.start + 11)], "50 coins among ones");
    assert!(of("short").is_empty());
    let sweeps = of("sweep");
    assert!(!sweeps.is_empty() && sweeps.iter().any(|time| fall.contains(time)), "{sweeps:?} {fall:?}");
    for (time, text) in rows(&marks["time"]).iter().zip(rows(&marks["text"])) {
        assert_eq!(time.as_i64().unwrap() % 3_600, 0, "a mark stands on a bar");
        assert!(text.as_str().unwrap().starts_with('$'), "{text}");
    }
    let scale = ask(&server, &format!("/udf/timescale_marks?{within}"));
    assert_eq!(rows(&scale).len(), 1);
    assert_eq!(scale[0]["tooltip"], json!(["$5.0k of longs liquidated"]));
}

#[test]
fn every_widget_of_openbb_has_a_route_that_answers() {
    let (_folder, server) = market();
    let widgets = ask(&server, "/widgets.json");
    let app = ask(&server, "/apps.json");
    assert_eq!(rows(&app[0]["tabs"]["overview"]["layout"]).len(), widgets.as_object().unwrap().len());
    for (name, widget) in widgets.as_object().unwrap() {
        let endpoint = widget["endpoint"].as_str().unwrap();
        if widget["type"] == "advanced_charting" {
            assert_eq!(ask(&server, &format!("{endpoint}/config"))["supports_time"], true);
            assert_eq!(widget["data"]["defaultSymbol"], "BTCUSDT");
            continue;
        }
        let parameters: Vec<String> = rows(&widget["params"])
            .iter()
            .map(|one| {
                let value = &one["value"];
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{}={text}", one["paramName"].as_str().unwrap())
            })
            .collect();
        let body = ask(&server, &format!("{endpoint}?{}", parameters.join("&")));
        let data = &body[widget["data"]["dataKey"].as_str().unwrap()];
        assert!(data.is_array(), "{name}: {body}");
        if let Some(first) = data.get(0) {
            for column in rows(&widget["data"]["table"]["columnsDefs"]) {
                let field = column["field"].as_str().unwrap();
                assert!(first.get(field).is_some(), "{name}: no field {field} in {first}");
            }
        }
    }
}
