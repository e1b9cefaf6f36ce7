//! What is served: ledgers, one a venue, and the names under which clients see them.
//!
//! A market is one symbol at every venue that has it. Each venue's ledger is a [`Part`], moved once whoever looks
//! at it. Two kinds of names show parts: `BTCUSDT` is the sum of all of them, `BTCUSDT@binance` is one. Where only
//! one venue has the symbol both names mean the same, and the longer one is served without being listed.
//!
//! The updater is the only writer of the views; requests read them.

use std::sync::{Arc, Mutex, PoisonError};

use liqheat_market::{Instrument, Interval, Price, TierTable, UnixMs, Venue};
use liqheat_model::{LeverageLevel, Params, Tip};
use liqheat_store::Touched;
use liqheat_stream::Counters;
use liqheat_wire::Cell;

use crate::history::GridCache;

/// The ledger of one symbol at one venue.
#[derive(Debug)]
pub struct Part {
    /// What it is.
    pub instrument: Instrument,
    /// Length of the bars that move its ledger.
    pub interval: Interval,
    /// The model's parameters.
    pub params: Params,
    /// How long after its close a bar is taken.
    settle_ms: i64,
    /// Locked for the length of a copy.
    state: Mutex<PartState>,
}

#[derive(Debug)]
struct PartState {
    /// Its maintenance margin tiers.
    tiers: TierTable,
    first_bar: Option<UnixMs>,
    /// What was stored since the updater asked last.
    touched: Touched,
    view: Option<Arc<LedgerView>>,
}

/// What there is to know of a ledger at a moment.
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
    /// Coins, single-sided.
    pub open_interest: f64,
    /// Mark prices since the last bar closed.
    pub tip: Tip,
    /// Levels in whole dollars, ascending.
    pub cells: Arc<Vec<Cell>>,
    /// Levels by leverage in public bins.
    pub by_leverage: Arc<Vec<LeverageLevel>>,
    /// What was created and consumed since the process began.
    pub counters: Counters,
    /// Rises whenever the height of bins changes.
    pub version: u64,
    /// Rises whenever the past was computed anew.
    pub revision: u64,
}

/// What requests want to know of a symbol: the sum of its ledgers.
#[derive(Debug, Clone)]
pub struct SymbolView {
    /// Time of the newest market event in the view.
    pub as_of: UnixMs,
    /// The price now: that of the venue with the most open interest.
    pub price: Price,
    /// Height of a public bin.
    pub base_bin: Price,
    /// Share of open interest the model has seen open, 0 to 1.
    pub seen_share: f64,
    /// Too little of the mass was seen opening to trust the picture.
    pub warming_up: bool,
    /// Levels in whole dollars, ascending.
    pub cells: Arc<Vec<Cell>>,
    /// Levels by leverage in public bins.
    pub by_leverage: Arc<Vec<LeverageLevel>>,
    /// What was created and consumed since the process began.
    pub counters: Counters,
    /// The epoch of the board.
    pub epoch: String,
    /// The ledgers in it, the one with the most open interest first.
    pub ledgers: Vec<(Arc<Part>, Arc<LedgerView>)>,
}

impl SymbolView {
    /// Close of the newest bar in any of the ledgers.
    #[must_use]
    pub fn cursor(&self) -> UnixMs {
        self.ledgers.iter().map(|(_, ledger)| ledger.cursor).max().unwrap_or(self.as_of)
    }

    /// Names the past that grids are made of: it is another one when a bar closed anywhere, or when the past was
    /// computed anew.
    pub(crate) fn past(&self) -> Vec<(UnixMs, u64)> {
        self.ledgers.iter().map(|(_, ledger)| (ledger.cursor, ledger.revision)).collect()
    }
}

impl Part {
    /// A part without a view yet; `first_bar` is when the first bar stored opened.
    #[must_use]
    pub fn new(
        instrument: Instrument,
        interval: Interval,
        first_bar: Option<UnixMs>,
        tiers: TierTable,
        params: Params,
    ) -> Self {
        let state = Mutex::new(PartState { tiers, first_bar, touched: Touched::default(), view: None });
        let settle_ms = interval.ms() / 10;
        Self { instrument, interval, params, settle_ms, state }
    }

    /// The same, of events that arrive a little after they happened: what still counts for a bar when it is taken
    /// should be stored by then. What comes later yet is not lost, but costs the ledger a way back.
    #[must_use]
    pub fn arriving_late_by(mut self, ms: i64) -> Self {
        self.settle_ms += ms;
        self
    }

