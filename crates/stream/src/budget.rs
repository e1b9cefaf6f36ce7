//! How many messages a client may send: a bucket that fills at the allowed rate.
//!
//! A message that finds it empty is not acted on. A client that goes on regardless is not a busy client but a
//! broken one, and is closed.

use tokio::time::Instant;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is acted on.
    Fine,
    /// It is ignored, and the client gets an error.
    Refused,
    /// It is ignored; the client was told a moment ago.
    RefusedSilently,
    /// The connection ends.
    Flood,
}

#[derive(Debug)]
pub(crate) struct MessageBudget {
    per_second: f64,
    left: f64,
    filled: Instant,
    /// Refused since the bucket was last full.
    refused: f64,
    /// When the client last heard of a refusal.
    warned_at: Option<Instant>,
}

/// A continuation frame is no message, but not free either.
pub(crate) const FRAGMENT: f64 = 0.1;
pub(crate) const MESSAGE: f64 = 1.0;

impl MessageBudget {
    /// Seconds' worth of messages that may come at once: a page subscribes to several symbols when it opens.
    const BURST_S: f64 = 2.0;
    /// Seconds' worth of refused messages that end the connection.
    const PATIENCE_S: f64 = 5.0;

    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, left: per_second * Self::BURST_S, filled: now, refused: 0.0, warned_at: None }
    }

    /// Another rate from now on; what is in the bucket is at most what it holds at that rate.
    pub(crate) fn set_rate(&mut self, per_second: u32) {
        self.per_second = f64::from(per_second.max(1));
        self.left = self.left.min(self.per_second * Self::BURST_S);
    }

    /// Takes what a message or fragment costs.
    pub(crate) fn take(&mut self, cost: f64, now: Instant) -> Verdict {
        let full = self.per_second * Self::BURST_S;
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.left = full.min(self.left + gained);
        self.filled = now;
        if self.left >= full {
            self.refused = 0.0;
        }
        if self.left >= cost {
            self.left -= cost;
            return Verdict::Fine;
        }
        self.refused += cost;
        if self.refused > self.per_second * Self::PATIENCE_S {
            return Verdict::Flood;
        }
        let was_warned = self.warned_at.is_some_and(|at| now.saturating_duration_since(at).as_secs() < 1);
        if was_warned {
            return Verdict::RefusedSilently;
        }
        self.warned_at = Some(now);
        Verdict::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_fine_a_flood_is_not() {
        let start = Instant::now();
        let mut budget = MessageBudget::new(10, start);
        for _ in 0..20 {
            assert_eq!(budget.take(MESSAGE, start), Verdict::Fine);
        }
        assert_eq!(budget.take(MESSAGE, start), Verdict::Refused);
        assert_eq!(budget.take(MESSAGE, start), Verdict::RefusedSilently);
        let later = start + Duration::from_millis(100);
        assert_eq!(budget.take(MESSAGE, later), Verdict::Fine, "one more every tenth of a second");
        for _ in 0..48 {
            assert_eq!(budget.take(MESSAGE, later), Verdict::RefusedSilently);
        }
        assert_eq!(budget.take(MESSAGE, later), Verdict::Flood);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_a_second_go_on_for_ever() {
        let start = Instant::now();
        let mut budget = MessageBudget::new(10, start);
        for step in 0..10_000u32 {
            let now = start + Duration::from_millis(100) * step;
            assert_eq!(budget.take(MESSAGE, now), Verdict::Fine);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_makes_peace() {
        let start = Instant::now();
        let mut budget = MessageBudget::new(1, start);
        for round in 0..50u32 {
            let now = start + Duration::from_secs(10) * round;
            for _ in 0..2 {
                assert_eq!(budget.take(MESSAGE, now), Verdict::Fine);
            }
            assert_eq!(budget.take(MESSAGE, now), Verdict::Refused);
            assert_eq!(budget.take(FRAGMENT, now), Verdict::RefusedSilently);
        }
    }
}
