//! What a session knows and does, apart from waiting: commands in, the newest states out.
//!
//! It never holds more than the outbox. States are made only when the outbox is empty, so a client that
//! takes nothing costs nothing, and what it gets when it wakes up is the newest.
//!
//! Here are its messages, limits and deadlines; `subscriptions` begins and ends what it follows, `delivery` writes
//! frames.

mod delivery;
mod subscriptions;

use std::sync::Arc;

use bytes::Bytes;
use liqheat_market::convert::whole_ms;
use liqheat_wire::{
    Channel, ClientCommand, CloseCode, ErrorCode, ServerMessage, Subscribe, format_time, parse_command,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::budget::{FRAGMENT, MESSAGE, MessageBudget, Verdict};
use crate::channel_subscription::ChannelSubscription;
use crate::connection::Connection;
use crate::end::End;
use crate::event_ids::EventIds;
use crate::frame;
use crate::metrics::Encoding;
use crate::outbox::Outbox;
use crate::reader::ClientMessage;
use crate::sessions::Sessions;
use crate::settings::SessionSettings;
use crate::slot::BoardSlot;
use crate::subscription::Subscription;

pub(crate) use delivery::Note;

/// What a session has done, for its last log line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) bytes_sent: u64,
    pub(crate) frames_sent: u64,
    pub(crate) messages_read: u64,
}

/// Adds the session to the followers of a channel.
pub(crate) type Join<'a> = &'a dyn Fn(&BoardSlot, Channel);

/// The state of a session. Locked by whoever acts on it: its own task, or a round of deliveries.
#[derive(Debug)]
pub(crate) struct Core {
    id: u64,
    sessions: Arc<Sessions>,
    /// Limits and rhythms, as of this version of them.
    settings: Arc<SessionSettings>,
    settings_version: u64,
    connection: Connection,
    /// To heatmaps, in order of subscribing; few.
    subscriptions: Vec<Subscription>,
    /// To other channels, in order of subscribing; few.
    channels: Vec<ChannelSubscription>,
    /// Of an event stream that follows more than one channel of one symbol.
    event_ids: Option<EventIds>,
    /// The grant is another one than the session's task knows.
    is_renewed: bool,
    outbox: Outbox<Note>,
    budget: MessageBudget,
    last_seen: Instant,
    last_ping: Instant,
    /// Since when nothing is subscribed.
    idle_since: Option<Instant>,
    /// Since when the socket has taken nothing of a waiting frame.
    blocked_since: Option<Instant>,
    slow: bool,
    warned_unstable: bool,
    pub(crate) totals: Totals,
}

impl Core {
    pub(crate) fn new(id: u64, sessions: Arc<Sessions>, connection: Connection, now: Instant) -> Self {
        let (settings_version, settings) = (sessions.settings_version(), sessions.settings());
        let budget = MessageBudget::new(settings.messages_per_second, now);
        Self {
            id,
            sessions,
            settings,
            settings_version,
            connection,
            subscriptions: Vec::new(),
            channels: Vec::new(),
            event_ids: None,
            is_renewed: false,
            outbox: Outbox::default(),
            budget,
            last_seen: now,
            last_ping: now,
            idle_since: Some(now),
            blocked_since: None,
            slow: false,
            warned_unstable: false,
            totals: Totals::default(),
        }
    }

    /// Takes over limits that the operator has changed.
    fn refresh_settings(&mut self) {
        let version = self.sessions.settings_version();
        if version != self.settings_version {
            self.settings_version = version;
            self.settings = self.sessions.settings();
            self.budget.set_rate(self.settings.messages_per_second);
        }
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) const fn outbox(&self) -> &Outbox<Note> {
        &self.outbox
    }

    /// The client sent something.
    pub(crate) fn on_read(&mut self, now: Instant) {
        self.last_seen = now;
        self.warned_unstable = false;
    }

    /// When the grant was renewed since the last call: what cancels the new one.
    pub(crate) fn take_renewed(&mut self) -> Option<CancellationToken> {
        std::mem::take(&mut self.is_renewed).then(|| self.connection.grant.revoked.clone())
    }

