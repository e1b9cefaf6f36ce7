//! One client: a socket, what is known about it, and the task that waits for it.
//!
//! Two write to a socket: a round of deliveries, which comes by with every change, and the session's own task,
//! which waits for what only it can notice: the client's messages, a socket that takes more again, the passing
//! of time. Both do the same under one lock, so frames never mix, and a quiet session's task sleeps through
//! deliveries.

#![expect(clippy::disallowed_methods, reason = "the shell of a session: its timers run by the clock")]

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liqheat_wire::{Channel, CloseCode};
#[cfg(target_os = "linux")]
use rustix::{io::Errno, net::SendFlags};
use socket2::SockRef;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::connection::Connection;
use crate::core::{Core, Totals};
use crate::end::End;
use crate::event_stream::EventStream;
use crate::followers::{Delivery, Follower};
use crate::metrics::Encoding;
use crate::reader::FrameReader;
use crate::sessions::Sessions;
use crate::slot::BoardSlot;

/// A socket with its session, as those who deliver see it.
#[derive(Debug)]
pub(crate) struct ClientSession {
    id: u64,
    stream: TcpStream,
    /// Locked for the length of a write that does not wait, never across an await.
    inner: Mutex<Inner>,
    /// Asks the session's task to look again.
    wake: Notify,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    /// What the task is waiting for: a delivery that changes it must wake the task.
    wait: WaitCondition,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
struct WaitCondition {
    until: Instant,
    writable: bool,
}

impl ClientSession {
    pub(crate) fn new(core: Core, id: u64, stream: TcpStream, now: Instant) -> Arc<Self> {
        let wait = WaitCondition { until: now, writable: false };
        let inner = Mutex::new(Inner { core, wait, end: None });
        Arc::new(Self { id, stream, inner, wake: Notify::new() })
    }

    /// Begins a stream of server-sent events with its head and what is followed.
    pub(crate) fn begin_events(self: &Arc<Self>, events: EventStream, now: Instant) {
        let (head, subscribe, ids) = events.split();
        self.lock().core.begin_events(&|slot, channel| self.join(slot, channel), (head, subscribe), ids, now);
    }

    /// Adds this session to the followers of a channel.
    fn join(self: &Arc<Self>, slot: &BoardSlot, channel: Channel) {
        slot.join(channel, Arc::<Self>::clone(self));
    }

    /// What the session has done so far.
    pub(crate) fn totals(&self) -> Totals {
        self.lock().core.totals
    }

    fn deliver_by(
        &self,
        now: Instant,
        deliver: impl FnOnce(&mut Core, Instant) -> Result<Delivery, End>,
    ) -> Delivery {
        let mut inner = self.lock();
        if inner.end.is_some() {
            return Delivery::default();
        }
        match deliver(&mut inner.core, now) {
            Ok(delivery) => {
                let needs_writable = !inner.core.outbox().is_empty() && !inner.wait.writable;
                if needs_writable || delivery.needs_task && inner.core.next_deadline() < inner.wait.until {
                    self.wake.notify_one();
                }
                delivery
            }
            Err(end) => {
                inner.end = Some(end);
                self.wake.notify_one();
                Delivery::default()
            }
        }
    }

    /// Asks the kernel first, and the runtime only when the socket is full: what the runtime remembers of a socket's readiness
    /// lies elsewhere in memory and is not needed for a write that succeeds.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(target_os = "linux")]
        match rustix::net::send(&self.stream, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            written => return Ok(written?),
        }
        // Marks it as not writable, so that the task can wait for it.
        self.stream.try_write(bytes)
    }

