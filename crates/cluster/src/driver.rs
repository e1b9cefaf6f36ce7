//! The task between the boards of this server and Redis: sends the node's requests, and passes on what happens.

#![expect(clippy::disallowed_methods, reason = "the shell of the node: it reads the clock for each event")]

use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use liqheat_stream::Sessions;
use redis::Msg;
use redis::aio::PubSubStream;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, field, info, trace_span};

use crate::backplane::{Backplane, BackplaneState, SymbolChange};
use crate::channel_message::ChannelUpdate;
use crate::group::Group;
use crate::node::{Node, NodeSettings};
use crate::redis::{RedisClient, RedisKeys, RequestResult, next_message};
use crate::request::{Moment, RequestFailure};
use crate::server_host::{ServerHost, SymbolList};
use crate::settings::{RedisSettings, Role};

/// Messages taken one after the other before other events get their turn.
const MESSAGES_AT_A_TIME: usize = 64;

type PublicationFuture = Pin<Box<dyn Future<Output = Result<(), RequestFailure>> + Send>>;
type RequestFuture = Pin<Box<dyn Future<Output = RequestResult> + Send>>;

/// Moves the boards of a server that is one of several.
pub struct Driver {
    node: Node,
    host: ServerHost,
    shared: Arc<BackplaneState>,
    settings: RedisSettings,
    keys: RedisKeys,
    client: RedisClient,
    /// The request in flight.
    pending: Option<RequestFuture>,
    /// Changes of channels on their way to Redis, beside the request in flight.
    publishing: Option<PublicationFuture>,
    /// The newest token under which a change of a channel came.
    channel_token: u64,
    stream: Option<PubSubStream>,
}

enum Event {
    Stop,
    Answered(Box<RequestResult>),
    Updated,
    ChannelsPublished(Result<(), RequestFailure>),
    Message(Option<Msg>),
    Time,
}

impl Driver {
    /// A driver for the boards of these sessions, and the backplane for the updater. `group` is what this server
    /// serves; `None` on an edge.
    #[must_use]
    pub fn new(
        settings: RedisSettings,
        sessions: Arc<Sessions>,
        list: Arc<dyn SymbolList>,
        group: Option<Group>,
    ) -> (Self, Backplane) {
        let (backplane, shared) = Backplane::redis(settings.role);
        let now = Instant::now();
        let id = format!("{:032x}", fastrand::u128(..));
        let hub = Arc::clone(sessions.hub());
        if settings.role == Role::Edge {
            settings.symbols.iter().for_each(|symbol| sessions.add_board(symbol));
            hub.set_symbols_known(!settings.symbols.is_empty());
        }
        let node = NodeSettings {
            role: settings.role,
            times: settings.times,
            symbols: settings.symbols.clone(),
            group: group.clone(),
            address: settings.address.to_string(),
            tag: id[..6].to_owned(),
            update_interval: hub.settings().update_interval,
            seed: fastrand::u64(..),
        };
        let mut node = Node::new(node, shared.metrics.clone(), now);
        hub.slots().for_each(|slot| node.add_symbol(slot.symbol(), now));
        let driver = Self {
            node,
            host: ServerHost::new(sessions, list),
            shared,
            keys: RedisKeys::new(settings.prefix.clone()),
            client: RedisClient::new(settings.clone(), id, group),
            pending: None,
            publishing: None,
            channel_token: 0,
            stream: None,
            settings,
        };
        (driver, backplane)
    }

    /// Runs until `stop`, then gives up the lease.
    pub async fn run(mut self, stop: CancellationToken) {
        info!(redis = %self.settings.address, role = ?self.settings.role, "cluster task started");
        loop {
            self.request();
            match self.next_event(&stop).await {
                Event::Stop => break,
                Event::Answered(answered) => self.on_answered(*answered),
                Event::Updated => self.take_updates(),
                Event::ChannelsPublished(result) => self.on_channels_published(&result),
                Event::Message(first) => self.on_messages(first),
                Event::Time => {}
            }
        }
        if let Some(request) = self.node.stop() {
            drop(self.pending.take());
            drop(self.client.answer(request).await);
        }
        info!("cluster task stopped");
    }

    fn moment(&self) -> Moment {
        Moment { now: Instant::now(), wall: (self.settings.wall_clock)() }
    }

