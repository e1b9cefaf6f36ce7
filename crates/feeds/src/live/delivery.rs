//! What live ingestion delivers, and where it resumes.

use liqheat_market::{Event, Instrument, UnixMs};

use crate::venues::StreamKind;

/// What live ingestion delivers, in this order for each instrument: what is missing from before is filled
/// ([`Delivery::Filled`]) or reported ([`Delivery::Gap`]) while new events arrive.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// Things that happened. A kline is closed, a trade comes once; both may come late (after a missing stretch was
    /// filled), so order of arrival is not order of time.
    Events {
        /// To which instrument.
        instrument: Instrument,
        /// Never empty.
        events: Vec<Event>,
    },
    /// Data that cannot be had any more.
    Gap(Gap),
    /// A stretch of the past was fetched completely; its events came before this.
    Filled {
        /// Of which instrument.
        instrument: Instrument,
        /// Which data.
        stream: StreamKind,
        /// Inclusive.
        from: UnixMs,
        /// Exclusive.
        to: UnixMs,
        /// Events that it brought.
        events: u64,
    },
}

/// Data that is missing for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Of which instrument.
    pub instrument: Instrument,
    /// Which data.
    pub stream: StreamKind,
    /// Inclusive.
    pub from: UnixMs,
    /// Exclusive.
    pub to: UnixMs,
    /// Whether it was refused or could not be had.
    pub cause: GapCause,
    /// Why, in words.
    pub reason: String,
}

/// Why data is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// The venue does not have it, does not send it, or did not answer so that it could be used.
    Unavailable,
    /// The venue sent it, and it cannot be true or cannot be held.
    Refused,
}

/// Up to where an instrument's data is stored without a gap; what came after is fetched. A process that was killed during
/// a backfill leaves new rows behind missing ones, so this is not the newest row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResumePoint {
    /// Open time of the newest kline of a minute.
    pub kline: Option<UnixMs>,
    /// Open time of the newest mark kline of a minute.
    pub mark_kline: Option<UnixMs>,
    /// Time of the newest sample of open interest.
    pub open_interest: Option<UnixMs>,
    /// Id and time of the newest trade.
    pub trade: Option<(i64, UnixMs)>,
    /// Time of the newest funding payment.
    pub funding: Option<UnixMs>,
}
