//! The ledger against a slow, obvious one: a plain list of positions with their masses written out.
//!
//! Written from the documentation of the model, not from the code: every position is scaled one by one, the
//! kernel is integrated numerically, and nothing is lazy.

use liqheat_market::{Bar, Price, Qty, Side, TierTable};
use liqheat_model::{Ledger, ParamValues, Params, StepOutcome, liquidation_price};
use proptest::prelude::*;

use crate::support::{Profile, closed_by_class, market, tiers};

struct Position {
    side: Side,
    class: usize,
    /// `None` = cannot be liquidated.
    cell: Option<i64>,
    coins: f64,
    prior: bool,
}

struct Reference {
    params: Params,
    tiers: TierTable,
    positions: Vec<Position>,
    stock: f64,
    cell: i64,
    close: Price,
    eaten: [f64; 2],
}

/// Entry prices: pieces (low, high, share), even in log price.
type Pieces = Vec<(f64, f64, f64)>;

/// Pieces, and the lowest and highest price of them: a bar without a range is given some, and blocks count from its price.
struct Entries {
    low: f64,
    high: f64,
    pieces: Pieces,
}

impl Reference {
    fn new(params: Params, tiers: TierTable) -> Self {
        let close = Price::default();
        Self { params, tiers, positions: Vec::new(), stock: 0.0, cell: 0, close, eaten: [0.0; 2] }
    }

    fn start(&mut self, close: Price, stock: f64) {
        self.positions.clear();
        self.refit(close);
        self.stock = stock;
        self.close = close;
        // A triangle in log price, in 24 steps.
        let (p, width) = (close.to_f64(), self.params.values().prior_half_width);
        let edge = |step: i32| p * (width * f64::from(step) / 12.0).exp();
        let share = |step: i32| (1.0 - (f64::from(step) + 0.5).abs() / 12.0) / 12.0;
        let pieces: Pieces = (-12..12).map(|step| (edge(step), edge(step + 1), share(step))).collect();
        let entries = Entries { low: edge(-12), high: edge(12), pieces };
        self.open(Side::Long, stock, 0.5, &entries, true);
        self.open(Side::Short, stock, 0.5, &entries, true);
    }

    fn apply(&mut self, bar: &Bar, profile: &Profile) {
        let (low, high, close) = bar.mark.unwrap_or((bar.low, bar.high, bar.close));
        let values = self.params.values().clone();

        // 1. Consume.
        let (low_cell, high_cell) = (low.units() / self.cell, high.units() / self.cell);
        let mut eaten = [0.0; 2];
        self.positions.retain(|position| {
            let gone = match (position.side, position.cell) {
                (_, None) => false,
                (Side::Long, Some(cell)) => cell >= low_cell,
                (Side::Short, Some(cell)) => cell <= high_cell,
            };
            if gone {
                eaten[position.side as usize] += position.coins;
            }
            !gone
        });
        self.eaten = eaten;

        // 2. Close.
        let before = self.stock;
        let after = bar.open_interest.map_or(before, Qty::to_f64);
        let change = after - before;
        let largest = eaten[0].max(eaten[1]);
        let volume = bar.volume.map_or(0.0, Qty::to_f64);
        let mut reopened = values.turnover_share * (volume - change.abs()).max(0.0);
        if bar.volume.is_none() {
            reopened = 0.0;
        }
        let mut opened = (change + largest).max(0.0) + reopened;
        let mut closed = opened - change;
        if closed > before {
            closed = before;
            opened = closed + change;
        }
        for side in Side::BOTH {
            let left = before - eaten[side as usize];
            if values.details.is_empty() {
                let of_side = self.positions.iter_mut().filter(|position| position.side == side);
                of_side.for_each(|position| position.coins *= ((before - closed) / left).max(0.0));
            } else {
                self.close_by_class(side, before - closed);
            }
        }
        self.positions.retain(|position| position.coins > 0.0);
        self.stock = after;

        // 3. Open.
        self.refit(close);
        self.close = close;
        let bought = match (bar.taker_buy_volume, bar.volume) {
            (Some(bought), Some(volume)) if volume.is_positive() => bought.to_f64() / volume.to_f64(),
            _ => 0.5,
        };
        let (low, high) = (bar.low.to_f64(), bar.high.to_f64());
        let entries = Entries { low, high, pieces: pieces_of(bar, profile) };
        self.open(Side::Long, opened, bought, &entries, false);
        self.open(Side::Short, opened, 1.0 - bought, &entries, false);
    }

