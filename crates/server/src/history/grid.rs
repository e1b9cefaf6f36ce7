//! Which columns and rows a request for a time x price grid means.

use liqheat_market::convert::{signed_len, unsigned_len};
use liqheat_market::{Price, UnixMs};
use liqheat_model::{GridError, GridSpec};
use liqheat_store::StoreError;
use liqheat_wire::GridLayout;

use super::spans::{ColumnSteps, GridSpan, PriceBounds, round_up};

/// What a request for a grid names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GridRequest {
    pub(crate) span: GridSpan,
    /// What the rows reach from and to; the prices of the time and a margin without.
    pub(crate) prices: PriceBounds,
    pub(crate) bin: Option<Price>,
    pub(crate) columns: Option<usize>,
    /// The layout of the compact form; JSON without.
    pub(crate) compact: Option<GridLayout>,
    /// With a plane for each leverage class.
    pub(crate) by_leverage: bool,
    /// Compressed with [`super::pack`].
    pub(crate) is_gzipped: bool,
}

impl GridRequest {
    /// Where the last column ends.
    pub(crate) fn end(&self, steps: ColumnSteps, as_of: UnixMs) -> UnixMs {
        let (start, column_ms, columns) = self.span.columns(steps, as_of, self.columns);
        start.plus(column_ms.saturating_mul(signed_len(columns)))
    }

    /// The rows: the prices that are asked for, else everything the price has touched and a margin on both sides.
    ///
    /// Without a bin in the request it is the base bin or the lowest of 2, 5, 10, 20, .. times it with which that many
    /// columns stay within the limits, split by leverage or not: the base bin follows the newest price, and a market
    /// that has fallen to a tenth would have ten times the rows.
    pub(crate) fn rows(
        &self,
        low: Price,
        high: Price,
        base_bin: Price,
        columns: usize,
    ) -> (Price, Price, usize) {
        let margin = |price: Price| price.units() / 1_000 * self.span.margin_permille();
        let (low, high) = match self.prices {
            Some((low, high)) => (low.units(), high.units()),
            None => ((low.units() - margin(low)).max(0), high.units() + margin(high)),
        };
        let with = |bin: i64| {
            let bottom = low / bin * bin;
            let rows = ((round_up(high, bin) - bottom) / bin).max(1);
            (Price::from_units(bottom), Price::from_units(bin), unsigned_len(rows))
        };
        if let Some(bin) = self.bin {
            return with(bin.units().max(1));
        }
        let rows_max = (GridSpec::CELLS_MAX_SPLIT / columns.max(1)).clamp(1, ROWS_MAX);
        let powers = std::iter::successors(Some(1i64), |power| power.checked_mul(10));
        powers
            .flat_map(|power| [1, 2, 5].map(|factor| power.saturating_mul(factor)))
            .map(|times| with(base_bin.units().max(1).saturating_mul(times).min(BIN_UNITS_MAX)))
            .find(|(_, _, rows)| *rows <= rows_max)
            .unwrap_or_else(|| with(BIN_UNITS_MAX))
    }
}

/// Most rows of a picture that names no bin: more than a screen has lines.
const ROWS_MAX: usize = 4_000;
/// Far above any price, and far from overflowing when it is rounded up to.
const BIN_UNITS_MAX: i64 = i64::MAX / 4;

/// Why there is no grid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Grid(#[from] GridError),
    #[error("no state yet")]
    NoLedger,
}

#[cfg(test)]
mod tests {

    use super::*;
    use std::sync::Arc;

    use liqheat_market::{Instrument, Interval, Symbol, TierTable, UnixMs, Venue};
    use liqheat_model::Params;

    use crate::catalog::{LedgerSpec, MarketIndex, ServedSymbol, VenueLedger};
    use crate::history::range::{CHART_RANGES, ChartRange, DAY_MS, HOUR_MS};

    fn symbol(interval: Interval, first_bar: i64) -> ServedSymbol {
        let instrument = Instrument::new(Venue::Sim, Symbol::new("BTCUSDT").unwrap());
        let tiers = TierTable::flat(UnixMs(0), 0.005).unwrap();
        let spec = LedgerSpec::new(instrument, interval, Params::default(), 0);
        let ledger = VenueLedger::new(spec, Some(UnixMs(first_bar)), tiers);
        ServedSymbol {
            name: "BTCUSDT".into(),
            listed: true,
            ledgers: vec![Arc::new(ledger)],
            market: MarketIndex(0),
        }
    }

    fn request(range: &str, columns: Option<usize>) -> GridRequest {
        let span = GridSpan::Latest(ChartRange::from_name(range).unwrap());
        GridRequest {
            span,
            prices: None,
            bin: None,
            columns,
            compact: Some(GridLayout::ColumnMajor),
            by_leverage: false,
            is_gzipped: false,
        }
    }

    fn columns_of(request: GridRequest, symbol: &ServedSymbol, as_of: UnixMs) -> (UnixMs, i64, usize) {
        request.span.columns(ColumnSteps::of(symbol), as_of, request.columns)
    }

    #[test]
    fn every_range_fits_on_a_screen() {
        let as_of = UnixMs(2_000 * DAY_MS + 12_345_678);
        for interval in [Interval::M1, Interval::M5] {
            let symbol = symbol(interval, 0);
            for range in CHART_RANGES {
                let (start, column_ms, columns) = columns_of(request(range.name, None), &symbol, as_of);
                assert!((140..=900).contains(&columns), "{} of {interval}: {columns}", range.name);
                assert_eq!(column_ms % interval.ms(), 0);
                let end = start.plus(column_ms * columns as i64);
                assert!(
                    start <= as_of.plus(column_ms - range.ms())
                        && end >= as_of
                        && end < as_of.plus(column_ms)
                );
            }
        }
    }

