//! Settings that the operator changes while the server runs: what of them is taken over, and how.
//!
//! Nothing is taken before everything is checked, so a mistake changes nothing. Open sockets stay: other origins and tokens
//! count for new ones, other limits for all.

use std::sync::Arc;

use liqheat_stream::Sessions;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::alerts::Alerts;
use crate::clock::MarketClock;
use crate::gateway::{AccessPolicy, Addresses, Tokens};
use crate::ops::process::{ConnectionCapacity, raise_descriptors};
use crate::settings::ServerSettings;

/// Changes what runs.
#[derive(Clone)]
pub struct Reload(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) access: Arc<AccessPolicy>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) alerts: Arc<Alerts>,
    pub(crate) metrics: ReloadMetrics,
}

/// How reloads went.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReloadMetrics {
    reloads: Family<ReloadLabel, Counter>,
    /// 1 when the last reload was applied, or there was none.
    last_successful: Gauge,
    /// Of the last one that was applied.
    last_success_seconds: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabel {
    result: ReloadResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum ReloadResult {
    #[expect(non_camel_case_types, reason = "the value of the label")]
    applied,
    #[expect(non_camel_case_types, reason = "the value of the label")]
    refused,
}

impl ReloadMetrics {
    /// Shows them in `/metrics`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        for result in [ReloadResult::applied, ReloadResult::refused] {
            drop(self.reloads.get_or_create(&ReloadLabel { result }));
        }
        self.last_successful.set(1);
        let ours = registry.sub_registry_with_prefix("liqheat_reload");
        ours.register("attempts", "Reloads of the settings (SIGHUP), by result", self.reloads.clone());
        ours.register(
            "last_successful",
            "0 when the last reload was refused because of mistakes in the settings",
            self.last_successful.clone(),
        );
        ours.register_with_unit(
            "last_success_timestamp",
            "When settings were last applied, since 1970; 0 before the first reload",
            Unit::Seconds,
            self.last_success_seconds.clone(),
        );
    }
}

impl Reload {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Takes over what can be: hosts and origins, tokens, limits of sockets and addresses, rules and targets of alerts.
    /// Reads the files of token keys.
    ///
    /// # Errors
    /// Every mistake; then nothing has changed.
    pub fn apply(&self, settings: ServerSettings) -> Result<(), Vec<String>> {
        let Parts { sessions, access, addresses, tokens, alerts, metrics } = &*self.0;
        if let Err(faults) = tokens.reload(&settings.tokens) {
            self.refuse();
            return Err(faults.iter().map(ToString::to_string).collect());
        }
        access.set(&settings.front.hosts, &settings.front.allowed_origins);
        addresses.set_limits(settings.addresses);
        let mut sockets = settings.sockets;
        let limit = raise_descriptors();
        let fit =
            ConnectionCapacity::under(limit, sockets.connections_max, settings.front.http_connections_max);
        fit.warn_if_cut(limit, sockets.connections_max);
        sockets.connections_max = fit.sockets;
        sessions.set_settings(sockets.sessions());
        alerts.set(settings.alerts);
        metrics.reloads.get_or_create(&ReloadLabel { result: ReloadResult::applied }).inc();
        metrics.last_successful.set(1);
        metrics.last_success_seconds.set(MarketClock::wall_now().0 / 1_000);
        Ok(())
    }

    /// Counts a reload that is refused before it comes here, because the settings cannot be read.
    pub fn refuse(&self) {
        let metrics = &self.0.metrics;
        metrics.reloads.get_or_create(&ReloadLabel { result: ReloadResult::refused }).inc();
        metrics.last_successful.set(0);
    }
}