    /// Every position keeps the share `exp(-x rate)`: `x` after one Newton step from the solution for small closings,
    /// then one factor for all.
    fn close_by_class(&mut self, side: Side, target: f64) {
        let values = self.params.values().clone();
        let rate = |position: &Position| match position.cell {
            None => values.unlevelled_closing_rate,
            Some(_) => values.details[position.class].closing_rate,
        };
        let sums = |positions: &[Position], x: f64| {
            let mut sums = (0.0, 0.0);
            for position in positions.iter().filter(|position| position.side == side) {
                let kept = position.coins * (-x * rate(position)).exp();
                sums = (sums.0 + kept, sums.1 + kept * rate(position));
            }
            sums
        };
        let (all, slope) = sums(&self.positions, 0.0);
        let first = ((all - target) / slope).max(0.0);
        let (kept, slope) = sums(&self.positions, first);
        let x = if slope > 0.0 { first + ((kept - target) / slope).max(0.0) } else { first };
        let (kept, _) = sums(&self.positions, x);
        for position in self.positions.iter_mut().filter(|position| position.side == side) {
            let share = (-x * rate(position)).exp();
            position.coins *= if kept > 0.0 { share * (target / kept).min(1.0) } else { 0.0 };
        }
    }

    fn open(&mut self, side: Side, coins: f64, taker: f64, entries: &Entries, prior: bool) {
        let values = self.params.values().clone();
        let cell = Price::from_units(self.cell).to_f64();
        let close_cell = self.close.units() / self.cell;
        let &Entries { low, high, ref pieces } = entries;
        let mut without = coins;
        for (class, &(leverage, weight)) in values.weights.classes().iter().enumerate() {
            let taker_mix = weight * values.liquidatable_share;
            let detail = values.details.get(class).copied().unwrap_or_default();
            let maker_mix = detail
                .maker_weight
                .map_or(taker_mix * values.maker_ratio, |weight| weight * values.liquidatable_share);
            let share = taker_mix * taker + maker_mix * (1.0 - taker);
            let ratio = match detail.distance {
                Some(distance) => Ok(if side == Side::Long { 1.0 - distance } else { 1.0 + distance }),
                None => liquidation_price(side, 1.0, values.position_usd, leverage, &self.tiers),
            };
            let (Ok(ratio), true) = (ratio, share > 0.0) else { continue };
            let sigma = (values.kernel_sigma_per_leverage / leverage).max(values.kernel_sigma_min);
            let sigma = detail.kernel_sigma.unwrap_or(sigma);

            // The resolution of the kernel is part of its definition: blocks of whole cells.
            let entry_sigma = (pieces[pieces.len() - 1].1 / pieces[0].0).ln() / 12f64.sqrt();
            let cells_per_log = ratio * (low + high) / 2.0 / cell;
            let free = ((sigma * sigma + entry_sigma * entry_sigma).sqrt() * cells_per_log / 2.0).min(5.0);
            let block = ((sigma * cells_per_log / 2.0).max(free) as i64).max(1);
            let mut start = ((low * ratio * (-3.0 * sigma).exp() / cell) as i64).max(1);
            let end = (high * ratio * (3.0 * sigma).exp() / cell) as i64 + 1;
            while start < end {
                let stop = (start + block).min(end);
                let below = |at: i64| share_below((at as f64 * cell / ratio).ln(), sigma, pieces);
                let each = coins * share * (below(stop) - below(start)) / (stop - start) as f64;
                for cell in start..stop {
                    let own_side = if side == Side::Long { cell < close_cell } else { cell > close_cell };
                    if own_side && each > 0.0 {
                        self.positions.push(Position { side, class, cell: Some(cell), coins: each, prior });
                        without -= each;
                    }
                }
                start = stop;
            }
        }
        self.positions.push(Position { side, class: 0, cell: None, coins: without, prior });
    }

