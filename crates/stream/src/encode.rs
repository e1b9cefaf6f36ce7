//! From what a board tells to the bytes of a message.

use liqheat_wire::{
    BinaryState, LevelMessage, ServerMessage, StateData, ViewHorizon, encode_state, format_time,
};

use tracing::trace_span;

use crate::board::StateUpdate;
use crate::metrics::Encoding;

/// The payload of the message, without framing.
///
/// The binary form has no field for the horizon of the expected view; its epochs name it.
pub(crate) fn encode(
    symbol: &str,
    expected_within: Option<ViewHorizon>,
    update: &StateUpdate,
    encoding: Encoding,
) -> Vec<u8> {
    let _encoding =
        trace_span!("encode", symbol, ?encoding, levels = update.cells.len(), seq = update.seq).entered();
    match encoding {
        Encoding::Json | Encoding::Events => json(symbol, expected_within, update),
        Encoding::Binary => encode_state(&BinaryState {
            symbol,
            timestamp: update.as_of,
            epoch: &update.epoch,
            from: update.from,
            seq: update.seq,
            hash: update.hash,
            current_price: update.price,
            positions_created: update.counters.created,
            positions_consumed: update.counters.consumed,
            cells: &update.cells,
        }),
    }
}

fn json(symbol: &str, expected_within: Option<ViewHorizon>, update: &StateUpdate) -> Vec<u8> {
    let level = |cell: &liqheat_wire::Cell| LevelMessage {
        price: cell.price.into(),
        long_density: cell.long_usd,
        short_density: cell.short_usd,
    };
    let data = StateData {
        levels: update.cells.iter().map(level).collect(),
        current_price: update.price.into(),
        positions_created: update.counters.created,
        positions_consumed: update.counters.consumed,
    };
    let (timestamp, hash) = (format_time(update.as_of), update.hash.to_string());
    let (timestamp, hash, epoch, seq) = (timestamp.as_str(), hash.as_str(), &*update.epoch, update.seq);
    let message = match update.from {
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
