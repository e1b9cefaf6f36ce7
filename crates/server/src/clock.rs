//! The market clock: up to which moment of market time data may be seen.
//!
//! Everything that reads the store reads up to this clock, so a replay of stored data is the same server with
//! a clock that runs through the past.

#![expect(clippy::disallowed_methods, reason = "the clocks that everything else takes as a parameter")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use liqheat_market::UnixMs;
use liqheat_market::convert::{signed_ms, trunc_i64};

/// Where market time comes from.
#[derive(Debug)]
pub enum MarketClock {
    /// The wall clock: a file served as it stands.
    Wall,
    /// The clock of live sources: the wall clock, or the venues' clocks where the wall clock is wrong, unless time is
    /// compressed for a trial.
    Live(liqheat_feeds::live::Clock),
    /// A stretch of stored market time played at a speed.
    Played(PlayedClock),
    /// As far as a feed has appended everything: the simulated market.
    Fed(AtomicI64),
}

impl MarketClock {
    /// The wall clock's time.
    #[must_use]
    pub fn wall_now() -> UnixMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMs(signed_ms(since))
    }

    /// A clock that a feed moves on with [`MarketClock::fed_until`].
    #[must_use]
    pub const fn fed(start: UnixMs) -> Self {
        Self::Fed(AtomicI64::new(start.0))
    }

    /// Market time now. It goes back only when the wall clock does, or turns out to be fast.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        match self {
            Self::Wall => Self::wall_now(),
            Self::Live(clock) => clock.market_now(),
            Self::Played(played) => played.at(Instant::now()),
            Self::Fed(until) => UnixMs(until.load(Ordering::Acquire)),
        }
    }

    /// Everything up to this moment is in the store.
    pub fn fed_until(&self, until: UnixMs) {
        if let Self::Fed(now) = self {
            now.fetch_max(until.0, Ordering::Release);
        }
    }

    /// Whether this is not the present market.
    #[must_use]
    pub const fn is_replay(&self) -> bool {
        !matches!(self, Self::Wall | Self::Live(_))
    }
}

/// A stretch of market time played from an instant on.
#[derive(Debug, Clone, Copy)]
pub struct PlayedClock {
    from: UnixMs,
    to: UnixMs,
    speed: f64,
    began: Instant,
}

impl PlayedClock {
    /// Plays `from..to` at `speed` market seconds a second, beginning at `began`.
    #[must_use]
    pub const fn new(from: UnixMs, to: UnixMs, speed: f64, began: Instant) -> Self {
        Self { from, to, speed, began }
    }

    fn at(&self, instant: Instant) -> UnixMs {
        let played = played_ms(instant.saturating_duration_since(self.began), self.speed);
        self.from.plus(played).min(self.to)
    }
}

/// Market milliseconds in a stretch of real time.
#[must_use]
pub(crate) fn played_ms(elapsed: Duration, speed: f64) -> i64 {
    // A float holds these numbers exactly for longer than any process runs; the cast saturates.
    trunc_i64(elapsed.as_secs_f64() * 1_000.0 * speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_played_clock_runs_and_stops_at_the_end() {
        let began = Instant::now();
        let clock = PlayedClock::new(UnixMs(1_000), UnixMs(700_000), 600.0, began);
        assert_eq!(clock.at(began), UnixMs(1_000));
        assert_eq!(clock.at(began + Duration::from_millis(500)), UnixMs(301_000));
        assert_eq!(clock.at(began + Duration::from_secs(10)), UnixMs(700_000));
    }

    #[test]
    fn a_fed_clock_never_goes_back() {
        let clock = MarketClock::fed(UnixMs(5));
        clock.fed_until(UnixMs(9));
        clock.fed_until(UnixMs(7));
        assert_eq!(clock.now(), UnixMs(9));
        assert!(clock.is_replay() && !MarketClock::Wall.is_replay());
    }
}
