//! Live markets through the built program, against a stand-in exchange on this machine whose hour takes a minute.
//!
//! What counts in the end are rows and the board: the same as of files with the same data, whatever happened on the
//! way.

use std::fmt::Write as _;
use std::path::Path;

use liqheat_feeds::raw;
use liqheat_market::{
    Event, Instrument, Interval, Kline, KlineKind, MarkPrice, OpenInterest, Symbol, Taker, Trade, UnixMs,
    Venue,
};
use liqheat_store::{Location, Settings, Store};
use liqheat_testkit::exchange::{BinanceProtocol, ExchangeServer, Market, MarketShape, Time};
use liqheat_testkit::{Folder, Program, RunningProgram, until};
use liqheat_wire::format_time;
use serde_json::Value;

use crate::support::{limit_file_size, liqheat, load, server};

/// 2025-08-25 00:00 UTC.
pub(crate) const START: UnixMs = UnixMs(1_756_080_000_000);
const MINUTE: i64 = 60_000;
/// The exchange is there before the market opens, so that the program hears all of it.
pub(crate) const BEFORE_MS: i64 = 5 * MINUTE;

/// A market of some minutes. Open interest is counted once a minute, so that it does not matter which of many
/// counts a poll happens to see; a count from before keeps the symbol known.
fn market(minutes: i64) -> Market {
    Market::default().with("BTCUSDT", script(minutes, 7))
}

pub(crate) fn script(minutes: i64, seed: u64) -> Vec<Event> {
    let made = MarketShape { open_interest_step_ms: MINUTE, seed, ..MarketShape::new(START, minutes) };
    let mut events = Market::default().with_made("BTCUSDT", &made).events("BTCUSDT").to_vec();
    let stock = events.iter().find_map(|event| match event {
        Event::OpenInterest(sample) => Some(sample.qty),
        _ => None,
    });
    let early = OpenInterest { time: START.plus(-2 * BEFORE_MS), qty: stock.unwrap() };
    events.push(Event::OpenInterest(early));
    // What stands at the end of the last minute. A tick of the mark price ends that minute.
    let last = events.iter().rev().find_map(|event| match event {
        Event::MarkPrice(tick) => Some(tick.price),
        _ => None,
    });
    events.push(Event::MarkPrice(MarkPrice { time: START.plus(minutes * MINUTE), price: last.unwrap() }));
    events
        .push(Event::OpenInterest(OpenInterest { time: START.plus(minutes * MINUTE), qty: stock.unwrap() }));
    events
}

pub(crate) fn exchange(minutes: i64, speed: f64) -> ExchangeServer {
    let time = Time { start: START.plus(-BEFORE_MS), speed };
    ExchangeServer::start(BinanceProtocol, market(minutes), time)
}

/// A server that follows it, on its clock.
pub(crate) fn follower(exchange: &ExchangeServer, speed: f64, db: &Path) -> Program {
    at(exchange, speed, server("serve --symbols BTCUSDT --ws-update-interval 0.1 --log info"))
        .args("--db")
        .arg(db)
}

fn at(exchange: &ExchangeServer, speed: f64, program: Program) -> Program {
    at_clock(exchange, speed, exchange.now(), program)
}

/// The same on a local clock that shows `local` now.
fn at_clock(exchange: &ExchangeServer, speed: f64, local: UnixMs, program: Program) -> Program {
    program
        .args("--venues binance --fill-days 1")
        .args(&format!("--venue-url binance={}", exchange.socket_base()))
        .args(&format!("--venue-url binance={}", exchange.rest_base()))
        .args(&format!("--live-speed {speed} --live-clock {}", local.0))
}

pub(crate) fn end_of(minutes: i64) -> UnixMs {
    START.plus(minutes * MINUTE)
}

/// Waits until everything up to a moment is in the bars that are shown.
fn wait_for(server: &RunningProgram, moment: UnixMs) {
    wait_for_bars(server, "BTCUSDT", moment);
}

