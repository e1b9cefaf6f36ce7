//! From one page of an answer to the next query: what was asked for, what of it is left, and what is skipped.

use liqheat_market::Event;

use crate::venues::{LIVE_INTERVAL, RestQuery};

/// Rows that are skipped then: no venue's page is smaller.
const SKIPPED_ROWS: i64 = 100;

/// The query for one event of a series.
pub(super) fn query_of(event: &Event) -> Option<RestQuery> {
    match *event {
        Event::Trade(trade) => Some(RestQuery::Trades { first: trade.id, last: trade.id }),
        Event::Kline(kline) => Some(RestQuery::Klines {
            kind: kline.kind,
            interval: kline.interval,
            from: kline.open_time,
            to: kline.open_time.plus(kline.interval.ms()),
        }),
        _ => None,
    }
}

/// Whether the page after this one is about less.
pub(super) fn advances(query: &RestQuery, next: &RestQuery) -> bool {
    match (query, next) {
        (RestQuery::Trades { first, last }, RestQuery::Trades { first: next, last: end }) => {
            next > first && end <= last
        }
        _ => match (query.span(), next.span()) {
            (Some((from, to)), Some((next, end))) => next > from && end <= to,
            _ => false,
        },
    }
}

/// The beginning of a query that is skipped, and the rest.
pub(super) fn skip(query: &RestQuery) -> Option<(RestQuery, Option<RestQuery>)> {
    if let RestQuery::Trades { first, last } = *query {
        let end = last.min(first.saturating_add(SKIPPED_ROWS - 1));
        let rest = (end < last).then_some(RestQuery::Trades { first: end + 1, last });
        return Some((RestQuery::Trades { first, last: end }, rest));
    }
    let (from, to) = query.span()?;
    let row_ms = match query {
        RestQuery::OpenInterestHistory { .. } => 300_000,
        RestQuery::Funding { .. } => 3_600_000,
        _ => LIVE_INTERVAL.ms(),
    };
    let end = to.min(from.plus(SKIPPED_ROWS * row_ms));
    Some((query.with_span(from, end), (end < to).then_some(query.with_span(end, to))))
}
