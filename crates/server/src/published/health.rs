//! The feed state of a symbol, and of each venue behind it.

use std::sync::Arc;

use liqheat_market::UnixMs;
use liqheat_stream::SourceStatus;
use liqheat_wire::FeedState;
use prometheus_client::metrics::gauge::Gauge;

use super::LedgerSum;
use crate::catalog::{ServedSymbol, VenueLedger};
use crate::clock::MarketClock;
use crate::ingest::live::{self, Live, ShownState};

/// What the state of a symbol's data is read from.
pub(crate) struct FeedWatch {
    clock: Arc<MarketClock>,
    /// `None` where no venue is followed.
    live: Option<Arc<Live>>,
    /// Failed attempts in a row to store the simulated market.
    feed_failing: Gauge,
}

impl FeedWatch {
    pub(crate) const fn new(clock: Arc<MarketClock>, live: Option<Arc<Live>>, feed_failing: Gauge) -> Self {
        Self { clock, live, feed_failing }
    }

    /// Stored data that nothing adds to.
    #[cfg(test)]
    pub(crate) fn stored(clock: Arc<MarketClock>) -> Self {
        Self::new(clock, None, Gauge::default())
    }

    /// The state at a moment of market time, when the last update succeeded. `sum` is what the symbol shows.
    pub(crate) fn state(
        &self,
        symbol: &ServedSymbol,
        sum: Option<&LedgerSum>,
        now: UnixMs,
    ) -> (FeedState, Vec<SourceStatus>) {
        let shown = sum.map(|sum| ShownState { as_of: sum.as_of, is_warming_up: sum.warming_up });
        match &self.live {
            Some(live) => live::state_of_source(live, symbol, shown, now),
            None => (self.word(symbol, shown, now), Vec::new()),
        }
    }

    /// The ledgers that a symbol is the sum of: without venues that have delisted the contract. Their stored data is
    /// shown under the name of the venue.
    pub(crate) fn summed(&self, symbol: &ServedSymbol) -> Vec<Arc<VenueLedger>> {
        match &self.live {
            Some(live) if symbol.ledgers.len() > 1 => live::listed(live, symbol),
            _ => symbol.ledgers.clone(),
        }
    }

    fn word(&self, symbol: &ServedSymbol, shown: Option<ShownState>, now: UnixMs) -> FeedState {
        if self.feed_failing.get() > 0 {
            return FeedState::Degraded;
        }
        if self.clock.is_replay() {
            return FeedState::Replay;
        }
        match shown {
            None => FeedState::WarmingUp,
            Some(shown) if shown.is_stale(symbol, now) => FeedState::Stale,
            Some(shown) if shown.is_warming_up => FeedState::WarmingUp,
            Some(_) => FeedState::Live,
        }
    }
}
