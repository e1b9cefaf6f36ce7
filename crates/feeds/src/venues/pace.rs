//! Thinning of fast streams. Tickers change up to ten times a second; the model moves by minutes. Dropped ticks change
//! what is made of the others by less than a second of data.

use liqheat_market::{Price, UnixMs};

/// Lets one tick of the mark price a second pass, and every new high and low of the running minute, so that klines made
/// of the ticks have the true extremes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MarkPace {
    minute: UnixMs,
    second: UnixMs,
    low: Price,
    high: Price,
    kept: UnixMs,
}

impl MarkPace {
    /// Whether this tick is kept.
    pub(super) fn keeps(&mut self, time: UnixMs, price: Price) -> bool {
        let (minute, second) = (time.floor_to(60_000), time.floor_to(1_000));
        let begins = minute != self.minute;
        let widens = begins || price < self.low || price > self.high;
        if begins {
            (self.minute, self.low, self.high) = (minute, price, price);
        }
        if !widens && second == self.second {
            return false;
        }
        self.second = second;
        self.low = self.low.min(price);
        self.high = self.high.max(price);
        self.kept = time;
        true
    }

    /// Whether a price that has not changed is reported again: only after a pause, so that it never replaces a changed price
    /// of the same second.
    pub(super) fn repeats(&mut self, time: UnixMs, price: Price) -> bool {
        const PAUSE_MS: i64 = 2_000;
        time.since(self.kept) >= PAUSE_MS && self.keeps(time, price)
    }
}

/// Lets one sample of the open interest pass in five seconds, as often as it is polled where there is no stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OpenInterestPace {
    slot: UnixMs,
}

impl OpenInterestPace {
    /// Whether this sample is kept.
    pub(super) fn keeps(&mut self, time: UnixMs) -> bool {
        const SLOT_MS: i64 = 5_000;
        let slot = time.floor_to(SLOT_MS);
        let keeps = slot != self.slot;
        self.slot = slot;
        keeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_second_has_one_tick_unless_it_widens_the_minute() {
        let start = UnixMs(1_700_000_040_000);
        let mut pace = MarkPace::default();
        let kept: Vec<bool> =
            [(0, 100), (200, 100), (400, 101), (600, 101), (800, 99), (1_000, 100), (1_200, 100)]
                .map(|(ms, price)| pace.keeps(start.plus(ms), Price::from_units(price)))
                .to_vec();
        assert_eq!(kept, [true, false, true, false, true, true, false]);
    }

    #[test]
    fn an_unchanged_price_is_repeated_after_a_pause() {
        let start = UnixMs(1_700_000_040_000);
        let mut pace = MarkPace::default();
        let price = Price::from_units(100);
        assert!(pace.keeps(start, price));
        let said: Vec<bool> =
            [1_000, 1_999, 2_000, 3_000, 4_000].map(|ms| pace.repeats(start.plus(ms), price)).to_vec();
        assert_eq!(said, [false, false, true, false, true]);
    }

    #[test]
    fn open_interest_passes_every_five_seconds() {
        let start = UnixMs(1_700_000_040_000);
        let mut pace = OpenInterestPace::default();
        let kept: Vec<bool> =
            [0, 100, 4_900, 5_000, 5_100, 12_000].map(|ms| pace.keeps(start.plus(ms))).to_vec();
        assert_eq!(kept, [true, false, false, true, false, true]);
    }

    proptest! {
        #[test]
        fn highs_and_lows_of_minutes_survive(ticks in proptest::collection::vec((0_i64..400, 1_i64..50), 1..300)) {
            let mut time = UnixMs(1_700_000_000_000);
            let mut pace = MarkPace::default();
            let mut all = std::collections::BTreeMap::new();
            let mut kept = std::collections::BTreeMap::new();
            let widen = |map: &mut std::collections::BTreeMap<UnixMs, (i64, i64)>, time: UnixMs, price: i64| {
                let range = map.entry(time.floor_to(60_000)).or_insert((price, price));
                *range = (range.0.min(price), range.1.max(price));
            };
            for (step, price) in ticks {
                time = time.plus(step);
                widen(&mut all, time, price);
                if pace.keeps(time, Price::from_units(price)) {
                    widen(&mut kept, time, price);
                }
            }
            prop_assert_eq!(all, kept);
        }
    }
}
