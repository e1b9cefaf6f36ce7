//! The HTTP answers of `liqheat serve` over a loaded file.

use liqheat_testkit::{RunningProgram, get_with, until};
use serde_json::{Value, json};

use crate::market::{BAR_MS, BARS_A_DAY, START, bar};
use crate::support::{at, loaded, rows, server, state};

const DAYS: i64 = 3;
const END: i64 = START + DAYS * BARS_A_DAY * BAR_MS;

/// A server over the made-up market, with its first state on the board.
macro_rules! serve {
    ($folder:ident, $server:ident, $arguments:expr) => {
        let ($folder, db) = loaded(DAYS);
        let $server = server($arguments).arg("--db").arg(db).serve();
        drop(state(&$server));
    };
}

#[test]
fn symbols_candles_and_health() {
    serve!(_folder, server, "serve");
    until("old data is stale", || {
        (server.get("/v1/symbols").json()["symbols"][0]["state"] == "stale").then_some(())
    });
    let symbols = server.get("/v1/symbols").json();
    let seen_share = symbols["symbols"][0]["seen_share"].clone();
    assert!((0.0..=1.0).contains(&seen_share.as_f64().unwrap()), "{symbols}");
    let parameters = server.get("/v1/accuracy?symbol=BTCUSDT").json()["venues"][0]["parameters"].clone();
    assert_eq!(parameters.as_str().map(str::len), Some(16), "a fingerprint");
    let expected = json!({
        "symbols": [{
            "symbol": "BTCUSDT", "venue": "binance", "venues": ["binance"], "interval": "5m", "first": START, "last": END,
            "base_bin": 100, "state": "stale", "simulated": false, "seen_share": seen_share,
            "leverages": [3, 5, 10, 25, 50, 100, 125, 150], "parameters": [parameters],
        }],
        "simulated": false, "speed": 1.0, "websocket": true,
    });
    assert_eq!(symbols, expected);

    let klines = server.get("/prices/klines?symbol=BTCUSDT&interval=5m&limit=100").json();
    assert_eq!(
        (&klines["symbol"], &klines["interval"], &klines["count"]),
        (&json!("BTCUSDT"), &json!("5m"), &json!(100))
    );
    assert_eq!(rows(&klines["data"]).len(), 100);
    let last = &klines["data"][99];
    let (open, high, low, close) = bar(DAYS * BARS_A_DAY - 1);
    assert_eq!(last["timestamp"], at(END - BAR_MS));
    assert_eq!(last["high"], json!(high));
    for (field, expected) in
        [("open", open as f64 + 0.1), ("low", low as f64 + 0.5), ("close", close as f64 + 0.1)]
    {
        assert_eq!(last[field].as_f64(), Some(expected), "{last}");
    }
    let hours = server.get("/prices/klines?symbol=BTCUSDT&interval=1h").json();
    assert_eq!(hours["count"], DAYS * 24);
    let high = (0..12).map(|index| bar(index).1).max();
    assert_eq!(hours["data"][0]["high"].as_i64(), high);
    assert_eq!(hours["data"][0]["timestamp"], at(START));

    for (path, status) in [("/live", 200), ("/health", 200), ("/ready", 200)] {
        let answer = server.get(path);
        assert_eq!((answer.status, &answer.json()["status"]), (status, &json!("ok")), "{path}");
    }
    let stats = server.get("/ws/stats").json();
    for field in
        ["active_connections", "messages_sent_1m", "slow_consumers", "updates_failed", "invariants_broken"]
    {
        assert!(stats[field].is_u64(), "{field} in {stats}");
    }
    assert_eq!(stats["subscriptions_by_symbol"]["BTCUSDT"].as_u64().map(|n| n < 2), Some(true));
    assert_eq!(stats["boards"]["BTCUSDT"]["as_of"], at(END));
}

