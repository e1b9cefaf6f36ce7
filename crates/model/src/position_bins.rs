//! One side of the ledger: mass per leverage class and price cell, dense, with lazy scales.
//!
//! Stored numbers are raw: the mass in coins is the raw number times `scale` and times the factor of its class, so that
//! shrinking a whole side touches one number, and shrinking each class by a factor of its own one number a class.
//! Where all classes are closed alike the factors stay 1 and `scale` moves; otherwise `scale` stays 1. Each class has two
//! rows of cells, one for mass the ledger has seen open and one for mass that stems from the prior, and row 0 holds the
//! raw totals of all classes: for quick reading where the factors are 1, else to see where there is mass. Outside
//! `used` every cell of every row is zero. Running sums are kept beside the cells and are checked against
//! them by a recount.

use std::borrow::Cow;
use std::ops::Range;

use liqheat_market::Side;
use liqheat_market::convert::{approx_f64, signed_len, unsigned_len};

use crate::grid::CELLS_PER_BIN;

/// Where mass comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The ledger saw it open.
    Seen,
    /// It was assumed when the ledger started.
    Prior,
}

impl Origin {
    pub(crate) const BOTH: [Self; 2] = [Self::Seen, Self::Prior];
}

/// Below this the scale is folded into the cells. A year of bars shrinks a side by far less.
const SCALE_MIN: f64 = 1e-60;
/// Below this the factor of a class is folded into its cells, so that raw masses of classes stay of one order.
const FACTOR_MIN: f64 = 1e-9;
/// Raw mass below this is dust left from long ago and is dropped when the scale is folded in.
const DUST: f64 = 1e-50;

/// How fast positions are closed, in relation to each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClosingRates {
    pub(crate) classes: Vec<f64>,
    pub(crate) unlevelled: f64,
}

#[derive(Debug)]
pub(crate) struct PositionBins {
    pub(crate) side: Side,
    classes: usize,
    stride: usize,
    rows: Vec<f64>,
    pub(crate) scale: f64,
    pub(crate) used: Range<usize>,
    /// Factors of the classes; `None` where all are closed alike.
    pub(crate) by_class: Option<Vec<ClassScale>>,
    /// Sums of all cells by origin, times the factors of their classes.
    pub(crate) levelled: [f64; 2],
    /// Raw mass without a level by origin.
    pub(crate) unlevelled: [f64; 2],
}

/// The lazy factor of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassScale {
    pub(crate) factor: f64,
    /// Raw sums of its cells by origin.
    pub(crate) levelled: [f64; 2],
}

impl ClassScale {
    const NEW: Self = Self { factor: 1.0, levelled: [0.0; 2] };

    fn coins(&self) -> f64 {
        (self.levelled[0] + self.levelled[1]) * self.factor
    }
}

/// Mass that the price took from the bins of one side.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct BinConsumption {
    pub(crate) coins: f64,
    /// Sum of coins times (cell index + one half).
    pub(crate) coin_cells: f64,
    /// (class, public bin) pairs that lost mass.
    pub(crate) bins: u64,
}

impl PositionBins {
    /// `closes_by_class`: [`PositionBins::shrink_classes`] will be used, and [`PositionBins::shrink`] never.
    pub(crate) fn new(side: Side, classes: usize, stride: usize, closes_by_class: bool) -> Self {
        // Zeroed pages cost nothing until they are written, so the whole range of prices is laid out at once.
        let rows = vec![0.0; stride * Self::row_count(classes)];
        let by_class = closes_by_class.then(|| vec![ClassScale::NEW; classes]);
        let (levelled, unlevelled) = ([0.0; 2], [0.0; 2]);
        Self { side, classes, stride, rows, scale: 1.0, used: 0..0, by_class, levelled, unlevelled }
    }

    const fn row_count(classes: usize) -> usize {
        1 + 2 * classes
    }

    /// Raw totals of all classes. Zero exactly where no class holds mass.
    pub(crate) fn raw_totals(&self) -> &[f64] {
        &self.rows[..self.stride]
    }

