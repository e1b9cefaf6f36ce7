//! Frames of a server (RFC 6455 section 5), cut out of what a socket gives.
//!
//! Whole frames are handed on from the bytes just read, without a copy; only the incomplete end of a read is
//! kept, because ten thousand clients must not keep ten thousand buffers.

/// Larger messages are taken for a broken stream.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// A whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    /// The payload is deflated.
    pub(super) deflated: bool,
    pub(super) payload: &'a [u8],
}

/// Why a stream of bytes is not what a server may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedFrame(pub(super) &'static str);

/// The reading end of one connection.
#[derive(Debug, Default)]
pub(super) struct FrameCutter {
    /// The beginning of a frame whose end has not come.
    rest: Vec<u8>,
    /// The message whose last fragment has not come.
    open: Option<(Kind, bool, Vec<u8>)>,
}

struct Header {
    last: bool,
    deflated: bool,
    opcode: u8,
    bytes: usize,
    payload_bytes: usize,
}

impl FrameCutter {
    /// Takes what was read and hands on every message that is complete with it.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(Message<'_>),
    ) -> Result<(), MalformedFrame> {
        if self.rest.is_empty() {
            let used = cut(bytes, &mut self.open, each)?;
            self.rest.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.rest);
        joined.extend_from_slice(bytes);
        let used = cut(&joined, &mut self.open, each)?;
        if used < joined.len() {
            joined.drain(..used);
            self.rest = joined;
        }
        Ok(())
    }
}

