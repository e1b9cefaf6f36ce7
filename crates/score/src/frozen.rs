//! What every predictor says at one moment, from the bars up to that moment.

use std::collections::VecDeque;
use std::rc::Rc;

use liqheat_market::convert::{approx_f64, trunc_i64, trunc_usize};
use liqheat_market::{Bar, Price, Side, TierTable, UnixMs};
use liqheat_model::{Ledger, Params, Step};

use crate::candle_colour::CandleColour;
use crate::path::Path;
use crate::volume_at_price::VolumeAtPrice;
use crate::{CELL_WIDTH, CELLS_WITHOUT_TOUCH};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One side at one moment; vectors have an element for each cell, nearest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct FrozenSide {
    /// The map in USD.
    pub(crate) map: Vec<f64>,
    /// The map of each leverage class in USD, lowest leverage first.
    pub(crate) classes: Vec<Vec<f64>>,
    /// The map of a day ago, at the same distances from the price of then.
    pub(crate) yesterday: Vec<f64>,
    /// Mass of the candle-colour model.
    pub(crate) colour: Vec<f64>,
    /// Days since the price was last in the middle of the cell.
    pub(crate) age_days: Vec<f64>,
    /// Log distance to the extreme of the last hour and day.
    pub(crate) hour_extreme: f64,
    pub(crate) day_extreme: f64,
}

/// The predictions of all predictors at one moment. It can be kept as bytes (`encode`, `decode`) and graded by another process.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenMoment {
    pub(crate) at: UnixMs,
    pub(crate) price: f64,
    /// Standard deviation of the log price over an hour, from the last day.
    pub(crate) hourly_volatility: f64,
    pub(crate) sides: [FrozenSide; 2],
    /// Open interest at the price, USD; not kept in bytes.
    pub(crate) open_interest_usd: f64,
}

/// Input of the predictors other than the map, updated bar by bar.
pub struct MarketContext {
    colour: CandleColour,
    path: Path,
    /// Reused rows of each class.
    planes: Vec<Vec<f32>>,
}

impl MarketContext {
    /// Of a market that nothing is known of yet. Extremes and volatility need a day of bars, ages thirty.
    #[must_use]
    pub fn new(params: &Params, tiers: &TierTable) -> Self {
        let values = params.values();
        Self {
            colour: CandleColour::new(&values.weights, values.position_usd, tiers),
            path: Path::default(),
            planes: vec![Vec::new(); values.weights.classes().len()],
        }
    }

    /// Adds a closed bar; bars come in order of time.
    pub fn step(&mut self, bar: &Bar) {
        self.path.step(bar);
        self.colour.step(bar);
    }

    /// What all predictors say at the close of the ledger's last bar. `yesterday` is what was frozen a day before.
    /// `None` until the ledger has started.
    pub fn freeze(&mut self, ledger: &Ledger, yesterday: Option<&FrozenMoment>) -> Option<FrozenMoment> {
        let at = ledger.as_of()?;
        let price = ledger.last_price()?.to_f64();
        let mut classes = self.map_by_class(ledger, price)?;
        let side = |side: Side| FrozenSide {
            map: sum(&classes[side as usize]),
            classes: std::mem::take(&mut classes[side as usize]),
            yesterday: yesterday.map_or_else(empty, |frozen| frozen.sides[side as usize].map.clone()),
            colour: cells().map(|(near, far)| self.colour.between(side, price, near, far)).collect(),
            age_days: cells()
                .map(|(near, far)| price * (-side.sign() * f64::midpoint(near, far)).exp())
                .map(|level| self.path.age_days(level, at))
                .collect(),
            hour_extreme: self.path.hour_extreme(side),
            day_extreme: self.path.day_extreme(side),
        };
        let sides = Side::BOTH.map(side);
        let open_interest_usd = ledger.open_interest() * price;
        let hourly_volatility = self.path.hourly_volatility();
        Some(FrozenMoment { at, price, hourly_volatility, sides, open_interest_usd })
    }

