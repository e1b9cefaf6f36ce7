//! Requests and answers.
//!
//! Klines and trades come in pages of a thousand, statistics of open interest in pages of five hundred. What remains after
//! a page is its [`Page::next`].
//!
//! Routes and weights: <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api>; limits: <https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info>.

use liqheat_market::convert::signed_len;
use liqheat_market::{Event, Funding, Interval, Kline, KlineKind, OpenInterest, Taker, Trade, UnixMs};

use super::FIVE_MINUTES;
use super::answers::{
    ErrorAnswer, ExchangeInfo, FundingRow, KlineRow, OpenInterestAnswer, StatisticsRow, SymbolRow,
    TimeAnswer, TradeRow,
};
use crate::venues::fields::{encoded, json, time};
use crate::venues::rows::{
    RawRows, RowEvents, RowOutcome, TimeAt, accept, field_of, optional, read_contracts, time_of,
};
use crate::venues::scale::Scale;
use crate::venues::{
    Contract, FrameError, ListedContract, Page, RateLimit, RejectedRow, Request, RequestRefusal, RestQuery,
    RowSubject,
};

/// Rows of klines or trades in one answer: what costs least weight a row.
const PAGE_ROWS: i64 = 1_000;
/// Rows of open interest in one answer.
const STATISTICS_ROWS: i64 = 500;
/// How often the venue counts open interest for its statistics.
const STATISTICS_STEP_MS: i64 = Interval::M5.ms();

const STATISTICS: RateLimit = RateLimit { name: "statistics", requests: 1_000, per: FIVE_MINUTES };
const FUNDING: RateLimit = RateLimit { name: "funding", requests: 500, per: FIVE_MINUTES };

pub(super) fn request(contract: &Contract, query: &RestQuery) -> Option<Request> {
    let name = encoded(&contract.name);
    let plain = |path: String, weight| Request { path, body: None, weight, rate_limit: None };
    let counted = |path: String, pool| Request { path, body: None, weight: 0, rate_limit: Some(pool) };
    Some(match *query {
        RestQuery::Time => plain("/fapi/v1/time".to_owned(), 1),
        RestQuery::Contracts => plain("/fapi/v1/exchangeInfo".to_owned(), 1),
        // They are reported to accounts only.
        RestQuery::Tiers => return None,
        RestQuery::Klines { kind, interval, from, to } => {
            let rows = rows_between(from, to, interval.ms()).clamp(1, PAGE_ROWS);
            let weight = match rows {
                ..100 => 1,
                100..500 => 2,
                _ => 5,
            };
            let route = match kind {
                KlineKind::Last => "klines",
                KlineKind::Mark => "markPriceKlines",
            };
            let (from, until) = (from.0, to.0 - 1);
            plain(
                format!(
                    "/fapi/v1/{route}?symbol={name}&interval={interval}&startTime={from}&endTime={until}&limit={rows}"
                ),
                weight,
            )
        }
        RestQuery::OpenInterest => plain(format!("/fapi/v1/openInterest?symbol={name}"), 1),
        RestQuery::OpenInterestHistory { from, to } => {
            let until = page_end(from, to).0 - 1;
            counted(
                format!(
                    "/futures/data/openInterestHist?symbol={name}&period=5m&startTime={}&endTime={until}&limit={STATISTICS_ROWS}",
                    from.0
                ),
                STATISTICS,
            )
        }
        RestQuery::Trades { first, last } => {
            let rows = last.saturating_sub(first).saturating_add(1).clamp(1, PAGE_ROWS);
            plain(format!("/fapi/v1/aggTrades?symbol={name}&fromId={first}&limit={rows}"), 20)
        }
        RestQuery::Funding { from, to } => counted(
            format!(
                "/fapi/v1/fundingRate?symbol={name}&startTime={}&endTime={}&limit={PAGE_ROWS}",
                from.0,
                to.0 - 1
            ),
            FUNDING,
        ),
    })
}

fn rows_between(from: UnixMs, to: UnixMs, step_ms: i64) -> i64 {
    to.since(from).saturating_add(step_ms - 1) / step_ms
}

