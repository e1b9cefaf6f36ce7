//! Of the cells that the price crossed, which ones held the liquidations?

use std::collections::BTreeMap;

use liqheat_market::convert::{approx_f64, trunc_usize};
use liqheat_market::{Side, UnixMs};

use crate::card::{GivenTouch, LeverageSkill, Predictor, Score};
use crate::fit::{Linear, dot};
use crate::frozen::FrozenMoment;
use crate::rank::{Products, spearman};
use crate::realised::{RealisedLiquidation, usd_by_cell};
use crate::resample::interval_over_blocks;
use crate::separation::{area_under_curve, top_tenth_lift};
use crate::windows::ClosedWindow;
use crate::{CELL_WIDTH, CELLS_GIVEN_TOUCH};

/// Fewest cells of one window and side whose ranks say anything.
const GROUP_MIN: usize = 3;
const SEED: u64 = 14;
const DAY_MS: i64 = 86_400_000;

/// The touched cells of all windows of one length.
#[derive(Debug)]
pub(crate) struct TouchedCells {
    pub(crate) rows: Vec<TouchedCell>,
    windows: usize,
    windows_with_events: usize,
    distance: Linear<4>,
    path: Linear<7>,
}

/// One touched cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TouchedCell {
    pub(crate) window: UnixMs,
    pub(crate) side: Side,
    pub(crate) cell: usize,
    /// Scores in the order of [`Predictor::ALL`], made from what was known when the window began.
    pub(crate) scores: [f64; Predictor::ALL.len()],
    /// The map by leverage class, USD; empty where classes are not graded.
    pub(crate) classes: Vec<f64>,
    /// Liquidated in the window, USD.
    pub(crate) usd: f64,
}

/// What was known of a touched cell when its window began, and what then happened in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CellOutcome {
    pub(crate) side: Side,
    pub(crate) cell: usize,
    /// The map, USD.
    pub(crate) map: f64,
    /// The map of a day before at the same distance, USD.
    pub(crate) yesterday: f64,
    /// Mass of the candle-colour model.
    pub(crate) colour: f64,
    /// Days since the price was last there.
    pub(crate) age_days: f64,
    /// Log distance to the extreme of the last hour and day on this side.
    pub(crate) hour_extreme: f64,
    pub(crate) day_extreme: f64,
    /// Liquidated in the window, USD.
    pub(crate) usd: f64,
}

/// The cells that the price crossed completely between the start of a window and its end.
pub(crate) fn touched_cells(
    frozen: &FrozenMoment,
    low: f64,
    high: f64,
    liquidations: &[RealisedLiquidation],
) -> Vec<CellOutcome> {
    let mut outcomes = Vec::new();
    for side in Side::BOTH {
        let reached = match side {
            Side::Long => (frozen.price / low).ln(),
            Side::Short => (high / frozen.price).ln(),
        };
        let touched = trunc_usize(reached / CELL_WIDTH).min(CELLS_GIVEN_TOUCH);
        let known = &frozen.sides[side as usize];
        let usd = usd_by_cell(liquidations, side, frozen.price, touched);
        outcomes.extend(usd.into_iter().enumerate().map(|(cell, usd)| CellOutcome {
            side,
            cell,
            map: known.map[cell],
            yesterday: known.yesterday[cell],
            colour: known.colour[cell],
            age_days: known.age_days[cell],
            hour_extreme: known.hour_extreme,
            day_extreme: known.day_extreme,
            usd,
        }));
    }
    outcomes
}

