//! Two small fits: a linear one that learns row by row, and a logistic one.

use liqheat_market::convert::approx_f64;

/// Penalty that keeps a fit of few rows near zero.
const RIDGE: f64 = 1.0;

/// Least squares with a ridge, from sums that grow row by row.
#[derive(Debug, Clone)]
pub(crate) struct Linear<const N: usize> {
    products: [[f64; N]; N],
    targets: [f64; N],
    rows: usize,
}

impl<const N: usize> Linear<N> {
    pub(crate) const fn new() -> Self {
        Self { products: [[0.0; N]; N], targets: [0.0; N], rows: 0 }
    }

    pub(crate) fn learn(&mut self, row: &[f64; N], target: f64) {
        for i in 0..N {
            for j in 0..N {
                self.products[i][j] += row[i] * row[j];
            }
            self.targets[i] += row[i] * target;
        }
        self.rows += 1;
    }

    /// The coefficients; `None` with fewer than ten rows a coefficient.
    pub(crate) fn coefficients(&self) -> Option<[f64; N]> {
        if self.rows < 10 * N {
            return None;
        }
        let mut products = self.products;
        (0..N).for_each(|i| products[i][i] += RIDGE);
        solve(products, self.targets)
    }
}

/// A row times coefficients.
pub(crate) fn dot<const N: usize>(row: &[f64; N], coefficients: &[f64; N]) -> f64 {
    row.iter().zip(coefficients).map(|(x, c)| x * c).sum()
}

/// Logistic regression by Newton's method, from `start`. `None` when there are too few rows or only hits or misses.
pub(crate) fn logistic<const N: usize>(
    rows: &[[f64; N]],
    hits: &[bool],
    start: &[f64; N],
) -> Option<[f64; N]> {
    const STEPS_MAX: usize = 25;
    let count = hits.iter().filter(|hit| **hit).count();
    if count < 5 * N || hits.len() - count < 5 * N {
        return None;
    }
    let mut coefficients = *start;
    for _ in 0..STEPS_MAX {
        let mut curvature = [[0.0; N]; N];
        let mut slope = [0.0; N];
        for (row, hit) in rows.iter().zip(hits) {
            let chance = 1.0 / (1.0 + (-dot(row, &coefficients)).exp());
            let weight = chance * (1.0 - chance);
            let error = f64::from(u8::from(*hit)) - chance;
            for i in 0..N {
                slope[i] += row[i] * error;
                for j in 0..=i {
                    curvature[i][j] += row[i] * row[j] * weight;
                }
            }
        }
        for i in 0..N {
            slope[i] -= RIDGE * coefficients[i];
            curvature[i][i] += RIDGE;
        }
        let step = solve(curvature, slope)?;
        // Far from the solution a full step may overshoot.
        let longest = step.iter().fold(0.0_f64, |longest, part| longest.max(part.abs()));
        let share = (4.0 / longest).min(1.0);
        coefficients.iter_mut().zip(step).for_each(|(c, part)| *c += part * share);
        if longest < 1e-6 {
            break;
        }
    }
    coefficients.iter().all(|c| c.is_finite()).then_some(coefficients)
}

/// The exponent `b` of the power law `amount = exp(a) mass^b` that fits best, by Poisson's pseudo-likelihood: it weighs large
/// amounts as they are and takes zeros. `None` with too few amounts above zero.
pub(crate) fn power_law(pairs: &[(f64, f64)]) -> Option<f64> {
    const STEPS_MAX: usize = 50;
    let pairs: Vec<(f64, f64)> = pairs.iter().copied().filter(|(mass, _)| *mass > 0.0).collect();
    let count = approx_f64(pairs.len());
    let mean = pairs.iter().map(|(_, amount)| amount).sum::<f64>() / count;
    if pairs.iter().filter(|(_, amount)| *amount > 0.0).count() < 50 || mean.is_nan() || mean <= 0.0 {
        return None;
    }
    // Centred logarithms and amounts in units of their mean, so that the steps are of one order.
    let middle = pairs.iter().map(|(mass, _)| mass.ln()).sum::<f64>() / count;
    let (mut a, mut b) = (0.0, 0.5);
    for _ in 0..STEPS_MAX {
        let mut slope = [0.0; 2];
        let mut curvature = [[1e-9, 0.0], [0.0, 1e-9]];
        for (mass, amount) in &pairs {
            let x = mass.ln() - middle;
            let expected = (a + b * x).exp();
            let error = amount / mean - expected;
            slope[0] += error;
            slope[1] += error * x;
            curvature[0][0] += expected;
            curvature[1][0] += expected * x;
            curvature[1][1] += expected * x * x;
        }
        let step = solve(curvature, slope)?;
        let longest = step[0].abs().max(step[1].abs());
        let share = (0.5 / longest).min(1.0);
        (a, b) = (a + step[0] * share, b + step[1] * share);
        if longest < 1e-6 {
            return b.is_finite().then_some(b);
        }
    }
    None
}

/// Solves a symmetric positive system by Cholesky's method, from its lower triangle; `None` when it is not positive.
fn solve<const N: usize>(matrix: [[f64; N]; N], right: [f64; N]) -> Option<[f64; N]> {
    let mut lower = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let rest = matrix[i][j] - known;
            if i == j {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                lower[i][i] = rest.sqrt();
            } else {
                lower[i][j] = rest / lower[j][j];
            }
        }
    }
    let mut between = [0.0; N];
    for i in 0..N {
        let known: f64 = (0..i).map(|k| lower[i][k] * between[k]).sum();
        between[i] = (right[i] - known) / lower[i][i];
    }
    let mut solution = [0.0; N];
    for i in (0..N).rev() {
        let known: f64 = (i + 1..N).map(|k| lower[k][i] * solution[k]).sum();
        solution[i] = (between[i] - known) / lower[i][i];
    }
    Some(solution)
}
