//! Liquidations that really happened: `history`, `aggregated-history`, `coin-list`, `exchange-list` and `order`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use liqheat_feeds::venues::display_name;
use liqheat_market::convert::{signed_len, trunc_u64};
use liqheat_market::{Interval, Liquidation, Side, UnixMs, Venue};
use liqheat_store::{LiquidationTotals, Store};
use liqheat_wire::Channel;

use super::super::super::parts::StoredRows;
use super::super::super::reading::Reading;
use super::super::claims::Claims;
use super::super::names;
use super::heatmap::cents;
use super::shapes::{AggregatedHistoryRow, CoinRow, Envelope, ExchangeRow, HistoryRow, Order};
use super::{coin, pair, readable};
use crate::catalog::{ServedSymbol, VenueLedger};
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970 began on a Thursday; weeks begin on Mondays.
const MONDAY_MS: i64 = 4 * DAY_MS;
/// Words of `interval`. `2h` is not in the original's list and is taken as well.
pub(in super::super::super) const INTERVALS: [&str; 13] =
    ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "1w"];
/// Most rows of a history, and how many there are without `limit`.
pub(in super::super::super) const HISTORY_LIMIT: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
/// Rows of `order`.
const ORDERS_MAX: NonZeroUsize = NonZeroUsize::new(200).unwrap();
/// Words of `range` in `exchange-list`.
pub(in super::super::super) const WINDOWS: [&str; 4] = ["1h", "4h", "12h", "24h"];

/// Intervals of one length, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Buckets {
    first: UnixMs,
    length_ms: i64,
    count: usize,
    /// Nothing later is counted.
    end: UnixMs,
}

impl Buckets {
    /// The newest `limit` intervals that begin from `start` to `end`, both inclusive.
    fn new(length_ms: i64, start: Option<UnixMs>, end: UnixMs, limit: NonZeroUsize) -> Self {
        let last = floor(end, length_ms);
        let most = signed_len(limit.get());
        let newest = last.plus(-length_ms.saturating_mul(most - 1));
        let first = start.map_or(newest, |start| floor(start.plus(length_ms - 1), length_ms).max(newest));
        let count = usize::try_from(last.since(first) / length_ms + 1).unwrap_or(0);
        Self { first, length_ms, count, end }
    }

    fn index(&self, time: UnixMs) -> Option<usize> {
        usize::try_from(time.since(self.first).div_euclid(self.length_ms)).ok()
    }

    fn begin(&self, index: usize) -> i64 {
        self.first.0 + self.length_ms * signed_len(index)
    }
}

/// The beginning of the interval that a time is in.
fn floor(time: UnixMs, length_ms: i64) -> UnixMs {
    let shift = if length_ms == WEEK_MS { MONDAY_MS } else { 0 };
    time.plus(-shift).floor_to(length_ms).plus(shift)
}

fn length_of(query: &Query) -> Result<i64, Refusal> {
    let name = query.word("interval", &INTERVALS)?;
    Ok(Interval::from_name(name).map_or(WEEK_MS, Interval::ms))
}

/// A time in whole milliseconds, as the original writes it.
fn ms(query: &Query, name: &str) -> Result<Option<UnixMs>, Refusal> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let parsed = text.parse().ok().filter(|ms| (0..=32_503_680_000_000).contains(ms));
    parsed.map(|ms| Some(UnixMs(ms))).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        Refusal::malformed(format!("parameter '{name}': '{text}' must be milliseconds since 1970"))
    })
}

fn buckets_of(query: &Query, now: UnixMs) -> Result<Buckets, Refusal> {
    let length_ms = length_of(query)?;
    let limit = query.count_or("limit", HISTORY_LIMIT, HISTORY_LIMIT.get())?;
    let (start, end) = (ms(query, "start_time")?, ms(query, "end_time")?.unwrap_or(now).min(now));
    if start.is_some_and(|start| start > end) {
        return Err(Refusal::malformed("parameter 'start_time' must not be later than 'end_time'"));
    }
    Ok(Buckets::new(length_ms, start, end, limit))
}

/// Dollars of longs and shorts.
type Sides = [f64; 2];

