//! Realised liquidations, one by one.

use std::num::NonZeroUsize;

use liqheat_market::convert::trunc_i64;
use liqheat_market::{Liquidation, PriceKind, UnixMs};
use liqheat_store::{ColumnKind, ExportValue};
use liqheat_wire::Channel;

use super::super::super::reading::Reading;
use super::super::table::TableBuilder;
use super::super::{DAY_MS, ExportRequest};
use super::values::{decimal, price};
use super::{ExportKind, ExportScope, column};
use crate::http::Refusal;
use crate::reads::ReadKind;

/// Realised liquidations, one by one.
pub(super) static KIND: ExportKind = ExportKind {
    name: "liquidations",
    channel: Channel::Liquidations,
    scope: ExportScope::Period,
    reach_ms: 0,
    is_measured: false,
    columns: &[
        column("time", ColumnKind::Time),
        column("venue", ColumnKind::Text),
        column("side", ColumnKind::Text),
        column("price", ColumnKind::Number),
        column("quantity", ColumnKind::Number),
        column("usd", ColumnKind::Whole),
        column("price_kind", ColumnKind::Text),
    ],
    append: |table, reading, wanted| Box::pin(append(table, reading, wanted)),
};

/// The liquidations of one venue after the other.
async fn append<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Rows of a query.
    const ROWS: NonZeroUsize = NonZeroUsize::new(50_000).unwrap();
    for ledger in &wanted.symbol.ledgers {
        let instrument = ledger.instrument();
        let venue = instrument.venue.name();
        let mut windows = Windows::new(wanted.from, wanted.to);
        while let Some((begin, end)) = windows.next() {
            let turn = reading.turn(&table.state.model.rows, ReadKind::Query).await?;
            // A window that cannot be cut further is read whole.
            let limit = if end.since(begin) <= 1 { NonZeroUsize::MAX } else { ROWS };
            let rows = turn.store().liquidations(instrument, begin, end.plus(-1), 0, limit).await?;
            drop(turn);
            if rows.len() >= limit.get() {
                windows.halve();
                continue;
            }
            windows.advance();
            table = table.append(rows, move |row| liquidation(venue, row)).await?;
        }
    }
    Ok(table)
}

/// Windows over a time, cut in halves where one holds too many rows.
#[derive(Debug)]
struct Windows {
    begin: UnixMs,
    end: UnixMs,
    length_ms: i64,
}

impl Windows {
    const LONGEST_MS: i64 = 30 * DAY_MS;

    const fn new(begin: UnixMs, end: UnixMs) -> Self {
        Self { begin, end, length_ms: Self::LONGEST_MS }
    }

    /// The next window, end exclusive.
    fn next(&self) -> Option<(UnixMs, UnixMs)> {
        (self.begin < self.end).then(|| (self.begin, self.begin.plus(self.length_ms).min(self.end)))
    }

    /// The window held too many rows.
    fn halve(&mut self) {
        let (begin, end) = self.next().unwrap_or((self.begin, self.end));
        self.length_ms = (end.since(begin) / 2).max(1);
    }

    /// The window was read.
    fn advance(&mut self) {
        if let Some((_, end)) = self.next() {
            self.begin = end;
            self.length_ms = self.length_ms.saturating_mul(2).min(Self::LONGEST_MS);
        }
    }
}

fn liquidation(venue: &'static str, row: &Liquidation) -> Vec<ExportValue> {
    vec![
        ExportValue::Time(row.time),
        ExportValue::Text(venue),
        ExportValue::Text(row.side.name()),
        price(row.price),
        ExportValue::Number(decimal(&row.qty.to_string())),
        ExportValue::Whole(trunc_i64((row.price.to_f64() * row.qty.to_f64()).round())),
        ExportValue::Text(match row.price_kind {
            PriceKind::Fill => "fill",
            PriceKind::Bankruptcy => "bankruptcy",
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_time_once_however_they_are_cut() {
        const DAY: i64 = DAY_MS;
        let mut windows = Windows::new(UnixMs(5), UnixMs(100 * DAY));
        let (mut covered, mut halved) = (Vec::new(), 0);
        while let Some((begin, end)) = windows.next() {
            assert!(begin < end);
            // Days 40 to 41 hold many rows.
            let is_crowded = begin.0 < 41 * DAY && end.0 > 40 * DAY && end.since(begin) > DAY / 8;
            if is_crowded {
                windows.halve();
                halved += 1;
            } else {
                covered.push((begin, end));
                windows.advance();
            }
        }
        assert!(halved > 4, "{halved}");
        assert_eq!((covered[0].0, covered.last().unwrap().1), (UnixMs(5), UnixMs(100 * DAY)));
        assert!(covered.windows(2).all(|pair| pair[0].1 == pair[1].0));
        let mut one = Windows::new(UnixMs(5), UnixMs(6));
        one.halve();
        assert_eq!(one.next(), Some((UnixMs(5), UnixMs(6))));
    }
}