    /// Begins an event stream: the answer's head, and what it follows. `places` are its channels in the order of its ids.
    pub(crate) fn begin_events(
        &mut self,
        join: Join<'_>,
        (head, subscribe): (Bytes, Subscribe),
        places: Option<EventIds>,
        now: Instant,
    ) {
        self.reply(head);
        self.event_ids = places;
        self.subscribe(join, subscribe, now);
    }

    /// Acts on a message. `join` is how to be told of changes.
    pub(crate) fn take(&mut self, join: Join<'_>, message: ClientMessage, now: Instant) -> Result<(), End> {
        // Long enough for any acknowledgement, which is free; what is longer is paid for before it is read.
        const SHORT: usize = 256;
        self.totals.messages_read += 1;
        self.refresh_settings();
        match message {
            ClientMessage::Text(text) if text.len() <= SHORT => {
                let command = parse_command(&text);
                if let Ok(ClientCommand::Ack(ack)) = &command
                    && self.on_painted(ack, now)
                {
                    return Ok(());
                }
                if self.pay(MESSAGE, now)? {
                    self.act(join, command, now);
                }
            }
            ClientMessage::Text(text) => {
                if self.pay(MESSAGE, now)? {
                    self.act(join, parse_command(&text), now);
                }
            }
            ClientMessage::Ping(payload) => {
                if self.pay(MESSAGE, now)? {
                    self.outbox.push(frame::pong(&payload), Note::Reply);
                }
            }
            ClientMessage::Pong => {
                self.pay(MESSAGE, now)?;
            }
            ClientMessage::Fragment => {
                self.pay(FRAGMENT, now)?;
            }
            ClientMessage::Close => return Err(End::Closed(CloseCode::Normal)),
        }
        Ok(())
    }

    /// Whether a message may be acted on.
    fn pay(&mut self, cost: f64, now: Instant) -> Result<bool, End> {
        match self.budget.take(cost, now) {
            Verdict::Fine => return Ok(true),
            Verdict::Refused => {
                let allowed = self.settings.messages_per_second;
                let message = format!("More than {allowed} messages a second; this one was ignored");
                self.refuse(ErrorCode::RateLimited, &message);
            }
            Verdict::RefusedSilently => self.sessions.metrics().refused(ErrorCode::RateLimited),
            Verdict::Flood => return Err(End::Closed(CloseCode::Flooding)),
        }
        Ok(false)
    }

    fn act(
        &mut self,
        join: Join<'_>,
        command: Result<ClientCommand, liqheat_wire::CommandError>,
        now: Instant,
    ) {
        match command {
            Ok(ClientCommand::Subscribe(subscribe)) => self.subscribe(join, subscribe, now),
            Ok(ClientCommand::Unsubscribe(unsubscribe)) => self.unsubscribe(&unsubscribe, now),
            Ok(ClientCommand::Token(token)) => self.renew(&token.token, now),
            // An acknowledgement of what was never sent, or the second one of a state. It costs, and that is all.
            Ok(ClientCommand::Ack(_)) => {}
            Ok(ClientCommand::Ping) => {
                let timestamp = format_time((self.settings.wall_clock)());
                self.send(&ServerMessage::Pong { timestamp: &timestamp });
            }
            Err(error) => self.refuse(error.code, &error.message),
        }
    }

