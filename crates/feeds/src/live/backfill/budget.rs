//! How many requests a venue may be sent: a weight a minute, a number for some endpoints, and pauses that the venue asks
//! for. Pure arithmetic on venue time.

use std::collections::BTreeMap;

use liqheat_market::UnixMs;
use liqheat_market::convert::{signed_ms, trunc_u32, trunc_usize};

use crate::live::sliding_window::SlidingWindow;
use crate::venues::{PauseScope, RateLimit, Request};

const MINUTE_MS: i64 = 60_000;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::live) enum Priority {
    /// The present: polls, and klines that have just ended.
    Live,
    /// The past. It may use half of every limit that accounts leave, so that the present never waits for it.
    Backfill,
    /// Positions of accounts, within a share of their own.
    Accounts,
}

/// What was used lately.
#[derive(Debug)]
pub(in crate::live) struct Budget {
    /// Share of every limit that is used.
    share: f64,
    /// Weight a minute.
    weight_max: u32,
    /// The running minute since the epoch, and its weight: ours, or the venue's count where that is more.
    minute: i64,
    weight: u32,
    /// Weight a minute for accounts, and what they used in the running one.
    accounts_max: u32,
    accounts_weight: u32,
    weight_per_minute: u32,
    endpoints: BTreeMap<&'static str, Endpoint>,
    /// No request at all during this pause.
    pause: Option<Pause>,
}

/// A group of requests that is counted together.
#[derive(Debug, Default)]
struct Endpoint {
    /// Requests within the last stretch.
    sent: SlidingWindow<Priority>,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    began: UnixMs,
    until: UnixMs,
}

impl Pause {
    /// The end, while it lasts. A clock that was set back does not prolong it.
    fn end(self, now: UnixMs) -> Option<UnixMs> {
        (self.began <= now && now < self.until).then_some(self.until)
    }
}

impl Budget {
    pub(in crate::live) fn new(weight_per_minute: u32, share: f64) -> Self {
        let share = share.clamp(0.01, 1.0);
        let weight_max = trunc_u32(f64::from(weight_per_minute) * share).max(1);
        Self {
            share,
            weight_max,
            minute: 0,
            weight: 0,
            accounts_max: 0,
            accounts_weight: 0,
            weight_per_minute,
            endpoints: BTreeMap::new(),
            pause: None,
        }
    }

    /// With a share of the venue's whole limit for accounts; never more than all requests may use.
    pub(in crate::live) fn with_accounts(self, share: f64) -> Self {
        let most = trunc_u32(f64::from(self.weight_per_minute) * share.clamp(0.0, 1.0));
        Self { accounts_max: most.min(self.weight_max), ..self }
    }

    /// Takes what a request needs, or says when to ask again.
    pub(in crate::live) fn take(
        &mut self,
        request: &Request,
        priority: Priority,
        now: UnixMs,
    ) -> Result<(), UnixMs> {
        if let Some(until) = self.pause.and_then(|pause| pause.end(now)) {
            return Err(until);
        }
        self.turn(now);
        let next_minute = UnixMs((self.minute + 1) * MINUTE_MS);
        let others = self.weight.saturating_sub(self.accounts_weight);
        let (used, allowed) = match priority {
            Priority::Live => (self.weight, self.weight_max),
            Priority::Backfill => (others, (self.weight_max - self.accounts_max) / 2),
            Priority::Accounts => (self.accounts_weight, self.accounts_max),
        };
        let exceeds = |used: u32, allowed: u32| used > 0 && used.saturating_add(request.weight) > allowed;
        // A request that is larger than everything allowed must not wait for ever.
        if exceeds(used, allowed) || exceeds(self.weight, self.weight_max) {
            return Err(next_minute);
        }
        if priority == Priority::Accounts {
            let spaced = self.spaced(request.weight);
            if now < spaced {
                return Err(spaced);
            }
        }
        if let Some(limit) = request.rate_limit {
            let allowed = trunc_usize(f64::from(limit.requests) * self.share).max(1);
            self.endpoints.entry(limit.name).or_default().take(limit, allowed, priority, now)?;
        }
        self.weight = self.weight.saturating_add(request.weight);
        if priority == Priority::Accounts {
            self.accounts_weight = self.accounts_weight.saturating_add(request.weight);
        }
        Ok(())
    }

