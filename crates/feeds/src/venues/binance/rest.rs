//! Requests and answers.
//!
//! Klines and trades come in pages of a thousand, statistics of open interest in pages of five hundred. What remains after
//! a page is its [`Page::next`].
//!
//! Routes and weights: <https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api>; limits: <https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info>.

use std::borrow::Cow;

use liqheat_market::convert::signed_len;
use liqheat_market::{Event, Funding, Interval, Kline, KlineKind, OpenInterest, Taker, Trade, UnixMs};
use serde::Deserialize;

use super::FIVE_MINUTES;
use crate::venues::fields::{Decimal, encoded, json, time};
use crate::venues::rows::{
    RawRows, Row, RowEvents, TimeAt, accept, field_of, optional, read_contracts, time_of,
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
            let row: StockAnswer<'_> = json(body)?;
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
            return Ok(Row::Nothing);
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
        Ok(Row::of(Event::Kline(kline), fault))
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

/// `{"code":-1121,"msg":"Invalid symbol."}`
#[derive(Deserialize)]
struct ErrorAnswer {
    code: i64,
}

#[derive(Deserialize)]
struct TimeAnswer {
    #[serde(rename = "serverTime")]
    server_time: i64,
}

/// `{"timezone":"UTC","serverTime":1565613908500,"symbols":[{"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING"}]}`
#[derive(Deserialize)]
struct ExchangeInfo<'a> {
    #[serde(borrow)]
    symbols: RawRows<'a>,
}

#[derive(Deserialize)]
struct SymbolRow<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

#[derive(Deserialize)]
struct StockAnswer<'a> {
    #[serde(borrow, rename = "openInterest")]
    open_interest: Decimal<'a>,
    time: i64,
}

#[derive(Deserialize)]
struct StatisticsRow<'a> {
    #[serde(borrow, rename = "sumOpenInterest")]
    open_interest: Decimal<'a>,
    #[serde(borrow)]
    timestamp: Decimal<'a>,
}

#[derive(Deserialize)]
struct FundingRow<'a> {
    #[serde(rename = "fundingTime")]
    time: i64,
    #[serde(borrow, rename = "fundingRate")]
    rate: Decimal<'a>,
}

#[derive(Deserialize)]
struct TradeRow<'a> {
    #[serde(rename = "a")]
    id: i64,
    #[serde(borrow, rename = "p")]
    price: Decimal<'a>,
    #[serde(borrow, rename = "q")]
    qty: Decimal<'a>,
    #[serde(rename = "T")]
    time: i64,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
}

