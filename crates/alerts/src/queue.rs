//! What is sent to one target next: a state machine `fn(event, now)`.
//!
//! Alerts go out in order, one at a time. A failure is tried again with a growing delay and holds up only this target.
//! An alert is given up when it is a day old: nobody acts on it any more. So it is delivered at least once unless the target
//! is away for a day; a receiver that sees an id twice ignores the second.

use std::collections::VecDeque;
use std::time::Duration;

use liqheat_market::{Backoff, UnixMs};

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendResult {
    /// The target answered with a status of 2xx.
    Delivered,
    /// Anything else; `retry_after` where the target asked for a pause.
    Failed {
        /// Why, without secrets.
        reason: String,
        /// From the header `Retry-After`.
        retry_after: Option<Duration>,
    },
}

/// A request that should be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The alert's id.
    pub id: String,
    /// 1 for the first one.
    pub number: u32,
}

/// Backlog and failures of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetState {
    /// Number of alerts that wait, the one under way included.
    pub waiting: usize,
    /// Failures since the last success.
    pub failures: u32,
    /// Why the last one failed.
    pub reason: String,
    /// Whether it counts as dead.
    pub is_dead: bool,
}

#[derive(Debug, Clone)]
struct QueuedAlert {
    id: String,
    raised: UnixMs,
}

/// The alerts that wait for a target. Time is that of the wall clock.
#[derive(Debug, Clone)]
pub struct TargetQueue {
    waiting: VecDeque<QueuedAlert>,
    backoff: Backoff,
    next_at: UnixMs,
    in_flight: bool,
    reason: String,
}

impl TargetQueue {
    /// An alert that was not delivered for this long is given up.
    pub const GIVE_UP_AFTER: Duration = Duration::from_secs(86_400);
    /// Most alerts that wait; the oldest is given up for a further one.
    pub const WAITING_MAX: usize = 1_000;
    /// A target that failed this often in a row counts as dead.
    pub const DEAD_AFTER: u32 = 5;
    /// Longest pause, whatever the target asks for.
    const PAUSE_MAX: Duration = Duration::from_secs(3_600);

