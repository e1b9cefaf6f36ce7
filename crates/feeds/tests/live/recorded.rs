//! Frames that were recorded, through the same reader and gate as live ones.

use std::io::Read;
use std::time::Duration;

use liqheat_feeds::live::{EventGate, GateVerdict, Origin, ResumePoint};
use liqheat_feeds::venues::{ContractTable, Signal, contract, exchange};
use liqheat_market::{Event, Price, Qty, Symbol, Trade, UnixMs, Venue};
use liqheat_testkit::recorded;

/// 2024-08-08 23:55 UTC.
const OPEN: UnixMs = UnixMs(1_723_161_300_000);
const CLOSE: UnixMs = OPEN.plus(300_000);

#[test]
fn five_minutes_of_trades_are_the_kline_that_was_published() {
    let Some(path) = recorded("captures/binance-um-BTCUSDT-trade-2024-08-08T2354.jsonl.gz") else { return };
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let binance = exchange(Venue::Binance).unwrap();
    let btc = contract(binance, &Symbol::new("BTCUSDT").unwrap()).unwrap();
    let mut reader = binance.reader(&ContractTable::new(vec![btc]), OPEN);
    let mut gate =
        EventGate::new(&binance.limits, &ResumePoint::default(), Duration::from_secs(3600), 1_000, OPEN);
    let (mut signals, mut came) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let (stamp, frame) = line.split_once(' ').unwrap();
        // The machine that recorded was a little more than a second slow.
        let received = UnixMs(stamp.parse::<i64>().unwrap() / 1_000_000);
        reader.read(frame.as_bytes(), received, &mut signals).unwrap();
        for signal in signals.drain(..) {
            let Signal::Event { event, .. } = signal else { panic!("{signal:?}") };
            assert_eq!(gate.on_event(event, Origin::Socket(1), received, &mut came), GateVerdict::New);
        }
    }
    assert_eq!(came.len(), 21_313);
    let trades: Vec<Trade> = came
        .iter()
        .map(|event| match event {
            Event::Trade(trade) => *trade,
            other => panic!("{other:?}"),
        })
        .filter(|trade| trade.time >= OPEN && trade.time < CLOSE)
        .collect();
    assert_eq!(trades.len(), 19_562);
    let volume = Qty::from_units(trades.iter().map(|trade| trade.qty.units()).sum::<i128>());
    let price = |text: &str| Price::parse(text).unwrap();
    let high = trades.iter().map(|trade| trade.price).max().unwrap();
    let low = trades.iter().map(|trade| trade.price).min().unwrap();
    // As the exchange published the kline of 23:55.
    let published = PUBLISHED;
    assert_eq!(
        (trades[0].price, high, low, trades[trades.len() - 1].price, volume),
        (
            price(published[0]),
            price(published[1]),
            price(published[2]),
            price(published[3]),
            Qty::parse(published[4]).unwrap()
        )
    );
}

/// Open, high, low, close and volume in coins.
const PUBLISHED: [&str; 5] = ["61807.7", "61839.9", "61590.3", "61659.8", "2303.399"];
