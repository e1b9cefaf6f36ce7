//! How this server follows the producer: which messages it applies, and when it fetches a whole state instead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_stream::{Misfit, RemoteState};
use liqheat_wire::FeedState;
use tokio::time::Instant;

use crate::epoch_run::EpochNames;
use crate::message::Message;
use crate::metrics::ResyncReason;
use crate::request::Host;

/// A symbol's whole state is fetched no more often than this.
const RESYNC_PAUSE: Duration = Duration::from_secs(1);

/// The producer's epoch under another name on this server.
///
/// A board that someone led to a `seq` that the producer never published cannot go back under the same epoch, because
/// one (epoch, `seq`) names one state. So it takes the producer's states under an epoch of its own.
#[derive(Debug)]
struct LocalEpoch {
    theirs: Arc<str>,
    ours: Arc<str>,
}

/// One symbol of a replica.
#[derive(Debug)]
struct ReplicatedSymbol {
    /// The newest token seen.
    token: u64,
    /// When a message was last applied.
    last_message: Instant,
    last_fetch: Option<Instant>,
    resync: Option<ResyncReason>,
    local_epoch: Option<LocalEpoch>,
    /// Since when messages under the newest token are older than the board.
    old_since: Option<Instant>,
    is_silent: bool,
}

/// Outcome of a message of the producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageOutcome {
    Applied {
        changed: bool,
    },
    Old,
    Misfit,
    Fenced,
    OtherGroup,
    /// Of a symbol that is not served.
    Unknown,
}

/// Outcome of a fetched state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchOutcome {
    Applied,
    /// The board is further.
    Old,
    /// The board was further than the producer ever was: taken under a local epoch.
    Replaced,
    /// It contradicts its own hash.
    Damaged,
    OtherGroup,
}

/// Symbols that became silent, and whether the subscription should be opened anew.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) began: Vec<String>,
    pub(crate) resubscribe: bool,
}

/// The replica's side of all symbols.
#[derive(Debug)]
pub(crate) struct Replica {
    symbols: BTreeMap<String, ReplicatedSymbol>,
    /// Fingerprint of the group whose messages are applied; `None` on an edge that does not know it yet.
    group: Option<u64>,
    silent_after: Duration,
    old_after: Duration,
}

impl Replica {
    pub(crate) const fn new(group: Option<u64>, silent_after: Duration, old_after: Duration) -> Self {
        Self { symbols: BTreeMap::new(), group, silent_after, old_after }
    }

    pub(crate) fn add_symbol(&mut self, symbol: &str, now: Instant) {
        self.symbols.entry(symbol.to_owned()).or_insert_with(|| ReplicatedSymbol {
            token: 0,
            last_message: now,
            last_fetch: None,
            resync: Some(ResyncReason::Start),
            local_epoch: None,
            old_since: None,
            is_silent: false,
        });
    }

    pub(crate) fn remove_symbol(&mut self, symbol: &str) {
        self.symbols.remove(symbol);
    }

    pub(crate) fn symbols(&self) -> Vec<String> {
        self.symbols.keys().cloned().collect()
    }

    pub(crate) fn has_symbol(&self, symbol: &str) -> bool {
        self.symbols.contains_key(symbol)
    }

    pub(crate) const fn group(&self) -> Option<u64> {
        self.group
    }

    /// Messages of this group are applied from now on.
    pub(crate) const fn set_group(&mut self, group: u64) {
        self.group = Some(group);
    }

    /// Following begins (again): silence counts from now on.
    pub(crate) fn restart(&mut self, reason: ResyncReason, now: Instant) {
        for replicated in self.symbols.values_mut() {
            replicated.last_message = now;
            replicated.old_since = None;
            replicated.resync = Some(reason);
        }
    }

    /// This server is the producer: nothing is fetched, nothing is missed.
    pub(crate) fn stand_by(&mut self) {
        for replicated in self.symbols.values_mut() {
            replicated.resync = None;
            replicated.old_since = None;
            replicated.is_silent = false;
            // The producer publishes under the epoch's own name.
            replicated.local_epoch = None;
        }
    }