/// Open time, open, high, low, close, volume, close time, quote volume, trades, taker buy volume and two more.
#[derive(Deserialize)]
struct KlineRow<'a>(
    i64,
    #[serde(borrow)] Decimal<'a>,
    #[serde(borrow)] Decimal<'a>,
    #[serde(borrow)] Decimal<'a>,
    #[serde(borrow)] Decimal<'a>,
    #[serde(borrow)] Decimal<'a>,
    #[allow(dead_code, reason = "keeps the place")] i64,
    #[allow(dead_code, reason = "keeps the place")]
    #[serde(borrow)]
    Decimal<'a>,
    i64,
    #[serde(borrow)] Decimal<'a>,
    #[allow(dead_code, reason = "keeps the place")]
    #[serde(borrow)]
    Decimal<'a>,
    #[allow(dead_code, reason = "keeps the place")]
    #[serde(borrow)]
    Decimal<'a>,
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::binance::Binance;
    use crate::venues::contract;
    use liqheat_market::{Price, Qty, Rate, Symbol};

    fn btc() -> Contract {
        contract(&Binance, &Symbol::new("BTCUSDT").unwrap()).unwrap()
    }

    const NOW: UnixMs = UnixMs(1_748_131_500_000);
    const OPEN: UnixMs = UnixMs(1_748_131_200_000);

    fn minutes(kind: KlineKind, from: UnixMs, to: UnixMs) -> RestQuery {
        RestQuery::Klines { kind, interval: Interval::M1, from, to }
    }

    #[test]
    fn requests_ask_for_no_more_than_a_page() {
        let day = minutes(KlineKind::Last, OPEN, OPEN.plus(86_400_000));
        let asked = request(&btc(), &day).unwrap();
        assert_eq!(
            asked.path,
            "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=1748131200000&endTime=1748217599999&limit=1000"
        );
        assert_eq!(asked.weight, 5);
        let few = minutes(KlineKind::Mark, OPEN, OPEN.plus(120_000));
        let asked = request(&btc(), &few).unwrap();
        assert_eq!((asked.weight, asked.path.contains("markPriceKlines")), (1, true));
        assert!(asked.path.ends_with("&endTime=1748131319999&limit=2"));
        let month = RestQuery::OpenInterestHistory { from: OPEN, to: OPEN.plus(30 * 86_400_000) };
        let asked = request(&btc(), &month).unwrap();
        assert!(asked.path.ends_with("&startTime=1748131200000&endTime=1748281199999&limit=500"));
        assert_eq!((asked.weight, asked.rate_limit.unwrap().requests), (0, 1_000));
        let ids = RestQuery::Trades { first: 10, last: 5_000 };
        let asked = request(&btc(), &ids).unwrap();
        assert_eq!(asked.path, "/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=10&limit=1000");
        assert_eq!(request(&btc(), &RestQuery::Tiers), None);
    }

    #[test]
    fn contracts_are_those_that_can_be_traded() {
        let asked = request(&btc(), &RestQuery::Contracts).unwrap();
        assert_eq!((asked.path.as_str(), asked.weight), ("/fapi/v1/exchangeInfo", 1));
        let body = r#"{"timezone":"UTC","serverTime":1565613908500,"symbols":[
            {"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING"},
            {"symbol":"哈基米USDT","pair":"哈基米USDT","contractType":"PERPETUAL","status":"TRADING"},
            {"symbol":"OLDUSDT","pair":"OLDUSDT","contractType":"PERPETUAL","status":"CLOSE"}]}"#;
        let page = answer(&btc(), &RestQuery::Contracts, body.as_bytes(), NOW).unwrap();
        assert_eq!(page.contracts, ["BTCUSDT", "哈基米USDT"].map(ListedContract::of_one_coin));
    }

    #[test]
    fn klines_are_read_but_not_the_one_that_is_still_moving() {
        let body = format!(
            r#"[[{OPEN},"107000.10","107010.00","106990","107005.5","12.345",{},"1320000.1",417,"6.001","640000","0"],
                [{},"107005.5","107006","107000","107001","1",{},"107000",9,"0.5","53500","0"]]"#,
            OPEN.0 + 59_999,
            NOW.0 - 30_000,
            NOW.0 + 29_999,
            OPEN = OPEN.0,
        );
        let query = minutes(KlineKind::Last, OPEN, NOW);
        let page = answer(&btc(), &query, body.as_bytes(), NOW).unwrap();
        let expected = Kline {
            kind: KlineKind::Last,
            interval: Interval::M1,
            open_time: OPEN,
            open: Price::parse("107000.1").unwrap(),
            high: Price::parse("107010").unwrap(),
            low: Price::parse("106990").unwrap(),
            close: Price::parse("107005.5").unwrap(),
            volume: Some(Qty::parse("12.345").unwrap()),
            taker_buy_volume: Some(Qty::parse("6.001").unwrap()),
            trades: Some(417),
        };
        assert_eq!(page.events, [Event::Kline(expected)]);
        assert_eq!(page.next, None);
        let mark = minutes(KlineKind::Mark, OPEN, NOW);
        let Event::Kline(read) = answer(&btc(), &mark, body.as_bytes(), NOW).unwrap().events[0] else {
            panic!()
        };
        assert_eq!((read.kind, read.volume, read.trades), (KlineKind::Mark, None, None));
    }

    #[test]
    fn a_full_page_asks_for_the_next() {
        let row = |at: i64| {
            let open = OPEN.0 + at * 60_000;
            format!(r#"[{open},"1","1","1","1","1",{},"1",1,"1","1","0"]"#, open + 59_999)
        };
        let rows: Vec<String> = (0..1_000).map(row).collect();
        let body = format!("[{}]", rows.join(","));
        let to = OPEN.plus(1_500 * 60_000);
        let page = answer(&btc(), &minutes(KlineKind::Last, OPEN, to), body.as_bytes(), to).unwrap();
        assert_eq!(page.events.len(), 1_000);
        assert_eq!(page.next, Some(minutes(KlineKind::Last, OPEN.plus(60_000_000), to)));

        let body = r#"[{"a":10,"p":"1","q":"1","f":1,"l":1,"T":1748131200000,"m":true},
            {"a":11,"p":"1","q":"1","f":1,"l":1,"T":1748131200000,"m":false},
            {"a":12,"p":"1","q":"1","f":1,"l":1,"T":1748131200000,"m":false}]"#;
        let page = answer(&btc(), &RestQuery::Trades { first: 10, last: 11 }, body.as_bytes(), NOW).unwrap();
        assert_eq!((page.events.len(), page.next), (2, None));
        let page = answer(&btc(), &RestQuery::Trades { first: 10, last: 20 }, body.as_bytes(), NOW).unwrap();
        assert_eq!((page.events.len(), page.next), (3, Some(RestQuery::Trades { first: 13, last: 20 })));
        let page = answer(&btc(), &RestQuery::Trades { first: 10, last: 20 }, b"[]", NOW).unwrap();
        assert_eq!(page, Page::default(), "nothing there: asking again would bring nothing either");
    }

    #[test]
    fn stock_time_and_funding_are_read() {
        let body = br#"{"openInterest":"91234.567","symbol":"BTCUSDT","time":1748131499000}"#;
        let page = answer(&btc(), &RestQuery::OpenInterest, body, NOW).unwrap();
        let qty = Qty::parse("91234.567").unwrap();
        assert_eq!(page.events, [Event::OpenInterest(OpenInterest { time: UnixMs(1_748_131_499_000), qty })]);

        let body = br#"[{"symbol":"BTCUSDT","sumOpenInterest":"20403.12345678","sumOpenInterestValue":"1.0","timestamp":"1748131200000"},
            {"symbol":"BTCUSDT","sumOpenInterest":"20401.36700000","sumOpenInterestValue":"1.0","CMCCirculatingSupply":"1","timestamp":1748131500000}]"#;
        let month = RestQuery::OpenInterestHistory { from: OPEN, to: OPEN.plus(30 * 86_400_000) };
        let page = answer(&btc(), &month, body, NOW).unwrap();
        assert_eq!(page.events.len(), 2);
        assert_eq!(page.next.unwrap().to_string(), "open-interest-history:1748281200000:1750723200000");

        let page = answer(&btc(), &RestQuery::Time, br#"{"serverTime":1748131499123}"#, NOW).unwrap();
        assert_eq!(page.time, Some(UnixMs(1_748_131_499_123)));

        let body =
            br#"[{"symbol":"BTCUSDT","fundingRate":"-0.03750000","fundingTime":1748131200003,"markPrice":"1"}]"#;
        let page = answer(&btc(), &RestQuery::Funding { from: OPEN, to: NOW }, body, NOW).unwrap();
        let rate = Rate::from_units(-3_750_000);
        assert_eq!(
            page.events,
            [Event::Funding(Funding { time: UnixMs(1_748_131_200_003), rate, interval_hours: None })]
        );
    }

    #[test]
    fn a_history_that_begins_too_early_begins_later() {
        let month = RestQuery::OpenInterestHistory { from: OPEN, to: NOW };
        let body = br#"{"code":-1130,"msg":"parameter 'startTime' is invalid."}"#;
        assert_eq!(refusal(&month, 400, body), Some(RequestRefusal::BeginLater));
        assert_eq!(refusal(&RestQuery::OpenInterest, 400, body), Some(RequestRefusal::Permanent));
        let other = br#"{"code":-1121,"msg":"Invalid symbol."}"#;
        assert_eq!(refusal(&month, 400, other), Some(RequestRefusal::Permanent));
        assert!(matches!(refusal(&month, 429, b""), Some(RequestRefusal::Throttled { .. })));
        assert_eq!(refusal(&month, 200, b"[]"), None);
    }

    #[test]
    fn one_row_costs_itself() {
        let rows = r#"[[1748131200000,"1","2","1","2","x",1748131259999,"1",1,"1","1","0"],
            [1748131260000,"0","2","1","2","1",1748131319999,"1",1,"1","1","0"],
            7,
            [1748131320000,"1","2","1","2","1",1748131379999,"1",1,"1","1","0"]]"#;
        let query = minutes(KlineKind::Last, OPEN, OPEN.plus(180_000));
        let page = answer(&btc(), &query, rows.as_bytes(), NOW).unwrap();
        assert_eq!(page.events.len(), 2);
        let subjects: Vec<_> =
            page.rejected.iter().map(|row| (row.subject.clone(), row.is_partial)).collect();
        let minute = |at: i64| {
            let from = OPEN.plus(at * 60_000);
            RowSubject::Data(query.with_span(from, from.plus(60_000)))
        };
        assert_eq!(subjects, [(minute(0), true), (minute(1), false), (RowSubject::Unknown, false)]);
        let trades = br#"[{"a":10,"p":"1","q":"0","T":1748131200000,"m":true},{"a":11,"p":"1","q":"1","T":1748131200000,"m":true}]"#;
        let page = answer(&btc(), &RestQuery::Trades { first: 10, last: 11 }, trades, NOW).unwrap();
        assert_eq!((page.events.len(), page.next), (1, None));
        assert_eq!(page.rejected[0].subject, RowSubject::Data(RestQuery::Trades { first: 10, last: 10 }));
        let list =
            br#"{"symbols":[{"symbol":"ODDUSDT","status":null},{"symbol":"BTCUSDT","status":"TRADING"}]}"#;
        let page = answer(&btc(), &RestQuery::Contracts, list, NOW).unwrap();
        assert_eq!(page.contracts, [ListedContract::of_one_coin("BTCUSDT")]);
        assert_eq!(page.rejected[0].subject, RowSubject::Contract("ODDUSDT".to_owned()));
    }

    #[test]
    fn an_error_is_no_answer() {
        let error =
            answer(&btc(), &RestQuery::OpenInterest, br#"{"code":-1121,"msg":"Invalid symbol."}"#, NOW)
                .unwrap_err();
        assert!(error.to_string().contains("missing field `openInterest`"), "{error}");
        assert!(answer(&btc(), &RestQuery::Funding { from: OPEN, to: NOW }, b"<html>", NOW).is_err());
    }
}