/// Sums of some ledgers by interval. None lies before the first stored bar, so a row of nothing means that nothing was
/// recorded while this server had data.
async fn sums(
    store: &Store,
    ledgers: &[&Arc<VenueLedger>],
    buckets: Buckets,
) -> Result<BTreeMap<usize, Sides>, Refusal> {
    /// Sides and kinds of price.
    const ROWS_OF_INTERVAL: usize = 4;
    let interval = Interval::from_ms(buckets.length_ms.min(DAY_MS)).unwrap_or(Interval::M1);
    let intervals = usize::try_from(buckets.length_ms / interval.ms()).unwrap_or(1);
    let rows_max = buckets.count.saturating_mul(intervals * ROWS_OF_INTERVAL);
    let rows_max = NonZeroUsize::new(rows_max).unwrap_or(NonZeroUsize::MIN);
    let mut sums: BTreeMap<usize, Sides> = BTreeMap::new();
    let known = ledgers.iter().filter_map(|ledger| ledger.first_bar()).min();
    let Some(known) = known else { return Ok(sums) };
    let first = buckets.index(known.max(buckets.first)).unwrap_or(0);
    sums.extend((first..buckets.count).map(|index| (index, Sides::default())));
    for ledger in ledgers {
        let (from, to) = (buckets.first, buckets.end);
        for row in store.liquidation_sums(ledger.instrument(), interval, from, to, 0, rows_max).await? {
            let sides = buckets.index(row.time).and_then(|index| sums.get_mut(&index));
            let Some([long, short]) = sides else { continue };
            *(if row.side == Side::Long { long } else { short }) += usd(&row);
        }
    }
    Ok(sums)
}

fn usd(row: &Liquidation) -> f64 {
    row.price.to_f64() * row.qty.to_f64()
}

pub(super) async fn history(
    State(stored): State<StoredRows>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["exchange", "symbol", "interval", "limit", "start_time", "end_time"])?;
    let symbol = pair(&stored.symbols, &claims, &query, Channel::Liquidations)?;
    let buckets = buckets_of(&query, stored.clock.now())?;
    let turn = reading.turn(&stored, ReadKind::Query).await?;
    let ledgers: Vec<_> = symbol.ledgers.iter().collect();
    let sums = sums(turn.store(), &ledgers, buckets).await?;
    let rows = sums.into_iter().map(move |(index, [long, short])| HistoryRow {
        time: buckets.begin(index),
        long_liquidation_usd: cents(long).to_string(),
        short_liquidation_usd: cents(short).to_string(),
    });
    reading.json(&turn, move || Envelope::new(rows.collect::<Vec<_>>())).await
}

pub(super) async fn aggregated_history(
    State(stored): State<StoredRows>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["exchange_list", "symbol", "interval", "limit", "start_time", "end_time"])?;
    let market = coin(&stored.symbols, &claims, &query, Channel::Liquidations)?;
    let ledgers = at_exchanges(market, query.required("exchange_list")?)?;
    let buckets = buckets_of(&query, stored.clock.now())?;
    let turn = reading.turn(&stored, ReadKind::Query).await?;
    let sums = sums(turn.store(), &ledgers, buckets).await?;
    let rows = sums.into_iter().map(move |(index, [long, short])| AggregatedHistoryRow {
        time: buckets.begin(index),
        aggregated_long_liquidation_usd: cents(long),
        aggregated_short_liquidation_usd: cents(short),
    });
    reading.json(&turn, move || Envelope::new(rows.collect::<Vec<_>>())).await
}

/// The ledgers of the exchanges in a list. One that is not served is refused: a sum without it would look whole.
fn at_exchanges<'a>(market: &'a ServedSymbol, list: &str) -> Result<Vec<&'a Arc<VenueLedger>>, Refusal> {
    let mut ledgers: Vec<&Arc<VenueLedger>> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let is_named =
            |ledger: &&Arc<VenueLedger>| display_name(ledger.instrument().venue).eq_ignore_ascii_case(name);
        let Some(ledger) = market.ledgers.iter().find(is_named) else {
            let name: String = name.chars().take(40).collect();
            let here: Vec<&str> = market.venues().into_iter().map(display_name).collect();
            return Err(Refusal::bad(format!(
                "parameter 'exchange_list': '{name}' has no {} here; leave it out. Exchanges that have it: {}",
                market.name,
                here.join(", ")
            )));
        };
        if !ledgers.iter().any(|one| Arc::ptr_eq(one, ledger)) {
            ledgers.push(ledger);
        }
    }
    if ledgers.is_empty() {
        return Err(Refusal::malformed("parameter 'exchange_list' names no exchange"));
    }
    Ok(ledgers)
}

