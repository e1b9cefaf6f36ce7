//! Alerts to traders: watches over the published states, the outbox, and the targets.
//!
//! One task observes what is published and what is stored once an update interval, and gives it to the watches
//! (`liqheat_alerts`, pure). Here is that loop; [`rules`] holds the rules in force, [`outbox`] stores, and [`deliver`] sends. An alert is stored with its deliveries before anything is sent, so it survives a kill; each
//! target has a task of its own, so that one that is away delays no other. In a cluster every server watches, and only
//! the producer sends (`release`).

#![expect(
    clippy::disallowed_methods,
    reason = "the shell of the watches: it reads the clock when an alert is raised"
)]

mod deliver;
mod delivery_metrics;
mod observe;
mod outbox;
mod release;
mod replay;
mod rules;
mod send;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liqheat_alerts::{Alert, Rule, RuleFields, Target};
use liqheat_cluster::Backplane;
use liqheat_store::Store;
use liqheat_stream::Hub;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::catalog::Catalog;
use crate::clock::MarketClock;
use crate::compute::ComputePool;
use crate::published::Published;
pub(crate) use deliver::TargetDelivery;
use delivery_metrics::DeliveryMetrics;
use observe::WatchedSymbol;
use outbox::RecentAlerts;
use release::HeldAlerts;
pub use replay::{AlertReplay, replay_alerts};
use rules::RuleBook;
pub(crate) use rules::RuleRefusal;
pub use send::{SendError, send_once};

/// Interval at which alerts that wait for the lease to be confirmed are checked.
const RELEASE_EVERY: Duration = Duration::from_millis(500);

/// Rules and targets of the configuration.
#[derive(Debug, Clone, Default)]
pub struct AlertSettings {
    /// Rules of the file; names are unique.
    pub rules: Vec<Rule>,
    /// Targets of the file; names are unique.
    pub targets: Vec<Target>,
}

/// The watches over all symbols, their rules and their targets.
pub(crate) struct Alerts {
    store: Store,
    catalog: Arc<Catalog>,
    published: Arc<Published>,
    clock: Arc<MarketClock>,
    backplane: Backplane,
    hub: Arc<Hub>,
    compute: ComputePool,
    update_interval: Duration,
    /// Locked for a copy.
    state: Mutex<AlertState>,
    /// Notified when the targets have changed.
    targets_changed: Notify,
    /// Held while rules in the database and in memory are changed together, or loaded.
    rule_writes: tokio::sync::Mutex<()>,
    raised: Counter,
    metrics: DeliveryMetrics,
}

#[derive(Default)]
struct AlertState {
    rules: RuleBook,
    targets: Vec<Arc<TargetDelivery>>,
    recent: RecentAlerts,
}

/// The parts of the server that alerts use.
pub(crate) struct AlertParts {
    pub(crate) store: Store,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) published: Arc<Published>,
    pub(crate) clock: Arc<MarketClock>,
    pub(crate) backplane: Backplane,
    pub(crate) hub: Arc<Hub>,
    pub(crate) update_interval: Duration,
}

impl Alerts {
    pub(crate) fn new(parts: AlertParts, settings: AlertSettings) -> Arc<Self> {
        let AlertParts { store, catalog, published, clock, backplane, hub, update_interval } = parts;
        let alerts = Arc::new(Self {
            store,
            catalog,
            published,
            clock,
            backplane,
            hub,
            compute: ComputePool::new(1),
            update_interval,
            state: Mutex::default(),
            targets_changed: Notify::new(),
            rule_writes: tokio::sync::Mutex::default(),
            raised: Counter::default(),
            metrics: DeliveryMetrics::default(),
        });
        alerts.set(settings);
        alerts
    }

    /// Replaces the rules and targets of the configuration. A target that stays as it is keeps the alerts that wait for it;
    /// those of a removed target are given up at the next start. Rules of the API whose names are now those of rules of
    /// the file are not watched while they are.
    pub(crate) fn set(&self, settings: AlertSettings) {
        let mut state = self.lock();
        let before = std::mem::take(&mut state.targets);
        let delivery = |target: Target| {
            let known = before.iter().find(|known| known.is_to(&target)).map(Arc::clone);
            known.unwrap_or_else(|| {
                let name = target.name().to_owned();
                let new = TargetDelivery::new(target, self.store.clone(), self.metrics.clone());
                if let Some(changed) = before.iter().find(|before| before.name() == name) {
                    new.take_over(changed);
                }
                Arc::new(new)
            })
        };
        state.targets = settings.targets.into_iter().map(delivery).collect();
        for gone in before.iter().filter(|one| !state.targets.iter().any(|kept| Arc::ptr_eq(kept, one))) {
            gone.end();
        }
        state.rules.set_file_rules(settings.rules);
        drop(state);
        self.targets_changed.notify_one();
    }

