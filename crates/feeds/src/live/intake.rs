//! Everything one contract's events go through before they count: what cannot be true is refused, what came
//! before is dropped, what is missing is remembered and asked for. Pure: a recording runs through the same.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use liqheat_market::{Event, Interval, Kline, KlineKind, Liquidation, MarkPrice, Side, Trade, UnixMs};

use super::Known;
use super::marks::MarkMinutes;
use super::plausible::Plausible;
use super::sequence::{Hole, Seen, Sequence};
use crate::venues::recent::RecentIds;
use crate::venues::{LIVE_INTERVAL, RestQuery, StreamKind, TradeIds, VenueLimits};

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A connection, by its number.
    Socket(u64),
    /// An answer to a request.
    Answer,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    New,
    /// It was there before.
    Repeated,
    /// It cannot be true, for this reason.
    Absurd(&'static str),
}

/// Rows in which numbers can be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Row {
    Trades,
    Klines,
    MarkKlines,
}

impl Row {
    pub(super) const ALL: [Self; 3] = [Self::Klines, Self::MarkKlines, Self::Trades];

    pub(super) const fn stream(self) -> StreamKind {
        match self {
            Self::Trades => StreamKind::Trades,
            Self::Klines => StreamKind::Klines,
            Self::MarkKlines => StreamKind::Mark,
        }
    }
}

/// A stretch that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) row: Row,
    pub(super) from: UnixMs,
    pub(super) to: UnixMs,
    pub(super) numbers: (i64, i64),
}

/// One contract.
#[derive(Debug)]
pub struct Intake {
    trades: TradeRow,
    klines: Sequence,
    mark_klines: Sequence,
    marks: MarkMinutes,
    recent_marks: VecDeque<UnixMs>,
    liquidations: Recent,
    newest_trade: Option<UnixMs>,
    /// Trades in a row whose ids are old and whose times are not.
    behind: u32,
    newest_stock: Option<UnixMs>,
    newest_funding: Option<UnixMs>,
    price: Plausible,
    stock: Plausible,
    /// Klines of before this were never seen by anybody here; what the venue has not is no loss.
    unknown_before: UnixMs,
    trades_max: i64,
}

#[derive(Debug)]
enum TradeRow {
    Consecutive(Sequence),
    Unique(RecentIds),
}

impl Intake {
    /// Farther in the future than this by the venue's clock is not true.
    const FUTURE_MS: i64 = 60_000;
    /// Older than this a socket tells nothing.
    const PAST_MS: i64 = 86_400_000;
    /// Time for disorder to sort itself out before a hole is asked for.
    const TRADE_GRACE_MS: i64 = 1_000;
    /// A closed kline comes within this, on the socket or by request.
    const KLINE_GRACE_MS: i64 = 3_000;
    /// Ids do not run faster than this a second, with this many at once.
    const IDS_PER_SECOND: i64 = 5_000;
    const IDS_AT_ONCE: i64 = 50_000;
    /// So many trades that are newer than any before and have old ids: the venue counts anew, or an id was wrong.
    const BEHIND_MAX: u32 = 100;
    const MARKS_REMEMBERED: usize = 64;

    /// A contract of which the database has something or nothing.
    #[must_use]
    pub fn new(
        limits: &VenueLimits,
        known: &Known,
        fill_klines: Duration,
        trades_max: u64,
        now: UnixMs,
    ) -> Self {
        let oldest = now.plus(-(fill_klines.as_millis() as i64)).floor_to(LIVE_INTERVAL.ms());
        let begin = |known: Option<UnixMs>| {
            let before_all = oldest.plus(-LIVE_INTERVAL.ms());
            let last = known.map_or(before_all, |time| time.max(before_all));
            Sequence::begin_after(minute(last), last.0)
        };
        let trades = match (limits.trade_ids, known.trade) {
            (TradeIds::Unique, _) => TradeRow::Unique(RecentIds::default()),
            (TradeIds::Consecutive, None) => TradeRow::Consecutive(Sequence::default()),
            (TradeIds::Consecutive, Some((id, time))) => {
                TradeRow::Consecutive(Sequence::begin_after(id, time.0))
            }
        };
        Self {
            trades,
            klines: begin(known.kline),
            mark_klines: begin(known.mark_kline),
            marks: MarkMinutes::new(LIVE_INTERVAL, limits.mark_pause),
            recent_marks: VecDeque::with_capacity(Self::MARKS_REMEMBERED),
            liquidations: Recent::default(),
            newest_trade: known.trade.map(|(_, time)| time),
            behind: 0,
            newest_stock: known.open_interest,
            newest_funding: known.funding,
            price: Plausible::default(),
            stock: Plausible::default(),
            unknown_before: known.kline.unwrap_or(now),
            trades_max: i64::try_from(trades_max).unwrap_or(i64::MAX),
        }
    }

