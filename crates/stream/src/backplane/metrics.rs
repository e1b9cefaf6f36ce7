//! What the backplane counts. Label values are words of this file.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

type Word = &'static str;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFate {
    fate: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: Word,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// We published it.
    Published,
    /// It went onto a board.
    Applied,
    /// The board was there already.
    Old,
    /// It does not follow on the board's state.
    Misfit,
    /// From a producer whose time is over.
    Fenced,
    /// Not a message.
    Unreadable,
}

impl Fate {
    const ALL: [Self; 6] =
        [Self::Published, Self::Applied, Self::Old, Self::Misfit, Self::Fenced, Self::Unreadable];

    const fn name(self) -> Word {
        match self {
            Self::Published => "published",
            Self::Applied => "applied",
            Self::Old => "old",
            Self::Misfit => "misfit",
            Self::Fenced => "fenced",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why a whole state was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The server starts, or Redis came back.
    Start,
    /// A message was missed.
    Hole,
    /// A board has another hash than its producer.
    Hash,
    /// Nothing was heard for too long.
    Silence,
    /// A message under an old token.
    Fenced,
    /// The subscription broke.
    Broken,
    /// Another server makes the states from now on.
    Lost,
}

impl Why {
    const ALL: [Self; 7] =
        [Self::Start, Self::Hole, Self::Hash, Self::Silence, Self::Fenced, Self::Broken, Self::Lost];

    pub(crate) const fn name(self) -> Word {
        match self {
            Self::Start => "start",
            Self::Hole => "hole",
            Self::Hash => "hash",
            Self::Silence => "silence",
            Self::Fenced => "fenced",
            Self::Broken => "broken",
            Self::Lost => "lost",
        }
    }
}

/// All of the backplane's metrics.
#[derive(Debug, Clone)]
pub(crate) struct BackplaneMetrics {
    pub(crate) connected: Gauge,
    pub(crate) lease_holder: Gauge,
    /// Refused by Redis because of a newer token.
    pub(crate) fencing_refusals: Counter,
    pub(crate) faults: Counter,
    /// Symbols of which nothing is heard.
    pub(crate) silent: Gauge,
    lag: Histogram,
    messages: Family<OfFate, Counter>,
    resyncs: Family<OfReason, Counter>,
}

impl Default for BackplaneMetrics {
    fn default() -> Self {
        Self {
            connected: Gauge::default(),
            lease_holder: Gauge::default(),
            fencing_refusals: Counter::default(),
            faults: Counter::default(),
            silent: Gauge::default(),
            lag: Histogram::new([
                0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
                10.0, 30.0,
            ]),
            messages: Family::default(),
            resyncs: Family::default(),
        }
    }
}

impl BackplaneMetrics {
    pub(crate) fn message(&self, fate: Fate) {
        self.messages.get_or_create(&OfFate { fate: fate.name() }).inc();
    }

    pub(crate) fn resync(&self, why: Why) {
        self.resyncs.get_or_create(&OfReason { reason: why.name() }).inc();
    }

    /// From publishing to the board, by two clocks where the servers are two machines.
    pub(crate) fn lag(&self, ms: i64) {
        self.lag.observe(ms.max(0) as f64 / 1_000.0);
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        for fate in Fate::ALL {
            drop(self.messages.get_or_create(&OfFate { fate: fate.name() }));
        }
        for why in Why::ALL {
            drop(self.resyncs.get_or_create(&OfReason { reason: why.name() }));
        }
        let ours = registry.sub_registry_with_prefix("liqheat_redis");
        ours.register("connected", "1 while Redis answers", self.connected.clone());
        ours.register("lease_holder", "1 on the server that makes the states", self.lease_holder.clone());
        let refusals = self.fencing_refusals.clone();
        ours.register("fencing_refusals", "Publications that Redis refused for a newer token", refusals);
        ours.register("faults", "Times that Redis was lost or could not be reached", self.faults.clone());
        ours.register("silent_symbols", "Symbols of which nothing is heard", self.silent.clone());
        let lag = self.lag.clone();
        ours.register_with_unit(
            "lag",
            "From publishing a change to having it on the board",
            Unit::Seconds,
            lag,
        );
        ours.register("messages", "Messages between servers, by what became of them", self.messages.clone());
        ours.register("resyncs", "Whole states fetched, by reason", self.resyncs.clone());
    }
}
