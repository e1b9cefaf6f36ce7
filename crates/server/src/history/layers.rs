//! The picture of a layer of measured positions: stored moments as columns.
//!
//! A column shows the last layer of its time. Where there is none, it shows the one before for
//! [`LAYER_HELD_MS`]; after that columns are empty and their coverage is unknown.

use std::ops::Range;

use liqheat_market::UnixMs;
use liqheat_market::convert::{approx_f64, nearest_f32, signed_len, unsigned_len};
use liqheat_measured::LAYER_HELD_MS;
use liqheat_model::{GridError, GridSpec, HistoryGrid};
use liqheat_store::StoredLayer;

/// A picture, and how much of each side's open interest every column shows.
#[derive(Debug)]
pub(crate) struct LayerPicture {
    pub(crate) grid: HistoryGrid,
    pub(crate) coverage_long: Vec<Option<f64>>,
    pub(crate) coverage_short: Vec<Option<f64>>,
}

/// Fills a picture with layers, oldest first.
#[derive(Debug)]
pub(crate) struct LayerPainter {
    picture: LayerPicture,
    /// The newest layer so far.
    last: Option<StoredLayer>,
    /// The first column that has not been painted.
    pending: usize,
}

impl LayerPainter {
    /// `before` is the newest layer up to the start of the picture.
    ///
    /// # Errors
    /// When the picture has no cells, too many, or no extent.
    pub(crate) fn new(spec: GridSpec, before: Option<StoredLayer>) -> Result<Self, GridError> {
        let picture = LayerPicture {
            grid: HistoryGrid::empty(spec)?,
            coverage_long: vec![None; spec.columns],
            coverage_short: vec![None; spec.columns],
        };
        Ok(Self { picture, last: before, pending: 0 })
    }

    /// The next layer; one that is not newer than the last is skipped.
    pub(crate) fn put(&mut self, layer: StoredLayer) {
        if self.last.as_ref().is_some_and(|last| last.time >= layer.time) {
            return;
        }
        if let Some(column) = self.picture.grid.spec.column_of(layer.time) {
            self.paint_until(column);
        }
        self.last = Some(layer);
    }

    pub(crate) fn finish(mut self) -> LayerPicture {
        self.paint_until(self.picture.grid.spec.columns);
        self.picture
    }

    /// Paints the columns before this one with the last layer, as far as it is valid for them.
    fn paint_until(&mut self, end: usize) {
        let columns = self.pending..end;
        self.pending = self.pending.max(end);
        let Some(layer) = &self.last else { return };
        let spec = self.picture.grid.spec;
        for column in columns {
            let begin = spec.start.plus(spec.column_ms.saturating_mul(signed_len(column)));
            let is_of_column = layer.time > begin;
            if !is_of_column && begin.plus(spec.column_ms).since(layer.time) > LAYER_HELD_MS {
                return;
            }
            self.picture.paint(column, layer);
        }
    }
}

impl LayerPicture {
    fn paint(&mut self, column: usize, layer: &StoredLayer) {
        let spec = self.grid.spec;
        let cells = column * spec.rows..(column + 1) * spec.rows;
        for level in &layer.levels {
            let low = level.price.units().saturating_sub(spec.price_low.units());
            let high = low.saturating_add(layer.bin.units().max(1));
            let sides = [(&mut self.grid.long, level.long_usd), (&mut self.grid.short, level.short_usd)];
            for (plane, usd) in sides.into_iter().filter(|(_, usd)| *usd > 0) {
                add_over(&mut plane[cells.clone()], spec.bin.units(), low..high, usd);
            }
        }
        self.coverage_long[column] = layer.long.coverage;
        self.coverage_short[column] = layer.short.coverage;
    }
}

/// Spreads dollars evenly over the rows of a span, which is counted from the lower edge of the lowest row. What lies outside
/// of the rows is lost.
fn add_over(rows: &mut [f32], height: i64, span: Range<i64>, usd: u64) {
    let Range { start: low, end: high } = span;
    let first = unsigned_len(low.div_euclid(height));
    let whole = approx_f64(high - low);
    for (index, row) in rows.iter_mut().enumerate().skip(first) {
        let bottom = height.saturating_mul(signed_len(index));
        let part = high.min(bottom.saturating_add(height)) - low.max(bottom);
        if part <= 0 {
            return;
        }
        *row += nearest_f32(approx_f64(usd) * approx_f64(part) / whole);
    }
}

