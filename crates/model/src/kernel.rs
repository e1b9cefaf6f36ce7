//! Where in price the openings of a bar lie, and how each level is spread around its exact price.
//!
//! Entries are a piecewise even distribution in log price ([`Entries`]). The kernel is the quadratic
//! B-spline: three boxes convolved, the look of a Gaussian with ends at plus and minus three sigma. Both are
//! piecewise polynomials, so the distribution function of their convolution is exact and cheap: a sum over
//! the knots of the entries of a quartic.

use liqheat_market::convert::{approx_f64, trunc_usize};
use liqheat_market::{Bar, Price, Qty};

/// Entries in log price: knots, and by how much the density changes at each.
#[derive(Debug, Clone)]
pub(crate) struct Entries {
    knots: [(f64, f64); Self::KNOTS_MAX],
    len: usize,
    /// Lowest and highest entry price, quote units.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Entries {
    const GROUPS_MAX: usize = 24;
    const KNOTS_MAX: usize = Self::GROUPS_MAX + 1;
    /// Narrowest range in log price: a bar without a range is given this much, so that densities are finite.
    const WIDTH_MIN: f64 = 1e-6;

    /// The entries of a bar: its volume at price when there is one, else [`Entries::around`] the average of
    /// open, high, low and close, which stands in for the volume-weighted price.
    pub(crate) fn of_bar(bar: &Bar, profile: &[(Price, Qty)]) -> Self {
        let (low, high) = (bar.low.to_f64(), bar.high.to_f64());
        if let Some(entries) = Self::from_profile(low, high, profile) {
            return entries;
        }
        let open = bar.open.max(bar.low).min(bar.high).to_f64();
        Self::around(low, (open + high + low + bar.close.to_f64()) / 4.0, high)
    }

    /// The documented shape: even below `mean` and even above it, with the two parts weighted so that the
    /// mean of the whole is `mean`. Needs `0 < low <= mean <= high`.
    pub(crate) fn around(low: f64, mean: f64, high: f64) -> Self {
        let (l, m, h) = (libm::log(low), libm::log(mean), libm::log(high));
        if h - l < Self::WIDTH_MIN || m <= l || m >= h {
            return Self::even(low, high);
        }
        let below = (h - m) / (h - l) / (m - l);
        let above = (m - l) / (h - l) / (h - m);
        Self::from_densities(low, high, &[l, m, h], &[below, above])
    }

    /// The prior's shape: densest at `middle` and fading to nothing at `half_width` (in log price) below and
    /// above it, in even steps.
    pub(crate) fn fading(middle: f64, half_width: f64) -> Self {
        let center = libm::log(middle);
        let step = 2.0 * half_width / approx_f64(Self::GROUPS_MAX);
        let mut edges = [0.0; Self::KNOTS_MAX];
        for (index, edge) in edges.iter_mut().enumerate() {
            *edge = center - half_width + step * approx_f64(index);
        }
        let mut densities = [0.0; Self::GROUPS_MAX];
        for (group, density) in densities.iter_mut().enumerate() {
            // The mean of the triangle over the group, so that the shares sum to one.
            let offset = ((approx_f64(group) + 0.5) * step - half_width).abs();
            *density = (1.0 - offset / half_width) / half_width;
        }
        let spread = libm::exp(half_width);
        Self::from_densities(middle / spread, middle * spread, &edges, &densities)
    }

    fn even(low: f64, high: f64) -> Self {
        let (mut l, mut h) = (libm::log(low), libm::log(high));
        if h - l < Self::WIDTH_MIN {
            let middle = (l + h) / 2.0;
            (l, h) = (middle - Self::WIDTH_MIN / 2.0, middle + Self::WIDTH_MIN / 2.0);
        }
        Self::from_densities(low, high, &[l, h], &[1.0 / (h - l)])
    }

