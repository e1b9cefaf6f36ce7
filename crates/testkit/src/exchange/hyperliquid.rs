//! Hyperliquid as the stand-in speaks it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use liqheat_market::convert::split_i128;
use liqheat_market::{Event, Kline, KlineKind, Liquidation, Price, Qty, Side, Taker, UnixMs};
use serde_json::{Value, json};

use super::{Market, Path, RestReply, RestRequest, SocketReply, StandInAccounts, VenueProtocol};

/// The protocol of Hyperliquid; symbols `BTCUSDT` are `BTC` here. Liquidations appear in fills only: those of
/// [`HyperliquidProtocol::LIQUIDATED`], to whom all of the script happen, and of any other account, which has traded against
/// it each time.
#[derive(Debug, Default)]
pub struct HyperliquidProtocol {
    /// Mark price and open interest of each coin: they arrive together.
    contexts: Mutex<BTreeMap<String, (Option<Price>, Qty)>>,
    /// Coins whose trades were subscribed to: fills of an account are sent for these.
    coins: Mutex<BTreeSet<String>>,
    /// Accounts whose positions anybody may ask for, with positions in the first coin of the market.
    accounts: StandInAccounts,
}

impl HyperliquidProtocol {
    /// Whose positions are liquidated.
    pub const LIQUIDATED: &'static str = "0x5ef843ccf26810073ee689a954f6d05f5b48fccb";

    /// Whether a vault takes the position over, and no order in the book closes it.
    #[must_use]
    pub const fn is_backstop(liquidation: &Liquidation) -> bool {
        liquidation.time.0 % 3 == 0
    }

    /// The vault that takes positions over, and sheds them by deleveraging others.
    pub const VAULT: &'static str = "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14";

    /// Candles that are kept.
    const CANDLES_KEPT: i64 = 5_000;

    /// Fills of an account that a subscription begins with.
    const FILLS_REPEATED: usize = 2_000;

    /// The id of a trade of the script: unique, and not consecutive.
    #[must_use]
    pub const fn tid(id: i64) -> i64 {
        // An odd factor maps the ids below 2^48 one to one.
        id.wrapping_mul(0x5851_F42D_4C95) & 0xFFFF_FFFF_FFFF
    }

    /// With accounts: they are on its leaderboard and make its trades.
    #[must_use]
    pub fn with_accounts(self, accounts: StandInAccounts) -> Self {
        Self { accounts, ..self }
    }

