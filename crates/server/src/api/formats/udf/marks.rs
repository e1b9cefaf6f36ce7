//! `/udf/marks` and `/udf/timescale_marks`: intervals in which far more than usual was liquidated, and those in which the
//! price went through far more estimated levels than usual (sweeps).

use std::num::NonZeroUsize;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use liqheat_market::convert::{approx_f64, signed_len};
use liqheat_market::{Interval, Price, Side, UnixMs};
use liqheat_wire::Channel;

use super::super::super::parts::{ModelState, StoredRows};
use super::super::super::reading::Reading;
use super::super::claims::Claims;
use super::super::{FormatKey, FormatState};
use super::shapes::{Marks, TimescaleMark};
use super::{interval, seconds, symbol};
use crate::catalog::ServedSymbol;
use crate::history::{GridRequest, GridSpan};
use crate::http::{Query, Refusal};
use crate::reads::ReadKind;

/// An interval is marked when it has this many times the mean of the intervals that have any.
const TIMES_MEAN: f64 = 3.0;
/// Most marks of a kind, the largest ones.
const MARKS_MAX: usize = 25;
/// Intervals of a request; a chart shows fewer.
const INTERVALS_MAX: i64 = 4_000;
/// Rows of the grid under the sweeps are this many base bins high: only sums of columns are used.
const BINS_OF_ROW: i64 = 200;

const SWEEP_COLOUR: &str = "#c79a2a";
const LONG_COLOUR: &str = "#d1495b";
const SHORT_COLOUR: &str = "#2e9e6b";

/// An event that a mark on the chart shows.
#[derive(Debug, Clone, PartialEq)]
struct MarkedEvent {
    kind: Kind,
    /// Beginning of the interval.
    time: UnixMs,
    usd: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Positions of this side were really liquidated.
    Liquidated(Side),
    /// The price went through estimated levels.
    Sweep,
}

/// Parameters of a request.
#[derive(Debug, Clone, Copy)]
struct MarksQuery {
    interval: Interval,
    from: UnixMs,
    to: UnixMs,
}

impl MarksQuery {
    /// Times are widened to whole intervals.
    fn of(query: &Query, symbol: &ServedSymbol, now: UnixMs) -> Result<Self, Refusal> {
        let interval = interval(query, symbol)?;
        let from = seconds(query, "from")?.max(UnixMs(0)).floor_to(interval.ms());
        let to = seconds(query, "to")?.min(now).plus(interval.ms() - 1).floor_to(interval.ms());
        if to.since(from) / interval.ms() > INTERVALS_MAX {
            return Err(Refusal::malformed(format!(
                "more than {INTERVALS_MAX} intervals of {interval}; ask for a shorter time or a longer resolution"
            )));
        }
        Ok(Self { interval, from, to })
    }
}

pub(super) async fn marks(
    State(FormatState { model, flights }): State<FormatState>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["symbol", "resolution", "from", "to"])?;
    let symbol = symbol(&model.rows.symbols, &claims, &query, Channel::Heatmap)?;
    claims.check_channel(Channel::Liquidations)?;
    let wanted = MarksQuery::of(&query, symbol, model.rows.clock.now())?;
    let MarksQuery { interval, from, to } = wanted;
    let key = FormatKey {
        request: format!("udf marks {interval} {} {}", from.0, to.0),
        symbol: symbol.name.clone(),
        accepts_gzip: reading.accepts_gzip(),
    };
    let body = flights.get(key, async || {
        let mut marked = liquidated(&model.rows, reading, symbol, wanted).await?;
        marked.extend(swept(&model, reading, symbol, wanted).await?);
        let turn = reading.turn(&model.rows, ReadKind::Query).await?;
        let body = reading.write_json(&turn, move || table(&marked)).await?;
        let bytes = body.len();
        Ok::<_, Refusal>((body, bytes))
    });
    Ok(body.await?.into_response())
}

