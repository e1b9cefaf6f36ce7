//! How well one map tells the order of another, and the scores of all maps side by side.

use crate::maps::{Map, SideAtHour};

/// What every map reaches: sums while it is being added to, means after [`Score::mean`].
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Score {
    pub(crate) looks: f64,
    pub(crate) model: f64,
    pub(crate) model_pearson: f64,
    pub(crate) model_beyond_distance: f64,
    pub(crate) distance: f64,
    pub(crate) distance_pearson: f64,
    pub(crate) volume: f64,
    pub(crate) shuffled: f64,
    pub(crate) truth: f64,
}

impl Score {
    /// Scores the maps of a look against `target` on some of its bins.
    pub(crate) fn add(&mut self, look: &SideAtHour, target: &[f64], distance: &[f64], bins: &[usize]) {
        let on = |map: &[f64]| -> Map { bins.iter().map(|&bin| map[bin]).collect() };
        let (target, estimate) = (on(target), on(&look.estimate));
        let (truth, distance) = (on(&look.truth), on(distance));
        self.looks += 1.0;
        self.model += spearman(&estimate, &target);
        self.model_pearson += pearson(&estimate, &target);
        self.model_beyond_distance += partial(&estimate, &target, &distance);
        self.distance += spearman(&distance, &target);
        self.distance_pearson += pearson(&distance, &target);
        self.volume += spearman(&on(&look.volume), &target);
        self.shuffled += spearman(&shuffled(&estimate), &target);
        self.truth += spearman(&truth, &target);
    }

    pub(crate) fn mean(self) -> Self {
        let over = |sum: f64| sum / self.looks.max(1.0);
        Self {
            looks: self.looks,
            model: over(self.model),
            model_pearson: over(self.model_pearson),
            model_beyond_distance: over(self.model_beyond_distance),
            distance: over(self.distance),
            distance_pearson: over(self.distance_pearson),
            volume: over(self.volume),
            shuffled: over(self.shuffled),
            truth: over(self.truth),
        }
    }

    pub(crate) fn print(&self, name: &str) {
        println!(
            "{name:24} {:4.0} looks | spearman: model {:.3}, distance {:.3}, volume {:.3}, shuffled {:+.3}, truth {:.3} | \
             model beyond distance {:+.3} | pearson: model {:.3}, distance {:.3}",
            self.looks,
            self.model,
            self.distance,
            self.volume,
            self.shuffled,
            self.truth,
            self.model_beyond_distance,
            self.model_pearson,
            self.distance_pearson
        );
    }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let tied = |&&at: &&usize| values[at] == values[order[start]];
        let end = start + order[start..].iter().take_while(tied).count();
        for &at in &order[start..end] {
            ranks[at] = 0.5 * (start + end - 1) as f64;
        }
        start = end;
    }
    ranks
}

/// Zero when one of the two does not vary: a uniform map says nothing.
fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - mean_a) * (y - mean_b);
        aa += (x - mean_a) * (x - mean_a);
        bb += (y - mean_b) * (y - mean_b);
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

/// Rank correlation of `a` and `b` that is left when both are freed of what `c` explains.
fn partial(a: &[f64], b: &[f64], c: &[f64]) -> f64 {
    let (ab, ac, bc) = (spearman(a, b), spearman(a, c), spearman(b, c));
    let left = ((1.0 - ac * ac) * (1.0 - bc * bc)).sqrt();
    if left > 1e-9 { (ab - ac * bc) / left } else { 0.0 }
}

/// A fixed permutation that scatters neighbours.
fn shuffled(values: &[f64]) -> Vec<f64> {
    let len = values.len();
    let step = (len / 3..).find(|&step| gcd(step, len) == 1).unwrap_or(1);
    // The offset keeps the first value, next to the price and often the smallest, from staying in its place.
    (0..len).map(|at| values[(at * step + len / 2) % len]).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
