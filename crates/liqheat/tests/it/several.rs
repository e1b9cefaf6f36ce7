//! Several live venues through the built program: their sum, what becomes of it when one falls silent, and the raw
//! frames of those that count in contracts or name things their own way.

use std::num::NonZeroUsize;
use std::path::Path;

use liqheat_feeds::live::RawKind;
use liqheat_feeds::raw;
use liqheat_feeds::tiers::TierOrigin;
use liqheat_market::{Event, Instrument, Kline, Price, Qty, Side, Symbol, UnixMs, Venue};
use liqheat_server::venue_tiers_path;
use liqheat_store::{Location, Settings, Store};
use liqheat_testkit::exchange::{
    BinanceProtocol, BybitProtocol, ExchangeServer, HyperliquidProtocol, Market, OkxProtocol, Time,
    VenueProtocol,
};
use liqheat_testkit::{Folder, Program, RunningProgram, Viewer, until};
use liqheat_wire::Cell;
use serde_json::Value;

use crate::live::{BEFORE_MS, START, board, end_of, event_rows, script, stored_of, wait_for_bars};
use crate::support::{cells, liqheat, server};

/// A market of its own for each venue.
fn stand_in(
    protocol: impl VenueProtocol,
    symbols: &[(&str, u64)],
    minutes: i64,
    speed: f64,
) -> ExchangeServer {
    let market = symbols
        .iter()
        .fold(Market::default(), |market, (name, seed)| market.with(name, script(minutes, *seed)));
    ExchangeServer::start(protocol, market, Time { start: START.plus(-BEFORE_MS), speed })
}

fn follower(exchanges: &[(&str, &ExchangeServer)], speed: f64, arguments: &str) -> Program {
    let names: Vec<&str> = exchanges.iter().map(|(name, _)| *name).collect();
    let program = server(arguments).args(&format!(
        "--ws-update-interval 0.1 --log info --fill-days 1 --venues {} --live-speed {speed} --live-clock {}",
        names.join(","),
        exchanges[0].1.now().0
    ));
    exchanges.iter().fold(program, |program, (name, exchange)| {
        let (socket, rest) = (exchange.socket_base(), exchange.rest_base());
        program.args(&format!("--venue-url {name}={socket},{name}={rest}"))
    })
}

fn instrument(symbol: &str, venue: Venue) -> Instrument {
    Instrument::new(venue, Symbol::new(symbol).unwrap())
}

/// The state of each venue of a symbol, as a status or the list of sources tells it.
fn source(status: &Value, venue: &str) -> String {
    let sources = status["sources"].as_array().into_iter().flatten();
    let of_venue = sources.filter(|source| source["venue"] == venue).map(|source| source["state"].clone());
    of_venue.map(|state| state.as_str().unwrap_or_default().to_owned()).collect()
}

/// Data comes; on a busy machine with a compressed clock some of it comes late.
fn brings(status: &Value, venue: &str) -> bool {
    ["live", "lagging"].contains(&source(status, venue).as_str())
}

fn is_silent(status: &Value, venue: &str) -> bool {
    ["stale", "down"].contains(&source(status, venue).as_str())
}

fn hear_status(viewer: &mut Viewer, symbol: &str, mut is_it: impl FnMut(&Value) -> bool) -> Value {
    viewer.hear_until(|message| message["type"] == "status" && message["symbol"] == symbol && is_it(message))
}

fn levels(server: &RunningProgram, name: &str) -> Option<(Value, Vec<Cell>)> {
    let answer = server.get(&format!("/v1/heatmap?symbol={name}"));
    let body = (answer.status == 200).then(|| answer.json())?;
    Some((body["hash"].clone(), cells(&body["data"]["levels"])))
}

fn usd(cells: &[Cell]) -> (u64, u64) {
    cells.iter().fold((0, 0), |(long, short), cell| (long + cell.long_usd, short + cell.short_usd))
}

