//! The event gate of one contract: every event passes it before it counts. Implausible events are refused, repeats are
//! dropped, and what is missing between events is remembered until it is filled or given up.

use std::collections::VecDeque;
use std::time::Duration;

use liqheat_market::convert::signed_ms;
use liqheat_market::{Event, Interval, Kline, KlineKind, Liquidation, MarkPrice, Trade, UnixMs};

use super::liquidations::LiquidationFilter;
use super::mark_klines::MarkKlineBuilder;
use super::plausible::PlausibilityFilter;
use super::sequence::{Arrival, MissingRange, Sequence};
use crate::live::ResumePoint;
use crate::venues::recent::RecentIds;
use crate::venues::{ForceOrders, LIVE_INTERVAL, OrderReport, RestQuery, StreamKind, TradeIds, VenueLimits};

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A connection, by its number.
    Socket(u64),
    /// An answer of the REST interface.
    Answer,
}

/// What a connection tells of a contract.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StreamEvent {
    Event(Event),
    Order(OrderReport),
}

impl StreamEvent {
    /// As an event: of an order, all that it has filled so far.
    pub(crate) const fn event(&self) -> Event {
        match self {
            Self::Event(event) => *event,
            Self::Order(report) => Event::Liquidation(report.so_far()),
        }
    }

