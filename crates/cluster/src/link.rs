//! The connection to Redis: up, being opened, or down until the next attempt.

use std::time::Duration;

use liqheat_market::Backoff;
use tokio::time::Instant;

/// A connection that held this long counts as good: the next failure starts the pauses from the beginning.
const STABLE_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Down {
        retry_at: Instant,
    },
    Opening,
    /// `answered`: Redis has done at least one thing that it was asked for.
    Up {
        since: Instant,
        answered: bool,
    },
}

/// State and retry pauses of the connection.
#[derive(Debug)]
pub(crate) struct Link {
    state: State,
    /// Since when nothing was answered.
    down_since: Option<Instant>,
    /// Counts the failures since the connection was last good.
    reconnect: Backoff,
}

impl Link {
    /// Down, with the first attempt due at once.
    pub(crate) const fn new(reconnect: Backoff, now: Instant) -> Self {
        Self { state: State::Down { retry_at: now }, down_since: Some(now), reconnect }
    }

    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// How long Redis has not answered; zero while it does.
    pub(crate) fn down_for(&self, now: Instant) -> Duration {
        self.down_since.map(|since| now.duration_since(since)).unwrap_or_default()
    }

    /// Whether an attempt has failed since Redis last answered.
    pub(crate) const fn has_failed(&self) -> bool {
        self.reconnect.failures() > 0
    }

    /// Whether to connect now; the attempt has begun then.
    pub(crate) fn begin_opening(&mut self, now: Instant) -> bool {
        let due = matches!(self.state, State::Down { retry_at } if retry_at <= now);
        if due {
            self.state = State::Opening;
        }
        due
    }

    pub(crate) const fn on_opened(&mut self, now: Instant) {
        self.state = State::Up { since: now, answered: false };
    }

    /// Redis did what it was asked for. Returns how long it had not, when this is the first answer after that.
    pub(crate) fn on_answer(&mut self, now: Instant) -> Option<Duration> {
        let State::Up { since, answered } = &mut self.state else { return None };
        if *answered && now.duration_since(*since) >= STABLE_AFTER {
            self.reconnect.reset();
        }
        *answered = true;
        self.down_since.take().map(|since| now.duration_since(since))
    }

    /// Redis failed to connect or to answer. `random` is uniform in `0.0..1.0`, so that servers do not reconnect all at
    /// once.
    pub(crate) fn on_failure(&mut self, now: Instant, random: f64) {
        self.down_since.get_or_insert(now);
        self.state = State::Down { retry_at: now + self.reconnect.next_delay(random) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reconnect() -> Backoff {
        Backoff::new(Duration::from_millis(250), Duration::from_secs(5)).unwrap()
    }

    /// A Redis that accepts connections and then refuses every command must not be asked four times a second.
    #[test]
    fn a_connection_that_breaks_at_once_does_not_reset_the_pauses() {
        let mut now = Instant::now();
        let mut link = Link::new(reconnect(), now);
        let mut attempts = 0;
        let began = now;
        while now < began + Duration::from_secs(60) {
            if link.begin_opening(now) {
                attempts += 1;
                link.on_opened(now);
                assert!(link.on_answer(now).is_some(), "the first answer ends the outage");
                link.on_failure(now, 1.0);
            }
            now += Duration::from_millis(50);
        }
        assert!((12..20).contains(&attempts), "{attempts} in a minute");
    }

    #[test]
    fn a_connection_that_held_resets_them() {
        let now = Instant::now();
        let mut link = Link::new(reconnect(), now);
        for _ in 0..9 {
            link.on_failure(now, 1.0);
        }
        assert!(link.has_failed() && !link.begin_opening(now + Duration::from_secs(4)));
        let later = now + Duration::from_secs(5);
        assert!(link.begin_opening(later) && !link.begin_opening(later));
        link.on_opened(later);
        assert!(link.is_up() && link.has_failed());
        assert_eq!(link.down_for(later), Duration::from_secs(5), "connected, but nothing answered yet");
        assert_eq!(link.on_answer(later), Some(Duration::from_secs(5)));
        assert_eq!(link.on_answer(later + STABLE_AFTER), None);
        assert!(!link.has_failed());
        link.on_failure(later + STABLE_AFTER, 1.0);
        assert!(link.begin_opening(later + STABLE_AFTER + Duration::from_millis(250)));
    }
}
