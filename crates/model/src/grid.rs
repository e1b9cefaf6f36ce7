//! The price grid: linear cells of a round width, about a basis point of the price.
//!
//! Cell `i` holds the prices `[i * cell, (i + 1) * cell)`. Widths are 1, 2 or 5 times a power of ten, so that
//! a public bin of ten cells is a round number too and is the exact sum of its cells. The width stays while
//! the price over it stays within a factor of about seven; then a new width is chosen and the version grows.

use std::sync::LazyLock;

use liqheat_market::Price;
use liqheat_market::convert::{approx_f64, unsigned_len};

use crate::params::Params;

/// Cells in the narrowest public bin.
pub(crate) const CELLS_PER_BIN: i64 = 10;

/// Cells kept per side, in units of `cells_in_price`: the price is never further than six of them from
/// zero, and levels up to three times that price are kept.
const PRICE_RATIO_MAX: i64 = 6;
const LEVEL_REACH: i64 = 3;

const CELLS_MAX: i64 = Params::CELLS_IN_PRICE_MAX * PRICE_RATIO_MAX * LEVEL_REACH;

/// Natural logarithms of 0, 1, 2, ..: of cell edges up to a constant. The first is minus infinity and is
/// never used.
static LN_INDEX: LazyLock<Vec<f64>> =
    LazyLock::new(|| (0..=CELLS_MAX).map(|i| libm::log(approx_f64(i))).collect());

/// `ln(i)` for all `i` that a cell edge can have.
pub(crate) fn ln_index() -> &'static [f64] {
    &LN_INDEX
}

/// A cell width and how often it was chosen anew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PriceGrid {
    /// Width in price units (1e-8), at least 1.
    pub(crate) cell: i64,
    pub(crate) version: u64,
    /// Logarithm of the width in quote units.
    pub(crate) ln_cell: f64,
    cells_in_price: i64,
}

impl PriceGrid {
    pub(crate) fn for_price(price: Price, cells_in_price: i64, version: u64) -> Self {
        Self::of_width(round_width(price.units() / cells_in_price), version, cells_in_price)
    }

    /// From stored parts; `None` when the width is not one that this code would choose.
    pub(crate) fn restore(cell: i64, version: u64, cells_in_price: i64) -> Option<Self> {
        (cell > 0 && round_width(cell) == cell).then(|| Self::of_width(cell, version, cells_in_price))
    }

    fn of_width(cell: i64, version: u64, cells_in_price: i64) -> Self {
        let ln_cell = libm::log(Price::from_units(cell).to_f64());
        Self { cell, version, ln_cell, cells_in_price }
    }

    /// The grid to use at a price: `None` while this one serves. The bounds are wider than the range of a
    /// fresh choice, so that a price near a bound does not flip the width back and forth.
    pub(crate) fn successor(&self, price: Price) -> Option<Self> {
        let index = price.units() / self.cell;
        let serves = index.saturating_mul(10) >= self.cells_in_price * 8
            && index < self.cells_in_price * PRICE_RATIO_MAX;
        if serves {
            return None;
        }
        let next = Self::for_price(price, self.cells_in_price, self.version + 1);
        (next.cell != self.cell).then_some(next)
    }

    /// Number of cells kept per side.
    pub(crate) fn cells(&self) -> usize {
        cells_kept(self.cells_in_price)
    }

    /// The cell that holds a price; may lie beyond the kept cells.
    pub(crate) fn index(&self, price: Price) -> usize {
        usize::try_from(price.units() / self.cell).unwrap_or(0)
    }

    /// Width in quote units.
    pub(crate) fn cell_f64(&self) -> f64 {
        Price::from_units(self.cell).to_f64()
    }
}

/// Number of cells kept per side, whatever the price.
pub(crate) fn cells_kept(cells_in_price: i64) -> usize {
    unsigned_len(cells_in_price * PRICE_RATIO_MAX * LEVEL_REACH)
}

/// The largest of 1, 2, 5 times a power of ten not above `limit`, and at least 1.
fn round_width(limit: i64) -> i64 {
    let mut power = 1;
    while limit / 10 >= power {
        power *= 10;
    }
    [5, 2, 1].into_iter().map(|digit| digit * power).find(|width| *width <= limit).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell_at(price: &str) -> String {
        let grid = PriceGrid::for_price(Price::parse(price).unwrap(), 10_000, 1);
        Price::from_units(grid.cell).to_string()
    }

    #[test]
    fn widths_are_round() {
        for (price, cell) in [
            ("100000", "10"),
            ("99999.99", "5"),
            ("88000", "5"),
            ("3000", "0.2"),
            ("0.5", "0.00005"),
            ("0.00001", "0.00000001"),
            ("90000000000", "5000000"),
        ] {
            assert_eq!(cell_at(price), cell, "{price}");
        }
    }

    #[test]
    fn a_grid_serves_a_range_of_prices() {
        let grid = PriceGrid::for_price(Price::parse("100000").unwrap(), 10_000, 7);
        let successor = |price: &str| grid.successor(Price::parse(price).unwrap());
        assert_eq!(successor("80000"), None);
        assert_eq!(successor("599999"), None);
        let below = successor("79999").unwrap();
        assert_eq!((below.cell, below.version), (500_000_000, 8));
        assert_eq!(successor("600000").unwrap().cell, 5_000_000_000);
        let smallest = PriceGrid::for_price(Price::from_units(50), 10_000, 1);
        assert_eq!(smallest.successor(Price::from_units(40)), None, "no narrower cell exists");
    }

    proptest! {
        #[test]
        fn the_price_has_a_kept_cell(units in 10_000i64..i64::MAX, cells_in_price in 200i64..=10_000) {
            let price = Price::from_units(units);
            let grid = PriceGrid::for_price(price, cells_in_price, 1);
            prop_assert!(grid.index(price) < grid.cells() / 3);
            prop_assert!(grid.cell <= units / cells_in_price);
            prop_assert_eq!(grid.successor(price), None);
            prop_assert_eq!(PriceGrid::restore(grid.cell, 1, cells_in_price), Some(grid));
        }
    }
}