    /// When accounts may use so much more of the running minute. Their share is spread over it: the venue's minutes may
    /// begin at another time, and two bursts around the end of one would fall into one of the venue's.
    fn spaced(&self, weight: u32) -> UnixMs {
        /// What may be used at the start of a minute.
        const AHEAD_MS: i64 = 10_000;
        let used = i64::from(self.accounts_weight.saturating_add(weight));
        UnixMs(self.minute * MINUTE_MS + used * MINUTE_MS / i64::from(self.accounts_max.max(1)) - AHEAD_MS)
    }

    /// The venue's own count of the running minute, which includes others behind the same address.
    pub(in crate::live) fn on_reported_weight(&mut self, used: u32, now: UnixMs) {
        self.turn(now);
        self.weight = self.weight.max(used);
    }

    /// The venue asked for a pause in answer to a request with this limit.
    pub(in crate::live) fn on_pause(
        &mut self,
        limit: Option<RateLimit>,
        scope: PauseScope,
        now: UnixMs,
        until: UnixMs,
    ) {
        let pause = match (scope, limit) {
            (PauseScope::Endpoint, Some(limit)) => &mut self.endpoints.entry(limit.name).or_default().pause,
            (PauseScope::Endpoint, None) | (PauseScope::Venue, _) => &mut self.pause,
        };
        if pause.and_then(|pause| pause.end(now)).is_none_or(|end| end < until) {
            *pause = Some(Pause { began: now, until });
        }
    }

    /// Weight used in the running minute.
    pub(in crate::live) fn used_weight(&mut self, now: UnixMs) -> u32 {
        self.turn(now);
        self.weight
    }

    /// Weight that accounts used in the running minute, and that a minute may have.
    pub(in crate::live) fn accounts(&mut self, now: UnixMs) -> (u32, u32) {
        self.turn(now);
        (self.accounts_weight, self.accounts_max)
    }

    /// The end of the pause that stops every request.
    pub(in crate::live) fn paused_until(&self, now: UnixMs) -> Option<UnixMs> {
        self.pause.and_then(|pause| pause.end(now))
    }

    fn turn(&mut self, now: UnixMs) {
        let minute = now.0.div_euclid(MINUTE_MS);
        if minute != self.minute {
            (self.minute, self.weight, self.accounts_weight) = (minute, 0, 0);
        }
    }
}

impl Endpoint {
    fn take(
        &mut self,
        limit: RateLimit,
        allowed: usize,
        priority: Priority,
        now: UnixMs,
    ) -> Result<(), UnixMs> {
        if let Some(until) = self.pause.and_then(|pause| pause.end(now)) {
            return Err(until);
        }
        let per_ms = signed_ms(limit.per);
        self.sent.advance(per_ms, now.0);
        if self.sent.count(|_| true) >= allowed {
            return Err(self.free_at(|_| true, per_ms, now));
        }
        let is_backfill = |sent: &Priority| *sent == Priority::Backfill;
        let share = (allowed / 2).max(1);
        if priority == Priority::Backfill && self.sent.count(is_backfill) >= share {
            return Err(self.free_at(is_backfill, per_ms, now));
        }
        self.sent.push(now.0, priority);
        Ok(())
    }

