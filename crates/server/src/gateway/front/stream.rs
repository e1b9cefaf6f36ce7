//! A TCP stream with a timeout for writes.
//!
//! A write without progress for the timeout fails, which ends the connection: a client that asks and does not read
//! cannot hold its place. Progress means that the kernel accepted bytes. Its buffer is large and it accepts more only
//! when about a third of it is free, so a client that reads a byte now and then makes no progress either.

#![expect(
    clippy::disallowed_methods,
    reason = "the shell of a connection: its places and deadlines run by the clock"
)]

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Learns when a client stops accepting bytes, when it goes on, and when everything is written.
pub(crate) trait StallObserver: Unpin + Send {
    /// Nothing was accepted since this moment; `None`: something was accepted again.
    fn set_stalled(&mut self, since: Option<std::time::Instant>);

    /// There is nothing left to write.
    fn flushed(&mut self);
}

/// A TCP stream with a timeout for writes.
pub(crate) struct WriteTimeoutStream<S> {
    stream: TcpStream,
    timeout: Duration,
    /// Set while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    observer: S,
}

impl<S: StallObserver> WriteTimeoutStream<S> {
    pub(super) const fn new(stream: TcpStream, timeout: Duration, observer: S) -> Self {
        Self { stream, timeout, deadline: None, observer }
    }

    /// Passes on the outcome of an attempt to write, or the error of a timeout.
    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.deadline.take().is_some() {
                self.observer.set_stalled(None);
            }
            return written;
        }
        let timeout = self.timeout;
        let deadline = match &mut self.deadline {
            Some(deadline) => deadline,
            empty => {
                let now = Instant::now();
                self.observer.set_stalled(Some(now.into_std()));
                empty.insert(Box::pin(sleep_until(now + timeout)))
            }
        };
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl<S> WriteTimeoutStream<S> {
    /// The stream without the timeout.
    pub(crate) fn into_inner(self) -> TcpStream {
        self.stream
    }
}

impl<S: Unpin> AsyncRead for WriteTimeoutStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: StallObserver> AsyncWrite for WriteTimeoutStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watch(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The HTTP implementation flushes when its own buffer is empty.
        let this = self.get_mut();
        this.observer.flushed();
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