fn cut(
    bytes: &[u8],
    open: &mut Option<(Kind, bool, Vec<u8>)>,
    each: &mut impl FnMut(Message<'_>),
) -> Result<usize, MalformedFrame> {
    let mut used = 0;
    while let Some(header) = header(&bytes[used..])? {
        let begins = used + header.bytes;
        let Some(payload) = bytes.get(begins..begins + header.payload_bytes) else {
            break;
        };
        used = begins + header.payload_bytes;
        frame(&header, payload, open, each)?;
    }
    Ok(used)
}

fn frame(
    header: &Header,
    payload: &[u8],
    open: &mut Option<(Kind, bool, Vec<u8>)>,
    each: &mut impl FnMut(Message<'_>),
) -> Result<(), MalformedFrame> {
    let kind = match header.opcode {
        0x0 => {
            let Some((kind, deflated, mut message)) = open.take() else {
                return Err(MalformedFrame("a continuation of nothing"));
            };
            message.extend_from_slice(payload);
            if message.len() > MESSAGE_BYTES_MAX {
                return Err(MalformedFrame("a message beyond all measure"));
            }
            if header.last {
                each(Message { kind, deflated, payload: &message });
            } else {
                *open = Some((kind, deflated, message));
            }
            return Ok(());
        }
        0x1 => Kind::Text,
        0x2 => Kind::Binary,
        0x8 => Kind::Close,
        0x9 => Kind::Ping,
        0xA => Kind::Pong,
        _ => return Err(MalformedFrame("an opcode that does not exist")),
    };
    let is_control = header.opcode >= 0x8;
    if is_control && (!header.last || header.payload_bytes > 125 || header.deflated) {
        return Err(MalformedFrame("a control frame that is long, fragmented or deflated"));
    }
    if !is_control && open.is_some() {
        return Err(MalformedFrame("a message inside another one"));
    }
    if header.last {
        each(Message { kind, deflated: header.deflated, payload });
    } else {
        *open = Some((kind, header.deflated, payload.to_vec()));
    }
    Ok(())
}

/// The header at the beginning of these bytes; `None` while it is not complete.
fn header(bytes: &[u8]) -> Result<Option<Header>, MalformedFrame> {
    let [first, second, ..] = *bytes else {
        return Ok(None);
    };
    if first & 0x30 != 0 {
        return Err(MalformedFrame("reserved bits"));
    }
    if second & 0x80 != 0 {
        return Err(MalformedFrame("a masked frame from a server"));
    }
    let (header_bytes, payload_bytes) = match second {
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (4, u64::from(u16::from_be_bytes([a, b]))),
            _ => return Ok(None),
        },
        127 => match bytes.get(2..10) {
            Some(length) => (10, length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    let payload_bytes = usize::try_from(payload_bytes).unwrap_or(usize::MAX);
    if payload_bytes > MESSAGE_BYTES_MAX {
        return Err(MalformedFrame("a frame beyond all measure"));
    }
    let (last, deflated, opcode) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x0F);
    Ok(Some(Header { last, deflated, opcode, bytes: header_bytes, payload_bytes }))
}

/// A client's frame. The mask is a fixed one: it guards proxies against browsers, not a loopback benchmark.
pub(super) fn masked(kind: Kind, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x5A, 0xC3, 0x17, 0x99];
    let opcode = match kind {
        Kind::Text => 0x1,
        Kind::Binary => 0x2,
        Kind::Close => 0x8,
        Kind::Ping => 0x9,
        Kind::Pong => 0xA,
    };
    let mut bytes = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => bytes.push(0x80 | short),
        (_, Ok(medium)) => {
            bytes.push(0x80 | 126);
            bytes.extend(medium.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A server's frame in one piece.
pub(super) fn unmasked_text(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => bytes.push(short),
        (_, Ok(medium)) => {
            bytes.push(126);
            bytes.extend(medium.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<(Kind, bool, Vec<u8>)>, MalformedFrame> {
        let (mut cutter, mut messages) = (FrameCutter::default(), Vec::new());
        for piece in pieces {
            cutter.take(piece, &mut |message| {
                messages.push((message.kind, message.deflated, message.payload.to_vec()));
            })?;
        }
        Ok(messages)
    }

    #[test]
    fn messages_come_out_however_the_bytes_are_cut() {
        let mut stream = unmasked_text(b"short");
        stream.extend(unmasked_text(&[b'm'; 300]));
        stream.extend([0x89, 2, b'h', b'i']);
        stream.extend(unmasked_text(&[b'l'; 70_000]));
        let whole = read(&[&stream]).unwrap();
        let lengths: Vec<_> = whole.iter().map(|(kind, _, payload)| (*kind, payload.len())).collect();
        assert_eq!(lengths, [(Kind::Text, 5), (Kind::Text, 300), (Kind::Ping, 2), (Kind::Text, 70_000)]);
        for at in [1, 2, 3, 8, 9, 11, 200, 311, 320, 5_000] {
            assert_eq!(read(&[&stream[..at], &stream[at..]]).unwrap(), whole, "{at}");
        }
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), whole);
    }

    #[test]
    fn fragments_are_joined_around_control_frames() {
        let stream = [0x41, 1, b'a', 0x89, 0, 0x00, 1, b'b', 0x80, 1, b'c'];
        let messages = read(&[&stream]).unwrap();
        assert_eq!(messages, [(Kind::Ping, false, vec![]), (Kind::Text, true, b"abc".to_vec())]);
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        for bad in [
            &[0x81u8, 0x81, 0, 0, 0, 0, 0][..],
            &[0xA1, 0],
            &[0x83, 0],
            &[0x80, 0],
            &[0x01, 0, 0x01, 0],
            &[0x09, 0],
            &[0x89, 126, 0, 126],
            &[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0],
        ] {
            let mut whole = bad.to_vec();
            whole.resize(bad.len() + 200, 0);
            assert!(read(&[&whole]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_masked_frame_is_what_tungstenite_reads() {
        let mut bytes = std::io::Cursor::new(masked(Kind::Text, b"hello"));
        let (header, length) = tungstenite::protocol::frame::FrameHeader::parse(&mut bytes).unwrap().unwrap();
        let at = usize::try_from(bytes.position()).unwrap();
        let mask = header.mask.unwrap();
        let payload: Vec<u8> =
            bytes.get_ref()[at..].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
        assert_eq!((length, payload.as_slice()), (5, &b"hello"[..]));
    }
}
