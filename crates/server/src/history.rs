//! Time x price grids of the past: which columns and rows a request means, and the run of the ledger that
//! fills them.
//!
//! Nothing is kept as a picture: a grid is computed from the stored bars, from the nearest checkpoint on.
//! Only finished answers are remembered, for as long as no bar closes, so that many viewers of one chart cost
//! one computation.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use liqheat_market::{Interval, Price, UnixMs};
use liqheat_model::{GridError, GridPainter, GridSpec, HistoryGrid};
use liqheat_store::StoreError;

use crate::app::App;
use crate::bars::BarReader;
use crate::engine::ledger_before;
use crate::symbol::{LedgerView, Part, ServedSymbol, SymbolView};

/// A named stretch of time, as charts offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChartRange {
    pub(crate) name: &'static str,
    ms: i64,
    /// How far beyond the highest and lowest price the rows go, per mille of the price. A longer chart has
    /// seen the price go further, so levels further away matter.
    margin_permille: i64,
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

pub(crate) const CHART_RANGES: [ChartRange; 8] = [
    ChartRange { name: "12h", ms: 12 * HOUR_MS, margin_permille: 50 },
    ChartRange { name: "24h", ms: DAY_MS, margin_permille: 60 },
    ChartRange { name: "3d", ms: 3 * DAY_MS, margin_permille: 80 },
    ChartRange { name: "7d", ms: 7 * DAY_MS, margin_permille: 100 },
    ChartRange { name: "30d", ms: 30 * DAY_MS, margin_permille: 130 },
    ChartRange { name: "90d", ms: 90 * DAY_MS, margin_permille: 160 },
    ChartRange { name: "180d", ms: 180 * DAY_MS, margin_permille: 200 },
    ChartRange { name: "1y", ms: 365 * DAY_MS, margin_permille: 200 },
];

impl ChartRange {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        CHART_RANGES.into_iter().find(|range| range.name == name)
    }

    pub(crate) fn names() -> String {
        CHART_RANGES.map(|range| range.name).join(", ")
    }

    pub(crate) const fn ms(self) -> i64 {
        self.ms
    }
}

/// What a request for a grid names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GridRequest {
    pub(crate) range: ChartRange,
    pub(crate) bin: Option<Price>,
    pub(crate) columns: Option<usize>,
    pub(crate) compact: bool,
    /// With a plane for each leverage class.
    pub(crate) by_leverage: bool,
    /// In the form of [`crate::packed`].
    pub(crate) packed: bool,
}

/// Columns of a chart that names no number: as many as a wide screen has use for.
const COLUMNS_MAX: i64 = 900;

impl GridRequest {
    /// The columns: the last one is the bar that grows now, and none begins before the data.
    fn columns(&self, symbol: &ServedSymbol, as_of: UnixMs) -> (UnixMs, i64, usize) {
        let column_ms = match self.columns {
            Some(columns) => round_up(self.range.ms / columns.max(1) as i64, symbol.whole_bars_ms()),
            None => Interval::names()
                .filter_map(|name| Interval::from_name(name).map(Interval::ms))
                .find(|ms| symbol.bars_fit(*ms) && self.range.ms / ms <= COLUMNS_MAX)
                .unwrap_or(DAY_MS),
        };
        // A bar that closes on the edge of a column belongs to the column that ends there.
        let end = as_of.plus(-1).floor_to(column_ms).plus(column_ms);
        let first = symbol.first_bar().unwrap_or(as_of).floor_to(column_ms);
        let start = end.plus(-round_up(self.range.ms, column_ms)).max(first);
        (start, column_ms, (end.since(start) / column_ms).max(1) as usize)
    }

    /// The rows: everything the price has touched, and a margin on both sides.
    fn rows(&self, low: Price, high: Price, base_bin: Price) -> (Price, Price, usize) {
        let margin = |price: Price| price.units() / 1_000 * self.range.margin_permille;
        let bin = self.bin.unwrap_or(base_bin).units().max(1);
        let bottom = (low.units() - margin(low)).max(0) / bin * bin;
        let top = round_up(high.units() + margin(high), bin);
        let rows = ((top - bottom) / bin).max(1);
        (Price::from_units(bottom), Price::from_units(bin), rows as usize)
    }
}

fn round_up(value: i64, step: i64) -> i64 {
    (value + step - 1) / step * step
}

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

