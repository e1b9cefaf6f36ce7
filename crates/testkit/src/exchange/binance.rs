//! Binance USD-M as the stand-in speaks it.

use liqheat_market::{Event, Kline, KlineKind, OpenInterest, Side, Taker, UnixMs};
use serde_json::{Value, json};

use super::{Market, Path, RestReply, RestRequest, SocketReply, VenueProtocol};

/// Open interest is kept for thirty days.
const HISTORY_MS: i64 = 30 * 86_400_000;

/// The protocol of Binance.
#[derive(Debug, Clone, Copy, Default)]
pub struct BinanceProtocol;

impl VenueProtocol for BinanceProtocol {
    fn path(&self, path: &str) -> Path {
        match path {
            "/market/stream" => Path::Alive,
            "/stream" | "/ws" => Path::Dead,
            _ => Path::Unknown,
        }
    }

    fn on_text(&self, text: &str) -> SocketReply {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return SocketReply {
                replies: vec![r#"{"error":{"code":3,"msg":"Invalid JSON"}}"#.to_owned()],
                topics: vec![],
            };
        };
        let topics = request["params"].as_array().into_iter().flatten();
        let topics: Vec<String> = topics.filter_map(|topic| topic.as_str().map(ToOwned::to_owned)).collect();
        SocketReply { replies: vec![json!({ "result": null, "id": request["id"] }).to_string()], topics }
    }

    fn symbol_of(&self, topic: &str) -> Option<String> {
        Some(topic.split_once('@')?.0.to_ascii_uppercase())
    }

    fn frame(&self, topic: &str, symbol: &str, event: &Event, sent: UnixMs) -> Option<String> {
        let (_, kind) = topic.split_once('@')?;
        let sent = sent.0;
        let data = match (kind, event) {
            ("aggTrade", Event::Trade(trade)) => json!({
                "e": "aggTrade", "E": sent, "a": trade.id, "s": symbol, "p": trade.price.to_string(),
                "q": trade.qty.to_string(), "nq": trade.qty.to_string(), "f": trade.id, "l": trade.id,
                "T": trade.time.0, "m": trade.taker == Taker::Sell, "st": 1
            }),
            ("markPrice@1s", Event::MarkPrice(mark)) => json!({
                "e": "markPriceUpdate", "E": mark.time.0, "s": symbol, "p": mark.price.to_string(),
                "i": mark.price.to_string(), "P": mark.price.to_string(), "r": "0.00010000",
                "T": mark.time.floor_to(28_800_000).0 + 28_800_000
            }),
            ("kline_1m", Event::Kline(kline)) if kline.kind == KlineKind::Last => json!({
                "e": "kline", "E": sent, "s": symbol, "k": {
                    "t": kline.open_time.0, "T": kline.close_time().0 - 1, "s": symbol, "i": "1m",
                    "f": 1, "L": 2, "o": kline.open.to_string(), "h": kline.high.to_string(),
                    "l": kline.low.to_string(), "c": kline.close.to_string(),
                    "v": kline.volume.unwrap_or_default().to_string(), "n": kline.trades.unwrap_or(0),
                    "x": true, "q": "0", "V": kline.taker_buy_volume.unwrap_or_default().to_string(),
                    "Q": "0", "B": "0"
                }
            }),
            ("forceOrder", Event::Liquidation(liquidation)) => {
                let side = if liquidation.side == Side::Long { "SELL" } else { "BUY" };
                let (price, qty) = (liquidation.price.to_string(), liquidation.qty.to_string());
                json!({
                    "e": "forceOrder", "E": sent, "o": {
                        "s": symbol, "S": side, "o": "LIMIT", "f": "IOC", "q": qty, "p": "1", "ap": price,
                        "X": "FILLED", "l": qty, "z": qty, "T": liquidation.time.0, "ps": symbol, "st": 1
                    }
                })
            }
            _ => return None,
        };
        Some(json!({ "stream": topic, "data": data }).to_string())
    }

