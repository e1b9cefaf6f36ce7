//! The shell of the measured layer: asks the venue, stores addresses, publishes boards. [`LayerSchedule`] decides when.

#![expect(clippy::disallowed_methods, reason = "a shell: it starts requests, and awaits or ends all of them")]

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use liqheat_cluster::Backplane;
use liqheat_feeds::live::{AccountClient, AccountFeed, AccountRequestError};
use liqheat_market::convert::{signed_ms, whole_ms};
use liqheat_market::{Instrument, Price, UnixMs};
use liqheat_measured::{
    AccountState, AccountTracker, Address, AddressChanges, CoinMarket, LayerCommand, LayerEvent,
    LayerSchedule, ScheduledRequest,
};
use liqheat_store::{Store, StoreError, StoredLayer};
use liqheat_stream::Hub;
use liqheat_wire::{FeedState, format_time};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::address_rows::{known_of, row_of};
use super::layer_board::{layer_of, update_of};
use super::metrics::LookOutcome;
use super::{MeasuredLayer, MeasuredSymbol, VENUE};
use crate::compute::ComputePool;
use crate::ingest::live::Live;
use crate::published::Published;

/// Real time between two ticks of the schedule.
const TICK: Duration = Duration::from_millis(100);
/// Addresses that are stored at once, so that rows of the market do not wait for long.
const STORED_AT_ONCE: usize = 2_000;

/// What the task works with.
pub(crate) struct MeasuredParts {
    pub(crate) layer: Arc<MeasuredLayer>,
    pub(crate) live: Arc<Live>,
    pub(crate) store: Store,
    pub(crate) published: Arc<Published>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) backplane: Backplane,
    /// Time between two states of a board.
    pub(crate) update_interval: Duration,
}

/// How a request to the venue ended.
enum Answer {
    Look(Address, Result<AccountState, AccountRequestError>),
    Markets(Result<Vec<CoinMarket>, AccountRequestError>),
    Leaderboard(Result<Vec<Address>, AccountRequestError>),
}

struct Task {
    parts: MeasuredParts,
    client: AccountClient,
    tracker: AccountTracker,
    schedule: LayerSchedule,
    pool: ComputePool,
    answers: JoinSet<Answer>,
    /// The request of each task among `answers`, for one that ends without an answer.
    requests: HashMap<Id, ScheduledRequest>,
}

/// Runs until asked to stop.
pub(crate) async fn run(parts: MeasuredParts, stop: CancellationToken) {
    let feed = tokio::select! {
        () = stop.cancelled() => return,
        feed = parts.live.accounts() => feed,
    };
    let AccountFeed { client, mut traders } = feed;
    let Some(mut task) = Task::begin(parts, client, &stop).await else { return };
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(addresses) = traders.recv() => {
                let now = task.now();
                task.tracker.on_traded(addresses, now);
                task.on_event(LayerEvent::Tick, String::new()).await;
            }
            Some(ended) = task.answers.join_next_with_id() => task.on_ended(ended).await,
            _ = tick.tick() => task.on_event(LayerEvent::Tick, String::new()).await,
        }
    }
    task.answers.shutdown().await;
    if let Err(error) = task.store_changes().await {
        warn!(venue = %VENUE, %error, "addresses not stored at the end");
    }
    info!(venue = %VENUE, addresses = task.tracker.addresses(), "measured layer stopped");
}

