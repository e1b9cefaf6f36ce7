//! How many requests a venue may be sent: a weight a minute, limits on the number of some, and pauses that the
//! venue asks for. Pure arithmetic on market time.

use std::collections::{BTreeMap, VecDeque};

use liqheat_market::UnixMs;

use crate::venues::{RateLimit, Request};

const MINUTE_MS: i64 = 60_000;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// What is now.
    Present,
    /// What was missed.
    Past,
}

/// What was used lately.
#[derive(Debug)]
pub(super) struct Budget {
    /// Weight a minute that we allow ourselves.
    allowed: u32,
    /// The minute that is counted, and what it used: ours, or the venue's count where that is more.
    minute: i64,
    used: u32,
    pools: BTreeMap<&'static str, VecDeque<i64>>,
    share: f64,
    banned_until: Option<UnixMs>,
}

impl Budget {
    pub(super) fn new(weight_per_minute: u32, share: f64) -> Self {
        let share = share.clamp(0.01, 1.0);
        let allowed = ((f64::from(weight_per_minute) * share) as u32).max(1);
        Self { allowed, minute: 0, used: 0, pools: BTreeMap::new(), share, banned_until: None }
    }

    /// Takes what a request needs; or says when to ask again. The past may use no more than its part of a minute, so
    /// that the present never waits for it.
    pub(super) fn take(&mut self, request: &Request, of: Of, now: UnixMs) -> Result<(), UnixMs> {
        if let Some(until) = self.banned_until {
            if now < until {
                return Err(until);
            }
            self.banned_until = None;
        }
        self.turn(now);
        // A request that is larger than everything allowed must not wait for ever.
        let allowed = match of {
            Of::Present => self.allowed,
            Of::Past => self.allowed / 2,
        };
        if self.used > 0 && self.used.saturating_add(request.weight) > allowed {
            return Err(UnixMs((self.minute + 1) * MINUTE_MS));
        }
        if let Some(pool) = request.rate_limit {
            self.take_of(pool, now)?;
        }
        self.used = self.used.saturating_add(request.weight);
        Ok(())
    }

    fn take_of(&mut self, pool: RateLimit, now: UnixMs) -> Result<(), UnixMs> {
        let per_ms = pool.per.as_millis() as i64;
        let sent = self.pools.entry(pool.name).or_default();
        while sent.front().is_some_and(|&at| at + per_ms <= now.0) {
            sent.pop_front();
        }
        let allowed = ((f64::from(pool.requests) * self.share) as usize).max(1);
        match sent.front() {
            Some(&oldest) if sent.len() >= allowed => Err(UnixMs(oldest + per_ms)),
            _ => {
                sent.push_back(now.0);
                Ok(())
            }
        }
    }

    /// The venue's own count of the running minute. Others behind the same address count too.
    pub(super) fn told(&mut self, used: u32, now: UnixMs) {
        self.turn(now);
        self.used = self.used.max(used);
    }

    /// No request for a while.
    pub(super) fn pause(&mut self, until: UnixMs) {
        self.banned_until = self.banned_until.max(Some(until));
    }

    /// Weight used in the running minute.
    pub(super) fn used(&mut self, now: UnixMs) -> u32 {
        self.turn(now);
        self.used
    }

    /// The end of the pause the venue asked for.
    pub(super) fn banned_until(&self, now: UnixMs) -> Option<UnixMs> {
        self.banned_until.filter(|&until| until > now)
    }

    fn turn(&mut self, now: UnixMs) {
        let minute = now.0.div_euclid(MINUTE_MS);
        if minute != self.minute {
            (self.minute, self.used) = (minute, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn of(weight: u32, rate_limit: Option<RateLimit>) -> Request {
        Request { path: String::new(), body: None, weight, rate_limit }
    }

    #[test]
    fn a_minute_has_so_much_weight() {
        let mut budget = Budget::new(100, 0.5);
        for _ in 0..5 {
            assert_eq!(budget.take(&of(10, None), Of::Present, UnixMs(1_000)), Ok(()));
        }
        assert_eq!(budget.take(&of(1, None), Of::Present, UnixMs(59_000)), Err(UnixMs(60_000)));
        assert_eq!(
            budget.take(&of(400, None), Of::Present, UnixMs(60_000)),
            Ok(()),
            "too large for any minute"
        );
        assert_eq!(budget.used(UnixMs(61_000)), 400);
        assert_eq!(budget.used(UnixMs(120_000)), 0);
    }

    #[test]
    fn the_past_leaves_half_to_the_present() {
        let mut budget = Budget::new(100, 1.0);
        assert_eq!(budget.take(&of(45, None), Of::Past, UnixMs(0)), Ok(()));
        assert_eq!(budget.take(&of(10, None), Of::Past, UnixMs(1)), Err(UnixMs(60_000)));
        assert_eq!(budget.take(&of(50, None), Of::Present, UnixMs(2)), Ok(()));
    }

    #[test]
    fn what_the_venue_counts_counts() {
        let mut budget = Budget::new(100, 1.0);
        budget.told(95, UnixMs(0));
        assert_eq!(budget.take(&of(10, None), Of::Present, UnixMs(1)), Err(UnixMs(60_000)));
        assert_eq!(budget.take(&of(5, None), Of::Present, UnixMs(1)), Ok(()));
    }

    #[test]
    fn pools_slide() {
        let pool = RateLimit { name: "statistics", requests: 4, per: Duration::from_secs(300) };
        let mut budget = Budget::new(100, 0.5);
        assert_eq!(budget.take(&of(0, Some(pool)), Of::Present, UnixMs(0)), Ok(()));
        assert_eq!(budget.take(&of(0, Some(pool)), Of::Present, UnixMs(10_000)), Ok(()));
        assert_eq!(budget.take(&of(0, Some(pool)), Of::Present, UnixMs(20_000)), Err(UnixMs(300_000)));
        assert_eq!(budget.take(&of(0, Some(pool)), Of::Present, UnixMs(300_000)), Ok(()));
        assert_eq!(budget.take(&of(0, Some(pool)), Of::Present, UnixMs(300_001)), Err(UnixMs(310_000)));
    }

    #[test]
    fn a_pause_is_kept_to_its_end() {
        let mut budget = Budget::new(100, 1.0);
        budget.pause(UnixMs(5_000));
        budget.pause(UnixMs(3_000));
        assert_eq!(budget.take(&of(1, None), Of::Present, UnixMs(4_999)), Err(UnixMs(5_000)));
        assert_eq!(budget.banned_until(UnixMs(4_999)), Some(UnixMs(5_000)));
        assert_eq!(budget.take(&of(1, None), Of::Present, UnixMs(5_000)), Ok(()));
        assert_eq!(budget.banned_until(UnixMs(5_000)), None);
    }
}
