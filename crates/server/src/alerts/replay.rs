//! The alerts that rules raise over stored bars: the same watches, observed once a bar.

use std::sync::Arc;

use liqheat_alerts::{Alert, Observation, ReportedLiquidation, Rule, SymbolWatch};
use liqheat_market::{Bar, Liquidation, TierTable, UnixMs, Venue};
use liqheat_model::{Ledger, Params};

use super::observe::spans;

/// The data and rules of a replay.
#[derive(Debug, Clone)]
pub struct AlertReplay<'a> {
    /// The name that rules know it by.
    pub symbol: &'a str,
    /// Closed bars, oldest first.
    pub bars: &'a [Bar],
    /// Realised liquidations by venue, ordered by time.
    pub liquidations: &'a [(Venue, Liquidation)],
    /// All rules; those about other symbols are skipped.
    pub rules: Vec<Rule>,
    /// Parameters of the model.
    pub params: &'a Params,
    /// Maintenance margin tiers.
    pub tiers: &'a TierTable,
    /// Bars that open before it only warm the model up.
    pub from: UnixMs,
}

/// The alerts, in the order in which they are raised.
#[must_use]
pub fn replay_alerts(replay: &AlertReplay<'_>) -> Vec<Alert> {
    let mut ledger = Ledger::new(replay.params.clone(), replay.tiers.clone());
    let mut watch = SymbolWatch::new(replay.symbol);
    let of_symbol = replay.rules.iter().filter(|rule| rule.covers(replay.symbol, true));
    watch.set_rules(of_symbol.cloned().map(Arc::new));
    let mut liquidations = replay.liquidations.iter().peekable();
    let mut alerts = Vec::new();
    for bar in replay.bars {
        ledger.apply(bar, &[]);
        if bar.close_time <= replay.from {
            continue;
        }
        let now = bar.close_time;
        while let Some((venue, liquidation)) = liquidations.next_if(|(_, row)| row.time <= now) {
            let row = ReportedLiquidation { venue: *venue, liquidation: *liquidation };
            alerts.extend(watch.observe(Observation::Liquidation(row), now));
        }
        let prices =
            Observation::Prices { from: bar.open_time, low: bar.low, high: bar.high, last: bar.close };
        alerts.extend(watch.observe(prices, now));
        if let Some(bin) = ledger.base_bin() {
            let walls = spans(&ledger.levels_by_leverage(bin, None), bin, bar.close);
            alerts.extend(watch.observe(Observation::Walls(walls), now));
        }
        alerts.extend(watch.observe(Observation::Feed(now), now));
    }
    alerts
}
