//! Ranks and correlations.

use liqheat_market::convert::approx_f64;

/// Ranks from 1, equal values sharing their mean rank. Values must not be NaN.
#[must_use]
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start]];
        let end = start + order[start..].iter().take_while(|index| values[**index] == value).count();
        // Positions start + 1 ..= end share their mean.
        let mean = approx_f64(start + 1 + end) / 2.0;
        order[start..end].iter().for_each(|index| ranks[*index] = mean);
        start = end;
    }
    ranks
}

/// Pearson correlation; `None` with fewer than two pairs or when one of the two does not vary.
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mean_a, mean_b) = (mean(a)?, mean(b)?);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    let scale = (aa * bb).sqrt();
    (scale > 0.0).then(|| ab / scale)
}

/// Spearman's rank correlation; `None` as for [`pearson`].
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// The correlation of a and b after c is removed from both, from the three pairwise correlations; `None` when c
/// explains one of the two completely.
#[must_use]
pub fn partial_correlation(ab: f64, ac: f64, bc: f64) -> Option<f64> {
    let rest = (1.0 - ac * ac) * (1.0 - bc * bc);
    (rest > 1e-12).then(|| (ab - ac * bc) / rest.sqrt())
}

/// Sums of products of three centred variables, which add up over groups and days.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Products {
    aa: f64,
    bb: f64,
    cc: f64,
    ab: f64,
    ac: f64,
    bc: f64,
}

impl Products {
    /// Of ranks taken inside one group: centred, and divided by the size of the group, so that a group counts by
    /// its members and not by the spread of its ranks.
    pub(crate) fn of_group(a: &[f64], b: &[f64], c: &[f64]) -> Self {
        let count = approx_f64(a.len());
        let centred = |values: &[f64]| -> Vec<f64> {
            ranks(values).into_iter().map(|rank| (rank - f64::midpoint(count, 1.0)) / count).collect()
        };
        let (a, b, c) = (centred(a), centred(b), centred(c));
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum();
        Self {
            aa: dot(&a, &a),
            bb: dot(&b, &b),
            cc: dot(&c, &c),
            ab: dot(&a, &b),
            ac: dot(&a, &c),
            bc: dot(&b, &c),
        }
    }

    /// Adds `times` times another one.
    pub(crate) fn add(&mut self, other: &Self, times: f64) {
        self.aa += other.aa * times;
        self.bb += other.bb * times;
        self.cc += other.cc * times;
        self.ab += other.ab * times;
        self.ac += other.ac * times;
        self.bc += other.bc * times;
    }

    /// The partial correlation of a and b over c.
    pub(crate) fn partial(&self) -> Option<f64> {
        let of = |product: f64, x: f64, y: f64| {
            let scale = (x * y).sqrt();
            (scale > 0.0).then(|| product / scale)
        };
        let ab = of(self.ab, self.aa, self.bb)?;
        partial_correlation(ab, of(self.ac, self.aa, self.cc)?, of(self.bc, self.bb, self.cc)?)
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (values.len() >= 2).then(|| values.iter().sum::<f64>() / approx_f64(values.len()))
}
