//! The task between boards and Redis.
//!
//! It alone moves the boards of this server, so there is nothing to lock: it takes what the updater has, what the
//! subscription brings, and the passing of time, one after the other. While it waits for Redis (a second at
//! most, then Redis counts as away), what the updater has is kept, the newest of each symbol only.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use liqheat_wire::FeedState;
use redis::Msg;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::election::{Ask, Election, Turn};
use super::line::{Line, Names, Passed, Recent};
use super::message::{Message, NAME_BYTES_MAX};
use super::metrics::{Fate, Why};
use super::redis::{Commands, Fault, Listener, Opened, Outcome, Publication, open};
use super::settings::{RedisSettings, Role};
use super::{Backplane, Fed, Shared, lock, pause, redis as wire};
use crate::board::{Board, BoardUpdate, Misfit, RemoteState};
use crate::sessions::Sessions;
use crate::slot::BoardSlot;

/// Symbols an edge serves at most; further ones are left out.
const SYMBOLS_MAX: usize = 1_000;
/// How often the driver looks at what is due when nothing happens.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// And no more often.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(10);
/// A symbol's whole state is fetched no more often than this.
const RESYNC_PAUSE: Duration = Duration::from_secs(1);
/// Messages taken one after the other before the driver looks at the time.
const MESSAGES_AT_A_TIME: usize = 64;

/// The list of what is served, as the server writes and reads it; the backplane only carries it.
pub trait Catalogue: Send + Sync {
    /// What this server serves, while it makes the states.
    fn ours(&self) -> Vec<u8>;
    /// Takes what the producer serves and gives the names of its symbols.
    ///
    /// # Errors
    /// When it cannot be read, in words.
    fn learn(&self, bytes: &[u8]) -> Result<Vec<String>, String>;
}

type Opening = Pin<Box<dyn Future<Output = Result<Opened, Fault>> + Send>>;

/// Whether there is a way to Redis.
enum Link {
    Away { attempt: u32, again: Instant },
    Opening { attempt: u32, opening: Opening },
    There { commands: Commands, listener: Option<Listener> },
}

/// What is known of a symbol.
#[derive(Debug)]
struct Track {
    slot: Arc<BoardSlot>,
    /// The newest the updater has.
    latest: Option<Fed>,
    recent: Recent,
    /// The newest token that was heard.
    token: u64,
    heard: Instant,
    /// Last fetched.
    fetched: Option<Instant>,
    /// Last published.
    published: Instant,
    told: Option<FeedState>,
}

/// What the driver waits for.
enum Event {
    Stop,
    Opened(Result<Opened, Fault>),
    Fed,
    Heard(Option<Msg>),
    Time,
}

/// Moves the boards of a server that is one of several.
pub struct Driver {
    shared: Arc<Shared>,
    sessions: Arc<Sessions>,
    settings: RedisSettings,
    catalogue: Arc<dyn Catalogue>,
    names: Names,
    /// Who we are, in the lease.
    id: String,
    election: Election,
    link: Link,
    /// Since when Redis is away.
    away_since: Option<Instant>,
    /// An attempt to reach it has failed.
    failed: bool,
    tracks: BTreeMap<String, Track>,
    /// Runs that this server makes, alone or for all.
    lines: BTreeMap<String, Line>,
    /// Of these it has not been decided yet how to go on under the token we have.
    undecided: BTreeSet<String>,
    /// To be published now, changed or not.
    due: BTreeSet<String>,
    /// To be fetched.
    wanted: BTreeMap<String, Why>,
    fed_at: Option<Instant>,
    catalogue_at: Instant,
    catalogue_seen: Vec<u8>,
}

impl Driver {
    /// A driver for the boards of these sessions, and the place where the updater leaves what it has.
    #[must_use]
    pub fn new(
        settings: RedisSettings,
        sessions: Arc<Sessions>,
        catalogue: Arc<dyn Catalogue>,
    ) -> (Self, Backplane) {
        let (backplane, shared) = Backplane::redis(settings.role);
        let now = Instant::now();
        let id = format!("{:032x}", fastrand::u128(..));
        let mut driver = Self {
            shared,
            names: Names::new(id[..6].to_owned()),
            id,
            election: Election::new(settings.times.lease, now),
            link: Link::Away { attempt: 0, again: now },
            away_since: Some(now),
            failed: false,
            tracks: BTreeMap::new(),
            lines: BTreeMap::new(),
            undecided: BTreeSet::new(),
            due: BTreeSet::new(),
            wanted: BTreeMap::new(),
            fed_at: None,
            catalogue_at: now,
            catalogue_seen: Vec::new(),
            sessions,
            settings,
            catalogue,
        };
        let symbols = driver.settings.symbols.clone();
        symbols.iter().for_each(|symbol| driver.sessions.add_board(symbol));
        driver.follow_boards(now);
        (driver, backplane)
    }

