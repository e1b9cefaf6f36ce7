//! One client: reads its commands, and whenever its socket takes more, writes the newest state.
//!
//! The loop never holds more than the outbox. States are made only when the outbox is empty, so a client that
//! takes nothing costs nothing, and what it gets when it wakes up is the newest.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use liqheat_market::UnixMs;
use liqheat_wire::{
    ClientCommand, CloseCode, ErrorCode, ServerMessage, Subscribe, WarningCode, format_time, parse_command,
};
use socket2::SockRef;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::frame;
use crate::hub::Hub;
use crate::outbox::Outbox;
use crate::reader::{ClientMessage, FrameReader, ReadError};
use crate::stats::StreamCounters;
use crate::subscription::Subscription;

/// Limits and rhythms of sessions.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Sockets at once; more are refused before the upgrade.
    pub connections_max: u64,
    /// Largest message of a client.
    pub message_bytes_max: usize,
    /// Messages of one client within a second.
    pub messages_per_second: u32,
    /// Symbols one client may be subscribed to.
    pub subscriptions_max: usize,
    /// A client that never subscribes is closed after this.
    pub subscribe_within: Duration,
    /// Time between pings of the server.
    pub ping_every: Duration,
    /// A client without any sign of life for this long is closed.
    pub silent_after: Duration,
    /// A status is sent when nothing else was for this long.
    pub status_every: Duration,
    /// A write that cannot finish within this marks the client slow.
    pub slow_after: Duration,
    /// So many states missed while a write waits mark the client slow, too.
    pub missed_max: u64,
    /// A client that takes nothing for this long is closed.
    pub stalled_after: Duration,
    /// Before the server stops, its clients are sent away one by one within this.
    pub drain_window: Duration,
    /// The wall clock, for the time in a pong.
    pub wall_clock: fn() -> UnixMs,
}

/// All sessions of this server.
#[derive(Debug)]
pub struct Sessions {
    hub: Arc<Hub>,
    settings: SessionSettings,
    tracker: TaskTracker,
    closing: CancellationToken,
    next_id: AtomicU64,
}

impl Sessions {
    /// No sessions yet; cancelling `closing` ends all that come.
    #[must_use]
    pub fn new(hub: Arc<Hub>, settings: SessionSettings, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self { hub, settings, tracker: TaskTracker::new(), closing, next_id: AtomicU64::new(1) })
    }

    /// The boards that are served.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Takes a place for one more connection; `None` when all are taken. The place is given back on drop.
    #[must_use]
    pub fn reserve(self: &Arc<Self>) -> Option<Place> {
        let active = &self.hub.counters.active_connections;
        let most = self.settings.connections_max;
        active
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1))
            .ok()
            .map(|_| Place { counters: Arc::clone(&self.hub.counters) })
    }

    /// Runs a task that ends with the server: awaited by [`Sessions::drained`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Waits until every session has ended; to be called after `closing` was cancelled.
    pub async fn drained(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// One of the connections that are allowed at once.
#[derive(Debug)]
pub struct Place {
    counters: Arc<StreamCounters>,
}

impl Drop for Place {
    fn drop(&mut self) {
        StreamCounters::sub(&self.counters.active_connections, 1);
    }
}

/// How states are written to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON in text frames.
    Json,
    /// The compact form in binary frames.
    Binary,
}

/// What the handshake agreed on with one client.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The client's address.
    pub peer: std::net::IpAddr,
    /// How states are written.
    pub encoding: Encoding,
    /// Whether frames may be compressed.
    pub deflate: bool,
    /// When the client's right to listen ends.
    pub expires_at: Option<Instant>,
}

