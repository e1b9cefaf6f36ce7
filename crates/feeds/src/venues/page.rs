//! What an answer of a REST interface brought: rows that were accepted, and rows that were not, each with its reason.

use liqheat_market::{Event, UnixMs};

use super::{FrameError, ListedContract, RestQuery, TierRows};

/// What an answer brought. A row that cannot be used costs itself and no other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Events, in order of time.
    pub events: Vec<Event>,
    /// Rows that were not accepted, or not as a whole.
    pub rejected: Vec<RejectedRow>,
    /// What remains to be requested; `None` when everything that was wanted came.
    pub next: Option<RestQuery>,
    /// The venue's clock, for [`RestQuery::Time`].
    pub time: Option<UnixMs>,
    /// Contracts that can be traded now, for [`RestQuery::Contracts`]: all of the venue, or at least the one that was
    /// asked about. A contract that is absent here and named by a [`RowSubject::Contract`] in `rejected` is listed, but its
    /// row cannot be used.
    pub contracts: Vec<ListedContract>,
    /// Margin tiers, for [`RestQuery::Tiers`].
    pub tiers: Option<TierRows>,
}

/// A row of an answer that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// What it is about.
    pub subject: RowSubject,
    /// Whether an event was made of the rest of the row, without the field that `error` names (a kline without its
    /// volume). Then nothing is missing but that field.
    pub is_partial: bool,
    /// What is wrong with it.
    pub error: FrameError,
    /// The row as it came, at most [`RejectedRow::TEXT_CHARS_MAX`] characters.
    pub text: String,
}

/// What a rejected row is about, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowSubject {
    /// The query that asks for this row alone: the data that is missing now.
    Data(RestQuery),
    /// A contract of a list, by the venue's name.
    Contract(String),
    /// Neither its time, nor its id, nor its name can be read.
    Unknown,
}

impl RejectedRow {
    /// Most characters of the row that are kept.
    pub const TEXT_CHARS_MAX: usize = 200;

    pub(super) fn new(subject: RowSubject, error: FrameError, text: &str) -> Self {
        let text = text.chars().take(Self::TEXT_CHARS_MAX).collect();
        Self { subject, is_partial: false, error, text }
    }

    /// One of which everything was used but the field that `error` names.
    pub(super) fn partial(subject: RowSubject, error: FrameError, text: &str) -> Self {
        Self { is_partial: true, ..Self::new(subject, error, text) }
    }
}