    /// Takes an event; what counts is appended, with a kline of the mark price when one ended. `now` is the
    /// venue's time.
    pub fn take(&mut self, event: Event, origin: Origin, now: UnixMs, out: &mut Vec<Event>) -> Verdict {
        if let Some(reason) = self.absurd(&event, origin, now) {
            return Verdict::Absurd(reason);
        }
        let seen = match event {
            Event::Trade(trade) => self.trade(&trade, origin, now),
            Event::Kline(kline) => self.kline(&kline, now),
            Event::MarkPrice(tick) => self.mark(tick, now, out),
            Event::Liquidation(liquidation) => self.liquidations.take(&liquidation, origin),
            Event::OpenInterest(sample) => {
                let is_newer = self.newest_stock.is_none_or(|newest| sample.time > newest);
                if is_newer {
                    self.newest_stock = Some(sample.time);
                }
                // History may be older than the newest sample; whoever stores it keeps each row once.
                if is_newer || origin == Origin::Answer { Seen::New } else { Seen::Repeated }
            }
            Event::Funding(funding) => {
                let is_newer = self.newest_funding.is_none_or(|newest| funding.time > newest);
                if is_newer {
                    self.newest_funding = Some(funding.time);
                }
                if is_newer { Seen::New } else { Seen::Repeated }
            }
        };
        match seen {
            Seen::Repeated => Verdict::Repeated,
            Seen::New => {
                out.push(event);
                Verdict::New
            }
        }
    }

