//! What a client sends: any bytes, in any pieces, with and without agreed compression.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_stream::{ClientMessage, FrameReader, ReadError};

const MESSAGE_BYTES_MAX: usize = 2_048;

fn read(bytes: &[u8], piece: usize, deflate: bool) -> Result<Vec<ClientMessage>, ReadError> {
    let mut reader = FrameReader::new(MESSAGE_BYTES_MAX, deflate);
    let mut messages = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        reader.push(piece);
        while let Some(message) = reader.next_message()? {
            if let ClientMessage::Text(text) = &message {
                assert!(text.len() <= MESSAGE_BYTES_MAX, "the limit holds after inflating");
            }
            messages.push(message);
        }
    }
    Ok(messages)
}

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (piece, deflate, bytes) = input;
    let (whole, in_pieces) = (read(bytes, bytes.len(), deflate), read(bytes, piece.into(), deflate));
    assert_eq!(whole, in_pieces, "how bytes are cut makes no difference");
});
