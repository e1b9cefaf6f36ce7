//! Everything one could argue about, in one documented struct. Defaults are reasoned guesses that held up on
//! recorded BTCUSDT data; they are recorded with every output through their fingerprint.

use crate::hash::Fnv64;
use crate::weights::{LeverageWeights, WeightsError};
use liqheat_market::convert::approx_f64;

/// What is particular about one leverage class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassDetail {
    /// Distance of the level from the entry, as a share of the entry, in place of the one that the leverage gives: where
    /// positions share their margin, the leverage that was set says nothing. The venue's largest leverage does not
    /// apply then.
    pub distance: Option<f64>,
    /// Weight of the class in a maker's opening, in the scale of the takers' weights; without, `maker_ratio` of the
    /// taker's.
    pub maker_weight: Option<f64>,
    /// Kernel sigma in log price; without, what `kernel_sigma_min` and `kernel_sigma_per_leverage` give.
    pub kernel_sigma: Option<f64>,
    /// How fast its positions are closed, in relation to other classes and to `unlevelled_closing_rate`.
    pub closing_rate: f64,
}

impl Default for ClassDetail {
    fn default() -> Self {
        Self { distance: None, maker_weight: None, kernel_sigma: None, closing_rate: 1.0 }
    }
}

/// One leverage class with everything about it; see [`ParamValues::set_classes`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeverageClass {
    /// Names the class; also gives the distance of the level, unless the detail does.
    pub leverage: f64,
    /// Weight in a taker's opening, in any scale.
    pub taker_weight: f64,
    /// The rest.
    pub detail: ClassDetail,
}

/// The numbers, open for editing; [`Params::new`] checks them.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamValues {
    /// Leverage classes and the shape of the taker's leverage mix over them.
    pub weights: LeverageWeights,
    /// One for each class of `weights`, or none where nothing is particular about any.
    pub details: Vec<ClassDetail>,
    /// How fast the mass without a level is closed, in relation to the classes.
    pub unlevelled_closing_rate: f64,
    /// Share of a taker's opening that can be liquidated at all, in (0, 1]; the rest has no level (hedged,
    /// low leverage, deep collateral).
    pub liquidatable_share: f64,
    /// The maker's mix is the taker's times this, in [0, 1].
    pub maker_ratio: f64,
    /// Share of turnover beyond the change of open interest that reopens, in [0, 1). Called theta in the
    /// documentation of the model.
    pub turnover_share: f64,
    /// Narrowest kernel, sigma in log price.
    pub kernel_sigma_min: f64,
    /// Kernel sigma in log price is this over the leverage, but at least `kernel_sigma_min`.
    pub kernel_sigma_per_leverage: f64,
    /// Notional of the typical position in USD; it picks the maintenance tier.
    pub position_usd: f64,
    /// The prior spreads entries around the first price, densest there and fading to none at this distance in
    /// log price on both sides.
    pub prior_half_width: f64,
    /// Share of mass seen opening at which the ledger no longer calls itself warming up, in [0, 1].
    pub warm_share: f64,
    /// A hole between bars longer than this (ms) restarts the ledger on the prior: where the price went in
    /// between, and what it liquidated, is unknown.
    pub gap_ms_max: i64,
    /// A cell is the largest of 1, 2, 5 times a power of ten not above the price over this. 10,000 means
    /// cells of about a basis point.
    pub cells_in_price: i64,
}

impl Default for ParamValues {
    fn default() -> Self {
        Self {
            weights: LeverageWeights::default(),
            details: Vec::new(),
            unlevelled_closing_rate: 1.0,
            liquidatable_share: 0.05,
            maker_ratio: 0.2,
            turnover_share: 0.1,
            kernel_sigma_min: 0.0003,
            kernel_sigma_per_leverage: 0.02,
            position_usd: 10_000.0,
            prior_half_width: 0.12,
            warm_share: 0.5,
            gap_ms_max: 6 * 3_600_000,
            cells_in_price: Params::CELLS_IN_PRICE_MAX,
        }
    }
}

