//! The mood of the market: which regime it is in, how long that lasts, and what comes next.
//!
//! ```text
//! calm ──> trend ──> calm / flush        flush, cascade ──> rebound ──> calm
//!   └────> flush                         anything but flush, rebound ──(when its hour comes)──> cascade
//! ```
//!
//! Calm and trend build positions up; a flush (one or two per cent in minutes) and a cascade (the great crash
//! or squeeze, by appointment) take them out. Both know how far they mean to go and steer there, so that
//! forced orders make them faster rather than bottomless; the rebound gives part of it back.

use super::config::SimConfig;
use super::dice::Dice;
use liqheat_market::convert::{approx_f64, trunc_i64};

const MINUTE: i64 = 60;
const HOUR_S: f64 = 3_600.0;

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

impl Direction {
    pub(super) const fn sign(self) -> f64 {
        match self {
            Self::Up => 1.0,
            Self::Down => -1.0,
        }
    }

    const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// What the market is doing. Depths and targets are in the logarithm of the price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Regime {
    /// Trading around a price.
    Calm { anchor: f64 },
    /// Going somewhere, slowly: so much of log price an hour.
    Trend { direction: Direction, per_hour: f64 },
    /// A quick sweep of the nearest levels.
    Flush { direction: Direction, from: f64, depth: f64 },
    /// The great crash or squeeze.
    Cascade { direction: Direction, from: f64, depth: f64 },
    /// Giving part of it back.
    Rebound { target: f64, heat: f64 },
}

impl Regime {
    /// Standard deviation of log price a day, apart from drift, jumps and forced orders.
    pub(super) fn sigma_day(&self) -> f64 {
        match self {
            Self::Calm { .. } => 0.013,
            Self::Trend { .. } => 0.018,
            Self::Flush { .. } => 0.035,
            Self::Cascade { .. } => 0.075,
            Self::Rebound { heat, .. } => 0.022 + 0.03 * heat,
        }
    }

    /// Prints a minute.
    pub(super) fn prints_per_minute(&self) -> f64 {
        match self {
            Self::Calm { .. } => 15.0,
            Self::Trend { .. } => 24.0,
            Self::Flush { .. } => 60.0,
            Self::Cascade { .. } => 100.0,
            Self::Rebound { heat, .. } => 28.0 + 30.0 * heat,
        }
    }

    /// How much a forced order of a millionth of the open interest moves log price: books are thin when
    /// everybody runs.
    pub(super) fn impact(&self) -> f64 {
        match self {
            Self::Calm { .. } | Self::Trend { .. } | Self::Rebound { .. } => 0.5e-6,
            Self::Flush { .. } => 1.0e-6,
            Self::Cascade { .. } => 2.2e-6,
        }
    }

    /// What voluntary trading does to open interest, as a share of volume.
    pub(super) fn oi_tilt(&self) -> f64 {
        match self {
            Self::Calm { .. } => 0.01,
            Self::Trend { .. } => 0.03,
            Self::Flush { .. } => -0.08,
            Self::Cascade { .. } => -0.14,
            Self::Rebound { .. } => 0.0,
        }
    }

    /// Drift of log price in the coming second.
    pub(super) fn drift(&self, log_price: f64, seconds_left: i64) -> f64 {
        match *self {
            Self::Calm { anchor } => (anchor - log_price) / (2.0 * HOUR_S),
            Self::Trend { direction, per_hour } => direction.sign() * per_hour / HOUR_S,
            Self::Flush { direction, from, depth } | Self::Cascade { direction, from, depth } => {
                let missing = depth - (log_price - from) * direction.sign();
                direction.sign() * missing.max(0.0) / approx_f64(seconds_left).max(45.0)
            }
            Self::Rebound { target, .. } => (target - log_price) / (0.6 * HOUR_S),
        }
    }

    /// Whether it has moved its full distance.
    fn arrived(&self, log_price: f64) -> bool {
        match *self {
            Self::Flush { direction, from, depth } | Self::Cascade { direction, from, depth } => {
                (log_price - from) * direction.sign() >= depth
            }
            _ => false,
        }
    }
}

/// The current regime, when it ends and when the next cascade is due, in seconds since the start.
#[derive(Debug, Clone)]
pub(super) struct RegimeSchedule {
    pub(super) regime: Regime,
    ends: i64,
    next_cascade: i64,
    gap_hours: (f64, f64),
    depth: (f64, f64),
    /// Log price at the start: far from it, moves back become likelier, so that no run ends at zero.
    home: f64,
    dice: Dice,
}

