//! The event gate of one contract: every event passes it before it counts. Implausible events are refused, repeats are
//! dropped, and what is missing between events is remembered until it is filled or given up.

mod missing;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use liqheat_market::convert::signed_ms;
use liqheat_market::{Event, Kline, KlineKind, Liquidation, MarkPrice, Trade, UnixMs};

use super::liquidations::LiquidationFilter;
use super::mark_klines::MarkKlineBuilder;
use super::origin::Origin;
use super::plausible::PlausibilityFilter;
use super::sequence::{Arrival, Sequence};
use crate::live::ResumePoint;
use crate::venues::recent::RecentIds;
use crate::venues::{ForceOrders, LIVE_INTERVAL, OrderReport, TradeIds, VenueLimits};

pub(in crate::live) use missing::{Loss, LostRange, Reach, Series};

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
