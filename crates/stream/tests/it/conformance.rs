//! RFC 6455 and RFC 7692, section by section: what a client may send is understood, and what it may not send
//! ends the connection with the code that the RFC names. A `ping` command stands for any message: it is
//! answered by a `pong`.
//!
//! Every case is sent in one piece, and again a byte at a time.

use std::io::Write;
use std::time::Duration;

use liqheat_stream::{Connection, SessionSettings, deflate};
use tungstenite::protocol::Message;

use crate::world::{Viewer, World, settings};

const PING: &[u8] = br#"{"action":"ping"}"#;
/// "Hello" is no command, but a message: it is answered by an error, not by a close.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const MESSAGE_BYTES_MAX: usize = 4_096;

const FINAL: u8 = 0x80;
const RSV1: u8 = 0x40;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING_FRAME: u8 = 0x9;
const PONG_FRAME: u8 = 0xA;

/// What the client should see first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The message was understood.
    Pong,
    /// It was read, and is no command.
    Refused,
    /// A pong frame with this payload.
    PongFrame(Vec<u8>),
    /// The connection ends with this code.
    Closed(u16),
}
use Answer::{Closed, Pong, Refused};

struct Case {
    section: &'static str,
    what: &'static str,
    bytes: Vec<u8>,
    answer: Answer,
}

fn case(section: &'static str, what: &'static str, bytes: impl Into<Vec<u8>>, answer: Answer) -> Case {
    Case { section, what, bytes: bytes.into(), answer }
}

