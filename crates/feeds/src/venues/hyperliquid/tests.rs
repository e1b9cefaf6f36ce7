//! On recorded contexts of 2026 and on frames made up in the documented format.

use std::io::Read;

use liqheat_market::{
    Event, Funding, Kline, KlineKind, Liquidation, MarkPrice, OpenInterest, Price, PriceKind, Qty, Rate,
    Side, Taker, Trade, UnixMs,
};

use super::EXCHANGE;
use crate::venues::fixtures::{answer, complaint, events, nothing_panics, session, sized, table};
use crate::venues::{ContractTable, LIVE_INTERVAL, RestQuery, Signal, StreamKind, VenueFrameReader};

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

fn candle(ms: i64, prices: [&str; 4], volume: &str, trades: i64) -> Event {
    let [open, high, low, close] = prices.map(price);
    Event::Kline(Kline {
        kind: KlineKind::Last,
        interval: LIVE_INTERVAL,
        open_time: MIDNIGHT.plus(ms),
        open,
        high,
        low,
        close,
        volume: Some(qty(volume)),
        taker_buy_volume: None,
        trades: Some(trades),
    })
}

#[test]
fn a_session_is_understood() {
    let said = session(&mut *reader(), SESSION, MIDNIGHT);
    assert_eq!(said[0], [Signal::Acknowledged]);
    // The venue counts both sides, and says no time: it is as it arrives.
    let mark = Event::MarkPrice(MarkPrice { time: MIDNIGHT, price: price("87217") });
    let sample = Event::OpenInterest(OpenInterest { time: MIDNIGHT, qty: qty("13676.58841") });
    assert_eq!(events(&said[1]), [mark, sample]);
    assert_eq!(events(&said[2]), []);
    let trade = |id, text, size, taker| {
        Event::Trade(Trade { id, time: MIDNIGHT.plus(203), price: price(text), qty: qty(size), taker })
    };
    assert_eq!(
        events(&said[3]),
        [trade(118_906_512_037_719, "87216", "0.01", Taker::Buy), trade(20_111, "87215", "1.5", Taker::Sell)]
    );
    let alive = Signal::Alive { contract: 0, stream: StreamKind::Klines, sent: None };
    assert_eq!((&said[4][..], &said[5][..]), (&[alive.clone()][..], &[alive][..]));
    assert_eq!(said[6], [Signal::Pong]);
    // The next candle says that the last state of the one before was its end.
    let first = candle(0, ["87216", "87230", "87188", "87205"], "31.204", 79);
    assert_eq!(events(&said[7]), [first]);
    assert_eq!(events(&said[8]), []);
    // Without a next one, it is over when trades are three seconds past it.
    assert_eq!(events(&said[9]).len(), 1, "the trade alone");
    let second = candle(60_000, ["87205", "87220", "87198", "87201"], "20.5", 60);
    assert_eq!(events(&said[10])[1..], [second]);
    // What comes for it after that is not a second candle.
    assert_eq!(events(&said[11]), []);
    assert_eq!(said[12], []);
    assert!(matches!(&said[13][..], [Signal::Refused(words)] if words.starts_with("Invalid subscription")));
    assert_eq!(said[14], []);
}

#[test]
fn an_older_candle_changes_nothing() {
    let mut reader = reader();
    let lines: Vec<&str> = SESSION.lines().collect();
    let said = session(&mut *reader, &[lines[7], lines[5], lines[8]].join("\n"), MIDNIGHT);
    assert!(said.iter().all(|signals| events(signals).is_empty()), "{said:?}");
}

#[test]
fn what_is_wrong_is_named() {
    for (line, from, to, words) in [
        (3, "\"side\":\"B\"", "\"side\":\"Buy\"", "field side: 'Buy' is not A or B"),
        (3, "\"sz\":\"0.01\"", "\"sz\":\"-0.01\"", "field sz: '-0.01' is not an amount above zero"),
        (17, "\"side\":\"A\"", "\"side\":\"Sell\"", "field side: 'Sell' is not A or B"),
        (17, "\"87500.0\"", "\"0\"", "field px: '0' is not a price above zero"),
        (1, "\"27353.17682\"", "\"-1\"", "field openInterest: '-1' is not an amount of zero or more"),
        (1, "\"87217.0\"", "\"0.0\"", "field markPx: '0.0' is not a price above zero"),
        (5, "\"v\":\"31.204\",", "", "missing field `v`"),
        (5, "1763942400000", "7", "field t: '7' is not a time in milliseconds"),
    ] {
        let line = SESSION.lines().nth(line).unwrap().replacen(from, to, 1);
        let error = complaint(&mut *reader(), &line, MIDNIGHT);
        assert!(error.contains(words), "{error}");
    }
}

