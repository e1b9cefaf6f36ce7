//! `GET /prices/klines`: candles, aggregated from the stored bars.
//!
//! Candles of several venues show the prices of one, the venue whose price is shown now (where it has none, the
//! next one's by open interest), and the volume of all.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use liqheat_market::{Interval, Kline, Qty, UnixMs};
use liqheat_store::Store;
use liqheat_wire::{CandleRow, KlinesBody};

use super::parts::CandleState;
use super::reading::Reading;
use crate::catalog::{ServedSymbol, VenueLedger};
use crate::http::{Query, Refusal};
use crate::published::Published;
use crate::reads::ReadKind;

pub(super) const LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(500).unwrap();
pub(super) const LIMIT_MAX: usize = 5_000;

pub(super) async fn klines(
    State(state): State<CandleState>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = state.rows.symbols.of(&query)?;
    let interval = stored_interval(&query, symbol, "5m")?;
    let limit = query.count_or("limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let now = state.rows.clock.now();
    let start = query.optional_time("start_time")?;
    let end = query.time_or("end_time", now)?.min(now);
    let limit = match start {
        None => limit,
        // A time that is asked for is answered whole, or refused.
        Some(start) => candles_between(start, end, interval)?,
    };
    let turn = reading.turn(&state.rows, ReadKind::Query).await?;
    let span = CandleSpan { interval, start, end, limit, now };
    let ledgers = by_open_interest(&state.published, symbol);
    let by_venue = candles_by_venue(turn.store(), &ledgers, span).await?;
    let name = symbol.name.clone();
    reading.json(&turn, move || body(name, interval, by_venue, limit)).await
}

/// The interval that a request names, `default` without; refused where the symbol is stored in longer bars.
pub(super) fn stored_interval(
    query: &Query,
    symbol: &ServedSymbol,
    default: &str,
) -> Result<Interval, Refusal> {
    let names: Vec<&str> = Interval::names().collect();
    let interval = query.interval_or(&names, default)?;
    let stored = symbol.interval();
    if interval < stored {
        let name = &symbol.name;
        return Err(Refusal::bad(format!(
            "{name} is stored in bars of {stored}; ask for {stored} or longer"
        )));
    }
    Ok(interval)
}

/// Which candles are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct CandleSpan {
    pub(super) interval: Interval,
    /// None opens earlier.
    pub(super) start: Option<UnixMs>,
    /// None opens later.
    pub(super) end: UnixMs,
    /// The newest ones of each venue.
    pub(super) limit: NonZeroUsize,
    /// The moment of the request, as of which the newest candle is read.
    pub(super) now: UnixMs,
}

/// The candles of each ledger, in their order.
pub(super) async fn candles_by_venue(
    store: &Store,
    ledgers: &[Arc<VenueLedger>],
    span: CandleSpan,
) -> Result<Vec<Vec<Kline>>, Refusal> {
    let CandleSpan { interval, start, end, limit, now } = span;
    let mut by_venue = Vec::new();
    for ledger in ledgers {
        // The candle that opens at the end counts whole, as far as it has grown; one more makes up for it.
        let (as_of, one_more) = (end.plus(interval.ms()).min(now), limit.saturating_add(1));
        let mut candles = store.candles(ledger.instrument(), interval, as_of, one_more).await?;
        candles.retain(|one| one.open_time <= end && start.is_none_or(|start| one.open_time >= start));
        by_venue.push(candles);
    }
    Ok(by_venue)
}

/// How many candles open from `start` to `end`, both inclusive.
pub(super) fn candles_between(
    start: UnixMs,
    end: UnixMs,
    interval: Interval,
) -> Result<NonZeroUsize, Refusal> {
    if end < start {
        return Err(Refusal::malformed("parameter 'end_time' must not be earlier than 'start_time'"));
    }
    let candles = usize::try_from(end.since(start) / interval.ms() + 1).unwrap_or(usize::MAX);
    NonZeroUsize::new(candles).filter(|candles| candles.get() <= LIMIT_MAX).ok_or_else(|| {
        Refusal::malformed(format!(
            "more than {LIMIT_MAX} candles of {interval}; ask for a shorter time or a longer interval"
        ))
    })
}

fn body(symbol: String, interval: Interval, by_venue: Vec<Vec<Kline>>, limit: NonZeroUsize) -> KlinesBody {
    let candles = merged(by_venue);
    let newest = candles.len().saturating_sub(limit.get());
    let data: Vec<CandleRow> = candles.values().skip(newest).map(CandleRow::from).collect();
    KlinesBody { symbol, interval: interval.to_string(), count: data.len(), data }
}

/// The prices of the first venue that has a candle, and the volume of all.
pub(super) fn merged(by_venue: Vec<Vec<Kline>>) -> BTreeMap<UnixMs, Kline> {
    let mut candles: BTreeMap<UnixMs, Kline> = BTreeMap::new();
    for of_venue in by_venue {
        for candle in of_venue {
            let of_all =
                candles.entry(candle.open_time).or_insert(Kline { volume: Some(Qty::default()), ..candle });
            // A volume with an unknown part is unknown.
            of_all.volume = of_all.volume.zip(candle.volume).map(|(all, one)| all.plus(one));
        }
    }
    candles
}

/// The symbol's ledgers, the one with the most open interest first, whose price is shown.
pub(super) fn by_open_interest(published: &Published, symbol: &ServedSymbol) -> Vec<Arc<VenueLedger>> {
    let sum = published.local_sum(&symbol.name);
    let mut ledgers: Vec<Arc<VenueLedger>> =
        sum.iter().flat_map(|sum| sum.ledgers.iter().map(|(ledger, _)| Arc::clone(ledger))).collect();
    let without_state = |one: &&Arc<VenueLedger>| !ledgers.iter().any(|other| Arc::ptr_eq(other, one));
    let rest: Vec<Arc<VenueLedger>> = symbol.ledgers.iter().filter(without_state).cloned().collect();
    ledgers.extend(rest);
    ledgers
}
