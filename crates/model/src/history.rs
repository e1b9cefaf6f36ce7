//! The time x price picture of the past: a ledger run over bars, looked at once per column.
//!
//! A column shows the ledger as it stood at the column's end (or after the last bar there is), so a band ends
//! in the column in which the price touched it. In a hole the last picture is held for as long as the ledger's
//! gap rule would bridge it; columns beyond that, before the first bar and after the last stay empty.

use std::ops::Range;

use liqheat_market::convert::signed_len;
use liqheat_market::{Bar, Price, Qty, UnixMs};

use crate::ledger::Ledger;
use crate::levels::Tip;
use crate::step::{Step, StepOutcome};

/// Which columns and rows to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridSpec {
    /// Where the first column begins.
    pub start: UnixMs,
    /// Length of a column in milliseconds.
    pub column_ms: i64,
    /// Number of columns.
    pub columns: usize,
    /// Lower edge of the lowest row.
    pub price_low: Price,
    /// Height of a row.
    pub bin: Price,
    /// Number of rows.
    pub rows: usize,
}

impl GridSpec {
    /// Most cells in one picture.
    pub const CELLS_MAX: usize = 4_000_000;
    /// Most cells in one picture that is split by leverage, and so has a plane for each class besides.
    pub const CELLS_MAX_SPLIT: usize = 1_500_000;

    fn check(&self, max: usize) -> Result<usize, GridError> {
        let cells = self.columns.checked_mul(self.rows).filter(|cells| (1..=max).contains(cells));
        let cells = cells.ok_or(GridError::Size { columns: self.columns, rows: self.rows, max })?;
        if self.column_ms <= 0 {
            return Err(GridError::Column(self.column_ms));
        }
        if !self.bin.is_positive() || self.price_low.units() < 0 {
            return Err(GridError::Rows { bin: self.bin, price_low: self.price_low });
        }
        Ok(cells)
    }

    /// The column in whose `(start, end]` a moment lies, such as the close of a bar; `None` before the first and after the
    /// last.
    #[must_use]
    pub fn column_of(&self, close_time: UnixMs) -> Option<usize> {
        let since = close_time.since(self.start);
        if since <= 0 {
            return None;
        }
        usize::try_from((since - 1) / self.column_ms).ok().filter(|column| *column < self.columns)
    }
}

/// Why a picture is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// Too many cells, or none.
    #[error("{columns} columns of {rows} rows: there must be 1 to {max} cells")]
    Size {
        /// Columns asked for.
        columns: usize,
        /// Rows asked for.
        rows: usize,
        /// Most cells there may be.
        max: usize,
    },
    /// A column must have a length.
    #[error("a column of {0} ms: it must be longer than 0")]
    Column(i64),
    /// A row must have a height and prices are not negative.
    #[error("rows of {bin} from {price_low}: the height must be above 0 and the price not below 0")]
    Rows {
        /// Height asked for.
        bin: Price,
        /// Lower edge asked for.
        price_low: Price,
    },
}

/// A filled picture. Cell (column, row) is at `column * rows + row`, row 0 the lowest price.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryGrid {
    /// What was asked for.
    pub spec: GridSpec,
    /// Long mass in USD.
    pub long: Vec<f32>,
    /// Short mass in USD.
    pub short: Vec<f32>,
    /// Mass of each leverage class in USD, lowest leverage first, both sides together; empty unless asked for.
    pub classes: Vec<Vec<f32>>,
    /// Per column, levels created in it (as [`Step::created`]).
    pub created: Vec<u64>,
    /// Per column, levels consumed in it (as [`Step::consumed`]).
    pub consumed: Vec<u64>,
    /// Per column, USD consumed in it, both sides.
    pub consumed_usd: Vec<f64>,
}

impl HistoryGrid {
    /// A picture without any mass.
    ///
    /// # Errors
    /// When it has no cells, too many, or no extent.
    pub fn empty(spec: GridSpec) -> Result<Self, GridError> {
        Self::of(spec, GridSpec::CELLS_MAX, 0)
    }

    fn of(spec: GridSpec, cells_max: usize, classes: usize) -> Result<Self, GridError> {
        let cells = spec.check(cells_max)?;
        Ok(Self {
            spec,
            long: vec![0.0; cells],
            short: vec![0.0; cells],
            classes: vec![vec![0.0; cells]; classes],
            created: vec![0; spec.columns],
            consumed: vec![0; spec.columns],
            consumed_usd: vec![0.0; spec.columns],
        })
    }

    /// The rows of one column, (long, short).
    #[must_use]
    pub fn column(&self, column: usize) -> (&[f32], &[f32]) {
        let cells = column * self.spec.rows..(column + 1) * self.spec.rows;
        (&self.long[cells.clone()], &self.short[cells])
    }

    /// Adds another picture of the same columns and rows, of another ledger.
    ///
    /// # Panics
    /// When the other is of other columns, rows or leverage classes.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.spec, other.spec, "pictures of different columns or rows");
        assert_eq!(self.classes.len(), other.classes.len(), "pictures of different leverage classes");
        let sides = [(&mut self.long, &other.long), (&mut self.short, &other.short)];
        for (sum, plane) in sides.into_iter().chain(self.classes.iter_mut().zip(&other.classes)) {
            sum.iter_mut().zip(plane).for_each(|(sum, usd)| *sum += usd);
        }
        let counts = [(&mut self.created, &other.created), (&mut self.consumed, &other.consumed)];
        for (sum, counts) in counts {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        self.consumed_usd.iter_mut().zip(&other.consumed_usd).for_each(|(sum, usd)| *sum += usd);
    }

