//! Requests and answers.
//!
//! Routes with their limits: <https://www.okx.com/docs-v5/en/#public-data-rest-api>, <https://www.okx.com/docs-v5/en/#order-book-trading-market-data>.

use std::borrow::Cow;
use std::time::Duration;

use liqheat_market::{Event, Funding, Interval, Kline, KlineKind, OpenInterest, Qty, UNIT_SCALE, UnixMs};
use serde::Deserialize;

use super::frame::OpenInterestRow;
use super::parse;
use crate::venues::fields::{Decimal, encoded, json, value};
use crate::venues::pages::{page, part_end};
use crate::venues::rows::{
    RawRows, RowEvents, RowOutcome, TimeAt, accept, field_of, optional, read_contracts,
};
use crate::venues::scale::Scale;
use crate::venues::tiers::{TierRows, TierUnit};
use crate::venues::{
    Contract, FrameError, ListedContract, Page, PauseScope, RateLimit, RejectedRow, Request, RequestRefusal,
    RestQuery, RowSubject, Underlying,
};

/// Rows in an answer.
const ROWS_PER_PAGE: i64 = 100;
/// Rows in an answer about candles of trades.
const CANDLES_PER_PAGE: i64 = 300;
/// The endpoints of recent candles hold the newest 1440. A few less are asked for there, since time goes on meanwhile.
const RECENT_CANDLES: i64 = 1_430;
const OPEN_INTEREST_EVERY_MS: i64 = 300_000;
/// Funding is due every eight hours for most contracts and every hour for some.
const PAYMENT_EVERY_MS: i64 = 3_600_000;

/// Limits hold for two seconds and an endpoint.
const fn limit(name: &'static str, requests: u32) -> Option<RateLimit> {
    Some(RateLimit { name, requests, per: Duration::from_secs(2) })
}

pub(super) fn request(contract: &Contract, query: &RestQuery, now: UnixMs) -> Option<Request> {
    let name = encoded(&contract.name);
    let (path, rate_limit) = match *query {
        RestQuery::Time => ("/api/v5/public/time".to_owned(), limit("time", 10)),
        RestQuery::Contracts => {
            ("/api/v5/public/instruments?instType=SWAP".to_owned(), limit("instruments", 20))
        }
        RestQuery::Klines { kind, interval, from, to } => {
            // The recent ones are not where older ones are, and older ones may lag behind: which endpoint has a page is a
            // question of its age, not of its length.
            let is_recent = from >= now.floor_to(interval.ms()).plus(-RECENT_CANDLES * interval.ms());
            let (endpoint, requests) = match (kind, is_recent) {
                (KlineKind::Last, true) => ("candles", 40),
                (KlineKind::Last, false) => ("history-candles", 20),
                (KlineKind::Mark, true) => ("mark-price-candles", 20),
                (KlineKind::Mark, false) => ("history-mark-price-candles", 10),
            };
            // Both bounds are exclusive; `after` is the later one.
            let (rows, end) = (candles_per_page(kind), candles_end(kind, interval, from, to));
            let bar = bar(interval)?;
            let path = format!(
                "/api/v5/market/{endpoint}?instId={name}&bar={bar}&before={}&after={}&limit={rows}",
                from.0 - 1,
                end.0
            );
            (path, limit(endpoint, requests))
        }
        RestQuery::OpenInterest => {
            let path = format!("/api/v5/public/open-interest?instType=SWAP&instId={name}");
            (path, limit("open-interest", 20))
        }
        RestQuery::OpenInterestHistory { from, to } => {
            let end = open_interest_end(from, to);
            let path = format!(
                "/api/v5/rubik/stat/contracts/open-interest-history?instId={name}&period=5m&begin={}&end={}&limit={ROWS_PER_PAGE}",
                from.0 - OPEN_INTEREST_EVERY_MS,
                end.0 - OPEN_INTEREST_EVERY_MS
            );
            (path, limit("open-interest-history", 5))
        }
        RestQuery::Funding { from, to } => {
            let end = payments_end(from, to);
            let path = format!(
                "/api/v5/public/funding-rate-history?instId={name}&before={}&after={}&limit={ROWS_PER_PAGE}",
                from.0 - 1,
                end.0
            );
            (path, limit("funding-rate-history", 10))
        }
        RestQuery::Tiers => {
            let family = encoded(contract.name.strip_suffix("-SWAP")?);
            let path =
                format!("/api/v5/public/position-tiers?instType=SWAP&tdMode=isolated&instFamily={family}");
            (path, limit("position-tiers", 10))
        }
        RestQuery::Trades { .. } => return None,
    };
    Some(Request { path, body: None, weight: 0, rate_limit })
}

