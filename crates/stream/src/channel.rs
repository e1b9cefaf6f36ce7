//! Channels beside the heatmap, as pure state: what is published gets an epoch and a `seq`, and a client's position
//! leads to the message that brings it up to date.
//!
//! There are two kinds. A channel of the *latest* value has one value, which replaces the one before; a client that
//! lags skips values. A channel of *rows* (liquidations, alerts) keeps the newest [`ROWS_KEPT`]; a client that lags gets all
//! rows since its position in one message, and the message says how many are no longer kept. Neither holds anything per client.
//!
//! To add a channel: a variant of [`Channel`] with its name, its kind in [`ChannelKind::of`], and whoever publishes it
//! with [`crate::BoardSlot::publish_channel`].

use std::collections::VecDeque;
use std::sync::Arc;

use liqheat_market::UnixMs;
use liqheat_wire::{Channel, ChannelEnvelope, channel_message, format_time};

use crate::cursor::Cursor;

/// Rows that a channel keeps for clients that lag or come back.
pub const ROWS_KEPT: usize = 1_000;

/// How a channel changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// The newest value replaces the one before.
    Latest,
    /// Rows are appended.
    Rows,
}

impl ChannelKind {
    /// The kind of a channel.
    #[must_use]
    pub const fn of(channel: Channel) -> Self {
        match channel {
            Channel::Heatmap | Channel::Price | Channel::Walls => Self::Latest,
            Channel::Liquidations | Channel::Alerts => Self::Rows,
        }
    }
}

/// A row of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// What `min_usd` of a subscription is compared with.
    pub usd: u64,
    /// The row as JSON, on one line.
    pub json: Arc<str>,
}

/// What a channel publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelContent {
    /// The value as JSON, on one line.
    Latest(Arc<str>),
    /// New rows, oldest first.
    Rows(Vec<ChannelRow>),
}

/// A change of a channel under its name: what goes from the producer to other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelChange {
    /// One unbroken run of `seq`.
    pub epoch: Arc<str>,
    /// The position after the change.
    pub seq: u64,
    /// Market time up to which it tells.
    pub as_of: UnixMs,
    /// The whole value, or the rows from the position before on.
    pub content: ChannelContent,
}

/// A message of a channel, and the position that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelMessage {
    pub(crate) payload: Vec<u8>,
    pub(crate) at: Cursor,
}

/// What follows a client's position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NextMessage {
    /// There is nothing new.
    Nothing,
    /// What is new is too small for the client; it is at this position now.
    Advance(Cursor),
    Message(ChannelMessage),
}

/// The state of one channel of one symbol.
#[derive(Debug)]
pub(crate) struct ChannelState {
    channel: Channel,
    /// Begins the names of the epochs that this server publishes.
    run: Arc<str>,
    /// Epochs of this server so far.
    epochs: u64,
    /// `None` before the first publication.
    newest: Option<NewestValue>,
    /// The newest rows, the last of which led to `seq`. Empty for a channel of the latest value.
    rows: VecDeque<ChannelRow>,
}

#[derive(Debug, Clone)]
struct NewestValue {
    epoch: Arc<str>,
    is_own: bool,
    seq: u64,
    as_of: UnixMs,
    /// The value; empty for a channel of rows.
    value: Arc<str>,
}

impl ChannelState {
    pub(crate) const fn new(channel: Channel, run: Arc<str>) -> Self {
        Self { channel, run, epochs: 0, newest: None, rows: VecDeque::new() }
    }

