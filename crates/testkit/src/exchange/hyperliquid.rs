//! Hyperliquid as the stand-in speaks it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use liqheat_market::{Event, Kline, KlineKind, Price, Qty, Taker, UnixMs};
use serde_json::{Value, json};

use super::{Asked, Heard, Market, Path, Told, Voice};

/// The words of Hyperliquid; symbols `BTCUSDT` are `BTC` here. Nothing is told of liquidations.
#[derive(Debug, Default)]
pub struct HyperliquidVoice {
    /// Mark price and open interest of each coin: they are told together.
    contexts: Mutex<BTreeMap<String, (Option<Price>, Qty)>>,
}

impl HyperliquidVoice {
    /// The id under which a trade of the script is told: unique, and not consecutive.
    #[must_use]
    pub const fn tid(id: i64) -> i64 {
        // An odd factor maps the ids below 2^48 one to one.
        id.wrapping_mul(0x5851_F42D_4C95) & 0xFFFF_FFFF_FFFF
    }

    fn contexts(&self) -> MutexGuard<'_, BTreeMap<String, (Option<Price>, Qty)>> {
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Voice for HyperliquidVoice {
    fn path(&self, path: &str) -> Path {
        if path == "/ws" { Path::Alive } else { Path::Unknown }
    }

    fn hear(&self, text: &str) -> Heard {
        let Ok(request) = serde_json::from_str::<Value>(text) else { return Heard::default() };
        if request["method"] == "ping" {
            return Heard { replies: vec![json!({ "channel": "pong" }).to_string()], topics: Vec::new() };
        }
        let subscription = &request["subscription"];
        let kind = subscription["type"].as_str().unwrap_or_default();
        let coin = subscription["coin"].as_str().unwrap_or_default();
        if coin.contains("NOPE") {
            let words = format!("Invalid subscription {subscription}");
            return Heard {
                replies: vec![json!({ "channel": "error", "data": words }).to_string()],
                topics: Vec::new(),
            };
        }
        let reply = json!({
            "channel": "subscriptionResponse",
            "data": { "method": request["method"], "subscription": subscription }
        });
        Heard { replies: vec![reply.to_string()], topics: vec![format!("{kind}:{coin}")] }
    }

    fn symbol_of(&self, topic: &str) -> Option<String> {
        Some(format!("{}USDT", topic.split_once(':')?.1))
    }

    fn say(&self, topic: &str, _symbol: &str, event: &Event, _sent: UnixMs) -> Option<String> {
        let (kind, coin) = topic.split_once(':')?;
        let frame = match (kind, event) {
            ("trades", Event::Trade(trade)) => json!({ "channel": "trades", "data": [{
                "coin": coin, "side": if trade.taker == Taker::Buy { "B" } else { "A" },
                "px": trade.price.to_string(), "sz": trade.qty.to_string(), "hash": "0x6c5e3f", "time": trade.time.0,
                "tid": Self::tid(trade.id), "users": ["0x1", "0x2"]
            }] }),
            ("candle", Event::Kline(kline)) if kline.kind == KlineKind::Last => {
                json!({ "channel": "candle", "data": candle(coin, kline) })
            }
            ("activeAssetCtx", Event::MarkPrice(_) | Event::OpenInterest(_)) => {
                let mut contexts = self.contexts();
                let (mark, stock) = contexts.entry(coin.to_owned()).or_default();
                match event {
                    Event::MarkPrice(tick) => *mark = Some(tick.price),
                    Event::OpenInterest(sample) => *stock = sample.qty,
                    _ => {}
                }
                let mark = (*mark)?;
                json!({ "channel": "activeAssetCtx", "data": { "coin": coin, "ctx": context(mark, *stock) } })
            }
            _ => return None,
        };
        Some(frame.to_string())
    }

    fn answer(&self, asked: &Asked, market: &Market, now: UnixMs) -> Told {
        let Ok(question) = serde_json::from_str::<Value>(&asked.body) else {
            return told(422, &json!("Failed to deserialize the JSON body into the target type"), 1);
        };
        let kind = question["type"].as_str().unwrap_or_default();
        let wanted = if question["req"].is_object() { &question["req"] } else { &question };
        let coin = wanted["coin"].as_str().unwrap_or_default();
        let known = market.until(&format!("{coin}USDT"), now);
        let within = |time: UnixMs| {
            wanted["startTime"].as_i64().is_none_or(|from| time.0 >= from)
                && wanted["endTime"].as_i64().is_none_or(|to| time.0 <= to)
        };
        match kind {
            "exchangeStatus" => told(200, &json!({ "specialStatuses": null, "time": now.0 }), 20),
            "candleSnapshot" => {
                let rows = known.iter().filter_map(|event| match event {
                    Event::Kline(kline) if kline.kind == KlineKind::Last && within(kline.open_time) => {
                        Some(candle(coin, kline))
                    }
                    _ => None,
                });
                let rows: Vec<Value> = rows.take(5_000).collect();
                let weight = 20 + u32::try_from(rows.len() / 60).unwrap_or_default();
                told(200, &Value::Array(rows), weight)
            }
            "fundingHistory" => {
                let rows = known.iter().filter_map(|event| match event {
                    Event::Funding(payment) if within(payment.time) => Some(json!({
                        "coin": coin, "fundingRate": payment.rate.to_string(), "premium": "0", "time": payment.time.0
                    })),
                    _ => None,
                });
                told(200, &rows.take(500).collect(), 20)
            }
            "meta" | "metaAndAssetCtxs" => {
                let coins: Vec<&str> =
                    market.symbols().filter_map(|symbol| symbol.strip_suffix("USDT")).collect();
                let universe: Vec<Value> = coins
                    .iter()
                    .map(|coin| json!({ "szDecimals": 5, "name": coin, "maxLeverage": 40, "marginTableId": 56 }))
                    .collect();
                let meta = json!({ "universe": universe, "collateralToken": 0, "marginTables": [[56, {
                    "description": "tiered 40x", "marginTiers": [
                        { "lowerBound": "0.0", "maxLeverage": 40 }, { "lowerBound": "150000000.0", "maxLeverage": 20 }
                    ]
                }]] });
                if kind == "meta" {
                    return told(200, &meta, 20);
                }
                let contexts: Vec<Value> = coins
                    .iter()
                    .map(|coin| newest_context(market.until(&format!("{coin}USDT"), now)))
                    .collect();
                told(200, &json!([meta, contexts]), 20)
            }
            _ => told(422, &json!("Failed to deserialize the JSON body into the target type"), 1),
        }
    }
}

fn newest_context(known: &[Event]) -> Value {
    let mark = known.iter().rev().find_map(|event| match event {
        Event::MarkPrice(tick) => Some(tick.price),
        _ => None,
    });
    let stock = known.iter().rev().find_map(|event| match event {
        Event::OpenInterest(sample) => Some(sample.qty),
        _ => None,
    });
    context(mark.unwrap_or(Price::from_units(1)), stock.unwrap_or_default())
}

/// Open interest of both sides.
fn context(mark: Price, stock: Qty) -> Value {
    json!({
        "funding": "0.0000125", "openInterest": Qty::from_units(stock.units() * 2).to_string(), "prevDayPx": "1",
        "dayNtlVlm": "0.0", "premium": null, "oraclePx": mark.to_string(), "markPx": mark.to_string(), "midPx": null,
        "impactPxs": null, "dayBaseVlm": "0.0"
    })
}

fn candle(coin: &str, kline: &Kline) -> Value {
    json!({
        "t": kline.open_time.0, "T": kline.close_time().0 - 1, "s": coin, "i": "1m", "o": kline.open.to_string(),
        "c": kline.close.to_string(), "h": kline.high.to_string(), "l": kline.low.to_string(),
        "v": kline.volume.unwrap_or_default().to_string(), "n": kline.trades.unwrap_or(0)
    })
}

fn told(status: u16, body: &Value, weight: u32) -> Told {
    Told { status, body: body.to_string(), weight, weight_header: None }
}