    /// Gathers volume at price into at most 24 groups of even width over the bar's range. Rows outside the
    /// range count at its ends; `None` when no row has volume or the bar has no range.
    fn from_profile(low: f64, high: f64, profile: &[(Price, Qty)]) -> Option<Self> {
        let rows = || profile.iter().filter(|(price, qty)| price.is_positive() && qty.is_positive());
        let count = rows().count();
        if count == 0 || high - low < low * Self::WIDTH_MIN * approx_f64(Self::GROUPS_MAX) {
            return None;
        }
        let groups = count.min(Self::GROUPS_MAX);
        let width = (high - low) / approx_f64(groups);
        let mut volumes = [0.0; Self::GROUPS_MAX];
        for (price, qty) in rows() {
            let place = ((price.to_f64() - low) / width).clamp(0.0, approx_f64(groups - 1));
            volumes[trunc_usize(place)] += qty.to_f64();
        }
        let sum: f64 = volumes[..groups].iter().sum();
        let mut edges = [0.0; Self::KNOTS_MAX];
        for (index, edge) in edges[..=groups].iter_mut().enumerate() {
            *edge = libm::log(low + width * approx_f64(index));
        }
        let mut densities = [0.0; Self::GROUPS_MAX];
        for group in 0..groups {
            densities[group] = volumes[group] / sum / (edges[group + 1] - edges[group]);
        }
        Some(Self::from_densities(low, high, &edges[..=groups], &densities[..groups]))
    }

    fn from_densities(low: f64, high: f64, edges: &[f64], densities: &[f64]) -> Self {
        let mut knots = [(0.0, 0.0); Self::KNOTS_MAX];
        let mut before = 0.0;
        for (index, knot) in knots[..edges.len()].iter_mut().enumerate() {
            let density = densities.get(index).copied().unwrap_or(0.0);
            *knot = (edges[index], density - before);
            before = density;
        }
        Self { knots, len: edges.len(), low, high }
    }

    /// Share of the entries, spread by the kernel, that lies below each `at[i]` (log prices), into `below[i]`.
    pub(crate) fn shares_below(&self, sigma: f64, at: &[f64], below: &mut [f64]) {
        let unit = 2.0 * sigma;
        let per_unit = 1.0 / unit;
        below.fill(0.0);
        for &(knot, change) in &self.knots[..self.len] {
            let weight = change * unit;
            let start = knot - 3.0 * sigma;
            for (share, x) in below.iter_mut().zip(at) {
                *share += weight * spline_integral((x - start) * per_unit);
            }
        }
    }

    /// Standard deviation of an even distribution over the range of the entries, in log price.
    pub(crate) fn sigma(&self) -> f64 {
        let ends = self.knots[0].0..self.knots[self.len - 1].0;
        (ends.end - ends.start) / 12.0_f64.sqrt()
    }
}