    /// Runs until asked to stop, then leaves the lease to others.
    pub async fn run(mut self, stop: CancellationToken) {
        info!(redis = %self.settings.address, role = ?self.settings.role, id = self.id, "backplane runs");
        loop {
            match self.next_event(&stop).await {
                Event::Stop => break,
                Event::Opened(opened) => self.opened(opened),
                Event::Fed => {
                    self.take_fed();
                    self.produce().await;
                }
                Event::Heard(first) => self.hear_some(first),
                Event::Time => {}
            }
            self.look_at_the_time().await;
        }
        if let (Some(token), Link::There { commands, .. }) = (self.election.token(), &mut self.link) {
            // Without it the others wait until it runs out.
            let _ = commands.lease(Ask::GiveUp { token }).await;
        }
        info!("backplane stopped");
    }

    async fn next_event(&mut self, stop: &CancellationToken) -> Event {
        let now = Instant::now();
        let due = match &self.link {
            Link::Away { again, .. } => *again,
            Link::There { .. } if self.settings.role == Role::All => self.election.next(),
            Link::Opening { .. } | Link::There { .. } => now + LOOK_EVERY,
        };
        let wake = due.clamp(now + LOOK_AT_MOST_EVERY, now + LOOK_EVERY);
        let (opening, listener) = match &mut self.link {
            Link::Away { .. } => (None, None),
            Link::Opening { opening, .. } => (Some(opening), None),
            Link::There { listener, .. } => (None, listener.as_mut()),
        };
        tokio::select! {
            () = stop.cancelled() => Event::Stop,
            opened = opened(opening) => Event::Opened(opened),
            () = self.shared.told.notified() => Event::Fed,
            heard = next_message(listener) => Event::Heard(heard),
            () = sleep_until(wake) => Event::Time,
        }
    }

    // ---- The way to Redis.

    async fn look_at_the_time(&mut self) {
        let now = Instant::now();
        match &self.link {
            Link::Away { attempt, again } if *again <= now => {
                let symbols: Vec<String> = self.tracks.keys().cloned().collect();
                let opening = Box::pin(open(self.settings.clone(), self.id.clone(), symbols));
                self.link = Link::Opening { attempt: *attempt, opening };
                return;
            }
            Link::Away { .. } | Link::Opening { .. } => return,
            Link::There { .. } => {}
        }
        self.elect(now).await;
        self.listen().await;
        if self.leads().is_some() {
            let since = now.checked_sub(self.settings.times.heartbeat_every);
            let quiet =
                self.tracks.iter().filter(|(_, track)| since.is_some_and(|since| track.published <= since));
            self.due.extend(quiet.map(|(symbol, _)| symbol.clone()));
            self.produce().await;
        } else {
            self.mind_silence(now).await;
            self.fetch().await;
        }
        self.mind_catalogue(now).await;
    }

    fn opened(&mut self, opened: Result<Opened, Fault>) {
        let Opened { commands, listener } = match opened {
            Ok(opened) => opened,
            Err(fault) => return self.lose(&fault),
        };
        let now = Instant::now();
        let away_ms = self.away_since.take().map_or(0, |since| now.duration_since(since).as_millis() as u64);
        info!(redis = %self.settings.address, away_ms, "Redis is there");
        self.link = Link::There { commands, listener: Some(listener) };
        self.election.reconnected(now);
        self.catalogue_at = now;
        self.follow_boards(now);
        self.tracks.values_mut().for_each(|track| track.heard = now);
        self.want_all(Why::Start);
        self.shared.metrics.connected.set(1);
        let mut health = lock(&self.shared.health);
        health.away = None;
        health.alone = false;
    }

