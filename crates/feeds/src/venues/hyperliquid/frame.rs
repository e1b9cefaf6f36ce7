//! What Hyperliquid's stream sends, as it is written there. Unknown keys are ignored.
//!
//! Every message is `{"channel":..,"data":..}`. [`Head`] names the channel; it says which of the other types the same
//! text is. Payloads are shortened where they have `…`.
//!
//! Subscriptions and their messages: <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>; pings: <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/timeouts-and-heartbeats>.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venues::fields::Decimal;
use crate::venues::rows::RawRows;

/// Which kind of message it is: `{"channel":"pong"}`.
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/timeouts-and-heartbeats>
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
}

/// The contents of a message: what is under `data` of all below.
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
#[derive(Debug, Deserialize)]
pub(super) struct Body<T> {
    pub(super) data: T,
}

/// `{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"userFills","user":"0x7eaadf1989ccf0de8d49bd96d97f3677db834295","aggregateByTime":false}}}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
#[derive(Debug, Deserialize)]
pub(super) struct SubscriptionResponse {
    pub(super) method: String,
}

/// `{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"63719.0","sz":"0.00016","time":1785251456343,"hash":"0x668506587a64f61a67fe0425a1e37c0102001e3e156814ec0a4db1ab3968d005","tid":447757798903687,"users":["0xfc6d60b8551bed2d193f9b0773bb8b39a4b27d1d","0xaa95650c5295f03294c8f0d7476b4874f5ac00e7"]},…]}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
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

/// `{"channel":"userFills","data":{"isSnapshot":true,"user":"0x7eaadf1989ccf0de8d49bd96d97f3677db834295","fills":[]}}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
///
/// Rows are [`FillRow`]. Without `isSnapshot` these are new ones.
#[derive(Debug, Deserialize)]
pub(super) struct UserFills<'a> {
    #[serde(rename = "isSnapshot", default)]
    pub(super) is_snapshot: Option<bool>,
    #[serde(borrow)]
    pub(super) user: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) fills: RawRows<'a>,
}

/// `{"coin":"BTC","px":"66653.0","sz":"0.001","side":"A","time":1781528065899,"startPosition":"-0.0213","dir":"Open Short","closedPnl":"0.0","hash":"0xe29fd267b4d2c6f0e41904231bbec90000daea4d4fd5e5c286687dba73d6a0db","oid":55030848197,"crossed":false,"fee":"0.009997","tid":745210434703679,"cloid":"0xe8d5fd7ebbb4c3cff4d1803472a11463","liquidation":{"liquidatedUser":"0x10ebc1139610eb14d4d62574d839f8f01f802867","markPx":"66607.0","method":"market"},"feeToken":"USDC","twapId":null}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
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

/// `{"liquidatedUser":"0x10ebc1139610eb14d4d62574d839f8f01f802867","markPx":"66607.0","method":"market"}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
///
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

/// `{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000125","openInterest":"34715.04452","prevDayPx":"83388.0","dayNtlVlm":"2524355036.618314743","premium":"-0.0001513106","oraclePx":"85916.0","markPx":"85896.4","midPx":"85902.5","impactPxs":["85902.0","85903.0"],"dayBaseVlm":"29799.4898"}}}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
#[derive(Debug, Deserialize)]
pub(super) struct ActiveContext<'a> {
    #[serde(borrow)]
    pub(super) coin: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) ctx: AssetContext<'a>,
}

/// `{"funding":"0.0000125","openInterest":"34715.04452",…,"markPx":"85896.4",…}`: also one element of an answer to
/// `metaAndAssetCtxs`, <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals>.
///
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

/// `{"channel":"candle","data":{"t":1790927520000,"T":1790927579999,"s":"BTC","i":"1m","o":"85891.0","c":"85903.0","h":"85903.0","l":"85887.0","v":"6.19755","n":58}}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions>
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
