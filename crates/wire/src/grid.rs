//! A time x price grid in a form a browser can paint: one byte a cell and side, on a logarithmic scale.
//!
//! `"LQG1"`, the length of a JSON header (u32, little endian), the header, then the long plane and the short
//! plane, each `columns * rows` bytes, column after column, lowest price first. Byte 0 is no mass; byte `q`
//! from 1 to 255 is `usd_min * (usd_max / usd_min) ^ ((q - 1) / 254)`. Compression is left to HTTP.

use serde::Serialize;

use crate::{Decimal, FeedState};

/// The media type to ask for.
pub const GRID_CONTENT_TYPE: &str = "application/vnd.liqheat.grid";
const MAGIC: &[u8; 4] = b"LQG1";
const STEPS: f64 = 254.0;

/// What a grid shows; the same fields head the JSON form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridHeader {
    /// Of which symbol.
    pub symbol: String,
    /// At which venue.
    pub venue: String,
    /// The epoch of the state that the last column belongs to.
    pub epoch: String,
    /// Time of the newest market event in it, ms.
    pub as_of: i64,
    /// Time at which the first column begins, ms.
    pub start: i64,
    /// Width of a column, ms.
    pub column_ms: i64,
    /// Number of columns; the last is still growing.
    pub columns: usize,
    /// Number of price bins.
    pub rows: usize,
    /// Lower edge of the lowest bin.
    pub price_low: Decimal,
    /// Height of a bin.
    pub bin: Decimal,
    /// The scale of the planes.
    #[serde(flatten)]
    pub scale: GridScale,
    /// How the data stands.
    pub state: FeedState,
    /// Share of open interest that the model has seen open, 0 to 1.
    pub seen_share: f64,
}

/// The logarithmic scale shared by both planes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GridScale {
    /// USD of byte 1.
    pub usd_min: f64,
    /// USD of byte 255.
    pub usd_max: f64,
}

impl GridScale {
    /// Ratio between the brightest and the faintest value that is told apart.
    const SPAN: f64 = 1e5;

    /// A scale for planes whose largest cell is this.
    #[must_use]
    pub fn for_max(usd_max: f64) -> Self {
        let usd_max = if usd_max.is_finite() { usd_max.max(1.0) } else { 1.0 };
        Self { usd_min: (usd_max / Self::SPAN).max(1.0).min(usd_max), usd_max }
    }

    /// The byte of a value: 0 for less than half a dollar, the nearest step else.
    #[must_use]
    pub fn quantise(&self, usd: f64) -> u8 {
        if usd < 0.5 || usd.is_nan() {
            return 0;
        }
        let span = (self.usd_max / self.usd_min).ln();
        if span <= 0.0 {
            return u8::MAX;
        }
        let step = ((usd / self.usd_min).ln() / span * STEPS).round().clamp(0.0, STEPS);
        1 + step as u8
    }
}

/// Writes the compact form. Both planes hold USD, `columns * rows` values, column after column.
#[must_use]
pub fn encode_grid(header: &GridHeader, long_usd: &[f32], short_usd: &[f32]) -> Vec<u8> {
    let cells = header.columns * header.rows;
    debug_assert_eq!((long_usd.len(), short_usd.len()), (cells, cells), "planes must match the header");
    let head = serde_json::to_vec(header).unwrap_or_default();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + head.len() + 2 * cells);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&head);
    for plane in [long_usd, short_usd] {
        quantise_plane(&header.scale, plane, &mut bytes);
    }
    bytes
}

/// A logarithm a cell is too slow for a million cells, and neighbours in a column mostly keep their value from
/// column to column; so the byte is found by looking the value up among the 254 thresholds between steps.
fn quantise_plane(scale: &GridScale, plane: &[f32], bytes: &mut Vec<u8>) {
    let ratio = scale.usd_max / scale.usd_min;
    let thresholds: Vec<f32> =
        (0..254).map(|step| (scale.usd_min * ratio.powf((f64::from(step) + 0.5) / STEPS)) as f32).collect();
    let mut last = (f32::NAN, 0u8);
    bytes.extend(plane.iter().map(|&usd| {
        if usd.to_bits() != last.0.to_bits() {
            let byte = if usd >= 0.5 { 1 + thresholds.partition_point(|&t| t <= usd) as u8 } else { 0 };
            last = (usd, byte);
        }
        last.1
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(columns: usize, rows: usize, usd_max: f64) -> GridHeader {
        GridHeader {
            symbol: "BTCUSDT".into(),
            venue: "sim".into(),
            epoch: "e".into(),
            as_of: 2,
            start: 1,
            column_ms: 300_000,
            columns,
            rows,
            price_low: Decimal::from_units(9_000_000_000_000),
            bin: Decimal::from_units(10_000_000_000),
            scale: GridScale::for_max(usd_max),
            state: FeedState::Replay,
            seen_share: 0.5,
        }
    }

    #[test]
    fn planes_follow_the_header() {
        let bytes = encode_grid(&header(2, 2, 1e6), &[0.0, 1e6, 10.0, 0.4], &[0.0; 4]);
        assert_eq!(&bytes[..4], b"LQG1");
        let head_length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + head_length]).unwrap();
        assert_eq!(head["columns"], 2);
        assert_eq!(head["usd_max"], 1e6);
        assert_eq!(head["state"], "replay");
        assert_eq!(&bytes[8 + head_length..], [0, 255, 1, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_the_formula(max in 1.0f64..1e10, values in prop::collection::vec(0.0f32..1e10, 1..50)) {
            let scale = GridScale::for_max(max);
            let mut bytes = Vec::new();
            quantise_plane(&scale, &values, &mut bytes);
            for (value, byte) in values.iter().zip(bytes) {
                let direct = scale.quantise(f64::from(*value));
                prop_assert!(byte.abs_diff(direct) <= 1, "{value}: {byte} against {direct}");
            }
        }

        #[test]
        fn a_byte_keeps_the_value_within_three_percent(max in 10.0f64..1e10, part in 0.0f64..1.0) {
            let scale = GridScale::for_max(max);
            let usd = scale.usd_min * (scale.usd_max / scale.usd_min).powf(part);
            let byte = scale.quantise(usd);
            let back = scale.usd_min * (scale.usd_max / scale.usd_min).powf(f64::from(byte - 1) / STEPS);
            prop_assert!((back / usd - 1.0).abs() < 0.03);
        }
    }
}
