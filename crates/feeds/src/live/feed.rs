//! Live ingestion of all venues.

#![expect(clippy::disallowed_methods, reason = "starts the task that supervises all venues")]

use std::collections::BTreeMap;
use std::sync::Arc;

use liqheat_market::Instrument;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::accounts::{AccountClient, AccountFeed};
use super::settings::VenuePlan;
use super::venue_clock::market_offset;
use super::{Clock, Delivery, LiveError, LiveSettings, LiveStatus, ResumePoint, VenueStatus, venue_task};

/// Deliveries that wait for whoever stores them; when it is full, sockets are not read.
pub const DELIVERIES_WAITING: usize = 256;
/// Lists of accounts that wait for whoever looks at them.
const TRADERS_WAITING: usize = 256;

/// Live ingestion, running.
#[derive(Debug)]
pub struct LiveFeed {
    status: watch::Receiver<Arc<LiveStatus>>,
    /// Accounts of the venue that publishes them.
    accounts: Option<AccountFeed>,
    task: tokio::task::JoinHandle<Result<(), JoinError>>,
}

impl LiveFeed {
    /// Starts on the present runtime: connects, fills, follows, until `stop`. `resume` says up to where each instrument is
    /// stored; one that is absent has nothing. When `deliveries` closes, it stops as well.
    ///
    /// # Errors
    /// When settings cannot work. That no venue can be reached is no error: it keeps trying.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a sender that its maker kept would keep the channel open"
    )]
    pub fn start(
        settings: LiveSettings,
        resume: BTreeMap<Instrument, ResumePoint>,
        deliveries: mpsc::Sender<Delivery>,
        stop: CancellationToken,
    ) -> Result<Self, LiveError> {
        let settings = Arc::new(settings);
        let (sender, status) = watch::channel(Arc::new(LiveStatus::default()));
        let sender = Arc::new(sender);
        let mut plans = Vec::with_capacity(settings.venues.len());
        let mut accounts = None;
        for (index, venue) in settings.venues.iter().enumerate() {
            let mut plan = VenuePlan::new(index, venue, &settings, &resume, &deliveries, &sender)?;
            if let Some(looks) = &venue.looks {
                let (sender, traders) = mpsc::channel(TRADERS_WAITING);
                plan.traders = Some(sender);
                let (rest, leaderboard) = (plan.rest.clone(), looks.leaderboard.as_deref());
                let client = AccountClient::new(rest, leaderboard, settings.clock.clone());
                accounts = Some(AccountFeed { client, traders });
            }
            plans.push(plan);
            sender.send_modify(|all| Arc::make_mut(all).venues.push(VenueStatus::new(venue.venue)));
        }
        let clock = settings.clock.clone();
        Ok(Self { task: tokio::spawn(supervise(plans, clock, status.clone(), stop)), accounts, status })
    }

    /// The newest state of every source; cheap, and it can be waited for.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<LiveStatus>> {
        self.status.clone()
    }

    /// Accounts of the venue whose settings say that they are looked at; given out once.
    #[must_use]
    pub const fn take_accounts(&mut self) -> Option<AccountFeed> {
        self.accounts.take()
    }

    /// Waits until everything has stopped: after `stop`, or because a task failed.
    ///
    /// # Errors
    /// When a task panicked, in words.
    pub async fn ended(self) -> Result<(), String> {
        let ended = self.task.await.and_then(|ended| ended);
        ended.map_err(|error| format!("a task of live ingestion failed: {error}"))
    }
}

/// Runs every venue; when one ends by itself, all end. Market time follows the venues meanwhile.
async fn supervise(
    plans: Vec<VenuePlan>,
    clock: Clock,
    mut status: watch::Receiver<Arc<LiveStatus>>,
    stop: CancellationToken,
) -> Result<(), JoinError> {
    let mut venues = JoinSet::new();
    let all = stop.child_token();
    for plan in plans {
        venues.spawn(venue_task::run(plan, all.clone()));
    }
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            ended = venues.join_next() => {
                let Some(ended) = ended else { return outcome };
                all.cancel();
                outcome = outcome.and(ended.and_then(|ended| ended));
            }
            Ok(()) = status.changed() => {
                let status = Arc::clone(&status.borrow_and_update());
                let known = status.venues.iter().filter_map(|venue| Some((venue.clock_offset_ms?, venue.clock)));
                clock.follow(market_offset(known));
            }
        }
    }
}