    fn count(&mut self, column: usize, step: &Step) {
        self.created[column] += step.created;
        self.consumed[column] += step.consumed;
        self.consumed_usd[column] += step.consumed_long.usd + step.consumed_short.usd;
    }
}

/// For [`history`] over bars without trades: no volume at price is known.
pub const NO_PROFILE: &dyn Fn(UnixMs) -> &'static [(Price, Qty)] = &|_| &[];

/// Runs `ledger` over `bars` (ascending; those before the picture warm it up) and takes the columns.
/// `profile_of` gives the volume at price of the bar that opens at a time, empty when unknown. Afterwards the
/// ledger stands at the last bar.
///
/// # Errors
/// When the picture has no cells, too many, or no extent.
pub fn history<'a>(
    ledger: &mut Ledger,
    bars: &[Bar],
    profile_of: &dyn Fn(UnixMs) -> &'a [(Price, Qty)],
    spec: GridSpec,
) -> Result<HistoryGrid, GridError> {
    Ok(GridPainter::new(spec)?.over(ledger, bars, profile_of))
}

/// Takes the columns of a picture while somebody else moves the ledger: tell it of each bar before and after
/// it is applied.
#[derive(Debug)]
pub struct GridPainter {
    grid: HistoryGrid,
    /// The first column that has not been taken yet.
    pending: usize,
}

impl GridPainter {
    /// An empty picture.
    ///
    /// # Errors
    /// When it has no cells, too many, or no extent.
    pub fn new(spec: GridSpec) -> Result<Self, GridError> {
        Self::of(spec, GridSpec::CELLS_MAX, 0)
    }

    /// An empty picture that also keeps each of this many leverage classes apart.
    ///
    /// # Errors
    /// When it has no cells, too many ([`GridSpec::CELLS_MAX_SPLIT`]), or no extent.
    pub fn split(spec: GridSpec, classes: usize) -> Result<Self, GridError> {
        Self::of(spec, GridSpec::CELLS_MAX_SPLIT, classes)
    }

    fn of(spec: GridSpec, cells_max: usize, classes: usize) -> Result<Self, GridError> {
        let grid = HistoryGrid::of(spec, cells_max, classes)?;
        Ok(Self { grid, pending: 0 })
    }

    /// A bar is about to be applied: columns that ended before it closes show what stood before it.
    pub fn before(&mut self, ledger: &Ledger, bar: &Bar) {
        let spec = self.grid.spec;
        let reached = match spec.column_of(bar.close_time) {
            Some(column) => column,
            None if bar.close_time > spec.start => spec.columns,
            None => 0,
        };
        self.take(ledger, self.pending..reached, None);
        self.pending = self.pending.max(reached);
    }

    /// A bar was applied.
    pub fn after(&mut self, bar: &Bar, step: &Step) {
        if matches!(step.outcome, StepOutcome::Refused(_)) {
            return;
        }
        if let Some(column) = self.grid.spec.column_of(bar.close_time) {
            self.grid.count(column, step);
        }
    }

    /// Takes the columns up to the last bar; in the newest one, what `tip` has swept since is hidden.
    #[must_use]
    pub fn finish(mut self, ledger: &Ledger, tip: Tip) -> HistoryGrid {
        let last = ledger.as_of().and_then(|as_of| self.grid.spec.column_of(as_of));
        if let Some(last) = last.filter(|last| *last >= self.pending) {
            self.take(ledger, self.pending..last, None);
            self.take(ledger, last..last + 1, tip);
            self.pending = last + 1;
        }
        // A bar that has only just begun stands in a column of its own, which no closed bar has reached yet.
        if tip.is_some() && self.pending < self.grid.spec.columns {
            self.take(ledger, self.pending..self.pending + 1, tip);
        }
        self.grid
    }

    /// Takes the columns of a picture whose time is over: later bars are known to exist, so the last state is held over a
    /// hole at its end as in the middle.
    #[must_use]
    pub fn finish_closed(mut self, ledger: &Ledger) -> HistoryGrid {
        self.take(ledger, self.pending..self.grid.spec.columns, None);
        self.grid
    }

    /// Moves `ledger` over all `bars` as [`history`] does, and takes the columns.
    #[must_use]
    pub fn over<'a>(
        mut self,
        ledger: &mut Ledger,
        bars: &[Bar],
        profile_of: &dyn Fn(UnixMs) -> &'a [(Price, Qty)],
    ) -> HistoryGrid {
        for bar in bars {
            self.before(ledger, bar);
            let step = ledger.apply(bar, profile_of(bar.open_time));
            self.after(bar, &step);
        }
        self.finish(ledger, None)
    }

    fn take(&mut self, ledger: &Ledger, columns: Range<usize>, tip: Tip) {
        let (spec, Some(as_of)) = (self.grid.spec, ledger.as_of()) else { return };
        let gap_ms_max = ledger.params().values().gap_ms_max;
        for column in columns {
            let column_start = spec.start.plus(spec.column_ms.saturating_mul(signed_len(column)));
            if column_start.since(as_of) > gap_ms_max {
                break;
            }
            let cells = column * spec.rows..(column + 1) * spec.rows;
            let (long, short) = (&mut self.grid.long[cells.clone()], &mut self.grid.short[cells.clone()]);
            ledger.add_to_column(spec.price_low, spec.bin, tip, long, short);
            let classes = self.grid.classes.iter_mut().map(|plane| &mut plane[cells.clone()]);
            ledger.add_classes_to_column(spec.price_low, spec.bin, tip, classes);
        }
    }
}
