//! Planes of [`GridLayout::Predicted`](super::GridLayout::Predicted): a column is predicted from the one before.
//!
//! Positions that rest in a row all close at nearly the same rate, so on a logarithmic scale a column is the one before moved by
//! one distance, the drift. A plane is a drift for each column (a signed byte, in 1/[`UNIT`] of a step) and then, column after
//! column, a byte a row: the difference to the predicted byte, modulo 256. The reader keeps a level for each row, in the unit
//! of the drift, and starts with none (0):
//!
//! 1. A level that is not 0 is moved by the drift and kept within byte 1 to byte 255.
//! 2. The predicted byte is the level rounded to a whole step, half a step upwards; 0 of no level.
//! 3. The cell is the predicted byte plus the difference, modulo 256.
//! 4. Unless the difference is 0, the level becomes that of the cell.
//!
//! The writer leaves a difference at 0 while the level is within half a step of the exact amount. A cell is thus at most one step
//! from the nearest one, and 0 exactly where nothing is.

use liqheat_market::convert::{nearest_f32, trunc_i64};

use super::{GridScale, Quantiser, STEPS};

/// Parts of a step that levels and drifts count.
const UNIT: i32 = 32;
/// Highest level: byte 255.
const LEVEL_MAX: i32 = 255 * UNIT;
/// How far a level may be from the exact amount. The missing unit is the error of [`Levels`].
const TOLERANCE: i32 = UNIT / 2 - 1;
/// Least number of cells of a taller column whose changes are looked at for the drift; twice that at most.
const SAMPLES: usize = 96;

/// Writes planes of one scale.
pub(super) struct PlaneWriter<'a> {
    quantiser: &'a Quantiser,
    levels: Levels,
    /// Steps per factor e; 0 on a scale without extent.
    steps_per_ln: f64,
    /// Amounts at either end of the scale say nothing about the drift.
    inner: std::ops::Range<f32>,
}

impl<'a> PlaneWriter<'a> {
    pub(super) fn new(scale: &GridScale, quantiser: &'a Quantiser) -> Self {
        let span = (scale.usd_max / scale.usd_min).ln();
        let steps_per_ln = if span > 0.0 { STEPS / span } else { 0.0 };
        let inner = nearest_f32(scale.usd_min)..nearest_f32(scale.usd_max);
        Self { quantiser, levels: Levels::new(scale, steps_per_ln), steps_per_ln, inner }
    }

    /// Appends a plane of USD, column after column.
    pub(super) fn put(&self, bytes: &mut Vec<u8>, usd: &[f32], rows: usize) {
        if rows == 0 {
            return;
        }
        let drifts = bytes.len();
        bytes.resize(drifts + usd.len() / rows, 0);
        let mut levels = vec![0i32; rows];
        let mut before: &[f32] = &[];
        let mut carry = 0.0;
        let mut ratios = Vec::with_capacity(2 * SAMPLES);
        for (column, place) in usd.chunks_exact(rows).zip(drifts..) {
            let drift = self.drift(before, column, &mut ratios, &mut carry);
            bytes[place] = drift.cast_unsigned();
            let cells = column.iter().zip(&mut levels);
            bytes.extend(cells.map(|(&usd, level)| self.difference(usd, level, i32::from(drift))));
            before = column;
        }
    }

    /// The drift of a column: the median change of the cells that have something in both columns. `carry` is what rounding left
    /// over of the columns before, so that levels do not walk off over many columns.
    fn drift(&self, before: &[f32], column: &[f32], ratios: &mut Vec<f32>, carry: &mut f64) -> i8 {
        ratios.clear();
        let stride = (column.len() / SAMPLES).max(1);
        let pairs = before.iter().zip(column).step_by(stride);
        let moving = pairs.filter(|(before, usd)| self.inner.contains(before) && self.inner.contains(usd));
        ratios.extend(moving.map(|(before, usd)| usd / before));
        let middle = ratios.len() / 2;
        if ratios.is_empty() {
            return 0;
        }
        let (_, median, _) = ratios.select_nth_unstable_by(middle, f32::total_cmp);
        let exact = f64::from(*median).ln() * self.steps_per_ln * f64::from(UNIT) + *carry;
        let drift = i8::try_from(trunc_i64(exact.round().clamp(-127.0, 127.0))).unwrap_or(0);
        *carry = (exact - f64::from(drift)).clamp(-0.5, 0.5);
        drift
    }