/// Asked for a long stretch, the venue answers with its newest rows; so only a page's worth is asked for.
fn page_end(from: UnixMs, to: UnixMs) -> UnixMs {
    to.min(from.plus(STATISTICS_ROWS * STATISTICS_STEP_MS))
}

/// `{"code":-1130,"msg":"parameter 'startTime' is invalid."}`, with status 400: statistics of open interest that begin
/// more than a month ago.
pub(super) fn refusal(query: &RestQuery, status: u16, body: &[u8]) -> Option<RequestRefusal> {
    const INVALID_PARAMETER: i64 = -1130;
    let refusal = RequestRefusal::of_status(status)?;
    if refusal == RequestRefusal::Permanent
        && query.span().is_some()
        && json::<ErrorAnswer>(body).is_ok_and(|answer| answer.code == INVALID_PARAMETER)
    {
        return Some(RequestRefusal::BeginLater);
    }
    Some(refusal)
}

pub(super) fn answer(
    contract: &Contract,
    query: &RestQuery,
    body: &[u8],
    received: UnixMs,
) -> Result<Page, FrameError> {
    let scale = Scale::of(contract);
    match *query {
        RestQuery::Time => {
            let answer: TimeAnswer = json(body)?;
            Ok(Page { time: Some(time("serverTime", answer.server_time)?), ..Page::default() })
        }
        RestQuery::Contracts => contracts(body),
        RestQuery::Tiers => Ok(Page::default()),
        RestQuery::Klines { .. } => klines(query, scale, body, received),
        RestQuery::OpenInterest => {
            let row: OpenInterestAnswer<'_> = json(body)?;
            let sample = OpenInterest {
                time: time("time", row.time)?,
                qty: scale.coins(row.open_interest, "openInterest")?,
            };
            Ok(Page { events: vec![Event::OpenInterest(sample)], ..Page::default() })
        }
        RestQuery::OpenInterestHistory { from, to } => {
            let about = |from: UnixMs| RestQuery::OpenInterestHistory { from, to: from.plus(1) };
            let row_events = accept(&json::<RawRows<'_>>(body)?, TimeAt::Key("timestamp"), about, |row| {
                let row: StatisticsRow<'_> = row;
                let time = row.timestamp.time("timestamp")?;
                let qty = scale.coins(row.open_interest, "sumOpenInterest")?;
                Ok(Event::OpenInterest(OpenInterest { time, qty }).into())
            });
            let reached = page_end(from, to);
            Ok(page(row_events, (reached < to).then(|| query.with_span(reached, to))))
        }
        RestQuery::Trades { first, last } => trades(body, scale, first, last),
        RestQuery::Funding { to, .. } => {
            let rows: RawRows<'_> = json(body)?;
            let about = |from: UnixMs| RestQuery::Funding { from, to: from.plus(1) };
            let row_events = accept(&rows, TimeAt::Key("fundingTime"), about, |row| {
                let row: FundingRow<'_> = row;
                let time = time("fundingTime", row.time)?;
                let rate = row.rate.rate("fundingRate")?;
                Ok(Event::Funding(Funding { time, rate, interval_hours: None }).into())
            });
            let is_full = signed_len(rows.len()) >= PAGE_ROWS;
            let newest = rows.iter().filter_map(|row| time_of(row.get(), TimeAt::Key("fundingTime"))).max();
            let next = newest.filter(|_| is_full).map(|newest| newest.plus(1)).filter(|from| *from < to);
            Ok(page(row_events, next.map(|from| RestQuery::Funding { from, to })))
        }
    }
}

/// In order of time.
fn page(row_events: RowEvents, next: Option<RestQuery>) -> Page {
    let RowEvents { mut events, rejected } = row_events;
    events.sort_by_key(Event::known_at);
    Page { events, rejected, next, ..Page::default() }
}