    /// USD in each cell of log distance, by side and class.
    fn map_by_class(&mut self, ledger: &Ledger, price: f64) -> Option<[Vec<Vec<f64>>; 2]> {
        let reach = approx_f64(CELLS_WITHOUT_TOUCH) * CELL_WIDTH;
        let bin = ledger.cell()?;
        let width = bin.to_f64();
        let first = (price * (-reach).exp() / width).floor();
        let rows = (price * reach.exp() / width).ceil() - first;
        for plane in &mut self.planes {
            plane.clear();
            plane.resize(trunc_usize(rows), 0.0);
        }
        let low = Price::from_units(bin.units() * trunc_i64(first));
        ledger.add_classes_to_column(low, bin, None, self.planes.iter_mut().map(Vec::as_mut_slice));
        // Log distance of the lower edge of each row, above the price positive.
        let edges: Vec<f64> = (0..=trunc_usize(rows))
            .map(|row| (((first + approx_f64(row)).max(0.5) * width) / price).ln() / CELL_WIDTH)
            .collect();
        let by_class = |side: Side| self.planes.iter().map(|plane| regroup(plane, side, &edges)).collect();
        Some(Side::BOTH.map(by_class))
    }
}

/// Follows the market bar by bar and freezes it on demand.
pub(crate) struct Follower<'a> {
    ledger: Ledger,
    surroundings: MarketContext,
    volume_at_price: &'a dyn VolumeAtPrice,
    /// What was frozen in the last day, oldest first.
    frozen: VecDeque<Rc<FrozenMoment>>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(params: &Params, tiers: &TierTable, volume_at_price: &'a dyn VolumeAtPrice) -> Self {
        Self {
            surroundings: MarketContext::new(params, tiers),
            ledger: Ledger::new(params.clone(), tiers.clone()),
            volume_at_price,
            frozen: VecDeque::new(),
        }
    }

    /// Adds a closed bar.
    pub(crate) fn step(&mut self, bar: &Bar) -> Step {
        self.surroundings.step(bar);
        self.ledger.apply(bar, self.volume_at_price.of_bar(bar.open_time))
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The present moment; `None` until the ledger has started.
    pub(crate) fn freeze(&mut self) -> Option<Rc<FrozenMoment>> {
        let a_day_ago = self.ledger.as_of()?.plus(-DAY_MS);
        while self.frozen.get(1).is_some_and(|next| next.at <= a_day_ago) {
            self.frozen.pop_front();
        }
        let oldest = self.frozen.front();
        let yesterday = oldest.filter(|frozen| (0..HOUR_MS).contains(&a_day_ago.since(frozen.at)));
        let now = Rc::new(self.surroundings.freeze(&self.ledger, yesterday.map(Rc::as_ref))?);
        self.frozen.push_back(Rc::clone(&now));
        Some(now)
    }
}

/// (nearer, farther) edge of each cell in log distance.
pub(crate) fn cells() -> impl Iterator<Item = (f64, f64)> {
    (0..CELLS_WITHOUT_TOUCH).map(|cell| (approx_f64(cell) * CELL_WIDTH, approx_f64(cell + 1) * CELL_WIDTH))
}

fn empty() -> Vec<f64> {
    vec![0.0; CELLS_WITHOUT_TOUCH]
}

fn sum(classes: &[Vec<f64>]) -> Vec<f64> {
    let mut total = empty();
    for class in classes {
        total.iter_mut().zip(class).for_each(|(total, usd)| *total += usd);
    }
    total
}

/// Rows of price into cells of log distance; a row across the edge of a cell is split evenly over its width.
fn regroup(plane: &[f32], side: Side, edges: &[f64]) -> Vec<f64> {
    let mut grouped = empty();
    for (usd, edges) in plane.iter().zip(edges.windows(2)).filter(|(usd, _)| **usd > 0.0) {
        let (near, far) = match side {
            Side::Long => (-edges[1], -edges[0]),
            Side::Short => (edges[0], edges[1]),
        };
        // The row that holds the price belongs to neither side: it holds no levels.
        if near < 0.0 {
            continue;
        }
        for cell in trunc_usize(near)..=trunc_usize(far) {
            let overlap = far.min(approx_f64(cell + 1)) - near.max(approx_f64(cell));
            if let Some(sum) = grouped.get_mut(cell).filter(|_| overlap > 0.0) {
                *sum += f64::from(*usd) * overlap / (far - near);
            }
        }
    }
    grouped
}