    /// Publishes as the server that names the positions. Gives the change, or `None` where the value is the one that
    /// there is already, or there are no new rows.
    pub(crate) fn publish(&mut self, as_of: UnixMs, content: ChannelContent) -> Option<ChannelChange> {
        let own = self.newest.take_if(|newest| newest.is_own);
        let is_new = own.is_none();
        let mut newest = match own {
            Some(own) => own,
            // Positions of another server, or of an earlier run of this one, are never continued: two servers could give
            // one position two meanings.
            None => {
                self.rows.clear();
                self.epochs += 1;
                let epoch = format!("{}.{}", self.run, self.epochs).into();
                NewestValue { epoch, is_own: true, seq: 0, as_of, value: Arc::default() }
            }
        };
        newest.as_of = newest.as_of.max(as_of);
        let steps = match &content {
            ChannelContent::Latest(value) => u64::from(is_new || *value != newest.value),
            ChannelContent::Rows(rows) => rows.len() as u64,
        };
        newest.seq += steps;
        match &content {
            ChannelContent::Latest(value) => newest.value = Arc::clone(value),
            ChannelContent::Rows(rows) => self.append(rows.iter().cloned()),
        }
        let change =
            ChannelChange { epoch: Arc::clone(&newest.epoch), seq: newest.seq, as_of: newest.as_of, content };
        self.newest = Some(newest);
        (steps > 0 || is_new).then_some(change)
    }

    /// Applies a change that another server published. Returns whether there is something new.
    pub(crate) fn apply(&mut self, change: ChannelChange) -> bool {
        let ChannelChange { epoch, seq, as_of, content } = change;
        let same_epoch = self.newest.as_ref().filter(|newest| newest.epoch == epoch);
        let known = same_epoch.map(|newest| newest.seq);
        if known.is_some_and(|known| known >= seq) {
            return false;
        }
        let value = match (content, ChannelKind::of(self.channel)) {
            (ChannelContent::Latest(value), ChannelKind::Latest) => value,
            (ChannelContent::Rows(rows), ChannelKind::Rows) => {
                let from = seq.saturating_sub(rows.len() as u64);
                // Rows that overlap are the same rows. After a gap the rows before it lead nowhere.
                let repeated = known.map_or(0, |known| known.saturating_sub(from));
                if known.is_none_or(|known| known < from) {
                    self.rows.clear();
                }
                self.append(rows.into_iter().skip(usize::try_from(repeated).unwrap_or(usize::MAX)));
                Arc::default()
            }
            // No server publishes one kind under the name of the other.
            _ => return false,
        };
        self.newest = Some(NewestValue { epoch, is_own: false, seq, as_of, value });
        true
    }

    fn append(&mut self, rows: impl Iterator<Item = ChannelRow>) {
        self.rows.extend(rows);
        let surplus = self.rows.len().saturating_sub(ROWS_KEPT);
        self.rows.drain(..surplus);
    }

    /// The newest value, or the position without rows: what a server that has just begun to listen needs. `None` before
    /// the first publication, and while the positions are another server's.
    pub(crate) fn heartbeat(&self) -> Option<ChannelChange> {
        let newest = self.newest.as_ref().filter(|newest| newest.is_own)?;
        let content = match ChannelKind::of(self.channel) {
            ChannelKind::Latest => ChannelContent::Latest(Arc::clone(&newest.value)),
            ChannelKind::Rows => ChannelContent::Rows(Vec::new()),
        };
        let (epoch, seq, as_of) = (Arc::clone(&newest.epoch), newest.seq, newest.as_of);
        Some(ChannelChange { epoch, seq, as_of, content })
    }

