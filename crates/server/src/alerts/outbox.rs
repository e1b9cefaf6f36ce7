//! The outbox: alerts and their deliveries are stored before anything is sent, and loaded again after a restart.

use std::collections::VecDeque;
use std::time::Duration;

use liqheat_alerts::{Alert, Rule, RuleFields};
use liqheat_store::{StoreError, StoredAlert};
use liqheat_stream::{ChannelContent, ChannelRow};
use liqheat_wire::{AlertRow, Channel, format_time};
use tracing::{info, warn};

use super::{Alerts, TargetDelivery};
use crate::clock::MarketClock;

/// The newest alerts, oldest first.
#[derive(Debug, Default)]
pub(super) struct RecentAlerts(VecDeque<Alert>);

impl RecentAlerts {
    /// Most alerts that `GET /v1/alerts` shows, and that a restart restores.
    pub(super) const MAX: usize = 500;

    /// `alerts`, oldest first.
    fn new(alerts: impl IntoIterator<Item = Alert>) -> Self {
        let mut recent = Self::default();
        alerts.into_iter().for_each(|alert| recent.push(alert));
        recent
    }

    fn push(&mut self, alert: Alert) {
        self.0.push_back(alert);
        let beyond = self.0.len().saturating_sub(Self::MAX);
        self.0.drain(..beyond);
    }

    pub(super) fn to_vec(&self) -> Vec<Alert> {
        self.0.iter().cloned().collect()
    }
}

/// Whether an alert is delivered to a target. `rule` is the one that raised it, unless it has been removed since.
fn goes_to(alert: &Alert, rule: Option<&Rule>, target: &str) -> bool {
    !alert.quiet && rule.is_none_or(|rule| rule.is_sent_to(target))
}

impl Alerts {
    /// Loads the rules of the API, the newest alerts and what was not delivered before the start. Repeats until the store
    /// answers.
    pub(super) async fn load(&self) {
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
        let recent = self.store.recent_alerts(RecentAlerts::MAX).await?;
        let outstanding = self.store.outstanding_deliveries().await?;
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
        state.rules.set_api_rules(rules.iter().filter_map(|text| rule_of(text)));
        state.recent = RecentAlerts::new(recent.iter().filter_map(alert_of));
        let rules = state.rules.len();
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

    /// Puts an alert into the outbox and the queues; after an error nothing was done. `is_sent`: by this server, not by
    /// another one of the cluster.
    pub(super) async fn enqueue(&self, alert: &Alert, is_sent: bool) -> Result<(), StoreError> {
        let rules = self.rules();
        let rule = rules.iter().find(|(rule, _)| rule.name() == alert.rule).map(|(rule, _)| rule.as_ref());
        let mut targets = self.targets();
        targets.retain(|target| is_sent && goes_to(alert, rule, target.name()));
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
        self.lock().recent.push(alert.clone());
        if is_sent {
            self.publish(alert);
        }
        for target in targets {
            self.give_up(&target, target.queue(alert.clone(), queued)).await;
        }
        Ok(())
    }
}

/// `None` for a rule that another version stored, after a warning.
fn rule_of(text: &str) -> Option<Rule> {
    let fields: Option<RuleFields> = serde_json::from_str(text).ok();
    let rule = fields.and_then(|fields| Rule::new(fields).ok());
    if rule.is_none() {
        warn!(rule = text, "stored alert rule is not understood by this version; it is skipped");
    }
    rule
}

/// `None` for an alert that another version stored, after a warning.
fn alert_of(stored: &StoredAlert) -> Option<Alert> {
    let alert = serde_json::from_str(&stored.body);
    if let Err(error) = &alert {
        warn!(id = stored.id, %error, "stored alert is not understood by this version; it is skipped");
    }
    alert.ok()
}

#[cfg(test)]
mod tests {
    use liqheat_alerts::test_alert;
    use liqheat_market::UnixMs;

    use super::*;

    fn alert(number: usize) -> Alert {
        Alert { id: number.to_string(), ..test_alert(UnixMs(0)) }
    }

    #[test]
    fn the_newest_alerts_are_kept() {
        let mut recent = RecentAlerts::new((0..RecentAlerts::MAX).map(alert));
        recent.push(alert(RecentAlerts::MAX));
        let recent = recent.to_vec();
        assert_eq!(recent.len(), RecentAlerts::MAX);
        assert_eq!((recent[0].id.as_str(), recent[RecentAlerts::MAX - 1].id.as_str()), ("1", "500"));
    }

    #[test]
    fn an_alert_goes_to_the_targets_of_its_rule_and_to_none_in_quiet_hours() {
        let fields = r#"{ "name": "a", "kind": "liquidation", "min_usd": 1000, "targets": ["desk"] }"#;
        let rule = rule_of(fields).unwrap();
        let loud = Alert { quiet: false, ..alert(1) };
        assert!(goes_to(&loud, Some(&rule), "desk") && !goes_to(&loud, Some(&rule), "pager"));
        assert!(goes_to(&loud, None, "pager"), "the rule was removed: nothing narrows the targets");
        assert!(!goes_to(&Alert { quiet: true, ..loud }, Some(&rule), "desk"));
        assert!(rule_of("{}").is_none());
    }
}
