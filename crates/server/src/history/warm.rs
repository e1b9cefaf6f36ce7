//! Ledgers as they stood at moments of the past, kept so that the next picture of the same time need not begin at a
//! checkpoint: far back there is one a month.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use liqheat_market::{Bar, Instrument, UnixMs};
use liqheat_model::{Ledger, Step};
use liqheat_store::StoreError;

use super::HistoryTurn;
use crate::catalog::VenueLedger;
use crate::engine::{BarVisitor, ledger_before};

/// Market time between kept states: a few hundred bars, some milliseconds of work.
const KEEP_EVERY_MS: i64 = 6 * 3_600_000;
/// Most states kept; one holds some 10,000 cells.
const KEPT_MAX: usize = 96;

#[derive(Debug)]
struct WarmState {
    instrument: Instrument,
    /// Everything that closed by then is in it.
    at: UnixMs,
    /// [`VenueLedger::past_version`] of that moment before it was computed.
    version: u64,
    state: Arc<Ledger>,
}

/// States of ledgers, the most recently used last.
#[derive(Debug, Default)]
pub(super) struct WarmLedgers(Mutex<VecDeque<WarmState>>);

impl WarmLedgers {
    /// The newest kept state at or before a moment that is still true.
    fn newest(&self, ledger: &VenueLedger, not_after: UnixMs) -> Option<(Arc<Ledger>, UnixMs)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let instrument = ledger.instrument();
        all.retain(|kept| kept.instrument != *instrument || kept.version == ledger.past_version(kept.at));
        let fits = |kept: &&WarmState| kept.instrument == *instrument && kept.at <= not_after;
        let at = all.iter().filter(fits).map(|kept| kept.at).max()?;
        let place = all.iter().position(|kept| kept.instrument == *instrument && kept.at == at)?;
        let used = all.remove(place)?;
        let found = (Arc::clone(&used.state), used.at);
        all.push_back(used);
        Some(found)
    }

    fn keep(&self, kept: WarmState) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.instrument != kept.instrument || other.at != kept.at);
        all.push_back(kept);
        while all.len() > KEPT_MAX {
            all.pop_front();
        }
    }
}

/// Watches a ledger for another visitor, and keeps its state at whole multiples of [`KEEP_EVERY_MS`].
pub(super) struct StateCollector<V> {
    pub(super) inner: V,
    states: Vec<(UnixMs, Arc<Ledger>)>,
}

impl<V: BarVisitor> StateCollector<V> {
    pub(super) const fn new(inner: V) -> Self {
        Self { inner, states: Vec::new() }
    }
}

impl<V: BarVisitor> BarVisitor for StateCollector<V> {
    fn before(&mut self, ledger: &Ledger, bar: &Bar) {
        // Everything before the bar is in the ledger, and nothing after it.
        if bar.open_time.0 % KEEP_EVERY_MS == 0 && ledger.as_of().is_some() {
            self.states.push((bar.open_time, Arc::new(ledger.clone())));
            if self.states.len() > KEPT_MAX / 2 {
                self.states.remove(0);
            }
        }
        self.inner.before(ledger, bar);
    }

    fn after(&mut self, bar: &Bar, step: &Step) {
        self.inner.after(bar, step);
    }
}

impl HistoryTurn<'_> {
    /// The newest known state at or before a moment, kept or stored, and everything before which is in it.
    pub(super) async fn state_before(
        &self,
        ledger: &VenueLedger,
        not_after: UnixMs,
    ) -> Result<(Ledger, UnixMs), StoreError> {
        let near = not_after.plus(-4 * KEEP_EVERY_MS);
        let kept = self.history.warm.newest(ledger, not_after);
        if let Some((state, at)) = &kept
            && *at >= near
        {
            return Ok(((**state).clone(), *at));
        }
        let stored = ledger_before(ledger, self.store(), not_after).await?;
        match kept {
            Some((state, at)) if at > stored.1 => Ok(((*state).clone(), at)),
            _ => Ok(stored),
        }
    }

    /// Keeps the states that a run passed. `versions` answers for the time before the run.
    pub(super) fn keep_states<V>(
        &self,
        ledger: &VenueLedger,
        versions: &PastVersions,
        visited: StateCollector<V>,
    ) -> V {
        for (at, state) in visited.states {
            if let Some(version) = versions.of(at) {
                let instrument = ledger.instrument().clone();
                self.history.warm.keep(WarmState { instrument, at, version, state });
            }
        }
        visited.inner
    }
}

/// The version of the whole of a ledger's past at one moment: while it stands, so do all earlier ones.
pub(super) struct PastVersions {
    until: UnixMs,
    version: u64,
    ledger: Arc<VenueLedger>,
}

impl PastVersions {
    /// Of now, for what will be computed up to `until`.
    pub(super) fn of_now(ledger: &Arc<VenueLedger>, until: UnixMs) -> Self {
        Self { until, version: ledger.past_version(until), ledger: Arc::clone(ledger) }
    }

    /// Version of an earlier moment, as it was then; `None` where the ledger was rolled back since.
    fn of(&self, at: UnixMs) -> Option<u64> {
        // Read in this order: a roll-back in between makes the second differ.
        let version = self.ledger.past_version(at);
        (self.ledger.past_version(self.until) == self.version && at <= self.until).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::{Interval, Symbol, TierTable, Venue};
    use liqheat_model::Params;

    use super::*;
    use crate::catalog::LedgerSpec;

    fn ledger() -> Arc<VenueLedger> {
        let instrument = Instrument::new(Venue::Sim, Symbol::new("BTCUSDT").unwrap());
        let spec = LedgerSpec::new(instrument, Interval::M1, Params::default(), 0);
        Arc::new(VenueLedger::new(spec, Some(UnixMs(0)), TierTable::flat(UnixMs(0), 0.005).unwrap()))
    }

    fn kept(ledger: &VenueLedger, at: i64) -> WarmState {
        WarmState {
            instrument: ledger.instrument().clone(),
            at: UnixMs(at),
            version: ledger.past_version(UnixMs(at)),
            state: Arc::new(Ledger::new(ledger.spec.params.clone(), ledger.tiers())),
        }
    }

    #[test]
    fn a_late_row_takes_the_states_after_it() {
        let (ledger, warm) = (ledger(), WarmLedgers::default());
        for at in [100, 200, 300] {
            warm.keep(kept(&ledger, at));
        }
        let newest = |not_after: i64| warm.newest(&ledger, UnixMs(not_after)).map(|(_, at)| at.0);
        assert_eq!((newest(99), newest(250), newest(1_000)), (None, Some(200), Some(300)));
        ledger.rolled_back(UnixMs(150));
        assert_eq!((newest(1_000), newest(120)), (Some(100), Some(100)));
        warm.keep(kept(&ledger, 200));
        assert_eq!(newest(1_000), Some(200), "computed since");
    }

    #[test]
    fn a_roll_back_during_a_run_keeps_nothing_of_it() {
        let ledger = ledger();
        let versions = PastVersions::of_now(&ledger, UnixMs(500));
        assert_eq!(versions.of(UnixMs(300)), Some(0));
        ledger.rolled_back(UnixMs(400));
        assert_eq!(versions.of(UnixMs(300)), None);
    }

    #[test]
    fn the_number_of_states_is_bounded() {
        let (ledger, warm) = (ledger(), WarmLedgers::default());
        for at in 0..500 {
            warm.keep(kept(&ledger, at));
        }
        assert_eq!(warm.0.lock().unwrap().len(), KEPT_MAX);
    }
}