    /// Passes the gate of its contract.
    pub(crate) fn pass(
        &self,
        gate: &mut EventGate,
        origin: Origin,
        now: UnixMs,
        out: &mut Vec<Event>,
    ) -> GateVerdict {
        match self {
            Self::Event(event) => gate.on_event(*event, origin, now, out),
            Self::Order(report) => gate.on_order(report, origin, now, out),
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateVerdict {
    /// It counts.
    New,
    /// It came before.
    Repeated,
    /// It cannot be true, for this reason.
    Implausible(&'static str),
}

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

/// Missing data that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::live) struct Lost {
    pub(in crate::live) series: Series,
    pub(in crate::live) from: UnixMs,
    pub(in crate::live) to: UnixMs,
    /// First and last number: trade ids, or minutes since the epoch.
    pub(in crate::live) numbers: (i64, i64),
}

/// The gate of one contract.
#[derive(Debug)]
pub struct EventGate {
    trades: TradeSequence,
    klines: Sequence,
    mark_klines: Sequence,
    mark_builder: MarkKlineBuilder,
    recent_marks: VecDeque<UnixMs>,
    liquidations: LiquidationFilter,
    orders: ForceOrders,
    newest_trade: Option<UnixMs>,
    /// Trades in a row with an old id and a new time.
    behind: u32,
    newest_open_interest: Option<UnixMs>,
    newest_funding: Option<UnixMs>,
    price: PlausibilityFilter,
    open_interest: PlausibilityFilter,
    /// Nothing before this moment was ever stored.
    stored_until: UnixMs,
    trades_max: i64,
    /// No connection has brought trades since the one of this moment, and ids do not show what is missing.
    trades_interrupted: Option<UnixMs>,
}

#[derive(Debug)]
enum TradeSequence {
    Consecutive(Sequence),
    Unique(RecentIds),
}

impl EventGate {
    /// Events farther in the venue's future are refused.
    const FUTURE_MS: i64 = 60_000;
    /// Events of sockets that are older are refused.
    const PAST_MS: i64 = 86_400_000;
    /// Reordered trades arrive within this time; a missing one is asked for only afterwards.
    const TRADE_GRACE_MS: i64 = 1_000;
    /// A closed kline is expected within this time, by socket or by request.
    const KLINE_GRACE_MS: i64 = 3_000;
    /// Trade ids do not grow faster than this a second, with this burst.
    const IDS_PER_SECOND: i64 = 5_000;
    const IDS_BURST: i64 = 50_000;
    /// Trades in a row with an old id and a new time after which the ids are taken to have begun anew.
    const BEHIND_MAX: u32 = 100;
    const MARKS_REMEMBERED: usize = 64;
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

    /// The gate of a contract whose data is stored up to `resume`. Klines are wanted from `fill_klines` before `now`
    /// (venue time) on; `trades_max` is the largest number of missing trades that is fetched.
    #[must_use]
    pub fn new(
        limits: &VenueLimits,
        resume: &ResumePoint,
        fill_klines: Duration,
        trades_max: u64,
        now: UnixMs,
    ) -> Self {
        let oldest = now.plus(-signed_ms(fill_klines)).floor_to(LIVE_INTERVAL.ms());
        let begin = |stored: Option<UnixMs>| {
            let before_all = oldest.plus(-LIVE_INTERVAL.ms());
            let last = stored.map_or(before_all, |time| time.max(before_all));
            Sequence::begin_after(minute(last), last.0)
        };
        let trades = match (limits.trade_ids, resume.trade) {
            (TradeIds::Unique, _) => TradeSequence::Unique(RecentIds::default()),
            (TradeIds::Consecutive, None) => TradeSequence::Consecutive(Sequence::default()),
            (TradeIds::Consecutive, Some((id, time))) => {
                TradeSequence::Consecutive(Sequence::begin_after(id, time.0))
            }
        };
        Self {
            trades,
            klines: begin(resume.kline),
            mark_klines: begin(resume.mark_kline),
            mark_builder: MarkKlineBuilder::new(LIVE_INTERVAL, limits.mark_pause),
            recent_marks: VecDeque::with_capacity(Self::MARKS_REMEMBERED),
            liquidations: LiquidationFilter::default(),
            orders: ForceOrders::default(),
            newest_trade: resume.trade.map(|(_, time)| time),
            behind: 0,
            newest_open_interest: resume.open_interest,
            newest_funding: resume.funding,
            price: PlausibilityFilter::default(),
            open_interest: PlausibilityFilter::default(),
            stored_until: resume.kline.unwrap_or(now),
            trades_max: i64::try_from(trades_max).unwrap_or(i64::MAX),
            trades_interrupted: None,
        }
    }

    /// An event arrived. If it counts it is appended to `out`, after a kline of the mark price that it ended. `now` is
    /// venue time.
    pub fn on_event(
        &mut self,
        event: Event,
        origin: Origin,
        now: UnixMs,
        out: &mut Vec<Event>,
    ) -> GateVerdict {
        if let Some(reason) = self.implausible(&event, origin, now) {
            return GateVerdict::Implausible(reason);
        }
        let arrival = match event {
            Event::Trade(trade) => self.on_trade(&trade, origin, now),
            Event::Kline(kline) => self.on_kline(&kline, now),
            Event::MarkPrice(tick) => self.on_mark(tick, now, out),
            Event::Liquidation(liquidation) => self.liquidations.on_liquidation(&liquidation, origin),
            Event::OpenInterest(sample) => {
                let is_newer = advance(&mut self.newest_open_interest, sample.time);
                // History may be older than the newest sample; the store keeps each row once.
                if is_newer || origin == Origin::Answer { Arrival::New } else { Arrival::Repeated }
            }
            Event::Funding(funding) => {
                let is_newer = advance(&mut self.newest_funding, funding.time);
                if is_newer { Arrival::New } else { Arrival::Repeated }
            }
        };
        match arrival {
            Arrival::Repeated => GateVerdict::Repeated,
            Arrival::New => {
                out.push(event);
                GateVerdict::New
            }
        }
    }

    /// A liquidation order was reported. What of it is new is appended to `out`.
    pub fn on_order(
        &mut self,
        report: &OrderReport,
        origin: Origin,
        now: UnixMs,
        out: &mut Vec<Event>,
    ) -> GateVerdict {
        let so_far = report.so_far();
        if let Some(reason) = self.implausible(&Event::Liquidation(so_far), origin, now) {
            return GateVerdict::Implausible(reason);
        }
        // Two connections bring the same report; equal ones of one connection are two orders.
        if self.liquidations.on_liquidation(&so_far, origin) == Arrival::Repeated {
            return GateVerdict::Repeated;
        }
        let qty = self.orders.filled_since(report);
        if !qty.is_positive() {
            return GateVerdict::Repeated;
        }
        out.push(Event::Liquidation(Liquidation { qty, ..so_far }));
        GateVerdict::New
    }

    fn implausible(&mut self, event: &Event, origin: Origin, now: UnixMs) -> Option<&'static str> {
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
                if self.is_id_far_ahead(trade) {
                    return Some("its id is far from the one before");
                }
                self.implausible_price(trade.price.units(), origin, now)
            }
            Event::MarkPrice(mark) => self.implausible_price(mark.price.units(), origin, now),
            Event::Liquidation(liquidation) if !liquidation.qty.is_positive() => {
                Some("its amount is not above zero")
            }
            Event::Liquidation(liquidation) => self.implausible_price(liquidation.price.units(), origin, now),
            Event::Kline(kline) => {
                implausible_kline(kline).or_else(|| self.implausible_price(kline.close.units(), origin, now))
            }
            Event::OpenInterest(sample)
                if sample.qty.is_positive() && matches!(origin, Origin::Socket(_)) =>
            {
                let is_plausible = self.open_interest.admits(sample.qty.units(), now.0);
                (!is_plausible).then_some("it is a hundred times more or less than before")
            }
            Event::OpenInterest(_) | Event::Funding(_) => None,
        }
    }

