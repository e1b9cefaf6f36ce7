//! When each symbol has its turn: all at once at the start, so that each has a first state soon; from then on
//! every interval, spread evenly over it, so that many symbols do not all change in the same moment and their
//! clients are not all written to at once.

use std::time::Duration;

use tokio::time::Instant;

/// The turns of a fixed number of symbols; time is a parameter.
#[derive(Debug)]
pub(crate) struct Schedule {
    due: Vec<Instant>,
    /// Whether each had a turn.
    begun: Vec<bool>,
    began: Instant,
    interval: Duration,
}

impl Schedule {
    pub(crate) fn new(symbols: usize, interval: Duration, began: Instant) -> Self {
        Self { due: vec![began; symbols], begun: vec![false; symbols], began, interval }
    }

    /// Whose turn is next, and when; `None` when there is nobody.
    pub(crate) fn next(&self) -> Option<(usize, Instant)> {
        self.due.iter().copied().enumerate().min_by_key(|(_, due)| *due)
    }

    /// Of those that had a turn before, the one that waits longest for its next one, and since when it is due.
    pub(crate) fn longest_due(&self) -> Option<(usize, Instant)> {
        let again = self.due.iter().zip(&self.begun).enumerate().filter(|(_, (_, begun))| **begun);
        again.map(|(symbol, (due, _))| (symbol, *due)).min_by_key(|(_, due)| *due)
    }

    /// All have their turn now, besides the ones they have anyway.
    pub(crate) fn all_now(&mut self, now: Instant) {
        self.due.fill(now);
    }

    /// A symbol had its turn. Turns that were missed meanwhile are skipped, and the symbol keeps its place in
    /// the interval.
    pub(crate) fn done(&mut self, symbol: usize, now: Instant) {
        self.begun[symbol] = true;
        let phase = self.phase(symbol);
        let since = now.saturating_duration_since(self.began + phase);
        // An interval is at most an hour and at least a tenth of a second.
        let turns = since.as_nanos() / self.interval.as_nanos().max(1);
        let turns = u32::try_from(turns).unwrap_or(u32::MAX - 1);
        let begun = now >= self.began + phase;
        self.due[symbol] = self.began + phase + self.interval * (turns + u32::from(begun));
    }

    /// A symbol's place in the interval: the first one's comes soonest after the start.
    fn phase(&self, symbol: usize) -> Duration {
        let symbols = u32::try_from(self.due.len()).unwrap_or(u32::MAX).max(1);
        let place = u32::try_from(symbol).unwrap_or(u32::MAX).saturating_add(1);
        self.interval.mul_f64(f64::from(place) / f64::from(symbols))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(6);

    /// The turns of a while in which every turn takes so long: which symbol, when.
    fn turns(symbols: usize, takes: Duration, until: Duration) -> Vec<(usize, Duration)> {
        let began = Instant::now();
        let mut schedule = Schedule::new(symbols, INTERVAL, began);
        let (mut now, mut turns) = (began, Vec::new());
        while let Some((symbol, due)) = schedule.next() {
            now = now.max(due);
            if now - began > until {
                break;
            }
            turns.push((symbol, now - began));
            now += takes;
            schedule.done(symbol, now);
        }
        turns
    }

    #[test]
    fn all_at_once_and_then_one_after_the_other() {
        let seconds: Vec<_> = turns(3, Duration::from_millis(1), Duration::from_secs(14))
            .into_iter()
            .map(|(symbol, at)| (symbol, at.as_secs()))
            .collect();
        let expected = [(0, 0), (1, 0), (2, 0), (0, 2), (1, 4), (2, 6), (0, 8), (1, 10), (2, 12), (0, 14)];
        assert_eq!(seconds, expected);
    }

    #[test]
    fn every_symbol_keeps_the_interval_and_its_place() {
        let turns = turns(7, Duration::from_millis(20), Duration::from_secs(120));
        for symbol in 0..7 {
            let own: Vec<Duration> =
                turns.iter().filter(|(other, _)| *other == symbol).map(|turn| turn.1).collect();
            assert!(own[1] <= INTERVAL + Duration::from_secs(1), "{own:?}");
            assert!(own.len() >= 20);
            assert!(own[1..].windows(2).all(|pair| pair[1] - pair[0] == INTERVAL), "{own:?}");
        }
    }

    #[test]
    fn slow_updates_skip_turns_and_nobody_starves() {
        let turns = turns(4, Duration::from_secs(4), Duration::from_secs(400));
        let counts = [0, 1, 2, 3].map(|symbol| turns.iter().filter(|turn| turn.0 == symbol).count());
        assert_eq!(turns.len(), 101, "one after the other without a pause");
        assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
    }

    #[test]
    fn a_turn_is_due_from_its_time_until_it_is_done() {
        let began = Instant::now();
        let mut schedule = Schedule::new(2, INTERVAL, began);
        assert_eq!(schedule.longest_due(), None, "the first turn may take as long as the past is");
        schedule.done(1, began + INTERVAL * 10);
        let (symbol, due) = schedule.longest_due().unwrap();
        assert_eq!((symbol, due), (1, began + INTERVAL * 11));
        schedule.done(0, began + INTERVAL * 10);
        assert_eq!(schedule.longest_due(), Some((0, began + INTERVAL * 10 + INTERVAL / 2)));
    }

    #[test]
    fn nobody_is_never_next() {
        assert_eq!(Schedule::new(0, INTERVAL, Instant::now()).next(), None);
        assert_eq!(Schedule::new(0, INTERVAL, Instant::now()).longest_due(), None);
    }
}
