//! The shell of the measured layer: asks the venue, stores addresses, publishes boards.

#![expect(clippy::disallowed_methods, reason = "a shell: it reads the clock for the pace of log lines")]

use std::sync::Arc;
use std::time::Duration;

use liqheat_cluster::Backplane;
use liqheat_feeds::live::{AccountClient, AccountFeed, AccountRequestError};
use liqheat_market::convert::{round_u64, signed_ms, whole_ms};
use liqheat_market::{Instrument, Price, UnixMs};
use liqheat_measured::{
    AccountState, AccountTracker, Address, AddressChanges, CoinMarket, KnownAddress, LayerCadence,
    LayerRequest, LookInterval,
};
use liqheat_store::{AccountAddress, Store, StoredLayer};
use liqheat_stream::{BoardUpdate, Counters, Hub};
use liqheat_wire::{Cell, FeedState, format_time};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::metrics::LookOutcome;
use super::{MeasuredLayer, MeasuredSymbol, ShownLayer, VENUE};
use crate::compute::ComputePool;
use crate::ingest::live::Live;
use crate::published::Published;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Looks under way at once.
const LOOKS_AT_ONCE: usize = 4;
/// Real time between two rounds of what happens by time.
const TICK: Duration = Duration::from_millis(100);
/// Interval of the marks and open interest of all coins.
const MARKETS_MS: i64 = 15 * SECOND_MS;
/// Marks that are older make the layer stale.
const MARKS_STALE_MS: i64 = 60 * SECOND_MS;
/// Interval of the leaderboard, and after an attempt that failed.
const LEADERBOARD_MS: i64 = 24 * HOUR_MS;
const LEADERBOARD_RETRY_MS: i64 = HOUR_MS;
/// Interval at which changed addresses are stored.
const STORE_MS: i64 = MINUTE_MS;
/// Addresses that are stored at once, so that rows of the market do not wait for long.
const STORED_AT_ONCE: usize = 2_000;
/// Positions that are listed as closest to liquidation, at most.
const CLOSEST: usize = 100;
/// Failures of one kind are logged this often.
const LOG_EVERY: Duration = Duration::from_secs(60);

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

/// What an answer of the venue was to.
enum Answer {
    Look(Address, Result<AccountState, AccountRequestError>),
    Markets(Result<Vec<CoinMarket>, AccountRequestError>),
    Leaderboard(Result<Vec<Address>, AccountRequestError>),
}

