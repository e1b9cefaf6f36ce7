//! One rule of the step at a time, on bars made for it.

use liqheat_market::{Bar, Price, Qty, TierTable, UnixMs};
use liqheat_model::{BarFault, Ledger, ParamValues, Params, PriceSource, SampleVerdict, Step, StepOutcome};

use crate::support::{START, flat_bar, ledger};

fn price(value: f64) -> Price {
    Price::from_f64(value).unwrap()
}

fn coins(value: f64) -> Option<Qty> {
    Some(Qty::from_f64(value).unwrap())
}

/// A ledger that started at 100,000 with a stock of 1,000 coins.
fn started() -> Ledger {
    let mut ledger = ledger();
    assert_eq!(ledger.apply(&flat_bar(0, 100_000.0, 1_000.0), &[]).outcome, StepOutcome::Started);
    ledger
}

fn sums(ledger: &Ledger) -> (f64, f64) {
    let levels = ledger.levels(ledger.base_bin().unwrap(), None);
    (levels.iter().map(|l| l.long_usd).sum(), levels.iter().map(|l| l.short_usd).sum())
}

fn usd_at(ledger: &Ledger, at: f64) -> (f64, f64) {
    let found = ledger.levels(ledger.base_bin().unwrap(), None).into_iter().find(|l| l.price == price(at));
    found.map_or((0.0, 0.0), |level| (level.long_usd, level.short_usd))
}

#[test]
fn nothing_is_held_until_a_stock_is_known() {
    let mut ledger = ledger();
    for stock in [None, coins(0.0)] {
        let index = i64::from(stock.is_some());
        let bar = Bar { open_interest: stock, ..flat_bar(index, 100_000.0, 1.0) };
        assert_eq!(ledger.apply(&bar, &[]).outcome, StepOutcome::Waiting);
        assert_eq!((ledger.cell(), ledger.seen_share(), ledger.grid_version()), (None, 0.0, 0));
        assert!(ledger.levels(price(100.0), None).is_empty());
    }
    let step = ledger.apply(&flat_bar(2, 100_000.0, 1_000.0), &[]);
    assert_eq!((step.outcome, step.opened, step.oi_known), (StepOutcome::Started, 1_000.0, true));
    assert_eq!(ledger.cell(), Some(price(10.0)));
    assert_eq!(ledger.base_bin(), Some(price(100.0)));
    assert_eq!(ledger.grid_version(), 1);
    assert_eq!(ledger.as_of(), Some(START.plus(900_000)));
}

#[test]
fn it_starts_on_the_prior_and_says_so() {
    let ledger = started();
    assert!(ledger.is_warming_up());
    assert_eq!(ledger.seen_share(), 0.0);
    let (long, short) = sums(&ledger);
    assert!(long > 0.0 && short > 0.0);
    let (long, short) = ledger.levelled();
    // At most the liquidatable share of takers and makers, half each.
    assert!(long < 1_000.0 * 0.05 * 0.6 && short < 1_000.0 * 0.05 * 0.6);
    assert!(long > 10.0 && short > 10.0);
}

#[test]
fn an_opening_lands_at_its_liquidation_prices() {
    let mut ledger = started();
    let before = ledger.levels_by_leverage(price(10.0), None);
    ledger.apply(&flat_bar(1, 100_000.0, 1_040.0), &[]);
    for (leverage, long, short) in [(10.0, 90_361.0, 109_562.0), (100.0, 99_398.0, 100_598.0)] {
        let mass_at = |levels: &[liqheat_model::LeverageLevel], at: f64| {
            let bin = price((at / 10.0).floor() * 10.0);
            let level = levels.iter().find(|l| l.leverage == leverage && l.price == bin);
            level.map_or(0.0, |l| l.long_usd + l.short_usd)
        };
        let after = ledger.levels_by_leverage(price(10.0), None);
        for at in [long, short] {
            let gained = mass_at(&after, at) - mass_at(&before, at);
            let near = mass_at(&after, at * 1.004) - mass_at(&before, at * 1.004);
            assert!(gained > 0.0 && gained > 1.5 * near, "{leverage}x at {at}: {gained}, beside it {near}");
        }
    }
}

