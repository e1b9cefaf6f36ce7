//! Realised liquidations of a symbol within the last hours, each once.

use std::collections::VecDeque;

use liqheat_market::convert::round_u64;
use liqheat_market::{Liquidation, Side, UnixMs, Venue};

use crate::alert::LiquidatedSum;
use crate::span::WallSpan;

/// A realised liquidation, and who reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedLiquidation {
    /// The venue that reported it.
    pub venue: Venue,
    /// Side, price and quantity.
    pub liquidation: Liquidation,
}

impl ReportedLiquidation {
    /// Price times quantity, rounded to whole USD.
    #[must_use]
    pub fn usd(&self) -> u64 {
        round_u64(self.liquidation.price.to_f64() * self.liquidation.qty.to_f64())
    }
}

/// The log. Rows may arrive late and repeatedly.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiquidationLog {
    /// By time.
    rows: VecDeque<ReportedLiquidation>,
    /// The time of the newest row that was removed for its age; older ones are not taken any more.
    removed_until: Option<UnixMs>,
}

impl LiquidationLog {
    /// How long rows are kept: the longest window of a rule, and the longest time in which a wall is swept.
    pub(crate) const HORIZON_MS: i64 = 24 * 3_600_000;
    /// Most rows, against a feed without measure.
    const ROWS_MAX: usize = 200_000;

    /// Takes a row; `false` when it is known or too old.
    pub(crate) fn insert(&mut self, row: ReportedLiquidation) -> bool {
        let time = row.liquidation.time;
        if self.removed_until.is_some_and(|until| time <= until) {
            return false;
        }
        let begins = self.rows.partition_point(|one| one.liquidation.time < time);
        let ends = self.rows.partition_point(|one| one.liquidation.time <= time);
        if self.rows.range(begins..ends).any(|one| *one == row) {
            return false;
        }
        self.rows.insert(ends, row);
        let newest = self.rows.back().map_or(time, |row| row.liquidation.time);
        while let Some(oldest) = self.rows.front().map(|row| row.liquidation.time)
            && (oldest < newest.plus(-Self::HORIZON_MS) || self.rows.len() > Self::ROWS_MAX)
        {
            self.removed_until = Some(oldest);
            self.rows.pop_front();
        }
        true
    }

    /// What was liquidated after `after` up to `until`.
    pub(crate) fn between(&self, after: UnixMs, until: UnixMs) -> impl Iterator<Item = &ReportedLiquidation> {
        let begins = self.rows.partition_point(|row| row.liquidation.time <= after);
        self.rows.range(begins..).take_while(move |row| row.liquidation.time <= until)
    }

    /// What was liquidated at a wall in a time: positions of its side, at prices within the wall widened by
    /// [`PRICE_SLACK`] of its edges. `None` when no liquidation of the symbol has been reported at all.
    pub(crate) fn at_wall(&self, wall: &WallSpan, after: UnixMs, until: UnixMs) -> Option<LiquidatedSum> {
        /// A bankruptcy price is beyond the liquidation price by the maintenance margin, and a fill may slip.
        const PRICE_SLACK: f64 = 0.005;
        if self.rows.is_empty() {
            return None;
        }
        let (low, high) = (wall.low.to_f64() * (1.0 - PRICE_SLACK), wall.high.to_f64() * (1.0 + PRICE_SLACK));
        let is_there = |row: &&ReportedLiquidation| {
            let price = row.liquidation.price.to_f64();
            row.liquidation.side == wall.side && (low..=high).contains(&price)
        };
        Some(LiquidatedSum::of(self.between(after, until).filter(is_there)))
    }
}

/// Dollars and count of one side, or of both.
pub(crate) fn is_of(side: Option<Side>, row: &ReportedLiquidation) -> bool {
    side.is_none_or(|side| side == row.liquidation.side)
}
