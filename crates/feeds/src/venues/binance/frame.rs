//! Frames as Binance sends them. Only the keys that are used; all others are passed over.
//!
//! Subscribing: <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Live-Subscribing-Unsubscribing-to-streams>.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venues::fields::Decimal;

/// A wrapped event, or an answer to a request of ours: `{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade",…}}`,
/// `{"result":null,"id":1}`, `{"error":{"code":2,"msg":"Invalid request: unknown variant"},"id":1}`.
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Live-Subscribing-Unsubscribing-to-streams>
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    /// Answers carry the id of the request.
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
}

/// What every event begins with.
#[derive(Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(borrow, rename = "e")]
    pub(super) event: std::borrow::Cow<'a, str>,
}

/// `aggTrade`, and `trade`, whose id has another key.
///
/// `{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1791391082024,"a":3478018549,"s":"BTCUSDT","p":"83434.40","q":"0.016","nq":"0.016","f":8154045700,"l":8154045704,"T":1791391081874,"m":true,"st":1}}`
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Aggregate-Trade-Streams>
#[derive(Deserialize)]
pub(super) struct TradeFrame<'a> {
    #[serde(rename = "E")]
    pub(super) sent: i64,
    #[serde(borrow, rename = "s")]
    pub(super) name: std::borrow::Cow<'a, str>,
    #[serde(alias = "t", rename = "a")]
    pub(super) id: i64,
    #[serde(borrow, rename = "p")]
    pub(super) price: Decimal<'a>,
    #[serde(borrow, rename = "q")]
    pub(super) qty: Decimal<'a>,
    #[serde(rename = "T")]
    pub(super) time: i64,
    #[serde(rename = "m")]
    pub(super) buyer_is_maker: bool,
    #[serde(rename = "st")]
    pub(super) market: Option<i64>,
    /// `MARKET` for trades of the order book; insurance fund and ADL say otherwise.
    #[serde(borrow, rename = "X")]
    pub(super) origin: Option<std::borrow::Cow<'a, str>>,
}

/// `markPriceUpdate`.
///
/// `{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091","P":"11784.25641265","r":"0.00038167","T":1562306400000}`
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Mark-Price-Stream>
#[derive(Deserialize)]
pub(super) struct MarkFrame<'a> {
    #[serde(rename = "E")]
    pub(super) sent: i64,
    #[serde(borrow, rename = "s")]
    pub(super) name: std::borrow::Cow<'a, str>,
    #[serde(borrow, rename = "p")]
    pub(super) price: Decimal<'a>,
    #[serde(rename = "st")]
    pub(super) market: Option<i64>,
}

/// `kline`.
///
/// `{"stream":"akrousdt@kline_1m","data":{"e":"kline","E":1626992742139,"s":"AKROUSDT","k":{"t":1626992700000,"T":1626992759999,"s":"AKROUSDT","i":"1m","f":27931328,"L":27931348,"o":"0.01731","c":"0.01731","h":"0.01733","l":"0.01731","v":"156058","n":21,"x":false,"q":"2702.20770","V":"68508","Q":"1186.71720","B":"0"}}}`
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Kline-Candlestick-Streams>
#[derive(Deserialize)]
pub(super) struct KlineFrame<'a> {
    #[serde(rename = "E")]
    pub(super) sent: i64,
    #[serde(borrow, rename = "s")]
    pub(super) name: std::borrow::Cow<'a, str>,
    #[serde(borrow, rename = "k")]
    pub(super) kline: KlineBody<'a>,
    #[serde(rename = "st")]
    pub(super) market: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct KlineBody<'a> {
    #[serde(rename = "t")]
    pub(super) open_time: i64,
    #[serde(borrow, rename = "i")]
    pub(super) interval: std::borrow::Cow<'a, str>,
    #[serde(borrow, rename = "o")]
    pub(super) open: Decimal<'a>,
    #[serde(borrow, rename = "h")]
    pub(super) high: Decimal<'a>,
    #[serde(borrow, rename = "l")]
    pub(super) low: Decimal<'a>,
    #[serde(borrow, rename = "c")]
    pub(super) close: Decimal<'a>,
    #[serde(borrow, rename = "v")]
    pub(super) volume: Decimal<'a>,
    #[serde(borrow, rename = "V")]
    pub(super) taker_buy: Decimal<'a>,
    #[serde(rename = "n")]
    pub(super) trades: i64,
    #[serde(rename = "x")]
    pub(super) closed: bool,
}

/// `forceOrder`.
///
/// `{"stream":"!forceOrder@arr","data":{"e":"forceOrder","E":1791391083124,"o":{"s":"ILVUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"116.5","p":"3.80300","ap":"3.85642","X":"FILLED","l":"25.2","z":"116.5","T":1791391082119,"ps":"ILVUSDT","st":1}}}`
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Liquidation-Order-Streams>
#[derive(Deserialize)]
pub(super) struct ForceFrame<'a> {
    #[serde(rename = "E")]
    pub(super) sent: i64,
    #[serde(borrow, rename = "o")]
    pub(super) order: ForceOrder<'a>,
    #[serde(rename = "st")]
    pub(super) market: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct ForceOrder<'a> {
    #[serde(borrow, rename = "s")]
    pub(super) name: std::borrow::Cow<'a, str>,
    /// Side of the order, not of the position.
    #[serde(borrow, rename = "S")]
    pub(super) side: std::borrow::Cow<'a, str>,
    /// Size of the order.
    #[serde(borrow, default, rename = "q")]
    pub(super) size: Option<Decimal<'a>>,
    /// Its limit price.
    #[serde(borrow, default, rename = "p")]
    pub(super) limit: Option<Decimal<'a>>,
    /// `FILLED`, `PARTIALLY_FILLED`, ..
    #[serde(borrow, default, rename = "X")]
    pub(super) status: Option<std::borrow::Cow<'a, str>>,
    /// Average price of the fills.
    #[serde(borrow, rename = "ap")]
    pub(super) average: Decimal<'a>,
    /// Filled so far.
    #[serde(borrow, rename = "z")]
    pub(super) filled: Decimal<'a>,
    #[serde(rename = "T")]
    pub(super) time: i64,
    #[serde(rename = "st")]
    pub(super) market: Option<i64>,
}
