//! Who trades, how much, and with what leverage.
//!
//! A print of the tape stands for all orders of its moment. Most of it is trading that leaves no trace (the
//! pool on both legs); a part opens and closes contracts, and a part of that carries leverage. Takers are
//! the levered ones. Leverage sits on the round numbers that sliders offer, which is why levels of the same
//! entry stand in separate bands, and the higher it is, the sooner its owner leaves.

use liqheat_market::convert::{approx_f64, trunc_i64};
use liqheat_market::{Price, Qty, Side, Taker};

use super::config::{SimConfig, units_of};
use super::crowd::{Crowd, Entrant, Leg};
use super::dice::Dice;
use super::path::Path;
use super::regime::Regime;

/// A step of the leverage slider.
struct Leverage {
    leverage: f64,
    /// Share among levered takers, and among levered makers.
    taker: f64,
    maker: f64,
    /// Mean life of a position, in times the open interest that is traded meanwhile (about 3.5 a day).
    life: f64,
}

const fn leverage(leverage: f64, taker: f64, maker: f64, life: f64) -> Leverage {
    Leverage { leverage, taker, maker, life }
}

const LEVERAGES: [Leverage; 9] = [
    leverage(3.0, 0.04, 0.20, 10.0),
    leverage(5.0, 0.08, 0.30, 8.0),
    leverage(10.0, 0.20, 0.30, 5.0),
    leverage(20.0, 0.15, 0.10, 3.0),
    leverage(25.0, 0.13, 0.05, 2.5),
    leverage(50.0, 0.20, 0.04, 1.5),
    leverage(75.0, 0.05, 0.01, 1.1),
    leverage(100.0, 0.12, 0.0, 0.8),
    leverage(125.0, 0.03, 0.0, 0.6),
];

/// Makers carry this much of the takers' leverage, and one trade in this many has a levered maker.
const MAKER_SHARE: f64 = 0.2;
const MAKER_CHANCE: f64 = 0.4;
/// Mean size of a print as a share of the open interest at the start, and the spread of its logarithm.
const PRINT_SIZE: f64 = 1.0e-4;
const PRINT_SPREAD: f64 = 1.0;
const PRINT_MOST: f64 = 0.01;
/// Share of volume that opens contracts while as many are closed.
const TURNOVER: f64 = 0.08;
/// About the share of volume that opens contracts, all in all: for the population at the start.
const OPENED_SHARE: f64 = 0.12;
const ENTRANT_SPREAD: f64 = 1.2;
/// At most this share of a leg is levered traders leaving.
const LEAVING_SHARE: f64 = 0.3;
const PRINTS_MOST: usize = 12;

/// A quantity that wanders around zero and forgets: an Ornstein-Uhlenbeck process by the second.
#[derive(Debug, Clone)]
struct Wave {
    value: f64,
    spread: f64,
    memory_s: f64,
}

impl Wave {
    const fn new(spread: f64, memory_s: f64) -> Self {
        Self { value: 0.0, spread, memory_s }
    }

    fn step(&mut self, dice: &mut Dice) {
        let noise = self.spread * (2.0 / self.memory_s).sqrt();
        self.value += -self.value / self.memory_s + noise * dice.normal();
    }
}

/// A print before it is settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) taker: Taker,
    pub(super) qty: i64,
    pub(super) buyers: Leg,
    pub(super) sellers: Leg,
    pub(super) oi_change: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Flow {
    /// Open interest at the start, in units: the yardstick of all sizes.
    open_interest: f64,
    lot: i64,
    levered_share: f64,
    /// Excess of takers that buy.
    imbalance: Wave,
    /// Voluntary change of open interest, as a share of volume.
    building: Wave,
    /// Logarithm of the open interest the market feels at home with, over that of the start.
    depth: Wave,
    /// Logarithm of the appetite for leverage.
    appetite: Wave,
    dice: Dice,
}

impl Flow {
    pub(super) fn new(config: &SimConfig, dice: Dice) -> Self {
        Self {
            open_interest: approx_f64(config.open_interest.units()),
            lot: units_of(config.lot),
            levered_share: config.levered_share,
            imbalance: Wave::new(0.07, 1_500.0),
            building: Wave::new(0.06, 2_400.0),
            depth: Wave::new(0.06, 260_000.0),
            appetite: Wave::new(0.45, 7_200.0),
            dice,
        }
    }

