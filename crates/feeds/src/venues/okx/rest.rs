//! Requests and answers.

use std::borrow::Cow;
use std::time::Duration;

use liqheat_market::{Event, Funding, Interval, Kline, KlineKind, OpenInterest, Qty, UNIT_SCALE, UnixMs};
use serde::Deserialize;

use super::contracts::Scale;
use super::frame::OpenInterestRow;
use super::parse;
use crate::venues::fields::{Decimal, json, value};
use crate::venues::pages::{page, part_end};
use crate::venues::tiers::{TierRows, TierUnit};
use crate::venues::{Contract, FrameError, Page, Pool, Request, Want};

/// Rows in an answer about the past.
const ROWS_PER_PAGE: i64 = 100;
/// Rows in an answer about newest candles.
const NEW_ROWS_PER_PAGE: i64 = 300;
const STOCK_EVERY_MS: i64 = 300_000;
/// Funding is due every eight hours for most contracts and every hour for some.
const PAYMENT_EVERY_MS: i64 = 3_600_000;

/// Statistics have a limit of their own.
const STATISTICS: Pool = Pool { name: "statistics", requests: 5, per: Duration::from_secs(2) };

pub(super) fn request(contract: &Contract, want: &Want) -> Option<Request> {
    let name = &contract.name;
    let path = match *want {
        Want::Time => "/api/v5/public/time".to_owned(),
        Want::Contracts => "/api/v5/public/instruments?instType=SWAP".to_owned(),
        Want::Klines { kind, interval, from, to } => {
            let (rows, is_new) = klines_page(kind, interval, from, to);
            let endpoint = match (kind, is_new) {
                (KlineKind::Last, true) => "candles",
                (KlineKind::Last, false) => "history-candles",
                (KlineKind::Mark, true) => "mark-price-candles",
                (KlineKind::Mark, false) => "history-mark-price-candles",
            };
            // Both bounds are exclusive; `after` is the later one.
            let end = part_end(from, to, rows, interval.ms());
            let bar = bar(interval)?;
            format!(
                "/api/v5/market/{endpoint}?instId={name}&bar={bar}&before={}&after={}&limit={rows}",
                from.0 - 1,
                end.0
            )
        }
        Want::OpenInterest => format!("/api/v5/public/open-interest?instType=SWAP&instId={name}"),
        Want::OpenInterestHistory { from, to } => {
            let end = stocks_end(from, to);
            format!(
                "/api/v5/rubik/stat/contracts/open-interest-history?instId={name}&period=5m&begin={}&end={}&limit={ROWS_PER_PAGE}",
                from.0 - STOCK_EVERY_MS,
                end.0 - STOCK_EVERY_MS
            )
        }
        Want::Funding { from, to } => {
            let end = payments_end(from, to);
            format!(
                "/api/v5/public/funding-rate-history?instId={name}&before={}&after={}&limit={ROWS_PER_PAGE}",
                from.0 - 1,
                end.0
            )
        }
        Want::Tiers => {
            let family = name.strip_suffix("-SWAP")?;
            format!("/api/v5/public/position-tiers?instType=SWAP&tdMode=isolated&instFamily={family}")
        }
        Want::Trades { .. } => return None,
    };
    let pool = matches!(want, Want::OpenInterestHistory { .. }).then_some(STATISTICS);
    Some(Request { path, body: None, weight: 1, pool })
}

/// How many rows to ask for, and whether of the newest. The interface of the newest candles goes back 1440 of them, that
/// of older ones may lag behind: what is left of a stretch that ends now comes from the first as soon as one answer
/// holds it.
fn klines_page(kind: KlineKind, interval: Interval, from: UnixMs, to: UnixMs) -> (i64, bool) {
    let rows_new = match kind {
        KlineKind::Last => NEW_ROWS_PER_PAGE,
        KlineKind::Mark => ROWS_PER_PAGE,
    };
    if to.since(from) <= rows_new * interval.ms() { (rows_new, true) } else { (ROWS_PER_PAGE, false) }
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

fn stocks_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, ROWS_PER_PAGE - 1, STOCK_EVERY_MS)
}

