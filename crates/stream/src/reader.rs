//! Reads frames of a client (RFC 6455 section 5): checks, unmasks, reassembles, inflates, within limits. Bytes go in as
//! they come, messages come out; there is no I/O here, so every cut of the bytes can be tried in a test.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::deflate::{InflateError, inflate};
use liqheat_market::convert::saturating_len;

/// What a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// A text message.
    Text(String),
    /// A ping, to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// A part of a message whose end has not come yet; nothing to act on, but not free.
    Fragment,
    /// The client closes.
    Close,
}

/// Why a connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The rules of framing were broken.
    #[error("websocket protocol error: {0}")]
    Protocol(&'static str),
    /// Larger than the limit.
    #[error("message larger than the limit")]
    TooBig,
    /// A binary message, which no command is.
    #[error("binary messages are not accepted")]
    Unsupported,
    /// A text message that is not UTF-8, or not deflate where it says so.
    #[error("message is not UTF-8, or malformed when inflated")]
    BadPayload,
}

impl From<InflateError> for ReadError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooBig => Self::TooBig,
            InflateError::Malformed => Self::BadPayload,
        }
    }
}

/// A message whose last fragment has not come yet.
#[derive(Debug)]
struct PartialMessage {
    payload: Vec<u8>,
    compressed: bool,
}

/// The state between two reads.
#[derive(Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    partial: Option<PartialMessage>,
    message_bytes_max: usize,
    may_be_compressed: bool,
}

impl FrameReader {
    const CONTROL_BYTES_MAX: u64 = 125;
    /// A buffer that grew beyond this for one large message is given back after it.
    const BUFFER_BYTES_KEPT: usize = 1_024;

    /// A reader that refuses messages larger than this, before and after inflating; `may_be_compressed` where
    /// permessage-deflate was agreed on.
    #[must_use]
    pub const fn new(message_bytes_max: usize, may_be_compressed: bool) -> Self {
        Self { buffer: Vec::new(), partial: None, message_bytes_max, may_be_compressed }
    }

    /// Takes bytes from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message or fragment; `Ok(None)` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes break the protocol or a limit; the connection must be closed.
    pub fn next_message(&mut self) -> Result<Option<ClientMessage>, ReadError> {
        let Some((header, payload)) = self.next_frame()? else {
            return Ok(None);
        };
        match header.opcode {
            OpCode::Control(Control::Close) => check_close(&payload).map(|()| Some(ClientMessage::Close)),
            OpCode::Control(Control::Ping) => Ok(Some(ClientMessage::Ping(payload))),
            OpCode::Control(Control::Pong) => Ok(Some(ClientMessage::Pong)),
            OpCode::Control(Control::Reserved(_)) => Err(ReadError::Protocol("reserved opcode")),
            OpCode::Data(data) => {
                let text = self.fragment(data, &header, payload)?;
                Ok(Some(text.map_or(ClientMessage::Fragment, ClientMessage::Text)))
            }
        }
    }

    fn fragment(
        &mut self,
        data: Data,
        header: &FrameHeader,
        payload: Vec<u8>,
    ) -> Result<Option<String>, ReadError> {
        let message = match (data, self.partial.take()) {
            (Data::Text, None) => PartialMessage { payload, compressed: header.rsv1 },
            (Data::Continue, Some(mut begun)) => {
                begun.payload.extend_from_slice(&payload);
                begun
            }
            (Data::Binary, None) => return Err(ReadError::Unsupported),
            (Data::Reserved(_), _) => return Err(ReadError::Protocol("reserved opcode")),
            (Data::Continue, None) => return Err(ReadError::Protocol("continuation of nothing")),
            (_, Some(_)) => return Err(ReadError::Protocol("message inside a fragmented message")),
        };
        if message.payload.len() > self.message_bytes_max {
            return Err(ReadError::TooBig);
        }
        if !header.is_final {
            self.partial = Some(message);
            return Ok(None);
        }
        let text = if message.compressed {
            inflate(&message.payload, self.message_bytes_max)?
        } else {
            message.payload
        };
        String::from_utf8(text).map(Some).map_err(|_| ReadError::BadPayload)
    }