/// Serves one upgraded socket to its end. `early` is what the client sent before the upgrade was complete.
pub async fn serve_socket(
    sessions: Arc<Sessions>,
    place: Place,
    stream: TcpStream,
    early: Bytes,
    connection: Connection,
) {
    let Connection { peer, .. } = connection;
    let connected = Instant::now();
    let id = sessions.next_id.fetch_add(1, Ordering::Relaxed);
    if let Err(error) = tune(&stream) {
        debug!(event = "ws_error", session = id, %error, "socket options refused");
    }
    let counters = &sessions.hub.counters;
    let active = counters.active_connections.load(Ordering::Relaxed);
    info!(event = "ws_connect", session = id, client_ip = %peer, active_connections = active);
    let mut session = Session::new(id, &sessions, connected);
    let end = session.run(&stream, &early).await;
    session.leave_all();
    let (reason, sent) = (end.reason(), session.bytes_sent);
    finish(stream, end, session.outbox).await;
    drop(place);
    info!(
        event = "ws_disconnect",
        session = id,
        client_ip = %peer,
        reason,
        duration_ms = connected.elapsed().as_millis() as u64,
        bytes_sent = sent,
        active_connections = counters.active_connections.load(Ordering::Relaxed),
    );
}

/// Nagle would hold a small state back; a large send buffer would hide megabytes of stale data from the
/// backpressure that lets a slow client skip states.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_notsent_lowat(16 * 1_024)?;
    Ok(())
}

/// Says goodbye and waits a moment for the client to close, so that the last frame is not lost in a reset.
async fn finish(mut stream: TcpStream, end: End, mut outbox: Outbox) {
    const GOODBYE: Duration = Duration::from_secs(1);
    let code = match end {
        End::Closed(code) => code,
        End::Gone(_) => return,
    };
    outbox.push(frame::close(code));
    let goodbye = async {
        while !outbox.is_empty() {
            stream.writable().await?;
            outbox.flush(|bytes| stream.try_write(bytes))?;
        }
        stream.shutdown().await?;
        let mut rest = [0; 512];
        loop {
            stream.readable().await?;
            match stream.try_read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err::<(), io::Error>(error),
            }
        }
    };
    // Whether the client hears it or not, the connection ends here.
    let _ = timeout(GOODBYE, goodbye).await;
}

/// Why a session ended.
#[derive(Debug)]
enum End {
    /// We close, with this code.
    Closed(CloseCode),
    /// The connection broke.
    Gone(io::ErrorKind),
}

impl End {
    fn reason(&self) -> String {
        match self {
            Self::Closed(code) => code.reason().to_owned(),
            Self::Gone(kind) => kind.to_string(),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Gone(error.kind())
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Self::Closed(match error {
            ReadError::Protocol(_) => CloseCode::ProtocolError,
            ReadError::TooBig => CloseCode::TooBig,
            ReadError::Unsupported => CloseCode::Unsupported,
            ReadError::NotUtf8 => CloseCode::InvalidPayload,
        })
    }
}

struct Session<'a> {
    id: u64,
    hub: &'a Hub,
    settings: &'a SessionSettings,
    closing: &'a CancellationToken,
    wake: Arc<Notify>,
    subscriptions: BTreeMap<String, Subscription>,
    reader: FrameReader,
    outbox: Outbox,
    last_seen: Instant,
    last_ping: Instant,
    /// Since when the socket has taken nothing of a waiting frame.
    blocked_since: Option<Instant>,
    slow: bool,
    bytes_sent: u64,
}

impl<'a> Session<'a> {
    fn new(id: u64, sessions: &'a Sessions, now: Instant) -> Self {
        Self {
            id,
            hub: &sessions.hub,
            settings: &sessions.settings,
            closing: &sessions.closing,
            wake: Arc::new(Notify::new()),
            subscriptions: BTreeMap::new(),
            reader: FrameReader::new(sessions.settings.message_bytes_max),
            outbox: Outbox::default(),
            last_seen: now,
            last_ping: now,
            blocked_since: None,
            slow: false,
            bytes_sent: 0,
        }
    }

    async fn run(&mut self, stream: &TcpStream, early: &[u8]) -> End {
        let Err(end) = self.serve(stream, early).await;
        end
    }