impl ParamValues {
    /// Sets weights and details together, from classes in any order.
    ///
    /// # Errors
    /// As [`LeverageWeights::new`].
    pub fn set_classes(&mut self, classes: &[LeverageClass]) -> Result<(), WeightsError> {
        let mut sorted = classes.to_vec();
        sorted.sort_by(|a, b| a.leverage.total_cmp(&b.leverage));
        let pairs: Vec<(f64, f64)> =
            sorted.iter().map(|class| (class.leverage, class.taker_weight)).collect();
        self.weights = LeverageWeights::new(&pairs)?;
        let sum: f64 = pairs.iter().map(|(_, weight)| weight).sum();
        let detail = |class: &LeverageClass| ClassDetail {
            maker_weight: class.detail.maker_weight.map(|weight| weight / sum),
            ..class.detail
        };
        self.details = sorted.iter().map(detail).collect();
        if self.details.iter().all(|detail| *detail == ClassDetail::default())
            && self.unlevelled_closing_rate == 1.0
        {
            self.details.clear();
        }
        Ok(())
    }

    /// What is particular about a class.
    pub(crate) fn detail(&self, class: usize) -> ClassDetail {
        self.details.get(class).copied().unwrap_or_default()
    }

    /// Classes are closed at rates of their own; otherwise all mass of a side shrinks alike.
    pub(crate) fn closes_by_class(&self) -> bool {
        self.details.iter().any(|detail| detail.closing_rate != self.unlevelled_closing_rate)
    }
}

/// What is wrong with a set of parameters, every mistake in one go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model parameters: {}", .0.join("; "))]
pub struct ParamsError(pub Vec<String>);

/// Checked parameters of the model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    values: ParamValues,
}

impl Params {
    /// Grows when the meaning of a parameter or of the step changes, so that old checkpoints are not
    /// continued under new rules.
    pub const VERSION: u32 = 2;
    pub(crate) const CELLS_IN_PRICE_MAX: i64 = 10_000;

    /// Checks the numbers.
    ///
    /// # Errors
    /// Names every number that is out of its range.
    pub fn new(values: ParamValues) -> Result<Self, ParamsError> {
        let mut faults = Vec::new();
        let mut expect = |fits: bool, name: &str, found: f64, range: &str| {
            if !fits {
                faults.push(format!("{name} is {found} but must be {range}"));
            }
        };
        let v = &values;
        let share = v.liquidatable_share;
        expect(share > 0.0 && share <= 1.0, "liquidatable_share", share, "above 0 and at most 1");
        expect((0.0..=1.0).contains(&v.maker_ratio), "maker_ratio", v.maker_ratio, "0 to 1");
        expect((0.0..1.0).contains(&v.turnover_share), "turnover_share", v.turnover_share, "0 to below 1");
        let sigma = v.kernel_sigma_min;
        expect((1e-5..=0.05).contains(&sigma), "kernel_sigma_min", sigma, "0.00001 to 0.05");
        let scale = v.kernel_sigma_per_leverage;
        expect((0.0..=0.1).contains(&scale), "kernel_sigma_per_leverage", scale, "0 to 0.1");
        expect((1.0..=1e9).contains(&v.position_usd), "position_usd", v.position_usd, "1 to 1,000,000,000");
        let width = v.prior_half_width;
        expect((0.001..=0.5).contains(&width), "prior_half_width", width, "0.001 to 0.5");
        expect((0.0..=1.0).contains(&v.warm_share), "warm_share", v.warm_share, "0 to 1");
        expect(v.gap_ms_max > 0, "gap_ms_max", approx_f64(v.gap_ms_max), "above 0");
        let cells = v.cells_in_price;
        let cells_fit = (200..=Self::CELLS_IN_PRICE_MAX).contains(&cells);
        expect(cells_fit, "cells_in_price", approx_f64(cells), "200 to 10,000");
        let rate = v.unlevelled_closing_rate;
        let rates = 1e-3..=1e3;
        expect(rates.contains(&rate), "unlevelled_closing_rate", rate, "0.001 to 1,000");
        let classes = v.weights.classes();
        let count_fits = v.details.is_empty() || v.details.len() == classes.len();
        expect(count_fits, "details", approx_f64(v.details.len()), "as many as classes, or none");
        let mut maker_share = 0.0;
        for (class, &(leverage, weight)) in classes.iter().enumerate() {
            let detail = v.detail(class);
            maker_share += detail.maker_weight.unwrap_or(weight * v.maker_ratio) * share;
            let name = |what: &str| format!("{what} of class {leverage}");
            let rate = detail.closing_rate;
            expect(rates.contains(&rate), &name("closing_rate"), rate, "0.001 to 1,000");
            if let Some(distance) = detail.distance {
                let fits = (0.0005..=0.9).contains(&distance);
                expect(fits, &name("distance"), distance, "0.0005 to 0.9");
            }
            if let Some(sigma) = detail.kernel_sigma {
                expect((1e-5..=0.3).contains(&sigma), &name("kernel_sigma"), sigma, "0.00001 to 0.3");
            }
            if let Some(weight) = detail.maker_weight {
                expect((0.0..=1e12).contains(&weight), &name("maker_weight"), weight, "at least 0");
            }
        }
        // Rounding of normalised weights may pass 1 by a little.
        expect(maker_share <= 1.0 + 1e-9, "the makers' share with a level", maker_share, "at most 1");
        if faults.is_empty() { Ok(Self { values }) } else { Err(ParamsError(faults)) }
    }