/// The earliest layer that a picture from `start` on may show.
pub(crate) const fn held_from(start: UnixMs) -> UnixMs {
    start.plus(-LAYER_HELD_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::Price;
    use liqheat_measured::LAYER_EVERY_MS;
    use liqheat_store::{StoredLayerLevel, StoredLayerSide};

    const START: UnixMs = UnixMs(1_000 * LAYER_EVERY_MS);

    fn spec(columns: usize) -> GridSpec {
        GridSpec {
            start: START,
            column_ms: LAYER_EVERY_MS,
            columns,
            price_low: Price::from_units(100),
            bin: Price::from_units(10),
            rows: 4,
        }
    }

    /// At the end of column `column`, with levels (price, longs, shorts).
    fn layer(column: i64, bin: i64, levels: &[(i64, u64, u64)]) -> StoredLayer {
        let level = |&(price, long_usd, short_usd): &(i64, u64, u64)| StoredLayerLevel {
            price: Price::from_units(price),
            long_usd,
            short_usd,
            long_accounts: 1,
            short_accounts: 1,
            age_s: 0,
        };
        let side = StoredLayerSide { coverage: Some(0.25), ..StoredLayerSide::default() };
        StoredLayer {
            time: START.plus((column + 1) * LAYER_EVERY_MS),
            mark: Price::from_units(120),
            bin: Price::from_units(bin),
            addresses: 1,
            late: 0,
            long: side,
            short: StoredLayerSide { coverage: None, ..side },
            levels: levels.iter().map(level).collect(),
        }
    }

    #[test]
    fn columns_show_the_layer_at_their_end_and_hold_it_for_a_while() {
        let mut painter = LayerPainter::new(spec(8), Some(layer(-1, 10, &[(100, 7, 0)]))).unwrap();
        painter.put(layer(1, 10, &[(110, 0, 9)]));
        painter.put(layer(7, 10, &[(130, 1, 2)]));
        painter.put(layer(7, 10, &[(130, 50, 50)]));
        let picture = painter.finish();
        let lowest = |column: usize| {
            let (long, short) = picture.grid.column(column);
            (long.to_vec(), short.to_vec())
        };
        assert_eq!(lowest(0), (vec![7.0, 0.0, 0.0, 0.0], vec![0.0; 4]), "the layer before the picture");
        for column in 1..=4 {
            assert_eq!(lowest(column), (vec![0.0; 4], vec![0.0, 9.0, 0.0, 0.0]), "column {column}");
        }
        for column in 5..=6 {
            assert_eq!(lowest(column), (vec![0.0; 4], vec![0.0; 4]), "a hole");
        }
        assert_eq!(lowest(7), (vec![0.0, 0.0, 0.0, 1.0], vec![0.0, 0.0, 0.0, 2.0]), "the first of a moment");
        let known = [true, true, true, true, true, false, false, true];
        assert_eq!(picture.coverage_long, known.map(|known| known.then_some(0.25)));
        assert_eq!(picture.coverage_short, [None; 8]);
    }

    #[test]
    fn a_long_column_shows_the_last_layer_of_its_time_only() {
        let hour = GridSpec { column_ms: 12 * LAYER_EVERY_MS, ..spec(3) };
        let mut painter = LayerPainter::new(hour, None).unwrap();
        for column in [0, 3, 30] {
            painter.put(layer(column, 10, &[(100, 1 + column.unsigned_abs(), 0)]));
        }
        let picture = painter.finish();
        assert_eq!(picture.grid.long, [4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 31.0, 0.0, 0.0, 0.0]);
        assert_eq!(picture.coverage_long, [Some(0.25), None, Some(0.25)]);
    }

    #[test]
    fn nothing_is_painted_before_the_first_layer() {
        let mut painter = LayerPainter::new(spec(3), None).unwrap();
        painter.put(layer(2, 10, &[(100, 7, 0)]));
        let picture = painter.finish();
        assert_eq!(picture.coverage_long, [None, None, Some(0.25)]);
        assert!(LayerPainter::new(GridSpec { columns: 0, ..spec(1) }, None).is_err());
    }

    #[test]
    fn levels_of_other_heights_are_spread_over_the_rows() {
        let painted = |bin: i64, levels: &[(i64, u64, u64)]| {
            let mut painter = LayerPainter::new(spec(1), None).unwrap();
            painter.put(layer(0, bin, levels));
            painter.finish().grid.long
        };
        assert_eq!(painted(5, &[(100, 1, 0), (105, 2, 0), (135, 4, 0)]), [3.0, 0.0, 0.0, 4.0]);
        assert_eq!(painted(20, &[(100, 8, 0), (120, 2, 0)]), [4.0, 4.0, 1.0, 1.0]);
        // Across the edges of rows, and of the picture.
        assert_eq!(painted(10, &[(105, 10, 0)]), [5.0, 5.0, 0.0, 0.0]);
        assert_eq!(painted(20, &[(90, 8, 0), (130, 6, 0)]), [4.0, 0.0, 0.0, 3.0]);
        assert_eq!(painted(10, &[(80, 8, 0), (140, 8, 0)]), [0.0; 4]);
    }
}
