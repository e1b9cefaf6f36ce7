//! The task that stores what live sources deliver.
//!
//! Deliveries are gathered for a moment, so that a busy market costs a few transactions a second and not one an
//! event. A batch that cannot be stored is kept and tried again, with pauses that grow. Meanwhile deliveries are
//! still taken, up to a bound; beyond it they wait in the channel, and beyond that the sockets are not read: the
//! venue hangs up in the end, and what was missed is fetched when the database takes rows again. So nothing that
//! can be had a second time is lost, and memory does not grow with the length of the trouble.

#![expect(clippy::disallowed_methods, reason = "the shell of the writer: it flushes by the clock")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use liqheat_feeds::live::Delivery;
use liqheat_market::convert::whole_ms;
use liqheat_market::{Backoff, Event, Instrument};
use liqheat_store::{BATCH_ROWS_MAX, Batch, Store, StoreError};
use liqheat_wire::format_time;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Live;
use crate::catalog::{Catalog, EngineCommand, VenueLedger};

/// Events are gathered for so long.
const GATHER: Duration = Duration::from_millis(200);
/// Events that are stored without waiting for more.
const BATCH_ROWS: usize = 20_000;
/// Events waiting for the store at which no more are taken from the sources.
const WAITING_ROWS_MAX: usize = BATCH_ROWS_MAX;
/// Delays between attempts to store.
pub(super) const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);

/// What waits to be stored.
struct Writer<'a> {
    store: &'a Store,
    live: &'a Live,
    ledgers: BTreeMap<Instrument, Arc<VenueLedger>>,
    waiting: BTreeMap<Instrument, Vec<Event>>,
    rows: usize,
    /// When the waiting events are to be stored; `None` while there are none.
    due: Option<Instant>,
    backoff: Backoff,
}

/// Runs until the sources have ended and everything is stored, or cannot be.
pub(super) async fn run(
    catalog: &Catalog,
    store: &Store,
    live: &Live,
    mut delivered: mpsc::Receiver<Delivery>,
    stop: &CancellationToken,
) {
    let ledgers = catalog.ledgers().map(|ledger| (ledger.instrument().clone(), Arc::clone(ledger)));
    let mut writer = Writer {
        store,
        live,
        ledgers: ledgers.collect(),
        waiting: BTreeMap::new(),
        rows: 0,
        due: None,
        backoff: Backoff::new(RETRY_MIN, RETRY_MAX).expect("invariant: the delays are in order"),
    };
    loop {
        // Sources hold the other end; when all have ended, and all is taken, there is nothing more to come.
        let due = writer.due;
        let delivery = tokio::select! {
            biased;
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                writer.store().await;
                continue;
            }
            delivery = delivered.recv(), if writer.rows < WAITING_ROWS_MAX => delivery,
            // A database that takes nothing must not keep the server from stopping.
            () = stop.cancelled(), if live.journal.failing() > 0 => None,
        };
        match delivery {
            Some(delivery) => writer.take(delivery),
            None => break,
        }
    }
    writer.store().await;
    if writer.rows > 0 {
        warn!(
            events = writer.rows,
            "events not stored before the end; what venues still have is fetched at the next start"
        );
    }
}

impl Writer<'_> {
    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Events { instrument, events } => {
                self.rows += events.len();
                self.waiting.entry(instrument).or_default().extend(events);
                let now = Instant::now();
                let due = self.due.get_or_insert(now + GATHER);
                if self.rows >= BATCH_ROWS && self.live.journal.failing() == 0 {
                    *due = now;
                }
                self.live.journal.set_waiting(self.rows);
            }
            Delivery::Gap(gap) => {
                if let Some(gap) = self.live.journal.gap(gap) {
                    warn!(instrument = %gap.instrument, stream = gap.stream.name(), from = format_time(gap.from), to = format_time(gap.to), reason = gap.reason, "data is missing for good");
                }
            }
            Delivery::Filled { instrument, stream, from, to, events } => {
                info!(%instrument, stream = stream.name(), from = format_time(from), to = format_time(to), events, "filled from before");
            }
        }
    }

    /// Stores what waits, instrument by instrument. What fails stays, and is tried again after a pause.
    async fn store(&mut self) {
        self.due = None;
        let mut trouble: Option<StoreError> = None;
        let mut waiting = std::mem::take(&mut self.waiting);
        for (instrument, events) in &mut waiting {
            if let Err(error) = self.store_of(instrument, events).await {
                trouble = Some(error);
                break;
            }
        }
        waiting.retain(|_, events| !events.is_empty());
        self.waiting = waiting;
        self.live.journal.set_waiting(self.rows);
        match trouble {
            None => {
                self.backoff.reset();
                if self.live.journal.failing() > 0 {
                    info!("the database takes rows again");
                    self.live.journal.clear_failure();
                }
            }
            Some(error) => {
                let delay = self.backoff.next_delay(fastrand::f64());
                warn!(%error, waiting = self.rows, retry_in_ms = whole_ms(delay), "live events not stored");
                self.live.journal.failed(&error.to_string());
                self.due = Some(Instant::now() + delay);
            }
        }
    }
}

impl Writer<'_> {
    /// Stores what waits of one instrument, in as many transactions as it takes; what is stored is taken away.
    async fn store_of(&mut self, instrument: &Instrument, events: &mut Vec<Event>) -> Result<(), StoreError> {
        while !events.is_empty() {
            let rows = events.len().min(BATCH_ROWS_MAX);
            let batch: Batch = events[..rows].iter().copied().collect();
            let appended = self.store.append(instrument, batch).await?;
            events.drain(..rows);
            self.rows -= rows;
            self.live.journal.stored(appended.inserted);
            if let Some(ledger) = self.ledgers.get(instrument) {
                ledger.send(EngineCommand::Append(appended.dirty));
            }
        }
        Ok(())
    }
}
