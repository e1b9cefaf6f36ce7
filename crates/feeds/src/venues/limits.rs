//! Limits of a venue as data, and the pure rules that follow from them: how deep each history goes, how often what may be
//! requested, and what a refusal means.

use std::time::Duration;

use liqheat_market::{Interval, KlineKind, UnixMs};

use super::{RestQuery, StreamKind};

/// A text the client has to send from time to time. Pings of the WebSocket protocol are answered anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Sent when so much time has passed since the last one.
    pub every: Duration,
    /// What is sent.
    pub text: &'static str,
}

/// How the ids of trades are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeIds {
    /// One after the other for a contract: a missing one is seen, and asked for.
    Consecutive,
    /// Unique, but not in order: only repeats are seen.
    Unique,
}

/// Rules of a venue, in market time. Tests and settings may change every one.
#[derive(Debug, Clone)]
pub struct VenueLimits {
    /// Between two messages of ours on one connection.
    pub message_spacing: Duration,
    /// Most contracts on one connection.
    pub contracts_per_connection: usize,
    /// A ping of the application, where the venue wants one.
    pub ping: Option<Ping>,
    /// A connection is replaced at this age, before the venue cuts it.
    pub connection_life: Duration,
    /// A connection on which no contract's mark price has spoken for so long is dead, whatever was acknowledged.
    pub mark_silence: Duration,
    /// Between two ticks of the mark price there is no longer pause unless some were lost. Then klines of the mark
    /// price are not made of them but fetched.
    pub mark_pause: Duration,
    /// The same for one stream of one contract: it is called stale, and its subscription renewed.
    pub silence: StreamSilence,
    /// How ids of trades are given out.
    pub trade_ids: TradeIds,
    /// Open interest is polled this often where [`Exchange::request`](super::Exchange::request) knows [`RestQuery::OpenInterest`] and no stream
    /// brings it; `None` where a stream does.
    pub poll_open_interest: Option<Duration>,
    /// The longest pause between two polls, reached when nothing changes or the budget is short.
    pub poll_open_interest_max: Duration,
    /// Weight of requests allowed a minute, over all endpoints; the live boundary stays below a share of it. Beside it a
    /// [`Request`](super::Request) may name a limit of its endpoint. 0 where there are only those: then requests weigh
    /// nothing.
    pub weight_per_minute: u32,
    /// Most sockets open at once for one address of the network; `None` where no limit is published.
    pub connections_max: Option<usize>,
    /// New sockets allowed for one address of the network; `None` where no limit is published.
    pub new_connections: Option<RateLimit>,
    /// How far back each history goes.
    pub history: HistoryDepths,
}

/// The longest silence of each stream of one contract that is no fault; `None` where any silence is possible. Liquidations
/// and funding payments are always that rare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSilence {
    /// Ticks of the mark price.
    pub mark: Option<Duration>,
    /// Klines.
    pub klines: Option<Duration>,
    /// Trades.
    pub trades: Option<Duration>,
    /// Open interest.
    pub open_interest: Option<Duration>,
}

impl StreamSilence {
    /// That of one stream.
    #[must_use]
    pub const fn of(&self, stream: StreamKind) -> Option<Duration> {
        match stream {
            StreamKind::Mark => self.mark,
            StreamKind::Klines => self.klines,
            StreamKind::Trades => self.trades,
            StreamKind::OpenInterest => self.open_interest,
            StreamKind::Liquidations | StreamKind::Funding => None,
        }
    }

    /// The same for every stream that has one.
    #[must_use]
    pub const fn all(silence: Duration) -> Self {
        Self {
            mark: Some(silence),
            klines: Some(silence),
            trades: Some(silence),
            open_interest: Some(silence),
        }
    }
}

/// How far back a venue answers, by kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryDepths {
    /// Klines of trades.
    pub klines: HistoryDepth,
    /// Klines of the mark price.
    pub mark_klines: HistoryDepth,
    /// Open interest.
    pub open_interest: HistoryDepth,
    /// Trades; queries name ids, so that it cannot be applied to a query by itself.
    pub trades: HistoryDepth,
    /// Funding payments.
    pub funding: HistoryDepth,
}

/// How far back a history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryDepth {
    /// To the first day of the contract.
    Full,
    /// This long.
    Age(Duration),
    /// This many rows, the newest ones, one per interval.
    Rows(i64),
    /// The venue keeps none.
    NotKept,
}

/// A query, cut to the history that the venue still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClippedQuery {
    /// What to request; `None` when nothing of it is kept.
    pub query: Option<RestQuery>,
    /// What the venue does not have any more.
    pub lost: Option<RestQuery>,
}

impl HistoryDepth {
    /// The oldest moment that the venue answers for at `now`, for rows `every_ms` apart; `None` where it keeps nothing.
    #[must_use]
    pub fn oldest(self, every_ms: i64, now: UnixMs) -> Option<UnixMs> {
        match self {
            Self::Full => Some(UnixMs(0)),
            Self::Age(age) => Some(now.plus(-i64::try_from(age.as_millis()).unwrap_or(i64::MAX))),
            // The running row is the newest one.
            Self::Rows(rows) => {
                let before = rows.saturating_sub(1).saturating_mul(every_ms);
                Some(now.floor_to(every_ms.max(1)).plus(-before))
            }
            Self::NotKept => None,
        }
    }
}

impl HistoryDepths {
    /// Everything since the first day of each contract.
    pub const FULL: Self = Self {
        klines: HistoryDepth::Full,
        mark_klines: HistoryDepth::Full,
        open_interest: HistoryDepth::Full,
        trades: HistoryDepth::Full,
        funding: HistoryDepth::Full,
    };

