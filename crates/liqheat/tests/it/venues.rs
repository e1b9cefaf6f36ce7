//! Symbols of several venues: each by itself, and all of them added up.

use std::collections::BTreeMap;
use std::path::Path;

use liqheat_feeds::sim::{Sim, SimConfig};
use liqheat_market::{Event, Instrument, Price, Qty, Symbol, Venue};
use liqheat_store::{Batch, Location, Settings, Store};
use liqheat_testkit::{Folder, RunningProgram};
use serde_json::Value;

use crate::support::{ask, server};

const HOURS: i64 = 30;

/// The same market at two venues, as two venues are: another stock, other prices by a little, and at one of them
/// the price is twice as high, so that its levels are wider.
fn two_venues(db: &Path) {
    let store = Store::open(Location::File(db.to_path_buf()), Settings::default()).unwrap();
    let from = SimConfig::default().start;
    for (venue, seed, times) in [(Venue::Binance, 3, 1), (Venue::Okx, 4, 2)] {
        let mut sim = Sim::new(SimConfig { seed, ..SimConfig::default() }).unwrap();
        let mut events = Vec::new();
        sim.advance(from.plus(HOURS * 3_600_000), &mut events);
        let symbol = |name: &str| Symbol::new(name).unwrap();
        let batch: Batch = events.iter().map(|event| higher(event, times)).collect();
        store.append(&Instrument::new(venue, symbol("BTCUSDT")), batch).blocking().unwrap();
        if venue == Venue::Okx {
            let batch: Batch = events.into_iter().collect();
            store.append(&Instrument::new(venue, symbol("ETHUSDT")), batch.clone()).blocking().unwrap();
            store.append(&Instrument::new(Venue::Sim, symbol("BTCUSDT")), batch).blocking().unwrap();
        }
    }
    store.close_blocking().unwrap();
}

fn higher(event: &Event, times: i64) -> Event {
    let price = |price: Price| Price::from_units(price.units() * times);
    let mut event = *event;
    match &mut event {
        Event::Trade(trade) => trade.price = price(trade.price),
        Event::MarkPrice(mark) => mark.price = price(mark.price),
        Event::Liquidation(liquidation) => liquidation.price = price(liquidation.price),
        Event::Kline(kline) => {
            kline.open = price(kline.open);
            kline.high = price(kline.high);
            kline.low = price(kline.low);
            kline.close = price(kline.close);
        }
        Event::OpenInterest(sample) => sample.qty = Qty::from_units(sample.qty.units() / i128::from(times)),
        Event::Funding(_) => {}
    }
    event
}

type Levels = BTreeMap<u64, (u64, u64)>;

fn levels_of(body: &Value, names: [&str; 2]) -> Levels {
    let level = |level: &Value| {
        let price = level["price"].as_f64().unwrap();
        (price.round() as u64, names.map(|name| level[name].as_u64().unwrap()).into())
    };
    body.as_array().unwrap().iter().map(level).collect()
}

fn sum(parts: &[Levels], bin: u64) -> Levels {
    let mut sum = Levels::new();
    for (price, (long, short)) in parts.iter().flatten() {
        let at = sum.entry(price / bin * bin).or_default();
        *at = (at.0 + long, at.1 + short);
    }
    sum
}

const VENUES: [&str; 2] = ["BTCUSDT@binance", "BTCUSDT@okx"];

const DENSITY: [&str; 2] = ["long_density", "short_density"];

#[test]
fn a_symbol_is_the_sum_of_its_venues_on_every_route() {
    let folder = Folder::new();
    let db = folder.path("two.duckdb");
    two_venues(&db);
    let server = server("serve --ws-update-interval 1 --db").arg(&db).serve();
    let states = states(&server);
    let bin = the_list_names_both(&server);
    states_are_sums(&server, &states, bin);
    timeseries_are_sums(&server, bin);
    histories_are_sums(&server, bin);
    candles_are_of_the_leading_venue(&server);
    liquidations_are_of_both(&server);
    for path in ["/liquidations/levels?symbol=BTCUSDT", "/liquidations/levels?symbol=BTCUSDT&timeframe=12h"] {
        let body = ask(&server, path);
        assert!(body["long_liquidations"].as_array().unwrap().len() > 10, "{path}");
    }
    let refused = server.get("/v1/heatmap?symbol=BTCUSDT@bybit");
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("BTCUSDT@okx") && !refused.text().contains("ETHUSDT@okx"),
        "{}",
        refused.text()
    );
    assert_eq!(server.terminate().code, Some(0));
}

/// The first state of each name that can be subscribed to.
fn states(server: &RunningProgram) -> BTreeMap<String, Value> {
    let mut viewer = server.viewer();
    viewer.say_text(
        r#"{"action":"subscribe","symbols":["BTCUSDT","BTCUSDT@binance","BTCUSDT@okx","ETHUSDT@okx"]}"#,
    );
    let mut states = BTreeMap::new();
    while states.len() < 4 {
        let message = viewer.hear_until(|message| message["type"] == "snapshot");
        states.insert(message["symbol"].as_str().unwrap().to_owned(), message);
    }
    states
}

