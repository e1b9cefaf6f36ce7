//! What is requested of a contract, and how each of these tasks stands.

use std::time::Duration;

use liqheat_market::{Backoff, UnixMs};

use super::budget::Priority;
use crate::live::clock::Uptime;
use crate::live::contract::ContractIndex;
use crate::live::pipeline::{Reach, Series};
use crate::venues::{Request, RestQuery, StreamKind};

/// A kind of request; at most one of each is under way for a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::live) enum TaskKind {
    /// The venue's clock, for all contracts.
    Clock,
    /// Open interest now.
    Poll,
    /// Missing klines and trades.
    Series(Series, Reach),
    /// Open interest of the past.
    OpenInterestHistory,
    /// Funding payments.
    Funding,
}

impl TaskKind {
    /// Every kind but [`TaskKind::Clock`], what the present needs first.
    pub(super) const OF_CONTRACT: [Self; 8] = [
        Self::Poll,
        Self::Series(Series::Klines, Reach::Recent),
        Self::Series(Series::MarkKlines, Reach::Recent),
        Self::Series(Series::Klines, Reach::Past),
        Self::Series(Series::MarkKlines, Reach::Past),
        Self::Series(Series::Trades, Reach::Past),
        Self::OpenInterestHistory,
        Self::Funding,
    ];

    pub(in crate::live) const fn priority(self) -> Priority {
        match self {
            Self::Clock | Self::Poll | Self::Series(_, Reach::Recent) => Priority::Live,
            Self::Series(_, Reach::Past) | Self::OpenInterestHistory | Self::Funding => Priority::Backfill,
        }
    }

    /// Whether it fetches what is missing, rather than what is new.
    pub(super) const fn is_fill(self) -> bool {
        matches!(self, Self::Series(..) | Self::OpenInterestHistory | Self::Funding)
    }

    /// Which data it brings; `None` for the clock.
    pub(in crate::live) const fn stream(self) -> Option<StreamKind> {
        match self {
            Self::Clock => None,
            Self::Poll | Self::OpenInterestHistory => Some(StreamKind::OpenInterest),
            Self::Series(series, _) => Some(series.stream()),
            Self::Funding => Some(StreamKind::Funding),
        }
    }
}

/// A request to send; its budget has been taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::live) struct BackfillRequest {
    pub(in crate::live) contract: ContractIndex,
    pub(in crate::live) task: TaskKind,
    pub(in crate::live) query: RestQuery,
    pub(in crate::live) request: Request,
}

/// How a task of a contract stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskState {
    pub(super) is_running: bool,
    /// Nothing is requested before this moment.
    pub(super) not_before: Uptime,
    pub(super) backoff: Backoff,
    /// Answers in a row to the same page that could not be used.
    pub(super) failed_answers: u32,
    /// How far the beginning was moved when the venue last said that it is too early.
    pub(super) begin_step: Duration,
    /// What remains to be requested of a query of several pages.
    pub(super) remaining: Option<RestQuery>,
    /// The query as a whole; `None` when none is being worked on.
    pub(super) whole: Option<RestQuery>,
    /// New events that the query has brought, and their first and last time.
    pub(super) events: u64,
    pub(super) times: Option<(UnixMs, UnixMs)>,
}

impl TaskState {
    pub(super) const RETRY_MIN: Duration = Duration::from_secs(5);
    pub(super) const RETRY_MAX: Duration = Duration::from_secs(60);
    /// An hour, doubled with each refusal: a history of a month is searched with ten requests.
    pub(super) const BEGIN_STEP: Duration = Duration::from_secs(3_600);

    pub(super) fn new() -> Self {
        let backoff = Backoff::new(Self::RETRY_MIN, Self::RETRY_MAX)
            .expect("invariant: the shortest delay is shorter than the longest");
        Self {
            is_running: false,
            not_before: Uptime(i64::MIN),
            backoff,
            failed_answers: 0,
            begin_step: Self::BEGIN_STEP,
            remaining: None,
            whole: None,
            events: 0,
            times: None,
        }
    }

    /// Begins a page of a query.
    pub(super) const fn begin(&mut self, query: RestQuery) {
        self.is_running = true;
        if self.remaining.is_none() {
            self.whole = Some(query);
            self.begin_step = Self::BEGIN_STEP;
            (self.events, self.times) = (0, None);
        }
    }

    /// A page came.
    pub(super) fn on_page(&mut self, brought: u64, times: Option<(UnixMs, UnixMs)>) {
        self.is_running = false;
        self.failed_answers = 0;
        self.backoff.reset();
        self.events += brought;
        self.times = match (self.times, times) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (before, now) => before.or(now),
        };
    }
}
