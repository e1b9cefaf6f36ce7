//! Which samples of open interest are accepted.
//!
//! Published open interest has single samples that are wrong by a factor (1.2, 3, 1000) and right again in the next one.
//! Accepted, such a sample would open that many positions at one bar's prices and close all older ones at
//! the return. So a sample far from the last accepted one counts as unknown until enough later samples stay
//! away on the same side; then the jump was real and the newest of them is accepted.

/// Largest factor between two samples in a row that is accepted at once. Between 5,450 samples of BTCUSDT five minutes
/// apart, days of a crash among them, the largest real change is 3.2 %, and one in a thousand is above 1.2 %.
/// A real change beyond it is accepted two samples late, which moves few entries; a wrong one that is accepted would
/// scale all older positions.
const FACTOR_MAX: f64 = 1.05;
/// Largest factor between two doubted samples in a row that agree: what jumped may go on moving.
const AGREEING_FACTOR_MAX: f64 = 1.5;
/// Samples in a row that must agree on a jump, the first one included.
const CONFIRMATIONS: u32 = 3;

/// What is made of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleVerdict {
    /// There is none, or it is not positive.
    Unknown,
    /// It is used.
    Accepted,
    /// It is far from the last accepted one and counts as unknown.
    Doubted,
    /// It is far from the last accepted one, but so are the samples before it, and they agree: it is used.
    JumpConfirmed,
}

impl SampleVerdict {
    /// The sample is used.
    #[must_use]
    pub const fn is_used(self) -> bool {
        matches!(self, Self::Accepted | Self::JumpConfirmed)
    }
}

/// Judges samples in order of time. Its state is small and part of a ledger's checkpoint, so that a ledger that is
/// restored judges as one that never stopped.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OpenInterestFilter {
    /// The last accepted sample, coins; 0 before the first one.
    pub(crate) accepted: f64,
    /// The last doubted sample, coins; 0 when none is in doubt.
    pub(crate) doubted: f64,
    /// Doubted samples in a row that agree with each other.
    pub(crate) agreeing: u32,
}

impl OpenInterestFilter {
    /// Judges the next sample, in coins.
    pub fn judge(&mut self, sample: Option<f64>) -> SampleVerdict {
        let Some(sample) = sample.filter(|sample| *sample > 0.0) else { return SampleVerdict::Unknown };
        if self.accepted <= 0.0 || are_within(FACTOR_MAX, sample, self.accepted) {
            self.accept(sample);
            return SampleVerdict::Accepted;
        }
        let is_same_side = (sample > self.accepted) == (self.doubted > self.accepted);
        let agrees = is_same_side && are_within(AGREEING_FACTOR_MAX, sample, self.doubted);
        self.agreeing = if agrees { self.agreeing + 1 } else { 1 };
        self.doubted = sample;
        if self.agreeing < CONFIRMATIONS {
            return SampleVerdict::Doubted;
        }
        self.accept(sample);
        SampleVerdict::JumpConfirmed
    }

    fn accept(&mut self, sample: f64) {
        *self = Self { accepted: sample, ..Self::default() };
    }
}

fn are_within(factor: f64, one: f64, other: f64) -> bool {
    one <= other * factor && other <= one * factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use SampleVerdict::{Accepted, Doubted, JumpConfirmed, Unknown};
    use proptest::prelude::*;

    fn verdicts(samples: &[f64]) -> Vec<SampleVerdict> {
        let mut filter = OpenInterestFilter::default();
        samples.iter().map(|sample| filter.judge(Some(*sample))).collect()
    }

    #[test]
    fn an_absurd_sample_is_doubted_and_a_jump_that_stays_is_confirmed() {
        assert_eq!(
            verdicts(&[100.0, 3000.0, 101.0, 0.1, 99.0]),
            [Accepted, Doubted, Accepted, Doubted, Accepted]
        );
        assert_eq!(
            verdicts(&[100.0, 300.0, 310.0, 290.0, 300.0]),
            [Accepted, Doubted, Doubted, JumpConfirmed, Accepted]
        );
        assert_eq!(
            verdicts(&[100.0, 300.0, 3000.0, 300.0, 3000.0]),
            [Accepted, Doubted, Doubted, Doubted, Doubted]
        );
        assert_eq!(
            verdicts(&[100.0, 300.0, 100.0, 300.0, 300.0]),
            [Accepted, Doubted, Accepted, Doubted, Doubted]
        );
        assert_eq!(verdicts(&[100.0, 120.0, 101.0, 85.0]), [Accepted, Doubted, Accepted, Doubted]);
        assert_eq!(
            verdicts(&[100.0, 110.0, 121.0, 133.0, 134.0]),
            [Accepted, Doubted, Doubted, JumpConfirmed, Accepted]
        );
        // Up and down again is no agreement.
        assert_eq!(
            verdicts(&[100.0, 110.0, 90.0, 110.0, 90.0]),
            [Accepted, Doubted, Doubted, Doubted, Doubted]
        );
        let mut filter = OpenInterestFilter::default();
        assert_eq!([None, Some(0.0), Some(-1.0)].map(|sample| filter.judge(sample)), [Unknown; 3]);
        assert_eq!(filter, OpenInterestFilter::default());
    }

    proptest! {
        #[test]
        fn no_series_stays_in_doubt(level in 1.0f64..1e9, before in 1.0f64..1e9, noise in prop::collection::vec(0.98f64..1.02, 4..20)) {
            let mut filter = OpenInterestFilter::default();
            filter.judge(Some(before));
            let last = noise.iter().map(|factor| filter.judge(Some(level * factor))).last();
            prop_assert_eq!(last, Some(Accepted));
        }

        #[test]
        fn a_steady_trend_is_followed_every_third_sample(step in 0.8f64..1.25) {
            let mut filter = OpenInterestFilter::default();
            let samples = (0..30).map(|index| 1e5 * step.powi(index));
            let verdicts: Vec<_> = samples.map(|sample| filter.judge(Some(sample))).collect();
            prop_assert!(verdicts.windows(3).all(|three| three.iter().any(|verdict| verdict.is_used())), "{:?}", verdicts);
        }
    }
}
