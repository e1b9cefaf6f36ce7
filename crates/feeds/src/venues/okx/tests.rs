//! On a recorded session of 2022 (spot and coin-margined contracts, which the stream writes the same way) and on frames
//! made up in the documented format.

use std::io::Read;

use liqheat_market::{
    Event, Funding, Interval, KlineKind, Liquidation, MarkPrice, OpenInterest, Price, PriceKind, Qty, Rate,
    Side, Symbol, Taker, Trade, UnixMs,
};

use super::EXCHANGE;
use crate::venues::fixtures::{answer, complaint, events, nothing_panics, session, sized, table};
use crate::venues::{
    Contract, ContractTable, Page, PauseScope, RequestRefusal, RestQuery, RowSubject, Signal, StreamKind,
    Underlying, VenueFrameReader,
};

/// Made up in the documented format, not recorded: `recorded.jsonl` has what others recorded.
const SESSION: &str = include_str!("fixtures/made-up-session.jsonl");
/// Made up as well.
const ANSWERS: &str = include_str!("fixtures/made-up-answers.jsonl");

/// 2025-11-24 00:00 UTC.
const MIDNIGHT: UnixMs = UnixMs(1_763_942_400_000);

fn bitcoin() -> ContractTable {
    table(&EXCHANGE, &[("BTCUSDT", "0.01")])
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

fn liquidation(ms: i64, side: Side, text: &str, size: &str) -> Event {
    let (time, price_kind) = (MIDNIGHT.plus(ms), PriceKind::Bankruptcy);
    Event::Liquidation(Liquidation { time, side, qty: qty(size), price: price(text), price_kind })
}

#[test]
fn a_session_is_understood() {
    let said = session(&mut *reader(), SESSION, MIDNIGHT);
    assert_eq!(said[0], [Signal::Acknowledged]);
    // The first message of liquidations is an old one.
    assert_eq!(said[2], []);
    let mark = MarkPrice { time: MIDNIGHT.plus(100), price: price("87217.3") };
    assert_eq!(events(&said[3]), [Event::MarkPrice(mark)]);
    let sent = Some(MIDNIGHT.plus(300));
    assert_eq!(said[4], [Signal::Alive { contract: 0, stream: StreamKind::Mark, sent }]);
    // 13.5 contracts of 0.01 coins.
    let trade = |ms, id, text, size, taker| {
        Event::Trade(Trade { id, time: MIDNIGHT.plus(ms), price: price(text), qty: qty(size), taker })
    };
    assert_eq!(events(&said[5]), [trade(203, 1_300_001, "87216.1", "0.135", Taker::Buy)]);
    assert_eq!(events(&said[6]), [trade(267, 1_300_007, "87216", "0.0001", Taker::Sell)]);
    let sample = OpenInterest { time: MIDNIGHT.plus(500), qty: qty("28743.125") };
    assert_eq!(events(&said[7]), [Event::OpenInterest(sample)]);
    // What is wrong with a contract that is not followed costs nothing.
    assert_eq!(events(&said[8]), [liquidation(1_434, Side::Short, "87601.5", "0.13")]);
    assert_eq!(events(&said[9]), [liquidation(2_434, Side::Long, "86600", "0.005")]);
    assert_eq!(said[10], [Signal::Pong]);
    assert!(matches!(&said[11][..], [Signal::Refused(words)] if words.starts_with("60018: Wrong URL")));
    assert!(matches!(&said[12][..], [Signal::Leaving(words)] if words.starts_with("64008")));
    assert_eq!(said[13], []);
}

#[test]
fn subscribing_again_repeats_the_old_event_again() {
    let mut reader = reader();
    session(&mut *reader, SESSION, MIDNIGHT);
    let lines: Vec<&str> = SESSION.lines().collect();
    let again = [lines[9], lines[0], lines[2], lines[9]].join("\n");
    let said = session(&mut *reader, &again, MIDNIGHT);
    let counts: Vec<usize> = said.iter().map(|signals| events(signals).len()).collect();
    assert_eq!(counts, [1, 0, 0, 1]);
}

#[test]
fn the_first_message_is_dropped_only_when_it_is_older_than_the_connection() {
    let first = SESSION.lines().nth(2).unwrap();
    let count = |opened: UnixMs| {
        let mut reader = EXCHANGE.reader(&bitcoin(), opened);
        let mut signals = Vec::new();
        reader.read(first.as_bytes(), opened, &mut signals).unwrap();
        events(&signals).len()
    };
    let Event::Liquidation(event) = ({
        let mut reader = EXCHANGE.reader(&bitcoin(), UnixMs(0));
        events(&session(&mut *reader, first, MIDNIGHT)[0])[0]
    }) else {
        panic!("{first}")
    };
    let counts = [-1_000, 4_000, 6_000].map(|ms| count(event.time.plus(ms)));
    assert_eq!(counts, [1, 1, 0]);
}

#[test]
fn open_interest_is_counted_from_contracts_where_coins_are_not_told() {
    let frame = r#"{"arg":{"channel":"open-interest","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","oi":"2874312.5","oiCcy":"","ts":"1763942400500"}]}"#;
    let mut signals = Vec::new();
    reader().read(frame.as_bytes(), MIDNIGHT, &mut signals).unwrap();
    let sample = OpenInterest { time: MIDNIGHT.plus(500), qty: qty("28743.125") };
    assert_eq!(events(&signals), [Event::OpenInterest(sample)]);
}

#[test]
fn what_is_wrong_is_named() {
    for (line, from, to, words) in [
        (5, "\"buy\"", "\"bid\"", "field side: 'bid' is not buy or sell"),
        (5, "\"13.5\"", "\"0\"", "field sz: '0' is not an amount above zero"),
        (5, "\"1300001\"", "\"x\"", "field tradeId: 'x' is not a whole number"),
        (8, "\"short\"", "\"both\"", "field posSide: 'both' is not long or short"),
        (3, "\"87217.3\"", "\"\"", "field markPx: empty where a number was expected"),
        (3, "\"ts\"", "\"t\"", "missing field `ts`"),
    ] {
        let line = SESSION.lines().nth(line).unwrap().replacen(from, to, 1);
        let error = complaint(&mut *reader(), &line, MIDNIGHT);
        assert!(error.contains(words), "{error}");
    }
}

/// 2022-05-13: `<url> <- <time>: <what was sent>` and `<time>: <frame>` lines.
#[test]
fn a_recorded_session_is_understood() {
    let Some(text) = recorded("captures/okx-v5-2022-05-13.txt.gz") else { return };
    let contract = |symbol: &str, name: &str, size: &str| Contract {
        symbol: Symbol::new(symbol).unwrap(),
        name: name.to_owned(),
        size: qty(size),
    };
    // Spot is counted in coins; a contract of UNI-USD-SWAP was 10 USD, here it stands for a size in coins.
    let contracts =
        vec![contract("BTC-USDT", "BTC-USDT", "1"), contract("UNI-USD-SWAP", "UNI-USD-SWAP", "0.1")];
    let mut reader = EXCHANGE.reader(&ContractTable::new(contracts), MIDNIGHT);
    let (mut frames, mut acknowledged, mut trades) = (0, 0, [Vec::new(), Vec::new()]);
    for line in text.lines() {
        let Some((stamp, frame)) = line.split_once(": ") else { continue };
        let Ok(received) = stamp.parse::<f64>() else { continue };
        let mut signals = Vec::new();
        let received = UnixMs((received * 1_000.0) as i64);
        reader
            .read(frame.as_bytes(), received, &mut signals)
            .unwrap_or_else(|error| panic!("{frame}: {error}"));
        frames += 1;
        for signal in signals {
            match signal {
                Signal::Acknowledged => acknowledged += 1,
                Signal::Event { contract, event: Event::Trade(trade), .. } => {
                    assert!(received.since(trade.time) > 0, "{frame}");
                    trades[contract].push(trade);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((frames, acknowledged), (FRAMES, ACKNOWLEDGED));
    assert_eq!((trades[0].len(), trades[1].len()), TRADES);
    let first = Trade {
        id: 338_476_307,
        time: UnixMs(1_652_459_224_818),
        price: price("30236"),
        qty: qty("0.0002"),
        taker: Taker::Buy,
    };
    assert_eq!(trades[0][0], first);
    let first = Trade {
        id: 12_883_020,
        time: UnixMs(1_652_459_215_150),
        price: price("5.123"),
        qty: qty("10"),
        taker: Taker::Sell,
    };
    assert_eq!(trades[1][0], first);
}

const FRAMES: usize = 410;
const ACKNOWLEDGED: usize = 18;
const TRADES: (usize, usize) = (69, 1);

fn recorded(path: &str) -> Option<String> {
    let file = std::fs::File::open(liqheat_testkit::recorded(path)?).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text)
}

#[test]
fn answers_are_understood() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "0.01");
    let received = MIDNIGHT.plus(120_200);
    let ask = |kind| answer(&EXCHANGE, &contract, ANSWERS, kind, received).1;
    assert_eq!(ask("time").time, Some(MIDNIGHT.plus(120_123)));
    // Contracts that are settled in coins are skipped.
    let listed: Vec<_> = ask("contracts").contracts.into_iter().map(|one| (one.name, one.size)).collect();
    let sizes = [("BTC-USDT-SWAP".to_owned(), qty("0.01")), ("PEPE-USDT-SWAP".to_owned(), qty("10000000"))];
    assert_eq!(listed, sizes);
    let klines = |page: &Page| -> Vec<(i64, Option<Qty>)> {
        let part = |event: &Event| match event {
            Event::Kline(kline) => (kline.open_time.since(MIDNIGHT), kline.volume),
            _ => panic!("{event:?}"),
        };
        page.events.iter().map(part).collect()
    };
    // Volumes are reported in contracts; oldest first, and without the running one.
    assert_eq!(klines(&ask("klines")), [(0, Some(qty("31.204"))), (60_000, Some(qty("20.5")))]);
    assert_eq!(klines(&ask("mark-klines")), [(60_000, None)]);
    let sample = |time, text| Event::OpenInterest(OpenInterest { time, qty: qty(text) });
    assert_eq!(ask("open-interest").events, [sample(MIDNIGHT.plus(120_100), "28743.125")]);
    // Told by the start of five minutes; those that still run are not over.
    let history = [sample(MIDNIGHT.plus(-300_000), "28720"), sample(MIDNIGHT, "28730")];
    assert_eq!(ask("open-interest-history").events, history);
    let payment = |ms, rate| {
        Event::Funding(Funding {
            time: MIDNIGHT.plus(ms),
            rate: Rate::from_units(rate),
            interval_hours: None,
        })
    };
    assert_eq!(ask("funding").events, [payment(-28_800_000, 10_000), payment(0, 7_466)]);
}

#[test]
fn tiers_are_in_contracts() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "0.01");
    let (query, page) = answer(&EXCHANGE, &contract, ANSWERS, "tiers", MIDNIGHT);
    let path = EXCHANGE.request(&contract, &query, MIDNIGHT).unwrap().path;
    assert_eq!(path, "/api/v5/public/position-tiers?instType=SWAP&tdMode=isolated&instFamily=BTC-USDT");
    let table = page.tiers.unwrap().table(MIDNIGHT, price("80000")).unwrap();
    // 1000 contracts of 0.01 coins at 80,000.
    assert_eq!((table.tiers()[1].floor_usd, table.tiers()[1].rate), (800_000.0, 0.005));
    assert_eq!((table.tiers()[0].rate, table.tiers()[0].leverage_max), (0.004, 100.0));
}

