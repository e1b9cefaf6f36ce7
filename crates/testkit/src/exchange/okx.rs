//! OKX swaps as the stand-in speaks them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use liqheat_market::{Event, Kline, KlineKind, Qty, Side, Taker, UNIT_SCALE, UnixMs};
use serde_json::{Value, json};

use super::{EndpointLimit, Market, Path, RestReply, RestRequest, SocketReply, VenueProtocol};

/// The protocol of OKX. Contracts are of different sizes ([`OkxProtocol::size`]); symbols `BTCUSDT` are `BTC-USDT-SWAP` here.
#[derive(Debug, Default)]
pub struct OkxProtocol {
    /// Liquidations of all swaps were subscribed to.
    liquidations: AtomicBool,
    /// The message of liquidations that was sent last: the next subscriber gets it first.
    last_liquidation: Mutex<Option<String>>,
}

/// The endpoints of recent candles hold the newest ones only.
const RECENT_CANDLES: i64 = 1_440;

impl OkxProtocol {
    /// Coins in a contract, by the venue's name: 0.01 BTC, 0.1 ETH, 1 of anything else.
    #[must_use]
    pub fn size(name: &str) -> Qty {
        let parts = match name.split('-').next() {
            Some("BTC") => 100,
            Some("ETH") => 10,
            _ => 1,
        };
        Qty::from_units(UNIT_SCALE / parts)
    }

    /// The old event that comes after subscribing.
    fn repeated(&self) -> String {
        let last = self.last_liquidation.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.unwrap_or_else(|| {
            liquidation("BTC-USDT-SWAP", Side::Long, "1", "999", UnixMs(1_692_266_434_010))
        })
    }
}

impl VenueProtocol for OkxProtocol {
    fn path(&self, path: &str) -> Path {
        match path {
            "/ws/v5/public" => Path::Alive,
            // Candles and private things live there: what is asked of the public is acknowledged by nobody.
            "/ws/v5/business" => Path::Dead,
            _ => Path::Unknown,
        }
    }

    fn on_text(&self, text: &str) -> SocketReply {
        if text == "ping" {
            return SocketReply { replies: vec!["pong".to_owned()], topics: Vec::new() };
        }
        let Ok(request) = serde_json::from_str::<Value>(text) else { return SocketReply::default() };
        let (mut replies, mut topics) = (Vec::new(), Vec::new());
        for argument in request["args"].as_array().into_iter().flatten() {
            let channel = argument["channel"].as_str().unwrap_or_default();
            let name = argument["instId"].as_str().unwrap_or_default();
            if name.contains("NOPE") {
                let words = format!("Wrong URL or channel:{channel},instId:{name} doesn't exist.");
                replies.push(
                    json!({ "event": "error", "code": "60018", "msg": words, "connId": "a4d3ae55" })
                        .to_string(),
                );
                continue;
            }
            replies.push(json!({ "event": "subscribe", "arg": argument, "connId": "a4d3ae55" }).to_string());
            if channel == "liquidation-orders" {
                self.liquidations.store(true, Ordering::Relaxed);
                replies.push(self.repeated());
                continue;
            }
            topics.push(format!("{channel}:{name}"));
            // All swaps means those that the script has, which become known one by one.
            if channel == "trades" && self.liquidations.load(Ordering::Relaxed) {
                topics.push(format!("liquidation-orders:{name}"));
            }
        }
        SocketReply { replies, topics }
    }

    fn symbol_of(&self, topic: &str) -> Option<String> {
        let name = topic.split_once(':')?.1;
        Some(name.strip_suffix("-SWAP")?.replace('-', ""))
    }