pub(crate) fn wait_for_bars(server: &RunningProgram, symbol: &str, moment: UnixMs) {
    until(&format!("bars of {symbol} up to {}", format_time(moment)), || {
        let newest = server.get(&format!("/prices/klines?symbol={symbol}&interval=1m&limit=1")).json();
        let opened = newest["data"][0]["timestamp"].as_str()?.to_owned();
        (liqheat_wire::parse_time(&opened).unwrap().plus(MINUTE) >= moment).then_some(())
    });
}

fn instrument() -> Instrument {
    Instrument::new(Venue::Binance, Symbol::new("BTCUSDT").unwrap())
}

/// Rows that the model reads.
#[derive(Debug, PartialEq)]
pub(crate) struct Rows {
    pub(crate) klines: Vec<Kline>,
    pub(crate) marks: Vec<Kline>,
    pub(crate) stock: Vec<OpenInterest>,
}

fn stored(db: &Path) -> Rows {
    stored_of(db, &instrument())
}

pub(crate) fn stored_of(db: &Path, instrument: &Instrument) -> Rows {
    let store = Store::open(Location::File(db.to_path_buf()), Settings::default()).unwrap();
    let (from, to) = (START.plus(-MINUTE), UnixMs(i64::MAX / 4));
    let klines = |kind| store.klines(instrument, kind, Interval::M1, from, to).blocking().unwrap();
    let rows = Rows {
        klines: klines(KlineKind::Last),
        marks: klines(KlineKind::Mark),
        stock: store.open_interest(instrument, from, to).blocking().unwrap(),
    };
    store.close_blocking().unwrap();
    rows
}

fn market_rows(market: &Market) -> Rows {
    event_rows(market, "BTCUSDT")
}

pub(crate) fn event_rows(market: &Market, symbol: &str) -> Rows {
    let events = market.events(symbol);
    let klines = |kind| {
        let of_kind = |event: &Event| match event {
            Event::Kline(kline) if kline.kind == kind => Some(*kline),
            _ => None,
        };
        events.iter().filter_map(of_kind).collect()
    };
    let stock = events.iter().filter_map(|event| match event {
        Event::OpenInterest(sample) if sample.time >= START => Some(*sample),
        _ => None,
    });
    Rows { klines: klines(KlineKind::Last), marks: klines(KlineKind::Mark), stock: stock.collect() }
}

fn trades(market: &Market) -> Vec<Trade> {
    let trade = |event: &Event| match event {
        Event::Trade(trade) => Some(*trade),
        _ => None,
    };
    market.events("BTCUSDT").iter().filter_map(trade).collect()
}

/// The same data as files of the archive, loaded into a database.
fn loaded_from_files(folder: &Folder, market: &Market) -> std::path::PathBuf {
    const KLINES: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
    let rows = market_rows(market);
    let klines = |rows: &[Kline]| {
        let mut text = KLINES.to_owned();
        for row in rows {
            let amount = |qty: Option<liqheat_market::Qty>| qty.unwrap_or_default();
            writeln!(
                text,
                "{},{},{},{},{},{},{},0,{},{},0,0",
                row.open_time.0,
                row.open,
                row.high,
                row.low,
                row.close,
                amount(row.volume),
                row.close_time().0 - 1,
                row.trades.unwrap_or(0),
                amount(row.taker_buy_volume)
            )
            .unwrap();
        }
        text
    };
    let mut metrics = "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n".to_owned();
    for sample in &rows.stock {
        let time = format_time(sample.time).replace('T', " ");
        writeln!(metrics, "{},BTCUSDT,{},1.0,,,,", time.trim_end_matches('Z'), sample.qty).unwrap();
    }
    let mut deals =
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n".to_owned();
    for trade in trades(market) {
        let (id, sold) = (trade.id, trade.taker == Taker::Sell);
        writeln!(deals, "{id},{},{},{id},{id},{},{sold}", trade.price, trade.qty, trade.time.0).unwrap();
    }
    folder.put("files/klines/BTCUSDT/1m/BTCUSDT-1m-2025-08-25.csv", klines(&rows.klines));
    folder.put("files/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2025-08-25.csv", klines(&rows.marks));
    folder.put("files/metrics/BTCUSDT/BTCUSDT-metrics-2025-08-25.csv", metrics);
    folder.put("files/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2025-08-25.csv", deals);
    let db = folder.path("files.duckdb");
    // The published files have rows for each five minutes; more of them are no fault, but fewer a day are named.
    load(&db, &[folder.path("files")]);
    db
}