#[test]
fn the_age_of_candles_says_where_they_are() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "0.01");
    let klines = |kind, minutes: i64| RestQuery::Klines {
        kind,
        interval: Interval::M1,
        from: MIDNIGHT,
        to: MIDNIGHT.plus(minutes * 60_000),
    };
    let (recent, older) = (MIDNIGHT.plus(1_430 * 60_000), MIDNIGHT.plus(1_431 * 60_000));
    for (kind, minutes, now, path) in [
        (
            KlineKind::Last,
            1_000,
            recent,
            "candles?instId=BTC-USDT-SWAP&bar=1m&before=1763942399999&after=1763960400000&limit=300",
        ),
        (
            KlineKind::Last,
            10,
            older,
            "history-candles?instId=BTC-USDT-SWAP&bar=1m&before=1763942399999&after=1763943000000&limit=300",
        ),
        (
            KlineKind::Mark,
            5,
            recent,
            "mark-price-candles?instId=BTC-USDT-SWAP&bar=1m&before=1763942399999&after=1763942700000&limit=100",
        ),
        (
            KlineKind::Mark,
            500,
            older,
            "history-mark-price-candles?instId=BTC-USDT-SWAP&bar=1m&before=1763942399999&after=1763948400000&limit=100",
        ),
    ] {
        let request = EXCHANGE.request(&contract, &klines(kind, minutes), now).unwrap();
        assert_eq!(request.path, format!("/api/v5/market/{path}"));
    }
    let empty = br#"{"code":"0","msg":"","data":[]}"#;
    let far = MIDNIGHT.plus(86_400_000);
    let page = EXCHANGE.answer(&contract, &klines(KlineKind::Last, 301), empty, far).unwrap();
    let rest = RestQuery::Klines {
        kind: KlineKind::Last,
        interval: Interval::M1,
        from: MIDNIGHT.plus(18_000_000),
        to: MIDNIGHT.plus(301 * 60_000),
    };
    assert_eq!(page.next, Some(rest));
}

