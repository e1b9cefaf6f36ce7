//! `GET /v1/series`: what was traded, held and paid beside the price, by interval.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use liqheat_market::convert::signed_len;
use liqheat_market::{Funding, Interval, Kline, OpenInterest, Qty, UnixMs};
use liqheat_wire::{SeriesBody, SeriesRow, format_time};

use super::parts::CandleState;
use super::prices::{LIMIT_DEFAULT, by_open_interest, candles_between, stored_interval};
use super::reading::Reading;
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

/// A count of open interest is shown in the intervals after it for this long, so that bars of a minute show counts that
/// come every five.
const OPEN_INTEREST_HOLDS_MS: i64 = 15 * 60_000;

/// What is stored of one venue.
#[derive(Debug, Default)]
struct VenueSeries {
    candles: Vec<Kline>,
    open_interest: Vec<OpenInterest>,
}

pub(super) async fn series(
    State(state): State<CandleState>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = state.rows.symbols.of(&query)?;
    let interval = stored_interval(&query, symbol, "5m")?;
    let now = state.rows.clock.now();
    let end = query.time_or("end_time", now)?.min(now);
    let default_ms = interval.ms() * (signed_len(LIMIT_DEFAULT.get()) - 1);
    let start = query.time_or("start_time", end.plus(-default_ms))?;
    let limit = candles_between(start, end, interval)?;
    let first = start.plus(interval.ms() - 1).floor_to(interval.ms());
    let turn = reading.turn(&state.rows, ReadKind::Query).await?;
    let (mut venues, mut funding) = (Vec::new(), Vec::new());
    let until = end.floor_to(interval.ms()).plus(interval.ms()).min(now);
    for (index, ledger) in by_open_interest(&state.published, symbol).into_iter().enumerate() {
        let instrument = ledger.instrument();
        let mut candles = turn.store().candles(instrument, interval, until, limit.saturating_add(1)).await?;
        candles.retain(|one| one.open_time >= start && one.open_time <= end);
        let from = first.plus(-OPEN_INTEREST_HOLDS_MS);
        let open_interest = turn.store().open_interest_closes(instrument, interval, from, until).await?;
        venues.push(VenueSeries { candles, open_interest });
        if index == 0 {
            funding = turn.store().funding(instrument, first, until.plus(-1)).await?;
        }
    }
    let name = symbol.name.clone();
    reading.json(&turn, move || body(name, interval, first..=end, &venues, &funding)).await
}

#[derive(Debug, Default)]
struct Sums {
    /// `None` inside when a part is unknown.
    volume: Option<Option<Qty>>,
    taker_buy: Option<Option<Qty>>,
    open_interest: Qty,
    venues: usize,
    funding: Option<f64>,
}

fn body(
    symbol: String,
    interval: Interval,
    within: std::ops::RangeInclusive<UnixMs>,
    venues: &[VenueSeries],
    funding: &[Funding],
) -> SeriesBody {
    let mut rows: BTreeMap<UnixMs, Sums> = BTreeMap::new();
    for candle in venues.iter().flat_map(|venue| &venue.candles) {
        let row = rows.entry(candle.open_time).or_default();
        row.volume = Some(added(row.volume, candle.volume));
        row.taker_buy = Some(added(row.taker_buy, candle.taker_buy_volume));
    }
    for payment in funding {
        if let Some(row) = rows.get_mut(&payment.time.floor_to(interval.ms())) {
            row.funding = Some(row.funding.unwrap_or(0.0) + payment.rate.to_f64());
        }
    }
    for venue in venues {
        let mut samples = venue.open_interest.iter().peekable();
        let mut newest: Option<&OpenInterest> = None;
        for (open_time, row) in &mut rows {
            let close = open_time.plus(interval.ms());
            while let Some(sample) = samples.next_if(|sample| sample.time <= close) {
                newest = Some(sample);
            }
            let held = OPEN_INTEREST_HOLDS_MS.max(interval.ms());
            if let Some(sample) = newest.filter(|sample| close.since(sample.time) < held) {
                row.open_interest = row.open_interest.plus(sample.qty);
                row.venues += 1;
            }
        }
    }
    let data: Vec<SeriesRow> = rows
        .range(within)
        .map(|(open_time, row)| SeriesRow {
            timestamp: format_time(*open_time),
            volume: row.volume.flatten().map(Into::into),
            taker_buy_volume: row.taker_buy.flatten().map(Into::into),
            open_interest: (row.venues > 0).then(|| row.open_interest.into()),
            open_interest_venues: row.venues,
            funding_rate: row.funding,
        })
        .collect();
    let is_missing = |has: fn(&SeriesRow) -> bool| !data.iter().any(has);
    let missing = [
        ("volume", is_missing(|row| row.volume.is_some())),
        ("taker_buy_volume", is_missing(|row| row.taker_buy_volume.is_some())),
        ("open_interest", is_missing(|row| row.open_interest.is_some())),
        ("funding_rate", is_missing(|row| row.funding_rate.is_some())),
    ];
    let missing = missing.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect();
    SeriesBody { symbol, interval: interval.to_string(), count: data.len(), missing, data }
}

