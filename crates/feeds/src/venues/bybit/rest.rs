//! Requests and answers.

use std::borrow::Cow;

use liqheat_market::{Event, Funding, Interval, Kline, KlineKind, OpenInterest, Qty, UNIT_SCALE, UnixMs};
use serde::Deserialize;

use super::frame::TickerFields;
use super::parse;
use crate::venues::fields::{Decimal, json, time, value};
use crate::venues::pages::{is_closed, page, part_end};
use crate::venues::tiers::{TierRows, TierUnit};
use crate::venues::{Contract, FrameError, Page, Request, Want};

const KLINES_PER_PAGE: i64 = 1_000;
const STOCKS_PER_PAGE: i64 = 200;
const STOCK_EVERY_MS: i64 = 300_000;
/// Funding is due every eight hours for most contracts and every hour for some.
const PAYMENTS_PER_PAGE: i64 = 200;
const PAYMENT_EVERY_MS: i64 = 3_600_000;

pub(super) fn request(contract: &Contract, want: &Want) -> Option<Request> {
    let name = &contract.name;
    let path = match *want {
        Want::Time => "/v5/market/time".to_owned(),
        Want::Klines { kind, interval, from, to } => {
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
        Want::OpenInterest => format!("/v5/market/tickers?category=linear&symbol={name}"),
        Want::OpenInterestHistory { from, to } => {
            let end = stocks_end(from, to);
            format!(
                "/v5/market/open-interest?category=linear&symbol={name}&intervalTime=5min&startTime={}&endTime={}&limit={STOCKS_PER_PAGE}",
                from.0,
                end.0 - 1
            )
        }
        Want::Funding { from, to } => {
            let end = payments_end(from, to);
            format!(
                "/v5/market/funding/history?category=linear&symbol={name}&startTime={}&endTime={}&limit={PAYMENTS_PER_PAGE}",
                from.0,
                end.0 - 1
            )
        }
        Want::Tiers => format!("/v5/market/risk-limit?category=linear&symbol={name}"),
        // One at a time: the whole list comes in pages.
        Want::Contracts => format!("/v5/market/instruments-info?category=linear&symbol={name}"),
        Want::Trades { .. } => return None,
    };
    Some(Request { path, body: None, weight: 1, pool: None })
}

fn klines_end(interval: Interval, from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, KLINES_PER_PAGE, interval.ms())
}

fn stocks_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, STOCKS_PER_PAGE, STOCK_EVERY_MS)
}

fn payments_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, PAYMENTS_PER_PAGE, PAYMENT_EVERY_MS)
}

pub(super) fn answer(want: &Want, body: &[u8]) -> Result<Page, FrameError> {
    if *want == Want::Contracts {
        return contracts(body);
    }
    let now = status(body)?;
    match *want {
        Want::Time => Ok(Page { time: Some(now), ..Page::default() }),
        Want::Klines { kind, interval, from, to } => {
            let end = klines_end(interval, from, to);
            let events = klines(body, kind, interval, now)?;
            Ok(page(want, events, from, end, now))
        }
        Want::OpenInterest => stock(body, now),
        Want::OpenInterestHistory { from, to } => {
            let end = stocks_end(from, to);
            Ok(page(want, stocks(body)?, from, end, now))
        }
        Want::Funding { from, to } => {
            let end = payments_end(from, to);
            Ok(page(want, payments(body)?, from, end, now))
        }
        Want::Tiers => Ok(Page { tiers: Some(tiers(body)?), ..Page::default() }),
        Want::Contracts | Want::Trades { .. } => Ok(Page::default()),
    }
}

/// What every answer begins with: `{"retCode":10001,"retMsg":"params error: Symbol Invalid","result":{},"retExtInfo":{},"time":1672738134824}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    ret_code: i64,
    #[serde(borrow)]
    ret_msg: Cow<'a, str>,
    time: i64,
}

#[derive(Deserialize)]
struct Answer<T> {
    result: List<T>,
}

#[derive(Deserialize)]
struct List<T> {
    list: Vec<T>,
}

/// The venue's clock, when it answered well.
fn status(body: &[u8]) -> Result<UnixMs, FrameError> {
    let status: Status<'_> = json(body)?;
    if status.ret_code != 0 {
        let words: String = status.ret_msg.chars().take(200).collect();
        return Err(FrameError::Venue(format!("{}: {words}", status.ret_code)));
    }
    time("time", status.time)
}

