//! `liqheat export` and `GET /v1/export`: the files hold the rows that the JSON routes answer, read back by DuckDB.

use std::path::Path;

use liqheat_store::baseline::rows_of_file;
use liqheat_testkit::{Folder, RunningProgram};
use serde_json::{Value, json};

use crate::market::{BAR_MS, BARS_A_DAY, START};
use crate::support::{ask, at, await_state, liqheat, load, loaded, rows, server};

const DAYS: i64 = 3;
const END: i64 = START + DAYS * BARS_A_DAY * BAR_MS;

/// The made-up market with 300 liquidations over its days, some of them within one millisecond.
fn market() -> (Folder, std::path::PathBuf) {
    let (folder, db) = loaded(DAYS);
    let row = |n: i64| {
        let (time, side) = (START + n / 2 * 1_700_000, if n % 3 == 0 { "BUY" } else { "SELL" });
        format!("{time},{side},LIMIT,IOC,{n}.125,1000{n}.25,1000{n}.25,FILLED,{n}.125,{n}.125\n")
    };
    let text: String = (1..=300).map(row).collect();
    load(&db, &[folder.put("more/BTCUSDT-liquidationSnapshot-2025-08-25.csv", text)]);
    (folder, db)
}

/// What DuckDB reads from a file; every number as a floating point number, moments as RFC 3339.
fn read(path: &Path) -> Vec<Value> {
    let rows = rows_of_file(path).unwrap();
    let row = |text: &String| {
        let mut row: Value = serde_json::from_str(text).unwrap();
        let time = row["time"].as_i64().unwrap();
        for value in row.as_object_mut().unwrap().values_mut() {
            *value = floating(value);
        }
        row["time"] = at(time).into();
        row
    };
    rows.iter().map(row).collect()
}

/// Formats differ in how they write a whole number.
fn floating(value: &Value) -> Value {
    value.as_f64().map_or_else(|| value.clone(), Value::from)
}

