//! Requests and answers. Everything is asked at one address, by a JSON body.
//!
//! Bodies and answers: <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint>, <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals>; limits: <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/rate-limits-and-user-limits>.

use std::borrow::Cow;

use liqheat_market::{Event, Funding, Interval, KlineKind, OpenInterest, UnixMs};
use serde::Deserialize;

use super::frame::{AssetContext, Candle};
use super::parse;
use crate::archive::whole_hour;
use crate::venues::fields::{Decimal, json, time, value};
use crate::venues::pages::{is_closed, page, part_end};
use crate::venues::rows::{RawRows, RowEvents, RowOutcome, TimeAt, accept, field_of, read_contracts};
use crate::venues::scale::Scale;
use crate::venues::tiers::{PublishedTier, TierRows, TierUnit};
use crate::venues::{Contract, FrameError, ListedContract, Page, Request, RestQuery};

/// Candles of one request. The venue answers with up to 5000; their number adds to the weight.
const CANDLES_PER_PAGE: i64 = 1_000;
/// Funding payments of one request; an answer has at most 500.
const PAYMENTS_PER_PAGE: i64 = 400;
const HOUR_MS: i64 = 3_600_000;

/// Weight of a request without rows.
const WEIGHT: u32 = 20;
/// Candles of an answer that cost one more unit of weight.
const CANDLES_PER_WEIGHT: i64 = 60;
/// Funding payments of an answer that cost one more unit of weight.
const PAYMENTS_PER_WEIGHT: i64 = 20;

pub(super) fn request(contract: &Contract, query: &RestQuery) -> Option<Request> {
    let coin = &contract.name;
    let (body, more) = match *query {
        RestQuery::Time => (serde_json::json!({ "type": "exchangeStatus" }), 0),
        RestQuery::Klines { kind: KlineKind::Last, interval, from, to } => {
            let end = candles_end(interval, from, to);
            let wanted = serde_json::json!({
                "coin": coin, "interval": interval.name(), "startTime": from.0, "endTime": end.0 - 1,
            });
            let candles = end.since(from) / interval.ms();
            (serde_json::json!({ "type": "candleSnapshot", "req": wanted }), candles / CANDLES_PER_WEIGHT)
        }
        RestQuery::OpenInterest => (serde_json::json!({ "type": "metaAndAssetCtxs" }), 0),
        RestQuery::Funding { from, to } => {
            let end = payments_end(from, to);
            let body = serde_json::json!({
                "type": "fundingHistory", "coin": coin, "startTime": from.0, "endTime": end.0 - 1,
            });
            (body, end.since(from) / HOUR_MS / PAYMENTS_PER_WEIGHT)
        }
        RestQuery::Contracts | RestQuery::Tiers => (serde_json::json!({ "type": "meta" }), 0),
        // The venue keeps neither klines of the mark price nor open interest of the past.
        RestQuery::Klines { kind: KlineKind::Mark, .. }
        | RestQuery::OpenInterestHistory { .. }
        | RestQuery::Trades { .. } => return None,
    };
    let weight = WEIGHT + u32::try_from(more).unwrap_or_default();
    Some(Request { path: "/info".to_owned(), body: Some(body.to_string()), weight, rate_limit: None })
}

fn candles_end(interval: Interval, from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, CANDLES_PER_PAGE, interval.ms())
}

fn payments_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, PAYMENTS_PER_PAGE, HOUR_MS)
}

pub(super) fn answer(
    contract: &Contract,
    query: &RestQuery,
    body: &[u8],
    received: UnixMs,
) -> Result<Page, FrameError> {
    match *query {
        RestQuery::Time => {
            let status: Status = json(body)?;
            Ok(Page { time: Some(time("time", status.time)?), ..Page::default() })
        }
        RestQuery::Klines { interval, from, to, .. } => {
            let end = candles_end(interval, from, to);
            let row_events = candles(body, query, Scale::of(contract), received)?;
            Ok(page(query, row_events, from, end, received))
        }
        RestQuery::OpenInterest => open_interest_now(contract, body, received),
        RestQuery::Funding { from, to } => {
            let end = payments_end(from, to);
            Ok(page(query, payments(body)?, from, end, received))
        }
        RestQuery::Tiers => Ok(Page { tiers: Some(tiers(contract, body)?), ..Page::default() }),
        RestQuery::Contracts => contracts(body),
        RestQuery::OpenInterestHistory { .. } | RestQuery::Trades { .. } => Ok(Page::default()),
    }
}

/// `exchangeStatus`: `{"specialStatuses":null,"time":1763942400123}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint>
#[derive(Deserialize)]
struct Status {
    time: i64,
}

/// Candles as on the socket; the running one is the last. Answers carry no time of the venue, so a candle counts as over
/// a little after it is.
fn candles(body: &[u8], query: &RestQuery, scale: Scale, received: UnixMs) -> Result<RowEvents, FrameError> {
    const GRACE_MS: i64 = 2_000;
    let rows: RawRows<'_> = json(body)?;
    let about = |open: UnixMs| match *query {
        RestQuery::Klines { interval, .. } => query.with_span(open, open.plus(interval.ms())),
        other => other,
    };
    Ok(accept(&rows, TimeAt::Key("t"), about, |row: Candle<'_>| {
        let (kline, fault) = parse::kline(&row, scale)?;
        if !is_closed(&kline, received.plus(-GRACE_MS)) {
            return Ok(RowOutcome::Nothing);
        }
        Ok(RowOutcome::of(Event::Kline(kline), fault))
    }))
}

