//! Time of the live boundary. The wall clock in service; in tests a clock that runs faster, so that a day of
//! market passes in seconds and every timing shrinks with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use liqheat_market::UnixMs;
use tokio::time::Instant;

/// A clock and its speed. The wall clock is read anew each time, for it may be set right while we run; waiting
/// is measured by a clock that never jumps.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Option<UnixMs>,
    began: Instant,
    speed: f64,
}

impl Clock {
    /// The wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self { start: None, began: Instant::now(), speed: 1.0 }
    }

    /// A clock that shows `start` now and runs `speed` market seconds a second.
    #[must_use]
    pub fn compressed(start: UnixMs, speed: f64) -> Self {
        Self { start: Some(start), began: Instant::now(), speed: speed.max(1e-3) }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        let Some(start) = self.start else {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            return UnixMs(since.as_millis() as i64);
        };
        start.plus((self.began.elapsed().as_secs_f64() * 1_000.0 * self.speed) as i64)
    }

    /// How long a stretch of market time takes here.
    #[must_use]
    pub fn real(&self, market: Duration) -> Duration {
        market.div_f64(self.speed)
    }
}
