//! What `GET /metrics` shows of deliveries, by target.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TargetLabel {
    pub(super) target: String,
}

/// Counters and gauges of all targets.
#[derive(Debug, Clone, Default)]
pub(super) struct DeliveryMetrics {
    pub(super) delivered: Family<TargetLabel, Counter>,
    pub(super) failures: Family<TargetLabel, Counter>,
    pub(super) given_up: Family<TargetLabel, Counter>,
    pub(super) waiting: Family<TargetLabel, Gauge>,
    pub(super) dead: Family<TargetLabel, Gauge>,
}

impl DeliveryMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("alerts_delivered", "Alerts that a target took", self.delivered.clone());
        registry.register(
            "alert_delivery_failures",
            "Attempts to deliver an alert that failed and are repeated",
            self.failures.clone(),
        );
        registry.register(
            "alerts_given_up",
            "Alerts that were not delivered within a day, or for which there was no room",
            self.given_up.clone(),
        );
        registry.register("alerts_waiting", "Alerts that wait for a target", self.waiting.clone());
        registry.register("alert_target_dead", "1 while a target fails again and again", self.dead.clone());
    }
}
