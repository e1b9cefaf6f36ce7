//! How an opening becomes levels: per side and leverage class, where the level stands relative to the entry,
//! how wide its kernel is, and what share of the opening it takes.

use std::ops::Range;

use liqheat_market::convert::{approx_f64, trunc_usize, unsigned_len};
use liqheat_market::{Side, TierTable};

use crate::grid::{CELLS_PER_BIN, PriceGrid, ln_index};
use crate::kernel::Entries;
use crate::liquidation::liquidation_price;
use crate::params::Params;
use crate::position_bins::{Origin, PositionBins};

/// The rules of one side, one entry per leverage class.
#[derive(Debug, Clone)]
pub(crate) struct SideRules {
    classes: Vec<ClassRule>,
}

#[derive(Debug, Clone, Copy)]
struct ClassRule {
    /// Share of a taker's and of a maker's opening that lands in this class.
    taker_share: f64,
    maker_share: f64,
    /// `None` when the venue would not let such a position be opened, or nothing liquidates it.
    level: Option<LevelRule>,
}

#[derive(Debug, Clone, Copy)]
struct LevelRule {
    /// Level over entry, and its logarithm.
    ratio: f64,
    ln_ratio: f64,
    /// Kernel sigma in log price.
    sigma: f64,
    /// The ends of the kernel over the entry.
    ratio_low: f64,
    ratio_high: f64,
}

/// Result of opening positions on one side.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OpeningResult {
    /// (class, public bin) pairs that gained mass.
    pub(crate) bins: u64,
}

impl SideRules {
    pub(crate) fn new(side: Side, params: &Params, tiers: &TierTable) -> Self {
        let values = params.values();
        let rule = |(class, &(leverage, weight)): (usize, &(f64, f64))| {
            let detail = values.detail(class);
            let taker_share = weight * values.liquidatable_share;
            let by_leverage = (values.kernel_sigma_per_leverage / leverage).max(values.kernel_sigma_min);
            let sigma = detail.kernel_sigma.unwrap_or(by_leverage);
            // At an entry of 1 the quantity is the notional; the ratio is the same at any other entry.
            let is_allowed = leverage <= tiers.tier_of(values.position_usd).leverage_max;
            let price = || liquidation_price(side, 1.0, values.position_usd, leverage, tiers).ok();
            let ratio = match detail.distance {
                Some(distance) => Some(1.0 - side.sign() * distance),
                None => is_allowed.then(price).flatten(),
            };
            let level = ratio.map(|ratio| LevelRule {
                ratio,
                ln_ratio: libm::log(ratio),
                sigma,
                ratio_low: ratio * libm::exp(-3.0 * sigma),
                ratio_high: ratio * libm::exp(3.0 * sigma),
            });
            let maker_share = detail
                .maker_weight
                .map_or(taker_share * values.maker_ratio, |weight| weight * values.liquidatable_share);
            ClassRule { taker_share, maker_share, level }
        };
        Self { classes: values.weights.classes().iter().enumerate().map(rule).collect() }
    }

    /// Puts `coins` of new positions into `book`. `taker` is the share of them opened by takers; levels may
    /// stand in the `allowed` cells only, all other mass joins the part without a level.
    pub(crate) fn open(&self, book: &mut PositionBins, grid: &PriceGrid, order: &Order<'_>) -> OpeningResult {
        let mut opened = OpeningResult::default();
        let raw = order.coins / book.scale();
        if raw <= 0.0 {
            return opened;
        }
        let mut levelled = 0.0;
        for (class, rule) in self.classes.iter().enumerate() {
            let share = rule.taker_share * order.taker + rule.maker_share * (1.0 - order.taker);
            let Some(level) = rule.level.filter(|_| share > 0.0) else { continue };
            let factor = book.factor(class);
            let placed = spread(book, class, grid, &level, order, raw * share / factor);
            levelled += placed.raw * factor;
            opened.bins += placed.bins;
        }
        book.add_unlevelled(order.origin, (raw - levelled).max(0.0));
        opened
    }
}