    fn frame(&self, topic: &str, _symbol: &str, event: &Event, sent: UnixMs) -> Option<String> {
        let (channel, name) = topic.split_once(':')?;
        let data = match (channel, event) {
            ("trades", Event::Trade(trade)) => json!({
                "instId": name, "tradeId": trade.id.to_string(), "px": trade.price.to_string(),
                "sz": contracts(name, trade.qty), "side": if trade.taker == Taker::Buy { "buy" } else { "sell" },
                "ts": trade.time.0.to_string(), "count": "1"
            }),
            ("mark-price", Event::MarkPrice(mark)) => json!({
                "instType": "SWAP", "instId": name, "markPx": mark.price.to_string(), "ts": mark.time.0.to_string()
            }),
            ("open-interest", Event::OpenInterest(sample)) => json!({
                "instType": "SWAP", "instId": name, "oi": contracts(name, sample.qty), "oiCcy": sample.qty.to_string(),
                "ts": sample.time.0.to_string()
            }),
            ("liquidation-orders", Event::Liquidation(event)) => {
                let (price, size) = (event.price.to_string(), contracts(name, event.qty));
                let frame = liquidation(name, event.side, &price, &size, event.time);
                let mut last = self.last_liquidation.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(frame.clone());
                return Some(frame);
            }
            _ => return None,
        };
        let _ = sent;
        Some(json!({ "arg": { "channel": channel, "instId": name }, "data": [data] }).to_string())
    }

    /// Each endpoint has a limit of its own, for two seconds.
    fn limit(&self, asked: &RestRequest) -> Option<EndpointLimit> {
        let name = asked.path.rsplit('/').next()?;
        let requests = match name {
            "candles" => 40,
            "history-mark-price-candles" | "funding-rate-history" | "position-tiers" | "time" => 10,
            "open-interest-history" => 5,
            _ => 20,
        };
        Some(EndpointLimit { name: name.to_owned(), requests, per_ms: 2_000 })
    }

    fn throttled(&self) -> RestReply {
        let body = json!({ "code": "50011", "msg": "Too Many Requests", "data": [] });
        RestReply { status: 429, body: body.to_string(), weight: 1, weight_header: None }
    }

    fn answer(&self, asked: &RestRequest, market: &Market, now: UnixMs) -> RestReply {
        match asked.path.as_str() {
            "/api/v5/public/time" => return reply(&json!([{ "ts": now.0.to_string() }])),
            "/api/v5/public/instruments" => return reply(&listing(market)),
            "/api/v5/public/position-tiers" => return reply(&tiers(asked.value("instFamily"))),
            _ => {}
        }
        let name = asked.value("instId").unwrap_or_default();
        let symbol = self.symbol_of(&format!(":{name}")).unwrap_or_default();
        let known = market.until(&symbol, now);
        if known.is_empty() {
            let body = json!({ "code": "51001", "msg": "Instrument ID doesn't exist", "data": [] });
            return RestReply { status: 200, body: body.to_string(), weight: 1, weight_header: None };
        }
        let limit = usize::try_from(asked.number("limit").unwrap_or(100)).unwrap_or(0);
        // Both bounds of these are exclusive.
        let between = |time: UnixMs| {
            asked.number("before").is_none_or(|before| time.0 > before)
                && asked.number("after").is_none_or(|after| time.0 < after)
        };
        // Both bounds of these are inclusive.
        let within = |time: UnixMs| {
            asked.number("begin").is_none_or(|begin| time.0 >= begin)
                && asked.number("end").is_none_or(|end| time.0 <= end)
        };
        let newest = |mut rows: Vec<Value>| {
            rows.reverse();
            rows.truncate(limit);
            reply(&Value::Array(rows))
        };
        let recent = now.floor_to(60_000).plus(-(RECENT_CANDLES - 1) * 60_000);
        let klines = |wanted: KlineKind, oldest: UnixMs| {
            let rows = known.iter().filter_map(|event| match event {
                Event::Kline(kline)
                    if kline.kind == wanted && between(kline.open_time) && kline.open_time >= oldest =>
                {
                    Some(row(name, kline))
                }
                _ => None,
            });
            newest(rows.collect())
        };
        match asked.path.as_str() {
            "/api/v5/market/candles" => klines(KlineKind::Last, recent),
            "/api/v5/market/history-candles" => klines(KlineKind::Last, UnixMs(0)),
            "/api/v5/market/mark-price-candles" => klines(KlineKind::Mark, recent),
            "/api/v5/market/history-mark-price-candles" => klines(KlineKind::Mark, UnixMs(0)),
            "/api/v5/rubik/stat/contracts/open-interest-history" => {
                // RestReply by the start of the five minutes at whose end it was counted.
                let rows = known.iter().filter_map(|event| match event {
                    Event::OpenInterest(sample)
                        if sample.time.floor_to(300_000) == sample.time
                            && within(sample.time.plus(-300_000)) =>
                    {
                        let start = sample.time.0 - 300_000;
                        Some(json!([
                            start.to_string(),
                            contracts(name, sample.qty),
                            sample.qty.to_string(),
                            "0"
                        ]))
                    }
                    _ => None,
                });
                newest(rows.collect())
            }
            "/api/v5/public/funding-rate-history" => {
                let rows = known.iter().filter_map(|event| match event {
                    Event::Funding(payment) if between(payment.time) => Some(json!({
                        "instId": name, "fundingRate": "0", "realizedRate": payment.rate.to_string(),
                        "fundingTime": payment.time.0.to_string()
                    })),
                    _ => None,
                });
                newest(rows.collect())
            }
            _ => RestReply { status: 404, body: "{}".to_owned(), weight: 1, weight_header: None },
        }
    }
}

