//! On frames made up in the documented format.

use liqheat_market::{
    Event, Funding, Interval, Kline, KlineKind, Liquidation, MarkPrice, OpenInterest, Price, PriceKind, Qty,
    Rate, Side, Taker, Trade, UnixMs,
};

use super::EXCHANGE;
use crate::venues::fixtures::{answer, complaint, events, nothing_panics, session, sized, table};
use crate::venues::{
    ContractTable, ListedContract, PauseScope, RequestRefusal, RestQuery, Signal, StreamKind,
    VenueFrameReader,
};

/// Made up in the documented format, not recorded: `recorded.jsonl` has what others recorded.
const SESSION: &str = include_str!("fixtures/made-up-session.jsonl");
/// Made up as well.
const ANSWERS: &str = include_str!("fixtures/made-up-answers.jsonl");

/// 2025-11-24 00:00 UTC.
const MIDNIGHT: UnixMs = UnixMs(1_763_942_400_000);

fn bitcoin() -> ContractTable {
    table(&EXCHANGE, &[("BTCUSDT", "1")])
}

fn reader() -> Box<dyn VenueFrameReader> {
    EXCHANGE.reader(&bitcoin(), MIDNIGHT)
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

#[test]
fn an_unknown_contract_is_reported() {
    let asked = EXCHANGE.request(&bitcoin().contracts()[0], &RestQuery::Contracts, MIDNIGHT).unwrap();
    assert_eq!(asked.path, "/v5/market/instruments-info?category=linear&symbol=BTCUSDT");
    let contracts_of = |body: &str| {
        let page =
            EXCHANGE.answer(&bitcoin().contracts()[0], &RestQuery::Contracts, body.as_bytes(), MIDNIGHT);
        page.map(|page| page.contracts)
    };
    let listed = |status: &str| {
        format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"linear","list":[{{"symbol":"BTCUSDT","contractType":"LinearPerpetual",
            "status":"{status}","baseCoin":"BTC"}}],"nextPageCursor":""}},"retExtInfo":{{}},"time":1763942400000}}"#
        )
    };
    assert_eq!(contracts_of(&listed("Trading")).unwrap(), [ListedContract::of_one_coin("BTCUSDT")]);
    assert_eq!(contracts_of(&listed("Closed")).unwrap(), []);
    let no_such = r#"{"retCode":10001,"retMsg":"params error: Symbol Invalid","result":{},"retExtInfo":{},"time":1763942400000}"#;
    assert_eq!(contracts_of(no_such).unwrap(), []);
    let busy =
        r#"{"retCode":10006,"retMsg":"Too many visits!","result":{},"retExtInfo":{},"time":1763942400000}"#;
    assert!(contracts_of(busy).is_err());
}

#[test]
fn a_session_is_understood() {
    let said = session(&mut *reader(), SESSION, MIDNIGHT);
    assert_eq!(said[0], [Signal::Acknowledged]);
    let mark = |ms, text| Event::MarkPrice(MarkPrice { time: MIDNIGHT.plus(ms), price: price(text) });
    let sample = |ms, text| Event::OpenInterest(OpenInterest { time: MIDNIGHT.plus(ms), qty: qty(text) });
    // One side of the contracts, not both.
    assert_eq!(events(&said[1]), [mark(100, "87217.33"), sample(100, "54372.3805")]);
    let trade = |id, text, size, taker| {
        Event::Trade(Trade { id, time: MIDNIGHT.plus(203), price: price(text), qty: qty(size), taker })
    };
    let trades = events(&said[2]);
    let Event::Trade(first) = trades[0] else { panic!("{trades:?}") };
    // The block trade is skipped.
    assert_eq!(trades.len(), 2);
    assert_eq!(trades[0], trade(first.id, "87216", "0.001", Taker::Buy));
    assert!(first.id > 0);
    assert_eq!(trades[1], trade(2_100_000_000_188_691_524, "87215.9", "1.25", Taker::Sell));
    // Nothing new; two seconds later the price is still what it was.
    assert_eq!(events(&said[3]), []);
    assert_eq!(events(&said[4]), [mark(2_100, "87217.33")]);
    assert_eq!(events(&said[5]), [mark(5_200, "87214.1"), sample(5_200, "54370.0005")]);
    assert_eq!(said[6], [Signal::Alive { contract: 0, stream: StreamKind::Klines, sent: None }]);
    // Buy is the side of the position: a long.
    let liquidation = |ms, side, text, size| {
        let (time, price_kind) = (MIDNIGHT.plus(ms), PriceKind::Bankruptcy);
        Event::Liquidation(Liquidation { time, side, qty: qty(size), price: price(text), price_kind })
    };
    assert_eq!(
        events(&said[7]),
        [
            liquidation(11_929, Side::Long, "86881.3", "0.25"),
            liquidation(11_931, Side::Short, "87601", "0.003")
        ]
    );
    assert_eq!(said[8], [Signal::Pong]);
    assert_eq!(
        events(&said[9]),
        [Event::Kline(Kline {
            kind: KlineKind::Last,
            interval: Interval::M1,
            open_time: MIDNIGHT,
            open: price("87216"),
            high: price("87230"),
            low: price("87188.7"),
            close: price("87205.5"),
            volume: Some(qty("31.204")),
            taker_buy_volume: None,
            trades: None,
        })]
    );
    // Of a contract that is not followed.
    assert_eq!(said[10], []);
    let refused = "subscribe NOPEUSDT: error:handler not found,topic:kline.1.NOPEUSDT";
    assert_eq!(said[11], [Signal::Refused(refused.to_owned())]);
    assert_eq!(said[12], []);
}

