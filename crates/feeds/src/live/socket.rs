//! One connection from opening to end: subscribes, reads, answers pings, and notices when it is dead.
//!
//! A subscription that was acknowledged proves nothing; data does. The mark price never rests, so a connection
//! without one for a while is dead, and a contract without one on a living connection was forgotten by the
//! venue: then a successor is asked for.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use liqheat_market::UnixMs;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message, protocol::WebSocketConfig};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};
use tokio_util::sync::CancellationToken;

use super::line::Line;
use super::{RawKind, rest};
use crate::venues::{FrameReader, Opening, Signal, StreamKind};

/// What the venue's task hears from its lines, in order for each connection.
#[derive(Debug)]
pub(super) enum Word {
    /// A connection stands; nothing came yet.
    Opened { line: usize },
    /// Frames that came together.
    Signals { line: usize, connection: u64, received: UnixMs, frames: u64, signals: Vec<Signal> },
    /// A frame that was not understood.
    Refused { why: String, frame: String },
    /// Data comes from every contract, or from some for long enough.
    Proved { line: usize },
    /// A connection ended, or could not be opened. `last` when there is none left.
    Lost { line: usize, why: String, last: bool },
    /// A successor took over.
    RolledOver,
}

/// What a connection asks of its line.
#[derive(Debug)]
pub(super) enum Ask {
    Proved(u64),
    Replace { connection: u64, why: String },
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// It was told to.
    Stopped,
    /// Something went wrong, in words.
    Lost(String),
}

/// Frames taken in one go.
const BATCH_FRAMES: usize = 256;
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Of a frame that was not understood so much is kept for the log.
const FRAME_CHARS_KEPT: usize = 240;
/// A venue that does not answer our closing is left.
const CLOSING: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection at work.
pub(super) struct Connection<'a> {
    line: &'a Line,
    number: u64,
    asks: mpsc::Sender<Ask>,
    reader: Box<dyn FrameReader>,
    /// When each stream of each contract spoke last, by `contract * kinds + kind`.
    heard: Vec<Option<Instant>>,
    opened: Instant,
    last_mark: Instant,
    first_mark: Option<Instant>,
    proved: bool,
    asked_to_replace: Option<Instant>,
}

const KINDS: usize = StreamKind::ALL.len();

impl<'a> Connection<'a> {
    pub(super) fn new(line: &'a Line, number: u64, asks: mpsc::Sender<Ask>) -> Self {
        let now = Instant::now();
        let table = &line.table;
        Self {
            line,
            number,
            asks,
            reader: line.exchange.reader(table, line.clock.now()),
            heard: vec![None; table.contracts().len() * KINDS],
            opened: now,
            last_mark: now,
            first_mark: None,
            proved: false,
            asked_to_replace: None,
        }
    }

    /// Runs to the end.
    pub(super) async fn run(mut self, stop: CancellationToken) -> End {
        let opening = self.line.exchange.opening(&self.line.table);
        let connecting = connect(&self.line.socket_base, &opening);
        let mut socket = tokio::select! {
            () = stop.cancelled() => return End::Stopped,
            connected = tokio::time::timeout(self.line.timeout, connecting) => match connected {
                Ok(Ok(socket)) => socket,
                Ok(Err(error)) => return End::Lost(rest::chain(&error)),
                Err(_) => return End::Lost(format!("no connection within {:?}", self.line.timeout)),
            },
        };
        (self.opened, self.last_mark) = (Instant::now(), Instant::now());
        if let Some(recorder) = &self.line.recorder {
            let contracts = self.line.table.contracts().to_vec();
            let kind = RawKind::Opened { connection: self.number, contracts };
            recorder.record(self.line.exchange.venue(), self.line.clock.now(), &kind, &[]);
        }
        if !self.tell(Word::Opened { line: self.line.number }).await {
            return End::Stopped;
        }
        let end = self.follow(&mut socket, opening.messages, &stop).await;
        if let End::Stopped = end {
            let _ = tokio::time::timeout(CLOSING, socket.close(None)).await;
        }
        end
    }

