//! Which account is looked at next.
//!
//! Every account has an interval, by how near its nearest level is. Where the venue's budget does not suffice for all, all
//! intervals stretch alike: the account that is late by the largest part of its interval is next.

use std::collections::{BTreeMap, BTreeSet};

use liqheat_market::UnixMs;
use liqheat_market::convert::approx_f64;

use crate::Address;

/// Time between two looks at an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookInterval {
    /// A level nearer than 5 % of the price, or a trade since the last look.
    Minute,
    /// Nearer than 10 %.
    FiveMinutes,
    /// Nearer than 20 %.
    FifteenMinutes,
    /// Farther, or positions without a level.
    Hour,
    /// No position.
    Day,
}

impl LookInterval {
    /// All, shortest first.
    pub const ALL: [Self; 5] = [Self::Minute, Self::FiveMinutes, Self::FifteenMinutes, Self::Hour, Self::Day];

    /// Its length, ms.
    #[must_use]
    pub const fn ms(self) -> i64 {
        const MINUTE_MS: i64 = 60_000;
        match self {
            Self::Minute => MINUTE_MS,
            Self::FiveMinutes => 5 * MINUTE_MS,
            Self::FifteenMinutes => 15 * MINUTE_MS,
            Self::Hour => 60 * MINUTE_MS,
            Self::Day => 24 * 60 * MINUTE_MS,
        }
    }

    /// The interval of this length; `None` for a length that no interval has.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.ms() == ms)
    }

    /// For an account with positions whose nearest level is at this distance, a share of the price; `None` without a level.
    #[must_use]
    pub fn for_distance(nearest: Option<f64>) -> Self {
        match nearest {
            Some(distance) if distance < 0.05 => Self::Minute,
            Some(distance) if distance < 0.1 => Self::FiveMinutes,
            Some(distance) if distance < 0.2 => Self::FifteenMinutes,
            _ => Self::Hour,
        }
    }
}

/// When each account is looked at.
#[derive(Debug, Default)]
pub struct LookSchedule {
    by_address: BTreeMap<Address, PlannedLook>,
    /// Accounts that wait, by interval and then by when they are due.
    waiting: BTreeMap<LookInterval, BTreeSet<(UnixMs, Address)>>,
}

#[derive(Debug, Clone, Copy)]
struct PlannedLook {
    interval: LookInterval,
    due: UnixMs,
    /// The last look; `None` before the first.
    looked: Option<UnixMs>,
    /// Not before this moment, because the last attempt failed.
    not_before: Option<UnixMs>,
    is_running: bool,
    /// A trade came while a look was running: it may show the account before the trade.
    is_stale: bool,
}

impl LookSchedule {
    /// An account is looked at, with this interval: at once, or where it was looked at before, an interval after that.
    /// Nothing happens where it is known.
    pub fn add(&mut self, address: Address, interval: LookInterval, looked: Option<UnixMs>, now: UnixMs) {
        if self.by_address.contains_key(&address) {
            return;
        }
        let due = looked.map_or(now, |looked| looked.plus(interval.ms()));
        self.plan(
            address,
            PlannedLook { interval, due, looked, not_before: None, is_running: false, is_stale: false },
        );
    }

    /// Removes an account.
    pub fn remove(&mut self, address: &Address) {
        if let Some(planned) = self.by_address.remove(address) {
            self.unplan(*address, planned);
        }
    }

    /// An account may have changed: it is looked at within this interval from the last look, at once where that is over, but
    /// never sooner than a minute after a failure.
    pub fn hasten(&mut self, address: Address, interval: LookInterval, now: UnixMs) {
        let Some(planned) = self.by_address.get(&address).copied() else { return };
        if planned.is_running {
            self.by_address.insert(address, PlannedLook { is_stale: true, ..planned });
            return;
        }
        let due = planned.looked.map_or(now, |looked| looked.plus(interval.ms()));
        let due = planned.not_before.map_or(due, |moment| due.max(moment));
        if interval < planned.interval || due < planned.due {
            self.unplan(address, planned);
            let interval = interval.min(planned.interval);
            self.plan(address, PlannedLook { interval, due: due.min(planned.due), ..planned });
        }
    }

