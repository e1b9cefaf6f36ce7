//! The binary form of states: any bytes are refused or read, and what is read can be written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_wire::{BinaryState, decode_state, encode_state};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut read) = decode_state(bytes) else { return };
    assert!(read.cells.len() <= bytes.len());
    let again = encode_state(&BinaryState {
        symbol: &read.symbol,
        timestamp: read.timestamp,
        epoch: &read.epoch,
        from: read.from,
        seq: read.seq,
        hash: read.hash,
        current_price: read.current_price,
        positions_created: read.positions_created,
        positions_consumed: read.positions_consumed,
        cells: &read.cells,
    });
    // The id of a subscription is written in front of the shared state, not by `encode_state`.
    read.id = None;
    assert_eq!(decode_state(&again), Ok(read));
});
