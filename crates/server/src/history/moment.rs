//! The state of a symbol at a moment of the past, by leverage.

use std::sync::Arc;

use liqheat_market::{Price, UnixMs};
use liqheat_model::{Ledger, LeverageLevel, Tip};
use liqheat_wire::Cell;

use super::HistoryTurn;
use super::grid::HistoryError;
use crate::catalog::{ServedSymbol, VenueLedger};
use crate::engine::{LedgerRun, whole_usd};
use crate::published::{common_bin, split, sum_by_leverage, sum_cells};

/// What a symbol showed at a moment.
#[derive(Debug, Clone)]
pub(crate) struct PastState {
    /// Close of the newest bar in it.
    pub(crate) as_of: UnixMs,
    /// Close of that bar at the venue with the most dollars of levels.
    pub(crate) price: Price,
    /// Height of a level.
    pub(crate) base_bin: Price,
    /// Levels by leverage, in bins of that height. The classes of a level sum to whole dollars, as those of a live state.
    pub(crate) by_leverage: Vec<LeverageLevel>,
}

/// One venue's part of it.
struct VenueState {
    as_of: UnixMs,
    price: Price,
    base_bin: Price,
    /// Whole dollars.
    cells: Vec<Cell>,
    by_leverage: Vec<LeverageLevel>,
}

impl VenueState {
    /// `None` where the ledger knows nothing of the moment: before its first bar, and long after its last one.
    fn of(state: &Ledger, at: UnixMs) -> Option<Self> {
        const WHOLE: Tip = None;
        let (as_of, price, base_bin) = (state.as_of()?, state.last_price()?, state.base_bin()?);
        let is_known = at.since(as_of) <= state.params().values().gap_ms_max;
        let cells = || {
            state.levels(base_bin, WHOLE).into_iter().map(|level| Cell {
                price: level.price,
                long_usd: whole_usd(level.long_usd),
                short_usd: whole_usd(level.short_usd),
            })
        };
        is_known.then(|| Self {
            as_of,
            price,
            base_bin,
            cells: cells().filter(|cell| !cell.is_empty()).collect(),
            by_leverage: state.levels_by_leverage(base_bin, WHOLE),
        })
    }

    fn usd(&self) -> u64 {
        self.cells.iter().map(|cell| cell.long_usd.saturating_add(cell.short_usd)).sum()
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
        let (state, from) = self.state_before(ledger, end).await?;
        let (state, ()) = self.run(ledger, LedgerRun::new(state, ()), from, end).await?;
        Ok(self.compute(move || VenueState::of(&state, at)).await)
    }
}

fn sum(venues: &[VenueState]) -> Option<PastState> {
    let lead = venues.iter().max_by_key(|venue| venue.usd())?;
    let base_bin = common_bin(venues.iter().map(|venue| venue.base_bin));
    Some(PastState {
        as_of: venues.iter().map(|venue| venue.as_of).max()?,
        price: lead.price,
        base_bin,
        by_leverage: split(
            &sum_cells(venues.iter().flat_map(|venue| &venue.cells), base_bin),
            &sum_by_leverage(venues.iter().flat_map(|venue| &venue.by_leverage), base_bin),
        ),
    })
}
