//! Chance: reproducible draws from a ChaCha stream.
//!
//! A generator crate promises that its raw words never change; crates of distributions make no such promise.
//! So only raw words are taken from outside, and the few distributions the market needs are written here on
//! `libm`, whose results do not depend on the machine's C library.

use liqheat_market::convert::approx_f64;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The part of the key that the seed does not fill.
const KEY_TEXT: &[u8; 24] = b"liqheat simulated market";

/// A source of chance. Sources with another `stream` of the same seed are independent of each other, so that
/// one more draw in one part of the market does not change what happens in another.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    words: ChaCha8Rng,
    /// Box-Muller makes normals in pairs; the second waits here.
    spare_normal: Option<f64>,
}

impl Dice {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(KEY_TEXT);
        let mut words = ChaCha8Rng::from_seed(key);
        words.set_stream(stream);
        Self { words, spare_normal: None }
    }

    /// Between 0 and 1, never either of them.
    pub(super) fn uniform(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a power of two is exact")]
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (approx_f64(self.words.next_u64() >> 11) + 0.5) * STEP
    }

    /// Between two numbers.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// True with a probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Standard normal.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare_normal = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }

    /// Exponential with a mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(self.uniform())
    }

    /// Log-normal with a mean (not a median) and the standard deviation of its logarithm.
    pub(super) fn lognormal(&mut self, mean: f64, sigma: f64) -> f64 {
        mean * libm::exp(sigma * self.normal() - 0.5 * sigma * sigma)
    }

    /// Poisson with a small mean, cut off at `most`.
    pub(super) fn poisson(&mut self, mean: f64, most: usize) -> usize {
        let floor = libm::exp(-mean);
        let mut product = self.uniform();
        let mut count = 0;
        while product > floor && count < most {
            product *= self.uniform();
            count += 1;
        }
        count
    }

    /// An index, each as likely as its weight; the last one when the weights do not add up to one.
    pub(super) fn pick(&mut self, weights: impl ExactSizeIterator<Item = f64>) -> usize {
        let last = weights.len().saturating_sub(1);
        let mut left = self.uniform();
        for (index, weight) in weights.enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 100_000;

    fn mean_and_deviation(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        let mean = draws.iter().sum::<f64>() / DRAWS as f64;
        let variance = draws.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / DRAWS as f64;
        (mean, variance.sqrt())
    }

    fn check(draw: impl FnMut() -> f64, mean: f64, deviation: f64) {
        let (got_mean, got_deviation) = mean_and_deviation(draw);
        assert!((got_mean - mean).abs() < 0.02 * deviation.max(1.0), "mean {got_mean}, expected {mean}");
        assert!(
            (got_deviation / deviation - 1.0).abs() < 0.03,
            "deviation {got_deviation}, expected {deviation}"
        );
    }

    #[test]
    fn draws_have_their_moments() {
        let mut dice = Dice::new(1, 0);
        check(|| dice.uniform(), 0.5, (1.0_f64 / 12.0).sqrt());
        check(|| dice.normal(), 0.0, 1.0);
        check(|| dice.exponential(3.0), 3.0, 3.0);
        check(|| dice.poisson(0.4, 20) as f64, 0.4, 0.4_f64.sqrt());
        check(|| dice.lognormal(2.0, 0.5), 2.0, 2.0 * (0.25_f64.exp() - 1.0).sqrt());
        check(|| dice.pick([0.25, 0.75].into_iter()) as f64, 0.75, 0.1875_f64.sqrt());
    }

    #[test]
    fn streams_differ_and_repeat() {
        let take = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            [dice.uniform(), dice.normal(), dice.normal()].map(f64::to_bits)
        };
        assert_eq!(take(7, 1), take(7, 1));
        assert_ne!(take(7, 1), take(7, 2));
        assert_ne!(take(7, 1), take(8, 1));
    }
}
