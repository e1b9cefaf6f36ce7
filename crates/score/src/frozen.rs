//! What every predictor says at one moment, from the bars up to that moment.

use std::collections::VecDeque;

use liqheat_market::{Bar, Price, Side, TierTable, UnixMs};
use liqheat_model::{Ledger, Params, Step};

use crate::candle_colour::CandleColour;
use crate::path::Path;
use crate::run::VolumeAtPrice;
use crate::{CELL_WIDTH, CELLS_WITHOUT_TOUCH};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One side at one moment; vectors have an element for each cell, nearest first.
#[derive(Debug, Clone, PartialEq)]
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

/// All predictors at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frozen {
    pub(crate) at: UnixMs,
    pub(crate) price: f64,
    /// Standard deviation of the log price over an hour, from the last day.
    pub(crate) hourly_volatility: f64,
    pub(crate) sides: [FrozenSide; 2],
}

/// Follows the market bar by bar and freezes it on demand.
pub(crate) struct Follower<'a> {
    ledger: Ledger,
    colour: CandleColour,
    path: Path,
    volume_at_price: &'a dyn VolumeAtPrice,
    /// Maps of the last day, oldest first.
    maps: VecDeque<(UnixMs, [Vec<f64>; 2])>,
    /// Reused rows of each class.
    planes: Vec<Vec<f32>>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(params: &Params, tiers: &TierTable, volume_at_price: &'a dyn VolumeAtPrice) -> Self {
        let values = params.values();
        Self {
            colour: CandleColour::new(&values.weights, values.position_usd, tiers),
            planes: vec![Vec::new(); values.weights.classes().len()],
            ledger: Ledger::new(params.clone(), tiers.clone()),
            path: Path::default(),
            volume_at_price,
            maps: VecDeque::new(),
        }
    }

    /// Adds a closed bar.
    pub(crate) fn step(&mut self, bar: &Bar) -> Step {
        self.path.step(bar);
        self.colour.step(bar);
        self.ledger.apply(bar, self.volume_at_price.of_bar(bar.open_time))
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The present moment; `None` until the ledger has started.
    pub(crate) fn freeze(&mut self) -> Option<Frozen> {
        let at = self.ledger.as_of()?;
        let price = self.ledger.last_price()?.to_f64();
        let mut classes = self.map_by_class(price)?;
        let maps = classes.each_ref().map(|classes| sum(classes));
        let yesterday = self.map_of(at.plus(-DAY_MS));
        self.maps.push_back((at, maps.clone()));
        let side = |side: Side| FrozenSide {
            map: maps[side as usize].clone(),
            classes: std::mem::take(&mut classes[side as usize]),
            yesterday: yesterday.as_ref().map_or_else(empty, |maps| maps[side as usize].clone()),
            colour: cells().map(|(near, far)| self.colour.between(side, price, near, far)).collect(),
            age_days: cells()
                .map(|(near, far)| price * (-side.sign() * f64::midpoint(near, far)).exp())
                .map(|level| self.path.age_days(level, at))
                .collect(),
            hour_extreme: self.path.hour_extreme(side),
            day_extreme: self.path.day_extreme(side),
        };
        let sides = Side::BOTH.map(side);
        Some(Frozen { at, price, hourly_volatility: self.path.hourly_volatility(), sides })
    }

    /// The map frozen at or shortly before a moment; older ones are dropped.
    fn map_of(&mut self, moment: UnixMs) -> Option<[Vec<f64>; 2]> {
        while self.maps.get(1).is_some_and(|(at, _)| *at <= moment) {
            self.maps.pop_front();
        }
        let (at, maps) = self.maps.front()?;
        (0..HOUR_MS).contains(&moment.since(*at)).then(|| maps.clone())
    }

    /// USD in each cell of log distance, by side and class.
    fn map_by_class(&mut self, price: f64) -> Option<[Vec<Vec<f64>>; 2]> {
        let reach = CELLS_WITHOUT_TOUCH as f64 * CELL_WIDTH;
        let bin = self.ledger.cell()?;
        let width = bin.to_f64();
        let first = (price * (-reach).exp() / width).floor();
        let rows = (price * reach.exp() / width).ceil() - first;
        for plane in &mut self.planes {
            plane.clear();
            plane.resize(rows as usize, 0.0);
        }
        let low = Price::from_units(bin.units() * first as i64);
        self.ledger.add_classes_to_column(low, bin, None, self.planes.iter_mut().map(Vec::as_mut_slice));
        // Log distance of the lower edge of each row, above the price positive.
        let edges: Vec<f64> = (0..=rows as usize)
            .map(|row| (((first + row as f64).max(0.5) * width) / price).ln() / CELL_WIDTH)
            .collect();
        let by_class = |side: Side| self.planes.iter().map(|plane| regroup(plane, side, &edges)).collect();
        Some(Side::BOTH.map(by_class))
    }
}

/// (nearer, farther) edge of each cell in log distance.
pub(crate) fn cells() -> impl Iterator<Item = (f64, f64)> {
    (0..CELLS_WITHOUT_TOUCH).map(|cell| (cell as f64 * CELL_WIDTH, (cell + 1) as f64 * CELL_WIDTH))
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
        for cell in near as usize..=far as usize {
            let overlap = far.min((cell + 1) as f64) - near.max(cell as f64);
            if let Some(sum) = grouped.get_mut(cell).filter(|_| overlap > 0.0) {
                *sum += f64::from(*usd) * overlap / (far - near);
            }
        }
    }
    grouped
}
