//! `/udf/history`: the candles of a symbol as columns.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use axum::extract::State;
use axum::response::Response;
use liqheat_market::{Interval, Kline, UnixMs};
use liqheat_wire::Channel;

use super::super::super::parts::CandleState;
use super::super::super::prices::{CandleSpan, LIMIT_MAX, by_open_interest, candles_by_venue, merged};
use super::super::super::reading::Reading;
use super::super::claims::Claims;
use super::shapes::BarColumns;
use super::{interval, own_currency, seconds, symbol};
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

pub(super) async fn history(
    State(state): State<CandleState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["symbol", "resolution", "from", "to", "countback", "currencyCode", "unitId"])?;
    let symbol = symbol(&state.rows.symbols, &claims, &query, Channel::Price)?;
    own_currency(&query, symbol)?;
    let interval = interval(&query, symbol)?;
    let (from, to) = (seconds(&query, "from")?, seconds(&query, "to")?);
    let back = match query.get("countback") {
        Some("0") | None => None,
        Some(_) => Some(query.count_or("countback", NonZeroUsize::MIN, LIMIT_MAX)?),
    };
    let limit = bars(interval, from, to, back)?;
    let now = state.rows.clock.now();
    let turn = reading.turn(&state.rows, ReadKind::Query).await?;
    // `to` is exclusive.
    let span = CandleSpan { interval, start: None, end: to.plus(-1).min(now), limit, now };
    let ledgers = by_open_interest(&state.published, symbol);
    let candles = merged(candles_by_venue(turn.store(), &ledgers, span).await?);
    reading.json(&turn, move || columns(&candles, from, back)).await
}

/// Most bars to read: those between two times, or as many as are asked for where that is more.
fn bars(
    interval: Interval,
    from: UnixMs,
    to: UnixMs,
    back: Option<NonZeroUsize>,
) -> Result<NonZeroUsize, Refusal> {
    if from > to {
        return Err(Refusal::malformed("parameter 'from' must not be later than 'to'"));
    }
    let between = usize::try_from(to.since(from) / interval.ms()).unwrap_or(usize::MAX);
    let between = NonZeroUsize::MIN.saturating_add(between);
    match back {
        Some(back) if between.get() > LIMIT_MAX => Ok(back),
        Some(back) => Ok(back.max(between)),
        None if between.get() > LIMIT_MAX => Err(Refusal::malformed(format!(
            "more than {LIMIT_MAX} bars of {interval}; ask for a shorter time, a longer resolution or give 'countback'"
        ))),
        None => Ok(between),
    }
}

/// Bars from `from` on; with `back` that number of bars before the end, wherever they begin.
fn columns(candles: &BTreeMap<UnixMs, Kline>, from: UnixMs, back: Option<NonZeroUsize>) -> BarColumns {
    let within = candles.range(from..).count();
    let count = back.map_or(within, |back| back.get().max(within));
    let shown: Vec<&Kline> = candles.values().skip(candles.len().saturating_sub(count)).collect();
    let second = |time: UnixMs| time.0.div_euclid(1_000);
    if shown.is_empty() {
        let next_time = candles.keys().next_back().map(|time| second(*time));
        return BarColumns { s: "no_data", next_time, ..BarColumns::default() };
    }
    let prices = |of: fn(&Kline) -> liqheat_market::Price| shown.iter().map(|one| of(one).into()).collect();
    BarColumns {
        s: "ok",
        t: shown.iter().map(|candle| second(candle.open_time)).collect(),
        o: prices(|candle| candle.open),
        h: prices(|candle| candle.high),
        l: prices(|candle| candle.low),
        c: prices(|candle| candle.close),
        v: shown.iter().map(|candle| candle.volume.unwrap_or_default().into()).collect(),
        next_time: None,
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::{KlineKind, Price, Qty};

    use super::*;

    fn candles(minutes: std::ops::Range<i64>) -> BTreeMap<UnixMs, Kline> {
        let candle = |minute: i64| Kline {
            kind: KlineKind::Last,
            interval: Interval::M1,
            open_time: UnixMs(minute * 60_000),
            open: Price::from_units(1),
            high: Price::from_units(2),
            low: Price::from_units(1),
            close: Price::from_units(2),
            volume: (minute % 2 == 0).then(|| Qty::from_units(100_000_000)),
            taker_buy_volume: None,
            trades: None,
        };
        minutes.map(|minute| (UnixMs(minute * 60_000), candle(minute))).collect()
    }

    #[test]
    fn countback_reaches_further_back_than_from_and_never_less_far() {
        let candles = candles(0..10);
        let back = |n| NonZeroUsize::new(n);
        let times = |from: i64, back| columns(&candles, UnixMs(from * 60_000), back).t;
        assert_eq!(times(8, None), [480, 540]);
        assert_eq!(times(8, back(3)), [420, 480, 540]);
        assert_eq!(times(7, back(1)).len(), 3);
        assert_eq!(times(0, back(99)).len(), 10);
        let none = columns(&candles, UnixMs(600_000), None);
        assert_eq!((none.s, none.next_time, none.t.len()), ("no_data", Some(540), 0));
        let empty = columns(&BTreeMap::new(), UnixMs(0), back(5));
        assert_eq!((empty.s, empty.next_time), ("no_data", None));
        let bars = columns(&candles, UnixMs(480_000), None);
        assert_eq!(serde_json::to_value(&bars).unwrap()["v"], serde_json::json!([1, 0]));
    }

    #[test]
    fn as_many_bars_are_read_as_may_be_shown() {
        let minutes = |n: i64| UnixMs(n * 60_000);
        let of = |to: i64, back: usize| bars(Interval::M1, UnixMs(0), minutes(to), NonZeroUsize::new(back));
        assert_eq!(of(10, 0).unwrap().get(), 11);
        assert_eq!(of(10, 300).unwrap().get(), 300);
        assert_eq!(of(10_000, 300).unwrap().get(), 300);
        assert!(of(10_000, 0).is_err());
        assert!(bars(Interval::M1, UnixMs(1), UnixMs(0), None).is_err());
    }
}
