//! One venue: its lines, its requests, and the intake of every contract, on one task.
//!
//! Sockets and requests work on tasks of their own and send what they have here, where alone it is decided what
//! counts. What is missing is asked for, a few requests at a time; polls do not wait behind fills.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_market::{Event, Instrument, Qty, UnixMs};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::budget::{Budget, Of};
use super::health::Health;
use super::intake::{Intake, Lost, Origin, Row, Verdict};
use super::lines::Lines;
use super::rest::{FetchError, Fetched, Rest};
use super::socket::Word;
use super::{Delivery, Gap, Known, LiveSettings, LiveStatus, RawKind};
use crate::venues::{
    Account, Contract, Exchange, LIVE_INTERVAL, RejectedRow, RestQuery, RowSubject, Signal, StreamKind,
    TradeIds, VenueLimits,
};

/// Words from the lines that wait; when it is full, sockets are not read.
const WORDS_WAITING: usize = 64;
/// Events are handed on together, so often, or when there are so many.
const HAND_ON: Duration = Duration::from_millis(100);
const HAND_ON_MIN: Duration = Duration::from_millis(5);
const EVENTS_HELD_MAX: usize = 4_096;
/// Requests under way: for the past, and for the present.
const FILLS_MAX: usize = 2;
const POLLS_MAX: usize = 4;
/// Other than its contracts' open interest a venue is asked for its clock and for funding, in market time.
const CLOCK_EVERY_MS: i64 = 600_000;
const FUNDING_EVERY_MS: i64 = 600_000;
/// Without a sample for so long the history of open interest is asked for.
const STOCK_HOLE_MS: i64 = 600_000;
/// Klines of the mark price that cannot be asked for are waited for so long after their end.
const TICKS_LATE_MS: i64 = 60_000;
const RETRY_MIN_MS: i64 = 5_000;
const RETRY_MAX_MS: i64 = 60_000;
/// After a lost connection or a refused subscription the venue is asked sooner what it has, for a contract that has gone
/// may take others with it; but not oftener than this.
const LOOK_SOON_MS: i64 = 300_000;
/// One line of the log for what goes wrong again and again.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// What a request is for; of each at most one is under way for a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    Clock,
    Poll,
    Row(Row),
    StockHistory,
    Funding,
}

impl Job {
    const fn is_fill(self) -> bool {
        matches!(self, Self::Row(_) | Self::StockHistory | Self::Funding)
    }

    const fn stream(self) -> Option<StreamKind> {
        match self {
            Self::Clock => None,
            Self::Poll | Self::StockHistory => Some(StreamKind::OpenInterest),
            Self::Row(row) => Some(row.stream()),
            Self::Funding => Some(StreamKind::Funding),
        }
    }
}

/// When a job of a contract is due next, and how it went.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    under_way: bool,
    not_before: UnixMs,
    failures: u32,
    /// What is left of a job of several pages.
    rest: Option<RestQuery>,
    /// What was asked for as a whole, and what came of it so far.
    whole: Option<RestQuery>,
    events: u64,
    times: Option<(UnixMs, UnixMs)>,
}

/// One contract followed.
struct Followed {
    contract: Contract,
    instrument: Instrument,
    intake: Intake,
    turns: BTreeMap<Job, Turn>,
    held: Vec<Event>,
    /// Time between polls now.
    poll_ms: i64,
    /// The history of open interest is asked for from here on.
    stock_from: Option<UnixMs>,
    /// Funding is known up to here.
    funding_from: UnixMs,
    /// The line was cut after the trade of this moment, and ids do not tell what is missing since.
    trades_lost: Option<UnixMs>,
    last_poll: Option<Event>,
    /// Its line.
    line: usize,
    /// The venue has it no more.
    is_gone: bool,
}

/// Which contracts a venue has, by its names, and their sizes; `None` when it does not say.
type Listed = Option<BTreeMap<String, Qty>>;

/// The venue's task.
pub(super) struct Follow {
    exchange: &'static dyn Exchange,
    limits: VenueLimits,
    settings: Arc<LiveSettings>,
    rest: Rest,
    /// What is to be followed, whether the venue has it or not.
    wanted: Vec<Contract>,
    known: BTreeMap<Instrument, Known>,
    /// What is followed, and what was.
    contracts: Vec<Followed>,
    lines: Lines,
    /// The question what the venue has, while it is under way.
    looks: JoinSet<Result<Listed, FetchError>>,
    looked: UnixMs,
    look_at: UnixMs,
    deliveries: mpsc::Sender<Delivery>,
    fetches: JoinSet<(usize, Job, RestQuery, Result<Fetched, FetchError>)>,
    fills: usize,
    polls: usize,
    held: usize,
    /// What is to be said beside events.
    stated: Vec<Delivery>,
    health: Health,
    logged: Option<Instant>,
    /// Where the search for the next job goes on, so that no contract is passed over.
    cursor: usize,
    /// Something may be started: time passed, or a request came back.
    has_room: bool,
}