    fn contexts(&self) -> MutexGuard<'_, BTreeMap<String, (Option<Price>, Qty)>> {
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VenueProtocol for HyperliquidProtocol {
    fn path(&self, path: &str) -> Path {
        if path == "/ws" { Path::Alive } else { Path::Unknown }
    }

    fn on_text(&self, text: &str) -> SocketReply {
        let Ok(request) = serde_json::from_str::<Value>(text) else { return SocketReply::default() };
        if request["method"] == "ping" {
            return SocketReply {
                replies: vec![json!({ "channel": "pong" }).to_string()],
                topics: Vec::new(),
            };
        }
        let subscription = &request["subscription"];
        let mut coins = self.coins.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = subscription["type"].as_str().unwrap_or_default();
        let coin = subscription["coin"].as_str().unwrap_or_default();
        if coin.contains("NOPE") {
            let words = format!("Invalid subscription {subscription}");
            return SocketReply {
                replies: vec![json!({ "channel": "error", "data": words }).to_string()],
                topics: Vec::new(),
            };
        }
        let reply = json!({
            "channel": "subscriptionResponse",
            "data": { "method": request["method"], "subscription": subscription }
        });
        let topics = match subscription["user"].as_str() {
            Some(user) => coins.iter().map(|coin| format!("{kind}:{coin}:{user}")).collect(),
            None => {
                coins.insert(coin.to_owned());
                vec![format!("{kind}:{coin}")]
            }
        };
        SocketReply { replies: vec![reply.to_string()], topics }
    }

    fn symbol_of(&self, topic: &str) -> Option<String> {
        Some(format!("{}USDT", topic.split(':').nth(1)?))
    }

    fn welcome(&self, topic: &str, known: &[Event]) -> Option<String> {
        let ("userFills", coin, user) = parts(topic)? else { return None };
        let rows = known.iter().filter_map(|event| match event {
            Event::Liquidation(liquidation) => Some(fill(coin, user, liquidation)),
            _ => None,
        });
        Some(fills(user, true, &rows.rev().take(Self::FILLS_REPEATED).collect::<Vec<_>>()))
    }

    fn frame(&self, topic: &str, _symbol: &str, event: &Event, _sent: UnixMs) -> Option<String> {
        let (kind, coin, user) = parts(topic)?;
        let frame = match (kind, event) {
            ("trades", Event::Trade(trade)) => json!({ "channel": "trades", "data": [{
                "coin": coin, "side": if trade.taker == Taker::Buy { "B" } else { "A" },
                "px": trade.price.to_string(), "sz": trade.qty.to_string(), "hash": "0x6c5e3f", "time": trade.time.0,
                "tid": Self::tid(trade.id), "users": self.accounts.traders(trade.id)
            }] }),
            ("userFills", Event::Liquidation(liquidation)) => {
                let mut rows = vec![fill(coin, user, liquidation)];
                if Self::is_backstop(liquidation) {
                    rows.push(deleveraging(coin, liquidation));
                }
                return Some(fills(user, false, &rows));
            }
            // An account also trades without being liquidated.
            ("userFills", Event::Trade(trade)) if trade.id % 16 == 0 => {
                let mut row = fill_row(coin, trade.price, trade.qty, trade.time, Self::tid(trade.id));
                row["side"] = json!(if trade.taker == Taker::Buy { "B" } else { "A" });
                return Some(fills(user, false, &[row]));
            }
            ("candle", Event::Kline(kline)) if kline.kind == KlineKind::Last => {
                json!({ "channel": "candle", "data": candle(coin, kline) })
            }
            ("activeAssetCtx", Event::MarkPrice(_) | Event::OpenInterest(_)) => {
                let mut contexts = self.contexts();
                let (mark, open_interest) = contexts.entry(coin.to_owned()).or_default();
                match event {
                    Event::MarkPrice(tick) => *mark = Some(tick.price),
                    Event::OpenInterest(sample) => *open_interest = sample.qty,
                    _ => {}
                }
                let mark = (*mark)?;
                json!({ "channel": "activeAssetCtx", "data": { "coin": coin, "ctx": context(mark, *open_interest) } })
            }
            _ => return None,
        };
        Some(frame.to_string())
    }

    fn answer(&self, asked: &RestRequest, market: &Market, now: UnixMs) -> RestReply {
        if asked.path == "/Mainnet/leaderboard" {
            return reply(200, &self.accounts.leaderboard(), 0);
        }
        let Ok(question) = serde_json::from_str::<Value>(&asked.body) else {
            return reply(422, &json!("Failed to deserialize the JSON body into the target type"), 1);
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
            "exchangeStatus" => reply(200, &json!({ "specialStatuses": null, "time": now.0 }), 20),
            "candleSnapshot" => {
                let oldest = now.floor_to(60_000).plus(-(Self::CANDLES_KEPT - 1) * 60_000);
                let rows = known.iter().filter_map(|event| match event {
                    Event::Kline(kline)
                        if kline.kind == KlineKind::Last
                            && within(kline.open_time)
                            && kline.open_time >= oldest =>
                    {
                        Some(candle(coin, kline))
                    }
                    _ => None,
                });
                let rows: Vec<Value> = rows.take(5_000).collect();
                let weight = 20 + u32::try_from(rows.len() / 60).unwrap_or_default();
                reply(200, &Value::Array(rows), weight)
            }
            "clearinghouseState" => {
                let user = question["user"].as_str().unwrap_or_default();
                let Some(coin) = market.symbols().find_map(|symbol| symbol.strip_suffix("USDT")) else {
                    return reply(500, &Value::Null, 2);
                };
                let known = market.until(&format!("{coin}USDT"), now);
                let mark = mark_of(known).map_or(self.accounts.reference, Price::to_f64);
                reply(200, &self.accounts.state(user, coin, mark, now), 2)
            }
            "fundingHistory" => {
                let rows = known.iter().filter_map(|event| match event {
                    Event::Funding(payment) if within(payment.time) => Some(json!({
                        "coin": coin, "fundingRate": payment.rate.to_string(), "premium": "0", "time": payment.time.0
                    })),
                    _ => None,
                });
                reply(200, &rows.take(500).collect(), 20)
            }
            "meta" | "metaAndAssetCtxs" => {
                let coins: Vec<&str> =
                    market.symbols().filter_map(|symbol| symbol.strip_suffix("USDT")).collect();
                let mut universe: Vec<Value> = coins
                    .iter()
                    .map(|coin| json!({ "szDecimals": 5, "name": coin, "maxLeverage": 40, "marginTableId": 56 }))
                    .collect();
                // Nothing that can be traded, and a row without a name.
                universe
                    .push(json!({ "szDecimals": 1, "name": "GONE", "maxLeverage": 3, "isDelisted": true }));
                universe.push(json!({ "szDecimals": 1, "name": null, "maxLeverage": 3, "isDelisted": null }));
                let meta = json!({ "universe": universe, "collateralToken": 0, "marginTables": [[56, {
                    "description": "tiered 40x", "marginTiers": [
                        { "lowerBound": "0.0", "maxLeverage": 40 }, { "lowerBound": "150000000.0", "maxLeverage": 20 }
                    ]
                }]] });
                if kind == "meta" {
                    return reply(200, &meta, 20);
                }
                let contexts: Vec<Value> = coins
                    .iter()
                    .map(|coin| newest_context(market.until(&format!("{coin}USDT"), now)))
                    .collect();
                reply(200, &json!([meta, contexts]), 20)
            }
            _ => reply(422, &json!("Failed to deserialize the JSON body into the target type"), 1),
        }
    }
}

/// Kind, coin and account of a topic.
fn parts(topic: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = topic.split_once(':')?;
    let (coin, user) = rest.split_once(':').unwrap_or((rest, ""));
    Some((kind, coin, user))
}

fn fills(user: &str, is_snapshot: bool, rows: &[Value]) -> String {
    let mut data = json!({ "user": user, "fills": rows });
    if is_snapshot {
        data["isSnapshot"] = json!(true);
    }
    json!({ "channel": "userFills", "data": data }).to_string()
}

fn fill_row(coin: &str, price: Price, qty: Qty, time: UnixMs, tid: i64) -> Value {
    json!({
        "coin": coin, "px": price.to_string(), "sz": qty.to_string(), "time": time.0, "startPosition": "1.0",
        "dir": "Open Long", "closedPnl": "0.0", "hash": "0x6c5e3f", "oid": 90_542_681, "crossed": true,
        "fee": "0.01", "tid": tid, "feeToken": "USDC", "twapId": null
    })
}

/// A liquidation as the account's own fill: what the liquidation did, or the opposite of it.
fn fill(coin: &str, user: &str, liquidation: &Liquidation) -> Value {
    let sold = (liquidation.side == Side::Long) == (user == HyperliquidProtocol::LIQUIDATED);
    // The same for both sides of the trade.
    let tid = HyperliquidProtocol::tid(liquidation.time.0 ^ split_i128(liquidation.qty.units())[0]);
    let mut row = fill_row(coin, liquidation.price, liquidation.qty, liquidation.time, tid);
    row["side"] = json!(if sold { "A" } else { "B" });
    row["liquidation"] = json!({
        "liquidatedUser": HyperliquidProtocol::LIQUIDATED, "markPx": liquidation.price.to_string(),
        "method": if HyperliquidProtocol::is_backstop(liquidation) { "backstop" } else { "market" }
    });
    row
}

/// What the vault took over it sheds: the other account had gained.
fn deleveraging(coin: &str, liquidation: &Liquidation) -> Value {
    let tid = HyperliquidProtocol::tid(!(liquidation.time.0 ^ split_i128(liquidation.qty.units())[0]));
    let mut row = fill_row(coin, liquidation.price, liquidation.qty, liquidation.time.plus(1), tid);
    row["side"] = json!(if liquidation.side == Side::Long { "A" } else { "B" });
    row["dir"] = json!("Auto-Deleveraging");
    row["liquidation"] = json!({
        "liquidatedUser": HyperliquidProtocol::VAULT, "markPx": liquidation.price.to_string(), "method": "backstop"
    });
    row
}

fn mark_of(known: &[Event]) -> Option<Price> {
    known.iter().rev().find_map(|event| match event {
        Event::MarkPrice(tick) => Some(tick.price),
        _ => None,
    })
}

fn newest_context(known: &[Event]) -> Value {
    let mark = mark_of(known);
    let sample = known.iter().rev().find_map(|event| match event {
        Event::OpenInterest(sample) => Some(sample.qty),
        _ => None,
    });
    context(mark.unwrap_or(Price::from_units(1)), sample.unwrap_or_default())
}

/// Open interest of both sides.
fn context(mark: Price, open_interest: Qty) -> Value {
    json!({
        "funding": "0.0000125", "openInterest": Qty::from_units(open_interest.units() * 2).to_string(), "prevDayPx": "1",
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

fn reply(status: u16, body: &Value, weight: u32) -> RestReply {
    RestReply { status, body: body.to_string(), weight, weight_header: None }
}
