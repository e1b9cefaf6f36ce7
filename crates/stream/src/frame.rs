//! Frames of the server (RFC 6455 section 5): never masked, so the bytes of a frame are the same for every
//! client and are made once.

use bytes::{BufMut, Bytes, BytesMut};
use liqheat_wire::CloseCode;

use crate::deflate::{deflate, stored};
use crate::metrics::Encoding;

const FINAL: u8 = 0x80;
/// Says that a message is compressed (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;

#[derive(Debug, Clone, Copy)]
enum Opcode {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

/// A text message in one frame.
pub(crate) fn text(payload: &[u8]) -> Bytes {
    frame(Opcode::Text, payload)
}

/// A state in one frame, compressed where the client understands that and it gets smaller.
pub(crate) fn state(payload: &[u8], encoding: Encoding, may_deflate: bool) -> Bytes {
    let opcode = match encoding {
        Encoding::Json | Encoding::Events => Opcode::Text,
        Encoding::Binary => Opcode::Binary,
    };
    let deflated = may_deflate.then(|| deflate(payload)).flatten();
    match deflated {
        Some(deflated) => framed(FINAL | COMPRESSED | opcode as u8, &deflated),
        None => frame(opcode, payload),
    }
}

/// A server-sent event: its name, its id if it has one, and a message of one line.
pub(crate) fn event(name: &str, id: Option<&str>, message: &[u8]) -> Bytes {
    let id = id.unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(32 + name.len() + id.len() + message.len());
    if !id.is_empty() {
        bytes.put_slice(b"id: ");
        bytes.put_slice(id.as_bytes());
        bytes.put_u8(b'\n');
    }
    bytes.put_slice(b"event: ");
    bytes.put_slice(name.as_bytes());
    bytes.put_slice(b"\ndata: ");
    bytes.put_slice(message);
    bytes.put_slice(b"\n\n");
    bytes.freeze()
}

/// When a client of an event stream is to come back.
pub(crate) fn retry(after_ms: u64) -> Bytes {
    format!("retry: {after_ms}\n\n").into()
}

/// A server-sent comment: it keeps proxies from closing a quiet stream.
pub(crate) const fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// A frame that [`state`] made of a message without its first byte, completed by what replaces that byte.
pub(crate) fn with_beginning(frame: &Bytes, beginning: &[u8]) -> Bytes {
    let first = frame.first().copied().unwrap_or_default();
    let rest = payload(frame);
    if first & COMPRESSED == 0 {
        framed(first, &[beginning, &rest[..]].concat())
    } else {
        framed(first, &[&stored(beginning)[..], &rest[..]].concat())
    }
}

/// A ping without payload.
pub(crate) fn ping() -> Bytes {
    frame(Opcode::Ping, &[])
}

/// The answer to a ping, with its payload.
pub(crate) fn pong(payload: &[u8]) -> Bytes {
    frame(Opcode::Pong, payload)
}

/// The last frame of a connection.
pub(crate) fn close(code: CloseCode) -> Bytes {
    let mut payload = code.number().to_be_bytes().to_vec();
    payload.extend_from_slice(code.reason().as_bytes());
    frame(Opcode::Close, &payload)
}

/// The payload of a frame made here, sharing its bytes.
pub(crate) fn payload(frame: &Bytes) -> Bytes {
    let header = match frame.get(1) {
        Some(127) => 10,
        Some(126) => 4,
        _ => 2,
    };
    frame.slice(header.min(frame.len())..)
}

fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    framed(FINAL | opcode as u8, payload)
}

fn framed(first: u8, payload: &[u8]) -> Bytes {
    const HEADER_BYTES_MAX: usize = 10;
    let mut bytes = BytesMut::with_capacity(HEADER_BYTES_MAX + payload.len());
    bytes.put_u8(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => bytes.put_u8(short),
        (_, Ok(medium)) => {
            bytes.put_u8(126);
            bytes.put_u16(medium);
        }
        _ => {
            bytes.put_u8(127);
            bytes.put_u64(payload.len() as u64);
        }
    }
    bytes.put_slice(payload);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_found_behind_every_length_of_header() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let bytes = vec![7; length];
            assert_eq!(payload(&text(&bytes)), bytes, "{length}");
        }
    }

    #[test]
    fn lengths_are_written_as_the_rfc_says() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xFF, 0xFF]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let bytes = text(&vec![b'x'; length]);
            assert_eq!(&bytes[..header.len()], header, "{length}");
            assert_eq!(bytes.len(), header.len() + length);
        }
    }

    #[test]
    fn states_are_compressed_where_that_helps() {
        let long = "{\"price\":98000},".repeat(100);
        let plain = state(long.as_bytes(), Encoding::Json, false);
        let small = state(long.as_bytes(), Encoding::Json, true);
        assert_eq!((plain[0], small[0]), (0x81, 0xC1));
        assert!(small.len() * 10 < plain.len());
        assert_eq!(state(b"{}", Encoding::Json, true)[0], 0x81, "too short to be worth it");
        assert_eq!(state(b"{}", Encoding::Binary, true)[0], 0x82);
    }

    #[test]
    fn a_frame_is_completed_compressed_or_not() {
        use crate::deflate::inflate;
        let message = "{\"price\":98000},".repeat(100);
        let beginning = format!("{{\"id\":\"{}\",", "x".repeat(64));
        let expected = format!("{beginning}{}", &message[1..]);
        let plain =
            with_beginning(&state(&message.as_bytes()[1..], Encoding::Json, false), beginning.as_bytes());
        assert_eq!(&payload(&plain)[..], expected.as_bytes());
        let small =
            with_beginning(&state(&message.as_bytes()[1..], Encoding::Json, true), beginning.as_bytes());
        assert_eq!((plain[0], small[0]), (0x81, 0xC1));
        assert_eq!(inflate(&payload(&small), 1 << 20).unwrap(), expected.as_bytes());
        assert!(small.len() * 5 < plain.len());
    }

    #[test]
    fn control_frames() {
        assert_eq!(&ping()[..], [0x89, 0]);
        assert_eq!(&pong(b"ab")[..], [0x8A, 2, b'a', b'b']);
        assert_eq!(&close(CloseCode::Restart)[..4], [0x88, 17, 0x03, 0xF4]);
    }
}
