//! What is particular about leverage classes: distances, makers' weights, closing rates.

use liqheat_market::{Price, Qty, TierTable, UnixMs};
use liqheat_model::{ClassDetail, Ledger, LeverageClass, LeverageLevel, ParamValues, Params};

use crate::support::{closed_by_class, flat_bar, tiers};

fn class(leverage: f64, taker_weight: f64, detail: ClassDetail) -> LeverageClass {
    LeverageClass { leverage, taker_weight, detail }
}

fn values(classes: &[LeverageClass]) -> ParamValues {
    let mut values = ParamValues { liquidatable_share: 0.5, ..ParamValues::default() };
    values.set_classes(classes).unwrap();
    values
}

fn ledger_of(values: ParamValues) -> Ledger {
    Ledger::new(Params::new(values).unwrap(), tiers())
}

/// A day in which the price wanders and positions open and close.
fn wander(ledger: &mut Ledger) {
    for index in 0..288 {
        let wave = (index as f64 / 20.0).sin();
        let mut bar = flat_bar(index, 100_000.0 * (1.0 + 0.01 * wave), 50_000.0 + 500.0 * wave);
        bar.high = Price::from_f64(bar.close.to_f64() * 1.001).unwrap();
        bar.low = Price::from_f64(bar.close.to_f64() * 0.999).unwrap();
        bar.volume = Qty::from_f64(3_000.0).ok();
        assert_eq!(ledger.apply(&bar, &[]).broken, []);
    }
    assert!(ledger.check().hold(), "{:?}", ledger.check());
}

fn levels_of(ledger: &Ledger, leverage: f64) -> Vec<LeverageLevel> {
    let all = ledger.levels_by_leverage(ledger.base_bin().unwrap(), None);
    all.into_iter().filter(|level| level.leverage == leverage).collect()
}

fn usd_of(ledger: &Ledger, leverage: f64) -> f64 {
    levels_of(ledger, leverage).iter().map(|level| level.long_usd + level.short_usd).sum()
}

#[test]
fn equal_rates_are_no_rates() {
    let (mut plain, mut equal) = (ParamValues::default(), ParamValues::default());
    let classes: Vec<LeverageClass> = plain
        .weights
        .classes()
        .iter()
        .map(|(leverage, weight)| {
            class(*leverage, *weight, ClassDetail { closing_rate: 2.5, ..ClassDetail::default() })
        })
        .collect();
    equal.unlevelled_closing_rate = 2.5;
    equal.set_classes(&classes).unwrap();
    // Normalising weights twice may change their last bit.
    plain.weights = equal.weights.clone();
    let (mut plain, mut equal) = (ledger_of(plain), ledger_of(equal));
    wander(&mut plain);
    wander(&mut equal);
    let bin = plain.base_bin().unwrap();
    assert_eq!(plain.levels(bin, None), equal.levels(bin, None), "to the bit");
    assert_eq!(plain.levels_by_leverage(bin, None), equal.levels_by_leverage(bin, None));
}

#[test]
fn far_classes_leave_near_ones_as_they_are() {
    let plain = ClassDetail::default();
    let near = [class(100.0, 0.25, plain), class(50.0, 0.25, plain)];
    let far = ClassDetail { distance: Some(0.25), ..plain };
    let with_far = [near[0], near[1], class(4.0, 0.5, far)];
    // The same share of an opening in each near class.
    let mut alone = values(&near);
    alone.liquidatable_share = 0.25;
    let (mut alone, mut with_far) = (ledger_of(alone), ledger_of(values(&with_far)));
    wander(&mut alone);
    wander(&mut with_far);
    for leverage in [50.0, 100.0] {
        assert_eq!(levels_of(&alone, leverage), levels_of(&with_far, leverage), "to the bit");
    }
    assert!(usd_of(&with_far, 4.0) > 2.0 * usd_of(&with_far, 100.0), "nothing has eaten it");
}

