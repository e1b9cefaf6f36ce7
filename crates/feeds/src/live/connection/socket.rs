//! One connection from its opening to its end: subscribes, reads, sends pings, and ends when it brings no data.

#![expect(clippy::disallowed_methods, reason = "the shell of a connection: its timers run by the clock")]

mod signals;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use liqheat_market::UnixMs;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use super::assignment::Assignment;
use super::liveness::{Liveness, LivenessVerdict};
use super::opening::{Socket, connect};
use super::{ConnectionCommand, ConnectionContext, ConnectionEvent};
use crate::http_client::error_chain;
use crate::live::RawKind;
use crate::venues::{Signal, VenueFrameReader};

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// It was stopped.
    Stopped,
    /// Something went wrong, in words.
    Lost(String),
}

/// Frames handed on together.
const BATCH_FRAMES: u64 = 256;
/// Characters of a malformed frame that are kept for the log.
const FRAME_CHARS_MAX: usize = 240;
/// How long the venue may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection at work.
pub(super) struct Connection {
    context: Arc<ConnectionContext>,
    assignment: Arc<Assignment>,
    number: u64,
    commands: mpsc::Sender<ConnectionCommand>,
    liveness: Liveness,
}

impl Connection {
    pub(super) fn new(
        context: Arc<ConnectionContext>,
        assignment: Arc<Assignment>,
        number: u64,
        commands: mpsc::Sender<ConnectionCommand>,
    ) -> Self {
        let liveness = fresh_liveness(&context, &assignment);
        Self { context, assignment, number, commands, liveness }
    }

