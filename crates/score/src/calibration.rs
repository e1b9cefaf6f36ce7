//! USD that the model consumed in a day beside USD that was liquidated.

use std::collections::BTreeMap;

use liqheat_market::UnixMs;
use liqheat_market::convert::approx_f64;
use liqheat_model::Step;

use crate::card::{Calibration, Quartiles};
use crate::realised::RealisedLiquidation;
use crate::resample::quantile;

const DAY_MS: i64 = 86_400_000;

/// Sums by day.
#[derive(Debug, Default)]
pub(crate) struct Days {
    /// (consumed, liquidated).
    days: BTreeMap<UnixMs, (f64, f64)>,
}

impl Days {
    pub(crate) fn consume(&mut self, step: &Step) {
        // A bar belongs to the day in which it opened.
        let day = step.time.plus(-1).floor_to(DAY_MS);
        self.days.entry(day).or_default().0 += step.consumed_long.usd + step.consumed_short.usd;
    }

    pub(crate) fn liquidate(&mut self, realised: &[RealisedLiquidation]) {
        for row in realised {
            self.days.entry(row.time.floor_to(DAY_MS)).or_default().1 += row.usd;
        }
    }

    /// Days on which both are above zero.
    pub(crate) fn summary(&self) -> Calibration {
        let both: Vec<(f64, f64)> =
            self.days.values().copied().filter(|(model, real)| *model > 0.0 && *real > 0.0).collect();
        let mut ratios: Vec<f64> = both.iter().map(|(model, real)| model / real).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let ratio = (!ratios.is_empty()).then(|| Quartiles {
            lower: quantile(&ratios, 0.25),
            median: quantile(&ratios, 0.5),
            upper: quantile(&ratios, 0.75),
        });
        Calibration { days: both.len(), consumed_over_liquidated: ratio, log_slope: slope(&both) }
    }
}

/// The slope of log consumed over log liquidated.
fn slope(days: &[(f64, f64)]) -> Option<f64> {
    if days.len() < 5 {
        return None;
    }
    let count = approx_f64(days.len());
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| days.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|day| day.1.ln()), mean(&|day| day.0.ln()));
    let (mut xx, mut xy) = (0.0, 0.0);
    for (model, real) in days {
        xx += (real.ln() - x).powi(2);
        xy += (real.ln() - x) * (model.ln() - y);
    }
    (xx > 0.0).then(|| xy / xx)
}
