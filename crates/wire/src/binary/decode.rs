//! Reads what [`super::encode_state`] writes. Bytes come from outside: nothing is believed, and no more memory
//! is taken than the bytes can fill.

use liqheat_market::convert::saturating_len;
use liqheat_market::{Price, UnixMs};

use super::varint::take_varint as take;
use super::{DELTA, HAS_ID, SNAPSHOT};
use crate::{Cell, SUBSCRIPTION_ID_BYTES_MAX, StateHash};

/// The last millisecond of the year 9999: RFC 3339 writes no later one, so the JSON form has none.
const TIME_MS_MAX: u64 = 253_402_300_799_999;

/// Why bytes are not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the message ends too early")]
    Truncated,
    /// A number that not every client can hold.
    #[error("a number of 2^53 or more")]
    TooLarge,
    /// A first byte of another version or kind.
    #[error("unknown version or kind {0:#04x}")]
    Unknown(u8),
    /// Something that is never written.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

/// A state or a difference, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedState {
    /// The id of the subscription, where it has one.
    pub id: Option<String>,
    /// Of which symbol.
    pub symbol: String,
    /// Time of the newest market event in it.
    pub timestamp: UnixMs,
    /// One unbroken run of `seq`.
    pub epoch: String,
    /// The state it applies to; `None` is a whole state.
    pub from: Option<u64>,
    /// The state it leads to.
    pub seq: u64,
    /// Hash of the whole state it leads to.
    pub hash: StateHash,
    /// The price the state was made at.
    pub current_price: Price,
    /// (side, leverage class, bin) additions since the state the client had.
    pub positions_created: u64,
    /// (side, leverage class, bin) liquidations since the state the client had.
    pub positions_consumed: u64,
    /// In ascending order of price; in a difference, those without mass are gone.
    pub cells: Vec<Cell>,
}

/// Reads a message.
///
/// # Errors
/// When the bytes are anything but exactly one message in the form that is written.
pub fn decode_state(bytes: &[u8]) -> Result<DecodedState, DecodeError> {
    let (kind, mut rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
    let is_delta = match *kind & !HAS_ID {
        SNAPSHOT => false,
        DELTA => true,
        _ => return Err(DecodeError::Unknown(*kind)),
    };
    let rest = &mut rest;
    let id = if *kind & HAS_ID == 0 { None } else { Some(id(rest)?) };
    let (hash, after) = rest.split_first_chunk::<8>().ok_or(DecodeError::Truncated)?;
    let hash = StateHash::from_u64(u64::from_be_bytes(*hash));
    *rest = after;
    let seq = take(rest)?;
    let from = if is_delta {
        let back = take(rest)?;
        Some(
            seq.checked_sub(back)
                .ok_or(DecodeError::Malformed("a difference from before the first state"))?,
        )
    } else {
        None
    };
    let timestamp = take(rest)?;
    if timestamp > TIME_MS_MAX {
        return Err(DecodeError::Malformed("a time after the year 9999"));
    }
    let timestamp = UnixMs(timestamp.cast_signed());
    let (symbol, epoch) = (text(rest)?, text(rest)?);
    let current_price = Price::from_units(take(rest)?.cast_signed());
    let (positions_created, positions_consumed) = (take(rest)?, take(rest)?);
    let cells = cells(rest)?;
    if !rest.is_empty() {
        return Err(DecodeError::Malformed("bytes after the end"));
    }
    if !is_delta && cells.iter().any(Cell::is_empty) {
        return Err(DecodeError::Malformed("a level without mass in a whole state"));
    }
    Ok(DecodedState {
        id,
        symbol,
        timestamp,
        epoch,
        from,
        seq,
        hash,
        current_price,
        positions_created,
        positions_consumed,
        cells,
    })
}

fn id(rest: &mut &[u8]) -> Result<String, DecodeError> {
    let id = text(rest)?;
    if (1..=SUBSCRIPTION_ID_BYTES_MAX).contains(&id.len()) {
        Ok(id)
    } else {
        Err(DecodeError::Malformed("an id that is empty or longer than 64 bytes"))
    }
}

fn text(rest: &mut &[u8]) -> Result<String, DecodeError> {
    let length = saturating_len(take(rest)?);
    let (text, after) = rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
    *rest = after;
    String::from_utf8(text.to_vec()).map_err(|_| DecodeError::Malformed("a text that is not UTF-8"))
}

fn cells(rest: &mut &[u8]) -> Result<Vec<Cell>, DecodeError> {
    let count = saturating_len(take(rest)?);
    if count == 0 {
        return Ok(Vec::new());
    }
    // Every level takes at least a byte, so a count beyond the bytes that are left is a lie.
    if count > rest.len() {
        return Err(DecodeError::Truncated);
    }
    let step = take(rest)?;
    if step == 0 {
        return Err(DecodeError::Malformed("a step of zero"));
    }
    let mut cells = Vec::with_capacity(count);
    let mut index = take(rest)?;
    for number in 0..count {
        if number > 0 {
            index = index.checked_add(take(rest)? + 1).ok_or(DecodeError::TooLarge)?;
        }
        let units = index.checked_mul(step).filter(|units| *units < 1 << 53).ok_or(DecodeError::TooLarge)?;
        cells.push(Cell { price: Price::from_units(units.cast_signed()), long_usd: 0, short_usd: 0 });
    }
    column(rest, &mut cells, |cell, usd| cell.long_usd = usd)?;
    column(rest, &mut cells, |cell, usd| cell.short_usd = usd)?;
    Ok(cells)
}

fn column(
    rest: &mut &[u8],
    cells: &mut [Cell],
    mut set: impl FnMut(&mut Cell, u64),
) -> Result<(), DecodeError> {
    const PAST_THE_END: DecodeError = DecodeError::Malformed("a column longer than the levels");
    let mut at = 0;
    while at < cells.len() {
        let zeros = saturating_len(take(rest)?);
        if zeros == 0 && at > 0 {
            return Err(DecodeError::Malformed("an empty run inside a column"));
        }
        at = at.checked_add(zeros).filter(|at| *at <= cells.len()).ok_or(PAST_THE_END)?;
        if at == cells.len() {
            break;
        }
        let values = saturating_len(take(rest)?);
        let end = at.checked_add(values).filter(|end| *end <= cells.len()).ok_or(PAST_THE_END)?;
        if values == 0 {
            return Err(DecodeError::Malformed("an empty run inside a column"));
        }
        for cell in &mut cells[at..end] {
            let usd = take(rest)?;
            if usd == 0 {
                return Err(DecodeError::Malformed("a sum of zero among those that are not"));
            }
            set(cell, usd);
        }
        at = end;
    }
    Ok(())
}
