//! Grids between two times, which the page walks through: they fit together, are kept by clients, and change with the past.

use liqheat_testkit::{RunningProgram, get_with};
use serde_json::Value;

use crate::market::{BAR_MS, BARS_A_DAY, START};
use crate::support::{loaded, server, state};

const DAYS: i64 = 3;
const END: i64 = START + DAYS * BARS_A_DAY * BAR_MS;
const HOUR_MS: i64 = 3_600_000;

fn grid(server: &RunningProgram, query: &str) -> Value {
    let answer = server.get(&format!("/v1/heatmap/history?symbol=BTCUSDT&{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

/// The columns of a grid, of one side.
fn columns(grid: &Value, side: &str) -> Vec<Value> {
    grid[side].as_array().unwrap().clone()
}

#[test]
fn neighbouring_grids_join_into_the_one_over_both() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve --db").arg(db).serve();
    drop(state(&server));
    let rows = "bin=200&price_low=80000&price_high=130000";
    let begin = START + 24 * HOUR_MS;
    let between = |from: i64, to: i64, columns: i64| {
        grid(&server, &format!("from={from}&to={to}&columns={columns}&{rows}"))
    };
    // The later one first: the earlier one then begins at an older state.
    let second = between(begin + 12 * HOUR_MS, begin + 24 * HOUR_MS, 144);
    let first = between(begin, begin + 12 * HOUR_MS, 144);
    let both = between(begin, begin + 24 * HOUR_MS, 288);
    for side in ["long", "short"] {
        let mut joined = columns(&first, side);
        joined.extend(columns(&second, side));
        assert_eq!(joined, columns(&both, side), "{side}");
        assert!(
            joined.iter().flat_map(|column| column.as_array().unwrap()).any(|usd| usd != 0),
            "{side} is empty"
        );
    }
    assert_eq!(
        (both["rows"].as_i64(), both["price_low"].as_i64(), both["bin"].as_i64()),
        (Some(250), Some(80_000), Some(200))
    );
    assert_eq!(both["as_of"], begin + 24 * HOUR_MS);
    // The same bars and columns as a range that ends now, where both have them.
    let latest = grid(&server, "range=24h&columns=288&bin=200");
    let own = grid(
        &server,
        &format!(
            "from={}&to={END}&columns=288&bin=200&price_low={}&price_high={}",
            END - 24 * HOUR_MS,
            latest["price_low"],
            latest["price_low"].as_f64().unwrap() + 200.0 * latest["rows"].as_f64().unwrap()
        ),
    );
    let shift = (own["start"].as_i64().unwrap() - latest["start"].as_i64().unwrap()) / BAR_MS;
    let (own, latest) = (columns(&own, "long"), columns(&latest, "long"));
    for column in 0..200usize {
        assert_eq!(own[column], latest[column + usize::try_from(shift).unwrap()], "column {column}");
    }
}

#[test]
fn rows_follow_the_prices_of_the_time_that_is_asked_for() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve --db").arg(db).serve();
    drop(state(&server));
    let day = grid(&server, &format!("from={}&to={}", START + 24 * HOUR_MS, START + 48 * HOUR_MS));
    let klines = server.get(&format!(
        "/prices/klines?symbol=BTCUSDT&interval=1h&start_time={}&end_time={}",
        START + 24 * HOUR_MS,
        START + 48 * HOUR_MS - 1
    ));
    let prices = klines.json()["data"].as_array().unwrap().clone();
    let highest = prices.iter().map(|row| row["high"].as_f64().unwrap()).fold(0.0, f64::max);
    let lowest = prices.iter().map(|row| row["low"].as_f64().unwrap()).fold(f64::MAX, f64::min);
    let low = day["price_low"].as_f64().unwrap();
    let high = low + day["bin"].as_f64().unwrap() * day["rows"].as_f64().unwrap();
    assert!(low < lowest && low > lowest * 0.85, "{low} under {lowest}");
    assert!(high > highest && high < highest * 1.15, "{high} over {highest}");
}

#[test]
fn closed_time_is_kept_by_clients_until_the_past_changes() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve --db").arg(db).serve();
    drop(state(&server));
    let path =
        format!("/v1/heatmap/history?symbol=BTCUSDT&from={START}&to={}&columns=144", START + 12 * HOUR_MS);
    let first = server.get(&path);
    let etag = first.header("etag").expect("closed time has a tag").to_owned();
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    let again = get_with(server.address(), &path, &[("if-none-match", &etag)]);
    assert_eq!((again.status, again.text().as_str()), (304, ""));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    let other = get_with(server.address(), &path, &[("if-none-match", "\"of another run\"")]);
    assert_eq!((other.status, other.json()), (200, first.json()));
    // Another form of the same is another entity.
    let compact = get_with(server.address(), &path, &[("accept", "application/vnd.liqheat.grid")]);
    assert_ne!(compact.header("etag"), Some(etag.as_str()));
    // What still grows is not kept, though no bar is open just now.
    let open = server.get(&format!(
        "/v1/heatmap/history?symbol=BTCUSDT&from={}&to={}",
        END - HOUR_MS,
        END + 12 * HOUR_MS
    ));
    assert_eq!((open.status, open.header("etag")), (200, None));
}