const fn candles_per_page(kind: KlineKind) -> i64 {
    match kind {
        KlineKind::Last => CANDLES_PER_PAGE,
        KlineKind::Mark => ROWS_PER_PAGE,
    }
}

fn candles_end(kind: KlineKind, interval: Interval, from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, candles_per_page(kind), interval.ms())
}

/// Hours and days have capital letters.
fn bar(interval: Interval) -> Option<String> {
    let name = interval.name();
    match interval.ms() {
        // Days begin at midnight in Hong Kong unless said otherwise.
        21_600_000 | 43_200_000 | 86_400_000 => Some(format!("{}utc", name.to_ascii_uppercase())),
        28_800_000 => None,
        ms if ms >= 3_600_000 => Some(name.to_ascii_uppercase()),
        _ => Some(name.to_owned()),
    }
}

fn open_interest_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, ROWS_PER_PAGE - 1, OPEN_INTEREST_EVERY_MS)
}

fn payments_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, ROWS_PER_PAGE, PAYMENT_EVERY_MS)
}

/// `{"code":"50011","msg":"Too Many Requests","data":[]}`, with status 429 or 200: the endpoint has to pause until its two
/// seconds are over.
pub(super) fn refusal(status: u16, body: &[u8]) -> Option<RequestRefusal> {
    const TOO_MANY_REQUESTS: &str = "50011";
    const SHORT_BYTES: usize = 1_024;
    const PAUSE: Duration = Duration::from_secs(2);
    let throttled = Some(RequestRefusal::Throttled { scope: PauseScope::Endpoint, pause: PAUSE });
    match status {
        429 => throttled,
        200 => {
            let is_throttled = body.len() <= SHORT_BYTES
                && json::<Status<'_>>(body).is_ok_and(|status| status.code == TOO_MANY_REQUESTS);
            throttled.filter(|_| is_throttled)
        }
        status => RequestRefusal::of_status(status),
    }
}

pub(super) fn answer(
    contract: &Contract,
    query: &RestQuery,
    body: &[u8],
    received: UnixMs,
) -> Result<Page, FrameError> {
    status(body)?;
    let scale = Scale::of(contract);
    match *query {
        RestQuery::Time => Ok(Page { time: Some(clock(body)?), ..Page::default() }),
        RestQuery::Contracts => contracts(body),
        RestQuery::Klines { kind, interval, from, to } => {
            let end = candles_end(kind, interval, from, to);
            let row_events = klines(body, (kind, interval), query, scale)?;
            Ok(page(query, row_events, from, end, received))
        }
        RestQuery::OpenInterest => open_interest_now(body, scale),
        RestQuery::OpenInterestHistory { from, to } => {
            let end = open_interest_end(from, to);
            let row_events = open_interest_history(body, scale, received)?;
            Ok(page(query, row_events, from, end, received))
        }
        RestQuery::Funding { from, to } => {
            let end = payments_end(from, to);
            Ok(page(query, payments(body)?, from, end, received))
        }
        RestQuery::Tiers => Ok(Page { tiers: Some(tiers(body, scale)?), ..Page::default() }),
        RestQuery::Trades { .. } => Ok(Page::default()),
    }
}

/// What every answer begins with: `{"code":"51001","msg":"Instrument ID doesn't exist","data":[]}`
#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    msg: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: RawRows<'a>,
}

fn status(body: &[u8]) -> Result<(), FrameError> {
    let status: Status<'_> = json(body)?;
    if status.code != "0" {
        let words: String = status.msg.chars().take(200).collect();
        return Err(FrameError::Venue(format!("{}: {words}", status.code)));
    }
    Ok(())
}

/// `{"ts":"1597026383085"}`
///
/// <https://www.okx.com/docs-v5/en/#public-data-rest-api-get-system-time>
#[derive(Deserialize)]
struct ClockRow<'a> {
    #[serde(borrow)]
    ts: Decimal<'a>,
}

