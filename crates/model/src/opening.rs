//! How an opening becomes levels: per side and leverage class, where the level stands relative to the entry,
//! how wide its kernel is, and what share of the opening it takes.

use std::ops::Range;

use liqheat_market::{Side, TierTable};

use crate::book::{Book, Origin};
use crate::grid::{CELLS_PER_BIN, PriceGrid, ln_index};
use crate::kernel::Entries;
use crate::liquidation::liquidation_price;
use crate::params::Params;

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

/// What one opening did to one side.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Opened {
    /// (class, public bin) pairs that gained mass.
    pub(crate) bins: u64,
}

impl SideRules {
    pub(crate) fn new(side: Side, params: &Params, tiers: &TierTable) -> Self {
        let values = params.values();
        let rule = |&(leverage, weight): &(f64, f64)| {
            let taker_share = weight * values.liquidatable_share;
            let sigma = (values.kernel_sigma_per_leverage / leverage).max(values.kernel_sigma_min);
            // At an entry of 1 the quantity is the notional; the ratio is the same at any other entry.
            let ratio = liquidation_price(side, 1.0, values.position_usd, leverage, tiers).ok();
            let level = ratio.map(|ratio| LevelRule {
                ratio,
                ln_ratio: libm::log(ratio),
                sigma,
                ratio_low: ratio * libm::exp(-3.0 * sigma),
                ratio_high: ratio * libm::exp(3.0 * sigma),
            });
            ClassRule { taker_share, maker_share: taker_share * values.maker_ratio, level }
        };
        Self { classes: values.weights.classes().iter().map(rule).collect() }
    }

    /// Puts `coins` of new positions into `book`. `taker` is the share of them opened by takers; levels may
    /// stand in the `allowed` cells only, all other mass joins the part without a level.
    pub(crate) fn open(&self, book: &mut Book, grid: &PriceGrid, order: &Order<'_>) -> Opened {
        let mut opened = Opened::default();
        let raw = order.coins / book.scale();
        if raw <= 0.0 {
            return opened;
        }
        let mut levelled = 0.0;
        for (class, rule) in self.classes.iter().enumerate() {
            let share = rule.taker_share * order.taker + rule.maker_share * (1.0 - order.taker);
            let Some(level) = rule.level.filter(|_| share > 0.0) else { continue };
            let placed = spread(book, class, grid, &level, order, raw * share);
            levelled += placed.raw;
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

struct Placed {
    raw: f64,
    bins: u64,
}

/// The kernel is evaluated at the edges of blocks of whole cells, a third of sigma wide, and lies evenly
/// inside a block: wide kernels cost no more than narrow ones. At most this many blocks are used.
const BLOCKS_MAX: usize = 256;
const BLOCKS_PER_SIGMA: f64 = 3.0;

fn spread(
    book: &mut Book,
    class: usize,
    grid: &PriceGrid,
    level: &LevelRule,
    order: &Order<'_>,
    raw: f64,
) -> Placed {
    let mut placed = Placed { raw: 0.0, bins: 0 };
    let cell = grid.cell_f64();
    let entries = order.entries;
    let first = ((entries.low * level.ratio_low / cell) as usize).max(1);
    let end = ((entries.high * level.ratio_high / cell) as usize + 1).min(grid.cells());
    let (from, to) = (first.max(order.allowed.start), end.min(order.allowed.end));
    if from >= to {
        return placed;
    }
    let sigma_cells = level.sigma * level.ratio * (entries.low + entries.high) / 2.0 / cell;
    let block = ((sigma_cells / BLOCKS_PER_SIGMA) as usize).max((end - first).div_ceil(BLOCKS_MAX)).max(1);

    // Blocks count from `first`; those wholly outside the allowed cells are not evaluated.
    let block_first = (from - first) / block;
    let block_end = (to - first).div_ceil(block);
    let edges = block_end - block_first + 1;
    let edge_cell = |edge: usize| (first + (block_first + edge) * block).min(end);
    let ln = ln_index();
    let shift = libm::log(cell) - level.ln_ratio;
    let mut at = [0.0; BLOCKS_MAX + 1];
    let mut below = [0.0; BLOCKS_MAX + 1];
    for (edge, x) in at[..edges].iter_mut().enumerate() {
        *x = ln[edge_cell(edge)] + shift;
    }
    entries.shares_below(level.sigma, &at[..edges], &mut below[..edges]);

    let (mut touched_first, mut touched_last) = (usize::MAX, 0);
    for edge in 1..edges {
        let (start, stop) = (edge_cell(edge - 1), edge_cell(edge));
        let share = below[edge] - below[edge - 1];
        // Far in the tails rounding may give a tiny negative share.
        if share <= 0.0 || start >= stop {
            continue;
        }
        let each = raw * share / (stop - start) as f64;
        let (start, stop) = (start.max(from), stop.min(to));
        placed.raw += book.add(class, order.origin, start..stop, each);
        touched_first = touched_first.min(start);
        touched_last = stop - 1;
    }
    if touched_first <= touched_last {
        let bin = CELLS_PER_BIN as usize;
        placed.bins = (touched_last / bin - touched_first / bin + 1) as u64;
        book.mark_used(touched_first..touched_last + 1);
    }
    placed
}
