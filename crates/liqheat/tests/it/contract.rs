//! The published descriptions of the interface against the real program: what it says fits them, to the last field.

use std::collections::BTreeSet;

use jsonschema::Validator;
use liqheat_testkit::{RunningProgram, Viewer};
use serde_json::{Value, json};

use crate::support::{loaded, server, state};

/// Checks one value by a schema of a document; a field that is not described is also a fault.
pub(crate) struct Contract {
    document: Value,
}

impl Contract {
    pub(crate) fn of(server: &RunningProgram, path: &str) -> Self {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}");
        let mut document = answer.json();
        close(&mut document);
        Self { document }
    }

    fn validator(&self, pointer: &str) -> Validator {
        assert!(self.document.pointer(pointer).is_some(), "nothing is described at {pointer}");
        let fragment = pointer.replace('{', "%7B").replace('}', "%7D");
        let mut root = json!({ "$ref": format!("#{fragment}") });
        for (key, value) in self.document.as_object().unwrap() {
            root[key] = value.clone();
        }
        jsonschema::draft202012::new(&root).unwrap()
    }

    #[track_caller]
    pub(crate) fn check(&self, pointer: &str, value: &Value) {
        let validator = self.validator(pointer);
        let faults: Vec<String> =
            validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{value:#} does not fit {pointer}: {faults:#?}");
    }
}

