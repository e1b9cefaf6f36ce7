//! What happened within the last stretch of time: exact counts for limits like "40 requests within any 2 s". Pure.

use std::collections::VecDeque;

/// Times of events in milliseconds of one clock, oldest first, each with a tag to count by.
#[derive(Debug)]
pub(super) struct SlidingWindow<T> {
    events: VecDeque<(i64, T)>,
}

impl<T> Default for SlidingWindow<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> SlidingWindow<T> {
    pub(super) const fn new() -> Self {
        Self { events: VecDeque::new() }
    }

    /// Forgets what happened `length_ms` ago or earlier. Events of the future are from before the clock was set back, and
    /// are forgotten as well.
    pub(super) fn advance(&mut self, length_ms: i64, now_ms: i64) {
        self.events.retain(|(at, _)| at.saturating_add(length_ms) > now_ms && *at <= now_ms);
    }

    /// Events that count, of those within the window.
    pub(super) fn count(&self, counts: impl Fn(&T) -> bool) -> usize {
        self.events.iter().filter(|(_, tag)| counts(tag)).count()
    }

    pub(super) fn push(&mut self, now_ms: i64, tag: T) {
        self.events.push_back((now_ms, tag));
    }

    /// When the oldest event that counts leaves the window; `None` when there is none.
    pub(super) fn next_free_ms(&self, length_ms: i64, counts: impl Fn(&T) -> bool) -> Option<i64> {
        self.events.iter().find(|(_, tag)| counts(tag)).map(|(at, _)| at.saturating_add(length_ms))
    }
}