    /// Sends what is due, and shows what has changed.
    fn request(&mut self) {
        let at = self.moment();
        if let Some(request) = self.node.next(at, &mut self.host) {
            self.pending = Some(Box::pin(self.client.clone().answer(request)));
        }
        if self.node.take_update_request() {
            self.shared.update_wanted.notify_one();
        }
        self.shared.set_production(self.node.production());
        if let Some((reasons, is_alone)) = self.node.take_reasons() {
            self.shared.set_reasons(reasons, is_alone);
        }
        self.shared.set_publishing(self.node.is_publishing());
        self.publish_channels();
    }

    /// Sends what changed on channels, if nothing is on its way. Without a lease it is for the clients of this server only.
    fn publish_channels(&mut self) {
        if self.publishing.is_some() {
            return;
        }
        let changes = self.shared.take_channel_changes();
        let Some(token) = self.node.token().filter(|_| !changes.is_empty()) else { return };
        let group = self.node.group();
        let encode = |change: SymbolChange| {
            let update = ChannelUpdate { channel: change.channel, token, group, change: change.change };
            Some((change.symbol, update.encode()?))
        };
        let messages: Vec<_> = changes.into_iter().filter_map(encode).collect();
        if !messages.is_empty() {
            self.publishing = Some(Box::pin(self.client.clone().publish_channels(token, messages)));
        }
    }

    fn on_channels_published(&mut self, result: &Result<(), RequestFailure>) {
        self.publishing = None;
        if let Err(fault) = result {
            debug!(error = fault.0, "changes of channels not published; the next heartbeat repeats them");
        }
    }

    fn on_channel_message(&mut self, symbol: &str, bytes: &[u8]) {
        let Some(update) = ChannelUpdate::decode(bytes) else {
            debug!(symbol, "unreadable change of a channel ignored");
            return;
        };
        if !self.node.follows(update.group) || update.token < self.channel_token {
            return;
        }
        self.channel_token = update.token;
        if let Some(slot) = self.host.hub().slot(symbol) {
            slot.apply_channel(update.channel, update.change);
        }
    }

    async fn next_event(&mut self, stop: &CancellationToken) -> Event {
        let wake = self.node.wake_at(Instant::now());
        tokio::select! {
            () = stop.cancelled() => Event::Stop,
            answered = answered(self.pending.as_mut()) => Event::Answered(Box::new(answered)),
            () = self.shared.updated.notified() => Event::Updated,
            result = published(self.publishing.as_mut()) => Event::ChannelsPublished(result),
            message = message(self.stream.as_mut()) => Event::Message(message),
            () = sleep_until(wake) => Event::Time,
        }
    }

    fn on_answered(&mut self, answered: RequestResult) {
        self.pending = None;
        self.client = answered.client;
        if answered.stream.is_some() || answered.reply.is_err() {
            self.stream = answered.stream;
        }
        self.node.on_reply(answered.reply, self.moment(), &mut self.host);
    }

    fn take_updates(&mut self) {
        let now = Instant::now();
        for (symbol, update) in self.shared.take_pending() {
            self.node.on_update(&symbol, update, now);
        }
    }

    fn on_messages(&mut self, first: Option<Msg>) {
        let span = trace_span!("redis.take", otel.kind = "consumer", messages = field::Empty);
        let messages = span.in_scope(|| self.take_messages(first));
        span.record("messages", messages);
    }

    /// Gives the number of messages.
    fn take_messages(&mut self, first: Option<Msg>) -> usize {
        let mut next = Some(first);
        for taken in 0..MESSAGES_AT_A_TIME {
            let Some(message) = next else { return taken };
            let Some(message) = message else {
                self.stream = None;
                self.node.on_subscription_lost(Instant::now());
                return taken;
            };
            if let Some(symbol) = self.keys.symbol_of_channels(message.get_channel_name()) {
                let symbol = symbol.to_owned();
                self.on_channel_message(&symbol, message.get_payload_bytes());
            } else if let Some(symbol) = self.keys.symbol(message.get_channel_name()) {
                let at = self.moment();
                self.node.on_message(symbol, message.get_payload_bytes(), at, &mut self.host);
            }
            next = self.stream.as_mut().and_then(|stream| next_message(stream).now_or_never());
        }
        MESSAGES_AT_A_TIME
    }
}

async fn answered(pending: Option<&mut RequestFuture>) -> RequestResult {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}

async fn published(publishing: Option<&mut PublicationFuture>) -> Result<(), RequestFailure> {
    match publishing {
        Some(publishing) => publishing.await,
        None => std::future::pending().await,
    }
}

async fn message(stream: Option<&mut PubSubStream>) -> Option<Msg> {
    match stream {
        Some(stream) => next_message(stream).await,
        None => std::future::pending().await,
    }
}