/// Clients must take unknown fields, so the schemas allow them; here they are what was forgotten.
pub(crate) fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) && fields.contains_key("type") {
                fields.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn what_the_socket_says_is_described() {
    let (_folder, db) = loaded(2);
    let server =
        server("serve --ws-status-interval 0.3 --ws-max-messages-per-second 3 --ws-drain-window 0.1 --db")
            .arg(db)
            .serve();
    let contract = Contract::of(&server, "/asyncapi.json");
    let mut heard = BTreeSet::new();
    let mut listen = |viewer: &mut Viewer, wanted: &str| {
        viewer.hear_until(|message| {
            let kind = message["type"].as_str().unwrap();
            contract.check(&format!("/components/messages/{kind}/payload"), message);
            heard.insert(kind.to_owned());
            kind == wanted
        })
    };
    let mut viewer = server.viewer();
    viewer.subscribe("BTCUSDT");
    let snapshot = listen(&mut viewer, "snapshot");
    // A position of another run is no use; one that is the newest is answered by a status.
    let position = json!({ "BTCUSDT": { "epoch": snapshot["epoch"], "seq": snapshot["seq"] } });
    let subscribe =
        json!({ "action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta", "resume": position });
    contract.check("/components/messages/subscribe/payload", &subscribe);
    viewer.say(&subscribe);
    listen(&mut viewer, "status");
    viewer.say(&json!({ "action": "ping" }));
    listen(&mut viewer, "pong");
    viewer.say(&json!({ "action": "dance" }));
    listen(&mut viewer, "error");
    drop(viewer);
    let mut last = server.viewer();
    last.subscribe("BTCUSDT");
    listen(&mut last, "snapshot");
    server.signal("TERM");
    listen(&mut last, "goaway");
    assert!(
        ["snapshot", "status", "pong", "error", "goaway"].iter().all(|kind| heard.contains(*kind)),
        "{heard:?}"
    );
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn differences_are_described() {
    let server = server("demo --seed 7 --days 1 --speed 600 --ws-update-interval 0.2").serve();
    let contract = Contract::of(&server, "/asyncapi.json");
    let mut viewer = server.viewer();
    viewer.say(
        &json!({ "action": "subscribe", "symbols": ["BTCUSDT"], "mode": "delta", "update_interval": 0.25 }),
    );
    for _ in 0..5 {
        let delta = viewer.hear_until(|message| message["type"] == "delta");
        contract.check("/components/messages/delta/payload", &delta);
    }
}

#[test]
fn channels_are_described() {
    let server = server("demo --seed 7 --days 1 --ws-update-interval 0.5").serve();
    let contract = Contract::of(&server, "/asyncapi.json");
    let channels = ["price", "liquidations", "walls"];
    let subscribe =
        json!({ "action": "subscribe", "symbols": ["BTCUSDT"], "channels": channels, "min_usd": 1 });
    contract.check("/components/messages/subscribe/payload", &subscribe);
    let mut viewer = server.viewer();
    viewer.say(&subscribe);
    let mut missing: BTreeSet<&str> = channels.into();
    while !missing.is_empty() {
        let message = viewer.hear_until(|message| message["type"] != "status");
        let kind = message["type"].as_str().unwrap();
        contract.check(&format!("/components/messages/{kind}/payload"), &message);
        // The answer to the subscription has no liquidations.
        if message["data"] != json!([]) {
            missing.remove(kind);
        }
    }
}

#[test]
fn what_http_answers_is_described() {
    let (_folder, db) = loaded(2);
    let server = server("serve --db").arg(db).serve();
    let contract = Contract::of(&server, "/openapi.json");
    // There is something to answer with.
    state(&server);
    let symbols = server.get("/v1/symbols").json();
    let last = symbols["symbols"][0]["last"].as_i64().unwrap();
    let span = format!("symbol=BTCUSDT&start_time={}&end_time={last}", last - 4 * 3_600_000);
    let udf_span =
        format!("symbol=BTCUSDT&resolution=60&from={}&to={}", last / 1_000 - 4 * 3_600, last / 1_000);
    let body = |path: &str, status: u16| {
        let path = path.replace('~', "~0").replace('/', "~1");
        format!("/paths/{path}/get/responses/{status}/content/application~1json/schema")
    };
    let mut asked = BTreeSet::new();
    for (path, query) in [
        ("/v1/symbols", ""),
        ("/v1/heatmap", "symbol=BTCUSDT"),
        ("/v1/heatmap/history", "symbol=BTCUSDT&range=12h&columns=20"),
        ("/v1/liquidations", "symbol=BTCUSDT"),
        ("/v1/liquidations/summary", "symbol=BTCUSDT"),
        ("/v1/series", "symbol=BTCUSDT&interval=1h"),
        ("/v1/accuracy", "symbol=BTCUSDT"),
        ("/v1/walls", "symbol=BTCUSDT"),
        ("/v1/alerts", ""),
        ("/v1/max-pain", "symbol=BTCUSDT"),
        ("/v1/map", "symbol=BTCUSDT&range_pct=5"),
        ("/prices/klines", "symbol=BTCUSDT&limit=5"),
        ("/liquidations/levels", "symbol=BTCUSDT"),
        ("/liquidations/heatmap-timeseries", span.as_str()),
        ("/v1/tiers", "symbol=BTCUSDT"),
        ("/v1/liquidation-price", "symbol=BTCUSDT&side=long&entry_price=100000&leverage=25"),
        ("/api/margin/tiers/{symbol}", ""),
        ("/symbols", ""),
        ("/exchanges", ""),
        ("/data/date-range", "symbol=BTCUSDT"),
        ("/liquidations/history", "symbol=BTCUSDT"),
        ("/ws/stats", ""),
        ("/live", ""),
        ("/ready", ""),
        ("/health", ""),
        ("/api/futures/supported-coins", ""),
        ("/api/futures/supported-exchanges", ""),
        ("/api/futures/supported-exchange-pairs", ""),
        ("/api/futures/liquidation/heatmap/model1", "exchange=Binance&symbol=BTCUSDT&range=24h"),
        ("/api/futures/liquidation/heatmap/model2", "exchange=Binance&symbol=BTCUSDT&range=24h"),
        ("/api/futures/liquidation/heatmap/model3", "exchange=Binance&symbol=BTCUSDT&range=24h"),
        ("/api/futures/liquidation/aggregated-heatmap/model1", "symbol=BTC&range=24h"),
        ("/api/futures/liquidation/aggregated-heatmap/model2", "symbol=BTC&range=24h"),
        ("/api/futures/liquidation/aggregated-heatmap/model3", "symbol=BTC&range=24h"),
        ("/api/futures/liquidation/map", "exchange=Binance&symbol=BTCUSDT&range=1d"),
        ("/api/futures/liquidation/aggregated-map", "symbol=BTC&range=1d"),
        ("/api/futures/liquidation/max-pain", "range=24h"),
        ("/api/futures/liquidation/history", "exchange=Binance&symbol=BTCUSDT&interval=1h"),
        ("/api/futures/liquidation/aggregated-history", "exchange_list=Binance&symbol=BTC&interval=1h"),
        ("/api/futures/liquidation/coin-list", "exchange=Binance"),
        ("/api/futures/liquidation/exchange-list", "range=24h"),
        ("/api/futures/liquidation/order", "exchange=Binance&symbol=BTC&min_liquidation_amount=1"),
        ("/apps.json", ""),
        ("/widgets.json", ""),
        ("/udf/config", ""),
        ("/udf/search", "query=BTC"),
        ("/udf/symbols", "symbol=BTCUSDT"),
        ("/udf/history", udf_span.as_str()),
        ("/udf/marks", udf_span.as_str()),
        ("/udf/timescale_marks", udf_span.as_str()),
        ("/v1/export", "what=bars&symbol=BTCUSDT&format=json"),
        ("/v1/ingest", ""),
    ] {
        let answer = server.get(&format!("{}?{query}", path.replace("{symbol}", "BTCUSDT")));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        contract.check(&body(path, 200), &answer.json());
        asked.insert(path);
    }
    for (path, status) in [("/prices/klines", 422), ("/prices/klines?symbol=NONE", 400), ("/ws/heatmap", 400)]
    {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        contract.check(&body(path.split('?').next().unwrap(), status), &answer.json());
    }
    // Whatever answers with JSON of ours was asked.
    let described = contract.document["paths"].as_object().unwrap().iter();
    let with_json: BTreeSet<&str> = described
        .filter(|(_, path)| path["get"]["responses"]["200"]["content"]["application/json"].is_object())
        .map(|(path, _)| path.as_str())
        // Accounts are looked at in another test.
        .filter(|path| !path.ends_with("api.json") && *path != "/v1/measured")
        .collect();
    assert_eq!(asked, with_json);
    let page = server.get("/docs");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
}

#[test]
fn a_contract_that_is_broken_is_noticed() {
    let server = server("demo --seed 7 --days 1").serve();
    let contract = Contract::of(&server, "/asyncapi.json");
    let fits = |value: Value| contract.validator("/components/messages/pong/payload").is_valid(&value);
    assert!(fits(json!({ "type": "pong", "timestamp": "2025-12-28T14:30:00Z" })));
    assert!(!fits(json!({ "type": "pong" })));
    assert!(!fits(json!({ "type": "pong", "timestamp": "2025-12-28T14:30:00Z", "sent": 1 })));
    assert!(!fits(json!({ "type": "snapshot", "timestamp": "2025-12-28T14:30:00Z" })));
}