#[test]
fn statistics_have_a_limit_of_their_own() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "0.01");
    let query = RestQuery::OpenInterestHistory { from: MIDNIGHT, to: MIDNIGHT.plus(86_400_000) };
    let request = EXCHANGE.request(&contract, &query, MIDNIGHT).unwrap();
    assert_eq!(request.rate_limit.map(|limit| limit.requests), Some(5));
}

#[test]
fn one_candle_that_cannot_be_held_costs_itself() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "0.01");
    let (from, to) = (MIDNIGHT, MIDNIGHT.plus(240_000));
    let query = RestQuery::Klines { kind: KlineKind::Last, interval: Interval::M1, from, to };
    let row = |minute: i64, close: &str, volume: &str| {
        let open = MIDNIGHT.plus(minute * 60_000).0;
        format!(r#"["{open}","2","3","1","{close}","{volume}","1","1","1"]"#)
    };
    let rows = [row(3, "2", "5"), row(2, "-2", "5"), row(1, "2", "1e60"), row(0, "2", "5")].join(",");
    let body = format!(r#"{{"code":"0","msg":"","data":[{rows}]}}"#);
    let page = EXCHANGE.answer(&contract, &query, body.as_bytes(), to.plus(60_000)).unwrap();
    let volumes: Vec<_> = page
        .events
        .iter()
        .map(|event| match event {
            Event::Kline(kline) => (kline.open_time.since(MIDNIGHT) / 60_000, kline.volume),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(volumes, [(0, Some(qty("0.05"))), (1, None), (3, Some(qty("0.05")))]);
    let minute = |at: i64| {
        RowSubject::Data(query.with_span(MIDNIGHT.plus(at * 60_000), MIDNIGHT.plus((at + 1) * 60_000)))
    };
    let rejected: Vec<_> = page.rejected.iter().map(|row| (row.subject.clone(), row.is_partial)).collect();
    assert_eq!(rejected, [(minute(2), false), (minute(1), true)]);
    assert_eq!(page.rejected[0].error.to_string(), "field c: '-2' is not a price above zero");
    assert_eq!(page.next, None, "filling goes on");
}

#[test]
fn one_odd_instrument_costs_itself() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "0.01");
    let body = r#"{"code":"0","msg":"","data":[
        {"instId":"SOON-USDT-SWAP","ctVal":"","ctMult":"","ctType":"linear","state":"preopen"},
        {"instId":"ODD-USDT-SWAP","ctVal":"","ctMult":"1","ctType":"linear","state":"live"},
        {"instId":"HUGE-USDT-SWAP","ctVal":"90000000000","ctMult":"1e30","ctType":"linear","state":"live"},
        {"instId":"QNT-USDT-SWAP","instCategory":"3","ctVal":"1","ctMult":"1","ctType":"linear","state":"live"},
        {"instId":"SHIB-USDT-SWAP","instCategory":"1","ctVal":"1000000","ctMult":"1","ctType":"linear","state":"rebase"}]}"#;
    let page = EXCHANGE.answer(&contract, &RestQuery::Contracts, body.as_bytes(), MIDNIGHT).unwrap();
    let listed: Vec<_> = page.contracts.iter().map(|one| (one.name.as_str(), one.underlying)).collect();
    assert_eq!(listed, [("QNT-USDT-SWAP", Underlying::Other), ("SHIB-USDT-SWAP", Underlying::Coin)]);
    let names: Vec<_> = page.rejected.iter().map(|row| row.subject.clone()).collect();
    assert_eq!(names, ["ODD-USDT-SWAP", "HUGE-USDT-SWAP"].map(|name| RowSubject::Contract(name.to_owned())));
    // The coin QNT is not the stock.
    let quant = sized(&EXCHANGE, "QNTUSDT", "1");
    assert!(!EXCHANGE.serves(&page.contracts[0], &quant));
    let stock = Contract { symbol: Symbol::new("QNTSTOCKUSDT").unwrap(), ..quant };
    assert!(EXCHANGE.serves(&page.contracts[0], &stock));
}