#[test]
fn open_interest_of_both_sides_is_halved_where_one_is_not_told() {
    let both = r#"{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","openInterest":"68744.761"},"ts":1763942400000}"#;
    let mut signals = Vec::new();
    reader().read(both.as_bytes(), MIDNIGHT, &mut signals).unwrap();
    assert_eq!(
        events(&signals),
        [Event::OpenInterest(OpenInterest { time: MIDNIGHT, qty: qty("34372.3805") })]
    );
}

#[test]
fn open_interest_of_zero_is_skipped() {
    let mut reader = reader();
    let zero = r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","singleOpenInterest":"0","openInterest":""},"ts":1763942400000}"#;
    let mut signals = Vec::new();
    reader.read(zero.as_bytes(), MIDNIGHT, &mut signals).unwrap();
    assert_eq!(events(&signals), []);
}

#[test]
fn a_field_of_a_ticker_that_cannot_be_used_costs_itself() {
    let mut reader = reader();
    let ticker = |fields: &str, ms: i64| {
        let ts = MIDNIGHT.plus(ms).0;
        format!(
            r#"{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"symbol":"BTCUSDT",{fields}}},"ts":{ts}}}"#
        )
    };
    let mut signals = Vec::new();
    reader.read(ticker(r#""markPrice":"87217.33""#, 0).as_bytes(), MIDNIGHT, &mut signals).unwrap();
    let bad = ticker(r#""markPrice":"-1","openInterest":"10""#, 1_000);
    let mut signals = Vec::new();
    reader.read(bad.as_bytes(), MIDNIGHT, &mut signals).unwrap();
    let sample = OpenInterest { time: MIDNIGHT.plus(1_000), qty: qty("5") };
    assert_eq!(events(&signals), [Event::OpenInterest(sample)]);
    assert!(
        signals
            .iter()
            .any(|signal| matches!(signal, Signal::Rejected(row) if row.stream == StreamKind::Mark))
    );
    let mut after = Vec::new();
    reader.read(ticker(r#""bid1Size":"3""#, 2_000).as_bytes(), MIDNIGHT, &mut after).unwrap();
    let unchanged = MarkPrice { time: MIDNIGHT.plus(2_000), price: price("87217.33") };
    assert_eq!(events(&after), [Event::MarkPrice(unchanged)]);
}

#[test]
fn what_is_wrong_is_named() {
    for (from, to, words) in [
        ("\"S\":\"Buy\"", "\"S\":\"buy\"", "field S: 'buy' is not Buy or Sell"),
        ("\"v\":\"0.250\"", "\"v\":\"-0.250\"", "field v: '-0.250' is not an amount above zero"),
        ("\"p\":\"86881.30\"", "\"p\":\"0\"", "field p: '0' is not a price above zero"),
        ("1763942411929", "1763942411", "field T: '1763942411' is not a time in milliseconds"),
        ("\"v\":\"0.250\",", "", "missing field `v`"),
    ] {
        let line = SESSION.lines().nth(7).unwrap().replacen(from, to, 1);
        let error = complaint(&mut *reader(), &line, MIDNIGHT);
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn ids_are_the_same_again_and_not_negative() {
    let trades = SESSION.lines().nth(2).unwrap();
    let ids = || -> Vec<i64> {
        let mut signals = Vec::new();
        reader().read(trades.as_bytes(), MIDNIGHT, &mut signals).unwrap();
        let id = |event: &Event| if let Event::Trade(trade) = event { trade.id } else { -1 };
        events(&signals).iter().map(id).collect()
    };
    assert_eq!(ids(), ids());
    assert!(!ids().is_empty() && ids().iter().all(|id| *id >= 0));
}

#[test]
fn answers_are_understood() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "1");
    let received = MIDNIGHT.plus(120_200);
    let ask = |kind| answer(&EXCHANGE, &contract, ANSWERS, kind, received);
    assert_eq!(ask("time").1.time, Some(MIDNIGHT.plus(120_123)));
    let (_, klines) = ask("klines");
    let opened = |page: &crate::venues::Page| -> Vec<i64> {
        let time = |event: &Event| {
            if let Event::Kline(kline) = event { kline.open_time.since(MIDNIGHT) } else { -1 }
        };
        page.events.iter().map(time).collect()
    };
    // Oldest first, and without the running one.
    assert_eq!((opened(&klines), klines.next), (vec![-60_000, 0, 60_000], None));
    let (_, marks) = ask("mark-klines");
    let Event::Kline(mark) = marks.events[0] else { panic!("{marks:?}") };
    assert_eq!((mark.kind, mark.volume, mark.high), (KlineKind::Mark, None, price("87219.5")));
    let sample = |time, text| Event::OpenInterest(OpenInterest { time, qty: qty(text) });
    assert_eq!(ask("open-interest").1.events, [sample(MIDNIGHT.plus(120_123), "54372.3805")]);
    let history = [sample(MIDNIGHT.plus(-300_000), "54350"), sample(MIDNIGHT, "54372.3805")];
    assert_eq!(ask("open-interest-history").1.events, history);
    let (_, funding) = ask("funding");
    let last = Funding { time: MIDNIGHT, rate: Rate::from_units(-6_352), interval_hours: None };
    assert_eq!(funding.events[1], Event::Funding(last));
}

#[test]
fn tiers_are_continuous_and_in_order() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "1");
    let (query, page) = answer(&EXCHANGE, &contract, ANSWERS, "tiers", MIDNIGHT);
    let table = page.tiers.unwrap().table(MIDNIGHT, price("87000")).unwrap();
    let tiers: Vec<_> = table
        .tiers()
        .iter()
        .map(|t| (t.floor_usd, t.rate, t.cumulative_usd.round(), t.leverage_max))
        .collect();
    assert_eq!(tiers, [(0.0, 0.005, 0.0, 100.0), (2_000_000.0, 0.01, 10_000.0, 57.14)]);
    // Percents are reported from fractions.
    let percents = ANSWERS.lines().last().unwrap().trim_start_matches("tiers ");
    let percents = percents.replace("0.005", "0.5").replace("\"0.01\"", "\"1\"").replace("0.0175", "1.75");
    let page = EXCHANGE.answer(&contract, &query, percents.as_bytes(), MIDNIGHT).unwrap();
    assert_eq!(page.tiers.unwrap().rows[1].rate, 0.01);
    // A deduction that does not follow.
    let wrong = ANSWERS.lines().last().unwrap().trim_start_matches("tiers ").replace("\"10000\"", "\"9000\"");
    let error = EXCHANGE.answer(&contract, &query, wrong.as_bytes(), MIDNIGHT).unwrap_err().to_string();
    assert!(error.contains("mmDeduction"), "{error}");
}

#[test]
fn a_long_stretch_is_asked_for_in_parts() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "1");
    let (from, to) = (MIDNIGHT, MIDNIGHT.plus(2_500 * 60_000));
    let query = RestQuery::Klines { kind: KlineKind::Mark, interval: Interval::M1, from, to };
    let request = EXCHANGE.request(&contract, &query, MIDNIGHT).unwrap();
    assert_eq!(
        request.path,
        "/v5/market/mark-price-kline?category=linear&symbol=BTCUSDT&interval=1&start=1763942400000&end=1764002399999&limit=1000"
    );
    let empty = format!(r#"{{"retCode":0,"retMsg":"OK","result":{{"list":[]}},"time":{}}}"#, to.0);
    let page = EXCHANGE.answer(&contract, &query, empty.as_bytes(), to).unwrap();
    let rest = RestQuery::Klines {
        kind: KlineKind::Mark,
        interval: Interval::M1,
        from: from.plus(1_000 * 60_000),
        to,
    };
    assert_eq!(page.next, Some(rest));
}

#[test]
fn an_error_of_the_venue_is_passed_on() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "1");
    let body = br#"{"retCode":10001,"retMsg":"params error: Symbol Invalid","result":{},"retExtInfo":{},"time":1672738134824}"#;
    let error = EXCHANGE.answer(&contract, &RestQuery::OpenInterest, body, MIDNIGHT).unwrap_err();
    assert_eq!(error.to_string(), "the venue says: 10001: params error: Symbol Invalid");
}

#[test]
fn an_error_without_a_time_keeps_the_text_of_the_venue() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "1");
    let body = br#"{"retCode":10002,"retMsg":"invalid request"}"#;
    for query in [RestQuery::Time, RestQuery::OpenInterest, RestQuery::Contracts] {
        let error = EXCHANGE.answer(&contract, &query, body, MIDNIGHT).unwrap_err();
        assert_eq!(error.to_string(), "the venue says: 10002: invalid request");
    }
    let busy = br#"{"retCode":10006,"retMsg":"Too many visits!"}"#;
    let refusal = EXCHANGE.refusal(&RestQuery::Time, 200, busy);
    assert!(
        matches!(refusal, Some(RequestRefusal::Throttled { scope: PauseScope::Endpoint, .. })),
        "{refusal:?}"
    );
    assert!(matches!(EXCHANGE.refusal(&RestQuery::Time, 403, b""), Some(RequestRefusal::Throttled { .. })));
}

#[test]
fn no_bytes_panic() {
    nothing_panics(&EXCHANGE, &bitcoin(), SESSION, ANSWERS);
}
