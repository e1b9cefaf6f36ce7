//! The time that a time series covers.

use liqheat_market::{Interval, UnixMs};

use crate::http::{Query, Refusal};

/// Distances of rows that can be asked for.
pub(in crate::api) const INTERVALS: [&str; 10] =
    ["1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d"];
const INTERVAL_DEFAULT: &str = "15m";
/// Rows in one answer: 30 days at 15 minutes and a year at 4 hours fit.
const ROWS_MAX: i64 = 3_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Length of an answer that no time is given for.
const LENGTH_DEFAULT_MS: i64 = 7 * DAY_MS;

/// A named length of time with the interval that suits it.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct TimeWindow {
    pub(in crate::api) name: &'static str,
    ms: i64,
    interval: &'static str,
}

impl TimeWindow {
    pub(in crate::api) const ALL: [Self; 13] = [
        Self { name: "1h", ms: HOUR_MS, interval: "1m" },
        Self { name: "4h", ms: 4 * HOUR_MS, interval: "1m" },
        Self { name: "12h", ms: 12 * HOUR_MS, interval: "1m" },
        Self { name: "1d", ms: DAY_MS, interval: "1m" },
        Self { name: "48h", ms: 2 * DAY_MS, interval: "1m" },
        Self { name: "3d", ms: 3 * DAY_MS, interval: "5m" },
        Self { name: "7d", ms: 7 * DAY_MS, interval: "5m" },
        Self { name: "14d", ms: 14 * DAY_MS, interval: "15m" },
        Self { name: "30d", ms: 30 * DAY_MS, interval: "15m" },
        Self { name: "60d", ms: 60 * DAY_MS, interval: "30m" },
        Self { name: "90d", ms: 90 * DAY_MS, interval: "1h" },
        Self { name: "180d", ms: 180 * DAY_MS, interval: "2h" },
        Self { name: "1y", ms: 365 * DAY_MS, interval: "4h" },
    ];

    fn of(query: &Query) -> Result<Option<Self>, Refusal> {
        let Some(text) = query.get("time_window") else { return Ok(None) };
        let window = Self::ALL.into_iter().find(|window| window.name == text);
        window.map(Some).ok_or_else(|| {
            let text: String = text.chars().take(40).collect();
            let names = Self::ALL.map(|window| window.name).join(", ");
            Refusal::malformed(format!("parameter 'time_window': '{text}' must be one of {names}"))
        })
    }
}

/// The time that an answer covers and the interval between its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: UnixMs,
    pub(super) end: UnixMs,
    pub(super) interval: Interval,
}

/// The span of a request over bars of `stored`, at market time `now`. Without an end it is
/// the end of the newest whole interval, so that pollers who name none share an answer.
pub(super) fn span(query: &Query, stored: Interval, now: UnixMs) -> Result<Span, Refusal> {
    let window = TimeWindow::of(query)?;
    let interval = interval(query, window, stored)?;
    let (start, end) = (query.optional_time("start_time")?, query.optional_time("end_time")?);
    let length = window.map_or(LENGTH_DEFAULT_MS, |window| window.ms);
    let (start, end) = match (start, end, window) {
        (Some(_), Some(_), Some(_)) => {
            let detail = "parameters 'start_time', 'end_time' and 'time_window' contradict each other; give at most two";
            return Err(Refusal::bad(detail));
        }
        (Some(start), Some(end), None) => (start, end),
        (Some(start), None, Some(_)) => (start, start.plus(length)),
        (Some(start), None, None) => (start, now.floor_to(interval.ms())),
        (None, end, _) => {
            let end = end.unwrap_or_else(|| now.floor_to(interval.ms()));
            (end.plus(-length), end)
        }
    };
    if end <= start {
        return Err(Refusal::malformed("parameter 'end_time' must be later than 'start_time'"));
    }
    if end.since(start) / interval.ms() > ROWS_MAX {
        let name = interval.name();
        let detail =
            format!("more than {ROWS_MAX} intervals of {name}; ask for a shorter time or longer intervals");
        return Err(Refusal::malformed(detail));
    }
    Ok(Span { start, end, interval })
}

fn interval(query: &Query, window: Option<TimeWindow>, stored: Interval) -> Result<Interval, Refusal> {
    let fits = |interval: &Interval| *interval >= stored && interval.ms() % stored.ms() == 0;
    if query.get("interval").is_some() {
        let interval = query.interval_or(&INTERVALS, INTERVAL_DEFAULT)?;
        return if fits(&interval) {
            Ok(interval)
        } else {
            Err(Refusal::bad(format!(
                "parameter 'interval': the symbol is stored in bars of {stored}; ask for whole multiples of them"
            )))
        };
    }
    let natural = Interval::from_name(window.map_or(INTERVAL_DEFAULT, |window| window.interval));
    let longer = INTERVALS.iter().filter_map(|name| Interval::from_name(name));
    let suits = |interval: &Interval| fits(interval) && natural.is_none_or(|natural| *interval >= natural);
    Ok(longer.into_iter().find(suits).unwrap_or(stored))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const NOW: UnixMs = UnixMs(1_764_000_123_456);

    fn spanned(fields: &[(&str, &str)], stored: Interval) -> Result<Span, String> {
        let fields: HashMap<String, String> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        span(&Query::new(fields), stored, NOW).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn without_times_it_is_the_last_seven_days_up_to_the_newest_whole_interval() {
        let span = spanned(&[], Interval::M5).unwrap();
        assert_eq!((span.interval.name(), span.end.0 % 900_000), ("15m", 0));
        assert!(NOW.since(span.end) < 900_000 && NOW >= span.end);
        assert_eq!(span.end.since(span.start), 7 * DAY_MS);
        let start = [("start_time", "1763990000000")];
        assert_eq!(spanned(&start, Interval::M5).unwrap().end, span.end);
        let end = [("end_time", "1763990000000")];
        let span = spanned(&end, Interval::M5).unwrap();
        assert_eq!((span.end.0, span.end.since(span.start)), (1_763_990_000_000, 7 * DAY_MS));
    }

    #[test]
    fn every_window_fits_with_the_interval_that_suits_it() {
        for window in TimeWindow::ALL {
            for stored in [Interval::M1, Interval::M5] {
                let span = spanned(&[("time_window", window.name)], stored).unwrap();
                assert_eq!(span.end.since(span.start), window.ms, "{}", window.name);
                assert!(span.interval >= stored && window.ms / span.interval.ms() <= ROWS_MAX);
                if stored == Interval::M1 {
                    assert_eq!(span.interval.name(), window.interval);
                }
            }
        }
        let given = [("time_window", "1y"), ("interval", "1d")];
        assert_eq!(spanned(&given, Interval::M1).unwrap().interval.name(), "1d");
        let from = [("time_window", "4h"), ("start_time", "1763990000000")];
        assert_eq!(spanned(&from, Interval::M1).unwrap().end.0, 1_763_990_000_000 + 4 * HOUR_MS);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (fields, word) in [
            (&[("time_window", "2h")][..], "time_window"),
            (&[("interval", "7m")], "interval"),
            (&[("interval", "1m")], "bars of 5m"),
            (&[("start_time", "1763990000000"), ("end_time", "1763990000000")], "later"),
            (
                &[("start_time", "1763990000000"), ("end_time", "1763991000000"), ("time_window", "1h")],
                "contradict",
            ),
            (&[("time_window", "1y"), ("interval", "5m")], "3000 intervals"),
            (&[("start_time", "yesterday")], "start_time"),
        ] {
            let error = spanned(fields, Interval::M5).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
