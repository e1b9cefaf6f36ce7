//! A time x price grid in a form a browser can paint: one byte a cell and side, on a logarithmic scale.
//!
//! `"LQG1"`, `"LQG2"` or `"LQG3"`, the length of a JSON header (u32, little endian), the header, then the long plane, the
//! short plane and one plane for each leverage class that the header names. The letters say how a plane is written
//! ([`GridLayout`]). Byte 0 is no mass; byte `q` from 1 to 255 is `usd_min * (usd_max / usd_min) ^ ((q - 1) / 254)`.
//! Compression is left to HTTP.
//!
//! A class has one plane for both sides. Longs lie below the price and shorts above, so the first two planes
//! say whose a cell is; only in the cell where they meet it may be both's.

mod predicted;

use liqheat_market::convert::{nearest_f32, trunc_u8};
use schemars::JsonSchema;
use serde::Serialize;

use self::predicted::PlaneWriter;
use crate::{Decimal, FeedState};

/// The media type of the compact form; its parameter `version` names the layout.
pub const GRID_CONTENT_TYPE: &str = "application/vnd.liqheat.grid";
/// The media type of [`GridLayout::PriceMajor`].
const PRICE_MAJOR_TYPE: &str = "application/vnd.liqheat.grid; version=2";
/// The media type of [`GridLayout::Predicted`].
const PREDICTED_TYPE: &str = "application/vnd.liqheat.grid; version=3";
const STEPS: f64 = 254.0;

/// How the bytes of a plane are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GridLayout {
    /// `LQG1`: column after column, lowest price first.
    ColumnMajor,
    /// `LQG2`: row after row, lowest price first; each byte is the difference to the column before, modulo 256. A level
    /// stays in its row for hours, so most differences are zero and gzip makes a third of the bytes of it.
    PriceMajor,
    /// `LQG3`: the drift of each column, and column after column, lowest price first, the differences to what the drift
    /// predicts of the column before: `columns * (rows + 1)` bytes a plane. A cell is at most one step from that of the
    /// other layouts, and empty where theirs is. Half the size of `LQG2` once compressed.
    Predicted,
}

impl GridLayout {
    /// The newest layout among the media types of an `Accept` header; none where it does not ask for the compact form.
    ///
    /// A type without a version is the first one: clients that were written before there was another ask like this.
    #[must_use]
    pub fn accepted(accept: &str) -> Option<Self> {
        accept.split(',').filter_map(Self::named).max()
    }

    fn named(media_type: &str) -> Option<Self> {
        let mut parts = media_type.split(';').map(str::trim);
        let is_grid = parts.next()?.eq_ignore_ascii_case(GRID_CONTENT_TYPE);
        let mut layout = is_grid.then_some(Self::ColumnMajor);
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "version" => {
                    layout = match value.trim().trim_matches('"') {
                        "1" => layout,
                        "2" => layout.map(|_| Self::PriceMajor),
                        "3" => layout.map(|_| Self::Predicted),
                        _ => None,
                    };
                }
                // RFC 9110: not acceptable.
                "q" if value.trim().parse() == Ok(0.0) => return None,
                _ => {}
            }
        }
        layout
    }

    /// The media type of an answer in this layout.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::ColumnMajor => GRID_CONTENT_TYPE,
            Self::PriceMajor => PRICE_MAJOR_TYPE,
            Self::Predicted => PREDICTED_TYPE,
        }
    }

    /// The letters that a grid begins with.
    const fn magic(self) -> &'static [u8; 4] {
        match self {
            Self::ColumnMajor => b"LQG1",
            Self::PriceMajor => b"LQG2",
            Self::Predicted => b"LQG3",
        }
    }
}

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
    /// Share of open interest that the model has seen open, 0 to 1; 0 of measured positions, which are no model's.
    pub seen_share: f64,
    /// Leverage of each class that has a plane of its own, in the order of the planes; absent without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leverages: Vec<Decimal>,
    /// Of measured positions only: share of the longs' open interest that each column shows, 0 to 1; null where that is unknown
    /// or nothing was measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coverage_long: Vec<Option<f64>>,
    /// The same of the shorts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coverage_short: Vec<Option<f64>>,
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
    layout: GridLayout,
    long_usd: &[f32],
    short_usd: &[f32],
    classes: &[Vec<f32>],
) -> Vec<u8> {
    let cells = header.columns * header.rows;
    debug_assert_eq!((long_usd.len(), short_usd.len()), (cells, cells), "planes must match the header");
    debug_assert_eq!(classes.len(), header.leverages.len(), "planes must match the header");
    let head = serde_json::to_vec(header).unwrap_or_default();
    let magic = layout.magic();
    let plane_bytes = cells + header.columns;
    let mut bytes = Vec::with_capacity(magic.len() + 4 + head.len() + (2 + classes.len()) * plane_bytes);
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&head);
    let quantiser = Quantiser::new(&header.scale);
    let planes = [long_usd, short_usd].into_iter().chain(classes.iter().map(Vec::as_slice));
    if layout == GridLayout::Predicted {
        let writer = PlaneWriter::new(&header.scale, &quantiser);
        planes.for_each(|usd| writer.put(&mut bytes, usd, header.rows));
        return bytes;
    }
    let mut plane = Vec::with_capacity(cells);
    for usd in planes {
        plane.clear();
        plane.extend(usd.iter().map(|&usd| quantiser.byte(usd)));
        if layout == GridLayout::PriceMajor {
            put_differences(&mut bytes, &plane, header.columns, header.rows);
        } else {
            bytes.extend_from_slice(&plane);
        }
    }
    bytes
}

