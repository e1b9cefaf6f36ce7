//! Numbers that come one after the other: ids of trades, or minutes of klines. Tells what is new from what came
//! before, and knows which numbers are missing in between.
//!
//! Roll-over, repeats, disorder, a restart and an outage are one and the same here: a number below the next one
//! is a repeat unless it lies in a hole, and a number above opens a hole.

use std::collections::BTreeMap;

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not seen before.
    New,
    /// Seen before.
    Repeated,
}

/// A stretch of missing numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hole {
    /// The first that is missing.
    pub(super) first: i64,
    /// The last that is missing.
    pub(super) last: i64,
    /// When the last before it came, in milliseconds of the caller's clock.
    pub(super) since: i64,
    /// When it was noticed, in milliseconds of the caller's clock.
    pub(super) noticed: i64,
}

/// What was seen of a row of numbers.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: Option<i64>,
    /// When the newest came.
    newest_at: i64,
    /// By first number.
    holes: BTreeMap<i64, Hole>,
}

impl Sequence {
    /// More holes than this are no longer a hole here and there; the oldest is given up.
    const HOLES_MAX: usize = 256;

    /// Everything up to a number is there already; the newest is of then.
    pub(super) fn begin_after(last: i64, newest_at: i64) -> Self {
        Self { next: last.checked_add(1), newest_at, holes: BTreeMap::new() }
    }

    /// The largest number seen.
    pub(super) fn newest(&self) -> Option<i64> {
        self.next.map(|next| next - 1)
    }

    /// Takes a number that came.
    pub(super) fn take(&mut self, number: i64, now: i64) -> Seen {
        let Some(after) = number.checked_add(1) else { return Seen::Repeated };
        match self.next {
            Some(next) if number < next => return self.take_missing(number),
            Some(next) if number > next => self.open(next, number - 1, now),
            _ => {}
        }
        self.next = Some(after);
        self.newest_at = now;
        Seen::New
    }

    /// A number is known to exist, though it did not come: what lies between is missing, itself included.
    pub(super) fn reach(&mut self, number: i64, now: i64) {
        let (Some(next), Some(after)) = (self.next, number.checked_add(1)) else { return };
        if number >= next {
            self.open(next, number, now);
            self.next = Some(after);
            self.newest_at = now;
        }
    }

    fn open(&mut self, first: i64, last: i64, now: i64) {
        // Grows the last hole when it ends where this begins, so that an outage is one hole and not many.
        match self.holes.last_entry() {
            Some(mut entry) if entry.get().last + 1 == first => entry.get_mut().last = last,
            _ => {
                self.holes.insert(first, Hole { first, last, since: self.newest_at, noticed: now });
            }
        }
    }

    fn take_missing(&mut self, number: i64) -> Seen {
        let Some((_, &hole)) =
            self.holes.range(..=number).next_back().filter(|(_, hole)| number <= hole.last)
        else {
            return Seen::Repeated;
        };
        self.holes.remove(&hole.first);
        if hole.first < number {
            self.holes.insert(hole.first, Hole { last: number - 1, ..hole });
        }
        if number < hole.last {
            self.holes.insert(number + 1, Hole { first: number + 1, ..hole });
        }
        Seen::New
    }

    /// Gives up what is missing in `first..=last` and returns it, oldest first.
    pub(super) fn give_up(&mut self, first: i64, last: i64) -> Vec<Hole> {
        let mut given_up = Vec::new();
        let touched: Vec<Hole> =
            self.holes.range(..=last).map(|(_, hole)| *hole).filter(|hole| hole.last >= first).collect();
        for hole in touched {
            self.holes.remove(&hole.first);
            if hole.first < first {
                self.holes.insert(hole.first, Hole { last: first - 1, ..hole });
            }
            if hole.last > last {
                self.holes.insert(last + 1, Hole { first: last + 1, ..hole });
            }
            given_up.push(Hole { first: hole.first.max(first), last: hole.last.min(last), ..hole });
        }
        given_up
    }

    /// Holes beyond the number that is kept; the caller gives them up.
    pub(super) fn excess(&self) -> Option<Hole> {
        (self.holes.len() > Self::HOLES_MAX).then(|| self.holes.values().next().copied()).flatten()
    }

    /// What is missing, oldest first.
    pub(super) fn holes(&self) -> impl Iterator<Item = Hole> + '_ {
        self.holes.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn holes(sequence: &Sequence) -> Vec<(i64, i64)> {
        sequence.holes().map(|hole| (hole.first, hole.last)).collect()
    }

    #[test]
    fn holes_open_shrink_split_and_close() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.take(10, 0), Seen::New);
        assert_eq!(sequence.take(20, 5), Seen::New);
        assert_eq!(holes(&sequence), [(11, 19)]);
        assert_eq!(sequence.take(15, 6), Seen::New);
        assert_eq!(sequence.take(15, 6), Seen::Repeated);
        assert_eq!(holes(&sequence), [(11, 14), (16, 19)]);
        assert!(sequence.holes().all(|hole| hole.noticed == 5));
        for number in (11..=14).chain(16..=19) {
            assert_eq!(sequence.take(number, 7), Seen::New);
        }
        assert_eq!(holes(&sequence), []);
        assert_eq!(sequence.take(3, 8), Seen::Repeated, "before the beginning");
        assert_eq!(sequence.take(i64::MAX, 9), Seen::Repeated, "no number that venues give out");
    }

    #[test]
    fn what_the_database_has_is_where_it_begins() {
        let mut sequence = Sequence::begin_after(100, 0);
        assert_eq!(sequence.take(100, 0), Seen::Repeated);
        sequence.reach(110, 1);
        sequence.reach(112, 2);
        assert_eq!(holes(&sequence), [(101, 112)], "one hole, not two");
        let given_up = sequence.give_up(105, 200);
        assert_eq!(given_up, [Hole { first: 105, last: 112, since: 0, noticed: 1 }]);
        assert_eq!(holes(&sequence), [(101, 104)]);
        assert_eq!(sequence.take(106, 3), Seen::Repeated, "given up is given up");
    }

    proptest! {
        #[test]
        fn each_number_is_new_once(numbers in proptest::collection::vec(0_i64..60, 1..200)) {
            let mut sequence = Sequence::begin_after(-1, 0);
            let mut seen = BTreeSet::new();
            for number in numbers {
                let expected = if seen.insert(number) { Seen::New } else { Seen::Repeated };
                prop_assert_eq!(sequence.take(number, 0), expected);
            }
            let newest = sequence.newest().unwrap_or(-1);
            let missing: BTreeSet<i64> = sequence.holes().flat_map(|hole| hole.first..=hole.last).collect();
            let expected: BTreeSet<i64> = (0..=newest).filter(|number| !seen.contains(number)).collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
