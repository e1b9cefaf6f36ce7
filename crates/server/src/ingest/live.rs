//! Following live markets: the connectors' events into the store, and how each source stands.
//!
//! The connectors (crate `feeds`) know nothing of the store, the store nothing of venues; here they meet. Events
//! go through one bounded channel to one task, the [writer], which stores them in batches and tells the ledgers
//! what was stored. Nothing that is shown comes from a socket directly: boards are made of stored rows only.

mod journal;
mod margins;
mod sources;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use liqheat_feeds::live::{
    AccountFeed, DELIVERIES_WAITING, LiveError, LiveFeed, LiveSettings, LiveStatus, ResumePoint,
};
use liqheat_feeds::tiers::TierBook;
use liqheat_feeds::venues::{LIVE_INTERVAL, TradeIds, exchange};
use liqheat_market::Instrument;
use liqheat_market::convert::whole_ms;
use liqheat_store::{Fetchable, Store, StoreError};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, InstrumentCandidate};

pub(crate) use journal::Journal;
pub use margins::{describe_tiers, keep_venue_tiers, venue_tiers_path};
pub(crate) use sources::{
    HealthIssue, ShownState, listed, receives_liquidations, state_of_source, stats, trouble,
};

/// What is followed live, as requests see it.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Set when the connectors have started.
    status: OnceLock<watch::Receiver<Arc<LiveStatus>>>,
    /// What the writer does.
    pub(crate) journal: Journal,
    /// Accounts of the venue that publishes them, once the connectors have started; locked to take them.
    accounts: Mutex<Option<AccountFeed>>,
    accounts_started: Notify,
}

impl Live {
    /// Waits until the connectors have started and gives out the accounts, once.
    pub(crate) async fn accounts(&self) -> AccountFeed {
        loop {
            let taken = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).take();
            match taken {
                Some(feed) => return feed,
                None => self.accounts_started.notified().await,
            }
        }
    }

    fn set_accounts(&self, feed: AccountFeed) {
        *self.accounts.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed);
        self.accounts_started.notify_one();
    }

    /// The newest state of every source.
    #[must_use]
    pub(crate) fn status(&self) -> Arc<LiveStatus> {
        self.status.get().map(|status| Arc::clone(&status.borrow())).unwrap_or_default()
    }
}

/// Events are seldom longer on their way than this, the time they are gathered before they are stored included. With
/// bars of a minute this means 8 s after the close: 6 s in which a count of open interest still belongs to the bar
/// (it is polled every 5 s), and 2 s for the last of these to arrive.
const LATE_MS: i64 = 2_000;

/// The instruments that settings name, with what is stored of them.
pub(crate) async fn instruments(
    settings: &LiveSettings,
    store: &Store,
) -> Result<Vec<InstrumentCandidate>, StoreError> {
    let mut wanted = Vec::new();
    for instrument in named(settings) {
        let first_bar = store.first_bar(&instrument, LIVE_INTERVAL).await?;
        wanted.push(InstrumentCandidate { instrument, interval: LIVE_INTERVAL, first_bar, late_ms: LATE_MS });
    }
    Ok(wanted)
}

fn named(settings: &LiveSettings) -> impl Iterator<Item = Instrument> {
    settings
        .venues
        .iter()
        .flat_map(|venue| venue.symbols.iter().map(|symbol| Instrument::new(venue.venue, symbol.clone())))
}

/// Up to where each instrument is stored without a gap.
async fn resume_points(
    settings: &LiveSettings,
    store: &Store,
) -> Result<BTreeMap<Instrument, ResumePoint>, StoreError> {
    let mut points = BTreeMap::new();
    for instrument in named(settings) {
        let now = settings.clock.now();
        let back = |stretch: Duration| now.plus(-i64::try_from(stretch.as_millis()).unwrap_or(i64::MAX));
        let are_consecutive = exchange(instrument.venue)
            .is_some_and(|exchange| exchange.limits.trade_ids == TradeIds::Consecutive);
        let fetchable = Fetchable {
            klines: back(settings.fill_klines),
            open_interest: back(settings.fill_open_interest),
            trades: are_consecutive.then_some(settings.fill_trades_max),
        };
        let reach = store.whole_reach(&instrument, LIVE_INTERVAL, fetchable).await?;
        let point = ResumePoint {
            kline: reach.kline,
            mark_kline: reach.mark_kline,
            open_interest: reach.open_interest,
            trade: reach.trade,
            funding: reach.funding,
        };
        points.insert(instrument, point);
    }
    Ok(points)
}

/// Why following ended by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Settings(#[from] LiveError),
    #[error("the live sources: {0}")]
    Sources(String),
}

/// Follows until asked to stop: first the connectors end, then what they have delivered is stored.
pub(crate) async fn follow(
    live: Arc<Live>,
    catalog: Arc<Catalog>,
    store: Store,
    settings: LiveSettings,
    tiers: TierBook,
    stop: CancellationToken,
) -> Result<(), FollowError> {
    let resume = loop {
        match resume_points(&settings, &store).await {
            Ok(points) => break points,
            Err(error) => {
                // Without it months would be fetched that are there already.
                live.journal.failed(&error.to_string());
                tracing::warn!(%error, retry_in_ms = whole_ms(writer::RETRY_MIN), "resume points cannot be read from the database");
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(writer::RETRY_MIN) => {}
                }
            }
        }
    };
    let (deliveries, delivered) = mpsc::channel(DELIVERIES_WAITING);
    let mut feed = LiveFeed::start(settings.clone(), resume, deliveries, stop.clone())?;
    if let Some(accounts) = feed.take_accounts() {
        live.set_accounts(accounts);
    }
    let _ = live.status.set(feed.status());
    let asks_end = stop.child_token();
    let followed = async {
        let both = tokio::join!(writer::run(&catalog, &store, &live, delivered, &stop), feed.ended());
        asks_end.cancel();
        both
    };
    let keeper = margins::keep(&catalog, &store, &live, &settings, tiers, &asks_end);
    let (((), ended), ()) = tokio::join!(followed, keeper);
    match ended {
        Ok(()) => Ok(()),
        Err(error) => Err(FollowError::Sources(error)),
    }
}
