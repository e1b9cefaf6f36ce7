//! Stored rows as steps of the model: the one way by which the updater, a restart and every history request
//! read the past, so that they all see the same.

use std::collections::BTreeMap;

use liqheat_market::{Bar, Instrument, Interval, KlineKind, Price, Qty, UnixMs};
use liqheat_model::{Ledger, Step, assemble};
use liqheat_store::{Store, StoreError};

use crate::symbol::Part;

/// Bars read at once: a week of minutes.
pub(crate) const CHUNK_BARS: i64 = 10_080;

/// A stretch of bars with the volume at price inside each, where trades are stored.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) bars: Vec<Bar>,
    profiles: Profiles,
}

#[derive(Debug, Default)]
struct Profiles {
    by_open: BTreeMap<UnixMs, Vec<(Price, Qty)>>,
    cell: Option<Price>,
}

impl Stretch {
    /// The volume at price of the bar that opened then; empty where no trades are stored.
    pub(crate) fn profile(&self, open_time: UnixMs) -> &[(Price, Qty)] {
        self.profiles.by_open.get(&open_time).map_or(&[], Vec::as_slice)
    }
}

/// Reads the bars of one instrument.
#[derive(Clone)]
pub(crate) struct BarReader {
    pub(crate) store: Store,
    pub(crate) instrument: Instrument,
    pub(crate) interval: Interval,
}

impl BarReader {
    /// Of a ledger.
    pub(crate) fn of(part: &Part, store: &Store) -> Self {
        let (store, instrument) = (store.clone(), part.instrument.clone());
        Self { store, instrument, interval: part.interval }
    }

    /// Bars that opened at or after `from` and closed at or before `to`, with volume at price in cells of
    /// `cell` where one is given.
    pub(crate) async fn read(
        &self,
        from: UnixMs,
        to: UnixMs,
        cell: Option<Price>,
    ) -> Result<Stretch, StoreError> {
        let (store, instrument, interval) = (&self.store, &self.instrument, self.interval);
        let klines = store.klines(instrument, KlineKind::Last, interval, from, to).await?;
        if klines.is_empty() {
            return Ok(Stretch::default());
        }
        let marks = store.klines(instrument, KlineKind::Mark, interval, from, to).await?;
        let late = interval.ms() / 10;
        let samples = store.open_interest(instrument, from, to.plus(late)).await?;
        let bars = assemble(&klines, &marks, &samples);
        let profiles = match cell {
            Some(_) => self.profiles(from, to, cell).await?,
            None => Profiles::default(),
        };
        Ok(Stretch { bars, profiles })
    }

    async fn profiles(&self, from: UnixMs, to: UnixMs, cell: Option<Price>) -> Result<Profiles, StoreError> {
        let Some(width) = cell else {
            return Ok(Profiles::default());
        };
        let rows = self.store.profiles(&self.instrument, self.interval, width, from, to).await?;
        Ok(Profiles { by_open: rows.into_iter().map(|row| (row.open_time, row.volume)).collect(), cell })
    }

    /// Applies every bar of `from..to` to a ledger, calling `each` before a bar (without a step) and after it.
    ///
    /// The volume at price of a bar is always read in the ledger's own cells as they are before that bar;
    /// when the ledger changes its grid in the middle, the rest is read again. So the outcome does not depend
    /// on where a stretch was cut.
    pub(crate) async fn run(
        &self,
        ledger: &mut Ledger,
        from: UnixMs,
        to: UnixMs,
        mut each: impl FnMut(&Ledger, &Bar, Option<&Step>),
    ) -> Result<(), StoreError> {
        let mut next = from;
        while next < to {
            let until = to.min(next.plus(CHUNK_BARS * self.interval.ms()));
            let mut stretch = self.read(next, until, ledger.cell()).await?;
            for index in 0..stretch.bars.len() {
                let bar = stretch.bars[index];
                let cell = ledger.cell();
                if cell.is_some() && stretch.profiles.cell != cell {
                    stretch.profiles = self.profiles(bar.open_time, until, cell).await?;
                }
                each(ledger, &bar, None);
                let step = ledger.apply(&bar, stretch.profile(bar.open_time));
                each(ledger, &bar, Some(&step));
            }
            // A long replay must not keep the thread from serving others.
            tokio::task::yield_now().await;
            next = until;
        }
        Ok(())
    }
}
