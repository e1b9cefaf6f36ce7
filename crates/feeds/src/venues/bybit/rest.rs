//! Requests and answers.
//!
//! Routes: <https://bybit-exchange.github.io/docs/v5/market/instrument> and the pages beside it; limits: <https://bybit-exchange.github.io/docs/v5/rate-limit>.

use std::borrow::Cow;
use std::time::Duration;

use liqheat_market::{Event, Funding, Interval, Kline, KlineKind, OpenInterest, UnixMs};
use serde::Deserialize;

use super::frame::TickerFields;
use super::parse;
use crate::venues::fields::{Decimal, encoded, json, time, value};
use crate::venues::pages::{is_closed, page, part_end};
use crate::venues::rows::{RawRows, RowEvents, RowOutcome, TimeAt, accept, optional, read_contracts};
use crate::venues::scale::Scale;
use crate::venues::tiers::{TierRows, TierUnit};
use crate::venues::{
    Contract, FrameError, ListedContract, Page, PauseScope, RejectedRow, Request, RequestRefusal, RestQuery,
    RowSubject,
};

const KLINES_PER_PAGE: i64 = 1_000;
const SAMPLES_PER_PAGE: i64 = 200;
const OPEN_INTEREST_EVERY_MS: i64 = 300_000;
/// Funding is due every eight hours for most contracts and every hour for some.
const PAYMENTS_PER_PAGE: i64 = 200;
const PAYMENT_EVERY_MS: i64 = 3_600_000;

pub(super) fn request(contract: &Contract, query: &RestQuery) -> Option<Request> {
    let name = encoded(&contract.name);
    let path = match *query {
        RestQuery::Time => "/v5/market/time".to_owned(),
        RestQuery::Klines { kind, interval, from, to } => {
            let endpoint = match kind {
                KlineKind::Last => "kline",
                KlineKind::Mark => "mark-price-kline",
            };
            let (minutes, end) = (interval.ms() / 60_000, klines_end(interval, from, to));
            format!(
                "/v5/market/{endpoint}?category=linear&symbol={name}&interval={minutes}&start={}&end={}&limit={KLINES_PER_PAGE}",
                from.0,
                end.0 - 1
            )
        }
        RestQuery::OpenInterest => format!("/v5/market/tickers?category=linear&symbol={name}"),
        RestQuery::OpenInterestHistory { from, to } => {
            let end = open_interest_end(from, to);
            format!(
                "/v5/market/open-interest?category=linear&symbol={name}&intervalTime=5min&startTime={}&endTime={}&limit={SAMPLES_PER_PAGE}",
                from.0,
                end.0 - 1
            )
        }
        RestQuery::Funding { from, to } => {
            let end = payments_end(from, to);
            format!(
                "/v5/market/funding/history?category=linear&symbol={name}&startTime={}&endTime={}&limit={PAYMENTS_PER_PAGE}",
                from.0,
                end.0 - 1
            )
        }
        RestQuery::Tiers => format!("/v5/market/risk-limit?category=linear&symbol={name}"),
        // One at a time: the whole list comes in pages.
        RestQuery::Contracts => format!("/v5/market/instruments-info?category=linear&symbol={name}"),
        RestQuery::Trades { .. } => return None,
    };
    Some(Request { path, body: None, weight: 1, rate_limit: None })
}

fn klines_end(interval: Interval, from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, KLINES_PER_PAGE, interval.ms())
}

fn open_interest_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, SAMPLES_PER_PAGE, OPEN_INTEREST_EVERY_MS)
}

fn payments_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, PAYMENTS_PER_PAGE, PAYMENT_EVERY_MS)
}

/// `{"retCode":10006,"retMsg":"Too many visits!","result":{},"retExtInfo":{},"time":1763942400000}`: too many requests of a
/// kind; 10018 and 429 are reported for the address.
pub(super) fn throttled(body: &[u8]) -> Option<RequestRefusal> {
    const SHORT_BYTES: usize = 1_024;
    const PAUSE: Duration = Duration::from_secs(5);
    const PAUSE_OF_ADDRESS: Duration = Duration::from_secs(60);
    if body.len() > SHORT_BYTES {
        return None;
    }
    let (scope, pause) = match json::<Status<'_>>(body).ok()?.ret_code {
        10_006 => (PauseScope::Endpoint, PAUSE),
        10_018 | 429 => (PauseScope::Venue, PAUSE_OF_ADDRESS),
        _ => return None,
    };
    Some(RequestRefusal::Throttled { scope, pause })
}

