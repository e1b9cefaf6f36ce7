//! A board that changes at random, and what it was at every `seq`.

use std::collections::{BTreeMap, HashMap};

use liqheat_market::{Price, UnixMs};
use liqheat_wire::{Cell, StateHash};

use crate::board::{BoardUpdate, Counters};
use crate::hub::Hub;

pub(super) const BIN: i64 = 10;

pub(super) struct Market {
    pub(super) symbol: &'static str,
    dice: fastrand::Rng,
    cells: BTreeMap<i64, (u64, u64)>,
    price: i64,
    epoch: u64,
    seq: u64,
    /// Every state that a client may still be told of, by (epoch, seq).
    states: HashMap<(u64, u64), State>,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) price: Price,
    pub(super) cells: Vec<Cell>,
}

impl Market {
    pub(super) fn new(symbol: &'static str, dice: fastrand::Rng) -> Self {
        Self { symbol, dice, cells: BTreeMap::new(), price: 1_000, epoch: 1, seq: 0, states: HashMap::new() }
    }

    /// Changes, mostly; whether it did.
    pub(super) fn tick(&mut self, hub: &Hub) -> bool {
        let dice = &mut self.dice;
        let steps = [0, 0, 1, 1, 2, 5, 60][dice.usize(..7)];
        for _ in 0..steps {
            let price = dice.i64(50..150) * BIN;
            let usd = |dice: &mut fastrand::Rng| if dice.bool() { dice.u64(..1 << 40) } else { 0 };
            let (long, short) = (usd(dice), usd(dice));
            if dice.u8(..4) == 0 {
                self.cells.remove(&price);
            } else {
                self.cells.insert(price, (long, short));
            }
        }
        if dice.u8(..3) == 0 {
            self.price = dice.i64(900..1_100);
        }
        if dice.u16(..2_000) == 0 {
            (self.epoch, self.seq) = (self.epoch + 1, 0);
        }
        let cell = |(price, (long_usd, short_usd)): (&i64, &(u64, u64))| Cell {
            price: Price::from_units(*price),
            long_usd: *long_usd,
            short_usd: *short_usd,
        };
        let cells: Vec<Cell> = self.cells.iter().map(cell).filter(|cell| !cell.is_empty()).collect();
        let price = Price::from_units(self.price);
        let changed = hub.slot(self.symbol).unwrap().publish(BoardUpdate {
            epoch: format!("e{}", self.epoch),
            cells: cells.clone(),
            price,
            base_bin: Price::from_units(BIN),
            as_of: UnixMs(0),
            counters: Counters::default(),
        });
        if changed {
            self.seq += 1;
            self.states.insert((self.epoch, self.seq), State { price, cells });
        }
        changed
    }

    /// What the board was.
    pub(super) fn at(&self, epoch: &str, seq: u64) -> &State {
        let number = epoch.strip_prefix('e').and_then(|number| number.parse().ok()).unwrap();
        self.states.get(&(number, seq)).unwrap_or_else(|| panic!("{epoch}:{seq} was never published"))
    }

    pub(super) fn newest(&self) -> (String, u64) {
        (format!("e{}", self.epoch), self.seq)
    }

    pub(super) fn forget_before(&mut self, oldest: Option<(u64, u64)>) {
        const KEPT: u64 = 64;
        if self.states.len() > 4_096
            && let Some((epoch, seq)) = oldest
        {
            let newest = (self.epoch, self.seq);
            self.states.retain(|at, _| *at >= (epoch, seq) || at.0 == newest.0 && at.1 + KEPT > newest.1);
        }
    }
}

/// A view, the slow and obvious way.
pub(super) fn look_at(cells: &[Cell], range: Option<(i64, i64)>, bin: i64) -> BTreeMap<i64, (u64, u64)> {
    let mut seen = BTreeMap::new();
    for cell in cells {
        let price = cell.price.units() / bin * bin;
        if range.is_none_or(|(low, high)| price + bin > low && price <= high) {
            let (long, short) = seen.entry(price).or_insert((0, 0));
            *long += cell.long_usd;
            *short += cell.short_usd;
        }
    }
    seen
}

pub(super) fn hash_of(cells: &BTreeMap<i64, (u64, u64)>) -> StateHash {
    let mut hash = StateHash::default();
    for (price, (long_usd, short_usd)) in cells {
        hash.add(&Cell { price: Price::from_units(*price), long_usd: *long_usd, short_usd: *short_usd });
    }
    hash
}
