//! The rows of each kind of export. Numbers are those of the routes that answer the same: prices and quantities the nearest
//! floating point number, USD whole dollars.

use std::num::NonZeroUsize;
use std::path::Path;

use liqheat_market::convert::{signed_len, trunc_i64};
use liqheat_market::{Interval, Kline, Liquidation, Price, PriceKind, Qty, Side, UnixMs};
use liqheat_measured::LAYER_EVERY_MS;
use liqheat_model::{HistoryGrid, LeverageLevel};
use liqheat_store::{ColumnKind, ExportColumn, ExportTable, ExportValue, StoredLayer, StoredLayerLevel};
use liqheat_wire::{Decimal, WallRow, parse_time};

use super::super::DataState;
use super::super::history::COLUMNS_MAX;
use super::super::reading::Reading;
use super::super::selection::{SelectedState, StateSelector};
use super::super::walls::LIMIT_MAX as WALLS_MAX;
use super::{ExportRequest, ExportedRows, ROWS_MAX};
use crate::catalog::VenueLedger;
use crate::compact::{WallLevels, WallSelection, walls_body};
use crate::engine::whole_usd;
use crate::history::GridRequest;
use crate::http::Refusal;
use crate::measured::VENUE;
use crate::reads::ReadKind;

const fn column(name: &'static str, kind: ColumnKind) -> ExportColumn {
    ExportColumn { name, kind }
}

const BARS: &[ExportColumn] = &[
    column("time", ColumnKind::Time),
    column("venue", ColumnKind::Text),
    column("open", ColumnKind::Number),
    column("high", ColumnKind::Number),
    column("low", ColumnKind::Number),
    column("close", ColumnKind::Number),
    column("volume", ColumnKind::Number),
    column("taker_buy_volume", ColumnKind::Number),
    column("trades", ColumnKind::Whole),
];
const LIQUIDATIONS: &[ExportColumn] = &[
    column("time", ColumnKind::Time),
    column("venue", ColumnKind::Text),
    column("side", ColumnKind::Text),
    column("price", ColumnKind::Number),
    column("quantity", ColumnKind::Number),
    column("usd", ColumnKind::Whole),
    column("price_kind", ColumnKind::Text),
];
const LEVELS: &[ExportColumn] = &[
    column("time", ColumnKind::Time),
    column("side", ColumnKind::Text),
    column("price", ColumnKind::Number),
    column("leverage", ColumnKind::Number),
    column("usd", ColumnKind::Whole),
];
const WALLS: &[ExportColumn] = &[
    column("time", ColumnKind::Time),
    column("side", ColumnKind::Text),
    column("low", ColumnKind::Number),
    column("high", ColumnKind::Number),
    column("peak_price", ColumnKind::Number),
    column("usd", ColumnKind::Whole),
    column("share", ColumnKind::Number),
    column("distance_pct", ColumnKind::Number),
    column("usd_on_the_way", ColumnKind::Whole),
];
const GRID: &[ExportColumn] = &[
    column("time", ColumnKind::Time),
    column("price", ColumnKind::Number),
    column("long_usd", ColumnKind::Whole),
    column("short_usd", ColumnKind::Whole),
];

const MEASURED: &[ExportColumn] = &[
    column("time", ColumnKind::Time),
    column("mark_price", ColumnKind::Number),
    column("coverage_long", ColumnKind::Number),
    column("coverage_short", ColumnKind::Number),
    column("price", ColumnKind::Number),
    column("long_usd", ColumnKind::Whole),
    column("short_usd", ColumnKind::Whole),
    column("long_accounts", ColumnKind::Whole),
    column("short_accounts", ColumnKind::Whole),
    column("age_s", ColumnKind::Whole),
];

/// A table that grows off the async workers.
struct TableBuilder<'a> {
    state: &'a DataState,
    table: ExportTable,
}