impl RegimeSchedule {
    pub(super) fn new(config: &SimConfig, log_price: f64, mut dice: Dice) -> Self {
        let first = dice.between(config.first_cascade_hours.0, config.first_cascade_hours.1);
        let mut schedule = Self {
            regime: Regime::Calm { anchor: log_price },
            ends: 0,
            next_cascade: trunc_i64(first * HOUR_S),
            gap_hours: config.cascade_gap_hours,
            depth: config.cascade_depth,
            home: log_price,
            dice,
        };
        schedule.ends = schedule.dwell(40.0, 70.0);
        schedule
    }

    /// Seconds until the regime ends by itself.
    pub(super) fn seconds_left(&self, second: i64) -> i64 {
        self.ends - second
    }

    /// Lets the next regime begin if this one is over.
    pub(super) fn turn(&mut self, second: i64, log_price: f64) {
        let over = second >= self.ends || self.regime.arrived(log_price);
        let busy =
            matches!(self.regime, Regime::Flush { .. } | Regime::Cascade { .. } | Regime::Rebound { .. });
        if !busy && second >= self.next_cascade {
            self.begin_cascade(second, log_price);
        } else if over {
            self.begin_next(second, log_price);
        }
    }

    fn begin_cascade(&mut self, second: i64, log_price: f64) {
        let direction = self.direction(log_price, 0.62);
        let depth = self.dice.between(self.depth.0, self.depth.1);
        self.regime = Regime::Cascade { direction, from: log_price, depth };
        self.ends = second + self.dwell(35.0, 20.0);
        let gap = self.dice.between(self.gap_hours.0, self.gap_hours.1);
        self.next_cascade = second + trunc_i64(gap * HOUR_S);
    }

    fn begin_next(&mut self, second: i64, log_price: f64) {
        match self.regime {
            Regime::Calm { .. } if self.dice.chance(0.4) => {
                let direction = self.direction(log_price, 0.5);
                self.begin_flush(second, log_price, direction);
            }
            Regime::Calm { .. } => {
                let direction = self.direction(log_price, 0.45);
                let per_hour = self.dice.between(0.001, 0.0045);
                self.regime = Regime::Trend { direction, per_hour };
                self.ends = second + self.dwell(45.0, 75.0);
            }
            // A trend fills one side with fresh positions; what follows likes to go against them.
            Regime::Trend { direction, .. } if self.dice.chance(0.4) => {
                let against = self.dice.chance(0.7);
                self.begin_flush(second, log_price, if against { direction.back() } else { direction });
            }
            Regime::Flush { direction, from, .. } => {
                self.begin_rebound(second, log_price, direction, from, (0.2, 0.7), 0.3);
            }
            Regime::Cascade { direction, from, .. } => {
                self.begin_rebound(second, log_price, direction, from, (0.2, 0.45), 1.0);
            }
            Regime::Trend { .. } | Regime::Rebound { .. } => {
                self.regime = Regime::Calm { anchor: log_price };
                self.ends = second + self.dwell(40.0, 70.0);
            }
        }
    }

    fn begin_flush(&mut self, second: i64, log_price: f64, direction: Direction) {
        let depth = self.dice.between(0.009, 0.024);
        self.regime = Regime::Flush { direction, from: log_price, depth };
        self.ends = second + self.dwell(7.0, 8.0);
    }

    fn begin_rebound(
        &mut self,
        second: i64,
        log_price: f64,
        direction: Direction,
        from: f64,
        back: (f64, f64),
        heat: f64,
    ) {
        let moved = (log_price - from) * direction.sign();
        let target = log_price - direction.sign() * moved.max(0.0) * self.dice.between(back.0, back.1);
        self.regime = Regime::Rebound { target, heat };
        self.ends = second + self.dwell(20.0 + 50.0 * heat, 25.0 + 25.0 * heat);
    }

    /// Down with a probability that rises with the distance from home.
    fn direction(&mut self, log_price: f64, down_at_home: f64) -> Direction {
        let pull = 1.6 * (log_price - self.home);
        let down = (down_at_home + pull).clamp(0.1, 0.9);
        if self.dice.chance(down) { Direction::Down } else { Direction::Up }
    }

    /// Seconds: a least length and an exponential rest, both in minutes.
    fn dwell(&mut self, least_min: f64, rest_min: f64) -> i64 {
        trunc_i64((least_min + self.dice.exponential(rest_min)) * approx_f64(MINUTE))
    }
}
