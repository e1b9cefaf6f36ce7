//! The mark price, second by second, and the last traded price beside it.
//!
//! Log price = a lasting part + a pressed part. The lasting part drifts as the regime says, with a volatility
//! that comes in clusters, and jumps now and then. The pressed part is what forced orders did to an empty
//! book; it fades within minutes, which is the bounce after a cascade. The last price leans away from the
//! mark by a small basis, more so under pressure.

use liqheat_market::Price;

use super::dice::Dice;
use super::regime::RegimeSchedule;

const DAY_S: f64 = 86_400.0;
/// Seconds in which the logarithm of volatility forgets.
const VOL_MEMORY_S: f64 = 4_000.0;
const VOL_SPREAD: f64 = 0.35;
/// Seconds in which pressure fades.
const PRESS_MEMORY_S: f64 = 900.0;
/// The most that forced orders move log price within one second; the rest of the order is absorbed.
const PRESS_MOST: f64 = 0.0012;
const BASIS_MEMORY_S: f64 = 240.0;
const BASIS_SPREAD: f64 = 0.000_12;
/// Seconds of price that those who chase it look at, and how strongly.
const CHASE_MEMORY_S: f64 = 150.0;
const CHASE_GAIN: f64 = 8.0;
const JUMPS_PER_DAY: f64 = 5.0;
const JUMP_SPREAD: f64 = 0.002_5;
/// Share of a jump still to come that comes in one second.
const JUMP_SPEED: f64 = 0.12;

#[derive(Debug, Clone)]
pub(super) struct Path {
    lasting: f64,
    pressed: f64,
    vol: f64,
    basis: f64,
    jump_left: f64,
    /// Smoothed return of the last minutes in standard deviations, about -1 to 1: traders chase it.
    pub(super) chase: f64,
    /// Multiplier on the regime's volatility, around 1.
    pub(super) heat: f64,
    dice: Dice,
}

impl Path {
    pub(super) fn new(initial: Price, dice: Dice) -> Self {
        Self {
            lasting: libm::log(initial.to_f64()),
            pressed: 0.0,
            vol: 0.0,
            basis: 0.0,
            jump_left: 0.0,
            chase: 0.0,
            heat: 1.0,
            dice,
        }
    }

    pub(super) fn log_price(&self) -> f64 {
        self.lasting + self.pressed
    }

    /// The last price over the mark price, as a share.
    pub(super) fn basis(&self) -> f64 {
        self.basis
    }

    /// Moves by one second.
    pub(super) fn step(&mut self, schedule: &RegimeSchedule, second: i64) {
        let regime = &schedule.regime;
        let noise = VOL_SPREAD * (2.0 / VOL_MEMORY_S).sqrt();
        self.vol += -self.vol / VOL_MEMORY_S + noise * self.dice.normal();
        self.heat = libm::exp(self.vol);
        let sigma = regime.sigma_day() / DAY_S.sqrt() * self.heat;

        if self.dice.chance(JUMPS_PER_DAY / DAY_S) {
            self.jump_left += JUMP_SPREAD * self.dice.normal();
        }
        let jump = self.jump_left * JUMP_SPEED;
        self.jump_left -= jump;

        let drift = regime.drift(self.log_price(), schedule.seconds_left(second));
        let moved = drift + jump + sigma * self.dice.normal();
        self.lasting += moved;
        self.pressed -= self.pressed / PRESS_MEMORY_S;

        self.chase += (CHASE_GAIN * moved / sigma - self.chase) / CHASE_MEMORY_S;
        let lean = 0.03 * self.pressed + 0.000_1 * self.chase;
        let basis_noise = BASIS_SPREAD * (2.0 / BASIS_MEMORY_S).sqrt();
        self.basis += (lean - self.basis) / BASIS_MEMORY_S + basis_noise * self.dice.normal();
    }

    /// Forced orders of a signed size, in millionths of the open interest, meet the book. Returns the move of
    /// log price.
    pub(super) fn press(&mut self, size: f64, impact: f64) -> f64 {
        let moved = (size * impact).clamp(-PRESS_MOST, PRESS_MOST);
        self.pressed += moved;
        moved
    }
}