    /// When the oldest request of a kind counts no more.
    fn free_at(&self, counts: impl Fn(&Priority) -> bool, per_ms: i64, now: UnixMs) -> UnixMs {
        self.sent.next_free_ms(per_ms, counts).map_or(now.plus(per_ms), UnixMs)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn request(weight: u32, rate_limit: Option<RateLimit>) -> Request {
        Request { path: String::new(), body: None, weight, rate_limit }
    }

    fn candles() -> RateLimit {
        RateLimit { name: "candles", requests: 40, per: Duration::from_secs(2) }
    }

    #[test]
    fn the_weight_of_a_minute_is_bounded() {
        let mut budget = Budget::new(100, 0.5);
        for _ in 0..5 {
            assert_eq!(budget.take(&request(10, None), Priority::Live, UnixMs(1_000)), Ok(()));
        }
        let more = budget.take(&request(1, None), Priority::Live, UnixMs(59_000));
        assert_eq!(more, Err(UnixMs(60_000)));
        let large = budget.take(&request(400, None), Priority::Live, UnixMs(60_000));
        assert_eq!(large, Ok(()), "too large for any minute");
        assert_eq!(budget.used_weight(UnixMs(61_000)), 400);
        assert_eq!(budget.used_weight(UnixMs(120_000)), 0);
    }

    #[test]
    fn backfill_leaves_half_of_every_limit_to_the_present() {
        let mut budget = Budget::new(100, 1.0);
        assert_eq!(budget.take(&request(45, None), Priority::Backfill, UnixMs(0)), Ok(()));
        let more = budget.take(&request(10, None), Priority::Backfill, UnixMs(1));
        assert_eq!(more, Err(UnixMs(60_000)));
        assert_eq!(budget.take(&request(50, None), Priority::Live, UnixMs(2)), Ok(()));

        let mut budget = Budget::new(1_000, 1.0);
        let mut count = |priority| {
            (0..100)
                .filter(|_| budget.take(&request(1, Some(candles())), priority, UnixMs(7)).is_ok())
                .count()
        };
        assert_eq!(count(Priority::Backfill), 20);
        assert_eq!(count(Priority::Live), 20, "what backfill could not use");
    }

    #[test]
    fn accounts_have_a_share_of_their_own_and_the_present_has_room_beside_it() {
        let mut budget = Budget::new(1_200, 0.7).with_accounts(0.5);
        let mut count = |priority, weight| {
            (0..1_000)
                .filter(|_| budget.take(&request(weight, None), priority, UnixMs(59_999)).is_ok())
                .count()
        };
        assert_eq!(count(Priority::Accounts, 2), 300);
        assert_eq!(count(Priority::Backfill, 20), 6, "half of what accounts leave");
        assert_eq!(count(Priority::Live, 20), 6, "840 in all");
        assert_eq!(count(Priority::Accounts, 2), 0);
        assert_eq!(budget.accounts(UnixMs(59_999)), (600, 600));
        assert_eq!(budget.accounts(UnixMs(60_000)), (0, 600), "another minute");
        let mut budget = Budget::new(1_200, 0.3).with_accounts(0.5);
        let taken = (0..1_000)
            .filter(|_| budget.take(&request(2, None), Priority::Accounts, UnixMs(59_999)).is_ok())
            .count();
        assert_eq!(taken, 180, "never more than all requests may use");
        let mut budget = Budget::new(1_200, 0.7).with_accounts(0.5);
        let taken = (0..1_000)
            .filter(|_| budget.take(&request(2, None), Priority::Accounts, UnixMs(60_000)).is_ok())
            .count();
        assert_eq!(taken, 50, "spread over the minute");
        assert_eq!(budget.take(&request(2, None), Priority::Accounts, UnixMs(60_100)), Err(UnixMs(60_200)));
    }

    /// A day of 10,000 accounts under the schedule and the budget of the default settings, on a simulated clock.
    #[test]
    fn ten_thousand_accounts_stay_within_the_budget() {
        use liqheat_measured::{Address, LookInterval, LookSchedule};
        const ACCOUNTS: u32 = 10_000;
        let mut budget = Budget::new(1_200, 0.7).with_accounts(0.5);
        let mut schedule = LookSchedule::default();
        let address = |number: u32| {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            Address::new(bytes)
        };
        // Of a hundred: one nearer than 5 %, two than 10 %, five than 20 %, half farther, the rest empty.
        let interval = |number: u32| match number % 100 {
            0 => LookInterval::Minute,
            1..3 => LookInterval::FiveMinutes,
            3..8 => LookInterval::FifteenMinutes,
            8..58 => LookInterval::Hour,
            _ => LookInterval::Day,
        };
        let numbers: std::collections::HashMap<Address, u32> =
            (0..ACCOUNTS).map(|number| (address(number), number)).collect();
        (0..ACCOUNTS).for_each(|number| schedule.add(address(number), LookInterval::Hour, None, UnixMs(0)));
        let (mut looks, mut weights) = (BTreeMap::<u32, Vec<i64>>::new(), BTreeMap::<i64, u32>::new());
        // Eight looks a second and no more, as a connection allows.
        for tick in 0..(24 * 3_600 * 8) {
            let now = UnixMs(tick * 125);
            let is_due = schedule.next_due().is_some_and(|due| due <= now);
            if !is_due || budget.take(&request(2, None), Priority::Accounts, now).is_err() {
                continue;
            }
            let Some(found) = schedule.next(now) else { continue };
            *weights.entry(now.0 / MINUTE_MS).or_default() += 2;
            let number = numbers[&found];
            looks.entry(number).or_default().push(now.0);
            schedule.on_look(found, interval(number), now);
        }
        assert!(weights.values().all(|weight| *weight <= 600), "{:?}", weights.values().max());
        assert_eq!(looks.len(), numbers.len(), "every account was looked at");
        // After the first round of all accounts every interval is kept to within a quarter and a minute.
        let settled = 2 * 3_600_000;
        for (number, times) in &looks {
            let most = interval(*number).ms() * 5 / 4 + MINUTE_MS;
            let late = times.windows(2).filter(|pair| pair[0] >= settled && pair[1] - pair[0] > most).count();
            assert_eq!(late, 0, "account {number} of {:?}", interval(*number));
        }
    }

    #[test]
    fn the_venues_count_is_taken_when_it_is_higher() {
        let mut budget = Budget::new(100, 1.0);
        budget.on_reported_weight(95, UnixMs(0));
        let more = budget.take(&request(10, None), Priority::Live, UnixMs(1));
        assert_eq!(more, Err(UnixMs(60_000)));
        assert_eq!(budget.take(&request(5, None), Priority::Live, UnixMs(1)), Ok(()));
    }

    #[test]
    fn a_pause_of_an_endpoint_stops_no_other() {
        let mut budget = Budget::new(1_000, 1.0);
        let (now, until) = (UnixMs(1_000), UnixMs(3_000));
        budget.on_pause(Some(candles()), PauseScope::Endpoint, now, until);
        let history = RateLimit { name: "history-candles", requests: 20, per: Duration::from_secs(2) };
        assert_eq!(budget.take(&request(1, Some(candles())), Priority::Live, UnixMs(2_999)), Err(until));
        assert_eq!(budget.take(&request(1, Some(history)), Priority::Live, UnixMs(1_001)), Ok(()));
        assert_eq!(budget.take(&request(1, None), Priority::Live, UnixMs(1_001)), Ok(()));
        assert_eq!(budget.paused_until(UnixMs(1_001)), None);
        assert_eq!(budget.take(&request(1, Some(candles())), Priority::Live, until), Ok(()));
    }

    #[test]
    fn a_pause_of_the_venue_is_kept_to_its_end() {
        let mut budget = Budget::new(100, 1.0);
        budget.on_pause(None, PauseScope::Venue, UnixMs(0), UnixMs(5_000));
        budget.on_pause(Some(candles()), PauseScope::Venue, UnixMs(1), UnixMs(3_000));
        let refused = budget.take(&request(1, Some(candles())), Priority::Live, UnixMs(4_999));
        assert_eq!(refused, Err(UnixMs(5_000)));
        assert_eq!(budget.paused_until(UnixMs(4_999)), Some(UnixMs(5_000)));
        assert_eq!(budget.take(&request(1, None), Priority::Live, UnixMs(5_000)), Ok(()));
        assert_eq!(budget.paused_until(UnixMs(5_000)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut budget = Budget::new(1_000, 1.0);
        let later = UnixMs(7_200_000);
        for _ in 0..40 {
            let _ = budget.take(&request(1, Some(candles())), Priority::Live, later);
        }
        budget.on_pause(None, PauseScope::Venue, later, later.plus(60_000));
        assert_eq!(budget.take(&request(1, Some(candles())), Priority::Live, UnixMs(0)), Ok(()));
    }

    proptest! {
        #[test]
        fn no_stretch_has_more_requests_than_allowed(steps in proptest::collection::vec((0_i64..400, any::<bool>()), 1..300)) {
            let mut budget = Budget::new(u32::MAX, 1.0);
            let limit = RateLimit { name: "some", requests: 6, per: Duration::from_secs(2) };
            let (mut now, mut sent) = (0, Vec::new());
            for (step, is_live) in steps {
                now += step;
                let priority = if is_live { Priority::Live } else { Priority::Backfill };
                match budget.take(&request(0, Some(limit)), priority, UnixMs(now)) {
                    Ok(()) => sent.push((now, priority)),
                    Err(until) => prop_assert!(until.0 > now && until.0 <= now + 2_000),
                }
                let recent = || sent.iter().filter(|(at, _)| *at > now - 2_000);
                prop_assert!(recent().count() <= 6);
                prop_assert!(recent().filter(|(_, priority)| *priority == Priority::Backfill).count() <= 3);
            }
        }
    }
}
