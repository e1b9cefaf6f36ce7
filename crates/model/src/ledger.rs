//! The ledger: all open positions of one instrument, both sides, and the step that a bar takes it through.
//!
//! Every contract has one long and one short, so each side sums to the open interest at all times. A step
//! (numbered as in the documentation of the model):
//!
//! 1. Consume. Longs with a level at or above the low and shorts with a level at or below the high are
//!    liquidated and leave: `c_long`, `c_short` coins. The mark price decides where it is known, else the last
//!    price. The cell that holds the low or high goes whole.
//! 2. Close. Only the change of open interest `d = O - C` is observed. Closings are
//!    `C = max(c_long, c_short, -d) + reopened`, openings `O = C + d`, where the share `turnover_share` of the
//!    volume beyond `|d|` closes and reopens. Each side then shrinks to `before - C`, which is by the factor
//!    `(before - C) / (before - c_side)`: a liquidated contract closes its counterpart too. Where classes have closing
//!    rates of their own, a class at rate `r` keeps the share `exp(-x r)`, with `x` such that the side sums up.
//! 3. Open. `O` coins on both sides, at the prices traded in the bar. The taker's leg takes the taker's
//!    leverage mix, the other leg the maker's. Levels beyond the closing price join the mass without a level.
//!
//! Funding is not charged to margins.

use std::ops::Range;

use liqheat_market::{Bar, Price, Qty, Side, TierTable, UnixMs};

use crate::grid::{CELLS_PER_BIN, PriceGrid, cells_kept};
use crate::hash::Fnv64;
use crate::kernel::Entries;
use crate::open_interest::OpenInterestFilter;
use crate::opening::{Order, SideRules};
use crate::params::Params;
use crate::position_bins::{BinConsumption, ClosingRates, Origin, PositionBins};
use crate::step::{BarFault, Consumption, PriceSource, Step, StepOutcome};

/// The estimated open positions of one instrument.
///
/// ```
/// use liqheat_market::{Bar, Price, Qty, TierTable, UnixMs};
/// use liqheat_model::{Ledger, StepOutcome, Params};
///
/// let price = Price::parse("100000").unwrap();
/// let bar = Bar {
///     open_time: UnixMs(0),
///     close_time: UnixMs(300_000),
///     open: price,
///     high: price,
///     low: price,
///     close: price,
///     mark: None,
///     volume: None,
///     taker_buy_volume: None,
///     open_interest: Some(Qty::parse("80000").unwrap()),
/// };
/// let mut ledger = Ledger::new(Params::default(), TierTable::flat(UnixMs(0), 0.004).unwrap());
/// assert_eq!(ledger.apply(&bar, &[]).outcome, StepOutcome::Started);
/// assert_eq!(ledger.seen_share(), 0.0, "all of it is assumed so far");
/// let levels = ledger.levels(ledger.base_bin().unwrap(), None);
/// assert!(levels.iter().any(|level| level.long_usd > 0.0));
/// assert!(ledger.check().hold());
/// ```
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(crate) params: Params,
    pub(crate) rules_fingerprint: u64,
    long_rules: SideRules,
    short_rules: SideRules,
    /// Rates by class, where they differ.
    closing_rates: Option<ClosingRates>,
    pub(crate) long: PositionBins,
    pub(crate) short: PositionBins,
    /// `None` until an open interest is known.
    pub(crate) grid: Option<PriceGrid>,
    pub(crate) as_of: Option<UnixMs>,
    pub(crate) last_price: Option<Price>,
    /// Coins, single-sided.
    pub(crate) open_interest: f64,
    pub(crate) filter: OpenInterestFilter,
}

/// Prices of a bar that liquidate positions: the lowest those of longs, the highest those of shorts.
#[derive(Debug, Clone, Copy)]
struct ConsumingPrices {
    low: Price,
    high: Price,
    close: Price,
}

