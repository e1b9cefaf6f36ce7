//! One venue's ledger of a symbol, as the rest of the server sees it: what it is, its mailbox, its newest view.
//!
//! Whoever stores rows or reads margin tiers sends an [`EngineCommand`]. The engine takes the commands at the start of
//! its turn and is the only writer of the view; everybody else reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use liqheat_market::{Instrument, Interval, Price, TierTable, UnixMs};
use liqheat_model::{LeverageLevel, Params, Tip};
use liqheat_store::DirtyRange;
use liqheat_stream::Counters;
use liqheat_wire::Cell;

use super::rollbacks::Rollbacks;

/// What the engine of a ledger is asked to do before its next turn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EngineCommand {
    /// Rows were stored; where they lie before the ledger's position, it rolls back.
    Append(DirtyRange),
    /// The venue changed its margin tiers; the ledger is recomputed from the first bar.
    ReplaceTiers(TierTable),
}

/// The commands that wait for the engine, merged: at most one of each kind, so nothing here grows while the engine
/// is busy.
#[derive(Debug, Default)]
struct Mailbox {
    appended: DirtyRange,
    tiers: Option<TierTable>,
}

impl Mailbox {
    fn put(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Append(rows) => self.appended = self.appended.and(rows),
            EngineCommand::ReplaceTiers(tiers) => self.tiers = Some(tiers),
        }
    }

    fn take(&mut self) -> Vec<EngineCommand> {
        let tiers = self.tiers.take().map(EngineCommand::ReplaceTiers);
        let appended = std::mem::take(&mut self.appended);
        let appended = (appended != DirtyRange::default()).then_some(EngineCommand::Append(appended));
        tiers.into_iter().chain(appended).collect()
    }
}

/// What a ledger is: fixed for the life of the process.
#[derive(Debug, Clone)]
pub(crate) struct LedgerSpec {
    /// The contract and its venue.
    pub(crate) instrument: Instrument,
    /// Length of the bars that move the ledger.
    pub(crate) interval: Interval,
    /// The model's parameters.
    pub(crate) params: Params,
    /// Wait after a bar's close before the ledger applies it, milliseconds: open interest of the close carries a
    /// stamp up to a tenth of a bar later, and live events take a moment to reach the store.
    pub(crate) settle_ms: i64,
}

impl LedgerSpec {
    /// `late_ms` is the latency from venue to database, zero for stored data.
    pub(crate) fn new(instrument: Instrument, interval: Interval, params: Params, late_ms: i64) -> Self {
        Self { instrument, interval, params, settle_ms: interval.ms() / 10 + late_ms }
    }

    /// The leverage classes, lowest first.
    pub(crate) fn leverages(&self) -> Vec<f64> {
        self.params.values().weights.classes().iter().map(|(leverage, _)| *leverage).collect()
    }
}

/// The newest view of a ledger; see [`VenueLedger::view`].
#[derive(Debug, Clone)]
pub(crate) struct LedgerView {
    /// Close of the last bar in the ledger.
    pub(crate) cursor: UnixMs,
    /// Time of the newest market event in the view.
    pub(crate) as_of: UnixMs,
    /// The newest mark price, or the last close where no mark price is stored.
    pub(crate) price: Price,
    /// Height of a public bin.
    pub(crate) base_bin: Price,
    /// Share of open interest that the model has seen open, 0 to 1.
    pub(crate) seen_share: f64,
    /// Coins, single-sided.
    pub(crate) open_interest: f64,
    /// Range of the mark price since the last bar closed.
    pub(crate) tip: Tip,
    /// Levels in whole dollars, ascending.
    pub(crate) cells: Arc<Vec<Cell>>,
    /// Levels by leverage in public bins, dollars.
    pub(crate) by_leverage: Arc<Vec<LeverageLevel>>,
    /// Positions created and consumed since the process began.
    pub(crate) counters: Counters,
    /// Rises with each change of the bin height.
    pub(crate) version: u64,
    /// Rises with each roll-back: the past was computed anew.
    pub(crate) revision: u64,
}

#[derive(Debug)]
struct State {
    tiers: TierTable,
    first_bar: Option<UnixMs>,
    view: Option<Arc<LedgerView>>,
    rollbacks: Rollbacks,
}

/// A ledger's specification, mailbox and newest state.
#[derive(Debug)]
pub(crate) struct VenueLedger {
    pub(crate) spec: LedgerSpec,
    /// Locked for a few instructions.
    mailbox: Mutex<Mailbox>,
    /// Written by the engine only. Locked for the length of a copy.
    state: Mutex<State>,
}

impl VenueLedger {
    /// `first_bar` is the opening time of the first stored bar.
    pub(crate) fn new(spec: LedgerSpec, first_bar: Option<UnixMs>, tiers: TierTable) -> Self {
        let state = State { tiers, first_bar, view: None, rollbacks: Rollbacks::default() };
        Self { spec, mailbox: Mutex::default(), state: Mutex::new(state) }
    }

    pub(crate) const fn instrument(&self) -> &Instrument {
        &self.spec.instrument
    }

    /// Leaves a command for the engine's next turn.
    pub(crate) fn send(&self, command: EngineCommand) {
        lock(&self.mailbox).put(command);
    }

    /// The commands since the last call; for the engine.
    pub(crate) fn take_commands(&self) -> Vec<EngineCommand> {
        lock(&self.mailbox).take()
    }

    /// Opening time of the first stored bar; `None` while there is none.
    pub(crate) fn first_bar(&self) -> Option<UnixMs> {
        self.lock_state().first_bar
    }

    /// The margin tiers that the ledger is computed under.
    pub(crate) fn tiers(&self) -> TierTable {
        self.lock_state().tiers.clone()
    }

    /// The newest view; `None` before the first bar.
    pub(crate) fn view(&self) -> Option<Arc<LedgerView>> {
        self.lock_state().view.clone()
    }

    /// Version of the past up to a moment: what was computed from bars closed by then under another version is outdated.
    /// Read it before computing.
    pub(crate) fn past_version(&self, until: UnixMs) -> u64 {
        self.lock_state().rollbacks.version(until)
    }

    /// For the engine: bars that close at `from` or later are computed anew.
    pub(crate) fn rolled_back(&self, from: UnixMs) {
        self.lock_state().rollbacks.add(from);
    }

    /// For the engine.
    pub(crate) fn set_first_bar(&self, first: UnixMs) {
        self.lock_state().first_bar = Some(first);
    }

    /// For the engine.
    pub(crate) fn set_tiers(&self, tiers: TierTable) {
        self.lock_state().tiers = tiers;
    }

    /// For the engine.
    pub(crate) fn set_view(&self, view: LedgerView) {
        self.lock_state().view = Some(Arc::new(view));
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is a plain assignment, so a panic elsewhere leaves the value whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_merged_and_taken_once() {
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.take(), []);
        let kline = |ms| DirtyRange { klines: Some(UnixMs(ms)), ..DirtyRange::default() };
        let tiers = |rate| TierTable::flat(UnixMs(0), rate).unwrap();
        for command in [
            EngineCommand::Append(kline(7)),
            EngineCommand::ReplaceTiers(tiers(0.01)),
            EngineCommand::Append(kline(5)),
            EngineCommand::ReplaceTiers(tiers(0.02)),
        ] {
            mailbox.put(command);
        }
        let expected = [EngineCommand::ReplaceTiers(tiers(0.02)), EngineCommand::Append(kline(5))];
        assert_eq!(mailbox.take(), expected);
        assert_eq!(mailbox.take(), []);
    }
}