    /// Runs to the end.
    pub(super) async fn run(mut self, stop: CancellationToken) -> End {
        let timeout = self.context.timeout;
        let opening = self.context.exchange.opening(&self.assignment.table);
        let mut socket = tokio::select! {
            () = stop.cancelled() => return End::Stopped,
            connected = tokio::time::timeout(timeout, connect(&self.context.socket_base, &opening)) => {
                match connected {
                    Ok(Ok(socket)) => socket,
                    Ok(Err(error)) => return End::Lost(error_chain(&error)),
                    Err(_) => return End::Lost(format!("no connection within {timeout:?}")),
                }
            }
        };
        self.liveness = fresh_liveness(&self.context, &self.assignment);
        let opened = self.context.clock.market_now();
        let reader = self.context.exchange.reader(&self.assignment.table, opened);
        if let Some(recorder) = &self.context.recorder {
            let contracts = self.assignment.table.contracts().to_vec();
            let kind = RawKind::Opened { connection: self.number, contracts };
            recorder.record(self.context.exchange.venue, opened, &kind, &[]);
        }
        if !self.report(ConnectionEvent::Opened { supervisor: self.assignment.supervisor }).await {
            return End::Stopped;
        }
        let end = match self.follow(&mut socket, reader, opening.messages, &stop).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        if let End::Stopped = end {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, socket.close(None)).await;
        }
        end
    }

    async fn follow(
        &mut self,
        socket: &mut Socket,
        mut reader: Box<dyn VenueFrameReader>,
        messages: Vec<String>,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, End> {
        let (clock, limits) = (self.context.clock.clone(), self.context.limits.clone());
        let spacing = clock.real(limits.message_spacing);
        let mut messages = messages.into_iter().peekable();
        let mut next_message = Instant::now();
        let ping = limits.ping.as_ref().map(|ping| (clock.real(ping.every), ping.text));
        let mut next_ping = ping.map(|(every, _)| Instant::now() + every);
        let check_every =
            (clock.real(limits.mark_silence) / 5).clamp(Duration::from_millis(2), Duration::from_millis(500));
        let mut next_check = Instant::now() + check_every;
        loop {
            let message_due = messages.peek().map(|_| next_message);
            let wake = [message_due, next_ping].into_iter().flatten().fold(next_check, Instant::min);
            tokio::select! {
                () = stop.cancelled() => return Err(End::Stopped),
                message = socket.next() => self.on_message(message, socket, reader.as_mut()).await?,
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = Instant::now();
            if now >= next_message
                && let Some(text) = messages.next()
            {
                self.send(socket, text).await?;
                next_message = Instant::now() + spacing;
            }
            if let (Some((every, text)), Some(due)) = (ping, next_ping)
                && now >= due
            {
                self.send(socket, text.to_owned()).await?;
                next_ping = Some(Instant::now() + every);
            }
            if now >= next_check {
                next_check = now + check_every;
                self.check()?;
            }
        }
    }

    async fn send(&mut self, socket: &mut Socket, text: String) -> Result<(), End> {
        let timeout = self.context.timeout;
        match tokio::time::timeout(timeout, socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(End::Lost(error_chain(&error))),
            Err(_) => Err(End::Lost(format!("nothing sent within {timeout:?}"))),
        }
    }

    /// A message arrived: handles it together with those that are there already.
    async fn on_message(
        &mut self,
        first: Option<Result<Message, tungstenite::Error>>,
        socket: &mut Socket,
        reader: &mut dyn VenueFrameReader,
    ) -> Result<(), End> {
        let received = self.context.clock.read();
        let market_time = self.context.clock.market_now();
        let mut signals = Vec::new();
        let mut frames = 0;
        let mut message = first;
        let end = loop {
            match message {
                Some(Ok(Message::Text(text))) => {
                    frames += 1;
                    self.on_frame(text.as_bytes(), market_time, reader, &mut signals).await;
                }
                Some(Ok(Message::Close(frame))) => {
                    let words =
                        frame.map_or_else(String::new, |frame| format!(" ({} {})", frame.code, frame.reason));
                    break Some(End::Lost(format!("the venue closed the connection{words}")));
                }
                // The library answers pings; no venue sends binary messages.
                Some(Ok(_)) => {}
                Some(Err(error)) => break Some(End::Lost(error_chain(&error))),
                None => break Some(End::Lost("the connection ended".to_owned())),
            }
            if frames >= BATCH_FRAMES {
                break None;
            }
            match socket.next().now_or_never() {
                Some(more) => message = more,
                None => break None,
            }
        };
        if frames > 0 {
            let signals = self.resolve(signals, received);
            let before = self.context.clock.uptime();
            let connection = self.number;
            if !self.report(ConnectionEvent::Frames { connection, received, frames, signals }).await {
                return Err(End::Stopped);
            }
            let waited = self.context.clock.uptime().since(before).max(0);
            self.liveness.on_backpressure(Duration::from_millis(waited.unsigned_abs()));
        }
        end.map_or(Ok(()), Err)
    }

    async fn on_frame(
        &mut self,
        frame: &[u8],
        received: UnixMs,
        reader: &mut dyn VenueFrameReader,
        signals: &mut Vec<Signal>,
    ) {
        if let Some(recorder) = &self.context.recorder {
            let kind = RawKind::Frame { connection: self.number };
            recorder.record(self.context.exchange.venue, received, &kind, frame);
        }
        if let Err(error) = reader.read(frame, received, signals) {
            let frame = String::from_utf8_lossy(frame).chars().take(FRAME_CHARS_MAX).collect();
            self.report(ConnectionEvent::Malformed { reason: error.to_string(), frame }).await;
        }
    }

    fn check(&mut self) -> Result<(), End> {
        match self.liveness.on_time(self.context.clock.uptime()) {
            LivenessVerdict::Unchanged => Ok(()),
            LivenessVerdict::Proved => {
                if self.commands.try_send(ConnectionCommand::Proved(self.number)).is_err() {
                    self.liveness.on_proof_unreported();
                }
                Ok(())
            }
            LivenessVerdict::Dead { had_data } => {
                let silence = self.context.limits.mark_silence;
                let subscribed = if had_data { "" } else { ", though it was subscribed to" };
                Err(End::Lost(format!("no mark price for {silence:?}{subscribed}")))
            }
        }
    }

    async fn report(&self, event: ConnectionEvent) -> bool {
        self.context.events.send(event).await.is_ok()
    }
}

fn fresh_liveness(context: &ConnectionContext, assignment: &Assignment) -> Liveness {
    // The timeout is real time; on a compressed clock more market time passes in it.
    let market = context.timeout.div_f64(context.clock.real(Duration::from_secs(1)).as_secs_f64());
    let (contracts, silence_max) = (assignment.contracts.len(), context.limits.mark_silence);
    Liveness::new(contracts, silence_max, market, context.clock.uptime())
}