impl TouchedCells {
    pub(crate) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            windows: 0,
            windows_with_events: 0,
            distance: Linear::new(),
            path: Linear::new(),
        }
    }

    /// Grades a window that has ended.
    pub(crate) fn grade(&mut self, window: &ClosedWindow<'_>) {
        let frozen = &window.frozen;
        let outcomes = touched_cells(frozen, window.low, window.high, window.liquidations);
        let first = self.rows.len();
        self.add(frozen.at, &outcomes, !window.liquidations.is_empty());
        for row in &mut self.rows[first..] {
            let classes = &frozen.sides[row.side as usize].classes;
            row.classes = classes.iter().map(|class| class[row.cell]).collect();
        }
    }

    /// Adds a window that has ended. Windows of one length follow each other, so what the two fits have learned so far
    /// stems from windows that ended before this one began.
    pub(crate) fn add(&mut self, window: UnixMs, outcomes: &[CellOutcome], has_events: bool) {
        self.windows += 1;
        self.windows_with_events += usize::from(has_events);
        let (distance_fit, path_fit) = (self.distance.coefficients(), self.path.coefficients());
        for outcome in outcomes {
            let CellOutcome { side, cell, map, yesterday, colour, usd, .. } = *outcome;
            let (by_distance, by_path) = (distance_features(cell), path_features(outcome));
            let far = approx_f64(cell);
            let scores = [
                distance_fit.map_or(far, |fit| dot(&by_distance, &fit)),
                path_fit.map_or(far, |fit| dot(&by_path, &fit)),
                yesterday,
                colour,
                map,
            ];
            self.rows.push(TouchedCell { window, side, cell, scores, classes: Vec::new(), usd });
        }
        for outcome in outcomes {
            self.distance.learn(&distance_features(outcome.cell), outcome.usd.ln_1p());
            self.path.learn(&path_features(outcome), outcome.usd.ln_1p());
        }
    }

    /// Forgets the windows so far; the fits keep what they have learned from them.
    pub(crate) fn forget(&mut self) {
        self.rows.clear();
        (self.windows, self.windows_with_events) = (0, 0);
    }

    /// The scores of all predictors, with intervals over blocks of `block_ms`.
    pub(crate) fn summary(&self, block_ms: i64, resamples: usize) -> GivenTouch {
        let usd: Vec<f64> = self.rows.iter().map(|row| row.usd).collect();
        let hits: Vec<bool> = usd.iter().map(|usd| *usd > 0.0).collect();
        let groups = Groups::new(&self.rows, block_ms);
        let score = |predictor: Predictor| {
            let scores: Vec<f64> = self.rows.iter().map(|row| row.scores[predictor as usize]).collect();
            let beyond_distance = predictor != Predictor::Distance;
            let headline = beyond_distance.then(|| groups.partial(&scores, resamples)).flatten();
            Score {
                predictor,
                spearman: spearman(&scores, &usd),
                top_tenth_lift: top_tenth_lift(&scores, &usd),
                area_under_curve: area_under_curve(&scores, &hits),
                in_hour_partial: headline.map(|(value, _)| value),
                in_hour_partial_interval: headline.and_then(|(_, interval)| interval),
            }
        };
        GivenTouch {
            windows: self.windows,
            windows_with_events: self.windows_with_events,
            cells: self.rows.len(),
            cells_hit: hits.iter().filter(|hit| **hit).count(),
            scores: Predictor::ALL.map(score).to_vec(),
        }
    }

    /// The headline of each leverage class alone.
    pub(crate) fn by_leverage(&self, leverages: &[f64], resamples: usize) -> Vec<LeverageSkill> {
        let groups = Groups::new(&self.rows, DAY_MS);
        let skill = |(class, leverage): (usize, &f64)| {
            let scores: Vec<f64> = self.rows.iter().map(|row| row.classes[class]).collect();
            let found = groups.partial(&scores, resamples);
            let interval = found.and_then(|(_, interval)| interval);
            LeverageSkill {
                leverage: *leverage,
                in_hour_partial: found.map(|(value, _)| value),
                interval,
                is_identified: interval.is_some_and(|interval| !interval.holds_zero()),
            }
        };
        leverages.iter().enumerate().map(skill).collect()
    }
}

/// Rows of the same window and side, sorted into the blocks of the bootstrap.
struct Groups<'a> {
    rows: &'a [TouchedCell],
    /// (block, rows).
    groups: Vec<(usize, Vec<usize>)>,
    blocks: usize,
}

impl<'a> Groups<'a> {
    fn new(rows: &'a [TouchedCell], block_ms: i64) -> Self {
        let mut members: BTreeMap<(UnixMs, Side), Vec<usize>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            members.entry((row.window, row.side)).or_default().push(index);
        }
        let mut blocks = BTreeMap::new();
        let mut groups = Vec::with_capacity(members.len());
        for ((window, _), rows) in members.into_iter().filter(|(_, rows)| rows.len() >= GROUP_MIN) {
            let next = blocks.len();
            let block = *blocks.entry(window.floor_to(block_ms)).or_insert(next);
            groups.push((block, rows));
        }
        Self { rows, groups, blocks: blocks.len() }
    }

    /// The rank correlation with realised USD beyond distance, ranks taken inside each group, with its interval.
    fn partial(&self, scores: &[f64], resamples: usize) -> Option<(f64, Option<crate::ConfidenceInterval>)> {
        let mut by_block = vec![Products::default(); self.blocks];
        for (block, members) in &self.groups {
            let pick = |of: &dyn Fn(usize) -> f64| members.iter().map(|index| of(*index)).collect::<Vec<_>>();
            let score = pick(&|index| scores[index]);
            let usd = pick(&|index| self.rows[index].usd);
            let cell = pick(&|index| approx_f64(self.rows[index].cell));
            by_block[*block].add(&Products::of_group(&score, &usd, &cell), 1.0);
        }
        let of_blocks = |weights: &[f64]| {
            let mut sum = Products::default();
            by_block.iter().zip(weights).for_each(|(block, weight)| sum.add(block, *weight));
            sum.partial()
        };
        let value = of_blocks(&vec![1.0; self.blocks])?;
        Some((value, interval_over_blocks(self.blocks, resamples, SEED, of_blocks)))
    }
}

fn distance_features(cell: usize) -> [f64; 4] {
    let x = (approx_f64(cell) + 0.5) / approx_f64(CELLS_GIVEN_TOUCH);
    [1.0, x, x * x, x * x * x]
}

fn path_features(outcome: &CellOutcome) -> [f64; 7] {
    let [one, x, x2, x3] = distance_features(outcome.cell);
    let distance = (approx_f64(outcome.cell) + 0.5) * CELL_WIDTH;
    let beyond = |extreme: f64| ((distance - extreme) * 100.0).clamp(-5.0, 5.0);
    let age = (outcome.age_days + 1e-3).ln();
    [one, x, x2, x3, beyond(outcome.hour_extreme), beyond(outcome.day_extreme), age]
}