fn liquidation(ms: i64, side: Side, size: &str, text: &str, price_kind: PriceKind) -> Event {
    let (time, qty, price) = (MIDNIGHT.plus(ms), qty(size), price(text));
    Event::Liquidation(Liquidation { time, side, qty, price, price_kind })
}

#[test]
fn fills_tell_of_liquidations_whichever_side_is_followed() {
    use PriceKind::{Bankruptcy, Fill};
    let said = session(&mut *reader(), SESSION, MIDNIGHT);
    assert_eq!(said[15], [Signal::Acknowledged]);
    // Of what was before only liquidations of the last hours; when they were says nothing about the way here.
    let before = liquidation(-3_600_000, Side::Long, "0.3", "87120", Fill);
    assert_eq!(said[16], [Signal::Event { contract: 0, event: before, sent: None }]);
    let own = [
        liquidation(1_000, Side::Long, "0.5", "87000", Fill),
        liquidation(2_000, Side::Short, "0.6", "87500", Fill),
    ];
    assert_eq!(events(&said[17]), own);
    // Who bought from it sees the same trade, which counts once.
    assert_eq!(events(&said[18]), [liquidation(3_000, Side::Long, "0.7", "87010", Fill)]);
    assert_eq!(events(&said[19]), [liquidation(4_000, Side::Short, "0.8", "87900.5", Bankruptcy)]);
    // Where nobody is named the words must say it; a method that is not known is no liquidation.
    assert_eq!(events(&said[20]), [liquidation(5_000, Side::Long, "0.9", "86500", Bankruptcy)]);
}

#[test]
fn a_snapshot_repeats_nothing_and_a_rejected_fill_is_not_remembered() {
    let lines: Vec<&str> = SESSION.lines().collect();
    let mut reader = reader();
    let first = session(&mut *reader, &[lines[16], lines[16]].join("\n"), MIDNIGHT);
    assert_eq!((events(&first[0]).len(), events(&first[1]).len()), (1, 0));
    let broken = lines[17].replacen("\"side\":\"B\"", "\"side\":\"C\"", 1);
    let mut signals = Vec::new();
    reader.read(broken.as_bytes(), MIDNIGHT, &mut signals).unwrap();
    assert_eq!(events(&signals).len(), 1, "the other one counts");
    assert_eq!(
        events(&session(&mut *reader, lines[17], MIDNIGHT)[0]).len(),
        1,
        "and is not remembered of the first"
    );
}

