//! Messages between servers: a head, and the state in the public binary form.
//!
//! ```text
//! version 2 | kind | feed state | token | group | published ms | base bin | length of the state | the state
//! kind 2 (whole) continues: for every level of the state, the number of changes since its last change
//! ```
//!
//! One byte each for the first three, numbers of variable length for the rest. `group` is the fingerprint of what the
//! sender serves. The state is written as a difference: from the state before, from itself (a heartbeat), or from the
//! first state that a difference can be made from (whole). Bytes come from outside; every field is checked.

use std::sync::Arc;

use liqheat_market::convert::saturating_len;
use liqheat_market::{Price, UnixMs};
use liqheat_wire::{
    BinaryState, Cell, DecodeError, FeedState, decode_state, encode_state, put_varint, take_varint,
};

use liqheat_stream::{BoardStep, ChangedLevel, Counters, RemoteState};

/// The version that is written and read. 2 added `group`.
const VERSION: u8 = 2;
/// Largest message that is sent or read, in bytes: a whole state of a hundred thousand levels is smaller.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Longest names of symbols and epochs.
pub(crate) const NAME_BYTES_MAX: usize = 100;

const STILL: u8 = 0;
const CHANGE: u8 = 1;
const WHOLE: u8 = 2;

/// One message about one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The symbol.
    pub symbol: String,
    /// Fencing token under which it was published; newer ones are larger.
    pub token: u64,
    /// Fingerprint of what the sender serves.
    pub group: u64,
    /// Time of publication, by the sender's clock.
    pub published: UnixMs,
    /// State of the data feed at the sender.
    pub feed_state: FeedState,
    /// The state, or the change that leads to it.
    pub state: RemoteState,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// More than [`MESSAGE_BYTES_MAX`].
    #[error("{0} bytes; a message has at most {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    /// Written by another version of the program.
    #[error("message version {0}; this program reads version {VERSION}")]
    Version(u8),
    /// The state in it, or a number of the head.
    #[error(transparent)]
    State(#[from] DecodeError),
    /// A field that no server writes.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

impl Message {
    /// Writes the message; `None` when it would be larger than [`MESSAGE_BYTES_MAX`] or a name is too long.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let state = &self.state;
        let (kind, from, cells) = match &state.step {
            BoardStep::Still => (STILL, state.seq, Vec::new()),
            BoardStep::Change { from, cells } => (CHANGE, *from, cells.clone()),
            BoardStep::Whole { complete_from, levels } => {
                (WHOLE, *complete_from, levels.iter().map(|level| level.cell).collect())
            }
        };
        if self.symbol.len() > NAME_BYTES_MAX || state.epoch.len() > NAME_BYTES_MAX {
            return None;
        }
        let body = encode_state(&BinaryState {
            symbol: &self.symbol,
            timestamp: state.as_of,
            epoch: &state.epoch,
            from: Some(from),
            seq: state.seq,
            hash: state.hash,
            current_price: state.price,
            positions_created: state.counted.created,
            positions_consumed: state.counted.consumed,
            cells: &cells,
        });
        let feed_state = FeedState::ALL.iter().position(|known| *known == self.feed_state).unwrap_or(0);
        let mut out = Vec::with_capacity(32 + body.len() + 2 * cells.len());
        out.extend([VERSION, kind, u8::try_from(feed_state).unwrap_or(0)]);
        for number in [
            self.token,
            self.group,
            self.published.0.max(0).unsigned_abs(),
            state.base_bin.units().max(0).unsigned_abs(),
            body.len() as u64,
        ] {
            put_varint(&mut out, number);
        }
        out.extend_from_slice(&body);
        if let BoardStep::Whole { levels, .. } = &state.step {
            levels.iter().for_each(|level| put_varint(&mut out, state.seq.saturating_sub(level.changed)));
        }
        (out.len() <= MESSAGE_BYTES_MAX).then_some(out)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are anything but exactly one message of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLong(bytes.len()));
        }
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if *version != VERSION {
            return Err(MessageError::Version(*version));
        }
        let ([kind, feed_state], mut rest) = rest.split_first_chunk::<2>().ok_or(DecodeError::Truncated)?;
        let feed_state = *FeedState::ALL
            .get(usize::from(*feed_state))
            .ok_or(MessageError::Malformed("an unknown feed state"))?;
        let rest = &mut rest;
        let token = take_varint(rest)?;
        let group = take_varint(rest)?;
        let published = UnixMs(take_varint(rest)?.cast_signed());
        let base_bin = Price::from_units(take_varint(rest)?.cast_signed());
        let length = saturating_len(take_varint(rest)?);
        let (body, after) = rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        *rest = after;
        let read = decode_state(body)?;
        if read.symbol.len() > NAME_BYTES_MAX || read.epoch.len() > NAME_BYTES_MAX {
            return Err(MessageError::Malformed("a name that is too long"));
        }
        let from = read.from.ok_or(MessageError::Malformed("a state without the one it follows"))?;
        if read.seq == 0 {
            return Err(MessageError::Malformed("a state before the first"));
        }
        let step = step(*kind, from, read.seq, read.cells, rest)?;
        if !rest.is_empty() {
            return Err(MessageError::Malformed("bytes after the end"));
        }
        Ok(Self {
            symbol: read.symbol,
            token,
            group,
            published,
            feed_state,
            state: RemoteState {
                epoch: Arc::from(read.epoch),
                seq: read.seq,
                hash: read.hash,
                as_of: read.timestamp,
                price: read.current_price,
                base_bin,
                counted: Counters { created: read.positions_created, consumed: read.positions_consumed },
                step,
            },
        })
    }
}

