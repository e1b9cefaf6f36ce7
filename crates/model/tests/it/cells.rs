//! Totals do not depend on the width of the cells; what price consumes depends on it a little.

use liqheat_market::{Bar, Price, Qty};
use liqheat_model::{Ledger, ParamValues, Params};

use crate::support::{flat_bar, tiers};

struct Totals {
    open_interest: f64,
    seen_share: f64,
    consumed: f64,
}

fn run(bars: &[Bar], cells_in_price: i64) -> Totals {
    let params = Params::new(ParamValues { cells_in_price, ..ParamValues::default() }).unwrap();
    let mut ledger = Ledger::new(params, tiers());
    let mut consumed = 0.0;
    for bar in bars {
        let step = ledger.apply(bar, &[]);
        assert_eq!(step.broken, []);
        consumed += step.consumed_long.coins + step.consumed_short.coins;
    }
    let invariants = ledger.check();
    assert!(invariants.hold(), "{cells_in_price}: {invariants:?}");
    Totals { open_interest: ledger.open_interest(), seen_share: ledger.seen_share(), consumed }
}

/// A month of five-minute bars like those of a large market.
fn month(seed: u64) -> Vec<Bar> {
    let mut state = seed;
    let mut normal = || {
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    };
    let (mut price, mut stock) = (100_000.0, 100_000.0);
    (0..8_640)
        .map(|index| {
            let mut bar = flat_bar(index, price, stock);
            price *= f64::exp(0.0012 * normal());
            stock *= f64::exp(0.0006 * normal());
            let close = Price::from_f64(price).unwrap();
            let wick =
                |x: f64, sign: f64, by: f64| Price::from_f64(x * (1.0 + sign * 0.0004 * by.abs())).unwrap();
            bar.high = wick(bar.open.max(close).to_f64(), 1.0, normal());
            bar.low = wick(bar.open.min(close).to_f64(), -1.0, normal());
            bar.close = close;
            bar.volume = Qty::from_f64(500.0 * f64::exp(0.7 * normal())).ok();
            bar.open_interest = Qty::from_f64(stock).ok();
            bar
        })
        .collect()
}

#[test]
fn totals_do_not_depend_on_the_cell() {
    let months: Vec<Vec<Bar>> = (1..=4).map(month).collect();
    let run_all = |cells_in_price: i64| months.iter().map(move |bars| run(bars, cells_in_price));
    let fine: Vec<Totals> = run_all(10_000).collect();
    for cells_in_price in [5_000, 2_000, 1_000] {
        let mut consumed = (0.0, 0.0);
        for (coarse, fine) in run_all(cells_in_price).zip(&fine) {
            assert_eq!(coarse.open_interest, fine.open_interest);
            assert!((coarse.seen_share - fine.seen_share).abs() < 0.001);
            consumed.0 += coarse.consumed;
            consumed.1 += fine.consumed;
        }
        let off = consumed.0 / consumed.1 - 1.0;
        assert!(off.abs() < 0.02, "1/{cells_in_price}: {off:+.4}");
    }
}