    fn absurd(&mut self, event: &Event, origin: Origin, now: UnixMs) -> Option<&'static str> {
        let time = event.known_at();
        if time.since(now) > Self::FUTURE_MS {
            return Some("its time is in the future");
        }
        if matches!(origin, Origin::Socket(_)) && now.since(time) > Self::PAST_MS {
            return Some("its time is more than a day ago");
        }
        match event {
            Event::Trade(trade) => {
                if !trade.qty.is_positive() {
                    return Some("its amount is not above zero");
                }
                if self.id_runs_away(trade) {
                    return Some("its id is far from the one before");
                }
                self.price_off(trade.price.units(), origin, now)
            }
            Event::MarkPrice(mark) => self.price_off(mark.price.units(), origin, now),
            Event::Liquidation(liquidation) if !liquidation.qty.is_positive() => {
                Some("its amount is not above zero")
            }
            Event::Liquidation(liquidation) => self.price_off(liquidation.price.units(), origin, now),
            Event::Kline(kline) => {
                kline_off(kline).or_else(|| self.price_off(kline.close.units(), origin, now))
            }
            Event::OpenInterest(sample)
                if sample.qty.is_positive() && matches!(origin, Origin::Socket(_)) =>
            {
                let admitted = self.stock.admits(sample.qty.units(), now.0);
                (!admitted).then_some("it is a hundred times more or less than before")
            }
            Event::OpenInterest(_) | Event::Funding(_) => None,
        }
    }

    /// Answers about the past are not compared: a price of a month ago says nothing about now.
    fn price_off(&mut self, units: i64, origin: Origin, now: UnixMs) -> Option<&'static str> {
        if units <= 0 {
            return Some("its price is not above zero");
        }
        let admitted = matches!(origin, Origin::Answer) || self.price.admits(units, now.0);
        (!admitted).then_some("its price is a hundred times more or less than before")
    }

    /// An id that is far ahead would make everything after it look like a repeat.
    fn id_runs_away(&self, trade: &Trade) -> bool {
        let (TradeRow::Consecutive(ids), Some(newest)) = (&self.trades, self.newest_trade) else {
            return false;
        };
        let Some(last) = ids.newest() else { return false };
        let seconds = trade.time.since(newest).max(0) / 1_000;
        let allowed = Self::IDS_AT_ONCE.saturating_add(seconds.saturating_mul(Self::IDS_PER_SECOND));
        trade.id.saturating_sub(last) > allowed
    }

    fn trade(&mut self, trade: &Trade, origin: Origin, now: UnixMs) -> Seen {
        let seen = match &mut self.trades {
            TradeRow::Unique(ids) => {
                if ids.is_new(trade.id) {
                    Seen::New
                } else {
                    Seen::Repeated
                }
            }
            // An answer may be asked for only where something is missing; it never opens a hole.
            TradeRow::Consecutive(ids)
                if origin == Origin::Answer && ids.newest().is_none_or(|n| trade.id > n) =>
            {
                Seen::Repeated
            }
            TradeRow::Consecutive(ids) => ids.take(trade.id, now.0),
        };
        match seen {
            Seen::New => {
                self.newest_trade = self.newest_trade.max(Some(trade.time));
                self.behind = 0;
            }
            Seen::Repeated => return self.repeated(trade, origin, now),
        }
        seen
    }

    /// Ids that never rise again would make everything a repeat for ever.
    fn repeated(&mut self, trade: &Trade, origin: Origin, now: UnixMs) -> Seen {
        const NEWER_MS: i64 = 30_000;
        let is_newer = self.newest_trade.is_some_and(|newest| trade.time.since(newest) > NEWER_MS);
        if !is_newer || origin == Origin::Answer {
            return Seen::Repeated;
        }
        self.behind += 1;
        let TradeRow::Consecutive(ids) = &mut self.trades else { return Seen::Repeated };
        if self.behind < Self::BEHIND_MAX {
            return Seen::Repeated;
        }
        *ids = Sequence::default();
        self.trade(trade, origin, now)
    }

    fn kline(&mut self, kline: &Kline, now: UnixMs) -> Seen {
        if kline.interval != LIVE_INTERVAL {
            return Seen::Repeated;
        }
        match kline.kind {
            KlineKind::Last => self.klines.take(minute(kline.open_time), now.0),
            KlineKind::Mark => self.mark_klines.take(minute(kline.open_time), now.0),
        }
    }

    fn mark(&mut self, tick: MarkPrice, now: UnixMs, out: &mut Vec<Event>) -> Seen {
        if self.recent_marks.contains(&tick.time) {
            return Seen::Repeated;
        }
        if self.recent_marks.len() == Self::MARKS_REMEMBERED {
            self.recent_marks.pop_front();
        }
        self.recent_marks.push_back(tick.time);
        if let Some(kline) = self.marks.take(tick)
            && self.mark_klines.take(minute(kline.open_time), now.0) == Seen::New
        {
            out.push(Event::Kline(kline));
        }
        Seen::New
    }

    /// Klines of the minutes that ended should be there.
    pub(super) fn pass_time(&mut self, now: UnixMs) {
        let ended = minute(now.plus(-Self::KLINE_GRACE_MS)) - 1;
        self.klines.reach(ended, now.0);
        self.mark_klines.reach(ended, now.0);
    }

    /// What is missing in a row and should be asked for now, oldest first. What is too much is given up.
    pub(super) fn missing(&mut self, row: Row, now: UnixMs, lost: &mut Vec<Lost>) -> Option<RestQuery> {
        let grace = if row == Row::Trades { Self::TRADE_GRACE_MS } else { 0 };
        let trades_max = self.trades_max;
        let sequence = self.row_mut(row)?;
        let mut too_many = sequence.excess().map(|hole| (hole.first, hole.last));
        let due = sequence.holes().find(|hole| now.0 - hole.noticed >= grace);
        if let Some(hole) = due
            && row == Row::Trades
            && hole.last - hole.first >= trades_max
        {
            too_many = Some((hole.first, hole.last - trades_max));
        }
        if let Some((first, last)) = too_many {
            self.give_up(row, first, last, lost);
        }
        let due = self.row_mut(row)?.holes().find(|hole| now.0 - hole.noticed >= grace)?;
        Some(match row {
            Row::Trades => RestQuery::Trades { first: due.first, last: due.last },
            Row::Klines => klines(KlineKind::Last, due),
            Row::MarkKlines => klines(KlineKind::Mark, due),
        })
    }

    /// Everything the venue has of what was wanted came. What is still missing is given up, unless it is so
    /// new that the venue may not have it yet.
    pub(super) fn answered(&mut self, query: &RestQuery, now: UnixMs, lost: &mut Vec<Lost>) {
        const TRADES_TOO_NEW_MS: i64 = 60_000;
        const KLINES_TOO_NEW_MS: i64 = 300_000;
        let Some((row, first, last)) = range(query) else { return };
        let too_new = if row == Row::Trades { TRADES_TOO_NEW_MS } else { KLINES_TOO_NEW_MS };
        let Some(sequence) = self.row_mut(row) else { return };
        let old: Vec<Hole> = sequence
            .holes()
            .filter(|hole| hole.first <= last && hole.last >= first && now.0 - hole.noticed >= too_new)
            .collect();
        for hole in old {
            self.give_up(row, hole.first.max(first), hole.last.min(last), lost);
        }
    }

    /// The venue will not say.
    pub(super) fn refused(&mut self, query: &RestQuery, lost: &mut Vec<Lost>) {
        if let Some((row, first, last)) = range(query) {
            self.give_up(row, first, last, lost);
        }
    }

    fn give_up(&mut self, row: Row, first: i64, last: i64, lost: &mut Vec<Lost>) {
        let unknown_before = self.unknown_before;
        let Some(sequence) = self.row_mut(row) else { return };
        for hole in sequence.give_up(first, last) {
            let (from, to) = match row {
                Row::Trades => (UnixMs(hole.since), UnixMs(hole.noticed)),
                Row::Klines | Row::MarkKlines => (time(hole.first), time(hole.last + 1)),
            };
            // A contract that is younger than what was asked for has lost nothing.
            if row != Row::Trades && to <= unknown_before {
                continue;
            }
            lost.push(Lost { row, from: from.min(to), to: to.max(from), numbers: (hole.first, hole.last) });
        }
    }

    fn row_mut(&mut self, row: Row) -> Option<&mut Sequence> {
        match row {
            Row::Klines => Some(&mut self.klines),
            Row::MarkKlines => Some(&mut self.mark_klines),
            Row::Trades => match &mut self.trades {
                TradeRow::Consecutive(ids) => Some(ids),
                TradeRow::Unique(_) => None,
            },
        }
    }

    /// Nothing is missing that was noticed.
    pub(super) fn is_whole(&mut self) -> bool {
        Row::ALL.into_iter().all(|row| self.row_mut(row).is_none_or(|row| row.holes().next().is_none()))
    }

    /// Time of the newest trade.
    pub(super) const fn newest_trade(&self) -> Option<UnixMs> {
        self.newest_trade
    }

    /// Time of the newest sample of open interest.
    pub(super) const fn newest_stock(&self) -> Option<UnixMs> {
        self.newest_stock
    }

    /// Time of the newest funding payment.
    pub(super) const fn newest_funding(&self) -> Option<UnixMs> {
        self.newest_funding
    }
}

