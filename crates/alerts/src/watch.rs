//! All rules about one symbol: `fn(observation, now) -> Vec<Alert>`.

use std::sync::Arc;

use liqheat_market::{Price, UnixMs};

use crate::alert::{Alert, Subject};
use crate::conditions::{Change, Detector, Scene};
use crate::log::{LiquidationLog, ReportedLiquidation};
use crate::rule::Rule;
use crate::span::WallSpan;

/// What a watch is given. Within a turn prices come before walls, because prices meet the walls of the turn before.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// Traded or marked prices since a moment.
    Prices {
        /// Beginning of the span, market time.
        from: UnixMs,
        /// Lowest price of the span.
        low: Price,
        /// Highest price of the span.
        high: Price,
        /// Price at the end of the span.
        last: Price,
    },
    /// The walls of a new state, of both sides.
    Walls(Vec<WallSpan>),
    /// A realised liquidation. May be late, and may be repeated.
    Liquidation(ReportedLiquidation),
    /// The time of the newest market event.
    Feed(UnixMs),
}

/// All rules about one symbol.
#[derive(Debug, Clone)]
pub struct SymbolWatch {
    symbol: String,
    /// The first observation: liquidations from before it fill sums and are not reported.
    began: Option<UnixMs>,
    /// When prices were observed last; a repeated observation is not another visit of the price.
    priced: Option<UnixMs>,
    price: Price,
    walls: Vec<WallSpan>,
    log: LiquidationLog,
    rules: Vec<RuleState>,
}

impl SymbolWatch {
    /// A watch of the symbol with this name, without rules.
    #[must_use]
    pub fn new(symbol: impl Into<String>) -> Self {
        Self {
            symbol: symbol.into(),
            began: None,
            priced: None,
            price: Price::default(),
            walls: Vec::new(),
            log: LiquidationLog::default(),
            rules: Vec::new(),
        }
    }

    /// The name of the symbol.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.symbol
    }

    /// Replaces the rules. A rule that stays the same keeps its memory.
    pub fn set_rules(&mut self, rules: impl IntoIterator<Item = Arc<Rule>>) {
        let mut before = std::mem::take(&mut self.rules);
        self.rules = rules
            .into_iter()
            .map(|rule| match before.iter().position(|state| state.rule == rule) {
                Some(index) => before.swap_remove(index),
                None => RuleState::new(rule),
            })
            .collect();
    }

    /// Whether there is a rule.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.rules.is_empty()
    }

    /// Takes over an alert that was raised before a restart, so that it is not raised again. Oldest first.
    pub fn restore(&mut self, alert: &Alert) {
        for state in self.rules.iter_mut().filter(|state| state.rule.name() == alert.rule) {
            state.detector.restore(alert);
            state.last = Some(alert.time);
        }
    }

    /// Takes an observation at a moment of market time.
    pub fn observe(&mut self, observation: Observation, now: UnixMs) -> Vec<Alert> {
        let began = *self.began.get_or_insert(now);
        match observation {
            Observation::Prices { from, low, high, last } => {
                if self.priced.is_some_and(|priced| now <= priced) {
                    return Vec::new();
                }
                self.priced = Some(now);
                self.price = last;
                self.each(Change::Prices { from, low: low.min(last), high: high.max(last) }, now)
            }
            Observation::Walls(walls) => {
                self.walls = walls;
                self.each(Change::Walls, now)
            }
            Observation::Liquidation(row) => {
                if !self.log.insert(row) || row.liquidation.time < began {
                    return Vec::new();
                }
                self.each(Change::Liquidation(&row), now)
            }
            Observation::Feed(as_of) => self.each(Change::Feed(as_of), now),
        }
    }

    fn each(&mut self, change: Change<'_>, now: UnixMs) -> Vec<Alert> {
        let Self { symbol, price, walls, log, rules, .. } = self;
        let mut alerts = Vec::new();
        for state in rules {
            let may_alert = state.may_alert(now);
            let scene = Scene { now, price: *price, walls, log, may_alert };
            let found = state.detector.on(change, &scene);
            state.unreported.add(found);
            if may_alert && let Some(unreported) = state.unreported.take() {
                state.last = Some(now);
                alerts.push(alert(&state.rule, symbol, *price, unreported, now));
            }
        }
        alerts
    }
}

fn alert(rule: &Rule, symbol: &str, price: Price, unreported: Occurrences, now: UnixMs) -> Alert {
    Alert {
        // A cooldown is a second at least, so no two alerts of a rule about a symbol share a moment.
        id: format!("{}:{symbol}:{}", rule.name(), now.0),
        rule: rule.name().to_owned(),
        symbol: symbol.to_owned(),
        time: now,
        price,
        quiet: rule.is_quiet(now),
        subject: unreported.largest,
        count: unreported.count,
        total_usd: unreported.usd,
    }
}

/// A rule about a symbol.
#[derive(Debug, Clone)]
struct RuleState {
    rule: Arc<Rule>,
    detector: Detector,
    /// What happened since the last alert and was not reported.
    unreported: UnreportedOccurrences,
    /// Time of the last alert.
    last: Option<UnixMs>,
}

impl RuleState {
    fn new(rule: Arc<Rule>) -> Self {
        let detector = Detector::new(&rule.condition);
        Self { rule, detector, unreported: UnreportedOccurrences::default(), last: None }
    }

    fn may_alert(&self, now: UnixMs) -> bool {
        self.last.is_none_or(|last| now.since(last) >= self.rule.cooldown_ms)
    }
}

#[derive(Debug, Clone, Default)]
struct UnreportedOccurrences(Option<Occurrences>);

#[derive(Debug, Clone)]
struct Occurrences {
    largest: Subject,
    count: u32,
    usd: u64,
}

impl UnreportedOccurrences {
    fn add(&mut self, subjects: Vec<Subject>) {
        for subject in subjects {
            let usd = subject.usd();
            match &mut self.0 {
                None => self.0 = Some(Occurrences { largest: subject, count: 1, usd }),
                Some(unreported) => {
                    unreported.count = unreported.count.saturating_add(1);
                    unreported.usd = unreported.usd.saturating_add(usd);
                    if usd > unreported.largest.usd() {
                        unreported.largest = subject;
                    }
                }
            }
        }
    }

    const fn take(&mut self) -> Option<Occurrences> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests;