    /// Registers the counters of alerts and deliveries for `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let ours = registry.sub_registry_with_prefix("liqheat");
        ours.register("alerts_raised", "Alerts of the traders' rules", self.raised.clone());
        self.metrics.register(ours);
    }

    /// Targets that count as dead, for `/ready`.
    pub(crate) fn dead_targets(&self) -> Vec<String> {
        self.targets().iter().filter_map(|target| target.trouble()).collect()
    }

    /// All rules in force, those of the file first, each with whether it came through the API.
    pub(crate) fn rules(&self) -> Vec<(Arc<Rule>, bool)> {
        self.lock().rules.in_force()
    }

    /// The newest alerts, oldest first.
    pub(crate) fn recent(&self) -> Vec<Alert> {
        self.lock().recent.to_vec()
    }

    pub(crate) fn targets(&self) -> Vec<Arc<TargetDelivery>> {
        self.lock().targets.clone()
    }

    fn is_of_file(&self, name: &str) -> bool {
        self.lock().rules.is_of_file(name)
    }

    /// Adds a rule, in place of an earlier one of the same name.
    pub(crate) async fn put_rule(&self, fields: RuleFields) -> Result<Arc<Rule>, RuleRefusal> {
        if self.is_of_file(&fields.name) {
            return Err(RuleRefusal::OfFile);
        }
        let targets = self.targets();
        let is_target = |name: &str| targets.iter().any(|target| target.name() == name);
        let rule = rules::checked(fields, |symbol| self.catalog.symbol(symbol).is_some(), is_target)?;
        let _writing = self.rule_writes.lock().await;
        if !self.lock().rules.has_room(rule.name()) {
            return Err(RuleRefusal::TooMany);
        }
        // Plain fields into memory: this cannot fail.
        let text = serde_json::to_string(rule.fields()).unwrap_or_default();
        self.store.put_alert_rule(rule.name(), text).await?;
        let rule = Arc::new(rule);
        self.lock().rules.insert(Arc::clone(&rule));
        info!(rule = rule.name(), "alert rule added");
        Ok(rule)
    }

    /// Deletes a rule that came through the API; `false` when there is none.
    pub(crate) async fn delete_rule(&self, name: &str) -> Result<bool, RuleRefusal> {
        if self.is_of_file(name) {
            return Err(RuleRefusal::OfFile);
        }
        let _writing = self.rule_writes.lock().await;
        let stored = self.store.delete_alert_rule(name).await?;
        let known = self.lock().rules.remove(name);
        if known {
            info!(rule = name, "alert rule deleted");
        }
        Ok(stored || known)
    }

    /// Watches and delivers until asked to stop.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut targets = JoinSet::new();
        tokio::select! {
            () = stop.cancelled() => return,
            () = self.load() => {}
        }
        let mut delivering: Vec<Arc<TargetDelivery>> = Vec::new();
        let mut turns = interval(self.update_interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut releases = interval(RELEASE_EVERY);
        releases.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut watched, mut held) = (BTreeMap::new(), HeldAlerts::default());
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = turns.tick() => {
                    for alert in self.turn(&mut watched).await {
                        self.raised.inc();
                        info!(id = alert.id, quiet = alert.quiet, text = alert.text(), "alert raised");
                        held.push(alert, Instant::now());
                    }
                }
                _ = releases.tick(), if !held.is_empty() => {}
                // Also for those of the start.
                () = self.targets_changed.notified() => {
                    let now = self.targets();
                    for target in &now {
                        if !delivering.iter().any(|known| Arc::ptr_eq(known, target)) {
                            targets.spawn(Arc::clone(target).run(stop.clone()));
                        }
                    }
                    delivering = now;
                    while targets.try_join_next().is_some() {}
                }
            }
            self.release(&mut held).await;
        }
        while targets.join_next().await.is_some() {}
    }

    /// Observes every symbol that a rule is about.
    async fn turn(&self, watched: &mut BTreeMap<String, WatchedSymbol>) -> Vec<Alert> {
        let now = self.clock.now();
        let rules = self.rules();
        let mut alerts = Vec::new();
        for symbol in self.catalog.symbols() {
            let of_symbol: Vec<Arc<Rule>> = rules
                .iter()
                .filter(|(rule, _)| rule.covers(&symbol.name, symbol.listed))
                .map(|(rule, _)| Arc::clone(rule))
                .collect();
            if of_symbol.is_empty() {
                watched.remove(&symbol.name);
                continue;
            }
            // Nothing can be observed before the first state.
            let Some(live) = self.published.live(&symbol.name) else { continue };
            let watch =
                watched.entry(symbol.name.clone()).or_insert_with(|| WatchedSymbol::new(&symbol.name));
            watch.set_rules(of_symbol, &self.recent(), now);
            match self.observe(symbol, watch, live, now).await {
                Ok(raised) => alerts.extend(raised),
                // The next turn observes from where this one began.
                Err(error) => warn!(symbol = symbol.name, %error, "alerts: symbol not observed"),
            }
        }
        alerts
    }

    fn lock(&self) -> MutexGuard<'_, AlertState> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
