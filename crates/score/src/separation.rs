//! How well a score separates cells with liquidations from those without.

use crate::rank::ranks;
use liqheat_market::convert::approx_f64;

/// Area under the ROC curve: the chance that a random hit has a higher score than a random miss, equal scores
/// counting half. `None` without a hit or without a miss.
#[must_use]
pub fn area_under_curve(scores: &[f64], hits: &[bool]) -> Option<f64> {
    let count = approx_f64(hits.iter().filter(|hit| **hit).count());
    let misses = approx_f64(hits.len()) - count;
    let sum: f64 = ranks(scores).iter().zip(hits).filter(|(_, hit)| **hit).map(|(rank, _)| rank).sum();
    (count > 0.0 && misses > 0.0).then(|| (sum - count * (count + 1.0) / 2.0) / (count * misses))
}

/// Mean of `values` over the tenth of the cells with the highest scores, divided by the mean over all; `None` with
/// fewer than ten cells or when nothing was liquidated.
#[must_use]
pub fn top_tenth_lift(scores: &[f64], values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / approx_f64(values.len());
    (mean > 0.0).then(|| Some(top_tenth_mean(scores, values)? / mean)).flatten()
}

/// Share of hits in the tenth of the cells with the highest scores; `None` with fewer than ten cells.
#[must_use]
pub fn top_tenth_precision(scores: &[f64], hits: &[bool]) -> Option<f64> {
    let values: Vec<f64> = hits.iter().map(|hit| f64::from(u8::from(*hit))).collect();
    top_tenth_mean(scores, &values)
}

fn top_tenth_mean(scores: &[f64], values: &[f64]) -> Option<f64> {
    let one_day = vec![0; scores.len()];
    (scores.len() >= 10).then(|| SortedCells::new(scores, &one_day).top_tenth(&[1.0], values)).flatten()
}

/// Cells sorted by score once, so that every resample of days costs one pass.
pub(crate) struct SortedCells<'a> {
    /// Highest score first.
    order: Vec<usize>,
    /// Ends of runs of equal scores in `order`.
    run_ends: Vec<usize>,
    /// Day of each cell.
    days: &'a [usize],
}

impl<'a> SortedCells<'a> {
    pub(crate) fn new(scores: &[f64], days: &'a [usize]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_unstable_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        let ends = |index: &usize| *index == order.len() || scores[order[*index]] != scores[order[index - 1]];
        let run_ends = (1..=order.len()).filter(ends).collect();
        Self { order, run_ends, days }
    }

    /// As [`area_under_curve`], with a weight for each day.
    pub(crate) fn area(&self, weights: &[f64], hits: &[bool]) -> Option<f64> {
        let (mut hits_above, mut misses_seen, mut pairs) = (0.0, 0.0, 0.0);
        let mut start = 0;
        for end in &self.run_ends {
            let (mut hit, mut miss) = (0.0, 0.0);
            for index in &self.order[start..*end] {
                let weight = weights[self.days[*index]];
                *if hits[*index] { &mut hit } else { &mut miss } += weight;
            }
            pairs += miss * (hits_above + hit / 2.0);
            hits_above += hit;
            misses_seen += miss;
            start = *end;
        }
        let all = hits_above * misses_seen;
        (all > 0.0).then(|| pairs / all)
    }

    /// Weighted mean of `values` over the tenth with the highest scores. Of cells with the score at which the
    /// tenth ends, an even share counts.
    pub(crate) fn top_tenth(&self, weights: &[f64], values: &[f64]) -> Option<f64> {
        let weight_of = |index: &usize| weights[self.days[*index]];
        let room = self.order.iter().map(weight_of).sum::<f64>() / 10.0;
        let (mut taken, mut sum) = (0.0, 0.0);
        let mut start = 0;
        for end in &self.run_ends {
            let run = &self.order[start..*end];
            let weight: f64 = run.iter().map(weight_of).sum();
            let value: f64 = run.iter().map(|index| weight_of(index) * values[*index]).sum();
            start = *end;
            if weight <= 0.0 {
                continue;
            }
            let share = ((room - taken) / weight).min(1.0);
            sum += value * share;
            taken += weight * share;
            if share < 1.0 || taken >= room {
                break;
            }
        }
        (taken > 0.0).then(|| sum / taken)
    }
}
