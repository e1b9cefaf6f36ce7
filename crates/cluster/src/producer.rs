//! What this server publishes: under which epoch and `seq` every new state of its own ledger goes out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use liqheat_stream::{Board, BoardUpdate, RemoteState};
use liqheat_wire::FeedState;
use tokio::time::Instant;

use crate::backplane::PendingUpdate;
use crate::epoch_run::{Continuity, EpochNames, EpochRun, Handover, RecentHashes};
use crate::message::Message;
use crate::request::{Host, KeptState, Moment, Publication, PublishOutcome};

/// First bytes of the stored state that are compared with every heartbeat: head, symbol, epoch, `seq` and hash.
const HEAD_BYTES: usize = 96;

/// One symbol of the producer.
#[derive(Debug)]
struct ProducedSymbol {
    /// The newest that the updater has.
    latest: Option<PendingUpdate>,
    recent: RecentHashes,
    /// The run that this server produces, alone or for all.
    run: Option<EpochRun>,
    /// Of the lease, since the run was last published.
    continuity: Continuity,
    /// Under the present token it is not decided yet how to continue.
    is_undecided: bool,
    /// Decided, but not published yet.
    handover: Option<Handover>,
    published_at: Instant,
    published_feed: Option<FeedState>,
    /// The whole state that Redis stores, if this server wrote it.
    stored: Option<KeptState>,
}

impl ProducedSymbol {
    fn update(&self) -> Option<&BoardUpdate> {
        self.latest.as_ref()?.update.as_ref()
    }
}

/// A publication in flight.
#[derive(Debug)]
struct SentPublication {
    symbol: String,
    state: RemoteState,
    feed: FeedState,
    /// It assigned a new `seq`.
    changed: bool,
    stored: Option<KeptState>,
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchResult {
    pub(crate) published: Vec<String>,
    pub(crate) fenced: Vec<String>,
    /// States that the board of this server refused, which is a bug.
    pub(crate) refused: Vec<String>,
}

/// A batch to publish.
#[derive(Debug, Default)]
pub(crate) struct PublicationBatch {
    pub(crate) publications: Vec<Publication>,
    /// Symbols whose state fits into no message, with the number of levels.
    pub(crate) too_large: Vec<(String, usize)>,
}

/// The producer's side of all symbols.
#[derive(Debug)]
pub(crate) struct Producer {
    symbols: BTreeMap<String, ProducedSymbol>,
    /// To be published now, changed or not.
    due: BTreeSet<String>,
    in_flight: Vec<SentPublication>,
    /// When the updater last had something.
    updated_at: Option<Instant>,
    heartbeat_every: Duration,
    /// Fingerprint of what this server serves.
    group: u64,
}

impl Producer {
    pub(crate) const fn new(heartbeat_every: Duration, group: u64) -> Self {
        Self {
            symbols: BTreeMap::new(),
            due: BTreeSet::new(),
            in_flight: Vec::new(),
            updated_at: None,
            heartbeat_every,
            group,
        }
    }

    pub(crate) fn add_symbol(&mut self, symbol: &str, now: Instant) {
        self.symbols.entry(symbol.to_owned()).or_insert_with(|| ProducedSymbol {
            latest: None,
            recent: RecentHashes::default(),
            run: None,
            continuity: Continuity::Broken,
            is_undecided: true,
            handover: None,
            published_at: now,
            published_feed: None,
            stored: None,
        });
    }

    pub(crate) fn remove_symbol(&mut self, symbol: &str) {
        self.symbols.remove(symbol);
        self.due.remove(symbol);
    }

    /// The updater has something new.
    pub(crate) fn on_update(&mut self, symbol: &str, update: PendingUpdate, now: Instant) {
        let Some(produced) = self.symbols.get_mut(symbol) else { return };
        if let Some(state) = &update.update {
            produced.recent.add(state);
        }
        if !update.failed {
            self.updated_at = Some(now);
        }
        produced.latest = Some(match produced.latest.take() {
            Some(latest) => latest.followed_by(update),
            None => update,
        });
        self.due.insert(symbol.to_owned());
    }

    /// Whether this server could produce: it has heard of every symbol and has a state of one at least, and its
    /// updater had something within `idle_after`.
    pub(crate) fn is_able(&self, now: Instant, idle_after: Duration) -> bool {
        self.updated_at.is_some_and(|updated| now.duration_since(updated) < idle_after)
            && self.symbols.values().all(|produced| produced.latest.is_some())
            && self.symbols.values().any(|produced| produced.update().is_some())
    }

