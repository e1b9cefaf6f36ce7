//! Stored rows as steps of the model: the one way by which the updater, a restart and every history request
//! read the past, so that they all see the same.

use std::collections::BTreeMap;

use liqheat_market::{Bar, Instrument, Interval, KlineKind, Price, Qty, UnixMs};
use liqheat_model::{Ledger, Step, assemble};
use liqheat_store::{Store, StoreError};

use crate::catalog::LedgerSpec;
use crate::compute::ComputePool;

/// Bars read at once: a week of minutes.
const CHUNK_BARS: i64 = 10_080;
/// Bars applied without the compute pool: at 4 us a bar these take well under a millisecond.
const INLINE_BARS: usize = 64;

/// A stretch of bars with the volume at price inside each, where trades are stored.
#[derive(Debug, Default)]
struct Stretch {
    bars: Vec<Bar>,
    profiles: Profiles,
    /// Bars already applied.
    done: usize,
}

#[derive(Debug, Default)]
struct Profiles {
    by_open: BTreeMap<UnixMs, Vec<(Price, Qty)>>,
    /// Height of the cells that the volumes are summed in.
    cell: Option<Price>,
}

/// Watches a ledger move.
pub(crate) trait BarVisitor: Send + 'static {
    /// A bar is about to be applied.
    fn before(&mut self, _ledger: &Ledger, _bar: &Bar) {}

    /// A bar was applied.
    fn after(&mut self, _bar: &Bar, _step: &Step) {}
}

/// Watches nothing.
impl BarVisitor for () {}

/// A ledger on its way over stored bars, with whoever watches it.
pub(crate) struct LedgerRun<V> {
    /// `None` only while the compute pool has it, and for good if the caller stopped waiting just then.
    work: Option<(Ledger, V)>,
}

impl<V: BarVisitor> LedgerRun<V> {
    pub(crate) const fn new(ledger: Ledger, visitor: V) -> Self {
        Self { work: Some((ledger, visitor)) }
    }

    /// The ledger as it stands; `None` if a run was abandoned midway.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.work.as_ref().map(|(ledger, _)| ledger)
    }

    pub(crate) fn visitor(&self) -> Option<&V> {
        self.work.as_ref().map(|(_, visitor)| visitor)
    }

    pub(crate) fn visitor_mut(&mut self) -> Option<&mut V> {
        self.work.as_mut().map(|(_, visitor)| visitor)
    }

    /// Another ledger from here on.
    pub(crate) fn replace(&mut self, ledger: Ledger, visitor: V) {
        self.work = Some((ledger, visitor));
    }

    pub(crate) fn into_parts(self) -> Option<(Ledger, V)> {
        self.work
    }

    /// Applies every stored bar of `from..to`, on the compute pool where there are many.
    ///
    /// The volume at price of a bar is always read in the ledger's own cells as they are before that bar; when the
    /// ledger changes its grid midway, the rest is read again. So the result does not depend on where a stretch was
    /// cut.
    ///
    /// # Errors
    /// When the store fails. The ledger then stands behind the last applied bar and can be moved on.
    pub(crate) async fn over(
        &mut self,
        bars: &BarReader,
        compute: &ComputePool,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<(), StoreError> {
        let mut next = from;
        while next < to {
            let until = to.min(next.plus(CHUNK_BARS * bars.interval.ms()));
            let mut stretch = bars.read(next, until, self.ledger().and_then(Ledger::cell)).await?;
            while let Some(open_time) = stretch.bars.get(stretch.done).map(|bar| bar.open_time) {
                let cell = self.ledger().and_then(Ledger::cell);
                if cell.is_some() && stretch.profiles.cell != cell {
                    stretch.profiles = bars.profiles(open_time, until, cell).await?;
                }
                stretch = self.apply(stretch, compute).await;
            }
            next = until;
        }
        Ok(())
    }

    /// Applies bars up to the end of a stretch or to a change of the ledger's grid.
    async fn apply(&mut self, mut stretch: Stretch, compute: &ComputePool) -> Stretch {
        let Some((mut ledger, mut visitor)) = self.work.take() else {
            stretch.done = stretch.bars.len();
            return stretch;
        };
        if stretch.bars.len() - stretch.done <= INLINE_BARS {
            stretch.apply_to(&mut ledger, &mut visitor);
            self.work = Some((ledger, visitor));
            return stretch;
        }
        let (ledger, visitor, stretch) = compute
            .run(move || {
                stretch.apply_to(&mut ledger, &mut visitor);
                (ledger, visitor, stretch)
            })
            .await;
        self.work = Some((ledger, visitor));
        stretch
    }
}

impl Stretch {
    fn apply_to(&mut self, ledger: &mut Ledger, visitor: &mut impl BarVisitor) {
        const NO_TRADES: &[(Price, Qty)] = &[];
        while let Some(bar) = self.bars.get(self.done) {
            let cell = ledger.cell();
            if cell.is_some() && self.profiles.cell != cell {
                return;
            }
            let profile = self.profiles.by_open.get(&bar.open_time).map_or(NO_TRADES, Vec::as_slice);
            visitor.before(ledger, bar);
            let step = ledger.apply(bar, profile);
            visitor.after(bar, &step);
            self.done += 1;
        }
    }
}

/// Reads the bars of one instrument.
#[derive(Clone)]
pub(crate) struct BarReader {
    pub(crate) store: Store,
    pub(crate) instrument: Instrument,
    interval: Interval,
}

impl BarReader {
    pub(crate) fn new(spec: &LedgerSpec, store: &Store) -> Self {
        Self { store: store.clone(), instrument: spec.instrument.clone(), interval: spec.interval }
    }

    /// Bars that opened at or after `from` and closed at or before `to`.
    pub(crate) async fn bars(&self, from: UnixMs, to: UnixMs) -> Result<Vec<Bar>, StoreError> {
        Ok(self.read(from, to, None).await?.bars)
    }

    /// Bars that opened at or after `from` and closed at or before `to`, with the volume at price in cells of
    /// `cell` where one is given.
    async fn read(&self, from: UnixMs, to: UnixMs, cell: Option<Price>) -> Result<Stretch, StoreError> {
        let (store, instrument, interval) = (&self.store, &self.instrument, self.interval);
        let klines = store.klines(instrument, KlineKind::Last, interval, from, to).await?;
        if klines.is_empty() {
            return Ok(Stretch::default());
        }
        let marks = store.klines(instrument, KlineKind::Mark, interval, from, to).await?;
        let late = interval.ms() / 10;
        let samples = store.open_interest(instrument, from, to.plus(late)).await?;
        let bars = assemble(&klines, &marks, &samples);
        let profiles = self.profiles(from, to, cell).await?;
        Ok(Stretch { bars, profiles, done: 0 })
    }

    async fn profiles(&self, from: UnixMs, to: UnixMs, cell: Option<Price>) -> Result<Profiles, StoreError> {
        let Some(width) = cell else {
            return Ok(Profiles::default());
        };
        let rows = self.store.profiles(&self.instrument, self.interval, width, from, to).await?;
        Ok(Profiles { by_open: rows.into_iter().map(|row| (row.open_time, row.volume)).collect(), cell })
    }
}