/// What a venue is followed with.
pub(super) struct Start {
    pub(super) exchange: &'static dyn Exchange,
    pub(super) limits: VenueLimits,
    pub(super) contracts: Vec<Contract>,
    pub(super) accounts: Vec<Account>,
    pub(super) socket_base: String,
    pub(super) rest_base: String,
    pub(super) settings: Arc<LiveSettings>,
    pub(super) known: BTreeMap<Instrument, Known>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) status: Arc<watch::Sender<Arc<LiveStatus>>>,
    /// Its place in the status.
    pub(super) place: usize,
}

/// Follows a venue until told to stop, or until nobody takes deliveries any more.
///
/// # Errors
/// When one of its tasks panicked.
pub(super) async fn follow(mut start: Start, stop: CancellationToken) -> Result<(), JoinError> {
    let settings = Arc::clone(&start.settings);
    let budget = Budget::new(start.limits.weight_per_minute, settings.budget_share);
    let rest = Rest::new(
        start.exchange,
        &start.rest_base,
        budget,
        settings.clock,
        settings.timeout,
        settings.recorder.clone(),
    );
    let mut health = Health::new(&start);
    let wanted = start.contracts.clone();
    let listed = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        listed = listed(&rest, &start, &mut health) => listed,
    };
    if let Some(sizes) = listed {
        // What a venue does not have is not subscribed to: some refuse the rest with it.
        let (had, missing) = std::mem::take(&mut start.contracts)
            .into_iter()
            .partition::<Vec<_>, _>(|contract| sizes.contains_key(&contract.name));
        start.contracts = had;
        for contract in &mut start.contracts {
            contract.size = sizes[&contract.name];
        }
        for contract in &missing {
            let (venue, name) = (start.exchange.venue(), &contract.name);
            warn!(%venue, symbol = %contract.symbol, "there is no contract {name}; it is left out until there is");
        }
        health.listed(&start, missing.into_iter().map(|contract| contract.symbol).collect());
    }
    let (words, mut heard) = mpsc::channel(WORDS_WAITING);
    let lines = Lines::new(&start, words, stop.child_token());
    let mut follow = Follow::new(start, wanted, rest, lines, health);
    follow.open((0..follow.contracts.len()).collect());
    let outcome = follow.run(&mut heard, &stop).await;
    // Lines may be waiting for room: nobody will make it.
    heard.close();
    drop(heard);
    follow.fetches.shutdown().await;
    follow.looks.shutdown().await;
    follow.lines.end().await?;
    outcome
}

/// Which contracts the venue has, and their sizes; asked for until it answers. `None` when it refuses to say and sizes do
/// not matter: then all are taken to be there.
async fn listed(rest: &Rest, start: &Start, health: &mut Health) -> Option<BTreeMap<String, Qty>> {
    let mut sizes = BTreeMap::new();
    let mut pause = RETRY_MIN_MS;
    loop {
        match look(rest, start.exchange, &start.contracts, &mut sizes).await {
            Ok(is_told) => return is_told.then_some(sizes),
            Err(error) => {
                health.unreachable(format!("contracts: {error}"));
                health.publish(start.settings.clock.now(), &mut rest.budget(), true);
                let wait = Duration::from_millis(pause.unsigned_abs());
                tokio::time::sleep(start.settings.clock.real(wait)).await;
                pause = (pause * 2).min(RETRY_MAX_MS);
            }
        }
    }
}