/// Appends a plane that is ordered by columns as the differences along each row.
fn put_differences(bytes: &mut Vec<u8>, plane: &[u8], columns: usize, rows: usize) {
    /// Rows at a time: one cache line of a column is read, and as many lines are written to.
    const BLOCK: usize = 64;
    let begin = bytes.len();
    bytes.resize(begin + columns * rows, 0);
    let Some(written) = bytes.get_mut(begin..).filter(|_| columns > 0 && rows > 0) else { return };
    for (block, target) in written.chunks_mut(BLOCK * columns).enumerate() {
        let mut before = [0u8; BLOCK];
        for (index, column) in plane.chunks_exact(rows).enumerate() {
            let cells = column.iter().skip(block * BLOCK);
            for ((row, &cell), before) in target.chunks_exact_mut(columns).zip(cells).zip(&mut before) {
                row[index] = cell.wrapping_sub(*before);
                *before = cell;
            }
        }
    }
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
            coverage_long: Vec::new(),
            coverage_short: Vec::new(),
        }
    }

    #[test]
    fn planes_follow_the_header() {
        let bytes =
            encode_grid(&header(2, 2, 1e6), GridLayout::ColumnMajor, &[0.0, 1e6, 10.0, 0.4], &[0.0; 4], &[]);
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
        let classes = [vec![10.0, 0.0], vec![1e6, 10.0]];
        let bytes = encode_grid(&header, GridLayout::ColumnMajor, &[1e6, 0.0], &[0.0, 10.0], &classes);
        let head_length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let head: serde_json::Value = serde_json::from_slice(&bytes[8..8 + head_length]).unwrap();
        assert_eq!(head["leverages"], serde_json::json!([25, 50]));
        assert_eq!(&bytes[8 + head_length..], [255, 0, 0, 1, 1, 0, 255, 1]);
    }

    #[test]
    fn the_newest_layout_that_is_accepted_is_taken() {
        use GridLayout::{ColumnMajor, Predicted, PriceMajor};
        for (accept, layout) in [
            ("", None),
            ("*/*", None),
            ("application/json", None),
            ("application/vnd.liqheat.gridlike", None),
            ("application/vnd.liqheat.grid", Some(ColumnMajor)),
            ("Application/Vnd.Liqheat.Grid;version=1", Some(ColumnMajor)),
            ("application/json, application/vnd.liqheat.grid;q=0.5", Some(ColumnMajor)),
            ("application/vnd.liqheat.grid; version=2", Some(PriceMajor)),
            ("application/vnd.liqheat.grid ; Version = \"2\" ; q=1", Some(PriceMajor)),
            ("application/vnd.liqheat.grid;version=2, application/vnd.liqheat.grid", Some(PriceMajor)),
            ("application/vnd.liqheat.grid;version=3", Some(Predicted)),
            (
                "application/vnd.liqheat.grid; version=3, application/vnd.liqheat.grid; version=2, application/vnd.liqheat.grid",
                Some(Predicted),
            ),
            (
                "application/vnd.liqheat.grid;version=3;q=0, application/vnd.liqheat.grid;version=2",
                Some(PriceMajor),
            ),
            ("application/vnd.liqheat.grid;version=4", None),
            ("application/vnd.liqheat.grid;version=4, application/vnd.liqheat.grid", Some(ColumnMajor)),
            ("application/vnd.liqheat.grid;version=2;q=0, application/vnd.liqheat.grid", Some(ColumnMajor)),
            ("application/json;version=2", None),
        ] {
            assert_eq!(GridLayout::accepted(accept), layout, "{accept}");
            if let Some(layout) = layout {
                assert_eq!(GridLayout::accepted(layout.content_type()), Some(layout));
            }
        }
    }

    #[test]
    fn rows_hold_the_differences_from_column_to_column() {
        // Bytes 255, 1 | 1, 1 | 0, 255: falling, level, vanishing.
        let long = [1e6, 10.0, 10.0, 10.0, 0.0, 1e6];
        let bytes = encode_grid(&header(3, 2, 1e6), GridLayout::PriceMajor, &long, &[0.0; 6], &[]);
        assert_eq!(&bytes[..4], b"LQG2");
        let planes = &bytes[bytes.len() - 12..];
        assert_eq!(planes, [255, 2, 255, 1, 0, 254, 0, 0, 0, 0, 0, 0]);
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
        /// Sums along the rows give back the planes of the other layout, whatever the size.
        #[test]
        fn both_layouts_hold_the_same_cells(
            columns in 0usize..40, rows in 0usize..200, seed in any::<u32>()
        ) {
            let cell = |index: u32| index.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 12;
            let usd: Vec<f32> = (0..(columns * rows) as u32).map(|index| cell(index) as f32).collect();
            let none = vec![0.0; usd.len()];
            let header = header(columns, rows, 1e6);
            let by_column = encode_grid(&header, GridLayout::ColumnMajor, &usd, &none, &[]);
            let by_row = encode_grid(&header, GridLayout::PriceMajor, &usd, &none, &[]);
            prop_assert_eq!(by_column.len(), by_row.len());
            let planes = by_column.len() - 2 * columns * rows;
            for plane in 0..2 {
                for row in 0..rows {
                    let mut sum = 0u8;
                    for column in 0..columns {
                        sum = sum.wrapping_add(by_row[planes + plane * columns * rows + row * columns + column]);
                        let there = by_column[planes + plane * columns * rows + column * rows + row];
                        prop_assert_eq!(sum, there);
                    }
                }
            }
        }

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
