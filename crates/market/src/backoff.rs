//! Delays between attempts of something that failed.

use std::time::Duration;

/// Exponential backoff with jitter: the delay doubles with every failure up to a maximum, and between half of it and
/// all of it is waited. A value; whoever uses it owns the clock and the random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

/// Why delays cannot form a backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackoffError {
    /// Without a first delay it would retry in a busy loop.
    #[error("the first delay of a backoff must be longer than zero")]
    Zero,
    /// The maximum would never be reached.
    #[error("the longest delay of a backoff ({max:?}) is shorter than the first ({first:?})")]
    Order {
        /// First delay.
        first: Duration,
        /// Longest delay.
        max: Duration,
    },
}

impl Backoff {
    /// Delays from `first` to `max`.
    ///
    /// # Errors
    /// When `first` is zero or longer than `max`.
    pub const fn new(first: Duration, max: Duration) -> Result<Self, BackoffError> {
        if first.is_zero() {
            return Err(BackoffError::Zero);
        }
        if max.as_nanos() < first.as_nanos() {
            return Err(BackoffError::Order { first, max });
        }
        Ok(Self { first, max, failures: 0 })
    }

    /// Counts a failure and returns how long to wait before the next attempt. `random` is uniform in `0.0..1.0`; a
    /// value outside is clamped.
    #[must_use]
    pub fn next_delay(&mut self, random: f64) -> Duration {
        let base = self.base();
        self.failures = self.failures.saturating_add(1);
        base.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
    }

    /// Forgets the failures after a success.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The delay before jitter.
    fn base(&self) -> Duration {
        // Thirty doublings of a nanosecond are a second; beyond that only the maximum counts.
        let factor = 1_u32 << self.failures.min(30);
        self.first.saturating_mul(factor).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_double_up_to_the_maximum_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(SECOND, 5 * SECOND).unwrap();
        let delays: Vec<u64> = (0..5).map(|_| backoff.next_delay(1.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 5, 5]);
        assert_eq!(backoff.failures(), 5);
        backoff.reset();
        assert_eq!(backoff.next_delay(1.0), SECOND);
    }

    #[test]
    fn delays_that_cannot_work_are_refused() {
        assert_eq!(Backoff::new(Duration::ZERO, SECOND), Err(BackoffError::Zero));
        let error = Backoff::new(2 * SECOND, SECOND).unwrap_err();
        assert_eq!(error.to_string(), "the longest delay of a backoff (1s) is shorter than the first (2s)");
    }

    proptest! {
        #[test]
        fn every_delay_is_between_half_the_first_and_the_maximum(
            first in 1_u64..10_000, more in 0_u64..1_000_000, random in -1.0_f64..2.0, failures in 0_u32..80,
        ) {
            let (first, max) = (Duration::from_millis(first), Duration::from_millis(first + more));
            let mut backoff = Backoff::new(first, max).unwrap();
            for _ in 0..failures {
                let delay = backoff.next_delay(random);
                prop_assert!(delay >= first / 2 && delay <= max);
            }
        }
    }
}
