//! What must hold for the market as a whole, whatever the seed.

use std::collections::BTreeMap;

use liqheat_market::{Event, Interval, Kline, KlineKind, Price, Qty, Side, Taker, UnixMs};
use proptest::prelude::*;

use super::{Sim, SimConfig};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

fn config(seed: u64) -> SimConfig {
    SimConfig { seed, ..SimConfig::default() }
}

/// A market whose cascade comes in its second hour.
fn stormy(seed: u64) -> SimConfig {
    SimConfig { first_cascade_hours: (1.0, 1.0), ..config(seed) }
}

fn play(config: &SimConfig, ms: i64) -> (Sim, Vec<Event>) {
    let mut sim = Sim::new(config.clone()).unwrap();
    let mut events = Vec::new();
    sim.advance(config.start.plus(ms), &mut events);
    (sim, events)
}

fn rank(event: &Event) -> i32 {
    match event {
        Event::Kline(Kline { kind: KlineKind::Last, .. }) => 0,
        Event::Kline(_) => 1,
        Event::OpenInterest(_) => 2,
        Event::Funding(_) => 3,
        Event::MarkPrice(_) => 4,
        Event::Trade(_) => 5,
        Event::Liquidation(_) => 6,
    }
}

#[test]
fn another_seed_is_another_market() {
    let (_, one) = play(&config(1), HOUR);
    let (_, same) = play(&config(1), HOUR);
    let (_, other) = play(&config(2), HOUR);
    assert!(one == same);
    assert!(one != other);
}

#[test]
fn wrong_settings_open_no_market() {
    let wrong = SimConfig { start: UnixMs(5), ..SimConfig::default() };
    assert!(Sim::new(wrong).is_err());
}

#[test]
fn going_back_in_time_does_nothing() {
    let config = config(1);
    let (mut sim, _) = play(&config, HOUR);
    let (now, mut events) = (sim.now(), Vec::new());
    sim.advance(config.start, &mut events);
    assert_eq!((sim.now(), events.len()), (now, 0));
}

#[test]
fn events_come_in_order_and_on_the_clock() {
    let config = stormy(3);
    let (_, events) = play(&config, 9 * HOUR);
    let keys: Vec<(UnixMs, i32)> = events.iter().map(|e| (e.known_at(), rank(e))).collect();
    for pair in keys.windows(2) {
        // A second's liquidations may share a millisecond with the print of the other side's order.
        assert!(
            pair[0].0 < pair[1].0 || pair[0].0 == pair[1].0 && (pair[0].1 <= pair[1].1 || pair[1].1 >= 5)
        );
    }
    let times = |wanted: i32| -> Vec<i64> {
        let of_kind = keys.iter().filter(|(_, rank)| *rank == wanted);
        of_kind.map(|(time, _)| time.since(config.start)).collect()
    };
    let every = |step: i64, from: i64| -> Vec<i64> { (from..=9 * HOUR).step_by(step as usize).collect() };
    assert_eq!(times(0), every(MINUTE, MINUTE));
    assert_eq!(times(1), every(MINUTE, MINUTE));
    assert_eq!(times(2), every(MINUTE, 0));
    assert_eq!(times(3), [8 * HOUR]);
    assert_eq!(times(4), every(5 * SECOND, 0));
}

#[test]
fn klines_are_exactly_their_trades_and_marks() {
    let (_, events) = play(&stormy(4), 3 * HOUR);
    let mut next_id = 1;
    let (mut prices, mut volume, mut bought, mut marks) = (Vec::new(), 0, 0, Vec::new());
    for event in &events {
        match event {
            Event::Trade(trade) => {
                assert_eq!(trade.id, next_id);
                assert!(trade.qty.is_positive());
                next_id += 1;
                prices.push(trade.price);
                volume += trade.qty.units();
                bought += if trade.taker == Taker::Buy { trade.qty.units() } else { 0 };
            }
            Event::MarkPrice(mark) => marks.push(mark.price),
            Event::Kline(kline) if kline.kind == KlineKind::Last => {
                assert_eq!(kline.interval, Interval::M1);
                assert_eq!(kline.volume, Some(Qty::from_units(volume)));
                assert_eq!(kline.taker_buy_volume, Some(Qty::from_units(bought)));
                assert_eq!(kline.trades, Some(prices.len() as i64));
                if let (Some(first), Some(last)) = (prices.first(), prices.last()) {
                    assert_eq!((kline.open, kline.close), (*first, *last));
                    assert_eq!(prices.iter().min(), Some(&kline.low));
                    assert_eq!(prices.iter().max(), Some(&kline.high));
                }
                (volume, bought) = (0, 0);
                prices.clear();
            }
            Event::Kline(kline) => {
                assert_eq!((kline.volume, kline.taker_buy_volume, kline.trades), (None, None, None));
                assert_eq!(marks.len(), 12);
                assert_eq!(marks.first(), Some(&kline.open));
                assert!(marks.iter().all(|mark| (kline.low..=kline.high).contains(mark)));
                marks.clear();
            }
            _ => {}
        }
    }
}

