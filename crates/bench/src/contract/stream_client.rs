//! Clients of the stream that only count: sockets and event streams, in large numbers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How a client receives states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// `/ws/heatmap`.
    Socket,
    /// `/v1/stream`.
    Events,
}

/// A stream of states as a client requests it.
#[derive(Debug, Clone)]
pub(super) struct StreamRequest {
    pub(super) transport: Transport,
    pub(super) symbol: String,
    /// `snapshot` or `delta`.
    pub(super) mode: &'static str,
    /// Seconds between states; the server's own rhythm without.
    pub(super) update_interval: Option<f64>,
}

/// Totals over all clients.
#[derive(Debug, Default)]
pub(super) struct ReceivedCounts {
    /// Snapshots and deltas.
    pub(super) states: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Connections that ended before they were asked to.
    pub(super) lost: AtomicU64,
    /// Why the first of them ended. Locked for a copy.
    fault: Mutex<Option<String>>,
}

impl ReceivedCounts {
    fn fault(&self) -> MutexGuard<'_, Option<String>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Clients that follow until they are dropped.
pub(super) struct Crowd {
    pub(super) received: Arc<ReceivedCounts>,
    _clients: JoinSet<()>,
}

impl Crowd {
    /// Connects this number of clients, and waits until each has a state.
    ///
    /// # Errors
    /// When one of them gets none in time.
    pub(super) async fn connect(
        address: SocketAddr,
        clients: usize,
        request: &StreamRequest,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let received = Arc::new(ReceivedCounts::default());
        let mut tasks = JoinSet::new();
        let (ready, mut readied) = tokio::sync::mpsc::channel(clients.max(1));
        for _ in 0..clients {
            let (received, request, ready, stop) =
                (Arc::clone(&received), request.clone(), ready.clone(), stop.clone());
            tasks.spawn(async move {
                let mut first = Some(ready);
                let listening = listen(address, &request, |length| {
                    received.states.fetch_add(1, Ordering::Relaxed);
                    received.bytes.fetch_add(length as u64, Ordering::Relaxed);
                    // There is room for one of every client.
                    first.take().map(|first| first.try_send(()));
                });
                tokio::select! {
                    ended = listening => {
                        received.lost.fetch_add(1, Ordering::Relaxed);
                        if let Err(error) = ended {
                            received.fault().get_or_insert_with(|| error.to_string());
                        }
                    }
                    () = stop.cancelled() => {}
                }
            });
        }
        drop(ready);
        let all = async {
            for connected in 0..clients {
                readied.recv().await.with_context(|| {
                    let fault = received.fault().take().unwrap_or_default();
                    format!("only {connected} clients got a state: {fault}")
                })?;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, all).await.context("not every client got a state in a minute")??;
        Ok(Self { received, _clients: tasks })
    }
}

/// Follows, and hands on the length of every state, until the connection ends.
async fn listen(
    address: SocketAddr,
    request: &StreamRequest,
    mut on_state: impl FnMut(usize),
) -> anyhow::Result<()> {
    let mut stream = open(address, request).await?;
    let mut buffer = Vec::with_capacity(16 * 1_024);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        let mut used = 0;
        while let Some(message) = next_message(&buffer[used..], request.transport)? {
            used += message.end;
            let content = &buffer[used - message.end..][message.start..message.end];
            match message.kind {
                Kind::State => on_state(content.len()),
                // The mask is zero, which leaves the content as it is.
                Kind::Ping => {
                    let mut pong = vec![0x8a, 0x80 | u8::try_from(content.len())?, 0, 0, 0, 0];
                    pong.extend_from_slice(content);
                    stream.write_all(&pong).await?;
                }
                Kind::Other => {}
            }
        }
        buffer.drain(..used);
    }
}

/// Asks, and reads the head of the answer.
async fn open(address: SocketAddr, request: &StreamRequest) -> anyhow::Result<TcpStream> {
    let StreamRequest { transport, symbol, mode, update_interval } = request;
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let head = match transport {
        Transport::Socket => format!(
            "GET /ws/heatmap HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
        Transport::Events => {
            let interval = update_interval.map(|it| format!("&update_interval={it}")).unwrap_or_default();
            format!(
                "GET /v1/stream?symbols={symbol}&mode={mode}{interval} HTTP/1.1\r\nHost: {address}\r\n\r\n"
            )
        }
    };
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.context("no answer")?);
    }
    let wanted = match transport {
        Transport::Socket => b"HTTP/1.1 101",
        Transport::Events => b"HTTP/1.1 200",
    };
    anyhow::ensure!(answer.starts_with(wanted), "refused: {}", String::from_utf8_lossy(&answer));
    if *transport == Transport::Socket {
        let interval = update_interval.map(|it| format!(r#","update_interval":{it}"#)).unwrap_or_default();
        let text = format!(r#"{{"action":"subscribe","symbols":["{symbol}"],"mode":"{mode}"{interval}}}"#);
        // A length below 126 fits into the second byte.
        anyhow::ensure!(text.len() < 126, "too long a subscription: {text}");
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len())?, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        stream.write_all(&frame).await?;
    }
    Ok(stream)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    State,
    Ping,
    Other,
}

/// Where a message lies in what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Message {
    kind: Kind,
    start: usize,
    end: usize,
}

/// The first whole message; `None` until there is one.
fn next_message(bytes: &[u8], transport: Transport) -> anyhow::Result<Option<Message>> {
    match transport {
        Transport::Socket => next_frame(bytes),
        Transport::Events => Ok(next_event(bytes)),
    }
}

fn next_frame(bytes: &[u8]) -> anyhow::Result<Option<Message>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (length, start) = match (second, rest) {
        (126, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 4),
        (127, eight) if eight.len() >= 8 => {
            let mut length = [0; 8];
            length.copy_from_slice(&eight[..8]);
            (usize::try_from(u64::from_be_bytes(length))?, 10)
        }
        (126 | 127, _) => return Ok(None),
        (short, _) => (usize::from(*short), 2),
    };
    let end = start + length;
    let Some(content) = bytes.get(start..end) else { return Ok(None) };
    let kind = match first {
        0x81 if is_state(content) => Kind::State,
        0x89 => Kind::Ping,
        0x88 => bail!("closed: {}", String::from_utf8_lossy(content.get(2..).unwrap_or_default())),
        _ => Kind::Other,
    };
    Ok(Some(Message { kind, start, end }))
}