/// Gives the height of a bin of the sum.
fn the_list_names_both(server: &RunningProgram) -> u64 {
    let symbols = ask(server, "/v1/symbols");
    let row = |name: &str| {
        let rows = symbols["symbols"].as_array().unwrap();
        rows.iter().find(|row| row["symbol"] == name).cloned().unwrap_or(Value::Null)
    };
    let names: Vec<&str> =
        symbols["symbols"].as_array().unwrap().iter().map(|row| row["symbol"].as_str().unwrap()).collect();
    assert_eq!(names, ["BTCUSDT", "BTCUSDT@binance", "BTCUSDT@okx", "BTCUSDT@sim", "ETHUSDT"]);
    assert_eq!((&row("BTCUSDT")["venue"], &row("ETHUSDT")["venue"]), (&"all".into(), &"okx".into()));
    assert_eq!(row("BTCUSDT")["venues"], serde_json::json!(["binance", "okx"]));
    let bin = row("BTCUSDT")["base_bin"].as_u64().unwrap();
    let bins = VENUES.map(|name| row(name)["base_bin"].as_u64().unwrap());
    assert!(bins[0] != bins[1] && bins.iter().all(|own| bin % own == 0), "{bins:?} {bin}");
    bin
}

fn states_are_sums(server: &RunningProgram, states: &BTreeMap<String, Value>, bin: u64) {
    let of = |name: &str| levels_of(&states[name]["data"]["levels"], DENSITY);
    let parts = VENUES.map(of);
    assert!(parts.iter().all(|part| part.len() > 100));
    assert_eq!(of("BTCUSDT"), sum(&parts, bin), "to the dollar, on every bin");
    // The first has twice the coins.
    let price = |name: &str| states[name]["data"]["current_price"].clone();
    assert_eq!(price("BTCUSDT"), price("BTCUSDT@binance"));
    assert_ne!(price("BTCUSDT"), price("BTCUSDT@okx"));

    // Both names of a symbol of one venue are the same ledger.
    let plain = ask(server, "/v1/heatmap?symbol=ETHUSDT");
    assert_eq!(plain["hash"], states["ETHUSDT@okx"]["hash"]);
    assert_eq!(plain["data"]["levels"], states["ETHUSDT@okx"]["data"]["levels"]);
}

fn timeseries_are_sums(server: &RunningProgram, bin: u64) {
    let start = SimConfig::default().start.0;
    let series = |name: &str| {
        let path = format!(
            "/liquidations/heatmap-timeseries?symbol={name}&start_time={}&end_time={}&interval=1h",
            start + 20 * 3_600_000,
            start + 24 * 3_600_000
        );
        let body = ask(server, &path);
        body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| levels_of(&row["levels"], DENSITY))
            .collect::<Vec<_>>()
    };
    let (whole, of_venues) = (series("BTCUSDT"), VENUES.map(series));
    assert_eq!(whole.len(), 4);
    for (index, row) in whole.iter().enumerate() {
        let parts = of_venues.each_ref().map(|rows| rows[index].clone());
        assert_eq!(*row, sum(&parts, bin));
    }
}

fn histories_are_sums(server: &RunningProgram, bin: u64) {
    let grid = |name: &str| ask(server, &format!("/v1/heatmap/history?symbol={name}&range=24h&bin={bin}"));
    let usd = |grid: &Value| -> u64 {
        ["long", "short"]
            .iter()
            .flat_map(|plane| grid[plane].as_array().unwrap())
            .flat_map(|column| column.as_array().unwrap())
            .map(|cell| cell.as_u64().unwrap())
            .sum()
    };
    let (whole, of_venues) = (usd(&grid("BTCUSDT")), VENUES.map(|name| usd(&grid(name))));
    let added = of_venues[0] + of_venues[1];
    // The sum's rows reach as far as both venues' prices do, so it shows what single charts cut off; never less.
    assert!(whole >= added - added / 1_000, "{whole} {of_venues:?}");
}

fn candles_are_of_the_leading_venue(server: &RunningProgram) {
    let candles = |name: &str| {
        ask(server, &format!("/prices/klines?symbol={name}&interval=1h&limit=5"))["data"].clone()
    };
    let (whole, of_venues) = (candles("BTCUSDT"), VENUES.map(candles));
    for index in 0..5 {
        assert_eq!(whole[index]["close"], of_venues[0][index]["close"], "prices of the leading venue");
        let volume = |rows: &Value| rows[index]["volume"].as_f64().unwrap();
        let sum = volume(&of_venues[0]) + volume(&of_venues[1]);
        assert!((volume(&whole) - sum).abs() < 1e-6);
    }
}

fn liquidations_are_of_both(server: &RunningProgram) {
    let start = SimConfig::default().start.0;
    let real = |name: &str| {
        let path =
            format!("/v1/liquidations?symbol={name}&start_time={}&limit=10000", start + 28 * 3_600_000);
        ask(server, &path)["data"].as_array().unwrap().clone()
    };
    let (whole, of_venues) = (real("BTCUSDT"), VENUES.map(real));
    assert_eq!(whole.len(), of_venues[0].len() + of_venues[1].len());
    assert!(
        whole.is_sorted_by_key(|row| liqheat_wire::parse_time(row["timestamp"].as_str().unwrap()).unwrap())
    );
    let binance = whole.iter().filter(|row| row["venue"] == "binance").count();
    assert_eq!(binance, of_venues[0].len());
}

#[test]
fn one_venue_can_be_asked_for_alone() {
    let folder = Folder::new();
    let db = folder.path("two.duckdb");
    two_venues(&db);
    let server = server("serve --offline --symbols BTCUSDT@okx --ws-update-interval 1 --db").arg(&db).serve();
    let symbols = ask(&server, "/v1/symbols");
    assert_eq!(symbols["symbols"].as_array().unwrap().len(), 1);
    assert_eq!(symbols["symbols"][0]["symbol"], "BTCUSDT@okx");
    assert_eq!(server.get("/v1/heatmap?symbol=BTCUSDT").status, 400);
}
