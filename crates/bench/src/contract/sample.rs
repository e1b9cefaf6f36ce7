//! Durations and their quantiles.

use std::time::Duration;

use liqheat_market::convert::{approx_f64, trunc_usize};
/// Durations of one kind.
#[derive(Debug, Default)]
pub(super) struct Sample(Vec<Duration>);

impl Sample {
    pub(super) fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest duration that this share of all is not above; zero of none.
    pub(super) fn quantile(&mut self, share: f64) -> Duration {
        self.0.sort_unstable();
        let rank = trunc_usize((approx_f64(self.0.len()) * share).ceil());
        self.0.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// The same in milliseconds.
    pub(super) fn quantile_ms(&mut self, share: f64) -> f64 {
        self.quantile(share).as_secs_f64() * 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_members_of_the_sample() {
        let mut sample = Sample::default();
        assert_eq!(sample.quantile(0.95), Duration::ZERO);
        for ms in (1..=100).rev() {
            sample.push(Duration::from_millis(ms));
        }
        assert_eq!(sample.quantile(0.95), Duration::from_millis(95));
        assert_eq!(sample.quantile(0.0), Duration::from_millis(1));
        assert_eq!(sample.quantile_ms(1.0), 100.0);
    }
}
