//! Which version of the past a ledger is in: the number of the newest roll-back that reached before a moment.

use liqheat_market::UnixMs;

/// The roll-backs of a ledger, as far as they still say something: whatever ends at or before a moment is as it was
/// while [`Rollbacks::version`] of that moment is.
#[derive(Debug, Default)]
pub(super) struct Rollbacks {
    /// Times from which on the past was computed anew, ascending, with the number of the newest such roll-back. A later
    /// one that reaches further back replaces all that it covers.
    steps: Vec<(UnixMs, u64)>,
    newest: u64,
}

/// Beyond this many, neighbours are merged: some of the past then counts as changed that is not.
const STEPS_MAX: usize = 512;

impl Rollbacks {
    /// Everything that includes `from` or a later moment is computed anew.
    pub(super) fn add(&mut self, from: UnixMs) {
        self.newest += 1;
        while self.steps.last().is_some_and(|(time, _)| *time >= from) {
            self.steps.pop();
        }
        self.steps.push((from, self.newest));
        if self.steps.len() > STEPS_MAX {
            let merged = |pair: &[(UnixMs, u64)]| Some((pair.first()?.0, pair.last()?.1));
            self.steps = self.steps.chunks(2).filter_map(merged).collect();
        }
    }

    /// Version of the state that consists of what ended at or before `until`.
    pub(super) fn version(&self, until: UnixMs) -> u64 {
        let reached = self.steps.partition_point(|(time, _)| *time <= until);
        reached.checked_sub(1).and_then(|last| self.steps.get(last)).map_or(0, |(_, version)| *version)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A moment's version changes with every roll-back that reaches it; others leave it alone while there are few.
        #[test]
        fn versions_change_with_what_reaches_them(
            rolled in prop::collection::vec(0i64..1_000, 0..1_500),
            until in 0i64..1_000,
        ) {
            let mut log = Rollbacks::default();
            for (done, from) in rolled.iter().enumerate() {
                let before = log.version(UnixMs(until));
                log.add(UnixMs(*from));
                if *from <= until {
                    prop_assert_eq!(log.version(UnixMs(until)), done as u64 + 1);
                } else if done < STEPS_MAX {
                    prop_assert_eq!(log.version(UnixMs(until)), before);
                }
                prop_assert!(log.steps.len() <= STEPS_MAX);
                prop_assert!(log.steps.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
            }
        }
    }

    #[test]
    fn merging_never_hides_a_change() {
        let mut log = Rollbacks::default();
        for from in 0..5_000i64 {
            log.add(UnixMs(from));
            assert_eq!(log.version(UnixMs(from)), from as u64 + 1);
        }
        assert!(log.steps.len() <= STEPS_MAX);
    }
}
