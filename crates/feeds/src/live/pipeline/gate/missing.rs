//! What is missing between the events of a contract: which of it is requested next, and when it is given up.

use liqheat_market::{Interval, KlineKind, UnixMs};

use super::{EventGate, TradeSequence, minute, open_time};
use crate::live::pipeline::sequence::{MissingRange, Sequence};
use crate::venues::{LIVE_INTERVAL, RestQuery, StreamKind};

/// Data whose elements are numbered, so that missing ones are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::live) enum Series {
    Trades,
    Klines,
    MarkKlines,
}

impl Series {
    pub(in crate::live) const ALL: [Self; 3] = [Self::Klines, Self::MarkKlines, Self::Trades];

    pub(in crate::live) const fn stream(self) -> StreamKind {
        match self {
            Self::Trades => StreamKind::Trades,
            Self::Klines => StreamKind::Klines,
            Self::MarkKlines => StreamKind::Mark,
        }
    }

    /// The series of a kind of klines.
    pub(in crate::live) const fn of(kind: KlineKind) -> Self {
        match kind {
            KlineKind::Last => Self::Klines,
            KlineKind::Mark => Self::MarkKlines,
        }
    }
}

/// Which missing data is meant: the ledger needs that of the last minutes now, the rest can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::live) enum Reach {
    /// Klines of the last quarter of an hour.
    Recent,
    /// Everything older, and trades.
    Past,
}

/// Which missing data counts as a loss when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::live) enum Loss {
    /// All of it: the venue has it, or may have it.
    All,
    /// What is newer than the first data ever stored: the venue may never have had the rest, as a contract may be
    /// younger than the history that was asked for.
    Stored,
}

/// A range of data that cannot be fetched any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::live) struct LostRange {
    pub(in crate::live) series: Series,
    pub(in crate::live) from: UnixMs,
    pub(in crate::live) to: UnixMs,
    /// First and last number: trade ids, or minutes since the epoch.
    pub(in crate::live) numbers: (i64, i64),
}

impl EventGate {
    /// Klines that ended later than this are [`Reach::Recent`].
    const RECENT_MINUTES: i64 = 15;
    /// The venue may not have data yet that is younger than this.
    const TRADES_PENDING_MS: i64 = 60_000;
    const KLINES_PENDING_MS: i64 = 300_000;
    /// Missing ranges that lie within one page are requested together.
    const TRADES_JOINED: i64 = 1_000;
    const KLINES_JOINED: i64 = 100;
    /// Complete answers that must lack an element before it counts as lost.
    const ANSWERS_MIN: u8 = 2;

    /// The oldest missing data of a series that should be requested now. What is too much to fetch is given up into
    /// `lost`.
    pub(in crate::live) fn next_missing(
        &mut self,
        series: Series,
        reach: Reach,
        now: UnixMs,
        lost: &mut Vec<LostRange>,
    ) -> Option<RestQuery> {
        if series == Series::Trades {
            return if reach == Reach::Past { self.next_missing_trades(now, lost) } else { None };
        }
        if let Some(excess) = self.sequence(series)?.excess() {
            self.give_up(series, excess.first, excess.last, Loss::Stored, lost);
        }
        let recent_from = minute(now) - Self::RECENT_MINUTES;
        let (least, most) = match reach {
            Reach::Recent => (recent_from, i64::MAX),
            Reach::Past => (i64::MIN, recent_from - 1),
        };
        let missing = self.sequence(series)?.missing();
        let cut = missing.map(|range| (range.first.max(least), range.last.min(most)));
        let (first, last) = join(cut.filter(|(first, last)| first <= last), Self::KLINES_JOINED)?;
        let kind = if series == Series::Klines { KlineKind::Last } else { KlineKind::Mark };
        let interval: Interval = LIVE_INTERVAL;
        Some(RestQuery::Klines { kind, interval, from: open_time(first), to: open_time(last + 1) })
    }

    fn next_missing_trades(&mut self, now: UnixMs, lost: &mut Vec<LostRange>) -> Option<RestQuery> {
        let trades_max = self.trades_max;
        let is_due = |range: &MissingRange| now.0 - range.noticed >= Self::TRADE_GRACE_MS;
        let ids = self.sequence(Series::Trades)?;
        let mut too_many = ids.excess().map(|range| (range.first, range.last));
        let due = ids.missing().find(is_due);
        if let Some(range) = due.filter(|range| range.last - range.first >= trades_max) {
            too_many = Some((range.first, range.last - trades_max));
        }
        if let Some((first, last)) = too_many {
            self.give_up(Series::Trades, first, last, Loss::All, lost);
        }
        let due = self.sequence(Series::Trades)?.missing().filter(is_due);
        let (first, last) = join(due.map(|range| (range.first, range.last)), Self::TRADES_JOINED)?;
        Some(RestQuery::Trades { first, last })
    }

