//! `GET /v1/accuracy`: the running score of a symbol.

use axum::extract::State;
use axum::response::Response;
use liqheat_feeds::venues::liquidation_feed;
use liqheat_market::convert::signed_len;
use liqheat_market::{Instrument, UnixMs};
use liqheat_score::{ConfidenceInterval, GradedHour, HOUR_MS, Score, running_score};
use liqheat_store::{AccuracyHour, AccuracyState};
use liqheat_wire::{AccuracyBody, AccuracyPeriod, PredictorAccuracy, VenueAccuracy, format_time};

use super::parts::StoredRows;
use super::reading::Reading;
use crate::clock::MarketClock;
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

const DAY_MS: i64 = 24 * HOUR_MS;
/// Lengths of the periods, days.
const PERIODS: [u32; 3] = [1, 7, LONGEST_PERIOD];
const LONGEST_PERIOD: u32 = 30;
/// Hours that the fitted baselines learn from before the longest period.
const LEARNED_MS: i64 = 30 * DAY_MS;
/// Below this, one busy hour decides everything.
const EVENTS_NEEDED: u64 = 100;

pub(super) async fn accuracy(
    State(rows): State<StoredRows>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = rows.symbols.of(&query)?;
    let now = rows.clock.now();
    let turn = reading.turn(&rows, ReadKind::Query).await?;
    let mut venues = Vec::with_capacity(symbol.ledgers.len());
    for ledger in &symbol.ledgers {
        let fingerprint = ledger.spec.params.fingerprint();
        let from = now.plus(-DAY_MS * i64::from(LONGEST_PERIOD) - LEARNED_MS);
        let hours = turn.store().accuracy_hours(ledger.instrument(), fingerprint, from, now).await?;
        venues.push((ledger.instrument().clone(), fingerprint, hours));
    }
    let (symbol, is_graded) = (symbol.name.clone(), !matches!(*rows.clock, MarketClock::Wall));
    let body = move || AccuracyBody {
        symbol,
        as_of: format_time(now),
        window_s: 3_600,
        is_graded,
        venues: venues
            .iter()
            .map(|(instrument, fingerprint, hours)| of_venue(instrument, *fingerprint, hours, now))
            .collect(),
    };
    reading.json(&turn, body).await
}

fn of_venue(instrument: &Instrument, fingerprint: u64, hours: &[AccuracyHour], now: UnixMs) -> VenueAccuracy {
    let graded: Vec<GradedHour> = hours
        .iter()
        .filter_map(|hour| match &hour.state {
            AccuracyState::Graded(outcome) => GradedHour::decode(outcome),
            AccuracyState::Frozen | AccuracyState::Lost(_) => None,
        })
        .collect();
    let waiting: Vec<UnixMs> =
        hours.iter().filter(|hour| hour.state == AccuracyState::Frozen).map(|hour| hour.start).collect();
    let feed = liquidation_feed(instrument.venue);
    VenueAccuracy {
        venue: instrument.venue.name(),
        feed: feed.description,
        is_throttled: feed.is_throttled,
        parameters: format!("{fingerprint:016x}"),
        periods: PERIODS.iter().map(|days| period(*days, &graded, &waiting, now)).collect(),
    }
}

fn period(days: u32, hours: &[GradedHour], waiting: &[UnixMs], now: UnixMs) -> AccuracyPeriod {
    let from = now.plus(-i64::from(days) * DAY_MS);
    let score = running_score(hours, from);
    let scored = &hours[hours.partition_point(|hour| hour.start < from)..];
    let ends = scored.first().zip(scored.last()).map(|(first, last)| (first.start, last.start));
    // An hour that was frozen and is not graded yet is not lost.
    let lost = ends.map_or(0, |(first, last)| {
        let all = last.since(first) / HOUR_MS + 1;
        let not_yet = waiting.iter().filter(|start| (first..=last).contains(*start)).count();
        (all - signed_len(scored.len()) - signed_len(not_yet)).max(0)
    });
    let touched = &score.given_touch;
    let is_enough = score.events >= EVENTS_NEEDED;
    let note = (!is_enough).then(|| format!("not enough events yet ({} of {EVENTS_NEEDED})", score.events));
    AccuracyPeriod {
        days,
        from: ends.map(|(first, _)| format_time(first)),
        hours: touched.windows as u64,
        hours_with_events: touched.windows_with_events as u64,
        hours_lost: lost.unsigned_abs(),
        events: score.events,
        events_needed: EVENTS_NEEDED,
        note,
        cells: touched.cells as u64,
        cells_hit: touched.cells_hit as u64,
        interval_over: if score.block_ms == HOUR_MS { "hours" } else { "days" },
        // The map first: it is what is asked about.
        predictors: if is_enough { touched.scores.iter().rev().map(predictor).collect() } else { Vec::new() },
    }
}

fn predictor(score: &Score) -> PredictorAccuracy {
    let ends = |interval: ConfidenceInterval| (rounded(interval.low), rounded(interval.high));
    PredictorAccuracy {
        predictor: score.predictor.name(),
        title: score.predictor.title(),
        in_hour_partial: score.in_hour_partial.map(rounded),
        in_hour_partial_interval: score.in_hour_partial_interval.map(ends),
        rank_correlation: score.spearman.map(rounded),
        top_tenth_lift: score.top_tenth_lift.map(rounded),
        area_under_curve: score.area_under_curve.map(rounded),
    }
}

/// To four places.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