/// All ways to the same moment show the same levels: the socket, the time series, the grid, the list by leverage.
#[test]
fn every_answer_shows_the_same_levels() {
    serve!(_folder, server, "serve");
    let snapshot = state(&server);
    let levels = &snapshot["data"]["levels"];
    assert!(rows(levels).len() > 50, "{snapshot}");
    let total = |levels: &Value, side: &str| {
        rows(levels).iter().map(|level| level[side].as_u64().unwrap()).sum::<u64>()
    };

    let (start, end) = (at(END - 6 * 3_600_000), at(END));
    let series = server
        .get(&format!(
            "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time={start}&end_time={end}&interval=1h"
        ))
        .json();
    let data = rows(&series["data"]);
    assert_eq!(data.len(), 6, "{}", series["meta"]);
    let last = &data[5];
    assert_eq!((&last["timestamp"], &last["levels"]), (&json!(end), levels));
    let meta = &series["meta"];
    let edges = |row: &Value| {
        rows(&row["levels"]).iter().map(|level| level["price"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let all: Vec<i64> = data.iter().flat_map(edges).collect();
    let consumed: u64 = data.iter().map(|row| row["positions_consumed"].as_u64().unwrap()).sum();
    assert_eq!(
        *meta,
        json!({
            "symbol": "BTCUSDT", "start_time": start, "end_time": end, "interval": "1h", "total_snapshots": 6,
            "price_range": {"min": all.iter().min(), "max": all.iter().max()},
            "total_long_volume": total(levels, "long_density"),
            "total_short_volume": total(levels, "short_density"),
            "total_consumed": consumed,
        })
    );

    let grid = server.get("/v1/heatmap/history?symbol=BTCUSDT&range=24h").json();
    let (low, bin) = (grid["price_low"].as_i64().unwrap(), grid["bin"].as_i64().unwrap());
    let columns = grid["columns"].as_u64().unwrap() as usize;
    // The last column is the bar that has just begun; the one before it ends with the last bar.
    let column = |side: &str| {
        rows(&grid[side]).iter().rev().find(|column| rows(column).iter().any(|usd| usd != &json!(0))).unwrap()
    };
    assert_eq!((rows(&grid["long"]).len(), bin), (columns, 100));
    for (side, field) in [("long", "long_density"), ("short", "short_density")] {
        let mut compared = 0;
        for level in rows(levels) {
            let row = (level["price"].as_i64().unwrap() - low) / bin;
            let Some(usd) = usize::try_from(row).ok().and_then(|row| column(side).get(row)) else { continue };
            // The grid holds single precision.
            let (usd, expected) = (usd.as_f64().unwrap(), level[field].as_f64().unwrap());
            assert!((usd - expected).abs() <= 1.0 + expected * 1e-6, "{side} at {level}: {usd}");
            compared += 1;
        }
        assert!(compared > 30, "{compared} rows of the grid have levels");
    }

    let by_leverage = server.get("/liquidations/levels?symbol=BTCUSDT").json();
    assert_eq!(by_leverage["current_price"], snapshot["data"]["current_price"]);
    assert!(by_leverage["model"].as_str().unwrap().contains("ledger"));
    for (list, field, sign) in
        [("long_liquidations", "long_density", -1.0), ("short_liquidations", "short_density", 1.0)]
    {
        let list = rows(&by_leverage[list]);
        for level in rows(levels) {
            let of_price = list.iter().filter(|row| row["price_level"] == level["price"]);
            let (sum, count) =
                of_price.fold((0, 0), |(sum, count), row| (sum + row["volume"].as_u64().unwrap(), count + 1));
            // Each class is rounded to whole dollars by itself.
            assert!(
                sum.abs_diff(level[field].as_u64().unwrap()) <= count / 2 + 1,
                "{field} of {level}: {sum}"
            );
        }
        let distance: Vec<f64> = list.iter().map(|row| row["distance_pct"].as_f64().unwrap()).collect();
        assert!(distance.is_sorted_by(|a, b| a.abs() <= b.abs()), "nearest first");
        assert!(distance.iter().all(|far| far * sign > -0.2), "on its own side of the price: {distance:?}");
        assert!(list.iter().all(|row| row["leverage"].as_str().unwrap().ends_with('x')));
    }
    let recent = server.get("/liquidations/levels?symbol=BTCUSDT&timeframe=12h").json();
    let volume = |body: &Value| {
        let both = rows(&body["long_liquidations"]).iter().chain(rows(&body["short_liquidations"]));
        both.map(|row| row["volume"].as_u64().unwrap()).sum::<u64>()
    };
    assert!((1..volume(&by_leverage)).contains(&volume(&recent)), "what opened in 12 hours is a part");
}

#[test]
fn the_time_series_takes_weights_and_bins() {
    serve!(_folder, server, "serve");
    let ask = |more: &str| {
        let (start, end) = (at(END - 3_600_000), at(END));
        let path = format!(
            "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time={start}&end_time={end}{more}"
        );
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let plain = ask("&interval=15m");
    assert_eq!(plain, ask(""), "15 minutes is the default");
    assert_eq!(rows(&plain["data"]).len(), 4);
    let coarse = ask("&price_bin_size=500");
    let wide = rows(&coarse["data"][3]["levels"]);
    assert!(wide.iter().all(|level| level["price"].as_i64().unwrap() % 500 == 0), "{wide:?}");
    // Levels are summed, never dropped.
    let volume = |body: &Value| body["meta"]["total_long_volume"].as_f64().unwrap();
    assert!((volume(&coarse) / volume(&plain) - 1.0).abs() < 1e-3);
    assert!(wide.len() * 4 < rows(&plain["data"][3]["levels"]).len());

    // Only 100x: every level that was seen opening lies close to where it was opened.
    let near = ask("&leverage_weights=100:1");
    let far = ask("&leverage_weights=3:1");
    let spread = |body: &Value| {
        let range = &body["meta"]["price_range"];
        range["max"].as_f64().unwrap() - range["min"].as_f64().unwrap()
    };
    assert!(spread(&near) < 0.7 * spread(&far), "{} {}", near["meta"], far["meta"]);
    assert_ne!(near["data"], plain["data"]);
    assert_eq!(
        ask("&leverage_weights=5:20,10:30,25:30,50:15,100:5"),
        ask("&leverage_weights=5:2,10:3,25:3,50:1.5,100:0.5")
    );
    // Times are read in any of their forms.
    let by_ms = server.get(&format!(
        "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time={}&end_time={END}&interval=15m",
        END - 3_600_000
    ));
    assert_eq!(by_ms.json(), plain);
}

#[test]
fn the_grid_in_both_forms() {
    serve!(_folder, server, "serve");
    let path = "/v1/heatmap/history?symbol=BTCUSDT&range=24h&columns=96&bin=200";
    let json = server.get(path);
    assert_eq!(
        (json.header("content-type"), json.header("vary").map(|vary| vary.contains("accept"))),
        (Some("application/json"), Some(true))
    );
    let json = json.json();
    let kind = "application/vnd.liqheat.grid";
    let binary = get_with(server.address(), path, &[("Accept", kind)]);
    assert_eq!((binary.status, binary.header("content-type")), (200, Some(kind)));

    assert_eq!(&binary.body[..4], b"LQG1");
    let length = u32::from_le_bytes(binary.body[4..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&binary.body[8..8 + length]).unwrap();
    for (field, value) in header.as_object().unwrap() {
        assert_eq!(&json[field], value, "{field}");
    }
    assert_eq!(
        (&header["column_ms"], &header["bin"], &header["as_of"]),
        (&json!(900_000), &json!(200), &json!(END))
    );
    let (columns, rows_n) =
        (header["columns"].as_u64().unwrap() as usize, header["rows"].as_u64().unwrap() as usize);
    assert_eq!(columns, 96, "a day, with the column that has just begun");
    let planes = &binary.body[8 + length..];
    assert_eq!(planes.len(), 2 * columns * rows_n);
    let (usd_min, usd_max) = (header["usd_min"].as_f64().unwrap(), header["usd_max"].as_f64().unwrap());
    let step = (usd_max / usd_min).powf(1.0 / 254.0);
    for (plane, side) in planes.chunks(columns * rows_n).zip(["long", "short"]) {
        let mut lit = 0;
        for (bytes, column) in plane.chunks(rows_n).zip(rows(&json[side])) {
            for (byte, usd) in bytes.iter().zip(rows(column)) {
                let usd = usd.as_f64().unwrap();
                let expected = usd_min * step.powi(i32::from(*byte) - 1);
                let ok = match byte {
                    0 => usd == 0.0,
                    1 => usd <= usd_min * step,
                    _ => (usd - expected).abs() <= expected * (step - 1.0) + 1.0,
                };
                assert!(ok, "{side}: byte {byte} for {usd}");
                lit += usize::from(*byte > 0);
            }
        }
        assert!(lit > columns * rows_n / 20, "{side}: {lit} cells have mass");
    }
    for coding in ["gzip", "deflate"] {
        let packed = get_with(server.address(), path, &[("Accept", kind), ("Accept-Encoding", coding)]);
        assert_eq!(packed.header("content-encoding"), Some(coding));
        assert!(packed.body.len() * 2 < binary.body.len());
    }
}

/// Clients that know both layouts get the newer one, which is smaller on the wire; the cells are the same.
#[test]
fn the_grid_in_both_layouts() {
    serve!(_folder, server, "serve");
    let path = "/v1/heatmap/history?symbol=BTCUSDT&range=24h&columns=96&bin=200&by=leverage";
    let ask = |accept: &str, coding: &str| {
        let answer = get_with(server.address(), path, &[("Accept", accept), ("Accept-Encoding", coding)]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    };
    let older = ask("application/vnd.liqheat.grid", "identity");
    let both = "application/vnd.liqheat.grid; version=2, application/vnd.liqheat.grid";
    let newer = ask(both, "identity");
    assert_eq!(older.header("content-type"), Some("application/vnd.liqheat.grid"));
    assert_eq!(newer.header("content-type"), Some("application/vnd.liqheat.grid; version=2"));
    assert_eq!((&older.body[..4], &newer.body[..4]), (&b"LQG1"[..], &b"LQG2"[..]));
    let length = 8 + u32::from_le_bytes(older.body[4..8].try_into().unwrap()) as usize;
    assert_eq!(older.body[4..length], newer.body[4..length], "the headers are the same");
    let header: Value = serde_json::from_slice(&older.body[8..length]).unwrap();
    let size = |name: &str| header[name].as_u64().unwrap() as usize;
    let (columns, rows) = (size("columns"), size("rows"));
    let (by_column, by_row) = (&older.body[length..], &newer.body[length..]);
    assert_eq!(by_column.len(), by_row.len());
    for (older, newer) in by_column.chunks(columns * rows).zip(by_row.chunks(columns * rows)) {
        for (row, differences) in newer.chunks(columns).enumerate() {
            let mut sum = 0u8;
            for (column, difference) in differences.iter().enumerate() {
                sum = sum.wrapping_add(*difference);
                assert_eq!(sum, older[column * rows + row], "column {column}, row {row}");
            }
        }
    }
    let (older, newer) = (ask("application/vnd.liqheat.grid", "gzip"), ask(both, "gzip"));
    assert!(newer.body.len() < older.body.len(), "{} and {} bytes", newer.body.len(), older.body.len());
}

/// The third layout holds every cell within one step of the first, empty where that is empty, in fewer bytes than the second.
#[test]
fn the_grid_of_predicted_columns() {
    serve!(_folder, server, "serve");
    let path = "/v1/heatmap/history?symbol=BTCUSDT&range=24h&columns=96&bin=200&by=leverage";
    let kind = |version: u8| format!("application/vnd.liqheat.grid; version={version}");
    let ask = |accept: &str, coding: &str| {
        let answer = get_with(server.address(), path, &[("Accept", accept), ("Accept-Encoding", coding)]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    };
    let first = ask(&kind(1), "identity");
    let third = ask(&format!("{}, {}, {}", kind(3), kind(2), kind(1)), "identity");
    assert_eq!(third.header("content-type"), Some(kind(3).as_str()));
    assert_eq!((&first.body[..4], &third.body[..4]), (&b"LQG1"[..], &b"LQG3"[..]));
    let length = 8 + u32::from_le_bytes(first.body[4..8].try_into().unwrap()) as usize;
    assert_eq!(first.body[4..length], third.body[4..length], "the headers are the same");
    let header: Value = serde_json::from_slice(&first.body[8..length]).unwrap();
    let size = |name: &str| header[name].as_u64().unwrap() as usize;
    let (columns, rows) = (size("columns"), size("rows"));
    assert_eq!(third.body.len() - length, 10 * columns * (rows + 1));
    let planes =
        first.body[length..].chunks(columns * rows).zip(third.body[length..].chunks(columns * (rows + 1)));
    let mut filled = 0;
    for (place, (cells, written)) in planes.enumerate() {
        let mut levels = vec![0i32; rows];
        for (index, cell) in cells.iter().enumerate() {
            let (column, row) = (index / rows, index % rows);
            let level = &mut levels[row];
            if *level != 0 {
                *level = (*level + i32::from(written[column].cast_signed())).clamp(32, 8_160);
            }
            let difference = written[columns + index];
            let read = (((*level + 16) / 32 + i32::from(difference)) % 256) as u8;
            if difference != 0 {
                *level = i32::from(read) * 32;
            }
            assert!(
                read.abs_diff(*cell) <= 1,
                "plane {place}, column {column}, row {row}: {read} for {cell}"
            );
            assert_eq!(read == 0, *cell == 0, "plane {place}, column {column}, row {row}: {read} for {cell}");
            filled += usize::from(read != 0);
        }
    }
    assert!(filled > 5_000, "{filled} cells hold something");
    let (second, third) = (ask(&kind(2), "gzip"), ask(&kind(3), "gzip"));
    assert_eq!(second.header("content-type"), Some(kind(2).as_str()));
    assert!(third.body.len() < second.body.len(), "{} and {} bytes", third.body.len(), second.body.len());
}

#[test]
fn the_grid_by_leverage() {
    serve!(_folder, server, "serve");
    let leverages = server.get("/v1/symbols").json()["symbols"][0]["leverages"].clone();
    assert_eq!(leverages, json!([3, 5, 10, 25, 50, 100, 125, 150]));
    let path = "/v1/heatmap/history?symbol=BTCUSDT&range=24h&columns=96&bin=200";
    let kind = "application/vnd.liqheat.grid";
    let whole = get_with(server.address(), path, &[("Accept", kind)]).body;
    let split_path = format!("{path}&by=leverage");
    let split = get_with(server.address(), &split_path, &[("Accept", kind)]);
    assert_eq!((split.status, split.header("content-encoding")), (200, None));

    let parts = |bytes: &[u8]| {
        let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let cells = (header["columns"].as_u64().unwrap() * header["rows"].as_u64().unwrap()) as usize;
        let planes: Vec<Vec<u8>> = bytes[8 + length..].chunks(cells).map(<[u8]>::to_vec).collect();
        (header, planes)
    };
    let ((plain_header, plain), (mut header, planes)) = (parts(&whole), parts(&split.body));
    assert_eq!(header["leverages"], leverages);
    header.as_object_mut().unwrap().remove("leverages");
    assert_eq!((&header, &planes[..2]), (&plain_header, &plain[..]), "the totals are the same");
    assert_eq!(planes.len(), 2 + 8);

    let (usd_min, usd_max) = (header["usd_min"].as_f64().unwrap(), header["usd_max"].as_f64().unwrap());
    let step = (usd_max / usd_min).powf(1.0 / 254.0);
    let usd = |byte: u8| if byte == 0 { 0.0 } else { usd_min * step.powi(i32::from(byte) - 1) };
    let mut compared = 0;
    for cell in 0..planes[0].len() {
        let total = usd(planes[0][cell]) + usd(planes[1][cell]);
        let classes: f64 = planes[2..].iter().map(|plane| usd(plane[cell])).sum();
        // Every plane is rounded by itself, by half a step or up to the scale's beginning.
        let slack = (total + classes) * (step - 1.0) / 2.0 + 6.0 * usd_min;
        assert!((classes - total).abs() <= slack, "cell {cell}: classes {classes}, total {total}");
        compared += usize::from(total > 100.0 * usd_min);
    }
    assert!(compared > 500, "{compared} cells have mass");

    let packed = get_with(server.address(), &split_path, &[("Accept", kind), ("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let vary = packed.header("vary").unwrap();
    assert!(vary.contains("accept-encoding") && vary.contains("accept,"), "{vary}");
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, split.body);

    let in_json = server.get(&split_path);
    assert_eq!(in_json.status, 400);
    assert!(in_json.text().contains("Accept: application/vnd.liqheat.grid"), "{}", in_json.text());
    let unknown = get_with(server.address(), &format!("{path}&by=side"), &[("Accept", kind)]);
    assert_eq!((unknown.status, unknown.text().contains("'side' must be 'leverage'")), (422, true));
    let large = "/v1/heatmap/history?symbol=BTCUSDT&range=24h&bin=1&by=leverage";
    let large = get_with(server.address(), large, &[("Accept", kind)]);
    assert_eq!((large.status, large.text().contains("1 to 1500000 cells")), (400, true), "{}", large.text());
}

/// Programs written for the API that this one re-creates ask like this.
#[test]
fn older_clients_are_answered_as_they_expect() {
    serve!(_folder, server, "serve");
    let ask = |path: &str| {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let series = |more: &str| ask(&format!("/liquidations/heatmap-timeseries?symbol=BTCUSDT{more}"));

    // What a client without a socket polls: the last seven days of the data, in quarters of an hour.
    let poll = series("");
    assert_eq!(
        (poll["meta"]["interval"].as_str(), poll["meta"]["end_time"].as_str()),
        (Some("15m"), Some(&*at(END)))
    );
    assert_eq!(poll["meta"]["start_time"], at(END - 7 * 86_400_000));
    assert!(poll["data"].as_array().is_some_and(|rows| rows.len() > 90), "{}", poll["meta"]);
    assert_eq!(series(""), poll, "the same again");

    let window = series("&time_window=4h");
    assert_eq!(window["meta"]["start_time"], at(END - 4 * 3_600_000));
    assert_eq!(window["meta"]["interval"], "5m", "the shortest that is stored");
    assert_eq!(series("&time_window=1y")["meta"]["interval"], "4h");
    let weights = ["5:20,10:30", r#"{"5":2,"10":3}"#, "[[5,20],[10,30]]"];
    let [text, object, list] = weights.map(|weights| {
        let weights: String = weights.bytes().map(|byte| format!("%{byte:02X}")).collect();
        series(&format!("&time_window=4h&leverage_weights={weights}"))["data"].clone()
    });
    assert!(text == object && text == list && text != window["data"]);
    assert_eq!(series("&time_window=4h&exchanges=Binance")["data"], window["data"]);

    // Before the data there is no level, and no price.
    let before = series("&start_time=2020-01-01&end_time=2020-01-02");
    assert_eq!((&before["data"], &before["meta"]["price_range"]), (&json!([]), &json!({"min": 0, "max": 0})));

    let klines =
        |more: &str| ask(&format!("/prices/klines?symbol=BTCUSDT&interval=15m{more}"))["data"].clone();
    let all = klines("&limit=5000");
    let (from, to) = (END - 3 * 3_600_000, END - 2 * 3_600_000);
    let some = klines(&format!("&start_time={from}&end_time={to}"));
    let expected: Vec<Value> = rows(&all)
        .iter()
        .filter(|row| (at(from)..=at(to)).contains(&row["timestamp"].as_str().unwrap().to_owned()))
        .cloned()
        .collect();
    assert_eq!((rows(&some), rows(&some).len()), (&expected, 5));
    assert_eq!(rows(&klines(&format!("&end_time={to}&limit=2"))), &expected[3..]);

    let levels = |timeframe: &str| ask(&format!("/liquidations/levels?symbol=BTCUSDT&timeframe={timeframe}"));
    assert_eq!(levels("1"), levels("24h"));

    assert_eq!(ask("/symbols"), json!(["BTCUSDT"]));
    assert_eq!(ask("/exchanges"), json!(["binance"]));
    let range = ask("/data/date-range?symbol=BTCUSDT");
    assert_eq!(range, json!({"symbol": "BTCUSDT", "start_date": at(START), "end_date": at(END)}));
    assert_eq!(ask("/liquidations/history?symbol=BTCUSDT"), json!([]));
    let tiers = ask("/v1/tiers?symbol=BTCUSDT");
    assert_eq!(ask("/api/margin/tiers/BTCUSDT"), tiers);
    assert_eq!(tiers["venues"][0]["venue"], "binance");
    let price = ask(
        "/v1/liquidation-price?symbol=BTCUSDT&side=long&entry_price=100000&leverage=25&notional_usd=40000",
    );
    assert_eq!(price["data"][0]["liquidation_price"].as_f64().unwrap().round(), 96_386.0);
    // At the ends of what is accepted every answer is a number.
    for (entry, leverage) in [("1e-8", "0.01"), ("1e10", "0.01"), ("1e-8", "10000"), ("1e10", "10000")] {
        for side in ["long", "short"] {
            let path = format!(
                "/v1/liquidation-price?symbol=BTCUSDT&side={side}&entry_price={entry}&leverage={leverage}&notional_usd=1e15"
            );
            let row = &ask(&path)["data"][0];
            assert!(row["bankruptcy_price"].is_number(), "{path}: {row}");
        }
    }
}

#[test]
fn mistakes_are_answered_with_what_would_be_right() {
    serve!(_folder, server, "serve");
    let series = |more: &str| format!("/liquidations/heatmap-timeseries?{more}");
    let range = format!("start_time={}&end_time={}", at(END - 3_600_000), at(END));
    let cases = [
        (series(&format!("symbol=XYZUSDT&{range}")), 400, "Symbol 'XYZUSDT' not supported. Valid: BTCUSDT"),
        (series(&range), 422, "'symbol' is missing"),
        (series("symbol=BTCUSDT&time_window=2h"), 422, "1h, 4h, 12h"),
        (series("symbol=BTCUSDT&time_window=1h&interval=1m"), 400, "bars of 5m"),
        (series(&format!("symbol=BTCUSDT&{range}&time_window=1h")), 400, "contradict"),
        (series("symbol=BTCUSDT&exchanges=binance,kraken"), 400, "valid: binance"),
        (series("symbol=BTCUSDT&profile=x"), 400, "'profile' is not supported"),
        (series("symbol=BTCUSDT&start_time=yesterday&end_time=2025-08-26"), 422, "'yesterday' is not a time"),
        (series("symbol=BTCUSDT&start_time=2025-08-27&end_time=2025-08-26"), 422, "later than"),
        (series("symbol=BTCUSDT&start_time=2015-01-01&end_time=2025-08-26"), 422, "shorter time"),
        (series(&format!("symbol=BTCUSDT&{range}&interval=7m")), 422, "1m, 5m, 15m"),
        (series(&format!("symbol=BTCUSDT&{range}&price_bin_size=0")), 422, "greater than zero"),
        (series(&format!("symbol=BTCUSDT&{range}&price_bin_size=-5")), 422, "price_bin_size"),
        (series(&format!("symbol=BTCUSDT&{range}&price_bin_size=wide")), 422, "price_bin_size"),
        (series(&format!("symbol=BTCUSDT&{range}&leverage_weights=5")), 400, "5:20,10:30"),
        (series(&format!("symbol=BTCUSDT&{range}&leverage_weights=5:-1")), 400, "leverage_weights"),
        (series(&format!("symbol=BTCUSDT&{range}&leverage_weights=0:1")), 400, "leverage_weights"),
        ("/prices/klines".to_owned(), 422, "'symbol' is missing"),
        ("/prices/klines?symbol=ETHUSDT".to_owned(), 400, "ETHUSDT"),
        ("/prices/klines?symbol=BTCUSDT&interval=5".to_owned(), 422, "1m, "),
        ("/prices/klines?symbol=BTCUSDT&interval=1m".to_owned(), 400, "stored in bars of 5m"),
        ("/prices/klines?symbol=BTCUSDT&limit=0".to_owned(), 422, "from 1 to"),
        ("/prices/klines?symbol=BTCUSDT&limit=many".to_owned(), 422, "from 1 to"),
        ("/liquidations/levels?symbol=".to_owned(), 422, "'symbol' is missing"),
        ("/liquidations/levels?symbol=BTCUSDT&timeframe=2h".to_owned(), 422, "12h, 24h"),
        ("/liquidations/levels?symbol=BTCUSDT&timeframe=366".to_owned(), 422, "days from 1 to 365"),
        ("/liquidations/levels?symbol=BTCUSDT&kline_interval=1m".to_owned(), 400, "kline_interval"),
        (
            "/prices/klines?symbol=BTCUSDT&start_time=2025-08-26&end_time=2025-08-25".to_owned(),
            422,
            "earlier",
        ),
        ("/prices/klines?symbol=BTCUSDT&start_time=2020-01-01&interval=5m".to_owned(), 422, "5000 candles"),
        (
            "/v1/liquidation-price?symbol=BTCUSDT&side=up&entry_price=1&leverage=2".to_owned(),
            422,
            "long or short",
        ),
        (
            "/v1/liquidation-price?symbol=BTCUSDT&side=long&entry_price=0&leverage=2".to_owned(),
            422,
            "entry_price",
        ),
        (
            "/v1/liquidation-price?symbol=BTCUSDT&side=long&entry_price=5e-324&leverage=2".to_owned(),
            422,
            "from 0.00000001 to",
        ),
        (
            "/v1/liquidation-price?symbol=BTCUSDT&side=long&entry_price=1&leverage=5e-324".to_owned(),
            422,
            "from 0.01 to 10000",
        ),
        ("/api/margin/tiers/NOPE".to_owned(), 400, "NOPE"),
        ("/v1/heatmap/history?symbol=BTCUSDT&range=5d".to_owned(), 422, "12h, 24h"),
        ("/v1/heatmap/history?symbol=BTCUSDT&columns=0".to_owned(), 422, "from 1 to"),
        ("/v1/heatmap/history?symbol=BTCUSDT&bin=-1".to_owned(), 422, "bin"),
        ("/v1/heatmap/history?symbol=BTCUSDT&bin=0.00000001".to_owned(), 400, "larger 'bin'"),
        ("/v1/liquidations?symbol=BTCUSDT&start_time=x".to_owned(), 422, "start_time"),
        ("/v1/liquidations?symbol=XYZ".to_owned(), 400, "XYZ"),
        ("/v2/everything".to_owned(), 404, "/v2/everything"),
        ("/ws/heatmap".to_owned(), 400, "WebSocket"),
    ];
    for (path, status, part) in cases {
        let answer = server.get(&path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let body = answer.json();
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{path}: {detail}");
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    }
}

#[test]
fn liquidations_that_really_happened() {
    let (folder, db) = loaded(2);
    let (day, ms) = ("2025-08-25", START + 100_000);
    let rows = format!(
        "{ms},SELL,LIMIT,IOC,2,99779.5,100020.9,FILLED,1.5,1.5\n{},BUY,LIMIT,IOC,7,1,100425,FILLED,7,7\n",
        ms + 60_000
    );
    let file = folder.put(&format!("more/BTCUSDT-liquidationSnapshot-{day}.csv"), rows);
    crate::support::load(&db, &[file]);
    let server = server("serve").arg("--db").arg(db).serve();
    let ask = |more: &str| server.get(&format!("/v1/liquidations?symbol=BTCUSDT{more}")).json();
    let first = json!({"timestamp": at(ms), "venue": "binance", "side": "long", "price": 100_020.9, "quantity": 1.5, "usd": 150_031});
    let second = json!({"timestamp": at(ms + 60_000), "venue": "binance", "side": "short", "price": 100_425, "quantity": 7, "usd": 702_975});
    let day = "&start_time=2025-08-25&end_time=2025-08-26";
    assert_eq!(ask(day), json!({"symbol": "BTCUSDT", "data": [first, second], "next": null}));
    assert_eq!(ask(&format!("{day}&limit=1"))["data"], json!([second]), "the newest");
    assert_eq!(ask("")["data"], json!([]), "by default those of the last day");
    let sums = ask(&format!("{day}&interval=5m"));
    let (long, short) = (&sums["data"][0], &sums["data"][1]);
    assert_eq!(
        (&long["timestamp"], &long["side"], &long["usd"]),
        (&json!(at(START)), &json!("long"), &json!(150_031))
    );
    assert_eq!((&short["timestamp"], &short["quantity"]), (&json!(at(START)), &json!(7)));
    assert_eq!(server.get("/v1/liquidations?symbol=BTCUSDT&interval=7m").status, 422);
}

#[test]
fn the_page_or_why_there_is_none() {
    serve!(_folder, server, "serve --embed-origins https://charts.example");
    let answer = server.get("/");
    if answer.status == 200 {
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{:?}", answer.headers);
        assert!(answer.text().contains("<html"));
        let policy = |path: &str| server.get(path).header("content-security-policy").unwrap().to_owned();
        assert!(policy("/").ends_with("frame-ancestors 'self'"));
        assert!(policy("/?embed=1").ends_with("frame-ancestors 'self' https://charts.example"));
        let form = |coding: &str| {
            let answer = get_with(server.address(), "/", &[("Accept-Encoding", coding)]);
            assert_eq!(answer.status, 200);
            assert!(answer.header("vary").unwrap().contains("accept-encoding"), "{:?}", answer.headers);
            (answer.header("content-encoding").unwrap_or("identity").to_owned(), answer.body.len())
        };
        let (plain, gzip, brotli) = (form("identity"), form("gzip"), form("gzip, deflate, br;q=1.0"));
        assert_eq!((plain.0.as_str(), gzip.0.as_str(), brotli.0.as_str()), ("identity", "gzip", "br"));
        assert!(brotli.1 < gzip.1 && gzip.1 < plain.1, "{plain:?} {gzip:?} {brotli:?}");
        assert_eq!(form("gzip, br;q=0").0, "gzip");
        assert_eq!(server.get("/index.html.br").status, 404, "a form of a page, and no page of its own");
    } else {
        assert_eq!(answer.status, 404);
        assert!(answer.text().contains("built without its page"), "{}", answer.text());
    }
    let hidden = server.get("/../Cargo.toml");
    assert_eq!(hidden.status, 404);
}

#[test]
fn a_file_without_data_says_what_to_do() {
    let folder = liqheat_testkit::Folder::new();
    let server = server("serve").args("--db").arg(folder.path("empty.duckdb")).serve();
    assert_eq!(server.get("/v1/symbols").json()["symbols"], json!([]));
    let ready = server.get("/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.json()["reasons"][0].as_str().unwrap().contains("liqheat ingest"), "{}", ready.text());
    assert_eq!((server.get("/live").status, server.get("/health").status), (200, 200));
    assert!(server.wait_for_log("liqheat ingest").contains("WARN"));
    assert_eq!(server.terminate().code, Some(0));
}

#[test]
fn the_newest_state_can_be_polled() {
    serve!(_folder, server, "serve");
    let snapshot = state(&server);
    let path = "/v1/heatmap?symbol=BTCUSDT";
    let answer = server.get(path);
    let tag = format!("\"{}\"", snapshot["hash"].as_str().unwrap());
    assert_eq!((answer.status, answer.header("etag")), (200, Some(tag.as_str())));
    let polled = answer.json();
    for field in ["type", "symbol", "timestamp", "epoch", "seq", "hash"] {
        assert_eq!(polled[field], snapshot[field], "{field}");
    }
    assert_eq!(polled["data"]["levels"], snapshot["data"]["levels"]);
    let have = format!("{}:{}", snapshot["epoch"].as_str().unwrap(), snapshot["seq"]);
    let same = [
        server.get(&format!("{path}&since={have}")),
        get_with(server.address(), path, &[("If-None-Match", tag.as_str())]),
    ];
    for unchanged in same {
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    }
    let lost = server.get(&format!("{path}&since=another-run:7")).json();
    assert_eq!((&lost["type"], &lost["hash"]), (&json!("snapshot"), &snapshot["hash"]));
    assert_eq!(server.get(&format!("{path}&since=7")).status, 422);
}

/// What may be polled without sockets, and its state: everything.
#[test]
fn without_sockets_polling_goes_on() {
    let (_folder, db) = loaded(DAYS);
    let expected = {
        let server = server("serve").arg("--db").arg(&db).serve();
        (state(&server), answers(&server))
    };
    let server = server("serve").arg("--db").arg(&db).env("WS_ENABLED", "false").serve();
    server.wait_for_log("WS_ENABLED=false");
    let refused = liqheat_testkit::Viewer::connect(server.address(), &[]).unwrap_err();
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true));
    let mut polled = answers(&server);
    // Only the list of symbols says that there are no sockets.
    assert_eq!(polled[0]["websocket"].take(), json!(false));
    polled[0]["websocket"] = json!(true);
    assert_eq!(polled, expected.1);
    assert_eq!(server.get("/ready").status, 200);
    let stats = server.get("/ws/stats").json();
    assert_eq!(stats["boards"]["BTCUSDT"]["hash"], expected.0["hash"]);
}

/// Everything a page or a poller asks for; the epoch, which is new in every run, left out.
fn answers(server: &RunningProgram) -> Vec<Value> {
    let mut grid = server.get("/v1/heatmap/history?symbol=BTCUSDT&range=24h").json();
    grid["epoch"].take();
    let others = [
        "/v1/symbols",
        "/liquidations/levels?symbol=BTCUSDT",
        "/liquidations/heatmap-timeseries?symbol=BTCUSDT&start_time=2025-08-26&end_time=2025-08-27",
        "/prices/klines?symbol=BTCUSDT",
    ];
    others.iter().map(|path| server.get(path).json()).chain([grid]).collect()
}