#[test]
fn the_prices_in_the_bar_decide_where_levels_lie() {
    let mut bar = flat_bar(1, 100_000.0, 1_040.0);
    bar.volume = coins(5_000.0);
    (bar.low, bar.high) = (price(99_000.0), price(101_000.0));
    // Shape: entries reach down to 99,000, so 100x longs reach down to about 98,400.
    let mut shaped = started();
    shaped.apply(&bar, &[]);
    // Trades say that all volume was near 101,000.
    let mut traded = started();
    let profile = [(price(100_900.0), coins(5.0).unwrap()), (price(100_950.0), coins(7.0).unwrap())];
    traded.apply(&bar, &profile);
    let below = |ledger: &Ledger| -> f64 {
        let levels = ledger.levels_by_leverage(price(100.0), None);
        let near = levels.iter().filter(|l| l.leverage == 100.0);
        near.filter(|l| l.price < price(98_900.0)).map(|l| l.long_usd).sum()
    };
    assert!(below(&shaped) > 1.2 * below(&traded), "{} {}", below(&shaped), below(&traded));
    assert!(traded.check().hold());
}

#[test]
fn takers_get_the_taker_mix() {
    let levelled_by_buyers = |bought: Option<f64>| {
        let mut ledger = started();
        let before = ledger.levelled();
        let mut bar = flat_bar(1, 100_000.0, 1_040.0);
        bar.volume = coins(40.0);
        bar.taker_buy_volume = bought.and_then(coins);
        let step = ledger.apply(&bar, &[]);
        assert_eq!(step.taker_known, bought.is_some());
        let after = ledger.levelled();
        (after.0 - before.0, after.1 - before.1)
    };
    let (long, short) = levelled_by_buyers(Some(40.0));
    assert!((long / short - 5.0).abs() < 0.02, "makers take a fifth: {long} {short}");
    let (long, short) = levelled_by_buyers(Some(0.0));
    assert!((short / long - 5.0).abs() < 0.02);
    let (long, short) = levelled_by_buyers(Some(20.0));
    let unknown = levelled_by_buyers(None);
    assert!((long - unknown.0).abs() < 1e-9 && (short - unknown.1).abs() < 1e-9);
}

#[test]
fn price_consumes_up_to_its_cell() {
    let mut ledger = started();
    let mut bar = flat_bar(1, 100_000.0, 1_000.0);
    bar.low = price(98_005.0);
    let step = ledger.apply(&bar, &[]);
    assert!(step.consumed_long.coins > 0.0 && step.consumed_long.usd > 0.0);
    assert_eq!(step.consumed_short.coins, 0.0);
    let mean = step.consumed_long.usd / step.consumed_long.coins;
    assert!((98_000.0..100_000.0).contains(&mean), "each level at its own price: {mean}");
    // The cell 98,000 held the low and went whole; what remains lies below it or was opened by this bar.
    let prior_left = |l: &liqheat_model::LevelUsd| l.price >= price(98_000.0) && l.long_usd > 0.0;
    let opened_only = step.opened * 0.05 * 0.6 * 100_000.0;
    let above: f64 =
        ledger.levels(price(10.0), None).iter().filter(|l| prior_left(l)).map(|l| l.long_usd).sum();
    assert!(above <= opened_only, "{above} {opened_only}");
    assert!(step.consumed > 0 && step.created > 0);
}

#[test]
fn the_mark_price_decides_where_it_is_known() {
    let mut bar = flat_bar(1, 100_000.0, 1_000.0);
    (bar.low, bar.high) = (price(96_000.0), price(104_000.0));
    let mut by_last = started();
    let step = by_last.apply(&bar, &[]);
    assert_eq!(step.price_source, PriceSource::Last);
    assert!(step.consumed_long.coins > 0.0 && step.consumed_short.coins > 0.0);

    bar.mark = Some((price(99_990.0), price(100_010.0), price(100_000.0)));
    let mut by_mark = started();
    let step = by_mark.apply(&bar, &[]);
    assert_eq!(step.price_source, PriceSource::Mark);
    assert!(step.consumed_long.coins < 0.1, "a wick in trades alone liquidates nobody");

    bar.mark = Some((price(100_010.0), price(99_990.0), price(100_000.0)));
    assert_eq!(started().apply(&bar, &[]).price_source, PriceSource::Last, "an absurd mark is no mark");
}

/// All mass of one side at levels no price of these tests reaches, in coins.
fn far_mass(ledger: &Ledger) -> (f64, f64) {
    let levels = ledger.levels(price(100.0), None);
    let long = levels.iter().filter(|l| l.price < price(85_000.0)).map(|l| l.long_usd).sum();
    let short = levels.iter().filter(|l| l.price > price(115_000.0)).map(|l| l.short_usd).sum();
    (long, short)
}