impl<'a> TableBuilder<'a> {
    async fn new(
        state: &'a DataState,
        folder: &Path,
        columns: &'static [ExportColumn],
    ) -> Result<Self, Refusal> {
        let folder = folder.to_owned();
        let table = state.exports.compute.run(move || ExportTable::create(&folder, columns)).await?;
        Ok(Self { state, table })
    }

    async fn append<R: Send + 'static>(
        self,
        rows: Vec<R>,
        row: impl Fn(&R) -> Vec<ExportValue> + Send + 'static,
    ) -> Result<Self, Refusal> {
        let Self { state, mut table } = self;
        if table.rows().saturating_add(rows.len() as u64) > ROWS_MAX {
            return Err(too_many());
        }
        let appended = state.exports.compute.run(move || {
            table.append(rows.iter().map(row))?;
            Ok::<_, liqheat_store::ExportError>(table)
        });
        Ok(Self { state, table: appended.await? })
    }
}

fn too_many() -> Refusal {
    Refusal::malformed(format!("more than {ROWS_MAX} rows; ask for a shorter time or a longer interval"))
}

/// Reads or computes all rows.
pub(super) async fn gather(
    state: &DataState,
    reading: Reading,
    wanted: &ExportRequest,
    folder: &Path,
) -> Result<ExportTable, Refusal> {
    let columns = match wanted.what {
        ExportedRows::Bars => BARS,
        ExportedRows::Levels => LEVELS,
        ExportedRows::Walls => WALLS,
        ExportedRows::Liquidations => LIQUIDATIONS,
        ExportedRows::Grid => GRID,
        ExportedRows::Measured => MEASURED,
    };
    let table = TableBuilder::new(state, folder, columns).await?;
    let table = match wanted.what {
        ExportedRows::Bars => bars(table, reading, wanted).await?,
        ExportedRows::Liquidations => liquidations(table, reading, wanted).await?,
        ExportedRows::Levels => {
            let selected = selected(state, reading, wanted).await?;
            let time = time_of(&selected);
            table.append(level_rows(selected.levels), move |row| level(time, row)).await?
        }
        ExportedRows::Walls => {
            let selected = selected(state, reading, wanted).await?;
            let (time, walls) = (time_of(&selected), walls(selected));
            table.append(walls, move |row| wall(time, row)).await?
        }
        ExportedRows::Grid => grid(table, reading, wanted).await?,
        ExportedRows::Measured => measured(table, reading, wanted).await?,
    };
    Ok(table.table)
}

/// The candles of one venue after the other.
async fn bars<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Candles of a query, so that others have turns in between.
    const CANDLES: i64 = 20_000;
    let ExportRequest { interval, from, to, .. } = *wanted;
    let whole = to.since(from) / interval.ms() * signed_len(wanted.symbol.ledgers.len());
    if u64::try_from(whole).unwrap_or(0) > ROWS_MAX {
        return Err(too_many());
    }
    for ledger in &wanted.symbol.ledgers {
        let venue = ledger.instrument().venue.name();
        let first = ledger.first_bar().unwrap_or(from);
        let ms = interval.ms();
        let mut begin = from.max(first.floor_to(ms)).plus(ms - 1).floor_to(ms);
        while begin < to {
            let end = begin.plus(interval.ms() * CANDLES).min(to);
            let candles = candles(table.state, reading, ledger, interval, begin, end).await?;
            table = table.append(candles, move |candle| bar(venue, candle)).await?;
            begin = end;
        }
    }
    Ok(table)
}

/// The candles that open from `begin` to before `end`.
async fn candles(
    state: &DataState,
    reading: Reading,
    ledger: &VenueLedger,
    interval: Interval,
    begin: UnixMs,
    end: UnixMs,
) -> Result<Vec<Kline>, Refusal> {
    let turn = reading.turn(state, ReadKind::Query).await?;
    let limit = usize::try_from(end.since(begin) / interval.ms()).unwrap_or(0);
    let limit = NonZeroUsize::MIN.saturating_add(limit.saturating_add(1));
    // The candle that opens last counts whole, as far as it has grown.
    let as_of = end.plus(interval.ms() - 1).floor_to(interval.ms()).min(state.clock.now());
    let mut candles = turn.store().candles(ledger.instrument(), interval, as_of, limit).await?;
    candles.retain(|candle| candle.open_time >= begin && candle.open_time < end);
    Ok(candles)
}