    /// Changes the cell width when the price has left the range of the present one.
    fn refit(&mut self, price: Price) {
        let fine = self.params.values().cells_in_price;
        let cells = if self.cell == 0 { 0.0 } else { price.units() as f64 / self.cell as f64 };
        if cells >= 0.8 * fine as f64 && cells < 6.0 * fine as f64 {
            return;
        }
        let mut width = 1;
        for digits in 0..14 {
            for digit in [1, 2, 5] {
                if digit * 10i64.pow(digits) * fine <= price.units() {
                    width = digit * 10i64.pow(digits);
                }
            }
        }
        let (old, new) = (std::mem::replace(&mut self.cell, width), width);
        let close_cell = price.units() / new;
        let mut moved = Vec::new();
        for position in self.positions.drain(..) {
            let Some(cell) = position.cell else {
                moved.push(position);
                continue;
            };
            let (low, high) = (cell * old, (cell + 1) * old);
            for target in low / new..=(high - 1) / new {
                let overlap = high.min((target + 1) * new) - low.max(target * new);
                let safe = match position.side {
                    Side::Long => target.min(close_cell - 1),
                    Side::Short => target.max(close_cell + 1),
                };
                let coins = position.coins * overlap as f64 / old as f64;
                moved.push(Position { cell: Some(safe), coins, ..position });
            }
        }
        self.positions = moved;
    }

    fn coins_by_cell(&self) -> Vec<((usize, i64, bool), f64)> {
        let mut rows: Vec<((usize, i64, bool), f64)> = self
            .positions
            .iter()
            .filter_map(|p| p.cell.map(|cell| ((p.class, cell, p.side == Side::Short), p.coins)))
            .collect();
        rows.sort_by_key(|row| row.0);
        rows.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        rows
    }
}

fn pieces_of(bar: &Bar, profile: &Profile) -> Pieces {
    let (low, high) = (bar.low.to_f64(), bar.high.to_f64());
    let traded: Vec<_> = profile.iter().filter(|row| row.1.is_positive()).collect();
    if !traded.is_empty() && high - low >= low * 24e-6 {
        let groups = traded.len().min(24);
        let width = (high - low) / groups as f64;
        let all: f64 = traded.iter().map(|row| row.1.to_f64()).sum();
        let group_of = |price: Price| (((price.to_f64() - low) / width) as usize).min(groups - 1);
        return (0..groups)
            .map(|group| {
                let inside = traded.iter().filter(|row| group_of(row.0) == group);
                let share = inside.map(|row| row.1.to_f64()).sum::<f64>() / all;
                (low + width * group as f64, low + width * (group + 1) as f64, share)
            })
            .collect();
    }
    let (l, h) = (low.ln(), high.ln());
    let mean = (bar.open.to_f64() + high + low + bar.close.to_f64()) / 4.0;
    let m = mean.ln();
    if h - l < 1e-6 || m <= l || m >= h {
        let half = ((h - l) / 2.0).max(5e-7);
        return vec![(((l + h) / 2.0 - half).exp(), ((l + h) / 2.0 + half).exp(), 1.0)];
    }
    let below = (h - m) / (h - l);
    vec![(low, mean, below), (mean, high, 1.0 - below)]
}

/// Simpson's rule over the part of each piece that the kernel around `x` reaches.
fn share_below(x: f64, sigma: f64, pieces: &Pieces) -> f64 {
    const INTERVALS: usize = 64;
    let of_piece = |&(low, high, share): &(f64, f64, f64)| {
        let (l, h) = (low.ln(), high.ln());
        let (from, to) = ((x - 3.0 * sigma).clamp(l, h), (x + 3.0 * sigma).clamp(l, h));
        let sum: f64 = (0..=INTERVALS)
            .map(|i| {
                let weight = if i == 0 || i == INTERVALS { 1.0 } else { [2.0, 4.0][i % 2] };
                weight * kernel_below((x - from - (to - from) * i as f64 / INTERVALS as f64) / sigma)
            })
            .sum();
        share * ((from - l) + (to - from) * sum / (3 * INTERVALS) as f64) / (h - l)
    };
    pieces.iter().map(of_piece).sum()
}

/// Distribution function of the quadratic B-spline with knots at -3, -1, 1 and 3 sigma.
fn kernel_below(x: f64) -> f64 {
    match x {
        x if x <= -3.0 => 0.0,
        x if x <= -1.0 => (x + 3.0).powi(3) / 48.0,
        x if x <= 1.0 => 0.5 + (9.0 * x - x.powi(3)) / 24.0,
        x if x <= 3.0 => 1.0 - (3.0 - x).powi(3) / 48.0,
        _ => 1.0,
    }
}