    pub(crate) fn on_message(
        &mut self,
        message: &Message,
        now: Instant,
        host: &mut impl Host,
    ) -> MessageOutcome {
        let Some(replicated) = self.symbols.get_mut(&message.symbol) else { return MessageOutcome::Unknown };
        if self.group != Some(message.group) {
            return MessageOutcome::OtherGroup;
        }
        if message.token < replicated.token {
            replicated.resync.get_or_insert(ResyncReason::Fenced);
            return MessageOutcome::Fenced;
        }
        replicated.token = message.token;
        let state = replicated.under_local_epoch(&message.state);
        match host.apply(&message.symbol, &state, message.feed_state) {
            Ok(changed) => {
                replicated.on_applied(&message.state.epoch);
                replicated.last_message = now;
                MessageOutcome::Applied { changed }
            }
            Err(Misfit::Old) => {
                let since = *replicated.old_since.get_or_insert(now);
                if now.duration_since(since) >= self.old_after {
                    replicated.resync.get_or_insert(ResyncReason::Old);
                }
                MessageOutcome::Old
            }
            Err(misfit) => {
                let reason = if misfit == Misfit::Hash { ResyncReason::Hash } else { ResyncReason::Hole };
                replicated.resync.get_or_insert(reason);
                MessageOutcome::Misfit
            }
        }
    }

    /// A whole state was fetched.
    pub(crate) fn on_state(
        &mut self,
        message: &Message,
        now: Instant,
        names: &mut EpochNames,
        host: &mut impl Host,
    ) -> FetchOutcome {
        let Some(replicated) = self.symbols.get_mut(&message.symbol) else { return FetchOutcome::Old };
        if self.group != Some(message.group) {
            return FetchOutcome::OtherGroup;
        }
        replicated.token = message.token;
        let feed = if replicated.is_silent { FeedState::Degraded } else { message.feed_state };
        let state = replicated.under_local_epoch(&message.state);
        match host.apply(&message.symbol, &state, feed) {
            Ok(_) => {
                replicated.on_applied(&message.state.epoch);
                FetchOutcome::Applied
            }
            Err(Misfit::Old)
                if replicated.old_since.is_some_and(|since| now.duration_since(since) >= self.old_after) =>
            {
                let ours: Arc<str> = names.next(&message.state.epoch).into();
                let state = RemoteState { epoch: Arc::clone(&ours), ..message.state.clone() };
                if host.apply(&message.symbol, &state, feed).is_err() {
                    return FetchOutcome::Damaged;
                }
                replicated.old_since = None;
                replicated.local_epoch = Some(LocalEpoch { theirs: Arc::clone(&message.state.epoch), ours });
                FetchOutcome::Replaced
            }
            Err(Misfit::Old) => FetchOutcome::Old,
            Err(_) => FetchOutcome::Damaged,
        }
    }

    /// Every symbol's whole state is to be fetched.
    pub(crate) fn want_all(&mut self, reason: ResyncReason) {
        self.symbols.values_mut().for_each(|replicated| replicated.resync = Some(reason));
    }

    /// The symbols to fetch now, with the reason of each; they count as fetched.
    pub(crate) fn take_wanted(&mut self, now: Instant) -> Vec<(String, ResyncReason)> {
        let mut taken = Vec::new();
        for (symbol, replicated) in &mut self.symbols {
            let is_rested = replicated.last_fetch.is_none_or(|at| now.duration_since(at) >= RESYNC_PAUSE);
            if let Some(reason) = replicated.resync.filter(|_| is_rested) {
                replicated.resync = None;
                replicated.last_fetch = Some(now);
                taken.push((symbol.clone(), reason));
            }
        }
        taken
    }

