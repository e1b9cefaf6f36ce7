//! The handle to the database, and the request that waits for its answer.

#![expect(clippy::disallowed_methods, reason = "starts the thread that owns the database")]

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use liqheat_market::{
    Funding, Instrument, Interval, Kline, KlineKind, Liquidation, OpenInterest, Price, UnixMs, Venue,
};
use tokio::sync::{mpsc, oneshot};
use tracing::trace_span;

use crate::accounts::{AccountAddress, AccountAddresses, PutAccountAddresses};
use crate::accuracy::{AccuracyHour, AccuracyHours, PutAccuracyHour};
use crate::alerts::{
    AlertRules, DeleteAlertRule, FinishDeliveries, OutstandingDeliveries, OutstandingDelivery, PutAlert,
    PutAlertRule, RecentAlerts, StoredAlert,
};
use crate::append::{Append, AppendResult};
use crate::bars::{Candles, Klines};
use crate::batch::Batch;
use crate::catalogue::{FirstBar, InstrumentSpan, Instruments, NewestTime, Reach, ReachOf};
use crate::checkpoints::{Checkpoint, LatestCheckpoint, PruneCheckpoints, PutCheckpoint};
use crate::counters::{StoreCounters, Tally};
use crate::holes::{Fetchable, UnbrokenReach};
use crate::layers::{LatestLayer, LayerReach, LayerReachOf, Layers, PutLayer, StoredLayer};
use crate::owner::{Command, Message, Owner, PostedCommand, ReadMessage};
use crate::points::{
    FundingPayments, LiquidationSums, LiquidationTotals, LiquidationTotalsOf, Liquidations, MarkRange,
    MarkRangeOf, OpenInterestCloses, OpenInterests, PricesAt, PricesAtMoment, PricesNow, PricesNowOf,
};
use crate::profiles::{Profile, Profiles};
use crate::readers::{ReadConnections, Reader};
use crate::reply::{PendingReply, Queue};
use crate::upkeep::{ApplyRetention, DeletedRows, Flush, Stats, StatsOf};
use crate::{Location, Retention, Settings, StoreError};

/// A handle to the thread that owns the database; clones are cheap and reach the same thread.
///
/// Its methods describe a question ([`PendingReply`]); `.await` it in async code, or call [`PendingReply::blocking`] elsewhere.
/// Answers come in the order of asking. Close with [`Store::close`] (or [`Store::close_blocking`]): dropping the
/// last handle closes too, but nobody hears of an error and nobody waits.
#[derive(Clone)]
pub struct Store {
    shared: Arc<StoreInner>,
    route: Route,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("location", &self.shared.location).field("route", &self.route).finish()
    }
}

/// Where the queries of a handle run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// In the owner's queue, in order with everything else.
    Owner,
    /// On the read connections.
    ReadConnections,
}

struct StoreInner {
    queue: mpsc::Sender<Message>,
    read_queue: mpsc::Sender<ReadMessage>,
    tally: Arc<Tally>,
    location: Location,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the database on a thread of its own, creating or migrating it as needed, and returns when it is
    /// ready. Blocks the calling thread; a file that was not closed in order has its log replayed here.
    ///
    /// # Errors
    /// When the file cannot be opened or is not one of ours; see [`StoreError`].
    pub fn open(location: Location, settings: Settings) -> Result<Self, StoreError> {
        let tally = Arc::new(Tally::default());
        let (queue, messages) = mpsc::channel(settings.queue_capacity.get());
        let (read_queue, queries) = mpsc::channel(settings.queue_capacity.get());
        let readers = Arc::new(ReadConnections::new(settings.read_connections.get()));
        let (opened, opening) = std::sync::mpsc::sync_channel(1);
        let (shared_tally, owned_readers) = (Arc::clone(&tally), Arc::clone(&readers));
        let place = location.clone();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || match Owner::open(place, settings, shared_tally, owned_readers) {
                Ok(owner) => {
                    let _ = opened.send(Ok(()));
                    owner.run(messages);
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            })
            .map_err(|error| StoreError::Thread { detail: error.to_string() })?;
        opening.recv().unwrap_or(Err(StoreError::Closed))?;
        Reader::start_all(&readers, &tally, &queue, queries)?;
        let thread = Mutex::new(Some(thread));
        let shared = Arc::new(StoreInner { queue, read_queue, tally, location, thread });
        Ok(Self { shared, route: Route::Owner })
    }

    /// A store that is not there, for a server without a database: every question is answered with
    /// [`StoreError::Closed`], and no file, thread or memory is taken.
    #[must_use]
    pub fn absent() -> Self {
        let ((queue, _), (read_queue, _)) = (mpsc::channel(1), mpsc::channel(1));
        let (tally, location, thread) = (Arc::default(), Location::Memory, Mutex::new(None));
        let shared = Arc::new(StoreInner { queue, read_queue, tally, location, thread });
        Self { shared, route: Route::Owner }
    }