fn next_event(bytes: &[u8]) -> Option<Message> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")? + 2;
    let event = &bytes[..end];
    let is_state = [&b"event: snapshot\n"[..], b"event: delta\n"]
        .iter()
        .any(|name| event.windows(name.len()).any(|part| part == *name));
    Some(Message { kind: if is_state { Kind::State } else { Kind::Other }, start: 0, end })
}

fn is_state(text: &[u8]) -> bool {
    text.starts_with(br#"{"type":"snapshot""#) || text.starts_with(br#"{"type":"delta""#)
}

/// How evenly states of one client arrived.
#[derive(Debug, Default)]
pub(super) struct Silence {
    pub(super) states: u64,
    /// The longest time without a state, heartbeats not counted.
    pub(super) longest: Duration,
}

/// Follows with one client for a time.
///
/// # Errors
/// When the connection ends before that, with the reason.
pub(super) async fn stream_for(
    address: SocketAddr,
    request: &StreamRequest,
    duration: Duration,
    stop: &CancellationToken,
) -> anyhow::Result<Silence> {
    let (mut silence, mut last) = (Silence::default(), Instant::now());
    let listening = listen(address, request, |_| {
        let now = Instant::now();
        silence.states += 1;
        silence.longest = silence.longest.max(now.duration_since(last));
        last = now;
    });
    tokio::select! {
        ended = listening => ended?,
        () = tokio::time::sleep(duration) => {}
        () = stop.cancelled() => {}
    }
    silence.longest = silence.longest.max(last.elapsed());
    Ok(silence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_at_their_lengths() {
        let long = format!(r#"{{"type":"snapshot","x":"{}"}}"#, "y".repeat(200));
        let mut bytes = vec![0x89, 2, b'h', b'i', 0x81, 126];
        bytes.extend_from_slice(&u16::try_from(long.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(long.as_bytes());
        let ping = next_frame(&bytes).unwrap().unwrap();
        assert_eq!((ping.kind, ping.start, ping.end), (Kind::Ping, 2, 4));
        let rest = &bytes[ping.end..];
        for part in 0..rest.len() {
            assert_eq!(next_frame(&rest[..part]).unwrap(), None, "{part}");
        }
        let state = next_frame(rest).unwrap().unwrap();
        assert_eq!((state.kind, state.end - state.start), (Kind::State, long.len()));
        assert!(next_frame(&[0x88, 2, 3, 0xe8]).is_err());
    }

    #[test]
    fn events_are_cut_at_empty_lines() {
        let text = b": \n\nid: a:1\nevent: snapshot\ndata: {}\n\nid: a:1\nevent: sta";
        let comment = next_event(text).unwrap();
        assert_eq!((comment.kind, comment.end), (Kind::Other, 4));
        let state = next_event(&text[4..]).unwrap();
        assert_eq!(state.kind, Kind::State);
        assert_eq!(next_event(&text[4 + state.end..]), None);
    }
}