impl Ledger {
    /// An empty ledger. It starts at the first bar that knows its open interest.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the table belongs to the ledger's rules from here on")]
    pub fn new(params: Params, tiers: TierTable) -> Self {
        let classes = params.values().weights.classes().len();
        let cells = cells_kept(params.values().cells_in_price);
        let rules_fingerprint = rules_fingerprint(&params, &tiers);
        let values = params.values();
        let closing_rates = values.closes_by_class().then(|| ClosingRates {
            classes: (0..classes).map(|class| values.detail(class).closing_rate).collect(),
            unlevelled: values.unlevelled_closing_rate,
        });
        let by_class = closing_rates.is_some();
        Self {
            rules_fingerprint,
            long_rules: SideRules::new(Side::Long, &params, &tiers),
            short_rules: SideRules::new(Side::Short, &params, &tiers),
            closing_rates,
            long: PositionBins::new(Side::Long, classes, cells, by_class),
            short: PositionBins::new(Side::Short, classes, cells, by_class),
            params,
            grid: None,
            as_of: None,
            last_price: None,
            open_interest: 0.0,
            filter: OpenInterestFilter::default(),
        }
    }

    /// Moves the ledger over one closed bar. `profile` is the volume at price inside the bar, from trades (in
    /// any order; prices may be rounded down to cells); empty when there are none, then a documented shape
    /// over the bar's range stands in. A bar that cannot be applied leaves the ledger as it was and says why
    /// in [`Step::outcome`].
    pub fn apply(&mut self, bar: &Bar, profile: &[(Price, Qty)]) -> Step {
        if let Err(fault) = self.accept(bar) {
            return Step::quiet(bar.close_time, StepOutcome::Refused(fault));
        }
        let (prices, price_source) = consuming_prices(bar);
        let gap_ms = self.as_of.map_or(0, |as_of| bar.open_time.since(as_of));
        if gap_ms > self.params.values().gap_ms_max {
            // What was accepted before the gap is no measure of what comes after it.
            self.filter = OpenInterestFilter::default();
        }
        let sample = bar.open_interest.map(Qty::to_f64);
        let sample_verdict = self.filter.judge(sample);
        let open_interest_known = sample.filter(|_| sample_verdict.is_used());
        let mut step = match (self.grid, open_interest_known) {
            (None, None) => Step::quiet(bar.close_time, StepOutcome::Waiting),
            (None, Some(open_interest)) => self.start(bar, prices.close, open_interest, StepOutcome::Started),
            (Some(_), _) if gap_ms > self.params.values().gap_ms_max => {
                let open_interest = open_interest_known.unwrap_or(self.open_interest);
                self.start(bar, prices.close, open_interest, StepOutcome::Restarted { gap_ms })
            }
            (Some(grid), _) => self.advance(bar, profile, &grid, prices, open_interest_known),
        };
        self.as_of = Some(bar.close_time);
        self.last_price = Some(prices.close);
        step.oi_known = open_interest_known.is_some();
        step.sample_verdict = sample_verdict;
        step.volume_known = bar.volume.is_some();
        step.taker_known = bar.taker_buy_volume.is_some();
        step.price_source = price_source;
        if self.grid.is_some() {
            step.broken = self.broken();
        }
        step
    }

    fn accept(&self, bar: &Bar) -> Result<(), BarFault> {
        // A level can stand at eighteen times the price; this keeps it inside 64 bits of 1e-8.
        const PRICE_MAX: Price = Price::from_units(100_000_000_000_000_000);
        if bar.close_time <= bar.open_time {
            return Err(BarFault::Times);
        }
        if self.as_of.is_some_and(|as_of| bar.open_time < as_of) {
            return Err(BarFault::Stale);
        }
        let in_order = bar.low <= bar.close && bar.close <= bar.high;
        if !bar.low.is_positive() || bar.high > PRICE_MAX || !in_order {
            return Err(BarFault::Prices);
        }
        let negative = |qty: Option<Qty>| qty.is_some_and(|qty| qty.units() < 0);
        if negative(bar.volume) || negative(bar.taker_buy_volume) {
            return Err(BarFault::Volume);
        }
        Ok(())
    }

