//! Plays a market, feeds the model with what the public sees of it, and looks at both every full hour.

use std::collections::BTreeMap;

use liqheat_feeds::sim::{Sim, SimConfig};
use liqheat_market::{
    Bar, Event, Interval, Kline, KlineKind, OpenInterest, Price, Qty, Side, UNIT_SCALE, UnixMs,
};
use liqheat_model::{Ledger, Params, assemble};

use crate::maps::{BIN_USD, SideAtHour, bin_of, bins, moved_volume};

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 3_600_000;
const CELL: i64 = 10 * UNIT_SCALE;

/// One market with the model beside it.
pub(crate) struct Observer {
    pub(crate) sim: Sim,
    ledger: Ledger,
    /// All coins traded so far by price, in cells.
    traded: BTreeMap<Price, i128>,
}

/// What one hour brought, sorted by kind.
#[derive(Default)]
struct Hour {
    klines: Vec<Kline>,
    marks: Vec<Kline>,
    counts: Vec<OpenInterest>,
    profiles: BTreeMap<UnixMs, BTreeMap<Price, i128>>,
    /// (side, price, USD).
    liquidations: Vec<(Side, f64, f64)>,
}

/// What was seen in one market.
pub(crate) struct Run {
    /// Both sides at every full hour after the warm-up.
    pub(crate) looks: Vec<SideAtHour>,
    /// USD the model consumed and USD really liquidated after the warm-up.
    pub(crate) consumed: f64,
    pub(crate) liquidated: f64,
}

impl Run {
    pub(crate) fn new(seed: u64, warm_hours: i64, hours: i64) -> Self {
        let mut observer = Observer::new(seed);
        let mut run = Self { looks: Vec::new(), consumed: 0.0, liquidated: 0.0 };
        let mut open: Vec<SideAtHour> = Vec::new();
        for number in 1..=hours {
            let hour = observer.hour();
            for mut look in open.drain(..) {
                hour.tell(&mut look);
                run.looks.push(look);
            }
            let consumed = observer.teach(&hour);
            if number > warm_hours {
                run.consumed += consumed;
                run.liquidated += hour.liquidations.iter().map(|(.., usd)| usd).sum::<f64>();
            }
            if number >= warm_hours {
                open = Side::BOTH.map(|side| observer.look(side)).into();
            }
        }
        run
    }
}

impl Hour {
    /// Tells a look from the start of this hour what became of it.
    fn tell(&self, look: &mut SideAtHour) {
        let low = self.marks.iter().map(|kline| kline.low.to_f64()).fold(f64::MAX, f64::min);
        let high = self.marks.iter().map(|kline| kline.high.to_f64()).fold(0.0, f64::max);
        let reached = match look.side {
            Side::Long => low,
            Side::Short => high,
        };
        look.touched = bin_of(look.side, look.price, reached).map_or(0, |bin| bin + 1);
        for (_, price, usd) in self.liquidations.iter().filter(|(side, ..)| *side == look.side) {
            if let Some(bin) = bin_of(look.side, look.price, *price) {
                look.liquidated[bin] += usd;
            }
        }
    }
}

impl Observer {
    pub(crate) fn new(seed: u64) -> Self {
        let sim = Sim::new(SimConfig { seed, ..SimConfig::default() }).expect("settings are in range");
        let ledger = Ledger::new(Params::default(), sim.tiers().clone());
        Self { sim, ledger, traded: BTreeMap::new() }
    }

    /// The events up to the next full hour.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let next = self.sim.now().plus(1).floor_to(HOUR).plus(HOUR);
        let mut events = Vec::new();
        self.sim.advance(next, &mut events);
        events
    }

    fn hour(&mut self) -> Hour {
        let mut hour = Hour::default();
        for event in self.events() {
            match event {
                Event::Kline(kline) if kline.kind == KlineKind::Last => hour.klines.push(kline),
                Event::Kline(kline) => hour.marks.push(kline),
                Event::OpenInterest(count) => hour.counts.push(count),
                Event::Trade(trade) => {
                    let cell = Price::from_units(trade.price.units() / CELL * CELL);
                    let bar = hour.profiles.entry(trade.time.floor_to(MINUTE)).or_default();
                    *bar.entry(cell).or_default() += trade.qty.units();
                    *self.traded.entry(cell).or_default() += trade.qty.units();
                }
                Event::Liquidation(forced) => {
                    let (price, coins) = (forced.price.to_f64(), forced.qty.to_f64());
                    hour.liquidations.push((forced.side, price, price * coins));
                }
                Event::MarkPrice(_) | Event::Funding(_) => {}
            }
        }
        hour
    }

    /// Gives the model an hour; returns the USD it consumed.
    fn teach(&mut self, hour: &Hour) -> f64 {
        let bars: Vec<Bar> = assemble(&hour.klines, &hour.marks, &hour.counts);
        assert_eq!(bars.len(), 60);
        let mut consumed = 0.0;
        for bar in &bars {
            assert_eq!(bar.close_time.since(bar.open_time), Interval::M1.ms());
            let in_coins = |(price, units): (&Price, &i128)| (*price, Qty::from_units(*units));
            let cells = hour.profiles.get(&bar.open_time);
            let profile: Vec<(Price, Qty)> = cells.into_iter().flatten().map(in_coins).collect();
            let step = self.ledger.apply(bar, &profile);
            assert!(step.oi_known && step.volume_known && step.taker_known && step.broken.is_empty());
            consumed += step.consumed_long.usd + step.consumed_short.usd;
        }
        consumed
    }

    fn look(&self, side: Side) -> SideAtHour {
        let price = self.ledger.last_price().map_or(0.0, Price::to_f64);
        let count = bins(price);
        let (mut truth, mut estimate) = (vec![0.0; count], vec![0.0; count]);
        for level in self.sim.true_levels().iter().filter(|level| level.side == side) {
            let at = level.price.to_f64();
            if let Some(bin) = bin_of(side, price, at) {
                truth[bin] += at * level.qty.to_f64();
            }
        }
        let bin = Price::from_f64(BIN_USD).expect("a price");
        for level in self.ledger.levels(bin, None) {
            // The middle of a bin is inside it whatever the rounding.
            if let Some(bin) = bin_of(side, price, level.price.to_f64() + 0.5 * BIN_USD) {
                estimate[bin] += match side {
                    Side::Long => level.long_usd,
                    Side::Short => level.short_usd,
                };
            }
        }
        let volume = moved_volume(side, price, &self.traded);
        SideAtHour { side, price, truth, estimate, volume, liquidated: vec![0.0; count], touched: 0 }
    }
}