#[test]
fn the_sum_of_live_venues_says_who_is_silent_and_who_is_not_there() {
    const SPEED: f64 = 20.0;
    let folder = Folder::new();
    let db = folder.path("two.duckdb");
    let binance = stand_in(BinanceProtocol, &[("BTCUSDT", 7), ("ETHUSDT", 8)], 60, SPEED);
    let bybit = stand_in(BybitProtocol::default(), &[("BTCUSDT", 9)], 60, SPEED);
    let server = follower(
        &[("binance", &binance), ("bybit", &bybit)],
        SPEED,
        "serve --symbols BTCUSDT,ETHUSDT --silence-timeout 20 --ws-status-interval 1",
    )
    .args("--db")
    .arg(&db)
    .serve();
    for name in ["BTCUSDT@binance", "BTCUSDT@bybit", "ETHUSDT@binance"] {
        wait_for_bars(&server, name, end_of(3));
    }

    // Between two turns of the updater all three are of the same moment.
    until("the sum is that of its venues", || {
        let before = levels(&server, "BTCUSDT")?;
        let parts = [levels(&server, "BTCUSDT@binance")?.1, levels(&server, "BTCUSDT@bybit")?.1];
        let (all, of_venues) = (usd(&before.1), parts.each_ref().map(|part| usd(part)));
        let is_sum = all == (of_venues[0].0 + of_venues[1].0, of_venues[0].1 + of_venues[1].1);
        (of_venues.iter().all(|(long, short)| long + short > 0) && is_sum).then_some(())
    });

    let mut viewer = server.viewer();
    viewer.subscribe("BTCUSDT");
    viewer.subscribe("ETHUSDT");
    // What one venue does not have is named, and is no fault of the sum.
    let status = hear_status(&mut viewer, "ETHUSDT", |status| {
        brings(status, "binance") && status["state"] != "degraded"
    });
    assert_eq!(source(&status, "bybit"), "unlisted", "{status}");
    server.wait_for_log("contract not followed");
    let stats = server.get("/ws/stats").json();
    assert_eq!(stats["live"]["sources"][1]["unlisted"], serde_json::json!(["ETHUSDT"]), "{stats}");
    assert_eq!(server.get("/ready").status, 200, "{}", server.get("/ready").text());

    bybit.misbehave(|faults| faults.silent = true);
    hear_status(&mut viewer, "BTCUSDT", |status| {
        status["state"] == "degraded" && is_silent(status, "bybit") && brings(status, "binance")
    });
    let ready = server.get("/ready");
    assert_eq!(ready.status, 200, "one of two is a flaw and no more: {}", ready.text());
    bybit.misbehave(|faults| faults.silent = false);
    hear_status(&mut viewer, "BTCUSDT", |status| {
        status["state"] != "degraded" && brings(status, "bybit") && brings(status, "binance")
    });

    // Nothing is missing of the time in which it was silent.
    let back = bybit.now();
    wait_for_bars(&server, "BTCUSDT@bybit", back);
    until("the past is filled", || {
        let stats = server.get("/ws/stats").json();
        let sources = stats["live"]["sources"].as_array()?.clone();
        sources.iter().all(|source| source["filling"] == false).then_some(())
    });
    assert_eq!(server.terminate().code, Some(0));
    for (venue, exchange, symbol) in [
        (Venue::Binance, &binance, "BTCUSDT"),
        (Venue::Bybit, &bybit, "BTCUSDT"),
        (Venue::Binance, &binance, "ETHUSDT"),
    ] {
        let (rows, all) = (stored_of(&db, &instrument(symbol, venue)), event_rows(exchange.market(), symbol));
        let price =
            |kline: &Kline| (kline.open_time, kline.open, kline.high, kline.low, kline.close, kline.volume);
        let until = |klines: &[Kline]| -> Vec<_> {
            klines.iter().take_while(|kline| kline.close_time() <= back).map(price).collect()
        };
        assert_eq!(until(&rows.klines), until(&all.klines), "{symbol}@{venue}");
        assert!(rows.klines.len() >= 3, "{symbol}@{venue}");
    }
}