/// One opening on one side.
#[derive(Debug, Clone)]
pub(crate) struct Order<'a> {
    pub(crate) coins: f64,
    pub(crate) taker: f64,
    pub(crate) entries: &'a Entries,
    pub(crate) origin: Origin,
    pub(crate) allowed: Range<usize>,
}

struct Placement {
    raw: f64,
    bins: u64,
}

/// The kernel is evaluated at the edges of blocks of whole cells and lies evenly inside a block, so that a
/// wide kernel costs no more than a narrow one. A block is half a sigma wide; where the entries themselves
/// are wider than the kernel it may grow to half their common sigma, but not past half a public bin.
const BLOCKS_PER_SIGMA: f64 = 2.0;
#[expect(clippy::cast_precision_loss, reason = "ten is exact")]
const BLOCK_CELLS_FREE: f64 = CELLS_PER_BIN as f64 / 2.0;
/// Edges evaluated in one go.
const LANES: usize = 32;

fn block_cells(level: &LevelRule, entries: &Entries, cell: f64) -> usize {
    let cells_per_log = level.ratio * (entries.low + entries.high) / 2.0 / cell;
    let kernel = level.sigma * cells_per_log / BLOCKS_PER_SIGMA;
    let entry_sigma = entries.sigma();
    let common =
        (level.sigma * level.sigma + entry_sigma * entry_sigma).sqrt() * cells_per_log / BLOCKS_PER_SIGMA;
    trunc_usize(kernel.max(common.min(BLOCK_CELLS_FREE))).max(1)
}

fn spread(
    book: &mut PositionBins,
    class: usize,
    grid: &PriceGrid,
    level: &LevelRule,
    order: &Order<'_>,
    raw: f64,
) -> Placement {
    let mut placed = Placement { raw: 0.0, bins: 0 };
    let cell = grid.cell_f64();
    let entries = order.entries;
    let first = trunc_usize(entries.low * level.ratio_low / cell).max(1);
    let end = (trunc_usize(entries.high * level.ratio_high / cell) + 1).min(grid.cells());
    let (from, to) = (first.max(order.allowed.start), end.min(order.allowed.end));
    if from >= to {
        return placed;
    }
    // Blocks count from `first`; those wholly outside the allowed cells are not evaluated.
    let block = block_cells(level, entries, cell);
    let (block_first, block_end) = ((from - first) / block, (to - first).div_ceil(block));
    let edge_cell = |edge: usize| (first + edge * block).min(end);
    let ln = ln_index();
    let shift = grid.ln_cell - level.ln_ratio;
    let per_cell = raw / approx_f64(block);
    let (mut touched_start, mut touched_end) = (to, from);
    let (mut at, mut below) = ([0.0; LANES], [0.0; LANES]);
    // Runs of edges overlap by one.
    for run in (block_first..block_end).step_by(LANES - 1) {
        let edges = LANES.min(block_end - run + 1);
        for (lane, x) in at[..edges].iter_mut().enumerate() {
            *x = ln[edge_cell(run + lane)] + shift;
        }
        entries.shares_below(level.sigma, &at[..edges], &mut below[..edges]);
        for lane in 1..edges {
            let share = below[lane] - below[lane - 1];
            let (start, stop) = (edge_cell(run + lane - 1), edge_cell(run + lane));
            // Far in the tails rounding may give a tiny negative share.
            if share <= 0.0 || start >= stop {
                continue;
            }
            // Only the last block may be shorter; a division for each block would cost as much as the rest.
            let each =
                if stop - start == block { share * per_cell } else { share * raw / approx_f64(stop - start) };
            let cells = start.max(from)..stop.min(to);
            touched_start = touched_start.min(cells.start);
            touched_end = cells.end;
            placed.raw += each * approx_f64(cells.len());
            book.add(class, order.origin, cells, each);
        }
    }
    if touched_start < touched_end {
        let bin = unsigned_len(CELLS_PER_BIN);
        placed.bins = ((touched_end - 1) / bin - touched_start / bin + 1) as u64;
        book.settle(class, order.origin, touched_start..touched_end, placed.raw);
    }
    placed
}