    async fn serve(&mut self, stream: &TcpStream, early: &[u8]) -> Result<Infallible, End> {
        self.take_bytes(early, Instant::now())?;
        loop {
            let now = Instant::now();
            self.fill(now);
            self.flush(stream, now)?;
            self.check(now)?;
            let wanted = match (self.outbox.is_empty(), self.outbox.is_full()) {
                (true, _) => Interest::READABLE,
                (false, false) => Interest::READABLE | Interest::WRITABLE,
                (false, true) => Interest::WRITABLE,
            };
            let wake = Arc::clone(&self.wake);
            tokio::select! {
                ready = stream.ready(wanted) => {
                    if ready?.is_readable() && !self.outbox.is_full() {
                        self.read(stream)?;
                    }
                }
                () = wake.notified() => {}
                () = sleep_until(self.next_deadline()) => {}
                () = self.closing.cancelled() => return Err(End::Closed(CloseCode::Restart)),
            }
        }
    }

    fn read(&mut self, stream: &TcpStream) -> Result<(), End> {
        // On the stack only while reading: an idle session holds no read buffer.
        let mut bytes = [0; 4 * 1_024];
        loop {
            match stream.try_read(&mut bytes) {
                Ok(0) => return Err(End::Gone(io::ErrorKind::UnexpectedEof)),
                Ok(count) => self.take_bytes(&bytes[..count], Instant::now())?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if self.outbox.is_full() {
                return Ok(());
            }
        }
    }

    fn take_bytes(&mut self, bytes: &[u8], now: Instant) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.last_seen = now;
        self.reader.push(bytes);
        while let Some(message) = self.reader.next_message()? {
            match message {
                ClientMessage::Text(text) => self.command(&text, now),
                ClientMessage::Ping(payload) => self.outbox.push(frame::pong(&payload)),
                ClientMessage::Pong => {}
                ClientMessage::Close => return Err(End::Closed(CloseCode::Normal)),
            }
        }
        Ok(())
    }

    fn command(&mut self, text: &str, now: Instant) {
        match parse_command(text) {
            Ok(ClientCommand::Subscribe(subscribe)) => self.subscribe(subscribe, now),
            Ok(ClientCommand::Unsubscribe(symbols)) => self.unsubscribe(&symbols),
            Ok(ClientCommand::Ping) => {
                let timestamp = format_time((self.settings.wall_clock)());
                self.say(&ServerMessage::Pong { timestamp: &timestamp });
            }
            Err(error) => self.refuse(error.code, &error.message),
        }
    }

    fn subscribe(&mut self, mut subscribe: Subscribe, now: Instant) {
        let tick = self.hub.settings().update_interval;
        for symbol in &subscribe.symbols {
            let Some(slot) = self.hub.slot(symbol) else {
                self.refuse(ErrorCode::InvalidSymbol, &self.hub.unknown_symbol(symbol));
                continue;
            };
            let resume = subscribe.resume.remove(symbol);
            let (mode, wish) = (subscribe.mode, subscribe.update_interval_s);
            let subscription = Subscription::new(Arc::clone(slot), mode, wish, tick, resume, now);
            slot.join(self.id, Arc::clone(&self.wake));
            info!(event = "ws_subscribe", session = self.id, symbol);
            let before_first_state = slot.with_board(|_| ()).is_none();
            if before_first_state {
                // There is no state to answer with yet; say so instead of saying nothing.
                self.outbox.push(slot.status_frame());
            }
            self.subscriptions.insert(symbol.clone(), subscription);
        }
    }

    fn unsubscribe(&mut self, symbols: &[String]) {
        for symbol in symbols {
            if self.hub.slot(symbol).is_none() {
                self.refuse(ErrorCode::InvalidSymbol, &self.hub.unknown_symbol(symbol));
            } else if let Some(subscription) = self.subscriptions.remove(symbol) {
                subscription.slot().leave(self.id);
                info!(event = "ws_unsubscribe", session = self.id, symbol);
            }
        }
    }

    fn refuse(&mut self, code: ErrorCode, message: &str) {
        StreamCounters::add(&self.hub.counters.client_errors, 1);
        debug!(event = "ws_error", session = self.id, ?code, message);
        self.say(&ServerMessage::Error { code, message });
    }

    fn say(&mut self, message: &ServerMessage<'_>) {
        self.outbox.push(frame::text(&message.to_json()));
    }