#[test]
fn closing_shrinks_the_rest_in_proportion_to_open_interest() {
    // 1,000 to 960 coins without turnover: 40 closed, so far levels keep 960 / 1,000.
    let mut ledger = started();
    let before = far_mass(&ledger);
    let step = ledger.apply(&flat_bar(1, 100_000.0, 960.0), &[]);
    assert_eq!((step.opened, step.closed), (0.0, 40.0));
    let after = far_mass(&ledger);
    assert!((after.0 / before.0 - 0.96).abs() < 1e-12 && (after.1 / before.1 - 0.96).abs() < 1e-12);

    // Longs liquidated at an unchanged stock: as many coins open anew, and shorts lose their counterparts.
    let mut ledger = started();
    let before = far_mass(&ledger);
    let mut bar = flat_bar(1, 98_000.0, 1_000.0);
    bar.high = price(100_000.0);
    bar.open = price(100_000.0);
    let step = ledger.apply(&bar, &[]);
    let eaten = step.consumed_long.coins;
    assert!(eaten > 1.0 && step.consumed_short.coins == 0.0);
    assert!((step.opened - eaten).abs() < 1e-9 && (step.closed - eaten).abs() < 1e-9);
    let after = far_mass(&ledger);
    // Beside what opened anew (5x, in the far bins too) they keep (1,000 - eaten) / 1,000.
    let kept = before.1 * (1_000.0 - eaten) / 1_000.0;
    assert!(after.1 > kept && after.1 < kept * 1.1, "{} {kept}", after.1);
}

#[test]
fn turnover_reopens_a_share_of_the_volume() {
    let mut ledger = started();
    let mut bar = flat_bar(1, 100_000.0, 1_050.0);
    bar.volume = coins(250.0);
    let step = ledger.apply(&bar, &[]);
    assert!((step.opened - (50.0 + 0.1 * 200.0)).abs() < 1e-9, "{}", step.opened);
    assert!((step.closed - 20.0).abs() < 1e-9);
    assert!((ledger.seen_share() - 70.0 / 1_050.0).abs() < 1e-9, "the seen share is exact");

    // A thousand times the stock in one bar turns the stock over once.
    let mut bar = flat_bar(2, 100_000.0, 1_050.0);
    bar.volume = coins(1_050_000.0);
    let step = ledger.apply(&bar, &[]);
    assert_eq!((step.opened, step.closed), (1_050.0, 1_050.0));
    assert_eq!(ledger.seen_share(), 1.0);
    assert!(ledger.check().hold());
}

#[test]
fn unknown_is_not_zero() {
    let mut ledger = started();
    let bar = Bar { open_interest: None, volume: None, ..flat_bar(1, 100_000.0, 1.0) };
    let step = ledger.apply(&bar, &[]);
    assert_eq!((step.oi_known, step.volume_known, step.taker_known), (false, false, false));
    assert_eq!((step.opened, step.closed, ledger.open_interest()), (0.0, 0.0, 1_000.0));
    // Known again: the whole change lands here.
    let step = ledger.apply(&flat_bar(2, 100_000.0, 1_040.0), &[]);
    assert_eq!((step.opened, ledger.open_interest()), (40.0, 1_040.0));
}

#[test]
fn levels_beyond_the_close_join_the_mass_without_one() {
    // Entries reach from 94,000 to 106,000 but the bar closes at 95,000: most longs are under water.
    let mut falling = flat_bar(1, 95_000.0, 1_500.0);
    // So much volume turns everything over.
    falling.volume = coins(100_000.0);
    (falling.low, falling.high, falling.open) = (price(94_000.0), price(106_000.0), price(106_000.0));
    let mut ledger = started();
    ledger.apply(&falling, &[]);
    assert!(ledger.check().hold());
    let levels = ledger.levels(price(10.0), None);
    assert!(levels.iter().all(|l| l.long_usd == 0.0 || l.price < price(95_000.0)));
    let (long, short) = ledger.levelled();
    assert!(long < 0.7 * short, "{long} {short}");
}

#[test]
fn a_long_hole_begins_again_on_the_prior() {
    let mut ledger = started();
    ledger.apply(&Bar { volume: coins(5_000.0), ..flat_bar(1, 100_000.0, 1_040.0) }, &[]);
    assert!(ledger.seen_share() > 0.3);
    let six_hours = 72;
    let step = ledger.apply(&flat_bar(2 + six_hours, 100_000.0, 1_040.0), &[]);
    assert_eq!(step.outcome, StepOutcome::Advanced, "exactly six hours are bridged");
    let step = ledger.apply(&flat_bar(2 + 3 * six_hours, 50_000.0, 1_040.0), &[]);
    assert_eq!(step.outcome, StepOutcome::Restarted { gap_ms: (2 * six_hours - 1) * 300_000 });
    assert_eq!(ledger.seen_share(), 0.0);
    assert_eq!((step.regridded, ledger.cell(), ledger.grid_version()), (true, Some(price(5.0)), 2));
    assert!(ledger.check().hold());
    let unknown = Bar { open_interest: None, ..flat_bar(1_000, 50_000.0, 1.0) };
    assert!(matches!(ledger.apply(&unknown, &[]).outcome, StepOutcome::Restarted { .. }));
    assert_eq!(ledger.open_interest(), 1_040.0, "the last known stock is held through a restart");
}