impl Task {
    /// With the stored addresses; `None` when asked to stop before the store answered.
    async fn begin(parts: MeasuredParts, client: AccountClient, stop: &CancellationToken) -> Option<Self> {
        const RETRY: Duration = Duration::from_secs(5);
        let stored = loop {
            match parts.store.account_addresses(VENUE).await {
                Ok(stored) => break stored,
                Err(error) => {
                    warn!(venue = %VENUE, %error, retry_in_ms = whole_ms(RETRY), "addresses not read");
                    tokio::select! {
                        () = stop.cancelled() => return None,
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
            }
        };
        let now = client.clock().market_now();
        let mut tracker = AccountTracker::restored(stored.iter().filter_map(known_of), now);
        let named = parts.layer.settings.addresses.clone();
        info!(venue = %VENUE, stored = tracker.addresses(), named = named.len(), "measured layer started");
        tracker.on_named(named, now);
        Some(Self {
            schedule: LayerSchedule::new(signed_ms(parts.update_interval), now),
            parts,
            client,
            tracker,
            pool: ComputePool::new(1),
            answers: JoinSet::new(),
            requests: HashMap::new(),
        })
    }

    fn now(&self) -> UnixMs {
        self.client.clock().market_now()
    }

    /// Carries out what follows from an event. `error` says why a request failed.
    async fn on_event(&mut self, event: LayerEvent, error: String) {
        let mut events = VecDeque::from([(event, error)]);
        while let Some((event, error)) = events.pop_front() {
            let now = self.now();
            for command in self.schedule.on(event, &mut self.tracker, now) {
                match command {
                    LayerCommand::Begin(ScheduledRequest::Store) => {
                        let stored = self.store_changes().await;
                        events.push_back(end_of(ScheduledRequest::Store, stored.err()));
                    }
                    LayerCommand::Begin(request) => self.begin_request(request),
                    LayerCommand::Publish { is_stale } => {
                        self.parts.layer.metrics.observe(&self.tracker, self.client.budget(), now);
                        self.publish(is_stale, now).await;
                    }
                    LayerCommand::DropIdle => {
                        let dropped = self.tracker.drop_idle(now);
                        debug!(venue = %VENUE, dropped, addresses = self.tracker.addresses(), "idle addresses dropped");
                    }
                    LayerCommand::LogFailure(request) => {
                        let (message, retry_in_ms) = (failure_message(request), request.retry_ms());
                        let late = self.tracker.late(now);
                        warn!(venue = %VENUE, error, retry_in_ms, late, "{message}");
                    }
                    LayerCommand::LogStale { marked } => {
                        let marked = format_time(marked);
                        warn!(venue = %VENUE, marked, "marks are old; the measured layer is stale until they are received");
                    }
                    LayerCommand::LogRecovered => {
                        info!(venue = %VENUE, "marks received; the measured layer is live");
                    }
                }
            }
        }
    }

    fn begin_request(&mut self, request: ScheduledRequest) {
        let client = self.client.clone();
        let begun = match request {
            ScheduledRequest::Look(address) => {
                self.answers.spawn(async move { Answer::Look(address, client.account(address).await) })
            }
            ScheduledRequest::Markets => {
                self.answers.spawn(async move { Answer::Markets(client.markets().await) })
            }
            ScheduledRequest::Leaderboard => {
                self.answers.spawn(async move { Answer::Leaderboard(client.leaderboard().await) })
            }
            // Awaited where it begins.
            ScheduledRequest::Store => return,
        };
        self.requests.insert(begun.id(), request);
    }

    async fn on_ended(&mut self, ended: Result<(Id, Answer), JoinError>) {
        let (id, answer) = match ended {
            Ok((id, answer)) => (id, Ok(answer)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(request) = self.requests.remove(&id) else { return };
        let error = match answer {
            Ok(answer) => self.on_answer(answer).await.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        let (event, error) = end_of(request, error);
        self.on_event(event, error).await;
    }

    /// Gives an answer to the tracker.
    async fn on_answer(&mut self, answer: Answer) -> Result<(), AccountRequestError> {
        let now = self.now();
        match answer {
            Answer::Look(address, result) => {
                self.parts.layer.metrics.count(LookOutcome::of(&result));
                self.tracker.on_look(address, result?, now);
            }
            Answer::Markets(result) => {
                let markets = result?;
                self.compute(move |tracker| tracker.on_markets(markets, now)).await;
            }
            Answer::Leaderboard(result) => {
                let addresses = result?;
                let (listed, before) = (addresses.len(), self.tracker.addresses());
                self.tracker.on_listed(addresses, now);
                let new = self.tracker.addresses().saturating_sub(before);
                info!(venue = %VENUE, listed, new, "leaderboard read");
            }
        }
        Ok(())
    }

    /// Computes over all accounts, off the async workers.
    async fn compute<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut AccountTracker) -> T + Send + 'static,
    ) -> T {
        let mut tracker = std::mem::take(&mut self.tracker);
        let (tracker, result) = self
            .pool
            .run(move || {
                let result = work(&mut tracker);
                (tracker, result)
            })
            .await;
        self.tracker = tracker;
        result
    }

    /// Stores what changed. After an error the changes that were not stored are changes again.
    async fn store_changes(&mut self) -> Result<(), StoreError> {
        let AddressChanges { changed, dropped } = self.tracker.take_changes();
        let parts = changed.chunks(STORED_AT_ONCE).map(|changed| (changed.to_vec(), Vec::new()));
        let dropped = dropped.chunks(STORED_AT_ONCE).map(|dropped| (Vec::new(), dropped.to_vec()));
        let mut result = Ok(());
        for (changed, dropped) in parts.chain(dropped) {
            let rows = changed.iter().map(row_of).collect();
            let names = dropped.iter().map(ToString::to_string).collect();
            if let Err(error) = self.parts.store.put_account_addresses(VENUE, rows, names).await {
                self.tracker.put_back(&AddressChanges { changed, dropped });
                result = Err(error);
            }
        }
        result
    }

    async fn publish(&mut self, is_stale: bool, now: UnixMs) {
        // In bins of the estimate at the same venue: a symbol waits until that has a state. Of this server's ledgers, not of
        // the board: a server must have all its states before it may become the producer that moves the boards.
        let with_bins = self.parts.layer.symbols.iter().filter_map(|symbol| {
            Some((symbol.clone(), self.parts.published.local_sum(&symbol.estimate)?.base_bin))
        });
        let with_bins: Vec<(MeasuredSymbol, Price)> = with_bins.collect();
        let layers = self.compute(move |tracker| {
            let layers = with_bins.into_iter().filter_map(|(symbol, bin)| {
                let shown = layer_of(tracker, &symbol, bin, now)?;
                Some((symbol, shown))
            });
            layers.collect::<Vec<_>>()
        });
        let layers = layers.await;
        let moment = if layers.is_empty() { None } else { self.schedule.stored_moment(now) };
        let mut stored = Vec::new();
        for (symbol, shown) in layers {
            let Some(slot) = self.parts.hub.slot(&symbol.name) else { continue };
            let state = if is_stale { FeedState::Stale } else { FeedState::Live };
            let update = update_of(&shown, self.parts.published.run());
            self.parts.backplane.publish(&slot, update, state, Vec::new());
            stored.extend(moment.and_then(|moment| Some((symbol.instrument(), shown.to_store(moment)?))));
            self.parts.layer.show(&symbol, Arc::new(shown));
        }
        self.store_layers(stored).await;
    }

    /// Stores layers. One that cannot be stored is missing from the past.
    async fn store_layers(&self, layers: Vec<(Instrument, StoredLayer)>) {
        for (instrument, layer) in layers {
            let moment = format_time(layer.time);
            if let Err(error) = self.parts.store.put_measured_layer(&instrument, layer).await {
                warn!(%instrument, moment, %error, "measured layer not stored; its past has a gap there");
            }
        }
    }
}

/// The event of a request that ended, with the error.
fn end_of(request: ScheduledRequest, error: Option<impl ToString>) -> (LayerEvent, String) {
    match error {
        None => (LayerEvent::Answered(request), String::new()),
        Some(error) => (LayerEvent::Failed(request), error.to_string()),
    }
}

const fn failure_message(request: ScheduledRequest) -> &'static str {
    match request {
        ScheduledRequest::Look(_) => "account not received",
        ScheduledRequest::Markets => "marks of all coins not received; levels stay where they were",
        ScheduledRequest::Leaderboard => "leaderboard not received",
        ScheduledRequest::Store => "addresses not stored",
    }
}
