//! Requests and answers. Everything is asked at one address, by a JSON body.

use std::borrow::Cow;

use liqheat_market::{Event, Funding, Interval, KlineKind, OpenInterest, Qty, UNIT_SCALE, UnixMs};
use serde::Deserialize;

use super::frame::{AssetContext, Candle};
use super::parse;
use crate::archive::whole_hour;
use crate::venues::fields::{Decimal, json, time, value};
use crate::venues::pages::{is_closed, page, part_end};
use crate::venues::tiers::{TierRow, TierRows, TierUnit};
use crate::venues::{Contract, FrameError, Page, Request, Want};

/// The venue answers with up to 5000, and counts more for more of them.
const CANDLES_PER_PAGE: i64 = 1_000;
/// It keeps no more than this many of the newest.
const PAYMENTS_PER_PAGE: i64 = 400;
const HOUR_MS: i64 = 3_600_000;

/// Weight of most requests..
const WEIGHT: u32 = 20;
/// ..one more for so many candles..
const CANDLES_PER_WEIGHT: i64 = 60;
/// ..and for so many payments.
const PAYMENTS_PER_WEIGHT: i64 = 20;

pub(super) fn request(contract: &Contract, want: &Want) -> Option<Request> {
    let coin = &contract.name;
    let (body, more) = match *want {
        Want::Time => (serde_json::json!({ "type": "exchangeStatus" }), 0),
        Want::Klines { kind: KlineKind::Last, interval, from, to } => {
            let end = candles_end(interval, from, to);
            let wanted = serde_json::json!({
                "coin": coin, "interval": interval.name(), "startTime": from.0, "endTime": end.0 - 1,
            });
            let candles = end.since(from) / interval.ms();
            (serde_json::json!({ "type": "candleSnapshot", "req": wanted }), candles / CANDLES_PER_WEIGHT)
        }
        Want::OpenInterest => (serde_json::json!({ "type": "metaAndAssetCtxs" }), 0),
        Want::Funding { from, to } => {
            let end = payments_end(from, to);
            let body = serde_json::json!({
                "type": "fundingHistory", "coin": coin, "startTime": from.0, "endTime": end.0 - 1,
            });
            (body, end.since(from) / HOUR_MS / PAYMENTS_PER_WEIGHT)
        }
        Want::Contracts | Want::Tiers => (serde_json::json!({ "type": "meta" }), 0),
        // The venue keeps neither klines of the mark price nor open interest of the past.
        Want::Klines { kind: KlineKind::Mark, .. }
        | Want::OpenInterestHistory { .. }
        | Want::Trades { .. } => return None,
    };
    let weight = WEIGHT + u32::try_from(more).unwrap_or_default();
    Some(Request { path: "/info".to_owned(), body: Some(body.to_string()), weight, pool: None })
}

fn candles_end(interval: Interval, from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, CANDLES_PER_PAGE, interval.ms())
}

fn payments_end(from: UnixMs, to: UnixMs) -> UnixMs {
    part_end(from, to, PAYMENTS_PER_PAGE, HOUR_MS)
}

pub(super) fn answer(
    contract: &Contract,
    want: &Want,
    body: &[u8],
    received: UnixMs,
) -> Result<Page, FrameError> {
    match *want {
        Want::Time => {
            let status: Status = json(body)?;
            Ok(Page { time: Some(time("time", status.time)?), ..Page::default() })
        }
        Want::Klines { interval, from, to, .. } => {
            let end = candles_end(interval, from, to);
            let events = candles(body, received)?;
            Ok(page(want, events, from, end, received))
        }
        Want::OpenInterest => stock(contract, body, received),
        Want::Funding { from, to } => {
            let end = payments_end(from, to);
            let events = payments(body)?;
            Ok(page(want, events, from, end, received))
        }
        Want::Tiers => Ok(Page { tiers: Some(tiers(contract, body)?), ..Page::default() }),
        Want::Contracts => {
            let meta: Meta<'_> = json(body)?;
            let assets = meta.universe.iter().filter(|asset| !asset.is_delisted);
            // Everything is counted in coins.
            let sizes = assets.map(|asset| (asset.name.to_string(), Qty::from_units(UNIT_SCALE)));
            Ok(Page { sizes: sizes.collect(), ..Page::default() })
        }
        Want::OpenInterestHistory { .. } | Want::Trades { .. } => Ok(Page::default()),
    }
}

