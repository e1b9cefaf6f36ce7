//! The clocks of live ingestion.
//!
//! Three times are kept apart. *Local time* is the wall clock of this machine, which may be wrong and may be stepped
//! while the process runs. *Uptime* counts on from the start and never jumps; every timer uses it. *Market time* follows
//! the clocks of the venues where they are known and local time is wrong by more than a measurement can be.
//!
//! In tests time is compressed: market time passes faster than real time, and every timer shrinks with it.

#![expect(clippy::disallowed_methods, reason = "the clock that the feeds take as a parameter")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use liqheat_market::UnixMs;
use liqheat_market::convert::{signed_ms, trunc_i64};
use tokio::time::Instant;

/// Market milliseconds since the clock was made; never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Uptime(pub i64);

impl Uptime {
    pub(super) const fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(signed_ms(time)))
    }

    /// Milliseconds since an earlier moment; negative when it is later.
    pub(super) const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether a timer that began at `self` has run for `time` by `now`.
    pub(super) const fn has_elapsed(self, time: Duration, now: Self) -> bool {
        now.since(self) >= signed_ms(time)
    }
}

/// Both clocks of this machine read at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// Local time.
    pub local: UnixMs,
    /// Uptime.
    pub uptime: Uptime,
}

/// The clocks of this machine and the market time that all clones share.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Local time at uptime 0 when time is compressed; `None` reads the wall clock.
    start: Option<UnixMs>,
    began: Instant,
    speed: f64,
    /// Market time minus uptime, or [`Clock::FOLLOWS_LOCAL`].
    market_offset_ms: Arc<AtomicI64>,
}

impl Clock {
    const FOLLOWS_LOCAL: i64 = i64::MIN;

    /// The wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self::new(None, 1.0)
    }

    /// A clock whose local time is `start` now and passes at `speed` market seconds a second.
    #[must_use]
    pub fn compressed(start: UnixMs, speed: f64) -> Self {
        Self::new(Some(start), speed.max(1e-3))
    }

    fn new(start: Option<UnixMs>, speed: f64) -> Self {
        let market_offset_ms = Arc::new(AtomicI64::new(Self::FOLLOWS_LOCAL));
        Self { start, began: Instant::now(), speed, market_offset_ms }
    }

    /// Local time.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.read().local
    }

    /// Uptime.
    #[must_use]
    pub fn uptime(&self) -> Uptime {
        Uptime(trunc_i64(self.began.elapsed().as_secs_f64() * 1_000.0 * self.speed))
    }

    /// Local time and uptime.
    #[must_use]
    pub fn read(&self) -> ClockReading {
        let uptime = self.uptime();
        let local = self.start.map_or_else(wall_now, |start| start.plus(uptime.0));
        ClockReading { local, uptime }
    }

    /// Market time: that of the venues while [`Clock::follow`] names one, else local time.
    #[must_use]
    pub fn market_now(&self) -> UnixMs {
        let reading = self.read();
        match self.market_offset_ms.load(Ordering::Relaxed) {
            Self::FOLLOWS_LOCAL => reading.local,
            offset => UnixMs(reading.uptime.0.saturating_add(offset)),
        }
    }

    /// Lets the market time of all clones follow a clock that runs `offset_ms` ahead of uptime; `None` for local time.
    pub(super) fn follow(&self, offset_ms: Option<i64>) {
        self.market_offset_ms.store(offset_ms.unwrap_or(Self::FOLLOWS_LOCAL), Ordering::Relaxed);
    }

    /// Real time that a stretch of market time takes.
    #[must_use]
    pub fn real(&self, market: Duration) -> Duration {
        market.div_f64(self.speed)
    }

    /// The instant at which uptime reaches a value, for timers of the runtime.
    pub(super) fn instant(&self, uptime: Uptime) -> Instant {
        let real = self.real(Duration::from_millis(uptime.0.max(0).unsigned_abs()));
        // A timer that nobody lives to see is as good as one in thirty years.
        const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
        // Rounded up, so that the uptime is reached when the timer fires.
        self.began + real.min(FAR) + Duration::from_micros(1)
    }
}

fn wall_now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(signed_ms(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn market_time_of_all_clones_follows_the_venues_while_told_so() {
        let start = UnixMs(1_763_942_400_000);
        let clock = Clock::compressed(start, 1e-3);
        let clone = clock.clone();
        assert!(clone.market_now().since(start) < 1_000);
        clock.follow(Some(start.0 + 7_200_000));
        assert!((7_200_000..7_201_000).contains(&clone.market_now().since(start)));
        clock.follow(None);
        assert!(clone.market_now().since(start) < 1_000);
    }

    #[test]
    fn an_instant_is_not_before_its_uptime() {
        let clock = Clock::compressed(UnixMs(0), 7.0);
        let at = clock.instant(Uptime(100_003));
        let elapsed = at.duration_since(clock.began).as_secs_f64() * 1_000.0 * 7.0;
        assert!(elapsed as i64 >= 100_003);
    }
}