#[test]
fn bars_that_cannot_be_are_refused() {
    let mut ledger = started();
    let hash = ledger.state_hash();
    let good = flat_bar(1, 100_000.0, 1_000.0);
    let mut refused = |bar: Bar| match ledger.apply(&bar, &[]) {
        Step { outcome: StepOutcome::Refused(fault), .. } => fault,
        step => panic!("{:?}", step.outcome),
    };
    assert_eq!(refused(flat_bar(0, 100_000.0, 1_000.0)), BarFault::Stale);
    assert_eq!(refused(Bar { open_time: UnixMs(START.0 + 299_999), ..good }), BarFault::Stale);
    assert_eq!(refused(Bar { close_time: good.open_time, ..good }), BarFault::Times);
    assert_eq!(refused(Bar { low: price(0.0), ..good }), BarFault::Prices);
    assert_eq!(refused(Bar { low: price(100_001.0), ..good }), BarFault::Prices);
    assert_eq!(refused(Bar { close: price(100_001.0), ..good }), BarFault::Prices);
    assert_eq!(refused(Bar { high: price(2e9), ..good }), BarFault::Prices);
    assert_eq!(refused(Bar { volume: Some(Qty::from_units(-1)), ..good }), BarFault::Volume);
    assert_eq!(ledger.state_hash(), hash, "nothing changed");
}

#[test]
fn a_far_price_changes_the_grid_and_keeps_the_mass() {
    let mut ledger = started();
    let (long_before, _) = ledger.levelled();
    let mut bar = flat_bar(1, 79_990.0, 1_000.0);
    bar.open = price(100_000.0);
    bar.high = price(100_000.0);
    let step = ledger.apply(&bar, &[]);
    assert!(step.regridded);
    assert_eq!((ledger.cell(), ledger.grid_version()), (Some(price(5.0)), 2));
    assert!(ledger.check().hold());
    assert!(ledger.levelled().0 < long_before);
    let step = ledger.apply(&flat_bar(2, 79_990.0, 1_000.0), &[]);
    assert!(!step.regridded);
}

#[test]
fn bins_are_sums_of_cells() {
    let mut ledger = started();
    ledger.apply(&flat_bar(1, 100_000.0, 1_400.0), &[]);
    let (long, short) = sums(&ledger);
    for bin in [10.0, 100.0, 700.0, 12.5, 3.0, 33.3, 1_000_000.0] {
        let levels = ledger.levels(price(bin), None);
        assert!(levels.windows(2).all(|pair| pair[0].price < pair[1].price), "{bin}");
        assert!(levels.iter().all(|l| l.price.units() % price(bin).units() == 0), "{bin}");
        let sum = |of: fn(&liqheat_model::LevelUsd) -> f64| levels.iter().map(of).sum::<f64>();
        assert!((sum(|l| l.long_usd) / long - 1.0).abs() < 1e-9, "{bin}");
        assert!((sum(|l| l.short_usd) / short - 1.0).abs() < 1e-9, "{bin}");
    }
    assert!(ledger.levels(Price::from_units(0), None).is_empty());
    assert!(ledger.levels(Price::from_units(1), None).is_empty(), "nonsense costs no time");
    let by_leverage = ledger.levels_by_leverage(price(100.0), None);
    let sum: f64 = by_leverage.iter().map(|l| l.long_usd).sum();
    assert!((sum / long - 1.0).abs() < 1e-9);
    assert!(by_leverage.windows(2).all(|w| (w[0].leverage, w[0].price) < (w[1].leverage, w[1].price)));
}

