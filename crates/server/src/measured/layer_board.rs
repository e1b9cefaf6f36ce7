//! The layer of a symbol, and the board that shows it.

use liqheat_market::convert::round_u64;
use liqheat_market::{Price, UnixMs};
use liqheat_measured::{AccountTracker, LayerLevel, LayerRequest};
use liqheat_stream::{BoardUpdate, Counters};
use liqheat_wire::Cell;

use super::{MeasuredSymbol, ShownLayer};

/// Most positions that are listed as closest to liquidation.
const CLOSEST_MAX: usize = 100;

/// The layer of a symbol in bins of this height; `None` while the venue's mark of it is unknown.
pub(super) fn layer_of(
    tracker: &AccountTracker,
    symbol: &MeasuredSymbol,
    bin: Price,
    now: UnixMs,
) -> Option<ShownLayer> {
    let pack = symbol.contract.pack();
    let request =
        LayerRequest { coin: &symbol.contract.name, bin: bin.to_f64() * pack, closest: CLOSEST_MAX };
    Some(ShownLayer {
        as_of: tracker.marked()?,
        bin,
        pack,
        layer: tracker.layer(request, now)?,
        addresses: tracker.addresses(),
        late: tracker.late(now),
    })
}

/// The board of a layer; `None` where its price cannot be held.
pub(super) fn update_of(shown: &ShownLayer, run: &str) -> Option<BoardUpdate> {
    let cell = |level: &LayerLevel| Cell {
        price: Price::from_units(level.index.saturating_mul(shown.bin.units())),
        long_usd: round_u64(level.long_usd),
        short_usd: round_u64(level.short_usd),
    };
    Some(BoardUpdate {
        epoch: format!("{run}-m{}", shown.bin.units()),
        cells: shown.layer.levels.iter().map(cell).filter(|cell| !cell.is_empty()).collect(),
        price: Some(shown.mark()).filter(|mark| mark.is_positive())?,
        base_bin: shown.bin,
        as_of: shown.as_of,
        // Positions are counted where they are estimated.
        counters: Counters::default(),
    })
}
