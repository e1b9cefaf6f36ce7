//! What became of the spans, for `GET /metrics`.

use std::sync::OnceLock;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters of spans, one set for the process, because the subscriber that takes spans is.
#[derive(Debug, Default)]
pub(super) struct SpanCounters {
    pub(super) exported: Counter,
    pub(super) dropped: Counter,
}

/// Empty until spans are sent.
static COUNTERS: OnceLock<SpanCounters> = OnceLock::new();

pub(super) fn counters() -> &'static SpanCounters {
    COUNTERS.get_or_init(SpanCounters::default)
}

/// Shows the counters, where spans are sent.
pub(crate) fn register(registry: &mut Registry) {
    let Some(counters) = COUNTERS.get() else { return };
    let ours = registry.sub_registry_with_prefix("liqheat");
    ours.register("spans_exported", "Spans that the collector took", counters.exported.clone());
    ours.register(
        "spans_dropped",
        "Spans for which there was no room, or that the collector did not take",
        counters.dropped.clone(),
    );
}