struct Task {
    parts: MeasuredParts,
    client: AccountClient,
    measured: AccountTracker,
    pool: ComputePool,
    requests: JoinSet<Answer>,
    /// Looks among them.
    looks: usize,
    markets_due: UnixMs,
    are_markets_requested: bool,
    leaderboard_due: UnixMs,
    store_due: UnixMs,
    drop_due: UnixMs,
    publish_due: UnixMs,
    kept: LayerCadence,
    logged: Option<Instant>,
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
                task.measured.on_traded(addresses, now);
            }
            Some(answered) = task.requests.join_next() => match answered {
                Ok(answer) => task.on_answer(answer).await,
                Err(error) => {
                    warn!(venue = %VENUE, %error, "request for accounts failed");
                    task.looks = task.looks.saturating_sub(1);
                }
            },
            _ = tick.tick() => task.on_tick().await,
        }
        task.look();
    }
    task.requests.shutdown().await;
    task.store_changes().await;
    info!(venue = %VENUE, addresses = task.measured.addresses(), "measured layer stopped");
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
        let mut measured = AccountTracker::restored(stored.iter().filter_map(known_of), now);
        let named = parts.layer.settings.addresses.clone();
        info!(venue = %VENUE, stored = measured.addresses(), named = named.len(), "measured layer started");
        measured.on_named(named, now);
        Some(Self {
            parts,
            client,
            measured,
            pool: ComputePool::new(1),
            requests: JoinSet::new(),
            looks: 0,
            markets_due: now,
            are_markets_requested: false,
            leaderboard_due: now,
            store_due: now,
            drop_due: now,
            publish_due: now,
            kept: LayerCadence::new(now),
            logged: None,
        })
    }

    fn now(&self) -> UnixMs {
        self.client.clock().market_now()
    }

    /// Begins the looks that are due.
    fn look(&mut self) {
        let now = self.now();
        while self.looks < LOOKS_AT_ONCE {
            let Some(address) = self.measured.next_look(now) else { return };
            self.looks += 1;
            let client = self.client.clone();
            self.requests.spawn(async move { Answer::Look(address, client.account(address).await) });
        }
    }

    /// Computes over all accounts, off the async workers.
    async fn compute<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut AccountTracker) -> T + Send + 'static,
    ) -> T {
        let mut measured = std::mem::take(&mut self.measured);
        let (measured, answer) = self
            .pool
            .run(move || {
                let answer = work(&mut measured);
                (measured, answer)
            })
            .await;
        self.measured = measured;
        answer
    }

    async fn on_answer(&mut self, answer: Answer) {
        let now = self.now();
        match answer {
            Answer::Look(address, result) => {
                self.looks = self.looks.saturating_sub(1);
                self.parts.layer.metrics.count(LookOutcome::of(&result));
                match result {
                    Ok(account) => self.measured.on_look(address, account, now),
                    Err(error) => {
                        self.measured.on_failure(address, now);
                        self.warn("account not looked at; it is tried again in a minute", &error);
                    }
                }
            }
            Answer::Markets(result) => {
                self.are_markets_requested = false;
                self.markets_due = now.plus(MARKETS_MS);
                match result {
                    Ok(markets) => self.compute(move |measured| measured.on_markets(markets, now)).await,
                    Err(error) => {
                        self.warn("marks of all coins not received; levels stay where they were", &error);
                    }
                }
            }
            Answer::Leaderboard(result) => match result {
                Ok(addresses) => {
                    let (listed, before) = (addresses.len(), self.measured.addresses());
                    self.measured.on_listed(addresses, now);
                    let new = self.measured.addresses().saturating_sub(before);
                    info!(venue = %VENUE, listed, new, "leaderboard read");
                }
                Err(error) => {
                    self.leaderboard_due = now.plus(LEADERBOARD_RETRY_MS);
                    warn!(venue = %VENUE, %error, retry_in = "1h", "leaderboard not read");
                }
            },
        }
    }

    async fn on_tick(&mut self) {
        let now = self.now();
        if now >= self.markets_due && !self.are_markets_requested {
            self.are_markets_requested = true;
            let client = self.client.clone();
            self.requests.spawn(async move { Answer::Markets(client.markets().await) });
        }
        if now >= self.leaderboard_due {
            self.leaderboard_due = now.plus(LEADERBOARD_MS);
            let client = self.client.clone();
            self.requests.spawn(async move { Answer::Leaderboard(client.leaderboard().await) });
        }
        if now >= self.publish_due {
            let interval_ms = signed_ms(self.parts.update_interval);
            self.publish_due = now.plus(interval_ms);
            self.parts.layer.metrics.observe(&self.measured, self.client.budget(), now);
            self.publish(now).await;
        }
        if now >= self.drop_due {
            self.drop_due = now.plus(HOUR_MS);
            let dropped = self.measured.drop_idle(now);
            debug!(venue = %VENUE, dropped, addresses = self.measured.addresses(), "idle addresses dropped");
        }
        if now >= self.store_due {
            self.store_changes().await;
            self.store_due = self.now().plus(STORE_MS);
        }
    }

    /// Stores what changed. What cannot be stored is stored the next time.
    async fn store_changes(&mut self) {
        let AddressChanges { changed, dropped } = self.measured.take_changes();
        let parts = changed.chunks(STORED_AT_ONCE).map(|changed| (changed.to_vec(), Vec::new()));
        let dropped = dropped.chunks(STORED_AT_ONCE).map(|dropped| (Vec::new(), dropped.to_vec()));
        for (changed, dropped) in parts.chain(dropped) {
            let rows = changed.iter().map(row_of).collect();
            let names = dropped.iter().map(ToString::to_string).collect();
            if let Err(error) = self.parts.store.put_account_addresses(VENUE, rows, names).await {
                self.measured.put_back(&AddressChanges { changed, dropped });
                warn!(venue = %VENUE, %error, retry_in = "1m", "addresses not stored");
            }
        }
    }

    async fn publish(&mut self, now: UnixMs) {
        let Some(marked) = self.measured.marked() else { return };
        // In bins of the estimate at the same venue: a symbol waits until that has a state.
        let with_bins = self.parts.layer.symbols.iter().filter_map(|symbol| {
            Some((symbol.clone(), self.parts.published.sum(&symbol.estimate)?.base_bin))
        });
        let with_bins: Vec<(MeasuredSymbol, Price)> = with_bins.collect();
        let layers = self.compute(move |measured| {
            let layers = with_bins.into_iter().filter_map(|(symbol, bin)| {
                let shown = layer_of(measured, &symbol, (bin, marked), now)?;
                Some((symbol, shown))
            });
            layers.collect::<Vec<_>>()
        });
        let is_stale = now.since(marked) > MARKS_STALE_MS;
        let layers = layers.await;
        // A layer under old marks is of no moment.
        let moment = if is_stale || layers.is_empty() { None } else { self.kept.due(now) };
        let mut kept = Vec::new();
        for (symbol, shown) in layers {
            let Some(slot) = self.parts.hub.slot(&symbol.name) else { continue };
            let state = if is_stale { FeedState::Stale } else { FeedState::Live };
            let update = update_of(&shown, self.parts.published.run());
            self.parts.backplane.publish(&slot, update, state, Vec::new());
            kept.extend(moment.and_then(|moment| Some((symbol.instrument(), shown.kept(moment)?))));
            self.parts.layer.show(&symbol, Arc::new(shown));
        }
        self.keep(kept).await;
    }

    /// Stores layers. One that cannot be stored is missing from the past.
    async fn keep(&self, layers: Vec<(Instrument, StoredLayer)>) {
        for (instrument, layer) in layers {
            let moment = format_time(layer.time);
            if let Err(error) = self.parts.store.put_measured_layer(&instrument, layer).await {
                warn!(%instrument, moment, %error, "measured layer not stored; its past has a gap there");
            }
        }
    }

    fn warn(&mut self, message: &'static str, error: &AccountRequestError) {
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
            self.logged = Some(Instant::now());
            warn!(venue = %VENUE, %error, late = self.measured.late(self.now()), "{message}");
        }
    }
}