/// `{"symbol":"BTCUSDT","contractType":"LinearPerpetual","status":"Trading","baseCoin":"BTC"}`
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
    let told: Status<'_> = json(body)?;
    if told.ret_code == NO_SUCH_SYMBOL {
        return Ok(Page::default());
    }
    status(body)?;
    let answer: Answer<InstrumentRow<'_>> = json(body)?;
    let is_there = |row: &&InstrumentRow<'_>| !matches!(&*row.status, "PreLaunch" | "Closed");
    let rows = answer.result.list.iter().filter(is_there);
    let sizes = rows.map(|row| (row.symbol.to_string(), Qty::from_units(UNIT_SCALE)));
    Ok(Page { sizes: sizes.collect(), ..Page::default() })
}

/// `["1670608800000","17071","17073","17027","17055.5","268.611","4581093.5"]`: open time, open, high, low, close, volume
/// in coins, in USDT. Klines of the mark price end with the close. The running one is among them.
fn klines(body: &[u8], kind: KlineKind, interval: Interval, now: UnixMs) -> Result<Vec<Event>, FrameError> {
    let answer: Answer<Vec<Decimal<'_>>> = json(body)?;
    let mut events = Vec::with_capacity(answer.result.list.len());
    for row in &answer.result.list {
        let &[start, open, high, low, close, ref rest @ ..] = row.as_slice() else {
            return Err(value("list", &format!("{} values", row.len()), "a kline of five or more"));
        };
        let kline = Kline {
            kind,
            interval,
            open_time: start.time("start")?,
            open: open.price("open")?,
            high: high.price("high")?,
            low: low.price("low")?,
            close: close.price("close")?,
            volume: match (kind, rest.first()) {
                (KlineKind::Last, Some(volume)) => Some(volume.amount("volume")?),
                _ => None,
            },
            taker_buy_volume: None,
            trades: None,
        };
        if is_closed(&kline, now) {
            events.push(Event::Kline(kline));
        }
    }
    Ok(events)
}

/// The stock now, from the ticker.
fn stock(body: &[u8], now: UnixMs) -> Result<Page, FrameError> {
    let answer: Answer<TickerFields<'_>> = json(body)?;
    let mut events = Vec::new();
    for ticker in &answer.result.list {
        let qty = parse::open_interest(ticker)?;
        events.extend(qty.map(|qty| Event::OpenInterest(OpenInterest { time: now, qty })));
    }
    Ok(Page { events, ..Page::default() })
}

/// `{"openInterest":"52664.64200000","singleOpenInterest":"26332.321","timestamp":"1789458600000"}`: the stock at that
/// moment.
#[derive(Deserialize)]
struct StockRow<'a> {
    #[serde(borrow, rename = "openInterest", default)]
    both: Option<Decimal<'a>>,
    #[serde(borrow, rename = "singleOpenInterest", default)]
    single: Option<Decimal<'a>>,
    #[serde(borrow)]
    timestamp: Decimal<'a>,
}

fn stocks(body: &[u8]) -> Result<Vec<Event>, FrameError> {
    let answer: Answer<StockRow<'_>> = json(body)?;
    let mut events = Vec::with_capacity(answer.result.list.len());
    for row in &answer.result.list {
        let at = row.timestamp.time("timestamp")?;
        let qty = parse::single_sided(row.single, row.both)?;
        events.extend(qty.map(|qty| Event::OpenInterest(OpenInterest { time: at, qty })));
    }
    Ok(events)
}

/// `{"symbol":"ETHUSDT","fundingRate":"-0.00006352","fundingRateTimestamp":"1789459200000"}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentRow<'a> {
    #[serde(borrow)]
    funding_rate: Decimal<'a>,
    #[serde(borrow)]
    funding_rate_timestamp: Decimal<'a>,
}

fn payments(body: &[u8]) -> Result<Vec<Event>, FrameError> {
    let answer: Answer<PaymentRow<'_>> = json(body)?;
    let payment = |row: &PaymentRow<'_>| {
        Ok(Event::Funding(Funding {
            time: row.funding_rate_timestamp.time("fundingRateTimestamp")?,
            rate: row.funding_rate.rate("fundingRate")?,
            interval_hours: None,
        }))
    };
    answer.result.list.iter().map(payment).collect()
}

/// `{"id":1,"symbol":"BTCUSDT","riskLimitValue":"2000000","maintenanceMargin":"0.005","initialMargin":"0.01","isLowestRisk":1,"maxLeverage":"100.00","mmDeduction":""}`
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
    let answer: Answer<TierFields<'_>> = json(body)?;
    let mut rows = Vec::with_capacity(answer.result.list.len());
    for row in &answer.result.list {
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
