//! What one bar did to the ledger, for counters, logs and the board.

use liqheat_market::UnixMs;

use crate::invariant_break::InvariantBreak;
use crate::open_interest::SampleVerdict;

/// What happened when a bar was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The close of the bar.
    pub time: UnixMs,
    /// What kind of step it was.
    pub outcome: StepOutcome,
    /// (side, leverage class, public bin) triples that gained mass.
    pub created: u64,
    /// (side, leverage class, public bin) triples whose mass the price took.
    pub consumed: u64,
    /// Long mass the price took.
    pub consumed_long: Consumption,
    /// Short mass the price took.
    pub consumed_short: Consumption,
    /// Coins opened on each side.
    pub opened: f64,
    /// Coins closed on each side, liquidated ones included.
    pub closed: f64,
    /// The bar knew its open interest and it was accepted. Otherwise the last accepted one was held.
    pub oi_known: bool,
    /// What was made of the bar's sample of open interest.
    pub sample_verdict: SampleVerdict,
    /// The bar knew its volume. When it did not, no turnover was assumed.
    pub volume_known: bool,
    /// The bar knew its taker-buy volume. When it did not, takers bought half.
    pub taker_known: bool,
    /// Which price was used to consume.
    pub price_source: PriceSource,
    /// The price grid changed.
    pub regridded: bool,
    /// Invariants found broken by the cheap running check; empty unless there is a fault in the model.
    pub broken: Vec<InvariantBreak>,
}

impl Step {
    pub(crate) fn quiet(time: UnixMs, outcome: StepOutcome) -> Self {
        Self {
            time,
            outcome,
            created: 0,
            consumed: 0,
            consumed_long: Consumption::default(),
            consumed_short: Consumption::default(),
            opened: 0.0,
            closed: 0.0,
            oi_known: false,
            sample_verdict: SampleVerdict::Unknown,
            volume_known: false,
            taker_known: false,
            price_source: PriceSource::Last,
            regridded: false,
            broken: Vec::new(),
        }
    }
}

/// Mass taken from one side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Consumption {
    /// In coins.
    pub coins: f64,
    /// In USD, each level at its own price.
    pub usd: f64,
}

/// Kinds of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// No open interest is known yet, so there is nothing to hold.
    Waiting,
    /// The first known open interest was spread on the prior.
    Started,
    /// The ordinary step.
    Advanced,
    /// The hole before this bar was too long: the ledger began again on the prior.
    Restarted {
        /// Length of the hole in milliseconds.
        gap_ms: i64,
    },
    /// The bar was not applied.
    Refused(BarFault),
}

/// Why a bar cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BarFault {
    /// It ends before it begins.
    #[error("the bar does not end after it begins")]
    Times,
    /// It begins before the last applied bar ended.
    #[error("the bar begins before the last applied bar ended")]
    Stale,
    /// A price is not positive or beyond a billion, or low, close and high are not in order.
    #[error("the prices of the bar are not positive, too large, or not in the order low <= close <= high")]
    Prices,
    /// A volume is negative.
    #[error("a volume of the bar is negative")]
    Volume,
}

/// Which price consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceSource {
    /// The mark price, on which exchanges liquidate.
    Mark,
    /// The last traded price, because the mark price is unknown.
    Last,
}

impl PriceSource {
    /// `mark` or `last`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Last => "last",
        }
    }
}
