//! `GET /v1/liquidations`: what really happened, one by one or summed by interval and venue; `/v1/liquidations/summary`:
//! its totals.

use std::num::NonZeroUsize;

use axum::extract::State;
use axum::response::Response;
use liqheat_market::{Interval, Liquidation, Price, Qty, Side, UnixMs, Venue};
use liqheat_store::LiquidationTotals;
use liqheat_wire::{
    LiquidationSummaryBody, LiquidationTotal, LiquidationWindow, LiquidationsBody, VenueLiquidations,
    format_time,
};

use super::parts::StoredRows;
use super::reading::Reading;
use crate::compact::liquidation_row;
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
pub(super) const LIMIT_DEFAULT: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
pub(super) const LIMIT_MAX: usize = 10_000;
/// Rows of one moment that a cursor may skip.
const SKIPPED_MAX: usize = 100_000;
/// Windows of the summary, shortest first.
const WINDOWS: [(&str, i64); 4] =
    [("1h", HOUR_MS), ("4h", 4 * HOUR_MS), ("12h", 12 * HOUR_MS), ("24h", DAY_MS)];

pub(super) async fn liquidations(
    State(rows): State<StoredRows>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = rows.symbols.of(&query)?;
    let now = rows.clock.now();
    let end = query.time_or("end_time", now)?.min(now);
    let start = query.time_or("start_time", end.plus(-DAY_MS))?;
    let limit = query.count_or("limit", LIMIT_DEFAULT, LIMIT_MAX)?;
    let min_usd = query.usd_or_zero("min_usd")?;
    let interval = match query.get("interval") {
        None => None,
        Some(_) => {
            let names: Vec<&str> = Interval::names().collect();
            Some(query.interval_or(&names, "")?)
        }
    };
    let page = Page { limit: limit.get(), cursor: query.get("cursor").map(Cursor::parse).transpose()? };
    let end = end.min(page.newest(interval));
    let turn = reading.turn(&rows, ReadKind::Query).await?;
    let mut rows = Vec::new();
    for ledger in &symbol.ledgers {
        let (store, instrument, rows_max) = (turn.store(), ledger.instrument(), page.rows_max());
        let of_venue = match interval {
            None => store.liquidations(instrument, start, end, min_usd, rows_max).await?,
            Some(interval) => {
                store.liquidation_sums(instrument, interval, start, end, min_usd, rows_max).await?
            }
        };
        rows.extend(of_venue.into_iter().map(|row| (instrument.venue, row)));
    }
    let name = symbol.name.clone();
    reading.json(&turn, move || body(name, rows, page)).await
}

fn body(symbol: String, rows: Vec<(Venue, Liquidation)>, page: Page) -> LiquidationsBody {
    let (rows, next) = page.of(rows);
    let data = rows.iter().map(|(venue, row)| liquidation_row(*venue, row)).collect();
    LiquidationsBody { symbol, data, next: next.map(Cursor::text) }
}

/// Where the page before began: its oldest moment, and how many rows of that moment were in it or in earlier pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    time: UnixMs,
    skip: usize,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let parsed = text.split_once('-').and_then(|(time, skip)| {
            let (time, skip) = (time.parse().ok()?, skip.parse().ok()?);
            (skip <= SKIPPED_MAX).then_some(Self { time: UnixMs(time), skip })
        });
        parsed.ok_or_else(|| {
            let text: String = text.chars().take(60).collect();
            Refusal::malformed(format!("parameter 'cursor': '{text}' must be 'next' of the page before"))
        })
    }

    fn text(self) -> String {
        format!("{}-{}", self.time.0, self.skip)
    }
}

/// Which rows of all are wanted: the newest ones before the cursor.
#[derive(Debug, Clone, Copy)]
struct Page {
    limit: usize,
    cursor: Option<Cursor>,
}

impl Page {
    /// The newest moment that a row of the page may belong to. A sum bears the beginning of its interval.
    fn newest(self, interval: Option<Interval>) -> UnixMs {
        match self.cursor {
            None => UnixMs(i64::MAX),
            Some(cursor) => cursor.time.plus(interval.map_or(0, |interval| interval.ms() - 1)),
        }
    }

    /// Rows to read of each venue: those of the page, those to skip, and one to see whether there are more.
    fn rows_max(self) -> NonZeroUsize {
        let skipped = self.cursor.map_or(0, |cursor| cursor.skip);
        NonZeroUsize::MIN.saturating_add(self.limit + skipped)
    }

