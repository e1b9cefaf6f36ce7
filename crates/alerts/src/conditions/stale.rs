//! Nothing new comes.

use liqheat_market::UnixMs;

use super::{Change, Scene};
use crate::alert::{Alert, Subject};

#[derive(Debug, Clone)]
pub(crate) struct StaleFeed {
    after_ms: i64,
    /// The newest market event at the time of the report.
    reported: Option<UnixMs>,
}

impl StaleFeed {
    pub(crate) const fn new(after_ms: i64) -> Self {
        Self { after_ms, reported: None }
    }

    pub(crate) const fn restore(&mut self, alert: &Alert) {
        if let Subject::FeedStale { as_of } = alert.subject {
            self.reported = Some(as_of);
        }
    }

    pub(crate) fn on(&mut self, change: Change<'_>, scene: &Scene<'_>) -> Vec<Subject> {
        let Change::Feed(as_of) = change else { return Vec::new() };
        // A single event is not a feed that runs again: it must have caught up.
        let is_current = scene.now.since(as_of) < self.after_ms / 2;
        if is_current {
            self.reported = None;
        }
        let is_stale = scene.now.since(as_of) >= self.after_ms;
        if !is_stale || self.reported.is_some() || !scene.may_alert {
            return Vec::new();
        }
        self.reported = Some(as_of);
        vec![Subject::FeedStale { as_of }]
    }
}