    /// Redis is away. What this server makes goes on; what others make stays as it is.
    fn lose(&mut self, fault: &Fault) {
        let now = Instant::now();
        let attempt = match &self.link {
            Link::There { .. } => 0,
            Link::Away { attempt, .. } | Link::Opening { attempt, .. } => attempt.saturating_add(1),
        };
        let range = (self.settings.times.retry_min, self.settings.times.retry_max);
        self.link = Link::Away { attempt, again: now + pause(attempt, range, fastrand::f64()) };
        let metrics = &self.shared.metrics;
        metrics.connected.set(0);
        metrics.lease_holder.set(0);
        metrics.faults.inc();
        let since = *self.away_since.get_or_insert(now);
        let mut health = lock(&self.shared.health);
        if health.away.is_none() || !self.failed {
            warn!(redis = %self.settings.address, %fault, "Redis is away; trying again");
        } else {
            debug!(redis = %self.settings.address, %fault, attempt, "Redis is still away");
        }
        health.away = Some((since, fault.to_string()));
        health.alone = self.election.token().is_some() || !self.lines.is_empty();
        self.failed = true;
        drop(health);
        for track in self.tracks.values_mut() {
            track.slot.set_standing(FeedState::Degraded, None);
            track.told = None;
        }
    }

    /// Keeps the subscription open.
    async fn listen(&mut self) {
        let Link::There { listener, .. } = &mut self.link else { return };
        if listener.is_some() {
            return;
        }
        let symbols: Vec<String> = self.tracks.keys().cloned().collect();
        let client = &self.settings.address.client;
        let (names, within) =
            (wire::Names::new(self.settings.prefix.clone()), self.settings.times.answer_within);
        match Listener::open(client, names, &symbols, within).await {
            Ok(opened) => *listener = Some(opened),
            Err(fault) => self.lose(&fault),
        }
    }

    fn commands(&mut self) -> Option<&mut Commands> {
        match &mut self.link {
            Link::There { commands, .. } => Some(commands),
            _ => None,
        }
    }

    // ---- Who makes the states.

    /// The token under which this server makes the states of all, if it does.
    fn leads(&self) -> Option<u64> {
        matches!(self.link, Link::There { .. }).then(|| self.election.token()).flatten()
    }

    /// Whether this server could make the states: it has something of every symbol, and gets more.
    fn is_able(&self, now: Instant) -> bool {
        let idle_after =
            self.settings.times.idle_after.max(3 * self.sessions.hub().settings().update_interval);
        self.fed_at.is_some_and(|fed| now.duration_since(fed) < idle_after)
            && self.tracks.values().all(|track| track.latest.is_some())
            && self.tracks.values().any(|track| track.update().is_some())
    }

    async fn elect(&mut self, now: Instant) {
        if self.settings.role == Role::Edge || self.election.next() > now {
            return;
        }
        let able = self.is_able(now);
        // Whoever lost the lease to nobody (the keys of Redis are gone) asks again at once.
        for _ in 0..2 {
            let Some(ask) = self.election.ask(able) else { break };
            let sent = Instant::now();
            let Some(commands) = self.commands() else { return };
            let answer = match commands.lease(ask).await {
                Ok(answer) => answer,
                Err(fault) => return self.lose(&fault),
            };
            match self.election.answered(answer, sent, fastrand::f64()) {
                Turn::Same => break,
                Turn::Won { token } => {
                    self.won(token);
                    break;
                }
                Turn::Lost => {}
            }
        }
        if self.election.token().is_none() {
            if !able {
                self.election.wait(now, fastrand::f64());
            }
            self.leave_to_others();
        }
    }

    fn won(&mut self, token: u64) {
        info!(token, "this server makes the states");
        self.shared.metrics.lease_holder.set(1);
        self.undecided = self.tracks.keys().cloned().collect();
        self.wanted.clear();
        self.catalogue_at = Instant::now();
        let mut health = lock(&self.shared.health);
        health.silent.clear();
        self.shared.metrics.silent.set(0);
        // What the updater has may be as old as its interval; the states of the last producer were newer.
        self.shared.turn.notify_one();
    }

