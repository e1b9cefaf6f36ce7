//! Which columns a request for a grid means: those up to now, or those between two times.

use liqheat_market::convert::signed_len;
use liqheat_market::{Interval, Price, UnixMs};

use super::range::ChartRange;
use crate::catalog::ServedSymbol;

/// The time that a grid covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GridSpan {
    /// A named length of time that ends with the newest bar.
    Latest(ChartRange),
    /// From a time to another one, exclusive.
    Between {
        /// Floored to a whole column.
        from: UnixMs,
        to: UnixMs,
    },
}

/// Margin of the rows of a grid between two times, per mille of the price: that of a range of a week.
const BETWEEN_MARGIN_PERMILLE: i64 = 100;

/// What the columns of a picture are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnSteps {
    /// Where the data begins; `None` while there is none.
    pub(crate) first: Option<UnixMs>,
    /// Columns are whole multiples of this, milliseconds.
    pub(crate) step_ms: i64,
}

impl ColumnSteps {
    /// Whole bars of every venue.
    pub(crate) fn of(symbol: &ServedSymbol) -> Self {
        Self { first: symbol.first_bar(), step_ms: symbol.whole_bars_ms() }
    }
}

/// First column, length of a column in milliseconds, number of columns.
pub(crate) type Columns = (UnixMs, i64, usize);

impl GridSpan {
    /// Length in milliseconds.
    pub(super) const fn ms(self) -> i64 {
        match self {
            Self::Latest(range) => range.ms(),
            Self::Between { from, to } => to.0.saturating_sub(from.0),
        }
    }

    /// Margin of the rows beyond the highest and lowest price, per mille of the price.
    pub(super) const fn margin_permille(self) -> i64 {
        match self {
            Self::Latest(range) => range.margin_permille(),
            Self::Between { .. } => BETWEEN_MARGIN_PERMILLE,
        }
    }

    /// Where the bars that the grid shows end, at the latest: exclusive.
    pub(super) fn end(self, as_of: UnixMs) -> UnixMs {
        match self {
            Self::Latest(_) => as_of,
            Self::Between { to, .. } => to.min(as_of),
        }
    }

    /// The columns. Of a range, none begins before the data; between two times the geometry is the one asked for, so
    /// that neighbouring grids fit together, and only the future is cut off.
    pub(crate) fn columns(self, steps: ColumnSteps, as_of: UnixMs, wished: Option<usize>) -> Columns {
        let column_ms = self.column_ms(steps, wished);
        // A bar that closes on the edge of a column belongs to the column that ends there.
        let now = as_of.plus(-1).floor_to(column_ms).plus(column_ms);
        let (start, end) = match self {
            Self::Latest(range) => {
                let first = steps.first.unwrap_or(as_of).floor_to(column_ms);
                (now.plus(-round_up(range.ms(), column_ms)).max(first), now)
            }
            Self::Between { from, to } => {
                let end = to.plus(-1).floor_to(column_ms).plus(column_ms);
                (from.floor_to(column_ms), end.min(now))
            }
        };
        (start, column_ms, usize::try_from(end.since(start) / column_ms).unwrap_or(0).max(1))
    }

    fn column_ms(self, steps: ColumnSteps, wished: Option<usize>) -> i64 {
        /// Most columns of a request that names no number: a wide screen shows no more.
        const COLUMNS_MAX: i64 = 900;
        const DAY_MS: i64 = 86_400_000;
        match wished {
            Some(columns) => round_up((self.ms() / signed_len(columns.max(1))).max(1), steps.step_ms),
            None => Interval::names()
                .filter_map(|name| Interval::from_name(name).map(Interval::ms))
                .find(|ms| ms % steps.step_ms == 0 && self.ms() / ms <= COLUMNS_MAX)
                .unwrap_or(DAY_MS),
        }
    }
}

/// Lowest and highest price of the rows, where a request names them; lowest below highest.
pub(crate) type PriceBounds = Option<(Price, Price)>;

pub(super) const fn round_up(value: i64, step: i64) -> i64 {
    (value + step - 1) / step * step
}