/// The quadratic B-spline on the knots 0, 1, 2, 3, integrated twice. Beyond the last knot it is a line.
fn spline_integral(y: f64) -> f64 {
    // Written without `f64::max`, whose care for NaN costs as much as the polynomial.
    let above = |x: f64, floor: f64| if x > floor { x - floor } else { 0.0 };
    let fourth = |x: f64| (x * x) * (x * x);
    let inside = above(if y < 3.0 { y } else { 3.0 }, 0.0);
    let quartic = fourth(inside) - 3.0 * fourth(above(inside, 1.0)) + 3.0 * fourth(above(inside, 2.0));
    quartic * (1.0 / 24.0) + above(y, 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share_below(entries: &Entries, sigma: f64, at: f64) -> f64 {
        let mut below = [0.0];
        entries.shares_below(sigma, &[at], &mut below);
        below[0]
    }

    /// The density of the B-spline written down piece by piece.
    fn kernel_density(sigma: f64, x: f64) -> f64 {
        let t = (x / (2.0 * sigma)).abs();
        let value = match t {
            t if t < 0.5 => 0.75 - t * t,
            t if t < 1.5 => 0.5 * (1.5 - t) * (1.5 - t),
            _ => 0.0,
        };
        value / (2.0 * sigma)
    }

    #[test]
    fn the_kernel_has_its_sigma() {
        let steps = 20_000;
        let sigma = 0.004;
        let (mut mass, mut variance) = (0.0, 0.0);
        for step in 0..steps {
            let x = (f64::from(step) + 0.5) / f64::from(steps) * 8.0 * sigma - 4.0 * sigma;
            mass += kernel_density(sigma, x) * 8.0 * sigma / f64::from(steps);
            variance += x * x * kernel_density(sigma, x) * 8.0 * sigma / f64::from(steps);
        }
        assert!((mass - 1.0).abs() < 1e-6);
        assert!((variance.sqrt() / sigma - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_shape_has_its_mean() {
        let entries = Entries::around(99.0, 99.4, 101.0);
        // The mean is high minus the integral of the share below.
        let (low, high) = (libm::log(99.0) - 0.01, libm::log(101.0) + 0.01);
        let steps = 20_000;
        let width = (high - low) / f64::from(steps);
        let below: f64 = (0..steps)
            .map(|i| share_below(&entries, 0.001, low + (f64::from(i) + 0.5) * width) * width)
            .sum();
        assert!((high - below - libm::log(99.4)).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn shares_agree_with_plain_integration(
            mean in 0.05f64..0.95,
            width in 0.0001f64..0.05,
            sigma in 0.0003f64..0.01,
            place in -0.2f64..1.2,
        ) {
            let (low, high) = (100.0, 100.0 * (1.0 + width));
            let m = low + mean * (high - low);
            let entries = Entries::around(low, m, high);
            let (l, m, h) = (libm::log(low), libm::log(m), libm::log(high));
            let x = l - 3.0 * sigma + place * (h - l + 6.0 * sigma);
            let entry_share = |e: f64| {
                let below = (h - m) / (h - l) * ((e - l) / (m - l)).clamp(0.0, 1.0);
                below + (m - l) / (h - l) * ((e - m) / (h - m)).clamp(0.0, 1.0)
            };
            let steps = 40_000;
            let du = 6.0 * sigma / f64::from(steps);
            let expected: f64 = (0..steps)
                .map(|i| -3.0 * sigma + (f64::from(i) + 0.5) * du)
                .map(|u| kernel_density(sigma, u) * entry_share(x - u) * du)
                .sum();
            let found = share_below(&entries, sigma, x);
            prop_assert!((found - expected).abs() < 2e-5, "{found} {expected}");
        }

        #[test]
        fn shares_rise_from_zero_to_one(
            rows in prop::collection::vec((9_000i64..11_000, 0i64..1_000), 0..60),
            low in 9_000i64..10_000,
            range in 0i64..1_000,
            sigma in 0.0003f64..0.01,
        ) {
            let price = |cents: i64| Price::from_units(cents * 1_000_000);
            let profile: Vec<_> =
                rows.iter().map(|&(at, qty)| (price(at), Qty::from_units(qty * 1_000_000))).collect();
            let bar = Bar {
                open_time: liqheat_market::UnixMs(0),
                close_time: liqheat_market::UnixMs(60_000),
                open: price(low),
                high: price(low + range),
                low: price(low),
                close: price(low + range / 2),
                mark: None,
                volume: None,
                taker_buy_volume: None,
                open_interest: None,
            };
            let entries = Entries::of_bar(&bar, &profile);
            let start = libm::log(entries.low) - 3.1 * sigma - 1e-6;
            let end = libm::log(entries.high) + 3.1 * sigma + 1e-6;
            let below: Vec<f64> = (0..=200)
                .map(|i| share_below(&entries, sigma, start + (end - start) * f64::from(i) / 200.0))
                .collect();
            prop_assert_eq!(below[0], 0.0);
            prop_assert!((below[200] - 1.0).abs() < 1e-8);
            prop_assert!(below.windows(2).all(|pair| pair[1] >= pair[0] - 1e-9));
        }
    }
}
