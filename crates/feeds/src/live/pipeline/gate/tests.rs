use super::*;
use crate::venues::{RestQuery, exchange};
use liqheat_market::{OpenInterest, Price, PriceKind, Qty, Side, Taker, Venue};

const NOW: UnixMs = UnixMs(1_748_131_200_000);
const FIRST: Origin = Origin::Socket(1);
const SECOND: Origin = Origin::Socket(2);

fn gate(resume: &ResumePoint) -> EventGate {
    let limits = exchange(Venue::Binance).unwrap().limits.clone();
    EventGate::new(&limits, resume, Duration::from_secs(600), 100, NOW)
}

fn trade(id: i64, seconds: i64) -> Event {
    let (price, qty) = (Price::from_units(6_000_000), Qty::from_units(1));
    Event::Trade(Trade { id, time: NOW.plus(seconds * 1_000), price, qty, taker: Taker::Buy })
}

fn liquidation(price: i64) -> Event {
    Event::Liquidation(Liquidation {
        time: NOW,
        side: Side::Long,
        qty: Qty::from_units(5),
        price: Price::from_units(price),
        price_kind: PriceKind::Fill,
    })
}

fn verdicts(gate: &mut EventGate, events: &[(Event, Origin, i64)]) -> Vec<GateVerdict> {
    let mut out = Vec::new();
    let take = |(event, origin, seconds): &(Event, Origin, i64)| {
        gate.on_event(*event, *origin, NOW.plus(seconds * 1_000), &mut out)
    };
    events.iter().map(take).collect()
}

#[test]
fn equal_liquidations_are_two_on_one_connection_and_one_on_two() {
    use GateVerdict::{New, Repeated};
    let mut gate = gate(&ResumePoint::default());
    let (a, b) = (liquidation(100), liquidation(101));
    let came = [(a, FIRST, 0), (a, SECOND, 0), (a, FIRST, 0), (b, SECOND, 0), (a, SECOND, 0), (b, FIRST, 0)];
    assert_eq!(verdicts(&mut gate, &came), [New, Repeated, New, New, Repeated, Repeated]);
}

