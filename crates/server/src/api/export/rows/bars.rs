//! Candles of each venue.

use std::num::NonZeroUsize;

use liqheat_market::convert::signed_len;
use liqheat_market::{Interval, Kline, Qty, UnixMs};
use liqheat_store::{ColumnKind, ExportValue};
use liqheat_wire::Channel;

use super::super::super::parts::StoredRows;
use super::super::super::reading::Reading;
use super::super::table::TableBuilder;
use super::super::{ExportRequest, ROWS_MAX, too_many};
use super::values::{decimal, price};
use super::{ExportKind, ExportScope, column};
use crate::catalog::VenueLedger;
use crate::http::Refusal;
use crate::reads::ReadKind;

/// Candles of each venue.
pub(super) static KIND: ExportKind = ExportKind {
    name: "bars",
    channel: Channel::Price,
    scope: ExportScope::Candles,
    reach_ms: 0,
    is_measured: false,
    columns: &[
        column("time", ColumnKind::Time),
        column("venue", ColumnKind::Text),
        column("open", ColumnKind::Number),
        column("high", ColumnKind::Number),
        column("low", ColumnKind::Number),
        column("close", ColumnKind::Number),
        column("volume", ColumnKind::Number),
        column("taker_buy_volume", ColumnKind::Number),
        column("trades", ColumnKind::Whole),
    ],
    append: |table, reading, wanted| Box::pin(append(table, reading, wanted)),
};

/// The candles of one venue after the other.
async fn append<'a>(
    mut table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    /// Candles of a query, so that others have turns in between.
    const CANDLES: i64 = 20_000;
    let ExportRequest { interval, from, to, .. } = *wanted;
    let whole = to.since(from) / interval.ms() * signed_len(wanted.symbol.ledgers.len());
    if u64::try_from(whole).unwrap_or(0) > ROWS_MAX {
        return Err(too_many());
    }
    for ledger in &wanted.symbol.ledgers {
        let venue = ledger.instrument().venue.name();
        let first = ledger.first_bar().unwrap_or(from);
        let ms = interval.ms();
        let mut begin = from.max(first.floor_to(ms)).plus(ms - 1).floor_to(ms);
        while begin < to {
            let end = begin.plus(interval.ms() * CANDLES).min(to);
            let candles = candles(&table.state.model.rows, reading, ledger, interval, begin, end).await?;
            table = table.append(candles, move |candle| bar(venue, candle)).await?;
            begin = end;
        }
    }
    Ok(table)
}

/// The candles that open from `begin` to before `end`.
async fn candles(
    rows: &StoredRows,
    reading: Reading,
    ledger: &VenueLedger,
    interval: Interval,
    begin: UnixMs,
    end: UnixMs,
) -> Result<Vec<Kline>, Refusal> {
    let turn = reading.turn(rows, ReadKind::Query).await?;
    let limit = usize::try_from(end.since(begin) / interval.ms()).unwrap_or(0);
    let limit = NonZeroUsize::MIN.saturating_add(limit.saturating_add(1));
    // The candle that opens last counts whole, as far as it has grown.
    let as_of = end.plus(interval.ms() - 1).floor_to(interval.ms()).min(rows.clock.now());
    let mut candles = turn.store().candles(ledger.instrument(), interval, as_of, limit).await?;
    candles.retain(|candle| candle.open_time >= begin && candle.open_time < end);
    Ok(candles)
}

fn bar(venue: &'static str, candle: &Kline) -> Vec<ExportValue> {
    let qty = |qty: Option<Qty>| {
        qty.map_or(ExportValue::Unknown, |qty| ExportValue::Number(decimal(&qty.to_string())))
    };
    vec![
        ExportValue::Time(candle.open_time),
        ExportValue::Text(venue),
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        qty(candle.volume),
        qty(candle.taker_buy_volume),
        candle.trades.map_or(ExportValue::Unknown, ExportValue::Whole),
    ]
}
