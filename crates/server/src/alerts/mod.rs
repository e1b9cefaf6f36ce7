//! Alerts to traders: watches over the published states, the outbox, and the targets.
//!
//! One task observes what is published and what is stored once an update interval, and gives it to the watches
//! (`liqheat_alerts`, pure). An alert is stored with its deliveries before anything is sent, so it survives a kill; each
//! target has a task of its own, so that one that is away delays no other. In a cluster every server watches, and only
//! the producer sends (`release`).

#![expect(
    clippy::disallowed_methods,
    reason = "the shell of the watches: it reads the clock when an alert is raised"
)]

mod deliver;
mod observe;
mod release;
mod replay;
mod send;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liqheat_alerts::{Alert, Rule, RuleFields, Target};
use liqheat_cluster::Backplane;
use liqheat_store::{Store, StoreError, StoredAlert};
use liqheat_stream::{ChannelContent, ChannelRow, Hub};
use liqheat_wire::{AlertRow, Channel, format_time};
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
use deliver::DeliveryMetrics;
pub(crate) use deliver::TargetDelivery;
use observe::WatchedSymbol;
use release::HeldAlerts;
pub use replay::{AlertReplay, replay_alerts};
pub use send::{SendError, send_once};

/// Alerts that `GET /v1/alerts` shows, and that a restart takes over.
const RECENT_MAX: usize = 500;
/// Rules that may come through the API.
const API_RULES_MAX: usize = 200;
/// Time between two looks at alerts that wait for the lease to be confirmed.
const RELEASE_EVERY: Duration = Duration::from_millis(500);

/// Rules and targets of the configuration.
#[derive(Debug, Clone, Default)]
pub struct AlertSettings {
    /// Rules.
    pub rules: Vec<Rule>,
    /// Where alerts go.
    pub targets: Vec<Target>,
}

/// Where the rules of alerts come from and go to.
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
    /// Notified when the targets are others.
    targets_changed: Notify,
    /// Held while rules in the database and in memory are changed together, or loaded.
    rule_writes: tokio::sync::Mutex<()>,
    raised: Counter,
    metrics: DeliveryMetrics,
}

#[derive(Default)]
struct AlertState {
    file_rules: Vec<Arc<Rule>>,
    targets: Vec<Arc<TargetDelivery>>,
    /// By name.
    api_rules: BTreeMap<String, Arc<Rule>>,
    /// Oldest first.
    recent: VecDeque<Alert>,
}

/// What of the server alerts are made of.
pub(crate) struct AlertParts {
    pub(crate) store: Store,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) published: Arc<Published>,
    pub(crate) clock: Arc<MarketClock>,
    pub(crate) backplane: Backplane,
    pub(crate) hub: Arc<Hub>,
    pub(crate) update_interval: Duration,
}

/// Why a rule is not taken.
#[derive(Debug)]
pub(crate) enum RuleRefusal {
    /// It is wrong; in words.
    Wrong(String),
    /// Its name is that of a rule in the file.
    OfFile,
    /// There are too many.
    TooMany,
    /// It could not be stored.
    Store(StoreError),
}

