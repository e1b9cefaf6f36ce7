//! Of all cells near the price, which ones will hold liquidations? Distance and volatility answer most of that; the
//! question is what the map adds.

use liqheat_market::convert::{approx_f64, signed_len, trunc_usize, unsigned_len};
use liqheat_market::{Side, UnixMs};

use crate::card::{HorizonWithoutTouch, ModelScore, WithoutTouch};
use crate::expected::{
    ExpectedHorizon, ExpectedModel, Horizon, TouchCoefficients, sigma_of, touch_features, typical_usd,
};
use crate::fit::{dot, logistic, power_law};
use crate::frozen::cells;
use crate::realised::usd_by_cell;
use crate::resample::interval_over_blocks;
use crate::separation::SortedCells;
use crate::windows::ClosedWindow;
use crate::{CELL_WIDTH, CELLS_WITHOUT_TOUCH, ConfidenceInterval};

/// Cells on each side that the price may reach in an hour: 1 % of the price. The reach grows with the square root of
/// the length of the window, as that of a random walk does. Cells far beyond it are known not to be touched by
/// everybody, so they would only hide what a predictor adds among those in question.
const CELLS_AN_HOUR: f64 = 10.0;

const DAY_MS: i64 = 86_400_000;
/// Days between two fits of the logistic models, each on all windows before it.
const REFIT_DAYS: i64 = 7;
const SEED: u64 = 15;

/// Distance and volatility.
type BaseFeatures = [f64; 5];
/// The same and the map.
type MapFeatures = [f64; 6];

/// All cells of all windows of one length.
#[derive(Debug)]
pub(crate) struct AllCells {
    pub(crate) rows: Vec<Cell>,
    /// Cells compared on each side.
    reach: usize,
    model: ExpectedModel,
    /// Features of every cell up to 5 % away, and whether the price crossed it completely.
    touches: Vec<(TouchCoefficients, bool)>,
    /// The map and the USD liquidated of every touched cell within reach.
    masses: Vec<(f64, f64)>,
}

/// One cell of one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub(crate) window: UnixMs,
    /// Features of distance and volatility, then the map's; made from what was known when the window began.
    pub(crate) features: MapFeatures,
    /// Something was liquidated in it.
    pub(crate) is_hit: bool,
    /// What the expected view says of it, USD.
    pub(crate) expected: f64,
}

impl AllCells {
    pub(crate) fn new(window_ms: i64, model: ExpectedModel) -> Self {
        let hours = approx_f64(window_ms) / 3_600_000.0;
        let reach = trunc_usize((CELLS_AN_HOUR * hours.sqrt()).round());
        Self {
            rows: Vec::new(),
            reach: reach.clamp(1, CELLS_WITHOUT_TOUCH),
            model,
            touches: Vec::new(),
            masses: Vec::new(),
        }
    }