    /// Nothing was applied for too long: the producer is gone, or the subscription is dead though it looks well.
    pub(crate) fn on_tick(&mut self, now: Instant) -> Silence {
        let silent_after = self.silent_after;
        let is_long_ago = |since: Instant| now.duration_since(since) >= silent_after;
        let mut silence = Silence::default();
        for (symbol, replicated) in &mut self.symbols {
            if !is_long_ago(replicated.last_message) {
                replicated.is_silent = false;
                continue;
            }
            if !replicated.is_silent {
                replicated.is_silent = true;
                silence.began.push(symbol.clone());
            }
            let is_wanted = replicated.resync == Some(ResyncReason::Silence);
            if replicated.last_fetch.is_none_or(is_long_ago) && !is_wanted {
                replicated.resync = Some(ResyncReason::Silence);
                silence.resubscribe = true;
            }
        }
        silence
    }
}

impl ReplicatedSymbol {
    /// The state as it goes onto our board.
    fn under_local_epoch(&self, state: &RemoteState) -> RemoteState {
        match &self.local_epoch {
            Some(local) if local.theirs == state.epoch => {
                RemoteState { epoch: Arc::clone(&local.ours), ..state.clone() }
            }
            _ => state.clone(),
        }
    }

    fn on_applied(&mut self, epoch: &Arc<str>) {
        self.old_since = None;
        if self.local_epoch.as_ref().is_some_and(|local| local.theirs != *epoch) {
            self.local_epoch = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::{Price, UnixMs};
    use liqheat_stream::{Board, BoardUpdate, Counters};
    use liqheat_wire::Cell;

    use super::*;
    use crate::simulation::MemoryHost;

    const SYMBOL: &str = "BTCUSDT";

    fn update(usd: u64) -> BoardUpdate {
        BoardUpdate {
            epoch: "e".into(),
            cells: vec![Cell { price: Price::from_units(10), long_usd: usd, short_usd: 0 }],
            price: Price::from_units(11),
            base_bin: Price::from_units(10),
            as_of: UnixMs(5),
            counters: Counters::default(),
        }
    }

    fn message(token: u64, state: RemoteState) -> Message {
        Message {
            symbol: SYMBOL.into(),
            token,
            group: 7,
            published: UnixMs(0),
            feed_state: FeedState::Live,
            state,
        }
    }

    fn replica(now: Instant) -> (Replica, MemoryHost) {
        let mut replica = Replica::new(Some(7), Duration::from_secs(15), Duration::from_secs(3));
        replica.add_symbol(SYMBOL, now);
        let mut host = MemoryHost::default();
        host.add_symbol(SYMBOL);
        (replica, host)
    }

    #[test]
    fn a_far_seq_in_the_running_epoch_is_left_under_a_local_epoch() {
        let began = Instant::now();
        let (mut replica, mut host) = replica(began);
        let mut names = EpochNames::new("r".into());
        let mut theirs = Board::new(update(1));
        assert_eq!(
            replica.on_message(&message(1, theirs.whole()), began, &mut host),
            MessageOutcome::Applied { changed: true }
        );
        // Somebody leads the board to a seq that the producer never published.
        let cells = vec![Cell { price: Price::from_units(20), long_usd: 9, short_usd: 0 }];
        let mut forged = theirs.clone();
        forged.apply(BoardUpdate { cells: [update(1).cells, cells].concat(), ..update(1) });
        let far = RemoteState { seq: 1 << 50, ..forged.last_change() };
        assert_eq!(
            replica.on_message(&message(1, far), began, &mut host),
            MessageOutcome::Applied { changed: true }
        );
        replica.take_wanted(began);

        let mut now = began;
        let mut replaced = None;
        for usd in 2..12 {
            now += Duration::from_secs(1);
            theirs.apply(update(usd));
            let outcome = replica.on_message(&message(1, theirs.last_change()), now, &mut host);
            for (_, reason) in replica.take_wanted(now) {
                assert_eq!(reason, ResyncReason::Old);
                assert_eq!(
                    replica.on_state(&message(1, theirs.whole()), now, &mut names, &mut host),
                    FetchOutcome::Replaced
                );
                replaced = Some(now);
            }
            if replaced.is_none_or(|at| at == now) {
                assert_eq!(outcome, MessageOutcome::Old);
            } else {
                assert_eq!(outcome, MessageOutcome::Applied { changed: true });
            }
        }
        assert_eq!(replaced, Some(began + Duration::from_secs(4)), "old for three seconds");
        let board = host.board(SYMBOL).unwrap();
        assert_eq!((board.seq(), board.hash(), &**board.epoch()), (theirs.seq(), theirs.hash(), "e.r.0"));
        // A new epoch of the producer has its own name again.
        let mut next = Board::new(BoardUpdate { epoch: "f".into(), ..update(3) });
        assert_eq!(
            replica.on_message(&message(2, next.whole()), now, &mut host),
            MessageOutcome::Applied { changed: true }
        );
        next.apply(BoardUpdate { epoch: "f".into(), ..update(4) });
        assert_eq!(
            replica.on_message(&message(2, next.last_change()), now, &mut host),
            MessageOutcome::Applied { changed: true }
        );
        assert_eq!(&**host.board(SYMBOL).unwrap().epoch(), "f");
    }

    /// A subscription that is seconds behind brings old messages, too, but then the stored state is not old.
    #[test]
    fn messages_that_are_late_change_no_epoch() {
        let began = Instant::now();
        let (mut replica, mut host) = replica(began);
        let mut names = EpochNames::new("r".into());
        let mut theirs = Board::new(update(1));
        let mut late = Vec::new();
        for usd in 2..40 {
            theirs.apply(update(usd));
            late.push(theirs.last_change());
        }
        replica.take_wanted(began);
        replica.on_state(&message(1, theirs.whole()), began, &mut names, &mut host);
        for (second, change) in late.into_iter().enumerate() {
            let now = began + Duration::from_secs(second as u64);
            theirs.apply(update(100 + second as u64));
            assert_eq!(replica.on_message(&message(1, change), now, &mut host), MessageOutcome::Old);
            for _ in replica.take_wanted(now) {
                assert_eq!(
                    replica.on_state(&message(1, theirs.whole()), now, &mut names, &mut host),
                    FetchOutcome::Applied
                );
            }
        }
        assert_eq!(&**host.board(SYMBOL).unwrap().epoch(), "e");
    }

    #[test]
    fn old_messages_are_no_news() {
        let began = Instant::now();
        let (mut replica, mut host) = replica(began);
        let mut theirs = Board::new(update(1));
        let first = theirs.whole();
        theirs.apply(update(2));
        replica.on_message(&message(1, theirs.whole()), began, &mut host);
        for second in 1..15 {
            let now = began + Duration::from_secs(second);
            assert_eq!(replica.on_message(&message(1, first.clone()), now, &mut host), MessageOutcome::Old);
            assert_eq!(replica.on_tick(now).began, Vec::<String>::new());
        }
        let silence = replica.on_tick(began + Duration::from_secs(15));
        assert_eq!((silence.began.as_slice(), silence.resubscribe), (&[SYMBOL.to_owned()][..], true));
        let now = began + Duration::from_secs(16);
        assert_eq!(
            replica.on_message(&message(1, theirs.still()), now, &mut host),
            MessageOutcome::Applied { changed: false }
        );
        assert_eq!(replica.on_tick(now), Silence::default());
    }

    #[test]
    fn old_tokens_and_other_groups_are_not_applied() {
        let now = Instant::now();
        let (mut replica, mut host) = replica(now);
        let theirs = Board::new(update(1));
        assert_eq!(
            replica.on_message(&message(5, theirs.whole()), now, &mut host),
            MessageOutcome::Applied { changed: true }
        );
        assert_eq!(replica.on_message(&message(4, theirs.still()), now, &mut host), MessageOutcome::Fenced);
        let other = Message { group: 8, ..message(9, theirs.still()) };
        assert_eq!(replica.on_message(&other, now, &mut host), MessageOutcome::OtherGroup);
        assert_eq!(
            replica.on_message(&message(5, theirs.still()), now, &mut host),
            MessageOutcome::Applied { changed: false }
        );
        let unknown = Message { symbol: "X".into(), ..message(9, theirs.whole()) };
        assert_eq!(replica.on_message(&unknown, now, &mut host), MessageOutcome::Unknown);
    }
}