fn minute(time: UnixMs) -> i64 {
    time.0.div_euclid(LIVE_INTERVAL.ms())
}

fn time(minute: i64) -> UnixMs {
    UnixMs(minute * LIVE_INTERVAL.ms())
}

fn klines(kind: KlineKind, hole: Hole) -> RestQuery {
    let interval: Interval = LIVE_INTERVAL;
    RestQuery::Klines { kind, interval, from: time(hole.first), to: time(hole.last + 1) }
}

/// The row and the numbers a query is about.
fn range(query: &RestQuery) -> Option<(Row, i64, i64)> {
    match *query {
        RestQuery::Trades { first, last } => Some((Row::Trades, first, last)),
        RestQuery::Klines { kind, from, to, .. } => {
            let row = if kind == KlineKind::Last { Row::Klines } else { Row::MarkKlines };
            Some((row, minute(from), minute(to.plus(-1))))
        }
        _ => None,
    }
}

fn kline_off(kline: &Kline) -> Option<&'static str> {
    let whole = kline.low <= kline.open.min(kline.close) && kline.high >= kline.open.max(kline.close);
    if !whole || !kline.low.is_positive() {
        return Some("its prices contradict each other");
    }
    if kline.open_time.floor_to(kline.interval.ms()) != kline.open_time {
        return Some("it does not open on its grid");
    }
    let amounts = [kline.volume, kline.taker_buy_volume].into_iter().flatten();
    let is_negative = amounts.map(liqheat_market::Qty::units).any(i64::is_negative);
    let is_too_much = matches!((kline.volume, kline.taker_buy_volume), (Some(all), Some(part)) if part > all);
    (is_negative || is_too_much || kline.trades.is_some_and(i64::is_negative))
        .then_some("its amounts contradict each other")
}