    pub(crate) fn grade(&mut self, window: &ClosedWindow<'_>) {
        let frozen = &window.frozen;
        let sigma = sigma_of(frozen.hourly_volatility, approx_f64(window.length_ms) / 3_600_000.0);
        let horizon = Horizon::ALL.into_iter().find(|horizon| horizon.ms() == window.length_ms);
        let typical = typical_usd(frozen.open_interest_usd, CELL_WIDTH);
        for side in Side::BOTH {
            let usd = usd_by_cell(window.liquidations, side, frozen.price, self.reach);
            let map = &frozen.sides[side as usize].map;
            let reached = match side {
                Side::Long => (frozen.price / window.low).ln(),
                Side::Short => (window.high / frozen.price).ln(),
            };
            for (near, far) in cells() {
                self.touches.push((touch_features(f64::midpoint(near, far), sigma), reached >= far));
            }
            let touched = map.iter().zip(&usd).zip(cells()).filter(|(_, (_, far))| reached >= *far);
            self.masses.extend(touched.map(|((map, usd), _)| (*map, *usd)));
            for (((near, far), usd), map) in cells().zip(usd).zip(map) {
                let distance = f64::midpoint(near, far);
                let expected = horizon.map_or(0.0, |horizon| {
                    let volatility = frozen.hourly_volatility;
                    self.model.expected_usd(horizon, volatility, (distance, *map), typical)
                });
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
                    expected,
                });
            }
        }
    }

    /// The expected view, fitted on all windows; `None` with too few.
    pub(crate) fn fitted(&self) -> Option<ExpectedHorizon> {
        let near = self.touches.iter().filter(|(features, _)| features[1] <= ExpectedModel::SIGMAS_MAX);
        let (rows, touched): (Vec<TouchCoefficients>, Vec<bool>) = near.copied().unzip();
        let touch = logistic(&rows, &touched, &[0.0; 4])?;
        Some(ExpectedHorizon { touch, mass_exponent: power_law(&self.masses)? })
    }

    /// Fits week by week on what lies before, and scores the week.
    pub(crate) fn summary(&self, window_ms: i64, resamples: usize) -> HorizonWithoutTouch {
        let reach = approx_f64(self.reach) * CELL_WIDTH;
        HorizonWithoutTouch { window_ms, reach, without_touch: self.scored(resamples) }
    }

    fn scored(&self, resamples: usize) -> Option<WithoutTouch> {
        let first = self.rows.first()?.window.floor_to(DAY_MS);
        let day_of = |cell: &Cell| unsigned_len(cell.window.since(first) / DAY_MS);
        let base: Vec<BaseFeatures> = self.rows.iter().map(|cell| base_of(&cell.features)).collect();
        let full: Vec<MapFeatures> = self.rows.iter().map(|cell| cell.features).collect();
        let hits: Vec<bool> = self.rows.iter().map(|cell| cell.is_hit).collect();
        let (mut fit_base, mut fit_full) = ([0.0; 5], [0.0; 6]);
        let (mut scores_touch, mut scores_base, mut scores_full) = (Vec::new(), Vec::new(), Vec::new());
        let mut scored_from = None;
        let mut start = 0;
        while start < self.rows.len() {
            let week = |cell: &Cell| signed_len(day_of(cell)) / REFIT_DAYS;
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
        let touch = SortedCells::new(&scores_touch, &days);
        let base = SortedCells::new(&scores_base, &days);
        let full = SortedCells::new(&scores_full, &days);
        let values: Vec<f64> = hits.iter().map(|hit| f64::from(u8::from(*hit))).collect();
        let expected: Vec<f64> = self.rows[from..].iter().map(|cell| cell.expected).collect();
        let expected = SortedCells::new(&expected, &days);
        let every_day = vec![1.0; day_count];
        let score = |sorted: &SortedCells<'_>| ModelScore {
            area_under_curve: sorted.area(&every_day, hits),
            top_tenth_precision: sorted.top_tenth(&every_day, &values),
        };
        let area_gain = |weights: &[f64]| Some(full.area(weights, hits)? - base.area(weights, hits)?);
        let precision_gain =
            |weights: &[f64]| Some(full.top_tenth(weights, &values)? - base.top_tenth(weights, &values)?);
        let area_gain_interval = interval_over_blocks(day_count, resamples, SEED, area_gain);
        let precision_gain_interval = interval_over_blocks(day_count, resamples, SEED, precision_gain);
        let is_gain =
            |interval: Option<ConfidenceInterval>| interval.is_some_and(|interval| interval.low > 0.0);
        Some(WithoutTouch {
            cells: hits.len(),
            cells_hit: hits.iter().filter(|hit| **hit).count(),
            touch_chance: score(&touch),
            distance_and_volatility: score(&base),
            with_map: score(&full),
            expected: (self.rows[from..].iter().any(|cell| cell.expected > 0.0)).then(|| score(&expected)),
            area_gain: area_gain(&every_day),
            area_gain_interval,
            precision_gain: precision_gain(&every_day),
            precision_gain_interval,
            is_gain: is_gain(area_gain_interval),
            is_precision_gain: is_gain(precision_gain_interval),
        })
    }
}

fn base_of(features: &MapFeatures) -> BaseFeatures {
    let [a, b, c, d, e, _] = *features;
    [a, b, c, d, e]
}
