//! What a session knows and does, apart from waiting: commands in, the newest states out.
//!
//! It never holds more than the outbox. States are made only when the outbox is empty, so a client that
//! takes nothing costs nothing, and what it gets when it wakes up is the newest.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use liqheat_market::convert::whole_ms;
use liqheat_wire::{
    Ack, Channel, ClientCommand, CloseCode, ErrorCode, FeedState, ServerMessage, Subscribe, Unsubscribe,
    WarningCode, format_time, parse_command,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::budget::{FRAGMENT, MESSAGE, MessageBudget, Verdict};
use crate::channel_subscription::ChannelSubscription;
use crate::credit::AckOutcome;
use crate::end::End;
use crate::event_ids::EventIds;
use crate::frame;
use crate::frames::FrameForm;
use crate::metrics::{Encoding, Kind, SavedBytes};
use crate::outbox::Outbox;
use crate::reader::ClientMessage;
use crate::session::Connection;
use crate::sessions::Sessions;
use crate::settings::SessionSettings;
use crate::slot::{BoardSlot, Cursor, NextState};
use crate::subscription::{Occasion, Subscription, SubscriptionRequest};
use crate::topic::{ChannelForm, NextFrame};

/// What is to be noted when a frame is out.
#[derive(Debug)]
pub(crate) enum Note {
    /// Nothing but that it was one.
    Reply,
    Status(Arc<BoardSlot>),
    Channel(Arc<BoardSlot>, Channel),
    State {
        slot: Arc<BoardSlot>,
        kind: Kind,
        saved: SavedBytes,
        changed: Option<Instant>,
    },
}

impl Note {
    fn of_state(slot: &Arc<BoardSlot>, next: &NextState, occasion: Occasion) -> Self {
        Self::State {
            slot: Arc::clone(slot),
            kind: next.frame.kind,
            saved: next.frame.saved,
            changed: (occasion == Occasion::Change).then_some(next.changed),
        }
    }
}

/// What a round achieved with one client; to be counted by the round, for many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivery {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// The session's task has something new to wait for.
    pub(crate) needs_task: bool,
}

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

    /// The client was heard.
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

    fn subscribe(&mut self, join: Join<'_>, mut subscribe: Subscribe, now: Instant) {
        let sessions = Arc::clone(&self.sessions);
        let served = |symbol: &&String| sessions.hub().slot(symbol).is_some();
        for symbol in subscribe.mismatch.keys().filter(served) {
            sessions.metrics().hash_mismatches.inc();
            debug!(event = "ws_error", session = self.id, client_ip = %self.connection.client, symbol, "client has another hash");
        }
        let channels = self.channels_of(&subscribe.channels, &[Channel::Heatmap]);
        for symbol in std::mem::take(&mut subscribe.symbols) {
            let Some(slot) = sessions.hub().slot(&symbol) else {
                self.refuse(ErrorCode::InvalidSymbol, &sessions.hub().unknown_symbol(&symbol));
                continue;
            };
            for channel in &channels {
                let resume = subscribe.take_position(&symbol, *channel);
                if let Err((code, message)) = self.begin(join, (&slot, *channel), &subscribe, resume, now) {
                    self.refuse(code, &message);
                }
            }
        }
        self.elect_status();
    }

    /// The channels of these names, each once; those of names that do not exist are refused. `all` without any name.
    fn channels_of(&mut self, names: &[String], all: &[Channel]) -> Vec<Channel> {
        if names.is_empty() {
            return all.to_vec();
        }
        let mut channels = Vec::new();
        for name in names {
            match Channel::from_name(name) {
                Some(channel) if channels.contains(&channel) => {}
                Some(channel) => channels.push(channel),
                None => self.refuse(ErrorCode::InvalidChannel, &Channel::unknown(name)),
            }
        }
        channels
    }

    fn begin(
        &mut self,
        join: Join<'_>,
        (slot, channel): (&Arc<BoardSlot>, Channel),
        subscribe: &Subscribe,
        resume: Option<liqheat_wire::Position>,
        now: Instant,
    ) -> Result<(), (ErrorCode, String)> {
        let symbol = slot.symbol();
        if let Some(refusal) = self.connection.grant.access.refusal(symbol, channel) {
            return Err((ErrorCode::Forbidden, refusal));
        }
        let most = self.settings.subscriptions_max;
        if !self.follows(symbol) && self.symbols_followed() >= most {
            let message =
                format!("At most {most} symbols a connection; unsubscribe some, or open another one");
            return Err((ErrorCode::RateLimited, message));
        }
        if channel == Channel::Heatmap {
            self.follow(join, slot, subscribe, resume, now)?;
        } else {
            self.follow_channel(join, (slot, channel), subscribe, resume, now);
        }
        self.idle_since = None;
        info!(
            event = "ws_subscribe",
            session = self.id,
            client_ip = %self.connection.client,
            symbol,
            channel = channel.name(),
            active_connections = self.active_connections(),
        );
        Ok(())
    }

    /// Whether any channel of a symbol is followed.
    fn follows(&self, symbol: &str) -> bool {
        self.position_of(symbol).is_some() || self.channels.iter().any(|one| one.slot().symbol() == symbol)
    }

    fn symbols_followed(&self) -> usize {
        let of_channels = self.channels.iter().enumerate().filter(|(index, one)| {
            let symbol = one.slot().symbol();
            let is_first = !self.channels[..*index].iter().any(|before| before.slot().symbol() == symbol);
            is_first && self.position_of(symbol).is_none()
        });
        self.subscriptions.len() + of_channels.count()
    }

    /// Decides which subscription tells how the data of a symbol stands: that of the heatmap, or else the first one.
    fn elect_status(&mut self) {
        for index in 0..self.channels.len() {
            let symbol = self.channels[index].slot().symbol();
            let is_first = !self.channels[..index].iter().any(|before| before.slot().symbol() == symbol);
            self.channels[index].tells_status = is_first && self.position_of(symbol).is_none();
        }
    }

    fn follow_channel(
        &mut self,
        join: Join<'_>,
        (slot, channel): (&Arc<BoardSlot>, Channel),
        subscribe: &Subscribe,
        resume: Option<liqheat_wire::Position>,
        now: Instant,
    ) {
        let Connection { encoding, deflate, .. } = self.connection;
        let encoding = if encoding == Encoding::Events { encoding } else { Encoding::Json };
        let has_id = subscribe.id.is_some() || self.event_ids.is_some();
        let form = ChannelForm { min_usd: subscribe.min_usd, encoding, deflate, has_id };
        let id = subscribe.id.as_deref().map(Into::into);
        let topic = (Arc::clone(slot), channel);
        let new = ChannelSubscription::new(topic, id, form, resume.map(Cursor::from), now);
        match self.channels.iter_mut().find(|one| one.is_of(slot.symbol(), channel)) {
            Some(known) => *known = new,
            None => {
                self.channels.reserve_exact(1);
                self.channels.push(new);
                join(slot, channel);
            }
        }
    }

    fn follow(
        &mut self,
        join: Join<'_>,
        slot: &Arc<BoardSlot>,
        subscribe: &Subscribe,
        resume: Option<liqheat_wire::Position>,
        now: Instant,
    ) -> Result<(), (ErrorCode, String)> {
        let known = self.position_of(slot.symbol());
        let invalid = |error: crate::view::ViewError| (ErrorCode::InvalidMessage, error.to_string());
        // Levels of the expected view have the height of the others.
        let view = slot.view(subscribe.price_range, subscribe.bin).map_err(invalid)?;
        let slot = match subscribe.expected_within() {
            None => slot,
            Some(horizon) => slot.expected(horizon).ok_or_else(|| {
                let message = format!("Symbol '{}' has no expected view on this server", slot.symbol());
                (ErrorCode::InvalidMessage, message)
            })?,
        };
        slot.open_view(view).map_err(invalid)?;
        let Connection { encoding, deflate, .. } = self.connection;
        let has_id = subscribe.id.is_some() || self.event_ids.is_some();
        let form = FrameForm { view, mode: subscribe.mode, encoding, deflate, has_id };
        let tick = self.sessions.hub().settings().update_interval;
        let id = subscribe.id.as_deref().map(Into::into);
        let request = SubscriptionRequest { id, form, interval_s: subscribe.update_interval_s, resume };
        let subscription = Subscription::new(Arc::clone(slot), request, tick, now);
        let status = slot.with_board(|_| ()).is_none().then(|| subscription.status_frame());
        match known {
            Some(index) => {
                let before = std::mem::replace(&mut self.subscriptions[index], subscription);
                if Arc::ptr_eq(before.slot(), slot) {
                    slot.close_view(before.form().view);
                } else {
                    leave(self.id, &before);
                    join(slot, Channel::Heatmap);
                }
            }
            None => {
                self.subscriptions.reserve_exact(1);
                self.subscriptions.push(subscription);
                join(slot, Channel::Heatmap);
            }
        }
        if let Some(status) = status {
            // There is no state to answer with yet; say so instead of saying nothing.
            self.outbox.push(status, Note::Status(Arc::clone(slot)));
        }
        Ok(())
    }

    /// Sockets open now, for the log.
    fn active_connections(&self) -> u64 {
        self.sessions.metrics().active_connections.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn position_of(&self, symbol: &str) -> Option<usize> {
        self.subscriptions.iter().position(|subscription| subscription.slot().symbol() == symbol)
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe, now: Instant) {
        let channels = self.channels_of(&unsubscribe.channels, &Channel::ALL);
        for symbol in &unsubscribe.symbols {
            // A symbol that is no longer served may still be followed.
            if !self.follows(symbol) && self.sessions.hub().slot(symbol).is_none() {
                let message = self.sessions.hub().unknown_symbol(symbol);
                self.refuse(ErrorCode::InvalidSymbol, &message);
            }
            for channel in &channels {
                self.end_subscription(symbol, *channel);
            }
        }
        self.after_leaving(now);
    }

    /// Whether it was there.
    fn end_subscription(&mut self, symbol: &str, channel: Channel) -> bool {
        if channel == Channel::Heatmap {
            let Some(index) = self.position_of(symbol) else { return false };
            leave(self.id, &self.subscriptions.remove(index));
        } else {
            let Some(index) = self.channels.iter().position(|one| one.is_of(symbol, channel)) else {
                return false;
            };
            self.channels.remove(index).leave(self.id);
        }
        info!(
            event = "ws_unsubscribe",
            session = self.id,
            client_ip = %self.connection.client,
            symbol,
            channel = channel.name(),
            active_connections = self.active_connections(),
        );
        true
    }

    fn after_leaving(&mut self, now: Instant) {
        self.elect_status();
        if self.subscriptions.is_empty() && self.channels.is_empty() {
            self.idle_since.get_or_insert(now);
        }
    }

    /// Goes on with another token. What it does not allow is followed no longer.
    fn renew(&mut self, token: &str, now: Instant) {
        match self.sessions.renew(token) {
            Ok(grant) => {
                self.connection.grant = grant;
                self.is_renewed = true;
                debug!(event = "ws_token", session = self.id, client_ip = %self.connection.client, "token renewed");
                let heatmaps = self.subscriptions.iter().map(|one| (one.slot(), Channel::Heatmap));
                let followed = heatmaps.chain(self.channels.iter().map(|one| (one.slot(), one.channel())));
                let access = &self.connection.grant.access;
                let refused: Vec<(String, Channel, String)> = followed
                    .filter_map(|(slot, channel)| {
                        let refusal = access.refusal(slot.symbol(), channel)?;
                        Some((slot.symbol().to_owned(), channel, refusal))
                    })
                    .collect();
                for (symbol, channel, refusal) in refused {
                    self.end_subscription(&symbol, channel);
                    self.refuse(ErrorCode::Forbidden, &refusal);
                }
                self.after_leaving(now);
            }
            Err(message) => self.refuse(ErrorCode::InvalidToken, &message),
        }
    }

    /// Whether the acknowledgement is of a state that was sent and not acknowledged before.
    fn on_painted(&mut self, ack: &Ack, now: Instant) -> bool {
        let Some(index) = self.position_of(&ack.symbol) else { return false };
        let subscription = &mut self.subscriptions[index];
        let state = match subscription.on_painted(ack.seq) {
            AckOutcome::OnItsWay(state) => state,
            AckOutcome::Late => return true,
            AckOutcome::Unknown => return false,
        };
        let slot = subscription.slot();
        // The age of an event says something about us only where the market is followed as it happens.
        let is_live = matches!(slot.feed().state, FeedState::Live | FeedState::Lagging);
        let wall = (self.settings.wall_clock)();
        let after_event =
            is_live.then(|| Duration::from_millis(wall.since(state.as_of).max(0).unsigned_abs()));
        slot.metrics.on_painted(now.saturating_duration_since(state.sent), after_event);
        true
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

    /// A round has nothing to add: something waits for the socket already, or the client gets less than every round.
    fn is_behind(&self) -> bool {
        !self.outbox.is_empty() || self.slow
    }

    /// What a round does for a client that is behind: the rest is its task's.
    fn catch_up(
        &mut self,
        write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<Delivery, End> {
        self.pump(write, now)?;
        Ok(Delivery { needs_task: true, ..Delivery::default() })
    }

    /// A round of a channel came by: sends what is new on all of the client's channels.
    pub(crate) fn deliver_channels(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<Delivery, End> {
        if self.is_behind() {
            return self.catch_up(write, now);
        }
        let mut delivery = Delivery::default();
        self.fill_channels(now);
        self.flush(&mut write, now)?;
        delivery.needs_task = !self.outbox.is_empty();
        Ok(delivery)
    }

    /// Puts what is new on channels beside the heatmap into the outbox.
    fn fill_channels(&mut self, now: Instant) {
        let heartbeat = self.settings.status_every;
        for subscription in &mut self.channels {
            match subscription.take_next(now) {
                NextFrame::Nothing => {}
                NextFrame::Advance(at) => {
                    if let Some(ids) = &mut self.event_ids {
                        ids.advance(subscription.slot().symbol(), subscription.channel(), at);
                    }
                }
                NextFrame::Frame(frame, at) => {
                    let (slot, channel) = (subscription.slot(), subscription.channel());
                    let frame = match &mut self.event_ids {
                        Some(ids) => ids.stamp(slot.symbol(), channel, at, &frame),
                        None => frame,
                    };
                    self.outbox.push(frame, Note::Channel(Arc::clone(slot), channel));
                }
            }
            if let Some(status) = subscription.take_status(now, heartbeat) {
                self.outbox.push(status, Note::Status(Arc::clone(subscription.slot())));
            }
        }
    }

    /// A round came by: sends what is new to a client that is ready for it. Limits and heartbeats are left to
    /// [`Core::pump`], so that as little as possible of a session is touched with every delivery.
    pub(crate) fn deliver(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<Delivery, End> {
        self.refresh_settings();
        if self.is_behind() {
            return self.catch_up(write, now);
        }
        let mut delivery = Delivery::default();
        let encoding = self.connection.encoding;
        for subscription in &mut self.subscriptions {
            if let Some((next, occasion)) = subscription.take_state(now, self.sessions.metrics()) {
                let note = Note::of_state(subscription.slot(), &next, occasion);
                // Straight to the socket, if nothing is before it.
                let mut rest = match &mut self.event_ids {
                    Some(ids) => stamp(ids, subscription, next),
                    None => next.frame.bytes,
                };
                let taken = if self.outbox.is_empty() { write_some(&mut write, &rest)? } else { 0 };
                delivery.bytes += taken as u64;
                if taken == rest.len() {
                    delivery.frames += 1;
                    noted(note, encoding);
                } else {
                    rest.advance(taken);
                    self.outbox.push(rest, note);
                }
            }
            if subscription.take_status(now, self.settings.status_every) {
                let slot = subscription.slot();
                self.outbox.push(subscription.status_frame(), Note::Status(Arc::clone(slot)));
            }
            delivery.needs_task |= subscription.is_waiting();
        }
        self.totals.bytes_sent += delivery.bytes;
        self.totals.frames_sent += delivery.frames;
        if !self.outbox.is_empty() {
            self.flush(write, now)?;
            delivery.needs_task |= !self.outbox.is_empty();
        }
        Ok(delivery)
    }

    /// Makes what there is to say, writes what the socket takes, and checks the limits.
    pub(crate) fn pump(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<(), End> {
        self.refresh_settings();
        self.flush(&mut write, now)?;
        // States are made for a client that is ready for them only.
        if self.outbox.is_empty() {
            self.fill(now);
            self.flush(&mut write, now)?;
        }
        self.check(now)
    }

    /// Puts the newest states into the empty outbox.
    fn fill(&mut self, now: Instant) {
        if self.slow {
            self.warn_slow();
        }
        let sessions = Arc::clone(&self.sessions);
        let settings = Arc::clone(&self.settings);
        for subscription in &mut self.subscriptions {
            if let Some((next, occasion)) = subscription.take_state(now, sessions.metrics()) {
                let note = Note::of_state(subscription.slot(), &next, occasion);
                let frame = match &mut self.event_ids {
                    Some(ids) => stamp(ids, subscription, next),
                    None => next.frame.bytes,
                };
                self.outbox.push(frame, note);
            }
            if subscription.take_status(now, settings.status_every) {
                let slot = subscription.slot();
                self.outbox.push(subscription.status_frame(), Note::Status(Arc::clone(slot)));
            }
        }
        let is_events = self.connection.encoding == Encoding::Events;
        if now >= self.last_ping + settings.ping_every {
            self.last_ping = now;
            self.outbox.push(if is_events { frame::comment() } else { frame::ping() }, Note::Reply);
        }
        if !self.channels.is_empty() {
            self.fill_channels(now);
        }
        if is_events {
            // Its client cannot say anything; that it takes what is written is its sign of life.
            self.last_seen = now;
        }
        if !self.warned_unstable && now >= self.unstable_at() {
            self.warned_unstable = true;
            let silent_s = (now - self.last_seen).as_secs();
            let message = format!("Nothing heard for {silent_s} s; the connection is closed if that goes on");
            self.send(&ServerMessage::Warning {
                code: WarningCode::ConnectionUnstable,
                message: &message,
                dropped_messages: 0,
            });
        }
    }

    /// When a silent client is warned: two thirds of the way to being closed.
    fn unstable_at(&self) -> Instant {
        self.last_seen + self.settings.silent_after * 2 / 3
    }

    /// The client can be written to again: how many states it will never see, before the newest one.
    fn warn_slow(&mut self) {
        let skipped: u64 = self.subscriptions.iter().map(|s| s.missed().saturating_sub(1)).sum();
        self.sessions.metrics().slow_consumers.dec();
        self.slow = false;
        let message = format!("Client too slow: {skipped} updates were skipped, the newest state follows");
        self.send(&ServerMessage::Warning {
            code: WarningCode::SlowConsumer,
            message: &message,
            dropped_messages: skipped,
        });
    }

    pub(crate) fn flush(
        &mut self,
        write: impl FnMut(&[u8]) -> io::Result<usize>,
        now: Instant,
    ) -> Result<(), End> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let encoding = self.connection.encoding;
        let flushed = self.outbox.flush(write, |note| noted(note, encoding))?;
        let metrics = self.sessions.metrics();
        self.totals.frames_sent += flushed.frames;
        self.totals.bytes_sent += flushed.bytes as u64;
        metrics.wrote(flushed.frames, flushed.bytes as u64, self.settings.wall_clock);
        if self.outbox.is_empty() {
            self.blocked_since = None;
        } else if flushed.bytes > 0 || self.blocked_since.is_none() {
            self.blocked_since = Some(now);
        }
        Ok(())
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

    /// Nothing is delivered any more.
    pub(crate) fn leave_all(&mut self) {
        for subscription in self.subscriptions.drain(..) {
            leave(self.id, &subscription);
        }
        for subscription in self.channels.drain(..) {
            subscription.leave(self.id);
        }
        if std::mem::take(&mut self.slow) {
            self.sessions.metrics().slow_consumers.dec();
        }
    }
}

/// Bytes taken by the socket; none when it takes no more.
fn write_some(write: &mut impl FnMut(&[u8]) -> io::Result<usize>, bytes: &[u8]) -> io::Result<usize> {
    match write(bytes) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        taken => taken,
    }
}

fn leave(id: u64, subscription: &Subscription) {
    subscription.slot().close_view(subscription.form().view);
    subscription.slot().leave(Channel::Heatmap, id);
}

/// A state as an event with the positions of all channels in its id.
fn stamp(ids: &mut EventIds, subscription: &Subscription, next: NextState) -> Bytes {
    ids.stamp(subscription.slot().symbol(), Channel::Heatmap, next.at, &next.frame.bytes)
}

/// A frame is out.
fn noted(note: Note, encoding: Encoding) {
    match note {
        Note::Reply => {}
        Note::Status(slot) => {
            slot.metrics.messages_sent.inc();
        }
        Note::Channel(slot, channel) => {
            slot.metrics.messages_sent.inc();
            if let Some(topic) = slot.topic(channel) {
                topic.sent();
            }
        }
        Note::State { slot, kind, saved, changed } => {
            slot.metrics.sent(kind, encoding, saved);
            if let Some(changed) = changed {
                slot.metrics.written(changed.elapsed());
            }
        }
    }
}