#[test]
fn mistakes_in_times_and_prices_are_named() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve --db").arg(db).serve();
    drop(state(&server));
    for (query, status, says) in [
        ("to=2026-01-01T00:00:00Z".to_owned(), 422, "needs 'from'"),
        (format!("from={START}&range=24h"), 422, "exclude each other"),
        (format!("from={END}&to={START}"), 422, "earlier than 'to'"),
        ("from=yesterday".to_owned(), 422, "'from'"),
        ("from=946684800000&to=2026-01-01T00:00:00Z".to_owned(), 422, "ten years"),
        (format!("from={START}&to={END}&price_low=5"), 422, "together"),
        (format!("from={START}&to={END}&price_low=5&price_high=4"), 422, "below 'price_high'"),
        (format!("from={START}&to={END}&bin=0.01&price_low=1&price_high=100000"), 400, "larger 'bin'"),
    ] {
        let answer = server.get(&format!("/v1/heatmap/history?symbol=BTCUSDT&{query}"));
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(says), "{query}: {}", answer.text());
    }
}

#[test]
fn series_tell_what_is_stored_beside_the_price_and_what_is_not() {
    let (_folder, db) = loaded(DAYS);
    let server = server("serve --db").arg(db).serve();
    drop(state(&server));
    let ask = |query: &str| server.get(&format!("/v1/series?symbol=BTCUSDT&{query}"));
    let body = ask(&format!(
        "interval=1h&start_time={}&end_time={}",
        START + 24 * HOUR_MS,
        START + 48 * HOUR_MS - 1
    ))
    .json();
    let rows = body["data"].as_array().unwrap();
    assert_eq!((body["count"].as_u64(), rows.len()), (Some(24), 24));
    let klines = server.get(&format!(
        "/prices/klines?symbol=BTCUSDT&interval=1h&start_time={}&end_time={}",
        START + 24 * HOUR_MS,
        START + 48 * HOUR_MS - 1
    ));
    for (row, kline) in rows.iter().zip(klines.json()["data"].as_array().unwrap()) {
        assert_eq!((&row["timestamp"], &row["volume"]), (&kline["timestamp"], &kline["volume"]));
        assert!(row["open_interest"].as_f64().unwrap() > 0.0, "{row}");
    }
    assert!(body["missing"].as_array().unwrap().contains(&"funding_rate".into()), "{}", body["missing"]);
    for (query, status, says) in [("interval=1m", 400, "bars of 5m"), ("interval=2m", 422, "interval")] {
        let answer = ask(query);
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert!(answer.text().contains(says), "{query}: {}", answer.text());
    }
}
