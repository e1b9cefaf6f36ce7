//! What part of a board a client looks at: a span of prices, and how tall its levels are.
//!
//! A view is a function of the board: every level of a view knows when one of the levels below it changed
//! last, so a difference in a view is as easy as one of the whole, and nothing is kept per view. Levels are
//! summed into taller ones, never dropped or split.

use liqheat_market::Price;
use liqheat_wire::Cell;

/// A span of prices and a height of levels; the default is everything, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct View {
    /// Only levels that touch this span, both ends included.
    pub price_range: Option<(Price, Price)>,
    /// Height of a level.
    pub bin: Option<Price>,
}

/// Why a view cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Levels can be summed, not split.
    #[error("Field 'bin' must be a multiple of {base_bin}, the height of a level of {symbol}")]
    NotAMultiple {
        /// Of which symbol.
        symbol: String,
        /// The height of its levels.
        base_bin: Price,
    },
    /// Every view is encoded by itself, so their number is bounded.
    #[error(
        "{symbol} is looked at in {most} different ways already; leave out 'price_range' and 'bin', or ask again later"
    )]
    TooMany {
        /// Of which symbol.
        symbol: String,
        /// The limit.
        most: usize,
    },
}

impl View {
    /// Whether this is simply everything.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.price_range.is_none() && self.bin.is_none()
    }

    /// The same view in the form that all who mean it share: ends on edges of levels, no height where it is
    /// the board's own.
    #[must_use]
    pub(crate) fn canonical(self, base_bin: Price) -> Self {
        let bin = self.bin.filter(|bin| *bin != base_bin);
        let height = bin.unwrap_or(base_bin);
        let price_range = self.price_range.map(|(low, high)| (floor_to(low, height), floor_to(high, height)));
        Self { price_range, bin }
    }

    /// The board's prices that the view is made of: from the first, to before the second.
    pub(crate) fn span(&self, base_bin: Price) -> Option<(Price, Price)> {
        let height = self.bin.unwrap_or(base_bin);
        let (low, high) = self.price_range?;
        let end = floor_to(high, height).units().saturating_add(height.units());
        Some((floor_to(low, height), Price::from_units(end)))
    }
}

/// The lower edge of the level that a price is in.
fn floor_to(price: Price, height: Price) -> Price {
    let height = height.units().max(1);
    Price::from_units(price.units().div_euclid(height) * height)
}

/// A level, of a board or of a view, and the last change of anything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedLevel {
    /// The level; without mass it is gone.
    pub cell: Cell,
    /// The `seq` of its last change.
    pub changed: u64,
}

/// Sums levels, given in order of price, into ones of this height.
pub(crate) fn sum_into(
    height: Price,
    levels: impl Iterator<Item = ChangedLevel>,
) -> impl Iterator<Item = ChangedLevel> {
    let mut levels = levels.peekable();
    std::iter::from_fn(move || {
        let first = levels.next()?;
        let price = floor_to(first.cell.price, height);
        let mut sum = ChangedLevel { cell: Cell { price, ..first.cell }, ..first };
        while let Some(next) = levels.next_if(|next| floor_to(next.cell.price, height) == price) {
            sum.cell.long_usd = sum.cell.long_usd.saturating_add(next.cell.long_usd);
            sum.cell.short_usd = sum.cell.short_usd.saturating_add(next.cell.short_usd);
            sum.changed = sum.changed.max(next.changed);
        }
        Some(sum)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn price(units: i64) -> Price {
        Price::from_units(units)
    }

    #[test]
    fn spans_reach_to_the_edges_of_levels() {
        let view = |low, high, bin: Option<i64>| View {
            price_range: Some((price(low), price(high))),
            bin: bin.map(Price::from_units),
        };
        for (view, low, end) in [
            (view(100, 119, None), 100, 120),
            (view(101, 120, None), 100, 130),
            (view(101, 120, Some(50)), 100, 150),
            (view(0, i64::MAX, Some(50)), 0, i64::MAX),
        ] {
            assert_eq!(view.span(price(10)), Some((price(low), price(end))), "{view:?}");
            let canonical = view.canonical(price(10));
            assert_eq!(canonical.span(price(10)), view.span(price(10)), "{view:?}");
            assert_eq!(canonical.canonical(price(10)), canonical);
        }
        assert!(View { price_range: None, bin: Some(price(10)) }.canonical(price(10)).is_whole());
    }

    #[test]
    fn levels_are_summed_and_remember_the_last_change() {
        let level = |p, long_usd, changed| ChangedLevel {
            cell: Cell { price: price(p), long_usd, short_usd: 1 },
            changed,
        };
        let summed: Vec<_> =
            sum_into(price(20), [level(10, 5, 3), level(20, 1, 9), level(30, 0, 2)].into_iter()).collect();
        let expected = |p, long_usd, short_usd, changed| ChangedLevel {
            cell: Cell { price: price(p), long_usd, short_usd },
            changed,
        };
        assert_eq!(summed, [expected(0, 5, 1, 3), expected(20, 1, 2, 9)]);
    }
}
