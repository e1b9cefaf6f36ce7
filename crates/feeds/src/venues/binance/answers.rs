//! Answers of the REST interface as Binance sends them. Only the keys that are used; all others are ignored.
//!
//! Payloads are shortened where they have `…`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::venues::fields::Decimal;
use crate::venues::rows::RawRows;

/// `{"code":-1121,"msg":"Invalid symbol."}`
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code>
#[derive(Deserialize)]
pub(super) struct ErrorAnswer {
    pub(super) code: i64,
}

/// `/fapi/v1/time`: `{"serverTime":1499827319559}`
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Check-Server-Time>
#[derive(Deserialize)]
pub(super) struct TimeAnswer {
    #[serde(rename = "serverTime")]
    pub(super) server_time: i64,
}

/// `/fapi/v1/exchangeInfo`: `{"timezone":"UTC","serverTime":1626858243909,"futuresType":"U_MARGINED",…,"symbols":[…]}`, with
/// a [`SymbolRow`] for each contract.
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Exchange-Information>
#[derive(Deserialize)]
pub(super) struct ExchangeInfo<'a> {
    #[serde(borrow)]
    pub(super) symbols: RawRows<'a>,
}

/// `{"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"onboardDate":1569398400000,"status":"TRADING",…}`
#[derive(Deserialize)]
pub(super) struct SymbolRow<'a> {
    #[serde(borrow)]
    pub(super) symbol: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
}

/// `/fapi/v1/openInterest`: `{"symbol":"BTCUSDT","openInterest":"95253.475","time":1791269771665}`
///
/// In coins; every contract counts once.
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Open-Interest>
#[derive(Deserialize)]
pub(super) struct OpenInterestAnswer<'a> {
    #[serde(borrow, rename = "openInterest")]
    pub(super) open_interest: Decimal<'a>,
    pub(super) time: i64,
}

/// `/futures/data/openInterestHist`: `{"symbol":"BTCUSDT","sumOpenInterest":"20403.63700000","sumOpenInterestValue":"150570784.07809979","timestamp":"1583127900000"}`
///
/// `timestamp` is a number or a text.
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Open-Interest-Statistics>
#[derive(Deserialize)]
pub(super) struct StatisticsRow<'a> {
    #[serde(borrow, rename = "sumOpenInterest")]
    pub(super) open_interest: Decimal<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Decimal<'a>,
}

/// `/fapi/v1/fundingRate`: `{"symbol":"BTCUSDT","fundingTime":1698768000000,"fundingRate":"0.00010000","markPrice":"34287.54619963"}`
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Get-Funding-Rate-History>
#[derive(Deserialize)]
pub(super) struct FundingRow<'a> {
    #[serde(rename = "fundingTime")]
    pub(super) time: i64,
    #[serde(borrow, rename = "fundingRate")]
    pub(super) rate: Decimal<'a>,
}

/// `/fapi/v1/aggTrades`: `{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true}`
///
/// `m` is true where the buyer was the maker: the taker sold.
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Compressed-Aggregate-Trades-List>
#[derive(Deserialize)]
pub(super) struct TradeRow<'a> {
    #[serde(rename = "a")]
    pub(super) id: i64,
    #[serde(borrow, rename = "p")]
    pub(super) price: Decimal<'a>,
    #[serde(borrow, rename = "q")]
    pub(super) qty: Decimal<'a>,
    #[serde(rename = "T")]
    pub(super) time: i64,
    #[serde(rename = "m")]
    pub(super) buyer_is_maker: bool,
}

/// `/fapi/v1/klines` and `/fapi/v1/markPriceKlines`: `[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","17928899.62484339"]`
///
/// Open time, open, high, low, close, volume, close time, quote volume, trades, taker buy volume and two more.
///
/// <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Kline-Candlestick-Data>, <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Mark-Price-Kline-Candlestick-Data>
#[derive(Deserialize)]
pub(super) struct KlineRow<'a>(
    pub(super) i64,
    #[serde(borrow)] pub(super) Decimal<'a>,
    #[serde(borrow)] pub(super) Decimal<'a>,
    #[serde(borrow)] pub(super) Decimal<'a>,
    #[serde(borrow)] pub(super) Decimal<'a>,
    #[serde(borrow)] pub(super) Decimal<'a>,
    #[allow(dead_code, reason = "keeps the place")] i64,
    #[allow(dead_code, reason = "keeps the place")]
    #[serde(borrow)]
    Decimal<'a>,
    pub(super) i64,
    #[serde(borrow)] pub(super) Decimal<'a>,
    #[allow(dead_code, reason = "keeps the place")]
    #[serde(borrow)]
    Decimal<'a>,
    #[allow(dead_code, reason = "keeps the place")]
    #[serde(borrow)]
    Decimal<'a>,
);
