//! A long stretch of the past in parts that one answer can hold, oldest first, each asked for by its own bounds: so
//! nothing depends on how a venue pages.

use liqheat_market::{Event, Kline, UnixMs};

use super::rows::RowEvents;
use super::{Page, RejectedRow, RestQuery, RowSubject};

/// Where the first part of `from..to` ends, when an answer holds `rows` of them, `every_ms` apart.
pub(super) fn part_end(from: UnixMs, to: UnixMs, rows: i64, every_ms: i64) -> UnixMs {
    to.min(from.plus(rows.saturating_mul(every_ms)))
}

/// What remains of `query` after the part that ended at `end`; nothing when `end` has not been reached yet.
fn rest_of(query: &RestQuery, end: UnixMs, now: UnixMs) -> Option<RestQuery> {
    if end >= now {
        return None;
    }
    let (_, to) = query.span()?;
    (end < to).then(|| query.with_span(end, to))
}

/// The part of `query` that reaches to `end`, and what remains to be requested. Rejected rows outside of it, or about what
/// has not ended at `now`, would have been left out anyway.
pub(super) fn page(query: &RestQuery, row_events: RowEvents, from: UnixMs, end: UnixMs, now: UnixMs) -> Page {
    let RowEvents { events, mut rejected } = row_events;
    let is_asked_for = |row: &RejectedRow| match &row.subject {
        RowSubject::Data(about) => {
            about.span().is_none_or(|(first, until)| (from..end).contains(&first) && until <= now)
        }
        RowSubject::Contract(_) | RowSubject::Unknown => true,
    };
    rejected.retain(is_asked_for);
    Page { events: in_order(events, from, end), rejected, next: rest_of(query, end, now), ..Page::default() }
}

/// In order of time, those in `from..end` only: venues answer newest first, and some with a row too many.
fn in_order(mut events: Vec<Event>, from: UnixMs, end: UnixMs) -> Vec<Event> {
    let time = |event: &Event| match event {
        Event::Kline(kline) => kline.open_time,
        other => other.known_at(),
    };
    events.retain(|event| (from..end).contains(&time(event)));
    events.sort_by_key(time);
    events
}

/// Whether a kline is over by the venue's clock.
pub(super) fn is_closed(kline: &Kline, now: UnixMs) -> bool {
    kline.close_time() <= now
}

#[cfg(test)]
mod tests {
    use super::*;
    use liqheat_market::{Interval, KlineKind, MarkPrice, Price};

    const MINUTE_MS: i64 = 60_000;

    #[test]
    fn parts_cover_a_stretch_without_overlap() {
        let (from, to) = (UnixMs(0), UnixMs(2_500 * MINUTE_MS));
        let mut query = Some(RestQuery::Klines { kind: KlineKind::Last, interval: Interval::M1, from, to });
        let mut ends = Vec::new();
        while let Some(part @ RestQuery::Klines { from, to, .. }) = query {
            let end = part_end(from, to, 1_000, MINUTE_MS);
            ends.push(end.0 / MINUTE_MS);
            query = rest_of(&part, end, to.plus(1));
        }
        assert_eq!(ends, [1_000, 2_000, 2_500]);
    }

    #[test]
    fn nothing_is_asked_of_the_future() {
        let query = RestQuery::Funding { from: UnixMs(0), to: UnixMs(1_000) };
        assert_eq!(rest_of(&query, UnixMs(500), UnixMs(400)), None);
        assert_eq!(
            rest_of(&query, UnixMs(500), UnixMs(600)),
            Some(RestQuery::Funding { from: UnixMs(500), to: UnixMs(1_000) })
        );
    }

    #[test]
    fn events_are_put_in_order_and_cut() {
        let mark = |ms: i64| Event::MarkPrice(MarkPrice { time: UnixMs(ms), price: Price::from_units(1) });
        let sorted = in_order(vec![mark(9), mark(3), mark(5), mark(2)], UnixMs(3), UnixMs(9));
        assert_eq!(sorted, [mark(3), mark(5)]);
    }
}