/// Computes a grid as of a view: the sum of the pictures of all its ledgers.
pub(crate) async fn paint(
    app: &App,
    symbol: &ServedSymbol,
    view: &SymbolView,
    request: GridRequest,
) -> Result<HistoryGrid, HistoryError> {
    let (start, column_ms, columns) = request.columns(symbol, view.as_of);
    let mut range = (view.price, view.price);
    for (part, ledger) in &view.ledgers {
        let reader = BarReader::of(part, &app.store);
        let (low, high) = price_range(&reader, request.range, ledger).await?;
        range = (range.0.min(low), range.1.max(high));
    }
    let (price_low, bin, rows) = request.rows(range.0, range.1, view.base_bin);
    let spec = GridSpec { start, column_ms, columns, price_low, bin, rows };
    let mut sum: Option<HistoryGrid> = None;
    for (part, ledger) in &view.ledgers {
        let picture = paint_one(app, part, ledger, spec, request.by_leverage).await?;
        match &mut sum {
            None => sum = Some(picture),
            Some(sum) => sum.add(&picture),
        }
    }
    sum.ok_or(HistoryError::NoLedger)
}

async fn paint_one(
    app: &App,
    part: &Part,
    view: &LedgerView,
    spec: GridSpec,
    by_leverage: bool,
) -> Result<HistoryGrid, HistoryError> {
    let mut painter = if by_leverage {
        GridPainter::split(spec, part.params.values().weights.classes().len())?
    } else {
        GridPainter::new(spec)?
    };
    let (mut ledger, from) = ledger_before(part, &app.store, spec.start).await?;
    BarReader::of(part, &app.store)
        .run(&mut ledger, from, view.cursor, |ledger, bar, step| match step {
            None => painter.before(ledger, bar),
            Some(step) => painter.after(bar, step),
        })
        .await?;
    Ok(painter.finish(&ledger, view.tip))
}

/// Lowest and highest price of a range, to the hour: a little more at its far end does no harm.
async fn price_range(
    reader: &BarReader,
    range: ChartRange,
    view: &LedgerView,
) -> Result<(Price, Price), StoreError> {
    let hour = Interval::from_ms(HOUR_MS).unwrap_or(reader.interval).max(reader.interval);
    let hours =
        usize::try_from(range.ms / hour.ms()).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
    let candles = reader.store.candles(&reader.instrument, hour, view.cursor, hours).await?;
    let (low, high) = view.tip.unwrap_or((view.price, view.price));
    Ok(candles.iter().fold((low, high), |(low, high), candle| (low.min(candle.low), high.max(candle.high))))
}

/// Finished answers for the current bar.
#[derive(Debug, Default)]
pub(crate) struct GridCache {
    /// Locked for the length of a look-up among a few entries.
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    request: GridRequest,
    past: Vec<(UnixMs, u64)>,
    epoch: String,
    body: Bytes,
}

impl GridCache {
    /// A chart has eight ranges, each with and without leverage; more than that are odd requests, which may wait.
    const ENTRIES_MAX: usize = 16;
    /// Those who accept no compression get bodies of megabytes; not many of them are worth keeping.
    const BYTES_MAX: usize = 32 << 20;

    pub(crate) fn get(&self, request: GridRequest, view: &SymbolView) -> Option<Bytes> {
        let past = view.past();
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |entry: &&Entry| entry.request == request && entry.past == past && entry.epoch == view.epoch;
        entries.iter().find(same).map(|entry| entry.body.clone())
    }

    pub(crate) fn put(&self, request: GridRequest, view: &SymbolView, body: Bytes) {
        let past = view.past();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.request != request && entry.past == past);
        let bytes = |entries: &[Entry]| entries.iter().map(|entry| entry.body.len()).sum::<usize>();
        while !entries.is_empty()
            && (entries.len() >= Self::ENTRIES_MAX || bytes(&entries) + body.len() > Self::BYTES_MAX)
        {
            entries.remove(0);
        }
        entries.push(Entry { request, past, epoch: view.epoch.clone(), body });
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use std::sync::Arc;

    use liqheat_market::{Instrument, Symbol, TierTable, Venue};
    use liqheat_model::Params;
    use liqheat_stream::Counters;

    fn symbol(interval: Interval, first_bar: i64) -> ServedSymbol {
        let instrument = Instrument::new(Venue::Sim, Symbol::new("BTCUSDT").unwrap());
        let tiers = TierTable::flat(UnixMs(0), 0.005).unwrap();
        let part = Part::new(instrument, interval, Some(UnixMs(first_bar)), tiers, Params::default());
        ServedSymbol::new("BTCUSDT".into(), true, vec![Arc::new(part)], 0)
    }