    /// The account to look at now: of those that are due, that which is late by the largest part of its interval. It is
    /// given out once, until [`LookSchedule::on_look`] or [`LookSchedule::on_failure`].
    pub fn next(&mut self, now: UnixMs) -> Option<Address> {
        let late =
            |interval: LookInterval, due: UnixMs| approx_f64(now.since(due)) / approx_f64(interval.ms());
        let firsts = self.waiting.iter().filter_map(|(interval, waiting)| {
            waiting
                .first()
                .filter(|(due, _)| *due <= now)
                .map(|(due, address)| (late(*interval, *due), *address))
        });
        let (_, address) = firsts.max_by(|a, b| a.0.total_cmp(&b.0))?;
        let planned = self.by_address.get(&address).copied()?;
        self.unplan(address, planned);
        self.by_address.insert(address, PlannedLook { is_running: true, ..planned });
        Some(address)
    }

    /// When the next account is due; `None` where none waits.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMs> {
        self.waiting.values().filter_map(|waiting| waiting.first().map(|(due, _)| *due)).min()
    }

    /// A look brought the account; the next one is an interval later.
    pub fn on_look(&mut self, address: Address, interval: LookInterval, now: UnixMs) {
        let Some(planned) = self.by_address.get(&address).copied() else { return };
        let interval = if planned.is_stale { LookInterval::Minute } else { interval };
        let due = now.plus(interval.ms());
        self.plan(
            address,
            PlannedLook {
                interval,
                due,
                looked: Some(now),
                not_before: None,
                is_running: false,
                is_stale: false,
            },
        );
    }

    /// A look failed: it is repeated in a minute.
    pub fn on_failure(&mut self, address: Address, now: UnixMs) {
        let Some(planned) = self.by_address.get(&address).copied() else { return };
        let due = now.plus(LookInterval::Minute.ms());
        self.plan(address, PlannedLook { due, not_before: Some(due), is_running: false, ..planned });
    }

    /// How many accounts are due and wait.
    #[must_use]
    pub fn late(&self, now: UnixMs) -> usize {
        let due =
            |waiting: &BTreeSet<(UnixMs, Address)>| waiting.iter().take_while(|(due, _)| *due <= now).count();
        self.waiting.values().map(due).sum()
    }

    /// How many accounts wait, by interval, shortest first.
    pub fn waiting_by_interval(&self) -> impl Iterator<Item = (LookInterval, usize)> + '_ {
        let waiting = |interval: LookInterval| self.waiting.get(&interval).map_or(0, BTreeSet::len);
        LookInterval::ALL.into_iter().map(move |interval| (interval, waiting(interval)))
    }

    fn plan(&mut self, address: Address, planned: PlannedLook) {
        self.by_address.insert(address, planned);
        self.waiting.entry(planned.interval).or_default().insert((planned.due, address));
    }

    fn unplan(&mut self, address: Address, planned: PlannedLook) {
        if let Some(waiting) = self.waiting.get_mut(&planned.interval) {
            waiting.remove(&(planned.due, address));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(number: u16) -> Address {
        let mut bytes = [0; 20];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        Address::new(bytes)
    }

    #[test]
    fn intervals_are_by_distance() {
        let of = LookInterval::for_distance;
        assert_eq!([of(Some(0.0)), of(Some(0.049))], [LookInterval::Minute; 2]);
        assert_eq!(
            (of(Some(0.05)), of(Some(0.1))),
            (LookInterval::FiveMinutes, LookInterval::FifteenMinutes)
        );
        assert_eq!([of(Some(0.2)), of(None)], [LookInterval::Hour; 2]);
        assert!(LookInterval::ALL.iter().all(|one| LookInterval::from_ms(one.ms()) == Some(*one)));
        assert_eq!(LookInterval::from_ms(7), None);
    }

    #[test]
    fn a_trade_brings_the_next_look_to_a_minute_after_the_last() {
        let minute = |minutes: i64| UnixMs(minutes * 60_000);
        let mut schedule = LookSchedule::default();
        schedule.add(address(1), LookInterval::Hour, None, minute(0));
        assert_eq!(schedule.next(minute(0)), Some(address(1)));
        assert_eq!(schedule.next(minute(0)), None, "given out once");
        schedule.on_look(address(1), LookInterval::Hour, minute(0));
        assert_eq!(schedule.next_due(), Some(minute(60)));
        schedule.hasten(address(1), LookInterval::Minute, minute(10));
        assert_eq!(schedule.next(minute(10)), Some(address(1)));
        schedule.hasten(address(1), LookInterval::Minute, minute(10));
        schedule.on_look(address(1), LookInterval::Hour, minute(10));
        assert_eq!(schedule.next_due(), Some(minute(11)), "it traded while the look was running");
        assert_eq!(schedule.next(minute(11)), Some(address(1)));
        schedule.on_failure(address(1), minute(11));
        assert_eq!(schedule.next_due(), Some(minute(12)));
        schedule.hasten(address(1), LookInterval::Minute, minute(11));
        assert_eq!(
            schedule.next_due(),
            Some(minute(12)),
            "a trade does not shorten the pause after a failure"
        );
        schedule.remove(&address(1));
        assert_eq!((schedule.next_due(), schedule.next(minute(99))), (None, None));
    }

    #[test]
    fn too_little_budget_stretches_all_intervals_alike() {
        let mut schedule = LookSchedule::default();
        for number in 0..1_000 {
            let interval = if number < 100 { LookInterval::Minute } else { LookInterval::Hour };
            schedule.add(address(number), interval, Some(UnixMs(0)), UnixMs(0));
        }
        // 115 looks a minute would do for all (100 + 900 / 60): half of them are there.
        let mut looks = [0_u32; 2];
        for minute in 1..=48 * 60 {
            for second in 0..57 {
                let now = UnixMs(minute * 60_000 + second * 1_000);
                let Some(found) = schedule.next(now) else { continue };
                let is_near = found < address(100);
                looks[usize::from(!is_near)] += 1;
                schedule.on_look(found, if is_near { LookInterval::Minute } else { LookInterval::Hour }, now);
            }
        }
        let (near, far) = (f64::from(looks[0]) / 100.0, f64::from(looks[1]) / 900.0);
        let (near, far) = (48.0 * 60.0 / near, 48.0 * 60.0 / far);
        assert!((1.8..2.3).contains(&near), "every {near} minutes in place of one");
        assert!((108.0..138.0).contains(&far), "every {far} minutes in place of sixty");
    }

    proptest! {
        /// Whatever happens to the accounts: none is given out twice at once, and none is forgotten.
        #[test]
        fn every_account_is_looked_at_again(steps in prop::collection::vec((0_u16..6, 0_u8..6, 0_i64..400_000), 1..300)) {
            let mut schedule = LookSchedule::default();
            let (mut now, mut running, mut known) = (UnixMs(0), BTreeSet::new(), BTreeSet::new());
            for (number, action, step) in steps {
                now = now.plus(step);
                let one = address(number);
                match action {
                    0 => {
                        schedule.add(one, LookInterval::Hour, None, now);
                        known.insert(one);
                    }
                    1 => schedule.hasten(one, LookInterval::Minute, now),
                    2 if running.remove(&one) => schedule.on_look(one, LookInterval::Day, now),
                    3 if running.remove(&one) => schedule.on_failure(one, now),
                    4 if !running.contains(&one) => {
                        schedule.remove(&one);
                        known.remove(&one);
                    }
                    _ => {
                        if let Some(next) = schedule.next(now) {
                            prop_assert!(known.contains(&next) && running.insert(next), "given out twice");
                        }
                    }
                }
                let waiting: usize = schedule.waiting.values().map(BTreeSet::len).sum();
                prop_assert_eq!(waiting + running.len(), known.len());
            }
        }
    }
}
