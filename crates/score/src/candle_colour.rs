//! The model that most free heatmaps use, as a baseline: the colour of a candle decides which side opened, its whole
//! volume is spread over a fixed mix of leverages, and nothing ever closes but by touch.

use liqheat_market::convert::{approx_f64, trunc_i64, trunc_usize, unsigned_len};
use liqheat_market::{Bar, Price, Qty, Side, TierTable};
use liqheat_model::{LeverageWeights, liquidation_price};

/// Width of its cells in log price.
const CELL: f64 = 0.0001;
/// Cells on each side of the first price: a factor of e^4.
const REACH: i64 = 40_000;

/// Volume by liquidation price, one-sided.
#[derive(Debug)]
pub(crate) struct CandleColour {
    sides: [Vec<f64>; 2],
    /// (log of level over entry, weight) of each class, by side.
    levels: [Vec<(f64, f64)>; 2],
    middle: Option<i64>,
    /// Longs lie below this index and shorts at or above this one, so that clearing costs what it clears.
    long_end: usize,
    short_start: usize,
}

impl CandleColour {
    pub(crate) fn new(weights: &LeverageWeights, position_usd: f64, tiers: &TierTable) -> Self {
        let levels = Side::BOTH.map(|side| {
            let classes = weights.classes().iter();
            let level = |&(leverage, weight): &(f64, f64)| {
                let ratio = liquidation_price(side, 1.0, position_usd, leverage, tiers).ok()?;
                Some((ratio.ln(), weight))
            };
            classes.filter_map(level).collect()
        });
        let cells = || vec![0.0; 2 * unsigned_len(REACH)];
        Self {
            sides: [cells(), cells()],
            levels,
            middle: None,
            long_end: 0,
            short_start: 2 * unsigned_len(REACH),
        }
    }

    pub(crate) fn step(&mut self, bar: &Bar) {
        let [low, high, open, close] = [bar.low, bar.high, bar.open, bar.close].map(Price::to_f64);
        let middle = *self.middle.get_or_insert(trunc_i64(close.ln() / CELL));
        let index =
            |ln: f64| unsigned_len((trunc_i64((ln / CELL).floor()) - middle + REACH).clamp(0, 2 * REACH - 1));
        let (swept_from, swept_to) = (index(low.ln()), index(high.ln()) + 1);
        if swept_from < self.long_end {
            self.sides[0][swept_from..self.long_end].fill(0.0);
            self.long_end = swept_from;
        }
        if swept_to > self.short_start {
            self.sides[1][self.short_start..swept_to].fill(0.0);
            self.short_start = swept_to;
        }
        let side = if close >= open { Side::Long } else { Side::Short };
        let entry = ((low + high + close) / 3.0).ln();
        let volume = bar.volume.map_or(0.0, Qty::to_f64);
        for (shift, weight) in &self.levels[side as usize] {
            let level = entry + shift;
            // A level that the close has passed already is gone at once.
            if side.sign() * (close.ln() - level) > 0.0 {
                let cell = index(level);
                self.sides[side as usize][cell] += volume * weight * level.exp();
                match side {
                    Side::Long => self.long_end = self.long_end.max(cell + 1),
                    Side::Short => self.short_start = self.short_start.min(cell),
                }
            }
        }
    }

    /// Mass between two log distances from a price.
    pub(crate) fn between(&self, side: Side, price: f64, near: f64, far: f64) -> f64 {
        let Some(middle) = self.middle else { return 0.0 };
        let ln = price.ln();
        let at =
            |distance: f64| (ln - side.sign() * distance) / CELL - approx_f64(middle) + approx_f64(REACH);
        let (from, to) = (at(near).min(at(far)), at(near).max(at(far)));
        let cells = &self.sides[side as usize];
        let (start, end) = (trunc_usize(from.round()), trunc_usize(to.round()));
        cells.get(start..end.min(cells.len())).map_or(0.0, |cells| cells.iter().sum())
    }
}
