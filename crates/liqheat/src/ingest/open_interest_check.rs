//! Names samples of open interest that the model refuses, where they are loaded.

use std::collections::BTreeMap;

use liqheat_market::{Instrument, OpenInterest, UnixMs};
use liqheat_model::{OpenInterestFilter, SampleVerdict};
use liqheat_wire::format_time;

/// A gap after which the level before is no measure, as in the ledger.
const GAP_MS_MAX: i64 = 6 * 3_600_000;
/// Samples named; all are counted.
const NAMED_MAX: usize = 10;

/// Applies the ledger's filter to samples of open interest, in the order of the files.
#[derive(Debug, Default)]
pub(super) struct OpenInterestCheck {
    filters: BTreeMap<Instrument, (UnixMs, OpenInterestFilter)>,
    doubted: usize,
    jumps: usize,
    named: Vec<String>,
}

impl OpenInterestCheck {
    /// Looks at rows that are about to be stored.
    pub(super) fn look_at(&mut self, instrument: &Instrument, samples: &[OpenInterest]) {
        if samples.is_empty() {
            return;
        }
        let (last, filter) = self.filters.entry(instrument.clone()).or_default();
        for sample in samples {
            if sample.time.since(*last) > GAP_MS_MAX {
                *filter = OpenInterestFilter::default();
            }
            *last = sample.time;
            let verdict = filter.judge(Some(sample.qty.to_f64()));
            self.doubted += usize::from(verdict == SampleVerdict::Doubted);
            self.jumps += usize::from(verdict == SampleVerdict::JumpConfirmed);
            if verdict == SampleVerdict::Doubted && self.named.len() < NAMED_MAX {
                let at = format_time(sample.time);
                self.named.push(format!("{instrument} {at}: open interest of {} coins", sample.qty));
            }
        }
    }

    /// Lines for the report; empty when all is well.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.doubted == 0 {
            return Vec::new();
        }
        let mut lines = vec![format!(
            "{} samples of open interest are far from the one before and count as unknown in the model until three in a row agree; {} such jumps were confirmed",
            self.doubted, self.jumps
        )];
        lines.extend(self.named.iter().map(|line| format!("  {line}")));
        if self.doubted > self.named.len() {
            lines.push(format!("  and {} more", self.doubted - self.named.len()));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::{OpenInterest, Qty, Symbol, Venue};

    #[test]
    fn an_absurd_sample_is_named() {
        let instrument = Instrument::new(Venue::Binance, Symbol::new("BTCUSDT").unwrap());
        let sample = |index: i64, coins: f64| OpenInterest {
            time: UnixMs(1_763_728_500_000 + index * 300_000),
            qty: Qty::from_f64(coins).unwrap(),
        };
        let mut check = OpenInterestCheck::default();
        check.look_at(&instrument, &[sample(0, 80_000.0), sample(1, 80_100.0)]);
        assert!(check.lines().is_empty());
        check.look_at(&instrument, &[sample(2, 240_000.0), sample(3, 80_200.0)]);
        let lines = check.lines();
        assert!(lines[0].starts_with("1 samples of open interest"), "{lines:?}");
        assert_eq!(lines[1], "  BTCUSDT@binance 2025-11-21T12:45:00Z: open interest of 240000 coins");
        // After a long gap nothing is known to be absurd.
        check.look_at(&instrument, &[sample(3_000, 10.0)]);
        assert_eq!(check.lines(), lines);
    }
}