    /// The people who are in the market before it opens: as many of each leverage as the flow sustains, with
    /// entries as far from today's price as their age suggests.
    pub(super) fn populate(&mut self, crowd: &mut Crowd, price: Price) {
        const EACH: usize = 120;
        const SURVIVING: f64 = 0.7;
        const VOLATILITY_DAY: f64 = 0.024;
        const TURNOVERS_A_DAY: f64 = 3.5;
        for class in &LEVERAGES {
            let opened = 0.5 * OPENED_SHARE * self.levered_share * (class.taker + MAKER_SHARE * class.maker);
            let mass = SURVIVING * opened * class.life * self.open_interest;
            for side in Side::BOTH {
                for _ in 0..EACH {
                    let qty = self.dice.lognormal(mass / approx_f64(EACH), ENTRANT_SPREAD);
                    let age_days = class.life * self.dice.uniform() / TURNOVERS_A_DAY;
                    let moved = VOLATILITY_DAY * age_days.sqrt() * self.dice.normal();
                    let entry = price.to_f64() * libm::exp(moved);
                    let entrant = Entrant {
                        qty: self.lots(qty),
                        leverage: class.leverage,
                        patience: trunc_i64(self.dice.exponential(class.life * self.open_interest)),
                    };
                    if entrant.qty > 0 {
                        crowd.place(side, Price::from_f64(entry).unwrap_or(price), entrant, price);
                    }
                }
            }
        }
    }

    /// Lets a second pass; returns how many prints it has. `day_share` is the time of day, 0 to 1 UTC.
    pub(super) fn step(&mut self, regime: &Regime, path: &Path, day_share: f64) -> usize {
        for wave in [&mut self.imbalance, &mut self.building, &mut self.depth, &mut self.appetite] {
            wave.step(&mut self.dice);
        }
        // Busiest at 15:00 UTC, when Europe and America are both awake.
        let season = 1.0 + 0.25 * libm::cos(std::f64::consts::TAU * (day_share - 15.0 / 24.0));
        let rate = regime.prints_per_minute() / 60.0 * season * path.heat.sqrt();
        self.dice.poisson(rate, PRINTS_MOST)
    }

    /// When in the second a print happens, in milliseconds between two bounds.
    pub(super) fn moment(&mut self, low: i64, high: i64) -> i64 {
        low + trunc_i64(self.dice.uniform() * approx_f64(high - low))
    }

    /// How far into the spread and beyond an order reaches, 0 to 1.
    pub(super) fn eagerness(&mut self) -> f64 {
        self.dice.uniform()
    }

    /// Draws one print.
    pub(super) fn order(&mut self, regime: &Regime, path: &Path, open_interest: Qty) -> Order {
        let buying = 0.5 + (0.12 * path.chase + self.imbalance.value).clamp(-0.3, 0.3);
        let taker = if self.dice.chance(buying) { Taker::Buy } else { Taker::Sell };
        let size = self
            .dice
            .lognormal(PRINT_SIZE * self.open_interest, PRINT_SPREAD)
            .min(PRINT_MOST * self.open_interest);
        let qty = self.lots(size).max(self.lot);

        let home = self.open_interest * libm::exp(self.depth.value);
        let missing = (home - approx_f64(open_interest.units())) / home;
        let building = regime.oi_tilt() + self.building.value + 1.5 * missing + 0.12 * self.dice.normal();
        let oi_change = building.clamp(-0.6, 0.6) * approx_f64(qty);
        let opened = oi_change.max(0.0) + TURNOVER * (approx_f64(qty) - oi_change.abs());

        let levered = opened * self.levered_share * libm::exp(self.appetite.value - 0.1);
        let leaving_max = trunc_i64(LEAVING_SHARE * approx_f64(qty));
        let takers = Leg { entrant: self.entrant(levered, qty, |class| class.taker), leaving_max };
        let has_maker = self.dice.chance(MAKER_CHANCE);
        let maker_size = levered * MAKER_SHARE / MAKER_CHANCE;
        let maker = if has_maker { self.entrant(maker_size, qty, |class| class.maker) } else { None };
        let makers = Leg { entrant: maker, leaving_max };
        let (buyers, sellers) = match taker {
            Taker::Buy => (takers, makers),
            Taker::Sell => (makers, takers),
        };
        Order { taker, qty, buyers, sellers, oi_change: trunc_i64(oi_change) }
    }

    fn entrant(&mut self, mean: f64, most: i64, share: impl Fn(&Leverage) -> f64) -> Option<Entrant> {
        let drawn = self.dice.lognormal(mean, ENTRANT_SPREAD);
        let class = &LEVERAGES[self.dice.pick(LEVERAGES.iter().map(share))];
        let patience = trunc_i64(self.dice.exponential(class.life * self.open_interest));
        let qty = self.lots(drawn).min(most);
        (qty > 0).then_some(Entrant { qty, leverage: class.leverage, patience })
    }

    /// Whole lots, in units, rounded down.
    fn lots(&self, units: f64) -> i64 {
        trunc_i64(units) / self.lot * self.lot
    }
}