fn step(
    kind: u8,
    from: u64,
    seq: u64,
    cells: Vec<Cell>,
    rest: &mut &[u8],
) -> Result<BoardStep, MessageError> {
    match kind {
        STILL if from == seq && cells.is_empty() => Ok(BoardStep::Still),
        CHANGE if from < seq => Ok(BoardStep::Change { from, cells }),
        WHOLE => {
            let level = |cell: Cell| {
                let ago = take_varint(rest)?;
                let changed = seq.checked_sub(ago).filter(|changed| *changed > 0);
                let changed = changed.ok_or(MessageError::Malformed("a change before the first state"))?;
                Ok::<_, MessageError>(ChangedLevel { cell, changed })
            };
            let levels = cells.into_iter().map(level).collect::<Result<_, _>>()?;
            Ok(BoardStep::Whole { complete_from: from, levels })
        }
        _ => Err(MessageError::Malformed("an unknown kind, or one that does not go with its state")),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use liqheat_wire::StateHash;
    use proptest::prelude::*;

    use super::*;
    use liqheat_stream::{Board, BoardUpdate};

    fn cell(price: i64, long_usd: u64, short_usd: u64) -> Cell {
        Cell { price: Price::from_units(price * 10_000_000_000), long_usd, short_usd }
    }

    fn message(state: RemoteState) -> Message {
        Message {
            symbol: "BTCUSDT".into(),
            token: 1_766_932_200_001,
            group: 0x000c_0ffe_e00c_0ffe,
            published: UnixMs(1_766_932_200_123),
            feed_state: FeedState::Replay,
            state,
        }
    }

    fn board() -> Board {
        let update = |cells: Vec<Cell>, price: i64, total: u64| BoardUpdate {
            epoch: "19b657f1c40-1.3fa2.0".into(),
            cells,
            price: Price::from_units(price),
            base_bin: Price::from_units(10_000_000_000),
            as_of: UnixMs(1_766_932_200_000),
            counters: Counters { created: total, consumed: total / 3 },
        };
        let mut board = Board::new(update(vec![cell(980, 1_500_000, 200_000), cell(990, 7, 0)], 9_845, 10));
        board.apply(update(vec![cell(980, 1_500_000, 200_000), cell(1_000, 0, 9)], 9_846, 19));
        board
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Servers of different builds run beside each other during an upgrade, so these bytes are a promise: another
    /// layout needs another version.
    #[test]
    fn golden_bytes() {
        let board = board();
        let cases = [("still", board.still()), ("change", board.last_change()), ("whole", board.whole())];
        let lines = cases.map(|(name, state)| format!("{name} {}\n", hex(&message(state).encode().unwrap())));
        let path = "golden/messages.txt";
        if std::env::var_os("LIQHEAT_BLESS").is_some() {
            std::fs::write(path, lines.concat()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), lines.concat());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seq in 1u64..1 << 40,
            back in 0u64..1_000,
            levels in prop::collection::btree_map(0i64..1 << 19, (0u64..1 << 50, 0u64..9, 0u64..1_000), 0..50),
            feed_state in 0usize..6,
            kind in 0u8..3,
            epoch in "\\PC{0,20}",
        ) {
            let levels: Vec<ChangedLevel> = levels.into_iter().map(|(price, (long, short, ago))| ChangedLevel {
                cell: cell(price, long, short),
                changed: seq.saturating_sub(ago).max(1),
            }).collect();
            let cells: Vec<Cell> = levels.iter().map(|level| level.cell).collect();
            let step = match kind {
                STILL => BoardStep::Still,
                CHANGE => BoardStep::Change { from: (seq - 1).saturating_sub(back), cells: cells.clone() },
                _ => BoardStep::Whole { complete_from: seq.saturating_sub(back), levels },
            };
            let state = RemoteState {
                epoch: epoch.into(),
                seq,
                hash: StateHash::of(&cells),
                as_of: UnixMs(7),
                price: Price::from_units(5),
                base_bin: Price::from_units(100),
                counted: Counters { created: 4, consumed: 2 },
                step,
            };
            let written = Message { feed_state: FeedState::ALL[feed_state], ..message(state) };
            let bytes = written.encode().unwrap();
            let read = Message::decode(&bytes);
            prop_assert_eq!(read.as_ref(), Ok(&written));
            for cut in 0..bytes.len() {
                prop_assert!(Message::decode(&bytes[..cut]).is_err());
            }
            let mut longer = bytes;
            longer.push(0);
            prop_assert!(Message::decode(&longer).is_err());
        }

        #[test]
        fn any_bytes_are_refused_or_can_be_written_again(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..200, byte: u8) {
            let check = |bytes: &[u8]| {
                if let Ok(read) = Message::decode(bytes) {
                    assert_eq!(Message::decode(&read.encode().unwrap()), Ok(read));
                }
            };
            check(&bytes);
            bytes = message(board().whole()).encode().unwrap();
            let length = bytes.len();
            bytes[at % length] = byte;
            check(&bytes);
        }
    }

    #[test]
    fn other_versions_are_named() {
        let mut bytes = message(board().still()).encode().unwrap();
        bytes[0] = 1;
        let error = Message::decode(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "message version 1; this program reads version 2");
        let long = Message { symbol: "x".repeat(101), ..message(board().still()) };
        assert_eq!(long.encode(), None);
        assert_eq!(
            Message::decode(&vec![1; MESSAGE_BYTES_MAX + 1]),
            Err(MessageError::TooLong(MESSAGE_BYTES_MAX + 1))
        );
    }
}