    /// Whether there are runs that only this server has, or that it produced.
    pub(crate) fn has_runs(&self) -> bool {
        self.symbols.values().any(|produced| produced.run.is_some())
    }

    /// The lease is ours, under a new token; `continuity` is that of the last one.
    pub(crate) fn on_won(&mut self, continuity: Continuity) {
        for produced in self.symbols.values_mut() {
            produced.continuity = continuity;
            produced.is_undecided = true;
            produced.handover = None;
            produced.stored = None;
        }
    }

    /// Redis is unavailable: feeds are published anew when it is back.
    pub(crate) fn on_disconnected(&mut self) {
        self.symbols.values_mut().for_each(|produced| produced.published_feed = None);
    }

    /// Another server is the producer: all runs end here.
    pub(crate) fn on_lost(&mut self) {
        self.due.clear();
        for produced in self.symbols.values_mut() {
            produced.run = None;
            produced.is_undecided = true;
            produced.handover = None;
        }
    }

    /// Heartbeats become due.
    pub(crate) fn on_tick(&mut self, now: Instant) {
        let quiet =
            |produced: &ProducedSymbol| now.duration_since(produced.published_at) >= self.heartbeat_every;
        let due =
            self.symbols.iter().filter(|(_, produced)| quiet(produced)).map(|(symbol, _)| symbol.clone());
        self.due.extend(due);
    }

    /// Due symbols of which the stored state is needed before they can continue.
    pub(crate) fn undecided(&self) -> Vec<String> {
        let open = |symbol: &&String| {
            self.symbols.get(*symbol).is_some_and(|produced| {
                (produced.is_undecided || produced.run.is_none()) && produced.update().is_some()
            })
        };
        self.due.iter().filter(open).cloned().collect()
    }

    /// Decides how to continue a symbol: `stored` is the state in Redis, `board` that of this server. Returns the epoch
    /// and `seq` that it continues from.
    pub(crate) fn decide(
        &mut self,
        symbol: &str,
        (stored, board): (Option<Board>, Option<Board>),
        names: &mut EpochNames,
    ) -> Option<(String, u64, Handover)> {
        let produced = self.symbols.get_mut(symbol)?;
        let own = produced.run.take();
        let Some(update) = produced.latest.as_ref().and_then(|latest| latest.update.as_ref()) else {
            produced.run = own;
            return None;
        };
        let own = own.map(|own| (own, produced.continuity));
        let (run, handover) = EpochRun::take_over(own, (stored, board), update, &produced.recent, names);
        let (epoch, seq) = (run.board().epoch().to_string(), run.board().seq());
        produced.run = Some(run);
        produced.is_undecided = false;
        produced.handover = Some(handover);
        produced.stored = None;
        Some((epoch, seq, handover))
    }

    /// What to publish now; the result is to be given to `on_outcomes` or `on_publish_failed`.
    pub(crate) fn batch(&mut self, token: u64, at: Moment, names: &mut EpochNames) -> PublicationBatch {
        let mut batch = PublicationBatch::default();
        let undecided: BTreeSet<String> = self.undecided().into_iter().collect();
        for symbol in std::mem::take(&mut self.due) {
            if undecided.contains(&symbol) {
                self.due.insert(symbol);
                continue;
            }
            let Some(produced) = self.symbols.get_mut(&symbol) else { continue };
            let Some(PendingUpdate { update: Some(update), feed, .. }) = &produced.latest else { continue };
            let (update, feed) = (update.clone(), *feed);
            let Some(run) = &mut produced.run else { continue };
            let handover = produced.handover;
            let is_unknown = run.is_unconfirmed() || handover == Some(Handover::New);
            let change = run.advance(update, names);
            let changed = change.is_some();
            let is_quiet = at.since(produced.published_at) < self.heartbeat_every;
            if handover.is_none() && !changed && is_quiet && produced.published_feed == Some(feed) {
                continue;
            }
            let state = match change {
                _ if is_unknown => run.board().whole(),
                Some(change) => change,
                None => run.board().still(),
            };
            let encode = |state: RemoteState| {
                let (published, group) = (at.wall, self.group);
                Message { symbol: symbol.clone(), token, group, published, feed_state: feed, state }.encode()
            };
            let stored = match &produced.stored {
                Some(stored) if !changed && handover.is_none() => Some(stored.clone()),
                _ => encode(run.board().whole()).map(KeptState::Write),
            };
            let (Some(message), Some(stored)) = (encode(state.clone()), stored) else {
                batch.too_large.push((symbol, run.board().levels()));
                continue;
            };
            let written = match &stored {
                KeptState::Write(whole) => {
                    let head = whole[..whole.len().min(HEAD_BYTES)].to_vec();
                    Some(KeptState::Expect { length: whole.len(), head })
                }
                KeptState::Expect { .. } => None,
            };
            self.in_flight.push(SentPublication {
                symbol: symbol.clone(),
                state,
                feed,
                changed,
                stored: written,
            });
            batch.publications.push(Publication { symbol, message, stored });
        }
        batch
    }