    /// A handle to the same database whose queries run on the read connections: beside the owner's queue, several
    /// at once, each over what was committed when it begins. Whatever writes still goes to the owner.
    #[must_use]
    pub fn on_read_connections(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), route: Route::ReadConnections }
    }

    /// Where the rows are.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// What the store has done since it was opened; does not wait for the owner.
    #[must_use]
    pub fn counters(&self) -> StoreCounters {
        let queue = &self.shared.queue;
        let waiting = queue.max_capacity().saturating_sub(queue.capacity());
        self.shared.tally.read(waiting as u64)
    }

    /// Stores events of one instrument, all or none; those that are there already are left as they are.
    /// Repeating it is harmless. Several different rows under one key in one batch: the same one is taken
    /// whatever their order. At most [`crate::BATCH_ROWS_MAX`] rows.
    pub fn append(&self, instrument: &Instrument, batch: impl Into<Batch>) -> PendingReply<AppendResult> {
        self.ask(Append { instrument: instrument.clone(), batch: batch.into() })
    }

    /// Every instrument that has klines of trades, by name, with its finest interval.
    pub fn instruments(&self) -> PendingReply<Vec<InstrumentSpan>> {
        self.ask(Instruments)
    }

    /// When the first kline of trades of a length opened; `None` without any.
    pub fn first_bar(&self, instrument: &Instrument, interval: Interval) -> PendingReply<Option<UnixMs>> {
        self.ask(FirstBar { instrument: instrument.clone(), interval })
    }

    /// How far each kind of data of an instrument goes; klines are those of a length.
    pub fn reach(&self, instrument: &Instrument, interval: Interval) -> PendingReply<Reach> {
        self.ask(ReachOf { instrument: instrument.clone(), interval })
    }

    /// The same, but only as far as nothing is missing of what can be fetched: the place to go on fetching from.
    pub fn whole_reach(
        &self,
        instrument: &Instrument,
        interval: Interval,
        fetchable: Fetchable,
    ) -> PendingReply<Reach> {
        self.ask(UnbrokenReach { instrument: instrument.clone(), interval, fetchable })
    }

    /// Klines that opened at or after `from` and closed at or before `to`, oldest first.
    pub fn klines(
        &self,
        instrument: &Instrument,
        kind: KlineKind,
        interval: Interval,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<Kline>> {
        self.ask(Klines { instrument: instrument.clone(), kind, interval, from, to })
    }

    /// The newest `limit` candles of traded prices of any length, built of the finest klines closed at or before
    /// `as_of`, oldest first; the last one may still be growing. A volume with an unknown part is unknown.
    /// Empty when the stored klines are longer than `interval` or do not divide it.
    pub fn candles(
        &self,
        instrument: &Instrument,
        interval: Interval,
        as_of: UnixMs,
        limit: NonZeroUsize,
    ) -> PendingReply<Vec<Kline>> {
        self.ask(Candles { instrument: instrument.clone(), interval, as_of, limit })
    }

    /// Samples of open interest from `from` to `to`, both inclusive, oldest first.
    pub fn open_interest(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<OpenInterest>> {
        self.ask(OpenInterests { instrument: instrument.clone(), from, to })
    }

    /// The last sample of open interest within each interval that ends after `from`, up to and with `to`, oldest first. An
    /// interval holds the samples after its beginning and up to its end.
    pub fn open_interest_closes(
        &self,
        instrument: &Instrument,
        interval: Interval,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<OpenInterest>> {
        let interval_ms = interval.ms();
        self.ask(OpenInterestCloses { instrument: instrument.clone(), interval_ms, from, to })
    }

    /// Funding payments from `from` to `to`, both inclusive, oldest first.
    pub fn funding(&self, instrument: &Instrument, from: UnixMs, to: UnixMs) -> PendingReply<Vec<Funding>> {
        self.ask(FundingPayments { instrument: instrument.clone(), from, to })
    }

    /// Lowest, highest and last tick of the mark price from `from` to `to`, both inclusive; `None` without ticks.
    pub fn mark_range(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Option<MarkRange>> {
        self.ask(MarkRangeOf { instrument: instrument.clone(), from, to })
    }

    /// The newest mark price and traded price known at `as_of`, from ticks, trades and closed klines.
    pub fn prices_at(&self, instrument: &Instrument, as_of: UnixMs) -> PendingReply<PricesAt> {
        self.ask(PricesAtMoment { instrument: instrument.clone(), as_of })
    }

    /// The newest prices at `as_of` and the candle of this length that is open then. Nothing older than two candles
    /// counts.
    pub fn prices_now(
        &self,
        instrument: &Instrument,
        interval: Interval,
        as_of: UnixMs,
    ) -> PendingReply<PricesNow> {
        self.ask(PricesNowOf { instrument: instrument.clone(), interval, as_of })
    }

    /// Volume at price of each bar that opened at or after `from` and closed at or before `to`, summed from
    /// trades in cells of `cell`; bars oldest first, cells lowest first. Bars without trades are skipped.
    pub fn profiles(
        &self,
        instrument: &Instrument,
        interval: Interval,
        cell: Price,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<Profile>> {
        self.ask(Profiles { instrument: instrument.clone(), interval, cell, from, to })
    }

    /// The newest `limit` realised liquidations of at least `min_usd` dollars from `from` to `to`, both inclusive,
    /// oldest first.
    pub fn liquidations(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
        min_usd: u64,
        limit: NonZeroUsize,
    ) -> PendingReply<Vec<Liquidation>> {
        self.ask(Liquidations { instrument: instrument.clone(), from, to, min_usd, limit })
    }

    /// The sums of realised liquidations from after `from` to `to`, by side.
    pub fn liquidation_totals(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<LiquidationTotals> {
        self.ask(LiquidationTotalsOf { instrument: instrument.clone(), from, to })
    }

    /// The newest `limit` sums of realised liquidations from `from` to `to`, both inclusive, oldest first: one a
    /// side, kind of price and interval in which there were any, with the interval's beginning, the coins and
    /// their volume-weighted price. Liquidations of less than `min_usd` dollars are not summed.
    pub fn liquidation_sums(
        &self,
        instrument: &Instrument,
        interval: Interval,
        from: UnixMs,
        to: UnixMs,
        min_usd: u64,
        limit: NonZeroUsize,
    ) -> PendingReply<Vec<Liquidation>> {
        self.ask(LiquidationSums { instrument: instrument.clone(), interval, from, to, min_usd, limit })
    }

    /// The latest moment at or before `as_of` at which something became known (`Event::known_at`).
    pub fn newest(&self, instrument: &Instrument, as_of: UnixMs) -> PendingReply<Option<UnixMs>> {
        self.ask(NewestTime { instrument: instrument.clone(), as_of })
    }

    /// Keeps a state of the ledger, replacing one of the same instrument, interval, fingerprint and time.
    pub fn put_checkpoint(
        &self,
        instrument: &Instrument,
        interval: Interval,
        checkpoint: Checkpoint,
    ) -> PendingReply<()> {
        self.ask(PutCheckpoint { instrument: instrument.clone(), interval, checkpoint })
    }

    /// The newest state at or before `not_after` that was computed with the same parameters.
    pub fn latest_checkpoint(
        &self,
        instrument: &Instrument,
        interval: Interval,
        fingerprint: u64,
        not_after: UnixMs,
    ) -> PendingReply<Option<Checkpoint>> {
        self.ask(LatestCheckpoint { instrument: instrument.clone(), interval, fingerprint, not_after })
    }

    /// Keeps the `keep` newest states of an instrument for each interval and fingerprint; says how many went.
    pub fn prune_checkpoints(&self, instrument: &Instrument, keep: usize) -> PendingReply<u64> {
        self.ask(PruneCheckpoints { instrument: instrument.clone(), keep })
    }

    /// Keeps an hour of the running score, replacing one of the same instrument, start and fingerprint. Hours that began
    /// more than 60 days before it are deleted, and predictions of more than two days before.
    pub fn put_accuracy_hour(&self, instrument: &Instrument, hour: AccuracyHour) -> PendingReply<()> {
        self.ask(PutAccuracyHour { instrument: instrument.clone(), hour })
    }

    /// Hours of the running score that began from `from` to `to`, both inclusive, oldest first.
    pub fn accuracy_hours(
        &self,
        instrument: &Instrument,
        fingerprint: u64,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<AccuracyHour>> {
        self.ask(AccuracyHours { instrument: instrument.clone(), fingerprint, from, to })
    }

    /// Keeps a layer of measured positions, replacing one of the same moment.
    pub fn put_measured_layer(&self, instrument: &Instrument, layer: StoredLayer) -> PendingReply<()> {
        self.ask(PutLayer { instrument: instrument.clone(), layer })
    }

    /// The newest layer of measured positions after `from`, up to and with `to`.
    pub fn latest_measured_layer(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Option<StoredLayer>> {
        self.ask(LatestLayer { instrument: instrument.clone(), from, to })
    }

    /// The last layer of measured positions in every `every_ms` counted from `from`, exclusive, up to and with `to`, oldest
    /// first.
    pub fn measured_layers(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
        every_ms: i64,
    ) -> PendingReply<Vec<StoredLayer>> {
        self.ask(Layers { instrument: instrument.clone(), from, to, every_ms })
    }

    /// How far the layers of measured positions go, with their marks after `from`, up to and with `to`; `None` without any.
    pub fn measured_reach(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Option<LayerReach>> {
        self.ask(LayerReachOf { instrument: instrument.clone(), from, to })
    }

    /// Stores new and changed addresses of accounts at a venue and deletes others, all or none.
    pub fn put_account_addresses(
        &self,
        venue: Venue,
        changed: Vec<AccountAddress>,
        dropped: Vec<String>,
    ) -> PendingReply<()> {
        self.ask(PutAccountAddresses { venue, changed, dropped })
    }

    /// All addresses of accounts at a venue.
    pub fn account_addresses(&self, venue: Venue) -> PendingReply<Vec<AccountAddress>> {
        self.ask(AccountAddresses { venue })
    }

    /// Deletes rows of an instrument that are older than their table keeps them, counted back from `as_of`.
    pub fn retain(
        &self,
        instrument: &Instrument,
        as_of: UnixMs,
        retention: Retention,
    ) -> PendingReply<DeletedRows> {
        self.ask(ApplyRetention { instrument: instrument.clone(), as_of, retention })
    }

    /// Stores an alert with its outstanding deliveries, all or none; `false` when an alert of this id is there already.
    pub fn put_alert(&self, alert: StoredAlert, targets: Vec<String>, queued: UnixMs) -> PendingReply<bool> {
        self.ask(PutAlert { alert, targets, queued })
    }

    /// Deletes outstanding deliveries to a target: they were made, or given up.
    pub fn finish_deliveries(&self, target: &str, alerts: Vec<String>) -> PendingReply<()> {
        self.ask(FinishDeliveries { target: target.to_owned(), alerts })
    }

    /// Every delivery that is outstanding, oldest first.
    pub fn outstanding_deliveries(&self) -> PendingReply<Vec<OutstandingDelivery>> {
        self.ask(OutstandingDeliveries)
    }

    /// The newest alerts, oldest first.
    pub fn recent_alerts(&self, limit: usize) -> PendingReply<Vec<StoredAlert>> {
        self.ask(RecentAlerts { limit })
    }

    /// Keeps a rule of alerts under its name; replaces one of the same name.
    pub fn put_alert_rule(&self, name: &str, fields: String) -> PendingReply<()> {
        self.ask(PutAlertRule { name: name.to_owned(), fields })
    }

    /// Deletes a rule of alerts; `false` when there is none of this name.
    pub fn delete_alert_rule(&self, name: &str) -> PendingReply<bool> {
        self.ask(DeleteAlertRule { name: name.to_owned() })
    }

    /// The JSON of all rules that were kept, by name.
    pub fn alert_rules(&self) -> PendingReply<Vec<String>> {
        self.ask(AlertRules)
    }

    /// Moves everything from the write-ahead log into the file.
    pub fn flush(&self) -> PendingReply<()> {
        self.ask(Flush)
    }

    /// Rows of each table and bytes on disk.
    pub fn stats(&self) -> PendingReply<Stats> {
        self.ask(StatsOf)
    }

    /// Answers what was asked before, writes everything into the file, closes it and ends the thread. Whoever
    /// asks later hears [`StoreError::Closed`].
    ///
    /// # Errors
    /// When writing fails (what was appended is then safe in the write-ahead log), or it was closed before.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (done, closing) = oneshot::channel();
        self.shared.queue.send(Message::Close(done)).await.map_err(|_| StoreError::Closed)?;
        let result = closing.await.unwrap_or(Err(StoreError::Closed));
        self.join();
        result
    }

    /// As [`Store::close`], for code that is not async.
    ///
    /// # Errors
    /// As [`Store::close`].
    ///
    /// # Panics
    /// Inside an async task.
    pub fn close_blocking(&self) -> Result<(), StoreError> {
        let (done, closing) = oneshot::channel();
        self.shared.queue.blocking_send(Message::Close(done)).map_err(|_| StoreError::Closed)?;
        let result = closing.blocking_recv().unwrap_or(Err(StoreError::Closed));
        self.join();
        result
    }

    /// The thread has nothing left to do when this is called, so it does not block for long.
    fn join(&self) {
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's thread panicked outside a command");
        }
    }

    pub(crate) fn ask<C: Command>(&self, command: C) -> PendingReply<C::Answer> {
        let (answer, answered) = oneshot::channel();
        let queue = match self.route {
            Route::ReadConnections if C::IS_READ => Queue::Readers(self.shared.read_queue.clone()),
            _ => Queue::Owner(self.shared.queue.clone()),
        };
        let span = trace_span!(
            "store",
            otel.name = C::NAME,
            otel.kind = "client",
            db.system.name = "duckdb",
            db.operation.name = C::NAME,
        );
        let job = Box::new(PostedCommand { command, answer, span: span.clone() });
        PendingReply { queue, job, answered, span }
    }
}

#[cfg(test)]
mod tests;