fn payments_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, ROWS_PER_PAGE, PAYMENT_EVERY_MS)
}

pub(super) fn answer(
    contract: &Contract,
    want: &Want,
    body: &[u8],
    received: UnixMs,
) -> Result<Page, FrameError> {
    status(body)?;
    let scale = Scale::of(contract);
    match *want {
        Want::Time => Ok(Page { time: Some(clock(body)?), ..Page::default() }),
        Want::Contracts => Ok(Page { sizes: sizes(body)?, ..Page::default() }),
        Want::Klines { kind, interval, from, to } => {
            let (rows, _) = klines_page(kind, interval, from, to);
            let end = part_end(from, to, rows, interval.ms());
            let events = klines(body, kind, interval, scale)?;
            Ok(page(want, events, from, end, received))
        }
        Want::OpenInterest => stock(body, scale),
        Want::OpenInterestHistory { from, to } => {
            let end = stocks_end(from, to);
            let events = stocks(body, scale, received)?;
            Ok(page(want, events, from, end, received))
        }
        Want::Funding { from, to } => {
            let end = payments_end(from, to);
            let events = payments(body)?;
            Ok(page(want, events, from, end, received))
        }
        Want::Tiers => Ok(Page { tiers: Some(tiers(body, scale)?), ..Page::default() }),
        Want::Trades { .. } => Ok(Page::default()),
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
struct Answer<T> {
    data: Vec<T>,
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
#[derive(Deserialize)]
struct ClockRow<'a> {
    #[serde(borrow)]
    ts: Decimal<'a>,
}

fn clock(body: &[u8]) -> Result<UnixMs, FrameError> {
    let answer: Answer<ClockRow<'_>> = json(body)?;
    let row = answer.data.first().ok_or_else(|| value("data", "", "the venue's time"))?;
    row.ts.time("ts")
}

/// `{"instId":"BTC-USDT-SWAP","instType":"SWAP","ctVal":"0.01","ctValCcy":"BTC","ctMult":"1","ctType":"linear","state":"live"}`
///
/// `ctVal` x `ctMult` coins a contract where `ctType` is `linear`; others are settled in coins and left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstrumentRow<'a> {
    #[serde(borrow)]
    inst_id: Cow<'a, str>,
    #[serde(borrow)]
    ct_val: Decimal<'a>,
    #[serde(borrow)]
    ct_mult: Decimal<'a>,
    #[serde(borrow)]
    ct_type: Cow<'a, str>,
}

fn sizes(body: &[u8]) -> Result<Vec<(String, Qty)>, FrameError> {
    let answer: Answer<InstrumentRow<'_>> = json(body)?;
    let mut sizes = Vec::with_capacity(answer.data.len());
    for row in answer.data.iter().filter(|row| row.ct_type == "linear") {
        let (coins, times) = (row.ct_val.size("ctVal")?, row.ct_mult.size("ctMult")?);
        let units = i128::from(coins.units()) * i128::from(times.units()) / i128::from(UNIT_SCALE);
        let units =
            i64::try_from(units).map_err(|_| value("ctVal", row.ct_val.text(), "a size that can be held"))?;
        sizes.push((row.inst_id.clone().into_owned(), Qty::from_units(units)));
    }
    Ok(sizes)
}

/// `["1597026383085","3.721","3.743","3.677","3.708","8422410","22698348.04","12698348.04","1"]`: open time, open, high, low,
/// close, volume in contracts, in coins, in USDT, and 1 when it is closed. Those of the mark price have no volumes.
fn klines(body: &[u8], kind: KlineKind, interval: Interval, scale: Scale) -> Result<Vec<Event>, FrameError> {
    let answer: Answer<Vec<Decimal<'_>>> = json(body)?;
    let mut events = Vec::with_capacity(answer.data.len());
    for row in &answer.data {
        let &[start, open, high, low, close, ref volumes @ .., confirm] = row.as_slice() else {
            return Err(value("data", &format!("{} values", row.len()), "a candle of six or more"));
        };
        if confirm.text() != "1" {
            continue;
        }
        let kline = Kline {
            kind,
            interval,
            open_time: start.time("ts")?,
            open: scale.price(open, "o")?,
            high: scale.price(high, "h")?,
            low: scale.price(low, "l")?,
            close: scale.price(close, "c")?,
            volume: match (kind, volumes.first()) {
                (KlineKind::Last, Some(contracts)) => Some(scale.amount(*contracts, "vol")?),
                _ => None,
            },
            taker_buy_volume: None,
            trades: None,
        };
        events.push(Event::Kline(kline));
    }
    Ok(events)
}

fn stock(body: &[u8], scale: Scale) -> Result<Page, FrameError> {
    let answer: Answer<OpenInterestRow<'_>> = json(body)?;
    let mut events = Vec::new();
    for row in &answer.data {
        let stock = parse::open_interest(row, scale)?;
        events.extend(stock.qty.is_positive().then_some(Event::OpenInterest(stock)));
    }
    Ok(Page { events, ..Page::default() })
}

/// `["1701417600000","731377.57500501","111","8888888"]`: time, contracts, coins, USD. The time is the start of five
/// minutes and the figure the stock at their end.
fn stocks(body: &[u8], scale: Scale, now: UnixMs) -> Result<Vec<Event>, FrameError> {
    let answer: Answer<Vec<Decimal<'_>>> = json(body)?;
    let mut events = Vec::with_capacity(answer.data.len());
    for row in &answer.data {
        let &[start, contracts, ref rest @ ..] = row.as_slice() else {
            return Err(value("data", &format!("{} values", row.len()), "a sample of two or more"));
        };
        let qty = match rest.first() {
            Some(coins) => scale.coins(*coins, "oiCcy")?,
            None => scale.amount(contracts, "oi")?,
        };
        let time = start.time("ts")?.plus(STOCK_EVERY_MS);
        if qty.is_positive() && time <= now {
            events.push(Event::OpenInterest(OpenInterest { time, qty }));
        }
    }
    Ok(events)
}

/// `{"fundingRate":"0.0000746604960499","fundingTime":"1703059200000","instId":"BTC-USDT-SWAP","instType":"SWAP","method":"next_period","realizedRate":"0.0000746572360545"}`
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

fn payments(body: &[u8]) -> Result<Vec<Event>, FrameError> {
    let answer: Answer<PaymentRow<'_>> = json(body)?;
    let payment = |row: &PaymentRow<'_>| {
        let charged = row.realized_rate.filter(|rate| !rate.is_empty()).unwrap_or(row.funding_rate);
        Ok(Event::Funding(Funding {
            time: row.funding_time.time("fundingTime")?,
            rate: charged.rate("realizedRate")?,
            interval_hours: None,
        }))
    };
    answer.data.iter().map(payment).collect()
}

/// `{"baseMaxLoan":"","imr":"0.01","instFamily":"BTC-USDT","instId":"","maxLever":"100","maxSz":"1000","minSz":"0","mmr":"0.004","optMgnFactor":"0","quoteMaxLoan":"","tier":"1","uly":"BTC-USDT"}`
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
    let answer: Answer<TierFields<'_>> = json(body)?;
    let mut rows = Vec::with_capacity(answer.data.len());
    for row in &answer.data {
        let ceiling = scale.size(row.max_sz, "maxSz")?.to_f64();
        let rate = row.mmr.size("mmr")?.to_f64();
        rows.push((ceiling, rate, row.max_lever.size("maxLever")?.to_f64()));
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(TierRows::from_ceilings(TierUnit::Coins, &rows))
}
