//! Time of the live boundary. The wall clock in service; in tests a clock that runs faster, so that a day of
//! market passes in seconds and every timing shrinks with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use liqheat_market::UnixMs;
use tokio::time::Instant;

/// A clock and its speed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: UnixMs,
    began: Instant,
    speed: f64,
}

impl Clock {
    /// The wall clock as it was when this was made, moved on by a clock that never jumps.
    #[must_use]
    pub fn wall() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::compressed(UnixMs(since.as_millis() as i64), 1.0)
    }

    /// A clock that shows `start` now and runs `speed` market seconds a second.
    #[must_use]
    pub fn compressed(start: UnixMs, speed: f64) -> Self {
        Self { start, began: Instant::now(), speed: speed.max(1e-3) }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.at(Instant::now())
    }

    /// The market time of an instant.
    #[must_use]
    pub fn at(&self, instant: Instant) -> UnixMs {
        let elapsed = instant.saturating_duration_since(self.began).as_secs_f64();
        self.start.plus((elapsed * 1_000.0 * self.speed) as i64)
    }

    /// How long a stretch of market time takes here.
    #[must_use]
    pub fn real(&self, market: Duration) -> Duration {
        market.div_f64(self.speed)
    }
}
