//! When a layer is kept, so that the past can be shown.

use liqheat_market::UnixMs;

/// Time between two layers that are kept.
pub const LAYER_EVERY_MS: i64 = 5 * 60_000;
/// How long a kept layer stands for what follows while none does: one that is missing is no hole.
pub const LAYER_HELD_MS: i64 = 3 * LAYER_EVERY_MS;

/// Which layers are kept: the first one after each whole five minutes.
///
/// A layer stands for the moment at which the five minutes begin. Half of them later it would stand for another one, so
/// then that moment has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerCadence {
    /// The next moment that needs a layer.
    next: UnixMs,
}

impl LayerCadence {
    /// From the first whole five minutes after `now` on.
    #[must_use]
    pub const fn new(now: UnixMs) -> Self {
        Self { next: now.floor_to(LAYER_EVERY_MS).plus(LAYER_EVERY_MS) }
    }

    /// The moment for which a layer of `now` is kept; `None` when the moment has one already or is too long ago. Once for
    /// each moment.
    pub fn due(&mut self, now: UnixMs) -> Option<UnixMs> {
        let moment = now.floor_to(LAYER_EVERY_MS);
        if moment < self.next {
            return None;
        }
        self.next = moment.plus(LAYER_EVERY_MS);
        (now.since(moment) <= LAYER_EVERY_MS / 2).then_some(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_five_minutes_have_one_layer() {
        const SECOND_MS: i64 = 1_000;
        let at = |seconds: i64| UnixMs(1_000 * LAYER_EVERY_MS + seconds * SECOND_MS);
        let mut cadence = LayerCadence::new(at(10));
        let due = |cadence: &mut LayerCadence, range: std::ops::Range<i64>, step: usize| -> Vec<i64> {
            let moments = range.step_by(step).filter_map(|second| cadence.due(at(second)));
            moments.map(|moment| moment.since(at(0)) / SECOND_MS).collect()
        };
        assert_eq!(due(&mut cadence, 10..300, 1), [0i64; 0], "the one before the start is not made up for");
        assert_eq!(due(&mut cadence, 300..1_500, 1), [300, 600, 900, 1_200]);
        // Late by less than half, and by more.
        assert_eq!(due(&mut cadence, 1_649..1_650, 1), [1_500]);
        assert_eq!(due(&mut cadence, 1_951..2_100, 1), [0i64; 0]);
        assert_eq!(due(&mut cadence, 2_100..2_101, 1), [2_100], "the next one is on time again");
        // A clock that goes back asks for nothing twice.
        assert_eq!(due(&mut cadence, 1_800..2_400, 7), [0i64; 0]);
        assert_eq!(due(&mut cadence, 2_400..2_401, 1), [2_400]);
    }
}