type LiquidationKey = (UnixMs, Side, i64, i64);

/// Liquidations have no ids. Two that are equal in everything may both be true when they come over one
/// connection; over two they are the same one.
#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<LiquidationKey>,
    counts: HashMap<LiquidationKey, Count>,
}

#[derive(Debug, Default)]
struct Count {
    delivered: u32,
    by_connection: Vec<(u64, u32)>,
}

impl Recent {
    const REMEMBERED: usize = 4_096;

    fn take(&mut self, liquidation: &Liquidation, origin: Origin) -> Seen {
        let Liquidation { time, side, qty, price, .. } = *liquidation;
        let key = (time, side, qty.units(), price.units());
        let connection = match origin {
            Origin::Socket(connection) => connection,
            Origin::Answer => u64::MAX,
        };
        if !self.counts.contains_key(&key) {
            if self.order.len() == Self::REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.counts.remove(&oldest);
            }
            self.order.push_back(key);
        }
        let count = self.counts.entry(key).or_default();
        let heard = match count.by_connection.iter_mut().find(|(known, _)| *known == connection) {
            Some((_, heard)) => heard,
            None => {
                count.by_connection.push((connection, 0));
                &mut count.by_connection.last_mut().expect("invariant: just pushed").1
            }
        };
        *heard += 1;
        if *heard <= count.delivered {
            return Seen::Repeated;
        }
        count.delivered += 1;
        Seen::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::exchange;
    use liqheat_market::{OpenInterest, Price, PriceKind, Qty, Taker, Venue};

    const NOW: UnixMs = UnixMs(1_748_131_200_000);
    const FIRST: Origin = Origin::Socket(1);
    const SECOND: Origin = Origin::Socket(2);

    fn intake(known: &Known) -> Intake {
        let limits = exchange(Venue::Binance).unwrap().limits();
        Intake::new(&limits, known, Duration::from_secs(600), 100, NOW)
    }

    fn trade(id: i64, seconds: i64) -> Event {
        let (price, qty) = (Price::from_units(6_000_000), Qty::from_units(1));
        Event::Trade(Trade { id, time: NOW.plus(seconds * 1_000), price, qty, taker: Taker::Buy })
    }

    fn liquidation(price: i64) -> Event {
        Event::Liquidation(Liquidation {
            time: NOW,
            side: Side::Long,
            qty: Qty::from_units(5),
            price: Price::from_units(price),
            price_kind: PriceKind::Fill,
        })
    }

    fn verdicts(intake: &mut Intake, events: &[(Event, Origin, i64)]) -> Vec<Verdict> {
        let mut out = Vec::new();
        let take = |(event, origin, seconds): &(Event, Origin, i64)| {
            intake.take(*event, *origin, NOW.plus(seconds * 1_000), &mut out)
        };
        events.iter().map(take).collect()
    }

    #[test]
    fn equal_liquidations_are_two_on_one_connection_and_one_on_two() {
        use Verdict::{New, Repeated};
        let mut intake = intake(&Known::default());
        let (a, b) = (liquidation(100), liquidation(101));
        let came =
            [(a, FIRST, 0), (a, SECOND, 0), (a, FIRST, 0), (b, SECOND, 0), (a, SECOND, 0), (b, FIRST, 0)];
        assert_eq!(verdicts(&mut intake, &came), [New, Repeated, New, New, Repeated, Repeated]);
    }