    fn next_frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, ReadError> {
        let mut cursor = Cursor::new(&self.buffer[..]);
        let parsed =
            FrameHeader::parse(&mut cursor).map_err(|_| ReadError::Protocol("malformed frame header"))?;
        let Some((header, length)) = parsed else {
            return Ok(None);
        };
        let header_bytes = saturating_len(cursor.position());
        self.check(&header, length)?;
        // RFC 6455 section 5.2: the shortest form of a length is the only one.
        let mask_bytes = if header.mask.is_some() { 4 } else { 0 };
        if header_bytes - mask_bytes != 2 + length_bytes(length) {
            return Err(ReadError::Protocol("a length longer than it needs to be"));
        }
        let Some(mask) = header.mask else {
            return Err(ReadError::Protocol("unmasked frame"));
        };
        // The check above bounds the length, so it fits.
        let end = header_bytes + saturating_len(length);
        if self.buffer.len() < end {
            return Ok(None);
        }
        let payload =
            self.buffer[header_bytes..end].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
        self.buffer.drain(..end);
        if self.buffer.is_empty() && self.buffer.capacity() > Self::BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        Ok(Some((header, payload)))
    }

    fn check(&self, header: &FrameHeader, length: u64) -> Result<(), ReadError> {
        let begins_message = matches!(header.opcode, OpCode::Data(Data::Text | Data::Binary));
        let rsv1_is_fine = !header.rsv1 || self.may_be_compressed && begins_message;
        if !rsv1_is_fine || header.rsv2 || header.rsv3 {
            return Err(ReadError::Protocol("reserved bit without an agreed extension"));
        }
        if let OpCode::Control(_) = header.opcode {
            if !header.is_final {
                return Err(ReadError::Protocol("fragmented control frame"));
            }
            if length > Self::CONTROL_BYTES_MAX {
                return Err(ReadError::Protocol("control frame too long"));
            }
        }
        if length > self.message_bytes_max as u64 {
            return Err(ReadError::TooBig);
        }
        Ok(())
    }
}

/// Bytes of a frame's length beyond the second byte.
const fn length_bytes(length: u64) -> usize {
    match length {
        0..=125 => 0,
        126..=0xFFFF => 2,
        _ => 8,
    }
}

