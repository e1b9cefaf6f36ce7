//! Liquidations that happened, at the price where the model says they begin.

use liqheat_market::convert::trunc_usize;
use liqheat_market::{Liquidation, PriceKind, Side, TierTable, UnixMs};
use liqheat_model::liquidation_price_of_bankruptcy;

/// One realised liquidation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RealisedLiquidation {
    pub(crate) time: UnixMs,
    pub(crate) side: Side,
    /// Liquidation price.
    pub(crate) price: f64,
    /// Coins times liquidation price.
    pub(crate) usd: f64,
}

/// Liquidations in order of time. Bankruptcy prices become liquidation prices under the venue's margin tiers; prices
/// of fills are taken as they are. Rows without a size or price are skipped.
pub(crate) fn realised(liquidations: &[Liquidation], tiers: &TierTable) -> Vec<RealisedLiquidation> {
    let usable = liquidations.iter().filter(|row| row.qty.is_positive() && row.price.is_positive());
    let mut realised: Vec<RealisedLiquidation> = usable
        .map(|row| {
            let (reported, qty) = (row.price.to_f64(), row.qty.to_f64());
            let price = match row.price_kind {
                PriceKind::Bankruptcy => liquidation_price_of_bankruptcy(row.side, reported, qty, tiers),
                PriceKind::Fill => reported,
            };
            RealisedLiquidation { time: row.time, side: row.side, price, usd: qty * price }
        })
        .collect();
    realised.sort_by_key(|row| row.time);
    realised
}

/// Those of a stretch of time, `from` inclusive, `to` exclusive.
pub(crate) fn between(realised: &[RealisedLiquidation], from: UnixMs, to: UnixMs) -> &[RealisedLiquidation] {
    let start = realised.partition_point(|row| row.time < from);
    let end = start + realised[start..].partition_point(|row| row.time < to);
    &realised[start..end]
}

/// USD liquidated in each of `cells` cells of one side, counted from the price at the start of the window.
pub(crate) fn usd_by_cell(window: &[RealisedLiquidation], side: Side, price: f64, cells: usize) -> Vec<f64> {
    let mut usd = vec![0.0; cells];
    for row in window.iter().filter(|row| row.side == side) {
        if let Some(sum) = cell_of(side, price, row.price).and_then(|cell| usd.get_mut(cell)) {
            *sum += row.usd;
        }
    }
    usd
}

/// The cell of a level; `None` on the other side of the price.
pub(crate) fn cell_of(side: Side, price: f64, level: f64) -> Option<usize> {
    let distance = -side.sign() * (level / price).ln();
    (distance >= 0.0).then(|| trunc_usize(distance / crate::CELL_WIDTH))
}
