//! The binary form of states and differences, `docs/binary.md`: what a client that offers `liqheat.v1.bin` gets.
//!
//! Columns of varints over a grid of prices. A side without mass costs two bytes in all, a level that has mass
//! on one side about four.

mod decode;
mod varint;

use liqheat_market::{Price, UnixMs};

use crate::{Cell, StateHash};

pub use decode::{DecodeError, DecodedState, decode_state};
use varint::put_varint as put;
pub use varint::{put_varint, take_varint};

/// The subprotocol under which states travel in this form.
pub const BINARY_PROTOCOL: &str = "liqheat.v1.bin";
/// The subprotocol under which everything is JSON; also what is spoken without any.
pub const TEXT_PROTOCOL: &str = "liqheat.v1.json";
/// The media type of this form over HTTP.
pub const STATE_CONTENT_TYPE: &str = "application/vnd.liqheat.state";

/// First byte: version 1, a whole state.
const SNAPSHOT: u8 = 0x10;
/// First byte: version 1, a difference.
const DELTA: u8 = 0x11;
/// Set in the first byte of a message that carries the id of its subscription.
const HAS_ID: u8 = 0x02;

/// A state or a difference, borrowed from where it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryState<'a> {
    /// Of which symbol.
    pub symbol: &'a str,
    /// Time of the newest market event in it.
    pub timestamp: UnixMs,
    /// One unbroken run of `seq`.
    pub epoch: &'a str,
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
    pub cells: &'a [Cell],
}

/// Writes a message. Prices and sums below 2^53 (in units of 1e-8, and in USD) are read exactly by every
/// client; the levels must be in strictly ascending order of price, and no price negative.
#[must_use]
pub fn encode_state(state: &BinaryState<'_>) -> Vec<u8> {
    debug_assert!(state.cells.is_sorted_by(|a, b| a.price < b.price), "invariant: prices strictly rise");
    let mut out = Vec::with_capacity(64 + state.symbol.len() + state.epoch.len() + 8 * state.cells.len());
    out.push(if state.from.is_some() { DELTA } else { SNAPSHOT });
    out.extend_from_slice(&state.hash.as_u64().to_be_bytes());
    put(&mut out, state.seq);
    if let Some(from) = state.from {
        put(&mut out, state.seq.saturating_sub(from));
    }
    put(&mut out, state.timestamp.0.max(0).unsigned_abs());
    for text in [state.symbol, state.epoch] {
        put(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    put(&mut out, units(state.current_price));
    put(&mut out, state.positions_created);
    put(&mut out, state.positions_consumed);
    put(&mut out, state.cells.len() as u64);
    if let Some(first) = state.cells.first() {
        let step = common_step(state.cells);
        put(&mut out, step);
        let mut index = units(first.price) / step;
        put(&mut out, index);
        for cell in &state.cells[1..] {
            let next = units(cell.price) / step;
            put(&mut out, next - index - 1);
            index = next;
        }
        put_column(&mut out, state.cells, |cell| cell.long_usd);
        put_column(&mut out, state.cells, |cell| cell.short_usd);
    }
    out
}

/// What replaces the first byte of a message to give it an id. The rest of the message is the same for every
/// subscription, so it is made once.
#[must_use]
pub fn binary_beginning(is_delta: bool, id: &str) -> Vec<u8> {
    let mut beginning = vec![if is_delta { DELTA } else { SNAPSHOT } | HAS_ID];
    put(&mut beginning, id.len() as u64);
    beginning.extend_from_slice(id.as_bytes());
    beginning
}

fn units(price: Price) -> u64 {
    price.units().max(0).unsigned_abs()
}

/// The largest step of which all prices are multiples, at least 1.
fn common_step(cells: &[Cell]) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    cells.iter().fold(0, |step, cell| gcd(step, units(cell.price))).max(1)
}

/// One side: how many levels without mass, how many with, the sums of those with, and again, to the end.
fn put_column(out: &mut Vec<u8>, cells: &[Cell], usd: impl Fn(&Cell) -> u64) {
    let mut rest = cells;
    while !rest.is_empty() {
        let zeros = rest.iter().take_while(|cell| usd(cell) == 0).count();
        put(out, zeros as u64);
        rest = &rest[zeros..];
        let values = rest.iter().take_while(|cell| usd(cell) != 0).count();
        if values > 0 {
            put(out, values as u64);
            rest[..values].iter().for_each(|cell| put(out, usd(cell)));
        }
        rest = &rest[values..];
    }
}

#[cfg(test)]
mod tests;