/// `{"specialStatuses":null,"time":1763942400123}`
#[derive(Deserialize)]
struct Status {
    time: i64,
}

/// Candles as on the socket; the running one is the last. Answers carry no time of the venue, so a candle counts as over
/// a little after it is.
fn candles(body: &[u8], received: UnixMs) -> Result<Vec<Event>, FrameError> {
    const GRACE_MS: i64 = 2_000;
    let rows: Vec<Candle<'_>> = json(body)?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        let kline = parse::kline(row)?;
        if is_closed(&kline, received.plus(-GRACE_MS)) {
            events.push(Event::Kline(kline));
        }
    }
    Ok(events)
}

/// `{"universe":[{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56}],"marginTables":[[56,{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40},{"lowerBound":"150000000.0","maxLeverage":20}]}]]}`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(borrow)]
    universe: Vec<Asset<'a>>,
    #[serde(borrow, default)]
    margin_tables: Vec<(i64, MarginTable<'a>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    max_leverage: Decimal<'a>,
    #[serde(default)]
    margin_table_id: Option<i64>,
    #[serde(default)]
    is_delisted: bool,
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
    fn find(&self, name: &str) -> Result<(usize, &Asset<'a>), FrameError> {
        let found = self.universe.iter().enumerate().find(|(_, asset)| asset.name == name);
        found.ok_or_else(|| FrameError::Venue(format!("there is no {name} among the contracts")))
    }
}

/// Two lists of the same order: what there is, and how it stands.
fn stock(contract: &Contract, body: &[u8], received: UnixMs) -> Result<Page, FrameError> {
    let (meta, contexts): (Meta<'_>, Vec<AssetContext<'_>>) = json(body)?;
    let (at, _) = meta.find(&contract.name)?;
    let context =
        contexts.get(at).ok_or_else(|| value("assetCtxs", &contract.name, "as long as the universe"))?;
    let qty = parse::open_interest(context)?;
    let stock = OpenInterest { time: received, qty };
    let events = if qty.is_positive() { vec![Event::OpenInterest(stock)] } else { Vec::new() };
    Ok(Page { events, ..Page::default() })
}

/// `{"coin":"ETH","fundingRate":"-0.00022196","premium":"-0.00052196","time":1683849600076}`: charged every hour, stamped some
/// milliseconds late.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentRow<'a> {
    #[serde(borrow)]
    funding_rate: Decimal<'a>,
    time: i64,
}

fn payments(body: &[u8]) -> Result<Vec<Event>, FrameError> {
    let rows: Vec<PaymentRow<'_>> = json(body)?;
    let payment = |row: &PaymentRow<'_>| {
        Ok(Event::Funding(Funding {
            time: whole_hour(time("time", row.time)?),
            rate: row.funding_rate.rate("fundingRate")?,
            interval_hours: Some(1),
        }))
    };
    rows.iter().map(payment).collect()
}

/// The maintenance rate is half of the initial margin at the largest leverage, less an amount that makes it continuous.
/// Contracts without a table have one tier.
fn tiers(contract: &Contract, body: &[u8]) -> Result<TierRows, FrameError> {
    let meta: Meta<'_> = json(body)?;
    let (_, asset) = meta.find(&contract.name)?;
    let row = |floor: f64, leverage: Decimal<'_>| {
        let leverage_max = leverage.size("maxLeverage")?.to_f64();
        Ok(TierRow { floor, rate: 0.5 / leverage_max, leverage_max })
    };
    let table = meta.margin_tables.iter().find(|(id, _)| Some(*id) == asset.margin_table_id);
    let rows: Result<Vec<TierRow>, FrameError> = match table {
        Some((_, table)) => table
            .margin_tiers
            .iter()
            .map(|tier| row(tier.lower_bound.amount("lowerBound")?.to_f64(), tier.max_leverage))
            .collect(),
        None => row(0.0, asset.max_leverage).map(|row| vec![row]),
    };
    Ok(TierRows { unit: TierUnit::Usd, rows: rows? })
}
