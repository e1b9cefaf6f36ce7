//! What Bybit's linear public stream sends, as it is written there. Unknown keys are ignored.
//!
//! Every message with market data has a `topic` (`publicTrade.BTCUSDT`, `kline.1.BTCUSDT`, ..), everything else has an
//! `op`. [`Head`] tells them apart; the topic then says which of the other types the same text is.
//!
//! Subscribing and pings: <https://bybit-exchange.github.io/docs/v5/ws/connect>.

use std::borrow::Cow;

use serde::Deserialize;

use crate::venues::fields::Decimal;
use crate::venues::rows::RawRows;

/// Which kind of message it is.
///
/// `{"success":true,"ret_msg":"pong","conn_id":"465772b1-7630-4fdc-a492-e003e6f0f260","req_id":"","op":"ping"}`
/// `{"success":false,"ret_msg":"error:handler not found,topic:kline.1.NOPE","conn_id":"2324d924-aa4d-45b0-a858-7b8be29ab52b","req_id":"NOPE","op":"subscribe"}`
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow, default)]
    pub(super) topic: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) op: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) ret_msg: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) req_id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) success: Option<bool>,
}

/// A message with a list of rows, each read by itself.
#[derive(Debug, Deserialize)]
pub(super) struct BybitMessage<'a> {
    #[serde(borrow)]
    pub(super) data: RawRows<'a>,
}

/// `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false}]}`
///
/// `S` is the taker's side, `v` coins. `i` is unique and says nothing of the order. `BT` marks a block trade: agreed on
/// outside the book, at a price of its own.
///
/// <https://bybit-exchange.github.io/docs/v5/websocket/public/trade>
#[derive(Debug, Deserialize)]
pub(super) struct TradeRow<'a> {
    #[serde(rename = "T")]
    pub(super) time: i64,
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow, rename = "S")]
    pub(super) side: Cow<'a, str>,
    #[serde(borrow, rename = "v")]
    pub(super) qty: Decimal<'a>,
    #[serde(borrow, rename = "p")]
    pub(super) price: Decimal<'a>,
    #[serde(borrow, rename = "i")]
    pub(super) id: Cow<'a, str>,
    #[serde(default, rename = "BT")]
    pub(super) is_block: bool,
}

/// `{"topic":"allLiquidation.ROSEUSDT","type":"snapshot","ts":1739502303204,"data":[{"T":1739502302929,"s":"ROSEUSDT","S":"Sell","v":"20000","p":"0.04499"}]}`
///
/// `S` is the side of the POSITION: `Buy` means that a long was liquidated. `p` is its bankruptcy price.
///
/// <https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation>
#[derive(Debug, Deserialize)]
pub(super) struct LiquidationRow<'a> {
    #[serde(rename = "T")]
    pub(super) time: i64,
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow, rename = "S")]
    pub(super) position_side: Cow<'a, str>,
    #[serde(borrow, rename = "v")]
    pub(super) qty: Decimal<'a>,
    #[serde(borrow, rename = "p")]
    pub(super) bankruptcy_price: Decimal<'a>,
}

/// `{"topic":"kline.1.BTCUSDT","data":[{"start":1672324800000,"end":1672324859999,"interval":"1","open":"16649.5","close":"16677","high":"16677","low":"16608","volume":"2.081","turnover":"34666.4005","confirm":true,"timestamp":1672324860012}],"ts":1672324860012,"type":"snapshot"}`
///
/// Sent while the kline runs; `confirm` is true once, when it has closed.
///
/// <https://bybit-exchange.github.io/docs/v5/websocket/public/kline>
#[derive(Debug, Deserialize)]
pub(super) struct KlineRow<'a> {
    pub(super) start: i64,
    #[serde(borrow)]
    pub(super) interval: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) open: Decimal<'a>,
    #[serde(borrow)]
    pub(super) close: Decimal<'a>,
    #[serde(borrow)]
    pub(super) high: Decimal<'a>,
    #[serde(borrow)]
    pub(super) low: Decimal<'a>,
    #[serde(borrow)]
    pub(super) volume: Decimal<'a>,
    pub(super) confirm: bool,
}

/// `{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","markPrice":"17217.33","openInterest":"68744.761"},"cs":24987956059,"ts":1673272861686}`
///
/// The first is a `snapshot` with every field, the others are `delta`s: a field that is missing has not changed.
/// `openInterest` counts both sides, `singleOpenInterest` one.
///
/// <https://bybit-exchange.github.io/docs/v5/websocket/public/ticker>
#[derive(Debug, Deserialize)]
pub(super) struct Ticker<'a> {
    #[serde(borrow)]
    pub(super) data: TickerFields<'a>,
    pub(super) ts: i64,
}

/// The fields of a [`Ticker`] that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TickerFields<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) mark_price: Option<Decimal<'a>>,
    #[serde(borrow, default)]
    pub(super) open_interest: Option<Decimal<'a>>,
    #[serde(borrow, default)]
    pub(super) single_open_interest: Option<Decimal<'a>>,
}