    #[test]
    fn a_hole_is_asked_for_after_a_moment_and_given_up_after_an_answer_without_it() {
        let mut intake = intake(&Known::default());
        verdicts(&mut intake, &[(trade(10, 0), FIRST, 0), (trade(14, 1), FIRST, 1)]);
        let mut lost = Vec::new();
        assert_eq!(
            intake.missing(Row::Trades, NOW.plus(1_500), &mut lost),
            None,
            "disorder sorts itself out"
        );
        let query = RestQuery::Trades { first: 11, last: 13 };
        assert_eq!(intake.missing(Row::Trades, NOW.plus(2_000), &mut lost), Some(query));
        verdicts(&mut intake, &[(trade(12, 1), Origin::Answer, 2)]);
        intake.answered(&query, NOW.plus(3_000), &mut lost);
        assert!(lost.is_empty(), "the venue may not have them yet");
        intake.answered(&query, NOW.plus(90_000), &mut lost);
        let numbers: Vec<_> = lost.iter().map(|lost| lost.numbers).collect();
        assert_eq!(numbers, [(11, 11), (13, 13)]);
        assert_eq!((lost[0].from, lost[0].to), (NOW, NOW.plus(1_000)));
    }

    #[test]
    fn an_answer_never_opens_a_hole() {
        let mut intake = intake(&Known { trade: Some((10, NOW)), ..Known::default() });
        assert_eq!(verdicts(&mut intake, &[(trade(90, 0), Origin::Answer, 0)]), [Verdict::Repeated]);
        assert_eq!(intake.missing(Row::Trades, NOW.plus(60_000), &mut Vec::new()), None);
    }

    #[test]
    fn ids_that_begin_anew_are_followed() {
        let mut intake = intake(&Known { trade: Some((1_000_000, NOW)), ..Known::default() });
        let mut out = Vec::new();
        let mut taken = 0;
        for at in 0..400 {
            let now = NOW.plus(at * 1_000);
            taken += usize::from(intake.take(trade(at, at), FIRST, now, &mut out) == Verdict::New);
        }
        assert_eq!(taken, 400 - 31 - 99, "after half a minute and a hundred of them");
    }

    #[test]
    fn an_id_far_ahead_is_not_believed() {
        let mut intake = intake(&Known::default());
        let came =
            [(trade(10, 0), FIRST, 0), (trade(60_011, 0), FIRST, 0), (trade(60_011, 3_600), FIRST, 3_600)];
        let said = verdicts(&mut intake, &came);
        assert_eq!(said[0], Verdict::New);
        assert_eq!(said[1], Verdict::Absurd("its id is far from the one before"));
        assert_eq!(said[2], Verdict::New, "after an hour it may be");
    }

    #[test]
    fn counts_of_open_interest_come_once_and_in_order_but_for_history() {
        let sample = |seconds: i64| {
            Event::OpenInterest(OpenInterest { time: NOW.plus(seconds * 1_000), qty: Qty::from_units(7) })
        };
        let mut intake = intake(&Known::default());
        let came = [
            (sample(5), FIRST, 5),
            (sample(5), SECOND, 5),
            (sample(1), FIRST, 5),
            (sample(-300), Origin::Answer, 5),
        ];
        use Verdict::{New, Repeated};
        assert_eq!(verdicts(&mut intake, &came), [New, Repeated, Repeated, New]);
    }

    #[test]
    fn minutes_that_ended_are_missed() {
        let mut intake = intake(&Known { kline: Some(NOW.plus(-180_000)), ..Known::default() });
        intake.pass_time(NOW.plus(2_999));
        let mut lost = Vec::new();
        let query = |from, to| {
            let (from, to) = (NOW.plus(from), NOW.plus(to));
            Some(RestQuery::Klines { kind: KlineKind::Last, interval: LIVE_INTERVAL, from, to })
        };
        assert_eq!(intake.missing(Row::Klines, NOW.plus(2_999), &mut lost), query(-120_000, -60_000));
        intake.pass_time(NOW.plus(3_000));
        assert_eq!(intake.missing(Row::Klines, NOW.plus(3_000), &mut lost), query(-120_000, 0));
        assert!(matches!(
            intake.missing(Row::MarkKlines, NOW.plus(3_000), &mut lost),
            Some(RestQuery::Klines { kind: KlineKind::Mark, from, .. }) if from == NOW.plus(-600_000)
        ));
    }
}
