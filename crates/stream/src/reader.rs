//! Reads frames of a client (RFC 6455 section 5): checks, unmasks, reassembles, within limits. Bytes go in as
//! they come, messages come out; there is no I/O here, so every cut of the bytes can be tried in a test.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// A complete message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// A text message.
    Text(String),
    /// A ping, to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
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
    /// A text message that is not UTF-8.
    #[error("text message is not UTF-8")]
    NotUtf8,
}

/// The state between two reads.
#[derive(Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Text of a message whose last fragment has not come yet.
    partial: Option<Vec<u8>>,
    message_bytes_max: usize,
}

impl FrameReader {
    const CONTROL_BYTES_MAX: u64 = 125;
    /// A buffer that grew beyond this for one large message is given back after it.
    const BUFFER_BYTES_KEPT: usize = 1_024;

    /// A reader that refuses messages larger than this.
    #[must_use]
    pub const fn new(message_bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), partial: None, message_bytes_max }
    }

    /// Takes bytes from the socket.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message; `Ok(None)` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes break the protocol or a limit; the connection must be closed.
    pub fn next_message(&mut self) -> Result<Option<ClientMessage>, ReadError> {
        while let Some((header, payload)) = self.next_frame()? {
            match header.opcode {
                OpCode::Control(Control::Close) => return Ok(Some(ClientMessage::Close)),
                OpCode::Control(Control::Ping) => return Ok(Some(ClientMessage::Ping(payload))),
                OpCode::Control(Control::Pong) => return Ok(Some(ClientMessage::Pong)),
                OpCode::Control(Control::Reserved(_)) => return Err(ReadError::Protocol("reserved opcode")),
                OpCode::Data(data) => {
                    if let Some(text) = self.fragment(data, header.is_final, &payload)? {
                        return Ok(Some(ClientMessage::Text(text)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn fragment(&mut self, data: Data, is_final: bool, payload: &[u8]) -> Result<Option<String>, ReadError> {
        let mut message = match (data, self.partial.take()) {
            (Data::Text, None) => Vec::new(),
            (Data::Continue, Some(begun)) => begun,
            (Data::Binary, None) => return Err(ReadError::Unsupported),
            (Data::Reserved(_), _) => return Err(ReadError::Protocol("reserved opcode")),
            (Data::Continue, None) => return Err(ReadError::Protocol("continuation of nothing")),
            (_, Some(_)) => return Err(ReadError::Protocol("message inside a fragmented message")),
        };
        if message.len() + payload.len() > self.message_bytes_max {
            return Err(ReadError::TooBig);
        }
        message.extend_from_slice(payload);
        if !is_final {
            self.partial = Some(message);
            return Ok(None);
        }
        String::from_utf8(message).map(Some).map_err(|_| ReadError::NotUtf8)
    }

    fn next_frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, ReadError> {
        let mut cursor = Cursor::new(&self.buffer[..]);
        let parsed =
            FrameHeader::parse(&mut cursor).map_err(|_| ReadError::Protocol("malformed frame header"))?;
        let Some((header, length)) = parsed else {
            return Ok(None);
        };
        let header_bytes = cursor.position() as usize;
        self.check(&header, length)?;
        let Some(mask) = header.mask else {
            return Err(ReadError::Protocol("unmasked frame"));
        };
        // The check above bounds the length, so it fits.
        let end = header_bytes + length as usize;
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
        if header.rsv1 || header.rsv2 || header.rsv3 {
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
        let mut reader = FrameReader::new(1_000);
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
        let expected =
            [ClientMessage::Ping(b"p".to_vec()), ClientMessage::Text("hello".into()), ClientMessage::Close];
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
            (masked(0x81, &[0xFF]), ReadError::NotUtf8),
            (masked(0x81, &[b'x'; 1_001]), ReadError::TooBig),
            ([masked(0x01, &[b'x'; 600]), masked(0x80, &[b'x'; 600])].concat(), ReadError::TooBig),
            (vec![0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4], ReadError::TooBig),
        ] {
            assert_eq!(read_all(&bytes, 3), Err(error), "{bytes:?}");
        }
        assert!(matches!(read_all(&masked(0x83, b"x"), 3), Err(ReadError::Protocol(_))));
        assert!(matches!(read_all(&masked(0x8B, b"x"), 3), Err(ReadError::Protocol(_))));
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
        }
    }
}