    /// Sockets open now, for the log.
    fn active_connections(&self) -> u64 {
        self.sessions.metrics().active_connections.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn refuse(&mut self, code: ErrorCode, message: &str) {
        self.sessions.metrics().refused(code);
        debug!(
            event = "ws_error",
            session = self.id,
            client_ip = %self.connection.client,
            code = code.name(),
            message,
            active_connections = self.active_connections(),
        );
        self.send(&ServerMessage::Error { code, message });
    }

    fn send(&mut self, message: &ServerMessage<'_>) {
        let payload = message.to_json();
        self.reply(match self.connection.encoding {
            Encoding::Events => frame::event(message.kind(), None, &payload),
            Encoding::Json | Encoding::Binary => frame::text(&payload),
        });
    }

    pub(crate) fn reply(&mut self, frame: Bytes) {
        self.outbox.push(frame, Note::Reply);
    }

    /// Tells the client when to come back: everyone at another moment, so that they do not come all at once.
    pub(crate) fn send_goaway(&mut self) {
        let window = whole_ms(self.settings.drain_window);
        let reconnect_in_ms = fastrand::u64(0..=window);
        if self.connection.encoding == Encoding::Events {
            self.reply(frame::retry(reconnect_in_ms));
        }
        self.send(&ServerMessage::Goaway { reason: "server restarts", reconnect_in_ms });
    }

    /// Says why the connection ends.
    pub(crate) fn send_close(&mut self, code: CloseCode) {
        if code == CloseCode::ServerError {
            let message = "The server failed; this connection ends, reconnect";
            self.refuse(ErrorCode::ServerError, message);
        }
        match self.connection.encoding {
            Encoding::Events => {
                self.send(&ServerMessage::Close { code: code.number(), reason: code.reason() });
            }
            Encoding::Json | Encoding::Binary => self.reply(frame::close(code)),
        }
    }

    /// When a silent client is warned: two thirds of the way to being closed.
    fn unstable_at(&self) -> Instant {
        self.last_seen + self.settings.silent_after * 2 / 3
    }

    fn check(&mut self, now: Instant) -> Result<(), End> {
        let settings = &self.settings;
        if self.connection.grant.expires_at.is_some_and(|at| now >= at) {
            return Err(End::Closed(CloseCode::Policy));
        }
        if now >= self.last_seen + settings.silent_after {
            return Err(End::Closed(CloseCode::Silent));
        }
        if self.idle_since.is_some_and(|since| now >= since + settings.subscribe_within) {
            return Err(End::Closed(CloseCode::Unsubscribed));
        }
        let Some(blocked_since) = self.blocked_since else {
            return Ok(());
        };
        if now >= blocked_since + settings.stalled_after {
            return Err(End::Closed(CloseCode::Stalled));
        }
        let missed_too_many = || self.subscriptions.iter().any(|s| s.missed() > settings.missed_max);
        if !self.slow && (now >= blocked_since + settings.slow_after || missed_too_many()) {
            self.slow = true;
            self.sessions.metrics().slow_consumers.inc();
            for subscription in &self.subscriptions {
                subscription.slot().metrics.slow_consumers.inc();
            }
            let mut symbols: Vec<&str> = self.subscriptions.iter().map(|one| one.slot().symbol()).collect();
            for symbol in self.channels.iter().map(|one| one.slot().symbol()) {
                if !symbols.contains(&symbol) {
                    symbols.push(symbol);
                }
            }
            warn!(
                event = "slow_consumer",
                session = self.id,
                client_ip = %self.connection.client,
                symbol = symbols.join(","),
                blocked_ms = whole_ms(now - blocked_since),
                active_connections = self.active_connections(),
            );
        }
        Ok(())
    }

    /// The next moment at which there is something to do without being told of a change.
    pub(crate) fn next_deadline(&self) -> Instant {
        let settings = &self.settings;
        let mut next = self.last_seen + settings.silent_after;
        let mut or = |at: Option<Instant>| next = at.map_or(next, |at| next.min(at));
        or(self.connection.grant.expires_at);
        or(self.idle_since.map(|since| since + settings.subscribe_within));
        if let Some(blocked_since) = self.blocked_since {
            // Nothing can be written now: only the limits matter, and the socket itself.
            let limit = if self.slow { settings.stalled_after } else { settings.slow_after };
            or(Some(blocked_since + limit));
            return next;
        }
        or(Some(self.last_ping + settings.ping_every));
        or((!self.warned_unstable).then(|| self.unstable_at()));
        for subscription in &self.subscriptions {
            or(Some(subscription.next_deadline(settings.status_every)));
        }
        for subscription in &self.channels {
            or(subscription.next_deadline(settings.status_every));
        }
        next
    }
}
