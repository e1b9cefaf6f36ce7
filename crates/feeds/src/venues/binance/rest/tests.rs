//! Requests as they are sent, and answers as they are read.

use super::*;
use crate::venues::binance::EXCHANGE;
use crate::venues::contract;
use liqheat_market::{Price, Qty, Rate, Symbol};

fn btc() -> Contract {
    contract(&EXCHANGE, &Symbol::new("BTCUSDT").unwrap()).unwrap()
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
    let Event::Kline(read) = answer(&btc(), &mark, body.as_bytes(), NOW).unwrap().events[0] else { panic!() };
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
fn open_interest_time_and_funding_are_read() {
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
    let subjects: Vec<_> = page.rejected.iter().map(|row| (row.subject.clone(), row.is_partial)).collect();
    let minute = |at: i64| {
        let from = OPEN.plus(at * 60_000);
        RowSubject::Data(query.with_span(from, from.plus(60_000)))
    };
    assert_eq!(subjects, [(minute(0), true), (minute(1), false), (RowSubject::Unknown, false)]);
    let trades = br#"[{"a":10,"p":"1","q":"0","T":1748131200000,"m":true},{"a":11,"p":"1","q":"1","T":1748131200000,"m":true}]"#;
    let page = answer(&btc(), &RestQuery::Trades { first: 10, last: 11 }, trades, NOW).unwrap();
    assert_eq!((page.events.len(), page.next), (1, None));
    assert_eq!(page.rejected[0].subject, RowSubject::Data(RestQuery::Trades { first: 10, last: 10 }));
    let list = br#"{"symbols":[{"symbol":"ODDUSDT","status":null},{"symbol":"BTCUSDT","status":"TRADING"}]}"#;
    let page = answer(&btc(), &RestQuery::Contracts, list, NOW).unwrap();
    assert_eq!(page.contracts, [ListedContract::of_one_coin("BTCUSDT")]);
    assert_eq!(page.rejected[0].subject, RowSubject::Contract("ODDUSDT".to_owned()));
}

#[test]
fn an_error_is_no_answer() {
    let error = answer(&btc(), &RestQuery::OpenInterest, br#"{"code":-1121,"msg":"Invalid symbol."}"#, NOW)
        .unwrap_err();
    assert!(error.to_string().contains("missing field `openInterest`"), "{error}");
    assert!(answer(&btc(), &RestQuery::Funding { from: OPEN, to: NOW }, b"<html>", NOW).is_err());
}