    /// The difference of a cell to its prediction; moves the level as the reader will.
    fn difference(&self, usd: f32, level: &mut i32, drift: i32) -> u8 {
        if *level != 0 {
            *level = (*level + drift).clamp(UNIT, LEVEL_MAX);
        }
        let predicted = byte_of(*level);
        let nearest = self.quantiser.byte(usd);
        let is_near = nearest != 0
            && *level != 0
            && predicted.abs_diff(nearest) <= 1
            && (*level - self.levels.of(usd)).abs() <= TOLERANCE;
        if is_near || predicted == nearest {
            return 0;
        }
        *level = i32::from(nearest) * UNIT;
        nearest.wrapping_sub(predicted)
    }
}

/// The byte of a level.
fn byte_of(level: i32) -> u8 {
    u8::try_from((level + UNIT / 2) / UNIT).unwrap_or(u8::MAX)
}

/// Levels of amounts by looking them up, as [`Quantiser`] does for bytes: the upper bits of a float pick a stretch less than
/// 0.1 % wide, a fortieth of a usual step.
struct Levels {
    /// Upper bits of the scale's beginning.
    first: u32,
    /// By upper bits from there on: the level of the middle of the stretch.
    levels: Vec<i32>,
}

impl Levels {
    /// Bits of a float that do not count: all but ten of the mantissa.
    const SHIFT: u32 = 13;

    fn new(scale: &GridScale, steps_per_ln: f64) -> Self {
        let upper = |usd: f64| nearest_f32(usd).max(0.0).to_bits() >> Self::SHIFT;
        let (first, last) = (upper(scale.usd_min), upper(scale.usd_max));
        let level = |upper: u32| {
            let middle = f32::from_bits((upper << Self::SHIFT) | (1 << (Self::SHIFT - 1)));
            let steps = (f64::from(middle) / scale.usd_min).ln() * steps_per_ln;
            let level = ((1.0 + steps) * f64::from(UNIT)).round();
            i32::try_from(trunc_i64(level)).unwrap_or(0).clamp(UNIT, LEVEL_MAX)
        };
        Self { first, levels: (first..=last).map(level).collect() }
    }

