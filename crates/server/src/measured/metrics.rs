//! What `GET /metrics` shows of looks at accounts.

use liqheat_feeds::live::{AccountBudget, AccountRequestError};
use liqheat_market::UnixMs;
use liqheat_market::convert::{approx_f64, signed_len};
use liqheat_measured::{AccountState, AccountTracker, LookInterval};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What a look brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LookOutcome {
    /// An account with positions.
    Positions,
    /// An account without any.
    Empty,
    /// The venue asked for a pause.
    Throttled,
    /// No answer, or one that cannot be read.
    Failed,
}

impl LookOutcome {
    const ALL: [Self; 4] = [Self::Positions, Self::Empty, Self::Throttled, Self::Failed];

    pub(super) const fn of(result: &Result<AccountState, AccountRequestError>) -> Self {
        match result {
            Ok(account) if account.positions.is_empty() => Self::Empty,
            Ok(_) => Self::Positions,
            Err(error) if error.is_throttled() => Self::Throttled,
            Err(_) => Self::Failed,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Positions => "positions",
            Self::Empty => "empty",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
        }
    }
}

impl EncodeLabelValue for LookOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.name().encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: LookOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IntervalLabel {
    interval: &'static str,
}

const fn name_of(interval: LookInterval) -> &'static str {
    match interval {
        LookInterval::Minute => "1m",
        LookInterval::FiveMinutes => "5m",
        LookInterval::FifteenMinutes => "15m",
        LookInterval::Hour => "1h",
        LookInterval::Day => "1d",
    }
}

/// Counters and gauges of the measured layer.
#[derive(Debug, Default)]
pub(crate) struct MeasuredMetrics {
    looks: Family<OutcomeLabel, Counter>,
    addresses: Family<IntervalLabel, Gauge>,
    due: Gauge,
    lag_seconds: Gauge<f64, std::sync::atomic::AtomicU64>,
    weight_used: Gauge,
    weight_max: Gauge,
}

impl MeasuredMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        for outcome in LookOutcome::ALL {
            drop(self.looks.get_or_create(&OutcomeLabel { outcome }));
        }
        for interval in LookInterval::ALL {
            drop(self.addresses.get_or_create(&IntervalLabel { interval: name_of(interval) }));
        }
        let ours = registry.sub_registry_with_prefix("liqheat_measured");
        ours.register("looks", "Readings of accounts, by result", self.looks.clone());
        let help = "Known addresses, by the interval at which they are read";
        ours.register("addresses", help, self.addresses.clone());
        ours.register("looks_due", "Accounts whose reading is due and has not begun", self.due.clone());
        let help = "Delay of the most overdue reading, seconds of market time";
        ours.register("lag_seconds", help, self.lag_seconds.clone());
        let help = "Weight of requests for accounts in the running minute";
        ours.register("weight_used", help, self.weight_used.clone());
        let help = "Largest weight of requests for accounts in a minute";
        ours.register("weight_max", help, self.weight_max.clone());
    }

    pub(super) fn count(&self, outcome: LookOutcome) {
        self.looks.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Takes over how the looks stand now.
    pub(super) fn observe(&self, measured: &AccountTracker, budget: AccountBudget, now: UnixMs) {
        for (interval, addresses) in measured.addresses_by_interval() {
            let label = IntervalLabel { interval: name_of(interval) };
            self.addresses.get_or_create(&label).set(signed_len(addresses));
        }
        self.due.set(signed_len(measured.late(now)));
        let lag_ms = measured.next_due().map_or(0, |due| now.since(due).max(0));
        self.lag_seconds.set(approx_f64(lag_ms) / 1_000.0);
        self.weight_used.set(budget.weight_used.into());
        self.weight_max.set(budget.weight_max.into());
    }
}
