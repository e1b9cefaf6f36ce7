//! State of the writer, for requests: counts, the last error, and the stretches of data that are missing for good.

#![expect(clippy::disallowed_methods, reason = "the moment at which a refusal was counted")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use liqheat_feeds::live::{Gap, GapCause};
use liqheat_wire::{WriterStats, format_time};

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
    gaps: VecDeque<ReportedGap>,
    /// Gaps of refused data, and when they were reported.
    refused: VecDeque<(Instant, String)>,
}

/// A gap, with those that went on from it for the same reason.
#[derive(Debug)]
struct ReportedGap {
    gap: Gap,
    /// How many there were, and at how many of them the next log line is due.
    count: u64,
    log_at: u64,
}

impl ReportedGap {
    const fn new(gap: Gap) -> Self {
        Self { gap, count: 1, log_at: 2 }
    }

    /// Takes in a gap that begins where this one ends, of the same data and for the same reason.
    fn extend(&mut self, next: &Gap) -> bool {
        let gap = &mut self.gap;
        let goes_on = gap.to == next.from
            && gap.cause == next.cause
            && gap.stream == next.stream
            && gap.instrument == next.instrument
            && gap.reason == next.reason;
        if goes_on {
            gap.to = next.to;
            self.count += 1;
        }
        goes_on
    }
}

fn describe(gap: &Gap) -> String {
    format!(
        "{} of {} from {} to {}: {}",
        gap.stream.name(),
        gap.instrument,
        format_time(gap.from),
        format_time(gap.to),
        gap.reason
    )
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

    /// Sets the number of rows that are not stored yet.
    pub(crate) fn set_waiting(&self, rows: usize) {
        self.waiting.store(rows as u64, Ordering::Relaxed);
    }

    /// Adds to the number of rows stored since the start.
    pub(crate) fn stored(&self, rows: u64) {
        self.stored.fetch_add(rows, Ordering::Relaxed);
    }

    /// Counts an attempt that failed, and keeps its reason.
    pub(crate) fn failed(&self, why: &str) {
        self.failing.fetch_add(1, Ordering::Relaxed);
        self.lock().trouble = Some(why.to_owned());
    }

    /// Resets the count of failed attempts after one that succeeded.
    pub(crate) fn clear_failure(&self) {
        self.failing.store(0, Ordering::Relaxed);
        self.lock().trouble = None;
    }

    /// Attempts in a row that failed.
    pub(crate) fn failing(&self) -> u64 {
        self.failing.load(Ordering::Relaxed)
    }

    /// Notes a gap. Returns it, with what it goes on from, when it is to be logged: data that a venue never has is missing
    /// minute after minute, and is logged at twice as many minutes each time.
    pub(crate) fn gap(&self, gap: Gap) -> Option<Gap> {
        let mut journal = self.lock();
        let is_refused = gap.cause == GapCause::Refused;
        let known =
            journal.gaps.iter_mut().rev().find_map(|reported| reported.extend(&gap).then_some(reported));
        let (text, logged) = match known {
            Some(reported) => {
                let is_due = reported.count >= reported.log_at;
                if is_due {
                    reported.log_at = reported.log_at.saturating_mul(2);
                }
                (describe(&reported.gap), is_due.then(|| reported.gap.clone()))
            }
            None => {
                let text = describe(&gap);
                if journal.gaps.len() >= Self::GAPS_KEPT {
                    journal.gaps.pop_front();
                }
                journal.gaps.push_back(ReportedGap::new(gap.clone()));
                (text, Some(gap))
            }
        };
        if is_refused {
            if journal.refused.len() >= Self::GAPS_KEPT {
                journal.refused.pop_front();
            }
            journal.refused.push_back((Instant::now(), text));
        }
        logged
    }

    pub(crate) fn gaps(&self) -> Vec<String> {
        self.lock().gaps.iter().map(|reported| describe(&reported.gap)).collect()
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

#[cfg(test)]
mod tests {
    use liqheat_feeds::venues::StreamKind;
    use liqheat_market::{Instrument, Symbol, UnixMs, Venue};

    use super::*;

    fn gap(symbol: &str, minutes: (i64, i64), reason: &str) -> Gap {
        Gap {
            instrument: Instrument::new(Venue::Okx, Symbol::new(symbol).unwrap()),
            stream: StreamKind::Klines,
            from: UnixMs(minutes.0 * 60_000),
            to: UnixMs(minutes.1 * 60_000),
            cause: GapCause::Unavailable,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn data_that_is_never_there_is_one_gap_and_a_few_log_lines() {
        let journal = Journal::default();
        assert!(journal.gap(gap("ETHUSDT", (5, 6), "cut")).is_some());
        let mut logged = Vec::new();
        for minute in 0..1_440 {
            // Another market has a gap of its own now and then.
            if minute % 400 == 7 {
                assert!(journal.gap(gap("XRPUSDT", (minute, minute + 1), "cut")).is_some());
            }
            let now = journal.gap(gap("BTCUSDT", (minute, minute + 1), "the venue does not keep it"));
            logged.extend(now.map(|gap| (gap.to.0 - gap.from.0) / 60_000));
        }
        assert_eq!(logged, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]);
        let gaps = journal.gaps();
        assert_eq!(gaps.len(), 6, "{gaps:?}");
        let long = "klines of BTCUSDT@okx from 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z: the venue does not keep it";
        assert_eq!(gaps[1], long);
        assert!(gaps[0].contains("ETHUSDT"), "it was not pushed out");
    }

    #[test]
    fn gaps_of_other_data_times_or_reasons_stay_apart() {
        let journal = Journal::default();
        let first = gap("BTCUSDT", (0, 1), "cut");
        let others = [
            gap("ETHUSDT", (1, 2), "cut"),
            gap("BTCUSDT", (2, 3), "cut"),
            gap("BTCUSDT", (1, 2), "refused"),
            Gap { stream: StreamKind::Trades, ..gap("BTCUSDT", (1, 2), "cut") },
            Gap { cause: GapCause::Refused, ..gap("BTCUSDT", (1, 2), "cut") },
        ];
        let count = others.len() + 1;
        for gap in std::iter::once(first).chain(others) {
            assert!(journal.gap(gap).is_some());
        }
        assert_eq!(journal.gaps().len(), count);
        let (refused, newest) = journal.refused_recently().unwrap();
        assert!(refused == 1 && newest.contains("BTCUSDT"), "{newest}");
        for minute in 100..300 {
            journal.gap(gap("BTCUSDT", (2 * minute, 2 * minute + 1), "cut"));
        }
        assert_eq!(journal.gaps().len(), Journal::GAPS_KEPT);
    }
}
