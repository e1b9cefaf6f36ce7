//! Both sides of every contract, under ordinary and absurd trades.

use liqheat_market::UnixMs;
use proptest::prelude::*;

use super::*;

const COIN: i64 = UNIT_SCALE;

fn price(usd: f64) -> Price {
    Price::from_f64(usd).unwrap()
}

fn crowd(coins: i64) -> Crowd {
    Crowd::new(Qty::from_units(coins * COIN), margin::tier_table(UnixMs(0)).unwrap())
}

fn entering(coins: i64, leverage: f64) -> Leg {
    Leg { entrant: Some(Entrant { qty: coins * COIN, leverage, patience: 5 * COIN }), leaving_max: 0 }
}

fn check(crowd: &Crowd) {
    let open_interest = units_of(crowd.open_interest());
    assert_eq!(crowd.recount(), [open_interest, open_interest]);
    assert!(crowd.pool_least() >= 0);
}

#[test]
fn a_new_contract_has_a_long_and_a_short() {
    let mut crowd = crowd(100);
    let at = price(100_000.0);
    crowd.trade(at, at, 2 * COIN, entering(1, 100.0), entering(2, 10.0), 2 * COIN);
    assert_eq!(crowd.open_interest(), Qty::from_units(102 * COIN));
    let levels = crowd.levels();
    let seen: Vec<(Side, i64, f64)> =
        levels.iter().map(|l| (l.side, units_of(l.qty) / COIN, l.price.to_f64().round())).collect();
    assert_eq!(seen, [(Side::Long, 1, 99_398.0), (Side::Short, 2, 109_562.0)]);
    check(&crowd);
}

#[test]
fn a_touched_level_is_liquidated_and_part_of_its_counterpart_closes() {
    let mut crowd = crowd(100);
    let at = price(100_000.0);
    crowd.trade(at, at, 10 * COIN, entering(10, 50.0), Leg::default(), 10 * COIN);
    let level = crowd.levels()[0].price;
    let mut forced = Vec::new();
    assert_eq!(crowd.liquidate(Side::Long, Price::from_units(level.units() + 1), &mut forced), 0);
    assert_eq!(crowd.liquidate(Side::Short, level, &mut forced), 0);
    assert_eq!(crowd.liquidate(Side::Long, level, &mut forced), 10 * COIN);
    assert_eq!(forced, [10 * COIN]);
    assert_eq!(crowd.open_interest(), Qty::from_units(104 * COIN));
    check(&crowd);
}

#[test]
fn nobody_opens_beyond_the_mark() {
    let mut crowd = crowd(100);
    crowd.trade(price(100_000.0), price(99_000.0), 2 * COIN, entering(1, 100.0), Leg::default(), 2 * COIN);
    assert!(crowd.levels().is_empty());
    check(&crowd);
}

#[test]
fn a_position_too_large_for_the_leg_leaves_in_parts() {
    let mut crowd = crowd(1_000);
    let at = price(100_000.0);
    crowd.trade(at, at, 50 * COIN, entering(50, 10.0), Leg::default(), 0);
    let leaving = Leg { entrant: None, leaving_max: 20 * COIN };
    let levels: Vec<(i64, Price)> = (0..3)
        .map(|_| {
            crowd.trade(at, at, 30 * COIN, Leg::default(), leaving, 0);
            check(&crowd);
            crowd.levels().first().map_or((0, at), |l| (units_of(l.qty) / COIN, l.price))
        })
        .collect();
    assert_eq!(levels.iter().map(|l| l.0).collect::<Vec<_>>(), [30, 10, 0]);
    // 30 coins at 90,000 lie in a higher tier than 10 coins, and so does their level.
    assert!(levels[0].1 > levels[1].1);
}

proptest! {
    /// Whatever is traded, at whatever price, with wishes for open interest that cannot be met.
    #[test]
    fn longs_and_shorts_stay_equal(
        steps in prop::collection::vec(
            (50_000.0..200_000.0_f64, 1..40_i64, 0..40_i64, 0..40_i64, 1.0..125.0_f64, 0..60_i64, -60..60_i64),
            1..200,
        )
    ) {
        let mut crowd = crowd(60);
        let mut forced = Vec::new();
        for (usd, coins, buy, sell, leverage, leaving, wish) in steps {
            let mark = price(usd);
            for side in Side::BOTH {
                crowd.liquidate(side, mark, &mut forced);
                check(&crowd);
            }
            let leg = |open| Leg { leaving_max: leaving * COIN, ..entering(open, leverage) };
            crowd.trade(mark, mark, coins * COIN, leg(buy), leg(sell), wish * COIN);
            check(&crowd);
            for level in crowd.levels() {
                prop_assert!(level.qty.is_positive());
                prop_assert!((level.price < mark) == (level.side == Side::Long), "{level:?} {mark}");
            }
        }
    }
}