fn layer_of(
    measured: &AccountTracker,
    symbol: &MeasuredSymbol,
    (bin, marked): (Price, UnixMs),
    now: UnixMs,
) -> Option<ShownLayer> {
    let pack = symbol.contract.pack();
    let request = LayerRequest { coin: &symbol.contract.name, bin: bin.to_f64() * pack, closest: CLOSEST };
    Some(ShownLayer {
        as_of: marked,
        bin,
        pack,
        layer: measured.layer(request, now)?,
        addresses: measured.addresses(),
        late: measured.late(now),
    })
}

/// The board of a layer; `None` where its price cannot be held.
fn update_of(shown: &ShownLayer, run: &str) -> Option<BoardUpdate> {
    let cell = |level: &liqheat_measured::LayerLevel| Cell {
        price: Price::from_units(level.index.saturating_mul(shown.bin.units())),
        long_usd: round_u64(level.long_usd),
        short_usd: round_u64(level.short_usd),
    };
    Some(BoardUpdate {
        epoch: format!("{run}-m{}", shown.bin.units()),
        cells: shown.layer.levels.iter().map(cell).filter(|cell| !cell.is_empty()).collect(),
        price: Some(shown.mark()).filter(|mark| mark.is_positive())?,
        base_bin: shown.bin,
        as_of: shown.as_of,
        // Positions are counted where they are estimated.
        counters: Counters::default(),
    })
}

/// `None` for a row that another program wrote.
fn known_of(row: &AccountAddress) -> Option<(Address, KnownAddress)> {
    let known = KnownAddress {
        found: row.found,
        traded: row.traded,
        held: row.held,
        looked: row.looked,
        interval: LookInterval::from_ms(row.interval_ms)?,
        is_named: false,
    };
    Some((row.address.parse().ok()?, known))
}

fn row_of((address, known): &(Address, KnownAddress)) -> AccountAddress {
    AccountAddress {
        address: address.to_string(),
        found: known.found,
        traded: known.traded,
        held: known.held,
        looked: known.looked,
        interval_ms: known.interval.ms(),
    }
}