    /// Redis answered: what it published goes onto the boards of this server.
    pub(crate) fn on_outcomes(
        &mut self,
        outcomes: &[PublishOutcome],
        now: Instant,
        host: &mut impl Host,
    ) -> BatchResult {
        let mut result = BatchResult::default();
        for (sent, outcome) in std::mem::take(&mut self.in_flight).into_iter().zip(outcomes) {
            let Some(produced) = self.symbols.get_mut(&sent.symbol) else { continue };
            match outcome {
                PublishOutcome::Published => {
                    let Some(run) = &mut produced.run else { continue };
                    run.confirm();
                    produced.continuity = Continuity::Unbroken;
                    produced.handover = None;
                    produced.published_at = now;
                    produced.published_feed = Some(sent.feed);
                    if let Some(stored) = sent.stored {
                        produced.stored = Some(stored);
                    }
                    if !put(host, &sent.symbol, &sent.state, run.board(), sent.feed) {
                        result.refused.push(sent.symbol.clone());
                    }
                    result.published.push(sent.symbol);
                }
                PublishOutcome::StateLost => {
                    // Our token is the newest, so nobody else has published.
                    produced.continuity = Continuity::Unbroken;
                    produced.is_undecided = true;
                    produced.stored = None;
                    self.due.insert(sent.symbol);
                }
                PublishOutcome::Fenced => result.fenced.push(sent.symbol),
            }
        }
        result
    }

    /// Redis may have what was sent, or not: whatever changed continues under another epoch.
    pub(crate) fn on_publish_failed(&mut self, names: &mut EpochNames, host: &mut impl Host) {
        for sent in std::mem::take(&mut self.in_flight) {
            let Some(produced) = self.symbols.get_mut(&sent.symbol) else { continue };
            self.due.insert(sent.symbol.clone());
            let update = produced.update().filter(|_| sent.changed).cloned();
            let Some(run) = &mut produced.run else { continue };
            let Some(update) = update else {
                // Other servers may know the run now, so it does not continue without Redis.
                run.confirm();
                continue;
            };
            run.detach(update, names);
            put(host, &sent.symbol, &run.board().whole(), run.board(), FeedState::Degraded);
        }
    }

    /// Serves this server's own states without Redis: at once where it has produced before or has nothing to show,
    /// else only when `is_patient` no longer holds. Returns whether any symbol is served so.
    pub(crate) fn serve_alone(
        &mut self,
        is_patient: bool,
        names: &mut EpochNames,
        host: &mut impl Host,
    ) -> bool {
        for symbol in std::mem::take(&mut self.due) {
            let Some(produced) = self.symbols.get_mut(&symbol) else { continue };
            let Some(update) = produced.update().cloned() else { continue };
            let board = host.board(&symbol);
            if produced.run.is_none() && board.is_some() && is_patient {
                continue;
            }
            let is_empty = board.is_none();
            let run = produced.run.get_or_insert_with(|| match board {
                Some(board) => EpochRun::on_board(board, update.epoch.clone()),
                None => EpochRun::begin(update.clone(), names),
            });
            let state = run.advance_unconfirmed(update, names);
            if let Some(state) = state.or_else(|| is_empty.then(|| run.board().whole())) {
                put(host, &symbol, &state, run.board(), FeedState::Degraded);
            }
        }
        self.has_runs()
    }

    /// Nothing that was due is published: this server is not the producer.
    pub(crate) fn drop_due(&mut self) {
        self.due.clear();
    }
}

/// Puts a state of this server onto its own board; the whole one where the board was elsewhere.
fn put(host: &mut impl Host, symbol: &str, state: &RemoteState, board: &Board, feed: FeedState) -> bool {
    host.apply(symbol, state, feed).or_else(|_| host.apply(symbol, &board.whole(), feed)).is_ok()
}
