//! Which rows of a file were there before.
//!
//! Files are nearly always in order, so rows in order cost a push on a vector, and only the others a hash
//! map. Trade ids are consecutive, so they are kept as ranges, and the same ranges show the gaps.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Rows remembered per file (about 100 MB); more are let through unchecked.
const REMEMBERED_MAX: usize = 4_000_000;
const RANGES_MAX: usize = 1_000_000;

/// What is known of a row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sighting {
    /// Not seen before.
    New,
    /// Seen with the same values.
    Repeated,
    /// Seen with other values.
    Conflicting,
}

/// What remembers the keys of rows.
pub(super) trait Memory: Default {
    /// What it remembers.
    type Key;

    /// Notes a key with a fingerprint of the row's values.
    fn note(&mut self, key: Self::Key, fingerprint: u64) -> Sighting;

    /// Whether something had to be let through unchecked.
    fn overflowed(&self) -> bool;

    /// Gaps in consecutive keys: how many, how many keys are missing, the key before the first.
    fn gaps(&self) -> Option<(u64, u64, i64)> {
        None
    }
}

/// Remembers keys that mostly come in order.
#[derive(Debug)]
pub(super) struct Keys<K> {
    ordered: Vec<(K, u64)>,
    others: HashMap<K, u64>,
    overflowed: bool,
}

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self { ordered: Vec::new(), others: HashMap::new(), overflowed: false }
    }
}

impl<K: Ord + Hash + Copy> Memory for Keys<K> {
    type Key = K;

    fn note(&mut self, key: K, fingerprint: u64) -> Sighting {
        let known = match self.ordered.last() {
            Some((last, _)) if key <= *last => match self.ordered.binary_search_by_key(&key, |(key, _)| *key)
            {
                Ok(at) => Some(self.ordered[at].1),
                Err(_) => self.others.get(&key).copied(),
            },
            _ if self.others.is_empty() => None,
            _ => self.others.get(&key).copied(),
        };
        match known {
            Some(seen) if seen == fingerprint => return Sighting::Repeated,
            Some(_) => return Sighting::Conflicting,
            None => {}
        }
        if self.ordered.len() + self.others.len() >= REMEMBERED_MAX {
            self.overflowed = true;
        } else if self.ordered.last().is_none_or(|(last, _)| key > *last) {
            self.ordered.push((key, fingerprint));
        } else {
            self.others.insert(key, fingerprint);
        }
        Sighting::New
    }

    fn overflowed(&self) -> bool {
        self.overflowed
    }
}

/// Remembers consecutive ids as ranges.
#[derive(Debug, Default)]
pub(super) struct IdRanges {
    /// First id to last id of each range; ranges neither overlap nor touch.
    ranges: BTreeMap<i64, i64>,
    /// The range grown last, which is where the next id usually belongs.
    newest: Option<(i64, i64)>,
    overflowed: bool,
}

impl IdRanges {
    fn insert(&mut self, id: i64) -> bool {
        if let Some((first, last)) = self.newest {
            if (first..=last).contains(&id) {
                return false;
            }
            // Ids are never negative, so `last + 1` cannot overflow unless `last` is the greatest.
            if last.checked_add(1) == Some(id) && !self.ranges.contains_key(&id.saturating_add(1)) {
                self.newest = Some((first, id));
                return true;
            }
            self.ranges.insert(first, last);
        }
        let below = self.ranges.range(..=id).next_back().map(|(&first, &last)| (first, last));
        if let Some((first, last)) = below
            && last >= id
        {
            self.newest = Some((first, last));
            return false;
        }
        let first = match below {
            Some((first, last)) if last.checked_add(1) == Some(id) => first,
            _ => id,
        };
        let above = id.checked_add(1).and_then(|next| self.ranges.remove(&next));
        if self.ranges.len() >= RANGES_MAX {
            self.overflowed = true;
            return true;
        }
        let last = above.unwrap_or(id);
        self.ranges.insert(first, last);
        self.newest = Some((first, last));
        true
    }
}

impl Memory for IdRanges {
    type Key = i64;

    fn note(&mut self, id: i64, _fingerprint: u64) -> Sighting {
        if self.insert(id) { Sighting::New } else { Sighting::Repeated }
    }

    fn overflowed(&self) -> bool {
        self.overflowed
    }

    fn gaps(&self) -> Option<(u64, u64, i64)> {
        let mut ranges = self.ranges.clone();
        ranges.extend(self.newest);
        let mut gaps = None;
        for ((_, before), (after, _)) in ranges.iter().zip(ranges.iter().skip(1)) {
            let (count, missing, first_after) = gaps.unwrap_or((0_u64, 0_u64, *before));
            gaps = Some((count + 1, missing + (after - before - 1).unsigned_abs(), first_after));
        }
        gaps
    }
}

/// A fingerprint of a few whole numbers (FNV-1a by words).
pub(super) fn fingerprint(values: impl IntoIterator<Item = i64>) -> u64 {
    values.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, value| {
        (hash ^ value.cast_unsigned()).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn keys_agree_with_a_plain_map(rows in proptest::collection::vec((0..40_i64, 0..2_u64), 0..200)) {
            let mut keys = Keys::default();
            let mut plain: HashMap<i64, u64> = HashMap::new();
            for (key, print) in rows {
                let expected = match plain.get(&key) {
                    None => Sighting::New,
                    Some(known) if *known == print => Sighting::Repeated,
                    Some(_) => Sighting::Conflicting,
                };
                plain.entry(key).or_insert(print);
                prop_assert_eq!(keys.note(key, print), expected);
            }
        }

        #[test]
        fn id_ranges_agree_with_a_plain_set(
            ids in proptest::collection::vec(prop_oneof![0..60_i64, Just(i64::MAX), Just(i64::MAX - 1)], 0..200),
        ) {
            let mut ranges = IdRanges::default();
            let mut plain = BTreeSet::new();
            for id in ids {
                let expected = if plain.insert(id) { Sighting::New } else { Sighting::Repeated };
                prop_assert_eq!(ranges.note(id, 0), expected);
            }
            let ordered: Vec<i64> = plain.into_iter().collect();
            let gaps: Vec<_> = ordered.windows(2).filter(|pair| pair[1] - pair[0] > 1).collect();
            let missing: i64 = gaps.iter().map(|pair| pair[1] - pair[0] - 1).sum();
            let expected = gaps.first().map(|pair| (gaps.len() as u64, missing.unsigned_abs(), pair[0]));
            prop_assert_eq!(ranges.gaps(), expected);
        }
    }

    #[test]
    fn fingerprints_differ() {
        let prints: BTreeSet<u64> = [[1, 2], [2, 1], [0, 0], [0, 1]].map(fingerprint).into_iter().collect();
        assert_eq!(prints.len(), 4);
    }
}