pub(super) async fn coin_list(
    State(stored): State<StoredRows>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["exchange"])?;
    claims.check_channel(Channel::Liquidations)?;
    let venue = names::venue(&stored.symbols.catalog, query.required("exchange")?)?;
    let end = stored.clock.now();
    let turn = reading.turn(&stored, ReadKind::Query).await?;
    let mut rows = Vec::new();
    for market in readable(&stored.symbols, &claims) {
        let Some(ledger) = market.ledgers.iter().find(|one| one.instrument().venue == venue) else {
            continue;
        };
        let mut of_hours = [LiquidationTotals::default(); 4];
        for (totals, hours) in of_hours.iter_mut().zip([24, 12, 4, 1]) {
            let start = end.plus(-hours * HOUR_MS);
            *totals = turn.store().liquidation_totals(ledger.instrument(), start, end).await?;
        }
        rows.push(coin_row(names::split(&market.name).0, of_hours));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.liquidation_usd_24h));
    reading.json(&turn, move || Envelope::new(rows)).await
}

fn coin_row(coin: &str, [day, half, four, one]: [LiquidationTotals; 4]) -> CoinRow {
    let sum = |totals: LiquidationTotals| totals.long_usd.saturating_add(totals.short_usd);
    CoinRow {
        symbol: coin.to_owned(),
        liquidation_usd_24h: sum(day),
        long_liquidation_usd_24h: day.long_usd,
        short_liquidation_usd_24h: day.short_usd,
        liquidation_usd_12h: sum(half),
        long_liquidation_usd_12h: half.long_usd,
        short_liquidation_usd_12h: half.short_usd,
        liquidation_usd_4h: sum(four),
        long_liquidation_usd_4h: four.long_usd,
        short_liquidation_usd_4h: four.short_usd,
        liquidation_usd_1h: sum(one),
        long_liquidation_usd_1h: one.long_usd,
        short_liquidation_usd_1h: one.short_usd,
    }
}

pub(super) async fn exchange_list(
    State(stored): State<StoredRows>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["symbol", "range"])?;
    claims.check_channel(Channel::Liquidations)?;
    let range = query.word("range", &WINDOWS)?;
    let markets = match query.get("symbol") {
        Some(_) => vec![coin(&stored.symbols, &claims, &query, Channel::Liquidations)?],
        None => readable(&stored.symbols, &claims),
    };
    let hours: i64 = range.trim_end_matches('h').parse().unwrap_or(24);
    let end = stored.clock.now();
    let turn = reading.turn(&stored, ReadKind::Query).await?;
    let mut by_venue: BTreeMap<Venue, [u64; 2]> = BTreeMap::new();
    for ledger in markets.iter().flat_map(|market| &market.ledgers) {
        let start = end.plus(-hours * HOUR_MS);
        let totals = turn.store().liquidation_totals(ledger.instrument(), start, end).await?;
        let [long, short] = by_venue.entry(ledger.instrument().venue).or_default();
        *long = long.saturating_add(totals.long_usd);
        *short = short.saturating_add(totals.short_usd);
    }
    reading.json(&turn, move || Envelope::new(exchange_rows(&by_venue))).await
}

/// The sum of all, then the exchanges, largest first.
fn exchange_rows(by_venue: &BTreeMap<Venue, [u64; 2]>) -> Vec<ExchangeRow> {
    let row = |exchange, long: u64, short: u64| ExchangeRow {
        exchange,
        liquidation_usd: long.saturating_add(short),
        long_liquidation_usd: long,
        short_liquidation_usd: short,
        long_as_answered: long,
        short_as_answered: short,
    };
    let sum = |side: fn(&[u64; 2]) -> u64| by_venue.values().map(side).fold(0, u64::saturating_add);
    let mut rows: Vec<ExchangeRow> =
        by_venue.iter().map(|(venue, [long, short])| row(display_name(*venue), *long, *short)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.liquidation_usd));
    rows.insert(0, row("All", sum(|[long, _]| *long), sum(|[_, short]| *short)));
    rows
}

