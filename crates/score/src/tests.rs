//! Statistics against scipy, the order of time, and a made-up market whose answer is known.

use liqheat_market::{Bar, Liquidation, Price, PriceKind, Qty, Side, TierTable, UnixMs};
use liqheat_model::Params;
use proptest::prelude::*;

use crate::rank::Products;
use crate::run::collect;
use crate::separation::SortedCells;
use crate::*;

// scipy 1.17.1: rankdata(a), spearmanr(a, b), pearsonr(a, b), the pearsonr of the residuals of rankdata(a) and
// rankdata(b) after numpy.linalg.lstsq on [1, rankdata(c)], and mannwhitneyu(a[hits], a[~hits]).statistic / 25.
const A: [f64; 10] = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0];
const B: [f64; 10] = [2.0, 7.0, 1.0, 8.0, 2.0, 8.0, 1.0, 8.0, 2.0, 8.0];
const C: [f64; 10] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
const HITS: [bool; 10] = [false, true, true, false, true, false, false, true, false, true];

#[test]
fn ranks_and_correlations_are_those_of_scipy() {
    assert_eq!(ranks(&A), [4.5, 1.5, 6.0, 1.5, 7.5, 10.0, 3.0, 9.0, 7.5, 4.5]);
    assert!((spearman(&A, &B).unwrap() - 0.13471506281091267).abs() < 1e-12);
    assert!((pearson(&A, &B).unwrap() - 0.10492284287735876).abs() < 1e-12);
    let of = |a: &[f64], b: &[f64]| spearman(a, b).unwrap();
    let partial = partial_correlation(of(&A, &B), of(&A, &C), of(&B, &C)).unwrap();
    assert!((partial - 0.025794271359105253).abs() < 1e-12, "{partial}");
    let group = Products::of_group(&A, &B, &C).partial().unwrap();
    assert!((group - partial).abs() < 1e-12, "one group is the plain partial correlation: {group}");
    assert!((area_under_curve(&A, &HITS).unwrap() - 0.54).abs() < 1e-12);
    assert_eq!(pearson(&A, &[1.0; 10]), None, "what does not vary has no correlation");
}

#[test]
fn equal_scores_share_the_top_tenth_evenly() {
    let scores: Vec<f64> = (0..20).map(|i| if i < 4 { 1.0 } else { 0.0 }).collect();
    let mut usd = vec![1.0; 20];
    usd[0] = 13.0;
    // The top two of 20 are half of the four equal ones: (13 + 1 + 1 + 1) / 4 = 4, over a mean of 1.6.
    assert!((top_tenth_lift(&scores, &usd).unwrap() - 2.5).abs() < 1e-12);
    let hits: Vec<bool> = (0..20).map(|i| i == 0).collect();
    assert!((top_tenth_precision(&scores, &hits).unwrap() - 0.25).abs() < 1e-12);
    assert_eq!(top_tenth_lift(&scores[..9], &usd[..9]), None);
}

proptest! {
    #[test]
    fn a_day_of_weight_n_counts_as_n_days(
        cells in prop::collection::vec((0u8..6, any::<bool>(), 0usize..4), 12..60),
        weights in prop::collection::vec(0u8..4, 4),
    ) {
        let scores: Vec<f64> = cells.iter().map(|cell| f64::from(cell.0)).collect();
        let hits: Vec<bool> = cells.iter().map(|cell| cell.1).collect();
        let days: Vec<usize> = cells.iter().map(|cell| cell.2).collect();
        let values: Vec<f64> = hits.iter().map(|hit| f64::from(u8::from(*hit))).collect();
        let times: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
        let sorted = SortedCells::new(&scores, &days);
        let repeated: Vec<usize> =
            (0..cells.len()).flat_map(|index| std::iter::repeat_n(index, usize::from(weights[days[index]]))).collect();
        let scores: Vec<f64> = repeated.iter().map(|index| scores[*index]).collect();
        let repeated_hits: Vec<bool> = repeated.iter().map(|index| hits[*index]).collect();
        let plain = area_under_curve(&scores, &repeated_hits);
        let weighted = sorted.area(&times, &hits);
        prop_assert_eq!(plain.is_some(), weighted.is_some());
        if let (Some(plain), Some(weighted)) = (plain, weighted) {
            prop_assert!((plain - weighted).abs() < 1e-12);
        }
        if let Some(plain) = top_tenth_precision(&scores, &repeated_hits) {
            prop_assert!((plain - sorted.top_tenth(&times, &values).unwrap()).abs() < 1e-9);
        }
    }
}

