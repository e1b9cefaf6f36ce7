//! Bybit linear as the stand-in speaks it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use liqheat_market::{Event, Kline, KlineKind, Side, Taker, UnixMs};
use serde_json::{Value, json};

use super::{Market, Path, RestReply, RestRequest, SocketReply, VenueProtocol};

/// The protocol of Bybit. Tickers are a snapshot after each subscription and say only what changed after it.
#[derive(Debug, Default)]
pub struct BybitProtocol {
    tickers: Mutex<Tickers>,
}

#[derive(Debug, Default)]
struct Tickers {
    /// Topics that are to begin with a snapshot.
    fresh: BTreeSet<String>,
    /// Fields of each symbol's ticker.
    fields: BTreeMap<String, BTreeMap<&'static str, String>>,
}

impl BybitProtocol {
    fn tickers(&self) -> MutexGuard<'_, Tickers> {
        self.tickers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticker(&self, topic: &str, symbol: &str, changed: &[(&'static str, String)], sent: UnixMs) -> String {
        let mut tickers = self.tickers();
        let is_fresh = tickers.fresh.remove(topic);
        let known = tickers.fields.entry(symbol.to_owned()).or_default();
        known.extend(changed.iter().cloned());
        let reply: BTreeMap<&str, String> =
            if is_fresh { known.clone().into_iter().collect() } else { changed.iter().cloned().collect() };
        let mut data = json!(reply);
        data["symbol"] = json!(symbol);
        let kind = if is_fresh { "snapshot" } else { "delta" };
        json!({ "topic": topic, "type": kind, "data": data, "cs": 24_987_956_059_i64, "ts": sent.0 })
            .to_string()
    }
}

impl VenueProtocol for BybitProtocol {
    fn path(&self, path: &str) -> Path {
        match path {
            "/v5/public/linear" => Path::Alive,
            // The interface before this one.
            "/realtime_public" => Path::Dead,
            _ => Path::Unknown,
        }
    }

    fn on_text(&self, text: &str) -> SocketReply {
        let Ok(request) = serde_json::from_str::<Value>(text) else { return SocketReply::default() };
        let answer = |success: bool, words: &str| {
            json!({
                "success": success, "ret_msg": words, "conn_id": "465772b1-7630-4fdc-a492-e003e6f0f260",
                "req_id": request["req_id"].as_str().unwrap_or_default(), "op": request["op"]
            })
            .to_string()
        };
        if request["op"] == "ping" {
            return SocketReply { replies: vec![answer(true, "pong")], topics: Vec::new() };
        }
        let topics = request["args"].as_array().into_iter().flatten();
        let topics: Vec<String> = topics.filter_map(|topic| topic.as_str().map(ToOwned::to_owned)).collect();
        // One topic that it does not know, and it refuses them all.
        if let Some(unknown) = topics.iter().find(|topic| topic.contains("NOPE")) {
            let words = format!("error:handler not found,topic:{unknown}");
            return SocketReply { replies: vec![answer(false, &words)], topics: Vec::new() };
        }
        let tickers = topics.iter().filter(|topic| topic.starts_with("tickers."));
        self.tickers().fresh.extend(tickers.cloned());
        SocketReply { replies: vec![answer(true, "")], topics }
    }

    fn refuses_together(&self) -> bool {
        true
    }

    fn symbol_of(&self, topic: &str) -> Option<String> {
        Some(topic.rsplit_once('.')?.1.to_owned())
    }

    fn frame(&self, topic: &str, symbol: &str, event: &Event, sent: UnixMs) -> Option<String> {
        let (kind, _) = topic.rsplit_once('.')?;
        let frame = |data: Value| json!({ "topic": topic, "type": "snapshot", "ts": sent.0, "data": [data] });
        let frame = match (kind, event) {
            ("publicTrade", Event::Trade(trade)) => frame(json!({
                "T": trade.time.0, "s": symbol, "S": if trade.taker == Taker::Buy { "Buy" } else { "Sell" },
                "v": trade.qty.to_string(), "p": trade.price.to_string(), "L": "PlusTick",
                "i": format!("20f43950-d8dd-5b31-9112-{:012x}", trade.id), "BT": false, "RPI": false, "seq": trade.id
            })),
            ("kline.1", Event::Kline(kline)) if kline.kind == KlineKind::Last => frame(json!({
                "start": kline.open_time.0, "end": kline.close_time().0 - 1, "interval": "1",
                "open": kline.open.to_string(), "close": kline.close.to_string(), "high": kline.high.to_string(),
                "low": kline.low.to_string(), "volume": kline.volume.unwrap_or_default().to_string(),
                "turnover": "0", "confirm": true, "timestamp": sent.0
            })),
            ("allLiquidation", Event::Liquidation(liquidation)) => frame(json!({
                "T": liquidation.time.0, "s": symbol,
                // The side of the position.
                "S": if liquidation.side == Side::Long { "Buy" } else { "Sell" },
                "v": liquidation.qty.to_string(), "p": liquidation.price.to_string()
            })),
            ("tickers", Event::MarkPrice(mark)) => {
                let changed = [("markPrice", mark.price.to_string())];
                return Some(self.ticker(topic, symbol, &changed, mark.time));
            }
            ("tickers", Event::OpenInterest(sample)) => {
                let single = sample.qty.to_string();
                let both = liqheat_market::Qty::from_units(sample.qty.units() * 2).to_string();
                let changed = [("openInterest", both), ("singleOpenInterest", single)];
                return Some(self.ticker(topic, symbol, &changed, sample.time));
            }
            _ => return None,
        };
        Some(frame.to_string())
    }

    fn answer(&self, asked: &RestRequest, market: &Market, now: UnixMs) -> RestReply {
        let symbol = asked.value("symbol").unwrap_or_default();
        let known = market.until(symbol, now);
        let is_listed = market.symbols().any(|listed| listed == symbol);
        if asked.path == "/v5/market/instruments-info" && is_listed {
            let row = json!({ "symbol": symbol, "contractType": "LinearPerpetual", "status": "Trading" });
            return reply(
                0,
                "OK",
                &json!({ "category": "linear", "list": [row], "nextPageCursor": "" }),
                now,
            );
        }
        if known.is_empty() && asked.path != "/v5/market/time" {
            return reply(10_001, "params error: Symbol Invalid", &json!({}), now);
        }
        let limit = usize::try_from(asked.number("limit").unwrap_or(50)).unwrap_or(0);
        let within = |time: UnixMs| {
            let bounds = [("start", "end"), ("startTime", "endTime")];
            bounds.iter().all(|(from, to)| {
                asked.number(from).is_none_or(|from| time.0 >= from)
                    && asked.number(to).is_none_or(|to| time.0 <= to)
            })
        };
        // Newest first, as the venue answers.
        let newest = |mut rows: Vec<Value>| {
            rows.reverse();
            rows.truncate(limit);
            reply(0, "OK", &json!({ "category": "linear", "symbol": symbol, "list": rows }), now)
        };
        let klines = |wanted: KlineKind| {
            let rows = known.iter().filter_map(|event| match event {
                Event::Kline(kline) if kline.kind == wanted && within(kline.open_time) => Some(row(kline)),
                _ => None,
            });
            newest(rows.collect())
        };
        match asked.path.as_str() {
            "/v5/market/time" => reply(0, "OK", &json!({ "timeSecond": (now.0 / 1_000).to_string() }), now),
            "/v5/market/kline" => klines(KlineKind::Last),
            "/v5/market/mark-price-kline" => klines(KlineKind::Mark),
            "/v5/market/open-interest" => {
                let rows = known.iter().filter_map(|event| match event {
                    Event::OpenInterest(sample)
                        if within(sample.time) && sample.time.floor_to(300_000) == sample.time =>
                    {
                        let both = liqheat_market::Qty::from_units(sample.qty.units() * 2).to_string();
                        Some(json!({ "openInterest": both, "timestamp": sample.time.0.to_string() }))
                    }
                    _ => None,
                });
                newest(rows.collect())
            }
            "/v5/market/funding/history" => {
                let rows = known.iter().filter_map(|event| match event {
                    Event::Funding(payment) if within(payment.time) => Some(json!({
                        "symbol": symbol, "fundingRate": payment.rate.to_string(),
                        "fundingRateTimestamp": payment.time.0.to_string()
                    })),
                    _ => None,
                });
                newest(rows.collect())
            }
            "/v5/market/risk-limit" => reply(
                0,
                "OK",
                &json!({ "category": "linear", "list": [
                    { "id": 1, "symbol": symbol, "riskLimitValue": "2000000", "maintenanceMargin": "0.005",
                      "initialMargin": "0.01", "isLowestRisk": 1, "maxLeverage": "100.00", "mmDeduction": "" },
                    { "id": 2, "symbol": symbol, "riskLimitValue": "4000000", "maintenanceMargin": "0.01",
                      "initialMargin": "0.0175", "isLowestRisk": 0, "maxLeverage": "57.14", "mmDeduction": "10000" }
                ] }),
                now,
            ),
            _ => RestReply { status: 404, body: "{}".to_owned(), weight: 1, weight_header: None },
        }
    }
}

fn reply(code: i64, words: &str, result: &Value, now: UnixMs) -> RestReply {
    let body = json!({ "retCode": code, "retMsg": words, "result": result, "retExtInfo": {}, "time": now.0 });
    RestReply { status: 200, body: body.to_string(), weight: 1, weight_header: None }
}

fn row(kline: &Kline) -> Value {
    let mut row: Vec<String> = vec![kline.open_time.0.to_string()];
    row.extend([kline.open, kline.high, kline.low, kline.close].map(|price| price.to_string()));
    if kline.kind == KlineKind::Last {
        row.extend([kline.volume.unwrap_or_default().to_string(), "0".to_owned()]);
    }
    json!(row)
}