    fn answer(&self, asked: &RestRequest, market: &Market, now: UnixMs) -> RestReply {
        let symbol = asked.value("symbol").unwrap_or_default();
        let known = market.until(symbol, now);
        let from = UnixMs(asked.number("startTime").unwrap_or(0));
        let to = UnixMs(asked.number("endTime").unwrap_or(i64::MAX));
        let limit = usize::try_from(asked.number("limit").unwrap_or(500)).unwrap_or(0);
        let within = |time: UnixMs| time >= from && time <= to;
        if asked.path == "/fapi/v1/exchangeInfo" {
            return reply(200, &listing(market, now), 1);
        }
        if known.is_empty() && asked.path != "/fapi/v1/time" {
            return reply(400, &json!({ "code": -1121, "msg": "Invalid symbol." }), 1);
        }
        let klines = |kind: KlineKind| {
            let rows = known.iter().filter_map(|event| match event {
                Event::Kline(kline) if kline.kind == kind && within(kline.open_time) => Some(row(kline)),
                _ => None,
            });
            let weight = if limit < 100 {
                1
            } else if limit < 500 {
                2
            } else {
                5
            };
            reply(200, &Value::Array(rows.take(limit).collect()), weight)
        };
        match asked.path.as_str() {
            "/fapi/v1/time" => reply(200, &json!({ "serverTime": now.0 }), 1),
            "/fapi/v1/klines" => klines(KlineKind::Last),
            "/fapi/v1/markPriceKlines" => klines(KlineKind::Mark),
            "/fapi/v1/openInterest" => {
                let newest = open_interest(known).last();
                let Some(newest) = newest else {
                    return reply(400, &json!({ "code": -1, "msg": "nothing yet" }), 1);
                };
                let sample = newest.qty.to_string();
                reply(200, &json!({ "openInterest": sample, "symbol": symbol, "time": newest.time.0 }), 1)
            }
            "/futures/data/openInterestHist" if now.since(from) > HISTORY_MS => {
                reply(400, &json!({ "code": -1130, "msg": "parameter 'startTime' is invalid." }), 0)
            }
            "/futures/data/openInterestHist" => {
                let is_due = |time: UnixMs| within(time) && time.floor_to(300_000) == time;
                let row = |sample: &OpenInterest| {
                    json!({
                        "symbol": symbol, "sumOpenInterest": sample.qty.to_string(),
                        "sumOpenInterestValue": "0", "timestamp": sample.time.0
                    })
                };
                let rows: Vec<Value> =
                    open_interest(known).filter(|sample| is_due(sample.time)).map(row).collect();
                // The newest ones of a long stretch.
                let skipped = rows.len().saturating_sub(limit);
                reply(200, &Value::Array(rows.into_iter().skip(skipped).collect()), 0)
            }
            "/fapi/v1/aggTrades" => {
                let first = asked.number("fromId").unwrap_or(0);
                let rows = known.iter().filter_map(|event| match event {
                    Event::Trade(trade) if trade.id >= first => Some(json!({
                        "a": trade.id, "p": trade.price.to_string(), "q": trade.qty.to_string(), "f": trade.id,
                        "l": trade.id, "T": trade.time.0, "m": trade.taker == Taker::Sell
                    })),
                    _ => None,
                });
                reply(200, &Value::Array(rows.take(limit).collect()), 20)
            }
            "/fapi/v1/fundingRate" => {
                let rows = known.iter().filter_map(|event| match event {
                    Event::Funding(funding) if within(funding.time) => Some(json!({
                        "symbol": symbol, "fundingRate": funding.rate.to_string(),
                        "fundingTime": funding.time.0, "markPrice": "1"
                    })),
                    _ => None,
                });
                reply(200, &Value::Array(rows.take(limit).collect()), 0)
            }
            _ => reply(404, &json!({ "code": -1, "msg": "no such route" }), 1),
        }
    }
}

/// The contracts of the market, after one that will be traded later and one of which the list says too little.
fn listing(market: &Market, now: UnixMs) -> Value {
    let row = |symbol: &str| json!({ "symbol": symbol, "pair": symbol, "contractType": "PERPETUAL", "status": "TRADING" });
    let odd = [
        json!({ "symbol": "SOONUSDT", "contractType": "", "status": "PENDING_TRADING" }),
        json!({ "symbol": "ODDUSDT", "contractType": "PERPETUAL", "status": null }),
    ];
    let symbols: Vec<Value> = odd.into_iter().chain(market.symbols().map(row)).collect();
    json!({ "timezone": "UTC", "serverTime": now.0, "symbols": symbols })
}

fn open_interest(events: &[Event]) -> impl DoubleEndedIterator<Item = &OpenInterest> {
    events.iter().filter_map(|event| match event {
        Event::OpenInterest(sample) => Some(sample),
        _ => None,
    })
}

fn reply(status: u16, body: &Value, weight: u32) -> RestReply {
    RestReply { status, body: body.to_string(), weight, weight_header: Some("X-MBX-USED-WEIGHT-1M") }
}

fn row(kline: &Kline) -> Value {
    let volume = |qty: Option<liqheat_market::Qty>| qty.unwrap_or_default().to_string();
    json!([
        kline.open_time.0,
        kline.open.to_string(),
        kline.high.to_string(),
        kline.low.to_string(),
        kline.close.to_string(),
        volume(kline.volume),
        kline.close_time().0 - 1,
        "0",
        kline.trades.unwrap_or(0),
        volume(kline.taker_buy_volume),
        "0",
        "0"
    ])
}
