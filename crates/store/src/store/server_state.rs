//! Questions about what a server keeps: checkpoints, scores, measured positions, alerts.

use liqheat_market::{Instrument, Interval, UnixMs, Venue};

use super::Store;
use crate::accounts::{AccountAddress, AccountAddresses, PutAccountAddresses};
use crate::accuracy::{AccuracyHour, AccuracyHours, PutAccuracyHour};
use crate::alerts::{
    AlertRules, DeleteAlertRule, FinishDeliveries, OutstandingDeliveries, OutstandingDelivery, PutAlert,
    PutAlertRule, RecentAlerts, StoredAlert,
};
use crate::checkpoints::{Checkpoint, LatestCheckpoint, PruneCheckpoints, PutCheckpoint};
use crate::layers::{LatestLayer, LayerReach, LayerReachOf, Layers, PutLayer, StoredLayer};
use crate::reply::PendingReply;

impl Store {
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
}
