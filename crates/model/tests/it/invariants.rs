//! What must hold after every bar, whatever the market does.

use liqheat_market::{Bar, Price};
use liqheat_model::{Ledger, LeverageWeights, ParamValues, Params, Step, StepOutcome};
use proptest::prelude::*;

use crate::support::{Profile, closed_by_class, ledger, market, tiers};

fn hold_throughout(mut ledger: Ledger, bars: &[(Bar, Profile)]) -> Result<(), TestCaseError> {
    let mut prior_last = f64::INFINITY;
    for (bar, profile) in bars {
        let step = ledger.apply(bar, profile);
        prop_assert!(step.broken.is_empty(), "{:?}", step.broken);
        if step.outcome == StepOutcome::Waiting {
            continue;
        }
        let invariants = ledger.check();
        prop_assert!(invariants.hold(), "{invariants:?}");
        flows_balance(&step)?;
        let seen_share = ledger.seen_share();
        prop_assert!((0.0..=1.0).contains(&seen_share));
        let prior = (1.0 - seen_share) * ledger.open_interest();
        if step.outcome == StepOutcome::Advanced {
            prop_assert!(prior <= prior_last + 1e-9 * ledger.open_interest(), "the prior never grows");
        }
        prior_last = prior;
        levels_stand_on_their_side(&ledger)?;
    }
    Ok(())
}

fn flows_balance(step: &Step) -> Result<(), TestCaseError> {
    prop_assert!(step.opened >= 0.0 && step.closed >= 0.0);
    if step.outcome == StepOutcome::Advanced {
        let largest = step.consumed_long.coins.max(step.consumed_short.coins);
        prop_assert!(step.closed >= largest * (1.0 - 1e-9), "a liquidated contract is a closed one");
        prop_assert!((step.consumed > 0) == (largest > 0.0));
        prop_assert!(step.created == 0 || step.opened > 0.0);
    }
    Ok(())
}

fn levels_stand_on_their_side(ledger: &Ledger) -> Result<(), TestCaseError> {
    let (cell, price) = (ledger.cell().unwrap(), ledger.last_price().unwrap());
    let mut price_last = Price::from_units(-1);
    for level in ledger.levels(cell, None) {
        prop_assert!(level.price > price_last, "ascending");
        price_last = level.price;
        prop_assert!(level.long_usd >= 0.0 && level.short_usd >= 0.0);
        prop_assert!(level.long_usd > 0.0 || level.short_usd > 0.0);
        let upper_edge = Price::from_units(level.price.units() + cell.units());
        prop_assert!(level.long_usd == 0.0 || upper_edge <= price);
        prop_assert!(level.short_usd == 0.0 || level.price > price);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn invariants_hold_in_any_market(bars in market(60)) {
        // A coarse grid, because every bar is followed by a recount of every cell.
        let values = ParamValues { cells_in_price: 1_000, ..ParamValues::default() };
        hold_throughout(Ledger::new(Params::new(values).unwrap(), tiers()), &bars)?;
    }

    #[test]
    fn invariants_hold_under_any_parameters(
        bars in market(30),
        pairs in prop::collection::btree_map(1u8..=200, 0.01f64..1.0, 1..8),
        liquidatable_share in 0.001f64..=1.0,
        maker_ratio in 0.0f64..=1.0,
        turnover_share in 0.0f64..0.99,
        kernel_sigma_min in 0.00001f64..0.05,
        prior_half_width in 0.001f64..0.5,
        cells_in_price in 200i64..=10_000,
    ) {
        let pairs: Vec<(f64, f64)> = pairs.into_iter().map(|(l, w)| (f64::from(l), w)).collect();
        let values = ParamValues {
            weights: LeverageWeights::new(&pairs).unwrap(),
            liquidatable_share,
            maker_ratio,
            turnover_share,
            kernel_sigma_min,
            prior_half_width,
            cells_in_price,
            ..ParamValues::default()
        };
        hold_throughout(Ledger::new(Params::new(values).unwrap(), tiers()), &bars)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn invariants_hold_when_each_class_is_closed_at_its_own_rate(
        bars in market(40),
        rates in prop::collection::vec(0.01f64..50.0, 5),
        liquidatable_share in 0.01f64..=1.0,
        cells_in_price in 200i64..=2_000,
    ) {
        let mut values = ParamValues { liquidatable_share, cells_in_price, ..closed_by_class() };
        for (detail, rate) in values.details.iter_mut().zip(&rates) {
            detail.closing_rate = *rate;
        }
        values.unlevelled_closing_rate = rates[4];
        hold_throughout(Ledger::new(Params::new(values).unwrap(), tiers()), &bars)?;
    }
}

#[test]
fn errors_do_not_pile_up_over_years() {
    years(ledger());
    years(Ledger::new(Params::new(closed_by_class()).unwrap(), tiers()));
}

fn years(mut ledger: Ledger) {
    let mut price: f64 = 20_000.0;
    let mut stock: f64 = 100_000.0;
    let mut state: u32 = 1;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1u32 << 24) - 0.5
    };
    for index in 0..200_000 {
        let mut bar = crate::support::flat_bar(index, price, stock);
        price = (price * (draw() * 0.004).exp()).clamp(5_000.0, 500_000.0);
        stock = (stock * (draw() * 0.004).exp()).clamp(20_000.0, 500_000.0);
        bar.close = Price::from_f64(price).unwrap();
        (bar.low, bar.high) = (bar.open.min(bar.close), bar.open.max(bar.close));
        bar.volume = liqheat_market::Qty::from_f64(stock * 0.02 * (draw() + 0.5)).ok();
        assert_eq!(ledger.apply(&bar, &[]).broken, []);
    }
    let invariants = ledger.check();
    assert!(invariants.hold(), "{invariants:?}");
    assert!(ledger.seen_share() > 0.999);
}
