//! The grid of a layer of measured positions: what was stored of it every five minutes, and what is shown of it now.

use bytes::Bytes;
use liqheat_market::convert::signed_len;
use liqheat_market::{Price, UnixMs};
use liqheat_measured::LAYER_EVERY_MS;
use liqheat_model::GridSpec;
use liqheat_store::LayerReach;
use liqheat_wire::GridHeader;

use super::grid_body::{GridSubject, header_over, write};
use super::measured::nothing_measured;
use super::parts::{ModelState, NamedLayer};
use super::reading::Reading;
use crate::history::{
    ColumnSteps, GridRequest, GridSpan, HistoryError, HistoryTurn, LayerPainter, LayerPicture, held_from,
};
use crate::http::Refusal;
use crate::measured::{MeasuredSymbol, ShownLayer, VENUE};
use crate::reads::ReadKind;

/// Columns whose layers are in memory at once.
const COLUMNS_AT_ONCE: usize = 128;

/// What a grid is made of besides the stored layers.
struct Basis<'a> {
    symbol: &'a MeasuredSymbol,
    /// The newest layer, where the grid reaches up to now.
    live: Option<&'a ShownLayer>,
    spec: GridSpec,
}

pub(super) async fn grid(
    model: &ModelState,
    NamedLayer { measured, symbol }: NamedLayer<'_>,
    reading: Reading,
    request: GridRequest,
) -> Result<Bytes, Refusal> {
    let turn = model.history.in_turn(reading.turn(&model.rows, ReadKind::ModelRun).await?);
    let shown = measured.shown(symbol);
    let now = shown.as_ref().map_or_else(|| model.rows.clock.now(), |shown| shown.as_of);
    let (from, to) = match request.span {
        GridSpan::Latest(range) => (now.plus(-range.ms()), now),
        GridSpan::Between { from, to } => (from, to.min(now)),
    };
    let reach = turn.store().measured_reach(&symbol.instrument(), from, to).await?;
    let live = shown.as_deref().filter(|shown| shown.as_of <= to);
    let Some(rows) = RowBasis::of(reach, live, shown.as_deref()) else {
        return Err(nothing_measured(symbol));
    };
    let steps = ColumnSteps { first: reach.map(|reach| reach.first), step_ms: LAYER_EVERY_MS };
    // A layer is stored for the moment at which its five minutes begin, which may be later than the marks of the newest.
    let as_of = reach.map_or(now, |reach| reach.last.max(now));
    let (start, column_ms, columns) = request.span.columns(steps, as_of, request.columns);
    let (low, high) = rows.marks;
    let (price_low, bin, rows) = request.rows(low, high, rows.bin, columns);
    let spec = GridSpec { start, column_ms, columns, price_low, bin, rows };
    let basis = Basis { symbol, live, spec };
    let picture = paint(&turn, &basis).await?;
    let header = header_of(model, &basis, as_of.min(to), &picture);
    Ok(turn.compute(move || write(request, header, &picture.grid)).await)
}

/// What decides the rows.
struct RowBasis {
    bin: Price,
    marks: (Price, Price),
}

impl RowBasis {
    /// `None` where nothing was ever measured. What is shown now counts where the grid reaches up to it, and where nothing is
    /// stored of the time.
    fn of(reach: Option<LayerReach>, live: Option<&ShownLayer>, shown: Option<&ShownLayer>) -> Option<Self> {
        let stored = reach.and_then(|reach| reach.marks);
        let marks = match (stored, live.map(ShownLayer::mark)) {
            (Some((low, high)), Some(mark)) => (low.min(mark), high.max(mark)),
            (Some(marks), None) => marks,
            (None, _) => {
                let mark = shown.map(ShownLayer::mark).or(reach.map(|reach| reach.mark))?;
                (mark, mark)
            }
        };
        let bin =
            live.map(|live| live.bin).or(reach.map(|reach| reach.bin)).or(shown.map(|shown| shown.bin))?;
        Some(Self { bin, marks })
    }
}

async fn paint(turn: &HistoryTurn<'_>, basis: &Basis<'_>) -> Result<LayerPicture, Refusal> {
    let GridSpec { start, column_ms, columns, .. } = basis.spec;
    let (store, instrument) = (turn.store(), basis.symbol.instrument());
    let before = store.latest_measured_layer(&instrument, held_from(start), start).await?;
    let mut painter = LayerPainter::new(basis.spec, before).map_err(HistoryError::from)?;
    for first in (0..columns).step_by(COLUMNS_AT_ONCE) {
        let edge = |column: usize| start.plus(column_ms.saturating_mul(signed_len(column)));
        let (from, to) = (edge(first), edge((first + COLUMNS_AT_ONCE).min(columns)));
        let layers = store.measured_layers(&instrument, from, to, column_ms).await?;
        painter = turn
            .compute(move || {
                layers.into_iter().for_each(|layer| painter.put(layer));
                painter
            })
            .await;
    }
    if let Some(live) = basis.live {
        painter.put(live.as_stored(live.as_of));
    }
    Ok(turn.compute(move || painter.finish()).await)
}

fn header_of(model: &ModelState, basis: &Basis<'_>, as_of: UnixMs, picture: &LayerPicture) -> GridHeader {
    let name = &basis.symbol.name;
    let published = &model.present.published;
    let epoch = published.epoch(name).unwrap_or_default().to_string();
    let state = published.feed_state(name);
    GridHeader {
        coverage_long: picture.coverage_long.clone(),
        coverage_short: picture.coverage_short.clone(),
        ..header_over(GridSubject { symbol: name, venue: VENUE.name(), epoch, state }, as_of, &picture.grid)
    }
}