/// The contracts of the market, after some odd ones.
fn listing(market: &Market) -> Value {
    let rows = market.symbols().filter_map(|symbol| {
        let coin = symbol.strip_suffix("USDT")?;
        let name = format!("{coin}-USDT-SWAP");
        // The size is the product of two numbers.
        let ten = Qty::from_units(OkxProtocol::size(&name).units() / 10);
        Some(json!({
            "instId": name, "instType": "SWAP", "instCategory": "1", "ctVal": ten.to_string(),
            "ctValCcy": coin, "ctMult": "10", "ctType": "linear", "state": "live"
        }))
    });
    odd_instruments().into_iter().chain(rows).collect()
}

fn tiers(family: Option<&str>) -> Value {
    json!([
        { "imr": "0.01", "instFamily": family, "instId": "", "maxLever": "100",
          "maxSz": "1000", "minSz": "0", "mmr": "0.004", "tier": "1" },
        { "imr": "0.0125", "instFamily": family, "instId": "", "maxLever": "80",
          "maxSz": "2000", "minSz": "1000.01", "mmr": "0.005", "tier": "2" }
    ])
}

/// Rows that clients have stumbled over: one that has not opened and whose numbers are empty, a size that cannot be held,
/// a stock.
fn odd_instruments() -> [Value; 3] {
    [
        json!({
            "instId": "SOON-USDT-SWAP", "instType": "SWAP", "instCategory": "1", "ctVal": "", "ctValCcy": "",
            "ctMult": "", "ctType": "linear", "state": "preopen", "tickSz": ""
        }),
        json!({
            "instId": "HUGE-USDT-SWAP", "instType": "SWAP", "instCategory": "1", "ctVal": "90000000000",
            "ctValCcy": "HUGE", "ctMult": "1000000000000", "ctType": "linear", "state": "live"
        }),
        json!({
            "instId": "QNT-USDT-SWAP", "instType": "SWAP", "instCategory": "3", "ctVal": "1", "ctValCcy": "QNT",
            "ctMult": "1", "ctType": "linear", "state": "live"
        }),
    ]
}

fn liquidation(name: &str, side: Side, price: &str, size: &str, time: UnixMs) -> String {
    let (position, order) = if side == Side::Long { ("long", "sell") } else { ("short", "buy") };
    json!({
        "arg": { "channel": "liquidation-orders", "instType": "SWAP" },
        "data": [{
            "details": [{
                "bkLoss": "0", "bkPx": price, "ccy": "", "posSide": position, "side": order, "sz": size,
                "ts": time.0.to_string()
            }],
            "instFamily": name.trim_end_matches("-SWAP"), "instId": name, "instType": "SWAP",
            "uly": name.trim_end_matches("-SWAP")
        }]
    })
    .to_string()
}

fn contracts(name: &str, coins: Qty) -> String {
    Qty::from_units(coins.units() * (i128::from(UNIT_SCALE) / OkxProtocol::size(name).units())).to_string()
}

fn reply(data: &Value) -> RestReply {
    let body = json!({ "code": "0", "msg": "", "data": data });
    RestReply { status: 200, body: body.to_string(), weight: 1, weight_header: None }
}

fn row(name: &str, kline: &Kline) -> Value {
    let mut row: Vec<String> = vec![kline.open_time.0.to_string()];
    row.extend([kline.open, kline.high, kline.low, kline.close].map(|price| price.to_string()));
    if kline.kind == KlineKind::Last {
        let coins = kline.volume.unwrap_or_default();
        row.extend([contracts(name, coins), coins.to_string(), "0".to_owned()]);
    }
    row.push("1".to_owned());
    json!(row)
}