pub(super) fn answer(contract: &Contract, query: &RestQuery, body: &[u8]) -> Result<Page, FrameError> {
    if *query == RestQuery::Contracts {
        return contracts(body);
    }
    let now = status(body)?;
    let scale = Scale::of(contract);
    match *query {
        RestQuery::Time => Ok(Page { time: Some(now), ..Page::default() }),
        RestQuery::Klines { kind, interval, from, to } => {
            let end = klines_end(interval, from, to);
            let row_events = klines(body, (kind, interval), query, scale, now)?;
            Ok(page(query, row_events, from, end, now))
        }
        RestQuery::OpenInterest => open_interest_now(body, scale, now),
        RestQuery::OpenInterestHistory { from, to } => {
            let end = open_interest_end(from, to);
            Ok(page(query, open_interest_history(body, scale)?, from, end, now))
        }
        RestQuery::Funding { from, to } => {
            let end = payments_end(from, to);
            Ok(page(query, payments(body)?, from, end, now))
        }
        RestQuery::Tiers => Ok(Page { tiers: Some(tiers(body)?), ..Page::default() }),
        RestQuery::Contracts | RestQuery::Trades { .. } => Ok(Page::default()),
    }
}

/// What every answer begins with: `{"retCode":10001,"retMsg":"params error: Symbol Invalid","result":{},"retExtInfo":{},"time":1672738134824}`.
/// Some errors come without `time`: `{"retCode":10002,"retMsg":"invalid request, please check your server timestamp or recv_window param."}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    ret_code: i64,
    #[serde(borrow, default)]
    ret_msg: Cow<'a, str>,
    #[serde(default)]
    time: Option<i64>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: List<'a>,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    list: RawRows<'a>,
}

/// The venue's clock, when it answered well.
fn status(body: &[u8]) -> Result<UnixMs, FrameError> {
    let status: Status<'_> = json(body)?;
    if status.ret_code != 0 {
        let words: String = status.ret_msg.chars().take(200).collect();
        return Err(FrameError::Venue(format!("{}: {words}", status.ret_code)));
    }
    let clock = status.time.ok_or_else(|| value("time", "", "a time in milliseconds"))?;
    time("time", clock)
}

/// `{"symbol":"BTCUSDT","contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC"}`
///
/// <https://bybit-exchange.github.io/docs/v5/market/instrument>
#[derive(Deserialize)]
struct InstrumentRow<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

/// Everything is counted in coins. Asked about a contract that it never had, the venue says that the symbol is wrong.
fn contracts(body: &[u8]) -> Result<Page, FrameError> {
    const NO_SUCH_SYMBOL: i64 = 10_001;
    let refusal: Status<'_> = json(body)?;
    if refusal.ret_code == NO_SUCH_SYMBOL {
        return Ok(Page::default());
    }
    status(body)?;
    let answer: Answer<'_> = json(body)?;
    Ok(read_contracts(&answer.result.list, "symbol", |row: InstrumentRow<'_>| {
        let is_listed = !matches!(&*row.status, "PreLaunch" | "Closed");
        Ok(is_listed.then(|| ListedContract::of_one_coin(&row.symbol)))
    }))
}

/// `["1670608800000","17071","17073","17027","17055.5","268.611","4581093.5"]`: open time, open, high, low, close, volume
/// in coins, in USDT. Klines of the mark price end with the close. The running one is among them.
fn klines(
    body: &[u8],
    (kind, interval): (KlineKind, Interval),
    query: &RestQuery,
    scale: Scale,
    now: UnixMs,
) -> Result<RowEvents, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let about = |open: UnixMs| query.with_span(open, open.plus(interval.ms()));
    Ok(accept(&answer.result.list, TimeAt::First, about, |row: Vec<Decimal<'_>>| {
        let &[start, open, high, low, close, ref rest @ ..] = row.as_slice() else {
            return Err(value("list", &format!("{} values", row.len()), "a kline of five or more"));
        };
        let mut fault = None;
        let kline = Kline {
            kind,
            interval,
            open_time: start.time("start")?,
            open: scale.price(open, "open")?,
            high: scale.price(high, "high")?,
            low: scale.price(low, "low")?,
            close: scale.price(close, "close")?,
            volume: match (kind, rest.first()) {
                (KlineKind::Last, Some(volume)) => optional(scale.coins(*volume, "volume"), &mut fault),
                _ => None,
            },
            taker_buy_volume: None,
            trades: None,
        };
        if !is_closed(&kline, now) {
            return Ok(RowOutcome::Nothing);
        }
        Ok(RowOutcome::of(Event::Kline(kline), fault))
    }))
}

/// The open interest now, from the ticker.
fn open_interest_now(body: &[u8], scale: Scale, now: UnixMs) -> Result<Page, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let mut page = Page::default();
    for raw in answer.result.list {
        let qty = json::<TickerFields<'_>>(raw.get().as_bytes())
            .and_then(|ticker| parse::open_interest(&ticker, scale));
        match qty {
            Ok(qty) => {
                page.events.extend(qty.map(|qty| Event::OpenInterest(OpenInterest { time: now, qty })));
            }
            Err(error) => page.rejected.push(RejectedRow::new(RowSubject::Unknown, error, raw.get())),
        }
    }
    Ok(page)
}

