//! The rows of compact answers, which HTTP routes and channels share.

use liqheat_market::convert::round_u64;
use liqheat_market::{Liquidation, Price, Side, Venue};
use liqheat_model::LeverageLevel;
use liqheat_wire::{LeverageUsd, LiquidationRow, StateReference, WallRow, WallsBody, format_time};

use super::{SideMass, UNCLASSED, Wall, distance_pct, leverages_of, walls, whole_parts};
use crate::catalog::leverage_of;
use crate::engine::whole_usd;

/// Which walls are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallSelection {
    /// Greatest distance from the price, per cent.
    pub(crate) range_pct: f64,
    /// Fewest dollars.
    pub(crate) min_usd: u64,
    /// Most walls; those with the most dollars first.
    pub(crate) limit: usize,
}

impl WallSelection {
    pub(crate) const LIMIT_DEFAULT: usize = 10;
}

impl Default for WallSelection {
    /// What a request without parameters asks for.
    fn default() -> Self {
        Self { range_pct: f64::INFINITY, min_usd: 0, limit: Self::LIMIT_DEFAULT }
    }
}

/// The levels that walls are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallLevels<'a> {
    pub(crate) by_leverage: &'a [LeverageLevel],
    /// Height of a level.
    pub(crate) base_bin: Price,
    /// Dollars expected to be liquidated within an hour, in the same bins; `None` where that is not known.
    pub(crate) within_an_hour: Option<&'a [LeverageLevel]>,
    /// The levels' dollars times their freshness; `None` where that is not wanted.
    pub(crate) fresh: Option<&'a [LeverageLevel]>,
}

/// The walls of a state at a price.
pub(crate) fn walls_body(
    reference: StateReference,
    levels: WallLevels<'_>,
    price: Price,
    selection: WallSelection,
) -> WallsBody {
    let leverages = leverages_of(levels.by_leverage);
    let sides = Side::BOTH.map(|side| SideMass::new(side, levels.by_leverage, levels.base_bin, &leverages));
    let rows_of = |side: &SideMass| rows(side, levels, price);
    let mut rows: Vec<WallRow> = sides.iter().flat_map(rows_of).collect();
    rows.retain(|row| row.distance_pct.abs() <= selection.range_pct && row.usd >= selection.min_usd);
    rows.sort_by(|a, b| b.usd.cmp(&a.usd).then_with(|| a.low.cmp(&b.low)));
    rows.truncate(selection.limit);
    let [long_usd, short_usd] = sides.map(|side| whole_usd(side.usd()));
    WallsBody { reference, long_usd, short_usd, walls: rows }
}

fn rows(mass: &SideMass, levels: WallLevels<'_>, price: Price) -> Vec<WallRow> {
    let of_side = mass.usd();
    let freshness = |wall: &Wall, fresh: &[LeverageLevel]| {
        rounded((usd_in(wall, fresh) / wall.usd()).clamp(0.0, 1.0), 1e3)
    };
    let row_of = |wall: &Wall| WallRow {
        expected_usd_1h: levels.within_an_hour.map(|levels| whole_usd(usd_in(wall, levels))),
        freshness: levels.fresh.map(|fresh| freshness(wall, fresh)),
        ..row(wall, mass, price, of_side)
    };
    walls(mass, price).iter().map(row_of).collect()
}

/// Dollars of a wall's side in its bins.
fn usd_in(wall: &Wall, levels: &[LeverageLevel]) -> f64 {
    let inside = levels.iter().filter(|level| level.price >= wall.low && level.price < wall.high);
    match wall.side {
        Side::Long => inside.map(|level| level.long_usd).sum(),
        Side::Short => inside.map(|level| level.short_usd).sum(),
    }
}

fn row(wall: &Wall, mass: &SideMass, price: Price, of_side: f64) -> WallRow {
    let by_class = whole_parts(&wall.by_class);
    let leverages =
        mass.leverages.iter().zip(&by_class).filter(|(leverage, usd)| **leverage > UNCLASSED && **usd > 0);
    WallRow {
        side: wall.side,
        low: wall.low.into(),
        high: wall.high.into(),
        peak_price: wall.peak.into(),
        usd: by_class.iter().sum(),
        share: rounded(wall.usd() / of_side, 1e4),
        distance_pct: rounded(distance_pct(wall.low, wall.high, price), 1e2),
        expected_usd_1h: None,
        freshness: None,
        usd_on_the_way: whole_usd(wall.usd_before),
        leverages: leverages
            .map(|(leverage, usd)| LeverageUsd { leverage: leverage_of(*leverage), usd: *usd })
            .collect(),
    }
}

/// With as many decimals as `scale` has zeros.
pub(crate) fn rounded(number: f64, scale: f64) -> f64 {
    (number * scale).round() / scale
}

/// A realised liquidation.
pub(crate) fn liquidation_row(venue: Venue, row: &Liquidation) -> LiquidationRow {
    LiquidationRow {
        timestamp: format_time(row.time),
        venue: venue.name(),
        side: row.side,
        price: row.price.into(),
        quantity: row.qty.into(),
        usd: round_u64(row.price.to_f64() * row.qty.to_f64()),
    }
}
