//! Requests and answers.
//!
//! Klines and trades come in pages of a thousand, statistics of open interest in pages of five hundred. What
//! a page left is what its [`Page::next`] asks for.

use std::borrow::Cow;
use std::time::Duration;

use liqheat_market::{
    Event, Funding, Interval, Kline, KlineKind, OpenInterest, Qty, Taker, Trade, UNIT_SCALE, UnixMs,
};
use serde::Deserialize;

use crate::venues::fields::{Decimal, json, time};
use crate::venues::{Contract, FrameError, Page, Pool, Request, Want};

/// Rows of klines or trades in one answer: what costs least weight a row.
const PAGE_ROWS: i64 = 1_000;
/// Rows of open interest in one answer.
const STATISTICS_ROWS: i64 = 500;
/// How often the venue counts open interest for its statistics.
const STATISTICS_STEP_MS: i64 = Interval::M5.ms();
const FIVE_MINUTES: Duration = Duration::from_secs(300);

const STATISTICS: Pool = Pool { name: "statistics", requests: 1_000, per: FIVE_MINUTES };
const FUNDING: Pool = Pool { name: "funding", requests: 500, per: FIVE_MINUTES };

pub(super) fn request(contract: &Contract, want: &Want) -> Option<Request> {
    let name = &contract.name;
    let plain = |path: String, weight| Request { path, body: None, weight, pool: None };
    let counted = |path: String, pool| Request { path, body: None, weight: 0, pool: Some(pool) };
    Some(match *want {
        Want::Time => plain("/fapi/v1/time".to_owned(), 1),
        Want::Contracts => plain("/fapi/v1/exchangeInfo".to_owned(), 1),
        // They are told to accounts only.
        Want::Tiers => return None,
        Want::Klines { kind, interval, from, to } => {
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
        Want::OpenInterest => plain(format!("/fapi/v1/openInterest?symbol={name}"), 1),
        Want::OpenInterestHistory { from, to } => {
            let until = page_end(from, to).0 - 1;
            counted(
                format!(
                    "/futures/data/openInterestHist?symbol={name}&period=5m&startTime={}&endTime={until}&limit={STATISTICS_ROWS}",
                    from.0
                ),
                STATISTICS,
            )
        }
        Want::Trades { first, last } => {
            let rows = last.saturating_sub(first).saturating_add(1).clamp(1, PAGE_ROWS);
            plain(format!("/fapi/v1/aggTrades?symbol={name}&fromId={first}&limit={rows}"), 20)
        }
        Want::Funding { from, to } => counted(
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

pub(super) fn answer(want: &Want, body: &[u8], received: UnixMs) -> Result<Page, FrameError> {
    match *want {
        Want::Time => {
            let answer: TimeAnswer = json(body)?;
            Ok(Page { time: Some(time("serverTime", answer.server_time)?), ..Page::default() })
        }
        Want::Contracts => {
            let info: ExchangeInfo<'_> = json(body)?;
            let is_there =
                |row: &&SymbolRow<'_>| !matches!(&*row.status, "PENDING_TRADING" | "DELIVERED" | "CLOSE");
            let rows = info.symbols.iter().filter(is_there);
            // Everything is counted in coins.
            let sizes = rows.map(|row| (row.symbol.to_string(), Qty::from_units(UNIT_SCALE)));
            Ok(Page { sizes: sizes.collect(), ..Page::default() })
        }
        Want::Tiers => Ok(Page::default()),
        Want::Klines { kind, interval, from, to } => klines(body, kind, interval, (from, to), received),
        Want::OpenInterest => {
            let row: StockAnswer<'_> = json(body)?;
            let sample = OpenInterest {
                time: time("time", row.time)?,
                qty: row.open_interest.amount("openInterest")?,
            };
            Ok(Page { events: vec![Event::OpenInterest(sample)], ..Page::default() })
        }
        Want::OpenInterestHistory { from, to } => {
            let rows: Vec<StatisticsRow<'_>> = json(body)?;
            let mut events = Vec::with_capacity(rows.len());
            for row in rows {
                let sample = OpenInterest {
                    time: row.timestamp.time("timestamp")?,
                    qty: row.open_interest.amount("sumOpenInterest")?,
                };
                events.push(Event::OpenInterest(sample));
            }
            let reached = page_end(from, to);
            let next = (reached < to).then_some(Want::OpenInterestHistory { from: reached, to });
            Ok(Page { events: sorted(events), next, ..Page::default() })
        }
        Want::Trades { first, last } => trades(body, first, last),
        Want::Funding { to, .. } => {
            let rows: Vec<FundingRow<'_>> = json(body)?;
            let full = rows.len() as i64 >= PAGE_ROWS;
            let mut events = Vec::with_capacity(rows.len());
            for row in rows {
                let time = time("fundingTime", row.time)?;
                let rate = row.rate.rate("fundingRate")?;
                events.push(Event::Funding(Funding { time, rate, interval_hours: None }));
            }
            let events = sorted(events);
            let next = events.last().filter(|_| full).map(|last| last.known_at().plus(1));
            let next = next.filter(|from| *from < to).map(|from| Want::Funding { from, to });
            Ok(Page { events, next, ..Page::default() })
        }
    }
}

fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(Event::known_at);
    events
}

fn klines(
    body: &[u8],
    kind: KlineKind,
    interval: Interval,
    (from, to): (UnixMs, UnixMs),
    received: UnixMs,
) -> Result<Page, FrameError> {
    let rows: Vec<KlineRow<'_>> = json(body)?;
    let mut events = Vec::with_capacity(rows.len());
    let mut reached = from;
    let is_full = rows.len() as i64 >= rows_between(from, to, interval.ms()).clamp(1, PAGE_ROWS);
    for row in rows {
        let open_time = time("open time", row.0)?;
        let has_volume = kind == KlineKind::Last;
        let kline = Kline {
            kind,
            interval,
            open_time,
            open: row.1.price("open")?,
            high: row.2.price("high")?,
            low: row.3.price("low")?,
            close: row.4.price("close")?,
            volume: if has_volume { Some(row.5.amount("volume")?) } else { None },
            taker_buy_volume: if has_volume { Some(row.9.amount("taker buy volume")?) } else { None },
            trades: has_volume.then_some(row.8),
        };
        reached = reached.max(kline.close_time());
        // The last row may still be moving.
        if open_time >= from && open_time < to && kline.close_time() <= received {
            events.push(Event::Kline(kline));
        }
    }
    let next = (is_full && reached < to).then_some(Want::Klines { kind, interval, from: reached, to });
    Ok(Page { events: sorted(events), next, ..Page::default() })
}

fn trades(body: &[u8], first: i64, last: i64) -> Result<Page, FrameError> {
    let rows: Vec<TradeRow<'_>> = json(body)?;
    let mut events = Vec::with_capacity(rows.len());
    let mut reached = first.saturating_sub(1);
    for row in rows {
        reached = reached.max(row.id);
        if row.id < first || row.id > last {
            continue;
        }
        events.push(Event::Trade(Trade {
            id: row.id,
            time: time("T", row.time)?,
            price: row.price.price("p")?,
            qty: row.qty.size("q")?,
            taker: if row.buyer_is_maker { Taker::Sell } else { Taker::Buy },
        }));
    }
    let next = (reached >= first && reached < last).then_some(Want::Trades { first: reached + 1, last });
    Ok(Page { events, next, ..Page::default() })
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
    symbols: Vec<SymbolRow<'a>>,
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
    use liqheat_market::{Price, Rate, Symbol};

    fn btc() -> Contract {
        contract(&Binance, &Symbol::new("BTCUSDT").unwrap()).unwrap()
    }

    const NOW: UnixMs = UnixMs(1_748_131_500_000);
    const OPEN: UnixMs = UnixMs(1_748_131_200_000);

    fn minutes(kind: KlineKind, from: UnixMs, to: UnixMs) -> Want {
        Want::Klines { kind, interval: Interval::M1, from, to }
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
        let month = Want::OpenInterestHistory { from: OPEN, to: OPEN.plus(30 * 86_400_000) };
        let asked = request(&btc(), &month).unwrap();
        assert!(asked.path.ends_with("&startTime=1748131200000&endTime=1748281199999&limit=500"));
        assert_eq!((asked.weight, asked.pool.unwrap().requests), (0, 1_000));
        let ids = Want::Trades { first: 10, last: 5_000 };
        let asked = request(&btc(), &ids).unwrap();
        assert_eq!(asked.path, "/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=10&limit=1000");
        assert_eq!(request(&btc(), &Want::Tiers), None);
    }

    #[test]
    fn contracts_are_those_that_can_be_traded() {
        let asked = request(&btc(), &Want::Contracts).unwrap();
        assert_eq!((asked.path.as_str(), asked.weight), ("/fapi/v1/exchangeInfo", 1));
        let body = r#"{"timezone":"UTC","serverTime":1565613908500,"symbols":[
            {"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING"},
            {"symbol":"哈基米USDT","pair":"哈基米USDT","contractType":"PERPETUAL","status":"TRADING"},
            {"symbol":"OLDUSDT","pair":"OLDUSDT","contractType":"PERPETUAL","status":"CLOSE"}]}"#;
        let page = answer(&Want::Contracts, body.as_bytes(), NOW).unwrap();
        let coin = Qty::from_units(UNIT_SCALE);
        assert_eq!(page.sizes, [("BTCUSDT".to_owned(), coin), ("哈基米USDT".to_owned(), coin)]);
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
        let want = minutes(KlineKind::Last, OPEN, NOW);
        let page = answer(&want, body.as_bytes(), NOW).unwrap();
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
        let Event::Kline(read) = answer(&mark, body.as_bytes(), NOW).unwrap().events[0] else { panic!() };
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
        let page = answer(&minutes(KlineKind::Last, OPEN, to), body.as_bytes(), to).unwrap();
        assert_eq!(page.events.len(), 1_000);
        assert_eq!(page.next, Some(minutes(KlineKind::Last, OPEN.plus(60_000_000), to)));

        let body = r#"[{"a":10,"p":"1","q":"1","f":1,"l":1,"T":1748131200000,"m":true},
            {"a":11,"p":"1","q":"1","f":1,"l":1,"T":1748131200000,"m":false},
            {"a":12,"p":"1","q":"1","f":1,"l":1,"T":1748131200000,"m":false}]"#;
        let page = answer(&Want::Trades { first: 10, last: 11 }, body.as_bytes(), NOW).unwrap();
        assert_eq!((page.events.len(), page.next), (2, None));
        let page = answer(&Want::Trades { first: 10, last: 20 }, body.as_bytes(), NOW).unwrap();
        assert_eq!((page.events.len(), page.next), (3, Some(Want::Trades { first: 13, last: 20 })));
        let page = answer(&Want::Trades { first: 10, last: 20 }, b"[]", NOW).unwrap();
        assert_eq!(page, Page::default(), "nothing there: asking again would bring nothing either");
    }

    #[test]
    fn stock_time_and_funding_are_read() {
        let body = br#"{"openInterest":"91234.567","symbol":"BTCUSDT","time":1748131499000}"#;
        let page = answer(&Want::OpenInterest, body, NOW).unwrap();
        let qty = Qty::parse("91234.567").unwrap();
        assert_eq!(page.events, [Event::OpenInterest(OpenInterest { time: UnixMs(1_748_131_499_000), qty })]);

        let body = br#"[{"symbol":"BTCUSDT","sumOpenInterest":"20403.12345678","sumOpenInterestValue":"1.0","timestamp":"1748131200000"},
            {"symbol":"BTCUSDT","sumOpenInterest":"20401.36700000","sumOpenInterestValue":"1.0","CMCCirculatingSupply":"1","timestamp":1748131500000}]"#;
        let month = Want::OpenInterestHistory { from: OPEN, to: OPEN.plus(30 * 86_400_000) };
        let page = answer(&month, body, NOW).unwrap();
        assert_eq!(page.events.len(), 2);
        assert_eq!(page.next.unwrap().to_string(), "open-interest-history:1748281200000:1750723200000");

        let page = answer(&Want::Time, br#"{"serverTime":1748131499123}"#, NOW).unwrap();
        assert_eq!(page.time, Some(UnixMs(1_748_131_499_123)));

        let body =
            br#"[{"symbol":"BTCUSDT","fundingRate":"-0.03750000","fundingTime":1748131200003,"markPrice":"1"}]"#;
        let page = answer(&Want::Funding { from: OPEN, to: NOW }, body, NOW).unwrap();
        let rate = Rate::from_units(-3_750_000);
        assert_eq!(
            page.events,
            [Event::Funding(Funding { time: UnixMs(1_748_131_200_003), rate, interval_hours: None })]
        );
    }

    #[test]
    fn an_error_is_no_answer() {
        let error =
            answer(&Want::OpenInterest, br#"{"code":-1121,"msg":"Invalid symbol."}"#, NOW).unwrap_err();
        assert!(error.to_string().contains("missing field `openInterest`"), "{error}");
        assert!(answer(&Want::Funding { from: OPEN, to: NOW }, b"<html>", NOW).is_err());
    }
}