/// Asks which contracts the venue has, and adds what it told; whether it tells such things.
async fn look(
    rest: &Rest,
    exchange: &'static dyn Exchange,
    contracts: &[Contract],
    sizes: &mut BTreeMap<String, Qty>,
) -> Result<bool, FetchError> {
    for contract in contracts {
        // Some tell of all at once.
        if sizes.contains_key(&contract.name) {
            continue;
        }
        match rest.fetch(contract, &RestQuery::Contracts, Of::Present).await {
            Ok(fetched) => {
                let coins = fetched.page.contracts.into_iter().filter(|listed| {
                    contracts.iter().all(|one| one.name != listed.name || listed.serves(exchange, one))
                });
                sizes.extend(coins.map(|listed| (listed.name, listed.size)));
            }
            Err(error) if !error.is_passing() && !exchange.has_sizes() => {
                warn!(venue = %exchange.venue(), %error, "it does not tell which contracts it has");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

impl Follow {
    fn new(start: Start, wanted: Vec<Contract>, rest: Rest, lines: Lines, health: Health) -> Self {
        let now = start.settings.clock.now();
        let look_at = now.plus(start.settings.look_again.as_millis() as i64);
        let mut follow = Self {
            exchange: start.exchange,
            limits: start.limits,
            settings: start.settings,
            rest,
            wanted,
            known: start.known,
            contracts: Vec::with_capacity(start.contracts.len()),
            lines,
            looks: JoinSet::new(),
            looked: now,
            look_at,
            deliveries: start.deliveries,
            fetches: JoinSet::new(),
            fills: 0,
            polls: 0,
            held: 0,
            stated: Vec::new(),
            health,
            logged: None,
            cursor: 0,
            has_room: true,
        };
        for contract in start.contracts {
            let followed = follow.followed(contract, now);
            follow.contracts.push(followed);
        }
        follow
    }

    /// A contract of which the database has something or nothing.
    fn followed(&self, contract: Contract, now: UnixMs) -> Followed {
        let back = |time: Duration| now.plus(-(time.as_millis() as i64));
        let (fill_klines, fill_stock) = (self.settings.fill_klines, self.settings.fill_open_interest);
        let instrument = Instrument::new(self.exchange.venue(), contract.symbol.clone());
        let known = self.known.get(&instrument).copied().unwrap_or_default();
        let trades_max = self.settings.fill_trades_max;
        let after = |time: Option<UnixMs>, oldest: UnixMs| time.map_or(oldest, |t| t.plus(1).max(oldest));
        let history = RestQuery::OpenInterestHistory { from: back(fill_stock), to: now };
        // Where there is no history, what was never known is no loss.
        let asks_history =
            known.open_interest.is_some() || self.exchange.request(&contract, &history, now).is_some();
        Followed {
            intake: Intake::new(&self.limits, &known, fill_klines, trades_max, now),
            instrument,
            contract,
            turns: BTreeMap::new(),
            held: Vec::new(),
            poll_ms: 0,
            stock_from: asks_history.then(|| after(known.open_interest, back(fill_stock))),
            trades_lost: None,
            funding_from: after(known.funding, back(fill_klines)),
            last_poll: None,
            line: 0,
            is_gone: false,
        }
    }

    /// Follows contracts, given by their places, on lines that are opened for them. Whoever records learns what is followed.
    fn open(&mut self, places: Vec<usize>) -> Vec<usize> {
        if let Some(recorder) = &self.settings.recorder {
            let there = self.contracts.iter().filter(|followed| !followed.is_gone);
            let contracts = there.map(|followed| followed.contract.clone()).collect();
            let kind = RawKind::Opened { connection: RawKind::FOLLOWED, contracts };
            recorder.record(self.exchange.venue(), self.settings.clock.now(), &kind, &[]);
        }
        let contracts: Vec<(usize, Contract)> =
            places.into_iter().map(|at| (at, self.contracts[at].contract.clone())).collect();
        let opened = self.lines.open(&contracts);
        for line in &opened {
            for at in self.lines.places(*line) {
                self.contracts[*at].line = *line;
            }
            self.health.on_line(*line, self.lines.places(*line));
        }
        opened
    }

    /// Asks the venue what it has, when it is time.
    fn look_again(&mut self) {
        let local = self.settings.clock.now();
        if local < self.look_at || !self.looks.is_empty() {
            return;
        }
        self.looked = local;
        self.look_at = local.plus(self.settings.look_again.as_millis() as i64);
        let (rest, exchange, contracts) = (self.rest.clone(), self.exchange, self.wanted.clone());
        self.looks.spawn(async move {
            let mut sizes = BTreeMap::new();
            let is_told = look(&rest, exchange, &contracts, &mut sizes).await?;
            Ok(is_told.then_some(sizes))
        });
    }

    /// Something went wrong that a contract which has gone may be the reason of.
    fn look_soon(&mut self) {
        self.look_at = self.look_at.min(self.looked.plus(LOOK_SOON_MS));
    }

    /// The venue told what it has: contracts that came are followed, those that have gone are left.
    fn seen(&mut self, outcome: Result<Listed, FetchError>) {
        let local = self.settings.clock.now();
        let venue = self.exchange.venue();
        let sizes = match outcome {
            Ok(Some(sizes)) => sizes,
            Ok(None) => return,
            Err(error) => {
                debug!(%venue, %error, "it cannot be asked which contracts it has");
                self.look_at = self.look_at.min(local.plus(RETRY_MAX_MS));
                return;
            }
        };
        let (mut came, mut left) = (Vec::new(), Vec::new());
        for contract in self.wanted.clone() {
            let (symbol, name) = (&contract.symbol, &contract.name);
            let place = self.contracts.iter().position(|followed| followed.contract.symbol == *symbol);
            match (place, sizes.get(name)) {
                (None, Some(size)) => {
                    info!(%venue, %symbol, "there is a contract {name} now; it is followed");
                    self.health.add(symbol);
                    let followed = self.followed(Contract { size: *size, ..contract }, local);
                    came.push(self.contracts.len());
                    self.contracts.push(followed);
                }
                (Some(at), Some(_)) if self.contracts[at].is_gone => {
                    info!(%venue, %symbol, "there is a contract {name} again; it is followed");
                    self.contracts[at].is_gone = false;
                    came.push(at);
                }
                // One that speaks is there, whatever a list says.
                (Some(at), None) if !self.contracts[at].is_gone && self.health.is_silent(at, local) => {
                    warn!(%venue, %symbol, "there is no contract {name} any more; it is left out until there is");
                    self.contracts[at].is_gone = true;
                    self.cut(at);
                    left.push(at);
                }
                _ => {}
            }
        }
        for at in came.iter().chain(&left) {
            self.health.set_gone(*at, self.contracts[*at].is_gone);
        }
        if came.is_empty() && left.is_empty() {
            return;
        }
        let mut lines: Vec<usize> = left.iter().map(|at| self.contracts[*at].line).collect();
        lines.sort_unstable();
        lines.dedup();
        for line in lines {
            let is_there = |at: &usize| !self.contracts[*at].is_gone && self.contracts[*at].line == line;
            let rest: Vec<usize> = self.lines.places(line).iter().copied().filter(is_there).collect();
            let successor = self.open(rest).first().copied();
            self.lines.leave(line, successor);
            if successor.is_none() {
                self.health.left(line);
            }
        }
        self.open(came);
        let is_missing = |contract: &&Contract| {
            let mut there = self.contracts.iter().filter(|followed| !followed.is_gone);
            there.all(|followed| followed.contract.symbol != contract.symbol)
        };
        let unlisted = self.wanted.iter().filter(is_missing).map(|contract| contract.symbol.clone());
        let unlisted = unlisted.collect();
        self.health.set_unlisted(unlisted);
    }

    async fn run(
        &mut self,
        heard: &mut mpsc::Receiver<Word>,
        stop: &CancellationToken,
    ) -> Result<(), JoinError> {
        let every = self.settings.clock.real(HAND_ON).max(HAND_ON_MIN);
        let mut hand_on = tokio::time::interval(every.min(HAND_ON));
        hand_on.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    // What came is handed on, if somebody takes it soon.
                    let _ = tokio::time::timeout(Duration::from_secs(1), self.hand_on()).await;
                    return Ok(());
                }
                () = self.deliveries.closed() => return Ok(()),
                Some(ended) = self.lines.ended() => ended?,
                Some(seen) = self.looks.join_next() => self.seen(seen?),
                Some(word) = heard.recv() => self.word(word),
                Some(fetched) = self.fetches.join_next() => {
                    let (at, job, query, result) = fetched?;
                    self.has_room = true;
                    for delivery in self.fetched(at, job, query, result) {
                        if !self.deliver(delivery).await {
                            return Ok(());
                        }
                    }
                }
                _ = hand_on.tick() => {
                    self.has_room = true;
                    if !self.hand_on().await {
                        return Ok(());
                    }
                    self.look_again();
                    let now = self.settings.clock.now();
                    let filling = self.is_filling();
                    self.health.publish(now, &mut self.rest.budget(), filling);
                }
            }
            if self.held >= EVENTS_HELD_MAX && !self.hand_on().await {
                return Ok(());
            }
            for delivery in std::mem::take(&mut self.stated) {
                if !self.deliver(delivery).await {
                    return Ok(());
                }
            }
            if !std::mem::take(&mut self.has_room) {
                continue;
            }
            for delivery in self.work() {
                if !self.deliver(delivery).await {
                    return Ok(());
                }
            }
        }
    }

    /// Hands on what is held; false when nobody takes it any more.
    async fn hand_on(&mut self) -> bool {
        for followed in self.contracts.iter_mut().filter(|followed| !followed.held.is_empty()) {
            let events = std::mem::take(&mut followed.held);
            let instrument = followed.instrument.clone();
            if self.deliveries.send(Delivery::Events { instrument, events }).await.is_err() {
                return false;
            }
        }
        self.held = 0;
        true
    }

    async fn deliver(&mut self, delivery: Delivery) -> bool {
        self.hand_on().await && self.deliveries.send(delivery).await.is_ok()
    }

    fn word(&mut self, word: Word) {
        match word {
            Word::Opened { line } | Word::Proved { line } if self.lines.is_left(line) => {}
            Word::Opened { line } => self.health.opened(line),
            Word::Proved { line } => {
                self.health.proved(line, self.settings.clock.now());
                for before in self.lines.take_over(line) {
                    self.health.left(before);
                }
            }
            Word::RolledOver => self.health.status.rollovers += 1,
            Word::Lost { line, why, last } => {
                if last {
                    self.log(&format!("connection lost: {why}"));
                    self.trades_cut(line);
                    self.look_soon();
                }
                self.health.lost(line, why, last);
            }
            Word::Refused { why, frame } => self.refused(&why, &frame),
            Word::Signals { line, connection, received, frames, signals } => {
                self.health.status.frames += frames;
                for signal in signals {
                    self.signal(line, connection, received, signal);
                }
            }
        }
    }

    fn signal(&mut self, line: usize, connection: u64, received: UnixMs, signal: Signal) {
        match signal {
            Signal::Event { contract, event, sent } => {
                let Some(at) = self.lines.place(line, contract) else { return };
                let stream = StreamKind::of(&event);
                if let Some(sent) =
                    sent.filter(|_| stream == StreamKind::Mark || self.health.skew.ms().is_none())
                {
                    self.health.skew.heard(sent, received);
                }
                let stock_before = self.contracts.get(at).and_then(|followed| followed.intake.newest_stock());
                let verdict = self.take(at, event, Origin::Socket(connection), received);
                match event {
                    Event::Trade(trade) => self.trades_resumed(at, trade.time, verdict),
                    Event::OpenInterest(stock) => self.stock_resumed(at, stock_before, stock.time),
                    _ => {}
                }
                match verdict {
                    Verdict::Absurd(why) => self.refused(why, &format!("{event:?}")),
                    Verdict::New | Verdict::Repeated => {
                        let as_of = Some(event.known_at());
                        let is_new = verdict == Verdict::New;
                        self.health.heard(at, stream, received, sent.or(as_of), as_of, is_new);
                    }
                }
            }
            Signal::Alive { contract, stream, sent } => {
                let Some(at) = self.lines.place(line, contract) else { return };
                self.health.heard(at, stream, received, sent, sent, false);
            }
            Signal::Rejected(row) => {
                let at = row.contract.and_then(|contract| self.lines.place(line, contract));
                let symbol = at.map_or("", |at| self.contracts[at].contract.symbol.as_str()).to_owned();
                self.refused(&row.error.to_string(), &format!("{symbol} {}", row.stream.name()));
            }
            Signal::Refused(why) => {
                self.refused(&why, "");
                self.look_soon();
            }
            Signal::Acknowledged | Signal::Pong | Signal::Leaving(_) => {}
        }
    }

    /// No connection brings the trades of this line.
    fn trades_cut(&mut self, line: usize) {
        for at in 0..self.contracts.len() {
            // Those that another line has meanwhile lose nothing.
            if self.contracts[at].line == line {
                self.cut(at);
            }
        }
    }

    /// What is traded from now on is not heard of, and ids may not tell.
    fn cut(&mut self, at: usize) {
        if self.limits.trade_ids == TradeIds::Unique {
            let followed = &mut self.contracts[at];
            followed.trades_lost = followed.trades_lost.or(followed.intake.newest_trade());
        }
    }

    /// The first trade after a cut: one that was there before closes the hole, as venues repeat some. With another
    /// nobody can say what happened in between.
    fn trades_resumed(&mut self, at: usize, time: UnixMs, verdict: Verdict) {
        let Some(followed) = self.contracts.get_mut(at) else { return };
        if matches!(verdict, Verdict::Absurd(_)) {
            return;
        }
        let Some(from) = followed.trades_lost.take() else { return };
        if verdict == Verdict::New && time > from {
            let why = "the connection was lost, and ids of trades do not tell what is missing";
            let gap = self.gap(at, StreamKind::Trades, from, time, why);
            self.stated.extend(gap);
        }
    }

    /// After a pause of the stream the history of open interest is asked for.
    fn stock_resumed(&mut self, at: usize, before: Option<UnixMs>, time: UnixMs) {
        let Some(followed) = self.contracts.get_mut(at) else { return };
        if let Some(before) = before
            && time.since(before) > STOCK_HOLE_MS
            && followed.stock_from.is_none()
        {
            followed.stock_from = Some(before.plus(1));
        }
    }

    /// The venue's time, given ours.
    fn venue_time(&self, now: UnixMs) -> UnixMs {
        now.plus(self.health.skew.ms().unwrap_or(0))
    }

    fn take(&mut self, at: usize, event: Event, origin: Origin, received: UnixMs) -> Verdict {
        let now = self.venue_time(received);
        let Some(followed) = self.contracts.get_mut(at) else { return Verdict::Repeated };
        let before = followed.held.len();
        let verdict = followed.intake.take(event, origin, now, &mut followed.held);
        self.held += followed.held.len() - before;
        if verdict == Verdict::Repeated && matches!(origin, Origin::Socket(_)) {
            self.health.status.repeated += 1;
        }
        verdict
    }

    fn refused(&mut self, why: &str, frame: &str) {
        self.health.status.refused += 1;
        let so_far = self.health.status.refused;
        self.log(&format!("refused, {so_far} so far: {why}: {frame}"));
        self.health.trouble(format!("refused: {why}"));
    }

    /// The first time, and then once in a while.
    fn log(&mut self, text: &str) {
        let venue = self.exchange.venue();
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
            self.logged = Some(Instant::now());
            warn!(%venue, "{text}");
        } else {
            debug!(%venue, "{text}");
        }
    }

    /// Starts what is due; returns what had to be given up.
    fn work(&mut self) -> Vec<Delivery> {
        let local = self.settings.clock.now();
        let now = self.venue_time(local);
        let mut deliveries = Vec::new();
        let count = self.contracts.len();
        let first = self.contracts.iter().position(|followed| !followed.is_gone);
        for step in 0..count {
            let at = (self.cursor + step) % count;
            if self.contracts[at].is_gone {
                continue;
            }
            self.contracts[at].intake.pass_time(now);
            for job in Self::jobs(first == Some(at)) {
                let has_room = if job.is_fill() { self.fills < FILLS_MAX } else { self.polls < POLLS_MAX };
                let turn = self.contracts[at].turns.get(&job).copied().unwrap_or_default();
                // Which minutes have ended, and what is in the future, are questions of the venue's clock.
                let waits_for_clock = job != Job::Clock && self.health.skew.ms().is_none();
                if turn.under_way || turn.not_before > local || !has_room || waits_for_clock {
                    continue;
                }
                let mut lost = Vec::new();
                let query = self.wanted(at, job, now, &mut lost);
                deliveries.extend(self.gaps(at, &lost, "it was too long to be fetched"));
                if let Some(query) = query {
                    deliveries.extend(self.fetch(at, job, query, local));
                }
            }
        }
        self.cursor = (self.cursor + 1) % count.max(1);
        deliveries
    }

    /// The clock is asked for once for all contracts.
    fn jobs(is_first: bool) -> impl Iterator<Item = Job> {
        let clock = is_first.then_some(Job::Clock);
        clock.into_iter().chain([
            Job::Poll,
            Job::Row(Row::Klines),
            Job::Row(Row::MarkKlines),
            Job::Row(Row::Trades),
            Job::StockHistory,
            Job::Funding,
        ])
    }

    fn wanted(&mut self, at: usize, job: Job, now: UnixMs, lost: &mut Vec<Lost>) -> Option<RestQuery> {
        let followed = &mut self.contracts[at];
        if let Some(rest) = followed.turns.get(&job).and_then(|turn| turn.rest) {
            return Some(rest);
        }
        match job {
            Job::Clock => Some(RestQuery::Time),
            Job::Poll => self.limits.poll_open_interest.map(|_| RestQuery::OpenInterest),
            Job::Row(row) => followed.intake.missing(row, now, lost),
            Job::StockHistory => {
                let from = followed.stock_from?;
                (now.since(from) > STOCK_HOLE_MS).then_some(RestQuery::OpenInterestHistory { from, to: now })
            }
            Job::Funding => Some(RestQuery::Funding { from: followed.funding_from, to: now }),
        }
    }

    /// Starts a request; returns what had to be given up because there is none.
    fn fetch(&mut self, at: usize, job: Job, query: RestQuery, local: UnixMs) -> Vec<Delivery> {
        let followed = &mut self.contracts[at];
        let turn = followed.turns.entry(job).or_default();
        if self.exchange.request(&followed.contract, &query, local).is_none() {
            // Polls are not asked for again soon; what is missing is given up whenever it is noticed.
            if !job.is_fill() {
                turn.not_before = local.plus(CLOCK_EVERY_MS);
            }
            // What is made of ticks may be on its way: there is no other chance to have it.
            let now = self.venue_time(local);
            if let RestQuery::Klines { to, .. } = query
                && now.since(to) < TICKS_LATE_MS
            {
                self.contracts[at].turns.entry(job).or_default().not_before = local.plus(RETRY_MIN_MS);
                return Vec::new();
            }
            return self.give_up(at, job, &query, "the venue does not keep it", local);
        }
        turn.under_way = true;
        if turn.rest.is_none() {
            turn.whole = Some(query);
            (turn.events, turn.times) = (0, None);
        }
        *(if job.is_fill() { &mut self.fills } else { &mut self.polls }) += 1;
        let (rest, contract) = (self.rest.clone(), followed.contract.clone());
        self.fetches.spawn(async move {
            let of = if job.is_fill() { Of::Past } else { Of::Present };
            let result = rest.fetch(&contract, &query, of).await;
            (at, job, query, result)
        });
        Vec::new()
    }

    fn fetched(
        &mut self,
        at: usize,
        job: Job,
        query: RestQuery,
        result: Result<Fetched, FetchError>,
    ) -> Vec<Delivery> {
        *(if job.is_fill() { &mut self.fills } else { &mut self.polls }) -= 1;
        let local = self.settings.clock.now();
        let mut deliveries = Vec::new();
        match result {
            Ok(mut fetched) => {
                self.health.answered();
                deliveries.extend(self.rejected(at, job, std::mem::take(&mut fetched.page.rejected), local));
                let next = fetched.page.next;
                let times = fetched.page.events.first().zip(fetched.page.events.last());
                let times = times.map(|(first, last)| (first.known_at(), last.known_at()));
                let brought = self.page(at, job, fetched);
                let turn = self.contracts[at].turns.entry(job).or_default();
                turn.under_way = false;
                turn.failures = 0;
                turn.events += brought;
                turn.times = match (turn.times, times) {
                    (Some((first, _)), Some((_, last))) => Some((first, last)),
                    (before, now) => before.or(now),
                };
                turn.rest = next;
                if next.is_none() {
                    deliveries.extend(self.done(at, job, local));
                }
            }
            Err(error) => {
                let venue = self.exchange.venue();
                let symbol = self.contracts[at].contract.symbol.clone();
                self.log(&format!("{symbol}: {query}: {error}"));
                debug!(%venue, %symbol, %query, %error, "request failed");
                self.health.request_failed(format!("{query}: {error}"));
                let turn = self.contracts[at].turns.entry(job).or_default();
                turn.under_way = false;
                turn.failures = turn.failures.saturating_add(1);
                let pause = (RETRY_MIN_MS << turn.failures.min(5).saturating_sub(1)).min(RETRY_MAX_MS);
                turn.not_before = local.plus(pause);
                if !error.is_passing() {
                    turn.rest = None;
                    let whole = turn.whole.take().unwrap_or(query);
                    if !matches!(job, Job::Row(_)) {
                        turn.not_before = local.plus(CLOCK_EVERY_MS);
                    }
                    deliveries.extend(self.give_up(at, job, &whole, &error.to_string(), local));
                }
            }
        }
        deliveries
    }

    /// Rows that were not accepted: each is a gap by itself, unless only a field is missing.
    fn rejected(&mut self, at: usize, job: Job, rows: Vec<RejectedRow>, local: UnixMs) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for row in rows {
            let why = row.error.to_string();
            self.refused(&why, &row.text);
            if let RowSubject::Data(missing) = row.subject
                && !row.is_partial
                && matches!(job, Job::Row(_))
            {
                deliveries.extend(self.give_up(at, job, &missing, &why, local));
            }
        }
        deliveries
    }

    /// Takes the events of a page; returns how many were new.
    fn page(&mut self, at: usize, job: Job, fetched: Fetched) -> u64 {
        let Fetched { page, sent, received } = fetched;
        if let Some(time) = page.time {
            self.health.skew.measured(time, sent, received);
            self.rest.set_skew(self.health.skew.ms().unwrap_or(0));
        }
        let mut brought = 0;
        for event in page.events {
            match self.take(at, event, Origin::Answer, received) {
                Verdict::New => brought += 1,
                Verdict::Repeated => {}
                Verdict::Absurd(why) => self.refused(why, &format!("{event:?}")),
            }
            if job == Job::Poll {
                self.polled(at, event, received);
            }
            // What is fetched of trades and klines says nothing about the life of their streams.
            if job == Job::Funding {
                let as_of = Some(event.known_at());
                self.health.fetched(at, StreamKind::Funding, received, as_of);
            }
        }
        brought
    }

    /// What does not change is asked for less often.
    fn polled(&mut self, at: usize, event: Event, received: UnixMs) {
        let (least, most) = self.poll_range();
        let followed = &mut self.contracts[at];
        let is_same = followed.last_poll == Some(event);
        followed.poll_ms = if is_same { (followed.poll_ms * 3 / 2).clamp(least, most) } else { least };
        let before = followed.last_poll.replace(event).map(|event| event.known_at());
        // A pause in the polls is filled from the history.
        let stock = event.known_at();
        if let Some(before) = before
            && stock.since(before) > STOCK_HOLE_MS
            && followed.stock_from.is_none()
        {
            followed.stock_from = Some(before.plus(1));
        }
        let as_of = Some(stock);
        // When the venue counted says nothing about the way here: such an answer is never late.
        self.health.heard(at, StreamKind::OpenInterest, received, None, as_of, !is_same);
    }

    /// Shortest and longest time between polls of a contract, so that all of them together take no more than
    /// half of what may be used.
    fn poll_range(&self) -> (i64, i64) {
        let wanted = self.limits.poll_open_interest.unwrap_or_default().as_millis() as i64;
        let most = (self.limits.poll_open_interest_max.as_millis() as i64).max(wanted);
        let weight = f64::from(self.limits.weight_per_minute) * self.settings.budget_share / 2.0;
        let affordable = (self.contracts.len() as f64 / weight.max(1.0) * 60_000.0) as i64;
        (wanted.max(affordable), most.max(affordable))
    }

    /// Everything that was asked for came.
    fn done(&mut self, at: usize, job: Job, local: UnixMs) -> Vec<Delivery> {
        let (least, _) = self.poll_range();
        let now = self.venue_time(local);
        let followed = &mut self.contracts[at];
        let poll_ms = followed.poll_ms.max(least);
        let turn = followed.turns.entry(job).or_default();
        let (whole, events, times) = (turn.whole.take(), turn.events, turn.times.take());
        match job {
            Job::Clock => turn.not_before = local.plus(CLOCK_EVERY_MS),
            Job::Poll => turn.not_before = local.plus(poll_ms),
            Job::Funding => {
                turn.not_before = local.plus(FUNDING_EVERY_MS);
                if let Some(newest) = followed.intake.newest_funding() {
                    followed.funding_from = followed.funding_from.max(newest.plus(1));
                }
            }
            Job::StockHistory => followed.stock_from = None,
            // Not at once again: what the venue has not yet it has in a while.
            Job::Row(_) => turn.not_before = local.plus(RETRY_MIN_MS),
        }
        let mut deliveries = Vec::new();
        if let (Job::Row(_), Some(whole)) = (job, whole) {
            let mut lost = Vec::new();
            followed.intake.answered(&whole, now, &mut lost);
            deliveries.extend(self.gaps(at, &lost, "the venue has it no more"));
        }
        let span = whole.as_ref().and_then(span).or(times);
        if job.is_fill()
            && events > 0
            && let (Some(stream), Some((from, to))) = (job.stream(), span)
        {
            self.health.status.holes_filled += 1;
            let instrument = self.contracts[at].instrument.clone();
            debug!(%instrument, stream = stream.name(), events, "filled");
            deliveries.push(Delivery::Filled { instrument, stream, from, to, events });
        }
        deliveries
    }

    fn give_up(&mut self, at: usize, job: Job, query: &RestQuery, why: &str, local: UnixMs) -> Vec<Delivery> {
        let followed = &mut self.contracts[at];
        match job {
            Job::Row(_) => {
                let mut lost = Vec::new();
                followed.intake.refused(query, &mut lost);
                self.gaps(at, &lost, why)
            }
            Job::StockHistory => {
                followed.stock_from = None;
                let (from, to) = span(query).unwrap_or((local, local));
                self.gap(at, StreamKind::OpenInterest, from, to, why)
            }
            Job::Clock | Job::Poll | Job::Funding => Vec::new(),
        }
    }

    fn gaps(&mut self, at: usize, lost: &[Lost], why: &str) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for lost in lost {
            let why = match lost.row {
                Row::Trades => {
                    let (first, last) = lost.numbers;
                    format!("trades {first} to {last}: {why}")
                }
                Row::MarkKlines => format!("klines of the mark price: {why}"),
                Row::Klines => why.to_owned(),
            };
            deliveries.extend(self.gap(at, lost.row.stream(), lost.from, lost.to, &why));
        }
        deliveries
    }

    fn gap(&mut self, at: usize, stream: StreamKind, from: UnixMs, to: UnixMs, why: &str) -> Vec<Delivery> {
        self.health.status.gaps += 1;
        let instrument = self.contracts[at].instrument.clone();
        debug!(%instrument, stream = stream.name(), from = from.0, to = to.0, %why, "given up");
        vec![Delivery::Gap(Gap { instrument, stream, from, to, why: why.to_owned() })]
    }

    /// Something of the past is still being fetched.
    fn is_filling(&mut self) -> bool {
        let recent = self.settings.clock.now().plus(-3 * LIVE_INTERVAL.ms());
        self.contracts.iter_mut().filter(|followed| !followed.is_gone).any(|followed| {
            let stock = followed.stock_from.is_some_and(|from| from < recent);
            let row =
                followed.turns.iter().any(|(job, turn)| matches!(job, Job::Row(_)) && turn.whole.is_some());
            stock || (row && !followed.intake.is_whole())
        })
    }
}

/// From when to when a query reaches; for trades, whose times are not known, nothing is told but their ids.
fn span(query: &RestQuery) -> Option<(UnixMs, UnixMs)> {
    match *query {
        RestQuery::Klines { from, to, .. }
        | RestQuery::OpenInterestHistory { from, to }
        | RestQuery::Funding { from, to } => Some((from, to)),
        RestQuery::Trades { .. }
        | RestQuery::Time
        | RestQuery::Contracts
        | RestQuery::OpenInterest
        | RestQuery::Tiers => None,
    }
}
