//! Windows of one length, from the moment that is frozen when they begin to the bar that ends them.

use std::rc::Rc;

use liqheat_market::{Bar, UnixMs};

use crate::frozen::FrozenMoment;
use crate::realised::{RealisedLiquidation, between};

/// A window that has ended.
pub(crate) struct ClosedWindow<'a> {
    /// What was known when it began.
    pub(crate) frozen: Rc<FrozenMoment>,
    pub(crate) length_ms: i64,
    /// Extremes of the consuming price inside it.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) liquidations: &'a [RealisedLiquidation],
}

/// Windows of one length, one after the other.
pub(crate) struct Windows {
    pub(crate) length_ms: i64,
    open: Option<OpenWindow>,
}

struct OpenWindow {
    frozen: Rc<FrozenMoment>,
    /// End of the last bar inside it.
    reached: UnixMs,
    low: f64,
    high: f64,
}

impl Windows {
    pub(crate) const fn new(length_ms: i64) -> Self {
        Self { length_ms, open: None }
    }

    /// Adds a bar; gives the window that it ends. A window with a hole in it is dropped.
    pub(crate) fn step<'a>(
        &mut self,
        bar: &Bar,
        realised: &'a [RealisedLiquidation],
    ) -> Option<ClosedWindow<'a>> {
        let mut open = self.open.take()?;
        if bar.open_time != open.reached {
            return None;
        }
        let (low, high) = consuming_range(bar);
        (open.low, open.high, open.reached) = (open.low.min(low), open.high.max(high), bar.close_time);
        let end = open.frozen.at.plus(self.length_ms);
        if open.reached < end {
            self.open = Some(open);
            return None;
        }
        let (from, length_ms) = (open.frozen.at, self.length_ms);
        let liquidations = between(realised, from, end);
        Some(ClosedWindow { frozen: open.frozen, length_ms, low: open.low, high: open.high, liquidations })
    }

    pub(crate) fn begins_at(&self, time: UnixMs, from: UnixMs, to: UnixMs) -> bool {
        time.0 % self.length_ms == 0 && time >= from && time.plus(self.length_ms) <= to
    }

    pub(crate) fn begin(&mut self, frozen: &Rc<FrozenMoment>) {
        let (reached, price) = (frozen.at, frozen.price);
        self.open = Some(OpenWindow { frozen: Rc::clone(frozen), reached, low: price, high: price });
    }
}

/// Low and high of the price on which the ledger consumes.
pub(crate) fn consuming_range(bar: &Bar) -> (f64, f64) {
    match bar.mark {
        Some((low, high, close)) if low.is_positive() && low <= close && close <= high => {
            (low.to_f64(), high.to_f64())
        }
        _ => (bar.low.to_f64(), bar.high.to_f64()),
    }
}