#[test]
fn one_liquidation_of_a_frame_costs_itself() {
    let detail = |size: &str, ms: i64| {
        let ts = MIDNIGHT.plus(ms).0;
        format!(r#"{{"bkPx":"87000","posSide":"long","side":"sell","sz":"{size}","ts":"{ts}"}}"#)
    };
    let details = [detail("1", 1), detail("0", 2), detail("3", 3)].join(",");
    let frame = format!(
        r#"{{"arg":{{"channel":"liquidation-orders","instType":"SWAP"}},"data":[{{"instId":"BTC-USDT-SWAP","details":[{details}]}}]}}"#
    );
    let mut signals = Vec::new();
    reader().read(frame.as_bytes(), MIDNIGHT, &mut signals).unwrap();
    let sizes: Vec<_> = events(&signals)
        .iter()
        .map(|event| match event {
            Event::Liquidation(liquidation) => liquidation.qty.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, ["0.01", "0.03"]);
    let Some(Signal::Rejected(row)) = signals.iter().find(|one| matches!(one, Signal::Rejected(_))) else {
        panic!("{signals:?}")
    };
    assert_eq!((row.contract, row.time), (Some(0), Some(MIDNIGHT.plus(2))));
}

#[test]
fn too_many_requests_pause_an_endpoint() {
    let pause = Some(RequestRefusal::Throttled {
        scope: PauseScope::Endpoint,
        pause: std::time::Duration::from_secs(2),
    });
    let body = br#"{"code":"50011","msg":"Too Many Requests","data":[]}"#;
    for status in [200, 429] {
        assert_eq!(EXCHANGE.refusal(&RestQuery::Time, status, body), pause);
    }
    assert_eq!(EXCHANGE.refusal(&RestQuery::Time, 200, br#"{"code":"0","data":[]}"#), None);
    assert_eq!(EXCHANGE.refusal(&RestQuery::Time, 404, b""), Some(RequestRefusal::Permanent));
    assert_eq!(EXCHANGE.refusal(&RestQuery::Time, 502, b"<html>"), Some(RequestRefusal::Temporary));
}

#[test]
fn an_error_of_the_venue_is_passed_on() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "0.01");
    let body = br#"{"code":"51001","msg":"Instrument ID doesn't exist","data":[]}"#;
    let error = EXCHANGE.answer(&contract, &RestQuery::OpenInterest, body, MIDNIGHT).unwrap_err();
    assert_eq!(error.to_string(), "the venue says: 51001: Instrument ID doesn't exist");
}

#[test]
fn no_bytes_panic() {
    nothing_panics(&EXCHANGE, &bitcoin(), SESSION, ANSWERS);
}
