//! What a watch is given of a symbol: prices, walls and liquidations since the turn before.

use std::num::NonZeroUsize;
use std::sync::Arc;

use liqheat_alerts::{Alert, Observation, ReportedLiquidation, Rule, SymbolWatch, WallSpan};
use liqheat_market::convert::signed_ms;
use liqheat_market::{KlineKind, Price, Side, UnixMs};
use liqheat_model::LeverageLevel;
use liqheat_store::StoreError;

use super::Alerts;
use crate::catalog::ServedSymbol;
use crate::compact::{SideMass, leverages_of, walls};
use crate::engine::whole_usd;
use crate::published::LiveState;

/// Liquidations that arrive this late are still noticed.
const LATE_MS: i64 = 120_000;
/// Liquidations from before the first turn that fill the sums of cascades.
const BACKLOG_MS: i64 = 3_600_000;
/// Most liquidations of one venue that are read in a turn; the newest are.
const LIQUIDATIONS_MAX: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();

/// A symbol with rules.
pub(super) struct WatchedSymbol {
    watch: SymbolWatch,
    /// The names of rules whose memory has been restored.
    restored: Vec<String>,
    /// Everything up to here was observed.
    until: Option<UnixMs>,
}

impl WatchedSymbol {
    pub(super) fn new(symbol: &str) -> Self {
        Self { watch: SymbolWatch::new(symbol), restored: Vec::new(), until: None }
    }

    /// Replaces the rules. A rule that was not here before takes over what it raised before a restart.
    pub(super) fn set_rules(&mut self, rules: Vec<Arc<Rule>>, recent: &[Alert], now: UnixMs) {
        let names: Vec<String> = rules.iter().map(|rule| rule.name().to_owned()).collect();
        self.watch.set_rules(rules);
        let symbol = self.watch.symbol().to_owned();
        let is_new = |alert: &&Alert| {
            // What comes later in market time is of an earlier replay.
            alert.time <= now && names.contains(&alert.rule) && !self.restored.contains(&alert.rule)
        };
        for alert in recent.iter().filter(|alert| alert.symbol == symbol).filter(is_new) {
            self.watch.restore(alert);
        }
        self.restored = names;
    }
}

impl Alerts {
    /// Gives a watch what happened since the turn before.
    pub(super) async fn observe(
        &self,
        symbol: &ServedSymbol,
        watched: &mut WatchedSymbol,
        live: LiveState,
        now: UnixMs,
    ) -> Result<Vec<Alert>, StoreError> {
        let store = self.store.on_read_connections();
        let since = watched.until.unwrap_or_else(|| now.plus(-signed_ms(self.update_interval)));
        let liquidated_since = watched.until.map_or(now.plus(-BACKLOG_MS), |until| until.plus(-LATE_MS));
        let mut liquidations = Vec::new();
        for ledger in &symbol.ledgers {
            let instrument = ledger.instrument();
            let rows = store.liquidations(instrument, liquidated_since, now, 0, LIQUIDATIONS_MAX).await?;
            let venue = instrument.venue;
            liquidations
                .extend(rows.into_iter().map(|liquidation| ReportedLiquidation { venue, liquidation }));
        }
        liquidations.sort_by_key(|row| row.liquidation.time);
        let (mut low, mut high) = (live.price, live.price);
        let mut include = |from: Price, to: Price| (low, high) = (low.min(from), high.max(to));
        // The price of a sum is that of its largest venue, so a wick counts where that venue had it.
        if let Some((lead, _)) =
            self.published.local_sum(&symbol.name).and_then(|sum| sum.ledgers.first().cloned())
        {
            let (instrument, bar) = (lead.instrument(), lead.spec.interval);
            let klines =
                store.klines(instrument, KlineKind::Last, bar, since.plus(-bar.ms() + 1), now).await?;
            klines.iter().for_each(|kline| include(kline.low, kline.high));
            if let Some(mark) = store.mark_range(instrument, since, now).await? {
                include(mark.low, mark.high);
            }
        }
        let (price, as_of) = (live.price, live.as_of);
        let spans = self.compute.run(move || spans(&live.by_leverage, live.base_bin, live.price)).await;
        let watch = &mut watched.watch;
        let mut alerts = Vec::new();
        for row in liquidations {
            alerts.extend(watch.observe(Observation::Liquidation(row), now));
        }
        for observation in [
            Observation::Prices { from: since, low, high, last: price },
            Observation::Walls(spans),
            Observation::Feed(as_of),
        ] {
            alerts.extend(watch.observe(observation, now));
        }
        watched.until = Some(now);
        Ok(alerts)
    }
}

/// The walls of both sides.
pub(super) fn spans(levels: &[LeverageLevel], bin: Price, price: Price) -> Vec<WallSpan> {
    let leverages = leverages_of(levels);
    let of_side = |side| {
        let mass = SideMass::new(side, levels, bin, &leverages);
        let found = walls(&mass, price);
        found.into_iter().map(|wall| WallSpan {
            side: wall.side,
            low: wall.low,
            high: wall.high,
            peak: wall.peak,
            usd: whole_usd(wall.usd()),
        })
    };
    Side::BOTH.into_iter().flat_map(of_side).collect()
}