    fn leave_to_others(&mut self) {
        self.shared.metrics.lease_holder.set(0);
        self.due.clear();
        if self.lines.is_empty() && self.undecided.is_empty() {
            return;
        }
        info!("another server makes the states");
        self.lines.clear();
        self.undecided.clear();
        let now = Instant::now();
        self.tracks.values_mut().for_each(|track| track.heard = now);
        self.want_all(Why::Lost);
    }

    // ---- Making states.

    fn take_fed(&mut self) {
        let now = Instant::now();
        self.follow_boards(now);
        for (symbol, fed) in std::mem::take(&mut *lock(&self.shared.fed)) {
            let Some(track) = self.tracks.get_mut(&symbol) else { continue };
            if let Some(update) = &fed.update {
                track.recent.add(update);
            }
            if !fed.failed {
                self.fed_at = Some(now);
            }
            track.latest = Some(match track.latest.take() {
                Some(latest) => latest.and(fed),
                None => fed,
            });
            self.due.insert(symbol);
        }
    }

    /// Publishes what is due, or makes it for this server alone while Redis is away.
    async fn produce(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let symbols = std::mem::take(&mut self.due);
        match (self.leads(), &self.link) {
            (Some(token), _) => self.publish(token, symbols).await,
            (None, Link::There { .. }) => {}
            (None, _) => symbols.iter().for_each(|symbol| self.make_alone(symbol)),
        }
    }

    async fn publish(&mut self, token: u64, symbols: BTreeSet<String>) {
        let Some(decided) = self.decide(&symbols).await else {
            // Redis was lost meanwhile.
            symbols.iter().for_each(|symbol| self.make_alone(symbol));
            return;
        };
        let now = Instant::now();
        let mut batch: Vec<(RemoteState, FeedState, bool)> = Vec::new();
        let mut publications: Vec<Publication> = Vec::new();
        for symbol in symbols {
            let (Some(track), Some(line)) = (self.tracks.get(&symbol), self.lines.get_mut(&symbol)) else {
                continue;
            };
            let Some(Fed { update: Some(update), standing, .. }) = &track.latest else { continue };
            let fresh = decided.get(&symbol);
            let unheard_of = line.is_apart() || fresh == Some(&Passed::Begun);
            let change = line.advance(update.clone(), &mut self.names);
            let changed = change.is_some();
            let quiet = now.duration_since(track.published) < self.settings.times.heartbeat_every;
            if fresh.is_none() && !changed && quiet && track.told == Some(*standing) {
                continue;
            }
            let state = match change {
                _ if unheard_of => line.board().whole(),
                Some(change) => change,
                None => line.board().still(),
            };
            let message = |state: RemoteState| {
                let published = (self.settings.wall_clock)();
                Message { symbol: symbol.clone(), token, published, standing: *standing, state }.encode()
            };
            let whole = (changed || fresh.is_some()).then(|| message(line.board().whole()));
            let (Some(bytes), Some(whole)) =
                (message(state.clone()), whole.map_or(Some(None), |w| w.map(Some)))
            else {
                error!(symbol, levels = line.board().levels(), "the state is too large for a message");
                continue;
            };
            batch.push((state, *standing, changed));
            publications.push(Publication { symbol, message: bytes, whole });
        }
        if publications.is_empty() {
            return;
        }
        let Some(commands) = self.commands() else { return };
        let outcomes = match commands.publish(token, &publications).await {
            Ok(outcomes) => outcomes,
            Err(fault) => {
                self.lose(&fault);
                return self.doubt(publications.into_iter().zip(batch));
            }
        };
        for ((publication, (state, standing, _)), outcome) in
            publications.into_iter().zip(batch).zip(outcomes)
        {
            match outcome {
                Outcome::Published => self.published(&publication.symbol, &state, standing),
                Outcome::WholeIsGone => {
                    self.undecided.insert(publication.symbol.clone());
                    self.due.insert(publication.symbol);
                    self.shared.told.notify_one();
                }
                Outcome::Fenced => {
                    self.shared.metrics.fencing_refusals.inc();
                    warn!(
                        symbol = publication.symbol,
                        token, "not published: another server has a newer token"
                    );
                    self.election.fenced(now);
                }
            }
        }
    }