    /// Begins on the prior: the whole open interest, as if opened around the price, fewer the further away, half by takers.
    fn start(&mut self, bar: &Bar, price: Price, open_interest: f64, outcome: StepOutcome) -> Step {
        let cells_in_price = self.params.values().cells_in_price;
        let grid = match self.grid {
            None => PriceGrid::for_price(price, cells_in_price, 1),
            Some(grid) => grid.successor(price).unwrap_or(grid),
        };
        let regridded = self.grid != Some(grid);
        self.long.clear();
        self.short.clear();
        self.grid = Some(grid);
        self.open_interest = open_interest;

        let middle = price.to_f64();
        let entries = Entries::fading(middle, self.params.values().prior_half_width);
        let created = self.open(&grid, price, &entries, open_interest, 0.5, Origin::Prior);
        let mut step = Step::quiet(bar.close_time, outcome);
        step.created = created;
        step.opened = open_interest;
        step.regridded = regridded;
        step
    }

    fn advance(
        &mut self,
        bar: &Bar,
        profile: &[(Price, Qty)],
        grid: &PriceGrid,
        prices: ConsumingPrices,
        open_interest_known: Option<f64>,
    ) -> Step {
        let mut step = Step::quiet(bar.close_time, StepOutcome::Advanced);

        // 1. Consume.
        let long = self.long.consume(grid.index(prices.low)..usize::MAX);
        let short = self.short.consume(0..grid.index(prices.high).saturating_add(1));
        step.consumed = long.bins + short.bins;
        step.consumed_long = consumed(&long, grid);
        step.consumed_short = consumed(&short, grid);

        // 2. Close.
        let before = self.open_interest;
        let after = open_interest_known.unwrap_or(before);
        let volume = bar.volume.map(Qty::to_f64);
        let flow = Flow::new(
            before,
            after,
            long.coins.max(short.coins),
            volume,
            self.params.values().turnover_share,
        );
        match &self.closing_rates {
            None => {
                self.long.shrink(flow.survival(before, long.coins));
                self.short.shrink(flow.survival(before, short.coins));
            }
            Some(rates) => {
                self.long.shrink_classes(before - flow.closed, rates);
                self.short.shrink_classes(before - flow.closed, rates);
            }
        }
        self.open_interest = after;
        step.opened = flow.opened;
        step.closed = flow.closed;

        // 3. Open, on the grid that fits the closing price.
        let grid = self.fit_grid(*grid, prices.close, &mut step);
        if flow.opened > 0.0 {
            let entries = Entries::of_bar(bar, profile);
            let taker_buys = taker_buy_share(bar);
            step.created = self.open(&grid, prices.close, &entries, flow.opened, taker_buys, Origin::Seen);
        }
        step
    }

    fn fit_grid(&mut self, grid: PriceGrid, close: Price, step: &mut Step) -> PriceGrid {
        let Some(next) = grid.successor(close) else { return grid };
        for book in [&mut self.long, &mut self.short] {
            let allowed = allowed_cells(book.side, &next, close);
            book.remap(grid.cell, next.cell, &allowed);
        }
        self.grid = Some(next);
        step.regridded = true;
        next
    }

    /// Opens `coins` on both sides. When takers bought, the long is the taker's leg, else the short is.
    fn open(
        &mut self,
        grid: &PriceGrid,
        close: Price,
        entries: &Entries,
        coins: f64,
        taker_buys: f64,
        origin: Origin,
    ) -> u64 {
        let order = |side, taker| {
            let allowed = allowed_cells(side, grid, close);
            Order { coins, taker, entries, origin, allowed }
        };
        let long = self.long_rules.open(&mut self.long, grid, &order(Side::Long, taker_buys));
        let short = self.short_rules.open(&mut self.short, grid, &order(Side::Short, 1.0 - taker_buys));
        long.bins + short.bins
    }

    /// The close of the last applied bar.
    #[must_use]
    pub const fn as_of(&self) -> Option<UnixMs> {
        self.as_of
    }

    /// Closing price of the last applied bar: mark where known, else last.
    #[must_use]
    pub const fn last_price(&self) -> Option<Price> {
        self.last_price
    }

    /// Width of a cell; `None` until the ledger has started.
    #[must_use]
    pub fn cell(&self) -> Option<Price> {
        self.grid.map(|grid| Price::from_units(grid.cell))
    }

    /// Width of the narrowest public bin, ten cells; `None` until the ledger has started.
    #[must_use]
    pub fn base_bin(&self) -> Option<Price> {
        self.grid.map(|grid| Price::from_units(grid.cell * CELLS_PER_BIN))
    }