    #[test]
    fn no_column_before_the_data() {
        let symbol = symbol(Interval::M5, 100 * DAY_MS + 60_000);
        let (start, column_ms, columns) = columns_of(request("1y", None), &symbol, UnixMs(103 * DAY_MS));
        assert_eq!(start, UnixMs(100 * DAY_MS));
        assert_eq!((column_ms, columns), (12 * HOUR_MS, 6));
    }

    #[test]
    fn a_wished_number_of_columns_is_kept_in_whole_bars() {
        let symbol = symbol(Interval::M5, 0);
        let (_, column_ms, columns) = columns_of(request("7d", Some(1_000)), &symbol, UnixMs(2_000 * DAY_MS));
        assert_eq!((column_ms, columns), (900_000, 672));
        let (_, column_ms, _) = columns_of(request("3d", Some(1_000)), &symbol, UnixMs(2_000 * DAY_MS));
        assert_eq!(column_ms, 300_000);
    }

    #[test]
    fn rows_cover_the_price_and_a_margin() {
        let dollars = |n: i64| Price::from_units(n * 100_000_000);
        let (low, bin, rows) = request("3d", None).rows(dollars(90_000), dollars(100_000), dollars(100), 864);
        assert_eq!((low, bin), (dollars(82_800), dollars(100)));
        assert_eq!(rows, 252);
        let (low, _, rows) =
            request("1y", None).rows(Price::from_units(3), Price::from_units(9), Price::from_units(5), 730);
        assert_eq!((low, rows), (Price::from_units(0), 2));
    }

    #[test]
    fn a_market_that_fell_to_a_tenth_gets_taller_rows_instead_of_a_refusal() {
        // From 6.30 to 0.45 with the base bin of the newest price.
        let (low, high, base) = (Price::from_units(40_000_000), Price::from_units(640_000_000), 50_000i64);
        for (range, columns) in [("12h", 720), ("3d", 864), ("3d", 576), ("1y", 4_000), ("1y", 1)] {
            let (bottom, bin, rows) = request(range, None).rows(low, high, Price::from_units(base), columns);
            assert!(
                columns * rows <= GridSpec::CELLS_MAX_SPLIT && rows <= ROWS_MAX,
                "{range}: {columns} x {rows}"
            );
            assert_eq!(bin.units() % base, 0, "a multiple of the base bin");
            assert!(bottom <= low && bottom.units() + bin.units() * rows as i64 >= high.units());
            // A finer one of 1, 2, 5 would not fit.
            let finer = |times: i64| (high.units() - low.units()) / (base * times);
            assert!(
                rows > ROWS_MAX / 8 || rows * columns * 3 > GridSpec::CELLS_MAX_SPLIT,
                "{rows} of {}",
                finer(1)
            );
        }
        // A bin that is asked for is kept, and refused later where it is too fine.
        let asked = GridRequest { bin: Some(Price::from_units(base)), ..request("3d", None) };
        assert_eq!(asked.rows(low, high, Price::from_units(base), 864).1, Price::from_units(base));
    }

    #[test]
    fn no_price_range_runs_out_of_numbers() {
        for high in [1, i64::MAX / 8] {
            for base in [1, i64::MAX / 8] {
                let request = request("1y", None);
                let (_, _, rows) = request.rows(
                    Price::from_units(1),
                    Price::from_units(high),
                    Price::from_units(base),
                    4_000,
                );
                assert!((1..=375).contains(&rows), "{high} in {base}: {rows}");
            }
        }
    }

    #[test]
    fn grids_between_times_fit_together_and_end_with_the_data() {
        let symbol = symbol(Interval::M1, 100 * DAY_MS);
        let minute = 60_000;
        let between = |from: i64, to: i64, columns: usize| {
            let span = GridSpan::Between { from: UnixMs(from), to: UnixMs(to) };
            let request = GridRequest { span, ..request("24h", Some(columns)) };
            columns_of(request, &symbol, UnixMs(103 * DAY_MS + 10 * minute))
        };
        let tile = 256 * 4 * minute;
        let index = 101 * DAY_MS / tile;
        let (start, column_ms, columns) = between(index * tile, (index + 1) * tile, 256);
        assert_eq!((start, column_ms, columns), (UnixMs(index * tile), 4 * minute, 256));
        assert_eq!(between((index + 1) * tile, (index + 2) * tile, 256).0, start.plus(tile));
        // Before the data the columns are there and empty, so that the next grid fits; beyond it there are none.
        assert_eq!(between(0, tile, 256), (UnixMs(0), 4 * minute, 256));
        let (start, _, columns) = between(103 * DAY_MS, 104 * DAY_MS, 360);
        assert_eq!((start, columns), (UnixMs(103 * DAY_MS), 3), "ten minutes in columns of four");
        let (start, column_ms, columns) = between(101 * DAY_MS + 1, 101 * DAY_MS + 2, 1_000);
        assert_eq!((start, column_ms, columns), (UnixMs(101 * DAY_MS), minute, 1));
        let extreme = between(0, i64::MAX, 4_000);
        assert!(extreme.2 >= 1 && extreme.1 > 0);
    }

    #[test]
    fn rows_of_named_prices_are_those() {
        let dollars = |n: i64| Price::from_units(n * 100_000_000);
        let asked = GridRequest { prices: Some((dollars(100), dollars(200))), ..request("3d", None) };
        assert_eq!(asked.rows(dollars(1), dollars(900), dollars(5), 100), (dollars(100), dollars(5), 20));
    }
}
