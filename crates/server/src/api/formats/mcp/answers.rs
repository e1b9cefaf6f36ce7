//! What a tool gives of its route's answer. Pure functions of JSON; whatever they do not find is `null`.

use serde_json::{Map, Value, json};

/// Most rows of a concise answer.
const ROWS: usize = 5;

/// How much of its route's answer a tool gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What a person would say: totals and the few largest rows.
    Concise,
    /// All rows of the route.
    Detailed,
}

impl Detail {
    pub(super) const NAMES: [&str; 2] = ["concise", "detailed"];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "concise" => Some(Self::Concise),
            "detailed" => Some(Self::Detailed),
            _ => None,
        }
    }
}

/// The whole answer.
pub(super) fn whole(body: &Value, _: Detail) -> Value {
    body.clone()
}

pub(super) fn coverage(body: &Value, detail: Detail) -> Value {
    if detail == Detail::Detailed {
        return body.clone();
    }
    let row = |row: &Value| fields(row, &["symbol", "venues", "state", "seen_share", "first", "last"]);
    json!({
        "symbols": rows(&body["symbols"]).map(row).collect::<Vec<_>>(),
        "simulated": body["simulated"],
        "unit_of_first_and_last": "ms since 1970"
    })
}

pub(super) fn walls(body: &Value, detail: Detail) -> Value {
    if detail == Detail::Detailed {
        return body.clone();
    }
    json!({
        "current_price": body["current_price"],
        "long_usd": body["long_usd"],
        "short_usd": body["short_usd"],
        "walls": rows(&body["walls"]).map(wall).collect::<Vec<_>>()
    })
}

fn wall(row: &Value) -> Value {
    fields(row, &["side", "low", "high", "usd", "distance_pct", "expected_usd_1h"])
}

pub(super) fn nearest_wall(body: &Value, detail: Detail) -> Value {
    let of_side = |side: &str| {
        let away = |row: &Value| row["distance_pct"].as_f64().unwrap_or(f64::INFINITY).abs();
        let mine = rows(&body["walls"]).filter(|row| row["side"] == side);
        let nearest = mine.min_by(|a, b| away(a).total_cmp(&away(b)));
        nearest.map(|row| match detail {
            Detail::Detailed => row.clone(),
            Detail::Concise => fields(row, &["low", "high", "usd", "distance_pct", "usd_on_the_way"]),
        })
    };
    json!({
        "current_price": body["current_price"],
        "below_longs": of_side("long"),
        "above_shorts": of_side("short")
    })
}

pub(super) fn map(body: &Value, detail: Detail) -> Value {
    if detail == Detail::Detailed {
        return body.clone();
    }
    let largest = |side: &str| {
        let (usd, sum) = (format!("{side}_usd"), format!("{side}_cumulative_usd"));
        let levels = largest(&body["levels"], &usd);
        levels
            .into_iter()
            .map(|row| json!({ "price": row["price"], "usd": row[&usd], "cumulative_usd": row[&sum] }))
            .collect::<Vec<_>>()
    };
    json!({
        "current_price": body["current_price"],
        "bin": body["bin"],
        "long_usd": body["long_usd"],
        "short_usd": body["short_usd"],
        "largest_longs": largest("long"),
        "largest_shorts": largest("short")
    })
}

pub(super) fn liquidations(body: &Value, detail: Detail) -> Value {
    if detail == Detail::Detailed {
        return body.clone();
    }
    let sum = |side: &str| {
        let mine = rows(&body["data"]).filter(|row| row["side"] == side);
        let usd = |row: &Value| row["usd"].as_u64().unwrap_or(0);
        let (count, usd) =
            mine.fold((0u64, 0u64), |(count, sum), row| (count + 1, sum.saturating_add(usd(row))));
        json!({ "count": count, "usd": usd })
    };
    json!({
        "long": sum("long"),
        "short": sum("short"),
        "first": body["data"][0]["timestamp"],
        "last": rows(&body["data"]).last().map(|row| row["timestamp"].clone()),
        "is_cut_off": !body["next"].is_null(),
        "largest": largest(&body["data"], "usd")
    })
}

