//! Where the price has been: extremes, volatility, and when each price was last visited.

use std::collections::VecDeque;

use liqheat_market::convert::{approx_f64, signed_len, trunc_i64, unsigned_len};
use liqheat_market::{Bar, Side, UnixMs};

use crate::CELL_WIDTH;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Days after which it no longer matters when the price was there.
const AGE_DAYS_MAX: f64 = 30.0;

/// The price path up to the last bar.
#[derive(Debug, Default)]
pub(crate) struct Path {
    /// The bars of the last day.
    day: VecDeque<Step>,
    /// When the price last was in each cell of absolute log price, from `first_cell` on.
    visited: VecDeque<Option<UnixMs>>,
    first_cell: i64,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    close_time: UnixMs,
    low: f64,
    high: f64,
    close: f64,
}

impl Path {
    /// Adds a closed bar.
    pub(crate) fn step(&mut self, bar: &Bar) {
        let step = Step {
            close_time: bar.close_time,
            low: bar.low.to_f64(),
            high: bar.high.to_f64(),
            close: bar.close.to_f64(),
        };
        while self.day.front().is_some_and(|old| bar.close_time.since(old.close_time) >= DAY_MS) {
            self.day.pop_front();
        }
        self.day.push_back(step);
        self.visit(absolute_cell(step.low), absolute_cell(step.high), bar.close_time);
    }

    fn visit(&mut self, from: i64, to: i64, time: UnixMs) {
        if self.visited.is_empty() {
            self.first_cell = from;
        }
        while from < self.first_cell {
            self.visited.push_front(None);
            self.first_cell -= 1;
        }
        while to >= self.first_cell + signed_len(self.visited.len()) {
            self.visited.push_back(None);
        }
        for cell in from..=to {
            self.visited[unsigned_len(cell - self.first_cell)] = Some(time);
        }
    }

    /// Days since the price was last at this price, at most 30.
    pub(crate) fn age_days(&self, price: f64, now: UnixMs) -> f64 {
        let index = usize::try_from(absolute_cell(price) - self.first_cell).ok();
        let visited = index.and_then(|index| self.visited.get(index).copied().flatten());
        visited
            .map_or(AGE_DAYS_MAX, |time| (approx_f64(now.since(time)) / approx_f64(DAY_MS)).min(AGE_DAYS_MAX))
    }

    /// Log distance from the last close to the extreme of a stretch of time on one side.
    pub(crate) fn extreme(&self, side: Side, length_ms: i64) -> f64 {
        let Some(last) = self.day.back() else { return 0.0 };
        let recent =
            self.day.iter().rev().take_while(|step| last.close_time.since(step.close_time) < length_ms);
        let extreme = match side {
            Side::Long => recent.map(|step| step.low).fold(last.low, f64::min),
            Side::Short => recent.map(|step| step.high).fold(last.high, f64::max),
        };
        (extreme / last.close).ln().abs()
    }

    /// Root mean square of the log returns of the last day's bars, scaled to an hour.
    pub(crate) fn hourly_volatility(&self) -> f64 {
        let returns = self.day.iter().zip(self.day.iter().skip(1));
        let (mut sum, mut ms) = (0.0, 0);
        for (before, after) in returns {
            let change = (after.close / before.close).ln();
            sum += change * change;
            ms += after.close_time.since(before.close_time);
        }
        if ms > 0 { (sum * approx_f64(HOUR_MS) / approx_f64(ms)).sqrt() } else { 0.0 }
    }

    pub(crate) fn hour_extreme(&self, side: Side) -> f64 {
        self.extreme(side, HOUR_MS)
    }

    pub(crate) fn day_extreme(&self, side: Side) -> f64 {
        self.extreme(side, DAY_MS)
    }
}

fn absolute_cell(price: f64) -> i64 {
    trunc_i64((price.ln() / CELL_WIDTH).floor())
}
