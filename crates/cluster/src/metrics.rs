//! Metrics of the cluster. Label values are constants of this file.

use liqheat_market::convert::approx_f64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

type Name = &'static str;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFate {
    fate: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: Name,
}

/// Result of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageFate {
    /// This server published it.
    Published,
    Applied,
    /// Its state is not newer than the board's.
    Old,
    /// A change from a state that the board does not have.
    Misfit,
    /// Published under an old fencing token.
    Fenced,
    Unreadable,
    /// From servers that serve something else under the same prefix.
    OtherGroup,
}

impl MessageFate {
    const ALL: [Self; 7] = [
        Self::Published,
        Self::Applied,
        Self::Old,
        Self::Misfit,
        Self::Fenced,
        Self::Unreadable,
        Self::OtherGroup,
    ];

    const fn name(self) -> Name {
        match self {
            Self::Published => "published",
            Self::Applied => "applied",
            Self::Old => "old",
            Self::Misfit => "misfit",
            Self::Fenced => "fenced",
            Self::Unreadable => "unreadable",
            Self::OtherGroup => "other_group",
        }
    }
}

/// ResyncReason a whole state was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResyncReason {
    /// The server started, or Redis is reachable again.
    Start,
    /// A message is missing.
    Hole,
    /// A board has another hash than its producer.
    Hash,
    /// No updates for too long.
    Silence,
    /// A message under an old token.
    Fenced,
    /// The subscription broke.
    Broken,
    /// This server lost the lease.
    Lost,
    /// Messages are older than the board.
    Old,
}

impl ResyncReason {
    const ALL: [Self; 8] = [
        Self::Start,
        Self::Hole,
        Self::Hash,
        Self::Silence,
        Self::Fenced,
        Self::Broken,
        Self::Lost,
        Self::Old,
    ];

    pub(crate) const fn name(self) -> Name {
        match self {
            Self::Start => "start",
            Self::Hole => "hole",
            Self::Hash => "hash",
            Self::Silence => "silence",
            Self::Fenced => "fenced",
            Self::Broken => "broken",
            Self::Lost => "lost",
            Self::Old => "old",
        }
    }
}

/// All metrics of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct ClusterMetrics {
    pub(crate) connected: Gauge,
    pub(crate) lease_holder: Gauge,
    /// Publications that Redis refused because of a newer token.
    pub(crate) fencing_refusals: Counter,
    pub(crate) faults: Counter,
    /// Symbols without updates.
    pub(crate) silent: Gauge,
    /// 1 while servers with other data or another model use the same prefix.
    pub(crate) group_mismatch: Gauge,
    /// Values in Redis that no server wrote, each time one is read.
    pub(crate) unusable: Counter,
    lag: Histogram,
    messages: Family<OfFate, Counter>,
    resyncs: Family<OfReason, Counter>,
}

impl Default for ClusterMetrics {
    fn default() -> Self {
        Self {
            connected: Gauge::default(),
            lease_holder: Gauge::default(),
            fencing_refusals: Counter::default(),
            faults: Counter::default(),
            silent: Gauge::default(),
            group_mismatch: Gauge::default(),
            unusable: Counter::default(),
            lag: Histogram::new([
                0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
                10.0, 30.0,
            ]),
            messages: Family::default(),
            resyncs: Family::default(),
        }
    }
}

impl ClusterMetrics {
    pub(crate) fn message(&self, fate: MessageFate) {
        self.messages.get_or_create(&OfFate { fate: fate.name() }).inc();
    }

    pub(crate) fn resync(&self, why: ResyncReason) {
        self.resyncs.get_or_create(&OfReason { reason: why.name() }).inc();
    }

    /// From publishing to the board; by the clocks of both machines.
    pub(crate) fn lag(&self, ms: i64) {
        self.lag.observe(approx_f64(ms.max(0)) / 1_000.0);
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        for fate in MessageFate::ALL {
            drop(self.messages.get_or_create(&OfFate { fate: fate.name() }));
        }
        for why in ResyncReason::ALL {
            drop(self.resyncs.get_or_create(&OfReason { reason: why.name() }));
        }
        let ours = registry.sub_registry_with_prefix("liqheat_redis");
        ours.register("connected", "1 while Redis answers", self.connected.clone());
        ours.register("lease_holder", "1 on the producer", self.lease_holder.clone());
        let refusals = self.fencing_refusals.clone();
        ours.register(
            "fencing_refusals",
            "Publications that Redis refused because of a newer fencing token",
            refusals,
        );
        ours.register(
            "faults",
            "Connections to Redis that failed or broke, timeouts and errors included",
            self.faults.clone(),
        );
        ours.register("silent_symbols", "Symbols without updates from the producer", self.silent.clone());
        let mismatch = self.group_mismatch.clone();
        ours.register(
            "group_mismatch",
            "1 while servers that serve something else use the same prefix",
            mismatch,
        );
        let unusable = self.unusable.clone();
        ours.register("unusable_values", "Values in Redis that no server wrote, counted when read", unusable);
        let lag = self.lag.clone();
        ours.register_with_unit(
            "lag",
            "From publishing a change to its arrival on the board",
            Unit::Seconds,
            lag,
        );
        ours.register("messages", "Messages between servers, by result", self.messages.clone());
        ours.register("resyncs", "Whole states fetched, by reason", self.resyncs.clone());
    }
}
