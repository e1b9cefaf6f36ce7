//! One side of the ledger: mass per leverage class and price cell, dense, with one lazy scale.
//!
//! Stored numbers are raw: the mass in coins is the raw number times `scale`, so that shrinking a whole side
//! touches one number. Each class has two rows of cells, one for mass the ledger has seen open and one for
//! mass that stems from the prior, and row 0 holds the totals of all classes for quick reading. Outside
//! `used` every cell of every row is zero. Running sums are kept beside the cells and are checked against
//! them by a recount.

use std::ops::Range;

use liqheat_market::Side;

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
/// Raw mass below this is dust left from long ago and is dropped when the scale is folded in.
const DUST: f64 = 1e-50;

#[derive(Debug)]
pub(crate) struct PositionBins {
    pub(crate) side: Side,
    classes: usize,
    stride: usize,
    rows: Vec<f64>,
    pub(crate) scale: f64,
    pub(crate) used: Range<usize>,
    /// Raw sums of all cells by origin.
    pub(crate) levelled: [f64; 2],
    /// Raw mass without a level by origin.
    pub(crate) unlevelled: [f64; 2],
}

/// What the price took from one side.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Eaten {
    pub(crate) coins: f64,
    /// Sum of coins times (cell index + one half).
    pub(crate) coin_cells: f64,
    /// (class, public bin) pairs that lost mass.
    pub(crate) bins: u64,
}

impl PositionBins {
    pub(crate) fn new(side: Side, classes: usize, stride: usize) -> Self {
        // Zeroed pages cost nothing until they are written, so the whole range of prices is laid out at once.
        let rows = vec![0.0; stride * Self::row_count(classes)];
        Self { side, classes, stride, rows, scale: 1.0, used: 0..0, levelled: [0.0; 2], unlevelled: [0.0; 2] }
    }

    const fn row_count(classes: usize) -> usize {
        1 + 2 * classes
    }

    /// Totals of all classes, raw.
    pub(crate) fn totals(&self) -> &[f64] {
        &self.rows[..self.stride]
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
        self.levelled = [0.0; 2];
        self.unlevelled = [0.0; 2];
    }

    /// Takes out the mass of a range of cells.
    pub(crate) fn eat(&mut self, cells: Range<usize>) -> Eaten {
        let mut eaten = Eaten::default();
        let (from, to) = (cells.start.max(self.used.start), cells.end.min(self.used.end));
        if from >= to {
            return eaten;
        }
        let totals = &mut self.rows[from..to];
        if totals.iter().any(|mass| *mass != 0.0) {
            totals.fill(0.0);
            for class in 0..self.classes {
                self.eat_class(class, from..to, &mut eaten);
            }
            eaten.coins *= self.scale;
            eaten.coin_cells *= self.scale;
        }
        if from == self.used.start {
            self.used.start = to;
        } else if to == self.used.end {
            self.used.end = from;
        }
        eaten
    }

    fn eat_class(&mut self, class: usize, cells: Range<usize>, eaten: &mut Eaten) {
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
            eaten.coins += mass;
            eaten.coin_cells += mass * (index as f64 + 0.5);
            let bin = index / CELLS_PER_BIN as usize;
            eaten.bins += u64::from(bin != bin_last);
            bin_last = bin;
        }
        seen_row.fill(0.0);
        prior_row.fill(0.0);
        self.levelled[0] -= sums[0];
        self.levelled[1] -= sums[1];
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
    pub(crate) fn settle(&mut self, origin: Origin, cells: Range<usize>, raw: f64) {
        self.levelled[origin as usize] += raw;
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
        let mut next = Self::new(self.side, self.classes, self.stride);
        next.scale = self.scale;
        next.unlevelled = self.unlevelled;
        for class in 0..self.classes {
            for origin in Origin::BOTH {
                let row_start = next.row_start(class, origin);
                for index in self.used.clone() {
                    let mass = self.row(class, origin)[index];
                    if mass == 0.0 {
                        continue;
                    }
                    for (target, part) in split(index as i64 * cell_old, cell_old, cell_new, mass) {
                        let target = match self.side {
                            Side::Long => target.min(allowed.end.saturating_sub(1)),
                            Side::Short => target.max(allowed.start),
                        };
                        if allowed.contains(&target) {
                            next.rows[row_start + target] += part;
                            next.mark_used(target..target + 1);
                        } else {
                            next.add_unlevelled(origin, part);
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
            for (total, mass) in totals.iter_mut().zip(&cells[used.clone()]) {
                *total += mass;
                self.levelled[row % 2] += mass;
            }
        }
    }
}

impl Clone for PositionBins {
    /// Copies the used cells only; the rest stays untouched zero pages.
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.side, self.classes, self.stride);
        copy.scale = self.scale;
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
            return (index as usize, left.max(0.0));
        }
        let overlap = high.min((index + 1) * cell_new) - low.max(index * cell_new);
        let part = mass * (overlap as f64 / width as f64);
        left -= part;
        (index as usize, part)
    })
}