    /// Prices of answers are of the past and are not compared with the present.
    fn implausible_price(&mut self, units: i64, origin: Origin, now: UnixMs) -> Option<&'static str> {
        if units <= 0 {
            return Some("its price is not above zero");
        }
        let is_plausible = matches!(origin, Origin::Answer) || self.price.admits(units, now.0);
        (!is_plausible).then_some("its price is a hundred times more or less than before")
    }

    /// After an id that is far ahead everything would look like a repeat.
    fn is_id_far_ahead(&self, trade: &Trade) -> bool {
        let (TradeSequence::Consecutive(ids), Some(newest)) = (&self.trades, self.newest_trade) else {
            return false;
        };
        let Some(last) = ids.newest() else { return false };
        let seconds = trade.time.since(newest).max(0) / 1_000;
        let allowed = Self::IDS_BURST.saturating_add(seconds.saturating_mul(Self::IDS_PER_SECOND));
        trade.id.saturating_sub(last) > allowed
    }

    fn on_trade(&mut self, trade: &Trade, origin: Origin, now: UnixMs) -> Arrival {
        let arrival = match &mut self.trades {
            TradeSequence::Unique(ids) => {
                if ids.is_new(trade.id) {
                    Arrival::New
                } else {
                    Arrival::Repeated
                }
            }
            // Trades are requested only where some are missing; an answer never opens a missing range.
            TradeSequence::Consecutive(ids)
                if origin == Origin::Answer && ids.newest().is_none_or(|n| trade.id > n) =>
            {
                Arrival::Repeated
            }
            TradeSequence::Consecutive(ids) => ids.on_number(trade.id, now.0),
        };
        match arrival {
            Arrival::New => {
                self.newest_trade = self.newest_trade.max(Some(trade.time));
                self.behind = 0;
            }
            Arrival::Repeated => return self.on_repeated_trade(trade, origin, now),
        }
        arrival
    }

    /// Ids that have begun anew would make every further trade a repeat.
    fn on_repeated_trade(&mut self, trade: &Trade, origin: Origin, now: UnixMs) -> Arrival {
        const NEWER_MS: i64 = 30_000;
        let is_newer = self.newest_trade.is_some_and(|newest| trade.time.since(newest) > NEWER_MS);
        if !is_newer || origin == Origin::Answer {
            return Arrival::Repeated;
        }
        self.behind += 1;
        let TradeSequence::Consecutive(ids) = &mut self.trades else { return Arrival::Repeated };
        if self.behind < Self::BEHIND_MAX {
            return Arrival::Repeated;
        }
        *ids = Sequence::default();
        self.on_trade(trade, origin, now)
    }

    fn on_kline(&mut self, kline: &Kline, now: UnixMs) -> Arrival {
        if kline.interval != LIVE_INTERVAL {
            return Arrival::Repeated;
        }
        match kline.kind {
            KlineKind::Last => self.klines.on_number(minute(kline.open_time), now.0),
            KlineKind::Mark => self.mark_klines.on_number(minute(kline.open_time), now.0),
        }
    }

    fn on_mark(&mut self, tick: MarkPrice, now: UnixMs, out: &mut Vec<Event>) -> Arrival {
        if self.recent_marks.contains(&tick.time) {
            return Arrival::Repeated;
        }
        if self.recent_marks.len() == Self::MARKS_REMEMBERED {
            self.recent_marks.pop_front();
        }
        self.recent_marks.push_back(tick.time);
        if let Some(kline) = self.mark_builder.on_tick(tick)
            && self.mark_klines.on_number(minute(kline.open_time), now.0) == Arrival::New
        {
            out.push(Event::Kline(kline));
        }
        Arrival::New
    }

    /// Time passed: klines of the minutes that have ended are expected.
    pub(in crate::live) fn on_time(&mut self, now: UnixMs) {
        let ended = minute(now.plus(-Self::KLINE_GRACE_MS)) - 1;
        self.klines.reach(ended, now.0);
        self.mark_klines.reach(ended, now.0);
    }

    /// The oldest missing data of a series that should be requested now. What is too much to fetch is given up into
    /// `lost`.
    pub(in crate::live) fn next_missing(
        &mut self,
        series: Series,
        reach: Reach,
        now: UnixMs,
        lost: &mut Vec<Lost>,
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

    fn next_missing_trades(&mut self, now: UnixMs, lost: &mut Vec<Lost>) -> Option<RestQuery> {
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
    pub(in crate::live) fn on_complete(&mut self, query: &RestQuery, now: UnixMs, lost: &mut Vec<Lost>) {
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
    pub(in crate::live) fn on_unavailable(&mut self, query: &RestQuery, loss: Loss, lost: &mut Vec<Lost>) {
        if let Some((series, first, last)) = numbers_of(query) {
            self.give_up(series, first, last, loss, lost);
        }
    }

    fn give_up(&mut self, series: Series, first: i64, last: i64, loss: Loss, lost: &mut Vec<Lost>) {
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
            lost.push(Lost { series, from: from.min(to), to: to.max(from), numbers });
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

    /// No connection brings trades any more. Where ids are consecutive they will show what is missing.
    pub(in crate::live) fn on_interruption(&mut self) {
        if matches!(self.trades, TradeSequence::Unique(_)) {
            self.trades_interrupted = self.trades_interrupted.or(self.newest_trade);
        }
    }

    /// A trade arrived after an interruption: the time range in which nobody can say what was traded. A repeat proves
    /// that nothing is missing, as venues begin with their newest trades.
    pub(in crate::live) fn on_resumption(
        &mut self,
        time: UnixMs,
        verdict: GateVerdict,
    ) -> Option<(UnixMs, UnixMs)> {
        if matches!(verdict, GateVerdict::Implausible(_)) {
            return None;
        }
        let from = self.trades_interrupted.take()?;
        (verdict == GateVerdict::New && time > from).then_some((from, time))
    }

    /// Time of the newest sample of open interest.
    pub(in crate::live) const fn newest_open_interest(&self) -> Option<UnixMs> {
        self.newest_open_interest
    }

    /// Time of the newest funding payment.
    pub(in crate::live) const fn newest_funding(&self) -> Option<UnixMs> {
        self.newest_funding
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

/// Moves the newest time on; whether `time` is newer.
fn advance(newest: &mut Option<UnixMs>, time: UnixMs) -> bool {
    let is_newer = newest.is_none_or(|newest| time > newest);
    if is_newer {
        *newest = Some(time);
    }
    is_newer
}

fn minute(time: UnixMs) -> i64 {
    time.0.div_euclid(LIVE_INTERVAL.ms())
}

const fn open_time(minute: i64) -> UnixMs {
    UnixMs(minute * LIVE_INTERVAL.ms())
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

fn implausible_kline(kline: &Kline) -> Option<&'static str> {
    let is_ordered = kline.low <= kline.open.min(kline.close) && kline.high >= kline.open.max(kline.close);
    if !is_ordered || !kline.low.is_positive() {
        return Some("its prices contradict each other");
    }
    if kline.open_time.floor_to(kline.interval.ms()) != kline.open_time {
        return Some("it does not open on its grid");
    }
    let amounts = [kline.volume, kline.taker_buy_volume].into_iter().flatten();
    let is_negative = amounts.map(liqheat_market::Qty::units).any(i128::is_negative);
    let is_too_much = matches!((kline.volume, kline.taker_buy_volume), (Some(all), Some(part)) if part > all);
    (is_negative || is_too_much || kline.trades.is_some_and(i64::is_negative))
        .then_some("its amounts contradict each other")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::exchange;
    use liqheat_market::{OpenInterest, Price, PriceKind, Qty, Side, Taker, Venue};

    const NOW: UnixMs = UnixMs(1_748_131_200_000);
    const FIRST: Origin = Origin::Socket(1);
    const SECOND: Origin = Origin::Socket(2);

    fn gate(resume: &ResumePoint) -> EventGate {
        let limits = exchange(Venue::Binance).unwrap().limits();
        EventGate::new(&limits, resume, Duration::from_secs(600), 100, NOW)
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

    fn verdicts(gate: &mut EventGate, events: &[(Event, Origin, i64)]) -> Vec<GateVerdict> {
        let mut out = Vec::new();
        let take = |(event, origin, seconds): &(Event, Origin, i64)| {
            gate.on_event(*event, *origin, NOW.plus(seconds * 1_000), &mut out)
        };
        events.iter().map(take).collect()
    }

    #[test]
    fn equal_liquidations_are_two_on_one_connection_and_one_on_two() {
        use GateVerdict::{New, Repeated};
        let mut gate = gate(&ResumePoint::default());
        let (a, b) = (liquidation(100), liquidation(101));
        let came =
            [(a, FIRST, 0), (a, SECOND, 0), (a, FIRST, 0), (b, SECOND, 0), (a, SECOND, 0), (b, FIRST, 0)];
        assert_eq!(verdicts(&mut gate, &came), [New, Repeated, New, New, Repeated, Repeated]);
    }

    #[test]
    fn an_order_that_ends_on_another_connection_counts_once() {
        use GateVerdict::{New, Repeated};
        let report = |filled: i128, seconds: i64| OrderReport {
            side: Side::Long,
            size: Qty::from_units(10),
            limit: Price::from_units(99),
            filled: Qty::from_units(filled),
            average: Price::from_units(100),
            is_open: filled < 10,
            time: NOW.plus(seconds * 1_000),
        };
        for (came, expected) in [
            (vec![(4, FIRST, 0), (10, SECOND, 1), (10, FIRST, 1)], [New, New, Repeated].as_slice()),
            (
                vec![(4, FIRST, 0), (4, SECOND, 0), (10, FIRST, 1), (10, SECOND, 1)],
                &[New, Repeated, New, Repeated],
            ),
            (vec![(10, SECOND, 1), (4, FIRST, 0), (10, FIRST, 1)], &[New, Repeated, Repeated]),
        ] {
            let (mut gate, mut out) = (gate(&ResumePoint::default()), Vec::new());
            let take = |(filled, origin, seconds): &(i128, Origin, i64)| {
                gate.on_order(&report(*filled, *seconds), *origin, NOW.plus(2_000), &mut out)
            };
            let verdicts: Vec<GateVerdict> = came.iter().map(take).collect();
            assert_eq!(verdicts, expected, "{came:?}");
            let sum: i128 = out
                .iter()
                .map(|event| match event {
                    Event::Liquidation(liquidation) => liquidation.qty.units(),
                    other => panic!("{other:?}"),
                })
                .sum();
            assert_eq!(sum, 10, "{came:?}");
        }
    }

    #[test]
    fn a_hole_is_asked_for_after_a_moment_and_given_up_after_an_answer_without_it() {
        let mut gate = gate(&ResumePoint::default());
        verdicts(&mut gate, &[(trade(10, 0), FIRST, 0), (trade(14, 1), FIRST, 1)]);
        let mut lost = Vec::new();
        assert_eq!(
            gate.next_missing(Series::Trades, Reach::Past, NOW.plus(1_500), &mut lost),
            None,
            "disorder sorts itself out"
        );
        let query = RestQuery::Trades { first: 11, last: 13 };
        assert_eq!(gate.next_missing(Series::Trades, Reach::Past, NOW.plus(2_000), &mut lost), Some(query));
        verdicts(&mut gate, &[(trade(12, 1), Origin::Answer, 2)]);
        gate.on_complete(&query, NOW.plus(3_000), &mut lost);
        assert!(lost.is_empty(), "the venue may not have them yet");
        gate.on_complete(&query, NOW.plus(90_000), &mut lost);
        let numbers: Vec<_> = lost.iter().map(|lost| lost.numbers).collect();
        assert_eq!(numbers, [(11, 11), (13, 13)]);
        assert_eq!((lost[0].from, lost[0].to), (NOW, NOW.plus(1_000)));
    }

    #[test]
    fn an_answer_never_opens_a_hole() {
        let mut gate = gate(&ResumePoint { trade: Some((10, NOW)), ..ResumePoint::default() });
        assert_eq!(verdicts(&mut gate, &[(trade(90, 0), Origin::Answer, 0)]), [GateVerdict::Repeated]);
        assert_eq!(gate.next_missing(Series::Trades, Reach::Past, NOW.plus(60_000), &mut Vec::new()), None);
    }

    #[test]
    fn ids_that_begin_anew_are_followed() {
        let mut gate = gate(&ResumePoint { trade: Some((1_000_000, NOW)), ..ResumePoint::default() });
        let mut out = Vec::new();
        let mut taken = 0;
        for at in 0..400 {
            let now = NOW.plus(at * 1_000);
            taken += usize::from(gate.on_event(trade(at, at), FIRST, now, &mut out) == GateVerdict::New);
        }
        assert_eq!(taken, 400 - 31 - 99, "after half a minute and a hundred of them");
    }

    #[test]
    fn an_id_far_ahead_is_not_believed() {
        let mut gate = gate(&ResumePoint::default());
        let came =
            [(trade(10, 0), FIRST, 0), (trade(60_011, 0), FIRST, 0), (trade(60_011, 3_600), FIRST, 3_600)];
        let said = verdicts(&mut gate, &came);
        assert_eq!(said[0], GateVerdict::New);
        assert_eq!(said[1], GateVerdict::Implausible("its id is far from the one before"));
        assert_eq!(said[2], GateVerdict::New, "after an hour it may be");
    }

    #[test]
    fn counts_of_open_interest_come_once_and_in_order_but_for_history() {
        let sample = |seconds: i64| {
            Event::OpenInterest(OpenInterest { time: NOW.plus(seconds * 1_000), qty: Qty::from_units(7) })
        };
        let mut gate = gate(&ResumePoint::default());
        let came = [
            (sample(5), FIRST, 5),
            (sample(5), SECOND, 5),
            (sample(1), FIRST, 5),
            (sample(-300), Origin::Answer, 5),
        ];
        use GateVerdict::{New, Repeated};
        assert_eq!(verdicts(&mut gate, &came), [New, Repeated, Repeated, New]);
    }

    #[test]
    fn minutes_that_ended_are_missed() {
        let mut gate = gate(&ResumePoint { kline: Some(NOW.plus(-180_000)), ..ResumePoint::default() });
        gate.on_time(NOW.plus(2_999));
        let mut lost = Vec::new();
        let query = |from, to| {
            let (from, to) = (NOW.plus(from), NOW.plus(to));
            Some(RestQuery::Klines { kind: KlineKind::Last, interval: LIVE_INTERVAL, from, to })
        };
        assert_eq!(
            gate.next_missing(Series::Klines, Reach::Recent, NOW.plus(2_999), &mut lost),
            query(-120_000, -60_000)
        );
        gate.on_time(NOW.plus(3_000));
        assert_eq!(
            gate.next_missing(Series::Klines, Reach::Recent, NOW.plus(3_000), &mut lost),
            query(-120_000, 0)
        );
        assert!(matches!(
            gate.next_missing(Series::MarkKlines, Reach::Recent, NOW.plus(3_000), &mut lost),
            Some(RestQuery::Klines { kind: KlineKind::Mark, from, .. }) if from == NOW.plus(-600_000)
        ));
    }
}
