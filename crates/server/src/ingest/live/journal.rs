//! What the writer does, for those who ask: counts, trouble, and the stretches of data that are missing for good.

#![expect(clippy::disallowed_methods, reason = "the moment at which a refusal was counted")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use liqheat_feeds::live::GapCause;
use liqheat_wire::WriterStats;

/// Shared between the writer and requests.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    waiting: AtomicU64,
    stored: AtomicU64,
    failing: AtomicU64,
    /// Locked for the length of a copy.
    journal: Mutex<JournalState>,
}

#[derive(Debug, Default)]
struct JournalState {
    trouble: Option<String>,
    gaps: VecDeque<String>,
    /// Gaps of refused data, and when they were reported.
    refused: VecDeque<(Instant, String)>,
}

impl Journal {
    /// Gaps remembered; all of them are in the log.
    const GAPS_KEPT: usize = 100;
    /// How long refused data is a reason of `/ready`.
    const RECENT: Duration = Duration::from_secs(3_600);

    /// Gaps of refused data in the last hour, at most 100, and the newest of them.
    pub(crate) fn refused_recently(&self) -> Option<(usize, String)> {
        let journal = self.lock();
        let recent = journal.refused.iter().filter(|(at, _)| at.elapsed() < Self::RECENT);
        let count = recent.count();
        journal.refused.back().filter(|_| count > 0).map(|(_, text)| (count, text.clone()))
    }

    pub(crate) fn waits(&self, rows: usize) {
        self.waiting.store(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn stored(&self, rows: u64) {
        self.stored.fetch_add(rows, Ordering::Relaxed);
    }

    /// An attempt failed.
    pub(crate) fn failed(&self, why: &str) {
        self.failing.fetch_add(1, Ordering::Relaxed);
        self.lock().trouble = Some(why.to_owned());
    }

    /// All is well again.
    pub(crate) fn well(&self) {
        self.failing.store(0, Ordering::Relaxed);
        self.lock().trouble = None;
    }

    /// Attempts in a row that failed.
    pub(crate) fn failing(&self) -> u64 {
        self.failing.load(Ordering::Relaxed)
    }

    pub(crate) fn gap(&self, text: String, cause: GapCause) {
        let mut journal = self.lock();
        if cause == GapCause::Refused {
            if journal.refused.len() >= Self::GAPS_KEPT {
                journal.refused.pop_front();
            }
            journal.refused.push_back((Instant::now(), text.clone()));
        }
        if journal.gaps.len() >= Self::GAPS_KEPT {
            journal.gaps.pop_front();
        }
        journal.gaps.push_back(text);
    }

    pub(crate) fn gaps(&self) -> Vec<String> {
        self.lock().gaps.iter().cloned().collect()
    }

    pub(crate) fn stats(&self) -> WriterStats {
        WriterStats {
            waiting: self.waiting.load(Ordering::Relaxed),
            stored: self.stored.load(Ordering::Relaxed),
            failing: self.failing(),
            trouble: self.lock().trouble.clone(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, JournalState> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