pub(super) fn summary(body: &Value, detail: Detail) -> Value {
    if detail == Detail::Detailed {
        return body.clone();
    }
    let row = |row: &Value| fields(row, &["window", "long_usd", "short_usd", "long_count", "short_count"]);
    json!({ "windows": rows(&body["windows"]).map(row).collect::<Vec<_>>() })
}

pub(super) fn candles(body: &Value, detail: Detail) -> Value {
    if detail == Detail::Detailed {
        return body.clone();
    }
    let number = |field: &'static str| rows(&body["data"]).filter_map(move |row| row[field].as_f64());
    let (open, close) = (number("open").next(), number("close").next_back());
    let change = open.zip(close).map(|(open, close)| ((close / open - 1.0) * 1e4).round() / 1e2);
    json!({
        "interval": body["interval"],
        "count": body["count"],
        "from": body["data"][0]["timestamp"],
        "open": open,
        "high": number("high").reduce(f64::max),
        "low": number("low").reduce(f64::min),
        "close": close,
        "change_pct": change
    })
}

fn rows(value: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// The rows with the largest numbers above zero in a field, largest first.
fn largest<'a>(value: &'a Value, field: &str) -> Vec<&'a Value> {
    let usd = |row: &&Value| row[field].as_f64().unwrap_or(0.0);
    let mut found: Vec<&Value> = rows(value).filter(|row| usd(row) > 0.0).collect();
    found.sort_by(|a, b| usd(b).total_cmp(&usd(a)));
    found.truncate(ROWS);
    found
}

fn fields(row: &Value, names: &[&str]) -> Value {
    let picked = names.iter().filter_map(|name| Some(((*name).to_owned(), row.get(*name)?.clone())));
    Value::Object(picked.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_walls_are_listed_by_side() {
        let wall = |side: &str, distance: f64, usd: u64| {
            json!({ "side": side, "low": 1, "high": 2, "usd": usd, "distance_pct": distance,
                "usd_on_the_way": 3, "leverages": [] })
        };
        let body = json!({ "current_price": 100, "walls": [wall("long", -9.0, 90), wall("long", -2.5, 10)] });
        let concise = nearest_wall(&body, Detail::Concise);
        assert_eq!(concise["below_longs"]["usd"], 10);
        assert!(concise["below_longs"].get("leverages").is_none());
        assert_eq!(concise["above_shorts"], Value::Null);
        assert_eq!(nearest_wall(&body, Detail::Detailed)["below_longs"]["leverages"], json!([]));
    }

    #[test]
    fn concise_answers_sum_and_keep_the_largest() {
        let row = |usd: u64| json!({ "side": if usd.is_multiple_of(2) { "long" } else { "short" }, "usd": usd, "timestamp": usd });
        let body = json!({ "data": (1..=9).map(row).collect::<Vec<_>>(), "next": "x" });
        let answer = liquidations(&body, Detail::Concise);
        assert_eq!(
            (&answer["long"], &answer["short"]["usd"]),
            (&json!({ "count": 4, "usd": 20 }), &json!(25))
        );
        assert_eq!(
            (&answer["first"], &answer["last"], &answer["is_cut_off"]),
            (&json!(1), &json!(9), &json!(true))
        );
        let usd: Vec<u64> = rows(&answer["largest"]).map(|row| row["usd"].as_u64().unwrap()).collect();
        assert_eq!(usd, [9, 8, 7, 6, 5]);
        let candle = |open: f64, close: f64| json!({ "timestamp": "t", "open": open, "high": 120, "low": 90, "close": close });
        let body =
            json!({ "interval": "1h", "count": 2, "data": [candle(100.0, 101.0), candle(101.0, 110.0)] });
        let answer = candles(&body, Detail::Concise);
        assert_eq!((&answer["change_pct"], &answer["high"]), (&json!(10.0), &json!(120.0)));
        assert_eq!(candles(&json!({ "data": [] }), Detail::Concise)["close"], Value::Null);
    }
}
