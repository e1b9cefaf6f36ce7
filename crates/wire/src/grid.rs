//! A time x price grid in a form a browser can paint: one byte a cell and side, on a logarithmic scale.
//!
//! `"LQG1"`, the length of a JSON header (u32, little endian), the header, then the long plane, the short plane
//! and one plane for each leverage class that the header names, each `columns * rows` bytes, column after
//! column, lowest price first. Byte 0 is no mass; byte `q` from 1 to 255 is
//! `usd_min * (usd_max / usd_min) ^ ((q - 1) / 254)`. Compression is left to HTTP.
//!
//! A class has one plane for both sides. Longs lie below the price and shorts above, so the first two planes
//! say whose a cell is; only in the cell where they meet it may be both's.

use liqheat_market::convert::{nearest_f32, trunc_u8};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Decimal, FeedState};

/// The media type to ask for.
pub const GRID_CONTENT_TYPE: &str = "application/vnd.liqheat.grid";
const MAGIC: &[u8; 4] = b"LQG1";
const STEPS: f64 = 254.0;

/// What a grid shows; the same fields head the JSON form.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
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
    /// Leverage of each class that has a plane of its own, in the order of the planes; absent without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leverages: Vec<Decimal>,
}

/// The logarithmic scale shared by both planes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct GridScale {
    /// USD of byte 1.
    pub usd_min: f64,
    /// USD of byte 255.
    pub usd_max: f64,
}

impl GridScale {
    /// Ratio between the brightest and the faintest value that can be distinguished.
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
        1 + trunc_u8(step)
    }
}

/// Writes the compact form. All planes hold USD, `columns * rows` values, column after column; `classes` has
/// one for each of the header's leverages.
#[must_use]
pub fn encode_grid(
    header: &GridHeader,
    long_usd: &[f32],
    short_usd: &[f32],
    classes: &[Vec<f32>],
) -> Vec<u8> {
    let cells = header.columns * header.rows;
    debug_assert_eq!((long_usd.len(), short_usd.len()), (cells, cells), "planes must match the header");
    debug_assert_eq!(classes.len(), header.leverages.len(), "planes must match the header");
    let head = serde_json::to_vec(header).unwrap_or_default();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + head.len() + (2 + classes.len()) * cells);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&head);
    let quantiser = Quantiser::new(&header.scale);
    for plane in [long_usd, short_usd].into_iter().chain(classes.iter().map(Vec::as_slice)) {
        bytes.extend(plane.iter().map(|&usd| quantiser.byte(usd)));
    }
    bytes
}

/// The byte of a value by looking it up: a logarithm a cell is too slow for millions of cells.
///
/// The upper half of a float's bits picks a stretch of values less than 0.8 % wide, and with it the byte that
/// the stretch begins with. Steps are 4.6 % apart on the usual scale, so at most one comparison remains; on a
/// shorter scale it may be some more.
struct Quantiser {
    /// By upper half of the bits: the byte of the smallest value of that stretch.
    first: Vec<u8>,
    /// By byte: the smallest value of the next one; nothing is beyond the last.
    next: [f32; 256],
}

impl Quantiser {
    /// Upper halves of positive floats; the sign bit is zero.
    const STRETCHES: u32 = 1 << 15;
    /// Less than this is nothing.
    const LEAST: f32 = 0.5;

    fn new(scale: &GridScale) -> Self {
        let span = (scale.usd_max / scale.usd_min).ln();
        let mut next = [f32::NAN; 256];
        next[0] = Self::LEAST;
        for (step, threshold) in (0..254u32).zip(&mut next[1..]) {
            let usd = scale.usd_min * (span * (f64::from(step) + 0.5) / STEPS).exp();
            // On a scale without extent everything is as bright as can be.
            *threshold = if span > 0.0 { nearest_f32(usd) } else { Self::LEAST };
        }
        let byte_of = |usd: f32| {
            let byte = next.partition_point(|&threshold| threshold <= usd);
            u8::try_from(byte).unwrap_or(u8::MAX)
        };
        let first = (0..Self::STRETCHES).map(|upper| byte_of(f32::from_bits(upper << 16))).collect();
        Self { first, next }
    }

    fn byte(&self, usd: f32) -> u8 {
        let upper = (usd.max(0.0).to_bits() >> 16) as usize;
        let mut byte = self.first.get(upper).copied().unwrap_or(0);
        while usd >= self.next[usize::from(byte)] {
            byte += 1;
        }
        byte
    }
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
            leverages: Vec::new(),
        }
    }

    #[test]
    fn planes_follow_the_header() {
        let bytes = encode_grid(&header(2, 2, 1e6), &[0.0, 1e6, 10.0, 0.4], &[0.0; 4], &[]);
        assert_eq!(&bytes[..4], b"LQG1");
        let head_length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + head_length]).unwrap();
        assert_eq!(head["columns"], 2);
        assert_eq!(head["usd_max"], 1e6);
        assert_eq!(head["state"], "replay");
        assert_eq!(head.get("leverages"), None);
        assert_eq!(&bytes[8 + head_length..], [0, 255, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn each_class_has_a_plane() {
        let leverages = [25, 50].map(|leverage| Decimal::from_units(leverage * 100_000_000)).to_vec();
        let header = GridHeader { leverages, ..header(1, 2, 1e6) };
        let bytes = encode_grid(&header, &[1e6, 0.0], &[0.0, 10.0], &[vec![10.0, 0.0], vec![1e6, 10.0]]);
        let head_length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + head_length]).unwrap();
        assert_eq!(head["leverages"], serde_json::json!([25, 50]));
        assert_eq!(&bytes[8 + head_length..], [255, 0, 0, 1, 1, 0, 255, 1]);
    }

    #[test]
    fn odd_values_have_a_byte() {
        let wide = Quantiser::new(&GridScale::for_max(1e6));
        for (usd, byte) in [
            (f32::NAN, 0),
            (-1e9, 0),
            (f32::NEG_INFINITY, 0),
            (-0.0, 0),
            (f32::MIN_POSITIVE, 0),
            (0.499, 0),
            (0.5, 1),
            (1e6, 255),
            (f32::MAX, 255),
            (f32::INFINITY, 255),
        ] {
            assert_eq!(wide.byte(usd), byte, "{usd}");
        }
        let pointless = Quantiser::new(&GridScale::for_max(0.0));
        assert_eq!([0.0, 0.6, 1.0, 5.0].map(|usd| pointless.byte(usd)), [0, 255, 255, 255]);
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_the_formula(max in 1.0f64..1e10, values in prop::collection::vec(0.0f32..1e10, 1..50)) {
            let scale = GridScale::for_max(max);
            let quantiser = Quantiser::new(&scale);
            for value in &values {
                let byte = quantiser.byte(*value);
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