    /// Everything that the venue has of a query arrived. What is still missing is given up, unless the venue may not have
    /// it yet, or this was the first answer without it.
    pub(in crate::live) fn on_complete(&mut self, query: &RestQuery, now: UnixMs, lost: &mut Vec<LostRange>) {
        let Some((series, first, mut last)) = numbers_of(query) else { return };
        let mut pending_ms = Self::TRADES_PENDING_MS;
        if series != Series::Trades {
            pending_ms = Self::KLINES_PENDING_MS;
            last = last.min(minute(now.plus(-pending_ms)) - 1);
        }
        let stored_until = minute(self.stored_until);
        let Some(sequence) = self.sequence_mut(series) else { return };
        sequence.on_answer(first, last);
        let is_lost = |range: &MissingRange| {
            let is_old = now.0 - range.noticed >= pending_ms;
            let would_be_no_loss = series != Series::Trades && range.last < stored_until;
            would_be_no_loss || (is_old && range.answers_without >= Self::ANSWERS_MIN)
        };
        let given_up: Vec<MissingRange> = sequence
            .missing()
            .filter(|range| range.first <= last && range.last >= first && is_lost(range))
            .collect();
        for range in given_up {
            self.give_up(series, range.first.max(first), range.last.min(last), Loss::Stored, lost);
        }
    }

    /// The data of a query cannot be had.
    pub(in crate::live) fn on_unavailable(
        &mut self,
        query: &RestQuery,
        loss: Loss,
        lost: &mut Vec<LostRange>,
    ) {
        if let Some((series, first, last)) = numbers_of(query) {
            self.give_up(series, first, last, loss, lost);
        }
    }

    fn give_up(&mut self, series: Series, first: i64, last: i64, loss: Loss, lost: &mut Vec<LostRange>) {
        let stored_until = self.stored_until;
        let Some(sequence) = self.sequence_mut(series) else { return };
        for range in sequence.give_up(first, last) {
            let (from, to) = match series {
                Series::Trades => (UnixMs(range.since), UnixMs(range.noticed)),
                Series::Klines | Series::MarkKlines => (open_time(range.first), open_time(range.last + 1)),
            };
            if loss == Loss::Stored && series != Series::Trades && to <= stored_until {
                continue;
            }
            let numbers = (range.first, range.last);
            lost.push(LostRange { series, from: from.min(to), to: to.max(from), numbers });
        }
    }

    const fn sequence(&self, series: Series) -> Option<&Sequence> {
        match series {
            Series::Klines => Some(&self.klines),
            Series::MarkKlines => Some(&self.mark_klines),
            Series::Trades => match &self.trades {
                TradeSequence::Consecutive(ids) => Some(ids),
                TradeSequence::Unique(_) => None,
            },
        }
    }

    const fn sequence_mut(&mut self, series: Series) -> Option<&mut Sequence> {
        match series {
            Series::Klines => Some(&mut self.klines),
            Series::MarkKlines => Some(&mut self.mark_klines),
            Series::Trades => match &mut self.trades {
                TradeSequence::Consecutive(ids) => Some(ids),
                TradeSequence::Unique(_) => None,
            },
        }
    }

    /// Whether an element of a stream that does not arrive is noticed, and requested.
    pub(in crate::live) const fn notices_missing(&self, stream: StreamKind) -> bool {
        match stream {
            StreamKind::Klines | StreamKind::Mark | StreamKind::OpenInterest => true,
            StreamKind::Trades => matches!(self.trades, TradeSequence::Consecutive(_)),
            StreamKind::Liquidations | StreamKind::Funding => false,
        }
    }

    /// Whether nothing is missing that was noticed.
    pub(in crate::live) fn is_whole(&self) -> bool {
        Series::ALL
            .into_iter()
            .all(|series| self.sequence(series).is_none_or(|sequence| sequence.missing().next().is_none()))
    }
}

/// The first range, and those after it that end within `most` numbers of its beginning.
fn join(mut ranges: impl Iterator<Item = (i64, i64)>, most: i64) -> Option<(i64, i64)> {
    let (first, mut last) = ranges.next()?;
    for (_, end) in ranges.take_while(|(_, end)| end.saturating_sub(first) < most) {
        last = end;
    }
    Some((first, last))
}

/// The series and the numbers that a query is about.
fn numbers_of(query: &RestQuery) -> Option<(Series, i64, i64)> {
    match *query {
        RestQuery::Trades { first, last } => Some((Series::Trades, first, last)),
        RestQuery::Klines { kind, from, to, .. } => {
            Some((Series::of(kind), minute(from), minute(to.plus(-1))))
        }
        _ => None,
    }
}