#[test]
fn contracts_and_names_of_their_own_come_out_of_raw_frames_as_they_were_live() {
    const SPEED: f64 = 40.0;
    const MINUTES: i64 = 12;
    let folder = Folder::new();
    let (db, again) = (folder.path("live.duckdb"), folder.path("again.duckdb"));
    let okx = stand_in(OkxProtocol::default(), &[("BTCUSDT", 11), ("ETHUSDT", 12)], MINUTES, SPEED);
    // What is BTCUSDT here is WBTC there, and that does not follow from the symbol.
    let hyperliquid = stand_in(HyperliquidProtocol::default(), &[("WBTCUSDT", 13)], MINUTES, SPEED);
    let followed = ["BTCUSDT@okx", "ETHUSDT@okx", "BTCUSDT@hyperliquid"];
    let server = follower(
        &[("okx", &okx), ("hyperliquid", &hyperliquid)],
        SPEED,
        "serve --contract-names BTCUSDT@hyperliquid=WBTC",
    )
    .args(&format!("--symbols {}", followed.join(",")))
    .args(&format!("--hyperliquid-addresses {}", HyperliquidProtocol::LIQUIDATED))
    .args("--db")
    .arg(&db)
    .args("--record")
    .arg(folder.path("raw"))
    .serve();
    for name in followed {
        wait_for_bars(&server, name, end_of(MINUTES));
    }
    // Hyperliquid's are those shipped.
    until("the margin tiers of OKX", || venue_tiers_path(&db, Venue::Okx).exists().then_some(()));
    until("everything is stored", || {
        let live = server.get("/ws/stats").json()["live"].clone();
        let is_filled = live["sources"].as_array()?.iter().all(|source| source["filling"] == false);
        (is_filled && live["writer"]["waiting"] == 0).then_some(())
    });
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.err);

    let price =
        |kline: &Kline| (kline.open_time, kline.open, kline.high, kline.low, kline.close, kline.volume);
    for (venue, exchange, symbol, events) in [
        (Venue::Okx, &okx, "BTCUSDT", "BTCUSDT"),
        (Venue::Okx, &okx, "ETHUSDT", "ETHUSDT"),
        (Venue::Hyperliquid, &hyperliquid, "BTCUSDT", "WBTCUSDT"),
    ] {
        let (rows, all) = (stored_of(&db, &instrument(symbol, venue)), event_rows(exchange.market(), events));
        let prices = |klines: &[Kline]| -> Vec<_> { klines.iter().map(price).collect() };
        assert_eq!(prices(&rows.klines), prices(&all.klines), "{symbol}@{venue}");
        assert!(!rows.stock.is_empty(), "{symbol}@{venue}");
    }
    // Tables of venues are part of what a board is made of, and of the recording.
    assert!(!venue_tiers_path(&db, Venue::Hyperliquid).exists());
    replayed(&folder.path("raw"), &again);
    let [kept, recorded] = [&db, &again].map(|db| std::fs::read(venue_tiers_path(db, Venue::Okx)).unwrap());
    assert_eq!(recorded, kept);
    let replay = self::server("replay --speed 1000000").arg(folder.path("raw")).serve();
    for name in followed {
        let (hash, ..) = board(&db, name);
        until(&format!("the board of {name} out of the recording alone"), || {
            let state = replay.get(&format!("/v1/heatmap?symbol={name}"));
            (state.status == 200 && state.json()["hash"] == hash).then_some(())
        });
    }
    drop(replay);
    // A table that is given goes before the one that was recorded.
    let given = folder.put(
        "given.json",
        r#"{"venue":"okx","as_of":"2025-08-01","columns":["min_notional","maintenance_margin_rate"],"tiers":{"BTCUSDT":[[0,0.05]]}}"#,
    );
    let replay =
        self::server("replay --speed 1000000 --log info --tiers").arg(given).arg(folder.path("raw")).serve();
    replay.wait_for_log("1 tiers of 2025-08-01, given by --tiers");
    replay.wait_for_log("as used when it was recorded");
    drop(replay);
    for name in followed {
        let (symbol, venue) = name.split_once('@').unwrap();
        let instrument = instrument(symbol, Venue::from_name(venue).unwrap());
        assert_eq!(stored_of(&again, &instrument), stored_of(&db, &instrument), "{name}");
        assert_eq!(board(&again, name), board(&db, name), "{name}");
        assert_eq!(liquidations(&again, &instrument), liquidations(&db, &instrument), "{name}");
    }
    // The fills of the account tell all that the script has.
    let stored = liquidations(&db, &instrument("BTCUSDT", Venue::Hyperliquid));
    let happened = hyperliquid.market().events("WBTCUSDT").iter().filter_map(|event| match event {
        Event::Liquidation(one) => Some((one.time, one.side, one.qty, one.price)),
        _ => None,
    });
    let happened: Vec<_> = happened.take_while(|(time, ..)| *time < end_of(MINUTES - 1)).collect();
    assert!(happened.len() >= 10, "{}", happened.len());
    assert_eq!(stored[..happened.len()], happened);
}