/// A message with the contexts of all contracts: each is what `activeAssetCtx` has for one.
#[test]
fn recorded_contexts_are_understood() {
    let Some(path) = liqheat_testkit::recorded("captures/hyperliquid-allDexsAssetCtxs.json.gz") else {
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let message: serde_json::Value = serde_json::from_str(&text).unwrap();
    let contexts = message["data"]["ctxs"][0][1].as_array().unwrap();
    let (mut marks, mut samples) = (0, 0);
    for (at, context) in contexts.iter().enumerate() {
        let frame =
            serde_json::json!({ "channel": "activeAssetCtx", "data": { "coin": "BTC", "ctx": context } });
        let mut signals = Vec::new();
        reader()
            .read(frame.to_string().as_bytes(), MIDNIGHT, &mut signals)
            .unwrap_or_else(|error| panic!("{at} {context}: {error}"));
        for event in events(&signals) {
            match event {
                Event::MarkPrice(mark) => {
                    marks += 1;
                    let expected = price(context["markPx"].as_str().unwrap());
                    assert_eq!(mark.price, expected);
                }
                Event::OpenInterest(sample) => {
                    samples += 1;
                    let both = qty(context["openInterest"].as_str().unwrap());
                    assert!((both.units() - 2 * sample.qty.units()).abs() <= 1, "{both}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let traded = contexts.iter().filter(|context| context["openInterest"] != "0.0").count();
    assert_eq!((contexts.len(), marks, samples), (230, 230, traded));
    assert!(traded > 150, "{traded}");
}

#[test]
fn answers_are_understood() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "1");
    let received = MIDNIGHT.plus(121_000);
    let ask = |kind| answer(&EXCHANGE, &contract, ANSWERS, kind, received).1;
    assert_eq!(ask("time").time, Some(MIDNIGHT.plus(120_123)));
    // The second candle has ended a second ago, which the clocks may disagree about.
    let first = candle(0, ["87216", "87230", "87188", "87205"], "31.204", 79);
    assert_eq!(ask("klines").events, [first]);
    let sample = Event::OpenInterest(OpenInterest { time: received, qty: qty("13676.58841") });
    assert_eq!(ask("open-interest").events, [sample]);
    let payment = |ms, rate| {
        Event::Funding(Funding {
            time: MIDNIGHT.plus(ms),
            rate: Rate::from_units(rate),
            interval_hours: Some(1),
        })
    };
    assert_eq!(ask("funding").events, [payment(-3_600_000, 1_250), payment(0, -410)]);
}

#[test]
fn tiers_follow_from_the_largest_leverage() {
    let tiers = |symbol| {
        let contract = sized(&EXCHANGE, symbol, "1");
        let (_, page) = answer(&EXCHANGE, &contract, ANSWERS, "tiers", MIDNIGHT);
        let table = page.tiers.unwrap().table(MIDNIGHT, price("87000")).unwrap();
        table.tiers().iter().map(|tier| (tier.floor_usd, tier.rate, tier.leverage_max)).collect::<Vec<_>>()
    };
    assert_eq!(tiers("BTCUSDT"), [(0.0, 0.0125, 40.0), (150_000_000.0, 0.025, 20.0)]);
    // No table of its own: one tier.
    assert_eq!(tiers("BLURUSDT"), [(0.0, 0.5 / 3.0, 3.0)]);
    let unknown = sized(&EXCHANGE, "NOPEUSDT", "1");
    let body = ANSWERS.lines().last().unwrap().trim_start_matches("tiers ");
    let error = EXCHANGE.answer(&unknown, &RestQuery::Tiers, body.as_bytes(), MIDNIGHT).unwrap_err();
    assert_eq!(error.to_string(), "the venue says: there is no NOPE among the contracts");
}

#[test]
fn requests_are_bodies_and_weigh_what_they_bring() {
    let contract = sized(&EXCHANGE, "BTCUSDT", "1");
    let (from, to) = (MIDNIGHT, MIDNIGHT.plus(1_200 * 60_000));
    let query = RestQuery::Klines { kind: KlineKind::Last, interval: LIVE_INTERVAL, from, to };
    let request = EXCHANGE.request(&contract, &query, MIDNIGHT).unwrap();
    assert_eq!((request.path.as_str(), request.weight), ("/info", 36));
    assert_eq!(
        request.body.as_deref(),
        Some(
            r#"{"req":{"coin":"BTC","endTime":1764002399999,"interval":"1m","startTime":1763942400000},"type":"candleSnapshot"}"#
        )
    );
    let page = EXCHANGE.answer(&contract, &query, b"[]", to).unwrap();
    let rest =
        RestQuery::Klines { kind: KlineKind::Last, interval: LIVE_INTERVAL, from: from.plus(60_000_000), to };
    assert_eq!(page.next, Some(rest));
    // Neither is kept by the venue.
    let mark = RestQuery::Klines { kind: KlineKind::Mark, interval: LIVE_INTERVAL, from, to };
    assert_eq!(EXCHANGE.request(&contract, &mark, MIDNIGHT), None);
    assert_eq!(EXCHANGE.request(&contract, &RestQuery::OpenInterestHistory { from, to }, MIDNIGHT), None);
}

#[test]
fn no_bytes_panic() {
    nothing_panics(&EXCHANGE, &bitcoin(), SESSION, ANSWERS);
}