    /// How to go on with those that were not gone on with under this token; `None` when Redis is lost.
    async fn decide(&mut self, symbols: &BTreeSet<String>) -> Option<BTreeMap<String, Passed>> {
        let has_state =
            |symbol: &&String| self.tracks.get(*symbol).is_some_and(|track| track.update().is_some());
        let open = symbols
            .iter()
            .filter(|symbol| self.undecided.contains(*symbol) || !self.lines.contains_key(*symbol));
        let open: Vec<String> = open.filter(has_state).cloned().collect();
        if open.is_empty() {
            return Some(BTreeMap::new());
        }
        let stored = match self.commands()?.states(&open).await {
            Ok(stored) => stored,
            Err(fault) => {
                self.lose(&fault);
                return None;
            }
        };
        let mut decided = BTreeMap::new();
        for (symbol, stored) in open.into_iter().zip(stored) {
            let Some(track) = self.tracks.get(&symbol) else { continue };
            let Some(update) = track.update() else { continue };
            let stored = stored.and_then(|bytes| {
                let read = Message::decode(&bytes).map_err(|error| error.to_string());
                let board =
                    read.and_then(|read| Board::from_remote(&read.state).map_err(|error| error.to_string()));
                board.map_err(|error| warn!(symbol, error, "the state that Redis keeps cannot be used")).ok()
            });
            let own = self.lines.remove(&symbol);
            let seen = track.slot.with_board(Board::clone);
            let (line, passed) = Line::pass(own, (stored, seen), update, &track.recent, &mut self.names);
            let (epoch, seq) = (line.board().epoch().to_string(), line.board().seq());
            info!(symbol, epoch, seq, how = ?passed, "a run of states goes on here");
            self.lines.insert(symbol.clone(), line);
            self.undecided.remove(&symbol);
            decided.insert(symbol, passed);
        }
        Some(decided)
    }

    /// Redis agreed: the state goes onto our own board.
    fn published(&mut self, symbol: &str, state: &RemoteState, standing: FeedState) {
        let (Some(track), Some(line)) = (self.tracks.get_mut(symbol), self.lines.get_mut(symbol)) else {
            return;
        };
        line.agreed();
        track.published = Instant::now();
        track.heard = track.published;
        track.told = Some(standing);
        self.shared.metrics.message(Fate::Published);
        put(&track.slot, state, line.board(), standing);
    }

    /// Redis may have what was sent, or not: whatever changed goes on under another name.
    fn doubt(&mut self, sent: impl Iterator<Item = (Publication, (RemoteState, FeedState, bool))>) {
        for (publication, (_, _, changed)) in sent {
            let symbol = publication.symbol;
            let (Some(track), Some(line)) = (self.tracks.get(&symbol), self.lines.get_mut(&symbol)) else {
                continue;
            };
            let Some(update) = track.update().filter(|_| changed) else { continue };
            line.part(update.clone(), &mut self.names);
            put(&track.slot, &line.board().whole(), line.board(), FeedState::Degraded);
            lock(&self.shared.health).alone = true;
        }
    }

    /// Redis is away: a producer goes on by itself, and so does, after a while, one who follows it.
    fn make_alone(&mut self, symbol: &str) {
        let Some(track) = self.tracks.get(symbol) else { return };
        let Some(update) = track.update() else { return };
        let board = track.slot.with_board(Board::clone);
        let away = self.away_since.map(|since| since.elapsed()).unwrap_or_default();
        let patient = board.is_some() && away < self.settings.times.alone_after || !self.failed;
        if !self.lines.contains_key(symbol) && patient {
            return;
        }
        let is_empty = board.is_none();
        let line = self.lines.entry(symbol.to_owned()).or_insert_with(|| match board {
            Some(board) => Line::seen(board, update.epoch.clone()),
            None => Line::begin(update.clone(), &mut self.names),
        });
        let state = line.advance_alone(update.clone(), &mut self.names);
        if let Some(state) = state.or_else(|| is_empty.then(|| line.board().whole())) {
            put(&track.slot, &state, line.board(), FeedState::Degraded);
        }
        lock(&self.shared.health).alone = true;
    }

    // ---- Taking states that others make.

    fn hear_some(&mut self, first: Option<Msg>) {
        let mut next = Some(first);
        for _ in 0..MESSAGES_AT_A_TIME {
            let Some(heard) = next else { return };
            let Some(message) = heard else {
                warn!("the subscription broke; subscribing again");
                if let Link::There { listener, .. } = &mut self.link {
                    *listener = None;
                }
                self.want_all(Why::Broken);
                return;
            };
            self.hear(&message);
            next = match &mut self.link {
                Link::There { listener: Some(listener), .. } => listener.next().now_or_never(),
                _ => None,
            };
        }
    }

