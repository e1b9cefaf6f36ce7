//! Questions about the market's events.

use std::num::NonZeroUsize;

use liqheat_market::{
    Funding, Instrument, Interval, Kline, KlineKind, Liquidation, OpenInterest, Price, UnixMs,
};

use super::Store;
use crate::Retention;
use crate::append::{Append, AppendResult};
use crate::bars::{Candles, Klines};
use crate::batch::Batch;
use crate::catalog::{FirstBar, InstrumentSpan, Instruments, NewestTime, Reach, ReachOf};
use crate::gaps::{Fetchable, UnbrokenReach};
use crate::liquidations::{LiquidationSums, LiquidationTotals, LiquidationTotalsOf, Liquidations};
use crate::open_interest::{FundingPayments, OpenInterestCloses, OpenInterests};
use crate::prices::{MarkRange, MarkRangeOf, PricesNow, PricesNowOf};
use crate::profiles::{Profile, Profiles};
use crate::reply::PendingReply;
use crate::upkeep::{ApplyRetention, DeletedRows};

impl Store {
    /// Stores events of one instrument, all or none; those that are there already are left as they are.
    /// Repeating it is harmless. Several different rows under one key in one batch: the same one is taken
    /// whatever their order. At most [`crate::BATCH_ROWS_MAX`] rows.
    pub fn append(&self, instrument: &Instrument, batch: impl Into<Batch>) -> PendingReply<AppendResult> {
        self.ask(Append { instrument: instrument.clone(), batch: batch.into() })
    }

    /// Every instrument that has klines of trades, by name, with its finest interval.
    pub fn instruments(&self) -> PendingReply<Vec<InstrumentSpan>> {
        self.ask(Instruments)
    }

    /// When the first kline of trades of a length opened; `None` without any.
    pub fn first_bar(&self, instrument: &Instrument, interval: Interval) -> PendingReply<Option<UnixMs>> {
        self.ask(FirstBar { instrument: instrument.clone(), interval })
    }

    /// How far each kind of data of an instrument goes; klines are those of a length.
    pub fn reach(&self, instrument: &Instrument, interval: Interval) -> PendingReply<Reach> {
        self.ask(ReachOf { instrument: instrument.clone(), interval })
    }

    /// The same, but only as far as nothing is missing of what can be fetched: the place to go on fetching from.
    pub fn whole_reach(
        &self,
        instrument: &Instrument,
        interval: Interval,
        fetchable: Fetchable,
    ) -> PendingReply<Reach> {
        self.ask(UnbrokenReach { instrument: instrument.clone(), interval, fetchable })
    }

    /// Klines that opened at or after `from` and closed at or before `to`, oldest first.
    pub fn klines(
        &self,
        instrument: &Instrument,
        kind: KlineKind,
        interval: Interval,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<Kline>> {
        self.ask(Klines { instrument: instrument.clone(), kind, interval, from, to })
    }

    /// The newest `limit` candles of traded prices of any length, built of the finest klines closed at or before
    /// `as_of`, oldest first; the last one may still be growing. A volume with an unknown part is unknown.
    /// Empty when the stored klines are longer than `interval` or do not divide it.
    pub fn candles(
        &self,
        instrument: &Instrument,
        interval: Interval,
        as_of: UnixMs,
        limit: NonZeroUsize,
    ) -> PendingReply<Vec<Kline>> {
        self.ask(Candles { instrument: instrument.clone(), interval, as_of, limit })
    }

    /// Samples of open interest from `from` to `to`, both inclusive, oldest first.
    pub fn open_interest(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<OpenInterest>> {
        self.ask(OpenInterests { instrument: instrument.clone(), from, to })
    }

    /// The last sample of open interest within each interval that ends after `from`, up to and with `to`, oldest first. An
    /// interval holds the samples after its beginning and up to its end.
    pub fn open_interest_closes(
        &self,
        instrument: &Instrument,
        interval: Interval,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<OpenInterest>> {
        let interval_ms = interval.ms();
        self.ask(OpenInterestCloses { instrument: instrument.clone(), interval_ms, from, to })
    }

    /// Funding payments from `from` to `to`, both inclusive, oldest first.
    pub fn funding(&self, instrument: &Instrument, from: UnixMs, to: UnixMs) -> PendingReply<Vec<Funding>> {
        self.ask(FundingPayments { instrument: instrument.clone(), from, to })
    }

    /// Lowest, highest and last tick of the mark price from `from` to `to`, both inclusive; `None` without ticks.
    pub fn mark_range(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Option<MarkRange>> {
        self.ask(MarkRangeOf { instrument: instrument.clone(), from, to })
    }

    /// The newest prices at `as_of` and the candle of this length that is open then. Nothing older than two candles
    /// counts.
    pub fn prices_now(
        &self,
        instrument: &Instrument,
        interval: Interval,
        as_of: UnixMs,
    ) -> PendingReply<PricesNow> {
        self.ask(PricesNowOf { instrument: instrument.clone(), interval, as_of })
    }

    /// Volume at price of each bar that opened at or after `from` and closed at or before `to`, summed from
    /// trades in cells of `cell`; bars oldest first, cells lowest first. Bars without trades are skipped.
    pub fn profiles(
        &self,
        instrument: &Instrument,
        interval: Interval,
        cell: Price,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<Vec<Profile>> {
        self.ask(Profiles { instrument: instrument.clone(), interval, cell, from, to })
    }

    /// The newest `limit` realised liquidations of at least `min_usd` dollars from `from` to `to`, both inclusive,
    /// oldest first.
    pub fn liquidations(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
        min_usd: u64,
        limit: NonZeroUsize,
    ) -> PendingReply<Vec<Liquidation>> {
        self.ask(Liquidations { instrument: instrument.clone(), from, to, min_usd, limit })
    }

    /// The sums of realised liquidations from after `from` to `to`, by side.
    pub fn liquidation_totals(
        &self,
        instrument: &Instrument,
        from: UnixMs,
        to: UnixMs,
    ) -> PendingReply<LiquidationTotals> {
        self.ask(LiquidationTotalsOf { instrument: instrument.clone(), from, to })
    }

    /// The newest `limit` sums of realised liquidations from `from` to `to`, both inclusive, oldest first: one a
    /// side, kind of price and interval in which there were any, with the interval's beginning, the coins and
    /// their volume-weighted price. Liquidations of less than `min_usd` dollars are not summed.
    pub fn liquidation_sums(
        &self,
        instrument: &Instrument,
        interval: Interval,
        from: UnixMs,
        to: UnixMs,
        min_usd: u64,
        limit: NonZeroUsize,
    ) -> PendingReply<Vec<Liquidation>> {
        self.ask(LiquidationSums { instrument: instrument.clone(), interval, from, to, min_usd, limit })
    }

    /// The latest moment at or before `as_of` at which something became known (`Event::known_at`).
    pub fn newest(&self, instrument: &Instrument, as_of: UnixMs) -> PendingReply<Option<UnixMs>> {
        self.ask(NewestTime { instrument: instrument.clone(), as_of })
    }

    /// Deletes rows of an instrument that are older than their table keeps them, counted back from `as_of`.
    pub fn retain(
        &self,
        instrument: &Instrument,
        as_of: UnixMs,
        retention: Retention,
    ) -> PendingReply<DeletedRows> {
        self.ask(ApplyRetention { instrument: instrument.clone(), as_of, retention })
    }
}
