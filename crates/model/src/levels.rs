//! The ledger as seen from outside: USD at price levels.

use std::ops::Range;

use liqheat_market::convert::{approx_f64, nearest_f32, signed_len, unsigned_len};
use liqheat_market::{Price, Side};

use crate::ledger::Ledger;
use crate::position_bins::{Origin, PositionBins};

/// Mass of one price bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelUsd {
    /// Lower edge of the bin.
    pub price: Price,
    /// Longs that would be liquidated in it, USD.
    pub long_usd: f64,
    /// Shorts that would be liquidated in it, USD.
    pub short_usd: f64,
}

/// Mass of one price bin and leverage class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeverageLevel {
    /// Leverage of the class.
    pub leverage: f64,
    /// Lower edge of the bin.
    pub price: Price,
    /// Longs that would be liquidated in it, USD.
    pub long_usd: f64,
    /// Shorts that would be liquidated in it, USD.
    pub short_usd: f64,
}

/// Lowest and highest price since the last bar closed: what they have swept is hidden, though the ledger
/// will consume it only with the next bar.
pub type Tip = Option<(Price, Price)>;

impl Ledger {
    /// Levels in bins of `bin`, ascending, only those with mass. A multiple of [`Ledger::cell`] sums whole
    /// cells, another width splits cells in proportion; below a hundredth of a cell there is nothing to show
    /// and the answer is empty.
    #[must_use]
    pub fn levels(&self, bin: Price, tip: Tip) -> Vec<LevelUsd> {
        let Some(bins) = Bins::new(self, 0, bin) else { return Vec::new() };
        let mut levels: Vec<LevelUsd> = Vec::with_capacity(1024);
        let cells = self.visible(&self.long, tip);
        bins.each(&self.long.totals(&cells), cells, self.long.scale(), |index, usd| {
            levels.push(LevelUsd { price: bins.price(index), long_usd: usd, short_usd: 0.0 });
        });
        // Longs lie below the price and shorts above, so the two can share one bin only, where they meet.
        let cells = self.visible(&self.short, tip);
        bins.each(&self.short.totals(&cells), cells, self.short.scale(), |index, usd| {
            let price = bins.price(index);
            match levels.last_mut() {
                Some(level) if level.price == price => level.short_usd = usd,
                _ => levels.push(LevelUsd { price, long_usd: 0.0, short_usd: usd }),
            }
        });
        levels
    }

    /// Levels by leverage class: lowest leverage first, prices ascending within it.
    #[must_use]
    pub fn levels_by_leverage(&self, bin: Price, tip: Tip) -> Vec<LeverageLevel> {
        self.levels_of(bin, tip, &[Origin::Seen, Origin::Prior])
    }

    /// As [`Ledger::levels_by_leverage`], without what stems from the prior.
    #[must_use]
    pub fn seen_levels_by_leverage(&self, bin: Price, tip: Tip) -> Vec<LeverageLevel> {
        self.levels_of(bin, tip, &[Origin::Seen])
    }

    fn levels_of(&self, bin: Price, tip: Tip, origins: &[Origin]) -> Vec<LeverageLevel> {
        let Some(bins) = Bins::new(self, 0, bin) else { return Vec::new() };
        let mut levels = Vec::new();
        for (class, &(leverage, _)) in self.params().values().weights.classes().iter().enumerate() {
            for book in [&self.long, &self.short] {
                let cells = self.visible(book, tip);
                let mut sums = vec![0.0; cells.end];
                for origin in origins {
                    let row = book.row(class, *origin);
                    for index in cells.clone() {
                        sums[index] += row[index];
                    }
                }
                bins.each(&sums, cells, book.scale() * book.factor(class), |index, usd| {
                    let price = bins.price(index);
                    let (long_usd, short_usd) = match book.side {
                        Side::Long => (usd, 0.0),
                        Side::Short => (0.0, usd),
                    };
                    match levels.last_mut() {
                        Some(LeverageLevel { leverage: same, price: at, short_usd: short, .. })
                            if *same == leverage && *at == price =>
                        {
                            *short = short_usd;
                        }
                        _ => levels.push(LeverageLevel { leverage, price, long_usd, short_usd }),
                    }
                });
            }
        }
        levels
    }

    /// Adds the levels to rows of one column of a chart: row `r` covers `low + r * bin` upwards. Mass outside
    /// the rows is skipped.
    pub fn add_to_column(&self, low: Price, bin: Price, tip: Tip, long: &mut [f32], short: &mut [f32]) {
        let Some(bins) = Bins::new(self, low.units(), bin) else { return };
        for (book, rows) in [(&self.long, long), (&self.short, short)] {
            let cells = bins.clip(self.visible(book, tip), rows.len());
            bins.each(&book.totals(&cells), cells, book.scale(), |index, usd| {
                if let Some(row) = usize::try_from(index).ok().and_then(|index| rows.get_mut(index)) {
                    *row += nearest_f32(usd);
                }
            });
        }
    }