    /// Puts the newest states into an empty outbox; into any other nothing, for the client is not ready.
    fn fill(&mut self, now: Instant) {
        if !self.outbox.is_empty() {
            return;
        }
        if self.slow {
            self.warn_slow();
        }
        for subscription in self.subscriptions.values_mut() {
            if let Some(frame) = subscription.take_frame(now) {
                self.outbox.push(frame.bytes);
            }
            if subscription.take_status(now, self.settings.status_every) {
                self.outbox.push(subscription.slot().status_frame());
            }
        }
        if now >= self.last_ping + self.settings.ping_every {
            self.last_ping = now;
            self.outbox.push(frame::ping());
        }
    }

    /// The client can be written to again: how many states it will never see, before the newest one.
    fn warn_slow(&mut self) {
        let skipped: u64 = self.subscriptions.values().map(|s| s.missed().saturating_sub(1)).sum();
        StreamCounters::add(&self.hub.counters.updates_skipped, skipped);
        StreamCounters::sub(&self.hub.counters.slow_consumers, 1);
        self.slow = false;
        let message = format!("Client too slow: {skipped} updates were skipped, the newest state follows");
        self.say(&ServerMessage::Warning {
            code: WarningCode::SlowConsumer,
            message: &message,
            dropped_messages: skipped,
        });
    }

    fn flush(&mut self, stream: &TcpStream, now: Instant) -> Result<(), End> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let flushed = self.outbox.flush(|bytes| stream.try_write(bytes))?;
        if flushed.frames > 0 {
            let counters = &self.hub.counters;
            StreamCounters::add(&counters.messages_sent, flushed.frames);
            counters.sent_1m.add((self.settings.wall_clock)().0.unsigned_abs() / 1_000, flushed.frames);
        }
        if flushed.bytes > 0 {
            self.bytes_sent += flushed.bytes as u64;
            StreamCounters::add(&self.hub.counters.bytes_sent, flushed.bytes as u64);
        }
        if self.outbox.is_empty() {
            self.blocked_since = None;
        } else if flushed.bytes > 0 || self.blocked_since.is_none() {
            self.blocked_since = Some(now);
        }
        Ok(())
    }

    fn check(&mut self, now: Instant) -> Result<(), End> {
        if now >= self.last_seen + self.settings.silent_after {
            return Err(End::Closed(CloseCode::Silent));
        }
        let Some(blocked_since) = self.blocked_since else {
            return Ok(());
        };
        if now >= blocked_since + self.settings.stalled_after {
            return Err(End::Closed(CloseCode::Stalled));
        }
        let missed_too_many = || self.subscriptions.values().any(|s| s.missed() > self.settings.missed_max);
        if !self.slow && (now >= blocked_since + self.settings.slow_after || missed_too_many()) {
            self.slow = true;
            StreamCounters::add(&self.hub.counters.slow_consumers, 1);
            StreamCounters::add(&self.hub.counters.slow_consumers_total, 1);
            warn!(
                event = "slow_consumer",
                session = self.id,
                blocked_ms = (now - blocked_since).as_millis() as u64
            );
        }
        Ok(())
    }

    fn next_deadline(&self) -> Instant {
        let silent = self.last_seen + self.settings.silent_after;
        if let Some(blocked_since) = self.blocked_since {
            // Nothing can be written now: only the limits matter, and the socket itself.
            let limit = if self.slow { self.settings.stalled_after } else { self.settings.slow_after };
            return silent.min(blocked_since + limit);
        }
        let ping = self.last_ping + self.settings.ping_every;
        let heartbeat = self.settings.status_every;
        let subscriptions = self.subscriptions.values().map(|s| s.next_deadline(heartbeat));
        subscriptions.fold(silent.min(ping), Instant::min)
    }

    fn leave_all(&mut self) {
        for subscription in self.subscriptions.values() {
            subscription.slot().leave(self.id);
        }
        self.subscriptions.clear();
        if self.slow {
            StreamCounters::sub(&self.hub.counters.slow_consumers, 1);
        }
    }
}