fn masked_with(mask: [u8; 4], first: u8, payload: &[u8]) -> Vec<u8> {
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
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    masked_with([0x37, 0xfa, 0x21, 0x3d], first, payload)
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    masked(FINAL | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

fn padded(bytes: usize) -> Vec<u8> {
    let head = br#"{"action":"ping","pad":""#;
    [&head[..], &vec![b'x'; bytes - head.len() - 2], b"\"}"].concat()
}

fn framing() -> Vec<Case> {
    let whole = masked(FINAL | TEXT, PING);
    let mut cases = vec![
        case("5.2", "a text message", whole.clone(), Pong),
        case("5.2", "two text messages", whole.repeat(2), Pong),
        case("5.3", "a mask of zeros", masked_with([0; 4], FINAL | TEXT, PING), Pong),
        case("5.3", "a mask of ones", masked_with([0xFF; 4], FINAL | TEXT, PING), Pong),
        case("5.1", "an unmasked frame", [&[FINAL | TEXT, PING.len() as u8], PING].concat(), Closed(1002)),
        case("5.2", "an empty message", masked(FINAL | TEXT, b""), Refused),
        case("5.2", "125 bytes", masked(FINAL | TEXT, &padded(125)), Pong),
        case("5.2", "126 bytes", masked(FINAL | TEXT, &padded(126)), Pong),
        case("5.2", "127 bytes", masked(FINAL | TEXT, &padded(127)), Pong),
        case("5.2", "RSV1 without an extension", masked(FINAL | RSV1 | TEXT, PING), Closed(1002)),
        case("5.2", "RSV2", masked(FINAL | 0x20 | TEXT, PING), Closed(1002)),
        case("5.2", "RSV3", masked(FINAL | 0x10 | TEXT, PING), Closed(1002)),
        case("5.2", "all reserved bits, on a ping", masked(FINAL | 0x70 | PING_FRAME, b""), Closed(1002)),
        case("5.6", "a binary message", masked(FINAL | BINARY, PING), Closed(1003)),
    ];
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        cases.push(case("5.2", "a reserved opcode", masked(FINAL | opcode, b""), Closed(1002)));
    }
    // The shortest form of a length is the only one.
    let mask = [0; 4];
    let long_form = [&[FINAL | TEXT, 0x80 | 126, 0, PING.len() as u8], &mask[..], PING].concat();
    cases.push(case("5.2", "16 bits for a short length", long_form, Closed(1002)));
    let longer = [&[FINAL | TEXT, 0x80 | 127], &(PING.len() as u64).to_be_bytes()[..], &mask, PING].concat();
    cases.push(case("5.2", "64 bits for a short length", longer, Closed(1002)));
    cases
}

fn fragments() -> Vec<Case> {
    let (head, tail) = PING.split_at(7);
    let bytewise: Vec<u8> = PING
        .iter()
        .enumerate()
        .flat_map(|(at, byte)| masked(if at == 0 { TEXT } else { 0 }, &[*byte]))
        .collect();
    vec![
        case("5.4", "two fragments", [masked(TEXT, head), masked(FINAL, tail)].concat(), Pong),
        case(
            "5.4",
            "a fragment a byte, and an empty last one",
            [bytewise, masked(FINAL, b"")].concat(),
            Pong,
        ),
        case(
            "5.4",
            "empty fragments around it",
            [masked(TEXT, b""), masked(0, b""), masked(0, PING), masked(FINAL, b"")].concat(),
            Pong,
        ),
        case(
            "5.4",
            "a ping between fragments",
            [masked(TEXT, head), masked(FINAL | PING_FRAME, b"in between"), masked(FINAL, tail)].concat(),
            Answer::PongFrame(b"in between".to_vec()),
        ),
        case("5.4", "a continuation of nothing", masked(FINAL, PING), Closed(1002)),
        case(
            "5.4",
            "a message inside a message",
            [masked(TEXT, head), masked(FINAL | TEXT, PING)].concat(),
            Closed(1002),
        ),
        case(
            "5.4",
            "a continuation after the last fragment",
            [masked(TEXT, b""), masked(FINAL, b"x"), masked(FINAL, tail)].concat(),
            Refused,
        ),
    ]
}

fn control_frames() -> Vec<Case> {
    let full = [b'p'; 125];
    let mut cases = vec![
        case("5.5.2", "an empty ping", masked(FINAL | PING_FRAME, b""), Answer::PongFrame(Vec::new())),
        case(
            "5.5.2",
            "a ping of bytes",
            masked(FINAL | PING_FRAME, &[0, 0xFF]),
            Answer::PongFrame(vec![0, 0xFF]),
        ),
        case("5.5.2", "a full ping", masked(FINAL | PING_FRAME, &full), Answer::PongFrame(full.to_vec())),
        case("5.5", "a ping of 126 bytes", masked(FINAL | PING_FRAME, &[0; 126]), Closed(1002)),
        case("5.5", "a fragmented ping", masked(PING_FRAME, b""), Closed(1002)),
        case("5.5", "a fragmented close", masked(CLOSE, b""), Closed(1002)),
        case(
            "5.5.3",
            "a pong that was not asked for",
            [masked(FINAL | PONG_FRAME, b"x"), masked(FINAL | TEXT, PING)].concat(),
            Pong,
        ),
        case("5.5.1", "a close without a code", masked(FINAL | CLOSE, b""), Closed(1000)),
        case("5.5.1", "a close with half a code", masked(FINAL | CLOSE, &[3]), Closed(1002)),
        case("5.5.1", "a close with a reason", close(1000, "tschüß".as_bytes()), Closed(1000)),
        case("5.5.1", "a close with the longest reason", close(1000, &[b'r'; 123]), Closed(1000)),
        case("5.5.1", "a close that is too long", close(1000, &[b'r'; 124]), Closed(1002)),
        case(
            "5.5.1",
            "a close with a reason that is not UTF-8",
            close(1000, &[0xCE, 0xBA, 0xE1]),
            Closed(1007),
        ),
        case(
            "5.5.1",
            "a message after the close",
            [close(1000, b""), masked(FINAL | TEXT, PING)].concat(),
            Closed(1000),
        ),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        cases.push(case("7.4", "a code that may be sent", close(code, b""), Closed(1000)));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(case("7.4", "a code that must not be sent", close(code, b""), Closed(1002)));
    }
    cases
}

fn texts() -> Vec<Case> {
    let text = "κόσμε 𝄞 \u{10FFFF}".as_bytes();
    let (head, tail) = text.split_at(1);
    let mut cases = vec![
        case("8.1", "text of every width", masked(FINAL | TEXT, text), Refused),
        case("8.1", "a character cut in two", [masked(TEXT, head), masked(FINAL, tail)].concat(), Refused),
    ];
    for (what, bytes) in [
        ("a lone continuation byte", &[0x80][..]),
        ("a cut character", &[0xCE, 0xBA, 0xE1, 0xBD]),
        ("an overlong slash", &[0xC0, 0xAF]),
        ("a surrogate", &[0xED, 0xA0, 0x80]),
        ("beyond the last character", &[0xF4, 0x90, 0x80, 0x80]),
        ("a byte that never occurs", &[0xFE]),
    ] {
        cases.push(case("8.1", what, masked(FINAL | TEXT, bytes), Closed(1007)));
    }
    cases
}

fn sizes() -> Vec<Case> {
    let limit = padded(MESSAGE_BYTES_MAX);
    let (head, tail) = limit.split_at(3_000);
    let announced = [&[FINAL | TEXT, 0x80 | 127], &u64::MAX.to_be_bytes()[..], &[0; 4]].concat();
    vec![
        case("10.4", "a message at the limit", masked(FINAL | TEXT, &limit), Pong),
        case("10.4", "one byte more", masked(FINAL | TEXT, &padded(MESSAGE_BYTES_MAX + 1)), Closed(1009)),
        case("10.4", "fragments at the limit", [masked(TEXT, head), masked(FINAL, tail)].concat(), Pong),
        case(
            "10.4",
            "fragments beyond it",
            [masked(TEXT, &limit), masked(FINAL, b"x")].concat(),
            Closed(1009),
        ),
        case("10.4", "a length that is announced only", announced, Closed(1009)),
    ]
}

fn compressed() -> Vec<Case> {
    let small = deflate(&padded(400)).unwrap();
    let (head, tail) = small.split_at(9);
    let bomb = deflate(&vec![b'x'; 1_000_000]).unwrap();
    let text = FINAL | RSV1 | TEXT;
    // A reference to what an earlier message held: context takeover, which was not agreed on.
    let reference = [0xf2, 0x00, 0x11, 0x00, 0x00];
    vec![
        case("7692 7.2.3.1", "the example", masked(text, &HELLO), Refused),
        case("7692 6", "a compressed command", masked(text, &small), Pong),
        case("7692 6", "an uncompressed one all the same", masked(FINAL | TEXT, PING), Pong),
        case("7692 6.1", "in fragments", [masked(RSV1 | TEXT, head), masked(FINAL, tail)].concat(), Pong),
        case(
            "7692 6.1",
            "the bit on a later fragment",
            [masked(RSV1 | TEXT, head), masked(FINAL | RSV1, tail)].concat(),
            Closed(1002),
        ),
        case("7692 6", "the bit on a ping", masked(FINAL | RSV1 | PING_FRAME, b""), Closed(1002)),
        case("7692 7.2.3.6", "an empty message", masked(text, &[0x00]), Refused),
        case("7692 7.2.2", "no deflate at all", masked(text, &[0x07, 0xFF, 0xFF]), Closed(1007)),
        case(
            "7692 7.1.1",
            "the window of the last message",
            masked(text, &HELLO).into_iter().chain(masked(text, &reference)).collect::<Vec<u8>>(),
            Refused,
        ),
        case("7692 8", "a bomb", masked(text, &bomb), Closed(1009)),
        case(
            "7692 8",
            "not UTF-8 once inflated",
            masked(text, &deflate(&[0xFF; 300]).unwrap()),
            Closed(1007),
        ),
    ]
}

async fn answer(viewer: &mut Viewer, bytes: Vec<u8>, piece: usize) -> Answer {
    viewer
        .with(move |socket| {
            for piece in bytes.chunks(piece) {
                // The server may close before it has all of it.
                if socket.get_mut().write_all(piece).is_err() {
                    break;
                }
            }
            match socket.read() {
                Ok(Message::Text(text)) if text.contains("\"pong\"") => Pong,
                Ok(Message::Text(text)) if text.contains("\"error\"") => Refused,
                Ok(Message::Pong(payload)) => Answer::PongFrame(payload.to_vec()),
                Ok(Message::Close(Some(frame))) => Closed(frame.code.into()),
                other => panic!("unexpected {other:?}"),
            }
        })
        .await
}

async fn check(cases: Vec<Case>, deflate: bool) {
    let limits = SessionSettings {
        message_bytes_max: MESSAGE_BYTES_MAX,
        messages_per_second: 100_000,
        silent_after: Duration::from_secs(60),
        ..settings()
    };
    let world = World::new(limits).await;
    for Case { section, what, bytes, answer: expected } in cases {
        for piece in [bytes.len(), 1] {
            let local = std::net::Ipv4Addr::LOCALHOST.into();
            let mut viewer = world.connect_as(Connection { deflate, ..Connection::plain(local) }).await;
            let got = answer(&mut viewer, bytes.clone(), piece).await;
            assert_eq!(got, expected, "section {section}: {what}, in pieces of {piece}");
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_as_the_rfc_says() {
    check(framing(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fragments_are_as_the_rfc_says() {
    check(fragments(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_frames_are_as_the_rfc_says() {
    check(control_frames(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_as_the_rfc_says() {
    check(texts(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_limited() {
    check(sizes(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_is_as_the_rfc_says() {
    check(compressed(), true).await;
    // What holds without it holds with it.
    let plain = [fragments(), control_frames(), texts(), sizes()];
    check(plain.into_iter().flatten().collect(), true).await;
}