    /// Nothing waits. `backoff` are the delays after failures.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        let waiting = VecDeque::new();
        Self { waiting, backoff, next_at: UnixMs(i64::MIN), in_flight: false, reason: String::new() }
    }

    /// Queues an alert. Returns the id of the one that is given up for it, if the queue is full.
    pub fn push(&mut self, id: String, raised: UnixMs) -> Option<String> {
        let is_full = self.waiting.len() >= Self::WAITING_MAX;
        // The first one may be on its way.
        let given_up = if is_full { self.waiting.remove(usize::from(self.in_flight)) } else { None };
        self.waiting.push_back(QueuedAlert { id, raised });
        given_up.map(|alert| alert.id)
    }

    /// The next request, if one is due. At most one is under way.
    pub fn take(&mut self, now: UnixMs) -> Option<Attempt> {
        if self.in_flight || now < self.next_at {
            return None;
        }
        let id = self.waiting.front()?.id.clone();
        self.in_flight = true;
        Some(Attempt { id, number: self.backoff.failures().saturating_add(1) })
    }

    /// When [`TargetQueue::take`] should be called again; `None` while a request is under way or nothing waits.
    #[must_use]
    pub fn wake_at(&self) -> Option<UnixMs> {
        (!self.in_flight && !self.waiting.is_empty()).then_some(self.next_at)
    }

    /// The request under way has ended. Returns the ids that are done with: the one delivered, or those too old.
    /// `random` is uniform in `0.0..1.0`.
    pub fn on_result(&mut self, result: SendResult, now: UnixMs, random: f64) -> Vec<String> {
        self.in_flight = false;
        match result {
            SendResult::Delivered => {
                self.backoff.reset();
                self.next_at = now;
                self.reason.clear();
                self.waiting.pop_front().map(|alert| alert.id).into_iter().collect()
            }
            SendResult::Failed { reason, retry_after } => {
                let pause = self.backoff.next_delay(random).max(retry_after.unwrap_or_default());
                self.next_at = now.plus(millis(pause.min(Self::PAUSE_MAX)));
                self.reason = reason;
                let oldest = now.plus(-millis(Self::GIVE_UP_AFTER));
                let mut given_up = Vec::new();
                while self.waiting.front().is_some_and(|alert| alert.raised < oldest) {
                    given_up.extend(self.waiting.pop_front().map(|alert| alert.id));
                }
                given_up
            }
        }
    }

    /// Backlog and failures of the target.
    #[must_use]
    pub fn state(&self) -> TargetState {
        let failures = self.backoff.failures();
        TargetState {
            waiting: self.waiting.len(),
            failures,
            reason: self.reason.clone(),
            is_dead: failures >= Self::DEAD_AFTER,
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue() -> TargetQueue {
        TargetQueue::new(Backoff::new(Duration::from_secs(1), Duration::from_secs(60)).unwrap())
    }

    fn failed() -> SendResult {
        SendResult::Failed { reason: "status 500".into(), retry_after: None }
    }

    #[test]
    fn failures_are_tried_again_later_and_make_a_target_dead() {
        let mut queue = queue();
        queue.push("a".into(), UnixMs(0));
        for number in 1..=TargetQueue::DEAD_AFTER {
            // The first is due at once, each later one after a delay.
            let wake_at = queue.wake_at().unwrap();
            assert_eq!(wake_at.0 > 0, number > 1, "{wake_at:?}");
            let now = wake_at.max(UnixMs(0));
            if number > 1 {
                assert_eq!(queue.take(now.plus(-1)), None);
            }
            assert_eq!(queue.take(now), Some(Attempt { id: "a".into(), number }));
            assert_eq!((queue.take(now), queue.wake_at()), (None, None), "one at a time");
            assert_eq!(queue.on_result(failed(), now, 1.0), Vec::<String>::new());
        }
        let state = queue.state();
        assert!(state.is_dead && state.reason == "status 500" && state.waiting == 1);
        let now = queue.wake_at().unwrap();
        assert!(queue.take(now).is_some());
        assert_eq!(queue.on_result(SendResult::Delivered, now, 0.5), ["a"]);
        assert_eq!(queue.state(), TargetState::default());
    }

    #[test]
    fn a_target_may_ask_for_a_pause_and_old_alerts_are_given_up() {
        let mut queue = queue();
        queue.push("old".into(), UnixMs(0));
        queue.push("new".into(), UnixMs(90_000_000));
        let now = UnixMs(90_000_000);
        assert!(queue.take(now).is_some());
        let retry_after = Some(Duration::from_secs(30));
        let given_up = queue.on_result(SendResult::Failed { reason: String::new(), retry_after }, now, 0.0);
        assert_eq!((given_up, queue.wake_at()), (vec!["old".to_owned()], Some(now.plus(30_000))));
    }

    proptest! {
        /// Whatever fails, every alert is delivered or given up exactly once, in order, and no two requests overlap.
        #[test]
        fn every_alert_is_done_with_once(results in prop::collection::vec(prop::option::of(prop::bool::ANY), 1..200)) {
            let mut queue = queue();
            let (mut now, mut pushed, mut done) = (UnixMs(0), 0u32, Vec::new());
            for result in results {
                match result {
                    None => {
                        queue.push(pushed.to_string(), now);
                        pushed += 1;
                    }
                    Some(is_delivered) => {
                        if let Some(at) = queue.wake_at() {
                            now = now.max(at);
                        }
                        let Some(attempt) = queue.take(now) else { continue };
                        prop_assert!(queue.take(now.plus(1_000_000)).is_none());
                        let ended = if is_delivered { SendResult::Delivered } else { failed() };
                        let ids = queue.on_result(ended, now, 0.3);
                        if is_delivered {
                            prop_assert_eq!(&ids, &[attempt.id]);
                        }
                        done.extend(ids);
                    }
                }
            }
            let expected: Vec<String> = (0..done.len()).map(|id| id.to_string()).collect();
            prop_assert_eq!(&done, &expected);
            prop_assert_eq!(queue.state().waiting, pushed as usize - done.len());
        }
    }
}