fn bar(venue: &'static str, candle: &Kline) -> Vec<ExportValue> {
    let qty = |qty: Option<Qty>| {
        qty.map_or(ExportValue::Unknown, |qty| ExportValue::Number(decimal(&qty.to_string())))
    };
    vec![
        ExportValue::Time(candle.open_time),
        ExportValue::Text(venue),
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        qty(candle.volume),
        qty(candle.taker_buy_volume),
        candle.trades.map_or(ExportValue::Unknown, ExportValue::Whole),
    ]
}

/// The liquidations of one venue after the other.
async fn liquidations<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Rows of a query.
    const ROWS: NonZeroUsize = NonZeroUsize::new(50_000).unwrap();
    for ledger in &wanted.symbol.ledgers {
        let instrument = ledger.instrument();
        let venue = instrument.venue.name();
        let mut windows = Windows::new(wanted.from, wanted.to);
        while let Some((begin, end)) = windows.next() {
            let turn = reading.turn(table.state, ReadKind::Query).await?;
            // A window that cannot be cut further is read whole.
            let limit = if end.since(begin) <= 1 { NonZeroUsize::MAX } else { ROWS };
            let rows = turn.store().liquidations(instrument, begin, end.plus(-1), 0, limit).await?;
            drop(turn);
            if rows.len() >= limit.get() {
                windows.halve();
                continue;
            }
            windows.advance();
            table = table.append(rows, move |row| liquidation(venue, row)).await?;
        }
    }
    Ok(table)
}

/// Windows over a time, cut in halves where one holds too many rows.
#[derive(Debug)]
struct Windows {
    begin: UnixMs,
    end: UnixMs,
    length_ms: i64,
}

impl Windows {
    const LONGEST_MS: i64 = 30 * super::DAY_MS;

    const fn new(begin: UnixMs, end: UnixMs) -> Self {
        Self { begin, end, length_ms: Self::LONGEST_MS }
    }

    /// The next window, end exclusive.
    fn next(&self) -> Option<(UnixMs, UnixMs)> {
        (self.begin < self.end).then(|| (self.begin, self.begin.plus(self.length_ms).min(self.end)))
    }

    /// The window held too many rows.
    fn halve(&mut self) {
        let (begin, end) = self.next().unwrap_or((self.begin, self.end));
        self.length_ms = (end.since(begin) / 2).max(1);
    }

    /// The window was read.
    fn advance(&mut self) {
        if let Some((_, end)) = self.next() {
            self.begin = end;
            self.length_ms = self.length_ms.saturating_mul(2).min(Self::LONGEST_MS);
        }
    }
}

fn liquidation(venue: &'static str, row: &Liquidation) -> Vec<ExportValue> {
    vec![
        ExportValue::Time(row.time),
        ExportValue::Text(venue),
        ExportValue::Text(row.side.name()),
        price(row.price),
        ExportValue::Number(decimal(&row.qty.to_string())),
        ExportValue::Whole(trunc_i64((row.price.to_f64() * row.qty.to_f64()).round())),
        ExportValue::Text(match row.price_kind {
            PriceKind::Fill => "fill",
            PriceKind::Bankruptcy => "bankruptcy",
        }),
    ]
}