pub(super) async fn orders(
    State(stored): State<StoredRows>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Json<Envelope<Vec<Order>>>, Refusal> {
    query.only(&["exchange", "symbol", "min_liquidation_amount", "start_time", "end_time"])?;
    let symbol = pair(&stored.symbols, &claims, &query, Channel::Liquidations)?;
    let min_usd = min_usd(query.required("min_liquidation_amount")?)?;
    let now = stored.clock.now();
    let end = ms(&query, "end_time")?.unwrap_or(now).min(now);
    let start = ms(&query, "start_time")?.unwrap_or(end.plus(-WEEK_MS));
    if start > end {
        return Err(Refusal::malformed("parameter 'start_time' must not be later than 'end_time'"));
    }
    let turn = reading.turn(&stored, ReadKind::Query).await?;
    let mut rows = Vec::new();
    for ledger in &symbol.ledgers {
        let instrument = ledger.instrument();
        let of_venue = turn.store().liquidations(instrument, start, end, min_usd, ORDERS_MAX).await?;
        rows.extend(of_venue.iter().map(|row| order(instrument.venue, instrument.symbol.as_str(), row)));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.time));
    rows.truncate(ORDERS_MAX.get());
    Ok(Json(Envelope::new(rows)))
}

/// A number of dollars; fractions are rounded up, since liquidations are compared in whole dollars.
fn min_usd(text: &str) -> Result<u64, Refusal> {
    const MAX: f64 = 1e15;
    let number = text.parse::<f64>().ok().filter(|usd| (0.0..=MAX).contains(usd));
    number.map(|usd| trunc_u64(usd.ceil())).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        Refusal::malformed(format!(
            "parameter 'min_liquidation_amount': '{text}' must be a number of dollars, such as 10000"
        ))
    })
}

fn order(venue: Venue, pair: &str, row: &Liquidation) -> Order {
    Order {
        exchange_name: display_name(venue),
        symbol: pair.to_owned(),
        base_asset: names::split(pair).0.to_owned(),
        price: row.price.into(),
        usd_value: cents(usd(row)),
        side: match row.side {
            Side::Short => 1,
            Side::Long => 2,
        },
        time: row.time.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_end_with_the_newest_and_begin_within_the_time() {
        let limit = |n| NonZeroUsize::new(n).unwrap();
        let buckets = Buckets::new(HOUR_MS, None, UnixMs(10 * HOUR_MS + 5), limit(3));
        assert_eq!((buckets.first.0 / HOUR_MS, buckets.count), (8, 3));
        let within = |start: i64, end: i64| {
            let buckets = Buckets::new(HOUR_MS, Some(UnixMs(start)), UnixMs(end), limit(3));
            (buckets.first.0 / HOUR_MS, buckets.count)
        };
        assert_eq!(within(9 * HOUR_MS, 10 * HOUR_MS), (9, 2));
        assert_eq!(within(9 * HOUR_MS + 1, 10 * HOUR_MS), (10, 1));
        assert_eq!(within(1, 10 * HOUR_MS), (8, 3), "the newest three");
        assert_eq!(within(9 * HOUR_MS + 1, 9 * HOUR_MS + 2).1, 0, "none begins in there");
        assert_eq!(buckets.index(UnixMs(10 * HOUR_MS + 5)), Some(2));
        assert_eq!(buckets.index(UnixMs(7 * HOUR_MS)), None);
    }

    #[test]
    fn weeks_begin_on_mondays() {
        // 2026-11-27 is a Friday.
        let friday = UnixMs(1_795_737_600_000);
        let monday = floor(friday, WEEK_MS);
        assert_eq!(liqheat_wire::format_time(monday), "2026-11-23T00:00:00Z");
        assert_eq!(floor(monday, WEEK_MS), monday);
        assert_eq!(floor(UnixMs(0), WEEK_MS), UnixMs(-3 * DAY_MS));
    }

    #[test]
    fn amounts_are_dollars_rounded_up() {
        for (text, usd) in [("0", 0), ("10000", 10_000), ("10000.0", 10_000), ("10.5", 11), ("1e4", 10_000)] {
            assert_eq!(min_usd(text).ok(), Some(usd), "{text}");
        }
        for text in ["", "-1", "ten", "NaN", "inf", "1e16"] {
            assert!(min_usd(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_first_row_of_exchanges_is_their_sum() {
        let rows = exchange_rows(&[(Venue::Binance, [5, 1]), (Venue::Okx, [10, 20])].into());
        let row = |row: &ExchangeRow| {
            (row.exchange, row.liquidation_usd, row.long_liquidation_usd, row.short_as_answered)
        };
        assert_eq!(
            rows.iter().map(row).collect::<Vec<_>>(),
            [("All", 36, 15, 21), ("OKX", 30, 10, 20), ("Binance", 6, 5, 1)]
        );
    }
}
