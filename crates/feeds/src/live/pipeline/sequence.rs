//! Numbers that arrive in order: trade ids, or minutes of klines. Distinguishes new numbers from repeats and keeps the
//! ranges that are missing.
//!
//! Roll-over, repeats, disorder, a restart and an outage are one case here: a number below the next expected one is a
//! repeat unless it lies in a missing range, and a number above it opens one.

use std::collections::BTreeMap;

/// Whether a number arrived for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    New,
    Repeated,
}

/// A range of missing numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MissingRange {
    /// The first that is missing.
    pub(super) first: i64,
    /// The last that is missing.
    pub(super) last: i64,
    /// When the last before it came, in milliseconds of the caller's clock.
    pub(super) since: i64,
    /// When it was noticed, in milliseconds of the caller's clock.
    pub(super) noticed: i64,
    /// Complete answers that did not bring it.
    pub(super) answers_without: u8,
}

/// Numbers of one contract that have arrived.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: Option<i64>,
    /// When the newest came.
    newest_at: i64,
    /// By first number.
    missing: BTreeMap<i64, MissingRange>,
}

impl Sequence {
    /// Missing ranges kept; beyond it the oldest is given up.
    const RANGES_MAX: usize = 256;

    /// Everything up to `last` is there already; the newest came at `newest_at`.
    pub(super) fn begin_after(last: i64, newest_at: i64) -> Self {
        Self { next: last.checked_add(1), newest_at, missing: BTreeMap::new() }
    }

    /// The largest number seen.
    pub(super) fn newest(&self) -> Option<i64> {
        self.next.map(|next| next - 1)
    }

    /// A number arrived.
    pub(super) fn on_number(&mut self, number: i64, now: i64) -> Arrival {
        let Some(after) = number.checked_add(1) else { return Arrival::Repeated };
        match self.next {
            Some(next) if number < next => return self.fill(number),
            Some(next) if number > next => self.open(next, number - 1, now),
            _ => {}
        }
        self.next = Some(after);
        self.newest_at = now;
        Arrival::New
    }

    /// A number is known to exist, though it did not arrive: everything up to it is missing.
    pub(super) fn reach(&mut self, number: i64, now: i64) {
        let (Some(next), Some(after)) = (self.next, number.checked_add(1)) else { return };
        if number >= next {
            self.open(next, number, now);
            self.next = Some(after);
            self.newest_at = now;
        }
    }

    fn open(&mut self, first: i64, last: i64, now: i64) {
        // Extends the last range when it ends where this begins, so that an outage is one range.
        match self.missing.last_entry() {
            Some(mut entry) if entry.get().last + 1 == first && entry.get().answers_without == 0 => {
                entry.get_mut().last = last;
            }
            _ => {
                self.missing.insert(
                    first,
                    MissingRange { first, last, since: self.newest_at, noticed: now, answers_without: 0 },
                );
            }
        }
    }

    fn fill(&mut self, number: i64) -> Arrival {
        let Some((_, &range)) =
            self.missing.range(..=number).next_back().filter(|(_, range)| number <= range.last)
        else {
            return Arrival::Repeated;
        };
        self.missing.remove(&range.first);
        if range.first < number {
            self.missing.insert(range.first, MissingRange { last: number - 1, ..range });
        }
        if number < range.last {
            self.missing.insert(number + 1, MissingRange { first: number + 1, ..range });
        }
        Arrival::New
    }

    /// Counts a complete answer about `first..=last` for every missing range that it touches.
    pub(super) fn on_answer(&mut self, first: i64, last: i64) {
        for range in self.split(first, last) {
            let answers_without = range.answers_without.saturating_add(1);
            self.missing.insert(range.first, MissingRange { answers_without, ..range });
        }
    }

    /// Gives up what is missing in `first..=last` and returns it, oldest first.
    pub(super) fn give_up(&mut self, first: i64, last: i64) -> Vec<MissingRange> {
        self.split(first, last)
    }

    /// Takes out what is missing in `first..=last`, oldest first.
    fn split(&mut self, first: i64, last: i64) -> Vec<MissingRange> {
        let touched: Vec<MissingRange> = self
            .missing
            .range(..=last)
            .map(|(_, range)| *range)
            .filter(|range| range.last >= first)
            .collect();
        for range in &touched {
            self.missing.remove(&range.first);
            if range.first < first {
                self.missing.insert(range.first, MissingRange { last: first - 1, ..*range });
            }
            if range.last > last {
                self.missing.insert(last + 1, MissingRange { first: last + 1, ..*range });
            }
        }
        let cut = |range: MissingRange| MissingRange {
            first: range.first.max(first),
            last: range.last.min(last),
            ..range
        };
        touched.into_iter().map(cut).collect()
    }

    /// The oldest range when there are more than are kept; the caller gives it up.
    pub(super) fn excess(&self) -> Option<MissingRange> {
        (self.missing.len() > Self::RANGES_MAX).then(|| self.missing.values().next().copied()).flatten()
    }

    /// What is missing, oldest first.
    pub(super) fn missing(&self) -> impl Iterator<Item = MissingRange> + '_ {
        self.missing.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ranges(sequence: &Sequence) -> Vec<(i64, i64)> {
        sequence.missing().map(|range| (range.first, range.last)).collect()
    }

    #[test]
    fn ranges_open_shrink_split_and_close() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.on_number(10, 0), Arrival::New);
        assert_eq!(sequence.on_number(20, 5), Arrival::New);
        assert_eq!(ranges(&sequence), [(11, 19)]);
        assert_eq!(sequence.on_number(15, 6), Arrival::New);
        assert_eq!(sequence.on_number(15, 6), Arrival::Repeated);
        assert_eq!(ranges(&sequence), [(11, 14), (16, 19)]);
        assert!(sequence.missing().all(|range| range.noticed == 5));
        for number in (11..=14).chain(16..=19) {
            assert_eq!(sequence.on_number(number, 7), Arrival::New);
        }
        assert_eq!(ranges(&sequence), []);
        assert_eq!(sequence.on_number(3, 8), Arrival::Repeated, "before the beginning");
        assert_eq!(sequence.on_number(i64::MAX, 9), Arrival::Repeated, "no number that venues give out");
    }

    #[test]
    fn what_the_database_has_is_where_it_begins() {
        let mut sequence = Sequence::begin_after(100, 0);
        assert_eq!(sequence.on_number(100, 0), Arrival::Repeated);
        sequence.reach(110, 1);
        sequence.reach(112, 2);
        assert_eq!(ranges(&sequence), [(101, 112)], "one range, not two");
        let given_up = sequence.give_up(105, 200);
        assert_eq!(
            given_up,
            [MissingRange { first: 105, last: 112, since: 0, noticed: 1, answers_without: 0 }]
        );
        assert_eq!(ranges(&sequence), [(101, 104)]);
        assert_eq!(sequence.on_number(106, 3), Arrival::Repeated, "given up is given up");
    }

    proptest! {
        #[test]
        fn each_number_is_new_once(numbers in proptest::collection::vec(0_i64..60, 1..200)) {
            let mut sequence = Sequence::begin_after(-1, 0);
            let mut seen = BTreeSet::new();
            for number in numbers {
                let expected = if seen.insert(number) { Arrival::New } else { Arrival::Repeated };
                prop_assert_eq!(sequence.on_number(number, 0), expected);
            }
            let newest = sequence.newest().unwrap_or(-1);
            let missing: BTreeSet<i64> = sequence.missing().flat_map(|range| range.first..=range.last).collect();
            let expected: BTreeSet<i64> = (0..=newest).filter(|number| !seen.contains(number)).collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
