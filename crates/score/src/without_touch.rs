//! Of all cells near the price, which ones will hold liquidations? Distance and volatility answer most of that; the
//! question is what the map adds.

use liqheat_market::{Side, UnixMs};

use crate::card::{HorizonWithoutTouch, ModelScore, WithoutTouch};
use crate::fit::{dot, logistic};
use crate::frozen::cells;
use crate::realised::usd_by_cell;
use crate::resample::interval_over_blocks;
use crate::run::ClosedWindow;
use crate::separation::Sorted;
use crate::{CELL_WIDTH, CELLS_WITHOUT_TOUCH, Interval};

/// Cells on each side that the price may reach in an hour: 1 % of the price. The reach grows with the square root of
/// the length of the window, as that of a random walk does. Cells far beyond it are known not to be touched by
/// everybody, so they would only hide what a predictor adds among those in question.
const CELLS_AN_HOUR: f64 = 10.0;

const DAY_MS: i64 = 86_400_000;
/// Days between two fits of the logistic models, each on all windows before it.
const REFIT_DAYS: i64 = 7;
const SEED: u64 = 15;

/// Distance and volatility.
type Base = [f64; 5];
/// The same and the map.
type WithMap = [f64; 6];

/// All cells of all windows of one length.
#[derive(Debug)]
pub(crate) struct AllCells {
    pub(crate) rows: Vec<Cell>,
    /// Cells compared on each side.
    reach: usize,
}

/// One cell of one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub(crate) window: UnixMs,
    /// Features of distance and volatility, then the map's; made from what was known when the window began.
    pub(crate) features: WithMap,
    /// Something was liquidated in it.
    pub(crate) is_hit: bool,
}

impl AllCells {
    pub(crate) fn new(window_ms: i64) -> Self {
        let hours = window_ms as f64 / 3_600_000.0;
        let reach = (CELLS_AN_HOUR * hours.sqrt()).round() as usize;
        Self { rows: Vec::new(), reach: reach.clamp(1, CELLS_WITHOUT_TOUCH) }
    }

    pub(crate) fn grade(&mut self, window: &ClosedWindow<'_>) {
        let frozen = &window.frozen;
        let hours = window.length_ms as f64 / 3_600_000.0;
        let sigma = (frozen.hourly_volatility * hours.sqrt()).max(1e-5);
        for side in Side::BOTH {
            let usd = usd_by_cell(window.liquidations, side, frozen.price, self.reach);
            let map = &frozen.sides[side as usize].map;
            for (((near, far), usd), map) in cells().zip(usd).zip(map) {
                let distance = f64::midpoint(near, far);
                let z = distance / sigma;
                let (ln_distance, ln_sigma) = ((distance / CELL_WIDTH).ln(), (sigma / CELL_WIDTH).ln());
                self.rows.push(Cell {
                    window: frozen.at,
                    features: [
                        1.0,
                        z.min(10.0),
                        (z * z).min(100.0) / 10.0,
                        ln_distance,
                        ln_sigma,
                        map.ln_1p() / 10.0,
                    ],
                    is_hit: usd > 0.0,
                });
            }
        }
    }

    /// Fits week by week on what lies before, and scores the week.
    pub(crate) fn summary(&self, window_ms: i64, resamples: usize) -> HorizonWithoutTouch {
        let reach = self.reach as f64 * CELL_WIDTH;
        HorizonWithoutTouch { window_ms, reach, without_touch: self.scored(resamples) }
    }

    fn scored(&self, resamples: usize) -> Option<WithoutTouch> {
        let first = self.rows.first()?.window.floor_to(DAY_MS);
        let day_of = |cell: &Cell| (cell.window.since(first) / DAY_MS) as usize;
        let base: Vec<Base> = self.rows.iter().map(|cell| base_of(&cell.features)).collect();
        let full: Vec<WithMap> = self.rows.iter().map(|cell| cell.features).collect();
        let hits: Vec<bool> = self.rows.iter().map(|cell| cell.is_hit).collect();
        let (mut fit_base, mut fit_full) = ([0.0; 5], [0.0; 6]);
        let (mut scores_touch, mut scores_base, mut scores_full) = (Vec::new(), Vec::new(), Vec::new());
        let mut scored_from = None;
        let mut start = 0;
        while start < self.rows.len() {
            let week = |cell: &Cell| day_of(cell) as i64 / REFIT_DAYS;
            let this = week(&self.rows[start]);
            let end = start + self.rows[start..].partition_point(|cell| week(cell) == this);
            let fits = (
                logistic(&base[..start], &hits[..start], &fit_base),
                logistic(&full[..start], &hits[..start], &fit_full),
            );
            if let (Some(with_base), Some(with_full)) = fits {
                (fit_base, fit_full) = (with_base, with_full);
                scored_from.get_or_insert(start);
                for cell in start..end {
                    // The chance that a random walk reaches the distance falls with distance over volatility.
                    scores_touch.push(-base[cell][1]);
                    scores_base.push(dot(&base[cell], &fit_base));
                    scores_full.push(dot(&full[cell], &fit_full));
                }
            }
            start = end;
        }
        let from = scored_from?;
        let hits = &hits[from..];
        let first_day = day_of(&self.rows[from]);
        let days: Vec<usize> = self.rows[from..].iter().map(|cell| day_of(cell) - first_day).collect();
        let day_count = days.last()? + 1;
        let touch = Sorted::new(&scores_touch, &days);
        let base = Sorted::new(&scores_base, &days);
        let full = Sorted::new(&scores_full, &days);
        let values: Vec<f64> = hits.iter().map(|hit| f64::from(u8::from(*hit))).collect();
        let every_day = vec![1.0; day_count];
        let score = |sorted: &Sorted<'_>| ModelScore {
            area_under_curve: sorted.area(&every_day, hits),
            top_tenth_precision: sorted.top_tenth(&every_day, &values),
        };
        let area_gain = |weights: &[f64]| Some(full.area(weights, hits)? - base.area(weights, hits)?);
        let precision_gain =
            |weights: &[f64]| Some(full.top_tenth(weights, &values)? - base.top_tenth(weights, &values)?);
        let area_gain_interval = interval_over_blocks(day_count, resamples, SEED, area_gain);
        let is_gain = |interval: Option<Interval>| interval.is_some_and(|interval| interval.low > 0.0);
        Some(WithoutTouch {
            cells: hits.len(),
            cells_hit: hits.iter().filter(|hit| **hit).count(),
            touch_chance: score(&touch),
            distance_and_volatility: score(&base),
            with_map: score(&full),
            area_gain: area_gain(&every_day),
            area_gain_interval,
            precision_gain: precision_gain(&every_day),
            precision_gain_interval: interval_over_blocks(day_count, resamples, SEED, precision_gain),
            is_gain: is_gain(area_gain_interval),
        })
    }
}

fn base_of(features: &WithMap) -> Base {
    let [a, b, c, d, e, _] = *features;
    [a, b, c, d, e]
}