pub(super) async fn timescale_marks(
    State(stored): State<StoredRows>,
    reading: Reading,
    claims: Claims,
    query: Query,
) -> Result<Response, Refusal> {
    query.only(&["symbol", "resolution", "from", "to"])?;
    let symbol = symbol(&stored.symbols, &claims, &query, Channel::Liquidations)?;
    let wanted = MarksQuery::of(&query, symbol, stored.clock.now())?;
    let marked = liquidated(&stored, reading, symbol, wanted).await?;
    let turn = reading.turn(&stored, ReadKind::Query).await?;
    reading.json(&turn, move || marked.iter().map(on_timescale).collect::<Vec<_>>()).await
}

/// The intervals in which most was really liquidated, by side.
async fn liquidated(
    stored: &StoredRows,
    reading: Reading,
    symbol: &ServedSymbol,
    wanted: MarksQuery,
) -> Result<Vec<MarkedEvent>, Refusal> {
    /// Kinds of price and sides.
    const ROWS_OF_INTERVAL: usize = 4;
    let MarksQuery { interval, from, to } = wanted;
    let intervals = usize::try_from(to.since(from) / interval.ms()).unwrap_or(0);
    let Some(rows_max) = NonZeroUsize::new(intervals * ROWS_OF_INTERVAL) else { return Ok(Vec::new()) };
    let turn = reading.turn(stored, ReadKind::Query).await?;
    let mut sides = [vec![0.0; intervals], vec![0.0; intervals]];
    for ledger in &symbol.ledgers {
        let (store, instrument) = (turn.store(), ledger.instrument());
        for row in store.liquidation_sums(instrument, interval, from, to.plus(-1), 0, rows_max).await? {
            let index = usize::try_from(row.time.since(from) / interval.ms()).ok();
            let [long, short] = &mut sides;
            let side = if row.side == Side::Long { long } else { short };
            if let Some(sum) = index.and_then(|index| side.get_mut(index)) {
                *sum += row.price.to_f64() * row.qty.to_f64();
            }
        }
    }
    let of_side = |(side, sums): (Side, &Vec<f64>)| {
        let kind = Kind::Liquidated(side);
        largest(sums)
            .into_iter()
            .map(move |(index, usd)| marked(kind, wanted, index, usd))
            .collect::<Vec<_>>()
    };
    Ok([Side::Long, Side::Short].into_iter().zip(&sides).flat_map(of_side).collect())
}

/// The intervals in which the price went through most of the estimated levels.
async fn swept(
    model: &ModelState,
    reading: Reading,
    symbol: &ServedSymbol,
    wanted: MarksQuery,
) -> Result<Vec<MarkedEvent>, Refusal> {
    let MarksQuery { interval, from, to } = wanted;
    let columns = usize::try_from(to.since(from) / interval.ms()).unwrap_or(0);
    if columns == 0 || !symbol.bars_fit(interval.ms()) {
        return Ok(Vec::new());
    }
    let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
    let sum = model.present.local_sum(symbol).await?;
    if from >= sum.as_of {
        return Ok(Vec::new());
    }
    let request = GridRequest {
        span: GridSpan::Between { from, to },
        prices: None,
        bin: Some(Price::from_units(sum.base_bin.units().saturating_mul(BINS_OF_ROW))),
        columns: Some(columns),
        compact: None,
        by_leverage: false,
        is_gzipped: false,
    };
    let grid = turn.paint(symbol, &sum, request).await?.grid;
    Ok(largest(&grid.consumed_usd)
        .into_iter()
        .map(|(index, usd)| marked(Kind::Sweep, wanted, index, usd))
        .collect())
}

fn marked(kind: Kind, wanted: MarksQuery, index: usize, usd: f64) -> MarkedEvent {
    MarkedEvent { kind, time: wanted.from.plus(wanted.interval.ms() * signed_len(index)), usd }
}

