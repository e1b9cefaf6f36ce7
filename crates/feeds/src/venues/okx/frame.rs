//! What OKX's v5 public streams send, as it is written there. Unknown keys are ignored.
//!
//! Every message with market data has an `arg` that repeats the subscription and a list `data`; answers have an `event`.
//! The answer to a text `ping` is the text `pong`, which is not JSON. Numbers are texts throughout.
//!
//! Subscribing and pings: <https://www.okx.com/docs-v5/en/#overview-websocket>.

use std::borrow::Cow;

use serde::Deserialize;

use crate::venues::fields::Decimal;
use crate::venues::rows::RawRows;

/// Which kind of message it is.
///
/// `{"event":"subscribe","arg":{"channel":"trades","instId":"UNI-USD-SWAP"}}`
/// `{"event":"error","code":"60018","msg":"Wrong URL or channel:trades,instId:NOPE doesn't exist.","connId":"439535f1"}`
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow, default)]
    pub(super) event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) arg: Option<Argument<'a>>,
    #[serde(borrow, default)]
    pub(super) code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) msg: Option<Cow<'a, str>>,
}

/// A subscription: a channel of one contract, or of all of a type.
#[derive(Debug, Deserialize)]
pub(super) struct Argument<'a> {
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
}

/// A message with a list of rows, each read by itself.
#[derive(Debug, Deserialize)]
pub(super) struct OkxMessage<'a> {
    #[serde(borrow)]
    pub(super) data: RawRows<'a>,
}

/// `{"arg":{"channel":"trades","instId":"UNI-USD-SWAP"},"data":[{"instId":"UNI-USD-SWAP","tradeId":"12883020","px":"5.123","sz":"100","side":"sell","ts":"1652459215150"}]}`
///
/// `sz` is in CONTRACTS, `side` the taker's. Fills of one taker order at one price come as one row (`count` of them),
/// with the id of the last, so ids are not consecutive.
///
/// <https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-trades-channel>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TradeRow<'a> {
    #[serde(borrow)]
    pub(super) inst_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) trade_id: Decimal<'a>,
    #[serde(borrow)]
    pub(super) px: Decimal<'a>,
    #[serde(borrow)]
    pub(super) sz: Decimal<'a>,
    #[serde(borrow)]
    pub(super) side: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) ts: Decimal<'a>,
}

/// `{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","markPx":"42310.6","ts":"1630049139746"}]}`
///
/// <https://www.okx.com/docs-v5/en/#public-data-websocket-mark-price-channel>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MarkRow<'a> {
    #[serde(borrow)]
    pub(super) inst_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) mark_px: Decimal<'a>,
    #[serde(borrow)]
    pub(super) ts: Decimal<'a>,
}

/// `{"arg":{"channel":"open-interest","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","oi":"2216113","oiCcy":"22161.13","ts":"1743041250440"}]}`
///
/// `oi` in contracts, `oiCcy` in coins; both count every contract once.
///
/// <https://www.okx.com/docs-v5/en/#public-data-websocket-open-interest-channel>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenInterestRow<'a> {
    #[serde(borrow)]
    pub(super) inst_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) oi: Option<Decimal<'a>>,
    #[serde(borrow, default)]
    pub(super) oi_ccy: Option<Decimal<'a>>,
    #[serde(borrow)]
    pub(super) ts: Decimal<'a>,
}

/// `{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"bkLoss":"0","bkPx":"0.007831","ccy":"","posSide":"short","side":"buy","sz":"13","ts":"1692266434010"}],"instFamily":"IOST-USDT","instId":"IOST-USDT-SWAP","instType":"SWAP","uly":"IOST-USDT"}]}`
///
/// Of all swaps at once. The first message after subscribing may repeat an event from before it. Details are read one by
/// one.
///
/// <https://www.okx.com/docs-v5/en/#public-data-websocket-liquidation-orders-channel>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiquidationRow<'a> {
    #[serde(borrow)]
    pub(super) inst_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) details: RawRows<'a>,
}

/// One liquidation: `sz` in CONTRACTS, `bkPx` the bankruptcy price, `posSide` whose position (`long`, `short`; `net` in
/// accounts that hold one position a contract), `side` of the order that closes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LiquidationDetail<'a> {
    #[serde(borrow)]
    pub(super) bk_px: Decimal<'a>,
    #[serde(borrow, default)]
    pub(super) pos_side: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) side: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) sz: Decimal<'a>,
    #[serde(borrow)]
    pub(super) ts: Decimal<'a>,
}