#[test]
fn a_logistic_fit_finds_the_coefficients_that_made_the_data() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut rows = Vec::new();
    let mut hits = Vec::new();
    for _ in 0..40_000 {
        let (x, y) = (random.f64() * 4.0 - 2.0, random.f64() * 4.0 - 2.0);
        rows.push([1.0, x, y]);
        hits.push(random.f64() < 1.0 / (1.0 + (-(0.5 - 1.5 * x + 0.25 * y)).exp()));
    }
    let fit = fit::logistic(&rows, &hits, &[0.0; 3]).unwrap();
    for (found, made) in fit.iter().zip([0.5, -1.5, 0.25]) {
        assert!((found - made).abs() < 0.05, "{fit:?}");
    }
    assert_eq!(fit::logistic(&rows, &vec![true; rows.len()], &[0.0; 3]), None);
}

#[test]
fn a_linear_fit_finds_the_line() {
    let mut linear = fit::Linear::<2>::new();
    assert_eq!(linear.coefficients(), None);
    for step in 0..1_000 {
        let x = f64::from(step) / 100.0;
        linear.learn(&[1.0, x], 3.0 - 2.0 * x);
    }
    let [level, slope] = linear.coefficients().unwrap();
    assert!((level - 3.0).abs() < 0.02 && (slope + 2.0).abs() < 0.01, "{level} {slope}");
}

const START: UnixMs = UnixMs(1_704_067_200_000);
const M5: i64 = 300_000;
const DAY: i64 = 86_400_000;

/// A random walk over `days` days, with volume that comes and goes.
fn market(seed: u64, days: usize) -> Vec<Bar> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut price: f64 = 50_000.0;
    let mut volume: f64 = 500.0;
    (0..days * 288)
        .map(|index| {
            let open = price;
            let mut path = [0.0; 8].map(|_| {
                price *= ((random.f64() - 0.5) * 0.0025).exp();
                price
            });
            path.sort_unstable_by(f64::total_cmp);
            volume = (volume * ((random.f64() - 0.5) * 0.5).exp()).clamp(50.0, 5_000.0);
            let exact = |value: f64| Price::from_f64(value).unwrap();
            let open_time = START.plus(index as i64 * M5);
            Bar {
                open_time,
                close_time: open_time.plus(M5),
                open: exact(open),
                high: exact(open.max(path[7])),
                low: exact(open.min(path[0])),
                close: exact(price),
                mark: None,
                volume: Qty::from_f64(volume).ok(),
                taker_buy_volume: Qty::from_f64(volume * random.f64()).ok(),
                open_interest: Qty::from_f64(80_000.0).ok(),
            }
        })
        .collect()
}

fn tiers() -> TierTable {
    TierTable::flat(UnixMs(0), 0.005).unwrap()
}

/// What a ledger of these bars consumes, as if it were what happened: a share of it, cell by cell.
fn liquidations_of(bars: &[Bar]) -> Vec<Liquidation> {
    let mut ledger = liqheat_model::Ledger::new(Params::default(), tiers());
    let mut rows = Vec::new();
    for bar in bars {
        if let Some(cell) = ledger.cell() {
            for level in ledger.levels(cell, None) {
                let side = if level.long_usd > 0.0 { Side::Long } else { Side::Short };
                let is_touched = match side {
                    // The cell that holds the low goes whole.
                    Side::Long => level.price.units() + cell.units() > bar.low.units(),
                    Side::Short => level.price <= bar.high,
                };
                let price = level.price.to_f64() + cell.to_f64() / 2.0;
                let qty = Qty::from_f64((level.long_usd + level.short_usd) / price).unwrap();
                if is_touched && qty.is_positive() {
                    let price = Price::from_f64(price).unwrap();
                    let time = bar.open_time.plus(M5 / 2);
                    rows.push(Liquidation { time, side, qty, price, price_kind: PriceKind::Fill });
                }
            }
        }
        ledger.apply(bar, &[]);
    }
    rows
}