    /// Open interest the ledger holds, coins, single-sided.
    #[must_use]
    pub const fn open_interest(&self) -> f64 {
        self.open_interest
    }

    /// Share of the mass, over both sides, that the ledger has seen open, 0 to 1; the rest stems from the
    /// prior. 0 until the ledger has started.
    #[must_use]
    pub fn seen_share(&self) -> f64 {
        let prior = self.long.mass_of(Origin::Prior) + self.short.mass_of(Origin::Prior);
        let all = self.long.mass() + self.short.mass();
        if all > 0.0 { (1.0 - prior / all).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Too little of the mass was seen opening, see [`crate::ParamValues::warm_share`].
    #[must_use]
    pub fn is_warming_up(&self) -> bool {
        self.seen_share() < self.params.values().warm_share
    }

    /// Grows whenever the price grid changes; 0 until the ledger has started.
    #[must_use]
    pub fn grid_version(&self) -> u64 {
        self.grid.map_or(0, |grid| grid.version)
    }

    /// The parameters in force.
    #[must_use]
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// Mass in coins that has a level, (long, short).
    #[must_use]
    pub fn levelled(&self) -> (f64, f64) {
        let of = |book: &PositionBins| (book.levelled[0] + book.levelled[1]) * book.scale();
        (of(&self.long), of(&self.short))
    }

    /// The cell of the last price; 0 until the ledger has started.
    pub(crate) fn price_cell(&self) -> usize {
        self.grid.zip(self.last_price).map_or(0, |(grid, price)| grid.index(price))
    }
}

/// What the change of open interest and the volume say about openings and closings, in coins.
#[derive(Debug, Clone, Copy)]
struct Flow {
    opened: f64,
    closed: f64,
}

impl Flow {
    fn new(before: f64, after: f64, liquidated: f64, volume: Option<f64>, turnover_share: f64) -> Self {
        let change = after - before;
        let closed_least = liquidated.max(-change);
        let turnover = volume.map_or(0.0, |volume| turnover_share * (volume - change.abs()).max(0.0));
        // More than everything cannot close: a volume of many times the open interest turns it over once.
        let reopened = turnover.min((before - closed_least).max(0.0));
        Self { opened: (change + liquidated).max(0.0) + reopened, closed: closed_least + reopened }
    }

    /// The share of what remains on a side that stays open.
    fn survival(&self, before: f64, liquidated: f64) -> f64 {
        let left = before - liquidated;
        if left > 0.0 { ((before - self.closed) / left).clamp(0.0, 1.0) } else { 0.0 }
    }
}

fn consuming_prices(bar: &Bar) -> (ConsumingPrices, PriceSource) {
    match bar.mark {
        Some((low, high, close)) if low.is_positive() && low <= close && close <= high => {
            (ConsumingPrices { low, high, close }, PriceSource::Mark)
        }
        _ => (ConsumingPrices { low: bar.low, high: bar.high, close: bar.close }, PriceSource::Last),
    }
}

/// The share of volume in which the taker bought; half when unknown.
fn taker_buy_share(bar: &Bar) -> f64 {
    match (bar.taker_buy_volume, bar.volume) {
        (Some(bought), Some(volume)) if volume.is_positive() => (bought.to_f64() / volume.to_f64()).min(1.0),
        _ => 0.5,
    }
}

/// Cells in which a side may have levels: strictly on its own side of the closing price's cell.
fn allowed_cells(side: Side, grid: &PriceGrid, close: Price) -> Range<usize> {
    let price_cell = grid.index(close).min(grid.cells());
    match side {
        Side::Long => 0..price_cell,
        Side::Short => (price_cell + 1).min(grid.cells())..grid.cells(),
    }
}

fn consumed(eaten: &BinConsumption, grid: &PriceGrid) -> Consumption {
    Consumption { coins: eaten.coins, usd: eaten.coin_cells * grid.cell_f64() }
}

fn rules_fingerprint(params: &Params, tiers: &TierTable) -> u64 {
    let mut hash = Fnv64::new();
    hash.bytes(&params.fingerprint().to_le_bytes());
    for tier in tiers.tiers() {
        hash.number(tier.floor_usd);
        hash.number(tier.rate);
        hash.number(tier.cumulative_usd);
        hash.number(tier.leverage_max);
    }
    hash.finish()
}