fn clock(body: &[u8]) -> Result<UnixMs, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let raw = answer.data.first().ok_or_else(|| value("data", "", "the venue's time"))?;
    json::<ClockRow<'_>>(raw.get().as_bytes())?.ts.time("ts")
}

/// `{"instId":"BTC-USDT-SWAP","instType":"SWAP","instCategory":"1","ctVal":"0.01","ctValCcy":"BTC","ctMult":"1","ctType":"linear","state":"live"}`
///
/// <https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments>
///
/// `ctVal` x `ctMult` coins a contract where `ctType` is `linear`; others are settled in coins and passed over. Before a
/// contract opens (`preopen`) any of its numbers may be the empty text. `instCategory` is `1` for coins; stocks (`3`) and
/// others have swaps with names of the same form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstrumentRow<'a> {
    #[serde(borrow)]
    inst_id: Cow<'a, str>,
    #[serde(borrow, default)]
    inst_category: Option<Decimal<'a>>,
    #[serde(borrow)]
    ct_val: Decimal<'a>,
    #[serde(borrow)]
    ct_mult: Decimal<'a>,
    #[serde(borrow)]
    ct_type: Cow<'a, str>,
}

fn contracts(body: &[u8]) -> Result<Page, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let mut rows = answer.data;
    // A contract that has not opened may lack what others have.
    rows.retain(|row| !is_not_open(row.get()));
    Ok(read_contracts(&rows, "instId", |row: InstrumentRow<'_>| listed(&row)))
}

/// A contract; `None` for one that is settled in coins.
fn listed(row: &InstrumentRow<'_>) -> Result<Option<ListedContract>, FrameError> {
    if row.ct_type != "linear" {
        return Ok(None);
    }
    let (coins, times) = (row.ct_val.size("ctVal")?, row.ct_mult.size("ctMult")?);
    let units = coins.units().checked_mul(times.units()).map(|units| units / i128::from(UNIT_SCALE));
    // A size in 64 bits, as factors are.
    let size = units
        .and_then(|units| i64::try_from(units).ok())
        .map(Qty::from_units)
        .filter(|size| size.is_positive());
    let size = size.ok_or_else(|| value("ctVal", row.ct_val.text(), "a size that can be held"))?;
    let category = row.inst_category.map(Decimal::text).filter(|category| !category.is_empty());
    let underlying = match category {
        None | Some("1") => Underlying::Coin,
        Some(_) => Underlying::Other,
    };
    Ok(Some(ListedContract { name: row.inst_id.clone().into_owned(), size, underlying }))
}

/// Whether a row is of a contract that has not opened.
fn is_not_open(row: &str) -> bool {
    let state = field_of(row, TimeAt::Key("state"));
    state.is_some_and(|state| matches!(state.text(), "preopen" | "test"))
}

/// `["1597026383085","3.721","3.743","3.677","3.708","8422410","22698348.04","12698348.04","1"]`: open time, open, high, low,
/// close, volume in contracts, in coins, in USDT, and 1 when it is closed. Those of the mark price have no volumes.
fn klines(
    body: &[u8],
    (kind, interval): (KlineKind, Interval),
    query: &RestQuery,
    scale: Scale,
) -> Result<RowEvents, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let about = |open: UnixMs| query.with_span(open, open.plus(interval.ms()));
    Ok(accept(&answer.data, TimeAt::First, about, |row: Vec<Decimal<'_>>| {
        let &[start, open, high, low, close, ref volumes @ .., confirm] = row.as_slice() else {
            return Err(value("data", &format!("{} values", row.len()), "a candle of six or more"));
        };
        if confirm.text() != "1" {
            return Ok(RowOutcome::Nothing);
        }
        let mut fault = None;
        let kline = Kline {
            kind,
            interval,
            open_time: start.time("ts")?,
            open: scale.price(open, "o")?,
            high: scale.price(high, "h")?,
            low: scale.price(low, "l")?,
            close: scale.price(close, "c")?,
            volume: match (kind, volumes.first()) {
                (KlineKind::Last, Some(contracts)) => optional(scale.amount(*contracts, "vol"), &mut fault),
                _ => None,
            },
            taker_buy_volume: None,
            trades: None,
        };
        Ok(RowOutcome::of(Event::Kline(kline), fault))
    }))
}