/// The board of a file as it stands: hash, price, levels.
pub(crate) fn board(db: &Path, name: &str) -> (Value, Value, Value) {
    let server = server("serve --offline --ws-update-interval 1 --db").arg(db).serve();
    let mut viewer = server.viewer();
    viewer.subscribe(name);
    let state = viewer.hear_until(|message| message["type"] == "snapshot");
    (state["hash"].clone(), state["data"]["current_price"].clone(), state["data"]["levels"].clone())
}

fn stored_trades(db: &Path) -> u64 {
    let store = Store::open(Location::File(db.to_path_buf()), Settings::default()).unwrap();
    let rows = store.stats().blocking().unwrap().rows["trades"];
    store.close_blocking().unwrap();
    rows
}

#[test]
fn an_hour_of_live_market_is_the_board_of_the_same_files_and_of_its_raw_frames() {
    const MINUTES: i64 = 60;
    const SPEED: f64 = 60.0;
    let folder = Folder::new();
    let (db, again) = (folder.path("live.duckdb"), folder.path("again.duckdb"));
    let exchange = exchange(MINUTES, SPEED);
    let server = follower(&exchange, SPEED, &db).args("--record").arg(folder.path("raw")).serve();
    wait_for(&server, end_of(20));
    let live = server.get("/ws/stats").json()["live"].clone();
    assert_eq!(live["sources"][0]["venue"], "binance", "{live}");
    assert_eq!(live["sources"][0]["state"], "live", "{live}");
    // What was asked for of the day before the market opened is all that could not be had.
    let gaps = live["gaps"].as_array().unwrap();
    let is_before_opening = |gap: &Value| {
        let (_, to) = gap.as_str().unwrap().split_once(" to ").unwrap();
        to.split_once(": ").is_some_and(|(to, _)| liqheat_wire::parse_time(to).unwrap() <= START)
    };
    assert!(gaps.iter().all(is_before_opening), "{live}");
    assert_eq!(server.get("/ready").status, 200, "{}", server.get("/ready").text());
    let symbols = server.get("/v1/symbols").json();
    assert_eq!(symbols["symbols"][0]["venues"], serde_json::json!(["binance"]));
    let metrics = server.get("/metrics").text();
    for line in [
        "liqheat_source_up{venue=\"binance\",symbol=\"BTCUSDT\",stream=\"mark\"} 1",
        "liqheat_source_refused_total{venue=\"binance\"} 0",
        "liqheat_live_store_failing 0",
    ] {
        assert!(metrics.lines().any(|shown| shown.starts_with(line)), "{line}\n{metrics}");
    }
    wait_for(&server, end_of(45));
    wait_for(&server, end_of(MINUTES));
    until("the last count of open interest", || {
        let stats = server.get("/ws/stats").json();
        let streams = stats["live"]["sources"][0]["streams"].as_array().unwrap().clone();
        let stock =
            streams.iter().find(|stream| stream["stream"] == "open_interest").unwrap()["as_of"].clone();
        (stock == format_time(end_of(MINUTES))).then_some(())
    });
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);

    assert_eq!(stored(&db), market_rows(exchange.market()), "every row, once");
    assert_eq!(stored_trades(&db), trades(exchange.market()).len() as u64);
    let expected = board(&loaded_from_files(&folder, exchange.market()), "BTCUSDT");
    assert_eq!(board(&db, "BTCUSDT"), expected, "as the same data from files");

    let replay =
        self::server("replay --speed 1000000").arg(folder.path("raw")).args("--db").arg(&again).serve();
    assert!(replay.log().contains(" records: "), "{}", replay.log());
    drop(replay);
    assert_eq!(stored(&again), stored(&db), "the same rows out of the raw frames");
    assert_eq!(board(&again, "BTCUSDT"), expected);
}