    async fn follow(&mut self, socket: &mut Socket, messages: Vec<String>, stop: &CancellationToken) -> End {
        let (clock, limits) = (&self.line.clock, &self.line.limits);
        let spacing = clock.real(limits.message_spacing);
        let mut messages = messages.into_iter().peekable();
        let mut next_message = Instant::now();
        let ping_every = limits.ping.as_ref().map(|ping| clock.real(ping.every));
        let mut next_ping = Instant::now() + ping_every.unwrap_or_default();
        let watch =
            (clock.real(limits.mark_silence) / 5).clamp(Duration::from_millis(2), Duration::from_millis(500));
        let mut next_watch = Instant::now() + watch;
        loop {
            let mut wake = next_watch;
            if messages.peek().is_some() {
                wake = wake.min(next_message);
            }
            if ping_every.is_some() {
                wake = wake.min(next_ping);
            }
            tokio::select! {
                () = stop.cancelled() => return End::Stopped,
                message = socket.next() => {
                    if let Err(end) = self.take_batch(message, socket).await {
                        return end;
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = Instant::now();
            if now >= next_message
                && let Some(text) = messages.next()
            {
                if let Err(end) = self.send(socket, text).await {
                    return end;
                }
                next_message = Instant::now() + spacing;
            }
            if let (Some(every), Some(ping)) = (ping_every, &limits.ping)
                && now >= next_ping
            {
                if let Err(end) = self.send(socket, ping.text.to_owned()).await {
                    return end;
                }
                next_ping = Instant::now() + every;
            }
            if now >= next_watch {
                next_watch = now + watch;
                if let Err(end) = self.watch(now) {
                    return end;
                }
            }
        }
    }

    async fn send(&mut self, socket: &mut Socket, text: String) -> Result<(), End> {
        match tokio::time::timeout(self.line.timeout, socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(End::Lost(rest::chain(&error))),
            Err(_) => Err(End::Lost(format!("nothing sent within {:?}", self.line.timeout))),
        }
    }

    /// The message that came and those that are there already.
    async fn take_batch(
        &mut self,
        first: Option<Result<Message, tungstenite::Error>>,
        socket: &mut Socket,
    ) -> Result<(), End> {
        let received = self.line.clock.now();
        let mut signals = Vec::new();
        let mut frames = 0;
        let mut message = first;
        let end = loop {
            match message {
                Some(Ok(Message::Text(text))) => {
                    frames += 1;
                    self.take_text(text.as_bytes(), received, &mut signals).await;
                }
                Some(Ok(Message::Close(frame))) => {
                    let why =
                        frame.map_or_else(String::new, |frame| format!(" ({} {})", frame.code, frame.reason));
                    break Some(End::Lost(format!("the venue closed the connection{why}")));
                }
                // Pings are answered by the library; nothing is said in binary.
                Some(Ok(_)) => {}
                Some(Err(error)) => break Some(End::Lost(rest::chain(&error))),
                None => break Some(End::Lost("the connection ended".to_owned())),
            }
            if frames >= BATCH_FRAMES as u64 {
                break None;
            }
            match socket.next().now_or_never() {
                Some(more) => message = more,
                None => break None,
            }
        };
        self.note(&signals);
        if frames > 0 {
            let (line, connection) = (self.line.number, self.number);
            let began = Instant::now();
            if !self.tell(Word::Signals { line, connection, received, frames, signals }).await {
                return Err(End::Stopped);
            }
            // While nobody took it we did not read: that silence was ours.
            let waited = began.elapsed();
            self.last_mark += waited;
            for heard in self.heard.iter_mut().flatten() {
                *heard += waited;
            }
        }
        end.map_or(Ok(()), Err)
    }

    async fn take_text(&mut self, frame: &[u8], received: UnixMs, signals: &mut Vec<Signal>) {
        if let Some(recorder) = &self.line.recorder {
            let kind = RawKind::Frame { connection: self.number };
            recorder.record(self.line.exchange.venue(), received, &kind, frame);
        }
        if let Err(error) = self.reader.read(frame, received, signals) {
            let frame = String::from_utf8_lossy(frame).chars().take(FRAME_CHARS_KEPT).collect();
            self.tell(Word::Refused { why: error.to_string(), frame }).await;
        }
    }

    fn note(&mut self, signals: &[Signal]) {
        let now = Instant::now();
        for signal in signals {
            let (contract, stream) = match signal {
                Signal::Event { contract, event, .. } => (*contract, StreamKind::of(event)),
                Signal::Alive { contract, stream, .. } => (*contract, *stream),
                Signal::Leaving(why) => {
                    self.ask_to_replace(format!("the venue said {why}"));
                    continue;
                }
                Signal::Rejected(_) | Signal::Acknowledged | Signal::Refused(_) | Signal::Pong => continue,
            };
            if let Some(heard) = self.heard.get_mut(contract * KINDS + stream as usize) {
                *heard = Some(now);
            }
            if stream == StreamKind::Mark {
                self.last_mark = now;
                self.first_mark.get_or_insert(now);
            }
        }
    }

    /// Looks for silence.
    fn watch(&mut self, now: Instant) -> Result<(), End> {
        let (clock, limits) = (&self.line.clock, &self.line.limits);
        // The first word may take as long as connecting may.
        let patience = match self.first_mark {
            Some(_) => clock.real(limits.mark_silence),
            None => clock.real(limits.mark_silence).max(self.line.timeout),
        };
        if now.saturating_duration_since(self.last_mark) > patience {
            let acknowledged = if self.first_mark.is_none() { ", though it was subscribed to" } else { "" };
            return Err(End::Lost(format!("no mark price for {:?}{acknowledged}", limits.mark_silence)));
        }
        if !self.proved {
            let marks = self.heard.iter().skip(StreamKind::Mark as usize).step_by(KINDS);
            let waited = self.first_mark.map_or(Duration::ZERO, |first| now.saturating_duration_since(first));
            let is_proved = self.first_mark.is_some()
                && (marks.into_iter().all(Option::is_some) || waited > clock.real(limits.mark_silence * 2));
            if is_proved {
                self.proved = true;
                let _ = self.asks.try_send(Ask::Proved(self.number));
            }
        }
        if let Some(why) = self.silent_stream(now) {
            self.ask_to_replace(why);
        }
        Ok(())
    }

    fn silent_stream(&self, now: Instant) -> Option<String> {
        let (clock, limits) = (&self.line.clock, &self.line.limits);
        for (at, contract) in self.line.table.contracts().iter().enumerate() {
            for stream in StreamKind::ALL {
                let is_polled = stream == StreamKind::OpenInterest && limits.poll_open_interest.is_some();
                let Some(silence) = (limits.silence)(stream).filter(|_| !is_polled) else { continue };
                let since = self.heard[at * KINDS + stream as usize].unwrap_or(self.opened);
                // Twice as long, so that it is called stale before anything is done about it.
                if now.saturating_duration_since(since) > clock.real(silence * 2) {
                    let (stream, symbol) = (stream.name(), &contract.symbol);
                    return Some(format!("{stream} of {symbol} are silent while others speak"));
                }
            }
        }
        None
    }

    fn ask_to_replace(&mut self, why: String) {
        // The line may have its reasons not to; it is asked again later.
        const AGAIN: Duration = Duration::from_secs(60);
        let again = self.line.clock.real(AGAIN);
        if self.asked_to_replace.is_none_or(|asked| asked.elapsed() >= again) {
            self.asked_to_replace = Some(Instant::now());
            let _ = self.asks.try_send(Ask::Replace { connection: self.number, why });
        }
    }

    async fn tell(&mut self, word: Word) -> bool {
        self.line.words.send(word).await.is_ok()
    }
}

async fn connect(base: &str, opening: &Opening) -> Result<Socket, tungstenite::Error> {
    let config = WebSocketConfig::default()
        .read_buffer_size(64 << 10)
        .write_buffer_size(8 << 10)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let address = format!("{base}{}", opening.path);
    let connector = Connector::Rustls(super::tls::config());
    let (socket, _) = connect_async_tls_with_config(address, Some(config), true, Some(connector)).await?;
    Ok(socket)
}