    /// As [`Ledger::add_to_column`], but each leverage class into rows of its own, both sides together: which
    /// side a row belongs to is known from the column's total. `classes` begins with the lowest leverage.
    pub fn add_classes_to_column<'a>(
        &self,
        low: Price,
        bin: Price,
        tip: Tip,
        classes: impl Iterator<Item = &'a mut [f32]>,
    ) {
        let Some(bins) = Bins::new(self, low.units(), bin) else { return };
        for (class, rows) in classes.enumerate().take(self.long.classes()) {
            for book in [&self.long, &self.short] {
                let [seen, prior] = Origin::BOTH.map(|origin| book.row(class, origin));
                let cells = bins.clip(self.visible(book, tip), rows.len());
                // A class lies in a band of prices; outside it there is nothing to sum.
                let holds = |index: &usize| seen[*index] != 0.0 || prior[*index] != 0.0;
                let Some(first) = cells.clone().find(holds) else { continue };
                let last = cells.clone().rev().find(holds).unwrap_or(first);
                let cells = first..last + 1;
                let mut add = |index: i64, usd: f64| {
                    if let Some(row) = usize::try_from(index).ok().and_then(|index| rows.get_mut(index)) {
                        *row += nearest_f32(usd);
                    }
                };
                let scale = book.scale() * book.factor(class);
                let to_usd = bins.usd_per_coin_cell(scale);
                let whole = bins.each_whole(cells.clone(), |index, cells| {
                    let masses = seen[cells.clone()].iter().zip(&prior[cells.clone()]);
                    let sum: f64 = masses
                        .zip(cells)
                        .map(|((seen, prior), cell)| (seen + prior) * (approx_f64(cell) + 0.5))
                        .sum();
                    add(index, sum * to_usd);
                });
                if !whole {
                    for masses in [seen, prior] {
                        bins.each(masses, cells.clone(), scale, &mut add);
                    }
                }
            }
        }
    }

    /// The cells of a side that hold mass and are not hidden by the tip.
    fn visible(&self, book: &PositionBins, tip: Tip) -> Range<usize> {
        let (mut start, mut end) = (book.used.start, book.used.end);
        if let (Some(grid), Some((low, high))) = (self.grid, tip) {
            match book.side {
                Side::Long => end = end.min(grid.index(low)),
                Side::Short => start = start.max(grid.index(high).saturating_add(1)),
            }
        }
        start.min(end)..end
    }
}

/// Bins laid over the cells of a grid: bin 0 begins at `low`.
struct Bins {
    cell: i64,
    low: i64,
    bin: i64,
}

impl Bins {
    /// Bounds the work that a nonsensical bin width could ask for.
    const BINS_PER_CELL_MAX: i64 = 100;

    fn new(ledger: &Ledger, low: i64, bin: Price) -> Option<Self> {
        let grid = ledger.grid?;
        let wide_enough = bin.is_positive() && grid.cell / bin.units() <= Self::BINS_PER_CELL_MAX;
        wide_enough.then_some(Self { cell: grid.cell, low, bin: bin.units() })
    }

    fn price(&self, index: i64) -> Price {
        Price::from_units(self.low.saturating_add(index.saturating_mul(self.bin)))
    }

    /// The cells that overlap the first `rows` bins.
    fn clip(&self, cells: Range<usize>, rows: usize) -> Range<usize> {
        let high = self.low.saturating_add(signed_len(rows).saturating_mul(self.bin));
        let first = unsigned_len(self.low.max(0) / self.cell);
        let end = unsigned_len(high.max(0) / self.cell) + 1;
        let (start, end) = (cells.start.max(first), cells.end.min(end));
        start.min(end)..end
    }

    fn usd_per_coin_cell(&self, scale: f64) -> f64 {
        scale * Price::from_units(self.cell).to_f64()
    }

    /// Where bins are whole cells: calls `sink` with each bin and its cells, ascending. Answers whether they are.
    fn each_whole(&self, cells: Range<usize>, mut sink: impl FnMut(i64, Range<usize>)) -> bool {
        if self.bin % self.cell != 0 || self.low % self.cell != 0 {
            return false;
        }
        let (per_bin, low_cell) = (self.bin / self.cell, self.low / self.cell);
        let mut start = cells.start;
        let mut bin = (signed_len(start) - low_cell).div_euclid(per_bin);
        while start < cells.end {
            let next = low_cell + (bin + 1).saturating_mul(per_bin);
            let end = usize::try_from(next).map_or(cells.end, |next| next.min(cells.end));
            sink(bin, start..end);
            start = end;
            bin += 1;
        }
        true
    }

    /// Calls `sink` with each bin that holds mass and its USD, ascending.
    fn each(&self, totals: &[f64], cells: Range<usize>, scale: f64, mut sink: impl FnMut(i64, f64)) {
        let to_usd = self.usd_per_coin_cell(scale);
        let mut put = |bin: i64, coin_cells: f64| {
            if coin_cells > 0.0 {
                sink(bin, coin_cells * to_usd);
            }
        };
        let whole = self.each_whole(cells.clone(), |bin, cells| {
            put(bin, coin_cells(&totals[cells.clone()], cells.start));
        });
        if whole {
            return;
        }
        let mut open: Option<(i64, f64)> = None;
        for index in cells {
            let weight = totals[index] * (approx_f64(index) + 0.5);
            if weight == 0.0 {
                continue;
            }
            let low = signed_len(index) * self.cell - self.low;
            let high = low + self.cell;
            for bin in low.div_euclid(self.bin)..=(high - 1).div_euclid(self.bin) {
                let overlap = high.min((bin + 1) * self.bin) - low.max(bin * self.bin);
                let part = weight * approx_f64(overlap) / approx_f64(self.cell);
                open = match open {
                    Some((at, sum)) if at == bin => Some((at, sum + part)),
                    Some((at, sum)) => {
                        put(at, sum);
                        Some((bin, part))
                    }
                    None => Some((bin, part)),
                };
            }
        }
        if let Some((at, sum)) = open {
            put(at, sum);
        }
    }
}

/// Sum of mass times (cell index + one half).
fn coin_cells(totals: &[f64], first: usize) -> f64 {
    totals.iter().enumerate().map(|(offset, mass)| mass * (approx_f64(first + offset) + 0.5)).sum()
}