#[test]
fn a_server_that_is_killed_goes_on_without_a_hole() {
    const MINUTES: i64 = 20;
    const SPEED: f64 = 30.0;
    let folder = Folder::new();
    let db = folder.path("live.duckdb");
    let exchange = exchange(MINUTES, SPEED);
    let first = follower(&exchange, SPEED, &db).serve();
    wait_for(&first, end_of(6));
    assert_eq!(first.kill().code, None);
    // The market goes on meanwhile.
    until("minutes without a server", || (exchange.now() >= end_of(9)).then_some(()));
    let second = follower(&exchange, SPEED, &db).serve();
    wait_for(&second, end_of(MINUTES));
    until("all trades", || {
        let live = second.get("/ws/stats").json()["live"].clone();
        (live["writer"]["waiting"] == 0 && live["sources"][0]["filling"] == false).then_some(())
    });
    assert_eq!(second.terminate().code, Some(0));
    let (rows, all) = (stored(&db), market_rows(exchange.market()));
    assert_eq!((&rows.klines, &rows.marks), (&all.klines, &all.marks));
    assert_eq!(stored_trades(&db), trades(exchange.market()).len() as u64, "filled by their ids");
}

#[test]
fn a_local_clock_that_is_two_hours_slow_is_reported_and_makes_no_board_old() {
    const SPEED: f64 = 30.0;
    const SLOW_MS: i64 = 2 * 60 * MINUTE;
    let folder = Folder::new();
    let db = folder.path("live.duckdb");
    let exchange = exchange(40, SPEED);
    let program = server("serve --symbols BTCUSDT --ws-update-interval 0.1 --log info");
    let local = exchange.now().plus(-SLOW_MS);
    let server = at_clock(&exchange, SPEED, local, program).args("--db").arg(&db).serve();
    wait_for(&server, end_of(6));
    let mut viewer = server.viewer();
    viewer.subscribe("BTCUSDT");
    let status = viewer.hear_until(|message| message["state"] == "degraded");
    let as_of = liqheat_wire::parse_time(status["as_of"].as_str().unwrap()).unwrap();
    assert!(as_of >= end_of(4), "as new as the venue's clock: {status}");
    let source = server.get("/ws/stats").json()["live"]["sources"][0].clone();
    assert_eq!(
        (&source["clock"], &source["state"]),
        (&Value::from("wrong"), &Value::from("live")),
        "{source}"
    );
    assert!((source["skew_ms"].as_i64().unwrap() - SLOW_MS).abs() < MINUTE, "{source}");
    let ready = server.get("/ready");
    assert_eq!(ready.status, 200, "{}", ready.text());
    assert_eq!(ready.json()["status"], "degraded");
    assert!(ready.text().contains("s behind the clock of binance"), "{}", ready.text());
    assert!(server.get("/metrics").text().contains("liqheat_source_clock{venue=\"binance\"} 2"));
    assert!(server.log().contains("the local clock differs from the venue's"), "{}", server.log());
}

