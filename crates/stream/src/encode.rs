//! From what a board tells to the bytes of a message.

use liqheat_wire::{
    BinaryState, ExpectedWithin, LevelMessage, ServerMessage, StateData, encode_state, format_time,
};

use crate::board::StateUpdate;
use crate::metrics::Encoding;

/// The payload of the message, without framing.
///
/// The binary form has no field for the horizon of the expected view; its epochs name it.
pub(crate) fn encode(
    symbol: &str,
    expected_within: Option<ExpectedWithin>,
    told: &StateUpdate,
    encoding: Encoding,
) -> Vec<u8> {
    match encoding {
        Encoding::Json | Encoding::Events => json(symbol, expected_within, told),
        Encoding::Binary => encode_state(&BinaryState {
            symbol,
            timestamp: told.as_of,
            epoch: &told.epoch,
            from: told.from,
            seq: told.seq,
            hash: told.hash,
            current_price: told.price,
            positions_created: told.counters.created,
            positions_consumed: told.counters.consumed,
            cells: &told.cells,
        }),
    }
}

fn json(symbol: &str, expected_within: Option<ExpectedWithin>, told: &StateUpdate) -> Vec<u8> {
    let level = |cell: &liqheat_wire::Cell| LevelMessage {
        price: cell.price.into(),
        long_density: cell.long_usd,
        short_density: cell.short_usd,
    };
    let data = StateData {
        levels: told.cells.iter().map(level).collect(),
        current_price: told.price.into(),
        positions_created: told.counters.created,
        positions_consumed: told.counters.consumed,
    };
    let (timestamp, hash) = (format_time(told.as_of), told.hash.to_string());
    let (timestamp, hash, epoch, seq) = (timestamp.as_str(), hash.as_str(), &*told.epoch, told.seq);
    let message = match told.from {
        Some(from) => ServerMessage::Delta {
            id: None,
            symbol,
            expected_within,
            timestamp,
            epoch,
            from,
            seq,
            hash,
            data,
        },
        None => {
            ServerMessage::Snapshot { id: None, symbol, expected_within, timestamp, epoch, seq, hash, data }
        }
    };
    message.to_json()
}