    fn hear(&mut self, message: &Msg) {
        if self.leads().is_some() {
            // Our own.
            return;
        }
        let names = wire::Names::new(self.settings.prefix.clone());
        let Some(symbol) = names.symbol(message.get_channel_name()) else { return };
        let Some(track) = self.tracks.get_mut(symbol) else { return };
        let metrics = &self.shared.metrics;
        let read = match Message::decode(message.get_payload_bytes()) {
            Ok(read) if read.symbol == symbol => read,
            Ok(read) => {
                metrics.message(Fate::Unreadable);
                warn!(symbol, names = read.symbol, "a message of another symbol; is the prefix used twice?");
                return;
            }
            Err(error) => {
                metrics.message(Fate::Unreadable);
                debug!(symbol, %error, "a message that cannot be read");
                return;
            }
        };
        if read.token < track.token {
            metrics.message(Fate::Fenced);
            self.wanted.insert(symbol.to_owned(), Why::Fenced);
            return;
        }
        track.token = read.token;
        track.heard = Instant::now();
        if lock(&self.shared.health).silent.remove(symbol).is_some() {
            info!(symbol, "there is news again");
        }
        match track.slot.take_remote(&read.state, read.standing) {
            Ok(changed) => {
                metrics.message(Fate::Applied);
                if changed {
                    metrics.lag((self.settings.wall_clock)().since(read.published));
                }
            }
            Err(Misfit::Old) => metrics.message(Fate::Old),
            Err(misfit) => {
                metrics.message(Fate::Misfit);
                let why = if misfit == Misfit::Hash { Why::Hash } else { Why::Hole };
                self.wanted.insert(symbol.to_owned(), why);
            }
        }
    }

    fn want_all(&mut self, why: Why) {
        self.wanted.extend(self.tracks.keys().map(|symbol| (symbol.clone(), why)));
    }

    /// Nothing heard for too long: the producer is gone, or the subscription is dead though it looks well.
    async fn mind_silence(&mut self, now: Instant) {
        let silent_after = self.settings.times.silent_after;
        let long_ago = |since: Instant| now.duration_since(since) >= silent_after;
        let mut again = false;
        {
            let mut health = lock(&self.shared.health);
            for (symbol, track) in self.tracks.iter().filter(|(_, track)| long_ago(track.heard)) {
                if health.silent.insert(symbol.clone(), track.heard).is_none() {
                    warn!(symbol, "no news for too long; subscribing again and fetching the whole state");
                    track.slot.set_standing(FeedState::Degraded, None);
                }
                if track.fetched.is_none_or(long_ago) {
                    self.wanted.insert(symbol.clone(), Why::Silence);
                    again = true;
                }
            }
            self.shared.metrics.silent.set(health.silent.len() as i64);
        }
        if again && let Link::There { listener, .. } = &mut self.link {
            *listener = None;
            self.listen().await;
        }
    }

    /// Fetches whole states that are wanted, each not too often.
    async fn fetch(&mut self) {
        let now = Instant::now();
        let rested = |track: &Track| track.fetched.is_none_or(|at| now.duration_since(at) >= RESYNC_PAUSE);
        let due = self.wanted.keys().filter(|symbol| self.tracks.get(*symbol).is_some_and(rested));
        let due: Vec<String> = due.cloned().collect();
        if due.is_empty() {
            return;
        }
        let Some(commands) = self.commands() else { return };
        let states = match commands.states(&due).await {
            Ok(states) => states,
            Err(fault) => return self.lose(&fault),
        };
        for (symbol, bytes) in due.into_iter().zip(states) {
            let why = self.wanted.remove(&symbol).unwrap_or(Why::Start);
            let Some(track) = self.tracks.get_mut(&symbol) else { continue };
            track.fetched = Some(now);
            self.shared.metrics.resync(why);
            let Some(bytes) = bytes else {
                debug!(symbol, why = why.name(), "Redis keeps no state");
                continue;
            };
            let read = match Message::decode(&bytes) {
                Ok(read) if read.symbol == symbol => read,
                Ok(_) => continue,
                Err(error) => {
                    self.shared.metrics.message(Fate::Unreadable);
                    warn!(symbol, %error, "the state that Redis keeps cannot be read");
                    continue;
                }
            };
            let is_silent = lock(&self.shared.health).silent.contains_key(&symbol);
            let standing = if is_silent { FeedState::Degraded } else { read.standing };
            track.token = read.token;
            let taken = track.slot.take_remote(&read.state, standing);
            debug!(symbol, why = why.name(), seq = read.state.seq, ?taken, "whole state fetched");
            if taken == Err(Misfit::Hash) {
                warn!(symbol, "the state that Redis keeps has another hash than it says");
            }
        }
    }

