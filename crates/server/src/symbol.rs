//! One symbol that is served: what never changes about it, and the newest view of its ledger.
//!
//! The updater is the only writer of the view; requests read it.

use std::sync::{Arc, Mutex, PoisonError};

use liqheat_market::{Instrument, Interval, Price, TierTable, UnixMs};
use liqheat_model::{LeverageLevel, Params, Tip};

use crate::history::GridCache;

/// A symbol that is served.
#[derive(Debug)]
pub struct ServedSymbol {
    /// The name clients use: the symbol, with `@venue` where two venues have it.
    pub name: String,
    /// What it is.
    pub instrument: Instrument,
    /// Length of the bars that move its ledger.
    pub interval: Interval,
    /// Opening time of the first bar stored.
    pub first_bar: UnixMs,
    /// Its maintenance margin tiers.
    pub tiers: TierTable,
    /// The model's parameters.
    pub params: Params,
    /// Grids made for the current bar.
    pub(crate) grids: GridCache,
    /// Locked for the length of a pointer copy.
    view: Mutex<Option<Arc<LedgerView>>>,
}

/// What requests want to know of a ledger.
#[derive(Debug, Clone)]
pub struct LedgerView {
    /// Close of the last bar in the ledger.
    pub cursor: UnixMs,
    /// Time of the newest market event in the view.
    pub as_of: UnixMs,
    /// The price now.
    pub price: Price,
    /// Height of a public bin.
    pub base_bin: Price,
    /// Share of open interest the model has seen open, 0 to 1.
    pub seen_share: f64,
    /// Too little of the mass was seen opening to trust the picture.
    pub warming_up: bool,
    /// Mark prices since the last bar closed.
    pub tip: Tip,
    /// Levels by leverage in public bins.
    pub by_leverage: Arc<Vec<LeverageLevel>>,
    /// The epoch of the board.
    pub epoch: String,
}

impl ServedSymbol {
    /// A symbol without a view yet.
    #[must_use]
    pub fn new(
        name: String,
        instrument: Instrument,
        interval: Interval,
        first_bar: UnixMs,
        tiers: TierTable,
        params: Params,
    ) -> Self {
        let (grids, view) = (GridCache::default(), Mutex::new(None));
        Self { name, instrument, interval, first_bar, tiers, params, grids, view }
    }

    /// The newest view; `None` before the first bar.
    #[must_use]
    pub fn view(&self) -> Option<Arc<LedgerView>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_view(&self, view: LedgerView) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(view));
    }

    /// How long after its close a bar is taken: the open interest counted at its close carries a stamp up to
    /// a tenth of a bar later.
    #[must_use]
    pub const fn settle_ms(&self) -> i64 {
        self.interval.ms() / 10
    }
}