    /// The rows of the page, oldest first, and where the next one goes on.
    fn of(self, mut rows: Vec<(Venue, Liquidation)>) -> (Vec<(Venue, Liquidation)>, Option<Cursor>) {
        // Of each venue the newest are here, so the newest of all are. The order within a moment is that of the store.
        rows.sort_by_key(|(venue, row)| place(*venue, row));
        if let Some(cursor) = self.cursor {
            let at_cursor = rows.iter().filter(|(_, row)| row.time == cursor.time).count();
            rows.truncate(rows.len() - cursor.skip.min(at_cursor));
        }
        let older = rows.len().saturating_sub(self.limit);
        let page = rows.split_off(older);
        let next = page.first().filter(|_| older > 0).map(|(_, first)| {
            let here = page.iter().filter(|(_, row)| row.time == first.time).count();
            let before =
                self.cursor.filter(|cursor| cursor.time == first.time).map_or(0, |cursor| cursor.skip);
            Cursor { time: first.time, skip: here + before }
        });
        (page, next)
    }
}

/// The order of rows: by time, and fixed within a moment.
fn place(venue: Venue, row: &Liquidation) -> (UnixMs, Venue, Side, Price, Qty) {
    (row.time, venue, row.side, row.price, row.qty)
}

pub(super) async fn summary(
    State(rows): State<StoredRows>,
    reading: Reading,
    query: Query,
) -> Result<Response, Refusal> {
    let symbol = rows.symbols.of(&query)?;
    let end = rows.clock.now();
    let turn = reading.turn(&rows, ReadKind::Query).await?;
    let mut windows = Vec::with_capacity(WINDOWS.len());
    for (window, length) in WINDOWS {
        let start = end.plus(-length);
        let mut venues = Vec::with_capacity(symbol.ledgers.len());
        for ledger in &symbol.ledgers {
            let instrument = ledger.instrument();
            let totals = turn.store().liquidation_totals(instrument, start, end).await?;
            venues.push(VenueLiquidations { venue: instrument.venue.name(), total: total_of(totals) });
        }
        windows.push(LiquidationWindow {
            window,
            start_time: format_time(start),
            total: venues.iter().fold(LiquidationTotal::default(), |all, venue| add(all, venue.total)),
            venues,
        });
    }
    let body = LiquidationSummaryBody { symbol: symbol.name.clone(), end_time: format_time(end), windows };
    reading.json(&turn, move || body).await
}

const fn total_of(totals: LiquidationTotals) -> LiquidationTotal {
    let LiquidationTotals { long_usd, short_usd, long_count, short_count } = totals;
    LiquidationTotal { long_usd, short_usd, long_count, short_count }
}

const fn add(a: LiquidationTotal, b: LiquidationTotal) -> LiquidationTotal {
    LiquidationTotal {
        long_usd: a.long_usd.saturating_add(b.long_usd),
        short_usd: a.short_usd.saturating_add(b.short_usd),
        long_count: a.long_count.saturating_add(b.long_count),
        short_count: a.short_count.saturating_add(b.short_count),
    }
}

#[cfg(test)]
mod tests {
    use liqheat_market::PriceKind;
    use proptest::prelude::*;

    use super::*;

    fn row(time: i64, price: i64) -> Liquidation {
        Liquidation {
            time: UnixMs(time),
            side: Side::Long,
            price: Price::from_units(price),
            qty: Qty::from_units(1),
            price_kind: PriceKind::Fill,
        }
    }

    #[test]
    fn a_cursor_is_read_back_and_nonsense_refused() {
        let cursor = Cursor { time: UnixMs(1_766_932_200_000), skip: 3 };
        assert_eq!(Cursor::parse(&cursor.text()).ok(), Some(cursor));
        for text in ["", "7", "-", "7-", "-7", "7-x", "x-7", "-7-1", "1-100001", "99999999999999999999-1"] {
            assert!(Cursor::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        /// Page after page gives every row once, newest page first, however many fall on one moment.
        #[test]
        fn pages_give_every_row_once(
            rows in prop::collection::btree_set((0i64..6, 0i64..40, prop::bool::ANY), 0..60),
            limit in 1usize..9,
        ) {
            let venue = |second: bool| if second { Venue::Okx } else { Venue::Binance };
            let all: Vec<(Venue, Liquidation)> =
                rows.iter().map(|(time, price, second)| (venue(*second), row(*time, *price))).collect();
            let mut expected = all.clone();
            expected.sort_by_key(|(venue, row)| place(*venue, row));
            let mut page = Page { limit, cursor: None };
            let mut got: Vec<(Venue, Liquidation)> = Vec::new();
            loop {
                // What the store would give: of each venue the newest rows up to the cursor's moment.
                let mut stored = Vec::new();
                for venue in [Venue::Binance, Venue::Okx] {
                    let mut of_venue: Vec<_> = expected
                        .iter()
                        .filter(|(one, row)| *one == venue && row.time <= page.newest(None))
                        .copied()
                        .collect();
                    let older = of_venue.len().saturating_sub(page.rows_max().get());
                    stored.extend(of_venue.split_off(older));
                }
                let (rows, next) = page.of(stored);
                prop_assert!(rows.len() <= limit);
                got.splice(0..0, rows);
                match next {
                    Some(cursor) => page.cursor = Some(cursor),
                    None => break,
                }
                prop_assert!(got.len() <= expected.len());
            }
            prop_assert_eq!(got, expected);
        }
    }
}