    // ---- Which symbols there are.

    /// Knows of every board.
    fn follow_boards(&mut self, now: Instant) {
        for slot in self.sessions.hub().slots() {
            self.tracks.entry(slot.symbol().to_owned()).or_insert_with(|| Track::new(slot, now));
        }
        lock(&self.shared.health).knows_nothing = self.settings.role == Role::Edge && self.tracks.is_empty();
    }

    async fn mind_catalogue(&mut self, now: Instant) {
        if self.catalogue_at > now || !matches!(self.link, Link::There { .. }) {
            return;
        }
        self.catalogue_at = now + self.settings.times.catalogue_every;
        match (self.leads(), self.settings.role) {
            (Some(token), _) => {
                let ours = self.catalogue.ours();
                let Some(commands) = self.commands() else { return };
                match commands.keep_catalogue(token, &ours).await {
                    Ok(Outcome::Fenced) => self.election.fenced(now),
                    Ok(_) => {}
                    Err(fault) => self.lose(&fault),
                }
            }
            (None, Role::Edge) => {
                let Some(commands) = self.commands() else { return };
                match commands.catalogue().await {
                    Ok(Some(bytes)) if bytes != self.catalogue_seen => self.learn(bytes).await,
                    Ok(_) => {}
                    Err(fault) => self.lose(&fault),
                }
            }
            (None, Role::All) => {}
        }
    }

    async fn learn(&mut self, bytes: Vec<u8>) {
        let names = match self.catalogue.learn(&bytes) {
            Ok(names) => names,
            Err(error) => {
                warn!(error, "the list of symbols that Redis keeps cannot be used");
                Vec::new()
            }
        };
        self.catalogue_seen = bytes;
        if !self.settings.symbols.is_empty() {
            return;
        }
        let is_name = |name: &String| {
            (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic())
        };
        let new = names.into_iter().filter(|name| is_name(name) && !self.tracks.contains_key(name));
        let new: Vec<String> = new.take(SYMBOLS_MAX.saturating_sub(self.tracks.len())).collect();
        if new.is_empty() {
            return;
        }
        info!(symbols = new.join(","), "serving what the producer serves");
        new.iter().for_each(|symbol| self.sessions.add_board(symbol));
        self.follow_boards(Instant::now());
        self.wanted.extend(new.iter().map(|symbol| (symbol.clone(), Why::Start)));
        if let Link::There { listener: Some(listener), .. } = &mut self.link
            && let Err(fault) = listener.add(&new).await
        {
            self.lose(&fault);
        }
    }
}

impl Track {
    fn new(slot: Arc<BoardSlot>, now: Instant) -> Self {
        Self {
            slot,
            latest: None,
            recent: Recent::default(),
            token: 0,
            heard: now,
            fetched: None,
            published: now,
            told: None,
        }
    }

    fn update(&self) -> Option<&BoardUpdate> {
        self.latest.as_ref()?.update.as_ref()
    }
}

/// Puts a state that this server made onto its own board; the whole one where the board was elsewhere.
fn put(slot: &BoardSlot, state: &RemoteState, board: &Board, standing: FeedState) {
    let taken = slot.take_remote(state, standing).or_else(|_| slot.take_remote(&board.whole(), standing));
    if let Err(misfit) = taken {
        error!(symbol = slot.symbol(), %misfit, "our own state does not go onto our own board");
    }
}

async fn opened(opening: Option<&mut Opening>) -> Result<Opened, Fault> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

async fn next_message(listener: Option<&mut Listener>) -> Option<Msg> {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}
