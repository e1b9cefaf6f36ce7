//! A long stretch of the past in parts that one answer can hold, oldest first, each asked for by its own bounds: so
//! nothing depends on how a venue pages.

use liqheat_market::{Event, Kline, UnixMs};

use super::{Page, Want};

/// Where the first part of `from..to` ends, when an answer holds `rows` of them, `every_ms` apart.
pub(super) fn part_end(from: UnixMs, to: UnixMs, rows: i64, every_ms: i64) -> UnixMs {
    to.min(from.plus(rows.saturating_mul(every_ms)))
}

/// What is left of `want` after the part that ended at `end`; nothing when `end` has not been reached yet.
fn rest_of(want: &Want, end: UnixMs, now: UnixMs) -> Option<Want> {
    if end >= now {
        return None;
    }
    match *want {
        Want::Klines { kind, interval, to, .. } if end < to => {
            Some(Want::Klines { kind, interval, from: end, to })
        }
        Want::OpenInterestHistory { to, .. } if end < to => Some(Want::OpenInterestHistory { from: end, to }),
        Want::Funding { to, .. } if end < to => Some(Want::Funding { from: end, to }),
        _ => None,
    }
}

/// The part of `want` that reaches to `end`, and what is left to ask for.
pub(super) fn page(want: &Want, events: Vec<Event>, from: UnixMs, end: UnixMs, now: UnixMs) -> Page {
    Page { events: in_order(events, from, end), next: rest_of(want, end, now), ..Page::default() }
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
        let mut want = Some(Want::Klines { kind: KlineKind::Last, interval: Interval::M1, from, to });
        let mut ends = Vec::new();
        while let Some(part @ Want::Klines { from, to, .. }) = want {
            let end = part_end(from, to, 1_000, MINUTE_MS);
            ends.push(end.0 / MINUTE_MS);
            want = rest_of(&part, end, to.plus(1));
        }
        assert_eq!(ends, [1_000, 2_000, 2_500]);
    }

    #[test]
    fn nothing_is_asked_of_the_future() {
        let want = Want::Funding { from: UnixMs(0), to: UnixMs(1_000) };
        assert_eq!(rest_of(&want, UnixMs(500), UnixMs(400)), None);
        assert_eq!(
            rest_of(&want, UnixMs(500), UnixMs(600)),
            Some(Want::Funding { from: UnixMs(500), to: UnixMs(1_000) })
        );
    }

    #[test]
    fn events_are_put_in_order_and_cut() {
        let mark = |ms: i64| Event::MarkPrice(MarkPrice { time: UnixMs(ms), price: Price::from_units(1) });
        let sorted = in_order(vec![mark(9), mark(3), mark(5), mark(2)], UnixMs(3), UnixMs(9));
        assert_eq!(sorted, [mark(3), mark(5)]);
    }
}