    /// A lock that somebody panicked under marks the session as ended.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            let mut inner = PoisonError::into_inner(poisoned);
            inner.end.get_or_insert(End::Closed(CloseCode::ServerError));
            inner
        })
    }

    /// Runs until the session ends, and takes it out of all rounds, however it ends. `early` is what the client sent
    /// already.
    pub(crate) async fn run(self: &Arc<Self>, sessions: &Sessions, early: &[u8]) -> End {
        let _membership = Membership(self);
        let end = self.run_to_end(sessions, early).await;
        self.lock().end = Some(end);
        end
    }

    async fn run_to_end(self: &Arc<Self>, sessions: &Sessions, early: &[u8]) -> End {
        let (mut reader, revoked) = {
            let inner = self.lock();
            let connection = inner.core.connection();
            (Reader::new(connection, sessions), connection.grant.revoked.clone())
        };
        if let Err(end) = self.take_bytes(&mut reader, early) {
            return end;
        }
        let closing = sessions.closing().cancelled();
        tokio::pin!(closing);
        let mut revoked = Box::pin(revoked.cancelled_owned());
        let timer = sleep_until(Instant::now());
        tokio::pin!(timer);
        loop {
            let (interest, renewed) = match self.prepare(timer.as_mut()) {
                Ok(prepared) => prepared,
                Err(end) => return end,
            };
            if let Some(renewed) = renewed {
                revoked = Box::pin(renewed.cancelled_owned());
            }
            tokio::select! {
                ready = self.stream.ready(interest) => {
                    let readable = ready.map(Ready::is_readable);
                    let read = readable.map_err(End::from).and_then(|is_readable| {
                        if is_readable { self.read(&mut reader) } else { Ok(()) }
                    });
                    if let Err(end) = read {
                        return end;
                    }
                }
                () = self.wake.notified() => {}
                () = &mut timer => {}
                () = &mut revoked => return End::Closed(CloseCode::Policy),
                () = &mut closing => {
                    self.lock().core.send_goaway();
                    return End::Closed(CloseCode::Restart);
                }
            }
        }
    }

    /// Writes what remains; whether all of it is out.
    fn flush(&self) -> io::Result<bool> {
        let mut inner = self.lock();
        let flushed = inner.core.flush(|bytes| self.write(bytes), Instant::now());
        flushed.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(inner.core.outbox().is_empty())
    }

    /// Says goodbye and waits a moment for the client to close, so that the last frame is not lost in a reset.
    pub(crate) async fn say_goodbye(&self, end: End) {
        const GOODBYE: Duration = Duration::from_secs(1);
        let End::Closed(code) = end else { return };
        self.lock().core.send_close(code);
        // Whether the client hears it or not, the connection ends here.
        let _ = timeout(GOODBYE, self.drain()).await;
    }

    /// Writes what remains, and reads until the client closes.
    async fn drain(&self) -> io::Result<()> {
        while !self.flush()? {
            self.stream.writable().await?;
        }
        SockRef::from(&self.stream).shutdown(Shutdown::Write)?;
        let mut rest = [0; 512];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Does what can be done now, and returns what to wait for.
    fn prepare(&self, timer: Pin<&mut Sleep>) -> Result<(Interest, Option<CancellationToken>), End> {
        let mut inner = self.lock();
        if let Some(end) = inner.end {
            return Err(end);
        }
        inner.core.pump(|bytes| self.write(bytes), Instant::now())?;
        let outbox = inner.core.outbox();
        let interest = match (outbox.is_empty(), outbox.is_full()) {
            (true, _) => Interest::READABLE,
            (false, false) => Interest::READABLE | Interest::WRITABLE,
            (false, true) => Interest::WRITABLE,
        };
        let until = inner.core.next_deadline();
        inner.wait = WaitCondition { until, writable: interest.is_writable() };
        if timer.deadline() != until {
            timer.reset(until);
        }
        Ok((interest, inner.core.take_renewed()))
    }

    fn read(self: &Arc<Self>, reader: &mut Reader) -> Result<(), End> {
        // On the stack only while reading: an idle session holds no read buffer.
        let mut bytes = [0; 4 * 1_024];
        loop {
            match self.stream.try_read(&mut bytes) {
                Ok(0) => return Err(End::Gone(io::ErrorKind::UnexpectedEof)),
                Ok(count) => self.take_bytes(reader, &bytes[..count])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if self.lock().core.outbox().is_full() {
                return Ok(());
            }
        }
    }

    fn take_bytes(self: &Arc<Self>, reader: &mut Reader, bytes: &[u8]) -> Result<(), End> {
        // The client of an event stream has nothing to say.
        let Reader::Frames(reader) = reader else { return Ok(()) };
        if bytes.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        self.lock().core.on_read(now);
        reader.push(bytes);
        while let Some(message) = reader.next_message()? {
            let mut inner = self.lock();
            inner.core.take(&|slot, channel| self.join(slot, channel), message, now)?;
        }
        Ok(())
    }
}

impl Follower for ClientSession {
    fn id(&self) -> u64 {
        self.id
    }

    fn deliver(&self, now: Instant) -> Delivery {
        self.deliver_by(now, |core, now| core.deliver(|bytes| self.write(bytes), now))
    }

    fn deliver_channels(&self, now: Instant) -> Delivery {
        self.deliver_by(now, |core, now| core.deliver_channels(|bytes| self.write(bytes), now))
    }

    fn give_up(&self) -> Delivery {
        error!(
            event = "ws_error",
            session = self.id,
            "a delivery failed; this session ends: please report it"
        );
        // The lock is poisoned: taking it marks the session as ended, and its own task ends it.
        drop(self.lock());
        self.wake.notify_one();
        Delivery::default()
    }
}

/// Takes a session out of all rounds, however it ends.
struct Membership<'a>(&'a ClientSession);

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.0.lock().core.leave_all();
    }
}

/// What is read from a client.
enum Reader {
    /// WebSocket frames.
    Frames(FrameReader),
    /// Nothing: an event stream goes one way.
    Nothing,
}

impl Reader {
    fn new(connection: &Connection, sessions: &Sessions) -> Self {
        match connection.encoding {
            Encoding::Events => Self::Nothing,
            Encoding::Json | Encoding::Binary => {
                Self::Frames(FrameReader::new(sessions.settings().message_bytes_max, connection.deflate))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Hub, HubSettings};
    use crate::stress::settings;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_session_that_somebody_panicked_in_ends_and_says_so() {
        let hub = Hub::new(["BTCUSDT".to_owned()], HubSettings { update_interval: Duration::from_secs(1) });
        let sessions = Sessions::new(Arc::new(hub), settings(), CancellationToken::new());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let now = Instant::now();
        let core = Core::new(1, Arc::clone(&sessions), Connection::plain(peer.ip()), now);
        let session = ClientSession::new(core, 1, stream, now);
        let running = {
            let (session, sessions) = (Arc::clone(&session), Arc::clone(&sessions));
            tokio::spawn(async move { session.run(&sessions, &[]).await })
        };
        let poisoned = Arc::clone(&session);
        let panicked = std::thread::spawn(move || {
            let _inner = poisoned.lock();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(session.give_up(), Delivery::default());
        assert_eq!(running.await.unwrap(), End::Closed(CloseCode::ServerError));
        assert_eq!(session.deliver(now), Delivery::default(), "and is left alone from then on");
    }
}