/// Without a ledger tiers are asked for as well, for whoever plays the recording.
#[test]
fn a_recording_without_a_server_has_the_tiers_that_venues_tell() {
    const SPEED: f64 = 40.0;
    let folder = Folder::new();
    let okx = stand_in(OkxProtocol::default(), &[("BTCUSDT", 11)], 12, SPEED);
    let recorder = liqheat("record --symbols BTCUSDT --venues okx")
        .args(&format!("--venue-url okx={},okx={}", okx.socket_base(), okx.rest_base()))
        .args(&format!("--live-speed {SPEED} --live-clock {}", okx.now().0))
        .arg(folder.path("raw"))
        .start();
    let table = until("tiers in the recording", || {
        let files = raw::sorted(&[folder.path("raw")]).ok()?;
        let mut found = None;
        for file in files {
            raw::read(&file, |record| {
                if let RawKind::Tiers { symbol, origin, table } = record.kind {
                    found = Some((record.venue, symbol, origin, table));
                }
                true
            });
        }
        found
    });
    assert_eq!((table.0, table.1.as_str(), table.2), (Venue::Okx, "BTCUSDT", TierOrigin::Venue));
    let rates: Vec<f64> = table.3.tiers().iter().map(|tier| tier.rate).collect();
    assert_eq!(rates, [0.004, 0.005], "as the stand-in tells them");
    assert_eq!(recorder.terminate().code, Some(0));
}

type LiquidationKey = (UnixMs, Side, Qty, Price);

fn liquidations(db: &Path, instrument: &Instrument) -> Vec<LiquidationKey> {
    let store = Store::open(Location::File(db.to_path_buf()), Settings::default()).unwrap();
    let (from, to) = (UnixMs(0), UnixMs(i64::MAX / 4));
    let found = store.liquidations(instrument, from, to, 0, NonZeroUsize::MAX).blocking().unwrap();
    store.close_blocking().unwrap();
    found.into_iter().map(|one| (one.time, one.side, one.qty, one.price)).collect()
}

fn replayed(raw_files: &Path, db: &Path) {
    let files = raw::sorted(&[raw_files.to_path_buf()]).unwrap();
    let damaged = files.iter().map(|file| raw::read(file, |_| true)).find(|file| file.damage.is_some());
    assert_eq!(damaged, None);
    let replay = server("replay --speed 1000000").arg(raw_files).args("--db").arg(db).serve();
    // The contract lists have rows that are refused, each by name; the rest counts.
    assert!(replay.log().contains(" refused, 0 of connections"), "{}", replay.log());
}