    /// The position of the newest publication.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.newest.as_ref().map(|newest| Cursor { epoch: Arc::clone(&newest.epoch), seq: newest.seq })
    }

    /// The message that brings a client from a position to the newest state. `at` is `None` for one that has nothing
    /// yet: it gets the value, or the position from which rows follow.
    pub(crate) fn next(&self, symbol: &str, at: Option<&Cursor>, min_usd: u64) -> NextMessage {
        let Some(newest) = &self.newest else { return NextMessage::Nothing };
        let here = at.filter(|at| at.epoch == newest.epoch).map(|at| at.seq);
        if here.is_some_and(|seq| seq >= newest.seq) {
            return NextMessage::Nothing;
        }
        let cursor = Cursor { epoch: Arc::clone(&newest.epoch), seq: newest.seq };
        let is_rows = ChannelKind::of(self.channel) == ChannelKind::Rows;
        let (mut missed, reset) = (0, is_rows && at.is_some() && here.is_none());
        let data: Arc<str> = if is_rows {
            let kept = self.rows.len() as u64;
            let wanted = match (at, here) {
                (None, _) => 0,
                (Some(_), Some(seq)) => newest.seq - seq,
                // The client was at a position of another run; what this one keeps comes after it.
                (Some(_), None) => kept,
            };
            missed = wanted.saturating_sub(kept);
            let skipped = usize::try_from(kept.saturating_sub(wanted)).unwrap_or(usize::MAX);
            let rows: Vec<&str> = self
                .rows
                .iter()
                .skip(skipped)
                .filter(|row| row.usd >= min_usd)
                .map(|row| &*row.json)
                .collect();
            if rows.is_empty() && at.is_some() && missed == 0 && !reset {
                return NextMessage::Advance(cursor);
            }
            format!("[{}]", rows.join(",")).into()
        } else {
            Arc::clone(&newest.value)
        };
        let timestamp = format_time(newest.as_of);
        let envelope = ChannelEnvelope {
            channel: self.channel,
            symbol,
            timestamp: &timestamp,
            epoch: &newest.epoch,
            seq: newest.seq,
            missed,
            reset,
        };
        NextMessage::Message(ChannelMessage { payload: channel_message(&envelope, &data), at: cursor })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn state(channel: Channel) -> ChannelState {
        ChannelState::new(channel, "r".into())
    }

    fn latest(value: u64) -> ChannelContent {
        ChannelContent::Latest(value.to_string().into())
    }

    fn rows(usd: impl IntoIterator<Item = u64>) -> ChannelContent {
        let row = |usd: u64| ChannelRow { usd, json: usd.to_string().into() };
        ChannelContent::Rows(usd.into_iter().map(row).collect())
    }

    /// (seq, data, missed, reset) of the next message, and the position.
    fn read(state: &ChannelState, at: Option<&Cursor>, min_usd: u64) -> Option<(Value, Cursor)> {
        match state.next("X", at, min_usd) {
            NextMessage::Message(message) => {
                Some((serde_json::from_slice(&message.payload).unwrap(), message.at))
            }
            NextMessage::Nothing | NextMessage::Advance(_) => None,
        }
    }

    #[test]
    fn the_latest_value_replaces_the_one_before() {
        let mut price = state(Channel::Price);
        assert_eq!(price.next("X", None, 0), NextMessage::Nothing);
        assert!(price.publish(UnixMs(1), latest(7)).is_some());
        let (message, at) = read(&price, None, 0).unwrap();
        assert_eq!((message["seq"].as_u64(), message["data"].as_u64()), (Some(1), Some(7)));
        assert_eq!(price.next("X", Some(&at), 0), NextMessage::Nothing);
        assert_eq!(price.publish(UnixMs(2), latest(7)), None, "nothing new");
        price.publish(UnixMs(3), latest(8));
        price.publish(UnixMs(4), latest(9));
        let (message, _) = read(&price, Some(&at), 0).unwrap();
        assert_eq!((message["seq"].as_u64(), message["data"].as_u64()), (Some(3), Some(9)), "8 is skipped");
        let foreign = Cursor { epoch: "other".into(), seq: 99 };
        let (message, _) = read(&price, Some(&foreign), 0).unwrap();
        assert_eq!((message["data"].as_u64(), message.get("reset")), (Some(9), None));
    }

    #[test]
    fn a_client_hears_of_rows_it_can_no_longer_get() {
        let mut log = state(Channel::Liquidations);
        log.publish(UnixMs(1), rows([]));
        let (message, at) = read(&log, None, 0).unwrap();
        assert_eq!((message["seq"].as_u64(), message["data"].as_array().map(Vec::len)), (Some(0), Some(0)));
        log.publish(UnixMs(2), rows(0..ROWS_KEPT as u64 + 3));
        let (message, _) = read(&log, Some(&at), 0).unwrap();
        assert_eq!(message["missed"], 3);
        assert_eq!(
            (message["data"].as_array().unwrap().len(), &message["data"][0]),
            (ROWS_KEPT, &Value::from(3))
        );
        assert_eq!(read(&log, None, 0).unwrap().0["data"].as_array().unwrap().len(), 0, "from now on");
        let foreign = Cursor { epoch: "other".into(), seq: 1 };
        let (message, _) = read(&log, Some(&foreign), 1_000).unwrap();
        assert_eq!((&message["reset"], message["data"].as_array().unwrap().len()), (&Value::from(true), 3));
    }

    #[test]
    fn rows_that_are_too_small_advance_silently() {
        let mut log = state(Channel::Liquidations);
        log.publish(UnixMs(1), rows([]));
        let at = read(&log, None, 50).unwrap().1;
        log.publish(UnixMs(2), rows([10, 20]));
        let NextMessage::Advance(at) = log.next("X", Some(&at), 50) else { panic!("a message without rows") };
        log.publish(UnixMs(3), rows([10, 60]));
        let (message, at) = read(&log, Some(&at), 50).unwrap();
        assert_eq!((message["data"].to_string(), at.seq), ("[60]".into(), 4));
    }

    #[test]
    fn a_position_is_never_given_two_meanings() {
        let mut own = state(Channel::Price);
        let mut other = ChannelState::new(Channel::Price, "s".into());
        let first = own.publish(UnixMs(1), latest(1)).unwrap();
        assert!(own.apply(other.publish(UnixMs(2), latest(2)).unwrap()));
        let again = own.publish(UnixMs(3), latest(3)).unwrap();
        assert_ne!(first.epoch, again.epoch, "the run was interrupted");
        assert!(own.heartbeat().is_some_and(|change| change == again));
        assert!(other.apply(again.clone()) && !other.apply(again), "repeated messages change nothing");
        assert_eq!(other.heartbeat(), None);
        assert!(!other.apply(ChannelChange { content: rows([1]), seq: 99, ..first }), "the wrong kind");
    }

    proptest! {
        /// Whatever messages of the producer get lost or repeated, a client of a replica has every row once and in
        /// order, or hears that some are missing.
        #[test]
        fn rows_reach_clients_of_a_replica_once_or_are_reported(
            batches in prop::collection::vec((0usize..5, 0u8..4, any::<bool>()), 1..60),
        ) {
            let (mut producer, mut replica) = (state(Channel::Liquidations), ChannelState::new(Channel::Liquidations, "s".into()));
            let mut next_row = 0u64;
            let (mut at, mut got, mut missed) = (None, Vec::<u64>::new(), 0);
            let mut begun = None;
            for (count, fate, client_reads) in batches {
                let new: Vec<u64> = (next_row..next_row + count as u64).collect();
                next_row += count as u64;
                if let Some(change) = producer.publish(UnixMs(1), rows(new)) {
                    if fate != 0 {
                        replica.apply(change.clone());
                    }
                    if fate == 1 {
                        replica.apply(change);
                    }
                }
                if client_reads && let Some((message, cursor)) = read(&replica, at.as_ref(), 0) {
                    begun.get_or_insert(cursor.seq);
                    missed += message["missed"].as_u64().unwrap_or(0);
                    got.extend(message["data"].as_array().unwrap().iter().map(|row| row.as_u64().unwrap()));
                    at = Some(cursor);
                }
            }
            prop_assert!(got.is_sorted_by(|a, b| a < b), "{got:?}");
            if let (Some(begun), Some(at)) = (begun, at) {
                prop_assert_eq!(at.seq - begun, got.len() as u64 + missed, "each row once, or counted as missed");
            }
        }
    }
}