/// The values that stand out, by index: at least [`TIMES_MEAN`] the mean of those above zero, at most [`MARKS_MAX`].
fn largest(values: &[f64]) -> Vec<(usize, f64)> {
    let some = values.iter().filter(|value| **value > 0.0);
    let count = some.clone().count();
    if count == 0 {
        return Vec::new();
    }
    let least = TIMES_MEAN * some.sum::<f64>() / approx_f64(count);
    let mut found: Vec<(usize, f64)> =
        values.iter().copied().enumerate().filter(|(_, value)| *value >= least && *value > 0.0).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.truncate(MARKS_MAX);
    found.sort_by_key(|(index, _)| *index);
    found
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Liquidated(Side::Long) => "long",
            Self::Liquidated(Side::Short) => "short",
            Self::Sweep => "sweep",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Self::Liquidated(Side::Long) => LONG_COLOUR,
            Self::Liquidated(Side::Short) => SHORT_COLOUR,
            Self::Sweep => SWEEP_COLOUR,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Liquidated(Side::Long) => "L",
            Self::Liquidated(Side::Short) => "S",
            Self::Sweep => "W",
        }
    }
}

impl MarkedEvent {
    fn id(&self) -> String {
        format!("{}-{}", self.kind.word(), self.time.0 / 1_000)
    }

    fn text(&self) -> String {
        let usd = short_usd(self.usd);
        match self.kind {
            Kind::Liquidated(side) => format!("{usd} of {}s liquidated", side.name()),
            Kind::Sweep => format!("{usd} of estimated levels swept"),
        }
    }
}

fn table(marked: &[MarkedEvent]) -> Marks {
    let mut marks = Marks::default();
    for one in marked {
        marks.id.push(one.id());
        marks.time.push(one.time.0 / 1_000);
        marks.color.push(one.kind.colour());
        marks.text.push(one.text());
        marks.label.push(one.kind.label());
        marks.label_font_color.push("#ffffff");
        marks.min_size.push(14);
    }
    marks
}

fn on_timescale(one: &MarkedEvent) -> TimescaleMark {
    TimescaleMark {
        id: one.id(),
        time: one.time.0 / 1_000,
        color: one.kind.colour(),
        label: one.kind.label(),
        tooltip: vec![one.text()],
    }
}

/// `$1.2M`.
fn short_usd(usd: f64) -> String {
    match usd {
        _ if usd >= 1e9 => format!("${:.1}B", usd / 1e9),
        _ if usd >= 1e6 => format!("${:.1}M", usd / 1e6),
        _ if usd >= 1e3 => format!("${:.1}k", usd / 1e3),
        _ => format!("${usd:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_out_is_marked_and_no_more_than_fits() {
        assert_eq!(largest(&[]), []);
        assert_eq!(largest(&[0.0, 0.0]), []);
        assert_eq!(largest(&[5.0, 5.0, 5.0]), [], "nothing stands out");
        assert_eq!(largest(&[1.0, 1.0, 0.0, 1.0, 10.0, 1.0]), [(4, 10.0)]);
        let many: Vec<f64> = (0..4_000).map(|n| if n % 50 == 0 { 1e3 + f64::from(n) } else { 1.0 }).collect();
        let found = largest(&many);
        assert_eq!((found.len(), found.last().unwrap().0), (MARKS_MAX, 3_950));
        assert!(found.is_sorted_by_key(|(index, _)| *index));
    }

    #[test]
    fn marks_are_columns_of_one_length() {
        let time = UnixMs(1_756_080_000_000);
        let marks = table(&[
            MarkedEvent { kind: Kind::Sweep, time, usd: 1_234_567.0 },
            MarkedEvent { kind: Kind::Liquidated(Side::Long), time, usd: 999.4 },
        ]);
        assert_eq!(marks.id, ["sweep-1756080000", "long-1756080000"]);
        assert_eq!(marks.text, ["$1.2M of estimated levels swept", "$999 of longs liquidated"]);
        let lengths = [marks.time.len(), marks.color.len(), marks.label.len(), marks.min_size.len()];
        assert_eq!(lengths, [2; 4]);
    }
}