    /// Divides a query into what the venue still has at `now` (its clock) and what it has no more. To be called when the
    /// request is made, not when it is planned: the oldest rows are lost while it waits.
    #[must_use]
    pub fn clip(&self, query: &RestQuery, now: UnixMs) -> ClippedQuery {
        let (depth, every_ms) = match query {
            RestQuery::Klines { kind: KlineKind::Last, interval, .. } => (self.klines, interval.ms()),
            RestQuery::Klines { kind: KlineKind::Mark, interval, .. } => (self.mark_klines, interval.ms()),
            RestQuery::OpenInterestHistory { .. } => (self.open_interest, Interval::M5.ms()),
            RestQuery::Funding { .. } => (self.funding, HOUR_MS),
            RestQuery::Time
            | RestQuery::Contracts
            | RestQuery::OpenInterest
            | RestQuery::Trades { .. }
            | RestQuery::Tiers => return ClippedQuery { query: Some(*query), lost: None },
        };
        match depth.oldest(every_ms, now) {
            None => ClippedQuery { query: None, lost: Some(*query) },
            // Rows stand on multiples of their length.
            Some(oldest) => query.divide(UnixMs(oldest.0 + (-oldest.0).rem_euclid(every_ms))),
        }
    }
}

const HOUR_MS: i64 = 3_600_000;

/// A limit on the number of some requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The endpoint, or the group of them, that is counted together.
    pub name: &'static str,
    /// Largest number of requests within [`Self::per`].
    pub requests: u32,
    /// Length of the sliding window.
    pub per: Duration,
}

/// What a refusal of the REST interface means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestRefusal {
    /// Too many requests. `Retry-After`, where it is sent, takes the place of `pause`.
    Throttled {
        /// What has to pause.
        scope: PauseScope,
        /// For how long.
        pause: Duration,
    },
    /// The beginning of what was asked for is older than what the venue keeps: the same query may be answered when it
    /// begins later.
    BeginLater,
    /// The venue failed; the same request may succeed later.
    Temporary,
    /// The same request would be refused again.
    Permanent,
}

/// What may not be requested during a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseScope {
    /// What counts against the [`RateLimit`] of the request that was refused.
    Endpoint,
    /// Anything at the venue.
    Venue,
}

impl RequestRefusal {
    /// By the status alone, for venues that use HTTP's meanings: 429 asks for a pause of a minute, 418 bans those who go
    /// on. `None` for an answer that is to be read.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        const PAUSE: Duration = Duration::from_secs(60);
        match status {
            200 => None,
            429 | 418 => Some(Self::Throttled { scope: PauseScope::Venue, pause: PAUSE }),
            408 => Some(Self::Temporary),
            400..=499 => Some(Self::Permanent),
            _ => Some(Self::Temporary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixMs = UnixMs(1_763_942_430_000);

    fn minutes(from: i64, to: i64) -> RestQuery {
        let at = |minute: i64| UnixMs(NOW.floor_to(60_000).0 + minute * 60_000);
        RestQuery::Klines { kind: KlineKind::Last, interval: Interval::M1, from: at(from), to: at(to) }
    }

    #[test]
    fn a_query_begins_where_the_venue_does() {
        let history = HistoryDepths { klines: HistoryDepth::Rows(5_000), ..HistoryDepths::FULL };
        let clipped = history.clip(&minutes(-43_200, 0), NOW);
        assert_eq!(clipped.query, Some(minutes(-4_999, 0)));
        assert_eq!(clipped.lost, Some(minutes(-43_200, -4_999)));
        let young = minutes(-60, 0);
        assert_eq!(history.clip(&young, NOW), ClippedQuery { query: Some(young), lost: None });
        let old = minutes(-9_000, -8_000);
        assert_eq!(history.clip(&old, NOW), ClippedQuery { query: None, lost: Some(old) });
    }

    #[test]
    fn what_is_not_kept_is_lost_whole() {
        let history = HistoryDepths { open_interest: HistoryDepth::NotKept, ..HistoryDepths::FULL };
        let query = RestQuery::OpenInterestHistory { from: NOW.plus(-1_000_000), to: NOW };
        assert_eq!(history.clip(&query, NOW), ClippedQuery { query: None, lost: Some(query) });
    }

    proptest! {
        #[test]
        fn the_parts_of_a_query_are_the_query(
            from in -100_000_i64..0,
            length in 1_i64..100_000,
            depth in prop_oneof![
                Just(HistoryDepth::Full),
                Just(HistoryDepth::NotKept),
                (1_i64..50_000).prop_map(HistoryDepth::Rows),
                (1_u64..5_000_000).prop_map(|s| HistoryDepth::Age(Duration::from_secs(s))),
            ],
        ) {
            let query = minutes(from, from + length);
            let clipped = HistoryDepths { klines: depth, ..HistoryDepths::FULL }.clip(&query, NOW);
            let span = |query: RestQuery| match query {
                RestQuery::Klines { from, to, .. } => (from, to),
                _ => unreachable!(),
            };
            let (from, to) = span(query);
            match (clipped.lost.map(span), clipped.query.map(span)) {
                (None, Some(kept)) => prop_assert_eq!(kept, (from, to)),
                (Some(lost), None) => prop_assert_eq!(lost, (from, to)),
                (Some(lost), Some(kept)) => {
                    prop_assert_eq!((lost.0, kept.1), (from, to));
                    prop_assert_eq!(lost.1, kept.0);
                    prop_assert!(lost.0 < lost.1 && kept.0 < kept.1);
                    prop_assert_eq!(kept.0.0 % 60_000, 0);
                }
                (None, None) => prop_assert!(false, "nothing is left of the query"),
            }
        }
    }
}
