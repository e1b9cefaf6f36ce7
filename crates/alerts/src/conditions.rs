//! What each kind of rule remembers, and when it is met.
//!
//! A condition is given every observation of its symbol and returns what happened. Conditions that last (price near a
//! wall, a cascade under way, a stale feed) are only reported when the rule may raise an alert now; those that happen in
//! a moment are returned at once and wait in the rule for the end of its cooldown.

mod flow;
mod formation;
mod near;
mod stale;
mod swept;

use liqheat_market::convert::approx_f64;
use liqheat_market::{Price, Side, UnixMs};

use crate::alert::{Alert, Subject};
use crate::log::{LiquidationLog, ReportedLiquidation};
use crate::rule::Condition;
use crate::span::WallSpan;

/// What is known of the symbol when a condition is asked.
pub(crate) struct Scene<'a> {
    pub(crate) now: UnixMs,
    /// The last price.
    pub(crate) price: Price,
    /// The walls as of the last update of the model.
    pub(crate) walls: &'a [WallSpan],
    pub(crate) log: &'a LiquidationLog,
    /// Whether the rule's cooldown is over.
    pub(crate) may_alert: bool,
}

/// What has just been observed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    /// Prices went from `low` to `high` since `from`; the walls of the scene are those from before.
    Prices { from: UnixMs, low: Price, high: Price },
    /// The walls of the scene are new.
    Walls,
    /// A liquidation was reported that the watch did not know.
    Liquidation(&'a ReportedLiquidation),
    /// The newest market event is of this time.
    Feed(UnixMs),
}

/// The memory of a condition.
#[derive(Debug, Clone)]
pub(crate) enum Detector {
    Near(near::NearWalls),
    Swept(swept::SweptWalls),
    Flow(flow::Flow),
    Formation(formation::WallFormation),
    Stale(stale::StaleFeed),
}

impl Detector {
    pub(crate) fn new(condition: &Condition) -> Self {
        match *condition {
            Condition::Near { min_usd, within_pct, clear_pct, side } => {
                Self::Near(near::NearWalls::new(Filter { min_usd, side }, within_pct, clear_pct))
            }
            Condition::Swept { min_usd, side } => {
                Self::Swept(swept::SweptWalls::new(Filter { min_usd, side }))
            }
            Condition::Liquidation { min_usd, side } => Self::Flow(flow::Flow::single(min_usd, side)),
            Condition::Cascade { min_usd, window_ms, side } => {
                Self::Flow(flow::Flow::cascade(min_usd, window_ms, side))
            }
            Condition::Formed { min_usd, within_pct, side } => {
                Self::Formation(formation::WallFormation::formed(Filter { min_usd, side }, within_pct))
            }
            Condition::Vanished { min_usd, within_pct, side } => {
                Self::Formation(formation::WallFormation::vanished(Filter { min_usd, side }, within_pct))
            }
            Condition::Stale { after_ms } => Self::Stale(stale::StaleFeed::new(after_ms)),
        }
    }

    /// What happened.
    pub(crate) fn on(&mut self, change: Change<'_>, scene: &Scene<'_>) -> Vec<Subject> {
        match self {
            Self::Near(near) => near.on(change, scene),
            Self::Swept(swept) => swept.on(change, scene),
            Self::Flow(flow) => flow.on(change, scene),
            Self::Formation(formation) => formation.on(change, scene),
            Self::Stale(stale) => stale.on(change, scene),
        }
    }

    /// Takes over what was reported before a restart.
    pub(crate) fn restore(&mut self, alert: &Alert) {
        match self {
            Self::Near(near) => near.restore(alert),
            Self::Flow(flow) => flow.restore(alert),
            Self::Stale(stale) => stale.restore(alert),
            Self::Swept(_) | Self::Formation(_) => {}
        }
    }
}

/// Which walls count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    min_usd: u64,
    side: Option<Side>,
}

impl Filter {
    fn allows(&self, wall: &WallSpan) -> bool {
        wall.usd >= self.min_usd && self.side.is_none_or(|side| side == wall.side)
    }

    /// A wall that counted still does while it keeps this share of the least dollars.
    fn still_allows(&self, wall: &WallSpan) -> bool {
        const KEPT_SHARE: f64 = 0.7;
        approx_f64(wall.usd) >= approx_f64(self.min_usd) * KEPT_SHARE
            && self.side.is_none_or(|side| side == wall.side)
    }
}