    fn of(&self, usd: f32) -> i32 {
        let upper = (usd.max(0.0).to_bits() >> Self::SHIFT).saturating_sub(self.first);
        let last = self.levels.last().copied().unwrap_or(LEVEL_MAX);
        usize::try_from(upper).ok().and_then(|upper| self.levels.get(upper)).copied().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(scale: &GridScale, usd: &[f32], rows: usize) -> Vec<u8> {
        let quantiser = Quantiser::new(scale);
        let mut bytes = Vec::new();
        PlaneWriter::new(scale, &quantiser).put(&mut bytes, usd, rows);
        bytes
    }

    /// The reader of the module's description.
    fn read(bytes: &[u8], rows: usize) -> Vec<u8> {
        let mut levels = vec![0i32; rows];
        let mut cells = Vec::new();
        let (drifts, differences) = bytes.split_at(bytes.len() / (rows + 1));
        for (drift, column) in drifts.iter().zip(differences.chunks_exact(rows)) {
            let drift = i32::from(drift.cast_signed());
            for (level, difference) in levels.iter_mut().zip(column) {
                if *level != 0 {
                    *level = (*level + drift).clamp(32, 255 * 32);
                }
                let cell = ((*level + 16) >> 5) as u8;
                let cell = cell.wrapping_add(*difference);
                if *difference != 0 {
                    *level = i32::from(cell) << 5;
                }
                cells.push(cell);
            }
        }
        cells
    }

    #[test]
    fn what_closes_at_one_rate_costs_a_byte_a_column() {
        let (columns, rows) = (200, 50);
        let usd: Vec<f32> = (0..columns)
            .flat_map(|column| {
                (0..rows).map(move |row| 1e6 * 0.99f32.powi(column) * (1.0 + row as f32 / 10.0))
            })
            .collect();
        let scale = GridScale::for_max(6e6);
        let bytes = written(&scale, &usd, rows);
        assert_eq!(bytes.len(), 200 * 51);
        // Rows that begin nearly half a step from their byte are set once more; a fifth is far above their share.
        let corrected = bytes[200 + 50..].iter().filter(|difference| **difference != 0).count();
        assert!(corrected <= rows / 5, "{corrected} differences in {} cells", usd.len());
        let last = read(&bytes, rows)[199 * rows];
        assert!(last.abs_diff(scale.quantise(f64::from(usd[199 * rows]))) <= 1);
    }

    #[test]
    fn a_plane_is_drifts_and_differences() {
        // 10 to 1e6 in 254 steps. Half of everything closes: 15.29 steps, of which a drift can say 3.97.
        let scale = GridScale::for_max(1e6);
        assert_eq!(written(&scale, &[1e5, 0.0, 5e4, 0.0], 2), [0, 129, 204, 0, 245, 0]);
        assert_eq!(written(&scale, &[1e5, 2e3, 9.8e4, 0.0], 2), [0, 242, 204, 118, 0, 138]);
        assert!(written(&scale, &[], 2).is_empty() && written(&scale, &[], 0).is_empty());
    }

    proptest! {
        /// Within one step of what the other layouts hold, and empty where they are, whatever the amounts and the scale.
        #[test]
        fn cells_are_at_most_a_step_away(
            max in 0.0f64..1e10,
            rows in 1usize..40,
            columns in 0usize..60,
            rate in -0.3f32..0.1,
            seed in any::<u64>(),
        ) {
            let mut seed = seed;
            let mut random = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 40) as f32 / (1u64 << 24) as f32
            };
            let mut usd: Vec<f32> = Vec::new();
            for cell in 0..rows * columns {
                let before = cell.checked_sub(rows).map_or(0.0, |before| usd[before]);
                usd.push(match random() {
                    change if change < 0.03 => 0.0,
                    change if change < 0.08 => before + max as f32 * random().powi(8),
                    change if change < 0.09 => [f32::NAN, -5.0, f32::INFINITY, 0.5][(random() * 4.0) as usize % 4],
                    _ => before * rate.exp(),
                });
            }
            let scale = GridScale::for_max(max);
            let quantiser = Quantiser::new(&scale);
            let bytes = written(&scale, &usd, rows);
            prop_assert_eq!(bytes.len(), columns * (rows + 1));
            for (cell, usd) in read(&bytes, rows).into_iter().zip(usd) {
                let nearest = quantiser.byte(usd);
                prop_assert!(cell.abs_diff(nearest) <= 1, "{usd}: {cell} for {nearest}");
                prop_assert_eq!(cell == 0, nearest == 0);
            }
        }

        /// No bytes make the reader fail: each has a meaning.
        #[test]
        fn levels_stay_within_the_scale(bytes in prop::collection::vec(any::<u8>(), 0..400), rows in 1usize..20) {
            let whole = bytes.len() / (rows + 1);
            prop_assert_eq!(read(&bytes, rows).len(), whole * rows);
        }

        /// A cell is within one step of the exact amount on the usual scale.
        #[test]
        fn a_cell_keeps_the_amount(
            max in 1e5f64..1e10,
            start in 0.2f64..1.0,
            rate in 0.9f64..1.0,
            columns in 1usize..40,
        ) {
            let scale = GridScale::for_max(max);
            let span = (scale.usd_max / scale.usd_min).ln();
            let usd: Vec<f32> = (0..columns).map(|column| nearest_f32(max * start * rate.powi(column as i32))).collect();
            for (cell, usd) in read(&written(&scale, &usd, 1), 1).into_iter().zip(usd) {
                let exact = 1.0 + (f64::from(usd) / scale.usd_min).ln() / span * STEPS;
                prop_assert!((f64::from(cell) - exact.max(1.0)).abs() < 1.01, "{usd}: {cell} for {exact}");
            }
        }
    }
}
