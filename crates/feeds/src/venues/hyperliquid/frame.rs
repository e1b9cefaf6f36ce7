//! What Hyperliquid's stream sends, as it is written there. Unknown keys are ignored.
//!
//! Every message is `{"channel":..,"data":..}`. [`Head`] names the channel; it says which of the other types the same
//! text is.
//!
//! Subscriptions and their messages: <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>; pings: <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/timeouts-and-heartbeats>.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venues::fields::Decimal;
use crate::venues::rows::RawRows;

/// Which kind of message it is: `{"channel":"pong"}`.
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
}

/// The contents of a message.
#[derive(Debug, Deserialize)]
pub(super) struct Body<T> {
    pub(super) data: T,
}

/// `{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}}`
#[derive(Debug, Deserialize)]
pub(super) struct SubscriptionResponse {
    pub(super) method: String,
}

/// `{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"65000.0","sz":"0.01","hash":"0xabc","time":1710000000000,"tid":118906512037719,"users":["0x1","0x2"]}]}`
///
/// `side` is the taker's: `B` bought, `A` sold. `tid` is made from the two orders: unique, not consecutive. Whether a
/// trade closed a liquidated position is not said. Some recent trades are sent again after subscribing.
#[derive(Debug, Deserialize)]
pub(super) struct TradeRow<'a> {
    #[serde(borrow)]
    pub(super) coin: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) side: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) px: Decimal<'a>,
    #[serde(borrow)]
    pub(super) sz: Decimal<'a>,
    pub(super) time: i64,
    pub(super) tid: i64,
    /// Both accounts. Whether buyer and seller or maker and taker does not matter here.
    #[serde(borrow, default)]
    pub(super) users: Option<&'a RawValue>,
}

/// `{"channel":"userFills","data":{"isSnapshot":true,"user":"0xa7..","fills":[..]}}`
///
/// Without `isSnapshot` these are new ones.
#[derive(Debug, Deserialize)]
pub(super) struct UserFills<'a> {
    #[serde(rename = "isSnapshot", default)]
    pub(super) is_snapshot: Option<bool>,
    #[serde(borrow)]
    pub(super) user: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) fills: RawRows<'a>,
}

/// `{"coin":"SOL","px":"72.153","sz":"0.58","side":"A","time":1782636233257,"startPosition":"-162.6","dir":"Open Short","closedPnl":"0.0","hash":"0xdc..","oid":481702553903,"crossed":false,"fee":"-0.001255","tid":340554939716632,"liquidation":{"liquidatedUser":"0x5e..","markPx":"72.149","method":"market"},"feeToken":"USDC","twapId":null}`
///
/// `side` is that of the account whose fill it is: `B` bought, `A` sold. `tid` is that of the trade, the same for both
/// who made it. Fills of everything an account trades are here, spot pairs and contracts of builders too.
#[derive(Debug, Deserialize)]
pub(super) struct FillRow<'a> {
    #[serde(borrow)]
    pub(super) coin: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) px: Decimal<'a>,
    #[serde(borrow)]
    pub(super) sz: Decimal<'a>,
    #[serde(borrow)]
    pub(super) side: Cow<'a, str>,
    pub(super) time: i64,
    /// What it did to the position of the account, in words.
    #[serde(borrow, default)]
    pub(super) dir: Option<Cow<'a, str>>,
    pub(super) tid: i64,
    #[serde(borrow, default)]
    pub(super) liquidation: Option<FillLiquidation<'a>>,
}

/// The mark of a fill that closed a liquidated position: of the account whose fill it is, or of the one on the other
/// side. `method` is `market` where an order in the book closed it, `backstop` where a vault took it over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FillLiquidation<'a> {
    #[serde(borrow, default)]
    pub(super) liquidated_user: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) method: Option<Cow<'a, str>>,
}

/// `{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"-0.0000015186","openInterest":"27353.17682","prevDayPx":"76317.0","dayNtlVlm":"1516669192.1953897476","premium":"-0.0005927453","oraclePx":"77605.0","markPx":"77562.0","midPx":"77558.5","impactPxs":["77558.0","77559.0"],"dayBaseVlm":"19707.77457"}}}`
#[derive(Debug, Deserialize)]
pub(super) struct ActiveContext<'a> {
    #[serde(borrow)]
    pub(super) coin: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) ctx: AssetContext<'a>,
}

/// The state of one contract. It carries no time: it holds when it arrives. `openInterest` is in coins and counts BOTH
/// sides; `funding` is the rate an hour as it stands, not a payment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AssetContext<'a> {
    #[serde(borrow)]
    pub(super) open_interest: Decimal<'a>,
    #[serde(borrow, default)]
    pub(super) mark_px: Option<Decimal<'a>>,
}

/// `{"channel":"candle","data":{"t":1785053340000,"T":1785053399999,"s":"BTC","i":"1m","o":"64340.0","c":"64352.0","h":"64354.0","l":"64340.0","v":"1.07768","n":79}}`
///
/// The running candle, sent when it changes. Nothing marks the last one: the last comes before the close, and the next
/// candle says that this one is over.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Candle<'a> {
    #[serde(rename = "t")]
    pub(super) open_time: i64,
    #[serde(borrow, rename = "s")]
    pub(super) coin: Cow<'a, str>,
    #[serde(borrow, rename = "i")]
    pub(super) interval: Cow<'a, str>,
    #[serde(borrow, rename = "o")]
    pub(super) open: Decimal<'a>,
    #[serde(borrow, rename = "c")]
    pub(super) close: Decimal<'a>,
    #[serde(borrow, rename = "h")]
    pub(super) high: Decimal<'a>,
    #[serde(borrow, rename = "l")]
    pub(super) low: Decimal<'a>,
    #[serde(borrow, rename = "v")]
    pub(super) volume: Decimal<'a>,
    #[serde(rename = "n")]
    pub(super) trades: i64,
}
