//! The task of one target: takes what the queue says, sends it, and clears the outbox.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liqheat_alerts::{Alert, SendResult, Target, TargetQueue, TargetState};
use liqheat_market::{Backoff, UnixMs};
use liqheat_store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::delivery_metrics::{DeliveryMetrics, TargetLabel};
use super::send::TargetClient;
use crate::clock::MarketClock;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// A target with what waits for it.
pub(crate) struct TargetDelivery {
    target: Target,
    store: Store,
    client: TargetClient,
    /// Locked for a decision.
    pending: Mutex<PendingAlerts>,
    queued: Notify,
    /// The target is not configured any more.
    ended: CancellationToken,
    label: TargetLabel,
    metrics: DeliveryMetrics,
}

struct PendingAlerts {
    queue: TargetQueue,
    /// By id.
    alerts: BTreeMap<String, Alert>,
}

impl TargetDelivery {
    pub(super) fn new(target: Target, store: Store, metrics: DeliveryMetrics) -> Self {
        let backoff =
            Backoff::new(FIRST_DELAY, LONGEST_DELAY).expect("invariant: the first delay is shorter");
        let label = TargetLabel { target: target.name().to_owned() };
        // Shown from the start, not only from the first alert on.
        for counter in [&metrics.delivered, &metrics.failures, &metrics.given_up] {
            drop(counter.get_or_create(&label));
        }
        for gauge in [&metrics.waiting, &metrics.dead] {
            drop(gauge.get_or_create(&label));
        }
        let pending = PendingAlerts { queue: TargetQueue::new(backoff), alerts: BTreeMap::new() };
        Self {
            client: TargetClient::new(&target),
            target,
            store,
            pending: Mutex::new(pending),
            queued: Notify::new(),
            ended: CancellationToken::new(),
            label,
            metrics,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.target.name()
    }

    /// Whether it goes to this target, with all that belongs to it.
    pub(super) fn is_to(&self, target: &Target) -> bool {
        self.target == *target
    }

    /// Takes what waits for the same name in another form.
    pub(super) fn take_over(&self, before: &Self) {
        let waiting: Vec<Alert> = before.lock().alerts.values().cloned().collect();
        for alert in waiting {
            // There is room: the other queue has the same bound.
            self.queue(alert, MarketClock::wall_now());
        }
    }

    /// Ends its task: the target is not configured any more.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    pub(crate) const fn kind(&self) -> &'static str {
        self.target.kind().name()
    }

    pub(crate) fn state(&self) -> TargetState {
        self.lock().queue.state()
    }

    /// Why it counts as dead; `None` while it does not.
    pub(super) fn trouble(&self) -> Option<String> {
        let TargetState { waiting, failures, reason, is_dead } = self.state();
        is_dead.then(|| {
            format!(
                "alert target '{}' failed {failures} times in a row ({reason}); {waiting} alerts wait for it; \
                 check it with `liqheat alerts test`",
                self.name()
            )
        })
    }

    /// Queues an alert that is in the outbox. Returns the id of one for which there is no room any more.
    pub(super) fn queue(&self, alert: Alert, queued: UnixMs) -> Option<String> {
        let given_up = {
            let mut pending = self.lock();
            let given_up = pending.queue.push(alert.id.clone(), queued);
            pending.alerts.insert(alert.id.clone(), alert);
            if let Some(id) = &given_up {
                pending.alerts.remove(id);
            }
            given_up
        };
        if given_up.is_some() {
            self.metrics.given_up.get_or_create(&self.label).inc();
        }
        self.show();
        self.queued.notify_one();
        given_up
    }

    /// Delivers until asked to stop. A request under way at that moment may be made again after the next start.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.ended.cancelled() => {}
            () = self.deliver() => {}
        }
    }

    async fn deliver(&self) {
        loop {
            let now = MarketClock::wall_now();
            let next = {
                let mut pending = self.lock();
                let attempt = pending.queue.take(now);
                attempt.map(|attempt| (pending.alerts.get(&attempt.id).cloned(), attempt))
            };
            let Some((alert, attempt)) = next else {
                self.wait(now).await;
                continue;
            };
            let Some(alert) = alert else {
                // Every queued id has its alert; one without could never be sent.
                self.finish(SendResult::Delivered).await;
                continue;
            };
            let result = self.client.send(self.target.request(&alert, now)).await;
            match &result {
                SendResult::Delivered => {
                    info!(target = self.name(), id = attempt.id, attempt = attempt.number, "alert delivered");
                    self.metrics.delivered.get_or_create(&self.label).inc();
                }
                SendResult::Failed { reason, .. } => {
                    warn!(
                        target = self.name(),
                        id = attempt.id,
                        attempt = attempt.number,
                        reason,
                        "alert not delivered; it is sent again"
                    );
                    self.metrics.failures.get_or_create(&self.label).inc();
                }
            }
            self.finish(result).await;
        }
    }

    async fn finish(&self, result: SendResult) {
        let is_delivered = result == SendResult::Delivered;
        let done = {
            let mut pending = self.lock();
            let done = pending.queue.on_result(result, MarketClock::wall_now(), fastrand::f64());
            for id in &done {
                pending.alerts.remove(id);
            }
            done
        };
        self.show();
        if done.is_empty() {
            return;
        }
        if !is_delivered {
            warn!(target = self.name(), alerts = done.len(), "alerts given up: they are a day old");
            self.metrics.given_up.get_or_create(&self.label).inc_by(done.len() as u64);
        }
        if let Err(error) = self.store.finish_deliveries(self.name(), done).await {
            // The receiver knows it by its id.
            warn!(target = self.name(), %error, "a delivered alert stays in the outbox and is sent again after the next start");
        }
    }

    /// Until the next attempt is due, or something is queued.
    async fn wait(&self, now: UnixMs) {
        let wake_at = self.lock().queue.wake_at();
        match wake_at {
            None => self.queued.notified().await,
            Some(at) => {
                let pause = Duration::from_millis(at.since(now).max(1).unsigned_abs());
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn show(&self) {
        let TargetState { waiting, is_dead, .. } = self.state();
        self.metrics.waiting.get_or_create(&self.label).set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.metrics.dead.get_or_create(&self.label).set(i64::from(is_dead));
    }

    fn lock(&self) -> MutexGuard<'_, PendingAlerts> {
        // Nothing panics while it is held.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
