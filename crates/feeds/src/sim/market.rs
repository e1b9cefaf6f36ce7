//! The market itself: one second after another, each in two halves.
//!
//! At the second: the minute before it closes if it was the last of one (klines, open interest, funding), the
//! regime may turn, the mark price moves. In the milliseconds after it: positions that the mark has touched
//! are liquidated, their orders press on the price of the next second, and the second's trades are printed.
//! So what is known at a whole second is exactly what happened before it, plus the new mark.

use std::collections::VecDeque;

use liqheat_market::convert::{approx_f64, trunc_i64};
use liqheat_market::{
    Event, Funding, Instrument, Liquidation, MarkPrice, OpenInterest, Price, PriceKind, Qty, Rate, Side,
    Taker, TierTable, UNIT_SCALE, UnixMs, Venue,
};

use super::config::{SimConfig, SimConfigError};
use super::crowd::{Crowd, TrueLevel};
use super::dice::Dice;
use super::flow::Flow;
use super::margin;
use super::path::Path;
use super::regime::RegimeSchedule;
use super::tape::Tape;

const SECOND_MS: i64 = 1_000;
const MARK_TICK_MS: i64 = 5_000;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const FUNDING_HOURS: i64 = 8;
const FUNDING_MS: i64 = FUNDING_HOURS * 3_600_000;
/// The part of a second in which liquidations happen, one a millisecond; trading goes on after it. What is
/// more than that shares the last millisecond, in one event.
const FORCED_MS: i64 = 400;
const FUNDING_BASE: f64 = 0.000_1;
const FUNDING_MOST: f64 = 0.003;

/// Streams of chance, one a part, so that a change in one part leaves the others' draws alone.
mod stream {
    pub(super) const MOOD: u64 = 1;
    pub(super) const PATH: u64 = 2;
    pub(super) const FLOW: u64 = 3;
}

/// A simulated market: give it a time, and it tells what happened until then.
///
/// The same [`SimConfig`] gives the same events on every machine, however the time is cut into calls of
/// [`Sim::advance`].
///
/// ```
/// use liqheat_feeds::sim::{Sim, SimConfig};
///
/// let config = SimConfig::default();
/// let mut sim = Sim::new(config.clone())?;
/// let mut events = Vec::new();
/// sim.advance(config.start.plus(3_600_000), &mut events);
/// assert!(events.len() > 60);
/// # Ok::<(), liqheat_feeds::sim::SimConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sim {
    config: SimConfig,
    schedule: RegimeSchedule,
    path: Path,
    flow: Flow,
    crowd: Crowd,
    tape: Tape,
    now: UnixMs,
    /// The second of which a half is to be played next, and which half.
    second: UnixMs,
    part: StepPart,
    /// Happened within the second played last, but after `now`.
    pending: VecDeque<Event>,
    basis_sum: f64,
    basis_seconds: f64,
    forced: Vec<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepPart {
    AtTheSecond,
    After,
}

impl Sim {
    /// Opens a market. Nothing has happened yet: the first events are those of `config.start`.
    ///
    /// # Errors
    /// When a setting is out of range; the error names it.
    pub fn new(config: SimConfig) -> Result<Self, SimConfigError> {
        config.validate()?;
        let price = config.initial_price;
        let path = Path::new(price, Dice::new(config.seed, stream::PATH));
        let schedule = RegimeSchedule::new(&config, path.log_price(), Dice::new(config.seed, stream::MOOD));
        let mut flow = Flow::new(&config, Dice::new(config.seed, stream::FLOW));
        let mut crowd = Crowd::new(config.open_interest, margin::tier_table(config.start)?);
        flow.populate(&mut crowd, price);
        Ok(Self {
            schedule,
            path,
            flow,
            crowd,
            tape: Tape::new(config.start, price),
            now: config.start.plus(-1),
            second: config.start,
            part: StepPart::AtTheSecond,
            pending: VecDeque::new(),
            basis_sum: 0.0,
            basis_seconds: 0.0,
            forced: Vec::new(),
            config,
        })
    }

