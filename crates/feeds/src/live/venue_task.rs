//! The task of one venue: owns its connections, requests and timers, and does what [`VenueState`] says.

mod commands;
mod start;

use std::sync::Arc;
use std::time::Duration;

use liqheat_measured::Address;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::backfill::{BackfillPolicy, BackfillRequest, FetchError, FetchedPage, RestClient};
use super::connection::{ConnectionEvent, ConnectionPool, ConnectionSettings};
use super::listing::ListedContracts;
use super::settings::VenuePlan;
use super::venue_state::{VenueState, VenueStateSettings};
use super::{Delivery, LiveSettings, LiveStatus};
use crate::venues::Exchange;
use start::ListOutcome;

/// Connection events that wait; when it is full, sockets are not read.
const CONNECTION_EVENTS_MAX: usize = 64;
/// Flush interval of buffered events, and of everything else that happens by time.
const TICK: Duration = Duration::from_millis(100);
const TICK_MIN: Duration = Duration::from_millis(5);
/// How long the last deliveries may take at the end.
const LAST_DELIVERY: Duration = Duration::from_secs(1);
/// Delivering that takes longer, in market time, suspends the judgement of silence.
const BACKPRESSURE_MS: i64 = 1_000;

/// Follows a venue until `stop`, or until nobody takes deliveries any more.
///
/// # Errors
/// When one of its tasks panicked.
pub(super) async fn run(plan: VenuePlan, stop: CancellationToken) -> Result<(), JoinError> {
    let (events, received) = mpsc::channel(CONNECTION_EVENTS_MAX);
    let mut task = VenueTask::new(plan, events, &stop);
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = task.begin() => {}
    }
    let outcome = task.follow(received, &stop).await;
    task.fetches.shutdown().await;
    task.listings.shutdown().await;
    task.connections.shut_down().await?;
    outcome
}

struct VenueTask {
    exchange: &'static Exchange,
    settings: Arc<LiveSettings>,
    state: VenueState,
    connections: ConnectionPool,
    rest: RestClient,
    fetches: JoinSet<(BackfillRequest, Result<FetchedPage, FetchError>)>,
    listings: JoinSet<ListOutcome>,
    deliveries: mpsc::Sender<Delivery>,
    /// Where accounts of trades are wanted.
    traders: Option<mpsc::Sender<Vec<Address>>>,
    status: Arc<watch::Sender<Arc<LiveStatus>>>,
    /// Its index in the status.
    index: usize,
}

/// The receiver of deliveries was dropped.
struct ReceiverClosed;

impl VenueTask {
    fn new(plan: VenuePlan, events: mpsc::Sender<ConnectionEvent>, stop: &CancellationToken) -> Self {
        let VenuePlan { exchange, limits, settings, rest, .. } = plan;
        let clock = settings.clock.clone();
        let recorder = settings.recorder.clone();
        let connections = ConnectionSettings {
            exchange,
            limits: limits.clone(),
            socket_base: plan.socket_base,
            clock: clock.clone(),
            timeout: settings.timeout,
            backoff: settings.reconnect,
            recorder,
            events,
        };
        let state = VenueStateSettings {
            exchange,
            limits,
            wanted: plan.contracts,
            listing_interval: settings.listing_interval,
            policy: BackfillPolicy {
                klines: settings.fill_klines,
                open_interest: settings.fill_open_interest,
                trades_max: settings.fill_trades_max,
                budget_share: settings.budget_share,
            },
            resume: plan.resume,
        };
        Self {
            exchange,
            state: VenueState::new(state, clock.uptime()),
            connections: ConnectionPool::new(
                connections,
                (plan.accounts, plan.traders.is_some()),
                stop.child_token(),
            ),
            rest,
            fetches: JoinSet::new(),
            listings: JoinSet::new(),
            deliveries: plan.deliveries,
            traders: plan.traders,
            status: plan.status,
            index: plan.index,
            settings,
        }
    }

    async fn follow(
        &mut self,
        mut events: mpsc::Receiver<ConnectionEvent>,
        stop: &CancellationToken,
    ) -> Result<(), JoinError> {
        let period = self.settings.clock.real(TICK).clamp(TICK_MIN, TICK);
        let mut tick = tokio::time::interval(period);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    let _ = self.state.on_tick(self.settings.clock.read());
                    let _ = tokio::time::timeout(LAST_DELIVERY, self.deliver()).await;
                    return Ok(());
                }
                () = self.deliveries.closed() => return Ok(()),
                Some(ended) = self.connections.ended() => ended?,
                Some(event) = events.recv() => self.on_connection_event(event),
                Some(listed) = self.listings.join_next() => match listed? {
                    Ok(list) => self.on_list(list.as_ref()),
                    Err(error) => self.state.on_list_failed(&error, self.settings.clock.uptime()),
                },
                Some(fetched) = self.fetches.join_next() => {
                    let (request, result) = fetched?;
                    self.state.on_fetched(&request, result, self.settings.clock.read(), fastrand::f64());
                    self.share_venue_time();
                    self.poll();
                }
                _ = tick.tick() => {
                    let commands = self.state.on_tick(self.settings.clock.read());
                    self.execute(commands);
                    self.share_venue_time();
                    self.poll();
                    self.publish();
                }
            }
            if self.deliver().await.is_err() {
                return Ok(());
            }
        }
    }

    fn on_list(&mut self, list: Option<&ListedContracts>) {
        let commands = self.state.on_list(list, self.settings.clock.read());
        self.execute(commands);
    }

    /// Begins the requests that are due.
    fn poll(&mut self) {
        let now = self.settings.clock.uptime();
        let commands = self.state.poll(now, &mut self.rest.budget());
        self.execute(commands);
    }

    /// Delivers what is ready.
    async fn deliver(&mut self) -> Result<(), ReceiverClosed> {
        let began = self.settings.clock.uptime();
        for delivery in self.state.deliveries() {
            self.deliveries.send(delivery).await.map_err(|_| ReceiverClosed)?;
        }
        let addresses = self.state.traders();
        if let Some(traders) = self.traders.as_ref().filter(|_| !addresses.is_empty()) {
            // Who trades now trades again: nothing waits for whoever looks at accounts.
            let _ = traders.try_send(addresses);
        }
        let now = self.settings.clock.uptime();
        if now.since(began) > BACKPRESSURE_MS {
            self.state.on_backpressure(now);
        }
        Ok(())
    }

    /// Requests need the venue's time: for limits by the minute, and for klines that have ended.
    fn share_venue_time(&self) {
        if let Some(offset) = self.state.clock_offset_ms() {
            self.rest.set_venue_offset(offset);
        }
    }

    fn publish(&mut self) {
        let clock = &self.settings.clock;
        let status = self.state.next_status(clock.read(), clock.market_now(), &mut self.rest.budget());
        let Some(status) = status else { return };
        let index = self.index;
        self.status.send_modify(|all| Arc::make_mut(all).set(index, status));
    }
}