#[test]
fn an_order_that_ends_on_another_connection_counts_once() {
    use GateVerdict::{New, Repeated};
    let report = |filled: i128, seconds: i64| OrderReport {
        side: Side::Long,
        size: Qty::from_units(10),
        limit: Price::from_units(99),
        filled: Qty::from_units(filled),
        average: Price::from_units(100),
        is_open: filled < 10,
        time: NOW.plus(seconds * 1_000),
    };
    for (came, expected) in [
        (vec![(4, FIRST, 0), (10, SECOND, 1), (10, FIRST, 1)], [New, New, Repeated].as_slice()),
        (
            vec![(4, FIRST, 0), (4, SECOND, 0), (10, FIRST, 1), (10, SECOND, 1)],
            &[New, Repeated, New, Repeated],
        ),
        (vec![(10, SECOND, 1), (4, FIRST, 0), (10, FIRST, 1)], &[New, Repeated, Repeated]),
    ] {
        let (mut gate, mut out) = (gate(&ResumePoint::default()), Vec::new());
        let take = |(filled, origin, seconds): &(i128, Origin, i64)| {
            gate.on_order(&report(*filled, *seconds), *origin, NOW.plus(2_000), &mut out)
        };
        let verdicts: Vec<GateVerdict> = came.iter().map(take).collect();
        assert_eq!(verdicts, expected, "{came:?}");
        let sum: i128 = out
            .iter()
            .map(|event| match event {
                Event::Liquidation(liquidation) => liquidation.qty.units(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(sum, 10, "{came:?}");
    }
}

#[test]
fn a_gap_is_requested_after_a_moment_and_given_up_after_an_answer_without_it() {
    let mut gate = gate(&ResumePoint::default());
    verdicts(&mut gate, &[(trade(10, 0), FIRST, 0), (trade(14, 1), FIRST, 1)]);
    let mut lost = Vec::new();
    assert_eq!(
        gate.next_missing(Series::Trades, Reach::Past, NOW.plus(1_500), &mut lost),
        None,
        "disorder sorts itself out"
    );
    let query = RestQuery::Trades { first: 11, last: 13 };
    assert_eq!(gate.next_missing(Series::Trades, Reach::Past, NOW.plus(2_000), &mut lost), Some(query));
    verdicts(&mut gate, &[(trade(12, 1), Origin::Answer, 2)]);
    gate.on_complete(&query, NOW.plus(3_000), &mut lost);
    assert!(lost.is_empty(), "the venue may not have them yet");
    gate.on_complete(&query, NOW.plus(90_000), &mut lost);
    let numbers: Vec<_> = lost.iter().map(|lost| lost.numbers).collect();
    assert_eq!(numbers, [(11, 11), (13, 13)]);
    assert_eq!((lost[0].from, lost[0].to), (NOW, NOW.plus(1_000)));
}

#[test]
fn an_answer_never_opens_a_gap() {
    let mut gate = gate(&ResumePoint { trade: Some((10, NOW)), ..ResumePoint::default() });
    assert_eq!(verdicts(&mut gate, &[(trade(90, 0), Origin::Answer, 0)]), [GateVerdict::Repeated]);
    assert_eq!(gate.next_missing(Series::Trades, Reach::Past, NOW.plus(60_000), &mut Vec::new()), None);
}

#[test]
fn ids_that_begin_anew_are_followed() {
    let mut gate = gate(&ResumePoint { trade: Some((1_000_000, NOW)), ..ResumePoint::default() });
    let mut out = Vec::new();
    let mut taken = 0;
    for at in 0..400 {
        let now = NOW.plus(at * 1_000);
        taken += usize::from(gate.on_event(trade(at, at), FIRST, now, &mut out) == GateVerdict::New);
    }
    assert_eq!(taken, 400 - 31 - 99, "after half a minute and a hundred of them");
}

#[test]
fn an_id_far_ahead_is_refused() {
    let mut gate = gate(&ResumePoint::default());
    let came = [(trade(10, 0), FIRST, 0), (trade(60_011, 0), FIRST, 0), (trade(60_011, 3_600), FIRST, 3_600)];
    let said = verdicts(&mut gate, &came);
    assert_eq!(said[0], GateVerdict::New);
    assert_eq!(said[1], GateVerdict::Implausible("its id is far from the one before"));
    assert_eq!(said[2], GateVerdict::New, "after an hour it may be");
}

#[test]
fn counts_of_open_interest_come_once_and_in_order_but_for_history() {
    let sample = |seconds: i64| {
        Event::OpenInterest(OpenInterest { time: NOW.plus(seconds * 1_000), qty: Qty::from_units(7) })
    };
    let mut gate = gate(&ResumePoint::default());
    let came = [
        (sample(5), FIRST, 5),
        (sample(5), SECOND, 5),
        (sample(1), FIRST, 5),
        (sample(-300), Origin::Answer, 5),
    ];
    use GateVerdict::{New, Repeated};
    assert_eq!(verdicts(&mut gate, &came), [New, Repeated, Repeated, New]);
}

#[test]
fn minutes_that_ended_are_missed() {
    let mut gate = gate(&ResumePoint { kline: Some(NOW.plus(-180_000)), ..ResumePoint::default() });
    gate.on_time(NOW.plus(2_999));
    let mut lost = Vec::new();
    let query = |from, to| {
        let (from, to) = (NOW.plus(from), NOW.plus(to));
        Some(RestQuery::Klines { kind: KlineKind::Last, interval: LIVE_INTERVAL, from, to })
    };
    assert_eq!(
        gate.next_missing(Series::Klines, Reach::Recent, NOW.plus(2_999), &mut lost),
        query(-120_000, -60_000)
    );
    gate.on_time(NOW.plus(3_000));
    assert_eq!(
        gate.next_missing(Series::Klines, Reach::Recent, NOW.plus(3_000), &mut lost),
        query(-120_000, 0)
    );
    assert!(matches!(
        gate.next_missing(Series::MarkKlines, Reach::Recent, NOW.plus(3_000), &mut lost),
        Some(RestQuery::Klines { kind: KlineKind::Mark, from, .. }) if from == NOW.plus(-600_000)
    ));
}
