//! The venue's clock compared with ours: measured by asking, and watched by the stamps of its frames.

use std::collections::VecDeque;

use liqheat_market::UnixMs;

/// What is known of the difference.
#[derive(Debug, Default)]
pub(super) struct Skew {
    measured: Option<i64>,
    /// Stamp minus arrival of the last frames: the difference, less the time on the way.
    heard: VecDeque<i64>,
    median: Option<i64>,
    since_median: usize,
}

impl Skew {
    const HEARD_MAX: usize = 31;
    /// When stamps and measurement differ by more, one of the clocks has jumped since it was measured.
    const JUMP_MS: i64 = 30_000;

    /// The venue told its time between `sent` and `received`.
    pub(super) fn measured(&mut self, venue: UnixMs, sent: UnixMs, received: UnixMs) {
        self.measured = Some(venue.since(sent.plus(received.since(sent) / 2)));
    }

    /// A frame was stamped `sent` and came at `received`.
    pub(super) fn heard(&mut self, sent: UnixMs, received: UnixMs) {
        if self.heard.len() == Self::HEARD_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(sent.since(received));
        self.since_median += 1;
        // Sorting for every frame would be for nothing: half of them must differ before it moves.
        if self.heard.len() < Self::HEARD_MAX || self.since_median >= Self::HEARD_MAX / 2 {
            self.since_median = 0;
            let mut sorted: Vec<i64> = self.heard.iter().copied().collect();
            sorted.sort_unstable();
            self.median = Some(sorted[sorted.len() / 2]);
        }
    }

    /// The venue's clock minus ours; `None` before anything is known.
    pub(super) fn ms(&self) -> Option<i64> {
        match (self.measured, self.median) {
            (Some(measured), Some(median)) if (measured - median).abs() > Self::JUMP_MS => Some(median),
            (Some(measured), _) => Some(measured),
            (None, median) => median,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_halved() {
        let mut skew = Skew::default();
        assert_eq!(skew.ms(), None);
        skew.measured(UnixMs(5_050), UnixMs(1_000), UnixMs(1_100));
        assert_eq!(skew.ms(), Some(4_000));
    }

    #[test]
    fn one_odd_stamp_moves_nothing_and_a_jump_is_followed() {
        let mut skew = Skew::default();
        for at in 0..31 {
            skew.heard(UnixMs(at * 1_000 - 40), UnixMs(at * 1_000));
        }
        skew.heard(UnixMs(9_000_000_000), UnixMs(31_000));
        assert_eq!(skew.ms(), Some(-40));
        skew.measured(UnixMs(31_000), UnixMs(31_000), UnixMs(31_000));
        assert_eq!(skew.ms(), Some(0), "measured is better than heard");
        for at in 32..100 {
            skew.heard(UnixMs(at * 1_000 - 3_600_000), UnixMs(at * 1_000));
        }
        assert_eq!(skew.ms(), Some(-3_600_000), "our clock was moved by an hour");
    }
}