fn open_interest_now(body: &[u8], scale: Scale) -> Result<Page, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let mut page = Page::default();
    for raw in answer.data {
        let text = raw.get();
        let sample = json::<OpenInterestRow<'_>>(text.as_bytes());
        match sample.and_then(|row| parse::open_interest(&row, scale)) {
            Ok(sample) => {
                page.events.extend(sample.qty.is_positive().then_some(Event::OpenInterest(sample)));
            }
            Err(error) => page.rejected.push(RejectedRow::new(RowSubject::Unknown, error, text)),
        }
    }
    Ok(page)
}

/// `["1701417600000","731377.57500501","111","8888888"]`: time, contracts, coins, USD. The time is the start of five
/// minutes and the figure the open interest at their end.
fn open_interest_history(body: &[u8], scale: Scale, now: UnixMs) -> Result<RowEvents, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let about = |start: UnixMs| {
        let time = start.plus(OPEN_INTEREST_EVERY_MS);
        RestQuery::OpenInterestHistory { from: time, to: time.plus(1) }
    };
    Ok(accept(&answer.data, TimeAt::First, about, |row: Vec<Decimal<'_>>| {
        let &[start, contracts, ref rest @ ..] = row.as_slice() else {
            return Err(value("data", &format!("{} values", row.len()), "a sample of two or more"));
        };
        let qty = match rest.first().map(|coins| scale.coins(*coins, "oiCcy")) {
            Some(Ok(qty)) => qty,
            // Contracts say the same.
            Some(Err(error)) => scale.amount(contracts, "oi").map_err(|_| error)?,
            None => scale.amount(contracts, "oi")?,
        };
        let time = start.time("ts")?.plus(OPEN_INTEREST_EVERY_MS);
        let is_known = qty.is_positive() && time <= now;
        let event = Event::OpenInterest(OpenInterest { time, qty });
        Ok(if is_known { event.into() } else { RowOutcome::Nothing })
    }))
}

/// `{"fundingRate":"0.0000746604960499","fundingTime":"1703059200000","instId":"BTC-USDT-SWAP","instType":"SWAP","method":"next_period","realizedRate":"0.0000746572360545"}`
///
/// <https://www.okx.com/docs-v5/en/#public-data-rest-api-get-funding-rate-history>
///
/// `fundingRate` is what was expected, `realizedRate` what was charged.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentRow<'a> {
    #[serde(borrow)]
    funding_rate: Decimal<'a>,
    #[serde(borrow, default)]
    realized_rate: Option<Decimal<'a>>,
    #[serde(borrow)]
    funding_time: Decimal<'a>,
}

fn payments(body: &[u8]) -> Result<RowEvents, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let about = |from: UnixMs| RestQuery::Funding { from, to: from.plus(1) };
    Ok(accept(&answer.data, TimeAt::Key("fundingTime"), about, |row: PaymentRow<'_>| {
        let charged = row.realized_rate.filter(|rate| !rate.is_empty()).unwrap_or(row.funding_rate);
        let (time, rate) = (row.funding_time.time("fundingTime")?, charged.rate("realizedRate")?);
        Ok(Event::Funding(Funding { time, rate, interval_hours: None }).into())
    }))
}

/// `{"baseMaxLoan":"","imr":"0.01","instFamily":"BTC-USDT","instId":"","maxLever":"100","maxSz":"1000","minSz":"0","mmr":"0.004","optMgnFactor":"0","quoteMaxLoan":"","tier":"1","uly":"BTC-USDT"}`
///
/// <https://www.okx.com/docs-v5/en/#public-data-rest-api-get-position-tiers>
///
/// Sizes in contracts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TierFields<'a> {
    #[serde(borrow)]
    max_sz: Decimal<'a>,
    #[serde(borrow)]
    mmr: Decimal<'a>,
    #[serde(borrow)]
    max_lever: Decimal<'a>,
}

fn tiers(body: &[u8], scale: Scale) -> Result<TierRows, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let mut rows = Vec::with_capacity(answer.data.len());
    // A table without one of its tiers would be another table: it is taken whole or not at all.
    for raw in answer.data {
        let row: TierFields<'_> = json(raw.get().as_bytes())?;
        let ceiling = scale.size(row.max_sz, "maxSz")?.to_f64();
        let rate = row.mmr.size("mmr")?.to_f64();
        rows.push((ceiling, rate, row.max_lever.size("maxLever")?.to_f64()));
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(TierRows::from_ceilings(TierUnit::Coins, &rows))
}