    /// These parameters with other leverage classes and taker mix, about which nothing is particular.
    #[must_use]
    pub fn with_weights(&self, weights: LeverageWeights) -> Self {
        let plain = ParamValues { weights, details: Vec::new(), ..self.values.clone() };
        Self { values: ParamValues { unlevelled_closing_rate: 1.0, ..plain } }
    }

    /// The numbers.
    #[must_use]
    pub const fn values(&self) -> &ParamValues {
        &self.values
    }

    /// Names this exact set of numbers under this version of the rules.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        // Taken apart without `..`, so that a new field cannot be forgotten here.
        let ParamValues {
            weights,
            details,
            unlevelled_closing_rate,
            liquidatable_share,
            maker_ratio,
            turnover_share,
            kernel_sigma_min,
            kernel_sigma_per_leverage,
            position_usd,
            prior_half_width,
            warm_share,
            gap_ms_max,
            cells_in_price,
        } = &self.values;
        let mut hash = Fnv64::new();
        hash.integer(i64::from(Self::VERSION));
        for &(leverage, weight) in weights.classes() {
            hash.number(leverage);
            hash.number(weight);
        }
        for value in [
            liquidatable_share,
            maker_ratio,
            turnover_share,
            kernel_sigma_min,
            kernel_sigma_per_leverage,
            position_usd,
            prior_half_width,
            warm_share,
        ] {
            hash.number(*value);
        }
        hash.integer(*gap_ms_max);
        hash.integer(*cells_in_price);
        // Nothing particular has the fingerprint that it had before there were details.
        for ClassDetail { distance, maker_weight, kernel_sigma, closing_rate } in details {
            for value in [*distance, *maker_weight, *kernel_sigma, Some(*closing_rate)] {
                hash.number(value.unwrap_or(-1.0));
            }
        }
        if !details.is_empty() {
            hash.number(*unlevelled_closing_rate);
        }
        hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        assert_eq!(Params::new(ParamValues::default()), Ok(Params::default()));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let values = ParamValues {
            liquidatable_share: 0.0,
            turnover_share: 1.0,
            kernel_sigma_min: f64::NAN,
            cells_in_price: 7,
            ..ParamValues::default()
        };
        let text = Params::new(values).unwrap_err().to_string();
        for name in
            ["liquidatable_share is 0", "turnover_share is 1", "kernel_sigma_min is NaN", "cells_in_price"]
        {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn a_fingerprint_names_the_numbers() {
        let default = Params::default();
        let other = Params::new(ParamValues { turnover_share: 0.11, ..ParamValues::default() }).unwrap();
        assert_ne!(default.fingerprint(), other.fingerprint());
        let weights = LeverageWeights::new(&[(10.0, 1.0)]).unwrap();
        assert_ne!(default.fingerprint(), default.with_weights(weights).fingerprint());
        assert_eq!(default.fingerprint(), Params::default().fingerprint());
    }
}