    /// Totals of all classes over a range of cells, to be read with `scale`; indices are those of cells.
    pub(crate) fn totals(&self, cells: &Range<usize>) -> Cow<'_, [f64]> {
        let Some(scales) = &self.by_class else { return Cow::Borrowed(self.raw_totals()) };
        let mut totals = vec![0.0; cells.end];
        for (class, scale) in scales.iter().enumerate().filter(|(_, scale)| scale.coins() > 0.0) {
            for origin in Origin::BOTH.into_iter().filter(|origin| scale.levelled[*origin as usize] > 0.0) {
                let row = &self.row(class, origin)[cells.clone()];
                for (total, mass) in totals[cells.clone()].iter_mut().zip(row) {
                    *total += mass * scale.factor;
                }
            }
        }
        Cow::Owned(totals)
    }

    /// What raw mass of a class is to be multiplied by, besides `scale`.
    pub(crate) fn factor(&self, class: usize) -> f64 {
        self.by_class.as_ref().and_then(|scales| scales.get(class)).map_or(1.0, |scale| scale.factor)
    }

    /// Cells of one class and origin, raw.
    pub(crate) fn row(&self, class: usize, origin: Origin) -> &[f64] {
        let start = self.row_start(class, origin);
        &self.rows[start..start + self.stride]
    }

    fn row_start(&self, class: usize, origin: Origin) -> usize {
        self.stride * (1 + 2 * class + origin as usize)
    }

    /// The used part of every row, totals first.
    pub(crate) fn used_rows(&self) -> impl Iterator<Item = &[f64]> {
        self.rows.chunks_exact(self.stride).map(|row| &row[self.used.clone()])
    }

    pub(crate) fn used_rows_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        let used = self.used.clone();
        self.rows.chunks_exact_mut(self.stride).map(move |row| &mut row[used.clone()])
    }

    pub(crate) const fn scale(&self) -> f64 {
        self.scale
    }

    pub(crate) const fn classes(&self) -> usize {
        self.classes
    }

    pub(crate) const fn stride(&self) -> usize {
        self.stride
    }

    /// All mass of the side in coins, by the running sums.
    pub(crate) fn mass(&self) -> f64 {
        Origin::BOTH.map(|origin| self.mass_of(origin)).iter().sum()
    }

    /// Mass of one origin in coins, by the running sums.
    pub(crate) fn mass_of(&self, origin: Origin) -> f64 {
        (self.levelled[origin as usize] + self.unlevelled[origin as usize]) * self.scale
    }

    /// Empties the side.
    pub(crate) fn clear(&mut self) {
        self.used_rows_mut().for_each(|row| row.fill(0.0));
        self.used = 0..0;
        self.scale = 1.0;
        if let Some(scales) = &mut self.by_class {
            scales.fill(ClassScale::NEW);
        }
        self.levelled = [0.0; 2];
        self.unlevelled = [0.0; 2];
    }

    /// Takes out the mass of a range of cells.
    pub(crate) fn consume(&mut self, cells: Range<usize>) -> BinConsumption {
        let mut consumed = BinConsumption::default();
        let (from, to) = (cells.start.max(self.used.start), cells.end.min(self.used.end));
        if from >= to {
            return consumed;
        }
        let totals = &mut self.rows[from..to];
        if totals.iter().any(|mass| *mass != 0.0) {
            totals.fill(0.0);
            for class in 0..self.classes {
                self.consume_class(class, from..to, &mut consumed);
            }
            consumed.coins *= self.scale;
            consumed.coin_cells *= self.scale;
        }
        if from == self.used.start {
            self.used.start = to;
        } else if to == self.used.end {
            self.used.end = from;
        }
        consumed
    }

    fn consume_class(&mut self, class: usize, cells: Range<usize>, consumed: &mut BinConsumption) {
        let factor = self.factor(class);
        let seen_start = self.row_start(class, Origin::Seen);
        let (seen_row, prior_row) =
            self.rows[seen_start..seen_start + 2 * self.stride].split_at_mut(self.stride);
        let (seen_row, prior_row) = (&mut seen_row[cells.clone()], &mut prior_row[cells.clone()]);
        let mut sums = [0.0; 2];
        let mut bin_last = usize::MAX;
        for (index, (seen, prior)) in cells.zip(seen_row.iter().zip(prior_row.iter())) {
            let mass = seen + prior;
            if mass == 0.0 {
                continue;
            }
            sums[0] += seen;
            sums[1] += prior;
            let mass = mass * factor;
            consumed.coins += mass;
            consumed.coin_cells += mass * (approx_f64(index) + 0.5);
            let bin = index / unsigned_len(CELLS_PER_BIN);
            consumed.bins += u64::from(bin != bin_last);
            bin_last = bin;
        }
        seen_row.fill(0.0);
        prior_row.fill(0.0);
        self.levelled[0] -= sums[0] * factor;
        self.levelled[1] -= sums[1] * factor;
        if let Some(scale) = self.by_class.as_mut().and_then(|scales| scales.get_mut(class)) {
            // What rounding leaves of a class that is gone must not be closed by a factor.
            scale.levelled = [0, 1].map(|origin| (scale.levelled[origin] - sums[origin]).max(0.0));
        }
    }

    /// Shrinks all mass of the side by one factor in [0, 1].
    pub(crate) fn shrink(&mut self, factor: f64) {
        if factor <= 0.0 {
            self.clear();
            return;
        }
        self.scale *= factor;
        if self.scale < SCALE_MIN {
            self.fold_scale();
        }
    }

    /// Shrinks the mass of every class and the mass without a level, so that all of it becomes `target` coins.
    ///
    /// A class at rate `r` keeps the share `exp(-x r)`. One Newton step on `x`, from the solution for small closings,
    /// leaves a little too much, because the sum is convex in `x`; one common factor takes the rest, so that the sum is
    /// exact. Nothing here depends on the number of cells.
    pub(crate) fn shrink_classes(&mut self, target: f64, rates: &ClosingRates) {
        if target <= 0.0 {
            self.clear();
            return;
        }
        let Some(scales) = &mut self.by_class else { return };
        let unlevelled = self.unlevelled[0] + self.unlevelled[1];
        let masses = || {
            let classes = scales.iter().zip(&rates.classes).map(|(scale, rate)| (scale.coins(), *rate));
            classes.chain(std::iter::once((unlevelled, rates.unlevelled))).filter(|(mass, _)| *mass > 0.0)
        };
        let (mut all, mut slope) = (0.0, 0.0);
        for (mass, rate) in masses() {
            all += mass;
            slope += mass * rate;
        }
        let first = if slope > 0.0 { ((all - target) / slope).max(0.0) } else { 0.0 };
        let (mut kept, mut slope) = (0.0, 0.0);
        for (mass, rate) in masses() {
            let mass = mass * libm::exp(-first * rate);
            kept += mass;
            slope += mass * rate;
        }
        let x = if slope > 0.0 { first + ((kept - target) / slope).max(0.0) } else { first };
        let kept: f64 = masses().map(|(mass, rate)| mass * libm::exp(-x * rate)).sum();
        let common = if kept > 0.0 { (target / kept).min(1.0) } else { 1.0 };
        for (scale, rate) in scales.iter_mut().zip(&rates.classes) {
            scale.factor *= libm::exp(-x * rate) * common;
        }
        let of_unlevelled = libm::exp(-x * rates.unlevelled) * common;
        self.unlevelled = self.unlevelled.map(|mass| mass * of_unlevelled);
        if scales.iter().any(|scale| scale.factor < FACTOR_MIN) {
            self.fold_factors();
        }
        self.sum_classes();
    }

    /// The sums of all classes anew from those of each.
    fn sum_classes(&mut self) {
        if let Some(scales) = &self.by_class {
            self.levelled =
                [0, 1].map(|origin| scales.iter().map(|scale| scale.levelled[origin] * scale.factor).sum());
        }
    }

    /// Multiplies the factors that have become small into their cells.
    fn fold_factors(&mut self) {
        let used = self.used.clone();
        let (stride, Some(scales)) = (self.stride, &mut self.by_class) else { return };
        for (class, scale) in scales.iter_mut().enumerate().filter(|(_, scale)| scale.factor < FACTOR_MIN) {
            let factor = std::mem::replace(&mut scale.factor, 1.0);
            for origin in Origin::BOTH {
                let start = stride * (1 + 2 * class + origin as usize);
                let row = &mut self.rows[start + used.start..start + used.end];
                for mass in row.iter_mut() {
                    *mass *= factor;
                    if *mass < DUST {
                        *mass = 0.0;
                    }
                }
                scale.levelled[origin as usize] = row.iter().sum();
            }
        }
        self.retotal();
    }

    fn fold_scale(&mut self) {
        let scale = std::mem::replace(&mut self.scale, 1.0);
        for row in self.used_rows_mut().skip(1) {
            for mass in row {
                *mass *= scale;
                if *mass < DUST {
                    *mass = 0.0;
                }
            }
        }
        self.unlevelled = self.unlevelled.map(|mass| mass * scale);
        self.retotal();
    }

    /// Adds `each` raw to every one of `cells`; [`PositionBins::settle`] must follow.
    #[inline]
    pub(crate) fn add(&mut self, class: usize, origin: Origin, cells: Range<usize>, each: f64) {
        let start = self.row_start(class, origin) - self.stride;
        let (totals, rows) = self.rows.split_at_mut(self.stride);
        let row = &mut rows[start + cells.start..start + cells.end];
        for (mass, total) in row.iter_mut().zip(&mut totals[cells]) {
            *mass += each;
            *total += each;
        }
    }

    /// Accounts for additions: the cells they touched and their sum.
    pub(crate) fn settle(&mut self, class: usize, origin: Origin, cells: Range<usize>, raw: f64) {
        self.levelled[origin as usize] += raw * self.factor(class);
        if let Some(scale) = self.by_class.as_mut().and_then(|scales| scales.get_mut(class)) {
            scale.levelled[origin as usize] += raw;
        }
        self.mark_used(cells);
    }

    /// Widens the used range.
    fn mark_used(&mut self, cells: Range<usize>) {
        self.used = if self.used.is_empty() {
            cells
        } else {
            self.used.start.min(cells.start)..self.used.end.max(cells.end)
        };
    }

    /// Adds raw mass that has no level.
    pub(crate) fn add_unlevelled(&mut self, origin: Origin, raw: f64) {
        self.unlevelled[origin as usize] += raw;
    }

    /// Moves every cell to a grid of another width. Mass is split in proportion to overlap; nothing may land
    /// outside `allowed`: mass that would is put into the nearest allowed cell on the price's side, or loses
    /// its level beyond the far end.
    pub(crate) fn remap(&mut self, cell_old: i64, cell_new: i64, allowed: &Range<usize>) {
        let mut next = Self::new(self.side, self.classes, self.stride, self.by_class.is_some());
        next.scale = self.scale;
        next.by_class.clone_from(&self.by_class);
        next.unlevelled = self.unlevelled;
        for class in 0..self.classes {
            for origin in Origin::BOTH {
                let row_start = next.row_start(class, origin);
                for index in self.used.clone() {
                    let mass = self.row(class, origin)[index];
                    if mass == 0.0 {
                        continue;
                    }
                    for (target, part) in split(signed_len(index) * cell_old, cell_old, cell_new, mass) {
                        let target = match self.side {
                            Side::Long => target.min(allowed.end.saturating_sub(1)),
                            Side::Short => target.max(allowed.start),
                        };
                        if allowed.contains(&target) {
                            next.rows[row_start + target] += part;
                            next.mark_used(target..target + 1);
                        } else {
                            next.add_unlevelled(origin, part * self.factor(class));
                        }
                    }
                }
            }
        }
        next.retotal();
        *self = next;
    }

    /// Totals and running sums anew from the rows of the classes.
    fn retotal(&mut self) {
        let used = self.used.clone();
        let (totals, rows) = self.rows.split_at_mut(self.stride);
        let totals = &mut totals[used.clone()];
        totals.fill(0.0);
        self.levelled = [0.0; 2];
        for (row, cells) in rows.chunks_exact(self.stride).enumerate() {
            let mut sum = 0.0;
            for (total, mass) in totals.iter_mut().zip(&cells[used.clone()]) {
                *total += mass;
                self.levelled[row % 2] += mass;
                sum += mass;
            }
            if let Some(scale) = self.by_class.as_mut().and_then(|scales| scales.get_mut(row / 2)) {
                scale.levelled[row % 2] = sum;
            }
        }
        self.sum_classes();
    }
}

impl Clone for PositionBins {
    /// Copies the used cells only; the rest stays untouched zero pages.
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.side, self.classes, self.stride, self.by_class.is_some());
        copy.scale = self.scale;
        copy.by_class.clone_from(&self.by_class);
        copy.used = self.used.clone();
        copy.levelled = self.levelled;
        copy.unlevelled = self.unlevelled;
        for (to, from) in copy.used_rows_mut().zip(self.used_rows()) {
            to.copy_from_slice(from);
        }
        copy
    }
}

/// The parts of an old cell's mass in the new cells it overlaps. The last part is the remainder, so that the
/// parts sum to the whole.
fn split(low: i64, width: i64, cell_new: i64, mass: f64) -> impl Iterator<Item = (usize, f64)> {
    let high = low + width;
    let (first, last) = (low / cell_new, (high - 1) / cell_new);
    let mut left = mass;
    (first..=last).map(move |index| {
        if index == last {
            return (unsigned_len(index), left.max(0.0));
        }
        let overlap = high.min((index + 1) * cell_new) - low.max(index * cell_new);
        let part = mass * (approx_f64(overlap) / approx_f64(width));
        left -= part;
        (unsigned_len(index), part)
    })
}
