//! Which hour of a ledger is frozen, graded or given up next: a state machine of what has happened and market time.
//!
//! An hour counts only if its map was frozen from bars that had closed when it began, and if the liquidations of the whole
//! hour were received. A venue's liquidations cannot be fetched later, so an hour in which its connection was lost, or
//! in which this server was not running, is lost.

use std::collections::BTreeSet;

use liqheat_market::UnixMs;
use liqheat_score::HOUR_MS;

/// Reports of liquidations may arrive this long after the end of an hour.
const LATE_REPORTS_MS: i64 = 30_000;

/// What is to be done with the hour that began at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HourTask {
    /// Keep what is predicted for it.
    Freeze(UnixMs),
    /// Grade what was predicted.
    Grade(UnixMs),
    /// Give it up: liquidations were not received all the time.
    GiveUp(UnixMs),
}

/// The hours of one ledger.
#[derive(Debug)]
pub(super) struct HourPlan {
    /// The next hour to freeze.
    next: UnixMs,
    /// Hours that are frozen and not graded.
    frozen: BTreeSet<UnixMs>,
    /// Liquidations have been received without a break since then; `None` while they are not.
    received_since: Option<UnixMs>,
}

impl HourPlan {
    /// From `now` on; `frozen` are hours that an earlier run of the server has frozen.
    pub(super) fn new(now: UnixMs, frozen: impl IntoIterator<Item = UnixMs>) -> Self {
        let next = now.plus(HOUR_MS - 1).floor_to(HOUR_MS);
        Self { next, frozen: frozen.into_iter().collect(), received_since: None }
    }

    /// Liquidations of the venue are received now, or are not.
    pub(super) fn receive(&mut self, is_receiving: bool, now: UnixMs) {
        self.received_since = if is_receiving { self.received_since.or(Some(now)) } else { None };
    }

    /// All liquidations are stored before market time reaches them: the simulated market, and replays.
    pub(super) fn receive_all(&mut self) {
        self.received_since = Some(UnixMs(i64::MIN));
    }

    /// What is due when all bars that closed by `complete` are stored, one after the other: [`HourPlan::done`] must follow
    /// before the next one.
    pub(super) fn due(&mut self, complete: UnixMs) -> Option<HourTask> {
        if let Some(hour) = self.frozen.first().copied()
            && complete >= hour.plus(HOUR_MS + LATE_REPORTS_MS)
        {
            let is_whole = self.received_since.is_some_and(|since| since <= hour);
            return Some(if is_whole { HourTask::Grade(hour) } else { HourTask::GiveUp(hour) });
        }
        // An hour whose beginning was missed is not frozen: it would be lost anyway.
        if let Some(since) = self.received_since
            && since > self.next
        {
            self.next = since.plus(HOUR_MS - 1).floor_to(HOUR_MS);
        }
        (complete >= self.next && self.received_since.is_some()).then_some(HourTask::Freeze(self.next))
    }

    /// A task was carried out. A freeze that found nothing to freeze (`kept` is false) leaves nothing to grade.
    pub(super) fn done(&mut self, task: HourTask, kept: bool) {
        match task {
            HourTask::Freeze(hour) => {
                self.next = hour.plus(HOUR_MS);
                if kept {
                    self.frozen.insert(hour);
                }
            }
            HourTask::Grade(hour) | HourTask::GiveUp(hour) => {
                self.frozen.remove(&hour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    const H: fn(i64) -> UnixMs = |hour| UnixMs(hour * HOUR_MS);

    /// Carries out what is due until nothing is.
    fn carry_out(plan: &mut HourPlan, complete: UnixMs) -> Vec<HourTask> {
        std::iter::from_fn(|| {
            let task = plan.due(complete)?;
            plan.done(task, true);
            Some(task)
        })
        .collect()
    }

    #[test]
    fn an_hour_is_frozen_when_it_begins_and_graded_after_it_ended() {
        let mut plan = HourPlan::new(H(10).plus(MINUTE), []);
        plan.receive(true, H(10).plus(MINUTE));
        assert_eq!(carry_out(&mut plan, H(10).plus(59 * MINUTE)), []);
        assert_eq!(carry_out(&mut plan, H(11)), [HourTask::Freeze(H(11))]);
        assert_eq!(carry_out(&mut plan, H(12)), [HourTask::Freeze(H(12))], "reports may still arrive");
        assert_eq!(carry_out(&mut plan, H(12).plus(MINUTE)), [HourTask::Grade(H(11))]);
    }

    #[test]
    fn an_hour_with_a_break_is_given_up_and_the_next_whole_one_counts() {
        let mut plan = HourPlan::new(H(0), []);
        plan.receive(true, H(0));
        assert_eq!(carry_out(&mut plan, H(0)), [HourTask::Freeze(H(0))]);
        plan.receive(false, H(0).plus(20 * MINUTE));
        assert_eq!(carry_out(&mut plan, H(1)), [], "nothing is frozen while nothing is received");
        plan.receive(true, H(1).plus(5 * MINUTE));
        let all = carry_out(&mut plan, H(2).plus(MINUTE));
        assert_eq!(all, [HourTask::GiveUp(H(0)), HourTask::Freeze(H(2))]);
    }

    #[test]
    fn an_hour_frozen_before_a_restart_counts_only_where_nothing_was_missed() {
        let restart = H(5).plus(10 * MINUTE);
        let mut live = HourPlan::new(restart, [H(5)]);
        live.receive(true, restart);
        assert_eq!(carry_out(&mut live, H(6).plus(MINUTE)), [HourTask::GiveUp(H(5)), HourTask::Freeze(H(6))]);
        let mut replayed = HourPlan::new(restart, [H(5)]);
        replayed.receive_all();
        assert_eq!(
            carry_out(&mut replayed, H(6).plus(MINUTE)),
            [HourTask::Grade(H(5)), HourTask::Freeze(H(6))]
        );
    }

    proptest! {
        /// Whatever breaks: a graded hour was frozen before, was received whole, and no hour is decided twice.
        #[test]
        fn only_whole_hours_are_graded(
            steps in prop::collection::vec((1i64..50, prop::bool::weighted(0.9)), 1..200),
        ) {
            let mut plan = HourPlan::new(H(0).plus(7 * MINUTE), []);
            let (mut now, mut breaks) = (H(0).plus(7 * MINUTE), Vec::new());
            let mut began = None;
            let (mut frozen, mut decided) = (BTreeSet::new(), BTreeSet::new());
            for (minutes, is_receiving) in steps {
                now = now.plus(minutes * MINUTE);
                plan.receive(is_receiving, now);
                if is_receiving {
                    began.get_or_insert(now);
                } else {
                    breaks.push(now);
                }
                for task in carry_out(&mut plan, now) {
                    match task {
                        HourTask::Freeze(hour) => {
                            prop_assert!(hour <= now && frozen.insert(hour));
                            prop_assert!(began.is_some_and(|began| began <= hour));
                        }
                        HourTask::Grade(hour) => {
                            prop_assert!(frozen.contains(&hour) && decided.insert(hour));
                            prop_assert!(now >= hour.plus(HOUR_MS));
                            prop_assert!(!breaks.iter().any(|at| *at >= hour && *at < hour.plus(HOUR_MS)));
                        }
                        HourTask::GiveUp(hour) => prop_assert!(frozen.contains(&hour) && decided.insert(hour)),
                    }
                }
            }
        }
    }
}