async fn selected(
    state: &DataState,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<SelectedState, Refusal> {
    let of = if wanted.is_past { StateSelector::At(wanted.to) } else { StateSelector::Live };
    SelectedState::select(state, reading, &wanted.symbol, of, None).await
}

fn time_of(selected: &SelectedState) -> UnixMs {
    parse_time(&selected.reference.as_of).unwrap_or(UnixMs(0))
}

/// The dollars of each side of each level that has any, by price and leverage.
fn level_rows(mut levels: Vec<LeverageLevel>) -> Vec<(Side, Price, f64, u64)> {
    levels.sort_by(|a, b| a.price.cmp(&b.price).then_with(|| a.leverage.total_cmp(&b.leverage)));
    let sides = |level: LeverageLevel| {
        [(Side::Long, level.long_usd), (Side::Short, level.short_usd)]
            .map(|(side, usd)| (side, level.price, level.leverage, whole_usd(usd)))
    };
    levels.into_iter().flat_map(sides).filter(|(.., usd)| *usd > 0).collect()
}

fn level(time: UnixMs, (side, at, leverage, usd): &(Side, Price, f64, u64)) -> Vec<ExportValue> {
    vec![
        ExportValue::Time(time),
        ExportValue::Text(side.name()),
        price(*at),
        ExportValue::Number(*leverage),
        whole(*usd),
    ]
}

fn walls(selected: SelectedState) -> Vec<WallRow> {
    let levels = WallLevels {
        by_leverage: &selected.levels,
        base_bin: selected.base_bin,
        within_an_hour: None,
        fresh: None,
    };
    let selection = WallSelection { range_pct: f64::INFINITY, min_usd: 0, limit: WALLS_MAX };
    walls_body(selected.reference, levels, selected.price, selection).walls
}

fn wall(time: UnixMs, row: &WallRow) -> Vec<ExportValue> {
    vec![
        ExportValue::Time(time),
        ExportValue::Text(row.side.name()),
        number(row.low),
        number(row.high),
        number(row.peak_price),
        whole(row.usd),
        ExportValue::Number(row.share),
        ExportValue::Number(row.distance_pct),
        whole(row.usd_on_the_way),
    ]
}

async fn grid<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Columns of the grid whose cells are appended at once.
    const COLUMNS: usize = 32;
    let state = table.state;
    let turn = state.history.in_turn(reading.turn(state, ReadKind::ModelRun).await?);
    let sum = state.sum(&wanted.symbol).await?;
    let request = GridRequest {
        span: wanted.span(),
        prices: None,
        bin: None,
        columns: None,
        compact: None,
        by_leverage: false,
        is_gzipped: false,
    };
    let grid = turn.paint(&wanted.symbol, &sum, request).await?.grid;
    drop(turn);
    debug_assert!(grid.spec.columns <= COLUMNS_MAX);
    for first in (0..grid.spec.columns).step_by(COLUMNS) {
        let columns = first..(first + COLUMNS).min(grid.spec.columns);
        let cells: Vec<Cell> = columns.flat_map(|column| cells_of(&grid, column)).collect();
        table = table.append(cells, cell).await?;
    }
    Ok(table)
}

/// A cell with mass: beginning of the column, lower edge of the row, USD of longs and shorts.
type Cell = (UnixMs, Price, u64, u64);

fn cells_of(grid: &HistoryGrid, column: usize) -> Vec<Cell> {
    let spec = &grid.spec;
    let time = spec.start.plus(spec.column_ms.saturating_mul(signed_len(column)));
    let (long, short) = grid.column(column);
    let usd = |usd: &f32| whole_usd(f64::from(*usd));
    let at = |row: usize| {
        Price::from_units(
            spec.price_low.units().saturating_add(spec.bin.units().saturating_mul(signed_len(row))),
        )
    };
    let cells = long.iter().zip(short).enumerate();
    cells
        .map(|(row, (long, short))| (time, at(row), usd(long), usd(short)))
        .filter(|(_, _, long, short)| long + short > 0)
        .collect()
}

fn cell((time, at, long, short): &Cell) -> Vec<ExportValue> {
    vec![ExportValue::Time(*time), price(*at), whole(*long), whole(*short)]
}