#[test]
fn a_distance_is_where_the_level_stands_whatever_the_venue_allows() {
    let detail = ClassDetail { distance: Some(0.02), kernel_sigma: Some(0.0002), ..ClassDetail::default() };
    let values = ParamValues { prior_half_width: 0.001, ..values(&[class(90.0, 1.0, detail)]) };
    // The venue allows 20x at most, so a class by leverage would have no level.
    let allowed = TierTable::new(UnixMs(0), &[(0.0, 0.0125, 20.0)]).unwrap();
    let mut ledger = Ledger::new(Params::new(values).unwrap(), allowed);
    ledger.apply(&flat_bar(0, 100_000.0, 1_000.0), &[]);
    let levels = levels_of(&ledger, 90.0);
    let mean = |of: fn(&LeverageLevel) -> f64| {
        let usd: f64 = levels.iter().map(of).sum();
        levels.iter().map(|level| of(level) * (level.price.to_f64() + 50.0)).sum::<f64>() / usd
    };
    assert!((mean(|level| level.long_usd) / 98_000.0 - 1.0).abs() < 1e-3);
    assert!((mean(|level| level.short_usd) / 102_000.0 - 1.0).abs() < 1e-3);
}

#[test]
fn makers_have_a_mix_of_their_own() {
    let with = |maker_weight| ClassDetail { maker_weight: Some(maker_weight), ..ClassDetail::default() };
    let classes = [class(50.0, 0.5, with(0.0)), class(10.0, 0.5, with(0.3))];
    let mut ledger = ledger_of(ParamValues { liquidatable_share: 1.0, ..values(&classes) });
    // The prior is half takers and half makers.
    ledger.apply(&flat_bar(0, 100_000.0, 1_000.0), &[]);
    let (long, _) = ledger.levelled();
    let expected = 1_000.0 * (0.5 * 1.0 + 0.5 * 0.3);
    // What lies across the price has no level.
    assert!(long < expected && long > expected * 0.75, "{long} {expected}");
    let too_much = values(&[class(50.0, 0.5, with(1.5))]);
    let fault = Params::new(ParamValues { liquidatable_share: 1.0, ..too_much }).unwrap_err();
    assert!(fault.to_string().contains("the makers' share"), "{fault}");
}

#[test]
fn fast_classes_lose_in_proportion_to_their_rates() {
    let mut ledger = ledger_of(closed_by_class());
    ledger.apply(&flat_bar(0, 100_000.0, 10_000.0), &[]);
    let leverages = [100.0, 50.0, 25.0, 6.7];
    let before = leverages.map(|leverage| usd_of(&ledger, leverage));
    // A thousandth of all positions closes.
    ledger.apply(&flat_bar(1, 100_000.0, 9_990.0), &[]);
    let lost = [0, 1, 2, 3].map(|index| 1.0 - usd_of(&ledger, leverages[index]) / before[index]);
    for (index, rate) in [(0, 3.3), (1, 2.8), (2, 1.0)] {
        let relative = lost[index] / lost[3] * 0.3 / rate;
        assert!((relative - 1.0).abs() < 0.01, "{lost:?}");
    }
    assert!((ledger.open_interest() - 9_990.0).abs() < 1e-9 && ledger.check().hold());
    // Nearly everything closes: still exact, and nothing is left that was not there.
    for (index, stock) in [(2, 7_000.0), (3, 5_000.0), (4, 3_500.0)] {
        assert_eq!(ledger.apply(&flat_bar(index, 100_000.0, stock), &[]).broken, []);
        assert!(ledger.check().hold(), "{:?}", ledger.check());
    }
}

#[test]
fn factors_that_become_small_are_folded_and_nothing_is_lost() {
    let mut ledger = ledger_of(closed_by_class());
    // Two years at a turnover that closes a twentieth of everything in each bar.
    for index in 0..4_000 {
        let mut bar = flat_bar(index, 100_000.0, 10_000.0);
        bar.volume = Qty::from_f64(5_000.0).ok();
        assert_eq!(ledger.apply(&bar, &[]).broken, []);
    }
    assert!(ledger.check().hold(), "{:?}", ledger.check());
    let bytes = ledger.encode();
    let again = Ledger::decode(&bytes, ledger.params().clone(), tiers()).unwrap();
    assert_eq!(again.state_hash(), ledger.state_hash());
}

#[test]
fn every_mistake_in_classes_is_named() {
    let mut values = closed_by_class();
    values.details[0].closing_rate = 0.0;
    values.details[1].distance = Some(2.0);
    values.details[2].kernel_sigma = Some(f64::NAN);
    values.unlevelled_closing_rate = -1.0;
    let text = Params::new(values).unwrap_err().to_string();
    for part in [
        "closing_rate of class 6.7 is 0",
        "distance of class 25 is 2",
        "kernel_sigma of class 50 is NaN",
        "unlevelled_closing_rate is -1",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let mut short = closed_by_class();
    short.details.pop();
    assert!(Params::new(short).unwrap_err().to_string().contains("details is 3"));
}