#[test]
fn the_tip_hides_what_price_has_swept() {
    let ledger = started();
    let bin = ledger.base_bin().unwrap();
    let swept = (price(98_000.0), price(101_500.0));
    let tip = Some(swept);
    let all = ledger.levels(bin, None);
    let shown = ledger.levels(bin, tip);
    assert!(shown.len() < all.len());
    assert!(shown.iter().all(|l| l.long_usd == 0.0 || l.price < price(98_000.0)));
    assert!(shown.iter().all(|l| l.short_usd == 0.0 || l.price >= price(101_500.0)));
    assert_eq!(
        usd_at(&ledger, 97_900.0).0,
        shown.iter().find(|l| l.price == price(97_900.0)).unwrap().long_usd
    );
    // A bar of that range takes what the tip hid.
    let mut bar = flat_bar(1, 100_000.0, 1_000.0);
    (bar.low, bar.high) = swept;
    let mut after = ledger.clone();
    let step = after.apply(&bar, &[]);
    let hidden = |of: fn(&liqheat_model::LevelUsd) -> f64| -> f64 {
        all.iter().map(of).sum::<f64>() - shown.iter().map(of).sum::<f64>()
    };
    assert!((step.consumed_long.usd / hidden(|l| l.long_usd) - 1.0).abs() < 1e-9);
    assert!((step.consumed_short.usd / hidden(|l| l.short_usd) - 1.0).abs() < 1e-9);
    let (low, high) = (price(1.0), price(1_000_000.0));
    assert!(ledger.levels(bin, Some((low, high))).is_empty());
}

/// A market of `bars` bars; `samples` samples of open interest from bar 300 on are multiplied by `factor`.
fn with_outlier(bars: usize, factor: f64, samples: usize) -> Ledger {
    let mut ledger = ledger();
    for index in 0..bars {
        let wave = index as f64;
        let price = 100_000.0 + 400.0 * (wave / 9.0).sin();
        let mut bar = flat_bar(index as i64, price, 1_000.0 + 3.0 * (wave / 5.0).cos());
        bar.volume = coins(60.0);
        let is_wrong = (300..300 + samples).contains(&index);
        if is_wrong {
            bar.open_interest = coins(bar.open_interest.unwrap().to_f64() * factor);
        }
        let step = ledger.apply(&bar, &[]);
        assert_eq!(step.broken, []);
        if is_wrong && index < 302 {
            assert_eq!((step.sample_verdict, step.oi_known), (SampleVerdict::Doubted, false));
        }
    }
    ledger
}

#[test]
fn one_absurd_sample_of_open_interest_changes_no_level_by_a_hundredth() {
    let an_hour_later = 313;
    let right = with_outlier(an_hour_later, 1.0, 0).levels(price(100.0), None);
    assert!(right.len() > 50);
    for factor in [1.06, 1.2, 1.4, 3.0, 10.0, 1_000.0, 0.94, 0.8, 0.3, 0.001] {
        let wrong = with_outlier(an_hour_later, factor, 1).levels(price(100.0), None);
        assert_eq!(wrong.len(), right.len());
        for (found, expected) in wrong.iter().zip(&right) {
            let sides = [(found.long_usd, expected.long_usd), (found.short_usd, expected.short_usd)];
            for (found, expected) in sides {
                assert!((found - expected).abs() <= 0.01 * expected, "x{factor}: {found} {expected}");
            }
        }
    }
}

#[test]
fn a_jump_that_stays_is_accepted_at_the_third_sample() {
    let ledger = with_outlier(302, 3.0, 100);
    assert!(ledger.open_interest() < 1_100.0, "two are not enough");
    let ledger = with_outlier(303, 3.0, 100);
    assert!((ledger.open_interest() / 3_000.0 - 1.0).abs() < 0.01, "{}", ledger.open_interest());
    assert!(ledger.check().hold());
}

#[test]
fn classes_above_the_cap_of_the_venue_have_no_level() {
    let tiers = |cap: f64| TierTable::new(UnixMs(0), &[(0.0, 0.004, cap), (50_000.0, 0.005, 5.0)]).unwrap();
    let leverages = |cap: f64, position_usd: f64| {
        let params = Params::new(ParamValues { position_usd, ..ParamValues::default() }).unwrap();
        let mut ledger = Ledger::new(params, tiers(cap));
        ledger.apply(&flat_bar(0, 100_000.0, 1_000.0), &[]);
        assert!(ledger.check().hold());
        let mut found: Vec<f64> =
            ledger.levels_by_leverage(price(100.0), None).iter().map(|level| level.leverage).collect();
        found.dedup();
        found
    };
    assert_eq!(leverages(100.0, 10_000.0), [5.0, 10.0, 25.0, 50.0, 100.0]);
    assert_eq!(leverages(40.0, 10_000.0), [5.0, 10.0, 25.0]);
    assert_eq!(leverages(40.0, 60_000.0), [5.0], "the tier of the position decides");
}
