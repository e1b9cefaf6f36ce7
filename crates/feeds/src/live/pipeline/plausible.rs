//! Values that cannot be true: a hundred times more or less than a moment ago. Prices do fall by nine tenths within a
//! minute; by ninety-nine hundredths they do not.
//!
//! A value that keeps coming for a while is accepted, so that one wrong value at the start cannot refuse all others.

/// Plausibility check of one quantity of one contract.
#[derive(Debug, Default)]
pub(super) struct PlausibilityFilter {
    last: Option<i128>,
    /// Values refused in a row, and when the first of them came.
    refused: u32,
    refused_since: i64,
}

impl PlausibilityFilter {
    const FACTOR: i128 = 100;
    const CONFIRMATIONS: u32 = 20;
    const CONFIRMED_AFTER_MS: i64 = 60_000;

    /// Whether a value (above zero) is plausible; a plausible one is remembered.
    pub(super) fn admits(&mut self, units: impl Into<i128>, now: i64) -> bool {
        let units = units.into();
        let fits = self.last.is_none_or(|last| units / Self::FACTOR <= last && last / Self::FACTOR <= units);
        if !fits {
            if self.refused == 0 {
                self.refused_since = now;
            }
            self.refused += 1;
            let is_confirmed =
                self.refused >= Self::CONFIRMATIONS && now - self.refused_since >= Self::CONFIRMED_AFTER_MS;
            if !is_confirmed {
                return false;
            }
        }
        self.refused = 0;
        self.last = Some(units);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_plausible_and_nonsense_is_not() {
        let mut price = PlausibilityFilter::default();
        assert!(price.admits(6_000_000, 0));
        assert!(price.admits(300_000, 1), "a crash of 95 %");
        assert!(!price.admits(300_000_000, 2));
        assert!(!price.admits(300, 3));
        assert!(price.admits(310_000, 4));
    }

    #[test]
    fn a_value_that_is_repeated_often_enough_is_accepted() {
        let mut price = PlausibilityFilter::default();
        assert!(price.admits(1, 0), "the very first may be wrong");
        let heard: Vec<bool> = (0..100).map(|at| price.admits(60_000, at * 1_000)).collect();
        assert_eq!(heard.iter().position(|&admitted| admitted), Some(60));
        assert!(heard[60..].iter().all(|&admitted| admitted));
    }
}