    /// Opening time of the first bar stored; `None` while there is none.
    #[must_use]
    pub fn first_bar(&self) -> Option<UnixMs> {
        self.lock().first_bar
    }

    pub(crate) fn set_first_bar(&self, first: UnixMs) {
        self.lock().first_bar = Some(first);
    }

    /// Its maintenance margin tiers.
    #[must_use]
    pub fn tiers(&self) -> TierTable {
        self.lock().tiers.clone()
    }

    /// Other tiers from now on: all that was computed under the old ones is computed again.
    pub(crate) fn replace_tiers(&self, tiers: TierTable) {
        let state = &mut *self.lock();
        state.tiers = tiers;
        // As if the first bar had come just now.
        let first_bar = Touched { klines: state.first_bar, ..Touched::default() };
        state.touched = state.touched.and(first_bar);
    }

    /// The newest view; `None` before the first bar.
    #[must_use]
    pub fn view(&self) -> Option<Arc<LedgerView>> {
        self.lock().view.clone()
    }

    pub(crate) fn set_view(&self, view: LedgerView) {
        self.lock().view = Some(Arc::new(view));
    }

    /// Rows were stored that the model reads.
    pub(crate) fn touch(&self, touched: Touched) {
        let state = &mut *self.lock();
        state.touched = state.touched.and(touched);
    }

    /// What was stored since this was asked last.
    pub(crate) fn take_touched(&self) -> Touched {
        std::mem::take(&mut self.lock().touched)
    }

    /// How long after its close a bar is taken: the open interest counted at its close carries a stamp up to
    /// a tenth of a bar later.
    #[must_use]
    pub const fn settle_ms(&self) -> i64 {
        self.settle_ms
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PartState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A symbol that is served, under one name.
#[derive(Debug)]
pub struct ServedSymbol {
    /// The name clients use: the symbol, with `@venue` where one venue is meant.
    pub name: String,
    /// Whether lists of symbols show it; the others are second names.
    pub listed: bool,
    /// Its ledgers; never empty.
    pub parts: Vec<Arc<Part>>,
    /// Which of the markets it belongs to.
    pub(crate) market: usize,
    /// Grids made for the current bar.
    pub(crate) grids: GridCache,
    /// Locked for the length of a pointer copy.
    view: Mutex<Option<Arc<SymbolView>>>,
}

impl ServedSymbol {
    /// A symbol without a view yet.
    #[must_use]
    pub fn new(name: String, listed: bool, parts: Vec<Arc<Part>>, market: usize) -> Self {
        Self { name, listed, parts, market, grids: GridCache::default(), view: Mutex::new(None) }
    }

    /// The newest view; `None` before the first bar.
    #[must_use]
    pub fn view(&self) -> Option<Arc<SymbolView>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_view(&self, view: SymbolView) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(view));
    }

    /// The leverage classes of its ledgers, with their weights; the same at every venue.
    #[must_use]
    pub fn classes(&self) -> &[(f64, f64)] {
        self.parts.first().map_or(&[], |part| part.params.values().weights.classes())
    }

    /// Opening time of the first bar of any venue.
    #[must_use]
    pub fn first_bar(&self) -> Option<UnixMs> {
        self.parts.iter().filter_map(|part| part.first_bar()).min()
    }

    /// The longest bars of any venue.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.parts.iter().map(|part| part.interval).max().unwrap_or(Interval::M1)
    }

    /// The shortest stretch of time that is made of whole bars at every venue.
    pub(crate) fn whole_bars_ms(&self) -> i64 {
        let longest = self.interval().ms();
        (1..).map(|times| longest * times).find(|ms| self.bars_fit(*ms)).unwrap_or(longest)
    }

    /// Whether a stretch of time is made of whole bars at every venue.
    pub(crate) fn bars_fit(&self, ms: i64) -> bool {
        self.parts.iter().all(|part| ms % part.interval.ms() == 0)
    }

    /// Venues, in their order.
    #[must_use]
    pub fn venues(&self) -> Vec<Venue> {
        self.parts.iter().map(|part| part.instrument.venue).collect()
    }

    /// The venue, or `all` where it is the sum of several.
    #[must_use]
    pub fn venue(&self) -> &'static str {
        match self.parts.as_slice() {
            [part] => part.instrument.venue.name(),
            _ => "all",
        }
    }

    /// Whether its market is made up.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.parts.iter().any(|part| part.instrument.venue == Venue::Sim)
    }
}

/// One symbol at all its venues.
#[derive(Debug)]
pub struct Market {
    /// The ledgers.
    pub parts: Vec<Arc<Part>>,
    /// The names that show them.
    pub symbols: Vec<Arc<ServedSymbol>>,
}