/// `{"universe":[{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56}],"marginTables":[[56,{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40},{"lowerBound":"150000000.0","maxLeverage":20}]}]]}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(borrow)]
    universe: RawRows<'a>,
    #[serde(borrow, default)]
    margin_tables: RawRows<'a>,
}

/// What a list of contracts needs to know of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedAsset<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    is_delisted: Option<bool>,
}

/// What its margin is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset<'a> {
    #[serde(borrow)]
    max_leverage: Decimal<'a>,
    #[serde(default)]
    margin_table_id: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarginTable<'a> {
    #[serde(borrow)]
    margin_tiers: Vec<MarginTier<'a>>,
}

/// `lowerBound` in USD.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarginTier<'a> {
    #[serde(borrow)]
    lower_bound: Decimal<'a>,
    #[serde(borrow)]
    max_leverage: Decimal<'a>,
}

impl<'a> Meta<'a> {
    /// Index of the contract of that name, and what is reported of it.
    fn find(&self, name: &str) -> Result<(usize, Asset<'a>), FrameError> {
        let is_named = |row: &str| field_of(row, TimeAt::Key("name")).is_some_and(|n| n.text() == name);
        let found = self.universe.iter().enumerate().find(|(_, row)| is_named(row.get()));
        let (index, row) =
            found.ok_or_else(|| FrameError::Venue(format!("there is no {name} among the contracts")))?;
        Ok((index, json(row.get().as_bytes())?))
    }

    fn table(&self, id: i64) -> Option<Result<MarginTable<'a>, FrameError>> {
        let has_id = |row: &str| field_of(row, TimeAt::First).is_some_and(|n| n.text().parse() == Ok(id));
        let row = self.margin_tables.iter().find(|row| has_id(row.get()))?;
        Some(json::<(i64, MarginTable<'a>)>(row.get().as_bytes()).map(|(_, table)| table))
    }
}

/// Everything is counted in coins.
fn contracts(body: &[u8]) -> Result<Page, FrameError> {
    let meta: Meta<'_> = json(body)?;
    Ok(read_contracts(&meta.universe, "name", |asset: ListedAsset<'_>| {
        let is_listed = asset.is_delisted != Some(true);
        Ok(is_listed.then(|| ListedContract::of_one_coin(&asset.name)))
    }))
}

/// Two lists of the same order: what there is, and how it stands.
fn open_interest_now(contract: &Contract, body: &[u8], received: UnixMs) -> Result<Page, FrameError> {
    let (meta, contexts): (Meta<'_>, RawRows<'_>) = json(body)?;
    let (at, _) = meta.find(&contract.name)?;
    let raw =
        contexts.get(at).ok_or_else(|| value("assetCtxs", &contract.name, "as long as the universe"))?;
    let context: AssetContext<'_> = json(raw.get().as_bytes())?;
    let qty = parse::open_interest(&context, Scale::of(contract))?;
    let sample = OpenInterest { time: received, qty };
    let events = if qty.is_positive() { vec![Event::OpenInterest(sample)] } else { Vec::new() };
    Ok(Page { events, ..Page::default() })
}

/// `{"coin":"ETH","fundingRate":"-0.00022196","premium":"-0.00052196","time":1683849600076}`
///
/// <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/perpetuals>
///
/// Charged every hour, stamped some milliseconds late.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentRow<'a> {
    #[serde(borrow)]
    funding_rate: Decimal<'a>,
    time: i64,
}

fn payments(body: &[u8]) -> Result<RowEvents, FrameError> {
    let rows: RawRows<'_> = json(body)?;
    let about = |from: UnixMs| {
        let from = whole_hour(from);
        RestQuery::Funding { from, to: from.plus(1) }
    };
    Ok(accept(&rows, TimeAt::Key("time"), about, |row: PaymentRow<'_>| {
        let time = whole_hour(time("time", row.time)?);
        let rate = row.funding_rate.rate("fundingRate")?;
        Ok(Event::Funding(Funding { time, rate, interval_hours: Some(1) }).into())
    }))
}

/// The maintenance rate is half of the initial margin at the largest leverage, less an amount that makes it continuous.
/// Contracts without a table have one tier.
fn tiers(contract: &Contract, body: &[u8]) -> Result<TierRows, FrameError> {
    let meta: Meta<'_> = json(body)?;
    let (_, asset) = meta.find(&contract.name)?;
    let row = |floor: f64, leverage: Decimal<'_>| {
        let leverage_max = leverage.size("maxLeverage")?.to_f64();
        Ok(PublishedTier { floor, rate: 0.5 / leverage_max, leverage_max })
    };
    let rows: Result<Vec<PublishedTier>, FrameError> =
        match asset.margin_table_id.and_then(|id| meta.table(id)).transpose()? {
            Some(table) => table
                .margin_tiers
                .iter()
                .map(|tier| row(tier.lower_bound.amount("lowerBound")?.to_f64(), tier.max_leverage))
                .collect(),
            None => row(0.0, asset.max_leverage).map(|row| vec![row]),
        };
    Ok(TierRows { unit: TierUnit::Usd, rows: rows? })
}