#[test]
fn without_a_network_what_is_stored_is_served_and_marked_and_it_recovers_by_itself() {
    const SPEED: f64 = 20.0;
    let folder = Folder::new();
    let db = folder.path("live.duckdb");
    let exchange = exchange(40, SPEED);
    let server = follower(&exchange, SPEED, &db).args("--venue-timeout 5").serve();
    wait_for(&server, end_of(4));
    let (mut viewer, _) = server.viewer_of("BTCUSDT");
    exchange.misbehave(|faults| {
        faults.refuse_sockets = true;
        faults.rest_down = true;
    });
    exchange.cut_all();
    let status = viewer.hear_until(|message| message["state"] == "stale");
    let source = &status["sources"][0];
    assert_eq!(source["venue"], "binance", "{status}");
    assert!(["stale", "down"].contains(&source["state"].as_str().unwrap()), "{status}");
    let ready = server.get("/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("BTCUSDT has no live source"), "{}", ready.text());
    assert_eq!(server.get("/v1/heatmap?symbol=BTCUSDT").status, 200, "what is stored is served");
    assert_eq!(server.get("/live").status, 200);
    exchange.misbehave(|faults| {
        faults.refuse_sockets = false;
        faults.rest_down = false;
    });
    until("it is well again", || (server.get("/ready").status == 200).then_some(()));
    let now = exchange.now();
    wait_for(&server, now);
    assert_eq!(server.terminate().code, Some(0));
    let (rows, all) = (stored(&db), market_rows(exchange.market()));
    let upto = |klines: &[Kline]| klines.iter().take_while(|kline| kline.close_time() <= now).count();
    assert_eq!(rows.klines[..upto(&rows.klines)], all.klines[..upto(&all.klines)], "no hole is left");
}

/// No room: events wait, the server says so, and goes on when there is room.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_nothing_is_lost() {
    const SPEED: f64 = 30.0;
    let folder = Folder::new();
    let db = folder.path("live.duckdb");
    let exchange = exchange(40, SPEED);
    let server = follower(&exchange, SPEED, &db).after("trap '' XFSZ").serve();
    let (mut viewer, _) = server.viewer_of("BTCUSDT");
    limit_file_size(&server, "4096");
    let reason = until("the disk is full", || {
        let ready = server.get("/ready").text();
        ready.contains("live events cannot be stored").then_some(ready)
    });
    assert!(reason.contains("no room"), "{reason}");
    viewer.hear_until(|message| message["state"] == "degraded");
    limit_file_size(&server, "unlimited");
    server.wait_for_log("the database takes rows again");
    let now = exchange.now();
    wait_for(&server, now);
    until("it is well again", || (server.get("/ready").status == 200).then_some(()));
    assert_eq!(server.terminate().code, Some(0));
    let (rows, all) = (stored(&db), market_rows(exchange.market()));
    let upto = |klines: &[Kline]| klines.iter().take_while(|kline| kline.close_time() <= now).count();
    assert_eq!(rows.klines[..upto(&rows.klines)], all.klines[..upto(&all.klines)], "nothing is lost");
}

