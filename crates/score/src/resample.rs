//! Intervals by drawing whole blocks of time again, days where there are enough of them: hours of one day are not independent
//! of each other.

use liqheat_market::convert::{approx_f64, trunc_usize};
use serde::Serialize;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ConfidenceInterval {
    /// The 2.5 % point.
    pub low: f64,
    /// The 97.5 % point.
    pub high: f64,
}

impl ConfidenceInterval {
    /// Zero lies inside: nothing has been shown.
    #[must_use]
    pub fn holds_zero(&self) -> bool {
        self.low <= 0.0 && self.high >= 0.0
    }
}

/// Fewest blocks for an interval: below, drawing them again says nothing.
pub(crate) const BLOCKS_MIN: usize = 5;

/// Draws `blocks` blocks out of `blocks` with replacement, `resamples` times, and takes the interval of `statistic`, which
/// gets how often each block was drawn. `None` with fewer than five blocks or when the statistic cannot be computed
/// for more than a tenth of the draws.
pub(crate) fn interval_over_blocks(
    blocks: usize,
    resamples: usize,
    seed: u64,
    mut statistic: impl FnMut(&[f64]) -> Option<f64>,
) -> Option<ConfidenceInterval> {
    if blocks < BLOCKS_MIN || resamples < 20 {
        return None;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut weights = vec![0.0; blocks];
    let mut found = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        weights.fill(0.0);
        for _ in 0..blocks {
            weights[random.usize(..blocks)] += 1.0;
        }
        found.extend(statistic(&weights));
    }
    if found.len() * 10 < resamples * 9 {
        return None;
    }
    found.sort_unstable_by(f64::total_cmp);
    Some(ConfidenceInterval { low: quantile(&found, 0.025), high: quantile(&found, 0.975) })
}

/// A quantile of ascending values, interpolated; 0 without values.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * approx_f64(last);
    let below = trunc_usize(place);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - approx_f64(below))
}