impl From<StoreError> for RuleRefusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
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

    /// Takes other rules and targets of the configuration. A target that stays as it is keeps what waits for it; what
    /// waits for one that is gone is given up at the next start. Rules of the API whose names are now those of rules of
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
        state.file_rules = settings.rules.into_iter().map(Arc::new).collect();
        drop(state);
        self.targets_changed.notify_one();
    }

    /// Shows what happens in `/metrics`.
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
        let state = self.lock();
        let of_file = state.file_rules.iter().map(|rule| (Arc::clone(rule), false));
        let is_of_file = |name: &str| state.file_rules.iter().any(|rule| rule.name() == name);
        let of_api = state.api_rules.values().filter(|rule| !is_of_file(rule.name()));
        of_file.chain(of_api.map(|rule| (Arc::clone(rule), true))).collect()
    }

    /// The newest alerts, oldest first.
    pub(crate) fn recent(&self) -> Vec<Alert> {
        self.lock().recent.iter().cloned().collect()
    }

    pub(crate) fn targets(&self) -> Vec<Arc<TargetDelivery>> {
        self.lock().targets.clone()
    }

    fn is_of_file(&self, name: &str) -> bool {
        self.lock().file_rules.iter().any(|one| one.name() == name)
    }

    /// Takes a rule, in place of an earlier one of the same name.
    pub(crate) async fn put_rule(&self, fields: RuleFields) -> Result<Arc<Rule>, RuleRefusal> {
        let rule = Rule::new(fields).map_err(|error| RuleRefusal::Wrong(error.to_string()))?;
        if self.is_of_file(rule.name()) {
            return Err(RuleRefusal::OfFile);
        }
        let unknown = |symbol: &&String| self.catalog.symbol(symbol).is_none();
        if let Some(symbol) = rule.fields().symbols.iter().find(unknown) {
            let symbol: String = symbol.chars().take(40).collect();
            return Err(RuleRefusal::Wrong(format!("symbol '{symbol}' is not served; see /v1/symbols")));
        }
        let targets = self.targets();
        let no_target = |name: &&String| !targets.iter().any(|target| target.name() == name.as_str());
        if let Some(target) = rule.fields().targets.iter().find(no_target) {
            let target: String = target.chars().take(64).collect();
            return Err(RuleRefusal::Wrong(format!(
                "there is no target '{target}'; targets stand in the file of --alerts"
            )));
        }
        let _writing = self.rule_writes.lock().await;
        {
            let state = self.lock();
            if state.api_rules.len() >= API_RULES_MAX && !state.api_rules.contains_key(rule.name()) {
                return Err(RuleRefusal::TooMany);
            }
        }
        // Plain fields into memory: this cannot fail.
        let text = serde_json::to_string(rule.fields()).unwrap_or_default();
        self.store.put_alert_rule(rule.name(), text).await?;
        let rule = Arc::new(rule);
        self.lock().api_rules.insert(rule.name().to_owned(), Arc::clone(&rule));
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
        let known = self.lock().api_rules.remove(name).is_some();
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

    /// Takes over what a former run left behind. A failure of the store is tried again.
    async fn load(&self) {
        const RETRY_AFTER: Duration = Duration::from_secs(2);
        while let Err(error) = self.try_load().await {
            warn!(%error, retry_in_s = RETRY_AFTER.as_secs(), "alerts not loaded");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn try_load(&self) -> Result<(), StoreError> {
        // A rule may come before this is done; it is in the database then.
        let _writing = self.rule_writes.lock().await;
        let rules = self.store.alert_rules().await?;
        let recent = self.store.recent_alerts(RECENT_MAX).await?;
        let outstanding = self.store.outstanding_deliveries().await?;
        let parsed = rules.iter().filter_map(|text| {
            let fields: Option<RuleFields> = serde_json::from_str(text).ok();
            let rule = fields.and_then(|fields| Rule::new(fields).ok());
            if rule.is_none() {
                warn!(rule = text, "stored alert rule is not understood by this version; it is skipped");
            }
            rule.map(|rule| (rule.name().to_owned(), Arc::new(rule)))
        });
        let api_rules: BTreeMap<_, _> = parsed.collect();
        let recent: VecDeque<Alert> = recent.iter().filter_map(alert_of).collect();
        let (mut waiting, targets) = (0, self.targets());
        for delivery in outstanding {
            let target = targets.iter().find(|target| target.name() == delivery.target);
            match (target, alert_of(&delivery.alert)) {
                (Some(target), Some(alert)) => {
                    waiting += 1;
                    self.give_up(target, target.queue(alert, delivery.queued)).await;
                }
                _ => {
                    warn!(
                        target = delivery.target,
                        id = delivery.alert.id,
                        "alert given up: its target is not configured any more"
                    );
                    self.store.finish_deliveries(&delivery.target, vec![delivery.alert.id]).await?;
                }
            }
        }
        let mut state = self.lock();
        (state.api_rules, state.recent) = (api_rules, recent);
        let rules = state.file_rules.len() + state.api_rules.len();
        info!(rules, targets = targets.len(), outstanding = waiting, "alerts loaded");
        Ok(())
    }

    /// Removes an alert for which a queue had no room from the outbox.
    async fn give_up(&self, target: &TargetDelivery, id: Option<String>) {
        let Some(id) = id else { return };
        warn!(target = target.name(), id, "alert given up: too many wait for the target");
        if let Err(error) = self.store.finish_deliveries(target.name(), vec![id]).await {
            warn!(%error, "a given-up alert stays in the outbox until the next start");
        }
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
            // A first state makes sense of everything else.
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

    fn remember(&self, alert: &Alert) {
        let mut state = self.lock();
        state.recent.push_back(alert.clone());
        let beyond = state.recent.len().saturating_sub(RECENT_MAX);
        state.recent.drain(..beyond);
    }

    /// To the clients that follow the channel, of this server and of those that follow its states.
    fn publish(&self, alert: &Alert) {
        let Some(slot) = self.hub.slot(&alert.symbol) else { return };
        let row = AlertRow {
            id: alert.id.clone(),
            rule: alert.rule.clone(),
            symbol: alert.symbol.clone(),
            time: format_time(alert.time),
            price: alert.price.into(),
            quiet: alert.quiet,
            // Plain fields into memory: neither can fail.
            subject: serde_json::to_value(&alert.subject).unwrap_or_default(),
            count: alert.count,
            usd: alert.total_usd,
            text: alert.text(),
        };
        let json = serde_json::to_string(&row).unwrap_or_default().into();
        let content = ChannelContent::Rows(vec![ChannelRow { usd: alert.total_usd, json }]);
        self.backplane.publish_channel(&slot, Channel::Alerts, alert.time, content);
    }

    /// Puts an alert into the outbox and the queues; an error means that nothing was done.
    async fn enqueue(&self, alert: &Alert, is_sent: bool) -> Result<(), StoreError> {
        let rules = self.rules();
        let rule = rules.iter().find(|(rule, _)| rule.name() == alert.rule).map(|(rule, _)| rule);
        let goes_to = |target: &&Arc<TargetDelivery>| {
            is_sent && !alert.quiet && rule.is_none_or(|rule| rule.is_sent_to(target.name()))
        };
        let targets = self.targets();
        let targets: Vec<&Arc<TargetDelivery>> = targets.iter().filter(goes_to).collect();
        let names = targets.iter().map(|target| target.name().to_owned()).collect();
        let queued = MarketClock::wall_now();
        let stored = StoredAlert {
            id: alert.id.clone(),
            time: alert.time,
            // Plain fields into memory: this cannot fail.
            body: serde_json::to_string(alert).unwrap_or_default(),
        };
        if !self.store.put_alert(stored, names, queued).await? {
            // Stored by an earlier run over the same stretch of market time.
            return Ok(());
        }
        self.remember(alert);
        if is_sent {
            self.publish(alert);
        }
        for target in targets {
            self.give_up(target, target.queue(alert.clone(), queued)).await;
        }
        Ok(())
    }
}

fn alert_of(stored: &StoredAlert) -> Option<Alert> {
    let alert = serde_json::from_str(&stored.body);
    if let Err(error) = &alert {
        warn!(id = stored.id, %error, "stored alert is not understood by this version; it is skipped");
    }
    alert.ok()
}
