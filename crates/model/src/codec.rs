//! Checkpoints: the whole state of a ledger as bytes, so that a restart does not replay a year.
//!
//! Layout, all numbers little-endian: magic `LQLG`, format version (u16), fingerprint of parameters and tiers
//! (u64), the scalars, then per side its sums (also those of each class, where classes are closed by rates of their own)
//! and the used part of every row as runs, then an FNV-1a checksum
//! of everything before it. A run is a varint `count * 4 + kind`: kind 0 zeros, 1 one repeated number, 2 plain
//! numbers. Numbers keep their bits, so a decoded ledger continues bit for bit.

use liqheat_market::{Price, TierTable, UnixMs};

use crate::grid::PriceGrid;
use crate::hash::Fnv64;
use crate::ledger::Ledger;
use crate::params::Params;
use crate::position_bins::PositionBins;

const MAGIC: &[u8; 4] = b"LQLG";
const FORMAT: u16 = 2;
const CHECKSUM_BYTES: usize = 8;

/// Why a checkpoint cannot be used. The ledger can always be rebuilt from the bars instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint at all.
    #[error("these bytes are not a checkpoint of a ledger")]
    NotACheckpoint,
    /// Written by another version of this code.
    #[error("the checkpoint has format {found}, this program reads {FORMAT}; rebuild it from the bars")]
    Format {
        /// What was found.
        found: u16,
    },
    /// Made under other parameters or margin tiers.
    #[error("the checkpoint was made under other model parameters or margin tiers; rebuild it from the bars")]
    OtherRules,
    /// Bytes are missing, changed or contradict each other.
    #[error("the checkpoint is damaged ({0}); rebuild it from the bars")]
    Damaged(&'static str),
}

impl Ledger {
    /// The whole state as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 << 16);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&self.rules_fingerprint.to_le_bytes());
        let (cell, version) = self.grid.map_or((0, 0), |grid| (grid.cell, grid.version));
        out.extend_from_slice(&cell.to_le_bytes());
        out.extend_from_slice(&version.to_le_bytes());
        out.push(u8::from(self.as_of.is_some()));
        out.extend_from_slice(&self.as_of.unwrap_or_default().0.to_le_bytes());
        out.push(u8::from(self.last_price.is_some()));
        out.extend_from_slice(&self.last_price.unwrap_or_default().units().to_le_bytes());
        put_f64(&mut out, self.open_interest);
        put_f64(&mut out, self.filter.accepted);
        put_f64(&mut out, self.filter.doubted);
        out.extend_from_slice(&self.filter.agreeing.to_le_bytes());
        for book in [&self.long, &self.short] {
            put_f64(&mut out, book.scale);
            book.levelled.iter().chain(&book.unlevelled).for_each(|sum| put_f64(&mut out, *sum));
            for class in book.by_class.iter().flatten() {
                put_f64(&mut out, class.factor);
                class.levelled.iter().for_each(|sum| put_f64(&mut out, *sum));
            }
            put_varint(&mut out, book.used.start as u64);
            put_varint(&mut out, book.used.end as u64);
            book.used_rows().for_each(|row| put_row(&mut out, row));
        }
        let mut checksum = Fnv64::new();
        checksum.bytes(&out);
        out.extend_from_slice(&checksum.finish().to_le_bytes());
        out
    }

    /// Reads what [`Ledger::encode`] wrote, under the same parameters and tiers.
    ///
    /// # Errors
    /// [`CheckpointError`], for any bytes that are not exactly such a checkpoint.
    pub fn decode(bytes: &[u8], params: Params, tiers: TierTable) -> Result<Self, CheckpointError> {
        use CheckpointError::Damaged;
        if bytes.get(..MAGIC.len()) != Some(MAGIC.as_slice()) {
            return Err(CheckpointError::NotACheckpoint);
        }
        let mut reader = Reader { bytes: &bytes[MAGIC.len()..] };
        let found = u16::from_le_bytes(reader.take()?);
        if found != FORMAT {
            return Err(CheckpointError::Format { found });
        }
        let body = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(Damaged("it is cut short"))?;
        let mut checksum = Fnv64::new();
        checksum.bytes(&bytes[..body]);
        if bytes[body..] != checksum.finish().to_le_bytes() {
            return Err(Damaged("its checksum does not fit"));
        }
        let mut ledger = Self::new(params, tiers);
        if u64::from_le_bytes(reader.take()?) != ledger.rules_fingerprint {
            return Err(CheckpointError::OtherRules);
        }
        let cell = i64::from_le_bytes(reader.take()?);
        let version = u64::from_le_bytes(reader.take()?);
        if cell != 0 {
            let cells_in_price = ledger.params.values().cells_in_price;
            let grid = PriceGrid::restore(cell, version, cells_in_price).ok_or(Damaged("odd cell width"))?;
            ledger.grid = Some(grid);
        }
        ledger.as_of = reader.optional()?.map(UnixMs);
        ledger.last_price = reader.optional()?.map(Price::from_units);
        ledger.open_interest = reader.number()?;
        ledger.filter.accepted = reader.number()?;
        ledger.filter.doubted = reader.number()?;
        ledger.filter.agreeing = u32::from_le_bytes(reader.take()?);
        for book in [&mut ledger.long, &mut ledger.short] {
            reader.book(book)?;
        }
        if reader.bytes.len() != CHECKSUM_BYTES { Err(Damaged("it is too long")) } else { Ok(ledger) }
    }

    /// Names the exact state: two ledgers with the same hash hold the same bits.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let mut hash = Fnv64::new();
        hash.bytes(&self.encode());
        hash.finish()
    }
}

