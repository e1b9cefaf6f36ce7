//! Subscriptions of a session: begun, ended, acknowledged, and checked again when the client renews its token.

use std::sync::Arc;
use std::time::Duration;

use liqheat_wire::{Ack, Channel, ErrorCode, FeedState, Subscribe, Unsubscribe};
use tokio::time::Instant;
use tracing::{debug, info};

use super::{Core, Join, Note};
use crate::channel_subscription::ChannelSubscription;
use crate::connection::Connection;
use crate::credit::AckOutcome;
use crate::cursor::Cursor;
use crate::frames::FrameForm;
use crate::metrics::Encoding;
use crate::slot::BoardSlot;
use crate::subscription::{Subscription, SubscriptionRequest};
use crate::topic::ChannelForm;

impl Core {
    pub(super) fn subscribe(&mut self, join: Join<'_>, mut subscribe: Subscribe, now: Instant) {
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
        let of_channels = (0..self.channels.len()).filter(|index| self.stands_for_symbol(*index));
        self.subscriptions.len() + of_channels.count()
    }

    /// Whether a channel is the first one of a symbol whose heatmap is not followed.
    fn stands_for_symbol(&self, index: usize) -> bool {
        let symbol = self.channels[index].slot().symbol();
        let is_first = !self.channels[..index].iter().any(|before| before.slot().symbol() == symbol);
        is_first && self.position_of(symbol).is_none()
    }

    /// Decides which subscription tells how the data of a symbol stands: that of the heatmap, or else the first one.
    fn elect_status(&mut self) {
        for index in 0..self.channels.len() {
            self.channels[index].tells_status = self.stands_for_symbol(index);
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

    fn position_of(&self, symbol: &str) -> Option<usize> {
        self.subscriptions.iter().position(|subscription| subscription.slot().symbol() == symbol)
    }

    pub(super) fn unsubscribe(&mut self, unsubscribe: &Unsubscribe, now: Instant) {
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
    pub(super) fn renew(&mut self, token: &str, now: Instant) {
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
    pub(super) fn on_painted(&mut self, ack: &Ack, now: Instant) -> bool {
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

fn leave(id: u64, subscription: &Subscription) {
    subscription.slot().close_view(subscription.form().view);
    subscription.slot().leave(Channel::Heatmap, id);
}