/// RFC 6455 section 5.5.1 and 7.4: nothing, or a code that may be sent and a reason in UTF-8.
fn check_close(payload: &[u8]) -> Result<(), ReadError> {
    let (code, reason) = match payload {
        [] => return Ok(()),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(ReadError::Protocol("close frame with half a code")),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(ReadError::Protocol("close code that must not be sent"));
    }
    std::str::from_utf8(reason).map(|_| ()).map_err(|_| ReadError::BadPayload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | short as u8),
            medium @ 126..=0xFFFF => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        bytes
    }

    fn read_all(bytes: &[u8], chunk: usize) -> Result<Vec<ClientMessage>, ReadError> {
        read_with(&mut FrameReader::new(1_000, false), bytes, chunk)
    }

    fn read_with(
        reader: &mut FrameReader,
        bytes: &[u8],
        chunk: usize,
    ) -> Result<Vec<ClientMessage>, ReadError> {
        let mut messages = Vec::new();
        for part in bytes.chunks(chunk.max(1)) {
            reader.push(part);
            while let Some(message) = reader.next_message()? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    #[test]
    fn control_frames_may_stand_between_fragments() {
        let bytes =
            [masked(0x01, b"he"), masked(0x89, b"p"), masked(0x80, b"llo"), masked(0x88, &[])].concat();
        let expected = [
            ClientMessage::Fragment,
            ClientMessage::Ping(b"p".to_vec()),
            ClientMessage::Text("hello".into()),
            ClientMessage::Close,
        ];
        for chunk in 1..bytes.len() {
            assert_eq!(read_all(&bytes, chunk).unwrap(), expected, "cut every {chunk} bytes");
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        for (bytes, error) in [
            (vec![0x81, 0x01, b'x'], ReadError::Protocol("unmasked frame")),
            (masked(0xC1, b"x"), ReadError::Protocol("reserved bit without an agreed extension")),
            (masked(0x80, b"x"), ReadError::Protocol("continuation of nothing")),
            (
                [masked(0x01, b"x"), masked(0x01, b"y")].concat(),
                ReadError::Protocol("message inside a fragmented message"),
            ),
            (masked(0x09, b"x"), ReadError::Protocol("fragmented control frame")),
            (masked(0x89, &[0; 126]), ReadError::Protocol("control frame too long")),
            (masked(0x82, b"x"), ReadError::Unsupported),
            (masked(0x81, &[0xFF]), ReadError::BadPayload),
            (masked(0x81, &[b'x'; 1_001]), ReadError::TooBig),
            ([masked(0x01, &[b'x'; 600]), masked(0x80, &[b'x'; 600])].concat(), ReadError::TooBig),
            (vec![0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4], ReadError::TooBig),
        ] {
            assert_eq!(read_all(&bytes, 3), Err(error), "{bytes:?}");
        }
        assert!(matches!(read_all(&masked(0x83, b"x"), 3), Err(ReadError::Protocol(_))));
        assert!(matches!(read_all(&masked(0x8B, b"x"), 3), Err(ReadError::Protocol(_))));
    }

    #[test]
    fn compressed_messages_are_read_where_agreed() {
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let read = |bytes: &[u8]| read_with(&mut FrameReader::new(1_000, true), bytes, 2);
        assert_eq!(read(&masked(0xC1, &hello)), Ok(vec![ClientMessage::Text("Hello".into())]));
        let in_two = [masked(0x41, &hello[..3]), masked(0x80, &hello[3..])].concat();
        assert_eq!(read(&in_two), Ok(vec![ClientMessage::Fragment, ClientMessage::Text("Hello".into())]));
        assert_eq!(read(&masked(0x81, b"plain")), Ok(vec![ClientMessage::Text("plain".into())]));
        let bit_again = [masked(0x41, &hello[..3]), masked(0xC0, &hello[3..])].concat();
        let error = ReadError::Protocol("reserved bit without an agreed extension");
        assert_eq!(read(&bit_again), Err(error), "only the first fragment says it");
        assert_eq!(read(&masked(0xC9, b"")), Err(error), "control frames are never compressed");
        assert_eq!(read(&masked(0xC1, &[0x07, 0xFF])), Err(ReadError::BadPayload));
        let bomb = crate::deflate::deflate(&[b'x'; 1_001]).unwrap();
        assert!(bomb.len() < 100);
        assert_eq!(read(&masked(0xC1, &bomb)), Err(ReadError::TooBig));
    }

    #[test]
    fn close_frames_are_checked() {
        for (payload, fine) in [
            (&b""[..], true),
            (b"\x03\xE8", true),
            (b"\x03\xE8bye", true),
            (b"\x0F\xA0", true),
            (b"\x03", false),
            (b"\x03\xED", false),
            (b"\x00\x00", false),
            (b"\xFF\xFF", false),
            (b"\x03\xE8\xFF", false),
        ] {
            let read = read_all(&masked(0x88, payload), 100);
            assert_eq!(read.is_ok(), fine, "{payload:?}: {read:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_any_cut(text in "\\PC{0,300}", chunk in 1usize..400) {
            let messages = read_all(&masked(0x81, text.as_bytes()), chunk);
            prop_assert_eq!(messages, Ok(vec![ClientMessage::Text(text)]));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), chunk in 1usize..50) {
            let _ = read_all(&bytes, chunk);
            let _ = read_with(&mut FrameReader::new(1_000, true), &bytes, chunk);
        }
    }
}