fn input<'a>(
    bars: &'a [Bar],
    liquidations: &'a [Liquidation],
    params: &'a Params,
    tiers: &'a TierTable,
) -> Input<'a> {
    let volume_at_price = &NoVolumeAtPrice;
    Input { bars, volume_at_price, liquidations, params, tiers, expected: ExpectedModel::default() }
}

fn graded<T>(
    bars: &[Bar],
    liquidations: &[Liquidation],
    run: impl Fn(&Input<'_>, &Options) -> Result<T, BacktestError>,
) -> T {
    let (params, tiers) = (Params::default(), tiers());
    let input = input(bars, liquidations, &params, &tiers);
    let options = Options { warm_up_ms: 2 * DAY, resamples: 100, ..Options::default() };
    run(&input, &options).unwrap()
}

fn card(bars: &[Bar], liquidations: &[Liquidation]) -> Card {
    graded(bars, liquidations, |input, options| {
        backtest(input, options, &mut |_, _| std::ops::ControlFlow::Continue(()))
    })
}

#[test]
fn the_map_beats_every_baseline_where_it_is_the_truth_and_none_where_it_is_not() {
    let bars = market(1, 15);
    let truth = liquidations_of(&bars);
    let of_truth = card(&bars, &truth);
    let hour = &of_truth.given_touch[1].given_touch;
    let partial = |predictor| hour.score(predictor).unwrap().in_hour_partial.unwrap();
    for baseline in [Predictor::Path, Predictor::YesterdaysMap, Predictor::CandleColour] {
        assert!(partial(Predictor::Map) > partial(baseline) + 0.1, "{hour:?}");
    }
    assert!(hour.score(Predictor::Map).unwrap().spearman > hour.score(Predictor::Distance).unwrap().spearman);
    let ratio = of_truth.calibration.consumed_over_liquidated.unwrap();
    assert!((ratio.median - 1.0).abs() < 0.02, "{ratio:?}");
    assert!((of_truth.calibration.log_slope.unwrap() - 1.0).abs() < 0.05);
    let numbers = of_truth.invariants;
    assert!(numbers.balance_error_max < 1e-9 && numbers.mass_min == 0.0 && numbers.mass_beyond_price == 0.0);
    assert_eq!((numbers.replays_that_differ, numbers.bars_broken), (0, 0));
    assert!(numbers.total_by_cell_width < 1e-12 && numbers.consumed_by_cell_width < 0.02);
    assert!(of_truth.without_touch[0].without_touch.unwrap().is_gain);

    // The same liquidations at places drawn anew: wherever the price went inside their bar.
    let mut random = fastrand::Rng::with_seed(9);
    let noise: Vec<Liquidation> = truth
        .iter()
        .map(|row| {
            let bar = &bars[(row.time.since(START) / M5) as usize];
            let (low, high) = (bar.low.to_f64(), bar.high.to_f64());
            Liquidation { price: Price::from_f64(low + random.f64() * (high - low)).unwrap(), ..*row }
        })
        .collect();
    let of_noise = card(&bars, &noise);
    let found = of_noise.given_touch[1].given_touch.score(Predictor::Map).copied().unwrap();
    assert!(found.in_hour_partial.unwrap() < partial(Predictor::Map) / 2.0, "{found:?}");
}

#[test]
fn nothing_looks_ahead() {
    let bars = market(2, 16);
    let liquidations = liquidations_of(&bars);
    // Bars and liquidations after a moment inside the graded period, in another order.
    let cut = START.plus(11 * DAY + 7 * 3_600_000);
    let first_after = bars.partition_point(|bar| bar.close_time <= cut);
    let mut shuffled = bars.clone();
    let mut random = fastrand::Rng::with_seed(4);
    random.shuffle(&mut shuffled[first_after..]);
    for (bar, original) in shuffled.iter_mut().zip(&bars) {
        (bar.open_time, bar.close_time) = (original.open_time, original.close_time);
    }
    let mut moved = liquidations.clone();
    for row in moved.iter_mut().filter(|row| row.time >= cut) {
        row.qty = Qty::from_units(row.qty.units() / 2 + i128::from(random.i64(0..1_000_000_000)));
        row.side = if random.bool() { Side::Long } else { Side::Short };
    }
    let one = graded(&bars, &liquidations, collect);
    let other = graded(&shuffled, &moved, collect);
    let (mut same, mut changed) = (0, 0);
    for ((_, one), (_, other)) in one.touched.iter().zip(&other.touched) {
        let key = |row: &given_touch::TouchedCell| (row.window, row.side, row.cell);
        let known: std::collections::BTreeMap<_, _> = other.rows.iter().map(|row| (key(row), row)).collect();
        for row in &one.rows {
            let Some(again) = known.get(&key(row)) else { continue };
            let is_equal = row.scores == again.scores && row.classes == again.classes;
            if row.window <= cut {
                assert!(is_equal, "{row:?} {again:?}");
                same += 1;
            } else if !is_equal {
                changed += 1;
            }
        }
    }
    assert!(same > 1_000 && changed > 100, "{same} {changed}");
    for ((_, one), (_, other)) in one.all.iter().zip(&other.all) {
        let before = |cells: &without_touch::AllCells| {
            let rows = cells.rows.iter().filter(|row| row.window <= cut);
            rows.map(|row| (row.window, row.features)).collect::<Vec<_>>()
        };
        assert_eq!(before(one), before(other));
    }
}

/// Hour by hour, each step through bytes: the same scores as a backtest of the same hours.
#[test]
fn the_running_score_is_that_of_a_backtest() {
    let bars = market(7, 9);
    let liquidations = liquidations_of(&bars);
    let (params, tiers) = (Params::default(), tiers());
    let mut ledger = liqheat_model::Ledger::new(params.clone(), tiers.clone());
    let mut surroundings = MarketContext::new(&params, &tiers);
    let mut kept = std::collections::BTreeMap::new();
    for bar in &bars {
        ledger.apply(bar, &[]);
        surroundings.step(bar);
        if bar.close_time.0 % HOUR_MS == 0 {
            let a_day_ago = bar.close_time.plus(-DAY);
            let yesterday = kept.get(&a_day_ago).and_then(|bytes: &Vec<u8>| FrozenMoment::decode(bytes));
            let frozen = surroundings.freeze(&ledger, yesterday.as_ref()).unwrap();
            kept.insert(bar.close_time, frozen.encode());
        }
    }
    let graded_from = START.plus(4 * DAY);
    let mut hours = Vec::new();
    for (at, bytes) in kept.range(graded_from..START.plus(9 * DAY)) {
        let frozen = FrozenMoment::decode(bytes).unwrap();
        let of_hour: Vec<Bar> = bars
            .iter()
            .filter(|bar| bar.open_time >= *at && bar.close_time <= at.plus(HOUR_MS))
            .copied()
            .collect();
        let hour = grade_hour(&frozen, &of_hour, &liquidations, &tiers).unwrap();
        assert_eq!(GradedHour::decode(&hour.encode()), Some(hour.clone()));
        assert_eq!(grade_hour(&frozen, &of_hour[1..], &liquidations, &tiers), Err(Ungradable::BarsMissing));
        assert_eq!(grade_hour(&frozen, &of_hour[..11], &liquidations, &tiers), Err(Ungradable::BarsMissing));
        hours.push(hour);
    }
    let volume_at_price = &NoVolumeAtPrice;
    let input = Input {
        bars: &bars,
        volume_at_price,
        liquidations: &liquidations,
        params: &params,
        tiers: &tiers,
        expected: ExpectedModel::default(),
    };
    let options = Options { from: Some(graded_from), to: Some(START.plus(9 * DAY)), ..Options::default() };
    let card = backtest(&input, &options, &mut |_, _| std::ops::ControlFlow::Continue(())).unwrap();
    let score = running_score(&hours, graded_from);
    assert_eq!(score.given_touch, card.given_touch[1].given_touch);
    assert_eq!((score.block_ms, score.events), (DAY, card.coverage.liquidations as u64));

    // Of the last day alone, the fits still know what came before; its blocks are hours.
    let last_day = running_score(&hours, START.plus(8 * DAY));
    assert_eq!((last_day.given_touch.windows, last_day.block_ms), (24, HOUR_MS));
    assert!(last_day.given_touch.score(Predictor::Map).unwrap().in_hour_partial_interval.is_some());
    let none = running_score(&hours, START.plus(20 * DAY));
    assert_eq!((none.events, none.given_touch.cells), (0, 0));
}

#[test]
fn damaged_bytes_are_refused() {
    let bars = market(8, 2);
    let mut ledger = liqheat_model::Ledger::new(Params::default(), tiers());
    let mut surroundings = MarketContext::new(&Params::default(), &tiers());
    for bar in &bars {
        ledger.apply(bar, &[]);
        surroundings.step(bar);
    }
    let bytes = surroundings.freeze(&ledger, None).unwrap().encode();
    assert!(FrozenMoment::decode(&bytes).is_some());
    for end in 0..bytes.len() {
        assert!(FrozenMoment::decode(&bytes[..end]).is_none(), "{end}");
    }
    let mut other_form = bytes.clone();
    other_form[0] += 1;
    assert!(FrozenMoment::decode(&other_form).is_none() && GradedHour::decode(&other_form).is_none());
    let not_a_number = [&bytes[..9], &f64::NAN.to_le_bytes(), &bytes[17..]].concat();
    assert!(FrozenMoment::decode(&not_a_number).is_none());
}

#[test]
fn what_cannot_be_graded_says_what_to_load() {
    let bars = market(5, 6);
    let liquidations = liquidations_of(&bars);
    let (params, tiers) = (Params::default(), tiers());
    let run = |bars: &[Bar], liquidations: &[Liquidation], options: &Options| {
        let input = input(bars, liquidations, &params, &tiers);
        backtest(&input, options, &mut |_, _| std::ops::ControlFlow::Continue(())).unwrap_err()
    };
    let plain = Options::default();
    assert_eq!(run(&[], &liquidations, &plain), BacktestError::NoBars);
    assert_eq!(run(&bars, &[], &plain), BacktestError::NoLiquidations);
    let odd = Options { windows_ms: vec![M5 + 1], ..Options::default() };
    assert_eq!(run(&bars, &liquidations, &odd), BacktestError::Window { window_ms: M5 + 1, bar_ms: M5 });
    let late = Options { from: Some(START.plus(40 * DAY)), ..Options::default() };
    assert_eq!(run(&bars, &liquidations, &late), BacktestError::Empty);
    let unknown: Vec<Bar> =
        bars.iter().map(|bar| Bar { open_interest: None, volume: None, ..*bar }).collect();
    assert_eq!(run(&unknown, &liquidations, &plain), BacktestError::NoFlow);
    let volume_at_price = &NoVolumeAtPrice;
    let input = Input {
        bars: &bars,
        volume_at_price,
        liquidations: &liquidations,
        params: &params,
        tiers: &tiers,
        expected: ExpectedModel::default(),
    };
    let stopped = backtest(&input, &plain, &mut |_, _| std::ops::ControlFlow::Break(()));
    assert_eq!(stopped, Err(BacktestError::Stopped));
}

#[test]
fn a_power_law_is_found_among_zeros() {
    let mut random = fastrand::Rng::with_seed(3);
    let pairs: Vec<(f64, f64)> = (0..4_000)
        .map(|_| {
            let mass = (random.f64() * 10.0).exp();
            // Three of four touched levels hold nothing; the others make up for it.
            let amount = if random.u8(0..4) == 0 { 4.0 * 7.0 * mass.powf(0.3) } else { 0.0 };
            (mass, amount)
        })
        .collect();
    let exponent = crate::fit::power_law(&pairs).unwrap();
    assert!((exponent - 0.3).abs() < 0.03, "{exponent}");
    assert_eq!(crate::fit::power_law(&pairs[..20]), None, "too few");
    let nothing: Vec<(f64, f64)> = pairs.iter().map(|(mass, _)| (*mass, 0.0)).collect();
    assert_eq!(crate::fit::power_law(&nothing), None);
}