/// `{"openInterest":"52664.64200000","singleOpenInterest":"26332.321","timestamp":"1789458600000"}`
///
/// <https://bybit-exchange.github.io/docs/v5/market/open-interest>
///
/// Open interest at that moment.
#[derive(Deserialize)]
struct HistoryRow<'a> {
    #[serde(borrow, rename = "openInterest", default)]
    both: Option<Decimal<'a>>,
    #[serde(borrow, rename = "singleOpenInterest", default)]
    single: Option<Decimal<'a>>,
    #[serde(borrow)]
    timestamp: Decimal<'a>,
}

fn open_interest_history(body: &[u8], scale: Scale) -> Result<RowEvents, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let about = |from: UnixMs| RestQuery::OpenInterestHistory { from, to: from.plus(1) };
    Ok(accept(&answer.result.list, TimeAt::Key("timestamp"), about, |row: HistoryRow<'_>| {
        let time = row.timestamp.time("timestamp")?;
        let qty = parse::single_sided(row.single, row.both, scale)?;
        Ok(qty.map_or(RowOutcome::Nothing, |qty| Event::OpenInterest(OpenInterest { time, qty }).into()))
    }))
}

/// `{"symbol":"ETHUSDT","fundingRate":"-0.00006352","fundingRateTimestamp":"1789459200000"}`
///
/// <https://bybit-exchange.github.io/docs/v5/market/history-fund-rate>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentRow<'a> {
    #[serde(borrow)]
    funding_rate: Decimal<'a>,
    #[serde(borrow)]
    funding_rate_timestamp: Decimal<'a>,
}

fn payments(body: &[u8]) -> Result<RowEvents, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let about = |from: UnixMs| RestQuery::Funding { from, to: from.plus(1) };
    let at = TimeAt::Key("fundingRateTimestamp");
    Ok(accept(&answer.result.list, at, about, |row: PaymentRow<'_>| {
        let time = row.funding_rate_timestamp.time("fundingRateTimestamp")?;
        let rate = row.funding_rate.rate("fundingRate")?;
        Ok(Event::Funding(Funding { time, rate, interval_hours: None }).into())
    }))
}

/// `{"id":1,"symbol":"BTCUSDT","riskLimitValue":"2000000","maintenanceMargin":"0.005","initialMargin":"0.01","isLowestRisk":1,"maxLeverage":"100.00","mmDeduction":""}`
///
/// <https://bybit-exchange.github.io/docs/v5/market/risk-limit>
///
/// `riskLimitValue` is the size in USD up to which it holds, `mmDeduction` the cumulative amount.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TierFields<'a> {
    #[serde(borrow)]
    risk_limit_value: Decimal<'a>,
    #[serde(borrow)]
    maintenance_margin: Decimal<'a>,
    #[serde(borrow)]
    initial_margin: Decimal<'a>,
    #[serde(borrow)]
    max_leverage: Decimal<'a>,
    #[serde(borrow, default)]
    mm_deduction: Option<Decimal<'a>>,
}

fn tiers(body: &[u8]) -> Result<TierRows, FrameError> {
    let answer: Answer<'_> = json(body)?;
    let mut rows = Vec::with_capacity(answer.result.list.len());
    // A table without one of its tiers would be another table: it is taken whole or not at all.
    for raw in answer.result.list {
        let row: TierFields<'_> = json(raw.get().as_bytes())?;
        let ceiling = row.risk_limit_value.size("riskLimitValue")?.to_f64();
        let leverage_max = row.max_leverage.size("maxLeverage")?.to_f64();
        let maintenance = row.maintenance_margin.size("maintenanceMargin")?.to_f64();
        // Rates have been printed as fractions and as percents: the largest leverage needs all of the initial margin.
        let whole = row.initial_margin.size("initialMargin")?.to_f64() * leverage_max;
        let scale = if whole > 10.0 { 0.01 } else { 1.0 };
        let deduction = match row.mm_deduction.filter(|deduction| !deduction.is_empty()) {
            Some(deduction) => Some(deduction.amount("mmDeduction")?.to_f64()),
            None => None,
        };
        rows.push((ceiling, maintenance * scale, leverage_max, deduction));
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    check_deductions(&rows)?;
    let plain: Vec<(f64, f64, f64)> =
        rows.iter().map(|&(ceiling, rate, leverage_max, _)| (ceiling, rate, leverage_max)).collect();
    Ok(TierRows::from_ceilings(TierUnit::Usd, &plain))
}

/// The deduction makes the margin continuous from tier to tier. Where it does not, sizes or rates mean something else
/// than they did, and the table is not used.
fn check_deductions(rows: &[(f64, f64, f64, Option<f64>)]) -> Result<(), FrameError> {
    let mut cumulative = 0.0;
    for pair in rows.windows(2) {
        let ((floor, below, ..), (_, rate, _, stated)) = (pair[0], pair[1]);
        cumulative += floor * (rate - below);
        if let Some(stated) = stated
            && (stated - cumulative).abs() > f64::max(1.0, cumulative.abs() * 1e-3)
        {
            return Err(value("mmDeduction", &stated.to_string(), "what makes the margin continuous"));
        }
    }
    Ok(())
}
