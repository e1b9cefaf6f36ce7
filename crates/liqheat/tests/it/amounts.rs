//! A coin so cheap that a bar trades more of it than 64 bits of 1e-8 coins hold.

use std::fmt::Write;

use liqheat_testkit::Folder;
use serde_json::json;

use crate::market::{BAR_MS, START};
use crate::support::{load, server};

const BARS: i64 = 6;

/// The archive's files of `1000SATSUSDT` at 0.000015 USD, with 93 billion coins in a bar and more than 92 billion in
/// sums of trades and liquidations.
fn archive() -> Folder {
    let folder = Folder::new();
    let (mut klines, mut metrics) = (String::new(), String::new());
    klines.push_str("open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n");
    metrics.push_str("create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n");
    for index in 0..BARS {
        let opens = START + index * BAR_MS;
        let closes = opens + BAR_MS - 1;
        writeln!(
            klines,
            "{opens},0.000015,0.0000151,0.0000149,0.000015,93000000000,{closes},1,5,60000000000,1,0"
        )
        .unwrap();
        let minutes = (index + 1) * 5;
        writeln!(metrics, "2025-08-25 00:{minutes:02}:00,1000SATSUSDT,95000000000{index},1,,,,").unwrap();
    }
    let busy = START + 3 * BAR_MS;
    let mut trades = String::new();
    let mut liquidations = String::new();
    for id in 1..=2 {
        writeln!(trades, "{id},0.000015,50000000000,{id},{id},{},true", busy + id).unwrap();
        let time = busy + id;
        writeln!(
            liquidations,
            "{time},SELL,LIMIT,IOC,50000000000,0.0000149,0.0000149,FILLED,50000000000,50000000000"
        )
        .unwrap();
    }
    folder.put("archive/klines/1000SATSUSDT/5m/1000SATSUSDT-5m-2025-08-25.csv", klines);
    folder.put("archive/metrics/1000SATSUSDT/1000SATSUSDT-metrics-2025-08-25.csv", metrics);
    folder.put("archive/aggTrades/1000SATSUSDT/1000SATSUSDT-aggTrades-2025-08-25.csv", trades);
    folder.put(
        "archive/liquidationSnapshot/1000SATSUSDT/1000SATSUSDT-liquidationSnapshot-2025-08-25.csv",
        liquidations,
    );
    folder
}

#[test]
fn more_coins_than_64_bits_hold_are_served() {
    let folder = archive();
    let db = folder.path("market.duckdb");
    load(&db, &[folder.path("archive")]);
    let server = server("serve --offline --db").arg(&db).serve();
    let (_viewer, state) = server.viewer_of("1000SATSUSDT");
    assert_eq!(state["symbol"], "1000SATSUSDT");
    assert_eq!(server.get("/ws/stats").json()["updates_failed"], 0);

    let klines = server.get("/prices/klines?symbol=1000SATSUSDT&interval=5m").json();
    assert_eq!(klines["count"], BARS);
    assert_eq!(klines["data"][0]["volume"], json!(93_000_000_000_i64));
    let hour = server.get("/prices/klines?symbol=1000SATSUSDT&interval=1h").json();
    assert_eq!(hour["data"][0]["volume"], json!(93_000_000_000_i64 * BARS));
    let times = "start_time=2025-08-25T00:00:00Z&end_time=2025-08-26T00:00:00Z";
    let sums = server.get(&format!("/v1/liquidations?symbol=1000SATSUSDT&interval=5m&{times}")).json();
    let sum = &sums["data"][0];
    assert_eq!((&sum["quantity"], &sum["usd"]), (&json!(100_000_000_000_i64), &json!(1_490_000)), "{sums}");
    assert_eq!(server.get("/v1/heatmap/history?symbol=1000SATSUSDT&range=12h").status, 200);
}