/// A sum with an unknown part is unknown.
fn added(sum: Option<Option<Qty>>, part: Option<Qty>) -> Option<Qty> {
    match sum {
        None => part,
        Some(sum) => sum.zip(part).map(|(sum, part)| sum.plus(part)),
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::{KlineKind, Price, Rate};

    use super::*;

    const MINUTE: i64 = 60_000;

    fn candle(minute: i64, volume: Option<i64>) -> Kline {
        let price = Price::from_units(1);
        Kline {
            kind: KlineKind::Last,
            interval: Interval::M1,
            open_time: UnixMs(minute * MINUTE),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: volume.map(|coins| Qty::from_units(i128::from(coins) * 100_000_000)),
            taker_buy_volume: None,
            trades: None,
        }
    }

    fn sample(minute: i64, coins: i64) -> OpenInterest {
        OpenInterest { time: UnixMs(minute * MINUTE), qty: Qty::from_units(i128::from(coins) * 100_000_000) }
    }

    #[test]
    fn venues_are_summed_and_what_is_unknown_stays_so() {
        let one = VenueSeries {
            candles: (0..30).map(|minute| candle(minute, Some(2))).collect(),
            open_interest: vec![sample(1, 100), sample(10, 200)],
        };
        let other = VenueSeries {
            candles: vec![candle(3, Some(5)), candle(4, None)],
            open_interest: vec![sample(5, 7)],
        };
        let funding =
            [Funding { time: UnixMs(8 * MINUTE), rate: Rate::from_units(10_000), interval_hours: None }];
        let all = UnixMs(0)..=UnixMs(29 * MINUTE);
        let body = body("X".into(), Interval::M1, all, &[one, other], &funding);
        let row = |minute: usize| serde_json::to_value(&body.data[minute]).unwrap();
        assert_eq!((body.count, body.missing.as_slice()), (30, ["taker_buy_volume"].as_slice()));
        assert_eq!(row(2)["volume"], 2);
        assert_eq!(row(3)["volume"], 7);
        assert_eq!(row(4)["volume"], serde_json::Value::Null, "a part is unknown");
        // A count at the end of an interval belongs to it, and is held for a while.
        assert_eq!((&row(0)["open_interest"], &row(3)["open_interest"]), (&100.into(), &100.into()));
        assert_eq!((&row(4)["open_interest"], &row(4)["open_interest_venues"]), (&107.into(), &2.into()));
        assert_eq!(row(9)["open_interest"], 207);
        assert_eq!(row(22)["open_interest"], 200, "the other venue's count is too old");
        assert_eq!(row(29)["open_interest"], serde_json::Value::Null);
        assert_eq!(
            (&row(8)["funding_rate"], &row(9)["funding_rate"]),
            (&0.0001.into(), &serde_json::Value::Null)
        );
    }
}