#[test]
fn a_killed_recording_is_read_up_to_its_end() {
    const SPEED: f64 = 30.0;
    let folder = Folder::new();
    let exchange = exchange(10, SPEED);
    let program = at(&exchange, SPEED, liqheat("record --symbols BTCUSDT --log info"));
    let recorder = program.arg(folder.path("raw")).start();
    // Whoever reads while it is written sees a file that ends in the middle.
    let count = || {
        let files = raw::sorted(&[folder.path("raw")]).unwrap_or_default();
        files.iter().map(|file| raw::read(file, |_| true).records).sum::<u64>()
    };
    until("frames are in the file", || (count() >= 200).then_some(()));
    assert_eq!(recorder.kill().code, None);
    let kept = count();
    let files = raw::sorted(&[folder.path("raw")]).unwrap();
    let file = raw::read(&files[0], |_| true);
    assert_eq!(file.damage, Some(raw::Damage::Cut));

    // And one that a disk has damaged.
    let mut bytes = std::fs::read(&files[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0x5a);
    let broken = folder.put("broken/raw-1-000.gz", &bytes);
    let damaged = raw::read(&broken, |_| true);
    assert!(damaged.records > 0 && damaged.records < kept, "{damaged:?}");
    assert!(damaged.damage.is_some());

    let replay = server("replay --speed 1000000").arg(folder.path("raw")).start();
    replay.wait_for_log("records; the rest is not read: it ends in the middle");
    drop(replay);
    let foreign = server("replay").arg(folder.put("raw-2-000.gz", "no frames")).run();
    assert_eq!(foreign.code, Some(1), "{}", foreign.err);
    assert!(foreign.err.contains("raw-2-000.gz: 0 records; the rest is not read"), "{}", foreign.err);
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let folder = Folder::new();
    let time = Time { start: START.plus(2 * MINUTE), speed: 1.0 };
    let exchange = ExchangeServer::start(BinanceProtocol, market(30), time);
    let db = loaded_from_files(&folder, &market(5));
    let healthy = at(&exchange, 1.0, liqheat("doctor")).args("--db").arg(&db).run();
    // Clock and streams of the stand-in, database, room, descriptors.
    for line in [
        "ok    settings",
        "ok    descriptors",
        "ok    database",
        "ok    binance",
        "ok    clock",
        "ok    tiers         BTCUSDT@binance: ",
    ] {
        assert!(
            healthy.out.lines().any(|printed| printed.starts_with(line)),
            "{line}\n{}{}",
            healthy.out,
            healthy.err
        );
    }
    assert!(healthy.out.contains("BTCUSDT@binance"), "{}", healthy.out);
    assert_eq!(healthy.code, Some(0), "{}", healthy.out);

    let began = std::time::Instant::now();
    let alone = liqheat("doctor --doctor-wait 30 --venues binance --venue-url binance=ws://127.0.0.1:1,binance=http://127.0.0.1:1 --db").arg(folder.path("none.duckdb")).run();
    assert_eq!(alone.code, Some(1), "{}", alone.out);
    assert!(
        alone.out.contains("FAIL  binance") && alone.out.contains("no venue can be reached"),
        "{}",
        alone.out
    );
    assert!(alone.out.contains("is not there yet"), "{}", alone.out);
    assert!(began.elapsed() < std::time::Duration::from_secs(15), "quickly: {:?}", began.elapsed());

    let server = server("serve --offline --db").arg(&db).serve();
    let locked = at(&exchange, 1.0, liqheat("doctor")).args("--db").arg(&db).run();
    assert!(locked.out.contains("in use by"), "{}", locked.out);

    // What the running server says of itself.
    let of = |address: std::net::SocketAddr| {
        let doctor = at(&exchange, 1.0, liqheat("doctor")).args("--db").arg(folder.path("none.duckdb"));
        doctor.args("--listen").arg(address.to_string()).run()
    };
    let line =
        |output: &str| output.lines().find(|line| line.contains("  server ")).unwrap_or_default().to_owned();
    let address = server.address();
    until("it is ready", || (server.get("/ready").status == 200).then_some(()));
    let ready = line(&of(address).out);
    assert!(ready.starts_with("ok") && ready.ends_with("is ready"), "{ready}");
    drop(server);
    let gone = line(&of(address).out);
    assert!(gone.starts_with("ok") && gone.contains("nothing listens"), "{gone}");
    let foreign = line(&of(exchange.rest_base().trim_start_matches("http://").parse().unwrap()).out);
    assert!(foreign.starts_with("warn") && foreign.contains("is not liqheat"), "{foreign}");
    // Another database that nobody filled: no traffic for this one.
    let empty = crate::support::server("serve --offline --db").arg(folder.path("empty.duckdb")).serve();
    let waiting = of(empty.address());
    let server = line(&waiting.out);
    assert_eq!((server.starts_with("FAIL"), waiting.code), (true, Some(1)), "{}", waiting.out);
}