#[test]
fn files_of_the_command_hold_the_rows_of_the_routes() {
    let (folder, db) = market();
    let (from, to) = (at(START + 86_400_000), at(END));
    for format in ["parquet", "csv", "json"] {
        let out = folder.path(format);
        let done = liqheat("export --symbol BTCUSDT --what bars,levels,walls,liquidations,grid")
            .args(&format!("--from {from} --to {to} --format {format} --db"))
            .arg(&db)
            .args("--out")
            .arg(&out)
            .run();
        assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
        let mut names: Vec<String> = std::fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected = ["bars", "grid", "levels", "liquidations", "walls"];
        assert_eq!(names, expected.map(|what| format!("liqheat-BTCUSDT-{what}.{format}")));
    }
    let file =
        |format: &str, what: &str| read(&folder.path(&format!("{format}/liqheat-BTCUSDT-{what}.{format}")));
    for what in ["bars", "levels", "walls", "liquidations", "grid"] {
        let parquet = file("parquet", what);
        assert!(parquet.len() > 5, "{what}");
        assert_eq!(file("csv", what), parquet, "{what}");
        assert_eq!(file("json", what), parquet, "{what}");
    }

    let server = server("serve --offline --db").arg(&db).serve();
    await_state(&server);
    let bars = file("parquet", "bars");
    let own =
        ask(&server, &format!("/prices/klines?symbol=BTCUSDT&interval=5m&start_time={from}&end_time={to}"));
    assert_eq!((bars.len(), rows(&own["data"]).len()), (576, 576));
    for (bar, candle) in bars.iter().zip(rows(&own["data"])) {
        assert_eq!(bar["venue"], "binance");
        assert_eq!(bar["time"], candle["timestamp"]);
        for field in ["open", "high", "low", "close", "volume"] {
            assert_eq!(bar[field], floating(&candle[field]), "{field}: {bar} {candle}");
        }
    }
    let liquidations = file("parquet", "liquidations");
    let own =
        ask(&server, &format!("/v1/liquidations?symbol=BTCUSDT&start_time={from}&end_time={}", at(END - 1)));
    assert_eq!(liquidations.len(), rows(&own["data"]).len());
    for (row, own) in liquidations.iter().zip(rows(&own["data"])) {
        assert_eq!((&row["time"], &row["side"]), (&own["timestamp"], &own["side"]));
        for field in ["price", "quantity", "usd"] {
            assert_eq!(row[field], floating(&own[field]), "{field}: {row} {own}");
        }
        assert_eq!(row["price_kind"], "fill");
    }
    let own = ask(&server, &format!("/liquidations/levels?symbol=BTCUSDT&at={to}"));
    let level = |price: &Value, leverage: f64, side: &str, usd: &Value| {
        format!("{} {leverage} {side} {}", floating(price), floating(usd))
    };
    let mut expected: Vec<String> = ["long", "short"]
        .iter()
        .flat_map(|side| {
            rows(&own[format!("{side}_liquidations")]).iter().map(move |row| {
                let leverage = row["leverage"].as_str().unwrap().trim_end_matches('x').parse().unwrap();
                level(&row["price_level"], leverage, side, &row["volume"])
            })
        })
        .collect();
    let row = |row: &Value| {
        level(&row["price"], row["leverage"].as_f64().unwrap(), row["side"].as_str().unwrap(), &row["usd"])
    };
    let mut levels: Vec<String> = file("parquet", "levels").iter().map(row).collect();
    expected.sort();
    levels.sort();
    assert_eq!(levels, expected);
    let own = ask(&server, &format!("/v1/walls?symbol=BTCUSDT&at={to}&limit=1000"));
    let walls = file("parquet", "walls");
    assert_eq!(walls.len(), rows(&own["walls"]).len());
    for (row, own) in walls.iter().zip(rows(&own["walls"])) {
        for field in ["side", "low", "high", "peak_price", "usd", "share", "distance_pct", "usd_on_the_way"] {
            assert_eq!(row[field], floating(&own[field]), "{field}: {row} {own}");
        }
        assert_eq!(row["time"], own_time(&server, &to));
    }
    let own = ask(&server, &format!("/v1/heatmap/history?symbol=BTCUSDT&from={from}&to={to}"));
    let mut cells = file("parquet", "grid").into_iter();
    for column in 0..own["columns"].as_u64().unwrap() as usize {
        let time = own["start"].as_i64().unwrap() + own["column_ms"].as_i64().unwrap() * column as i64;
        for row in 0..own["rows"].as_u64().unwrap() as usize {
            let (long, short) = (&own["long"][column][row], &own["short"][column][row]);
            if long == 0 && short == 0 {
                continue;
            }
            let cell = cells.next().unwrap();
            let price = own["price_low"].as_f64().unwrap() + own["bin"].as_f64().unwrap() * row as f64;
            assert_eq!((&cell["time"], &cell["price"]), (&json!(at(time)), &json!(price)));
            assert_eq!((&cell["long_usd"], &cell["short_usd"]), (&floating(long), &floating(short)));
        }
    }
    assert_eq!(cells.next(), None);
}

/// The moment of a state of the past.
fn own_time(server: &RunningProgram, to: &str) -> Value {
    ask(server, &format!("/v1/walls?symbol=BTCUSDT&at={to}"))["as_of"].clone()
}