fn compare(reference: &Reference, ledger: &Ledger) -> Result<(), TestCaseError> {
    let cell = ledger.cell().unwrap();
    prop_assert_eq!(cell.units(), reference.cell);
    prop_assert!((ledger.open_interest() - reference.stock).abs() <= 1e-9 * reference.stock);
    let weights = ledger.params().values().weights.clone();
    let class_of = |leverage: f64| weights.classes().iter().position(|class| class.0 == leverage).unwrap();
    let mut found: Vec<((usize, i64, bool), f64)> = Vec::new();
    for level in ledger.levels_by_leverage(cell, None) {
        let index = level.price.units() / cell.units();
        let middle = (index as f64 + 0.5) * cell.to_f64();
        let class = class_of(level.leverage);
        for (usd, short) in [(level.long_usd, false), (level.short_usd, true)] {
            if usd > 0.0 {
                found.push(((class, index, short), usd / middle));
            }
        }
    }
    found.sort_by_key(|row| row.0);
    let expected = reference.coins_by_cell();
    // Tails of a kernel below rounding may be present on one side only, so cells are matched, not zipped.
    let tolerance = 1e-6 * reference.stock;
    let (mut i, mut j, mut distance) = (0, 0, 0.0);
    while i < found.len() || j < expected.len() {
        let left = found.get(i);
        let right = expected.get(j);
        let (difference, step) = match (left, right) {
            (Some(a), Some(b)) if a.0 == b.0 => (a.1 - b.1, (1, 1)),
            (Some(a), Some(b)) if a.0 < b.0 => (a.1, (1, 0)),
            (Some(a), None) => (a.1, (1, 0)),
            (_, Some(b)) => (b.1, (0, 1)),
            (None, None) => unreachable!(),
        };
        prop_assert!(difference.abs() < tolerance, "{left:?} {right:?}");
        distance += difference.abs();
        i += step.0;
        j += step.1;
    }
    prop_assert!(distance < 10.0 * tolerance, "distance {distance}");
    let prior: f64 = reference.positions.iter().filter(|p| p.prior).map(|p| p.coins).sum();
    prop_assert!((1.0 - prior / (2.0 * reference.stock) - ledger.seen_share()).abs() < 1e-6);
    Ok(())
}

fn run(bars: &[(Bar, Profile)], values: ParamValues) -> Result<(), TestCaseError> {
    let params = Params::new(values).unwrap();
    let mut ledger = Ledger::new(params.clone(), tiers());
    let mut reference = Reference::new(params, tiers());
    for (bar, profile) in bars {
        let step = ledger.apply(bar, profile);
        prop_assert!(step.broken.is_empty(), "{:?}", step.broken);
        // Which samples are accepted is a matter of its own, with tests of its own.
        let open_interest = bar.open_interest.filter(|_| step.sample_verdict.is_used());
        let bar = &Bar { open_interest, ..*bar };
        match step.outcome {
            StepOutcome::Waiting => continue,
            StepOutcome::Started | StepOutcome::Restarted { .. } => {
                let close = bar.mark.map_or(bar.close, |mark| mark.2);
                let stock = bar.open_interest.map_or(reference.stock, Qty::to_f64);
                reference.start(close, stock);
            }
            StepOutcome::Advanced => {
                reference.apply(bar, profile);
                let tolerance = 1e-6 * (reference.stock + step.closed);
                prop_assert!((step.consumed_long.coins - reference.eaten[0]).abs() < tolerance);
                prop_assert!((step.consumed_short.coins - reference.eaten[1]).abs() < tolerance);
            }
            StepOutcome::Refused(fault) => prop_assert!(false, "{fault}"),
        }
        compare(&reference, &ledger)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_ledger_agrees_with_a_list_of_positions(bars in market(40)) {
        run(&bars, ParamValues { cells_in_price: 1_000, ..ParamValues::default() })?;
    }

    #[test]
    fn it_agrees_where_classes_are_closed_at_their_own_rates(bars in market(40)) {
        run(&bars, ParamValues { cells_in_price: 1_000, ..closed_by_class() })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn it_agrees_on_the_finest_grid_too(bars in market(12)) {
        run(&bars, ParamValues { cells_in_price: 10_000, ..ParamValues::default() })?;
    }
}
