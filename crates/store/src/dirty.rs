//! Which part of the past new rows have changed, for whoever keeps a ledger of it in memory.
//!
//! What checkpoints are deleted by (`append.rs`), told to the ledger at work: it has to go back when a row arrives
//! for a time it has passed.

use liqheat_market::{Interval, UnixMs};

/// The earliest new row of each kind that a ledger is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirtyRange {
    /// Opening time of a kline.
    pub klines: Option<UnixMs>,
    /// Time of a trade.
    pub trades: Option<UnixMs>,
    /// Time of a sample of open interest.
    pub open_interest: Option<UnixMs>,
}

impl DirtyRange {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let earlier = |a: Option<UnixMs>, b: Option<UnixMs>| a.into_iter().chain(b).min();
        Self {
            klines: earlier(self.klines, other.klines),
            trades: earlier(self.trades, other.trades),
            open_interest: earlier(self.open_interest, other.open_interest),
        }
    }

    /// Where the unchanged past ends: a ledger of bars of this length which holds everything up to this moment or a
    /// later one is no longer what a replay of the rows would give. `None` when nothing changed.
    #[must_use]
    pub fn outdates(&self, interval: Interval) -> Option<UnixMs> {
        let bar = self.klines.map(|open| open.plus(interval.ms()));
        let trade = self.trades.map(|time| time.plus(1));
        // A sample counts for a bar until a tenth of its length after its close.
        let sample = self.open_interest.map(|time| time.plus(-interval.ms() / 10));
        bar.into_iter().chain(trade).chain(sample).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_outdated_by_what_belongs_to_bars_it_has_seen() {
        let minute = Interval::M1;
        assert_eq!(DirtyRange::default().outdates(minute), None);
        let kline = DirtyRange { klines: Some(UnixMs(60_000)), ..DirtyRange::default() };
        assert_eq!(kline.outdates(minute), Some(UnixMs(120_000)), "not that which ends where the bar begins");
        let trade = DirtyRange { trades: Some(UnixMs(59_999)), ..DirtyRange::default() };
        assert_eq!(trade.outdates(minute), Some(UnixMs(60_000)));
        let sample = DirtyRange { open_interest: Some(UnixMs(66_000)), ..DirtyRange::default() };
        assert_eq!(sample.outdates(minute), Some(UnixMs(60_000)), "the last that counts for the bar before");
        assert_eq!(kline.and(sample).and(trade).outdates(minute), Some(UnixMs(60_000)));
    }
}
