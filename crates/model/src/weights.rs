//! Leverage classes and how much of the liquidatable volume each one takes.

/// Why a list of weights is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// There must be 1 to 16 classes.
    #[error("{0} leverage classes given; there must be 1 to {max}", max = LeverageWeights::CLASSES_MAX)]
    Count(usize),
    /// Leverage lies between 1 and 200.
    #[error("leverage {0} must lie between 1 and 200")]
    Leverage(f64),
    /// A leverage is given twice.
    #[error("leverage {0} is given twice")]
    Twice(f64),
    /// Weights are finite and not negative.
    #[error("weight {weight} of leverage {leverage} must be a number of at least 0")]
    Weight {
        /// Which class.
        leverage: f64,
        /// What was found.
        weight: f64,
    },
    /// At least one weight must be above zero.
    #[error("all weights are zero; at least one must be above")]
    AllZero,
}

/// Checked leverage classes, lowest leverage first, with weights that sum to one.
#[derive(Debug, Clone, PartialEq)]
pub struct LeverageWeights {
    classes: Vec<(f64, f64)>,
}

impl LeverageWeights {
    /// Most classes in one list.
    pub const CLASSES_MAX: usize = 16;
    const LEVERAGE_MAX: f64 = 200.0;

    /// Checks (leverage, weight) pairs in any order and any scale.
    ///
    /// # Errors
    /// When the list is empty or too long, a leverage is out of range or doubled, a weight is negative or not
    /// a number, or all weights are zero.
    pub fn new(pairs: &[(f64, f64)]) -> Result<Self, WeightsError> {
        if pairs.is_empty() || pairs.len() > Self::CLASSES_MAX {
            return Err(WeightsError::Count(pairs.len()));
        }
        for &(leverage, weight) in pairs {
            if !(1.0..=Self::LEVERAGE_MAX).contains(&leverage) {
                return Err(WeightsError::Leverage(leverage));
            }
            // The upper bound keeps the sum finite; no honest weight comes near it.
            if !(0.0..=1e12).contains(&weight) {
                return Err(WeightsError::Weight { leverage, weight });
            }
        }
        let mut classes = pairs.to_vec();
        classes.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let Some(pair) = classes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(WeightsError::Twice(pair[0].0));
        }
        let sum: f64 = classes.iter().map(|(_, weight)| weight).sum();
        if sum <= 0.0 {
            return Err(WeightsError::AllZero);
        }
        for class in &mut classes {
            class.1 /= sum;
        }
        Ok(Self { classes })
    }

    /// (leverage, share) pairs, lowest leverage first; shares sum to one.
    #[must_use]
    pub fn classes(&self) -> &[(f64, f64)] {
        &self.classes
    }
}

impl Default for LeverageWeights {
    /// The shape that held up on recorded BTCUSDT data: 3, 5, 10, 25, 50, 100x.
    fn default() -> Self {
        let shape = [(3.0, 0.0), (5.0, 0.03), (10.0, 0.10), (25.0, 0.22), (50.0, 0.30), (100.0, 0.25)];
        let sum: f64 = shape.iter().map(|(_, weight)| weight).sum();
        Self { classes: shape.iter().map(|&(leverage, weight)| (leverage, weight / sum)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_sorted_and_normalised() {
        let weights = LeverageWeights::new(&[(100.0, 5.0), (5.0, 15.0)]).unwrap();
        assert_eq!(weights.classes(), [(5.0, 0.75), (100.0, 0.25)]);
        let default = LeverageWeights::default();
        assert_eq!(LeverageWeights::new(default.classes()).unwrap().classes().len(), 6);
        assert!((default.classes().iter().map(|c| c.1).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bad_weights_say_which() {
        let refused = |pairs: &[(f64, f64)]| LeverageWeights::new(pairs).unwrap_err();
        assert_eq!(refused(&[]), WeightsError::Count(0));
        assert_eq!(refused(&[(2.0, 1.0); 17]), WeightsError::Count(17));
        assert_eq!(refused(&[(0.5, 1.0)]), WeightsError::Leverage(0.5));
        assert_eq!(refused(&[(5.0, 1.0), (5.0, 2.0)]), WeightsError::Twice(5.0));
        assert_eq!(refused(&[(5.0, -1.0)]), WeightsError::Weight { leverage: 5.0, weight: -1.0 });
        assert_eq!(refused(&[(5.0, 0.0), (6.0, 0.0)]), WeightsError::AllZero);
        assert!(matches!(refused(&[(5.0, f64::NAN)]), WeightsError::Weight { .. }));
        assert!(matches!(refused(&[(f64::NAN, 1.0)]), WeightsError::Leverage(_)));
        assert!(matches!(refused(&[(5.0, f64::INFINITY)]), WeightsError::Weight { .. }));
    }
}