    fn request(range: &str, columns: Option<usize>) -> GridRequest {
        let range = ChartRange::from_name(range).unwrap();
        GridRequest { range, bin: None, columns, compact: true, by_leverage: false, packed: false }
    }

    /// After the bar that closed then.
    fn view_at(cursor: UnixMs) -> SymbolView {
        let one = Price::from_units(1);
        let part = Arc::clone(&symbol(Interval::M1, 0).parts[0]);
        let ledger = LedgerView {
            cursor,
            as_of: cursor,
            price: one,
            base_bin: one,
            seen_share: 1.0,
            open_interest: 1.0,
            tip: None,
            cells: Arc::default(),
            by_leverage: Arc::default(),
            counters: Counters::default(),
            version: 0,
            revision: 0,
        };
        SymbolView {
            as_of: cursor,
            price: one,
            base_bin: one,
            seen_share: 1.0,
            warming_up: false,
            cells: Arc::default(),
            by_leverage: Arc::default(),
            counters: Counters::default(),
            epoch: "e".into(),
            ledgers: vec![(part, Arc::new(ledger))],
        }
    }

    #[test]
    fn the_cache_is_bounded_in_number_and_bytes() {
        let view = view_at(UnixMs(1));
        let cache = GridCache::default();
        let kept = |columns: usize| cache.get(request("24h", Some(columns)), &view).is_some();
        for columns in 0..20 {
            cache.put(request("24h", Some(columns)), &view, Bytes::from_static(b"small"));
        }
        assert_eq!((0..20).filter(|columns| kept(*columns)).count(), GridCache::ENTRIES_MAX);
        assert!(!kept(3) && kept(4) && kept(19));
        let half = Bytes::from(vec![0; GridCache::BYTES_MAX / 2]);
        for columns in 20..23 {
            cache.put(request("24h", Some(columns)), &view, half.clone());
        }
        assert!(!kept(19) && !kept(20) && kept(21) && kept(22), "two halves fit, a third one does not");
        let newer = view_at(UnixMs(2));
        assert!(cache.get(request("24h", Some(22)), &newer).is_none(), "a bar closed");
    }

    #[test]
    fn every_range_fits_on_a_screen() {
        let as_of = UnixMs(2_000 * DAY_MS + 12_345_678);
        for interval in [Interval::M1, Interval::M5] {
            let symbol = symbol(interval, 0);
            for range in CHART_RANGES {
                let (start, column_ms, columns) = request(range.name, None).columns(&symbol, as_of);
                assert!((140..=900).contains(&columns), "{} of {interval}: {columns}", range.name);
                assert_eq!(column_ms % interval.ms(), 0);
                let end = start.plus(column_ms * columns as i64);
                assert!(
                    start <= as_of.plus(column_ms - range.ms) && end >= as_of && end < as_of.plus(column_ms)
                );
            }
        }
    }

    #[test]
    fn no_column_before_the_data() {
        let symbol = symbol(Interval::M5, 100 * DAY_MS + 60_000);
        let (start, column_ms, columns) = request("1y", None).columns(&symbol, UnixMs(103 * DAY_MS));
        assert_eq!(start, UnixMs(100 * DAY_MS));
        assert_eq!((column_ms, columns), (12 * HOUR_MS, 6));
    }

    #[test]
    fn a_wished_number_of_columns_is_kept_in_whole_bars() {
        let symbol = symbol(Interval::M5, 0);
        let (_, column_ms, columns) = request("7d", Some(1_000)).columns(&symbol, UnixMs(2_000 * DAY_MS));
        assert_eq!((column_ms, columns), (900_000, 672));
        let (_, column_ms, _) = request("3d", Some(1_000)).columns(&symbol, UnixMs(2_000 * DAY_MS));
        assert_eq!(column_ms, 300_000);
    }

    #[test]
    fn rows_cover_the_price_and_a_margin() {
        let dollars = |n: i64| Price::from_units(n * 100_000_000);
        let (low, bin, rows) = request("3d", None).rows(dollars(90_000), dollars(100_000), dollars(100));
        assert_eq!((low, bin), (dollars(82_800), dollars(100)));
        assert_eq!(rows, 252);
        let (low, _, rows) =
            request("1y", None).rows(Price::from_units(3), Price::from_units(9), Price::from_units(5));
        assert_eq!((low, rows), (Price::from_units(0), 2));
    }
}