#[test]
fn liquidated_is_what_the_mark_touched_and_nothing_else() {
    let config = stormy(4);
    let (mut sim, _) = play(&config, HOUR);
    let mut events = Vec::new();
    let mut total = 0;
    for second in 0..3_600 {
        let time = config.start.plus(HOUR + second * SECOND);
        // The mark of this second has moved, nobody has been liquidated by it yet.
        sim.advance(time, &mut events);
        events.clear();
        let mark = sim.mark_price();
        let mut touched: BTreeMap<Side, i128> = BTreeMap::new();
        for level in sim.true_levels() {
            let hit = match level.side {
                Side::Long => level.price >= mark,
                Side::Short => level.price <= mark,
            };
            if hit {
                *touched.entry(level.side).or_default() += level.qty.units();
            }
        }
        sim.advance(time.plus(SECOND - 1), &mut events);
        let mut liquidated: BTreeMap<Side, i128> = BTreeMap::new();
        let mut prints: BTreeMap<(Price, i64), i128> = BTreeMap::new();
        for event in events.drain(..) {
            match event {
                Event::Liquidation(forced) => {
                    *liquidated.entry(forced.side).or_default() += forced.qty.units();
                    *prints.entry((forced.price, forced.side as i64)).or_default() += forced.qty.units();
                }
                // The venue's order is in the tape, in one print, with the same price.
                Event::Trade(trade) => {
                    let side = if trade.taker == Taker::Sell { Side::Long } else { Side::Short };
                    if trade.time.since(time) < 400 {
                        *prints.entry((trade.price, side as i64)).or_default() -= trade.qty.units();
                    }
                }
                _ => {}
            }
        }
        assert_eq!(touched, liquidated, "second {second}");
        assert!(prints.values().all(|&left| left == 0), "second {second}");
        total += liquidated.values().sum::<i128>();
    }
    assert!(total > 200 * i128::from(liqheat_market::UNIT_SCALE), "a cascade without liquidations: {total}");
}

#[test]
fn three_days_look_like_three_days() {
    for seed in 1..=3 {
        let (sim, events) = play(&config(seed), 72 * HOUR);
        let closes: Vec<f64> = events
            .iter()
            .filter_map(|event| match event {
                Event::Kline(kline) if kline.kind == KlineKind::Mark => Some(kline.close.to_f64()),
                _ => None,
            })
            .collect();
        let steepest = closes
            .iter()
            .enumerate()
            .map(|(i, close)| (close / closes[i.saturating_sub(120)]).ln().abs())
            .fold(0.0, f64::max);
        assert!((0.045..0.16).contains(&steepest), "seed {seed}: steepest two hours {steepest}");

        let coins = |wanted: fn(&Event) -> Option<Qty>| -> f64 {
            events.iter().filter_map(wanted).map(Qty::to_f64).sum::<f64>() / 3.0
        };
        let volume = coins(|e| if let Event::Trade(t) = e { Some(t.qty) } else { None });
        let forced = coins(|e| if let Event::Liquidation(l) = e { Some(l.qty) } else { None });
        assert!((100_000.0..600_000.0).contains(&volume), "seed {seed}: {volume} coins a day");
        assert!((300.0..4_000.0).contains(&forced), "seed {seed}: {forced} coins liquidated a day");
        let open_interest = sim.open_interest().to_f64();
        assert!((55_000.0..105_000.0).contains(&open_interest), "seed {seed}: open interest {open_interest}");
    }
}

#[test]
fn a_small_market_at_a_small_price_works_too() {
    let small = SimConfig {
        initial_price: Price::parse("1.5").unwrap(),
        open_interest: Qty::parse("5000000").unwrap(),
        tick: Price::parse("0.0001").unwrap(),
        lot: Qty::parse("0.1").unwrap(),
        ..stormy(2)
    };
    let (sim, events) = play(&small, 3 * HOUR);
    assert!(
        sim.mark_price() > Price::parse("1.2").unwrap() && sim.mark_price() < Price::parse("1.9").unwrap()
    );
    assert!(events.iter().any(|event| matches!(event, Event::Liquidation(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However the time is cut into calls, the events are the same, and so is the state at the end.
    #[test]
    fn cuts_do_not_matter(seed in any::<u64>(), mut cuts in prop::collection::vec(-5 * SECOND..2 * HOUR, 0..40)) {
        let config = stormy(seed);
        let (whole_sim, whole) = play(&config, 2 * HOUR);
        let mut sim = Sim::new(config.clone()).unwrap();
        let mut events = Vec::new();
        cuts.sort_unstable();
        for cut in cuts {
            sim.advance(config.start.plus(cut), &mut events);
            prop_assert!(events.iter().all(|event| event.known_at() <= config.start.plus(cut)));
        }
        sim.advance(config.start.plus(2 * HOUR), &mut events);
        prop_assert!(events == whole);
        prop_assert!(sim.true_levels() == whole_sim.true_levels());
    }

    /// Longs = shorts = open interest, counted one by one, and the published count is that of its minute.
    #[test]
    fn contracts_have_two_sides(seed in any::<u64>(), steps in prop::collection::vec(1..20 * MINUTE, 1..12)) {
        let config = stormy(seed);
        let (mut sim, mut events) = play(&config, HOUR);
        for step in steps {
            sim.advance(sim.now().plus(step), &mut events);
            let open_interest = sim.open_interest();
            prop_assert_eq!(sim.recount(), (open_interest, open_interest));
            sim.advance(UnixMs(sim.now().0 + MINUTE - 1).floor_to(MINUTE), &mut events);
            let published = events.iter().rev().find_map(|event| match event {
                Event::OpenInterest(count) => Some(count.qty),
                _ => None,
            });
            prop_assert_eq!(published, Some(sim.open_interest()));
        }
    }
}