    /// Appends to `events` everything that becomes known after [`Sim::now`] and up to `until`, in order of
    /// [`Event::known_at`]; within one moment klines of trades, klines of marks, open interest, funding, mark
    /// price, trades, liquidations. Does nothing for a time that is past.
    pub fn advance(&mut self, until: UnixMs, events: &mut Vec<Event>) {
        self.release(until, events);
        loop {
            let next = match self.part {
                StepPart::AtTheSecond => self.second,
                StepPart::After => self.second.plus(1),
            };
            if next > until {
                break;
            }
            match self.part {
                StepPart::AtTheSecond => {
                    self.at_the_second(events);
                    self.part = StepPart::After;
                }
                StepPart::After => {
                    self.after_the_second();
                    self.second = self.second.plus(SECOND_MS);
                    self.part = StepPart::AtTheSecond;
                    self.release(until, events);
                }
            }
        }
        self.now = self.now.max(until);
    }

    /// The time up to which events have been given out.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.now
    }

    /// What is traded: the symbol of the settings at the simulated venue.
    #[must_use]
    pub fn instrument(&self) -> Instrument {
        Instrument::new(Venue::Sim, self.config.symbol.clone())
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// The venue's margin table.
    #[must_use]
    pub fn tiers(&self) -> &TierTable {
        self.crowd.tiers()
    }

    /// The mark price of the moment.
    #[must_use]
    pub fn mark_price(&self) -> Price {
        self.tape.mark_price()
    }

    /// Open contracts, coins, single-sided. Exact at whole seconds; within a second, as of its end.
    #[must_use]
    pub fn open_interest(&self) -> Qty {
        self.crowd.open_interest()
    }

    /// Every position with a liquidation price, as it really is: what a heatmap tries to estimate. Longs
    /// first, each side by rising price. As of the moment of [`Sim::open_interest`].
    #[must_use]
    pub fn true_levels(&self) -> Vec<TrueLevel> {
        self.crowd.levels()
    }

    /// Longs and shorts, counted again one by one: equal to each other and to the open interest.
    #[must_use]
    pub fn recount(&self) -> (Qty, Qty) {
        let [long, short] = self.crowd.recount();
        (Qty::from_units(long), Qty::from_units(short))
    }

    fn release(&mut self, until: UnixMs, events: &mut Vec<Event>) {
        while self.pending.front().is_some_and(|event| event.known_at() <= until) {
            events.extend(self.pending.pop_front());
        }
    }

    fn at_the_second(&mut self, events: &mut Vec<Event>) {
        let time = self.second;
        let elapsed_s = time.since(self.config.start) / SECOND_MS;
        if time.0 % MINUTE_MS == 0 {
            if elapsed_s > 0 {
                events.extend(self.tape.close_minute().map(Event::Kline));
            }
            events.push(Event::OpenInterest(OpenInterest { time, qty: self.crowd.open_interest() }));
        }
        if time.0 % FUNDING_MS == 0 && elapsed_s > 0 {
            events.push(Event::Funding(self.charge_funding(time)));
        }
        if elapsed_s > 0 {
            self.schedule.turn(elapsed_s, self.path.log_price());
            self.path.step(&self.schedule, elapsed_s);
        }
        let mark = to_multiple(libm::exp(self.path.log_price()), MARK_STEP);
        self.tape.mark(mark);
        if time.0 % MARK_TICK_MS == 0 {
            events.push(Event::MarkPrice(MarkPrice { time, price: mark }));
        }
        self.basis_sum += self.path.basis();
        self.basis_seconds += 1.0;
    }

    fn after_the_second(&mut self) {
        let mut forced_ms = 1;
        for side in Side::BOTH {
            forced_ms = self.liquidate(side, forced_ms);
        }
        let regime = self.schedule.regime;
        let day_share = approx_f64(self.second.0.rem_euclid(DAY_MS)) / approx_f64(DAY_MS);
        let prints = self.flow.step(&regime, &self.path, day_share);
        let mut moments: Vec<i64> = (0..prints).map(|_| self.flow.moment(FORCED_MS + 1, SECOND_MS)).collect();
        moments.sort_unstable();
        for moment in moments {
            let order = self.flow.order(&regime, &self.path, self.crowd.open_interest());
            // Up to half a basis point to cross the spread.
            let slip = 0.000_05 * self.flow.eagerness();
            let price = self.last_price(order.taker, slip);
            let mark = self.tape.mark_price();
            self.crowd.trade(price, mark, order.qty, order.buyers, order.sellers, order.oi_change);
            let trade =
                self.tape.print(self.second.plus(moment), price, Qty::from_units(order.qty), order.taker);
            self.pending.push_back(Event::Trade(trade));
        }
    }

    /// Closes what the mark has touched, from the millisecond `forced_ms` on: one print for the venue's order
    /// and an event for every trader. Returns the next free millisecond.
    fn liquidate(&mut self, side: Side, forced_ms: i64) -> i64 {
        self.forced.clear();
        let closed = self.crowd.liquidate(side, self.tape.mark_price(), &mut self.forced);
        if closed == 0 {
            return forced_ms;
        }
        let taker = match side {
            Side::Long => Taker::Sell,
            Side::Short => Taker::Buy,
        };
        let millionths = approx_f64(closed) * 1e6 / approx_f64(self.config.open_interest.units());
        let moved = self.path.press(-side.sign() * millionths, self.schedule.regime.impact());
        let price = self.last_price(taker, 0.5 * moved.abs());
        let time = self.second.plus(forced_ms);
        self.pending.push_back(Event::Trade(self.tape.print(time, price, Qty::from_units(closed), taker)));

        let mut next_ms = forced_ms;
        let mut shared = 0;
        for &qty in &self.forced {
            if next_ms < FORCED_MS {
                let time = self.second.plus(next_ms);
                self.pending.push_back(liquidation(time, side, Qty::from_units(qty), price));
                next_ms += 1;
            } else {
                shared += qty;
            }
        }
        if shared > 0 {
            let time = self.second.plus(FORCED_MS);
            self.pending.push_back(liquidation(time, side, Qty::from_units(shared), price));
        }
        next_ms
    }

    /// Where a taker's order fills: the mark with the basis, and `slip` (a share) to the taker's cost.
    fn last_price(&self, taker: Taker, slip: f64) -> Price {
        let cost = match taker {
            Taker::Buy => slip,
            Taker::Sell => -slip,
        };
        let price = self.tape.mark_price().to_f64() * (1.0 + self.path.basis() + cost);
        to_multiple(price, self.config.tick.units())
    }

    fn charge_funding(&mut self, time: UnixMs) -> Funding {
        let premium = self.basis_sum / self.basis_seconds.max(1.0);
        self.basis_sum = 0.0;
        self.basis_seconds = 0.0;
        let rate = (FUNDING_BASE + premium).clamp(-FUNDING_MOST, FUNDING_MOST);
        let rate = Rate::from_f64(rate).unwrap_or_default();
        Funding { time, rate, interval_hours: Some(FUNDING_HOURS) }
    }
}

/// Mark prices are multiples of a cent.
const MARK_STEP: i64 = UNIT_SCALE / 100;

/// The nearest multiple of `step` units, and at least one of them.
fn to_multiple(price: f64, step: i64) -> Price {
    let units = trunc_i64((price * (approx_f64(UNIT_SCALE) / approx_f64(step))).round());
    Price::from_units(units.max(1).saturating_mul(step))
}

fn liquidation(time: UnixMs, side: Side, qty: Qty, price: Price) -> Event {
    Event::Liquidation(Liquidation { time, side, qty, price, price_kind: PriceKind::Fill })
}
