//! Of the cells that the price crossed, which ones held the liquidations?

use std::collections::BTreeMap;

use liqheat_market::{Side, UnixMs};

use crate::card::{GivenTouch, HorizonGivenTouch, LeverageSkill, Predictor, Score};
use crate::fit::{Linear, dot};
use crate::frozen::FrozenSide;
use crate::rank::{Products, spearman};
use crate::realised::usd_by_cell;
use crate::resample::day_blocks;
use crate::run::ClosedWindow;
use crate::separation::{area_under_curve, top_tenth_lift};
use crate::{CELL_WIDTH, CELLS_GIVEN_TOUCH};

/// Fewest cells of one window and side whose ranks say anything.
const GROUP_MIN: usize = 3;
const SEED: u64 = 14;

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
    /// The map by leverage class, USD.
    pub(crate) classes: Vec<f64>,
    /// Liquidated in the window, USD.
    pub(crate) usd: f64,
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

    /// Grades a window that has ended. Windows of one length follow each other, so what the two fits have learned so
    /// far stems from windows that ended before this one began.
    pub(crate) fn grade(&mut self, window: &ClosedWindow<'_>) {
        let frozen = &window.frozen;
        self.windows += 1;
        self.windows_with_events += usize::from(!window.liquidations.is_empty());
        let (distance_fit, path_fit) = (self.distance.coefficients(), self.path.coefficients());
        for side in Side::BOTH {
            let reached = match side {
                Side::Long => (frozen.price / window.low).ln(),
                Side::Short => (window.high / frozen.price).ln(),
            };
            let touched = ((reached / CELL_WIDTH).max(0.0) as usize).min(CELLS_GIVEN_TOUCH);
            let usd = usd_by_cell(window.liquidations, side, frozen.price, touched);
            let known = &frozen.sides[side as usize];
            for (cell, usd) in usd.into_iter().enumerate() {
                let (by_distance, by_path) = (distance_features(cell), path_features(known, cell));
                let far = cell as f64;
                let scores = [
                    distance_fit.map_or(far, |fit| dot(&by_distance, &fit)),
                    path_fit.map_or(far, |fit| dot(&by_path, &fit)),
                    known.yesterday[cell],
                    known.colour[cell],
                    known.map[cell],
                ];
                self.rows.push(TouchedCell {
                    window: frozen.at,
                    side,
                    cell,
                    scores,
                    classes: known.classes.iter().map(|class| class[cell]).collect(),
                    usd,
                });
                self.distance.learn(&by_distance, usd.ln_1p());
                self.path.learn(&by_path, usd.ln_1p());
            }
        }
    }

    /// The scores of all predictors.
    pub(crate) fn summary(&self, window_ms: i64, resamples: usize) -> HorizonGivenTouch {
        let usd: Vec<f64> = self.rows.iter().map(|row| row.usd).collect();
        let hits: Vec<bool> = usd.iter().map(|usd| *usd > 0.0).collect();
        let groups = Groups::new(&self.rows);
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
        HorizonGivenTouch {
            window_ms,
            given_touch: GivenTouch {
                windows: self.windows,
                windows_with_events: self.windows_with_events,
                cells: self.rows.len(),
                cells_hit: hits.iter().filter(|hit| **hit).count(),
                scores: Predictor::ALL.map(score).to_vec(),
            },
        }
    }

    /// The headline of each leverage class alone.
    pub(crate) fn by_leverage(&self, leverages: &[f64], resamples: usize) -> Vec<LeverageSkill> {
        let groups = Groups::new(&self.rows);
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

/// Rows of the same window and side, sorted into days.
struct Groups<'a> {
    rows: &'a [TouchedCell],
    /// (day, rows).
    groups: Vec<(usize, Vec<usize>)>,
    days: usize,
}

impl<'a> Groups<'a> {
    fn new(rows: &'a [TouchedCell]) -> Self {
        let mut members: BTreeMap<(UnixMs, Side), Vec<usize>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            members.entry((row.window, row.side)).or_default().push(index);
        }
        let mut days = BTreeMap::new();
        let mut groups = Vec::with_capacity(members.len());
        for ((window, _), rows) in members.into_iter().filter(|(_, rows)| rows.len() >= GROUP_MIN) {
            let next = days.len();
            let day = *days.entry(window.floor_to(86_400_000)).or_insert(next);
            groups.push((day, rows));
        }
        Self { rows, groups, days: days.len() }
    }

    /// The rank correlation with realised USD beyond distance, ranks taken inside each group, with its interval.
    fn partial(&self, scores: &[f64], resamples: usize) -> Option<(f64, Option<crate::Interval>)> {
        let mut by_day = vec![Products::default(); self.days];
        for (day, members) in &self.groups {
            let pick = |of: &dyn Fn(usize) -> f64| members.iter().map(|index| of(*index)).collect::<Vec<_>>();
            let score = pick(&|index| scores[index]);
            let usd = pick(&|index| self.rows[index].usd);
            let cell = pick(&|index| self.rows[index].cell as f64);
            by_day[*day].add(&Products::of_group(&score, &usd, &cell), 1.0);
        }
        let of_days = |weights: &[f64]| {
            let mut sum = Products::default();
            by_day.iter().zip(weights).for_each(|(day, weight)| sum.add(day, *weight));
            sum.partial()
        };
        let value = of_days(&vec![1.0; self.days])?;
        Some((value, day_blocks(self.days, resamples, SEED, of_days)))
    }
}

fn distance_features(cell: usize) -> [f64; 4] {
    let x = (cell as f64 + 0.5) / CELLS_GIVEN_TOUCH as f64;
    [1.0, x, x * x, x * x * x]
}

fn path_features(side: &FrozenSide, cell: usize) -> [f64; 7] {
    let [one, x, x2, x3] = distance_features(cell);
    let distance = (cell as f64 + 0.5) * CELL_WIDTH;
    let beyond = |extreme: f64| ((distance - extreme) * 100.0).clamp(-5.0, 5.0);
    let age = (side.age_days[cell] + 1e-3).ln();
    [one, x, x2, x3, beyond(side.hour_extreme), beyond(side.day_extreme), age]
}