#[test]
fn a_running_server_gives_the_same_file_one_at_a_time() {
    let (folder, db) = market();
    let server = server("serve --offline --db").arg(&db).serve();
    await_state(&server);
    let answer = server.get("/v1/export?what=bars&symbol=BTCUSDT&format=csv&from=2025-08-25");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"liqheat-BTCUSDT-bars.csv\"")
    );
    let text = answer.text();
    assert!(
        text.starts_with(
            "time,venue,open,high,low,close,volume,taker_buy_volume,trades\n2025-08-25 00:00:00,binance,"
        ),
        "{}",
        &text[..200]
    );
    assert_eq!(text.lines().count(), 1 + 3 * 288);
    let hourly = server.get("/v1/export?what=bars&symbol=BTCUSDT&format=json&from=2025-08-25&interval=1h");
    assert_eq!(rows(&hourly.json()).len(), 72);
    let day = server.get("/v1/export?what=bars&symbol=BTCUSDT");
    assert_eq!(day.text().lines().count(), 1 + 288, "the last day without a time");

    // Two at once: one of them is sent away, and says when to come back.
    let path = "/v1/export?what=grid&symbol=BTCUSDT&from=2025-08-25&format=parquet";
    let mut refused = None;
    for _ in 0..20 {
        let address = server.address();
        let both = [0, 1].map(|_| std::thread::spawn(move || liqheat_testkit::get(address, path)));
        let both = both.map(|one| one.join().unwrap());
        assert!(both.iter().any(|answer| answer.status == 200));
        refused = both.into_iter().find(|answer| answer.status != 200);
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("10")));
    assert!(refused.text().contains("one at a time"), "{}", refused.text());

    for (query, status, part) in [
        ("what=trades", 422, "bars, levels, walls"),
        ("what=bars&format=xlsx", 422, "parquet, csv, json"),
        ("what=bars&interval=1m", 400, "bars of 5m"),
        ("what=levels&from=2025-08-26", 400, "'from' is not supported"),
        ("what=grid&interval=1h", 400, "'interval' is not supported"),
        ("what=bars&from=2025-08-27&to=2025-08-26", 422, "earlier than the end"),
        ("what=bars&from=x", 422, "'from'"),
        ("what=bars&columns=5", 400, "columns"),
    ] {
        let answer = server.get(&format!("/v1/export?symbol=BTCUSDT&{query}"));
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(part), "{query}: {}", answer.text());
    }
    drop(folder);
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let (folder, db) = market();
    let export = |arguments: &str, out: &Path| {
        liqheat(&format!("export {arguments} --db")).arg(&db).args("--out").arg(out).run()
    };
    let file = folder.path("out.csv");
    let unknown = export("--symbol DOGEUSDT --what bars --format csv", &file);
    assert_eq!(unknown.code, Some(1), "{}", unknown.err);
    assert!(unknown.err.contains("DOGEUSDT"), "{}", unknown.err);
    assert!(!file.exists());
    let words = export("--symbol BTCUSDT --what trades", &file);
    assert_eq!(words.code, Some(2), "{}", words.err);
    let nowhere = export("--symbol BTCUSDT --what bars", &folder.path("absent/out.parquet"));
    assert_eq!(nowhere.code, Some(1), "{}", nowhere.err);
    assert!(nowhere.err.contains("absent"), "{}", nowhere.err);
    // No file may grow beyond a few blocks, as on a full disk.
    let limited = liqheat("export --symbol BTCUSDT --what grid --from 2025-08-25 --db")
        .arg(&db)
        .args("--out")
        .arg(folder.path("grid.parquet"))
        .after("trap '' XFSZ; ulimit -f 256")
        .run();
    assert_eq!(limited.code, Some(1), "{}", limited.err);
    assert!(limited.err.contains("no room") && limited.err.contains("grid"), "{}", limited.err);
    let left: Vec<_> = std::fs::read_dir(folder.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("export") || name.ends_with(".parquet"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // While a server has the database, the command says who has it.
    let server = server("serve --offline --db").arg(&db).serve();
    let locked = export("--symbol BTCUSDT --what bars", &file);
    assert!(locked.code == Some(1) && locked.err.contains("in use by"), "{}", locked.err);
    drop(server);
}

#[test]
fn stopping_leaves_no_half_of_a_file() {
    let (folder, db) = market();
    let (from, out) = (at(START), folder.path("out"));
    let export = liqheat("export --symbol BTCUSDT --what bars,grid --format csv --from")
        .args(&from)
        .args("--db")
        .arg(&db)
        .args("--out")
        .arg(&out);
    let whole = export.run();
    assert_eq!(whole.code, Some(0), "{}", whole.err);
    let grid = out.join("liqheat-BTCUSDT-grid.csv");
    let rows = read(&grid);
    // The signal comes while the second file is made; on a machine that stands still just then it may come too late, in
    // which case the file must be whole.
    let stopped = (0..20).any(|_| {
        std::fs::remove_dir_all(&out).unwrap();
        let running = export.start();
        running.wait_for_output("liqheat-BTCUSDT-bars.csv");
        running.signal("INT");
        let done = running.wait();
        if done.code == Some(0) {
            assert_eq!(read(&grid), rows);
            return false;
        }
        assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
        assert!(
            done.out.contains("Stopped; ") && done.out.contains("grid.csv was not written"),
            "{}",
            done.out
        );
        let names = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["liqheat-BTCUSDT-bars.csv"],
            "neither a half nor a temporary file"
        );
        true
    });
    assert!(stopped, "no signal came in time");
    // The database was closed in order.
    assert_eq!(export.run().code, Some(0));
}