fn put_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value.to_le_bytes()[0] & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

const RUN_ZEROS: u64 = 0;
const RUN_REPEATED: u64 = 1;
const RUN_PLAIN: u64 = 2;

fn put_row(out: &mut Vec<u8>, row: &[f64]) {
    // Runs shorter than this cost more as runs than inside plain numbers.
    const REPEATS_MIN: usize = 3;
    let repeats_at = |start: usize| {
        let bits = row[start].to_bits();
        row[start..].iter().take_while(|value| value.to_bits() == bits).count()
    };
    let mut start = 0;
    while start < row.len() {
        let repeats = repeats_at(start);
        if repeats >= REPEATS_MIN {
            let zeros = row[start].to_bits() == 0;
            put_varint(out, repeats as u64 * 4 + if zeros { RUN_ZEROS } else { RUN_REPEATED });
            if !zeros {
                put_f64(out, row[start]);
            }
            start += repeats;
            continue;
        }
        let mut end = start + repeats;
        while end < row.len() {
            let repeats = repeats_at(end);
            if repeats >= REPEATS_MIN {
                break;
            }
            end += repeats;
        }
        put_varint(out, (end - start) as u64 * 4 + RUN_PLAIN);
        row[start..end].iter().for_each(|value| put_f64(out, *value));
        start = end;
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let (head, rest) =
            self.bytes.split_first_chunk().ok_or(CheckpointError::Damaged("it is cut short"))?;
        self.bytes = rest;
        Ok(*head)
    }

    fn number(&mut self) -> Result<f64, CheckpointError> {
        let value = f64::from_bits(u64::from_le_bytes(self.take()?));
        if value.is_finite() { Ok(value) } else { Err(CheckpointError::Damaged("a mass is not a number")) }
    }

    fn optional(&mut self) -> Result<Option<i64>, CheckpointError> {
        let [present] = self.take()?;
        let value = i64::from_le_bytes(self.take()?);
        Ok((present != 0).then_some(value))
    }

    fn varint(&mut self) -> Result<usize, CheckpointError> {
        let mut value: u64 = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| CheckpointError::Damaged("a count is too large"));
            }
        }
        Err(CheckpointError::Damaged("a count is too large"))
    }

    fn book(&mut self, book: &mut PositionBins) -> Result<(), CheckpointError> {
        book.scale = self.number()?;
        for sum in [0, 1] {
            book.levelled[sum] = self.number()?;
        }
        for sum in [0, 1] {
            book.unlevelled[sum] = self.number()?;
        }
        let mut factors_fit = true;
        if let Some(classes) = &mut book.by_class {
            for class in classes {
                class.factor = self.number()?;
                factors_fit &= class.factor > 0.0;
                for sum in &mut class.levelled {
                    *sum = self.number()?;
                }
            }
        }
        let used = self.varint()?..self.varint()?;
        if !factors_fit {
            return Err(CheckpointError::Damaged("a factor is not positive"));
        }
        if used.start > used.end || used.end > book.stride() || book.scale <= 0.0 {
            return Err(CheckpointError::Damaged("its cells do not fit the grid"));
        }
        book.used = used;
        for row in book.used_rows_mut() {
            self.row(row)?;
        }
        Ok(())
    }

    fn row(&mut self, row: &mut [f64]) -> Result<(), CheckpointError> {
        let mut left = row;
        while !left.is_empty() {
            let run = self.varint()?;
            let (count, kind) = (run / 4, run as u64 % 4);
            if count == 0 {
                return Err(CheckpointError::Damaged("an empty run"));
            }
            let (cells, rest) =
                left.split_at_mut_checked(count).ok_or(CheckpointError::Damaged("a run is too long"))?;
            match kind {
                RUN_ZEROS => cells.fill(0.0),
                RUN_REPEATED => cells.fill(self.number()?),
                RUN_PLAIN => {
                    for cell in cells {
                        *cell = self.number()?;
                    }
                }
                _ => return Err(CheckpointError::Damaged("an unknown run")),
            }
            left = rest;
        }
        Ok(())
    }
}