fn contracts(body: &[u8]) -> Result<Page, FrameError> {
    let info: ExchangeInfo<'_> = json(body)?;
    Ok(read_contracts(&info.symbols, "symbol", |row: SymbolRow<'_>| {
        let is_listed = !matches!(&*row.status, "PENDING_TRADING" | "DELIVERED" | "CLOSE");
        // Everything is counted in coins.
        Ok(is_listed.then(|| ListedContract::of_one_coin(&row.symbol)))
    }))
}

fn klines(query: &RestQuery, scale: Scale, body: &[u8], received: UnixMs) -> Result<Page, FrameError> {
    let RestQuery::Klines { kind, interval, from, to } = *query else { return Ok(Page::default()) };
    let rows: RawRows<'_> = json(body)?;
    let about = |from: UnixMs| query.with_span(from, from.plus(interval.ms()));
    let row_events = accept(&rows, TimeAt::First, about, |row| {
        let row: KlineRow<'_> = row;
        let open_time = time("open time", row.0)?;
        // The last row may still be moving.
        if open_time < from || open_time >= to || open_time.plus(interval.ms()) > received {
            return Ok(RowOutcome::Nothing);
        }
        let has_volume = kind == KlineKind::Last;
        let mut fault = None;
        let kline = Kline {
            kind,
            interval,
            open_time,
            open: scale.price(row.1, "open")?,
            high: scale.price(row.2, "high")?,
            low: scale.price(row.3, "low")?,
            close: scale.price(row.4, "close")?,
            volume: has_volume.then(|| optional(scale.coins(row.5, "volume"), &mut fault)).flatten(),
            taker_buy_volume: has_volume
                .then(|| optional(scale.coins(row.9, "taker buy volume"), &mut fault))
                .flatten(),
            trades: has_volume.then_some(row.8),
        };
        Ok(RowOutcome::of(Event::Kline(kline), fault))
    });
    let is_full = signed_len(rows.len()) >= rows_between(from, to, interval.ms()).clamp(1, PAGE_ROWS);
    // A full page of which no time can be read is taken to be as long as it should be, so that filling goes on.
    let newest = rows.iter().filter_map(|row| time_of(row.get(), TimeAt::First)).max();
    let reached = newest.map_or(from.plus(PAGE_ROWS * interval.ms()), |open| open.plus(interval.ms()));
    let next = (is_full && reached > from && reached < to).then(|| query.with_span(reached, to));
    let mut page = page(row_events, next);
    page.rejected.retain(|row| match &row.subject {
        RowSubject::Data(about) => {
            about.span().is_none_or(|(open, close)| open >= from && open < to && close <= received)
        }
        RowSubject::Contract(_) | RowSubject::Unknown => true,
    });
    Ok(page)
}

fn trades(body: &[u8], scale: Scale, first: i64, last: i64) -> Result<Page, FrameError> {
    let rows: RawRows<'_> = json(body)?;
    let mut page = Page::default();
    let mut reached = first.saturating_sub(1);
    for raw in rows {
        let text = raw.get();
        let id = field_of(text, TimeAt::Key("a")).and_then(|id| id.text().parse::<i64>().ok());
        reached = reached.max(id.unwrap_or(reached));
        if id.is_some_and(|id| id < first || id > last) {
            continue;
        }
        match json::<TradeRow<'_>>(text.as_bytes()).and_then(|row| trade(&row, scale)) {
            Ok(trade) => page.events.push(Event::Trade(trade)),
            Err(error) => {
                let about = |id| RowSubject::Data(RestQuery::Trades { first: id, last: id });
                let subject = id.map_or(RowSubject::Unknown, about);
                page.rejected.push(RejectedRow::new(subject, error, text));
            }
        }
    }
    page.next =
        (reached >= first && reached < last).then_some(RestQuery::Trades { first: reached + 1, last });
    Ok(page)
}

fn trade(row: &TradeRow<'_>, scale: Scale) -> Result<Trade, FrameError> {
    Ok(Trade {
        id: row.id,
        time: time("T", row.time)?,
        price: scale.price(row.price, "p")?,
        qty: scale.size(row.qty, "q")?,
        taker: if row.buyer_is_maker { Taker::Sell } else { Taker::Buy },
    })
}

#[cfg(test)]
mod tests;