/// The levels of every stored layer.
async fn measured<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Time whose layers are in memory at once.
    const AT_ONCE_MS: i64 = 128 * LAYER_EVERY_MS;
    let Some(ledger) = wanted.symbol.ledgers.iter().find(|ledger| ledger.instrument().venue == VENUE) else {
        return Ok(table);
    };
    // The moments of the request begin with `from` and end before `to`.
    let (mut from, to) = (wanted.from.plus(-1), wanted.to.plus(-1));
    while from < to {
        let end = from.plus(AT_ONCE_MS).min(to);
        let turn = reading.turn(table.state, ReadKind::Query).await?;
        let layers = turn.store().measured_layers(ledger.instrument(), from, end, 1).await?;
        drop(turn);
        table = table.append(layers.into_iter().flat_map(levels_of).collect(), measured_level).await?;
        from = end;
    }
    Ok(table)
}

/// A level, with what its layer says of all.
type MeasuredRow = (UnixMs, Price, [Option<f64>; 2], StoredLayerLevel);

fn levels_of(layer: StoredLayer) -> impl Iterator<Item = MeasuredRow> {
    let coverage = [layer.long.coverage, layer.short.coverage];
    layer.levels.into_iter().map(move |level| (layer.time, layer.mark, coverage, level))
}

fn measured_level((time, mark, coverage, level): &MeasuredRow) -> Vec<ExportValue> {
    let [long, short] = coverage.map(|share| share.map_or(ExportValue::Unknown, ExportValue::Number));
    vec![
        ExportValue::Time(*time),
        price(*mark),
        long,
        short,
        price(level.price),
        whole(level.long_usd),
        whole(level.short_usd),
        ExportValue::Whole(signed_len(level.long_accounts)),
        ExportValue::Whole(signed_len(level.short_accounts)),
        whole(level.age_s),
    ]
}

/// The number nearest to a decimal text: dividing units would round twice.
fn decimal(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

fn price(price: Price) -> ExportValue {
    ExportValue::Number(decimal(&price.to_string()))
}

fn number(number: Decimal) -> ExportValue {
    let number = serde_json::to_value(number).ok().and_then(|value| value.as_f64());
    number.map_or(ExportValue::Unknown, ExportValue::Number)
}

fn whole(usd: u64) -> ExportValue {
    ExportValue::Whole(i64::try_from(usd).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_time_once_however_they_are_cut() {
        const DAY: i64 = super::super::DAY_MS;
        let mut windows = Windows::new(UnixMs(5), UnixMs(100 * DAY));
        let (mut covered, mut halved) = (Vec::new(), 0);
        while let Some((begin, end)) = windows.next() {
            assert!(begin < end);
            // Days 40 to 41 hold many rows.
            let is_crowded = begin.0 < 41 * DAY && end.0 > 40 * DAY && end.since(begin) > DAY / 8;
            if is_crowded {
                windows.halve();
                halved += 1;
            } else {
                covered.push((begin, end));
                windows.advance();
            }
        }
        assert!(halved > 4, "{halved}");
        assert_eq!((covered[0].0, covered.last().unwrap().1), (UnixMs(5), UnixMs(100 * DAY)));
        assert!(covered.windows(2).all(|pair| pair[0].1 == pair[1].0));
        let mut one = Windows::new(UnixMs(5), UnixMs(6));
        one.halve();
        assert_eq!(one.next(), Some((UnixMs(5), UnixMs(6))));
    }

    #[test]
    fn numbers_are_nearest_to_their_text() {
        assert_eq!(price(Price::parse("0.1").unwrap()), ExportValue::Number(0.1));
        assert_eq!(
            number(Price::parse("98450.12345678").unwrap().into()),
            ExportValue::Number(98450.12345678)
        );
        let level = |leverage, long_usd, short_usd| LeverageLevel {
            leverage,
            price: Price::from_units(5),
            long_usd,
            short_usd,
        };
        let rows = level_rows(vec![level(50.0, 2.0, 0.0), level(10.0, 0.4, 7.0)]);
        assert_eq!(
            rows,
            [(Side::Short, Price::from_units(5), 10.0, 7), (Side::Long, Price::from_units(5), 50.0, 2)]
        );
    }
}
