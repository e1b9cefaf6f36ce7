//! The state of a symbol at a moment of the past, by leverage.

use std::sync::Arc;

use liqheat_market::{Price, UnixMs};
use liqheat_model::{Ledger, LeverageLevel, Tip};

use super::HistoryTurn;
use super::grid::HistoryError;
use crate::catalog::{ServedSymbol, VenueLedger};
use crate::engine::{LedgerRun, ledger_before};
use crate::published::{common_bin, sum_by_leverage};

/// What a symbol showed at a moment.
#[derive(Debug, Clone)]
pub(crate) struct PastState {
    /// Close of the newest bar in it.
    pub(crate) as_of: UnixMs,
    /// Close of that bar at the venue with the most dollars of levels.
    pub(crate) price: Price,
    /// Height of a level.
    pub(crate) base_bin: Price,
    /// Levels by leverage, in bins of that height.
    pub(crate) by_leverage: Vec<LeverageLevel>,
}

/// One venue's part of it.
struct VenueState {
    as_of: UnixMs,
    price: Price,
    base_bin: Price,
    levels: Vec<LeverageLevel>,
}

impl VenueState {
    /// `None` where the ledger knows nothing of the moment: before its first bar, and long after its last one.
    fn of(state: &Ledger, at: UnixMs) -> Option<Self> {
        const WHOLE: Tip = None;
        let (as_of, price, base_bin) = (state.as_of()?, state.last_price()?, state.base_bin()?);
        let is_known = at.since(as_of) <= state.params().values().gap_ms_max;
        is_known.then(|| Self { as_of, price, base_bin, levels: state.levels_by_leverage(base_bin, WHOLE) })
    }

    fn usd(&self) -> f64 {
        self.levels.iter().map(|level| level.long_usd + level.short_usd).sum()
    }
}

impl HistoryTurn<'_> {
    /// The state that the bars closed by `at` lead to, up to market time `now`; `None` where no venue has one.
    pub(crate) async fn state_at(
        &self,
        symbol: &ServedSymbol,
        at: UnixMs,
        now: UnixMs,
    ) -> Result<Option<PastState>, HistoryError> {
        let mut venues = Vec::new();
        for ledger in &symbol.ledgers {
            venues.extend(self.venue_at(ledger, at, now).await?);
        }
        Ok(self.compute(move || sum(&venues)).await)
    }

    async fn venue_at(
        &self,
        ledger: &Arc<VenueLedger>,
        at: UnixMs,
        now: UnixMs,
    ) -> Result<Option<VenueState>, HistoryError> {
        let end = at.min(now.plus(-ledger.spec.settle_ms)).floor_to(ledger.spec.interval.ms());
        let (state, from) = ledger_before(ledger, self.store(), end).await?;
        let (state, ()) = self.run(ledger, LedgerRun::new(state, ()), from, end).await?;
        Ok(self.compute(move || VenueState::of(&state, at)).await)
    }
}

fn sum(venues: &[VenueState]) -> Option<PastState> {
    let lead = venues.iter().max_by(|a, b| a.usd().total_cmp(&b.usd()))?;
    let base_bin = common_bin(venues.iter().map(|venue| venue.base_bin));
    Some(PastState {
        as_of: venues.iter().map(|venue| venue.as_of).max()?,
        price: lead.price,
        base_bin,
        by_leverage: sum_by_leverage(venues.iter().flat_map(|venue| &venue.levels), base_bin),
    })
}
